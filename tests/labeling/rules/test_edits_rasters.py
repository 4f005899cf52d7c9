"""Outlines that become bitmaps and bitmaps that become outlines; paint, erase and fill."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labeling import events as e
from labeling.errors import AreaOpen, InvalidValue, Refused, StaleBitmap
from labeling.geometry import bitmaps, rle
from labeling.geometry.parts import parts_of
from labeling.geometry.rasterize import mask_of
from labeling.rules.label_state import LabelState
from tests.support.editing import Memory, facts, painted
from tests.support.editing import run as run_edits
from tests.support.labels import HOLED, KEYPOINTS, ORIENTATION, after, annotation, key, label

JSON = dict[str, Any]
run: Any = run_edits  # facts of every kind
IMAGE: JSON = {"sample": lambda: {"image": {"url": "/media/x/a.png"}}, "size_of": lambda image: (40, 30)}
BOX: JSON = {"type": "bbox", "points": [[10, 10], [20, 20]]}
RICH: JSON = {"attributes": {"a": 1}, "keypoints": KEYPOINTS, "orientation": ORIENTATION}
EVERY: list[JSON] = [
    BOX,
    HOLED,
    {"type": "rbox", "center": [10, 10], "size_wh": [8, 4], "angle_deg": 30},
    {"type": "ellipse", "center": [10, 10], "radii": [4, 2], "angle_deg": 30},
    {"type": "point", "points": [[5, 6]]},
    {"type": "polyline", "parts": [[[0, 0], [9, 9]]]},
    {"type": "skeleton", "points": KEYPOINTS},
    {"type": "orientation"},
    {"type": "bitmap", "rle": {"size": [30, 40], "counts": [0, 30, 1170]}},
    {"type": "bbox", "points": [[-10, -10], [-5, -5]]},
]


def runs_of(*rows: str) -> JSON:
    return rle.encode(np.array([[pixel == "x" for pixel in row] for row in rows]))


def drawn(*rows: str) -> LabelState:
    """A label with one bitmap."""
    return label(annotation(1, geometry={"type": "bitmap", "rle": runs_of(*rows)}), annotation(2))


def rows_of(state: LabelState, number: int = 1) -> list[str]:
    mask = rle.decode(state.annotations[key(number)]["geometry"]["rle"], max_pixels=10**6)
    return ["".join("x" if pixel else "." for pixel in row) for row in mask]


def hash_of(state: LabelState) -> str:
    return rle.hash_of_runs(state.annotations[key(1)]["geometry"]["rle"])


# --- rasterize -----------------------------------------------------------------------------------------------------


def test_a_rasterized_object_is_its_pixels_and_loses_what_hangs_on_an_outline():
    links = [{"to": key(2), "attributes": {}}]
    state = label(annotation(1, geometry=BOX, score=0.5, links=links, **RICH), annotation(2))
    outcome = run(state, {"op": "rasterize", "annotation": 1}, **IMAGE)
    [fact] = outcome.facts
    assert isinstance(fact, e.AnnotationRasterized)
    assert fact.cleared == {"geometry": BOX, **RICH}
    found = after(state, fact).annotations[key(1)]
    assert rle.area(found["geometry"]["rle"], max_pixels=10**6) == 100
    assert not found.keys() & RICH.keys()
    assert {name: found[name] for name in ("uuid", "id", "category_id", "order", "score", "links")} == {
        "uuid": key(1), "id": 1, "category_id": 1, "order": 1.0, "score": 0.5, "links": links,
    }  # fmt: skip
    assert outcome.results == [
        {"changed": True, "annotation": key(1), "id": 1, "done": [{"annotation": key(1), "id": 1}], "skipped": []}
    ]


def test_all_that_have_an_inside_are_rasterized_and_the_others_are_told():
    state = label(*(annotation(number, geometry=shape, **RICH) for number, shape in enumerate(EVERY, 1)))
    outcome = run(state, {"op": "rasterize"}, **IMAGE)
    assert [fact.annotation for fact in outcome.facts] == [key(1), key(2), key(3), key(4)]
    assert [item["id"] for item in outcome.results[0]["done"]] == [1, 2, 3, 4]
    assert [(item["id"], item["why"]) for item in outcome.results[0]["skipped"]] == [
        (5, "point"), (6, "polyline"), (7, "skeleton"), (8, "orientation"), (9, "bitmap"), (10, "no_pixels"),
    ]  # fmt: skip
    found = after(state, *outcome.facts)
    for number, shape in enumerate(EVERY[:4], 1):
        runs = found.annotations[key(number)]["geometry"]["rle"]
        assert np.array_equal(rle.decode(runs, max_pixels=10**6), mask_of(parts_of(shape), 30, 40))
    assert all(found.annotations[key(number)] is state.annotations[key(number)] for number in range(5, 11))
    again = run(found, {"op": "rasterize"}, **IMAGE)
    assert again.facts == [] and again.results[0]["changed"] is False


def test_one_that_has_no_inside_is_skipped_and_told():
    outcome = run(label(annotation(1, geometry=EVERY[5])), {"op": "rasterize", "annotation": 1}, **IMAGE)
    assert outcome.facts == []
    assert outcome.results[0]["skipped"] == [{"annotation": key(1), "id": 1, "why": "polyline"}]


def test_the_size_of_the_image_is_said_where_it_is_not_known_and_must_be_right_where_it_is():
    state = label(annotation(1, geometry=BOX))
    with pytest.raises(Refused, match="size_wh"):
        run(state, {"op": "rasterize"})
    [fact] = facts(state, {"op": "rasterize", "size_wh": [15, 30]})
    assert fact.geometry["rle"]["size"] == [30, 15] and rle.area(fact.geometry["rle"], max_pixels=10**6) == 50
    for wrong in ([30, 40], [0, 4], [65_536, 1], [65_535, 65_535], [4], [4.0, 4], None, "4x4", [True, 4]):
        with pytest.raises(InvalidValue) as caught:
            run(state, {"op": "rasterize", "size_wh": wrong}, **IMAGE)
        assert caught.value.field == "edits[0].size_wh"
    assert facts(state, {"op": "rasterize", "size_wh": [40, 30]}, **IMAGE)


def test_in_a_label_with_a_bitmap_the_pixels_are_put_there_below_what_lies_higher():
    state, pixels, base = painted()
    low = {"type": "bbox", "points": [[0, 0], [3, 1]]}
    high = {"type": "bbox", "points": [[1, 0], [2, 2]]}
    state.annotations[key(3)] = annotation(3, geometry=low, order=1.5, attributes={"a": 1})
    state.annotations[key(4)] = annotation(4, geometry=high, order=9.0)
    outcome = run(state, {"op": "rasterize"}, has_mask=True, pixels=pixels)
    patch, *rasterized = outcome.facts
    # GROUND is 1 1 0 / 2 2 0; object 3 lies over 1 and under 2, object 4 over all of them.
    assert pixels.read(patch.mask).tolist() == [[3, 4, 3], [2, 4, 0]]
    assert patch.base_hash == base and [item["id"] for item in patch.changed] == [1, 2, 3, 4]
    assert [(fact.annotation, fact.geometry) for fact in rasterized] == [
        (key(3), {"type": "mask"}), (key(4), {"type": "mask"}),
    ]  # fmt: skip
    assert [item["why"] for item in outcome.results[0]["skipped"]] == ["mask", "mask"]


def test_in_a_label_with_a_bitmap_an_object_without_a_colour_is_skipped():
    state = label(annotation(1, geometry=BOX) | {"id": 2**24})
    outcome = run(state, {"op": "rasterize"}, has_mask=True, **IMAGE)
    assert outcome.facts == [] and outcome.results[0]["skipped"][0]["why"] == "id"
    [patch, _] = facts(label(annotation(1, geometry=BOX)), {"op": "rasterize"}, has_mask=True, **IMAGE)
    assert (patch.mask["width"], patch.mask["height"], patch.base_hash) == (40, 30, None)


# --- polygonize ----------------------------------------------------------------------------------------------------

masks = hnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@given(masks)
def test_the_exact_polygons_of_a_bitmap_rasterize_to_the_same_bitmap(mask):
    """Always: whatever islands, holes and corners that touch; through the edits, and back to the same hash."""
    runs = rle.encode(mask)
    state = label(annotation(1, geometry={"type": "bitmap", "rle": runs}))
    edits = [{"op": "polygonize", "annotation": 1}, {"op": "rasterize", "size_wh": [mask.shape[1], mask.shape[0]]}]
    if not mask.any():
        with pytest.raises(Refused, match="no pixels"):
            run(state, *edits)
        return
    outcome = run(state, *edits)
    assert hash_of(after(state, *outcome.facts)) == rle.hash_of_runs(runs)
    assert outcome.results[0]["iou"] == 1 and outcome.results[0]["vertices"] >= 4
    assert outcome.facts[0].tolerance_px == 0


def test_simplified_polygons_have_fewer_vertices_and_tell_their_overlap():
    y, x = np.mgrid[:100, :100]
    runs = rle.encode((x - 50) ** 2 + (y - 50) ** 2 < 40**2)
    state = label(annotation(1, geometry={"type": "bitmap", "rle": runs}, attributes={"a": 1}))
    exact = run(state, {"op": "polygonize", "annotation": 1}).results[0]
    rough = run(state, {"op": "polygonize", "annotation": 1, "tolerance_px": 1.5})
    assert rough.results[0]["vertices"] < exact["vertices"] / 2
    assert 0.98 < rough.results[0]["iou"] < 1
    found = after(state, *rough.facts).annotations[key(1)]
    assert found["geometry"]["type"] == "polygon" and found["attributes"] == {"a": 1}


def test_an_object_of_the_labels_bitmap_takes_its_pixels_along():
    state, pixels, base = painted()
    outcome = run(state, {"op": "polygonize", "annotation": 2}, has_mask=True, pixels=pixels)
    polygon, patch = outcome.facts
    assert polygon.geometry == {"type": "polygon", "parts": [[[[0, 1], [2, 1], [2, 2], [0, 2]]]]}
    assert pixels.read(patch.mask).tolist() == [[1, 1, 0], [0, 0, 0]] and patch.base_hash == base
    back = run(after(state, *outcome.facts), {"op": "rasterize"}, has_mask=True, pixels=pixels)
    assert back.facts[0].mask["hash"] == base


@pytest.mark.parametrize("tolerance", [-1, 1001, "1", None, True, [1]])
def test_a_tolerance_is_a_number_of_pixels(tolerance):
    with pytest.raises(InvalidValue) as caught:
        run(drawn("x"), {"op": "polygonize", "annotation": 1, "tolerance_px": tolerance})
    assert caught.value.field == "edits[0].tolerance_px"


def test_what_would_have_too_many_vertices_is_refused_before_it_takes_long():
    speckle = np.indices((600, 1200)).sum(axis=0) % 2 == 0
    state = label(annotation(1, geometry={"type": "bitmap", "rle": rle.encode(speckle, compressed=True)}))
    with pytest.raises(Refused, match="200000 vertices"):
        run(state, {"op": "polygonize", "annotation": 1})


# --- paint and erase -----------------------------------------------------------------------------------------------


def test_a_stroke_tells_the_pixels_that_it_really_changed():
    state = drawn("xx..", "....")
    edit = {"op": "paint_bitmap", "annotation": 1, "base_hash": hash_of(state), "rle": runs_of(".xx.", "....")}
    outcome = run(state, edit)
    [fact] = outcome.facts
    found = after(state, fact)
    assert rows_of(found) == ["xxx.", "...."]
    assert (fact.base_hash, fact.hash) == (hash_of(state), hash_of(found)) and fact.erased is None
    assert rle.area(fact.drawn, max_pixels=100) == 1
    assert outcome.results[0]["bitmap_hash"] == hash_of(found)
    [fact] = facts(found, edit | {"op": "erase_bitmap", "base_hash": hash_of(found)})
    assert rows_of(after(found, fact)) == ["x...", "...."] and fact.drawn is None


def test_any_number_of_islands_is_one_object():
    state = drawn("x....", ".....", "....x")
    [fact] = facts(
        state,
        {"op": "paint_bitmap", "annotation": 1, "base_hash": hash_of(state), "rle": runs_of("..x..", "x....", ".....")},
    )
    found = after(state, fact)
    assert rows_of(found) == ["x.x..", "x....", "....x"] and len(found.annotations) == 2


@given(st.integers(1, 9).flatmap(lambda h: st.tuples(*[hnp.arrays(bool, (h, 7))] * 2)))
def test_drawing_and_then_erasing_a_stroke_restores_the_hash(both):
    mask, stroke = both
    stroke &= ~mask
    state = label(annotation(1, geometry={"type": "bitmap", "rle": rle.encode(mask)}))
    first = hash_of(state)
    edit = {"annotation": 1, "rle": rle.encode(stroke)}
    drawn_on = run(state, edit | {"op": "paint_bitmap", "base_hash": first})
    middle = drawn_on.results[0]["bitmap_hash"]
    found = after(state, *drawn_on.facts)
    outcome = run(found, edit | {"op": "erase_bitmap", "base_hash": middle})
    assert outcome.results[0]["bitmap_hash"] == hash_of(after(found, *outcome.facts)) == first
    assert (middle == first) == (not stroke.any()) == (not drawn_on.facts)


def test_an_erased_bitmap_has_no_pixels_and_is_still_there():
    state = drawn("xx")
    outcome = run(state, {"op": "erase_bitmap", "annotation": 1, "base_hash": hash_of(state), "rle": runs_of("xx")})
    assert rows_of(after(state, *outcome.facts)) == [".."]


def test_an_object_of_the_labels_bitmap_is_painted_there():
    state, pixels, base = painted()
    edit = {"annotation": 1, "base_hash": base, "rle": runs_of("..x", "x..")}
    [patch] = facts(state, edit | {"op": "paint_bitmap"}, has_mask=True, pixels=pixels)
    assert pixels.read(patch.mask).tolist() == [[1, 1, 1], [1, 2, 0]]
    found = after(state, patch)
    edit["base_hash"] = patch.mask["hash"]
    outcome = run(found, edit | {"op": "erase_bitmap"}, has_mask=True, pixels=pixels)
    assert pixels.read(outcome.facts[0].mask).tolist() == [[1, 1, 0], [0, 2, 0]]
    assert outcome.results[0]["bitmap_hash"] == outcome.facts[0].mask["hash"]


def test_the_first_stroke_of_a_label_makes_its_bitmap():
    state = label(annotation(1, geometry={"type": "mask"}))
    edit = {"op": "paint_bitmap", "annotation": 1, "base_hash": None, "rle": runs_of(".x")}
    [patch] = facts(state, edit, has_mask=True)
    assert patch.mask["width"] == 2 and patch.base_hash is None


@pytest.mark.parametrize("op", ["paint_bitmap", "erase_bitmap", "fill_bitmap"])
@pytest.mark.parametrize("base", ["0" * 64, None, 5, ""])
def test_what_was_made_against_another_bitmap_is_stale(op, base):
    where = {"x": 0, "y": 0} if op == "fill_bitmap" else {"rle": runs_of("xx")}
    with pytest.raises(StaleBitmap):
        run(drawn("x."), {"op": op, "annotation": 1, "base_hash": base} | where)
    state, pixels, _ = painted()
    with pytest.raises(StaleBitmap):
        run(state, {"op": op, "annotation": 1, "base_hash": base} | where, has_mask=True, pixels=pixels)


@pytest.mark.parametrize(
    "edit, field",
    [
        ({"annotation": 2}, "annotation"),
        ({"rle": None}, "rle"),
        ({"rle": {"size": [1, 2], "counts": [3]}}, "rle"),
        ({"rle": {"size": [1, 2], "counts": "\x00"}}, "rle"),
        ({"rle": {"size": [2**31, 2**31], "counts": [2**62]}}, "rle"),
        ({"rle": {"size": [2, 1], "counts": [2]}}, "rle.size"),
    ],
)
def test_a_stroke_that_does_not_fit_is_refused_by_its_field(edit, field):
    state = drawn("x.")
    good = {"op": "paint_bitmap", "annotation": 1, "base_hash": hash_of(state), "rle": runs_of(".x")}
    with pytest.raises(InvalidValue) as caught:
        run(state, good | edit)
    assert caught.value.field == f"edits[0].{field}"
    with pytest.raises(InvalidValue) as caught:
        run(state, {name: value for name, value in good.items() if name != "base_hash"})
    assert caught.value.field == "edits[0].base_hash"


# --- fill ----------------------------------------------------------------------------------------------------------

RING = (".....", ".xxx.", ".x.x.", ".xxx.", ".....")


def test_a_closed_ring_fills_inside_only():
    state = drawn(*RING)
    outcome = run(state, {"op": "fill_bitmap", "annotation": 1, "base_hash": hash_of(state), "x": 2, "y": 2})
    assert rows_of(after(state, *outcome.facts)) == [".....", ".xxx.", ".xxx.", ".xxx.", "....."]
    assert outcome.results[0]["closed"] is True


def test_an_area_that_is_not_closed_is_told_and_filled_only_when_that_is_confirmed():
    state = drawn(*RING)
    edit = {"op": "fill_bitmap", "annotation": 1, "base_hash": hash_of(state), "x": 0, "y": 0}
    with pytest.raises(AreaOpen) as caught:
        run(state, edit)
    assert caught.value.field == "edits[0].confirm"
    outcome = run(state, edit | {"confirm": True})
    assert rows_of(after(state, *outcome.facts)) == ["xxxxx", "xxxxx", "xx.xx", "xxxxx", "xxxxx"]
    assert outcome.results[0]["closed"] is False


def test_a_gap_over_a_corner_holds_the_fill():
    """Neighbours have a common side: a wall of pixels that touch by their corners is closed."""
    state = drawn(".....", "..x..", ".x.x.", "..x..", ".....")
    outcome = run(state, {"op": "fill_bitmap", "annotation": 1, "base_hash": hash_of(state), "x": 2, "y": 2})
    assert rows_of(after(state, *outcome.facts))[2] == ".xxx."


def test_a_fill_from_a_pixel_of_the_object_changes_nothing():
    state = drawn(*RING)
    outcome = run(state, {"op": "fill_bitmap", "annotation": 1, "base_hash": hash_of(state), "x": 1, "y": 1})
    assert outcome.facts == []


@pytest.mark.parametrize("field, value", [("x", 5), ("y", -1), ("x", None), ("y", 1.0), ("x", True), ("confirm", 1)])
def test_a_fill_names_a_pixel_of_the_bitmap(field, value):
    state = drawn(*RING)
    edit = {"op": "fill_bitmap", "annotation": 1, "base_hash": hash_of(state), "x": 2, "y": 2}
    with pytest.raises(InvalidValue) as caught:
        run(state, edit | {field: value})
    assert caught.value.field == f"edits[0].{field}"


def test_a_fill_in_the_labels_bitmap_is_bounded_by_the_object():
    ids = np.array([[1, 1, 1], [1, 2, 1], [1, 1, 1]], np.uint32)
    pixels = Memory(ids)
    mask = pixels.keep(ids)
    state = label(*(annotation(n, geometry={"type": "mask"}) for n in (1, 2)), mask=mask)
    edit = {"op": "fill_bitmap", "annotation": 1, "base_hash": bitmaps.mask_hash(ids), "x": 1, "y": 1}
    [patch] = facts(state, edit, has_mask=True, pixels=pixels)
    assert pixels.read(patch.mask).tolist() == [[1, 1, 1]] * 3
