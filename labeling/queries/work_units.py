"""Work units: who spent how long on which save of a label."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from labeling.log.event import microseconds
from labeling.models import Dataset, WorkUnit
from labeling.reports import reading, tables
from labeling.reports.signals import signals_of
from labeling.reports.tables import Question
from labeling.rules.work_units import THRESHOLD, THRESHOLD_S


@dataclass(slots=True)
class WorkOnSample:
    """A work unit, with the names of who did it (None: an account that is gone) and of what it was done on."""

    unit: WorkUnit
    author: str | None
    sample: str
    label_set: str


def work_units(
    dataset: uuid.UUID,
    *,
    author: uuid.UUID | None,
    start: dt.datetime | None,
    end: dt.datetime | None,
    newest_first: bool,
    limit: int,
    skip: int,
) -> list[WorkOnSample]:
    """A page of the work units of a dataset, or of one author there, made from `start` until just before `end`.

    So a time that is split at any moment adds up to the whole. Units on samples that were deleted are among them. Where
    clients told of people at work, the units' times are those of the reports.
    """
    direction = "DESC" if newest_first else "ASC"
    rows: Any = WorkUnit.objects.raw(
        "SELECT w.*, EXISTS (SELECT FROM labeling_activity a WHERE a.dataset_id = w.dataset_id) AS is_told,"
        " p.username, s.name AS sample_name, ls.name AS label_set_name FROM labeling_workunit w"
        " JOIN labeling_sample s ON s.id = w.sample_id JOIN labeling_labelset ls ON ls.id = w.label_set_id"
        " LEFT JOIN labeling_person p ON p.id = w.author"
        " WHERE w.dataset_id = %(dataset)s AND (%(author)s::uuid IS NULL OR w.author = %(author)s)"
        " AND (%(start)s::timestamptz IS NULL OR w.created_at >= %(start)s)"
        " AND (%(end)s::timestamptz IS NULL OR w.created_at < %(end)s)"
        f" ORDER BY w.created_at {direction}, w.last_offset {direction}, w.id {direction}"
        " LIMIT %(limit)s OFFSET %(skip)s",
        {"dataset": dataset, "author": author, "start": start, "end": end, "limit": limit, "skip": skip},
    )
    found = [WorkOnSample(row, row.username, row.sample_name, row.label_set_name) for row in rows]
    if found and (rows[0].is_told or reading.has_closed(dataset)):
        _measure_again(dataset, [one.unit for one in found])
    return found


def _measure_again(dataset: uuid.UUID, units: list[WorkUnit]) -> None:
    """Give units the times that signals of clients show beside events; the stored ones know only events."""
    settings = Dataset.objects.values_list("settings", flat=True).get(id=dataset)
    ledger, _ = reading.ledger_of(dataset)
    question = Question(settings.get(THRESHOLD, THRESHOLD_S), ZoneInfo("UTC"))
    times = tables.unit_times(tables.measured(ledger, signals_of(ledger, reading.told(dataset)), question))
    for unit in units:
        key = (str(unit.author), str(unit.sample_id), str(unit.label_set_id), microseconds(unit.created_at) or 0)
        unit.active_us, unit.inactive_us, unit.gaps = times.get(key, (unit.active_us, unit.inactive_us, unit.gaps))
