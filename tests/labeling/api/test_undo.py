"""Undo and redo as a client of the API has them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

JSON = dict[str, Any]


def add(number: int) -> JSON:
    return {"op": "add", "id": number, "category_id": 1, "type": "bbox", "points": [[1, 2], [30, 40]]}


def move(number: int, x: int) -> JSON:
    return {"op": "set_geometry", "annotation": number, "type": "bbox", "points": [[x, 2], [x + 9, 40]]}


@pytest.fixture
def worked(street):
    """A label of Ana's on which Ben built."""
    street.edit(add(1))
    street.edit(move(1, 10))
    street.edit({"op": "set_attributes", "annotation": 1, "attributes": {"a": 1}})
    street.edit(move(1, 20), by=street.ben)
    return street


def corner(street: Any) -> int:
    found: int = street.ana.get(f"{street.label}/").json["attributes"]["annotations"][0]["points"][0][0]
    return found


def test_a_gesture_is_taken_back_and_done_again(worked):
    answer = worked.ana.post(f"{worked.label}/undo/", {"reason": "not there", "tool": "pencil"})
    assert answer.status == 200, answer.raw
    assert answer.json["changes"][0]["fields"] == ["attributes"]
    assert (answer.json["can_undo"], answer.json["can_redo"]) == (2, 1)
    assert answer.headers["ETag"] == f'"{answer.json["version"]}"'
    assert answer.headers["Dataset-Offset"] == str(worked.head) == str(answer.json["offset"])
    event = worked.ana.get(f"{worked.path}/events/?type=GestureUndone").json[0]
    assert (event["reason"], event["tool"]) == ("not there", "pencil")
    again = worked.ana.post(f"{worked.label}/redo/")
    assert again.json["can_redo"] == 0
    assert worked.ana.get(f"{worked.label}/").json["attributes"]["annotations"][0]["attributes"] == {"a": 1}


def test_what_stands_in_the_way_is_told_and_decided_upon(worked):
    path = f"{worked.label}/undo/"
    dry = worked.ana.post(path, {"count": 2, "dry_run": True})
    (obstacle,) = dry.json["in_the_way"]
    assert obstacle["by"] == worked.ben.person.username and obstacle["field"] == "geometry"
    assert not dry.json["stored"]
    refused = worked.ana.post(path, {"count": 2})
    assert (refused.status, refused.json["code"], refused.json["touched"]) == (409, "in_the_way", [obstacle["what"]])
    assert worked.ana.post(path, {"count": 2, "on_conflict": "force"}).json["field"] == "reason"
    assert corner(worked) == 20
    assert worked.ana.post(path, {"count": 2, "on_conflict": "skip"}).status == 200
    assert corner(worked) == 20
    assert worked.ana.post(f"{worked.label}/redo/", {"count": 2}).status == 200
    forced = worked.ana.post(path, {"count": 2, "on_conflict": "force", "reason": "it stood there"})
    assert forced.status == 200 and corner(worked) == 1


def test_too_many_are_refused(worked):
    path = f"{worked.label}/undo/"
    assert worked.ana.post(path, {"count": 4}).json["code"] == "history_exhausted"
    assert worked.ben.post(f"{worked.label}/redo/").json["code"] == "history_exhausted"
    assert worked.ana.post(f"/labels/{uuid.uuid4()}/ground-truth/undo/").status == 404


@pytest.mark.parametrize(
    "body, field",
    [
        ({"count": 0}, "count"),
        ({"count": True}, "count"),
        ({"count": 1001}, "count"),
        ({"on_conflict": None}, "on_conflict"),
        ({"dry_run": 1}, "dry_run"),
        ({"many": 1}, "body"),
        ({"gesture": "x"}, "gesture"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(worked, body, field):
    answer = worked.ana.post(f"{worked.label}/undo/", body)
    assert (answer.status, answer.json["field"]) == (400, field)


def test_with_if_match_others_are_not_overwritten(worked):
    headers = {"If-Match": '"3"'}
    answer = worked.ana.post(f"{worked.label}/undo/", {}, **headers)
    assert answer.status == 409 and answer.json["code"] == "conflict"


def test_a_retry_gets_the_first_answer(worked):
    first, again = (worked.ana.post(f"{worked.label}/undo/", {}, Idempotency_Key="u1") for _ in range(2))
    assert first.json == again.json


def test_how_many_can_be_undone_is_a_setting(worked):
    assert worked.ana.patch(f"{worked.path}/", {"undo_limit": 1}).status == 200
    assert worked.ana.post(f"{worked.label}/undo/", {"dry_run": True, "count": 2}).status == 409
    for bad in (-1, 1001, True, None, "3"):
        assert worked.ana.patch(f"{worked.path}/", {"undo_limit": bad}).json["field"] == "undo_limit"
