"""What happened to reports that somebody keeps: each is a question about the dataset at an offset."""

from __future__ import annotations

from typing import Any

from labeling.log.event import Fact

JSON = dict[str, Any]


class ReportSaved(Fact, frozen=True):
    """Somebody kept a report: its question, spelled out so that no setting of a later day changes it, and the offset.

    `question` has by, from_us and to_us (null for open ends), timezone, threshold_s, person (null for everybody), and
    options as the report has them.
    """

    name: str
    report: str
    question: JSON
    offset: int


class ReportRemoved(Fact, frozen=True):
    """A report that was kept is not any more."""


REPORT_EVENTS = (ReportSaved, ReportRemoved)
