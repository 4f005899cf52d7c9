"""What was ever stored decodes and folds for ever: `corpus/events.json` is never rewritten, only added to.

A new event type or schema version needs an example there, in a stream where it makes sense, and `corpus/rows.json` what
the streams fold to. To write that file again after an addition, run this file with CORPUS=write in the environment and
look at the difference: what is there must not change.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest

from labeling import events as e
from labeling.log import values
from labeling.log.event import Event, Intent, vocabulary
from labeling.log.projector import kind_of
from sequences.events import TRACK_EVENTS

JSON = dict[str, Any]
HERE = Path(__file__).parent / "corpus"
STORED: list[JSON] = json.loads((HERE / "events.json").read_text())
LOG, AUTHOR = uuid.UUID(int=1, version=4), uuid.UUID(int=2, version=4)
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def event_of(stored: JSON) -> Event:
    return Event(
        log=LOG,
        stream=stored["stream"],
        version=stored["version"],
        fact=vocabulary.decode(stored["type"], stored["schema_version"], stored["data"]),
        intent=Intent(author=AUTHOR),
        event_id=uuid.UUID(int=stored["offset"]),
        app_version="0.1",
        offset=stored["offset"],
        recorded_at=START + dt.timedelta(seconds=stored["offset"]),
        schema_version=stored["schema_version"],
        raw=stored["data"],
    )


def folded() -> JSON:
    """{table: rows} of all streams, as JSON."""
    found: JSON = {}
    for stream, group in itertools.groupby(map(event_of, STORED), key=lambda event: event.stream):
        kind = kind_of(stream)
        if kind is None:
            continue
        for table, rows in kind.rows(LOG, stream, list(group)).put.items():
            found.setdefault(table, []).extend(rows)
    plain: JSON = json.loads(msgspec.json.encode(found))
    return plain


def test_every_type_and_version_that_may_be_stored_has_an_example():
    wanted = {
        (name, version)
        for name in vocabulary.names()
        for version in range(1, vocabulary._types[name].schema + 1)
        if vocabulary._types[name].__module__.split(".")[0] in ("labeling", "releases", "sequences")
    }
    assert {(stored["type"], stored["schema_version"]) for stored in STORED} == wanted


@pytest.mark.parametrize("stored", STORED, ids=lambda stored: f"{stored['offset']}-{stored['type']}")
def test_a_stored_event_decodes_and_hashes_as_it_did(stored):
    event = event_of(stored)
    assert event.type == stored["type"]
    assert values.same(event.data, stored["data"])
    if stored["schema_version"] == type(event.fact).schema:
        spelled_out = msgspec.to_builtins(event.fact)
        assert all(values.same(stored["data"][name], value) for name, value in spelled_out.items())
        assert vocabulary.decode(event.type, stored["schema_version"], spelled_out) == event.fact


def test_the_streams_fold_to_the_rows_that_they_did():
    rows = folded()
    if os.environ.get("CORPUS") == "write":
        lines = [
            f"{json.dumps(table)}: [\n" + ",\n".join(map(json.dumps, items)) + "\n]" for table, items in rows.items()
        ]
        (HERE / "rows.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    kept: JSON = json.loads((HERE / "rows.json").read_text())
    assert list(rows) == list(kept)
    for table, items in kept.items():
        assert len(rows[table]) == len(items)
        for row, known in zip(rows[table], items, strict=True):
            # A column may be added later; what was there stays what it was.
            assert {name: row[name] for name in known} == known


def test_every_type_of_a_stream_that_is_projected_is_handled_by_its_fold():
    """A type without a handler would stop a rebuild, or worse be passed over: each fold is asked for each type."""
    folds = {"label": (*e.LABEL_EVENTS, *TRACK_EVENTS),
             "sample": e.SAMPLE_EVENTS, "dataset": e.DATASET_EVENTS, "asset": e.ASSET_EVENTS,
             "issue": e.ISSUE_EVENTS, "webhook": e.WEBHOOK_EVENTS,
             "report": e.REPORT_EVENTS}  # fmt: skip
    seen: dict[str, set[str]] = {}
    for stored in STORED:
        seen.setdefault(stored["stream"].split("/")[0], set()).add(stored["type"])
    for prefix, types in folds.items():
        assert seen[prefix] == {fact.__name__ for fact in types}, prefix
        assert kind_of(f"{prefix}/x") is not None
    assert all(kind_of(f"{prefix}/x") is not None for prefix in seen)


def test_a_fold_does_not_pass_over_what_it_does_not_know():
    five, six = uuid.UUID(int=5), uuid.UUID(int=6)
    labels, others = ("dataset", f"sample/{five}", f"label/{five}/{six}"), ("issue", "report", "webhook")
    for stream in (*labels, *(f"{kind}/{five}" for kind in others)):
        kind = kind_of(stream)
        assert kind is not None
        stranger = event_of(STORED[0] | {"stream": stream, "type": "KeyCreated", "data": {"key": "x"}})
        with pytest.raises((TypeError, KeyError)):
            kind.rows(LOG, stream, [stranger])
