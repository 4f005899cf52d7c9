"""The state of a report that somebody keeps, folded from the events of its stream. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from labeling import events as e
from labeling.log.event import Event, Fact
from labeling.log.rows import Rows
from labeling.rules.fold import NOW, Moment, Place, folded

JSON = dict[str, Any]
TABLE = "labeling_savedreport"


def saved_report_stream(saved: uuid.UUID | str) -> str:
    return f"report/{saved}"


@dataclass(slots=True)
class SavedReportState:
    """One report. `exists` is False before ReportSaved and after ReportRemoved."""

    dataset: uuid.UUID
    stream: str
    version: int = 0
    exists: bool = False
    name: str = ""
    report: str = ""
    question: JSON = field(default_factory=dict)
    at_offset: int = 0
    saved_offset: int = 0  #: where its ReportSaved is in the log
    created_by: uuid.UUID | None = None
    created_at: Moment = NOW
    last_offset: int = 0

    @property
    def id(self) -> uuid.UUID:
        return uuid.UUID(self.stream.removeprefix("report/"))


def evolve(state: SavedReportState, fact: Fact, place: Place) -> None:
    """Change `state` by one fact."""
    match fact:
        case e.ReportSaved():
            state.exists, state.name, state.report = True, fact.name, fact.report
            state.question, state.at_offset = fact.question, fact.offset
            state.saved_offset, state.created_by, state.created_at = place.offset, place.author, place.at
        case e.ReportRemoved():
            state.exists = False
        case _:
            raise TypeError(f"{type(fact).__name__} is no event of a report")
    state.version, state.last_offset = place.version, place.offset


def fold(state: SavedReportState, events: Iterable[Event]) -> SavedReportState:
    """The state after `events`, on a copy."""
    return folded(replace(state), events, evolve)


def rows(state: SavedReportState) -> Rows:
    """The report's row."""
    row = {
        "id": state.id,
        "dataset_id": state.dataset,
        "last_offset": state.last_offset,
        "version": state.version,
        "name": state.name,
        "report": state.report,
        "question": state.question,
        "at_offset": state.at_offset,
        "saved_offset": state.saved_offset,
        "removed": not state.exists,
        "created_by": state.created_by,
        "created_at": state.created_at,
    }
    return Rows(put={TABLE: [row]})
