"""The job that writes a release in a format of others: begun late or twice, it ends with the same archive."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping

from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from labeling import storage
from labeling.errors import InvalidValue
from labeling.log import values
from releases import builds, files, packing, queries, reading
from releases.builds import BEAT_S, MOST_TRIES, QUIET_S
from releases.formats import registry
from releases.formats.format import BadOption, ExportStopped, Format, Options
from releases.models import ExportBuild, Release
from releases.snapshots import SnapshotFailed

logger = logging.getLogger(__name__)

NAMESPACE = uuid.UUID("8d2c2c57-62b3-4c63-9a2e-2f5a1f3d6e09")
ENDING = ".zip"
PENDING, SUCCEEDED, FAILED = ExportBuild.Status.PENDING, ExportBuild.Status.SUCCEEDED, ExportBuild.Status.FAILED


class Unwanted(Exception):
    """The release was taken back while it was being exported."""


def checked(format_name: str | None, said: Mapping[str, str]) -> tuple[Format, Options]:
    """A format and all of its options.

    Raises:
        InvalidValue: no format of that name can be written, or it takes no such option or value; lists what there is.
    """
    try:
        kind = registry.to_write(format_name or "")
    except registry.UnknownFormat as error:
        raise InvalidValue("format", str(error)) from error
    try:
        return kind, kind.parsed(said)
    except BadOption as error:
        raise InvalidValue(error.name if error.name.isidentifier() else "query", error.message) from error


def id_of(release: uuid.UUID, label_set: str, kind: Format, options: Options) -> uuid.UUID:
    """The id of an export, which follows from what it is of and how it is made."""
    said = [str(release), label_set, kind.name, kind.version, dict(options.said)]
    return uuid.uuid5(NAMESPACE, values.canonical(said).decode())


def asked(release: Release, label_set: str, kind: Format, options: Options) -> tuple[ExportBuild, bool]:
    """The job of an export, and whether it still has to be sent: it is new, or failed before.

    Raises:
        InvalidValue: the release has no such label set.
    """
    try:
        reading.read(queries.state_of(release), label_set=label_set)
    except reading.NoLabelSet as error:
        raise InvalidValue("label_set", str(error)) from error
    return ExportBuild.objects.get_or_create(
        id=id_of(release.id, label_set, kind, options),
        defaults={
            "release_id": release.id,
            "label_set": label_set,
            "format": kind.name,
            "format_version": kind.version,
            "options": dict(options.said),
            "updated_at": Now(),
        },
    )


def build(export: uuid.UUID) -> None:
    """Make the archive of an export, if it is still to be made and nobody else is at it.

    Raises:
        Exception: something failed that may pass (the database, the storage); call again.
    """
    with builds.alone_at(export) as alone:
        if alone:
            _build(export)


def reset(export: uuid.UUID) -> None:
    """Have an export that ended, well or not, made anew."""
    ExportBuild.objects.filter(id=export).exclude(status=PENDING).update(
        status=PENDING, error="", tries=0, updated_at=Now()
    )


def forget(release: uuid.UUID) -> None:
    """Remove the archives of a release that was taken back, unless a backup reads files; then the sweeper does."""
    with storage.removable() as removable:
        for job in ExportBuild.objects.filter(release_id=release) if removable else ():
            job.delete()
            _discard(job.path)


def claim_waiting() -> list[uuid.UUID]:
    """Exports that are still to be made, and at which nobody has been at work for a while; each once in that while."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE releases_exportbuild SET updated_at = statement_timestamp()"
            " WHERE status = %s AND updated_at < statement_timestamp() - %s * interval '1 second' RETURNING id",
            [PENDING, QUIET_S],
        )
        return sorted(row[0] for row in cursor.fetchall())


def left_behind() -> list[uuid.UUID]:
    """Releases that were taken back and of which there still are exports."""
    withdrawn = Release.objects.filter(withdrawn=True).values("id")
    rows = ExportBuild.objects.filter(release_id__in=withdrawn).order_by("release_id")
    return list(rows.values_list("release_id", flat=True).distinct())


def _build(export: uuid.UUID) -> None:
    job = ExportBuild.objects.filter(id=export, status=PENDING).first()
    if job is None:
        return
    row = Release.objects.filter(id=job.release_id, withdrawn=False).first()
    if row is None:
        return
    if job.tries >= MOST_TRIES:
        _fail(export, f"The worker that made it was killed {MOST_TRIES} times; it may need more memory.")
        return
    _update(export, tries=job.tries + 1, samples_count=0)
    try:
        done = _write(job, row)
    except Unwanted:
        return
    except (SnapshotFailed, ExportStopped) as error:
        logger.warning("export %s cannot be made: %s", export, type(error).__name__)
        _fail(export, str(error))
        return
    except Exception as error:
        if job.tries + 1 < MOST_TRIES:
            raise
        logger.exception("export %s was given up", export)
        _fail(export, f"It could not be made in {MOST_TRIES} tries; the last ended in {type(error).__name__}.")
        return
    except BaseException:  # asked to stop, which is not the export's fault
        ExportBuild.objects.filter(id=export).update(tries=F("tries") - 1)
        raise
    if not _update(export, status=SUCCEEDED, **done):
        _discard(str(done["path"]))


def _write(job: ExportBuild, row: Release) -> dict[str, object]:
    try:
        kind = registry.to_write(job.format)
    except registry.UnknownFormat as error:
        raise SnapshotFailed("This version of the program does not write that format any more.") from error
    if kind.version != job.format_version:
        raise SnapshotFailed("This version of the program writes another version of that format; ask for it anew.")
    beat = _beat(job.id)
    dataset, samples = reading.read(queries.state_of(row), label_set=job.label_set, progress=beat)
    with files.incoming(job.id) as file:
        packed = packing.pack(kind, dataset, samples, Options(job.options), file)
        path = files.keep(file, packed.sha256, ENDING)
    return {
        "path": path,
        "sha256": packed.sha256,
        "size_bytes": packed.size_bytes,
        "losses": packed.losses,
        "samples_count": beat.count,
    }


class _beat:  # noqa: N801 - it is called as a function
    """Says that the export is still at work, and stops it when its row is gone."""

    def __init__(self, export: uuid.UUID) -> None:
        self._export, self._last, self.count = export, time.monotonic(), 0

    def __call__(self, count: int) -> None:
        self.count = count
        if time.monotonic() - self._last >= BEAT_S:
            self._last = time.monotonic()
            if not _update(self._export, samples_count=count):
                raise Unwanted


def _update(export: uuid.UUID, **fields: object) -> bool:
    """Write to the row of an export under way; False when it is gone."""
    return bool(ExportBuild.objects.filter(id=export, status=PENDING).update(**fields, updated_at=Now()))


def _fail(export: uuid.UUID, reason: str) -> None:
    _update(export, status=FAILED, error=reason)


def _discard(path: str) -> None:
    """Remove an archive that no export needs."""
    if path and not ExportBuild.objects.filter(path=path).exists():
        files.discard(path)
