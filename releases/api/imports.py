"""Imports into a dataset, and the jobs that do them: how far each is, what it found, and stopping or taking it back."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http.multipartparser import MultiPartParserError
from rest_framework.exceptions import ParseError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Body, Reply, documented
from labeling.api.requests import StrictJSONParser, body_of, intent_of, number_of, uuid_of
from labeling.api.schemas.forms import WHOLE, listed
from labeling.api.schemas.parameters import or_empty, query
from labeling.api.views import Answer, View
from labeling.commands import assets
from labeling.errors import InvalidValue, NotFound, TooLarge
from labeling.log import values
from labeling.log.values import BadValue
from labeling.models import Asset
from labeling.queries import datasets
from labeling.queries.labels import names_of
from labeling.rules import access
from releases import build_jobs
from releases.api import builds
from releases.api.schemas.imports import IMPORT_FORM, JOB, NEW_IMPORT, UNDO_IMPORT
from releases.build_jobs import BuildJob, build_job
from releases.imports import commands
from releases.imports.wish import checked_wish
from releases.models import ImportFinding, ImportJob

JSON = dict[str, Any]

#: Findings of one answer, and jobs of one list.
MOST_FINDINGS = 1000
MOST_JOBS = 200


class FormParser(MultiPartParser):
    """multipart/form-data: each field once, as text, and the file."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        request: Request = parser_context["request"]
        if int(request.META.get("CONTENT_LENGTH") or 0) > assets.MOST_BYTES + (1 << 20):
            raise TooLarge("file: is larger than 100 MB")
        try:
            parsed = super().parse(stream, media_type, parser_context)
        except (ParseError, MultiPartParserError, ValueError) as error:
            raise InvalidValue("body", "is no form that can be read") from error
        found: JSON = {}
        for part in (parsed.data, parsed.files):
            for name, listed_ in part.lists():
                if name in found or len(listed_) > 1:
                    raise InvalidValue("body", "must hold each field once")
                found[name] = listed_[0]
        return found


class ImportsView(View):
    """The imports of a dataset."""

    parser_classes = [StrictJSONParser, FormParser]
    writes = "label"

    @documented("imports", "history", {200: Reply(listed(JOB))})
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """The jobs of the dataset's imports, dry runs included, the newest first; at most 200, without findings."""
        found = self.dataset(owner, name, "history")
        rows = ImportJob.objects.filter(dataset_id=found.id).order_by("-created_at", "id")[:MOST_JOBS]
        return answer(rendered(list(rows), {found.id: found.full_name}))

    @documented(
        "import_add",
        "label",
        {202: Reply(JOB)},
        body=Body(NEW_IMPORT, form=IMPORT_FORM),
        appends=True,
        refusals=("refused", "storage_unavailable"),
    )
    def post(self, request: Request, owner: str, name: str) -> Answer:
        """Import a file: sent as a form, or uploaded before. It is done in the background, a few hundred samples at a
        time; the job says how far it is and what was found. To add samples or categories takes the role admin."""
        found = self.dataset(owner, name, "label")
        body = dict(body_of(request))
        why = {"reason": body.pop("reason")} if "reason" in body else {}
        file, asset = body.pop("file", None), body.pop("asset", None)
        if (file is None) == (asset is None):
            raise InvalidValue(
                "file" if file is None else "asset", "send a form with the file, or the uuid of an asset"
            )
        if file is not None:
            body = _of_form(body)
        wish = checked_wish(body)
        for action in wish.actions:
            access.require(action, role=found.role, public=found.dataset.public, dataset=found.id)
        job = commands.start_import(
            intent=intent_of(request, why),
            dataset=found.id,
            wish=wish,
            asset=self._uploaded(file) if file is not None else self._known(asset),
        )
        return answer(rendered([job], {found.id: found.full_name})[0], status=202)

    def _uploaded(self, file: Any) -> Asset:
        if not isinstance(file, UploadedFile):
            raise InvalidValue("file", "must be a file")
        return assets.store_asset(assets.plan_asset(owner=self.person, filename=file.name or "file"), file)

    def _known(self, asset: Any) -> Asset:
        key = uuid_of(asset) if isinstance(asset, str) else None
        if key is None:
            raise InvalidValue("asset", "must be the uuid of an uploaded file")
        try:
            return assets.complete_asset(asset=key, owner=self.person)
        except NotFound as error:
            raise InvalidValue("asset", "must be the uuid of a file that you uploaded") from error


def _of_form(fields: JSON) -> JSON:
    """The fields of a form as those of a JSON body."""
    found: JSON = {}
    for name, value in fields.items():
        if not isinstance(value, str):
            raise InvalidValue("body", "may hold one file, named file")
        try:
            value = values.checked(value, where=name if name.isidentifier() else "body")
            if name == "options":
                value = values.parse(value.encode(), where=name)
        except BadValue as error:
            raise InvalidValue(error.where, error.problem) from error
        if name == "dry_run":
            if value not in ("true", "false"):
                raise InvalidValue(name, "must be true or false")
            value = value == "true"
        found[name] = value
    return found


