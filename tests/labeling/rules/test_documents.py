"""Label documents: what is refused, what a save changes, what it must not lose, and what is shown."""

from __future__ import annotations

import json
import uuid
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling import events as e
from labeling.errors import InvalidValue
from labeling.log.event import Fact
from labeling.log.values import BadValue
from labeling.rules import documents
from labeling.rules.documents import Changes, object_changes, parse_objects, render_objects
from labeling.rules.label_state import LabelState
from tests.support.labels import (
    ANA,
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
ELLIPSE = {"type": "ellipse", "center": [10, 10], "radii": [4, 2], "angle_deg": 30}
RBOX = {"type": "rbox", "center": [10, 10], "size_wh": [4, 2], "angle_deg": 30}
SKELETON = {"type": "skeleton", "points": [{"name": "a", "x": 1, "y": 2, "visibility": 2}]}
BITMAP = {"type": "bitmap", "rle": {"size": [2, 3], "counts": [1, 2, 3]}}
EVERY_FORM = [
    BOX,
    {"type": "polygon", "parts": [[[[0, 0], [9, 0], [9, 9]]]]},
    {"type": "polygon", "parts": []},
    HOLED,
    {"type": "polyline", "parts": [[[0, 0], [1, 1]]]},
    {"type": "polyline", "parts": [[[0, 0], [1, 1]], [[5, 5], [6, 6]]]},
    {"type": "point", "points": [[5, 6]]},
    SKELETON,
    RBOX,
    ELLIPSE,
    BITMAP,
]


def wire(number: int, **fields: Any) -> JSON:
    """An object as the protocol has it: the box of `annotation`."""
    return {"id": number, "category_id": 1, "type": "bbox", "points": [[1.0, 2.0], [3.0, 4.0]]} | fields


def parsed(*objects: JSON, masks: bool = False, **scene: Any) -> documents.Document:
    return parse_objects({"annotations": list(objects)} | scene, "attributes", masks=masks)


def first_import(state: LabelState, document: documents.Document, **rest: Any) -> Any:
    return documents.first_import(state, document, **({"status": "PRELABELED", "score": None, "mask": None} | rest))


def changes(state: LabelState, *objects: JSON, masks: bool = False, **scene: Any) -> Changes:
    return object_changes(state, parsed(*objects, masks=masks, **scene))


def names(found: Changes) -> list[str]:
    return [type(fact).__name__ for fact in found.facts]


def rendered(state: LabelState) -> JSON:
    """The document as a client reads it."""
    document: JSON = json.loads(json.dumps(render_objects(state)))
    return document


# --- what is refused -----------------------------------------------------------------------------------------------

REFUSED: list[tuple[JSON, str]] = [
    ({}, "annotations"),
    ({"annotations": None}, "annotations"),
    ({"annotations": {}}, "annotations"),
    ({"annotations": ["x"]}, "annotations[0]"),
    ({"annotations": [wire(1), None]}, "annotations[1]"),
    ({"annotations": [{"category_id": 1}]}, "annotations[0].id"),
    ({"annotations": [{"id": 1}]}, "annotations[0].category_id"),
    ({"annotations": [wire(1) | {"id": 1.0}]}, "annotations[0].id"),
    ({"annotations": [wire(1) | {"id": True}]}, "annotations[0].id"),
    ({"annotations": [wire(1) | {"id": "1"}]}, "annotations[0].id"),
    ({"annotations": [wire(1, category_id=None)]}, "annotations[0].category_id"),
    ({"annotations": [wire(1), wire(1)]}, "annotations[1].id"),
    ({"annotations": [wire(1, type="circle")]}, "annotations[0].type"),
    ({"annotations": [wire(1, type=None)]}, "annotations[0].type"),
    ({"annotations": [wire(1, type=["bbox"])]}, "annotations[0].type"),
    ({"annotations": [wire(1, points=None)]}, "annotations[0].points"),
    ({"annotations": [wire(1, points={})]}, "annotations[0].points"),
    ({"annotations": [wire(1, points=[[0, 0]])]}, "annotations[0].points"),
    ({"annotations": [wire(1, points=[[0, 0], [1, 1], [2, 2]])]}, "annotations[0].points"),
    ({"annotations": [wire(1, points=[[0, 0], [1]])]}, "annotations[0].points[1]"),
    ({"annotations": [wire(1, points=[[0, 0], "ab"])]}, "annotations[0].points[1]"),
    ({"annotations": [wire(1, points=[[0, 0], [1, True]])]}, "annotations[0].points[1]"),
    ({"annotations": [wire(1, points=[[0, 0], [1, "1"]])]}, "annotations[0].points[1]"),
    ({"annotations": [wire(1, attributes=[])]}, "annotations[0].attributes"),
    ({"annotations": [wire(1, score="1")]}, "annotations[0].score"),
    ({"annotations": [wire(1, score=True)]}, "annotations[0].score"),
    ({"annotations": [wire(1, origin="x")]}, "annotations[0].origin"),
    ({"annotations": [wire(1, keypoints={})]}, "annotations[0].keypoints"),
    ({"annotations": [wire(1, orientation={})]}, "annotations[0].orientation.roll_deg"),
    ({"annotations": [wire(1, geometry={"type": "mask"})]}, "annotations[0].geometry.type"),
    ({"annotations": [wire(1, geometry={"type": "orientation"})]}, "annotations[0].orientation"),
    ({"annotations": [wire(1, geometry=HOLED)]}, "annotations[0].points"),
    ({"annotations": [{"id": 1, "category_id": 1, "geometry": {"type": "blob"}}]}, "annotations[0].geometry.type"),
]


@pytest.mark.parametrize("document, where", REFUSED)
def test_a_document_that_does_not_fit_is_refused_by_its_field(document, where):
    with pytest.raises((InvalidValue, BadValue)) as caught:
        parse_objects(document, "attributes", masks=False)
    said: Any = caught.value
    assert (said.field if isinstance(said, InvalidValue) else said.where) == f"attributes.{where}"


@pytest.mark.parametrize("bitmap, where", [("x", ""), ([], ""), ({"url": 5}, ".url"), ({"url": {}}, ".url")])
def test_a_bitmap_that_does_not_fit_is_refused_by_its_field(bitmap, where):
    with pytest.raises(InvalidValue) as caught:
        parsed(masks=True, segmentation_bitmap=bitmap)
    assert caught.value.field == f"attributes.segmentation_bitmap{where}"


@pytest.mark.parametrize("masks", [True, False])
@given(
    document=st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-3, 3)
        | st.sampled_from(["", "bbox", "polygon", "mask"])
        | st.just(0.5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["annotations", "id", "category_id", "type", "points", "geometry", "parts", "url"]),
                inner,
            )
        ),
        max_leaves=30,
    )
)
def test_any_document_is_taken_or_refused_by_a_field(masks, document):
    try:
        found = parse_objects({"annotations": document}, "attributes", masks=masks)
    except (InvalidValue, BadValue):
        return
    state = after(no_label(), *first_import(no_label(), found))
    assert len(state.annotations) == len(found.objects)
    assert len(render_objects(state)["annotations"]) <= len(found.objects)


