from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labeling.geometry import bitmaps
from labeling.geometry.bitmaps import BadBitmap, Ids

sizes = st.tuples(st.integers(1, 7), st.integers(1, 7))


def id_maps(count: int) -> st.SearchStrategy[tuple[Ids, ...]]:
    ids = st.sampled_from([0, 0, 1, 2, 3, 70000])
    return sizes.flatmap(lambda size: st.tuples(*[hnp.arrays(np.uint32, size, elements=ids) for _ in range(count)]))


def changed_pixel_by_pixel(before: Ids, after: Ids) -> list[dict[str, object]]:
    boxes: dict[int, list[int]] = {}
    for (row, col), old in np.ndenumerate(before):
        new = int(after[row, col])
        for object_id in {int(old), new} - {0} if old != new else ():
            box = boxes.setdefault(object_id, [col, row, col + 1, row + 1])
            box[:] = [min(box[0], col), min(box[1], row), max(box[2], col + 1), max(box[3], row + 1)]
    return [{"id": object_id, "box_xyxy": boxes[object_id]} for object_id in sorted(boxes)]


@given(id_maps(2))
def test_the_changed_objects_are_those_of_a_comparison_pixel_by_pixel(maps: tuple[Ids, ...]) -> None:
    before, after = maps
    assert bitmaps.changed(before, after) == changed_pixel_by_pixel(before, after)
    assert (bitmaps.changed(before, after) == []) == np.array_equal(before, after)


@given(id_maps(1))
def test_a_first_map_gains_every_object(maps: tuple[Ids, ...]) -> None:
    (after,) = maps
    changes = bitmaps.changed(None, after)
    assert [change["id"] for change in changes] == bitmaps.objects_in(after)
    for change in changes:
        assert change["box_xyxy"] == bitmaps.box_of(bitmaps.pixels_of(after, change["id"]))


def test_a_stroke_is_listed_for_the_object_that_gains_and_the_one_that_loses() -> None:
    before = np.zeros((6, 8), np.uint32)
    before[1:5, 1:4] = 7
    after = before.copy()
    after[2:4, 3:6] = 9
    assert bitmaps.changed(before, after) == [
        {"id": 7, "box_xyxy": [3, 2, 4, 4]},
        {"id": 9, "box_xyxy": [3, 2, 6, 4]},
    ]
    assert bitmaps.changed(after, before) == bitmaps.changed(before, after)


def test_wide_maps_with_many_objects_are_compared_right() -> None:
    draw = np.random.default_rng(5)
    before = draw.integers(0, 400, (50, 70), dtype=np.uint32)
    after = np.where(draw.random((50, 70)) < 0.5, before, draw.integers(0, 2**24, (50, 70), dtype=np.uint32))
    assert bitmaps.changed(before, after) == changed_pixel_by_pixel(before, after)


@given(id_maps(3))
def test_a_merge_takes_the_edit_where_it_changed_something_and_clashes_only_there(maps: tuple[Ids, ...]) -> None:
    at_base, sent, current = maps
    merged, clash = bitmaps.merge(at_base, sent, current)
    for place in np.ndindex(at_base.shape):
        base, ours, theirs = (int(ids[place]) for ids in maps)
        assert merged[place] == (ours if ours != base else theirs)
        assert clash[place] == (ours != base and theirs not in (base, ours))


@given(id_maps(3))
def test_edits_that_do_not_clash_commute(maps: tuple[Ids, ...]) -> None:
    at_base, one, other = maps
    merged, clash = bitmaps.merge(at_base, one, other)
    swapped, clash_swapped = bitmaps.merge(at_base, other, one)
    assert np.array_equal(clash, clash_swapped)
    assert np.array_equal(merged[~clash], swapped[~clash])


@given(id_maps(2))
def test_an_edit_of_the_current_map_is_taken_whole(maps: tuple[Ids, ...]) -> None:
    current, sent = maps
    merged, clash = bitmaps.merge(current, sent, current)
    assert np.array_equal(merged, sent)
    assert not clash.any()


def test_the_hash_covers_size_and_pixels_and_nothing_of_the_memory_layout() -> None:
    ids = np.arange(6, dtype=np.uint32).reshape(2, 3)
    wanted = hashlib.sha256(b"palimpsest-mask-1" + struct.pack("<II", 3, 2) + struct.pack("<6I", *range(6))).hexdigest()
    assert bitmaps.mask_hash(ids) == wanted
    assert bitmaps.mask_hash(np.asfortranarray(ids)) == wanted
    assert bitmaps.mask_hash(ids.astype(">u4")) == wanted
    assert bitmaps.mask_hash(ids.astype(np.uint8)) == wanted
    assert bitmaps.mask_hash(ids.reshape(3, 2)) != wanted


def test_painting_and_clearing_leave_the_given_map_alone() -> None:
    ids = np.zeros((3, 4), np.uint32)
    mask = np.zeros((3, 4), bool)
    mask[1, 1:3] = True
    painted = bitmaps.set_pixels(ids, 70000, mask)
    assert np.array_equal(bitmaps.pixels_of(painted, 70000), mask)
    assert bitmaps.objects_in(painted) == [70000]
    assert not bitmaps.clear_object(painted, 70000).any()
    assert not ids.any()
    assert painted.dtype == np.uint32


@pytest.mark.parametrize("object_id", [-1, 2**24])
def test_an_id_that_no_bitmap_holds_is_not_painted(object_id: int) -> None:
    with pytest.raises(BadBitmap):
        bitmaps.set_pixels(np.zeros((2, 2), np.uint32), object_id, np.ones((2, 2), bool))


def test_maps_of_different_sizes_are_refused() -> None:
    small, large = np.zeros((2, 3), np.uint32), np.zeros((3, 2), np.uint32)
    for call in (
        lambda: bitmaps.changed(small, large),
        lambda: bitmaps.merge(small, large, small),
        lambda: bitmaps.merge(small, small, large),
        lambda: bitmaps.set_pixels(small, 1, large.astype(bool)),
    ):
        with pytest.raises(BadBitmap):
            call()


def test_the_box_of_an_empty_mask_is_none() -> None:
    assert bitmaps.box_of(np.zeros((3, 3), bool)) is None
    assert bitmaps.objects_in(np.zeros((3, 3), np.uint32)) == []
