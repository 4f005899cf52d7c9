from __future__ import annotations

import io
import os
import uuid
from typing import Any

import numpy as np
import pytest
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.urls import reverse
from PIL import Image

from labeling import drawing
from labeling.commands import assets, datasets, labels
from labeling.errors import StorageUnavailable
from labeling.geometry import png as bitmap_png
from labeling.log.event import Intent
from labeling.rules import task_types
from labeling.rules.task_types import VerbatimTask
from tests.labeling.admin.world import World, add_sample, png, upload


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    cache.clear()


def thumbnail(world: World, sample: uuid.UUID, size: str = "small", **query: str) -> Any:
    answer: Any = world.admin.get(reverse("admin:labeling_sample_thumbnail", args=[sample, size]), query)
    return answer


def pixels(answer: Any) -> np.ndarray:
    assert answer.status_code == 200
    assert answer["Content-Type"] == "image/webp"
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)


def is_card(answer: Any) -> bool:
    """Whether it is the grey card for a picture that cannot be shown."""
    corner = pixels(answer)[2, 2]
    return bool(np.abs(corner - np.array(drawing.PAPER)).max() < 6)


def test_the_label_is_drawn_over_the_picture_in_its_categorys_colour(world: World) -> None:
    found = pixels(thumbnail(world, world.sample))
    scale = found.shape[1] / 64

    outside, inside = found[4, 4], found[round(20 * scale), round(24 * scale)]
    edge = found[round(6 * scale) : round(10 * scale), round(24 * scale)].max(axis=0)

    assert np.abs(outside - (90, 120, 90)).max() < 12
    assert edge[0] > inside[0] + 15 > outside[0] + 30  # a car's red, thin over the green and full at the edge


def test_it_fits_the_box_and_keeps_the_proportions(world: World) -> None:
    assert pixels(thumbnail(world, world.sample)).shape == (120, 160, 3)
    assert pixels(thumbnail(world, world.sample, "large")).shape[:2] == (384, 512)  # eight times, not more


def test_an_unchanged_thumbnail_is_not_sent_twice_and_a_changed_label_gets_another(world: World) -> None:
    first = thumbnail(world, world.sample)
    address = reverse("admin:labeling_sample_thumbnail", args=[world.sample, "small"])
    again = world.admin.get(address, headers={"If-None-Match": first["ETag"]})
    labels.edit_label(
        intent=Intent(author=world.bodo.id),
        sample=world.sample,
        label_set="ground-truth",
        edits=[{"op": "add", "category_id": 2, "geometry": {"type": "bbox", "points": [[0, 0], [64, 48]]}}],
    )
    changed = world.admin.get(address, headers={"If-None-Match": first["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]
    assert (pixels(changed) != pixels(first)).any()


def test_a_kept_thumbnail_needs_no_picture_any_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = thumbnail(world, world.sample)
    monkeypatch.setattr(drawing, "opened", None)

    assert thumbnail(world, world.sample).content == first.content


def test_each_label_set_has_its_own(world: World) -> None:
    assert (pixels(thumbnail(world, world.sample)) != pixels(thumbnail(world, world.sample, label_set="yolo"))).any()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        png()[:40],
        png()[:60],
        png().replace(b"IDAT", b"IDOT"),
        b"<svg xmlns='http://www.w3.org/2000/svg'></svg>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    ],
)
def test_a_broken_picture_is_a_grey_card(world: World, data: bytes) -> None:
    url = assets.url_of(upload(world.edda, data))

    assert is_card(thumbnail(world, add_sample(world.dataset, world.edda, "x.png", {"image": {"url": url}})))


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"image": None},
        {"image": {"url": 7}},
        {"image": {"url": "https://example.org/one.png"}},
        {"image": {"url": f"/media/{'x' * 32}/one.png"}},
        {"frames": []},
        {"frames": 7},
        {"frames": [7]},
        {"pcd": {"url": "https://example.org/one.pcd"}},
    ],
)
def test_a_sample_without_a_picture_of_ours_is_a_grey_card(world: World, attributes: dict[str, Any]) -> None:
    assert is_card(thumbnail(world, add_sample(world.dataset, world.edda, "x", attributes)))


def test_a_file_that_is_gone_from_storage_is_a_grey_card_that_nobody_keeps(world: World) -> None:
    asset = upload(world.edda, png((1, 2, 3)))
    sample = add_sample(world.dataset, world.edda, "x", {"image": {"url": assets.url_of(asset)}})
    assert asset.sha256 is not None
    path = default_storage.path(assets.path_of(asset.sha256))
    os.rename(path, f"{path}.away")

    gone = thumbnail(world, sample)
    os.rename(f"{path}.away", path)

    assert is_card(gone)
    assert gone["Cache-Control"] == "no-store"
    assert not is_card(thumbnail(world, sample))


