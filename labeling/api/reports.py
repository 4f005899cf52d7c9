"""Reports over a dataset, and what clients tell of people at work."""

from __future__ import annotations

import csv
import datetime as dt
import io
import uuid
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpResponse
from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.cells import cell
from labeling.api.contract import Reply, documented
from labeling.api.requests import at_of, body_of, intent_of, moment, uuid_of
from labeling.api.restoring import person_named
from labeling.api.schemas import reports as schemas
from labeling.api.schemas.parameters import AT, DATASET_OFFSET
from labeling.api.views import Answer, View
from labeling.commands import activity
from labeling.errors import InvalidValue, NotFound
from labeling.log import store
from labeling.log.event import microseconds
from labeling.models import LabelSet, Sample
from labeling.queries import datasets as dataset_queries
from labeling.queries.labels import as_offset, names_of
from labeling.reports import agreement, catalogue
from labeling.reports.catalogue import REPORTS, Answered, Report
from labeling.reports.tables import Question
from labeling.rules import access
from labeling.rules.work_units import THRESHOLD, THRESHOLD_S

JSON = dict[str, Any]


class ActivityView(View):
    """People at work."""

    writes = "label"

    @documented(
        "activity_tell",
        "history",
        {200: Reply(schemas.ACTIVITY_KEPT)},
        body=schemas.ACTIVITY,
        refusals=("not_found", "too_many_signals"),
    )
    def post(self, request: Request) -> Answer:
        """Tell that samples were opened or closed, or that there was input: what working time is measured by, beside
        edits. Only with the key of a person, or logged in."""
        body = body_of(request)
        session = uuid_of(body["session"]) if isinstance(body.get("session"), str) else None
        if session is None:
            raise InvalidValue("session", "must be a uuid: one for each window that a person opens")
        signals = activity.checked_signals(body.get("signals"))
        kept = activity.tell_activity(intent=intent_of(request), session=session, signals=signals)
        return answer({"kept": kept})


class ReportView(View):
    """A report over a dataset."""

    @documented(
        "report",
        "history",
        {200: Reply(schemas.REPORT, (DATASET_OFFSET,), media=("application/json", "text/csv"))},
        path={"report": schemas.REPORT_NAME},
        parameters=(AT, *schemas.PARAMETERS),
        refusals=("not_found",),
    )
    def get(self, request: Request, owner: str, name: str, report: str) -> Answer:
        """A report: of everybody's work for managers and admins, otherwise of the caller's own. The same question with
        the answer's `offset` as `at` gives the same rows, whatever happened since."""
        found = self.dataset(owner, name, "history")
        asked = REPORTS.get(report)
        if asked is None:
            raise NotFound("The report")
        sees_all = access.may("work", role=found.role, public=False)
        if not asked.personal and not sees_all:
            access.require("work", role=found.role, public=False, dataset=found.id)
        when = at_of(request)
        at = None if when is None else as_offset(found.id, when, store.head(found.id))
        settings = found.dataset.settings if at is None else dataset_queries.state_at(found.id, at).settings
        only = None if sees_all else self.person
        question = question_of(request.query_params, asked, dataset=found.id, settings=settings, only=only)
        options = options_of(request.query_params, asked)
        answered = catalogue.ask(asked, found.id, question, at=at, options=options)
        headers = {"Dataset-Offset": str(answered.offset)}
        names = names_in(answered)
        if format_of(request) == "csv":
            body = as_csv(asked, question.by, answered, names)
            filename = f"{name}-{asked.name}-{answered.offset}.csv"
            headers["Content-Disposition"] = f'attachment; filename="{filename}"'
            return HttpResponse(body, content_type="text/csv; charset=utf-8", headers=headers)
        query = request.query_params
        return answer(
            {
                "report": asked.name,
                "dataset": found.full_name,
                "offset": answered.offset,
                "threshold_s": question.threshold_s,
                "timezone": question.zone.key,
                "by": question.by,
                "from": query.get("from") or None,
                "to": query.get("to") or None,
                "person": question.person,
                "digest": answered.digest,
                "columns": asked.columns,
                "names": names,
                "rows": answered.rows,
            },
            headers=headers,
        )


