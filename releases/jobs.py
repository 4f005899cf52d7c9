"""Jobs that make a file of a release: its own, or one in a format of others. What they have in common is here.

A job with many samples is cut into shards (`releases.shards`), and everybody who is told of the job makes shards until
none is left: threads, processes, machines. Whoever finds all of them made puts them together. So a job that is begun
late, twice, or by many ends with the same file, or says why not; a killed worker costs the shard that it was at.
"""

from __future__ import annotations

import gc
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import IO, Any

import numpy as np
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from labeling.models import Dataset
from labeling.signing import SigningFailed
from releases import files, queries, shards
from releases.formats.format import ExportStopped
from releases.formats.parts import Damaged, Part
from releases.models import Build, BuildShard, Release
from releases.packing import AT_SAMPLE
from releases.rules import ReleaseState
from releases.shards import alone_at
from releases.snapshots import SnapshotFailed, readable

logger = logging.getLogger(__name__)

JSON = dict[str, Any]

#: How often a job, or a shard of it, is begun before it is given up; a worker that was asked to stop does not count.
MOST_TRIES = 5
#: A job at work says so this often; one that was silent for QUIET_S has lost its message or its worker.
BEAT_S = 5.0
QUIET_S = 30
#: So many workers are called for the shards of a job, and each lets others have their turn after so long.
MOST_WORKERS = 32
TURN_S = 20.0
#: New objects beyond which the collector of cycles runs in a process that builds or imports: some megabytes.
COLLECT_AT = 50_000

#: A block that is larger than any that a build takes and frees again and again.
FREED_BYTES = 4 << 20

PENDING, SUCCEEDED, FAILED = Build.Status.PENDING, Build.Status.SUCCEEDED, Build.Status.FAILED
CANCELLED = "It was cancelled."


class Unwanted(Exception):
    """The release was taken back, or the job cancelled, while it was at work."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job: its rows, and how its file is made.

    `begun` gives the row of a job that is to be worked on, and its release. `samples` says how many samples make a
    shard where the dataset is of a task type. `part` writes a shard's samples (after one offset, up to another) and
    returns what to know of the file; `whole` makes all of it, of parts where there are any, and returns the fields of
    the row when it has succeeded, `path` among them.
    """

    what: str  #: for people
    rows: Callable[[uuid.UUID], QuerySet[Any]]
    begun: Callable[[uuid.UUID], tuple[Any, Release] | None]
    samples: Callable[[Any, str], int]
    part: Callable[[Any, ReleaseState, BuildShard, IO[bytes], Callable[[int], None]], JSON]
    whole: Callable[[Any, ReleaseState, list[Part] | None, IO[bytes], Callable[[int], None]], JSON]
    discard: Callable[[JSON], None]  #: removes the files of such fields
    call: Callable[[uuid.UUID], None]  #: sends a message that has a worker come


def work(kind: Kind, job: uuid.UUID) -> bool:
    """Make the file of a job, if it is still to be made: all of it, or as much as others leave. False where this
    worker's turn was over before.

    Raises:
        Exception: something failed that may pass (the database, the storage); call again.
    """
    collect_seldom()
    keep_what_is_freed()
    with alone_at(job) as alone:
        if alone and not _prepared(kind, job):
            return True
    until = time.monotonic() + TURN_S
    while True:
        with shards.taken(job) as shard:
            if shard is None:
                break
            if not _made(kind, job, shard):
                return True
        if time.monotonic() > until:
            kind.call(job)
            return False
    with alone_at(job) as alone:
        if alone and shards.is_planned(job) and not shards.unmade(job):
            _finish(kind, job, is_planned=True)
    return True


def collect_seldom() -> None:
    """Have the collector of cycles run less often in this process, from now on.

    Labels are trees of many small lists without cycles, and it would go through them again and again: that takes a
    third of a build. It still runs, but not for every few hundred of them.
    """
    if gc.get_threshold()[0] < COLLECT_AT:
        gc.set_threshold(COLLECT_AT, 20, 20)


@cache
def keep_what_is_freed() -> None:
    """Have the C library keep some megabytes of what is freed for what is needed next, in this process from now on.

    The arrays of every few pictures come and go, and it gives their pages back to the system each time, which clears
    them for the next ones. It keeps twice the largest block that it has seen freed (mallopt(3), M_MMAP_THRESHOLD): so
    it is shown one, whose pages are never touched. Others than glibc are not changed by that.
    """
    np.empty(FREED_BYTES, dtype=np.uint8)


def _prepared(kind: Kind, job: uuid.UUID) -> bool:
    """Whether there are shards to be made. What is small, or cannot be begun, is dealt with here."""
    found = kind.begun(job)
    if found is None:
        return False
    if shards.is_planned(job):
        return True

    def plan() -> None:
        with readable("The release"):
            state = queries.state_of(found[1])
        # What it is now will do: the bytes do not depend on how samples are cut.
        task_type = Dataset.objects.filter(id=state.dataset).values_list("task_type", flat=True).first()
        count = shards.plan(job, state, kind.samples(found[0], task_type or ""))
        if not update(kind, job, samples_total=count):
            raise Unwanted

    if not _attempt(kind, job, kind.rows(job), plan, counts=False):
        return False
    if shards.is_planned(job):
        for _ in range(min(MOST_WORKERS, shards.unmade(job)) - 1):
            kind.call(job)
        return True
    _finish(kind, job, is_planned=False)
    return False


