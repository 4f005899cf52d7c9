"""Restore as a client of the API has it: what users of other tools asked for in vain, and what is refused."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling.commands import datasets
from labeling.log import store
from labeling.log.event import Intent
from tests.labeling.api.test_undo import add, move

JSON = dict[str, Any]
WHY = "the vendor labeled shadows"


def ids(street: Any) -> list[int]:
    answer = street.ana.get(f"{street.label}/")
    return [] if answer.status == 404 else sorted(item["id"] for item in answer.json["attributes"]["annotations"])


def corner(street: Any, number: int = 1) -> int:
    items = street.ana.get(f"{street.label}/").json["attributes"]["annotations"]
    found: int = next(item["points"][0][0] for item in items if item["id"] == number)
    return found


def uuid_of(street: Any, number: int) -> str:
    items = street.ana.get(f"{street.label}/").json["attributes"]["annotations"]
    found: str = next(item["uuid"] for item in items if item["id"] == number)
    return found


def restore(street: Any, of: JSON, *, by: Any = None, path: str = "", **more: Any) -> Any:
    return (by or street.ana).post(f"{path or street.label}/restore/", {"of": of, "reason": WHY} | more)


@pytest.fixture
def worked(street):
    """Three objects: Ana's 1, Ben's 2 and 3; Ben moved 1, and Ana 2."""
    street.edit(add(1))
    street.edit(add(2), add(3), by=street.ben)
    street.edit(move(1, 20), by=street.ben)
    street.edit(move(2, 30))
    return street


def test_one_object_is_made_what_it_was(worked):
    """cvat#1118, recogito2#29: revert one annotation, and nothing else."""
    of = {"kind": "object", "object": uuid_of(worked, 1), "at": worked.head - 2}
    dry = restore(worked, of, dry_run=True)
    assert dry.json["changes"] == [
        {"what": f"annotation:{of['object']}", "id": 1, "did": "changed", "fields": ["geometry"]}
    ]
    assert corner(worked) == 20
    assert restore(worked, of).json["stored"]
    assert (corner(worked, 1), corner(worked, 2)) == (1, 30)


def test_an_object_that_was_removed_comes_back_with_its_uuid(worked):
    """cvat#5169: bring back what is gone."""
    key, before = uuid_of(worked, 3), worked.head
    worked.edit({"op": "remove", "annotation": 3}, by=worked.ben)
    worked.edit(add(4))
    assert restore(worked, {"kind": "object", "object": key, "at": before}).status == 200
    assert ids(worked) == [1, 2, 3, 4] and uuid_of(worked, 3) == key


def test_a_label_is_made_what_it_was_at_a_time(worked):
    """recogito2#29, cvat#7996: a document as it was at a time."""
    moment = worked.ana.get(f"{worked.label}/events/").json[-2]["recorded_at"]
    shown = worked.ana.get(f"{worked.label}/?at={moment.replace('+', '%2B')}").json["attributes"]
    assert restore(worked, {"kind": "label", "at": moment}).status == 200
    assert worked.ana.get(f"{worked.label}/").json["attributes"] == shown


def test_a_label_is_made_what_it_was_at_an_event(worked):
    event = worked.ana.get(f"{worked.label}/events/").json[-2]
    shown = worked.ana.get(f"{worked.label}/?at={event['event_id']}").json["attributes"]
    assert restore(worked, {"kind": "label", "at": event["event_id"]}).status == 200
    assert worked.ana.get(f"{worked.label}/").json["attributes"] == shown


def test_all_edits_of_one_person_are_taken_back_and_others_stay(worked):
    """recogito2#29, Label Studio#8520: all that one person did."""
    of = {"kind": "author", "author": worked.ben.person.username}
    dry = restore(worked, of, dry_run=True)
    assert [(item["why"], item["by"]) for item in dry.json["in_the_way"]] == [
        ("changed", worked.ana.person.username)
    ], "Ana moved Ben's object since"
    assert restore(worked, of).json["code"] == "in_the_way"
    done = restore(worked, of, on_conflict="skip")
    assert done.json["events"] == 3
    assert ids(worked) == [1, 2] and corner(worked) == 1
    assert restore(worked, of, on_conflict="force").status == 200
    assert ids(worked) == [1]


def test_between_two_times_only(worked):
    offsets = [event["offset"] for event in worked.ana.get(f"{worked.label}/events/").json]
    of = {"kind": "author", "author": str(worked.ben.person.id), "since": offsets[-2], "until": offsets[-1]}
    assert restore(worked, of).json["events"] == 1
    assert ids(worked) == [1, 2, 3] and corner(worked) == 1


