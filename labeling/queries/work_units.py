"""Work units: who spent how long on which save of a label."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from labeling.log.event import microseconds
from labeling.models import Dataset, Sample, WorkUnit
from labeling.queries.datasets import state_at
from labeling.queries.samples import sample_at
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
    at: int | None = None,
) -> list[WorkOnSample]:
    """A page of the work units of a dataset, or of one author there, made from `start` until just before `end`.

    So a time that is split at any moment adds up to the whole. Units on samples that were deleted are among them. Where
    clients told of people at work, the units' times are those of the reports. `at` an offset they are what they were:
    those of saves that were complete by then, measured by what had been told by then, named as all was then.
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
        " AND (%(at)s::bigint IS NULL OR w.last_offset <= %(at)s)"
        f" ORDER BY w.created_at {direction}, w.last_offset {direction}, w.id {direction}"
        " LIMIT %(limit)s OFFSET %(skip)s",
        {"dataset": dataset, "author": author, "start": start, "end": end, "limit": limit, "skip": skip, "at": at},
    )
    found = [WorkOnSample(row, row.username, row.sample_name, row.label_set_name) for row in rows]
    if found and (rows[0].is_told or reading.has_closed(dataset)):
        _measure_again(dataset, [one.unit for one in found], at)
    if at is not None:
        _name_as_of(dataset, found, at)
    return found


def _name_as_of(dataset: uuid.UUID, found: list[WorkOnSample], at: int) -> None:
    """Give samples and label sets the names that they had."""
    label_sets = state_at(dataset, at).label_sets
    ids = {one.unit.sample_id for one in found}
    changed = Sample.objects.filter(id__in=ids, last_offset__gt=at).values_list("id", flat=True)
    names = {sample: sample_at(dataset, sample, at).name for sample in changed}
    for one in found:
        one.sample = names.get(one.unit.sample_id, one.sample)
        one.label_set = label_sets[str(one.unit.label_set_id)].name


def _measure_again(dataset: uuid.UUID, units: list[WorkUnit], at: int | None) -> None:
    """Give units the times that signals of clients show beside events; the stored ones know only events."""
    settings = (
        Dataset.objects.values_list("settings", flat=True).get(id=dataset)
        if at is None
        else state_at(dataset, at).settings
    )
    ledger, _ = reading.ledger_of(dataset, at=at)
    question = Question(settings.get(THRESHOLD, THRESHOLD_S), ZoneInfo("UTC"))
    times = tables.unit_times(tables.measured(ledger, signals_of(ledger, reading.told(dataset, at=at)), question))
    for unit in units:
        key = (str(unit.author), str(unit.sample_id), str(unit.label_set_id), microseconds(unit.created_at) or 0)
        unit.active_us, unit.inactive_us, unit.gaps = times.get(key, (unit.active_us, unit.inactive_us, unit.gaps))
