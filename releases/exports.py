"""The job that writes a release in a format of others, as one archive. How jobs work: `releases.jobs`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import IO, Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from labeling import storage
from labeling.errors import InvalidValue
from labeling.log import values
from releases import files, jobs, packing, queries, reading, shards
from releases.formats import registry
from releases.formats.format import BadOption, Format, Options
from releases.formats.parts import Part
from releases.models import BuildShard, ExportBuild, Release
from releases.rules import ReleaseState
from releases.snapshots import SnapshotFailed

JSON = dict[str, Any]

NAMESPACE = uuid.UUID("8d2c2c57-62b3-4c63-9a2e-2f5a1f3d6e09")
ENDING = ".zip"
PENDING = jobs.PENDING


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


def checked_names(said: Any) -> list[str]:
    """The formats that a new release is exported in, each once.

    Raises:
        InvalidValue: no list of formats that can be written; lists those that there are.
    """
    if said is None:
        return []
    if not isinstance(said, list) or not all(isinstance(name, str) for name in said):
        raise InvalidValue("formats", "must be a list of names of formats")
    try:
        return [registry.to_write(name).name for name in dict.fromkeys(said)]
    except registry.UnknownFormat as error:
        raise InvalidValue("formats", f"each {error}") from error


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
    """Make the archive of an export, if it is still to be made: all of it, or as much as others leave.

    Raises:
        Exception: something failed that may pass (the database, the storage); call again.
    """
    jobs.work(KIND, export)


def reset(export: uuid.UUID) -> None:
    """Have an export that ended, well or not, made anew."""
    jobs.reset(KIND, export)


def cancel(export: uuid.UUID) -> bool:
    """Stop an export that is under way; False where it is over already."""
    return jobs.cancel(KIND, export)


def forget(release: uuid.UUID) -> None:
    """Remove the archives of a release that was taken back, unless a backup reads files; then the sweeper does."""
    with storage.removable() as removable:
        for job in ExportBuild.objects.filter(release_id=release) if removable else ():
            job.delete()
            shards.discard(job.id)
            _discard(job.path)


def claim_waiting() -> list[uuid.UUID]:
    """Exports that are still to be made, and at which nobody has been at work for a while; each once in that while."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE releases_exportbuild SET updated_at = statement_timestamp()"
            " WHERE status = %s AND updated_at < statement_timestamp() - %s * interval '1 second' RETURNING id",
            [PENDING, jobs.QUIET_S],
        )
        return sorted(row[0] for row in cursor.fetchall())


def left_behind() -> list[uuid.UUID]:
    """Releases that were taken back and of which there still are exports."""
    withdrawn = Release.objects.filter(withdrawn=True).values("id")
    rows = ExportBuild.objects.filter(release_id__in=withdrawn).order_by("release_id")
    return list(rows.values_list("release_id", flat=True).distinct())


def _rows(export: uuid.UUID) -> QuerySet[ExportBuild]:
    return ExportBuild.objects.filter(id=export)


def _begun(export: uuid.UUID) -> tuple[ExportBuild, Release] | None:
    job = ExportBuild.objects.filter(id=export, status=PENDING).first()
    row = None if job is None else Release.objects.filter(id=job.release_id, withdrawn=False).first()
    return None if job is None or row is None else (job, row)


def _format_of(job: ExportBuild) -> Format:
    try:
        kind = registry.to_write(job.format)
    except registry.UnknownFormat as error:
        raise SnapshotFailed("This version of the program does not write that format any more.") from error
    if kind.version != job.format_version:
        raise SnapshotFailed("This version of the program writes another version of that format; ask for it anew.")
    return kind


def _samples(job: ExportBuild, task_type: str) -> int:
    return shards.samples_of(task_type, is_painted=_format_of(job).is_painted)


def _part(
    job: ExportBuild, release: ReleaseState, shard: BuildShard, file: IO[bytes], progress: Callable[[int], None]
) -> JSON:
    kind = _format_of(job)
    dataset, samples = reading.read(
        release, label_set=job.label_set, after=shard.after, up_to=shard.up_to, progress=progress
    )
    return packing.pack_part(kind, dataset, samples, Options(job.options), file)


def _whole(
    job: ExportBuild,
    release: ReleaseState,
    parts: list[Part] | None,
    file: IO[bytes],
    progress: Callable[[int], None],
) -> JSON:
    kind, count = _format_of(job), 0

    def counted(number: int) -> None:
        nonlocal count
        count = number
        progress(number)

    dataset, samples = reading.read(release, label_set=job.label_set, progress=counted)
    if parts is None:
        packed = packing.pack(kind, dataset, samples, Options(job.options), file)
    else:
        packed = packing.pack_parts(kind, dataset, parts, Options(job.options), file)
        count = shards.samples_in(job.id)
    return {
        "path": files.keep(file, packed.sha256, ENDING),
        "sha256": packed.sha256,
        "size_bytes": packed.size_bytes,
        "losses": packed.losses,
        "samples_count": count,
    }


def _discard(path: str) -> None:
    """Remove an archive that no export needs."""
    if path and not ExportBuild.objects.filter(path=path).exists():
        files.discard(path)


def _discard_made(done: JSON) -> None:
    _discard(done["path"])


def _call(export: uuid.UUID) -> None:
    from releases import actors

    actors.send_export(export)


KIND = jobs.Kind("export", _rows, _begun, _samples, _part, _whole, _discard_made, _call)
