"""Events over the API: of a dataset and of a label, filtered, page by page, each with all that is known of it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling import texts
from labeling.log import store
from labeling.models import Person

JSON = dict[str, Any]
BOX = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}
FOUND = {"type": "bbox", "points": [[1, 2], [3, 4]]}
PROMISED = {
    "offset", "stream", "version", "type", "data", "author", "author_kind", "tool", "reason", "occurred_at",
    "recorded_at", "command", "chain",
}  # fmt: skip


@pytest.fixture
def busy(street):
    """Two labels' worth of events, by two people."""
    street.ana.put(f"{street.label}/", {"attributes": {"annotations": [BOX]}})
    street.edit({"op": "add", "geometry": FOUND}, {"op": "set_score", "score": 0.5}, by=street.ben)
    street.edit({"op": "remove", "annotation": 1})
    return street


def types(answer: Any) -> list[str]:
    assert answer.status == 200, answer.raw
    return [event["type"] for event in answer.json]


def test_the_log_is_a_bare_list_in_order(busy):
    answer = busy.ana.get(f"{busy.path}/events/")
    assert types(answer) == [
        "DatasetCreated", "LabelSetCreated", "MemberAdded", "MemberAdded", "SampleAdded", "LabelImported",
        "AnnotationAdded", "LabelScoreSet", "AnnotationRemoved",
    ]  # fmt: skip
    assert [event["offset"] for event in answer.json] == list(range(1, 10))
    assert answer.headers["Dataset-Offset"] == "9"
    assert all(event.keys() >= PROMISED for event in answer.json)
    assert all(len(event["chain"]) == 64 for event in answer.json)
    times = [event["recorded_at"] for event in answer.json]
    assert times == sorted(times)


@pytest.mark.parametrize(
    "query, offsets",
    [
        ("after=6", [7, 8, 9]),
        ("after=9", []),
        ("after=999", []),
        ("limit=2", [1, 2]),
        ("after=3&limit=3", [4, 5, 6]),
        ("after=", list(range(1, 10))),
        ("type=AnnotationAdded", [7]),
        ("type=AnnotationAdded,AnnotationRemoved", [7, 9]),
        ("type=AnnotationAdded,&after=7", []),
        ("type=MemberAdded&limit=1", [3]),
        ("author=nobody-there", []),
        (f"author={uuid.UUID(int=7)}", []),
        ("stream=dataset", [1, 2, 3, 4]),
        ("stream=label/x", []),
    ],
)
def test_the_log_is_filtered(busy, query, offsets):
    answer = busy.ana.get(f"{busy.path}/events/?{query}")
    assert [event["offset"] for event in answer.json] == offsets
    assert answer.headers["Dataset-Offset"] == "9"


@pytest.mark.parametrize("name", ["username", "id"])
def test_the_log_of_one_author(busy, name):
    author = getattr(busy.ben.person, name)
    answer = busy.ana.get(f"{busy.path}/events/?author={author}")
    assert types(answer) == ["AnnotationAdded", "LabelScoreSet"]
    assert {event["author"] for event in answer.json} == {busy.ben.person.username}
    assert {event["author_id"] for event in answer.json} == {str(busy.ben.person.id)}


@pytest.mark.parametrize("kind", ["annotationadded", "Nonsense", "AnnotationAdded,Nonsense"])
def test_an_unknown_type_is_refused_and_not_echoed(busy, kind):
    answer = busy.ana.get(f"{busy.path}/events/?type={kind}")
    assert (answer.status, answer.json["field"]) == (400, "type") and "onsense" not in answer.detail


def test_the_events_of_a_label(busy):
    path = f"{busy.label}/events"
    for slash in ("", "/"):
        assert types(busy.ben.get(path + slash)) == [
            "LabelImported",
            "AnnotationAdded",
            "LabelScoreSet",
            "AnnotationRemoved",
        ]
    assert types(busy.ben.get(f"{path}/?after_version=2")) == ["LabelScoreSet", "AnnotationRemoved"]
    assert types(busy.ben.get(f"{path}/?after=8")) == ["AnnotationRemoved"]
    assert types(busy.ben.get(f"{path}/?limit=1&after_version=1")) == ["AnnotationAdded"]
    assert busy.ben.get(f"{path}/").headers["Dataset-Offset"] == "9"


def test_the_events_of_a_label_that_was_deleted_or_never_was(busy, sample):
    busy.ana.delete(f"{busy.label}/")
    assert types(busy.ana.get(f"{busy.label}/events/"))[-1] == "LabelDeleted"
    other = sample(busy.id, busy.ana.person)
    assert types(busy.ana.get(f"/labels/{other}/ground-truth/events/")) == []
    assert busy.ana.get(f"/labels/{uuid.uuid4()}/ground-truth/events/").status == 404


