"""The job of an import: begun late or twice, killed, cancelled or sent again, it does each step once.

What is reached is written down after each chunk, for people who wait; the truth of it is in the log. A job that is
begun again reads the file from its start, so its findings are found anew.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from labeling.commands import assets
from labeling.errors import NotFound, PalimpsestError
from labeling.log.event import Intent
from labeling.management.progress import without_cycle_search
from releases.events import ImportFinished
from releases.formats.format import Findings, UnreadableFile
from releases.formats.records import Imported, Sample
from releases.imports import sources
from releases.imports.carrying import carry
from releases.imports.counts import Counts
from releases.imports.cutting import Piece, pieces
from releases.imports.done import Done
from releases.imports.reports import Failed, Stopped, tell
from releases.imports.sources import AtHome, BadMember, Unusable
from releases.imports.steps import CategoriesRefused, Steps
from releases.imports.undoing import undo
from releases.imports.wish import Wish
from releases.jobs import BEAT_S, MOST_TRIES, QUIET_S
from releases.models import ImportFinding, ImportJob
from releases.shards import alone_at

logger = logging.getLogger(__name__)

JSON = dict[str, Any]

PENDING, SUCCEEDED = ImportJob.Status.PENDING, ImportJob.Status.SUCCEEDED
FAILED, CANCELED = ImportJob.Status.FAILED, ImportJob.Status.CANCELED
#: Findings that are kept of one job; those behind them are counted.
MOST_FINDINGS = 10_000
ENDS = {SUCCEEDED: "succeeded", FAILED: "failed", CANCELED: "canceled"}

Progress = Callable[[int, int | None], None]


def run(job: uuid.UUID, *, progress: Progress = lambda done, total: None) -> None:
    """Do a job, if it is still to be done and nobody else is at it.

    Raises:
        Exception: something failed that may pass (the database, the storage, a busy log); call again.
    """
    with alone_at(job) as alone:
        if alone:
            _run(job, progress)


def claim_waiting() -> list[uuid.UUID]:
    """Jobs that are still to be done, and at which nobody has been at work for a while; each is named once in that."""
    silent = ImportJob.objects.filter(status=PENDING, updated_at__lt=Now() - dt.timedelta(seconds=QUIET_S))
    found = list(silent.order_by("created_at").values_list("id", flat=True))
    for job in found:
        _update(job)
    return found


def cancel_if_idle(job: uuid.UUID) -> None:
    """End a job that is to be cancelled and that nobody is at."""
    with alone_at(job) as alone:
        row = ImportJob.objects.filter(id=job, status=PENDING, cancel=True).first() if alone else None
        if row is not None:
            _end(row, CANCELED, "", Counts(), row.counts)


def _run(job: uuid.UUID, progress: Progress) -> None:
    row = ImportJob.objects.filter(id=job, status=PENDING).first()
    if row is None:
        return
    if row.cancel:
        _end(row, CANCELED, "", Counts(), row.counts)
        return
    if row.tries >= MOST_TRIES:
        _end(row, FAILED, f"The worker was killed {MOST_TRIES} times; the file may need more memory.", None, row.counts)
        return
    _update(job, tries=row.tries + 1, is_begun=True)
    counts = Counts()
    try:
        if row.undoes is None:
            _import(row, counts, progress)
        else:
            undo(row, counts, progress)
    except Stopped:
        _end(row, CANCELED, "", counts)
        return
    except (Failed, Unusable, UnreadableFile, CategoriesRefused, BadMember) as error:
        _end(row, FAILED, _sentence(str(error)), counts)
        return
    except NotFound as error:
        _end(
            row,
            FAILED,
            f"{error.message.split('.')[0]}; it was deleted, or the person may not see it any more.",
            counts,
        )
        return
    except PalimpsestError as error:
        if error.code in ("busy", "storage_unavailable"):
            raise
        _end(row, FAILED, error.message, counts)
        return
    except Exception as error:
        if row.tries + 1 < MOST_TRIES:
            raise
        logger.exception("import %s was given up", job)
        _end(row, FAILED, f"It was tried {MOST_TRIES} times; the last ended in {type(error).__name__}.", counts)
        return
    except BaseException:  # asked to stop, which is not the job's fault
        ImportJob.objects.filter(id=job).update(tries=F("tries") - 1)
        raise
    _end(row, SUCCEEDED, "", counts)


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


# --- an import -----------------------------------------------------------------------------------------------------


def intent_of(row: ImportJob) -> Intent:
    """Who asked for a job, and why."""
    said = row.intent
    work_session = said.get("work_session")
    return Intent(
        author=row.created_by,
        tool=said.get("tool"),
        reason=said.get("reason"),
        work_session=uuid.UUID(work_session) if work_session else None,
        author_kind="import",
    )


def _import(row: ImportJob, counts: Counts, progress: Progress) -> None:
    wish = Wish(**row.wish)
    ImportFinding.objects.filter(job_id=row.id).delete()
    found = _Findings(row.id)
    steps = Steps(row.id, row.dataset_id, wish, intent_of(row), row.source, again=row.is_begun)
    steps.seen()
    if steps.again and steps.was_begun_by_another_version():
        raise Failed(
            "It was begun by another version, which parted the file otherwise; start it anew: what it brought is found"
        )
    findings = Findings()
    try:
        with (
            _file(row) as file,
            sources.opened(file, row.source["filename"]) as source,
            without_cycle_search(),  # but for what `carry` has looked through
        ):
            for where, why in source.problems:
                findings.add(where, why)
            assert wish.kind.read is not None
            at_home = AtHome(source, {settings.PUBLIC_URL})
            imported = wish.kind.read(at_home, findings, wish.reading_options)
            steps.open(at_home)
            total = _total(imported)
            _update(row.id, samples_total=total)
            _add(counts, found, steps.bring_categories(imported.dataset))
            steps.look_around()
            telling = _Telling(row, counts, found, lambda done: progress(done, total))
            with _not_waiting_for_the_disk():
                carry(steps, _read(imported, findings, found), telling.told)
    finally:
        found.write()
        ImportJob.objects.filter(id=row.id).update(errors_count=found.errors, notes_count=found.notes)


def _read(imported: Imported, findings: Findings, found: _Findings) -> Iterator[Piece]:
    """The pieces of a file; what was found while one was read is taken before it."""
    for piece in pieces(_once(imported.samples, findings)):
        found.take(findings)
        yield piece
    found.take(findings)


@contextmanager
def _not_waiting_for_the_disk() -> Iterator[None]:
    """What is written down here may be lost with the server: how far a job is, which is counted again by what the log
    has, and files that no event names yet. Chunks are appended by connections of their own, which do wait; and what was
    written before an append is on the disk with it."""
    if connection.in_atomic_block:  # then they are appended here
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    try:
        yield
    finally:
        with suppress(DatabaseError), connection.cursor() as cursor:  # it may be lost, and this with it
            cursor.execute("RESET synchronous_commit")


class _Telling:
    """Adds up what chunks did, and writes down how far the job is."""

    def __init__(self, row: ImportJob, counts: Counts, found: _Findings, progress: Callable[[int], None]) -> None:
        self._row, self._counts, self._found, self._progress = row, counts, found, progress
        self._done, self._beat_at = 0, time.monotonic()
        self._reached = sum(row.counts.values())

    def told(self, step: Done, some: list[Piece]) -> None:
        """Of one more.

        Raises:
            Stopped: the job was cancelled.
        """
        _add(self._counts, self._found, step)
        self._done += sum(piece.is_last for piece in some)
        self._progress(self._done)
        # Who comes further than was written down before may be killed as often again, also within one large record.
        # What was done counts up the same way each time, so its sum says how far this is.
        counts = self._counts.as_json()
        reached = sum(counts.values())
        fresh: JSON = {"tries": 0, "counts": counts} if reached > self._reached else {}
        if fresh or time.monotonic() - self._beat_at > BEAT_S:
            self._beat_at, self._reached = time.monotonic(), max(reached, self._reached)
            self._found.write()
            done = max(self._done, self._row.samples_done)
            _tell(self._row, self._found, samples_done=done, **fresh)


def _tell(row: ImportJob, found: _Findings, **fields: Any) -> None:
    """Write down how far the job is, and stop where it was cancelled."""
    told = {"errors_count": found.errors, "notes_count": found.notes}
    if not _going(row.id).filter(cancel=False).update(**told, **fields, updated_at=Now()):
        raise Stopped


@contextmanager
def _file(row: ImportJob) -> Iterator[Any]:
    sha256 = row.source["sha256"]
    try:
        file = default_storage.open(assets.path_of(sha256))
    except FileNotFoundError:
        raise Failed("The file is not in storage any more; send it again") from None
    with file:
        yield file


def _total(imported: Imported) -> int | None:
    if imported.total is not None:
        return imported.total
    return len(imported.samples) if isinstance(imported.samples, list) else None


def _once(records: Iterable[Sample], findings: Findings) -> Iterator[Sample]:
    """The records of a file, each name once."""
    seen: set[str] = set()
    for number, record in enumerate(records, 1):
        if record.name in seen:
            findings.add(f"record {number}", "is of the same sample as one before it, and was left out")
            continue
        seen.add(record.name)
        yield record


class _Findings:
    """The findings of a job on their way into their table."""

    def __init__(self, job: uuid.UUID) -> None:
        self._job = job
        self.errors = self.notes = 0
        self._waiting: list[ImportFinding] = []

    def add(self, where: str, message: str, level: str) -> None:
        number = self.errors + self.notes + 1
        if level == "error":
            self.errors += 1
        else:
            self.notes += 1
        if number <= MOST_FINDINGS:
            shown = [text.replace("\x00", "").encode("utf-8", "replace").decode()[:1000] for text in (where, message)]
            self._waiting.append(
                ImportFinding(job_id=self._job, number=number, where=shown[0], message=shown[1], level=level)
            )

    def take(self, findings: Findings) -> None:
        """Those of the codec, which has them no longer."""
        rows, findings.rows = findings.rows, []
        for item in rows:
            self.add(item["where"], item["message"], item["level"])

    def write(self) -> None:
        if self._waiting:
            ImportFinding.objects.bulk_create(self._waiting)
            self._waiting = []


def _add(counts: Counts, found: _Findings, done: Done) -> None:
    counts.add(done.counts.as_json())
    for where, message, level in done.findings:
        found.add(where, message, level)


# --- the end -------------------------------------------------------------------------------------------------------


def _update(job: uuid.UUID, **fields: Any) -> bool:
    """Write to the row of a job under way; False when it is not any more."""
    return bool(_going(job).update(**fields, updated_at=Now()))


def _going(job: uuid.UUID) -> QuerySet[ImportJob]:
    return ImportJob.objects.filter(id=job, status=PENDING)


def _end(row: ImportJob, status: Any, reason: str, counts: Counts | None, said: JSON | None = None) -> None:
    """Tell how the job ended: in the log, then in its row. Killed in between, the next who comes does it again."""
    told = said if said is not None else counts.as_json() if counts is not None else {}
    if not row.wish.get("dry_run") and row.undoes is None:
        tell(row.dataset_id, row.id, ImportFinished(state=ENDS[status], counts=told, reason=reason), by=row.created_by)
    _update(row.id, status=status, error=reason, counts=told, ended_at=Now())