def test_one_event_and_one_command_are_taken_back(worked):
    event = worked.ana.get(f"{worked.path}/events/?type=AnnotationAdded").json[-1]
    assert restore(worked, {"kind": "event", "offset": event["offset"]}).status == 200
    assert ids(worked) == [1, 2]
    assert restore(worked, {"kind": "gesture", "gesture": event["command"]}, on_conflict="skip").status == 200
    assert ids(worked) == [1, 2], "Ana moved it since"


def test_a_work_session_is_taken_back(worked):
    session = str(uuid.uuid4())
    for number in (7, 8):
        worked.ben.post(worked.edits, {"edits": [add(number)], "work_session": session})
    assert ids(worked) == [1, 2, 3, 7, 8]
    answer = restore(worked, {"kind": "work_session", "work_session": session})
    assert answer.json["events"] == 2 and ids(worked) == [1, 2, 3]


def test_a_restore_is_told_taken_back_and_done_again(worked):
    head = worked.head
    restore(worked, {"kind": "label", "at": 0})
    assert ids(worked) == []
    event = worked.ana.get(f"{worked.path}/events/?type=LabelRestored").json[0]
    assert (event["data"], event["reason"]) == ({"of": {"kind": "label", "offset": 0}}, WHY)
    assert worked.ana.post(f"{worked.label}/undo/").status == 200
    assert ids(worked) == [1, 2, 3] and corner(worked, 2) == 30
    assert worked.ana.post(f"{worked.label}/redo/").status == 200
    assert ids(worked) == []
    assert restore(worked, {"kind": "label", "at": head}).status == 200
    assert ids(worked) == [1, 2, 3]


def test_what_is_so_already_is_not_stored(worked):
    head = worked.head
    for of in ({"kind": "label", "at": head}, {"kind": "label", "at": head + 9}):
        answer = restore(worked, of)
        assert (answer.status, answer.json["stored"], answer.json["changes"]) == (200, False, [])
    assert worked.head == head


def test_a_labeler_takes_back_their_own_and_a_manager_with_a_reason_what_others_did(worked):
    of_ben, of_ana = ({"kind": "author", "author": who.person.username} for who in (worked.ben, worked.ana))
    assert restore(worked, of_ana, by=worked.ben).status == 403
    assert restore(worked, of_ben, by=worked.ben, on_conflict="skip", reason=None).status == 200
    refused = worked.ana.post(f"{worked.label}/restore/", {"of": of_ben})
    assert (refused.status, refused.json["field"]) == (422, "reason")


def test_nobody_else_brings_an_acceptance_back(worked):
    head = worked.head
    worked.edit({"op": "set_status", "verb": "accept"})
    worked.edit(move(1, 50))
    worked.edit({"op": "set_status", "verb": "reject"})
    restore(worked, {"kind": "label", "at": head + 1})
    label = worked.ana.get(f"{worked.label}/").json
    assert label["label_status"] == "REVIEWED" and label["reviewed_by"] == worked.ana.person.username


# --- many labels ---------------------------------------------------------------------------------------------------


@pytest.fixture
def streets(worked, sample):
    """Three samples; Ben labeled all of them."""
    samples = [worked.sample, *(sample(worked.id, worked.ana.person) for _ in range(2))]
    for number in samples[1:]:
        worked.ben.post(f"/labels/{number}/ground-truth/edits/", {"edits": [add(1)]})
    worked.samples = samples
    return worked


def count(street: Any, sample: Any) -> int:
    answer = street.ana.get(f"/labels/{sample}/ground-truth/")
    return 0 if answer.status == 404 else len(answer.json["attributes"]["annotations"])


def test_what_somebody_did_in_a_dataset_is_taken_back_and_all_of_that_again(streets):
    """cvat#4392: undo a bulk operation, over many images."""
    of = {"kind": "author", "author": streets.ben.person.username}
    dry = restore(streets, of, path=streets.path, dry_run=True)
    assert len(dry.json["labels"]) == 3 and dry.json["next"] is None
    head = streets.head
    assert restore(streets, of, path=streets.path).json["code"] == "in_the_way"
    assert streets.head == head, "stop stores nothing, in no label"
    done = restore(streets, of, path=streets.path, on_conflict="skip")
    assert [report["stored"] for report in done.json["labels"]] == [True, True, True]
    assert [count(streets, sample) for sample in streets.samples] == [2, 0, 0]
    again = restore(streets, of, path=streets.path, on_conflict="skip")
    assert [report["stored"] for report in again.json["labels"]] == [False, False, False]
    back = restore(streets, {"kind": "gesture", "gesture": done.json["gesture"]}, path=streets.path)
    assert back.status == 200
    assert [count(streets, sample) for sample in streets.samples] == [3, 1, 1]


