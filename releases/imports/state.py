"""The state of an import, folded from the events of its stream. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from labeling.log.event import Event, Fact
from labeling.log.rows import Rows
from labeling.rules.fold import NOW, Moment, Place, folded
from releases.events import ImportFinished, ImportResumed, ImportStarted, ImportUndone

JSON = dict[str, Any]

TABLE = "releases_import"
STATES = ("running", "succeeded", "failed", "canceled", "undone")


def import_stream(import_id: uuid.UUID | str) -> str:
    return f"import/{import_id}"


@dataclass(slots=True)
class ImportState:
    """One import. `state` is one of STATES, and "" before ImportStarted."""

    dataset: uuid.UUID
    stream: str
    version: int = 0
    state: str = ""
    reason: str = ""
    format: str = ""
    source: JSON = field(default_factory=dict)
    wish: JSON = field(default_factory=dict)
    counts: JSON = field(default_factory=dict)
    started_by: uuid.UUID | None = None
    started_at: Moment = NOW
    ended_at: Moment | None = None
    last_offset: int = 0

    @property
    def id(self) -> uuid.UUID:
        return uuid.UUID(self.stream.removeprefix("import/"))


def evolve(state: ImportState, fact: Fact, place: Place) -> None:
    """Change `state` by one fact."""
    match fact:
        case ImportStarted():
            state.state, state.format = "running", str(fact.wish.get("format", ""))
            state.source, state.wish = fact.source, fact.wish
            state.started_by, state.started_at = place.author, place.at
        case ImportResumed():
            state.state, state.reason, state.ended_at = "running", "", None
        case ImportFinished():
            state.state, state.reason, state.counts = fact.state, fact.reason, fact.counts
            state.ended_at = place.at
        case ImportUndone():
            state.state, state.ended_at = "undone", place.at
        case _:
            raise TypeError(f"{type(fact).__name__} is no event of an import")
    state.version, state.last_offset = place.version, place.offset


def fold(state: ImportState, events: list[Event]) -> ImportState:
    """The state after `events`, on a copy."""
    return folded(replace(state), events, evolve)


def rows(state: ImportState) -> Rows:
    """The import's row."""
    row = {
        "id": state.id,
        "dataset_id": state.dataset,
        "last_offset": state.last_offset,
        "version": state.version,
        "state": state.state,
        "reason": state.reason,
        "format": state.format,
        "source": state.source,
        "wish": state.wish,
        "counts": state.counts,
        "started_by": state.started_by,
        "started_at": state.started_at,
        "ended_at": state.ended_at,
    }
    return Rows(put={TABLE: [row]})
