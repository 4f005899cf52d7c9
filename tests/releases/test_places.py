"""Reads of the past by every name of a place in the log: an offset, a time, an event, a release."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling.commands import datasets
from labeling.log.event import Intent
from releases.commands import cut_release, withdraw_release
from tests.labeling.api.conftest import caller, make_street
from tests.labeling.api.test_undo import add, move

__all__ = ["caller", "make_street"]


@pytest.fixture
def street(make_street: Any) -> Any:
    """A street whose release v1 lies before the last edit, a new label set, and Ben's promotion."""
    found = make_street()
    intent = Intent(author=found.ana.person.id)
    found.edit(add(1))
    cut_release(intent=intent, dataset=found.id, name="v1")
    found.at = found.head - 1
    found.edit(move(1, 20))
    datasets.add_label_set(intent=intent, dataset=found.id, name="second")
    datasets.change_role(intent=intent, dataset=found.id, person=found.ben.person.id, role="manager")
    return found


def names(street: Any) -> list[str]:
    event = street.ana.get(f"{street.path}/events/?after={street.at - 1}&limit=1").json[0]
    return [str(street.at), event["event_id"], event["recorded_at"].replace("+", "%2B"), "v1", "release:v1"]


def test_every_read_knows_every_name(street):
    for name in names(street):
        label = street.ana.get(f"{street.label}/?at={name}")
        assert label.json["attributes"]["annotations"][0]["points"][0] == [1, 2], name
        assert int(label.headers["Dataset-Offset"]) == street.at
        sets = street.ana.get(f"{street.path}/labelsets/?at={name}")
        assert [item["name"] for item in sets.json] == ["ground-truth"]
        assert sets.headers["Dataset-Offset"] == str(street.at)
        assert street.ana.get(f"{street.path}/labelsets/second/?at={name}").status == 404
        assert street.ana.get(f"{street.path}/labelsets/ground-truth/?at={name}").status == 200
        members = street.ana.get(f"{street.path}/collaborators/?at={name}").json
        assert sorted(item["role"] for item in members) == ["admin", "labeler"]
        ben = street.ben.person.username
        assert street.ana.get(f"{street.path}/collaborators/{ben}/?at={name}").json["role"] == "labeler"
        assert street.ana.get(f"{street.path}/collaborators/{ben}/").json["role"] == "manager"
        for path in (street.path, f"{street.path}/samples", f"/samples/{street.sample}", f"{street.label}/blame"):
            assert street.ana.get(f"{path}/?at={name}").headers["Dataset-Offset"] == str(street.at), path


def test_a_label_is_restored_as_it_was_in_a_release(street):
    for name in ("v1", "release:v1"):
        assert street.edit(move(1, 50)).status == 200
        body = {"of": {"kind": "label", "at": name}, "reason": "as it was released", "on_conflict": "force"}
        answer = street.ana.post(f"{street.label}/restore/", body)
        assert (answer.status, answer.json["stored"]) == (200, True), answer.raw
        label = street.ana.get(f"{street.label}/").json
        assert label["attributes"]["annotations"][0]["points"][0] == [1, 2]
    refused = street.ana.post(f"{street.label}/restore/", {"of": {"kind": "label", "at": "v2"}, "reason": "x"})
    assert (refused.status, refused.json["field"]) == (400, "of.at")


def test_what_is_no_name_is_refused(street):
    for name in ("v2", "release:", "then", str(uuid.uuid4()), "2026-13-01T00:00:00Z"):
        for path in (street.label, street.path, f"{street.path}/labelsets", f"{street.path}/collaborators"):
            answer = street.ana.get(f"{path}/?at={name}")
            assert (answer.status, answer.json["field"]) == (400, "at"), (name, path)
    assert street.ana.get(f"{street.path}/labelsets/?at=0").status == 404


def test_a_withdrawn_release_names_nothing(street):
    withdraw_release(intent=Intent(author=street.ana.person.id), dataset=street.id, name="v1")
    assert street.ana.get(f"{street.label}/?at=v1").status == 400


def test_members_of_the_past_are_for_members(street, caller):
    stranger = caller("a-stranger")
    assert stranger.get(f"{street.path}/collaborators/?at=1").status == 404
