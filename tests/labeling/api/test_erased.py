"""What every reader is told of somebody whose data was erased: a number in the place of the name, and no words."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling.commands.erasure import erase_person
from labeling.log.event import Intent
from labeling.models import Person
from labeling.texts import ERASED, encrypt

BOX = {"op": "add", "category_id": 1, "geometry": {"type": "bbox", "points": [[1, 2], [3, 4]]}}


@pytest.fixture
def gone(street: Any, person: Any) -> Any:
    """The street after Ben labeled, wrote and was erased; with the name and the words that were his."""
    ben = street.ben.person
    name = ben.username
    body = {"edits": [BOX], "reason": "Unmistakable reason"}
    assert street.ben.post(street.edits, body).status == 200
    issue = street.ben.post(f"/samples/{street.sample}/issues/", {"description": "Unmistakable issue"}).json["uuid"]
    assert street.ben.post(f"/issues/{issue}/comments/", {"text": "Unmistakable comment"}).status == 201
    root = person(f"root-{uuid.uuid4().hex[:8]}", superuser=True)
    erase_person(intent=Intent(author=root.id, reason=encrypt("asked", person=root.id)), person=ben)
    return name, Person.objects.get(id=ben.id).username


READERS = [
    "{label}/",
    "{label}/events/",
    "{label}/history/",
    "{label}/history/?format=csv",
    "{label}/history/?format=ndjson",
    "{label}/blame/?object={object}",
    "{label}/?at=1000000",
    "{path}/events/",
    "{path}/history/",
    "{path}/feed/",
    "{path}/issues/",
    "{path}/samples/",
    "{path}/collaborators/",
    "{path}/workunits/",
    "{path}/reports/people/?by=person",
    "/samples/{sample}/history/",
    "/samples/{sample}/issues/",
]


@pytest.mark.parametrize("reader", READERS)
def test_no_reader_tells_who_they_were(street: Any, gone: Any, reader: str) -> None:
    key = street.ana.get(f"{street.label}/events/").json[0]["data"]["annotation"]
    path = reader.format(label=street.label, path=street.path, sample=street.sample, object=key)

    answer = street.ana.get(path)

    assert answer.status in (200, 404), answer.raw
    text = answer.raw.decode()
    name, number = gone
    assert name not in text and "Unmistakable" not in text
    if any(word in reader for word in ("events", "history", "blame", "issues")) and "at=" not in reader:
        assert number in text
    if any(word in reader for word in ("events", "history", "issues")):
        assert ERASED in text


def test_their_key_and_their_name_open_nothing(street: Any, gone: Any) -> None:
    name, number = gone
    assert street.ben.get(f"{street.label}/").status == 401
    assert street.ana.get(f"{street.path}/history/?author={name}").json == []
    assert len(street.ana.get(f"{street.path}/history/?author={number}").json) >= 3
