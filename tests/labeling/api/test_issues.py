"""Issues over the API: the protocol's shapes and texts, and what stands beside them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from segments.typing import Issue as SDKIssue

from labeling.commands import datasets

JSON = dict[str, Any]


@pytest.fixture
def raised(street) -> JSON:
    """An issue of Ben's on the street's sample."""
    body = {"description": "No wheels", "status": "OPEN", "anchor": {"type": "track", "trackNumber": 4, "frame": 2}}
    answer = street.ben.post(f"/samples/{street.sample}/issues/", body)
    assert answer.status == 201, answer.raw
    return answer.json


def test_a_raised_issue_has_the_protocols_shape(street, raised):
    shown, ben = SDKIssue.model_validate(raised), street.ben.person.username
    assert shown.model_dump(exclude={"uuid", "created_at", "updated_at", "anchor"}) == {
        "description": "No wheels", "status": "OPEN", "comments": [], "created_by": ben, "updated_by": ben,
        "sample_uuid": str(street.sample), "sample_name": street.ana.get(f"/samples/{street.sample}/").json["name"],
    }  # fmt: skip
    assert raised["anchor"] == {"type": "track", "trackNumber": 4, "frame": 2}
    assert raised["created_at"] == raised["updated_at"]


@pytest.mark.parametrize("slash", ["/", ""])
def test_every_way_to_read_it_says_the_same(street, raised, slash):
    issue = street.ana.get(f"/issues/{raised['uuid']}{slash}")
    assert issue.json == raised
    assert (issue.headers["ETag"], int(issue.headers["Dataset-Offset"])) == ('"1"', street.head)
    for path in (
        f"{street.path}/issues{slash}",
        f"/samples/{street.sample}/issues{slash}",
        f"/datasets/{street.sample}/issues{slash}",
    ):
        answer = street.ana.get(path)
        assert answer.json == [raised] and int(answer.headers["Dataset-Offset"]) == street.head
    assert street.ana.get(f"/samples/{street.sample}{slash}").json["issues"] == [raised]
    assert [item["issues"] for item in street.ana.get(f"{street.path}/samples{slash}").json] == [[raised]]
    assert street.ana.patch(f"/samples/{street.sample}{slash}", {"priority": 3}).json["issues"] == [raised]


def test_a_sample_without_issues_has_none(street):
    assert street.ana.get(f"/samples/{street.sample}/").json["issues"] == []
    assert street.ana.get(f"/samples/{street.sample}/issues/").json == []
    assert street.ana.get(f"{street.path}/issues/").json == []


@pytest.mark.parametrize("slash", ["/", ""])
def test_answers_and_changes(street, raised, slash):
    path = f"/issues/{raised['uuid']}"
    answered = street.ana.post(f"{path}/comments{slash}", {"text": "I see two"})
    assert answered.status == 201
    (comment,) = answered.json["comments"]
    assert comment == {
        "created_at": answered.json["updated_at"], "created_by": street.ana.person.username, "text": "I see two",
    }  # fmt: skip
    changed = street.ben.patch(f"{path}{slash}", {"description": "No doors", "status": "CLOSED", "anchor": None})
    assert changed.status == 200
    expected = answered.json | {"description": "No doors", "status": "CLOSED", "anchor": None}
    changing = {"updated_at": changed.json["updated_at"], "updated_by": street.ben.person.username}
    assert changed.json == expected | changing
    assert street.ben.delete(f"{path}{slash}").status == 204
    gone = street.ben.get(f"{path}{slash}")
    assert (gone.status, gone.detail) == (404, "Not found.")
    assert street.ana.get(f"{street.path}/issues{slash}").json == []


FAULTS: list[tuple[str, str, Any, str]] = [
    ("POST", "", {}, "description"),
    ("POST", "", {"description": ""}, "description"),
    ("POST", "", {"description": "x", "status": "zebra7391"}, "status"),
    ("POST", "", {"description": "x", "anchor": {"type": "zebra7391"}}, "anchor.type"),
    ("POST", "", {"description": "x", "anchor": {"type": "location", "location": {"type": "2d", "x": 1}}},
     "anchor.location.y"),
    ("POST", "", [], "body"),
    ("PATCH", "", {"description": None}, "description"),
    ("PATCH", "", {"status": None}, "status"),
    ("PATCH", "", {"anchor": {"type": "basic", "zebra7391": 1}}, "anchor"),
    ("POST", "/comments", {}, "text"),
    ("POST", "/comments", {"text": 5}, "text"),
    ("POST", "/comments", {"text": " "}, "text"),
]  # fmt: skip


@pytest.mark.parametrize("method, rest, body, field", FAULTS, ids=str)
def test_what_does_not_fit_is_refused_by_its_name_and_changes_nothing(street, raised, method, rest, body, field):
    whole = method == "POST" and not rest
    path = f"/samples/{street.sample}/issues/" if whole else f"/issues/{raised['uuid']}{rest}/"
    head = street.head
    answer = street.ben.send(method, path, body)
    assert (answer.status, answer.json["field"]) == (400, field)
    assert b"zebra7391" not in answer.raw and street.head == head


def test_who_may(street, raised, caller, intent):
    people = {}
    for role in ("viewer", "labeler", "manager"):
        people[role] = caller(f"{role}-{uuid.uuid4().hex[:8]}")
        datasets.add_member(
            intent=intent(street.ana.person), dataset=street.id, person=people[role].person.id, role=role
        )
    path = f"/issues/{raised['uuid']}/"
    for role in ("viewer", "labeler"):
        assert people[role].post(f"/samples/{street.sample}/issues/", {"description": "x"}).status == 201
        assert people[role].post(f"{path}comments/", {"text": "x"}).status == 201
        assert people[role].patch(path, {"status": "CLOSED"}).status == 200
        for answer in (people[role].patch(path, {"description": "x"}), people[role].delete(path)):
            assert answer.status == 403
            assert answer.detail.startswith("You do not have permission to perform this action.")
    assert people["manager"].patch(path, {"description": "x"}).status == 200
    assert people["manager"].delete(path).status == 204


@pytest.mark.parametrize("public", [False, True])
def test_what_is_not_theirs_to_see_is_not_there_and_what_is_public_is_to_be_read(street, raised, caller, public):
    street.ana.patch(street.path, {"public": public})
    stranger = caller(f"eve-{uuid.uuid4().hex[:8]}")
    path = f"/issues/{raised['uuid']}/"
    for reading in (path, f"/samples/{street.sample}/issues/", f"{street.path}/issues/"):
        assert stranger.get(reading).status == (200 if public else 404)
    for answer in (
        stranger.post(f"/samples/{street.sample}/issues/", {"description": "x"}),
        stranger.post(f"{path}comments/", {"text": "x"}),
        stranger.patch(path, {"status": "CLOSED"}),
        stranger.delete(path),
        stranger.get(f"{street.path}/issues/?at=1"),
        stranger.get(f"/samples/{street.sample}/issues/?at=1"),
    ):
        assert answer.status == (403 if public else 404)


@pytest.mark.parametrize("path", ["/issues/zebra7391/", f"/issues/{uuid.UUID(int=4)}/"])
def test_an_issue_that_is_none(street, path):
    for answer in (
        street.ana.get(path),
        street.ana.patch(path, {"status": "OPEN"}),
        street.ana.delete(path),
        street.ana.post(f"{path}comments/", {"text": "x"}),
        street.ana.get(path.replace("issues", "samples") + "issues/"),
    ):
        assert (answer.status, answer.detail) == (404, "Not found.")


def test_issues_of_a_dataset_come_in_pages_where_asked_for(street):
    for number in range(5):
        street.ana.post(f"/samples/{street.sample}/issues/", {"description": f"{number}"})

    def shown(query: str) -> list[str]:
        return [item["description"] for item in street.ana.get(f"{street.path}/issues/{query}").json]

    assert shown("") == list("01234")
    assert [shown(f"?per_page=2&page={page}") for page in (1, 2, 3)] == [["0", "1"], ["2", "3"], ["4"]]
    assert street.ana.get(f"{street.path}/issues/?per_page=2&page=4").detail == "Invalid page."
    assert shown(f"?per_page=2&page=2&at={street.head}") == ["2", "3"]


def test_the_past_of_issues(street, raised):
    then = street.head
    street.ana.post(f"/issues/{raised['uuid']}/comments/", {"text": "x"})
    street.ana.patch(f"/issues/{raised['uuid']}/", {"status": "CLOSED"})
    for path in (f"{street.path}/issues/", f"/samples/{street.sample}/issues/"):
        answer = street.ben.get(f"{path}?at={then}")
        assert answer.json == [raised] and int(answer.headers["Dataset-Offset"]) == then
        assert street.ben.get(f"{path}?at={then - 1}").json == []
    assert street.ben.get(f"/samples/{street.sample}/?at={then}").json["issues"] == [raised]
    assert [item["issues"] for item in street.ben.get(f"{street.path}/samples/?at={then}").json] == [[raised]]
    assert street.ben.get(f"/samples/{street.sample}/?at={then - 1}").json["issues"] == []


def test_what_was_said_is_read_in_the_log_in_the_clear(street, raised):
    street.ana.post(f"/issues/{raised['uuid']}/comments/", {"text": "I see two"})
    stream = f"issue/{raised['uuid']}"
    events = street.ana.get(f"{street.path}/events/?stream={stream}").json
    assert [(event["type"], event["text"]) for event in events] == [
        ("IssueOpened", "No wheels"), ("IssueCommented", "I see two"),
    ]  # fmt: skip
    assert not any("wheels" in str(event["data"]) or "two" in str(event["data"]) for event in events)
    assert "text" not in street.ana.get(f"{street.path}/events/").json[0]


def test_a_retry_raises_and_answers_once(street):
    path = f"/samples/{street.sample}/issues/"
    first, again = (street.ana.post(path, {"description": "x"}, Idempotency_Key="k") for _ in range(2))
    assert first.json == again.json and len(street.ana.get(path).json) == 1
    other = street.ana.post(path, {"description": "y"}, Idempotency_Key="k")
    assert other.status == 422
    for _ in range(2):
        answered = street.ana.post(f"/issues/{first.json['uuid']}/comments/", {"text": "z"}, Idempotency_Key="c")
    assert len(answered.json["comments"]) == 1
    assert [
        street.ana.delete(f"/issues/{first.json['uuid']}/", Idempotency_Key="d").status for _ in range(2)
    ] == [204, 204]  # fmt: skip


def test_a_page_of_issues_costs_the_same_however_long(committed_db, make_street):
    from tests.labeling.api.test_statements import statements

    street = make_street()
    path, texts = f"{street.path}/issues/", {"text": "y"}

    def raise_one() -> None:
        issue = street.ana.post(f"/samples/{street.sample}/issues/", {"description": "x"}).json
        street.ben.post(f"/issues/{issue['uuid']}/comments/", texts)

    raise_one()
    before = [statements(lambda each=each: street.ana.get(each)) for each in (path, f"{street.path}/samples/")]
    for _ in range(4):
        raise_one()
    after = [statements(lambda each=each: street.ana.get(each)) for each in (path, f"{street.path}/samples/")]
    assert before == after and max(before) <= 8
