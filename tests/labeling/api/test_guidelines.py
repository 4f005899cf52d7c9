"""Guidelines in versions, and which of them the author of an event saw."""

from __future__ import annotations

from typing import Any

import pytest

BOX = {"op": "add", "category_id": 1, "geometry": {"type": "bbox", "points": [[1, 2], [3, 4]]}}


@pytest.fixture
def guided(street: Any) -> Any:
    """A street with a box made before any guideline, one under the first and one under the second."""
    assert street.edit(BOX).status == 200
    for text in ("# Cars\n\nAll of them.", "# Cars\n\nNo toys."):
        answer = street.ana.post(f"{street.path}/guidelines/", {"text": text})
        assert answer.status == 201, answer.raw
        assert street.edit(BOX, by=street.ben).status == 200
    return street


def made(street: Any, version: int, query: str = "") -> list[Any]:
    answer = street.ana.get(f"{street.path}/guidelines/{version}/objects/{query}")
    assert answer.status == 200, answer.raw
    found: list[Any] = answer.json["objects"]
    return found


def test_versions_count_and_the_same_again_is_none(guided: Any) -> None:
    versions = guided.ana.get(f"{guided.path}/guidelines/")
    assert [(item["version"], item["text"].split("\n")[-1]) for item in versions.json] == [
        (1, "All of them."),
        (2, "No toys."),
    ]
    assert int(versions.headers["Dataset-Offset"]) == guided.head
    assert guided.ana.post(f"{guided.path}/guidelines/", {"text": "# Cars\n\nNo toys."}).json["version"] == 2
    assert int(versions.headers["Dataset-Offset"]) == guided.head
    at = versions.json[1]["offset"] - 1
    assert len(guided.ana.get(f"{guided.path}/guidelines/?at={at}").json) == 1


def test_a_retry_makes_no_other_version(street: Any) -> None:
    for _ in range(2):
        answer = street.ana.post(f"{street.path}/guidelines/", {"text": "one"}, Idempotency_Key="a")
        assert (answer.status, answer.json["version"]) == (201, 1)
    assert street.ana.post(f"{street.path}/guidelines/", {"text": "two"}, Idempotency_Key="a").status == 422


def test_objects_are_found_by_the_version_that_their_author_saw(guided: Any) -> None:
    ana, ben = guided.ana.person.username, guided.ben.person.username
    assert [[item["author"] for item in made(guided, version)] for version in (0, 1, 2)] == [[ana], [ben], [ben]]
    assert len({item["object"] for version in (0, 1, 2) for item in made(guided, version)}) == 3
    assert guided.ana.get(f"{guided.path}/guidelines/3/objects/").status == 404
    assert guided.ana.get(f"{guided.path}/guidelines/x/objects/").status == 404


@pytest.mark.parametrize("by", ["header", "body"])
def test_what_a_client_says_it_showed_counts(guided: Any, by: str) -> None:
    first = guided.ana.get(f"{guided.path}/guidelines/").json[0]["offset"]
    if by == "header":
        answer = guided.edit(BOX, Seen_Offset=str(first))
    else:
        answer = guided.ana.post(guided.edits, {"edits": [BOX], "seen_offset": first})
    assert answer.status == 200, answer.raw

    assert [item["seen_offset"] for item in made(guided, 1)] == [None, first]
    assert len(made(guided, 2)) == 1
    entry = guided.ana.get(f"{guided.label}/history/").json[-1]
    assert (entry["type"], entry["guideline"]) == ("AnnotationAdded", 1)


def test_a_history_is_filtered_by_the_version(guided: Any) -> None:
    for path in (guided.path, guided.label, f"/samples/{guided.sample}"):
        shown = [
            guided.ana.get(f"{path}/history/?guideline={version}&type=AnnotationAdded").json for version in (0, 1, 2)
        ]
        assert [[entry["guideline"] for entry in entries] for entries in shown] == [[None], [1], [2]]
        assert guided.ana.get(f"{path}/history/?guideline=7").json == []
        assert guided.ana.get(f"{path}/history/?guideline=x").json["field"] == "guideline"
    told = guided.ana.get(f"{guided.path}/history/?type=GuidelineSet").json
    assert [entry["sentence"].split(" ", 1)[1] for entry in told] == [
        "put version 1 of the guideline in force",
        "put version 2 of the guideline in force",
    ]


def test_pages_of_objects_go_on_where_they_ended(guided: Any) -> None:
    assert guided.edit(BOX, BOX).status == guided.edit(BOX).status == 200
    found: list[Any] = []
    after: int | None = 0
    while after is not None:
        page = guided.ana.get(f"{guided.path}/guidelines/2/objects/?limit=1&after={after}").json
        found += page["objects"]
        after = page["next"]
    assert [item["object"] for item in found] == [item["object"] for item in made(guided, 2)]
    assert len(found) == 4


@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "text"),
        ({"text": " "}, "text"),
        ({"text": 5}, "text"),
        ({"url": "https://example.org/x.pdf"}, "url"),
        ({"url": "/media/" + "x" * 32 + "/a.png"}, "url"),
        ({"url": 5}, "url"),
    ],
)
def test_what_is_no_guideline_is_refused(street: Any, body: Any, field: str) -> None:
    answer = street.ana.post(f"{street.path}/guidelines/", body)
    assert (answer.status, answer.json["field"]) == (400, field)


def test_an_offset_that_is_not_there_yet_cannot_have_been_seen(street: Any) -> None:
    for bad, field in (("999999", "seen_offset"), ("x", "Seen-Offset"), ("-1", "Seen-Offset")):
        answer = street.edit(BOX, Seen_Offset=bad)
        assert (answer.status, answer.json["field"]) == (400, field)


def test_who_may_not_change_the_dataset_sets_no_guideline(street: Any) -> None:
    assert street.ben.post(f"{street.path}/guidelines/", {"text": "x"}).status == 403
    assert street.ben.get(f"{street.path}/guidelines/").json == []
