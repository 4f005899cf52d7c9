from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as peer
from skimage import measure, segmentation

from labeling.geometry import measures, png, rle
from labeling.geometry.bitmaps import BadBitmap
from labeling.geometry.measures import boundary, ious_of_boxes, ious_of_maps, ious_of_runs, overlaps, segments_of

PANOPTIC = Path(__file__).parents[2] / "data" / "panoptic"

maps = hnp.arrays(np.uint32, st.just((7, 11)), elements=st.sampled_from([0, 1, 2, 5, 70000, 2**24 - 1, 2**32 - 1]))
mask_lists = st.lists(hnp.arrays(bool, st.just((6, 9))), max_size=4)


def published() -> list[tuple[str, list[dict]]]:
    examples = json.loads((PANOPTIC / "panoptic_examples.json").read_text())
    return [(item["file_name"], item["segments_info"]) for item in examples["annotations"]]


@pytest.mark.parametrize(("file_name", "expected"), published())
def test_the_published_areas_and_boxes_of_a_panoptic_example_come_out(file_name: str, expected: list[dict]) -> None:
    ids = png.read_ids((PANOPTIC / file_name).read_bytes(), max_pixels=10**6)
    found = segments_of(ids)
    by_id = {segment["id"]: segment for segment in expected}
    assert set(found.ids.tolist()) == set(by_id)
    for number, area, (x0, y0, x1, y1) in zip(*(part.tolist() for part in found[:3]), strict=True):
        assert area == by_id[number]["area"]
        assert [x0, y0, x1 - x0, y1 - y0] == by_id[number]["bbox"]


@given(maps)
def test_segments_are_those_of_scikit_image(ids: np.ndarray) -> None:
    numbers = np.unique(ids)
    labels = np.searchsorted(numbers, ids) + (numbers[0] != 0)
    found = segments_of(ids)
    theirs = measure.regionprops(labels)
    assert found.ids.tolist() == [number for number in numbers.tolist() if number]
    for item, area, (x0, y0, x1, y1), (x, y) in zip(theirs, *(part.tolist() for part in found[1:]), strict=True):
        assert item.area == area and item.bbox == (y0, x0, y1, x1)
        assert np.allclose((x - 0.5, y - 0.5), item.centroid[::-1], atol=1e-9)


def test_a_map_of_void_has_no_segments() -> None:
    found = segments_of(np.zeros((3, 4), np.uint8))
    assert [part.shape for part in found] == [(0,), (0,), (0, 4), (0, 2)]


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_a_boundary_is_that_of_scikit_image(mask: np.ndarray) -> None:
    framed = np.pad(mask, 1)
    assert np.array_equal(boundary(mask), segmentation.find_boundaries(framed, mode="inner")[1:-1, 1:-1])
    within = boundary(mask, edge=False)
    assert not (within & ~boundary(mask)).any()
    assert np.array_equal(within[1:-1, 1:-1], boundary(mask)[1:-1, 1:-1])
    if mask.all():
        assert not within.any()


@given(maps, maps)
def test_overlaps_are_those_counted_pixel_by_pixel(one: np.ndarray, other: np.ndarray) -> None:
    pairs: dict[tuple[int, int], int] = {}
    for pair in zip(one.ravel().tolist(), other.ravel().tolist(), strict=True):
        pairs[pair] = pairs.get(pair, 0) + 1
    found = overlaps(one, other)
    listed = list(zip(found.one.tolist(), found.other.tolist(), strict=True))
    assert listed == sorted(pairs)
    assert dict(zip(listed, found.pixels.tolist(), strict=True)) == pairs


def test_many_ids_are_counted_without_a_table_of_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(9)
    one, other = (chance.integers(0, 3000, (80, 100), np.uint16) for _ in range(2))
    found = overlaps(one, other)
    monkeypatch.setattr(measures, "_DENSE", 0)
    assert all(map(np.array_equal, overlaps(one, other), found))
    assert found.pixels.sum() == one.size


@given(maps, maps)
def test_overlap_shares_of_maps_are_those_of_pycocotools(one: np.ndarray, other: np.ndarray) -> None:
    ids, other_ids, found = ious_of_maps(one, other)
    assert found.shape == (ids.size, other_ids.size)
    if found.size:
        packed, other_packed = (
            [peer.encode(np.asfortranarray(of == number, np.uint8)) for number in numbers.tolist()]
            for of, numbers in ((one, ids), (other, other_ids))
        )
        assert np.array_equal(found, peer.iou(packed, other_packed, [0] * len(other_packed)))


@given(mask_lists, mask_lists, st.data())
def test_overlap_shares_of_run_lengths_are_those_of_pycocotools(
    ones: list[np.ndarray], others: list[np.ndarray], data: st.DataObject
) -> None:
    packed, other_packed = ([rle.encode(mask, compressed=True) for mask in masks] for masks in (ones, others))
    crowd = data.draw(st.lists(st.booleans(), min_size=len(others), max_size=len(others)))
    found = ious_of_runs(packed, other_packed, crowd=crowd)
    assert found.shape == (len(ones), len(others))
    if found.size:
        theirs = peer.iou(
            *([{**runs, "counts": runs["counts"].encode()} for runs in masks] for masks in (packed, other_packed)),
            crowd,
        )
        assert np.array_equal(found, theirs)
        assert np.array_equal(
            ious_of_runs(packed, other_packed), ious_of_runs(packed, other_packed, crowd=[False] * len(others))
        )


def test_overlap_shares_in_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(10)
    packed = [rle.encode(chance.random((20, 30)) < 0.4) for _ in range(6)]
    whole = ious_of_runs(packed, packed)
    assert (np.diag(whole) == 1).all()
    for queries in (1, 50, 1000):
        monkeypatch.setattr(measures, "_QUERIES", queries)
        assert np.array_equal(ious_of_runs(packed, packed), whole)


@given(hnp.arrays(np.float64, st.tuples(st.integers(0, 4), st.just(4)), elements=st.floats(0, 100, width=32)))
def test_overlap_shares_of_boxes_are_those_of_pycocotools(boxes: np.ndarray) -> None:
    away = np.array([0, 0, 100, 100])
    found = ious_of_boxes(boxes + away, boxes[::-1] + away)
    assert found.shape == (len(boxes), len(boxes))
    if len(boxes):
        theirs = [np.concatenate([b[:, :2], b[:, 2:] + 100 - b[:, :2]], axis=1) for b in (boxes, boxes[::-1])]
        assert np.allclose(found, peer.iou(*theirs, [0] * len(boxes)), atol=1e-12)


def test_boxes_and_masks_without_area_share_nothing() -> None:
    assert ious_of_boxes(np.array([[1.0, 1, 1, 1]]), np.array([[1.0, 1, 1, 1]])).tolist() == [[0]]
    empty = rle.encode(np.zeros((2, 2), bool))
    assert ious_of_runs([empty], [empty]).tolist() == [[0]]


def test_maps_and_run_lengths_of_different_sizes_are_refused() -> None:
    with pytest.raises(BadBitmap):
        overlaps(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))
    with pytest.raises(BadBitmap):
        ious_of_runs([rle.encode(np.ones((2, 3), bool))], [rle.encode(np.ones((3, 2), bool))])