def _made(kind: Kind, job: uuid.UUID, shard: BuildShard) -> bool:
    """Make a shard; False where the job is not to go on."""
    found = kind.begun(job)
    if found is None:
        return False
    row, release = found
    beat = _Beat(kind, job, shard)

    def make() -> None:
        with readable("The release"):
            state = queries.state_of(release)
        with files.incoming(shards_id(job, shard.number)) as file:
            facts = kind.part(row, state, shard, file, beat)
            shards.keep(shard, file, facts, beat.count)
        if not update(kind, job, samples_count=shards.progress(job)):
            raise Unwanted

    return _attempt(kind, job, BuildShard.objects.filter(id=shard.id), make)


def shards_id(job: uuid.UUID, number: int) -> uuid.UUID:
    """The name of a shard's file while it is written."""
    return uuid.uuid5(job, str(number))


def _finish(kind: Kind, job: uuid.UUID, *, is_planned: bool) -> None:
    found = kind.begun(job)
    if found is None:
        return
    row, release = found
    beat = _Beat(kind, job)
    # Putting shards together takes a while too, in which it may be cancelled.
    done = shards.progress(job) if is_planned else 0
    parts = shards.parts(job, lambda: beat(done)) if is_planned else None

    def make() -> None:
        with readable("The release"):
            state = queries.state_of(release)
        with files.incoming(job) as file:
            try:
                for part in parts or ():
                    part.check()
                fields = kind.whole(row, state, parts, file, beat if parts is None else _said_by_parts)
            except (Damaged, FileNotFoundError):
                if parts is None or not shards.make_lost_ones_again(job):
                    raise
                kind.call(job)
                return
        if not update(kind, job, status=SUCCEEDED, **fields):
            kind.discard(fields)
        shards.discard(job)

    _attempt(kind, job, kind.rows(job), make)


def _attempt(kind: Kind, job: uuid.UUID, rows: QuerySet[Any], make: Callable[[], None], *, counts: bool = True) -> bool:
    """Do something for a job, whose tries are counted in one row; False where the job is not to go on."""
    tries = rows.values_list("tries", flat=True).first()
    if tries is None:
        return False
    if tries >= MOST_TRIES:
        fail(kind, job, f"The worker that made the file was killed {MOST_TRIES} times; it may need more memory.")
        return False
    if counts:
        rows.update(tries=tries + 1, updated_at=Now())
    try:
        make()
    except Unwanted:
        return False
    except (SnapshotFailed, SigningFailed, ExportStopped) as error:
        logger.warning("%s %s cannot be made: %s", kind.what, job, type(error).__name__, exc_info=True)
        fail(kind, job, str(error))
        return False
    except Exception as error:
        if tries + 1 < MOST_TRIES:
            raise
        logger.exception("%s %s was given up", kind.what, job)
        where = "".join(f" {note}" for note in getattr(error, "__notes__", ()) if note.startswith(AT_SAMPLE))
        ended = f"{type(error).__name__}{where}"
        fail(kind, job, f"The file could not be made in {MOST_TRIES} tries; the last ended in {ended}.")
        return False
    except BaseException:  # asked to stop, which is not the job's fault
        if counts:
            rows.update(tries=F("tries") - 1)
        raise
    return True


def _said_by_parts(count: int) -> None:
    """Nothing: that the job is at work is said while parts are read, and all samples are through."""


class _Beat:
    """Says that a job is at work and how far it is, and stops it when it is not wanted any more."""

    def __init__(self, kind: Kind, job: uuid.UUID, shard: BuildShard | None = None) -> None:
        self._kind, self._job, self._shard = kind, job, shard
        self._last, self.count = time.monotonic(), 0

    def __call__(self, count: int) -> None:
        self.count = count
        if time.monotonic() - self._last < BEAT_S:
            return
        self._last = time.monotonic()
        if self._shard is not None:
            BuildShard.objects.filter(id=self._shard.id).update(samples_count=count, updated_at=Now())
            count = shards.progress(self._job)
        if not update(self._kind, self._job, samples_count=count):
            raise Unwanted


# --- what others do to a job -----------------------------------------------------------------------------------------


def update(kind: Kind, job: uuid.UUID, **fields: object) -> bool:
    """Write to the row of a job under way; False when it is gone, or no more under way."""
    return bool(kind.rows(job).filter(status=PENDING).update(**fields, updated_at=Now()))


def fail(kind: Kind, job: uuid.UUID, reason: str) -> None:
    update(kind, job, status=FAILED, error=reason)


def cancel(kind: Kind, job: uuid.UUID) -> bool:
    """Stop a job that is under way; what is made of it stays for a while. False where it is over already."""
    return update(kind, job, status=FAILED, error=CANCELLED)


def reset(kind: Kind, job: uuid.UUID) -> None:
    """Have a job that ended, well or not, begin anew; with the shards that it has."""
    again = kind.rows(job).exclude(status=PENDING)
    if again.update(status=PENDING, error="", tries=0, samples_count=0, updated_at=Now()):
        BuildShard.objects.filter(build=job, path="").update(tries=0, samples_count=0)
