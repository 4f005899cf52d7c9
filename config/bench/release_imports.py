"""`bench release_imports [--annotations N]`: how fast files of others come into a dataset, by the job of the API.

The files have five polygons a picture, as people draw them, and nothing of them is known before. The peer of COCO reads
the same file with Python's own parser and copies each annotation, as it stands, into a table with a primary key: no
checks, no log, no hashes, no rows to read labels from.

Beside the clock stands processor time, of this process and of PostgreSQL's, because what two processors need for an
annotation is half of it at the least. The log is held by an append from the time that its events have until it is
committed; for so long others wait.

The other formats are measured beside COCO: the whole import, and reading alone, which may take more, because a codec
may do early what is done later otherwise. YOLO's archive has its pictures, which become files of ours, so it is no
match. That 40,000 annotations take no longer for each than 10,000 is measured, too.
"""

from __future__ import annotations

import functools
import io
import json
import os
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.bench import Row
from config.bench.files_of_others import FILES, PER_IMAGE, coco
from config.bench.processor import children, processor_ms
from config.bench.server import database

ANNOTATIONS = 100_000
#: Microseconds an annotation: 20,000 a second.
MOST_US = 50.0
#: Milliseconds that the log may be held at a time.
MOST_HELD_MS = 100.0
#: Annotations of the other formats, and of a file that must not take longer for each; what they may cost of COCO's.
FEW, MANY = 10_000, 40_000
MOST_OF_FEW = 1.3
MOST_OF_COCO = 2.0
MOST_OF_READING = 3.0
#: A file of labels and a picture for every five annotations; the pictures are looked at and stored.
HEAVIER = ("yolo-segmentation",)

JSON = dict[str, Any]


def bring_in(
    dataset: uuid.UUID, person: uuid.UUID, data: bytes, kind: str = "coco-instances", name: str = "instances.json"
) -> None:
    """Import a file, as a worker does."""
    from labeling.commands import assets
    from labeling.log.event import Intent
    from releases.imports import commands, jobs
    from releases.imports.wish import checked_wish
    from releases.models import ImportJob

    asset = assets.keep_file(io.BytesIO(data), owner=person, filename=name)
    wish = checked_wish({"format": kind})
    job = commands.start_import(intent=Intent(author=person), dataset=dataset, wish=wish, asset=asset, send=False)
    jobs.run(job.id)
    row = ImportJob.objects.get(id=job.id)
    if row.status != ImportJob.Status.SUCCEEDED or row.errors_count:
        raise SystemExit(f"the import is {row.status}: {row.error}")


def made_dataset() -> tuple[uuid.UUID, uuid.UUID]:
    """(an empty dataset, its owner)."""
    from labeling.commands import datasets, people
    from labeling.log.event import Intent

    name = f"bench-{uuid.uuid4().hex[:8]}"
    ana = people.add_person(intent=people.operator("bench"), username=name).id
    made = datasets.create_dataset(
        intent=Intent(author=ana), owner=ana, name=name, task_type="vector", task_attributes={}, changes={}
    )
    return made, ana


def copied(data: bytes) -> float:
    """Seconds of the peer."""
    from django.db import connection, transaction

    from labeling.management.progress import without_cycle_search

    began = time.perf_counter()
    with without_cycle_search():
        items = json.loads(data)["annotations"]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE peer (id bigint PRIMARY KEY, data jsonb) ON COMMIT DROP")
        with cursor.copy("COPY peer FROM STDIN") as copy:
            for item in items:
                copy.write_row((item["id"], json.dumps(item)))
    return time.perf_counter() - began


def read_alone(data: bytes, kind: str = "coco-instances", name: str = "instances.json") -> float:
    """Seconds of the processor that the codec takes to make records of a file."""
    from labeling.management.progress import without_cycle_search
    from releases.formats import registry
    from releases.formats.format import Findings
    from releases.imports import sources

    read = registry.FORMATS[kind].read
    assert read is not None
    began = time.process_time()
    with sources.opened(io.BytesIO(data), name) as source, without_cycle_search():
        for _ in read(source, Findings(), registry.FORMATS[kind].parsed_for_reading({})).samples:
            pass
    return time.process_time() - began


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds that went by: of the clock, of this process, and of all of the database's processes."""

    clock_s: float
    own_s: float
    server_s: float


