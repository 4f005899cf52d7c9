"""The reports by name: what each is asked by, and what its columns mean; and one asked and answered.

An answer is a pure function of the dataset's log up to an offset, of what clients told up to there, and of the
question: asked again it gives the same rows, and the digest over them says so.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labeling.log import values
from labeling.reports import reading, tables
from labeling.reports.signals import signals_of
from labeling.reports.tables import Measured, Question, Row

JSON = dict[str, Any]
TIME = {
    "active_s": "Seconds of work: between two signals at most `threshold_s` apart.",
    "idle_s": "Seconds of longer pauses on the same sample.",
}


@dataclass(frozen=True, slots=True)
class Report:
    """One report. `action` is what it takes to see it; who may only label sees their own part, where `personal`."""

    name: str
    says: str
    keys: tuple[str, ...]
    default: tuple[str, ...]
    columns: dict[str, str]
    rows: Callable[[Measured, JSON], list[Row]]
    personal: bool = True
    options: tuple[str, ...] = ()


def _cost(found: Measured, options: JSON) -> list[Row]:
    rate = options.get("rate", 0.0)
    rows = tables.time_table(found)
    for row in rows:
        row["cost"] = round(row["active_us"] * rate / 3_600_000_000, 4)
    return rows


_time_columns = TIME | {
    "signals": "Events of people, and what clients told.",
    "measured": "Signals in front of which a time could be measured; 0: not measurable, which is not no time.",
    "saves": "Saves, submissions, verdicts, and edits that need none.",
}

REPORTS = {
    report.name: report
    for report in (
        Report(
            "time",
            "Active and idle time and saves.",
            tables.TIME_KEYS,
            ("person", "day"),
            _time_columns,
            lambda found, _: tables.time_table(found),
        ),
        Report(
            "cost",
            "The time, with what it costs at a rate an hour.",
            tables.TIME_KEYS,
            ("person",),
            _time_columns | {"cost": "Active hours times `rate`."},
            _cost,
            options=("rate",),
        ),
        Report(
            "objects",
            "What people did to objects, and the time that led up to it.",
            tables.OBJECT_KEYS,
            ("category",),
            {
                "active_s": "Seconds since the last event on an object there, shared by those that were touched.",
                "added": "Objects added.",
                "changed": "Changes of objects.",
                "removed": "Objects removed.",
            },
            lambda found, _: tables.object_table(found),
        ),
        Report(
            "quality",
            "How submitted labels fared in review, by who submitted them.",
            tables.QUALITY_KEYS,
            ("person",),
            {
                "judged": "Submissions that were accepted, verified or rejected.",
                "accepted": "Good ones among them.",
                "rejected": "The others.",
                "first_judged": "First submissions of a label that were judged.",
                "first_accepted": "Those that were good at once (first-pass acceptance).",
            },
            lambda found, _: tables.quality_table(found),
        ),
        Report(
            "assistance",
            "What became of objects, by who made them: person, model, import, service, program.",
            tables.ASSISTANCE_KEYS,
            ("made_by",),
            {
                "objects": "Objects made in the period.",
                "as_they_came": "Those that no person touched since.",
                "corrected": "Those that a person changed.",
                "removed": "Those that a person removed.",
                "active_s": "Seconds that people spent on them.",
            },
            lambda found, _: tables.assistance_table(found),
            personal=False,
        ),
        Report(
            "queue",
            "Labels by status, and how long they have been in it at the end of the period.",
            tables.QUEUE_KEYS,
            ("status",),
            {
                "labels": "Labels in the status.",
                "age_s": "The sum of the seconds since they got it.",
                "median_age_s": "The median of them.",
                "oldest_s": "The most of them.",
            },
            lambda found, options: tables.queue_table(found, now_us=options["now_us"]),
            personal=False,
        ),
    )
}


@dataclass(slots=True)
class Answered:
    """A report's rows (people by id, durations in seconds), the offset that they are of, and their digest."""

    rows: list[Row]
    offset: int
    digest: str


def ask(report: Report, dataset: uuid.UUID, question: Question, *, at: int | None, options: JSON) -> Answered:
    """Answer a report's question from the log up to `at` (its head for None)."""
    ledger, offset = reading.ledger_of(dataset, at=at)
    signals = signals_of(ledger, reading.told(dataset, at=at))
    last_us = int(ledger.events["at_us"][-1]) if len(ledger.events) else 0
    options = options | {"now_us": last_us if question.end_us is None else question.end_us}
    rows = [in_seconds(row) for row in report.rows(tables.measured(ledger, signals, question), options)]
    return Answered(rows, offset, hashlib.sha256(values.canonical(rows)).hexdigest())


def in_seconds(row: Row) -> Row:
    """Microseconds as seconds, and no codes."""
    return {
        (f"{name[:-3]}_s" if name.endswith("_us") else name): (value / 1_000_000 if name.endswith("_us") else value)
        for name, value in row.items()
        if not name.startswith("_")
    }
