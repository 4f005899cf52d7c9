"""What a list of edits is refused for, by the field that does not fit; and that anything at all is done or refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.errors import AnnotationNotFound, InvalidValue, PalimpsestError, Refused
from labeling.log.values import MAX_INTEGER, BadValue
from labeling.rules.edits.editor import MOST_EDITS
from labeling.rules.edits.operations import OPERATIONS, AnnotationEditor
from labeling.rules.label_state import LabelState
from tests.support.editing import ALONE, POLYLINE, TWO, Memory, painted, part, run
from tests.support.labels import BEN, BOX, KEYPOINTS, ORIENTATION, after, annotation, key, label

JSON = dict[str, Any]

# --- refusals ------------------------------------------------------------------------------------------------------

REFUSED: list[tuple[LabelState, Any, str]] = [
    (TWO, None, ""),
    (TWO, "remove", ""),
    (TWO, [], ""),
    (TWO, {}, ".op"),
    (TWO, {"op": None}, ".op"),
    (TWO, {"op": ["remove"]}, ".op"),
    (TWO, {"op": "burn"}, ".op"),
    (TWO, {"op": "remove", "annotation": 1, "why": "x"}, ".why"),
    (TWO, {"op": "remove", "annotation": 1, "<script>": "x"}, ".?"),
    (TWO, {"op": "remove"}, ".annotation"),
    (TWO, {"op": "remove", "annotation": None}, ".annotation"),
    (TWO, {"op": "remove", "annotation": True}, ".annotation"),
    (TWO, {"op": "remove", "annotation": 1.0}, ".annotation"),
    (TWO, {"op": "remove", "annotation": [1]}, ".annotation"),
    (TWO, {"op": "remove", "annotation": 9}, ".annotation"),
    (TWO, {"op": "remove", "annotation": -(2**53) + 1}, ".annotation"),
    (TWO, {"op": "remove", "annotation": "x"}, ".annotation"),
    (TWO, {"op": "remove", "annotation": ""}, ".annotation"),
    (TWO, {"op": "remove", "annotation": key(9)}, ".annotation"),
    # add
    (TWO, {"op": "add"}, ".geometry"),
    (TWO, {"op": "add", "geometry": None}, ".geometry"),
    (TWO, {"op": "add", "geometry": {"type": "mask"}}, ".geometry.type"),
    (TWO, {"op": "add", "geometry": {"type": "blob"}}, ".geometry.type"),
    (TWO, {"op": "add", "geometry": {"type": "bbox", "points": [[5, 5], [1, 1]]}}, ".geometry.points"),
    (TWO, {"op": "add", "type": "circle", "points": []}, ".geometry"),
    (TWO, {"op": "add", "type": "bbox"}, ".points"),
    (TWO, {"op": "add", "type": "bbox", "points": [[1, 1], [1, None]]}, ".points[1]"),
    (TWO, {"op": "add", "type": "polygon", "points": [[0, 0], [1, 1]]}, ".points.parts[0][0]"),
    (TWO, {"op": "add", "geometry": BOX, "id": "3"}, ".id"),
    (TWO, {"op": "add", "geometry": BOX, "id": 2}, ".id"),
    (TWO, {"op": "add", "geometry": BOX, "id": 3.0}, ".id"),
    (label(last_id=MAX_INTEGER), {"op": "add", "geometry": BOX}, ".id"),
    (TWO, {"op": "add", "geometry": BOX, "uuid": "x"}, ".uuid"),
    (TWO, {"op": "add", "geometry": BOX, "uuid": 5}, ".uuid"),
    (TWO, {"op": "add", "geometry": BOX, "uuid": key(1).upper()}, ".uuid"),
    (TWO, {"op": "add", "geometry": BOX, "category_id": "1"}, ".category_id"),
    (TWO, {"op": "add", "geometry": BOX, "category_id": True}, ".category_id"),
    (TWO, {"op": "add", "geometry": BOX, "attributes": []}, ".attributes"),
    (TWO, {"op": "add", "geometry": BOX, "attributes": {"a": {"b": 1}}}, ".attributes.a"),
    (TWO, {"op": "add", "geometry": BOX, "attributes": {"a": ["b", 1]}}, ".attributes.a[1]"),
    (TWO, {"op": "add", "geometry": BOX, "score": "1"}, ".score"),
    (TWO, {"op": "add", "geometry": BOX, "score": False}, ".score"),
    (TWO, {"op": "add", "geometry": BOX, "origin": []}, ".origin"),
    (TWO, {"op": "add", "geometry": BOX, "keypoints": {}}, ".keypoints"),
    (TWO, {"op": "add", "geometry": POLYLINE, "keypoints": KEYPOINTS}, ".keypoints"),
    (TWO, {"op": "add", "geometry": POLYLINE, "orientation": ORIENTATION}, ".orientation"),
    (TWO, {"op": "add", "geometry": BOX, "orientation": {"yaw_deg": 1}}, ".orientation.roll_deg"),
    (TWO, {"op": "add", "geometry": {"type": "orientation"}}, ".orientation"),
    (TWO, {"op": "add", "geometry": BOX, "order": 1}, ".order"),
    # the others
    (TWO, {"op": "set_geometry", "annotation": 1}, ".geometry"),
    (TWO, {"op": "set_geometry", "annotation": 1, "geometry": {"type": "mask"}}, ".geometry.type"),
    (TWO, {"op": "set_geometry", "annotation": 1, "geometry": {"type": "orientation"}}, ".geometry.type"),
    (TWO, {"op": "set_category", "annotation": 1}, ".category_id"),
    (TWO, {"op": "set_category", "annotation": 1, "category_id": 1.5}, ".category_id"),
    (TWO, {"op": "set_attributes", "annotation": 1}, ".attributes"),
    (TWO, {"op": "set_attributes", "annotation": 1, "attributes": None}, ".attributes"),
    (TWO, {"op": "set_attributes", "annotation": 1, "attributes": {"a": {}}}, ".attributes.a"),
    (TWO, {"op": "set_attributes", "annotation": 1, "attributes": {"a": [None]}}, ".attributes.a[0]"),
    (TWO, {"op": "clear_attributes", "annotation": 1, "names": "a"}, ".names"),
    (TWO, {"op": "clear_attributes", "annotation": 1, "names": None}, ".names"),
    (TWO, {"op": "clear_attributes", "annotation": 1, "names": ["a", 1]}, ".names[1]"),
    (TWO, {"op": "set_keypoints", "annotation": 1}, ".keypoints"),
    (TWO, {"op": "set_keypoints", "annotation": 2, "keypoints": KEYPOINTS}, ".keypoints"),
    (TWO, {"op": "set_keypoints", "annotation": 1, "keypoints": [KEYPOINTS[0], KEYPOINTS[0]]}, ".keypoints[1].name"),
    (TWO, {"op": "set_orientation", "annotation": 1, "orientation": None}, ".orientation"),
    (TWO, {"op": "set_orientation", "annotation": 2, "orientation": ORIENTATION}, ".orientation"),
    (TWO, {"op": "set_order", "annotation": 1}, ".to"),
    (TWO, {"op": "set_order", "annotation": 1, "to": "top"}, ".to"),
    (TWO, {"op": "set_order", "annotation": 1, "to": True}, ".to"),
    (TWO, {"op": "set_order", "annotation": 1, "to": 2e9}, ".to"),
    (TWO, {"op": "set_order", "annotation": 1, "to": -1e308}, ".to"),
    (TWO, {"op": "set_score"}, ".score"),
    (TWO, {"op": "set_score", "score": "1"}, ".score"),
    (TWO, {"op": "set_score", "annotation": 1, "score": True}, ".score"),
    (TWO, {"op": "set_score", "annotation": None, "score": 1}, ".annotation"),
    (TWO, {"op": "add_link", "annotation": 1}, ".to"),
    (TWO, {"op": "add_link", "annotation": 1, "to": 1}, ".to"),
    (TWO, {"op": "add_link", "annotation": 1, "to": 9}, ".to"),
    (TWO, {"op": "add_link", "annotation": 1, "to": 2, "attributes": None}, ".attributes"),
    (TWO, {"op": "add_link", "annotation": 1, "to": 2, "attributes": {"a": {}}}, ".attributes.a"),
    (TWO, {"op": "remove_link", "annotation": 1, "to": key(9)}, ".to"),
    (TWO, {"op": "assign_classification"}, ".category_id"),
    (TWO, {"op": "assign_classification", "category_id": None}, ".category_id"),
    (TWO, {"op": "remove_classification", "category_id": "1"}, ".category_id"),
    (TWO, {"op": "set_default_classification", "category_id": 1}, ".category_id"),
    (TWO, {"op": "set_status"}, ".verb"),
    (TWO, {"op": "set_status", "verb": "upload"}, ".verb"),
    (TWO, {"op": "set_status", "verb": ["submit"]}, ".verb"),
    (TWO, {"op": "set_status", "verb": "override"}, ".status"),
    (TWO, {"op": "set_status", "verb": "override", "status": "UNLABELED"}, ".status"),
    (TWO, {"op": "set_status", "verb": "override", "status": ["LABELED"]}, ".status"),
    (TWO, {"op": "set_scene_attributes"}, ".attributes"),
    (TWO, {"op": "set_scene_attributes", "attributes": {"image_attributes": 5}}, ".attributes.image_attributes"),
    (
        TWO,
        {"op": "set_scene_attributes", "attributes": {"image_attributes": {"a": {}}}},
        ".attributes.image_attributes.a",
    ),
    (TWO, {"op": "set_scene_attributes", "attributes": {"format_version": []}}, ".attributes.format_version"),
    (TWO, {"op": "set_scene_attributes", "attributes": []}, ".attributes"),
    (TWO, {"op": "set_scene_attributes", "attributes": {"annotations": []}}, ".attributes.annotations"),
    (TWO, {"op": "set_scene_attributes", "attributes": {"segmentation_bitmap": 1}}, ".attributes.segmentation_bitmap"),
]


@pytest.mark.parametrize("state, edit, where", REFUSED)
def test_an_edit_that_does_not_fit_is_refused_by_its_field(state, edit, where):
    with pytest.raises((InvalidValue, BadValue)) as caught:
        run(state, {"op": "set_score", "score": 0.125}, edit)
    said: Any = caught.value
    assert (said.field if isinstance(said, InvalidValue) else said.where) == f"edits[1]{where}"


@pytest.mark.parametrize("items", [None, {}, "remove", 5, []])
def test_edits_are_a_list_that_is_not_empty(items):
    with pytest.raises(InvalidValue) as caught:
        AnnotationEditor(TWO, author=BEN, has_mask=False, pixels=Memory()).run(items)
    assert caught.value.field == "edits"


def test_too_many_edits_at_once_are_refused():
    with pytest.raises(InvalidValue, match="several requests"):
        run(TWO, *[{"op": "set_score", "score": 1}] * (MOST_EDITS + 1))


@pytest.mark.parametrize(
    "state, edit",
    [
        (ALONE, {"op": "clear_orientation", "annotation": 1}),
        (label(annotation(1, geometry={"type": "mask"})), {"op": "set_geometry", "annotation": 1, "geometry": BOX}),
        (TWO, {"op": "patch_bitmap", "base_hash": None, "set": []}),
    ],
)
def test_what_the_label_does_not_allow_is_refused_in_words(state, edit):
    with pytest.raises(Refused, match=r"edits\[0\]: "):
        run(state, edit)


def test_an_unknown_annotation_is_told_from_another_bad_value():
    with pytest.raises(AnnotationNotFound):
        run(TWO, {"op": "remove", "annotation": 9})


# --- anything at all -----------------------------------------------------------------------------------------------

some_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 4),
    st.just(2**53 - 1),
    st.floats(-5, 5),
    st.sampled_from(["", "x", "front", key(1), "submit", "override", "LABELED"]),
    st.lists(st.integers(0, 3), max_size=3),
    st.sampled_from([{}, BOX, [[0, 0], [1, 1]], ORIENTATION, KEYPOINTS, [part(1, "xxx", "...")], {"a": 1}]),
)
every_field = sorted({name for _, names in OPERATIONS.values() for name in names} | {"annotation"})


@st.composite
def any_edit(draw: st.DrawFn) -> JSON:
    op = draw(st.sampled_from(sorted(OPERATIONS)))
    own = {name: draw(some_values) for name in OPERATIONS[op][1] if draw(st.integers(0, 3))}
    return {"op": op, "annotation": draw(st.sampled_from([1, 2, 3, key(1), key(2)]))} | own


@given(
    st.lists(any_edit() | st.dictionaries(st.sampled_from(every_field), some_values), min_size=1, max_size=6),
    st.booleans(),
)
def test_any_edits_are_done_or_refused_in_words(items, has_mask):
    state, pixels, _ = painted()
    try:
        outcome = run(state, *items, has_mask=has_mask, pixels=pixels)
    except (PalimpsestError, BadValue):
        return
    assert len(outcome.results) == len(items)
    folded = after(state, *outcome.facts)
    ids = [item["id"] for item in folded.annotations.values()]
    assert len(ids) == len(set(ids))
    for item in folded.annotations.values():
        assert all(link["to"] in folded.annotations for link in item.get("links", []))
    assert folded.default_classification is None or folded.default_classification in folded.classifications
