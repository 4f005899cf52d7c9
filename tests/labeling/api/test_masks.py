"""Masks over the API: maps, run lengths, reports, what is at a pixel, overlays; now, as they were, and consolidated."""

from __future__ import annotations

import io
import uuid
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from labeling import mask_files, pictures, storage
from labeling.commands import datasets
from labeling.commands.mask_imports import How, import_masks
from labeling.geometry import rle
from labeling.log import projector, rebuild
from labeling.models import MaskFile, Sample
from labeling.queries.datasets import dataset_by_id
from labeling.rules import masks as rules
from tests.support import eleven
from tests.support.masks import CATEGORIES, HEIGHT, WIDTH, add_sample, box, picture, save, upload, upload_ids

JSON = dict[str, Any]


class Scene:
    """A dataset of Ana's with a picture of 64 by 48, and what is asked of its label."""

    def __init__(self, ana: Any, dataset: uuid.UUID, sample: uuid.UUID, intent: Any) -> None:
        self.ana, self.dataset, self.sample, self.intent = ana, dataset, sample, intent
        self.label = f"/labels/{sample}/ground-truth"

    def save(self, *annotations: JSON, **more: Any) -> None:
        answer = self.ana.put(f"{self.label}/", {"attributes": {"annotations": list(annotations), **more}})
        assert answer.status < 300, answer.raw

    def mask(self, query: str = "", **headers: str) -> Any:
        return self.ana.get(f"{self.label}/mask/?{query}", **headers)

    def shown(self, query: str = "") -> np.ndarray:
        answer = self.mask(query)
        assert answer.status == 200, answer.raw
        image = Image.open(io.BytesIO(answer.raw))
        return np.asarray(image.convert("RGB") if image.mode == "P" else image)

    def report(self, query: str = "") -> JSON:
        answer = self.ana.get(f"{self.label}/mask/report/?{query}")
        assert answer.status == 200, answer.raw
        found: JSON = answer.json
        return found

    def at(self, x: int, y: int) -> list[int]:
        answer = self.ana.get(f"{self.label}/pixel/?x={x}&y={y}")
        assert answer.status == 200, answer.raw
        return [item["id"] for item in answer.json["annotations"]]


@pytest.fixture
def make_scene(caller: Any, dataset: Any, intent: Any) -> Any:
    def make(task: str = "vector", *, width: int = WIDTH, height: int = HEIGHT, **fields: Any) -> Scene:
        ana = caller(f"ana-{uuid.uuid4().hex[:8]}")
        made = dataset(ana.person, task, task_attributes=fields.pop("task_attributes", CATEGORIES))
        attributes = fields.pop("attributes", None) or {"image": {"url": upload(ana.person, picture(width, height))}}
        return Scene(ana, made, add_sample(made, ana.person, attributes, intent), intent)

    return make


@pytest.fixture
def scene(make_scene: Any) -> Scene:
    found: Scene = make_scene()
    found.save(box(1, 0, 0, 64, 20, 3), box(2, 10, 10, 30, 30), box(3, 20, 20, 40, 40))
    return found


def test_a_mask_is_the_same_before_and_after_the_actor_drew_it(scene: Scene) -> None:
    before = {kind: scene.mask(f"kind={kind}") for kind in rules.KINDS}
    assert not MaskFile.objects.filter(dataset_id=scene.dataset).exists()
    projector.catch_up(scene.dataset)
    assert MaskFile.objects.filter(dataset_id=scene.dataset).count() == 4
    for kind, answer in before.items():
        after = scene.mask(f"kind={kind}")
        assert (after.raw, after.headers["ETag"]) == (answer.raw, answer.headers["ETag"])
        assert after.headers["Content-Type"] == "image/png"
        assert after.headers["Label-Version"] == scene.ana.get(f"{scene.label}/").headers["ETag"].strip('"')


