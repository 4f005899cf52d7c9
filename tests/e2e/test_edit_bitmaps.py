"""Painting: patches of a label's bitmap, merged by object, refused only where two people painted the same pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pycocotools import mask as coco_mask
from segments import SegmentsClient
from segments.resource_api import Sample

from tests.e2e.conftest import MakeSample
from tests.e2e.documents import BITMAP_TYPES
from tests.e2e.pictures import HEIGHT_PX, WIDTH_PX, Mask, blocks, column_major_counts, mask_at, uploaded
from tests.e2e.wire import Wire, etag, label_path

Json = dict[str, Any]
PAINTED = blocks(_1=(2, 3, 20, 30), _2=(30, 5, 60, 40))


def area(x0: int, y0: int, x1: int, y1: int) -> npt.NDArray[np.bool_]:
    mask = np.zeros((HEIGHT_PX, WIDTH_PX), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def runs(mask: npt.NDArray[np.bool_]) -> Json:
    return {"size": list(mask.shape), "counts": column_major_counts(mask)}


def patch(base_hash: str | None, *parts: tuple[int, npt.NDArray[np.bool_]]) -> Json:
    return {"op": "patch_bitmap", "base_hash": base_hash, "set": [{"id": n, "rle": runs(mask)} for n, mask in parts]}


def pixels(wire: Wire, sample: Sample) -> Mask:
    return mask_at(wire.label(sample.uuid)["attributes"]["segmentation_bitmap"]["url"])


def pixels_hash(wire: Wire, sample: Sample) -> str:
    found: str = wire.label(sample.uuid)["attributes"]["segmentation_bitmap"]["hash"]
    return found


def label_of(url: str, *ids: int) -> Json:
    return {"annotations": [{"id": n, "category_id": 1} for n in ids], "segmentation_bitmap": {"url": url}}


@pytest.fixture
def sample(make_sample: MakeSample, admin: SegmentsClient) -> Sample:
    sample = make_sample("segmentation-bitmap")
    sample.add_label("ground-truth", label_of(uploaded(admin, PAINTED), 1, 2), "LABELED")
    return sample


def test_a_patch_paints_its_pixels_and_no_others(sample: Sample, admin_wire: Wire) -> None:
    answer = admin_wire.edit(sample.uuid, [patch(pixels_hash(admin_wire, sample), (1, area(18, 28, 25, 33)))])
    assert answer.status_code == 200, answer.text
    expected = np.where(area(18, 28, 25, 33), np.uint32(1), PAINTED)
    np.testing.assert_array_equal(pixels(admin_wire, sample), expected)
    assert answer.json()["mask_hash"] == pixels_hash(admin_wire, sample)


def test_a_patch_is_kept_as_the_ids_and_half_open_boxes_that_changed(sample: Sample, admin_wire: Wire) -> None:
    before = pixels_hash(admin_wire, sample)
    # Ten columns of object 2 go to object 1, and a corner of object 1 becomes unlabeled.
    parts = ((1, area(30, 5, 40, 40)), (0, area(2, 3, 4, 5)))
    admin_wire.edit(sample.uuid, [patch(before, *parts)])
    event = admin_wire.label_events(sample.uuid)[-1]
    assert event["type"] == "BitmapPatched"
    assert event["data"]["base_hash"] == before
    assert event["data"]["mask"]["hash"] == pixels_hash(admin_wire, sample)
    changed = {change["id"]: change for change in event["data"]["changed"]}
    assert set(changed) - {0} == {1, 2}
    assert list(changed[1].values()).count([2, 3, 40, 40]) == 1
    assert list(changed[2].values()).count([30, 5, 40, 40]) == 1


def test_runs_may_come_compressed_as_pycocotools_writes_them(sample: Sample, admin_wire: Wire) -> None:
    mask = area(5, 40, 50, 47)
    packed = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    rle = {"size": [int(side) for side in packed["size"]], "counts": packed["counts"].decode()}
    edit = {"op": "patch_bitmap", "base_hash": pixels_hash(admin_wire, sample), "set": [{"id": 2, "rle": rle}]}
    assert admin_wire.edit(sample.uuid, [edit]).status_code == 200
    np.testing.assert_array_equal(pixels(admin_wire, sample) == 2, (PAINTED == 2) | mask)


def test_a_new_object_is_added_and_painted_in_one_list(sample: Sample, admin_wire: Wire) -> None:
    edits = [{"op": "add", "category_id": 7, "id": 9}, patch(pixels_hash(admin_wire, sample), (9, area(0, 40, 9, 48)))]
    answer = admin_wire.edit(sample.uuid, edits)
    assert answer.status_code == 200, answer.text
    shown = admin_wire.label(sample.uuid)["attributes"]["annotations"]
    assert [(a["id"], a["category_id"]) for a in shown] == [(1, 1), (2, 1), (9, 7)]
    np.testing.assert_array_equal(pixels(admin_wire, sample) == 9, area(0, 40, 9, 48))


def test_a_bitmap_begins_with_its_first_patch(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample("segmentation-bitmap")
    answer = admin_wire.edit(sample.uuid, [{"op": "add", "category_id": 1}, patch(None, (1, area(1, 2, 3, 4)))])
    assert answer.status_code == 200, answer.text
    np.testing.assert_array_equal(pixels(admin_wire, sample), area(1, 2, 3, 4).astype(np.uint32))


def test_a_removed_object_leaves_no_pixels(sample: Sample, admin_wire: Wire) -> None:
    assert admin_wire.edit(sample.uuid, [{"op": "remove", "annotation": 2}]).status_code == 200
    np.testing.assert_array_equal(pixels(admin_wire, sample), np.where(PAINTED == 2, np.uint32(0), PAINTED))


def test_a_patch_that_changes_nothing_appends_nothing(sample: Sample, admin_wire: Wire) -> None:
    before = etag(admin_wire.get(label_path(sample.uuid)))
    answer = admin_wire.edit(sample.uuid, [patch(pixels_hash(admin_wire, sample), (1, PAINTED == 1))])
    assert answer.json()["edits"][0]["changed"] is False
    assert etag(answer) == before


def test_a_patch_against_another_bitmap_is_refused(sample: Sample, admin_wire: Wire) -> None:
    before = pixels_hash(admin_wire, sample)
    admin_wire.edit(sample.uuid, [patch(before, (1, area(0, 0, 5, 5)))])
    head = admin_wire.head(sample.dataset.full_name)
    for stale in (before, None, "0" * 64):
        answer = admin_wire.edit(sample.uuid, [patch(stale, (1, area(10, 40, 15, 45)))])
        assert (answer.status_code, answer.json()["code"]) == (409, "stale_bitmap")
        assert answer.json()["field"] == "edits[0].base_hash"
    assert admin_wire.head(sample.dataset.full_name) == head


@pytest.mark.parametrize(
    ("field", "part"),
    [
        ("id", {"id": 77, "rle": runs(area(0, 0, 2, 2))}),
        ("id", {"rle": runs(area(0, 0, 2, 2))}),
        ("id", {"id": "1", "rle": runs(area(0, 0, 2, 2))}),
        ("id", {"id": -1, "rle": runs(area(0, 0, 2, 2))}),
        ("rle", {"id": 1}),
        ("rle", {"id": 1, "rle": {"size": [4, 4], "counts": [0, 16]}}),
        ("rle", {"id": 1, "rle": {"size": [HEIGHT_PX, WIDTH_PX], "counts": [0, 5]}}),
        ("rle", {"id": 1, "rle": {"size": [HEIGHT_PX, WIDTH_PX], "counts": "zebra"}}),
    ],
)
def test_a_part_that_does_not_fit_the_bitmap_is_refused(
    sample: Sample, admin_wire: Wire, field: str, part: Json
) -> None:
    edit = {"op": "patch_bitmap", "base_hash": pixels_hash(admin_wire, sample), "set": [part]}
    head = admin_wire.head(sample.dataset.full_name)
    answer = admin_wire.edit(sample.uuid, [edit])
    assert answer.status_code == 400, answer.text
    assert answer.json()["field"].startswith(f"edits[0].set[0].{field}")
    assert admin_wire.head(sample.dataset.full_name) == head


@pytest.mark.parametrize("task_type", BITMAP_TYPES)
def test_two_people_who_paint_different_objects_are_merged(
    make_sample: MakeSample,
    admin: SegmentsClient,
    admin_wire: Wire,
    labeler: SegmentsClient,
    labeler_wire: Wire,
    task_type: str,
) -> None:
    sample = make_sample(task_type)
    sample.add_label("ground-truth", label_of(uploaded(admin, PAINTED), 1, 2), "LABELED")
    seen = {"If-Match": f'"{etag(admin_wire.get(label_path(sample.uuid)))}"'}
    first = np.where(area(2, 31, 20, 40), np.uint32(1), PAINTED)
    second = np.where(area(30, 41, 60, 47), np.uint32(2), PAINTED)
    for client, wire, mask in ((admin, admin_wire, first), (labeler, labeler_wire, second)):
        body = {"attributes": label_of(uploaded(client, mask), 1, 2), "label_status": "LABELED"}
        answer = wire.send("PUT", label_path(sample.uuid), body, headers=seen)
        assert answer.status_code == 200, answer.text
    np.testing.assert_array_equal(pixels(admin_wire, sample), np.where(area(30, 41, 60, 47), np.uint32(2), first))


def test_two_people_who_paint_the_same_pixels_differently_conflict(
    sample: Sample, admin: SegmentsClient, admin_wire: Wire, labeler: SegmentsClient, labeler_wire: Wire
) -> None:
    seen = {"If-Match": f'"{etag(admin_wire.get(label_path(sample.uuid)))}"'}
    masks = [np.where(area(22, 10, 28, 20), np.uint32(n), PAINTED) for n in (1, 2)]
    answers = [
        wire.send("PUT", label_path(sample.uuid), {"attributes": label_of(uploaded(client, mask), 1, 2)}, headers=seen)
        for client, wire, mask in zip((admin, labeler), (admin_wire, labeler_wire), masks, strict=True)
    ]
    assert [answer.status_code for answer in answers][1] == 409
    assert answers[1].json()["code"] == "conflict"
    np.testing.assert_array_equal(pixels(admin_wire, sample), masks[0])
