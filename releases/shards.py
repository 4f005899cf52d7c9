"""The shards of a build: stretches of its samples, each made by whichever worker takes it, kept until all are there.

A shard is a row and, once it is made, a file. Who makes one holds a lock of the database's for as long as it is
connected: so a shard of a killed worker is free at once, no two workers make the same, and nobody has to wait.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import IO, Any

from django.db import connection, transaction
from django.db.models import Sum
from django.db.models.functions import Coalesce, Now

from labeling.log import store
from labeling.rules.task_types import has_frames
from labeling.storage import open_at
from releases import files
from releases.formats.parts import Damaged, Part
from releases.models import BuildShard
from releases.rules import ReleaseState

JSON = dict[str, Any]

#: Samples of a shard: what a killed worker loses at most. Fewer are made at once, without shards.
SAMPLES = 1000
#: A picture whose pixels are drawn takes so many times as long, and a sequence is as many pictures.
TIMES_PAINTED, TIMES_SEQUENCE = 10, 40
#: A build has hardly more shards than that: what is kept of them is gone through again and again.
MOST_SHARDS = 10_000
#: How long the shards of a build that failed or was cancelled are kept for who has it go on.
KEPT_S = 24 * 3600
#: How many free shards are looked for at a time.
_TRIED = 32


def samples_of(task_type: str, *, is_painted: bool = False) -> int:
    """How many samples of a dataset make a shard."""
    times = TIMES_SEQUENCE if has_frames(task_type) else 1
    return max(1, SAMPLES // (times * TIMES_PAINTED if is_painted else times))


def plan(build: uuid.UUID, release: ReleaseState, each: int) -> int:
    """Cut the samples of a build into shards of so many, unless it is cut or has too few for that; returns how many
    samples the log has at the release's offset."""
    places, count = store.milestones(release.dataset, "SampleAdded", up_to=release.at_offset, every=each)
    if count <= each or is_planned(build):
        return count
    together = -(-len(places) // MOST_SHARDS)
    each, places = each * together, [*places[together - 1 : -1 : together], places[-1]]
    with transaction.atomic():
        BuildShard.objects.bulk_create(
            BuildShard(
                build=build,
                number=number,
                after=after,
                up_to=up_to,
                samples_total=min(each, count - number * each),
                updated_at=Now(),
            )
            for number, (after, up_to) in enumerate(zip([0, *places[:-1]], places, strict=True))
        )
    return count


def is_planned(build: uuid.UUID) -> bool:
    """Whether a build has shards."""
    return BuildShard.objects.filter(build=build).exists()


def unmade(build: uuid.UUID) -> int:
    """How many shards are still to be made."""
    return BuildShard.objects.filter(build=build, path="").count()


@contextmanager
def taken(build: uuid.UUID) -> Iterator[BuildShard | None]:
    """A shard that is still to be made, which nobody else gets meanwhile; None where there is none, or others are at
    them."""
    for shard in BuildShard.objects.filter(build=build, path="").order_by("number")[:_TRIED]:
        with alone_at(build, shard.number) as alone:
            # Who had it may have made it since it was looked up.
            if alone and BuildShard.objects.filter(id=shard.id, path="").exists():
                yield shard
                return
    yield None


def keep(shard: BuildShard, file: IO[bytes], facts: JSON, count: int) -> None:
    """Put the file of a shard in its place, and then say so."""
    path = files.keep_part(shard.build, shard.number, file)
    fields = {"path": path, "facts": facts, "samples_count": count, "updated_at": Now()}
    if not BuildShard.objects.filter(id=shard.id).update(**fields):
        files.discard_parts(shard.build)  # the build was forgotten meanwhile, and nobody else will look there


def parts(build: uuid.UUID, beat: Callable[[], None]) -> list[Part]:
    """All parts of a build, in the order of their samples; `beat` is called while they are read."""
    return [_part(shard, beat) for shard in BuildShard.objects.filter(build=build).order_by("number")]


def _part(shard: BuildShard, beat: Callable[[], None] = lambda: None) -> Part:
    return Part(
        opened=lambda start: open_at(shard.path, start),
        index=shard.facts["index"],
        facts=shard.facts.get("facts", {}),
        losses=shard.facts.get("losses", []),
        beat=beat,
    )


def make_lost_ones_again(build: uuid.UUID) -> int:
    """Have shards made anew whose files are gone or damaged; returns how many."""
    lost = 0
    for shard in BuildShard.objects.filter(build=build).exclude(path=""):
        try:
            _part(shard).check()
        except (Damaged, FileNotFoundError):
            lost += BuildShard.objects.filter(id=shard.id).update(path="", facts={}, updated_at=Now())
    return lost


def discard(build: uuid.UUID) -> None:
    """Remove the shards of a build with their files."""
    deleted, _ = BuildShard.objects.filter(build=build).delete()
    if deleted:
        files.discard_parts(build)


def progress(build: uuid.UUID) -> int:
    """How many samples are through; a shard that is made counts whole."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(CASE WHEN path = '' THEN samples_count ELSE samples_total END), 0)"
            " FROM releases_buildshard WHERE build = %s",
            [build],
        )
        return int(cursor.fetchone()[0])


def samples_in(build: uuid.UUID) -> int:
    """How many samples the release holds, when all shards are made."""
    found: int = BuildShard.objects.filter(build=build).aggregate(sum=Coalesce(Sum("samples_count"), 0))["sum"]
    return found


def discard_forgotten() -> int:
    """Remove shards of builds that are not there any more, or ended without a file long ago; returns of how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.build FROM (SELECT build, max(updated_at) AS last FROM releases_buildshard GROUP BY build) s"
            " LEFT JOIN releases_releasebuild r ON r.release_id = s.build"
            " LEFT JOIN releases_exportbuild e ON e.id = s.build"
            " WHERE coalesce(r.status, e.status, 'FAILED') <> 'PENDING'"
            " AND (coalesce(r.updated_at, e.updated_at) IS NULL"
            " OR greatest(s.last, r.updated_at, e.updated_at) < statement_timestamp() - %s * interval '1 second')",
            [KEPT_S],
        )
        found = [row[0] for row in cursor.fetchall()]
    for build in found:
        discard(build)
    return len(found)


@contextmanager
def alone_at(build: uuid.UUID, number: int | None = None) -> Iterator[bool]:
    """True while no other worker is at this build, or this shard of it. It ends with the connection: killed ones leave
    none."""
    key = build.bytes if number is None else blake2b(build.bytes + number.to_bytes(8), digest_size=8).digest()
    lock = int.from_bytes(key[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        got = bool(cursor.fetchone()[0])
    try:
        yield got
    finally:
        if got and connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])