def spent(work: Callable[[], None]) -> Spent:
    """What it takes to do something, imports among it."""
    from django.db import connection

    from releases.imports import plans

    ended_ms: dict[int, float] = {}  #: of the connections that imports append by, which end with them

    def look(events: int, held_ms: float) -> None:
        backend = connection.connection.info.backend_pid
        ended_ms[backend] = processor_ms([backend])

    connection.ensure_connection()
    server = int(_stat(connection.connection.info.backend_pid)[1])
    before, clock, own = children(server), time.perf_counter(), time.process_time()
    before_ms = processor_ms(before)
    plans.observers.append(look)
    try:
        work()
    finally:
        plans.observers.remove(look)
    clock, own = time.perf_counter() - clock, time.process_time() - own
    now = children(server)
    gone_ms = sum(ms for pid, ms in ended_ms.items() if pid not in now)
    return Spent(clock, own, (processor_ms(now) + gone_ms - before_ms) / 1e3)


def _stat(pid: int) -> list[str]:
    """The fields of a process's account, from its state on; its name may hold spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def measured(annotations: int) -> list[Row]:
    """The rows, on a database that is there."""
    bring_in(*made_dataset(), coco(PER_IMAGE * 20))  # what is done once is done
    return [*_of_coco(annotations), *_of_others()]


def _of_coco(annotations: int) -> list[Row]:
    from releases.imports import plans

    data = coco(annotations)
    reading, peer = read_alone(data), copied(data)
    held: list[tuple[int, float]] = []
    plans.observers.append(lambda events, ms: held.append((events, ms)))
    made, ana = made_dataset()
    took = spent(lambda: bring_in(made, ana, data))
    plans.observers.pop()
    each = 1e6 / annotations
    what = f"COCO of {annotations:,} annotations"
    longest = sorted(ms for _, ms in held)
    return [
        Row(f"{what} imported, an annotation", "us", took.clock_s * each, peer * each, MOST_US),
        Row("of that, our own processor time", "us", took.own_s * each, None, None),
        Row("and that of PostgreSQL", "us", took.server_s * each, None, None),
        Row("reading the file into records alone", "us CPU", reading * each, peer * each, None),
        Row("events of an append", "events", sum(events for events, _ in held) / len(held), None, None),
        Row("the log is held by an append: p50", "ms", longest[len(held) // 2], None, None),
        Row("the log is held by an append: p99", "ms", longest[int(len(held) * 0.99)], None, MOST_HELD_MS),
        Row("the log is held by an append: longest", "ms", longest[-1], None, MOST_HELD_MS),
    ]


def _of_others() -> list[Row]:
    """Reading and importing other formats beside COCO, and many annotations beside few, by processor time."""
    rows = []
    for kind, (name, make) in FILES.items():
        costs = {}
        for count in (FEW, MANY):
            data = make(count)
            made, ana = made_dataset()
            took = spent(functools.partial(bring_in, made, ana, data, kind, name))
            costs[count] = read_alone(data, kind, name) * 1e6 / count, (took.own_s + took.server_s) * 1e6 / count
        reading, whole = costs[MANY]
        if kind == "coco-instances":
            coco_reading, coco_whole = reading, whole
        else:
            most = None if kind in HEAVIER else MOST_OF_COCO
            most_read = most and MOST_OF_READING * coco_reading
            rows.append(Row(f"{kind}, reading alone, beside COCO", "us CPU", reading, coco_reading, most_read))
            rows.append(Row(f"{kind}, imported, beside COCO", "us CPU", whole, coco_whole, most and most * coco_whole))
        few = costs[FEW][1]
        rows.append(Row(f"{kind} of {MANY:,} beside {FEW:,}", "us CPU", whole, few, MOST_OF_FEW * few))
    return rows


def main(annotations: int = ANNOTATIONS) -> list[Row]:
    """Measure on a fresh database."""
    os.environ["PALIMPSEST_BROKER"] = "stub"
    with database():
        return measured(annotations)


if __name__ == "__main__":
    json.dump([row.as_json() for row in main(*map(int, sys.argv[1:]))], sys.stdout)
