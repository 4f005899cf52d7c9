"""Lists of edits: given a label, when edits, then facts; and which annotations have to be loaded for them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling import events as e
from labeling.log.event import Fact
from labeling.rules.edits.editor import MOST_EDITS
from labeling.rules.edits.mentions import references
from labeling.rules.edits.operations import OPERATIONS
from labeling.rules.label_state import LabelState
from tests.support.editing import ALONE, CLASSIFIED, FRONT, LINKED, POLYLINE, RICH, TWO, facts, run
from tests.support.labels import (
    BIG_BOX,
    BOX,
    HOLED,
    KEYPOINTS,
    ORIENTATION,
    after,
    annotation,
    key,
    label,
    no_label,
)

JSON = dict[str, Any]
EVERY_FORM = [
    BOX,
    HOLED,
    POLYLINE,
    {"type": "point", "points": [[5, 6]]},
    {"type": "skeleton", "points": KEYPOINTS},
    {"type": "rbox", "center": [10, 10], "size_wh": [4, 2], "angle_deg": 30},
    {"type": "ellipse", "center": [10, 10], "radii": [4, 2], "angle_deg": 30},
    {"type": "bitmap", "rle": {"size": [2, 3], "counts": [1, 2, 3]}},
]


# --- objects -------------------------------------------------------------------------------------------------------

FACTS: list[tuple[LabelState, JSON, list[Fact]]] = [
    # remove
    (TWO, {"op": "remove", "annotation": 1}, [e.AnnotationRemoved(annotation=key(1))]),
    (TWO, {"op": "remove", "annotation": key(1)}, [e.AnnotationRemoved(annotation=key(1))]),
    (TWO, {"op": "remove", "annotation": key(1).upper()}, [e.AnnotationRemoved(annotation=key(1))]),
    (
        TWO,
        {"op": "remove", "annotation": "{" + key(1).replace("-", "") + "}"},
        [e.AnnotationRemoved(annotation=key(1))],
    ),
    (
        LINKED,
        {"op": "remove", "annotation": 2},
        [e.AnnotationLinkRemoved(annotation=key(1), to=key(2)), e.AnnotationRemoved(annotation=key(2))],
    ),
    (LINKED, {"op": "remove", "annotation": 1}, [e.AnnotationRemoved(annotation=key(1))]),
    # set_geometry
    (
        TWO,
        {"op": "set_geometry", "annotation": 1, "geometry": BIG_BOX},
        [e.AnnotationGeometrySet(annotation=key(1), geometry=BIG_BOX)],
    ),
    (
        TWO,
        {"op": "set_geometry", "annotation": 1, "type": "polygon", "points": [[0, 0], [1, 0], [1, 1]]},
        [
            e.AnnotationGeometrySet(
                annotation=key(1), geometry={"type": "polygon", "parts": [[[[0, 0], [1, 0], [1, 1]]]]}
            )
        ],
    ),
    (TWO, {"op": "set_geometry", "annotation": 1, "geometry": BOX}, []),
    (TWO, {"op": "set_geometry", "annotation": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}, []),
    # set_category
    (
        TWO,
        {"op": "set_category", "annotation": 1, "category_id": 9},
        [e.AnnotationCategorySet(annotation=key(1), category_id=9)],
    ),
    (
        TWO,
        {"op": "set_category", "annotation": 1, "category_id": None},
        [e.AnnotationCategorySet(annotation=key(1), category_id=None)],
    ),
    (TWO, {"op": "set_category", "annotation": 1, "category_id": 1}, []),
    # attributes
    (
        RICH,
        {"op": "set_attributes", "annotation": 1, "attributes": {"b": 3, "c": None}},
        [e.AnnotationAttributesSet(annotation=key(1), attributes={"b": 3, "c": None})],
    ),
    (RICH, {"op": "set_attributes", "annotation": 1, "attributes": {"b": 2.0}}, []),
    (
        RICH,
        {"op": "set_attributes", "annotation": 1, "attributes": {"a": True}},
        [e.AnnotationAttributesSet(annotation=key(1), attributes={"a": True})],
    ),
    (RICH, {"op": "set_attributes", "annotation": 1, "attributes": {}}, []),
    (
        TWO,
        {"op": "set_attributes", "annotation": 1, "attributes": {}},
        [e.AnnotationAttributesSet(annotation=key(1), attributes={})],
    ),
    (
        RICH,
        {"op": "clear_attributes", "annotation": 1, "names": ["a", "z", "a"]},
        [e.AnnotationAttributesCleared(annotation=key(1), names=["a"])],
    ),
    (RICH, {"op": "clear_attributes", "annotation": 1, "names": []}, []),
    (
        RICH,
        {"op": "clear_attributes", "annotation": 1},
        [e.AnnotationAttributesCleared(annotation=key(1), names=["a", "b"], all=True)],
    ),
    (TWO, {"op": "clear_attributes", "annotation": 1}, []),
    (TWO, {"op": "clear_attributes", "annotation": 1, "names": ["a"]}, []),
    # keypoints
    (
        TWO,
        {"op": "set_keypoints", "annotation": 1, "keypoints": KEYPOINTS},
        [e.AnnotationKeypointsSet(annotation=key(1), keypoints=KEYPOINTS)],
    ),
    (RICH, {"op": "set_keypoints", "annotation": 1, "keypoints": KEYPOINTS}, []),
    (RICH, {"op": "clear_keypoints", "annotation": 1}, [e.AnnotationKeypointsCleared(annotation=key(1))]),
    (TWO, {"op": "clear_keypoints", "annotation": 1}, []),
    # orientation
    (
        TWO,
        {"op": "set_orientation", "annotation": 1, "orientation": ORIENTATION},
        [e.AnnotationOrientationSet(annotation=key(1), orientation=ORIENTATION)],
    ),
    (
        ALONE,
        {"op": "set_orientation", "annotation": 1, "orientation": ORIENTATION | {"yaw_deg": 9}},
        [e.AnnotationOrientationSet(annotation=key(1), orientation=ORIENTATION | {"yaw_deg": 9})],
    ),
    (RICH, {"op": "set_orientation", "annotation": 1, "orientation": ORIENTATION}, []),
    (RICH, {"op": "clear_orientation", "annotation": 1}, [e.AnnotationOrientationCleared(annotation=key(1))]),
    (TWO, {"op": "clear_orientation", "annotation": 1}, []),
    # order
    (
        FRONT,
        {"op": "set_order", "annotation": 1, "to": "front"},
        [e.AnnotationOrderChanged(annotation=key(1), order=6.0)],
    ),
    (FRONT, {"op": "set_order", "annotation": 3, "to": "front"}, []),
    (
        FRONT,
        {"op": "set_order", "annotation": 3, "to": "back"},
        [e.AnnotationOrderChanged(annotation=key(3), order=0.0)],
    ),
    (FRONT, {"op": "set_order", "annotation": 1, "to": "back"}, []),
    (FRONT, {"op": "set_order", "annotation": 1, "to": 3}, [e.AnnotationOrderChanged(annotation=key(1), order=3.0)]),
    (
        FRONT,
        {"op": "set_order", "annotation": 1, "to": -1e9},
        [e.AnnotationOrderChanged(annotation=key(1), order=-1e9)],
    ),
    (FRONT, {"op": "set_order", "annotation": 1, "to": 1}, []),
    (
        FRONT,
        {"op": "set_order", "annotation": 1, "to": "up"},
        [e.AnnotationOrderChanged(annotation=key(1), order=3.5)],
    ),
    (
        FRONT,
        {"op": "set_order", "annotation": 2, "to": "up"},
        [e.AnnotationOrderChanged(annotation=key(2), order=6.0)],
    ),
    (FRONT, {"op": "set_order", "annotation": 3, "to": "up"}, []),
    (
        FRONT,
        {"op": "set_order", "annotation": 3, "to": "down"},
        [e.AnnotationOrderChanged(annotation=key(3), order=1.5)],
    ),
    (FRONT, {"op": "set_order", "annotation": 1, "to": "down"}, []),
    (label(annotation(1)), {"op": "set_order", "annotation": 1, "to": "front"}, []),
    (label(annotation(1)), {"op": "set_order", "annotation": 1, "to": "back"}, []),
    # score
    (TWO, {"op": "set_score", "annotation": 1, "score": 0}, [e.AnnotationScoreSet(annotation=key(1), score=0)]),
    (RICH, {"op": "set_score", "annotation": 1, "score": None}, [e.AnnotationScoreSet(annotation=key(1), score=None)]),
    (RICH, {"op": "set_score", "annotation": 1, "score": 0.5}, []),
    (TWO, {"op": "set_score", "score": 0.25}, [e.LabelScoreSet(score=0.25)]),
    (label(score=1.0), {"op": "set_score", "score": None}, [e.LabelScoreSet(score=None)]),
    (label(score=1.0), {"op": "set_score", "score": 1}, []),
    # links
    (TWO, {"op": "add_link", "annotation": 1, "to": 2}, [e.AnnotationLinkAdded(annotation=key(1), to=key(2))]),
    (
        LINKED,
        {"op": "add_link", "annotation": 1, "to": key(2), "attributes": {"k": 2}},
        [e.AnnotationLinkAdded(annotation=key(1), to=key(2), attributes={"k": 2})],
    ),
    (LINKED, {"op": "add_link", "annotation": 1, "to": 2, "attributes": {"k": 1}}, []),
    (LINKED, {"op": "remove_link", "annotation": 1, "to": 2}, [e.AnnotationLinkRemoved(annotation=key(1), to=key(2))]),
    (LINKED, {"op": "remove_link", "annotation": 2, "to": 1}, []),
    # classifications
    (
        label(),
        {"op": "assign_classification", "category_id": 3},
        [e.ClassificationAssigned(category_id=3), e.DefaultClassificationSet(category_id=3)],
    ),
    (CLASSIFIED, {"op": "assign_classification", "category_id": 3}, [e.ClassificationAssigned(category_id=3)]),
    (CLASSIFIED, {"op": "assign_classification", "category_id": 2}, [e.DefaultClassificationSet(category_id=2)]),
    (CLASSIFIED, {"op": "assign_classification", "category_id": 1}, []),
    (
        CLASSIFIED,
        {"op": "remove_classification", "category_id": 1},
        [e.ClassificationRemoved(category_id=1), e.DefaultClassificationSet(category_id=2)],
    ),
    (CLASSIFIED, {"op": "remove_classification", "category_id": 2}, [e.ClassificationRemoved(category_id=2)]),
    (CLASSIFIED, {"op": "remove_classification", "category_id": 3}, []),
    (
        label(classifications=[1], default_classification=1),
        {"op": "remove_classification", "category_id": 1},
        [e.ClassificationRemoved(category_id=1), e.DefaultClassificationSet(category_id=None)],
    ),
    (CLASSIFIED, {"op": "set_default_classification", "category_id": 2}, [e.DefaultClassificationSet(category_id=2)]),
    (CLASSIFIED, {"op": "set_default_classification", "category_id": 1}, []),
    # status
    (
        label(),
        {"op": "set_status", "verb": "submit"},
        [e.LabelStatusChanged(before="LABELING_IN_PROGRESS", after="LABELED", verb="submit")],
    ),
    (
        label(status="LABELED"),
        {"op": "set_status", "verb": "accept"},
        [e.LabelStatusChanged(before="LABELED", after="REVIEWED", verb="accept")],
    ),
    (
        label(status="REVIEWED"),
        {"op": "set_status", "verb": "override", "status": "PRELABELED"},
        [e.LabelStatusChanged(before="REVIEWED", after="PRELABELED", verb="override")],
    ),
    (
        no_label(),
        {"op": "set_status", "verb": "skip"},
        [e.LabelStatusChanged(before=None, after="SKIPPED", verb="skip")],
    ),
    (label(status="LABELED"), {"op": "set_status", "verb": "submit"}, []),
    # the whole image
    (
        label(scene={"a": 1, "b": 2}),
        {"op": "set_scene_attributes", "attributes": {"a": 1.0, "b": None, "c": None, "d": {"e": 1}}},
        [e.SceneAttributesSet(scene={"b": None, "d": {"e": 1}})],
    ),
    (label(scene={"a": 1}), {"op": "set_scene_attributes", "attributes": {"a": 1, "z": None}}, []),
]


@pytest.mark.parametrize(
    "state, edit, wanted", FACTS, ids=lambda value: value.get("op") if isinstance(value, dict) else ""
)
def test_an_edit_becomes_the_facts_of_what_it_changes(state, edit, wanted):
    outcome = run(state, edit)
    assert outcome.facts == wanted
    assert outcome.results[0]["changed"] == bool(wanted)
    if edit.get("annotation"):
        assert outcome.results[0]["annotation"] == key(outcome.results[0]["id"])


#: In test_edits_bitmaps, test_edits_vertices, test_edits_rasters and test_edits_placement.
ELSEWHERE = {
    "patch_bitmap", "insert_vertex", "move_vertex", "remove_vertex", "add_part", "add_hole", "remove_ring",
    "rasterize", "polygonize", "paint_bitmap", "erase_bitmap", "fill_bitmap", "fit_to_image",
}  # fmt: skip


def test_every_operation_is_in_the_table_or_has_a_test_of_its_own():
    assert {edit["op"] for _, edit, _ in FACTS} | {"add"} | ELSEWHERE == set(OPERATIONS)


@pytest.mark.parametrize(
    "state, edit, wanted", FACTS, ids=lambda value: value.get("op") if isinstance(value, dict) else ""
)
def test_the_same_edit_again_changes_nothing_and_the_state_is_left_alone(state, edit, wanted):
    held, version = dict(state.annotations), state.version
    if (
        edit["op"] not in ("remove", "remove_link")
        and edit.get("to") not in ("up", "down")
        and edit != {"op": "assign_classification", "category_id": 3}
    ):
        again = facts(after(state, *wanted), edit)
        assert again == []
    run(state, edit)
    assert (state.annotations, state.version) == (held, version)


@pytest.mark.parametrize(
    "rest, wanted",
    [
        ({"category_id": 2, "geometry": BOX}, {"category_id": 2, "geometry": BOX}),
        ({"geometry": BOX}, {"category_id": None, "geometry": BOX}),
        ({"type": "bbox", "points": [[1, 2], [3, 4]]}, {"category_id": None, "geometry": BOX}),
        (
            {
                "category_id": None, "geometry": BOX, "attributes": {"a": ["x"]}, "keypoints": KEYPOINTS,
                "orientation": ORIENTATION, "score": 1, "origin": {"kind": "tool"},
            },
            {
                "category_id": None, "geometry": BOX, "attributes": {"a": ["x"]}, "keypoints": KEYPOINTS,
                "orientation": ORIENTATION, "score": 1, "origin": {"kind": "tool"},
            },
        ),
        (
            {"geometry": BOX} | dict.fromkeys(("attributes", "keypoints", "orientation", "score", "origin")),
            {"category_id": None, "geometry": BOX},
        ),
        (
            {"geometry": {"type": "orientation"}, "orientation": ORIENTATION},
            {"category_id": None, "geometry": {"type": "orientation"}, "orientation": ORIENTATION},
        ),
    ],
)  # fmt: skip
def test_an_added_object_has_just_what_was_said(rest, wanted):
    outcome = run(TWO, {"op": "add"} | rest)
    (fact,) = outcome.facts
    assert isinstance(fact, e.AnnotationAdded)
    assert uuid.UUID(fact.annotation).version == 4
    assert fact == e.AnnotationAdded(annotation=fact.annotation, id=3, order=3.0, **wanted)
    assert outcome.results == [{"changed": True, "annotation": fact.annotation, "id": 3}]


@pytest.mark.parametrize("geometry", EVERY_FORM, ids=lambda form: form["type"])
def test_every_form_can_be_added_and_set(geometry):
    (fact,) = facts(no_label(), {"op": "add", "geometry": geometry})
    assert fact.geometry == geometry
    other = label(annotation(1, geometry=BIG_BOX))
    assert facts(other, {"op": "set_geometry", "annotation": 1, "geometry": geometry}) == [
        e.AnnotationGeometrySet(annotation=key(1), geometry=geometry)
    ]


def test_ids_and_orders_count_on_from_the_highest_ever_used():
    state = after(TWO, e.AnnotationRemoved(annotation=key(2)), e.AnnotationOrderChanged(annotation=key(1), order=7.5))
    first, second, third = facts(
        state, {"op": "add", "geometry": BOX}, {"op": "add", "id": 10, "geometry": BOX}, {"op": "add", "geometry": BOX}
    )
    assert [(fact.id, fact.order) for fact in (first, second, third)] == [(3, 8.0), (10, 9.0), (11, 10.0)]


def test_later_edits_see_what_earlier_ones_did():
    new = key(50)
    found = facts(
        TWO,
        {"op": "add", "uuid": new.upper(), "geometry": BOX},
        {"op": "set_category", "annotation": new, "category_id": 3},
        {"op": "set_score", "annotation": 3, "score": 1},
        {"op": "add_link", "annotation": new, "to": 1},
        {"op": "remove", "annotation": 1},
        {"op": "add", "id": 1, "geometry": BOX},
    )
    assert [type(fact).__name__ for fact in found] == [
        "AnnotationAdded", "AnnotationCategorySet", "AnnotationScoreSet", "AnnotationLinkAdded",
        "AnnotationLinkRemoved", "AnnotationRemoved", "AnnotationAdded",
    ]  # fmt: skip
    assert {fact.annotation for fact in found[:5]} == {new}


# --- what has to be loaded -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "items, wanted",
    [
        (None, ([], [], False)),
        ("x", ([], [], False)),
        ([None, 5, {}, {"op": []}], ([], [], False)),
        ([{"annotation": key(1).upper(), "to": 5}], ([key(1)], [5], False)),
        (
            [{"annotation": 7, "id": 8, "uuid": key(2), "set": [{"id": 9}, {"id": "x"}, 3]}],
            ([key(2)], [7, 8, 9], False),
        ),
        ([{"annotation": True, "id": 1.0, "to": "front"}], ([], [], False)),
        ([{"annotation": 2**53, "id": -(2**60)}], ([], [], False)),
        ([{"op": "remove", "annotation": 1}], ([], [1], True)),
        ([{"op": "patch_bitmap"}], ([], [], True)),
        ([{"op": "set_order"}], ([], [], True)),
        ([{"set": {"id": 1}}, {"set": 5}], ([], [], False)),
    ],
)
def test_the_annotations_that_edits_speak_of(items, wanted):
    assert references(items) == wanted


@pytest.mark.parametrize(
    "state, edit, wanted", FACTS, ids=lambda value: value.get("op") if isinstance(value, dict) else ""
)
def test_an_edit_needs_no_other_annotations_than_those_it_loads(state, edit, wanted):
    uuids, ids, everything = references([edit])
    part_of_it = state.copied()
    if not everything:
        part_of_it.annotations = {
            name: item for name, item in state.annotations.items() if name in uuids or item["id"] in ids
        }
    assert facts(part_of_it, edit) == wanted


@pytest.mark.parametrize("op", [{"op": "set_category", "category_id": 2}, {"op": "remove"}], ids=lambda op: op["op"])
def test_many_objects_cost_no_search_each(op):
    """Ten thousand edits of a label with ten thousand objects; with a search for each this would take minutes."""
    links = [{"to": key(1), "attributes": {}}]
    state = label(annotation(1), *(annotation(number, links=links) for number in range(2, 10_001)))
    items = [op | {"annotation": number} for number in range(MOST_EDITS, 0, -1)]
    assert len(facts(state, *items)) == 10_000