def test_a_label_as_it_was_at_an_offset_and_at_a_time(busy):
    events = busy.ana.get(f"{busy.label}/events/").json
    for event, ids in zip(events, ([1], [1, 2], [1, 2], [2]), strict=True):
        for at in (event["offset"], event["recorded_at"]):
            answer = busy.ana.get(f"{busy.label}/?at={at}")
            if at == event["offset"]:
                assert answer.headers["ETag"] == f'"{event["version"]}"'
                assert [item["id"] for item in answer.json["attributes"]["annotations"]] == ids
        assert answer.headers["Dataset-Offset"] >= str(event["offset"]), "edits of one command have one time"
    assert busy.ana.get(f"{busy.label}/?at={busy.head}").json == busy.ana.get(f"{busy.label}/").json
    assert busy.ana.get(f"{busy.label}/?at=5").status == 404
    assert busy.ana.get(f"{busy.label}/?at=2026-01-01").status == 404
    assert busy.ana.get(f"{busy.label}/?at=2999-01-01").status == 200


def test_a_time_with_a_plus_in_it_is_understood(busy):
    assert busy.ana.get(f"{busy.label}/?at=2999-01-01T00:00:00+02:00").status == 200
    assert busy.ana.get(f"{busy.label}/?at=2999-01-01T00:00:00%2B02:00").status == 200


def test_a_reason_is_stored_encrypted_and_gone_with_the_key(busy):
    body = {"edits": [{"op": "set_score", "score": 0.75}], "reason": "she looked twice"}
    busy.ben.post(busy.edits, body)
    (event,) = busy.ana.get(f"{busy.path}/events/?after=9").json
    assert event["reason"] == "she looked twice"
    (stored,) = store.read(busy.id, after=9)
    assert stored.intent.reason is not None and "looked" not in stored.intent.reason
    texts.destroy_key(person=busy.ben.person.id)
    assert busy.ana.get(f"{busy.path}/events/?after=9").json[0]["reason"] == texts.ERASED
    busy.ben.post(busy.edits, body | {"edits": [{"op": "set_score", "score": 1}]})
    reasons = [event["reason"] for event in busy.ana.get(f"{busy.path}/events/?after=9").json]
    assert reasons == [texts.ERASED, "she looked twice"]


def test_who_has_no_account_any_more_is_a_number(busy):
    ben = busy.ben.person
    Person.objects.filter(id=ben.id).delete()
    (event,) = busy.ana.get(f"{busy.path}/events/?after=6&limit=1").json
    assert (event["author"], event["author_id"]) == (str(ben.id), str(ben.id))
    assert busy.ana.get(f"{busy.path}/events/?author={ben.id}").json[0]["author"] == str(ben.id)


# --- permissions are always today's --------------------------------------------------------------------------------


def places(street: Any) -> list[str]:
    of_now = ("", "/samples", "/issues")
    shown = [*(f"{street.path}{part}/" for part in of_now), f"{street.label}/", f"/samples/{street.sample}/"]
    return [*(f"{path}?at={street.head}" for path in shown), f"{street.path}/events/", f"{street.label}/events/"]


def test_who_is_no_member_any_more_reads_nothing_of_the_time_when_they_were(street):
    street.edit({"op": "set_scene_attributes", "attributes": {"rain": True}})
    then = places(street)
    assert {street.ben.get(place).status for place in then} == {200}
    street.ana.delete(f"{street.path}/collaborators/{street.ben.person.username}")
    assert {street.ben.get(place).status for place in then} == {404}


def test_what_was_public_once_is_not_now(make_street, caller):
    street, stranger = make_street(public=True), caller("stranger")
    street.edit({"op": "set_scene_attributes", "attributes": {"rain": True}})
    then = places(street)
    assert {stranger.get(place).status for place in then} == {403}, "the past is for members"
    assert street.ana.patch(street.path, {"public": False}).status == 200
    assert {stranger.get(place).status for place in then} == {404}
    assert stranger.get(street.path).status == 404


def test_a_new_member_reads_what_was_before_them(street, caller):
    cat = caller("cat")
    street.edit({"op": "set_scene_attributes", "attributes": {"rain": True}})
    then = places(street)
    assert {cat.get(place).status for place in then} == {404}
    street.ana.post(f"{street.path}/collaborators/", {"user": "cat", "role": "viewer"})
    assert {cat.get(place).status for place in then} == {200}


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_other_methods_show_no_more(street, caller, method):
    stranger = caller("stranger")
    assert caller().send(method, street.path).status == 401
    if method == "HEAD":
        assert stranger.send(method, street.path).status == 404
    else:
        assert street.path.split("/")[-1].encode() not in stranger.send(method, street.path).raw


def test_a_bad_offset_is_refused_also_where_nobody_is_the_author(street):
    assert street.ana.get(f"{street.path}/events/?author=nobody-at-all&after=x").status == 400