class JobAddress(View):
    """A job by its uuid."""

    writes = "label"

    def job(self, job: str, action: str) -> tuple[ImportJob, str]:
        """(the job, its dataset's full name); whoever may not know of the dataset does not learn of the job."""
        key = uuid_of(job)
        row = None if key is None else ImportJob.objects.filter(id=key).first()
        if row is None:
            raise NotFound("The job")
        seen = datasets.dataset_by_id(row.dataset_id, person=self.person)
        access.require(action, role=seen.role, public=seen.dataset.public, dataset=seen.id)
        return row, seen.full_name

    def build(self, job: str, action: str) -> BuildJob | None:
        """The job of that id where it makes a release or an export and not an import."""
        key = uuid_of(job)
        if key is None or ImportJob.objects.filter(id=key).exists():
            return None
        return build_job(key, person=self.person, action=action)

    def told(self, row: ImportJob, name: str, *, status: int = 200, after: int = 0, limit: int = 100) -> Answer:
        row.refresh_from_db()
        found = ImportFinding.objects.filter(job_id=row.id, number__gt=after).order_by("number")[:limit]
        said = rendered([row], {row.dataset_id: name}, {row.id: list(found)})
        return answer(said[0], status=status)

    def cancelled(self, request: Request, job: str) -> Answer:
        build = self.build(job, "release")
        if build is not None:
            build_jobs.cancel(build)
            return answer(builds.rendered(build))
        row, name = self.job(job, "label")
        commands.cancel_job(intent=intent_of(request), job=row)
        return self.told(row, name)


class JobView(JobAddress):
    """One job."""

    @documented(
        "job_read",
        "history",
        {200: Reply(JOB)},
        parameters=(
            query("after", "Findings behind this number.", or_empty(WHOLE | {"minimum": 0}), 0),
            query(
                "limit", "How many findings; 100 unless said.", or_empty(WHOLE | {"minimum": 1, "maximum": 1000}), 100
            ),
        ),
    )
    def get(self, request: Request, job: str) -> Answer:
        """How far a job is, what it has done, and what it found. The job that makes the file of a release has the
        release's uuid, that of an export the export's."""
        build = self.build(job, "history")
        if build is not None:
            return answer(builds.rendered(build))
        row, name = self.job(job, "history")
        after = number_of(request, "after", 0)
        limit = number_of(request, "limit", 100, least=1, most=MOST_FINDINGS)
        return self.told(row, name, after=after, limit=limit)

    @documented("job_delete", "label", {200: Reply(JOB)}, refusals=("refused",))
    def delete(self, request: Request, job: str) -> Answer:
        """Cancel a job: it stops behind the samples at which it is. What an import did stays, and can be taken back."""
        return self.cancelled(request, job)


class JobCancelView(JobAddress):
    """Cancelling a job, for those who cannot send DELETE."""

    @documented("job_cancel", "label", {200: Reply(JOB)}, refusals=("refused",))
    def post(self, request: Request, job: str) -> Answer:
        """Cancel a job: it stops behind the samples at which it is. What an import did stays, and can be taken back."""
        return self.cancelled(request, job)


class JobRetryView(JobAddress):
    """Going on with a job."""

    @documented("job_retry", "label", {200: Reply(JOB)}, appends=True, refusals=("refused",))
    def post(self, request: Request, job: str) -> Answer:
        """Go on with a job that failed or was cancelled; what it did before is not done twice."""
        build = self.build(job, "release")
        if build is not None:
            build_jobs.retry(build)
            return answer(builds.rendered(build))
        row, name = self.job(job, "label")
        commands.retry_job(intent=intent_of(request), job=row)
        return self.told(row, name)


class JobUndoView(JobAddress):
    """Taking an import back."""

    @documented("job_undo", "label", {202: Reply(JOB)}, body=UNDO_IMPORT, appends=True, refusals=("refused",))
    def post(self, request: Request, job: str) -> Answer:
        """Take back what an import brought, as one action: labels become what they were, and the samples and categories
        that it added and nobody uses go. It is a job too; a dry run says what would be."""
        row, name = self.job(job, "label")
        body = body_of(request)
        for key in body:
            if key not in ("dry_run", "on_conflict", "reason"):
                raise InvalidValue("body", "may hold dry_run, on_conflict and reason")
        if type(body.get("dry_run", False)) is not bool:
            raise InvalidValue("dry_run", "must be true or false")
        made = commands.undo_import(
            intent=intent_of(request, body),
            job=row,
            on_conflict=body.get("on_conflict", "stop"),
            dry_run=body.get("dry_run", False),
        )
        return self.told(made, name, status=202)


def rendered(
    rows: list[ImportJob], names: dict[uuid.UUID, str], findings: dict[uuid.UUID, list[ImportFinding]] | None = None
) -> list[JSON]:
    """Jobs as the API shows them."""
    people = names_of({row.created_by for row in rows}) if rows else {}
    return [
        {
            "uuid": row.id,
            "kind": "undo" if row.undoes else "import",
            "undoes": row.undoes,
            "dataset": names[row.dataset_id],
            "status": row.status,
            "dry_run": row.dry_run,
            "wish": row.wish,
            "source": row.source or None,
            "samples_done": row.samples_done,
            "samples_total": row.samples_total,
            "counts": row.counts,
            "errors_count": row.errors_count,
            "notes_count": row.notes_count,
            "findings": [
                {"number": item.number, "where": item.where, "message": item.message, "level": item.level}
                for item in (findings or {}).get(row.id, [])
            ],
            "error": row.error or None,
            "created_by": people.get(row.created_by, str(row.created_by)),
            "created_at": row.created_at,
            "updated_at": row.updated_at,
            "ended_at": row.ended_at,
        }
        for row in rows
    ]
