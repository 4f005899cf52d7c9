"""Save, edit and delete labels: what is stored, what others lose or keep, and what is refused."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling import events as e
from labeling.commands import datasets, labels, samples
from labeling.commands.labels import Seen
from labeling.errors import (
    AnnotationNotFound,
    Conflict,
    IdempotencyKeyReused,
    InvalidValue,
    NotFound,
    NotPermitted,
    Refused,
    VersionUnknown,
)
from labeling.log import store
from labeling.log.values import BadValue
from labeling.models import Annotation, Label
from labeling.queries import labels as queries
from labeling.rules import documents
from tests.support.labels import HOLED, KEYPOINTS, ORIENTATION

JSON = dict[str, Any]
FOUND = {"type": "bbox", "points": [[1, 2], [3, 4]]}


def box(number: int, x: float = 1, **fields: Any) -> JSON:
    return {"id": number, "category_id": 1, "type": "bbox", "points": [[x, 2], [x + 2, 4]]} | fields


def boxes(*numbers: int, **scene: Any) -> JSON:
    return {"annotations": [box(number) for number in numbers]} | scene


# --- the first upload ----------------------------------------------------------------------------------------------


def test_the_first_upload_is_one_event(desk):
    saved = desk.save(boxes(1, 2, image_attributes={"a": 1}), status="LABELED", score=0.5)
    assert (saved.created, saved.state.version, saved.offset) == (True, 1, desk.head)
    assert desk.names() == ["LabelImported"]
    assert (desk.state.status, desk.state.score, desk.state.scene) == ("LABELED", 0.5, {"image_attributes": {"a": 1}})
    assert [item["id"] for item in desk.document["annotations"]] == [1, 2]


def test_without_a_status_an_upload_is_prelabeled(desk):
    assert desk.save(boxes()).state.status == "PRELABELED"


def test_a_huge_upload_is_several_events_and_one_label(desk, monkeypatch):
    monkeypatch.setattr(documents, "PART_BYTES", 1000)
    saved = desk.save(boxes(*range(1, 41)))
    assert set(desk.names()) == {"LabelImported"} and 3 < saved.state.version == len(desk.events())
    assert [item["id"] for item in desk.document["annotations"]] == list(range(1, 41))
    assert Annotation.objects.filter(dataset_id=desk.dataset).count() == 40
    assert desk.save(desk.document).state.version == saved.state.version


@pytest.mark.parametrize("status", ["UNLABELED", "labeled", ""])
def test_a_status_that_no_label_has_is_refused(desk, status):
    with pytest.raises(InvalidValue) as caught:
        desk.save(boxes(), status=status)
    assert caught.value.field == "label_status"
    assert desk.names() == []


def test_a_change_of_a_label_that_is_not_there_finds_nothing(desk):
    with pytest.raises(NotFound):
        desk.save(boxes(1), create=False)
    with pytest.raises(NotFound):
        desk.save(None, status="LABELED")
    assert desk.names() == []


# --- later saves ---------------------------------------------------------------------------------------------------


def test_the_same_document_again_appends_nothing(desk):
    desk.save(boxes(1, 2, a=1), status="LABELED", score=1)
    head = desk.head
    for document in (boxes(1, 2, a=1), desk.document, {"annotations": desk.document["annotations"], "a": 1.0}):
        saved = desk.save(document, status="LABELED", score=1.0, set_score=True)
        assert (saved.state.version, saved.offset, saved.created) == (1, head, False)
    assert desk.head == head


def test_a_later_save_is_the_events_of_what_changed(desk):
    desk.save(boxes(1, 2, 3, a=1))
    desk.save({"annotations": [box(1, 5), box(3), box(4)], "b": 2})
    assert desk.names(1) == ["AnnotationRemoved", "AnnotationGeometrySet", "AnnotationAdded", "SceneAttributesSet"]
    versions = {item["id"]: item["version"] for item in desk.state.annotations.values()}
    assert versions == {1: 3, 3: 1, 4: 4}


def test_a_status_or_a_score_alone_leaves_the_document(desk):
    desk.save(boxes(1))
    desk.save(None, create=False, status="REVIEWED")
    desk.save(None, create=False, score=0.25, set_score=True)
    assert desk.facts(1) == [
        e.LabelStatusChanged(before="PRELABELED", after="REVIEWED", verb="upload"),
        e.LabelScoreSet(score=0.25),
    ]
    desk.save(None, create=False, set_score=True)
    assert desk.state.score is None
    assert len(desk.document["annotations"]) == 1


def test_what_the_protocol_cannot_say_is_kept_where_the_rest_is_equal(desk):
    desk.edit(
        {"op": "add", "category_id": 1, "geometry": HOLED, "keypoints": KEYPOINTS},
        {"op": "add", "geometry": {"type": "orientation"}, "orientation": ORIENTATION},
        {"op": "assign_classification", "category_id": 2},
    )
    version = desk.version
    polygon = {"id": 1, "category_id": 1, "type": "polygon", "points": HOLED["parts"][0][0]}
    saved = desk.save({"annotations": [polygon]})
    assert (saved.state.version, saved.lost) == (version, [])
    saved = desk.save({"annotations": [polygon | {"category_id": 3}]})
    assert (desk.names(version), saved.lost) == (["AnnotationCategorySet"], [])
    held = {item["id"]: item for item in desk.state.annotations.values()}
    assert held[1]["geometry"] == HOLED and held[1]["keypoints"] == KEYPOINTS
    assert held[2]["orientation"] == ORIENTATION and desk.state.classifications == [2]


def test_what_a_new_shape_loses_is_told(desk):
    desk.edit({"op": "add", "category_id": 1, "geometry": HOLED, "keypoints": KEYPOINTS})
    saved = desk.save(boxes(1))
    assert saved.lost == ["1:parts+holes+keypoints"]


def test_what_a_save_removes_of_others_is_told_and_can_be_read_from_the_log(desk):
    desk.save(boxes(1, 2), by=desk.ben)
    desk.edit({"op": "set_category", "annotation": 2, "category_id": 2}, by=desk.ana)
    saved = desk.save(boxes(), by=desk.ana)
    assert saved.superseded == ["1"], "the last one who changed the other was Ana herself"
    assert desk.names(2) == ["AnnotationRemoved", "AnnotationRemoved"]
    assert len(queries.label_at_version(desk.dataset, desk.state.stream, 2).annotations) == 2


def test_who_saw_the_version_supersedes_nobody(desk):
    desk.save(boxes(1), by=desk.ben)
    assert desk.save(boxes(), by=desk.ana, version=1).superseded == []


def test_a_document_that_does_not_fit_stores_nothing(desk):
    desk.save(boxes(1))
    head = desk.head
    with pytest.raises(InvalidValue):
        desk.save({"annotations": [box(1), box(1)]})
    with pytest.raises(BadValue):
        desk.save({"annotations": [{"id": 1, "category_id": 1, "geometry": {"type": "blob"}}]})
    assert desk.head == head


# --- edits ---------------------------------------------------------------------------------------------------------


def test_edits_are_one_command_with_one_time_and_their_reason(desk):
    gesture = uuid.uuid4()
    meant = desk.intent(desk.ben, correlation=gesture, tool="wand")
    saved = desk.edit(
        {"op": "add", "category_id": 1, "geometry": FOUND},
        {"op": "add", "category_id": 2, "geometry": FOUND},
        {"op": "set_order", "annotation": 1, "to": "front"},
        intent=meant,
    )
    events = desk.events()
    assert [event.type for event in events] == [
        "AnnotationAdded", "AnnotationAdded", "AnnotationOrderChanged", "LabelStatusChanged",
    ]  # fmt: skip
    assert {(event.intent.command, event.intent.correlation, event.intent.tool) for event in events} == {
        (meant.command, gesture, "wand")
    }
    assert len({event.recorded_at for event in events}) == 1
    assert [result["id"] for result in saved.results] == [1, 2, 1]
    assert saved.state.updated_at == events[0].recorded_at == desk.state.updated_at
    assert saved.created and desk.state.status == "LABELING_IN_PROGRESS"


def test_a_status_of_its_own_takes_the_place_of_the_first_one(desk):
    desk.edit({"op": "add", "geometry": FOUND}, {"op": "set_status", "verb": "submit"})
    assert desk.names() == ["AnnotationAdded", "LabelStatusChanged"]
    assert desk.state.status == "LABELED"


def test_edits_that_change_nothing_append_nothing(desk):
    desk.save(boxes(1))
    head = desk.head
    saved = desk.edit({"op": "set_category", "annotation": 1, "category_id": 1})
    assert (saved.results[0]["changed"], saved.state.version, saved.offset, desk.head) == (False, 1, head, head)


def test_edits_that_do_nothing_make_no_label(desk):
    desk.edit({"op": "set_scene_attributes", "attributes": {}})
    assert desk.names() == [] and not Label.objects.filter(dataset_id=desk.dataset).exists()


def test_one_bad_edit_refuses_them_all(desk):
    desk.save(boxes(1))
    head = desk.head
    with pytest.raises(AnnotationNotFound) as caught:
        desk.edit({"op": "set_category", "annotation": 1, "category_id": 2}, {"op": "remove", "annotation": 9})
    assert caught.value.field == "edits[1].annotation"
    assert desk.head == head


def test_an_edit_loads_and_writes_only_the_rows_that_it_touches(desk):
    desk.save(boxes(*range(1, 30)))
    found = queries.find_label(desk.sample, "ground-truth", person=desk.ana.id, ids=[7], uuids=[])
    assert [item["id"] for item in found.state.annotations.values()] == [7] and not found.state.complete
    desk.edit({"op": "set_category", "annotation": 7, "category_id": 3})
    assert Annotation.objects.filter(dataset_id=desk.dataset, version=2).count() == 1
    assert len(desk.document["annotations"]) == 29


def test_an_object_can_change_places_with_a_new_one_of_its_id(desk):
    desk.save(boxes(1))
    desk.edit({"op": "remove", "annotation": 1}, {"op": "add", "id": 1, "geometry": FOUND})
    assert desk.names(1) == ["AnnotationRemoved", "AnnotationAdded"]
    (item,) = desk.state.annotations.values()
    assert item["id"] == 1


def test_a_uuid_is_of_one_object_in_all_labels(desk, sample):
    taken = desk.edit({"op": "add", "geometry": FOUND}).results[0]["annotation"]
    desk.sample = sample(desk.dataset, desk.ana)
    with pytest.raises(InvalidValue) as caught:
        desk.edit({"op": "add", "geometry": FOUND, "uuid": taken})
    assert caught.value.field == "uuid"
    assert desk.names() == []


def test_a_uuid_is_never_used_again_in_its_label(desk):
    """Not after its object was removed, alone or with the label, however it came, and not in the same list of edits."""
    key = str(uuid.uuid4())
    desk.save(boxes(1, 2))
    kept, imported = (item["uuid"] for item in desk.document["annotations"])
    desk.edit({"op": "add", "geometry": FOUND, "uuid": key}, {"op": "remove", "annotation": 2})
    desk.edit({"op": "remove", "annotation": key})

    def refused(*keys: str) -> None:
        for taken in keys:
            with pytest.raises(InvalidValue) as caught:
                desk.edit({"op": "add", "geometry": FOUND, "uuid": taken.upper()})
            assert caught.value.field == "edits[0].uuid"

    refused(key, imported, kept)
    desk.delete()
    desk.save(boxes(1))
    refused(key, imported, kept)
    add = {"op": "add", "geometry": FOUND, "uuid": str(uuid.uuid4())}
    with pytest.raises(InvalidValue) as caught:
        desk.edit(add, {"op": "remove", "annotation": add["uuid"]}, add)
    assert caught.value.field == "edits[2].uuid"
    desk.edit({"op": "add", "geometry": FOUND, "uuid": str(uuid.uuid4())})


def test_labels_of_other_task_types_are_set_by_whole_documents(make_desk):
    desk = make_desk("pointcloud-cuboid")
    with pytest.raises(Refused, match="whole documents"):
        desk.edit({"op": "add", "geometry": FOUND})


def test_a_verbatim_label_is_one_event_a_save(make_desk):
    desk = make_desk("pointcloud-cuboid")
    document: JSON = {"annotations": [], "odd": None}
    desk.save(document, score=0.5, set_score=True)
    desk.save({"annotations": [], "odd": None}, score=0.5, set_score=True)
    assert desk.names() == ["LabelDocumentSet", "LabelStatusChanged", "LabelScoreSet"]
    desk.save({"annotations": []})
    assert desk.names(3) == ["LabelDocumentSet"]
    with pytest.raises(Conflict):
        desk.save(document | {"x": 1}, version=3, by=desk.ben)


# --- who may -------------------------------------------------------------------------------------------------------


def test_only_members_with_a_role_that_labels_may_write(desk, person, intent):
    viewer, stranger = person("viewer"), person("stranger")
    datasets.add_member(intent=intent(desk.ana), dataset=desk.dataset, person=viewer.id, role="viewer")
    for write in (lambda by: desk.save(boxes(1), by=by), lambda by: desk.edit({"op": "add"}, by=by)):
        with pytest.raises(NotFound):
            write(stranger)
        with pytest.raises(NotPermitted):
            write(viewer)
    desk.save(boxes(1))
    with pytest.raises(NotFound):
        desk.delete(by=stranger)
    with pytest.raises(NotPermitted):
        desk.delete(by=viewer)


def test_who_lost_membership_may_write_no_more(desk, intent):
    desk.save(boxes(1), by=desk.ben)
    datasets.remove_member(intent=intent(desk.ana), dataset=desk.dataset, person=desk.ben.id)
    with pytest.raises(NotFound):
        desk.save(boxes(2), by=desk.ben)
    assert desk.save(boxes(2)).superseded == ["1"], "what they did stays theirs"


@pytest.mark.parametrize("gone", ["sample", "label set", "dataset"])
def test_what_is_gone_takes_no_label(desk, intent, gone):
    desk.save(boxes(1))
    if gone == "sample":
        samples.archive_sample(intent=intent(desk.ana), sample=desk.sample)
    elif gone == "dataset":
        datasets.delete_dataset(intent=intent(desk.ana), dataset=desk.dataset)
    name = "nothing" if gone == "label set" else "ground-truth"
    with pytest.raises(NotFound):
        labels.save_label(intent=intent(desk.ana), sample=desk.sample, label_set=name, document=boxes(2), create=True)


def test_a_label_set_of_its_own_has_labels_of_its_own(desk, intent):
    datasets.add_label_set(intent=intent(desk.ana), dataset=desk.dataset, name="model")
    desk.save(boxes(1))
    labels.save_label(intent=intent(desk.ana), sample=desk.sample, label_set="model", document=boxes(2), create=True)
    assert [item["id"] for item in desk.document["annotations"]] == [1]


# --- deleted and made again ----------------------------------------------------------------------------------------


def test_a_deleted_label_can_be_made_again_and_its_stream_goes_on_counting(desk):
    desk.save(boxes(1, 2), status="REVIEWED", score=1.0, by=desk.ben)
    desk.delete()
    assert not desk.state.exists and not Annotation.objects.filter(dataset_id=desk.dataset).exists()
    with pytest.raises(NotFound):
        desk.delete()
    saved = desk.save(boxes(1))
    assert (saved.created, saved.state.version, saved.state.created_by) == (True, 3, desk.ana.id)
    assert desk.names() == ["LabelImported", "LabelDeleted", "LabelImported"]
    assert desk.edit({"op": "add", "geometry": FOUND}).results[0]["id"] == 3, "2 was used before"
    assert desk.state.score is None


def test_a_label_is_back_where_it_was_at_each_offset(desk):
    shown = []
    for step in (
        lambda: desk.save(boxes(1, 2, a=1)),
        lambda: desk.edit({"op": "remove", "annotation": 1}, {"op": "set_score", "score": 0.5}),
        lambda: desk.delete(),
        lambda: desk.save(boxes(7)),
    ):
        shown.append((step().offset, desk.state))
    for offset, state in shown:
        assert queries.label_at(desk.dataset, state.stream, offset) == state


# --- retries -------------------------------------------------------------------------------------------------------


def named(desk, by=None, content=b"1", **fields):
    return desk.intent(by or desk.ana, command=uuid.uuid5(uuid.NAMESPACE_OID, "key"), request_hash=content * 32)


def test_a_retry_gets_the_same_answer_and_stores_nothing(desk):
    first = desk.edit({"op": "add", "geometry": FOUND}, intent=named(desk))
    desk.edit({"op": "remove", "annotation": 1}, by=desk.ben)
    head = desk.head
    again = desk.edit({"op": "add", "geometry": FOUND}, intent=named(desk))
    assert (again.results, again.offset) == (first.results, first.offset)
    assert (again.state.version, again.state.updated_at) == (first.state.version, first.state.updated_at)
    assert again.replayed and again.created and desk.head == head


def test_a_retried_save_tells_again_what_it_lost_and_superseded(desk):
    desk.edit({"op": "add", "geometry": HOLED}, {"op": "add", "geometry": FOUND}, by=desk.ben)
    first = desk.save(boxes(1), intent=named(desk))
    assert (first.lost, first.superseded) == (["1:parts+holes"], ["2"])
    again = desk.save(boxes(1), intent=named(desk))
    assert (again.lost, again.superseded, again.replayed) == (first.lost, first.superseded, True)
    assert (again.state.version, again.offset) == (first.state.version, first.offset)


def test_a_retried_delete_is_no_error(desk):
    desk.save(boxes(1))
    first = desk.delete(intent=named(desk))
    assert desk.delete(intent=named(desk)).offset == first.offset
    desk.save(boxes(2))
    desk.delete(intent=named(desk))
    assert desk.state.exists, "what came after stays"


def test_a_command_that_changed_nothing_is_remembered_too(desk):
    desk.save(boxes(1))
    desk.save(boxes(1), intent=named(desk))
    desk.save(boxes(2))
    again = desk.save(boxes(1), intent=named(desk))
    assert again.replayed and [item["id"] for item in again.state.annotations.values()] == [1]
    assert [item["id"] for item in desk.state.annotations.values()] == [2]


def test_the_same_key_with_another_request_is_refused(desk):
    desk.save(boxes(1), intent=named(desk))
    with pytest.raises(IdempotencyKeyReused):
        desk.save(boxes(2), intent=named(desk, content=b"2"))
    with pytest.raises(IdempotencyKeyReused):
        desk.edit({"op": "add", "geometry": FOUND}, intent=named(desk, content=b"2"))
    assert desk.version == 1


def test_a_twin_that_was_faster_gives_its_answer(desk, monkeypatch):
    """Both find that nobody came before; the second sees it under the lock only."""
    append, missed = store.append, [True]

    def late(log, **keywords):
        if missed:
            missed.clear()
            desk.edit({"op": "add", "geometry": FOUND}, intent=named(desk))
        return append(log, **keywords)

    monkeypatch.setattr(store, "append", late)
    saved = desk.edit({"op": "add", "geometry": FOUND}, intent=named(desk))
    assert saved.replayed and desk.names() == ["AnnotationAdded", "LabelStatusChanged"]


def test_who_was_slower_decides_again_on_the_newer_label(desk, monkeypatch):
    desk.save(boxes(1))
    append, missed = store.append, [True]

    def late(log, **keywords):
        if missed:
            missed.clear()
            desk.edit({"op": "add", "geometry": FOUND}, by=desk.ben)
        return append(log, **keywords)

    monkeypatch.setattr(store, "append", late)
    saved = desk.edit({"op": "add", "geometry": FOUND})
    assert (saved.results[0]["id"], saved.state.version) == (3, 3)
    assert [event.intent.author for event in desk.events(1)] == [desk.ben.id, desk.ana.id]


# --- the version that was seen -------------------------------------------------------------------------------------


def test_a_version_that_the_label_has_not_reached_is_unknown(desk):
    desk.save(boxes(1))
    for write in (
        lambda: desk.save(boxes(2), version=2),
        lambda: desk.edit({"op": "remove", "annotation": 1}, version=99),
        lambda: desk.delete(version=2),
    ):
        with pytest.raises(VersionUnknown):
            write()
    assert desk.version == 1


def test_if_none_match_makes_a_label_only_where_there_is_none(desk):
    assert desk.save(boxes(1), seen=Seen(absent=True)).created
    with pytest.raises(VersionUnknown, match="already"):
        desk.save(boxes(2), seen=Seen(absent=True))
    desk.delete()
    assert desk.save(boxes(3), seen=Seen(absent=True)).created


def test_if_match_of_anything_asks_for_a_label(desk):
    with pytest.raises(VersionUnknown, match="no label yet"):
        desk.save(boxes(1), seen=Seen(any_version=True))
    with pytest.raises(VersionUnknown, match="not reached"):
        desk.save(boxes(1), version=1)
    assert desk.names() == []
    desk.save(boxes(1), version=0)
    assert desk.save(boxes(2), seen=Seen(any_version=True)).state.version == 3
