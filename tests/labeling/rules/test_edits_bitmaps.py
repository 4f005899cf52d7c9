"""Edits of a label's bitmap: patches, objects that come and go with their pixels, and every refusal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labeling import events as e
from labeling.errors import InvalidValue, Refused, StaleBitmap
from labeling.geometry import bitmaps
from tests.support.editing import GROUND, OBJECTS, facts, painted, part, run
from tests.support.labels import BOX, annotation, key, label

JSON = dict[str, Any]

# --- bitmaps -------------------------------------------------------------------------------------------------------


def test_an_object_of_a_bitmap_is_added_without_a_shape():
    (fact,) = facts(label(), {"op": "add", "category_id": 1}, has_mask=True)
    assert fact.geometry == {"type": "mask"}


def test_a_shape_that_is_sent_for_a_label_with_a_bitmap_is_not_dropped():
    (fact,) = facts(label(), {"op": "add", "type": "bbox", "points": [[1, 2], [3, 4]]}, has_mask=True)
    assert fact.geometry == BOX
    with pytest.raises(InvalidValue):
        run(label(), {"op": "add", "points": [[1, 2], [3, 4]]}, has_mask=True)


def test_a_patch_tells_which_objects_gained_or_lost_pixels_and_where():
    state, pixels, base = painted()
    edit = {"op": "patch_bitmap", "base_hash": base, "set": [part(2, ".x.", "..."), part(0, "...", "..x")]}
    (fact,) = facts(state, edit, has_mask=True, pixels=pixels)
    assert fact.base_hash == base
    assert fact.changed == [{"id": 1, "box_xyxy": [1, 0, 2, 1]}, {"id": 2, "box_xyxy": [1, 0, 2, 1]}]
    assert pixels.read(fact.mask).tolist() == [[1, 2, 0], [2, 2, 0]]


def test_a_patch_that_paints_what_is_there_changes_nothing():
    state, pixels, base = painted()
    edit = {"op": "patch_bitmap", "base_hash": base, "set": [part(1, "xx.", "...")]}
    assert facts(state, edit, has_mask=True, pixels=pixels) == []


@pytest.mark.parametrize("mask", [None, {"url": None}])
def test_the_first_patch_makes_the_bitmap(mask):
    state = label(*OBJECTS, mask=mask)
    (fact,) = facts(state, {"op": "patch_bitmap", "base_hash": None, "set": [part(1, "x.", "..")]}, has_mask=True)
    assert (fact.base_hash, fact.changed) == (None, [{"id": 1, "box_xyxy": [0, 0, 1, 1]}])
    assert (fact.mask["width"], fact.mask["height"]) == (2, 2)


def test_a_first_patch_of_void_makes_an_empty_bitmap():
    edit = {"op": "patch_bitmap", "set": [part(0, "..")]}
    (fact,) = facts(label(), edit, has_mask=True)
    assert (fact.changed, fact.mask["width"]) == ([], 2)


def test_patches_and_objects_of_one_list_build_on_each_other():
    state, pixels, base = painted()
    first, second = GROUND.copy(), GROUND.copy()
    first[0, 2] = second[0, 2] = 3
    second[1, 2] = 3
    edits = [
        {"op": "add", "category_id": 1},
        {"op": "patch_bitmap", "base_hash": base, "set": [part(3, "..x", "...")]},
        {"op": "patch_bitmap", "base_hash": bitmaps.mask_hash(first), "set": [part(3, "...", "..x")]},
    ]
    found = facts(state, *edits, has_mask=True, pixels=pixels)
    assert [type(fact).__name__ for fact in found] == ["AnnotationAdded", "BitmapPatched", "BitmapPatched"]
    assert pixels.read(found[2].mask).tolist() == second.tolist()


def test_removing_an_object_clears_its_pixels():
    state, pixels, _ = painted()
    patch, removed = facts(state, {"op": "remove", "annotation": 2}, has_mask=True, pixels=pixels)
    assert patch.changed == [{"id": 2, "box_xyxy": [0, 1, 2, 2]}]
    assert pixels.read(patch.mask).tolist() == [[1, 1, 0], [0, 0, 0]]
    assert removed == e.AnnotationRemoved(annotation=key(2))


def test_removing_many_objects_is_one_patch_told_before_them():
    state, pixels, base = painted()
    state.annotations[key(3)] = annotation(3, links=[{"to": key(2), "attributes": {}}], geometry={"type": "mask"})
    edits = [{"op": "set_score", "score": 1}, *({"op": "remove", "annotation": number} for number in (2, 1, 3))]
    found = facts(state, *edits, {"op": "add", "id": 1}, has_mask=True, pixels=pixels)
    assert [type(fact).__name__ for fact in found] == [
        "LabelScoreSet", "AnnotationLinkRemoved", "BitmapPatched", "AnnotationRemoved", "AnnotationRemoved",
        "AnnotationRemoved", "AnnotationAdded",
    ]  # fmt: skip
    assert (found[2].base_hash, [item["id"] for item in found[2].changed]) == (base, [1, 2])
    assert not pixels.read(found[2].mask).any()


def test_a_patch_after_a_removal_is_made_against_the_bitmap_without_the_object():
    state, pixels, base = painted()
    without = np.where(GROUND == 2, np.uint32(0), GROUND)
    edits = [{"op": "remove", "annotation": 2}, patch_of(bitmaps.mask_hash(without)), {"op": "remove", "annotation": 1}]
    found = facts(state, *edits, has_mask=True, pixels=pixels)
    assert [type(fact).__name__ for fact in found] == [
        "BitmapPatched", "AnnotationRemoved", "BitmapPatched", "BitmapPatched", "AnnotationRemoved",
    ]  # fmt: skip
    assert not pixels.read(found[3].mask).any()
    with pytest.raises(StaleBitmap):
        run(state, edits[0], patch_of(base), has_mask=True, pixels=pixels)


def patch_of(base: str) -> JSON:
    return {"op": "patch_bitmap", "base_hash": base, "set": [part(1, "...", "xx.")]}


@pytest.mark.parametrize("number", [3, -1, 2**24, 2**40])
def test_removing_an_object_without_pixels_leaves_the_bitmap(number):
    state, pixels, _ = painted()
    state.annotations[key(3)] = annotation(number, geometry={"type": "mask"}) | {"uuid": key(3)}
    assert facts(state, {"op": "remove", "annotation": number}, has_mask=True, pixels=pixels) == [
        e.AnnotationRemoved(annotation=key(3))
    ]


@pytest.mark.parametrize("mask", [None, {"url": None}, {"url": "https://example.org/m.png"}])
def test_removing_an_object_where_no_pixels_are_known_touches_no_bitmap(mask):
    assert facts(label(*OBJECTS, mask=mask), {"op": "remove", "annotation": 2}, has_mask=True) == [
        e.AnnotationRemoved(annotation=key(2))
    ]


@pytest.mark.parametrize("base", [None, "", "00", 5, ["x"]])
def test_a_patch_against_another_bitmap_is_stale(base):
    state, pixels, _ = painted()
    with pytest.raises(StaleBitmap):
        run(state, {"op": "patch_bitmap", "base_hash": base, "set": []}, has_mask=True, pixels=pixels)


def test_a_bitmap_of_another_host_cannot_be_patched():
    state = label(*OBJECTS, mask={"url": "https://example.org/m.png"})
    with pytest.raises(Refused, match="another host"):
        run(state, {"op": "patch_bitmap", "base_hash": None, "set": [part(1, "x")]}, has_mask=True)


@pytest.mark.parametrize(
    "parts, where",
    [
        (None, "set"),
        ({}, "set"),
        (["x"], "set[0]"),
        ([{"rle": {}}], "set[0].id"),
        ([{"id": True, "rle": {}}], "set[0].id"),
        ([{"id": 9, "rle": {}}], "set[0].id"),
        ([part(1, "xxx", "xxx"), {"id": 1}], "set[1].rle"),
        ([{"id": 1, "rle": {}}], "set[0].rle"),
        ([{"id": 1, "rle": {"size": [2, 3], "counts": [1]}}], "set[0].rle"),
        ([{"id": 1, "rle": {"size": [2**20, 2**20], "counts": [2**40]}}], "set[0].rle"),
        ([{"id": 1, "rle": {"size": [2, 3], "counts": "\x00"}}], "set[0].rle"),
        ([part(1, "xx", "xx", "xx")], "set[0].rle.size"),
    ],
)
def test_a_patch_that_does_not_fit_is_refused_by_its_field(parts, where):
    state, pixels, base = painted()
    with pytest.raises(InvalidValue) as caught:
        run(state, {"op": "patch_bitmap", "base_hash": base, "set": parts}, has_mask=True, pixels=pixels)
    assert caught.value.field == f"edits[0].{where}"


@pytest.mark.parametrize("number", [-1, 2**24, 2**40])
def test_an_object_whose_id_is_no_colour_can_have_no_pixels(number):
    state, pixels, base = painted()
    state.annotations[key(3)] = annotation(number, geometry={"type": "mask"}) | {"uuid": key(3)}
    edit = {"op": "patch_bitmap", "base_hash": base, "set": [part(number, "xxx", "xxx")]}
    with pytest.raises(InvalidValue) as caught:
        run(state, edit, has_mask=True, pixels=pixels)
    assert caught.value.field == "edits[0].set[0].id"


def test_a_first_patch_without_parts_makes_no_bitmap():
    with pytest.raises(InvalidValue, match="at least one part"):
        run(label(), {"op": "patch_bitmap", "set": []}, has_mask=True)
