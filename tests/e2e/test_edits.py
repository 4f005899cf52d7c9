"""Every operation of the edits endpoint: what it changes, which events it leaves, and how the protocol shows it."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

import pytest
from segments import SegmentsClient
from segments.resource_api import Sample

from tests.e2e.conftest import MakeSample
from tests.e2e.documents import bbox, label_attributes, vector_label
from tests.e2e.wire import Wire, etag, label_path, offset

Json = dict[str, Any]

RING = [[10.0, 10.0], [40.0, 10.0], [40.0, 40.0], [10.0, 40.0]]
HOLE = [[20.0, 20.0], [30.0, 20.0], [30.0, 30.0], [20.0, 30.0]]
FAR = [[50.5, 1.25], [60.0, 1.0], [55.0, 9.0]]
FLIPPER = {"name": "left flipper", "x": 12.5, "y": 7.25, "visibility": 2}
HIDDEN = {"name": "right flipper", "x": 3.0, "y": 4.0, "visibility": 1}
NOWHERE = {"name": "tail", "visibility": 0}
TURN = {"roll_deg": 0.5, "pitch_deg": -90.0, "yaw_deg": 181.25}

GEOMETRIES: dict[str, Json] = {
    "a box": {"type": "bbox", "points": [[1.5, 2.5], [30.0, 40.0]]},
    "a rotated box": {"type": "rbox", "center": [20.0, 30.0], "size_wh": [10.0, 4.5], "angle_deg": 30.0},
    "a polygon": {"type": "polygon", "parts": [[RING]]},
    "a polygon with a hole": {"type": "polygon", "parts": [[RING, HOLE]]},
    "a polygon in two parts": {"type": "polygon", "parts": [[RING, HOLE], [FAR]]},
    "a polyline": {"type": "polyline", "parts": [[[0.0, 0.0], [5.0, 5.0]]]},
    "a polyline in two parts": {"type": "polyline", "parts": [[[0.0, 0.0], [5.0, 5.0]], FAR]},
    "a point": {"type": "point", "points": [[1 / 3, 2 / 3]]},
    "a skeleton": {"type": "skeleton", "points": [FLIPPER, HIDDEN, NOWHERE]},
    "an ellipse": {"type": "ellipse", "center": [20.0, 20.0], "radii": [8.0, 3.0], "angle_deg": -15.5},
    "a bitmap": {"type": "bitmap", "rle": {"size": [48, 64], "counts": [100, 5, 43, 5, 2919]}},
}
# How each form looks to a client that knows only the protocol; the points of a curve are checked by the number of them.
SHOWN: dict[str, tuple[str, Any]] = {
    "a box": ("bbox", [[1.5, 2.5], [30.0, 40.0]]),
    "a rotated box": ("polygon", 4),
    "a polygon": ("polygon", RING),
    "a polygon with a hole": ("polygon", RING),
    "a polygon in two parts": ("polygon", RING),
    "a polyline": ("polyline", [[0.0, 0.0], [5.0, 5.0]]),
    "a polyline in two parts": ("polyline", [[0.0, 0.0], [5.0, 5.0]]),
    "a point": ("point", [[1 / 3, 2 / 3]]),
    "a skeleton": ("point", [[12.5, 7.25], [3.0, 4.0]]),
    "an ellipse": ("polygon", 32),
    "a bitmap": ("bbox", [[2, 4], [4, 9]]),
}


@pytest.fixture
def sample(make_sample: MakeSample) -> Sample:
    """A sample whose label has a box (1), a polygon (2) and a point (3)."""
    sample = make_sample()
    polygon = {"id": 2, "category_id": 2, "type": "polygon", "points": RING}
    point = {"id": 3, "category_id": 7, "type": "point", "points": [[5.0, 5.0]]}
    sample.add_label("ground-truth", vector_label(bbox(1, attributes={"colour": "red"}), polygon, point), "LABELED")
    return sample


def objects_of(wire: Wire, sample: Sample, **query: Any) -> dict[int, Json]:
    """The annotations of the ground truth by their visible id, in their order."""
    return {item["id"]: item for item in wire.label(sample.uuid, **query)["attributes"]["annotations"]}


def edited(wire: Wire, sample: Sample, *edits: Json, **more: Any) -> Json:
    """The answer to edits that must be taken."""
    answer = wire.edit(sample.uuid, edits, **more)
    assert answer.status_code == 200, answer.text
    said: Json = answer.json()
    assert (etag(answer), offset(answer)) == (said["version"], said["offset"])
    assert len(said["edits"]) == len(edits)
    return said


def new_events(wire: Wire, sample: Sample, since: int) -> list[Json]:
    return wire.events(sample.dataset.full_name, after=since)


# --- geometry ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", GEOMETRIES)
@pytest.mark.parametrize("op", ["add", "set_geometry"])
def test_each_form_of_geometry_is_kept_word_for_word_and_shown_to_the_sdk(
    sample: Sample, admin: SegmentsClient, admin_wire: Wire, form: str, op: str
) -> None:
    geometry = GEOMETRIES[form]
    edit: Json = {"op": op, "geometry": geometry}
    said = edited(admin_wire, sample, edit | ({"category_id": 7} if op == "add" else {"annotation": 1}))
    number = said["edits"][0]["id"]
    head = admin_wire.label_events(sample.uuid)[-1]
    assert head["data"]["geometry"] == geometry
    kind, points = SHOWN[form]
    shown = objects_of(admin_wire, sample)[number]
    assert shown["type"] == kind
    assert len(shown["points"]) == points if isinstance(points, int) else shown["points"] == points
    if kind != geometry["type"] or form in (
        "a polygon with a hole",
        "a polygon in two parts",
        "a polyline in two parts",
    ):
        assert shown["geometry"] == geometry
    [read] = [item for item in admin.get_label(sample.uuid).attributes.annotations if item.id == number]
    assert (read.type, read.points) == (kind, shown["points"])


def test_an_orientation_can_stand_alone(sample: Sample, admin: SegmentsClient, admin_wire: Wire) -> None:
    edit = {"op": "add", "category_id": 7, "geometry": {"type": "orientation"}, "orientation": TURN}
    said = edited(admin_wire, sample, edit)
    added = admin_wire.label_events(sample.uuid)[-1]
    assert (added["type"], added["data"]["orientation"]) == ("AnnotationAdded", TURN)
    # The protocol has no shape for it, so a document neither shows it nor takes it away.
    assert said["edits"][0]["id"] not in objects_of(admin_wire, sample)
    label = admin.get_label(sample.uuid)
    label.update(label.attributes, "LABELED")
    edited(admin_wire, sample, {"op": "remove", "annotation": said["edits"][0]["annotation"]})


def test_an_added_object_may_bring_all_that_an_object_can_have(sample: Sample, admin_wire: Wire) -> None:
    key = str(uuid.uuid4())
    brought: Json = {
        "id": 40,
        "uuid": key,
        "category_id": None,
        "geometry": GEOMETRIES["a polygon with a hole"],
        "attributes": {"colour": "blue", "doors": 5},
        "keypoints": [FLIPPER, NOWHERE],
        "orientation": TURN,
        "score": 0.75,
        "origin": {"kind": "model", "name": "detector", "version": "3.1", "run": "2026-11-20"},
    }
    said = edited(admin_wire, sample, {"op": "add", **brought})
    assert said["edits"] == [{"changed": True, "annotation": key, "id": 40}]
    read = objects_of(admin_wire, sample)[40]
    assert {k: read[k] for k in brought if k != "category_id"} == {
        k: v for k, v in brought.items() if k != "category_id"
    }
    assert (read["category"], read["category_id"]) == (None, 0)


# --- the other operations ------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """An operation on annotation 1, the event that it leaves, and what the annotation then looks like."""

    edit: Json
    event: str
    after: Json
    before: tuple[Json, ...] = ()


ON_BOX_1 = {
    "set_category": Case({"category_id": 7}, "AnnotationCategorySet", {"category_id": 7}),
    "set_attributes": Case(
        {"attributes": {"doors": 3, "wet": None}},
        "AnnotationAttributesSet",
        {"attributes": {"colour": "red", "doors": 3, "wet": None}},
    ),
    "clear_attributes": Case({"names": ["colour", "unheard of"]}, "AnnotationAttributesCleared", {"attributes": {}}),
    "set_keypoints": Case(
        {"keypoints": [FLIPPER, NOWHERE]}, "AnnotationKeypointsSet", {"keypoints": [FLIPPER, NOWHERE]}
    ),
    "clear_keypoints": Case(
        {},
        "AnnotationKeypointsCleared",
        {"keypoints": None},
        ({"op": "set_keypoints", "annotation": 1, "keypoints": [FLIPPER]},),
    ),
    "set_orientation": Case({"orientation": TURN}, "AnnotationOrientationSet", {"orientation": TURN}),
    "clear_orientation": Case(
        {},
        "AnnotationOrientationCleared",
        {"orientation": None},
        ({"op": "set_orientation", "annotation": 1, "orientation": TURN},),
    ),
    "set_score": Case({"score": 0.125}, "AnnotationScoreSet", {"score": 0.125}),
}


@pytest.mark.parametrize("op", ON_BOX_1)
@pytest.mark.parametrize("by", ["id", "uuid"])
def test_an_operation_changes_one_thing_of_one_object(sample: Sample, admin_wire: Wire, op: str, by: str) -> None:
    case = ON_BOX_1[op]
    if case.before:
        edited(admin_wire, sample, *case.before)
    before = objects_of(admin_wire, sample)
    head = admin_wire.head(sample.dataset.full_name)
    named = 1 if by == "id" else before[1]["uuid"]
    said = edited(admin_wire, sample, {"op": op, "annotation": named, **case.edit})
    assert said["edits"] == [{"changed": True, "annotation": before[1]["uuid"], "id": 1}]
    assert [event["type"] for event in new_events(admin_wire, sample, head)] == [case.event]
    after = objects_of(admin_wire, sample)
    assert {key: after[1].get(key) for key in case.after} == case.after
    untouched = {key: value for key, value in before[1].items() if key not in case.after}
    assert {key: after[1].get(key) for key in untouched} == untouched
    assert {n: after[n] for n in (2, 3)} == {n: before[n] for n in (2, 3)}


@pytest.mark.parametrize("op", ON_BOX_1)
def test_an_operation_done_twice_appends_nothing_the_second_time(sample: Sample, admin_wire: Wire, op: str) -> None:
    case = ON_BOX_1[op]
    edit = {"op": op, "annotation": 1, **case.edit}
    first = edited(admin_wire, sample, *case.before, edit)
    second = edited(admin_wire, sample, edit)
    assert second["edits"][0]["changed"] is False
    assert (second["version"], second["offset"]) == (first["version"], first["offset"])


def test_the_category_of_an_object_can_be_taken_away(sample: Sample, admin_wire: Wire) -> None:
    edited(admin_wire, sample, {"op": "set_category", "annotation": 2, "category_id": None})
    read = objects_of(admin_wire, sample)[2]
    assert (read["category_id"], read["category"]) == (0, None)
    assert admin_wire.label_events(sample.uuid)[-1]["data"]["category_id"] is None


def test_all_attributes_are_cleared_when_no_names_are_given(sample: Sample, admin_wire: Wire) -> None:
    edited(admin_wire, sample, {"op": "clear_attributes", "annotation": 1})
    assert "attributes" not in objects_of(admin_wire, sample)[1]


def test_a_removed_object_is_gone_and_its_id_is_not_given_again(sample: Sample, admin_wire: Wire) -> None:
    edited(admin_wire, sample, {"op": "remove", "annotation": 3})
    assert list(objects_of(admin_wire, sample)) == [1, 2]
    said = edited(admin_wire, sample, {"op": "add", "category_id": 1, "geometry": GEOMETRIES["a point"]})
    assert said["edits"][0]["id"] == 4


def test_the_highest_id_that_there_is_leaves_no_room_for_another(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(bbox(2**53 - 1)))
    add = {"op": "add", "category_id": 1, "geometry": GEOMETRIES["a point"]}
    answer = admin_wire.edit(sample.uuid, [add])
    assert (answer.status_code, answer.json()["field"]) == (400, "edits[0].id")
    assert edited(admin_wire, sample, add | {"id": 5})["edits"][0]["id"] == 5


def test_a_uuid_is_never_used_twice_not_even_after_its_object_is_gone(sample: Sample, admin_wire: Wire) -> None:
    key = str(uuid.uuid4())
    add = {"op": "add", "category_id": 1, "geometry": GEOMETRIES["a point"], "uuid": key}
    edited(admin_wire, sample, add)
    taken = admin_wire.edit(sample.uuid, [add])
    edited(admin_wire, sample, {"op": "remove", "annotation": key})
    gone = admin_wire.edit(sample.uuid, [add])
    for answer in (taken, gone):
        assert answer.status_code == 400
        assert "uuid" in answer.json()["field"]
        assert key not in answer.text


@pytest.mark.parametrize(
    ("to", "expected"), [("front", [1, 3, 2]), ("back", [2, 1, 3]), (-7.5, [2, 1, 3]), (2.5, [1, 2, 3])]
)
def test_an_object_moves_in_front_of_or_behind_the_others(
    sample: Sample, admin_wire: Wire, to: Any, expected: list[int]
) -> None:
    edited(admin_wire, sample, {"op": "set_order", "annotation": 2, "to": to})
    assert list(objects_of(admin_wire, sample)) == expected


def test_raising_the_object_that_is_in_front_changes_nothing(sample: Sample, admin_wire: Wire) -> None:
    said = edited(admin_wire, sample, {"op": "set_order", "annotation": 3, "to": "front"})
    assert said["edits"][0]["changed"] is False


def test_links_are_made_changed_and_removed(sample: Sample, admin_wire: Wire) -> None:
    target = objects_of(admin_wire, sample)[2]["uuid"]
    link = {"op": "add_link", "annotation": 1, "to": 2, "attributes": {"relation": "tows"}}
    edited(admin_wire, sample, link)
    assert objects_of(admin_wire, sample)[1]["links_to"] == [{"to": target, "attributes": {"relation": "tows"}}]
    edited(admin_wire, sample, link | {"attributes": {"relation": "follows"}, "to": target})
    assert objects_of(admin_wire, sample)[1]["links_to"] == [{"to": target, "attributes": {"relation": "follows"}}]
    edited(admin_wire, sample, {"op": "remove_link", "annotation": 1, "to": 2})
    assert "links_to" not in objects_of(admin_wire, sample)[1]
    said = edited(admin_wire, sample, {"op": "remove_link", "annotation": 1, "to": 2})
    assert said["edits"][0]["changed"] is False


def test_the_links_to_an_object_go_with_it(sample: Sample, admin_wire: Wire) -> None:
    edited(admin_wire, sample, {"op": "add_link", "annotation": 1, "to": 2})
    edited(admin_wire, sample, {"op": "remove", "annotation": 2})
    assert "links_to" not in objects_of(admin_wire, sample)[1]


# --- the label as a whole ------------------------------------------------------------------------------------------


def test_the_image_gets_and_loses_classifications(sample: Sample, admin_wire: Wire) -> None:
    def shown() -> list[tuple[int, bool]]:
        attributes = admin_wire.label(sample.uuid)["attributes"]
        return [(item["category_id"], item["default"]) for item in attributes.get("classifications", [])]

    edited(admin_wire, sample, *({"op": "assign_classification", "category_id": n} for n in (2, 7)))
    assert shown() == [(2, True), (7, False)]
    edited(admin_wire, sample, {"op": "set_default_classification", "category_id": 7})
    assert shown() == [(2, False), (7, True)]
    edited(admin_wire, sample, {"op": "remove_classification", "category_id": 7})
    assert shown() == [(2, True)]
    edited(admin_wire, sample, {"op": "remove_classification", "category_id": 2})
    assert shown() == []
    types = {event["type"] for event in admin_wire.label_events(sample.uuid)}
    assert {"ClassificationAssigned", "ClassificationRemoved", "DefaultClassificationSet"} <= types


def test_a_document_does_not_take_classifications_away(sample: Sample, admin_wire: Wire) -> None:
    edited(admin_wire, sample, {"op": "assign_classification", "category_id": 2})
    sample.add_label("ground-truth", vector_label(bbox(1)))
    assert admin_wire.label(sample.uuid)["attributes"]["classifications"] == [{"category_id": 2, "default": True}]


@pytest.mark.parametrize(
    ("verb", "status"),
    [
        ("save", "LABELING_IN_PROGRESS"),
        ("skip", "SKIPPED"),
        ("accept", "REVIEWED"),
        ("reject", "REJECTED"),
        ("verify", "VERIFIED"),
    ],
)
def test_a_verb_leads_to_its_status(sample: Sample, admin_wire: Wire, verb: str, status: str) -> None:
    said = edited(admin_wire, sample, {"op": "set_status", "verb": verb})
    assert said["label_status"] == status
    assert admin_wire.label(sample.uuid)["label_status"] == status
    changed = admin_wire.label_events(sample.uuid)[-1]
    assert changed["type"] == "LabelStatusChanged"
    assert changed["data"] == {"before": "LABELED", "after": status, "verb": verb}


def test_submitting_leads_to_labeled_and_overriding_to_any_status(sample: Sample, admin_wire: Wire) -> None:
    edited(admin_wire, sample, {"op": "set_status", "verb": "override", "status": "PRELABELED"}, reason="by hand")
    assert admin_wire.label(sample.uuid)["label_status"] == "PRELABELED"
    assert edited(admin_wire, sample, {"op": "set_status", "verb": "submit"})["label_status"] == "LABELED"


def test_attributes_of_the_whole_image_are_set_and_taken_away(sample: Sample, admin_wire: Wire) -> None:
    edited(
        admin_wire,
        sample,
        {"op": "set_scene_attributes", "attributes": {"image_attributes": {"weather": "fog"}, "a": 1}},
    )
    shown = admin_wire.label(sample.uuid)["attributes"]
    assert (shown["image_attributes"], shown["a"]) == ({"weather": "fog"}, 1)
    edited(admin_wire, sample, {"op": "set_scene_attributes", "attributes": {"a": None}})
    shown = admin_wire.label(sample.uuid)["attributes"]
    assert "a" not in shown
    assert shown["image_attributes"] == {"weather": "fog"}


def test_the_label_as_a_whole_has_a_score_of_its_own(sample: Sample, admin: SegmentsClient, admin_wire: Wire) -> None:
    edited(admin_wire, sample, {"op": "set_score", "score": 0.5})
    assert admin.get_label(sample.uuid).score == 0.5
    edited(admin_wire, sample, {"op": "set_score", "score": None})
    assert admin.get_label(sample.uuid).score is None


def test_the_first_edit_of_a_sample_makes_its_label(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample()
    said = edited(admin_wire, sample, {"op": "add", "category_id": 1, "geometry": GEOMETRIES["a box"]})
    assert said["label_status"] == "LABELING_IN_PROGRESS"
    assert sample.get_label().label_status == "LABELING_IN_PROGRESS"
    assert list(objects_of(admin_wire, sample)) == [1]


def test_a_label_that_is_set_as_a_whole_cannot_be_edited_piece_by_piece(
    make_sample: MakeSample, admin_wire: Wire
) -> None:
    sample = make_sample("pointcloud-cuboid")
    sample.add_label("ground-truth", label_attributes("pointcloud-cuboid"))
    head = admin_wire.head(sample.dataset.full_name)
    answer = admin_wire.edit(sample.uuid, [{"op": "remove", "annotation": 1}])
    assert (answer.status_code, answer.json()["code"]) == (409, "refused")
    assert admin_wire.head(sample.dataset.full_name) == head


# --- a list of edits -----------------------------------------------------------------------------------------------


def test_a_list_is_one_command_with_one_gesture_and_one_reason(sample: Sample, admin_wire: Wire) -> None:
    head = admin_wire.head(sample.dataset.full_name)
    gesture = str(uuid.uuid4())
    edited(
        admin_wire,
        sample,
        {"op": "add", "category_id": 1, "geometry": GEOMETRIES["a point"]},
        {"op": "set_category", "annotation": 4, "category_id": 7},
        {"op": "remove", "annotation": 1},
        {"op": "set_status", "verb": "submit"},
        gesture=gesture,
        reason="the driver is a passenger — “really” 🚗",
        tool="brush 2.0",
        occurred_at="2026-11-20T09:30:00.123456+01:00",
    )
    events = new_events(admin_wire, sample, head)
    assert [event["type"] for event in events] == ["AnnotationAdded", "AnnotationCategorySet", "AnnotationRemoved"]
    assert len({event["command"] for event in events}) == 1
    for event in events:
        assert (event["gesture"], event["reason"]) == (gesture, "the driver is a passenger — “really” 🚗")
        assert (event["tool"], event["author"], event["author_kind"]) == ("brush 2.0", "ada", "person")
        assert event["occurred_at"].startswith("2026-11-20T08:30:00.123456")


def test_a_list_counts_as_the_document_that_it_leads_to(sample: Sample, admin_wire: Wire) -> None:
    edited(
        admin_wire,
        sample,
        {"op": "remove", "annotation": 2},
        {"op": "add", "category_id": 2, "geometry": {"type": "bbox", "points": [[0.0, 0.0], [9.0, 9.0]]}, "id": 8},
        {"op": "set_attributes", "annotation": 3, "attributes": {"wheels": 4}},
        {"op": "set_geometry", "annotation": 1, "geometry": {"type": "bbox", "points": [[1.0, 1.0], [2.0, 2.0]]}},
    )
    after_edits = admin_wire.get(label_path(sample.uuid))
    document = vector_label(
        {
            "id": 1,
            "category_id": 1,
            "type": "bbox",
            "points": [[1.0, 1.0], [2.0, 2.0]],
            "attributes": {"colour": "red"},
        },
        {"id": 3, "category_id": 7, "type": "point", "points": [[5.0, 5.0]], "attributes": {"wheels": 4}},
        {"id": 8, "category_id": 2, "type": "bbox", "points": [[0.0, 0.0], [9.0, 9.0]]},
    )
    after_save = admin_wire.send("PUT", label_path(sample.uuid), {"attributes": document, "label_status": "LABELED"})
    assert etag(after_save) == etag(after_edits)
    assert after_save.json()["attributes"] == after_edits.json()["attributes"]


def test_an_unchanged_object_keeps_through_a_save_what_the_protocol_cannot_say(
    sample: Sample, admin: SegmentsClient, admin_wire: Wire
) -> None:
    edited(
        admin_wire,
        sample,
        {"op": "set_geometry", "annotation": 2, "geometry": GEOMETRIES["a polygon with a hole"]},
        {"op": "set_keypoints", "annotation": 2, "keypoints": [FLIPPER]},
    )
    label = admin.get_label(sample.uuid)
    saved = admin.update_label(sample.uuid, "ground-truth", label.attributes)
    assert saved.model_dump() == label.model_dump()
    kept = objects_of(admin_wire, sample)[2]
    assert (kept["geometry"], kept["keypoints"]) == (GEOMETRIES["a polygon with a hole"], [FLIPPER])


def test_what_a_redrawn_object_loses_is_named_in_a_header(sample: Sample, admin_wire: Wire) -> None:
    edited(admin_wire, sample, {"op": "set_geometry", "annotation": 2, "geometry": GEOMETRIES["a polygon with a hole"]})
    redrawn = vector_label(
        bbox(1, attributes={"colour": "red"}),
        {"id": 2, "category_id": 2, "type": "polygon", "points": FAR},
        {"id": 3, "category_id": 7, "type": "point", "points": [[5.0, 5.0]]},
    )
    answer = admin_wire.send("PUT", label_path(sample.uuid), {"attributes": redrawn})
    assert answer.headers["Label-Lost"] == "2:holes"
    assert "geometry" not in objects_of(admin_wire, sample)[2]


def test_many_edits_in_one_list_are_taken(sample: Sample, admin_wire: Wire) -> None:
    add = {"op": "add", "category_id": 1, "geometry": GEOMETRIES["a point"]}
    said = edited(admin_wire, sample, *[add] * 500)
    assert [result["id"] for result in said["edits"]] == list(range(4, 504))
    assert len(objects_of(admin_wire, sample)) == 503
