"""The job that makes a release's file: begun late or twice, it ends with the same file, or says why not."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection
from django.db.models import F, Q
from django.db.models.functions import Now

from labeling import signing, storage
from labeling.signing import SigningFailed
from releases import files, queries, snapshots
from releases.models import Release, ReleaseBuild
from releases.snapshots import Snapshot, SnapshotFailed

logger = logging.getLogger(__name__)

#: How often a build is begun before it is given up; a worker that was asked to stop does not count.
MOST_TRIES = 5
#: A build at work says so this often; one that was silent for QUIET_S has lost its message or its worker.
BEAT_S = 5.0
QUIET_S = 30

PENDING, SUCCEEDED, FAILED = ReleaseBuild.Status.PENDING, ReleaseBuild.Status.SUCCEEDED, ReleaseBuild.Status.FAILED


class Withdrawn(Exception):
    """The release was taken back while its file was being made."""


def build(release: uuid.UUID) -> None:
    """Make the file of a release, if it is still to be made and nobody else is at it.

    Raises:
        Exception: something failed that may pass (the database, the storage); call again.
    """
    with alone_at(release) as alone:
        if alone:
            _build(release)


def reset(release: uuid.UUID) -> None:
    """Have a build that ended, well or not, begin anew."""
    ReleaseBuild.objects.filter(release_id=release).exclude(status=PENDING).update(
        status=PENDING, error="", tries=0, updated_at=Now()
    )


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
            _update(release)
    return found


def _waiting() -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.id FROM releases_release r LEFT JOIN releases_releasebuild b ON b.release_id = r.id"
            " WHERE NOT r.withdrawn AND coalesce(b.status, %s) = %s"
            " AND coalesce(b.updated_at, r.created_at) < statement_timestamp() - %s * interval '1 second'"
            " ORDER BY r.created_at",
            [PENDING, PENDING, QUIET_S],
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


def _build(release: uuid.UUID) -> None:
    row = Release.objects.filter(id=release).first()
    if row is None or (row.withdrawn and not queries.is_needed(release)):
        return
    job, _ = ReleaseBuild.objects.get_or_create(release_id=release, defaults={"updated_at": Now()})
    if job.status != PENDING:
        return
    if job.tries >= MOST_TRIES:
        _fail(release, f"The worker that made the file was killed {MOST_TRIES} times; it may need more memory.")
        return
    _update(release, tries=job.tries + 1, samples_count=0, labels_left_out=0)
    try:
        snapshot, path, assets_path = _write(row)
        signature = _signature(job, snapshot)
    except Withdrawn:
        return
    except (SnapshotFailed, SigningFailed) as error:
        logger.exception("release %s cannot be built", release)
        _fail(release, str(error))
        return
    except Exception as error:
        if job.tries + 1 < MOST_TRIES:
            raise
        logger.exception("release %s was given up", release)
        _fail(release, f"The file could not be made in {MOST_TRIES} tries; the last ended in {type(error).__name__}.")
        return
    except BaseException:  # asked to stop, which is not the build's fault
        ReleaseBuild.objects.filter(release_id=release).update(tries=F("tries") - 1)
        raise
    done = {
        "status": SUCCEEDED,
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
    if not _update(release, **done):
        discard(path)
        discard(assets_path)


def _write(row: Release) -> tuple[Snapshot, str, str]:
    with snapshots.readable("The release"):
        state = queries.state_of(row)
    with files.incoming(row.id) as file, files.incoming(f"{row.id}.assets") as assets:
        snapshot = snapshots.write(state, file, assets=assets, progress=_beat(row.id))
        try:
            listed = files.keep(assets, snapshot.assets.listed.sha256)
            return snapshot, files.keep(file, snapshot.sha256), listed
        except FileNotFoundError:
            if _update(row.id):
                raise
            # Another worker made it meanwhile, and took what this one had written for left behind.
            raise Withdrawn from None


def _signature(job: ReleaseBuild, snapshot: Snapshot) -> object:
    """The signature over the manifest; of a file that is made again the one that it had."""
    if job.signature is not None and job.identity == snapshot.identity:
        return job.signature
    made = signing.sign(signing.RELEASE, snapshot.manifest) if settings.SIGN_RELEASES else None
    return made and made.as_json()


def _beat(release: uuid.UUID) -> Callable[[int], None]:
    last = time.monotonic()

    def beat(count: int) -> None:
        nonlocal last
        if time.monotonic() - last >= BEAT_S:
            last = time.monotonic()
            if not _update(release, samples_count=count):
                raise Withdrawn

    return beat


def _update(release: uuid.UUID, **fields: object) -> bool:
    """Write to the row of a build under way; False when it is gone."""
    return bool(ReleaseBuild.objects.filter(release_id=release, status=PENDING).update(**fields, updated_at=Now()))


def discard(path: str) -> None:
    """Remove a file, if no release needs it."""
    if path and not ReleaseBuild.objects.filter(Q(path=path) | Q(assets_path=path)).exists():
        files.discard(path)


def _fail(release: uuid.UUID, reason: str) -> None:
    _update(release, status=FAILED, error=reason)


@contextmanager
def alone_at(build: uuid.UUID) -> Iterator[bool]:
    """True while no other worker is at this release or export. It ends with the connection: killed ones leave none."""
    key = int.from_bytes(build.bytes[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        got = bool(cursor.fetchone()[0])
    try:
        yield got
    finally:
        if got and connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