def test_a_reader_never_sees_a_stale_mask(scene: Scene) -> None:
    projector.catch_up(scene.dataset)
    assert scene.shown()[35, 35] == 3
    scene.save(box(9, 30, 30, 40, 40))
    assert scene.shown()[35, 35] == 9 and scene.shown()[5, 5] == 0
    recoloured = [item | {"color": [7, 8, 9], "has_instances": False} for item in CATEGORIES["categories"]]
    datasets.change_dataset(
        intent=scene.intent(scene.ana.person),
        dataset=scene.dataset,
        changes={},
        task_attributes={"categories": recoloured},
    )
    assert tuple(scene.shown("kind=color")[35, 35]) == (7, 8, 9), "before any actor knows"
    projector.catch_up(scene.dataset)
    assert tuple(scene.shown("kind=color")[35, 35]) == (7, 8, 9)


def test_what_is_drawn_already_is_not_drawn_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    projector.catch_up(scene.dataset)
    monkeypatch.setattr(rules.Masks, "map", None)
    monkeypatch.setattr(rules.Masks, "runs", None)
    assert all(scene.mask(f"kind={kind}").status == 200 for kind in rules.KINDS)
    assert len(scene.mask("format=json").json["segments"]) == 3


@pytest.mark.parametrize("query", ["kind=instance", "kind=color", "format=rle", "format=json&kind=panoptic"])
def test_who_has_it_is_not_sent_it_again(scene: Scene, query: str) -> None:
    answer = scene.mask(query)
    again = scene.mask(query, If_None_Match=answer.headers["ETag"])
    assert (again.status, again.raw, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])
    assert scene.mask(query, If_None_Match='W/"abc"').status == 200
    scene.save(box(1, 0, 0, 5, 5))
    assert scene.mask(query, If_None_Match=answer.headers["ETag"]).status == 200


def test_a_mask_as_it_was(scene: Scene) -> None:
    offset = int(scene.mask().headers["Dataset-Offset"])
    before = scene.mask().raw
    scene.save(box(9, 30, 30, 40, 40))
    answer = scene.mask(f"at={offset}")
    assert (answer.raw, answer.headers["Dataset-Offset"]) == (before, str(offset))
    assert scene.mask("at=1").status == 404


def test_run_lengths_are_those_of_the_map_compressed_and_not(scene: Scene) -> None:
    ids = scene.shown()
    packed, listed = scene.mask("format=rle").json, scene.mask("format=rle&compressed=0").json
    assert (packed["width"], packed["height"], packed["kind"]) == (WIDTH, HEIGHT, "instance")
    for one, other in zip(packed["segments"], listed["segments"], strict=True):
        assert (rle.decode(one["rle"], max_pixels=10**6) == (ids == one["id"])).all()
        theirs = {"size": one["rle"]["size"], "counts": one["rle"]["counts"].encode()}
        assert (coco.decode(theirs) == (ids == one["id"])).all()
        assert isinstance(other["rle"]["counts"], list)
        assert (rle.decode(other["rle"], max_pixels=10**6) == (ids == one["id"])).all()
        assert one["area"] == int((ids == one["id"]).sum())
    semantic = scene.shown("kind=semantic")
    for item in scene.mask("format=rle&kind=semantic").json["segments"]:
        assert (rle.decode(item["rle"], max_pixels=10**6) == (semantic == item["id"])).all()
    whole = {item["id"]: item["rle"] for item in scene.mask("format=rle&whole=1").json["segments"]}
    assert int(rle.decode(whole[1], max_pixels=10**6).sum()) == 64 * 20, "also below the others"


def test_what_is_at_a_pixel_from_top_to_bottom(scene: Scene) -> None:
    assert scene.at(25, 25) == [3, 2] and scene.at(12, 12) == [2, 1] and scene.at(63, 47) == []
    for query, field in (("", "x"), ("x=1", "y"), ("x=64&y=0", "x"), ("x=0&y=48", "y"), ("x=-1&y=0", "x")):
        answer = scene.ana.get(f"{scene.label}/pixel/?{query}")
        assert (answer.status, answer.json["field"]) == (400, field), query