# --- a first upload ------------------------------------------------------------------------------------------------


def test_an_empty_document_is_an_import_of_nothing():
    (fact,) = first_import(no_label(), parsed())
    assert fact == e.LabelImported(annotations=[], status="PRELABELED")


def test_the_first_upload_is_one_event_with_all_that_was_sent():
    sent = wire(7, attributes={"a": ["x", ""], "b": None}, score=0.5, origin={"kind": "model"}, track_id=3)
    document = parsed(sent, image_attributes={"weather": "rain"}, format_version="0.1")
    (fact,) = first_import(no_label(), document, status="LABELED", score=0.25, mask=None)
    assert isinstance(fact, e.LabelImported)
    (item,) = fact.annotations
    assert uuid.UUID(item.pop("annotation")).version == 4
    assert item == {
        "id": 7, "category_id": 1, "geometry": BOX, "order": 1.0, "attributes": {"a": ["x", ""], "b": None},
        "score": 0.5, "origin": {"kind": "model"}, "extra": {"track_id": 3},
    }  # fmt: skip
    assert (fact.scene, fact.status, fact.score) == (
        {"image_attributes": {"weather": "rain"}, "format_version": "0.1"}, "LABELED", 0.25,
    )  # fmt: skip


def test_a_huge_upload_is_several_parts_each_within_its_bytes(monkeypatch):
    monkeypatch.setattr(documents, "PART_BYTES", 2000)
    document = parsed(*(wire(number) for number in range(1, 51)), a=1)
    facts = first_import(no_label(), document, status="PRELABELED", score=1.0, mask={"url": None})
    assert len(facts) > 2 and all(len(msgspec.json.encode(fact)) < 2500 for fact in facts)
    assert [(fact.part, fact.parts) for fact in facts] == [(n, len(facts)) for n in range(1, len(facts) + 1)]
    assert [fact.status for fact in facts] == ["PRELABELED"] + [None] * (len(facts) - 1)
    state = after(no_label(), *facts)
    assert [item["id"] for item in state.in_order()] == list(range(1, 51))
    assert (state.scene, state.score) == ({"a": 1}, 1.0)


