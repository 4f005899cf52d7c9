"""The feed: the log's slice exactly, over any disconnects, with filters; and few of them at once."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections

from labeling.api import feed as feeds
from labeling.api.feed import feed
from labeling.log import store
from labeling.log.search import Wanted
from tests.labeling.api.test_undo import add, move
from tests.support.installation import is_full

JSON = dict[str, Any]


def parsed(raw: bytes) -> tuple[list[JSON], int | None]:
    """(events, the last id) as a browser would read them."""
    found: list[JSON] = []
    last = None
    for block in raw.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        last = int(fields["id"]) if "id" in fields else last
        if "data" in fields:
            item = json.loads(fields["data"])
            assert (item["offset"], item["type"]) == (last, fields["event"])
            found.append(item)
    return found, last


@pytest.fixture
def worked(street):
    street.edit(add(1))
    for x in range(6):
        street.edit(move(1, x + 10), by=(street.ana, street.ben)[x % 2])
    return street


def test_what_is_there_is_the_log(worked):
    answer = worked.ana.get(f"{worked.path}/feed/?after=0&seconds=0")
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.raw.startswith(b"retry: ")
    events, last = parsed(answer.raw)
    assert events == worked.ana.get(f"{worked.path}/events/").json and last == worked.head


def test_without_a_place_only_what_is_new_comes(worked):
    assert parsed(worked.ana.get(f"{worked.path}/feed/?seconds=0").raw) == ([], None)


def test_a_browser_goes_on_where_it_was(worked):
    path = f"{worked.path}/feed/?after=0&seconds=0"
    events, _ = parsed(worked.ana.get(path, **{"Last-Event-ID": "7"}).raw)
    assert [event["offset"] for event in events] == list(range(8, worked.head + 1))
    assert parsed(worked.ana.get(path, **{"Last-Event-ID": str(worked.head + 5)}).raw) == ([], None)


def test_filters_say_how_far_they_looked(worked):
    path = f"{worked.path}/feed/?after=0&seconds=0"
    for query in (f"author={worked.ben.person.username}", "type=AnnotationAdded", "stream=sample/", "author=nobody"):
        events, last = parsed(worked.ana.get(f"{path}&{query}").raw)
        assert last == worked.head
        assert len(events) == {"author=nobody": 0, "type=AnnotationAdded": 1, "stream=sample/": 1}.get(query, 3)


@pytest.mark.parametrize("query, field", [
    ("after=x", "after"), ("seconds=61", "seconds"), ("seconds=-1", "seconds"), ("type=x", "type"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(worked, query, field):
    assert worked.ana.get(f"{worked.path}/feed/?{query}").json["field"] == field
    odd = {"Last-Event-ID": "x"}
    assert worked.ana.get(f"{worked.path}/feed/?seconds=0", **odd).json["field"] == "Last-Event-ID"


def test_no_more_than_a_few_stay_open_and_the_others_get_what_is_there(worked):
    held = [iter(feed(worked.id, Wanted(), after=0, seconds=9)) for _ in range(feeds.MOST_OPEN)]
    for one in held:
        next(one)
    assert parsed(b"".join(feed(worked.id, Wanted(), after=0, seconds=9)))[1] == worked.head
    for one in held:
        one.close()  # type: ignore[attr-defined]
    again = iter(feed(worked.id, Wanted(), after=0, seconds=9))
    next(again)
    assert feeds._open._value == feeds.MOST_OPEN - 1
    again.close()  # type: ignore[attr-defined]
    assert feeds._open._value == feeds.MOST_OPEN


@pytest.mark.parametrize("seed", range(60 if is_full() else 8))
def test_over_any_disconnects_it_is_the_slice_exactly(worked, seed):
    """A connection may end anywhere, in the middle of an event too; what came whole is never repeated or missed."""
    dice = random.Random(seed)
    wanted = dice.choice(
        [Wanted(), Wanted(author=worked.ben.person.id), Wanted(types=("AnnotationGeometrySet", "AnnotationAdded"))]
    )
    after = start = dice.randint(0, worked.head)
    got: list[int] = []
    for _ in range(200):
        if dice.random() < 0.25:
            worked.edit(move(1, dice.randint(0, 400)))
        raw = b"".join(feed(worked.id, wanted, after=after, seconds=0))
        whole = raw[: dice.randint(0, len(raw))] if dice.random() < 0.7 else raw
        events, last = parsed(whole[: whole.rfind(b"\n\n") + 2] if b"\n\n" in whole else b"")
        got += [event["offset"] for event in events]
        after = last if last is not None else after
        if after >= worked.head:
            break
    assert after == worked.head
    assert got == [
        event.offset
        for event in store.read(worked.id, after=start)
        if wanted.author in (None, event.intent.author) and (not wanted.types or event.type in wanted.types)
    ]


def test_who_listens_hears_what_happens_meanwhile(committed_db, street, monkeypatch):
    monkeypatch.setattr(feeds, "longest_s", 20)
    heard: list[bytes] = []
    first = street.head

    def listen() -> None:
        stream: Iterator[bytes] = feed(street.id, Wanted(), after=first, seconds=20)
        for text in stream:
            heard.append(text)
            if b"".join(heard).count(b"event: ") >= 3:
                break
        connections.close_all()

    listener = threading.Thread(target=listen)
    listener.start()
    street.edit(add(1))
    street.edit(move(1, 30))
    listener.join(20)
    events, last = parsed(b"".join(heard))
    assert [event["offset"] for event in events] == [first + 1, first + 2, first + 3] and last == first + 3
