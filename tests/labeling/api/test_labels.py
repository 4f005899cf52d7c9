"""Labels over the API: the protocol's shapes, the headers of versions and offsets, and edits."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling.commands import people
from labeling.commands.datasets import add_member
from labeling.log.verify import verify_log
from labeling.models import Person

JSON = dict[str, Any]
BOX = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}
FOUND = {"type": "bbox", "points": [[1, 2], [3, 4]]}
HOLED = {"type": "polygon", "parts": [[[[0, 0], [9, 0], [9, 9]], [[1, 1], [2, 1], [2, 2]]]]}
PROTOCOL = {
    "sample_uuid", "label_type", "label_status", "labelset", "attributes", "created_at", "created_by", "updated_at",
    "updated_by", "score", "rating", "reviewed_at", "reviewed_by",
}  # fmt: skip


def document(*objects: JSON, **scene: Any) -> JSON:
    return {"attributes": {"annotations": list(objects)} | scene}


# --- the protocol --------------------------------------------------------------------------------------------------


def test_a_label_is_put_and_read_in_the_protocols_shape(street):
    put = street.ana.put(f"{street.label}/", document(BOX, image_attributes={"a": 1}) | {"score": 0.5})
    assert put.status == 201
    assert set(put.json) == PROTOCOL
    assert put.json["attributes"]["annotations"][0] == BOX | {"uuid": put.json["attributes"]["annotations"][0]["uuid"]}
    assert put.json["attributes"]["image_attributes"] == {"a": 1}
    name = street.ana.person.username
    said = {
        key: put.json[key] for key in ("label_type", "label_status", "labelset", "created_by", "updated_by", "score")
    }
    assert said == {
        "label_type": "vector", "label_status": "PRELABELED", "labelset": "ground-truth", "created_by": name,
        "updated_by": name, "score": 0.5,
    }  # fmt: skip
    assert put.json["sample_uuid"] == str(street.sample)
    read = street.ana.get(f"{street.label}/")
    assert (read.status, read.json) == (200, put.json)


def test_every_read_and_write_says_version_and_offset(street):
    put = street.ana.put(f"{street.label}/", document(BOX))
    assert (put.headers["ETag"], put.headers["Dataset-Offset"]) == ('"1"', str(street.head))
    edited = street.edit({"op": "set_category", "annotation": 1, "category_id": 2})
    assert (edited.headers["ETag"], edited.headers["Dataset-Offset"]) == ('"2"', str(street.head))
    patched = street.ana.patch(f"{street.label}/", {"label_status": "REVIEWED"})
    assert (patched.headers["ETag"], patched.headers["Dataset-Offset"]) == ('"3"', str(street.head))
    read = street.ana.get(f"{street.label}/")
    assert (read.headers["ETag"], read.headers["Dataset-Offset"]) == ('"3"', str(street.head))
    gone = street.ana.delete(f"{street.label}/")
    assert (gone.status, gone.raw, gone.headers["Dataset-Offset"]) == (204, b"", str(street.head))


def test_an_identical_put_answers_the_same_and_appends_nothing(street):
    first = street.ana.put(f"{street.label}/", document(BOX))
    head = street.head
    again = street.ana.put(f"{street.label}/", document(BOX))
    assert (again.status, again.json, street.head) == (200, first.json, head)


@pytest.mark.parametrize("slash", ["/", ""])
def test_a_label_that_is_not_there_is_not_found(street, slash):
    for answer in (
        street.ana.get(f"{street.label}{slash}"),
        street.ana.patch(f"{street.label}{slash}", {"label_status": "LABELED"}),
        street.ana.patch(f"{street.label}{slash}", document(BOX)),
        street.ana.delete(f"{street.label}{slash}"),
        street.ana.get(f"/labels/{uuid.uuid4()}/ground-truth{slash}"),
        street.ana.get(f"/labels/{street.sample}/nothing{slash}"),
        street.ana.put(f"/labels/{street.sample}/nothing{slash}", document(BOX)),
        street.ana.get(f"/labels/not-a-uuid/ground-truth{slash}"),
    ):
        assert (answer.status, answer.json) == (404, {"detail": "Not found.", "code": "not_found"})


def test_a_patch_changes_what_it_names(street):
    street.ana.put(f"{street.label}/", document(BOX) | {"score": 0.5, "label_status": "LABELED"})
    assert street.ana.patch(f"{street.label}/", {}).headers["ETag"] == '"1"'
    assert street.ana.patch(f"{street.label}/", {"label_status": None}).headers["ETag"] == '"1"'
    assert street.ana.patch(f"{street.label}/", {"score": None}).json["score"] is None
    changed = street.ana.patch(f"{street.label}/", document(BOX | {"category_id": 2}))
    assert changed.json["label_status"] == "LABELED"
    assert changed.json["attributes"]["annotations"][0]["category_id"] == 2


@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "attributes"),
        ({"attributes": None}, "attributes"),
        ({"attributes": []}, "attributes"),
        ({"attributes": {}}, "attributes.annotations"),
        (document(BOX) | {"label_status": "UNLABELED"}, "label_status"),
        (document(BOX) | {"label_status": 5}, "label_status"),
        (document(BOX) | {"score": "1"}, "score"),
        (document(BOX) | {"score": True}, "score"),
        (document(BOX, BOX), "attributes.annotations[1].id"),
        (document(BOX | {"geometry": {"type": "blob"}}), "attributes.annotations[0].geometry.type"),
    ],
)
def test_a_label_that_does_not_fit_is_refused_by_its_field(street, body, field):
    answer = street.ana.put(f"{street.label}/", body)
    assert (answer.status, answer.json["field"]) == (400, field)
    assert street.ana.get(f"{street.label}/").status == 404


def test_what_a_save_lost_and_superseded_is_named(street):
    street.edit({"op": "add", "geometry": HOLED}, {"op": "add", "geometry": FOUND}, by=street.ben)
    answer = street.ana.put(f"{street.label}/", document(BOX), Idempotency_Key="k")
    assert (answer.headers["Label-Lost"], answer.headers["Label-Superseded"]) == ("1:holes", "2")
    again = street.ana.put(f"{street.label}/", document(BOX), Idempotency_Key="k")
    assert (again.headers["Label-Lost"], again.headers["Label-Superseded"]) == ("1:holes", "2")
    assert "Label-Lost" not in street.ana.put(f"{street.label}/", document(BOX)).headers


# --- versions ------------------------------------------------------------------------------------------------------


def test_a_conflict_links_to_the_missed_events_and_echoes_nothing(street):
    street.ana.put(f"{street.label}/", document(BOX, **{"does not exist": 1}))
    street.edit({"op": "set_scene_attributes", "attributes": {"does not exist": "already exists"}})
    sent = document(BOX, **{"does not exist": 3})
    answer = street.ben.put(f"{street.label}/", sent, If_Match='"1"')
    assert answer.status == 409
    assert answer.json | {"detail": ""} == {
        "detail": "",
        "code": "conflict",
        "touched": ["scene"],
        "missed": f"{street.label}/events/?after_version=1",
    }
    assert not any(words in answer.raw.decode().lower() for words in ("does not exist", "already exists", "not found"))
    missed = street.ben.get(answer.json["missed"])
    assert [event["type"] for event in missed.json] == ["SceneAttributesSet"]


@pytest.mark.parametrize(
    "etag, status",
    [
        ('"1"', 200), (' "1" ', 200), ("*", 200), ('"9"', 412), ('"0"', 409), ("1", 400), ('W/"1"', 400), ('"01"', 400),
        ('"1", "2"', 400), ("", 400), ('""', 400), ('"-1"', 400), ('"' + "9" * 19 + '"', 400), ('"x"', 400),
    ],
)  # fmt: skip
def test_if_match(street, etag, status):
    street.ana.put(f"{street.label}/", document(BOX))
    answer = street.ana.put(f"{street.label}/", document(BOX | {"category_id": 2}), If_Match=etag)
    assert answer.status == status
    assert street.edit({"op": "set_score", "annotation": 1, "score": 1}, If_Match='"99"').status == 412


def test_if_match_on_a_label_that_is_not_there(street):
    assert street.ana.put(f"{street.label}/", document(BOX), If_Match='"1"').status == 412
    assert street.ana.put(f"{street.label}/", document(BOX), If_Match="*").status == 412
    assert street.ana.patch(f"{street.label}/", document(BOX), If_Match='"1"').status == 412
    assert street.ana.delete(f"{street.label}/", If_Match='"1"').status in (404, 412)
    assert street.ana.get(f"{street.label}/").status == 404


def test_if_none_match(street):
    assert street.ana.put(f"{street.label}/", document(BOX), If_None_Match="*").status == 201
    assert street.ana.put(f"{street.label}/", document(BOX), If_None_Match="*").status == 412
    assert street.ana.put(f"{street.label}/", document(BOX), If_None_Match='"1"').json["field"] == "If-None-Match"


# --- edits ---------------------------------------------------------------------------------------------------------


def test_edits_are_answered_one_by_one(street):
    answer = street.edit({"op": "add", "category_id": 1, "geometry": FOUND}, {"op": "set_score", "score": 0.5})
    assert answer.status == 200
    added, scored = answer.json["edits"]
    assert added == {"changed": True, "annotation": added["annotation"], "id": 1} and scored == {"changed": True}
    assert {key: value for key, value in answer.json.items() if key != "edits"} == {
        "version": 3, "offset": street.head, "label_status": "LABELING_IN_PROGRESS", "rebased": False,
    }  # fmt: skip
    assert uuid.UUID(added["annotation"]).version == 4


def test_an_edit_that_is_rebased_says_so(street):
    street.ana.put(f"{street.label}/", document(BOX, BOX | {"id": 2}))
    street.edit({"op": "set_category", "annotation": 1, "category_id": 2})
    answer = street.edit({"op": "remove", "annotation": 2}, by=street.ben, If_Match='"1"')
    assert (answer.status, answer.json["rebased"], answer.json["version"]) == (200, True, 3)


@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "edits"),
        ({"edits": None}, "edits"),
        ({"edits": []}, "edits"),
        ({"edits": [{"op": "burn"}]}, "edits[0].op"),
        ({"edits": [], "why": "x"}, "body"),
        ({"edits": [{"op": "remove", "annotation": 1}], "gesture": "x"}, "gesture"),
        ({"edits": [{"op": "remove", "annotation": 1}], "gesture": 5}, "gesture"),
        ({"edits": [{"op": "remove", "annotation": 1}], "work_session": []}, "work_session"),
        ({"edits": [{"op": "remove", "annotation": 1}], "reason": 5}, "reason"),
        ({"edits": [{"op": "remove", "annotation": 1}], "reason": "x" * 10_001}, "reason"),
        ({"edits": [{"op": "remove", "annotation": 1}], "tool": "x" * 101}, "tool"),
        ({"edits": [{"op": "remove", "annotation": 1}], "seen_offset": -1}, "seen_offset"),
        ({"edits": [{"op": "remove", "annotation": 1}], "seen_offset": "1"}, "seen_offset"),
        ({"edits": [{"op": "remove", "annotation": 1}], "occurred_at": "soon"}, "occurred_at"),
        ({"edits": [{"op": "remove", "annotation": 1}], "occurred_at": 5}, "occurred_at"),
        ({"edits": [{"op": "remove", "annotation": 1}], "occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
        ({"edits": [{"op": "remove", "annotation": 1}], "occurred_at": "9999-12-31T23:59:59.999999Z"}, "occurred_at"),
    ],
)
def test_edits_that_do_not_fit_are_refused_by_their_field(street, body, field):
    street.ana.put(f"{street.label}/", document(BOX))
    head = street.head
    answer = street.ana.post(street.edits, body)
    assert (answer.status, answer.json["field"], street.head) == (400, field, head)


def test_what_edits_say_of_themselves_is_in_their_events(street):
    gesture, session = str(uuid.uuid4()), str(uuid.uuid4())
    said = {
        "gesture": gesture, "work_session": session, "reason": "the driver is hidden", "tool": "wand", "seen_offset": 2,
        "occurred_at": "2026-03-01T12:00:00.123456+02:00",
    }  # fmt: skip
    street.ana.post(street.edits, {"edits": [{"op": "add", "geometry": FOUND}]} | said)
    event = street.ana.get(f"{street.label}/events/").json[0]
    assert {key: event[key] for key in said} == said | {"occurred_at": "2026-03-01T10:00:00.123456+00:00"}
    assert (event["author"], event["author_kind"]) == (street.ana.person.username, "person")
    assert event["command"] and len(event["chain"]) == 64 and event["stream"].startswith("label/")


def test_times_of_a_client_are_stored_to_the_microsecond(street):
    for year in (1900, 2199):
        when = f"{year}-12-31T23:59:59.999999+00:00"
        street.ana.post(street.edits, {"edits": [{"op": "add", "geometry": FOUND}], "occurred_at": when})
        assert street.ana.get(f"{street.label}/events/").json[-1]["occurred_at"] == when
    assert verify_log(street.id) == []


def test_labels_of_other_task_types_cannot_be_edited_one_by_one(make_street):
    street = make_street("pointcloud-cuboid")
    answer = street.edit({"op": "add", "geometry": FOUND})
    assert (answer.status, answer.json["code"]) == (409, "refused")


def test_a_patch_of_a_bitmap_answers_its_hash(make_street):
    street = make_street("segmentation-bitmap")
    part = {"id": 1, "rle": {"size": [2, 2], "counts": [0, 4]}}
    answer = street.edit({"op": "add"}, {"op": "patch_bitmap", "base_hash": None, "set": [part]})
    assert len(answer.json["mask_hash"]) == 64
    shown = street.ana.get(f"{street.label}/").json["attributes"]["segmentation_bitmap"]
    assert (shown["hash"], shown["size_wh"]) == (answer.json["mask_hash"], [2, 2])
    assert street.ana.put(f"{street.label}/", document({"id": 1, "category_id": 0})).status == 200
    stale = street.edit({"op": "patch_bitmap", "base_hash": None, "set": [part]})
    assert (stale.status, stale.json["code"], stale.json["field"]) == (409, "stale_bitmap", "edits[0].base_hash")


# --- retries -------------------------------------------------------------------------------------------------------


def test_a_retry_gets_the_same_bytes(street):
    body = {"edits": [{"op": "add", "geometry": FOUND}], "reason": "why"}
    first = street.ana.post(street.edits, body, Idempotency_Key="one")
    street.edit({"op": "remove", "annotation": 1}, by=street.ben)
    again = street.ana.post(street.edits, body, Idempotency_Key="one")
    assert (again.status, again.json, again.headers["ETag"]) == (first.status, first.json, first.headers["ETag"])
    assert again.headers["Dataset-Offset"] == first.headers["Dataset-Offset"]
    assert street.ben.post(street.edits, body, Idempotency_Key="one").json["edits"][0]["id"] == 2, "Ben's key is Ben's"


def test_a_retried_creation_is_created_again(street):
    answers = [street.ana.put(f"{street.label}/", document(BOX), Idempotency_Key="k") for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 201] and answers[0].json == answers[1].json


def test_the_same_key_for_another_request_is_refused(street):
    street.ana.put(f"{street.label}/", document(BOX), Idempotency_Key="k")
    for answer in (
        street.ana.put(f"{street.label}/", document(), Idempotency_Key="k"),
        street.ana.put(f"{street.label}/", document(BOX), Idempotency_Key="k", If_Match='"1"'),
        street.ana.patch(f"{street.label}/", document(BOX), Idempotency_Key="k"),
        street.edit({"op": "remove", "annotation": 1}, Idempotency_Key="k"),
    ):
        assert (answer.status, answer.json["code"]) == (422, "idempotency_key_reused")
    assert street.ana.get(f"{street.label}/").headers["ETag"] == '"1"'


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\tb"])
def test_a_key_that_does_not_fit_is_refused(street, key):
    answer = street.ana.put(f"{street.label}/", document(BOX), Idempotency_Key=key)
    assert (answer.status, answer.json["field"]) == (400, "Idempotency-Key")


# --- who may -------------------------------------------------------------------------------------------------------


def every_write(street: Any, by: Any) -> list[Any]:
    return [
        by.put(f"{street.label}/", document(BOX)),
        by.patch(f"{street.label}/", {"label_status": "LABELED"}),
        by.delete(f"{street.label}/"),
        street.edit({"op": "remove", "annotation": 1}, by=by),
    ]


@pytest.mark.parametrize("public", [True, False])
def test_strangers_find_nothing_or_may_only_read(make_street, caller, public):
    street = make_street(public=public)
    street.ana.put(f"{street.label}/", document(BOX))
    stranger, head = caller("stranger"), street.head
    assert stranger.get(f"{street.label}/").status == (200 if public else 404)
    for answer in every_write(street, stranger):
        assert (answer.status, answer.detail.split(".")[0]) == (
            (403, "You do not have permission to perform this action") if public else (404, "Not found")
        )
    assert street.head == head


def test_what_is_hidden_looks_as_what_is_not_there(street, caller):
    stranger = caller("stranger")
    hidden = [stranger.get(street.path), stranger.get(f"/samples/{street.sample}/"), stranger.get(f"{street.label}/")]
    hidden += [stranger.get(f"/labels/{street.sample}/nothing/"), stranger.get(f"{street.path}/events/")]
    nowhere = [stranger.get("/datasets/no/thing"), stranger.get(f"/samples/{uuid.uuid4()}/")]
    nowhere += [stranger.get(f"/labels/{uuid.uuid4()}/ground-truth/"), stranger.get("/datasets/no/thing/events/")]
    assert len({(answer.status, answer.raw) for answer in hidden + nowhere}) == 1


def test_a_viewer_reads_and_does_not_label(street, caller, intent):
    viewer = caller("viewer")
    street.ana.put(f"{street.label}/", document(BOX))
    add_member(intent=intent(street.ana.person), dataset=street.id, person=viewer.person.id, role="viewer")
    assert viewer.get(f"{street.label}/").status == 200
    assert [answer.status for answer in every_write(street, viewer)] == [403] * 4


def test_a_person_is_shown_by_the_name_of_today(street):
    street.ana.put(f"{street.label}/", document(BOX))
    ana = Person.objects.get(id=street.ana.person.id)
    people.change_person(intent=people.operator("test"), person=ana, fields={"username": "another-name"})
    assert street.ben.get(f"{street.label}/").json["created_by"] == "another-name"


def test_a_verbatim_label_comes_back_as_it_was_sent(make_street):
    street = make_street("pointcloud-cuboid-sequence")
    raw = b'{"attributes": {"frames": [{"timestamp": 1700000000000000001, "annotations": [], "x": 1e300, "y": -0.0}]}}'
    assert street.ana.put(f"{street.label}/", raw=raw).status == 201
    (frame,) = street.ana.get(f"{street.label}/").json["attributes"]["frames"]
    assert frame == {"timestamp": 1700000000000000001, "annotations": [], "x": 1e300, "y": 0}
    assert street.ana.put(f"{street.label}/", raw=raw).headers["ETag"] == '"2"'
