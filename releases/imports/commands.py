"""Have a file imported, have that stopped, gone on with, or taken back."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from labeling.commands import assets
from labeling.errors import IdempotencyKeyReused, InvalidValue, NotFound, ReasonRequired, Refused
from labeling.log import values
from labeling.log.event import Intent
from labeling.models import Asset, LabelSet
from labeling.queries import datasets
from labeling.queries.datasets import Seen
from labeling.rules import access
from releases.events import ImportResumed, ImportStarted
from releases.imports import jobs
from releases.imports.reports import state_of, tell
from releases.imports.safeguards import check_import, check_undoing
from releases.imports.wish import Wish
from releases.models import ImportJob

JSON = dict[str, Any]

ON_CONFLICT = ("stop", "skip", "force")


def start_import(*, intent: Intent, dataset: uuid.UUID, wish: Wish, asset: Asset, send: bool = True) -> ImportJob:
    """Have an uploaded file imported, in the background unless it is not to be sent; a dry run changes nothing.

    Raises:
        NotFound, NotPermitted: the author may not, or there is no such label set.
        InvalidValue: nothing was uploaded for the asset.
        ReasonRequired, Refused: as imports.safeguards.check_import.
        IdempotencyKeyReused: the command's id came before with another request.
    """
    _require(dataset, intent, *wish.actions)
    if not LabelSet.objects.filter(dataset_id=dataset, name=wish.label_set, archived=False).exists():
        raise NotFound("The label set")
    if asset.sha256 is None:
        raise InvalidValue("asset", "names a file that was never uploaded; upload it first")
    key = uuid.uuid5(intent.command, "import") if intent.replayable else uuid.uuid4()
    if not ImportJob.objects.filter(id=key).exists():  # a retry gets its answer, whatever is asked for since
        check_import(intent, dataset, wish)
    source = {
        "asset": str(asset.id),
        "filename": asset.filename,
        "sha256": asset.sha256,
        "size_bytes": asset.size_bytes or 0,
    }
    said = wish.as_json()
    job, is_new = _job(key, dataset, intent, said, source=source)
    if not is_new:
        if job.wish != said or job.source.get("sha256") != asset.sha256 or job.dataset_id != dataset:
            raise IdempotencyKeyReused
        return job
    if not wish.dry_run:
        try:
            _tell_started(job, replace(intent, correlation=key, request_hash=_hash(intent, said, source)))
        except BaseException:
            job.delete()
            raise
    if send:
        _send(job.id)
    return job


def cancel_job(*, intent: Intent, job: ImportJob) -> None:
    """Have a job stop behind the chunk at which it is; what it did until then stays, and can be taken back.

    Raises:
        NotFound, NotPermitted: the author may not.
        Refused: it is over.
    """
    _require_own(job, intent)
    if not ImportJob.objects.filter(id=job.id, status=ImportJob.Status.PENDING).update(cancel=True):
        raise Refused("The job is over; there is nothing to cancel.")
    jobs.cancel_if_idle(job.id)


def retry_job(*, intent: Intent, job: ImportJob) -> None:
    """Have a job that failed or was cancelled go on; what it did before is not done again.

    Raises:
        NotFound, NotPermitted: the author may not.
        Refused: it is not over, or has succeeded.
    """
    _require_own(job, intent)
    ended = (ImportJob.Status.FAILED, ImportJob.Status.CANCELED)
    if job.undoes is None and state_of(job.dataset_id, job.id).state == "undone":
        raise Refused("The import was taken back; start it anew.")
    going = ImportJob.objects.filter(id=job.id, status__in=ended)
    fields: JSON = {"status": ImportJob.Status.PENDING, "cancel": False, "error": "", "tries": 0, "ended_at": None}
    if not going.update(**fields, updated_at=Now()):
        raise Refused("Only a job that failed or was cancelled is begun again.")
    if job.undoes is None and not job.dry_run:
        tell(job.dataset_id, job.id, ImportResumed(), intent=replace(intent, correlation=job.id))
    _send(job.id)


def undo_import(
    *, intent: Intent, job: ImportJob, on_conflict: str = "stop", dry_run: bool = False, send: bool = True
) -> ImportJob:
    """Have what an import brought taken back, as one action; a dry run counts what would be. Returns the job of that.

    Raises:
        NotFound, NotPermitted: the author may not.
        InvalidValue: no such way.
        ReasonRequired: `force`, others' imports, and what the dataset asks one for take a reason.
        Refused: it is not over, was a dry run, or was taken back before.
    """
    if on_conflict not in ON_CONFLICT:
        raise InvalidValue("on_conflict", f"must be one of {', '.join(ON_CONFLICT)}")
    if on_conflict == "force" and not intent.reason:
        raise ReasonRequired("with force, which may take what others did since")
    _require(job.dataset_id, intent, "label")
    if intent.author != job.created_by:
        _require(job.dataset_id, intent, "restore")
        if not intent.reason and not dry_run:
            raise ReasonRequired("to take back what others did")
    if job.undoes is not None or job.dry_run:
        raise Refused("This job has changed nothing that could be taken back, or was itself the taking back.")
    if job.status == ImportJob.Status.PENDING:
        raise Refused("The import is not over; cancel it first.")
    if state_of(job.dataset_id, job.id).state == "undone":
        raise Refused("The import was taken back before.")
    key = uuid.uuid5(intent.command, "undo") if intent.replayable else uuid.uuid4()
    if not dry_run and not ImportJob.objects.filter(id=key).exists():
        check_undoing(intent, job)
    said = {"dry_run": dry_run, "on_conflict": on_conflict}
    made, is_new = _job(key, job.dataset_id, intent, said, undoes=job.id)
    if not is_new and (made.wish != said or made.undoes != job.id):
        raise IdempotencyKeyReused
    if send and is_new:
        _send(made.id)
    return made


def _job(
    key: uuid.UUID,
    dataset: uuid.UUID,
    intent: Intent,
    said: JSON,
    *,
    source: JSON | None = None,
    undoes: uuid.UUID | None = None,
) -> tuple[ImportJob, bool]:
    session = intent.work_session
    told = {"tool": intent.tool, "reason": intent.reason, "work_session": str(session) if session else None}
    job, is_new = ImportJob.objects.get_or_create(
        id=key,
        defaults={
            "dataset_id": dataset,
            "undoes": undoes,
            "wish": said,
            "source": source or {},
            "intent": told,
            "created_by": intent.on_behalf_of or intent.author,
            "created_at": Now(),
            "updated_at": Now(),
        },
    )
    if is_new:
        job.refresh_from_db()
    return job, is_new


def _tell_started(job: ImportJob, intent: Intent) -> None:
    token = Asset.objects.filter(id=job.source["asset"]).values_list("token", flat=True)
    fact = ImportStarted(
        import_id=str(job.id),
        source=job.source,
        wish=job.wish,
        format_version=Wish(**job.wish).kind.version,
    )
    tell(job.dataset_id, job.id, fact, intent=intent, also=assets.pin_assets(job.dataset_id, token))


def _hash(intent: Intent, said: JSON, source: JSON) -> bytes | None:
    """What a retry has to be the same in: a form's body is not hashed as JSON bodies are."""
    if intent.request_hash is None:
        return None
    return hashlib.sha256(intent.request_hash + values.canonical([said, source["sha256"]])).digest()


def _require(dataset: uuid.UUID, intent: Intent, *actions: str) -> Seen:
    seen = datasets.dataset_by_id(dataset, person=intent.on_behalf_of or intent.author)
    for action in actions:
        access.require(action, role=seen.role, public=seen.dataset.public, dataset=seen.id)
    return seen


def _require_own(job: ImportJob, intent: Intent) -> None:
    """Own jobs are a labeler's to stop and to begin again, those of others an admin's."""
    _require(job.dataset_id, intent, "label" if job.created_by == intent.author else "change")


def _send(job: uuid.UUID) -> None:
    from releases import actors  # they run jobs, which use commands

    transaction.on_commit(lambda: actors.send_import(job))