def test_an_object_larger_than_a_part_is_a_part_of_its_own(monkeypatch):
    monkeypatch.setattr(documents, "PART_BYTES", 10)
    facts = first_import(no_label(), parsed(wire(1), wire(2)))
    assert [len(fact.annotations) for fact in facts] == [1, 1]


def test_objects_of_a_label_that_was_deleted_get_new_order_numbers():
    gone = after(label(annotation(4)), e.LabelDeleted())
    (fact,) = first_import(gone, parsed(wire(1)))
    assert fact.annotations[0]["order"] == 5.0


# --- nothing changed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("geometry", EVERY_FORM, ids=lambda form: f"{form['type']}")
def test_what_was_read_and_is_sent_again_changes_nothing(geometry):
    state = label(
        annotation(1, geometry=geometry, attributes={"a": 1}, score=0.5, extra={"z": 1}), scene={"s": {"t": 1}}
    )
    found = changes(state, *rendered(state)["annotations"], s={"t": 1})
    assert (found.facts, found.lost, found.removed) == ([], [], [])


@pytest.mark.parametrize("geometry", EVERY_FORM, ids=lambda form: f"{form['type']}")
def test_what_the_sdk_leaves_of_it_changes_nothing_either(geometry):
    rich = {
        "keypoints": KEYPOINTS,
        "orientation": ORIENTATION,
        "origin": {"kind": "model"},
        "score": 1,
        "extra": {"z": 1},
    }
    state = label(annotation(1, geometry=geometry, **rich))
    known = ("id", "category_id", "type", "points", "attributes")
    bare = {name: value for name, value in rendered(state)["annotations"][0].items() if name in known}
    found = changes(state, bare)
    assert (found.facts, found.lost, found.removed) == ([], [], [])


def test_objects_that_two_people_gave_the_same_order_number_stay_where_they_are():
    state = label(annotation(2, order=2.0), annotation(1, order=2.0), annotation(3, order=2.0))
    assert names(changes(state, *rendered(state)["annotations"])) == []


def test_a_shape_beside_a_bitmap_is_not_lost_by_a_save_of_the_bitmap():
    state = label(annotation(1), annotation(2, geometry={"type": "mask"}))
    assert names(changes(state, {"id": 1, "category_id": 1}, {"id": 2, "category_id": 1}, masks=True)) == []


def test_no_category_is_shown_as_zero_and_zero_changes_it_not():
    state = label(annotation(1, category_id=None))
    (shown,) = rendered(state)["annotations"]
    assert (shown["category_id"], shown["category"]) == (0, None)
    assert names(changes(state, shown)) == []
    assert names(changes(state, wire(1, category_id=5))) == ["AnnotationCategorySet"]


# --- what changed --------------------------------------------------------------------------------------------------

MOVED = [[2.0, 2.0], [3.0, 4.0]]
CHANGES: list[tuple[JSON, list[Fact]]] = [
    (wire(1, category_id=2), [e.AnnotationCategorySet(annotation=key(1), category_id=2)]),
    (wire(1, points=MOVED), [e.AnnotationGeometrySet(annotation=key(1), geometry={"type": "bbox", "points": MOVED})]),
    (
        wire(1, type="point", points=[[1, 1]]),
        [e.AnnotationGeometrySet(annotation=key(1), geometry={"type": "point", "points": [[1, 1]]})],
    ),
    (wire(1, attributes={"a": 1}), [e.AnnotationAttributesSet(annotation=key(1), attributes={"a": 1})]),
    (wire(1, attributes={}), [e.AnnotationAttributesSet(annotation=key(1), attributes={})]),
    (wire(1, score=0.5), [e.AnnotationScoreSet(annotation=key(1), score=0.5)]),
    (wire(1, origin={"kind": "x"}), [e.AnnotationOriginSet(annotation=key(1), origin={"kind": "x"})]),
    (wire(1, keypoints=KEYPOINTS), [e.AnnotationKeypointsSet(annotation=key(1), keypoints=KEYPOINTS)]),
    (wire(1, orientation=ORIENTATION), [e.AnnotationOrientationSet(annotation=key(1), orientation=ORIENTATION)]),
    (wire(1, track_id=4), [e.AnnotationExtraSet(annotation=key(1), extra={"track_id": 4})]),
]


