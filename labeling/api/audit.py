"""Audit reports over a dataset or over the installation, and the signed checkpoints of their logs."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.http import StreamingHttpResponse
from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.requests import at_of, body_of, caller, intent_of, moment, number_of, source_of, uuid_of
from labeling.api.restoring import person_named
from labeling.api.schemas import audit as schemas
from labeling.api.schemas.parameters import AT, DATASET_OFFSET
from labeling.api.views import Answer, View
from labeling.audit import writing
from labeling.audit.asking import OTHERS, Asked, ask, logs_named, offsets_said
from labeling.audit.catalogue import reports
from labeling.audit.report import Question, Report
from labeling.commands import security
from labeling.errors import InvalidValue, NotFound, NotPermitted
from labeling.log import store
from labeling.log.event import INSTALLATION, microseconds
from labeling.models import LabelSet
from labeling.queries import checkpoints
from labeling.queries.places import as_offset

JSON = dict[str, Any]

#: A page has its style in it, and small pictures; nothing else is loaded, and nothing runs.
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
#: Options that name a person, who may be named by their username.
OF_PEOPLE = ("author", "person")


class AuditView(View):
    """What dataset audits and that of the installation share."""

    def told(self, what: str, dataset: uuid.UUID | None, form: str = "") -> None:
        """Tell the security log that the caller reads this."""
        source = source_of(self.request)
        security.audit_read(intent=intent_of(self.request), what=what, dataset=dataset, form=form, source=source)

    def for_superusers(self) -> None:
        """Check that the caller runs the installation.

        Raises:
            NotPermitted: they do not.
        """
        person = caller(self.request)
        if not (person.is_superuser and person.is_active):
            raise NotPermitted("The audit of the installation needs a superuser.", action="audit-installation")

    def asked(self, report: Report, log: uuid.UUID) -> Asked:
        """The report that the query asks for."""
        when, query = at_of(self.request), self.request.query_params
        at = None if when is None else as_offset(log, when, store.head(log))
        # They are looked at where they are not used, too: what is wrong should not seem to work.
        said = {name: number_of(self.request, f"{name}_at", 0) for name in OTHERS if query.get(f"{name}_at")}
        others = {name: offset for name, offset in said.items() if OTHERS[name] != log}
        every = logs_named(query.get("logs_at", ""))
        return ask(report, log, question_of(query, report, log), at=at, others=others, every=every)

    def streamed(self, asked: Asked, form: str) -> Answer:
        """The answer, in pieces."""
        return streamed(asked, form, with_names=self.request.query_params.get("names") == "1")


def streamed(asked: Asked, form: str, *, with_names: bool = False) -> Answer:
    """An answer in the form of that name, in pieces."""
    pieces = writing.pieces(asked, form, with_names=with_names)
    filename = f"{asked.report.code}-{asked.report.name}-{asked.offset}.{form}"
    headers = {"Dataset-Offset": str(asked.offset)}
    if form != "json":
        # A page is looked at: its links lead into this installation.
        headers["Content-Disposition"] = f'{"inline" if form == "html" else "attachment"}; filename="{filename}"'
    if form == "html":
        headers["Content-Security-Policy"] = PAGE_POLICY
    return StreamingHttpResponse(begun(pieces), content_type=writing.FORMS[form], headers=headers)


def begun(pieces: Iterator[bytes]) -> Iterable[bytes]:
    """The pieces, of which the first is made at once: what is wrong from the start is an error, and no torn answer."""
    first = next(pieces, b"")

    def rest() -> Iterator[bytes]:
        yield first
        yield from pieces

    return rest()


class DatasetAuditsView(AuditView):
    """The audit reports of a dataset."""

    @documented("dataset_audits", "audit", {200: Reply(schemas.CATALOGUE)})
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """The audit reports that there are, and what each answers."""
        self.dataset(owner, name, "audit")
        return answer([described(item, f"/datasets/{owner}/{name}/audit") for item in reports("dataset").values()])


class DatasetAuditView(AuditView):
    """An audit report of a dataset."""

    @documented(
        "dataset_audit",
        "audit",
        {200: Reply(schemas.ANSWER, (DATASET_OFFSET,), media=schemas.MEDIA)},
        path={"report": schemas.report_name("dataset")},
        parameters=(AT, *schemas.PARAMETERS),
        refusals=("busy",),
    )
    def get(self, request: Request, owner: str, name: str, report: str) -> Answer:
        """An audit report: the same question with the offsets of its `definition` has the same bytes for ever, and the
        same digest. People are ids in it; `names=1` adds what they are called today. That it was read is told in the
        security log."""
        found = self.dataset(owner, name, "audit")
        asked = self.asked(report_named("dataset", report), found.id)
        form = form_of(request)
        self.told(asked.report.name, found.id, form)
        return self.streamed(asked, form)


class DatasetCheckpointsView(AuditView):
    """The signed checkpoints of a dataset's log."""

    @documented("dataset_checkpoints", "audit", {200: Reply(schemas.CHECKPOINTS)}, refusals=("busy",))
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """The signed checkpoints of the dataset's log, the first first. Keep them elsewhere: with one of them it can be
        shown later that the log was cut off, or written anew."""
        found = self.dataset(owner, name, "audit")
        self.told("checkpoints", found.id)
        return answer([item.as_json() for item in checkpoints.of(found.id)])