def question_of(
    query: Mapping[str, str], report: Report, *, dataset: uuid.UUID, settings: JSON, only: uuid.UUID | None = None
) -> Question:
    """The question that the parameters of an address ask of a report; `only` is whose work may be told, None for all.

    Raises:
        InvalidValue: the first parameter that does not fit.
        NotPermitted: the work of somebody else is asked for.
    """
    zone = _zone(query.get("timezone") or "UTC")
    by = tuple(dict.fromkeys(item for item in query.get("by", ",".join(report.default)).split(",") if item))
    if any(item not in report.keys for item in by):
        raise InvalidValue("by", f"must name some of {', '.join(report.keys)}, separated by commas")
    named = query.get("person")
    person = person_named(named) if named else only
    if only is not None and person != only:  # first, so that it does not tell which usernames there are
        raise access.refusal("work", dataset=dataset)
    if named and person is None:
        raise InvalidValue("person", "must be a username, or the id of a person")
    threshold = query.get("threshold_s") or str(settings.get(THRESHOLD, THRESHOLD_S))
    if not threshold.isascii() or not threshold.isdigit() or not 1 <= int(threshold[:9]) <= 86_400:
        raise InvalidValue("threshold_s", "must be a whole number of seconds from 1 to 86400")
    start_us, end_us = _moment_us(query, "from", zone), _moment_us(query, "to", zone)
    if start_us is not None and end_us is not None and start_us >= end_us:
        raise InvalidValue("to", "must be later than from")
    return Question(
        threshold_s=int(threshold),
        zone=zone,
        start_us=start_us,
        end_us=end_us,
        by=by,
        person=None if person is None else str(person),
    )


#: Keys whose values are ids of what has a name.
NAMED = ("person", "other_person", "label_set", "sample")


def options_of(query: Mapping[str, str], report: Report) -> JSON:
    """What a report is asked beside the question: what an hour costs, or what is compared with what.

    Raises:
        InvalidValue: the first parameter that does not fit.
    """
    share = number_in(query, "iou", agreement.LEAST, most=1.0)
    if not share:
        raise InvalidValue("iou", "must be more than 0 and at most 1")
    # All are looked at, also where they are not used: what is wrong should not seem to work.
    found = {"rate": rate_of(query), "iou": share, "base": query.get("base") or catalogue.TRUTH}
    return {name: value for name, value in found.items() if name in report.options}


def number_in(query: Mapping[str, str], name: str, otherwise: float, *, most: float) -> float:
    """A number of the query from 0 to `most`."""
    try:
        text = query.get(name) or otherwise
        found = float(text) if str(text).isascii() else -1.0
    except ValueError:
        found = -1.0
    if not 0 <= found <= most:
        raise InvalidValue(name, f"must be a number from 0 to {most:g}")
    return found


def as_csv(report: Report, by: tuple[str, ...], answered: Answered, names: JSON) -> str:
    """The rows with a line of their columns, by RFC 4180; what has a name is told by that, and by its id at the end."""
    columns = list(answered.rows[0]) if answered.rows else [*by, *report.columns]
    named = [name for name in columns if name in NAMED]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*columns, *(f"{name}_id" for name in named)])
    for row in answered.rows:
        shown = [cell(names.get(row[name], row[name]) if name in named else row[name]) for name in columns]
        writer.writerow([*shown, *(row[name] for name in named)])
    return out.getvalue()


def names_in(answered: Answered) -> dict[str, str]:
    """The names of today of the people, label sets and samples in the rows."""
    named: dict[uuid.UUID, str] = {}
    for key, find in (("person", _people), ("other_person", _people), ("label_set", _label_sets), ("sample", _samples)):
        ids = {uuid.UUID(row[key]) for row in answered.rows if row.get(key)}
        named |= find(ids) if ids else {}
    return {str(id): name for id, name in sorted(named.items())}


def _people(ids: set[uuid.UUID]) -> dict[uuid.UUID, str]:
    return names_of({*ids})


def _label_sets(ids: set[uuid.UUID]) -> dict[uuid.UUID, str]:
    return dict(LabelSet.objects.filter(id__in=ids).values_list("id", "name"))


def _samples(ids: set[uuid.UUID]) -> dict[uuid.UUID, str]:
    return dict(Sample.objects.filter(id__in=ids).values_list("id", "name"))


def _zone(name: str) -> ZoneInfo:
    if name not in available_timezones():
        raise InvalidValue("timezone", "must be a name of the IANA time zone database, for example Europe/Berlin")
    return ZoneInfo(name)


def _moment_us(query: Mapping[str, str], name: str, zone: ZoneInfo) -> int | None:
    value = query.get(name)
    if not value:
        return None
    try:
        day = dt.date.fromisoformat(value) if len(value) == 10 else None
    except ValueError:
        day = None
    if day is not None:
        return microseconds(dt.datetime.combine(day, dt.time(), zone))
    return microseconds(moment(value.replace(" ", "+") if "T" in value else value, name))


def rate_of(query: Mapping[str, str]) -> float:
    """What an hour costs.

    Raises:
        InvalidValue: it is no number from 0.
    """
    return number_in(query, "rate", 0, most=1e9)


def format_of(request: Request) -> str:
    """json or csv."""
    value = request.query_params.get("format") or "json"
    if value not in ("json", "csv"):
        raise InvalidValue("format", "must be json or csv")
    return value
