"""Edits of vertices, parts and holes: what becomes of an outline, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling import events as e
from labeling.errors import InvalidValue
from labeling.geometry.parts import parts_of
from labeling.geometry.rasterize import mask_of
from labeling.rules.label_state import LabelState
from tests.support.editing import facts, run
from tests.support.labels import HOLED, after, annotation, key, label

JSON = dict[str, Any]
SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10]]
LINE: JSON = {"type": "polyline", "parts": [[[0, 0], [5, 5], [10, 0]]]}


def polygon(*parts: Any) -> JSON:
    return {"type": "polygon", "parts": list(parts)}


def one(geometry: JSON, **fields: Any) -> LabelState:
    return label(annotation(1, geometry=geometry, **fields), annotation(2))


def shaped(state: LabelState, *edits: JSON) -> Any:
    """The geometry of the first object after edits of it."""
    found = after(state, *facts(state, *({"annotation": 1} | edit for edit in edits)))
    return found.annotations[key(1)]["geometry"]


def test_a_part_in_the_group_is_the_same_object():
    state = one(polygon([SQUARE]))
    far: list[list[float]] = [[20, 0], [30, 0], [30, 10], [20, 10]]
    outcome = run(state, {"op": "add_part", "annotation": 1, "points": far})
    assert outcome.facts == [e.AnnotationPartAdded(annotation=key(1), points=far)]
    assert outcome.results == [{"changed": True, "annotation": key(1), "id": 1, "part": 1}]
    assert mask_of(parts_of(shaped(state, {"op": "add_part", "points": far})), 40, 40).sum() == 200


def test_a_hole_is_not_part_of_the_object():
    state = one(polygon([SQUARE]))
    hole: list[list[float]] = [[3, 3], [7, 3], [7, 7], [3, 7]]
    outcome = run(state, {"op": "add_hole", "annotation": 1, "points": hole})
    assert outcome.facts == [e.AnnotationHoleAdded(annotation=key(1), part=0, points=hole)]
    assert outcome.results[0] | {"part": 0, "ring": 1} == outcome.results[0]
    assert mask_of(parts_of(shaped(state, {"op": "add_hole", "points": hole})), 20, 20).sum() == 84


def test_a_vertex_is_inserted_where_it_is_said():
    state = one(HOLED)
    edit = {"op": "insert_vertex", "annotation": 1, "part": 0, "ring": 1, "after": 2, "point": [1.5, 2.5]}
    outcome = run(state, edit)
    assert outcome.facts == [e.AnnotationVertexInserted(annotation=key(1), part=0, ring=1, after=2, point=[1.5, 2.5])]
    assert shaped(state, edit)["parts"][0][1] == [[1, 1], [2, 1], [2, 2], [1.5, 2.5]]


def test_a_vertex_without_a_place_is_put_on_the_nearest_border_and_told():
    """The area stays: SentiSight shows the projection of a click on the border."""
    state = one(polygon([SQUARE]))
    outcome = run(state, {"op": "insert_vertex", "annotation": 1, "point": [4, -0.5]})
    assert outcome.results[0] | {"part": 0, "ring": 0, "vertex": 1, "point": [4, 0]} == outcome.results[0]
    assert shaped(state, {"op": "insert_vertex", "point": [4, -0.5]})["parts"] == [
        [[[0, 0], [4, 0], [10, 0], [10, 10], [0, 10]]]
    ]


def test_a_vertex_moves_and_moving_it_to_where_it_is_changes_nothing():
    state = one(LINE)
    edit = {"op": "move_vertex", "annotation": 1, "vertex": 1, "point": [6, 6]}
    assert facts(state, edit) == [e.AnnotationVertexMoved(annotation=key(1), part=0, ring=0, vertex=1, point=[6, 6])]
    assert facts(state, edit | {"point": [5, 5]}) == []


def test_removing_a_point_of_a_polyline_joins_its_neighbours():
    state = one(LINE)
    assert shaped(state, {"op": "remove_vertex", "vertex": 1})["parts"] == [[[0, 0], [10, 0]]]


@pytest.mark.parametrize("geometry", [LINE | {"parts": [[[0, 0], [1, 1]]]}, polygon([[[0, 0], [1, 0], [1, 1]]])])
def test_below_the_minimum_a_removal_is_refused_unless_it_is_asked_for(geometry):
    state = label(annotation(1, geometry=geometry), annotation(2, links=[{"to": key(1), "attributes": {}}]))
    edit = {"op": "remove_vertex", "annotation": 1, "vertex": 1}
    with pytest.raises(InvalidValue, match="must leave at least") as caught:
        run(state, edit)
    assert caught.value.field == "edits[0].vertex"
    outcome = run(state, edit | {"or_remove": True})
    assert outcome.facts == [
        e.AnnotationLinkRemoved(annotation=key(2), to=key(1)),
        e.AnnotationRemoved(annotation=key(1)),
    ]
    assert outcome.results[0]["removed"] == "annotation"


def test_below_the_minimum_a_hole_or_a_part_goes_alone():
    state = one(HOLED)
    hole = {"op": "remove_vertex", "annotation": 1, "ring": 1, "vertex": 0, "or_remove": True}
    part = hole | {"part": 1, "ring": 0}
    outcome = run(state, hole, part)
    assert outcome.facts == [
        e.AnnotationRingRemoved(annotation=key(1), part=0, ring=1),
        e.AnnotationRingRemoved(annotation=key(1), part=1, ring=0),
    ]
    assert [result["removed"] for result in outcome.results] == ["hole", "part"]
    assert after(state, *outcome.facts).annotations[key(1)]["geometry"] == polygon([HOLED["parts"][0][0]])


def test_a_hole_is_filled_again_and_a_part_goes_with_its_holes():
    state = one(HOLED)
    assert shaped(state, {"op": "remove_ring", "ring": 1})["parts"] == [[HOLED["parts"][0][0]], HOLED["parts"][1]]
    assert shaped(state, {"op": "remove_ring", "part": 0})["parts"] == [HOLED["parts"][1]]
    with pytest.raises(InvalidValue, match="last one"):
        run(state, {"op": "remove_ring", "annotation": 1}, {"op": "remove_ring", "annotation": 1})
    last = run(one(LINE), {"op": "remove_ring", "annotation": 1, "or_remove": True})
    assert last.facts == [e.AnnotationRemoved(annotation=key(1))]


REFUSED: list[tuple[JSON, JSON, str]] = [
    (LINE, {"op": "add_hole", "points": SQUARE}, "annotation"),
    ({"type": "point", "points": [[1, 1]]}, {"op": "add_part", "points": SQUARE}, "annotation"),
    ({"type": "bbox", "points": [[1, 1], [2, 2]]}, {"op": "move_vertex", "vertex": 0, "point": [1, 1]}, "annotation"),
    (HOLED, {"op": "add_part"}, "points"),
    (HOLED, {"op": "add_part", "points": [[0, 0], [1, 1]]}, "points"),
    (HOLED, {"op": "add_part", "points": [[0, 0], [1, "1"], [2, 2]]}, "points[1]"),
    (HOLED, {"op": "add_hole", "part": 2, "points": SQUARE}, "part"),
    (HOLED, {"op": "add_hole", "part": -1, "points": SQUARE}, "part"),
    (HOLED, {"op": "add_hole", "part": True, "points": SQUARE}, "part"),
    (HOLED, {"op": "insert_vertex"}, "point"),
    (HOLED, {"op": "insert_vertex", "point": [1]}, "point"),
    (HOLED, {"op": "insert_vertex", "point": [1, True]}, "point"),
    (HOLED, {"op": "insert_vertex", "point": [1, 2], "part": 0}, "part"),
    (HOLED, {"op": "insert_vertex", "point": [1, 2], "ring": 0}, "ring"),
    (HOLED, {"op": "insert_vertex", "point": [1, 2], "after": None}, "after"),
    (HOLED, {"op": "insert_vertex", "point": [1, 2], "after": 3}, "after"),
    (HOLED, {"op": "insert_vertex", "point": [1, 2], "after": -1}, "after"),
    (HOLED, {"op": "move_vertex", "point": [1, 2]}, "vertex"),
    (HOLED, {"op": "move_vertex", "vertex": 3, "point": [1, 2]}, "vertex"),
    (HOLED, {"op": "move_vertex", "ring": 2, "vertex": 0, "point": [1, 2]}, "ring"),
    (HOLED, {"op": "remove_vertex", "vertex": 10**18}, "vertex"),
    (HOLED, {"op": "remove_vertex", "vertex": 7, "or_remove": True}, "vertex"),
    (HOLED, {"op": "remove_vertex", "vertex": 0, "or_remove": 1}, "or_remove"),
    (HOLED, {"op": "remove_ring", "part": 5, "or_remove": True}, "part"),
    (HOLED, {"op": "remove_ring", "or_remove": "yes"}, "or_remove"),
    (LINE, {"op": "remove_ring", "ring": 1}, "ring"),
]


@pytest.mark.parametrize("geometry, edit, field", REFUSED)
def test_what_does_not_fit_is_refused_by_its_field(geometry, edit, field):
    with pytest.raises(InvalidValue) as caught:
        run(one(geometry), {"annotation": 1} | edit)
    assert caught.value.field == f"edits[0].{field}"


@given(st.lists(st.integers(1, 9), min_size=2, max_size=7), st.data())
def test_raising_and_lowering_go_one_step_and_move_nothing_else(orders, data):
    """Also where several have the same number; then all may be numbered afresh, but none changes its place."""
    state = label(*(annotation(number, order=float(order)) for number, order in enumerate(orders, 1)))
    number = data.draw(st.integers(1, len(orders)))
    step = data.draw(st.sampled_from(["up", "down"]))
    before = [item["id"] for item in state.in_order()]
    found = after(state, *facts(state, {"op": "set_order", "annotation": number, "to": step}))
    at = before.index(number)
    wanted = [other for other in before if other != number]
    wanted.insert(max(0, at + (1 if step == "up" else -1)), number)
    assert [item["id"] for item in found.in_order()] == wanted