def test_a_report_of_what_is_missing_and_what_is_double(make_scene: Any) -> None:
    scene = make_scene()
    point = {"id": 6, "category_id": 1, "type": "point", "points": [[3, 3]]}
    outside = box(7, 100, 100, 110, 110)
    scene.save(box(1, 0, 0, 64, 20, 3), box(2, 10, 10, 30, 30), box(4, 12, 12, 14, 14), box(5, 11, 11, 20, 20), point,
               outside)  # fmt: skip
    found = scene.report()
    ids = scene.shown()
    assert found["pixels"] == WIDTH * HEIGHT and found["unlabeled"] == int((ids == 0).sum())
    assert found["overlapping"] == 20 * 10, "where 2 lies over 1, whatever lies over both"
    assert {"below": 1, "above": 2, "pixels": 20 * 10 - 81} in found["overlaps"]
    assert {"below": 1, "above": 5, "pixels": 81} in found["overlaps"]
    assert (found["hidden"], found["without_pixels"], found["complete"]) == ([4], [6, 7], False)
    scene.save(box(1, 0, 0, 64, 20, 3), box(2, 0, 20, 64, 48))
    found = scene.report()
    assert found["complete"] and found["unlabeled"] == found["overlapping"] == 0
    scene.save(box(1, 0, 0, 64, 20, 99), box(2, 0, 20, 64, 48))
    assert scene.report()["without_category"] == 64 * 20 and not scene.report()["complete"]


def test_uploaded_bitmaps_are_their_own_instance_map(make_scene: Any) -> None:
    scene = make_scene("segmentation-bitmap")
    ids = np.zeros((HEIGHT, WIDTH), np.uint32)
    ids[:10], ids[10:20], ids[20:30, 5:9] = 1, 2, 70000
    ids[40:, :3] = 5
    objects = [{"id": 1, "category_id": 3}, {"id": 2, "category_id": 3}, {"id": 70000, "category_id": 300}]
    url = upload_ids(scene.ana.person, ids)
    scene.save(*objects, segmentation_bitmap={"url": url})
    for _ in range(2):
        shown = scene.shown().astype(np.uint32)
        assert ((shown[..., 0] | shown[..., 1] << 8 | shown[..., 2] << 16) == ids).all(), "as wide as its ids need"
        semantic = scene.shown("kind=semantic")
        assert semantic.dtype == np.int32 or semantic.max() == 300
        assert (semantic == np.where(ids == 5, 0, np.where(ids > 9, 300, (ids > 0) * 3))).all()
        panoptic = scene.shown("kind=panoptic").astype(np.uint32)
        assert set(np.unique(panoptic[..., 0] | panoptic[..., 1] << 8 | panoptic[..., 2] << 16)) == {0, 1, 70000}
        projector.catch_up(scene.dataset)
    report = scene.report()
    assert report["without_annotation"] == [{"id": 5, "pixels": 8 * 3}] and not report["overlapping"]
    assert scene.at(6, 25) == [70000] and scene.at(0, 47) == [5]
    listed = scene.mask("format=json").json["segments"]
    assert [(item["id"], item["annotations"] == []) for item in listed] == [
        (5, True), (1, False), (2, False), (70000, False)
    ]  # fmt: skip
    stuff = [item for item in scene.mask("format=json&kind=panoptic").json["segments"] if not item["thing"]]
    assert [(item["id"], item["area"], len(item["annotations"])) for item in stuff] == [(1, 20 * 64, 2)]


def test_categories_are_consolidated_by_a_map_and_stuff_left_out(make_scene: Any) -> None:
    categories = {"categories": [{"id": n, "name": f"c{n}", "has_instances": n > 3} for n in range(1, 7)]}
    scene = make_scene(task_attributes=categories)
    scene.save(*(box(n, 8 * n, 0, 8 * n + 8, 8, n) for n in range(1, 7)))
    assert scene.shown("category_map=1:2,4:,6:5&kind=semantic")[0, ::8].tolist() == [0, 2, 2, 3, 0, 5, 5, 0]
    assert scene.shown("category_map=1:2,4:,6:5&kind=instance")[0, ::8].tolist() == [0, 1, 2, 3, 0, 5, 6, 0]
    assert scene.shown("stuff=void&kind=instance")[0, ::8].tolist() == [0, 0, 0, 0, 4, 5, 6, 0]
    merged = scene.mask("category_map=1:2,3:2&kind=panoptic&format=json").json["segments"]
    assert [(item["id"], item["area"]) for item in merged] == [(1, 192), (4, 64), (5, 64), (6, 64)]
    for text in ("1", "1:99", "a:b", "1:2,", ",", "1:2:3"):
        assert (scene.mask(f"category_map={text}").status, text) == (400, text)


