"""The job that makes a release's own file, the Segments file, and its manifest. How jobs work: `releases.jobs`."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import IO, Any

from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from labeling import signing, storage
from releases import files, jobs, queries, shards, snapshots
from releases.formats.parts import Part
from releases.jobs import Unwanted
from releases.models import BuildShard, Release, ReleaseBuild
from releases.rules import ReleaseState
from releases.snapshots import Snapshot

JSON = dict[str, Any]

PENDING, SUCCEEDED = jobs.PENDING, jobs.SUCCEEDED


def build(release: uuid.UUID) -> None:
    """Make the file of a release, if it is still to be made: all of it, or as much as others leave.

    Raises:
        Exception: something failed that may pass (the database, the storage); call again.
    """
    jobs.work(KIND, release)


def reset(release: uuid.UUID) -> None:
    """Have a build that ended, well or not, begin anew."""
    jobs.reset(KIND, release)


def cancel(release: uuid.UUID) -> bool:
    """Stop a build that is under way; False where it is over already."""
    ReleaseBuild.objects.get_or_create(release_id=release, defaults={"updated_at": Now()})
    return jobs.cancel(KIND, release)


def forget(release: uuid.UUID) -> None:
    """Remove the files of a release that was taken back. A build that is under way finds out and stops; of one that was
    made the manifest stays, by which the release is known for ever.

    While a backup reads files, or another release is the difference to this one, they stay; the sweeper finds them.
    """
    with storage.removable() as removable:
        job = ReleaseBuild.objects.filter(release_id=release).first() if removable else None
        if job is None or queries.is_needed(release):
            return
        if job.status == SUCCEEDED:
            ReleaseBuild.objects.filter(release_id=release, status=SUCCEEDED).update(path="", assets_path="")
        else:
            job.delete()
        shards.discard(release)
        discard(job.path)
        discard(job.assets_path)


def claim_waiting() -> list[uuid.UUID]:
    """Releases whose file is still to be made, and at which nobody has been at work for a while.

    Each is named once in that while, so that a full queue is not filled further.
    """
    found = _waiting()
    for release in found:
        _, is_new = ReleaseBuild.objects.get_or_create(release_id=release, defaults={"updated_at": Now()})
        if not is_new:
            jobs.update(KIND, release)
    return found


def _waiting() -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.id FROM releases_release r LEFT JOIN releases_releasebuild b ON b.release_id = r.id"
            " WHERE NOT r.withdrawn AND coalesce(b.status, %s) = %s"
            " AND coalesce(b.updated_at, r.created_at) < statement_timestamp() - %s * interval '1 second'"
            " ORDER BY r.created_at",
            [PENDING, PENDING, jobs.QUIET_S],
        )
        return [row[0] for row in cursor.fetchall()]


def left_behind() -> list[uuid.UUID]:
    """Releases that were taken back and whose files are still there, though no other needs them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT b.release_id FROM releases_releasebuild b JOIN releases_release r ON r.id = b.release_id"
            " WHERE r.withdrawn AND (b.path <> '' OR b.status <> 'SUCCEEDED') ORDER BY b.release_id"
        )
        found = [row[0] for row in cursor.fetchall()]
    return [release for release in found if not queries.is_needed(release)]


def _rows(release: uuid.UUID) -> QuerySet[ReleaseBuild]:
    return ReleaseBuild.objects.filter(release_id=release)


def _begun(release: uuid.UUID) -> tuple[ReleaseBuild, Release] | None:
    row = Release.objects.filter(id=release).first()
    if row is None or (row.withdrawn and not queries.is_needed(release)):
        return None
    job, _ = ReleaseBuild.objects.get_or_create(release_id=release, defaults={"updated_at": Now()})
    return (job, row) if job.status == PENDING else None


def _part(
    job: ReleaseBuild, release: ReleaseState, shard: BuildShard, file: IO[bytes], progress: Callable[[int], None]
) -> JSON:
    return snapshots.write_part(release, file, after=shard.after, up_to=shard.up_to, progress=progress)


def _whole(
    job: ReleaseBuild,
    release: ReleaseState,
    parts: list[Part] | None,
    file: IO[bytes],
    progress: Callable[[int], None],
) -> JSON:
    with files.incoming(f"{release.id}.assets") as assets:
        snapshot = snapshots.write(release, file, assets=assets, parts=parts, progress=progress)
        signature = _signature(job, snapshot)
        try:
            assets_path = files.keep(assets, snapshot.assets.listed.sha256)
            path = files.keep(file, snapshot.sha256)
        except FileNotFoundError:
            if jobs.update(KIND, release.id):
                raise
            # Another worker made it meanwhile, and took what this one had written for left behind.
            raise Unwanted from None
    return {
        "path": path,
        "sha256": snapshot.sha256,
        "size_bytes": snapshot.size_bytes,
        "chain": snapshot.chain,
        "manifest": snapshot.manifest.decode(),
        "identity": snapshot.identity,
        "signature": signature,
        "assets_path": assets_path,
        "assets_sha256": snapshot.assets.listed.sha256,
        "assets_size_bytes": snapshot.assets.listed.size_bytes,
        "samples_count": snapshot.samples_count,
        "labels_left_out": snapshot.labels_left_out,
    }


def _signature(job: ReleaseBuild, snapshot: Snapshot) -> object:
    """The signature over the manifest; of a file that is made again the one that it had."""
    if job.signature is not None and job.identity == snapshot.identity:
        return job.signature
    made = signing.sign(signing.RELEASE, snapshot.manifest) if settings.SIGN_RELEASES else None
    return made and made.as_json()


def discard(path: str) -> None:
    """Remove a file, if no release needs it."""
    if path and not ReleaseBuild.objects.filter(Q(path=path) | Q(assets_path=path)).exists():
        files.discard(path)


def _call(release: uuid.UUID) -> None:
    from releases import actors

    actors.send_build(release)


def _discard(done: JSON) -> None:
    discard(done["path"])
    discard(done["assets_path"])


def _samples(job: ReleaseBuild, task_type: str) -> int:
    return shards.samples_of(task_type)


KIND = jobs.Kind("release", _rows, _begun, _samples, _part, _whole, _discard, _call)