class AuditsView(AuditView):
    """The audit reports of the installation."""

    @documented("audits", "superuser", {200: Reply(schemas.CATALOGUE)})
    def get(self, request: Request) -> Answer:
        """The audit reports of the installation, and what each answers."""
        self.for_superusers()
        return answer([described(item, "/audit") for item in reports("installation").values()])


class InstallationAuditView(AuditView):
    """An audit report of the installation."""

    writes = "read"  # what is sent is a question

    @documented(
        "audit",
        "superuser",
        {200: Reply(schemas.ANSWER, (DATASET_OFFSET,), media=schemas.MEDIA)},
        path={"report": schemas.report_name("installation")},
        parameters=(AT, *schemas.PARAMETERS, schemas.LOGS_AT),
        refusals=("busy",),
    )
    def get(self, request: Request, report: str) -> Answer:
        """An audit report over the log of the installation and the security log; `at` is a place in the former."""
        self.for_superusers()
        asked = self.asked(report_named("installation", report), INSTALLATION)
        form = form_of(request)
        self.told(asked.report.name, None, form)
        return self.streamed(asked, form)

    @documented(
        "audit_again",
        "superuser",
        {200: Reply(schemas.ANSWER, (DATASET_OFFSET,), media=schemas.MEDIA)},
        path={"report": schemas.report_name("installation")},
        parameters=schemas.QUESTION,
        body=schemas.OFFSETS,
        refusals=("busy",),
    )
    def post(self, request: Request, report: str) -> Answer:
        """An audit report asked again with the `offsets` of its definition, which in a large installation are more than
        an address holds: it has the same bytes. Nothing is changed; that it was read is told in the security log."""
        self.for_superusers()
        found, query, form = report_named("installation", report), request.query_params, form_of(request)
        body = body_of(request)
        if set(body) != {"offsets"}:
            raise InvalidValue("body", "must have the offsets of a definition, and nothing else")
        others, every = offsets_said(body["offsets"])
        question = question_of(query, found, INSTALLATION)
        asked = ask(found, INSTALLATION, question, at=others.get("installation"), others=others, every=every)
        self.told(found.name, None, form)
        return self.streamed(asked, form)


class CheckpointsView(AuditView):
    """The signed checkpoints of the logs that are of no dataset."""

    @documented("checkpoints", "superuser", {200: Reply(schemas.CHECKPOINTS)}, refusals=("busy",))
    def get(self, request: Request) -> Answer:
        """The signed checkpoints of the installation's log and of the security log."""
        self.for_superusers()
        self.told("checkpoints", None)
        return answer([item.as_json() for log in OTHERS.values() for item in checkpoints.of(log)])


def report_named(of: str, name: str) -> Report:
    """The report of that name or code.

    Raises:
        NotFound: there is none.
    """
    known = reports(of)
    found = known.get(name) or next((item for item in known.values() if item.code == name), None)
    if found is None:
        raise NotFound("The report")
    return found


def described(report: Report, address: str) -> JSON:
    """A report as the catalogue tells it."""
    return {
        "code": report.code,
        "name": report.name,
        "title": report.title,
        "answers": report.answers,
        "version": report.version,
        "options": {name: option.says for name, option in report.options.items()},
        "reads": report.reads,
        "url": f"{address}/{report.name}/",
    }


def form_of(request: Request) -> str:
    """The form that was asked for."""
    form = request.query_params.get("format") or "json"
    if form not in writing.FORMS:
        raise InvalidValue("format", f"must be one of {', '.join(writing.FORMS)}")
    return form


def question_of(query: Mapping[str, str], report: Report, log: uuid.UUID) -> Question:
    """The question that the parameters of an address ask.

    Raises:
        InvalidValue: the first parameter that does not fit.
    """
    options: dict[str, str] = {}
    for name, option in report.options.items():
        value = query.get(name, "")
        if value and option.number is not None:
            least, most = option.number
            if not (value.isascii() and value.isdigit() and len(value) < 19 and least <= int(value) <= most):
                raise InvalidValue(name, f"must be a whole number from {least} to {most}")
            value = str(int(value))
        elif value and name in OF_PEOPLE:
            person = person_named(value)
            if person is None:
                raise InvalidValue(name, "must be a username, or the id of a person")
            value = str(person)
        elif value and name == "label_set" and uuid_of(value) is None:
            known = LabelSet.objects.filter(dataset_id=log, name=value).order_by("archived", "-last_offset").first()
            if known is None:
                raise InvalidValue(name, "must be the name of a label set, or its uuid")
            value = str(known.id)
        elif value and name in ("sample", "object", "work_session"):
            key = uuid_of(value)
            if key is None:
                raise InvalidValue(name, "must be a uuid")
            value = str(key)
        if len(value) > 1000:
            raise InvalidValue(name, "must be at most 1000 characters")
        options[name] = value
    return Question(_moment_us(query, "from"), _moment_us(query, "to"), options)


def _moment_us(query: Mapping[str, str], name: str) -> int | None:
    """A time, or the beginning of a date in UTC."""
    value = query.get(name)
    if not value:
        return None
    try:
        if len(value) == 10:
            return microseconds(dt.datetime.combine(dt.date.fromisoformat(value), dt.time(), dt.UTC))
    except ValueError:
        pass
    return microseconds(moment(value.replace(" ", "+") if "T" in value else value, name))
