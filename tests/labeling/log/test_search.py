"""Searching the log finds what a walk through all of it finds, page by page, whatever leads the search."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import pytest
from django.db import connection

from labeling import events as e
from labeling.commands import labels as commands
from labeling.log import search, store
from labeling.log.event import Event, Intent
from labeling.log.rows import Rows
from labeling.log.search import Wanted

SESSION, GESTURE = uuid.UUID(int=5, version=4), uuid.UUID(int=6, version=4)
BOX = {"type": "bbox", "points": [[1, 2], [3, 4]]}


@pytest.fixture
def log(dataset: Any, person: Any, sample: Any) -> tuple[uuid.UUID, list[Event]]:
    """Two labels, two people, tools, sessions and gestures."""
    ana, ben = person("ana"), person("ben")
    made = dataset(ana, labelers=(ben,))
    targets = [sample(made, ana) for _ in range(2)]
    for turn in range(12):
        who = (ana, ben)[turn % 2]
        intent = Intent(
            author=who.id,
            tool=("pencil", None)[turn % 3 == 0],
            work_session=SESSION if turn in (3, 4, 9) else None,
            correlation=GESTURE if turn in (4, 5) else None,
        )
        edit: Any = {"op": "add", "id": turn + 1, "category_id": turn % 3, "geometry": BOX}
        commands.edit_label(intent=intent, sample=targets[turn % 2], label_set="ground-truth", edits=[edit])
    return made, store.read(made)


def fits(event: Event, wanted: Wanted) -> bool:
    intent, data = event.intent, event.data
    return (
        wanted.first <= (event.offset or 0) <= (wanted.last or 1 << 60)
        and wanted.stream in (None, event.stream)
        and (not wanted.prefixes or event.stream.startswith(tuple(wanted.prefixes)))
        and (not wanted.types or event.type in wanted.types)
        and wanted.author in (None, intent.author)
        and wanted.tool in (None, intent.tool)
        and wanted.work_session in (None, intent.work_session)
        and wanted.gesture in (None, intent.correlation, intent.command)
        and (
            not wanted.numbers
            or any(event.type.startswith(kind) and data.get(name) == number for kind, name, number in wanted.numbers)
        )
    )


def test_every_combination_finds_what_a_walk_finds(log):
    made, events = log
    stream, command = events[-1].stream, events[-1].intent.command
    choices: list[dict[str, Any]] = [
        {}, {"author": events[-1].intent.author}, {"types": ["AnnotationAdded"]},
        {"types": ["AnnotationAdded", "LabelStatusChanged", "AnnotationAdded"]}, {"types": ["SampleAdded"]},
        {"stream": stream}, {"prefixes": ["label/"]}, {"prefixes": ["sample/", "dataset"]}, {"tool": "pencil"},
        {"work_session": SESSION}, {"gesture": GESTURE}, {"gesture": command}, {"first": 8}, {"last": 10},
        {"numbers": [("", "category_id", 2)]}, {"numbers": [("Label", "id", 2), ("Annotation", "id", 3)]},
    ]  # fmt: skip
    found_any = 0
    for one, two in itertools.combinations_with_replacement(choices, 2):
        wanted = Wanted(**(one | two))
        naive = [event.offset for event in events if fits(event, wanted)]
        found_any += bool(naive)
        assert [event.offset for event in search.find(made, wanted)] == naive, wanted
        assert [event.offset for event in search.find(made, wanted, after=7, limit=3)] == [
            offset for offset in naive if (offset or 0) > 7
        ][:3]
        streams = sorted({event.stream for event in events if fits(event, wanted)})
        assert search.streams(made, wanted) == streams
        assert (
            search.streams(made, wanted, after="label/", limit=1) == [item for item in streams if item > "label/"][:1]
        )
    assert found_any > 60


def test_all_of_them_come_page_by_page(log, monkeypatch):
    made, events = log
    monkeypatch.setattr(search, "PAGE", 4)
    assert [event.offset for event in search.find_all(made, Wanted())] == [event.offset for event in events]
    assert len(list(search.find_all(made, Wanted(), limit=6))) == 6


def test_a_rare_type_is_a_probe_of_an_index():
    made, intent = uuid.uuid4(), Intent(author=uuid.uuid4())
    common = [("person/a", 0, e.KeyCreated(key=str(number))) for number in range(3000)]
    rare = ("person/b", 0, e.KeyRevoked(key="0"))
    events = store.new_events(made, intent, [*common, rare])
    store.append(made, intent=intent, events=events, rows=Rows(), open_as="installation")
    sql, parameters = search._offsets(made, Wanted(types=("KeyRevoked", "LabelDeleted")), 0, 100)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE log_event")  # whatever other tests left, and when it was last counted
        cursor.execute(f"EXPLAIN {sql}", parameters)
        assert "log_event_type" in "\n".join(row[0] for row in cursor.fetchall())
