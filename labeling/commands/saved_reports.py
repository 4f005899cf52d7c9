"""Keep a report, and remove it again."""

from __future__ import annotations

import uuid
from typing import Any

from labeling import events as e
from labeling.commands.writing import decide, earlier, hint
from labeling.errors import InvalidValue, NotFound
from labeling.log import store, values
from labeling.log.event import Fact, Intent
from labeling.models import SavedReport
from labeling.queries import datasets as dataset_queries
from labeling.queries.saved_reports import find_saved_report
from labeling.reports.catalogue import Report
from labeling.reports.tables import Question
from labeling.rules import access, saved_report_state
from labeling.rules.saved_report_state import SavedReportState, saved_report_stream

JSON = dict[str, Any]

NAME_LIMIT = 200


def checked_name(value: Any) -> str:
    """The name of a report that is kept.

    Raises:
        InvalidValue, BadValue: it is nothing, or too long, or nothing that a log holds.
    """
    if not isinstance(value, str) or not value.strip() or len(value) > NAME_LIMIT:
        raise InvalidValue("name", f"must be a text of 1 to {NAME_LIMIT} characters")
    return str(values.checked(value, where="name"))


def save_report(
    *, intent: Intent, dataset: uuid.UUID, name: str, report: Report, question: Question, at: int | None, options: JSON
) -> uuid.UUID:
    """Keep a report: its question, and the offset `at`, or for None that of the head now; returns its id.

    Raises:
        NotFound, NotPermitted: the author may not see what it tells.
        InvalidValue: `at` is no offset of the dataset.
    """
    person = intent.on_behalf_of or intent.author

    def attempt() -> uuid.UUID:
        seen = dataset_queries.dataset_by_id(dataset, person=person)
        access.require("history", role=seen.role, public=seen.dataset.public, dataset=dataset)
        if not (report.personal and question.person == str(person)):
            access.require("work", role=seen.role, public=False, dataset=dataset)
        replay = earlier(dataset, intent)
        if replay is not None:
            return uuid.UUID(replay.answer["saved_report"])
        if at is not None and not 1 <= at <= seen.head:
            raise InvalidValue("at", "must be an offset of the dataset")
        fact = e.ReportSaved(
            name=name,
            report=report.name,
            question={
                "by": list(question.by),
                "from_us": question.start_us,
                "to_us": question.end_us,
                "timezone": question.zone.key,
                "threshold_s": question.threshold_s,
                "person": question.person,
                "options": options,
            },
            offset=seen.head if at is None else at,
        )
        saved = uuid.uuid4()
        state = SavedReportState(dataset, saved_report_stream(saved))
        if _append(state, fact, intent, {"saved_report": str(saved)}).replayed:
            raise store.Stale  # a twin of this request was faster; the next turn answers what it did
        return saved

    return decide(attempt)


def remove_report(*, intent: Intent, dataset: uuid.UUID, saved: uuid.UUID) -> None:
    """Remove a report that is kept; its events stay in the log.

    Raises:
        NotFound, NotPermitted: there is none, or the author neither kept it nor may see the work of others.
    """
    person = intent.on_behalf_of or intent.author

    def attempt() -> None:
        seen = dataset_queries.dataset_by_id(dataset, person=person)
        access.require("history", role=seen.role, public=seen.dataset.public, dataset=dataset)
        try:
            row = find_saved_report(dataset, saved)
        except NotFound:
            if earlier(dataset, intent) is None:
                raise
            return  # a retry of the request that removed it
        if row.created_by != person:
            access.require("work", role=seen.role, public=False, dataset=dataset)
        _append(_state_of(row), e.ReportRemoved(), intent)

    decide(attempt)


def _state_of(row: SavedReport) -> SavedReportState:
    return SavedReportState(
        dataset=row.dataset_id,
        stream=saved_report_stream(row.id),
        version=row.version,
        exists=not row.removed,
        name=row.name,
        report=row.report,
        question=row.question,
        at_offset=row.at_offset,
        saved_offset=row.saved_offset,
        created_by=row.created_by,
        created_at=row.created_at,
        last_offset=row.last_offset,
    )


def _append(state: SavedReportState, fact: Fact, intent: Intent, answer: JSON | None = None) -> store.Appended:
    events = store.new_events(state.dataset, intent, [(state.stream, state.version, fact)])
    rows = saved_report_state.rows(saved_report_state.fold(state, events))
    appended = store.append(
        state.dataset, intent=intent, events=events, rows=rows, expected={state.stream: state.version}, answer=answer
    )
    hint(state.dataset, appended)
    return appended
