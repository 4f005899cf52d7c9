"""Reports that somebody keeps: a question and an offset, which give the same bytes whenever they are run."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from labeling.api.answers import answer, no_content
from labeling.api.contract import Reply, documented
from labeling.api.reports import as_csv, format_of, options_of, question_of
from labeling.api.requests import body_of, intent_of, uuid_of
from labeling.api.schemas import saved_reports as schemas
from labeling.api.schemas.forms import listed
from labeling.api.schemas.parameters import AT, DATASET_OFFSET
from labeling.api.views import Answer, View, offset_of
from labeling.commands import saved_reports as commands
from labeling.errors import InvalidValue, NotFound
from labeling.models import SavedReport
from labeling.queries import datasets as dataset_queries
from labeling.queries import saved_reports as queries
from labeling.queries.datasets import Seen
from labeling.queries.labels import names_of
from labeling.reports import catalogue
from labeling.reports.catalogue import REPORTS
from labeling.reports.tables import Question
from labeling.rules import access

JSON = dict[str, Any]


def rendered(rows: list[SavedReport]) -> list[JSON]:
    """Reports as the API lists them, with the names of today of who kept them."""
    names = names_of({row.created_by for row in rows}) if rows else {}
    return [
        {
            "uuid": row.id,
            "name": row.name,
            "report": row.report,
            "question": row.question,
            "offset": row.at_offset,
            "created_at": row.created_at,
            "created_by": names.get(row.created_by, str(row.created_by)),
        }
        for row in rows
    ]


class SavedReportsView(View):
    """The reports that are kept of a dataset."""

    writes = "label"

    @documented(
        "saved_reports", "history", {200: Reply(listed(schemas.SAVED_REPORT), (DATASET_OFFSET,))}, parameters=(AT,)
    )
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """The reports that are kept, the oldest first, now or (`at`) as they were: for managers and admins all of them,
        for others those about their own work."""
        found = self.dataset(owner, name, "history")
        then = self.past(found)
        rows = queries.saved_reports(found.id, at=None if then is None else then.offset)
        sees_all = access.may("work", role=found.role, public=False)
        shown = [row for row in rows if queries.may_see(row, person=self.person, sees_all=sees_all)]
        return answer(rendered(shown), headers=offset_of(found) if then is None else then.headers)

    @documented(
        "saved_report_add",
        "history",
        {201: Reply(schemas.SAVED_REPORT)},
        body=schemas.NEW_SAVED_REPORT,
        appends=True,
    )
    def post(self, request: Request, owner: str, name: str) -> Answer:
        """Keep a report: its `name`, which `report`, what is asked of it, and of which offset (`at`; that of the head
        unless said). What the dataset's settings say of it today is written down with it."""
        found = self.dataset(owner, name, "history")
        body = body_of(request)
        for key in body:
            if key not in schemas.FIELDS:
                raise InvalidValue("body", f"may hold {', '.join(schemas.FIELDS)}")
        title = commands.checked_name(body.get("name"))
        asked = REPORTS.get(body["report"]) if isinstance(body.get("report"), str) else None
        if asked is None:
            raise InvalidValue("report", f"must be one of {', '.join(REPORTS)}")
        at = body.get("at")
        if at is not None and (type(at) is not int or not 1 <= at <= found.head):
            raise InvalidValue("at", "must be an offset of the dataset")
        said = {key: _word(key, body[key]) for key in schemas.ASKED if body.get(key) is not None}
        settings = found.dataset.settings if at is None else dataset_queries.state_at(found.id, at).settings
        only = None if access.may("work", role=found.role, public=False) else self.person
        question: Question = question_of(said, asked, dataset=found.id, settings=settings, only=only)
        options = options_of(said, asked)
        # Asked once, so that what has no answer is refused now, and not whenever it is run.
        catalogue.ask(asked, found.id, question, at=found.head if at is None else at, options=options)
        saved = commands.save_report(
            intent=intent_of(request),
            dataset=found.id,
            name=title,
            report=asked,
            question=question,
            at=at,
            options=options,
        )
        return answer(rendered([queries.find_saved_report(found.id, saved)])[0], status=201)


#: What is asked by a number; it may also come as a text, as it stands in a query.
NUMBERS = ("threshold_s", "rate", "iou")


def _word(key: str, value: Any) -> str:
    """What would stand behind the name on a query."""
    if key == "by" and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    if isinstance(value, str):
        return value
    if key in NUMBERS and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise InvalidValue(key, "must be a number" if key in NUMBERS else "must be a text")


class SavedReportView(View):
    """One report that is kept."""

    writes = "label"

    @documented(
        "saved_report_run",
        "history",
        {200: Reply(schemas.RUN, (DATASET_OFFSET,), media=("application/json", "text/csv"))},
        parameters=(schemas.FORMAT,),
        refusals=("not_permitted",),
    )
    def get(self, request: Request, owner: str, name: str, saved_report: str) -> Answer:
        """Run a report that is kept: the same bytes every time, whatever happened since. People, samples and label sets
        are told by their ids, as in the log, because names change."""
        found = self.dataset(owner, name, "history")
        row = self._row(found, saved_report)
        if not queries.may_see(row, person=self.person, sees_all=False):
            access.require("work", role=found.role, public=False, dataset=found.id)
        answered = queries.answered(row)
        headers = {"Dataset-Offset": str(answered.offset)}
        if format_of(request) == "csv":
            headers["Content-Disposition"] = f'attachment; filename="{name}-{row.report}-{answered.offset}.csv"'
            text = as_csv(REPORTS[row.report], tuple(row.question["by"]), answered, {})
            return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)
        return answer(
            {
                "uuid": row.id,
                "report": row.report,
                "question": row.question,
                "offset": answered.offset,
                "digest": answered.digest,
                "rows": answered.rows,
            },
            headers=headers,
        )

    @documented("saved_report_remove", "work", {204: Reply()}, appends=True)
    def delete(self, request: Request, owner: str, name: str, saved_report: str) -> Answer:
        """Remove a report (who kept it, or a manager); its events stay in the log."""
        found = self.dataset(owner, name, "history")
        row = self._row(found, saved_report)
        commands.remove_report(intent=intent_of(request), dataset=found.id, saved=row.id)
        return no_content()

    def _row(self, found: Seen, saved_report: str) -> SavedReport:
        wanted: uuid.UUID | None = uuid_of(saved_report)
        if wanted is None:
            raise NotFound("The report")
        return queries.find_saved_report(found.id, wanted)
