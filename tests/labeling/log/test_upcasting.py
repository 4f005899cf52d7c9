"""Old events are brought up to today's version when they are read, never rewritten: the whole stored corpus, in a log.

Few types have had a second version. So the corpus is stored here as if every type had one more: in another shape, with
a step that leads to the next version. Whatever reads the log then has to make that step.
"""

from __future__ import annotations

import itertools
import json
import uuid
from typing import Any

import pytest
from django.db import connection

from labeling.log import projector, rebuild, store, verify
from labeling.log.event import Event, Fact, Intent, UnknownEventType, Vocabulary, vocabulary
from labeling.log.projector import kind_of
from labeling.log.rows import Rows
from labeling.projectors import Contributions
from tests.labeling.test_history_corpus import AUTHOR, STORED

JSON = dict[str, Any]


class Moved(Fact, frozen=True):
    """A fact with two older versions: at first `x` alone, then `x` and `y`, now a point."""

    point: list[int]
    schema = 3


STEPS = {
    ("Moved", 1): lambda data: {"x": data["x"], "y": 0},
    ("Moved", 2): lambda data: {"point": [data["x"], data["y"]]},
}


@pytest.mark.parametrize(
    "version, data, point",
    [(1, {"x": 4}, [4, 0]), (2, {"x": 4, "y": 5}, [4, 5]), (3, {"point": [4, 5]}, [4, 5])],
)
def test_every_version_is_led_to_todays_step_by_step(version: int, data: JSON, point: list[int]) -> None:
    known = Vocabulary()
    known.add([Moved], STEPS)
    before = json.dumps(data)
    assert known.decode("Moved", version, data) == Moved(point=point)
    assert json.dumps(data) == before, "what was stored stays what it was"


@pytest.mark.parametrize("steps, version", [({}, 1), ({("Moved", 1): STEPS["Moved", 1]}, 1), (STEPS, 4)])
def test_a_missing_step_or_a_newer_version_stops_whoever_reads(steps: Any, version: int) -> None:
    known = Vocabulary()
    known.add([Moved], steps)
    with pytest.raises(UnknownEventType, match="Moved version"):
        known.decode("Moved", version, {"x": 4})


def older(data: JSON) -> JSON:
    """The shape in which the corpus is stored: every field under another name, in another order."""
    return {f"was_{name}": data[name] for name in reversed(list(data))}


def newer(data: JSON) -> JSON:
    """The step back."""
    return {name.removeprefix("was_"): value for name, value in data.items()}


@pytest.fixture
def next_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every type is in its next version, and has a step from that of today."""
    steps = {(name, fact.schema): newer for name, fact in vocabulary._types.items()}
    monkeypatch.setattr(vocabulary, "_upcasts", vocabulary._upcasts | steps)
    for fact in vocabulary._types.values():
        monkeypatch.setattr(fact, "schema", fact.schema + 1)


def stored_logs() -> dict[uuid.UUID, list[Event]]:
    """The corpus as logs of events: a stream's name that comes again is of another log, unless it goes on there."""
    logs: dict[int, list[Event]] = {}
    names = {number: uuid.uuid4() for number in range(9)}
    turns: dict[str, int] = {}
    ends: dict[str, int] = {}
    versions: dict[tuple[str, int], int] = {}
    for stream, group in itertools.groupby(STORED, key=lambda stored: stored["stream"]):
        found = list(group)
        if ends.get(stream) != found[0]["version"] - 1:
            turns[stream] = turns.get(stream, -1) + 1
        turn, ends[stream] = turns[stream], found[-1]["version"]
        for stored in found:
            version = versions[stream, turn] = versions.get((stream, turn), 0) + 1  # one begins in the middle
            logs.setdefault(turn, []).append(
                Event(
                    log=names[turn],
                    stream=stream,
                    version=version,
                    fact=vocabulary.decode(stored["type"], vocabulary._types[stored["type"]].schema, stored["data"]),
                    intent=INTENT,
                    event_id=uuid.uuid4(),
                    app_version="0.1",
                    schema_version=vocabulary._types[stored["type"]].schema - 1,
                    raw=older(stored["data"]),
                )
            )
    return {names[turn]: events for turn, events in logs.items()}


INTENT = Intent(author=AUTHOR)


def test_the_whole_corpus_in_an_older_shape_folds_to_the_same_rows(db: None, next_versions: None, tell: Any) -> None:
    logs = stored_logs()
    for log, events in logs.items():
        placed = [
            Event(**{name: getattr(event, name) for name in Event.__struct_fields__} | {"offset": number - len(events)})
            for number, event in enumerate(events, 1)
        ]
        rows = Rows()
        streams = sorted({event.stream for event in events})
        for stream in streams:
            kind = kind_of(stream)
            assert kind is not None
            rows.add(kind.rows(log, stream, [event for event in placed if event.stream == stream]))
        store.append(log, intent=INTENT, events=placed, rows=rows, open_as="dataset")

        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM log_event WHERE log = %s AND data::text LIKE '%%\"was_%%'", [log])
            assert cursor.fetchone()[0] == sum(bool(event.raw) for event in events), "stored as it was written"
        assert [event.fact for event in store.read(log, limit=1000)] == [event.fact for event in events]
        assert rebuild.differences(log) == {}
        assert rebuild.rebuild(log).changed == 0
        assert verify.verify_log(log) == []
        Contributions().project(log, store.read(log, limit=1000))
    tell(f"{sum(map(len, logs.values()))} events of {len(vocabulary.names())} types, each led from an older version")


def test_old_and_new_versions_stand_in_one_stream(db: None, dataset: Any, person: Any, monkeypatch: Any) -> None:
    from labeling.commands import datasets
    from labeling.events import DatasetSettingsChanged

    ana = person("ana")
    made = dataset(ana)

    def change(text: str) -> None:
        datasets.change_dataset(intent=Intent(author=ana.id), dataset=made, changes={"description": text})

    change("by the old version")
    monkeypatch.setattr(DatasetSettingsChanged, "schema", 2)
    monkeypatch.setattr(vocabulary, "_upcasts", {("DatasetSettingsChanged", 1): lambda data: data})
    change("by the new version")
    versions = [event.schema_version for event in store.read(made) if isinstance(event.fact, DatasetSettingsChanged)]
    assert versions[-2:] == [1, 2]
    assert rebuild.differences(made) == {} and verify.verify_log(made) == []
    projector.catch_up(made)
    for each in projector.catch_ups():
        assert rebuild.compared_catch_up(each, made) == {}