def test_a_retry_of_a_restore_of_many_gets_the_same_answer(streets):
    body = {"of": {"kind": "author", "author": streets.ben.person.username}, "reason": WHY, "on_conflict": "skip"}
    first, again = (streets.ana.post(f"{streets.path}/restore/", body, Idempotency_Key="r1") for _ in range(2))
    assert first.json == again.json
    assert len(store.read(streets.id, types=["LabelRestored"])) == 3


def test_more_labels_than_one_request_restores_go_on(streets, monkeypatch):
    from labeling.commands import restoring

    monkeypatch.setattr(restoring, "MOST_LABELS", 2)
    body = {"of": {"kind": "author", "author": streets.ben.person.username}, "reason": WHY, "on_conflict": "skip"}
    first = streets.ana.post(f"{streets.path}/restore/", body)
    assert len(first.json["labels"]) == 2
    second = streets.ana.post(f"{streets.path}/restore/", body | {"after": first.json["next"]})
    assert len(second.json["labels"]) == 1 and second.json["next"] is None
    assert [count(streets, sample) for sample in streets.samples] == [2, 0, 0]


def test_all_label_sets_of_a_sample_are_made_what_they_were(streets):
    intent = Intent(author=streets.ana.person.id)
    datasets.add_label_set(intent=intent, dataset=streets.id, name="second")
    sample = streets.samples[1]
    streets.ben.post(f"/labels/{sample}/second/edits/", {"edits": [add(1), add(2)]})
    before = streets.head
    streets.ben.post(f"/labels/{sample}/second/edits/", {"edits": [{"op": "remove", "annotation": 1}]})
    streets.ben.post(f"/labels/{sample}/ground-truth/edits/", {"edits": [move(1, 77)]})
    done = restore(streets, {"kind": "sample", "at": before}, path=f"/samples/{sample}")
    assert sorted(report["labelset"] for report in done.json["labels"]) == ["ground-truth", "second"]
    labels = [streets.ana.get(f"/labels/{sample}/{name}/").json["attributes"]["annotations"]
              for name in ("ground-truth", "second")]  # fmt: skip
    assert labels[0][0]["points"][0][0] == 1 and len(labels[1]) == 2


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "of, field",
    [
        (None, "of"),
        ([], "of"),
        ({}, "of.kind"),
        ({"kind": "sample", "at": 1}, "of.kind"),
        ({"kind": "label"}, "of.at"),
        ({"kind": "label", "at": -1}, "of.at"),
        ({"kind": "label", "at": "then"}, "of.at"),
        ({"kind": "label", "at": ""}, "of.at"),
        ({"kind": "label", "at": "00000000-0000-4000-8000-000000000000"}, "of.at"),
        ({"kind": "label", "at": "9" * 30}, "of.at"),
        ({"kind": "label", "at": True}, "of.at"),
        ({"kind": "label", "at": 1, "more": 1}, "of"),
        ({"kind": "event", "offset": "1"}, "of.offset"),
        ({"kind": "gesture", "gesture": "x"}, "of.gesture"),
        ({"kind": "work_session"}, "of.work_session"),
        ({"kind": "author", "author": "nobody at all"}, "of.author"),
        ({"kind": "author", "author": 7}, "of.author"),
        ({"kind": "author", "author": "\0"}, "of.author"),
        ({"kind": "object", "object": 3, "at": 1}, "of.object"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(worked, of, field):
    if of and "author" in of and of["author"] == "\0":
        field = "body"
    answer = restore(worked, of)
    assert answer.status == 400
    assert answer.json["field"].startswith(field.split(".")[0] if field == "body" else field) or field == "body"


def test_events_that_there_are_none_of_are_not_found(worked):
    assert restore(worked, {"kind": "event", "offset": 10**9}).status == 404
    assert restore(worked, {"kind": "gesture", "gesture": str(uuid.uuid4())}).status == 404
    answer = restore(worked, {"kind": "gesture", "gesture": str(uuid.uuid4())}, path=worked.path)
    assert answer.status == 200 and answer.json["labels"] == []
