"""Dramatiq actors of releases. Each may run twice, late, or never; the rows decide."""

from __future__ import annotations

import logging
import uuid

import dramatiq

from releases import builds, exports, jobs, shards
from releases.imports import jobs as import_jobs

logger = logging.getLogger(__name__)

#: A build takes as long as the dataset is large; a lost worker is noticed by its silence, not by a limit.
TIME_LIMIT_MS = 24 * 3_600_000


@dramatiq.actor(
    max_retries=2 * jobs.MOST_TRIES,
    min_backoff=1_000,
    max_backoff=60_000,
    time_limit=TIME_LIMIT_MS,
    notify_shutdown=True,  # or a long build would hold up the end of its worker, and be killed
)
def build_release(release: str) -> None:
    """Make the file of a release."""
    builds.build(uuid.UUID(release))


@dramatiq.actor(
    max_retries=2 * jobs.MOST_TRIES,
    min_backoff=1_000,
    max_backoff=60_000,
    time_limit=TIME_LIMIT_MS,
    notify_shutdown=True,
)
def build_export(export: str) -> None:
    """Write a release in a format of others."""
    exports.build(uuid.UUID(export))


@dramatiq.actor(
    max_retries=2 * jobs.MOST_TRIES,
    min_backoff=1_000,
    max_backoff=60_000,
    time_limit=TIME_LIMIT_MS,
    notify_shutdown=True,
)
def run_import(job: str) -> None:
    """Do the job of an import, or of taking one back."""
    import_jobs.run(uuid.UUID(job))


def send_import(job: uuid.UUID) -> None:
    """Ask for the job of an import."""
    _send(run_import, job)


def send_export(export: uuid.UUID) -> None:
    """Ask for an export."""
    _send(build_export, export)


def send_build(release: uuid.UUID) -> None:
    """Ask for the file of a release."""
    _send(build_release, release)


def _send(actor: dramatiq.Actor[[str], None], key: uuid.UUID) -> None:
    """Ask for a job. No failure reaches the caller: the sweeper finds what was not asked for."""
    try:
        actor.send(str(key))
    except Exception:
        logger.warning("the queue took no %s for %s; the sweeper will find it", actor.actor_name, key, exc_info=True)


def sweep() -> int:
    """Ask again for every file that nobody is making, and remove those of releases taken back. Returns how many."""
    gone, waiting = builds.left_behind(), builds.claim_waiting()
    for release in gone:
        builds.forget(release)
    for release in waiting:
        build_release.send(str(release))
    unwanted, unmade = exports.left_behind(), exports.claim_waiting()
    for release in unwanted:
        exports.forget(release)
    for export in unmade:
        build_export.send(str(export))
    unimported = import_jobs.claim_waiting()
    for job in unimported:
        run_import.send(str(job))
    asked = len(waiting) + len(unmade) + len(unimported)
    return asked + len(gone) + len(unwanted) + shards.discard_forgotten()
