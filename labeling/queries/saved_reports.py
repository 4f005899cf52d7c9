"""Reports that somebody keeps: those of a dataset, now or at an offset, and one of them answered."""

from __future__ import annotations

import uuid
from zoneinfo import ZoneInfo

from labeling.errors import NotFound
from labeling.models import SavedReport
from labeling.reports import catalogue
from labeling.reports.catalogue import REPORTS, Answered
from labeling.reports.tables import Question


def saved_reports(dataset: uuid.UUID, *, at: int | None = None) -> list[SavedReport]:
    """The reports that are kept, the oldest first. What one asks never changes; it comes and goes."""
    rows = SavedReport.objects.filter(dataset_id=dataset).order_by("saved_offset", "id")
    if at is None:
        return list(rows.filter(removed=False))
    return [row for row in rows.filter(saved_offset__lte=at) if not (row.removed and row.last_offset <= at)]


def find_saved_report(dataset: uuid.UUID, saved: uuid.UUID) -> SavedReport:
    """The report of this id that is kept.

    Raises:
        NotFound: there is none.
    """
    row = SavedReport.objects.filter(id=saved, dataset_id=dataset, removed=False).first()
    if row is None:
        raise NotFound("The report")
    return row


def may_see(row: SavedReport, *, person: uuid.UUID, sees_all: bool) -> bool:
    """Whether somebody may see what a report tells: who may not see the work of others, one about their own alone."""
    return sees_all or (REPORTS[row.report].personal and row.question["person"] == str(person))


def answered(row: SavedReport) -> Answered:
    """The report's rows as they were and will be: the same for ever."""
    asked = row.question
    question = Question(
        threshold_s=asked["threshold_s"],
        zone=ZoneInfo(asked["timezone"]),
        start_us=asked["from_us"],
        end_us=asked["to_us"],
        by=tuple(asked["by"]),
        person=asked["person"],
    )
    return catalogue.ask(REPORTS[row.report], row.dataset_id, question, at=row.at_offset, options=asked["options"])


def last_kept(dataset: uuid.UUID) -> int:
    """The newest offset that a report which is kept is of; 0 where there is none."""
    rows = SavedReport.objects.filter(dataset_id=dataset, removed=False)
    found: int | None = rows.order_by("-at_offset").values_list("at_offset", flat=True).first()
    return found or 0
