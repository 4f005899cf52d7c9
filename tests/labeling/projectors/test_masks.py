"""Masks are what the log says, whatever way led there; their files are there before their rows."""

from __future__ import annotations

import hashlib
import io
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command
from PIL import Image

from labeling import mask_files, storage
from labeling.commands import assets, datasets, labels, samples
from labeling.geometry import png, rle
from labeling.log import projector, rebuild, store
from labeling.management import mask_checks
from labeling.models import Annotation, Label, LabelMasks, Mask, MaskFile
from labeling.projectors import masks as masks_projector
from labeling.rules.label_ids import label_stream
from labeling.rules.masks import Masks
from sequences.commands import change_frames
from tests.support.masks import CATEGORIES, HEIGHT, WIDTH, add_sample, box, picture, save, upload, upload_ids

JSON = dict[str, Any]


class Scene:
    """A dataset of Ana's with a picture of 64 by 48."""

    def __init__(self, ana: Any, dataset: uuid.UUID, intent: Callable[..., Any], attributes: JSON) -> None:
        self.ana, self.dataset, self.intent = ana, dataset, intent
        self.sample = add_sample(dataset, ana, attributes, intent)

    def save(self, *annotations: JSON, **more: Any) -> None:
        save(self.sample, self.ana, {"annotations": list(annotations), **more}, self.intent)

    def edit(self, *edits: JSON) -> None:
        labels.edit_label(intent=self.intent(self.ana), sample=self.sample, label_set="ground-truth", edits=list(edits))

    def named(self, number: int) -> str:
        """The uuid of the annotation with that id."""
        return str(Annotation.objects.get(dataset_id=self.dataset, id=number).uuid)

    def catch_up(self) -> None:
        projector.catch_up(self.dataset)

    @property
    def rows(self) -> list[Mask]:
        return list(Mask.objects.filter(dataset_id=self.dataset).order_by("label_id", "picture"))

    def shown(self, kind: str, picture: int = 0) -> np.ndarray:
        data = mask_files.read(self.dataset, self.rows[picture].keys[kind])
        assert data is not None
        image = Image.open(io.BytesIO(data))
        return np.asarray(image.convert("RGB") if image.mode == "P" else image)

    def assert_rebuilt_equals_live(self) -> None:
        for each in projector.catch_ups(heavy=True):
            assert rebuild.compared_catch_up(each, self.dataset) == {}


@pytest.fixture
def scene(person: Any, dataset: Any, intent: Any) -> Scene:
    ana = person("ana")
    made = dataset(ana, task_attributes=CATEGORIES)
    return Scene(ana, made, intent, {"image": {"url": upload(ana, picture())}})


