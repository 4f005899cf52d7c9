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

from labeling.errors import InvalidValue
from labeling.log import values
from labeling.reports import agreement, reading, tables
from labeling.reports.agreement import Answer, Pair
from labeling.reports.reading import Standing
from labeling.reports.signals import signals_of
from labeling.reports.tables import Measured, Question, Row
from labeling.rules.label_state import LabelState

JSON = dict[str, Any]
TRUTH = "ground-truth"
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
    rows: Callable[[Measured, JSON], list[Row]] | None = None
    personal: bool = True
    options: tuple[str, ...] = ()
    #: Of a report that is not about time but about labels as they stood: (labels, what to group by, options) → rows.
    standing: Callable[[Standing, tuple[str, ...], JSON], list[Row]] | None = None


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


def _agreement(found: Standing, by: tuple[str, ...], options: JSON) -> list[Row]:
    base = found.label_set(options.get("base") or TRUTH)
    if base is None:
        raise InvalidValue("base", "must be the name of a label set")
    answers = {sample: _answer(state) for sample, state in found.labels(base.id)}
    pairs = (
        Pair(sample, label_set.id, answers[sample], _answer(state))
        for label_set in sorted(found.state.label_sets.values(), key=lambda item: item.id)
        if not label_set.archived and label_set.id != base.id
        for sample, state in found.labels(label_set.id)
        if sample in answers
    )
    return agreement.agreement_table(pairs, by, least=options.get("iou") or agreement.LEAST)


def _answer(state: LabelState) -> Answer:
    objects = sorted(state.annotations.values(), key=lambda item: (item["id"], item["uuid"]))
    return Answer(str(state.created_by), objects, reading.ids_of(state))


def register(report: Report) -> None:
    """Plug in a report of an app above."""
    REPORTS[report.name] = report


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
                "reworked": "Submissions among them that followed a rejection.",
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
        Report(
            "agreement",
            "How far other label sets say the same as one of them (`base`; the ground truth unless said), object by"
            " object, as the labels stand.",
            agreement.KEYS,
            ("label_set", "category"),
            {
                "labels": "Samples that both have labeled.",
                "objects": "Objects of the base there.",
                "others": "Objects of the other label set there.",
                "matched": "Pairs of both that share at least `iou`, one to one, the closest first.",
                "same_category": "Those among them that have the same category.",
                "agreement": "Twice these, of all objects of both: 1 where they say the same, 0 where nothing is.",
                "mean_iou": "The mean overlap of the pairs.",
                "left_out": "Objects that cover nothing, so that nothing can be shared: points, lines, skeletons.",
            },
            personal=False,
            options=("iou", "base"),
            standing=_agreement,
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
    """Answer a report's question from the log up to `at` (its head for None).

    Raises:
        InvalidValue: a label set that there was not; or a period is asked of a report on how labels stand.
    """
    if report.standing is not None:
        for name, moment in (("from", question.start_us), ("to", question.end_us)):
            if moment is not None:
                raise InvalidValue(name, "is not asked of this report: it is about the labels as they stand at `at`")
        found = reading.standing(dataset, at=at)
        return _answered(report.standing(found, question.by, options), found.offset)
    assert report.rows is not None
    ledger, offset = reading.ledger_of(dataset, at=at)
    signals = signals_of(ledger, reading.told(dataset, at=at))
    last_us = int(ledger.events["at_us"][-1]) if len(ledger.events) else 0
    options = options | {"now_us": last_us if question.end_us is None else question.end_us}
    rows = [in_seconds(row) for row in report.rows(tables.measured(ledger, signals, question), options)]
    return _answered(rows, offset)


def _answered(rows: list[Row], offset: int) -> Answered:
    return Answered(rows, offset, hashlib.sha256(values.canonical(rows)).hexdigest())


def in_seconds(row: Row) -> Row:
    """Microseconds as seconds, and no codes."""
    return {
        (f"{name[:-3]}_s" if name.endswith("_us") else name): (value / 1_000_000 if name.endswith("_us") else value)
        for name, value in row.items()
        if not name.startswith("_")
    }