def test_pictures_that_are_too_large_or_unknown_and_ids_that_do_not_fit_are_refused_in_words(make_scene: Any) -> None:
    far = make_scene(attributes={"image": {"url": "https://example.org/a.png"}})
    far.save(box(1, 0, 0, 5, 5))
    answer = far.mask()
    assert (answer.status, answer.json["code"]) == (409, "no_mask") and "upload" in answer.detail
    scene = make_scene()
    scene.save(box(2**24, 0, 0, 5, 5))
    assert scene.mask().status == 409 and scene.mask("kind=semantic").status == 200
    projector.catch_up(scene.dataset)
    assert scene.mask("format=rle").json["segments"][0]["id"] == 2**24
    panoptic = scene.mask("kind=panoptic&format=rle")
    assert panoptic.status == 409 and "run lengths of instances" in panoptic.detail, (
        "those of panoptics are refused too"
    )
    for query in ("kind=x", "format=bmp", "frame=1", "frame=-1", "whole=1", "compressed=2", "stuff=no"):
        assert scene.mask(query).status == 400, query
    cloud = make_scene(
        "pointcloud-cuboid", attributes={"pcd": {"url": "https://e.org/a.pcd", "type": "pcd"}, "images": []}
    )
    cloud.save()
    assert cloud.mask().status == 409


def test_the_largest_pictures_have_run_lengths_and_no_maps(make_scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "size_of", lambda sha256: (65535, 65535))
    scene = make_scene()
    scene.save(box(1, 0, 0, 65535, 65535), box(2, 65000, 65000, 65535, 65535, 2))
    answer = scene.mask()
    assert answer.status == 409 and "whole=1" in answer.detail
    assert scene.mask("format=rle").status == 409
    runs = {item["id"]: item["rle"] for item in scene.mask("format=rle&whole=1").json["segments"]}
    assert coco.area([{"size": r["size"], "counts": r["counts"].encode()} for r in runs.values()]).tolist() == [
        65535 * 65535 % 2**32, 535 * 535
    ]  # fmt: skip
    assert scene.at(65534, 65534) == [2, 1] and scene.report()["unlabeled"] == 0
    projector.catch_up(scene.dataset)
    assert scene.mask("format=json").json["segments"][1]["area"] == 535 * 535
    monkeypatch.setattr(pictures, "size_of", lambda sha256: (65536, 2))
    assert scene.mask("format=rle&whole=1").status == 409


def test_a_lost_or_damaged_file_is_drawn_again_for_who_asks(scene: Scene) -> None:
    projector.catch_up(scene.dataset)
    whole = scene.mask().raw
    key = MaskFile.objects.filter(dataset_id=scene.dataset).first()
    assert key is not None
    for row in MaskFile.objects.filter(dataset_id=scene.dataset):
        path = storage.local_path(mask_files.path_of(row.sha256))
        assert path is not None
        path.write_bytes(b"x" * row.size_bytes)
    assert scene.mask().raw == whole


def test_an_overlay_shows_the_picture_and_every_object(scene: Scene) -> None:
    for kind in rules.KINDS:
        answer = scene.ana.get(f"{scene.label}/overlay/?kind={kind}&size=full")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "image/webp")
        image = np.asarray(Image.open(io.BytesIO(answer.raw)).convert("RGB")).astype(int)
        assert image.shape == (HEIGHT, WIDTH, 3)
        assert np.abs(image[45, 5] - [90, 120, 60]).max() < 12, "nothing lies there"
        assert image[5, 50, 2] > 120 and image[35, 35, 0] > 120
    small = scene.ana.get(f"{scene.label}/overlay/?size=small")
    assert max(Image.open(io.BytesIO(small.raw)).size) <= 176
    again = scene.ana.get(f"{scene.label}/overlay/?size=small", If_None_Match=small.headers["ETag"])
    assert again.status == 304


def test_the_label_of_another_label_set_has_masks_of_its_own(scene: Scene) -> None:
    datasets.add_label_set(intent=scene.intent(scene.ana.person), dataset=scene.dataset, name="model")
    assert scene.ana.get(f"/labels/{scene.sample}/model/mask/").status == 404
    save(scene.sample, scene.ana.person, {"annotations": [box(4, 0, 0, 2, 2)]}, scene.intent, label_set="model")
    answer = scene.ana.get(f"/labels/{scene.sample}/model/mask/?format=json")
    assert [item["id"] for item in answer.json["segments"]] == [4]