def test_a_vector_label_becomes_its_four_maps(scene: Scene) -> None:
    scene.save(box(1, 0, 0, 64, 20, 3), box(2, 10, 10, 30, 30), box(3, 20, 20, 40, 40), box(7, 50, 0, 60, 10, 3))
    scene.catch_up()
    instance = np.zeros((HEIGHT, WIDTH), np.uint8)
    instance[0:20] = 1
    instance[10:30, 10:30] = 2
    instance[20:40, 20:40] = 3
    instance[0:10, 50:60] = 7
    assert (scene.shown("instance") == instance).all()
    assert (scene.shown("semantic") == np.choose(np.minimum(instance, 4), [0, 3, 1, 1, 3])).all()
    panoptic = scene.shown("panoptic")
    assert (panoptic[..., 0] == np.choose(np.minimum(instance, 4), [0, 1, 2, 3, 1])).all()
    assert (panoptic[..., 3] == 255).all() and not panoptic[..., 1:3].any()
    colours = scene.shown("color")
    assert tuple(colours[5, 5]) == (30, 60, 220) and tuple(colours[47, 63]) == (0, 0, 0)
    assert tuple(colours[12, 12]) != tuple(colours[39, 39]), "two cars in two shades"
    row = scene.rows[0]
    assert (row.width, row.height, row.problem) == (WIDTH, HEIGHT, "")
    assert [(item["id"], item["area"], item["box_xyxy"], item["thing"]) for item in row.segments] == [
        (1, 20 * 64 - 200 - 100, [0, 0, 64, 20], False),
        (2, 300, [10, 10, 30, 30], True),
        (3, 400, [20, 20, 40, 40], True),
        (7, 100, [50, 0, 60, 10], False),
    ]
    head = LabelMasks.objects.get(dataset_id=scene.dataset)
    assert (head.version, head.pictures, head.made) == (store.version(scene.dataset, stream(scene)), 1, 1)
    scene.assert_rebuilt_equals_live()


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kinds of files that are drawn from now on."""
    drawn: list[str] = []
    real = Masks.file

    def file(self: Masks, kind: Any, **more: Any) -> bytes:
        drawn.append(kind)
        return real(self, kind, **more)

    monkeypatch.setattr(Masks, "file", file)
    return drawn


def stream(scene: Scene) -> str:
    return label_stream(scene.sample, Label.objects.get(sample_id=scene.sample).label_set_id)


def test_any_pages_lead_to_the_same_rows(scene: Scene) -> None:
    scene.save(box(1, 0, 0, 20, 20))
    scene.catch_up()
    scene.edit(
        {"op": "set_geometry", "annotation": scene.named(1), "geometry": {"type": "bbox", "points": [[5, 5], [9, 9]]}}
    )
    scene.catch_up()
    categories = [item | {"color": [1, 2, 3]} for item in CATEGORIES["categories"]]
    datasets.change_dataset(
        intent=scene.intent(scene.ana), dataset=scene.dataset, changes={}, task_attributes={"categories": categories}
    )
    scene.catch_up()
    before = [(row.content, row.keys) for row in scene.rows]
    scene.assert_rebuilt_equals_live()
    projector.rebuild_catch_up(projector.catch_ups(heavy=True)[0], scene.dataset)
    assert [(row.content, row.keys) for row in scene.rows] == before
    scene.edit({"op": "set_category", "annotation": scene.named(1), "category_id": 2})
    scene.catch_up()
    scene.assert_rebuilt_equals_live()
    assert tuple(scene.shown("color")[6, 6]) != (0, 0, 0)


def test_only_what_looks_different_is_drawn_and_stored_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.save(box(1, 0, 0, 20, 20))
    scene.catch_up()
    drawn = watched(monkeypatch)
    scene.edit({"op": "set_status", "verb": "submit"})
    scene.catch_up()
    assert drawn == [], "the picture looks as before"
    assert LabelMasks.objects.get(dataset_id=scene.dataset).version == store.version(scene.dataset, stream(scene))
    scene.edit({"op": "set_category", "annotation": scene.named(1), "category_id": 2})
    scene.catch_up()
    assert sorted(drawn) == ["color", "semantic"], "it has the same pixels, and they mean something else"
    scene.edit({"op": "set_category", "annotation": scene.named(1), "category_id": 1})
    scene.catch_up()
    assert len(drawn) == 2, "what was drawn before is still there"
    scene.assert_rebuilt_equals_live()


def test_a_label_that_is_deleted_has_no_masks_and_one_that_comes_again_has(scene: Scene) -> None:
    scene.save(box(1, 0, 0, 20, 20))
    scene.catch_up()
    labels.delete_label(intent=scene.intent(scene.ana), sample=scene.sample, label_set="ground-truth")
    scene.catch_up()
    assert scene.rows == [] and not LabelMasks.objects.filter(dataset_id=scene.dataset).exists()
    scene.assert_rebuilt_equals_live()
    scene.save(box(2, 0, 0, 20, 20))
    scene.catch_up()
    assert [item["id"] for item in scene.rows[0].segments] == [2]
    scene.assert_rebuilt_equals_live()


def test_another_picture_of_the_sample_is_another_mask(scene: Scene) -> None:
    scene.save(box(1, 0, 0, 20, 20))
    scene.catch_up()
    url = upload(scene.ana, picture(100, 80), "b.png")
    samples.change_sample(
        intent=scene.intent(scene.ana), sample=scene.sample, changes={"attributes": {"image": {"url": url}}}
    )
    scene.catch_up()
    assert (scene.rows[0].width, scene.rows[0].height) == (100, 80)
    scene.assert_rebuilt_equals_live()


def test_a_picture_that_is_uploaded_late_is_found_when_the_log_names_it(scene: Scene) -> None:
    planned = assets.plan_asset(owner=scene.ana.id, filename="late.png")
    attributes = {"image": {"url": assets.url_of(planned)}}
    late = add_sample(scene.dataset, scene.ana, attributes, scene.intent)
    save(late, scene.ana, {"annotations": [box(1, 0, 0, 9, 9)]}, scene.intent)
    scene.catch_up()
    (row,) = scene.rows
    assert "upload" in row.problem and row.keys == {}
    assets.store_asset(planned, io.BytesIO(picture(30, 20)))
    add_sample(scene.dataset, scene.ana, attributes, scene.intent)  # which pins the file
    scene.catch_up()
    (row,) = scene.rows
    assert (row.problem, row.width, row.height) == ("", 30, 20)
    scene.assert_rebuilt_equals_live()


def test_an_uploaded_bitmap_is_stored_as_wide_as_its_ids_need(person: Any, dataset: Any, intent: Any) -> None:
    ana = person("ana")
    made = dataset(ana, "segmentation-bitmap", task_attributes=CATEGORIES)
    scene = Scene(ana, made, intent, {"image": {"url": upload(ana, picture())}})
    for most, mode in ((200, "L"), (40_000, "I;16"), (70_000, "RGBA")):
        ids = np.zeros((HEIGHT, WIDTH), np.uint32)
        ids[4:9, 3:30], ids[20:, 50:] = 1, most
        objects = [{"id": 1, "category_id": 1}, {"id": most, "category_id": 3}]
        scene.save(*objects, segmentation_bitmap={"url": upload_ids(ana, ids)})
        scene.catch_up()
        data = mask_files.read(made, scene.rows[0].keys["instance"])
        assert data is not None
        with Image.open(io.BytesIO(data)) as image:
            assert image.mode == mode
        assert (png.read_ids(data, max_pixels=10**6) == ids).all()
        assert [item["area"] for item in scene.rows[0].segments] == [5 * 27, 28 * 14]
        scene.assert_rebuilt_equals_live()


def test_bitmaps_and_shapes_lie_over_each_other_in_one_label(scene: Scene) -> None:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[5:15, 5:15] = True
    bitmap = {"type": "bitmap", "rle": rle.encode(mask, compressed=True)}
    scene.save(box(1, 0, 0, 10, 10))
    scene.edit({"op": "add", "id": 2, "category_id": 2, "geometry": bitmap})
    scene.catch_up()
    shown = scene.shown("instance")
    assert shown[7, 7] == 2 and shown[2, 2] == 1 and shown[14, 14] == 2 and shown[15, 15] == 0
    scene.assert_rebuilt_equals_live()


def test_what_cannot_be_drawn_has_a_row_that_says_why(scene: Scene) -> None:
    far = add_sample(scene.dataset, scene.ana, {"image": {"url": "https://example.org/a.png"}}, scene.intent)
    save(far, scene.ana, {"annotations": [box(1, 0, 0, 9, 9)]}, scene.intent)
    scene.save(box(1, 0, 0, 20, 20), box(2**30, 5, 5, 9, 9))
    scene.catch_up()
    problems = sorted(row.problem[:30] for row in scene.rows)
    assert problems[0] == "" and problems[1].startswith("The size of the picture")
    (row,) = [row for row in scene.rows if not row.problem]
    assert row.keys["instance"] is None and row.keys["panoptic"] is None and row.keys["semantic"]
    scene.assert_rebuilt_equals_live()


# --- sequences -----------------------------------------------------------------------------------------------------


def frames_of(ana: Any, count: int) -> JSON:
    url = upload(ana, picture())
    return {"frames": [{"image": {"url": url}} for _ in range(count)]}


@pytest.fixture
def walk(person: Any, dataset: Any, intent: Any) -> Scene:
    """A sequence of 12 frames in which a box goes to the right, and another one stands still from frame 3 to 6."""
    ana = person("ana")
    made = dataset(ana, "image-vector-sequence", task_attributes=CATEGORIES)
    scene = Scene(ana, made, intent, frames_of(ana, 12))
    still = {"op": "set_keyframe", "type": "bbox", "points": [[0, 30], [8, 40]]}
    scene.edit(
        {"op": "add_track", "track_id": 1, "category_id": 1, "frame": 0, "type": "bbox", "points": [[0, 0], [8, 8]]},
        {"op": "set_keyframe", "track": 1, "frame": 10, "type": "bbox", "points": [[20, 0], [28, 8]]},
        {"op": "add_track", "track_id": 2, "category_id": 3, "frame": 3, **{k: still[k] for k in ("type", "points")}},
        {"op": "set_remove_keyframe", "track": 2, "frame": 7},
    )
    return scene


def test_every_frame_of_a_sequence_has_its_masks_with_what_lies_between_keyframes(walk: Scene) -> None:
    walk.catch_up()
    assert [row.picture for row in walk.rows] == list(range(12))
    for frame in range(12):
        ids = np.zeros((HEIGHT, WIDTH), np.uint8)
        x = 2 * min(frame, 10)
        ids[0:8, x : x + 8] = 1
        if 3 <= frame < 7:
            ids[30:40, 0:8] = 2
        assert (walk.shown("instance", frame) == ids).all(), frame
        assert (walk.shown("semantic", frame) == np.choose(ids, [0, 1, 3])).all()
    walk.assert_rebuilt_equals_live()


def test_of_a_sequence_only_those_frames_are_drawn_again_that_changed(
    walk: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk.catch_up()
    before = {row.picture: row.content for row in walk.rows}
    drawn = watched(monkeypatch)
    move = {"type": "bbox", "points": [[0, 31], [8, 41]]}
    walk.edit({"op": "set_keyframe", "track": 2, "frame": 5, **move})
    walk.catch_up()
    changed = {row.picture for row in walk.rows if row.content != before[row.picture]}
    assert changed == {4, 5, 6} and len(drawn) <= 3 * 4
    walk.assert_rebuilt_equals_live()


def test_a_sequence_that_has_too_many_frames_is_drawn_when_asked_for(
    walk: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk.catch_up()
    assert len(walk.rows) == 12
    monkeypatch.setattr(masks_projector, "MOST_PICTURES", 11)
    walk.edit({"op": "set_status", "verb": "submit"})
    walk.catch_up()
    head = LabelMasks.objects.get(dataset_id=walk.dataset)
    assert walk.rows == [] and (head.pictures, head.made) == (12, 0)
    walk.assert_rebuilt_equals_live()
    monkeypatch.setattr(masks_projector, "MOST_PICTURES", 12)
    monkeypatch.setattr(masks_projector, "MOST_PIXELS", 12 * WIDTH * HEIGHT - 1)
    walk.edit({"op": "set_status", "verb": "save"})
    walk.catch_up()
    assert walk.rows == []
    monkeypatch.setattr(masks_projector, "MOST_PIXELS", 12 * WIDTH * HEIGHT)
    projector.rebuild_catch_up(projectors_of_masks(), walk.dataset)
    assert len(walk.rows) == 12


def projectors_of_masks() -> Any:
    return next(each for each in projector.catch_ups(heavy=True) if each.name == "masks")


def test_the_frames_of_a_segmented_sequence_are_their_bitmaps(person: Any, dataset: Any, intent: Any) -> None:
    ana = person("ana")
    made = dataset(ana, "image-segmentation-sequence", task_attributes=CATEGORIES)
    scene = Scene(ana, made, intent, frames_of(ana, 3))
    maps, frames = [], []
    for frame in range(3):
        ids = np.zeros((HEIGHT, WIDTH), np.uint32)
        ids[frame : frame + 9, :20], ids[30:, 30:] = 5, 300
        maps.append(ids)
        objects = [
            {"id": 5, "track_id": 1, "category_id": 1},
            {"id": 300, "track_id": 2, "category_id": 3},
        ]
        frames.append({"annotations": objects, "segmentation_bitmap": {"url": upload_ids(ana, ids)}})
    save(scene.sample, ana, {"frames": frames}, intent)
    scene.catch_up()
    for frame, ids in enumerate(maps):
        assert (scene.shown("instance", frame) == ids).all()
        assert (scene.shown("semantic", frame) == np.where(ids == 300, 3, (ids > 0) * 1)).all()
    scene.assert_rebuilt_equals_live()


# --- files ---------------------------------------------------------------------------------------------------------


def paths(scene: Scene) -> list[Path]:
    rows = MaskFile.objects.filter(dataset_id=scene.dataset)
    found = [storage.local_path(mask_files.path_of(row.sha256)) for row in rows]
    return [path for path in found if path is not None]


def test_forgotten_files_are_swept_and_no_others(scene: Scene) -> None:
    scene.save(box(1, 0, 0, 20, 20))
    scene.catch_up()
    first = set(paths(scene))
    scene.save(box(1, 0, 0, 30, 30))
    scene.catch_up()
    both = set(paths(scene))
    assert first < both
    mask_files.sweep()
    assert all(path.exists() for path in both), "what was forgotten a moment ago stays for a while"
    orphan = next(iter(both)).parent / f"{'0' * 64}.png"
    orphan.write_bytes(b"by a worker that was killed")
    with storage.kept():  # a backup, on another connection
        pass
    mask_files.sweep(forgotten_s=-1)
    assert not orphan.exists()
    left = set(paths(scene))
    assert left == both - first and all(path.exists() for path in left) and not any(p.exists() for p in first - left)
    assert all(mask_files.read(scene.dataset, key) for key in scene.rows[0].keys.values())
    scene.save(box(1, 0, 0, 20, 20))
    scene.catch_up()
    assert all(path.exists() for path in paths(scene)) and set(paths(scene)) >= first, "drawn again"


def test_nothing_is_swept_while_somebody_stores_or_reads_them_all(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.save(box(1, 0, 0, 20, 20))
    scene.catch_up()
    MaskFile.objects.filter(dataset_id=scene.dataset).delete()
    for name in ("removable", "nobody_storing"):
        with monkeypatch.context() as patch:
            patch.setattr(storage, name, lambda: nullcontext(False))
            assert mask_files.sweep(forgotten_s=-1) == 0


@pytest.mark.parametrize("how", ["lost", "bent", "another"])
def test_verify_finds_a_bent_file_and_a_rebuild_makes_it_anew(scene: Scene, how: str) -> None:
    scene.save(box(1, 0, 0, 20, 20), box(2, 5, 5, 30, 30, 3))
    scene.catch_up()
    assert list(mask_checks.findings(scene.dataset)) == []
    row = MaskFile.objects.get(dataset_id=scene.dataset, key=scene.rows[0].keys["semantic"])
    path = storage.local_path(mask_files.path_of(row.sha256))
    assert path is not None
    if how == "lost":
        path.unlink()
    elif how == "bent":
        path.write_bytes(path.read_bytes()[:-9] + b"IEND+wron")
    else:  # whole, with its hash in its row, and not what the log says
        other = png.write_values(np.full((HEIGHT, WIDTH), 7, np.uint8))
        sha256 = hashlib.sha256(other).hexdigest()
        storage.put(mask_files.path_of(sha256), len(other), ContentFile(other))
        MaskFile.objects.filter(dataset_id=scene.dataset, key=row.key).update(sha256=sha256, size_bytes=len(other))
    (finding,) = mask_checks.findings(scene.dataset)
    assert finding.kind == "mask" and "(semantic, picture 0)" in finding.problem
    assert finding.offset == LabelMasks.objects.get(dataset_id=scene.dataset).last_offset
    if how != "another":
        call_command("rebuild", "masks", dataset=str(scene.dataset), stdout=io.StringIO())
        assert list(mask_checks.findings(scene.dataset)) == []


def test_verify_finds_a_bent_row(scene: Scene) -> None:
    scene.save(box(1, 0, 0, 20, 20))
    scene.catch_up()
    Mask.objects.filter(dataset_id=scene.dataset).update(segments=[])
    found = rebuild.compared_catch_up(projectors_of_masks(), scene.dataset)
    assert list(found) == ["labeling_mask"]
    projector.rebuild_catch_up(projectors_of_masks(), scene.dataset)
    assert len(scene.rows[0].segments) == 1


def test_masks_in_a_bucket(in_bucket: Any, person: Any, dataset: Any, intent: Any) -> None:
    ana = person("ana")
    made = dataset(ana, task_attributes=CATEGORIES)
    scene = Scene(ana, made, intent, {"image": {"url": upload(ana, picture())}})
    scene.save(box(1, 0, 0, 20, 20))
    scene.catch_up()
    assert scene.shown("instance")[5, 5] == 1
    assert list(mask_checks.findings(made)) == []
    before = MaskFile.objects.filter(dataset_id=made).count()
    scene.save(box(1, 0, 0, 30, 30))
    scene.catch_up()
    assert mask_files.sweep(forgotten_s=-1) >= before - 1
    assert scene.shown("instance")[25, 25] == 1


def test_frames_that_are_removed_and_added_take_their_masks_with_them(walk: Scene) -> None:
    walk.catch_up()
    before = [walk.shown("instance", frame).copy() for frame in range(12)]
    change_frames(intent=walk.intent(walk.ana), sample=walk.sample, edits=[{"op": "remove", "frame": 4}])
    walk.catch_up()
    assert len(walk.rows) == 11
    rest = before[:4] + before[5:]
    for frame in (0, 9, 10):
        assert (walk.shown("instance", frame) == rest[frame]).all(), "keyframes, and what is held behind the last one"
    for frame in range(1, 9):
        x = np.ceil(20 * frame / 9 - 0.5)  # what lies between them is computed anew
        assert np.flatnonzero((walk.shown("instance", frame) == 1).any(axis=0))[0] == x
    walk.assert_rebuilt_equals_live()