def test_storage_that_does_not_answer_is_a_grey_card_that_nobody_keeps(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent(io.BytesIO):
        def read(self, *arguments: Any) -> bytes:
            raise StorageUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(default_storage, "open", lambda path: Silent())
        silent = thumbnail(world, world.sample)

    assert is_card(silent)
    assert silent["Cache-Control"] == "no-store"
    assert not is_card(thumbnail(world, world.sample))


def test_who_may_not_see_the_dataset_gets_no_thumbnail(world: World) -> None:
    address = reverse("admin:labeling_sample_thumbnail", args=[world.sample, "small"])

    assert world.clients["maja"].get(address).status_code == 404
    assert world.clients["edda"].get(address).status_code == 200


def test_only_known_sizes_are_drawn(world: World) -> None:
    assert thumbnail(world, world.sample, "huge").status_code == 404
    assert thumbnail(world, uuid.uuid4()).status_code == 404


def new_dataset(world: World, task_type: str) -> uuid.UUID:
    return datasets.create_dataset(
        intent=Intent(author=world.edda.id),
        owner=world.edda.id,
        name=task_type,
        task_type=task_type,
        task_attributes={"categories": [{"id": 1, "name": "car", "color": [250, 0, 0]}]},
        changes={},
    )


def save(world: World, sample: uuid.UUID, document: dict[str, Any]) -> None:
    intent = Intent(author=world.edda.id)
    labels.save_label(intent=intent, sample=sample, label_set="ground-truth", document=document, create=True)


def test_a_bitmaps_objects_are_painted_in_their_colours(world: World) -> None:
    dataset = new_dataset(world, "segmentation-bitmap")
    url = assets.url_of(upload(world.edda, png((0, 80, 0))))
    sample = add_sample(dataset, world.edda, "x", {"image": {"url": url}})
    ids = np.zeros((48, 64), np.uint32)
    ids[:, 32:] = 5
    bitmap = assets.url_of(upload(world.edda, bitmap_png.write_ids(ids)))
    save(world, sample, {"annotations": [{"id": 5, "category_id": 1}], "segmentation_bitmap": {"url": bitmap}})

    found = pixels(thumbnail(world, sample))

    left, right = found[60, 40], found[60, 120]
    assert np.abs(left - (0, 80, 0)).max() < 12
    assert right[0] > 100 > right[1] + 40


def test_a_bitmap_without_a_picture_of_ours_is_shown_by_itself(world: World) -> None:
    dataset = new_dataset(world, "segmentation-bitmap")
    sample = add_sample(dataset, world.edda, "x", {"image": {"url": "https://example.org/one.png"}})
    bitmap = assets.url_of(upload(world.edda, bitmap_png.write_ids(np.full((48, 64), 5, np.uint32))))
    save(world, sample, {"annotations": [{"id": 5, "category_id": 1}], "segmentation_bitmap": {"url": bitmap}})

    assert pixels(thumbnail(world, sample))[60, 80][0] > 150 > pixels(thumbnail(world, sample))[60, 80][1]


def test_a_broken_bitmap_leaves_the_picture(world: World) -> None:
    dataset = new_dataset(world, "image-segmentation-sequence")
    url = assets.url_of(upload(world.edda, png((0, 80, 0))))
    sample = add_sample(dataset, world.edda, "x", {"frames": [{"image": {"url": url}}]})
    broken = assets.url_of(upload(world.edda, b"no bitmap"))
    save(world, sample, {"frames": [{"annotations": [], "segmentation_bitmap": {"url": broken}}]})

    assert np.abs(pixels(thumbnail(world, sample))[60, 80] - (0, 80, 0)).max() < 12


def test_of_a_sequence_the_first_frame_is_shown_with_its_boxes(world: World) -> None:
    dataset = new_dataset(world, "image-vector-sequence")
    frames = [{"image": {"url": assets.url_of(upload(world.edda, png(colour)))}} for colour in ((0, 80, 0), (0, 0, 80))]
    sample = add_sample(dataset, world.edda, "x", {"frames": frames})
    box = {"id": 1, "category_id": 1, "type": "bbox", "points": [[32, 0], [64, 48]], "track_id": 1}
    save(world, sample, {"frames": [{"annotations": [box]}, {"annotations": []}]})

    found = pixels(thumbnail(world, sample))

    assert np.abs(found[60, 20] - (0, 80, 0)).max() < 12
    assert found[60, 120][0] > 40


@pytest.mark.parametrize(
    "document",
    [
        {"frames": [7]},
        {"frames": [{"annotations": 7}]},
        {"frames": [{"annotations": [7, {"type": "bbox"}, {"type": "bbox", "points": "abc"}, {"category_id": []}]}]},
        {"frames": [{"segmentation_bitmap": 7}, 8]},
    ],
)
def test_a_verbatim_document_of_before_it_was_checked_may_hold_anything(
    world: World, monkeypatch: pytest.MonkeyPatch, document: dict[str, Any]
) -> None:
    dataset = new_dataset(world, "image-vector-sequence")
    url = assets.url_of(upload(world.edda, png((0, 80, 0))))
    sample = add_sample(dataset, world.edda, "x", {"frames": [{"image": {"url": url}}]})
    with monkeypatch.context() as before:
        before.setattr(task_types, "check_label", lambda *_: None)
        before.setitem(task_types._task_types, "image-vector-sequence", VerbatimTask("image-vector-sequence"))
        save(world, sample, document)

    assert not is_card(thumbnail(world, sample))