@pytest.mark.parametrize("sent, facts", CHANGES)
def test_just_what_differs_becomes_an_event(sent, facts):
    found = changes(label(annotation(1), annotation(2)), sent, wire(2))
    assert (found.facts, found.lost, found.removed) == (facts, [], [])


ATTRIBUTE_CASES: list[tuple[JSON | None, JSON | None, list[Fact]]] = [
    (None, None, []),
    ({}, {}, []),
    ({"a": 1}, {"a": 1.0}, []),
    ({"a": 1}, {"a": True}, [e.AnnotationAttributesSet(annotation="k", attributes={"a": True})]),
    ({"a": None}, {}, [e.AnnotationAttributesCleared(annotation="k", names=["a"])]),
    (None, {}, [e.AnnotationAttributesSet(annotation="k", attributes={})]),
    ({}, None, [e.AnnotationAttributesCleared(annotation="k", names=[], all=True)]),
    ({"b": 1, "a": 1}, None, [e.AnnotationAttributesCleared(annotation="k", names=["a", "b"], all=True)]),
    (
        {"a": 1, "b": 2},
        {"b": 3, "c": None},
        [
            e.AnnotationAttributesCleared(annotation="k", names=["a"]),
            e.AnnotationAttributesSet(annotation="k", attributes={"b": 3, "c": None}),
        ],
    ),
]


@pytest.mark.parametrize("before, wanted, facts", ATTRIBUTE_CASES)
def test_the_facts_that_turn_attributes_into_others(before, wanted, facts):
    assert documents.attribute_changes("k", before, wanted) == facts


def test_an_object_that_is_absent_is_removed_and_a_new_one_is_added_on_top():
    found = changes(label(annotation(1), annotation(2)), wire(2), wire(3))
    removed, added = found.facts
    assert removed == e.AnnotationRemoved(annotation=key(1))
    assert isinstance(added, e.AnnotationAdded) and (added.id, added.order) == (3, 3.0)
    assert [item["id"] for item in found.removed] == [1]


def test_another_sequence_moves_only_what_has_to_move():
    state = label(*(annotation(number) for number in (1, 2, 3, 4)))
    (fact,) = changes(state, wire(4), wire(1), wire(2), wire(3)).facts
    assert fact == e.AnnotationOrderChanged(annotation=key(4), order=0.0)


def test_links_to_a_removed_object_go_with_it_and_those_of_removed_ones_are_not_told():
    links = {
        number: [{"to": key(other), "attributes": {}} for other in others]
        for number, others in ((1, (2, 3)), (2, (3,)))
    }
    state = label(annotation(1, links=links[1]), annotation(2, links=links[2]), annotation(3))
    found = changes(state, wire(1), wire(2))
    assert found.facts == [
        e.AnnotationLinkRemoved(annotation=key(1), to=key(3)),
        e.AnnotationLinkRemoved(annotation=key(2), to=key(3)),
        e.AnnotationRemoved(annotation=key(3)),
    ]
    assert names(changes(state, wire(1))) == ["AnnotationLinkRemoved"] * 2 + ["AnnotationRemoved"] * 2


@pytest.mark.parametrize(
    "had, wanted, facts",
    [
        ({}, {}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, [e.SceneAttributesSet(scene={"a": True})]),
        ({"a": 1, "b": 2}, {"b": 3}, [e.SceneAttributesSet(scene={"b": 3, "a": None})]),
        ({"a": 1}, {"a": None}, [e.SceneAttributesSet(scene={"a": None})]),
        ({}, {"a": None}, []),
    ],
)
def test_what_holds_for_the_whole_image(had, wanted, facts):
    assert changes(label(scene=had), **wanted).facts == facts


# --- what a document cannot say ------------------------------------------------------------------------------------


def test_an_orientation_alone_and_classifications_are_never_removed_by_absence():
    alone = annotation(1, geometry={"type": "orientation"}, orientation=ORIENTATION)
    state = label(alone, classifications=[1, 2], default_classification=2)
    shown = rendered(state)
    assert shown["annotations"] == []
    assert shown["classifications"] == [{"category_id": 1, "default": False}, {"category_id": 2, "default": True}]
    assert names(changes(state, **{name: value for name, value in shown.items() if name != "annotations"})) == []


