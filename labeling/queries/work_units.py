"""Work units: who spent how long on which save of a label."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from labeling.models import WorkUnit


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

    So a time that is split at any moment adds up to the whole. Units on samples that were deleted are among them.
    """
    direction = "DESC" if newest_first else "ASC"
    rows: Any = WorkUnit.objects.raw(
        "SELECT w.*, p.username, s.name AS sample_name, ls.name AS label_set_name FROM labeling_workunit w"
        " JOIN labeling_sample s ON s.id = w.sample_id JOIN labeling_labelset ls ON ls.id = w.label_set_id"
        " LEFT JOIN labeling_person p ON p.id = w.author"
        " WHERE w.dataset_id = %(dataset)s AND (%(author)s::uuid IS NULL OR w.author = %(author)s)"
        " AND (%(start)s::timestamptz IS NULL OR w.created_at >= %(start)s)"
        " AND (%(end)s::timestamptz IS NULL OR w.created_at < %(end)s)"
        f" ORDER BY w.created_at {direction}, w.last_offset {direction}, w.id {direction}"
        " LIMIT %(limit)s OFFSET %(skip)s",
        {"dataset": dataset, "author": author, "start": start, "end": end, "limit": limit, "skip": skip},
    )
    return [WorkOnSample(row, row.username, row.sample_name, row.label_set_name) for row in rows]