@pytest.mark.parametrize("task", ["vector", "segmentation-bitmap"])
def test_the_three_views_of_one_mask_of_eleven_segments(make_scene: Any, task: str) -> None:
    """The example of Nucleus's page: wall is 3 and fence is 4, segment 0 is a segment, and the birds are one class."""
    scene = make_scene(task, width=16, height=12, task_attributes=eleven.CATEGORIES)
    mask = eleven.panoptic()
    item = {
        "mask_url": upload(scene.ana.person, eleven.png_of(mask), "mask.png"),
        "reference_id": Sample.objects.get(id=scene.sample).name,
        "annotations": eleven.SEGMENTS,
    }
    found = dataset_by_id(scene.dataset, person=scene.ana.person.id)
    [done] = import_masks(intent=scene.intent(scene.ana.person), dataset=found, items=[item], how=How())
    assert done.outcome == "processed"
    for _ in range(2):
        numbers = {n: eleven.NAMES.index(segment["label"]) + 1 for n, segment in enumerate(eleven.SEGMENTS)}
        semantic = scene.shown("kind=semantic")
        assert (semantic == np.vectorize(numbers.get)(mask)).all()
        by_class = eleven.consolidated(mask, eleven.SEMANTIC)
        assert all((semantic == numbers[index]).sum() == (by_class == index).sum() for index in range(9))

        panoptic = scene.mask("kind=panoptic&format=rle").json["segments"]
        assert len(panoptic) == 11 and sum(item["area"] for item in panoptic) == mask.size
        birds = [item for item in panoptic if item["category_id"] == numbers[8]]
        assert sorted(item["area"] for item in birds) == sorted(int((mask == index).sum()) for index in (8, 9, 10))
        assert sum(item["area"] for item in birds) == int((semantic == numbers[8]).sum())

        things = scene.shown("kind=instance&stuff=void")
        background = eleven.consolidated(mask, eleven.INSTANCE) == 0
        assert ((things == 0) == background).all() and len(np.unique(things)) == 6
        by_map = ",".join(f"{numbers[index]}:" for index in range(6))
        assert (scene.shown(f"kind=instance&category_map={by_map}") == things).all()
        assert scene.report()["complete"]
        projector.catch_up(scene.dataset)


EXTREMES: list[JSON] = [
    {"type": "polygon", "points": []},
    {"type": "polygon", "points": [[0, 0], [1e300, 0], [0, -1e300]]},
    {"type": "polygon", "points": [[5, 5]] * 40},
    {"type": "bbox", "points": [[9e15, 9e15], [-9e15, -9e15]]},
    {"type": "bbox", "points": [[3, 3], [3, 30]]},
    {"type": "polyline", "points": [[0, 0], [64, 48]]},
    {"type": "point", "points": [[1e-300, 5e-324]]},
    {"type": "polygon", "points": [[(7 * n) % 64, (13 * n) % 48] for n in range(2000)]},
]


@pytest.mark.parametrize("shape", [*EXTREMES, None], ids=str)
def test_whatever_a_label_holds_there_is_a_mask_of_it_or_words(make_scene: Any, shape: JSON | None) -> None:
    scene = make_scene()
    shapes = EXTREMES if shape is None else [shape]
    scene.save(*({"id": n, "category_id": n % 4} | item for n, item in enumerate(shapes, 1)))
    for _ in range(2):
        for query in ("", "kind=semantic", "kind=panoptic", "kind=color", "format=rle", "format=rle&whole=1"):
            assert scene.mask(query).status in (200, 409), query
        assert scene.report()["pixels"] == WIDTH * HEIGHT and scene.at(63, 47) is not None
        assert scene.ana.get(f"{scene.label}/overlay/?size=small").status == 200
        projector.catch_up(scene.dataset)
    (each,) = [item for item in projector.catch_ups(heavy=True) if item.name == "masks"]
    assert rebuild.compared_catch_up(each, scene.dataset) == {}