LOST: list[tuple[JSON, JSON, str]] = [
    (annotation(1, geometry=HOLED), wire(1), "1:parts+holes"),
    (annotation(1, geometry=RBOX), wire(1), "1:rotation"),
    (annotation(1, geometry=ELLIPSE), wire(1), "1:curve"),
    (annotation(1, geometry=SKELETON), wire(1, type="point", points=[[0, 0]]), "1:names+visibility"),
    (annotation(1, geometry=BITMAP), wire(1), "1:pixels"),
    (annotation(1, keypoints=KEYPOINTS, orientation=ORIENTATION), wire(1, points=MOVED), "1:keypoints+orientation"),
    (annotation(1, geometry={"type": "orientation"}, orientation=ORIENTATION), wire(1), "1:orientation"),
]


@pytest.mark.parametrize("item, sent, lost", LOST)
def test_what_a_new_shape_loses_is_named(item, sent, lost):
    state = label(item)
    found = changes(state, sent)
    assert found.lost == [lost]
    held = after(state, *found.facts).annotations[key(1)]
    assert held["geometry"] == {"type": sent["type"], "points": sent["points"]}
    assert "keypoints" not in held and "orientation" not in held


def test_a_geometry_in_our_own_form_loses_nothing():
    state = label(annotation(1, geometry=HOLED))
    moved = {"type": "polygon", "parts": [[*HOLED["parts"][0]]]}
    found = changes(state, {"id": 1, "category_id": 1, "geometry": moved})
    assert (names(found), found.lost) == (["AnnotationGeometrySet"], [])


def test_keypoints_that_come_with_a_new_shape_are_kept():
    state = label(annotation(1, keypoints=KEYPOINTS))
    found = changes(state, wire(1, points=MOVED, keypoints=KEYPOINTS))
    assert (names(found), found.lost) == (["AnnotationGeometrySet"], [])


# --- rendering -----------------------------------------------------------------------------------------------------


def test_an_object_is_shown_as_the_protocol_has_it_with_our_fields_beside():
    item = annotation(
        1, geometry=HOLED, attributes={"a": 1}, links=[{"to": key(2), "attributes": {}}], extra={"z": [1]}
    )
    assert documents.render_object(item) == {
        "id": 1, "category_id": 1, "type": "polygon", "points": [[0, 0], [9, 0], [9, 9]], "geometry": HOLED,
        "attributes": {"a": 1}, "links_to": [{"to": key(2), "attributes": {}}], "uuid": key(1), "z": [1],
    }  # fmt: skip
    plain = documents.render_object(annotation(1))
    assert plain is not None and "geometry" not in plain


# --- properties ----------------------------------------------------------------------------------------------------

numbers = st.integers(-50, 50) | st.floats(-50, 50).map(lambda value: value + 0.0)
pairs = st.lists(numbers, min_size=2, max_size=2)
shapes = st.one_of(
    st.builds(lambda points: {"type": "bbox", "points": points}, st.lists(pairs, min_size=2, max_size=2)),
    st.builds(
        lambda kind, points: {"type": kind, "points": points},
        st.sampled_from(["polygon", "polyline", "point"]),
        st.lists(pairs, max_size=4),
    ),
    st.sampled_from([{"geometry": form} for form in EVERY_FORM]),
)
objects = st.builds(
    lambda number, category, shape, extra: {"id": number, "category_id": category} | shape | extra,
    st.integers(1, 8),
    st.integers(0, 3),
    shapes,
    st.fixed_dictionaries(
        {},
        optional={
            "attributes": st.none() | st.dictionaries(st.sampled_from("ab"), st.sampled_from([1, True, None, "x"])),
            "score": st.sampled_from([0.5, 1]),
            "custom": st.sampled_from([1, "y"]),
        },
    ),
)
document_objects = st.lists(objects, max_size=6, unique_by=lambda item: item["id"])


@given(document_objects, document_objects)
def test_the_changes_between_two_documents_fold_to_the_second(first, second):
    state = no_label()
    state = after(state, *first_import(state, parsed(*first)), author=ANA)
    document = parsed(*second)
    state = after(state, *object_changes(state, document).facts)
    shown = rendered(state)["annotations"]
    alone = after(no_label(), *first_import(no_label(), document))
    wanted = rendered(alone)["annotations"]
    assert [item["id"] for item in shown] == [item["id"] for item in wanted]
    for had, want in zip(shown, wanted, strict=True):
        assert (had["category_id"], had.get("attributes")) == (want["category_id"], want.get("attributes"))
        assert had["type"] == want["type"] and had["points"] == want["points"]
    assert object_changes(state, document).facts == [], "sending the same again changes nothing"
    assert object_changes(state, parsed(*shown)).facts == [], "nor does sending what was read"
