"""`bench append`: what it costs to append, projection and chain included, beside a bare INSERT and the PyPI library
`eventsourcing`, on the same server, interleaved in the same run; once with the database in memory (where CPU and locks
show) and once on the disk (where the flush does).

Ours is the whole way of an edit of one annotation: facts, canonical hashes, one call, two projected rows. The peers
store bytes that were made before, and project nothing. All writers write to one log, which is our worst case.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from config.bench import Row
from config.home import CHECKOUT

#: Seconds that each variant runs in a round, and rounds; every round runs all variants in another order.
SECONDS = float(os.environ.get("BENCH_SECONDS", "1.0"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
BATCH = 100
#: Least ratio of our rate to the library's, as the plan of the project has it.
TARGETS = {(1, 1): 0.9, (1, 4): 1.3, (BATCH, 1): 1.0, (BATCH, 4): 1.0}
#: Events a second of a bulk.
LEAST_BULK_RATE = 20_000

Writer = Callable[[], int]
AUTHOR = uuid.UUID("11111111-1111-4111-8111-111111111111")
POINTS = [[10.5, 20.25], [110.5, 90.75]]


# --- what is measured: each makes a function that appends once and says how many events that were ------------------


def ours(size: int, log: str, staged: bool) -> Writer:
    """Edits of annotations of one label, `size` at once."""
    from labeling import events as e
    from labeling.log import store
    from labeling.log.event import Intent
    from labeling.rules import label_state
    from labeling.rules.label_state import LabelState

    store.appending.STAGED_FROM = 1 if staged else 1_000_000
    label = label_state.label_stream(uuid.uuid4(), uuid.uuid4())
    state = LabelState(uuid.UUID(log), label)
    names = [str(uuid.uuid4()) for _ in range(size)]

    def append(facts: list[Any]) -> None:
        nonlocal state
        intent = Intent(author=AUTHOR)
        events = store.new_events(state.dataset, intent, [(label, state.version, fact) for fact in facts])
        after = label_state.fold(state, events)
        store.append(state.dataset, intent=intent, events=events, rows=label_state.difference(state, after))
        state = after

    geometry = {"type": "bbox", "points": POINTS}
    append([
        e.AnnotationAdded(annotation=name, id=number, category_id=1, geometry=geometry, attributes={}, order=number)
        for number, name in enumerate(names, 1)
    ])  # fmt: skip

    def once() -> int:
        x = random.random()
        moved = {"type": "bbox", "points": [[x, 20.25], [110.5, 90.75]]}
        append([e.AnnotationGeometrySet(annotation=name, geometry=moved) for name in names])
        return size

    return once


def insert(size: int, log: str, staged: bool) -> Writer:
    """The floor: rows with an identity, a uuid, a version and jsonb, without a lock, a chain or a projection."""
    from django.db import connection

    data = json.dumps({"annotation": str(uuid.uuid4()), "geometry": {"type": "bbox", "points": POINTS}})

    def once() -> int:
        rows = [(uuid.uuid4(), 1, data) for _ in range(size)]
        with connection.cursor() as cursor:
            if size == 1:
                cursor.execute("INSERT INTO bench_insert (stream, version, data) VALUES (%s, %s, %s::jsonb)", rows[0])
            else:
                with cursor.copy("COPY bench_insert (stream, version, data) FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
        return size

    return once


def library(size: int, log: str, staged: bool) -> Writer:
    """eventsourcing's PostgresApplicationRecorder with its defaults."""
    from django.db import connection
    from eventsourcing.persistence import StoredEvent
    from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

    where = connection.settings_dict
    datastore = PostgresDatastore(
        dbname=where["NAME"], host=where["HOST"], port=where["PORT"] or 5432, user=where["USER"],
        password=where["PASSWORD"],
    )  # fmt: skip
    recorder = PostgresApplicationRecorder(datastore, events_table_name="bench_library")
    with connection.cursor() as cursor:  # it replaces functions as well, which two cannot do at once
        cursor.execute("SELECT pg_advisory_lock(1)")
        recorder.create_table()
        cursor.execute("SELECT pg_advisory_unlock(1)")
    stream = uuid.uuid4()
    version = 0
    state = json.dumps({"annotation": str(uuid.uuid4()), "geometry": {"type": "bbox", "points": POINTS}}).encode()

    def once() -> int:
        nonlocal version
        events = [
            StoredEvent(stream, version + number, "labeling:AnnotationGeometrySet", state) for number in range(size)
        ]
        recorder.insert_events(events)
        version += size
        return size

    return once


VARIANTS: dict[str, Callable[[int, str, bool], Writer]] = {"ours": ours, "insert": insert, "library": library}


# --- how -----------------------------------------------------------------------------------------------------------


def rate(variant: str, size: int, writers: int, log: str, staged: bool) -> float:
    """Events a second of so many processes at once."""
    context = multiprocessing.get_context("fork")
    start, counts = context.Barrier(writers + 1), context.SimpleQueue()

    def run() -> None:
        from django.db import connections

        connections.close_all()
        once = VARIANTS[variant](size, log, staged)
        for _ in range(3):
            once()
        start.wait()
        end, count = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            count += once()
        counts.put(count)

    processes = [context.Process(target=run) for _ in range(writers)]
    for process in processes:
        process.start()
    start.wait(60)
    total = sum(counts.get() for _ in processes)
    for process in processes:
        process.join()
    return total / SECONDS


def measured(where: str) -> list[Row]:
    """The rows of one place: microseconds an event, of all writers together."""
    from django.db import connection, connections

    made = _dataset()
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE bench_insert (place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream uuid NOT NULL,"
            " version int NOT NULL, data jsonb NOT NULL)"
        )
    connections.close_all()
    cases = [(size, writers) for size in (1, BATCH) for writers in (1, 4)]
    wanted = [(name, size, writers) for size, writers in cases for name in ("ours", "insert", "library")]
    found: dict[tuple[str, int, int], list[float]] = {key: [] for key in wanted}
    chance = random.Random(1)
    for _ in range(ROUNDS):
        for name, size, writers in chance.sample(wanted, len(wanted)):
            found[name, size, writers].append(rate(name, size, writers, str(made), staged=size >= BATCH))
    rows = []
    for size, writers in cases:
        mine, floor, peer = (found[name, size, writers] for name in ("ours", "insert", "library"))
        ratio = statistics.median(a / b for a, b in zip(mine, peer, strict=True))
        cost, cost_of_peer = 1e6 / statistics.median(mine), 1e6 / statistics.median(peer)
        what = f"{where}: {size} an append, {writers} writer{'s' if writers > 1 else ''}"
        # A rate of r times the peer's, paired by round, is a cost of 1 / r of the peer's.
        rows.append(Row(f"{what}, beside eventsourcing", "µs an event", cost_of_peer / ratio, cost_of_peer,
                        cost_of_peer / TARGETS[size, writers]))  # fmt: skip
        floor_cost = 1e6 / statistics.median(floor)
        rows.append(Row(f"{what}, beside a bare INSERT", "µs an event", cost, floor_cost, None))
    bulk = 1e6 / statistics.median(found["ours", BATCH, 1])
    rows.append(Row(f"{where}: a bulk by COPY, 1 writer", "µs an event", bulk, None, 1e6 / LEAST_BULK_RATE))
    return rows


def _dataset() -> uuid.UUID:
    from labeling.commands import datasets, people
    from labeling.log.event import Intent

    owner = people.add_person(intent=people.operator("bench"), username="bench").id
    return datasets.create_dataset(
        intent=Intent(author=owner), owner=owner, name="bench", task_type="vector", task_attributes=None, changes={}
    )


def main() -> list[Row]:
    """Measure on the disk here, and in memory in a process of its own."""
    memory = Path("/dev/shm")
    rows: list[Row] = []
    if os.environ.get("BENCH_WHERE") is None and os.access(memory, os.W_OK):
        home = memory / f"palimpsest-bench-{os.getpid()}"
        done = subprocess.run(
            [sys.executable, "-m", "config.bench.append"],
            cwd=CHECKOUT,
            env={**os.environ, "PALIMPSEST_HOME": str(home), "BENCH_WHERE": "memory"},
            stdout=subprocess.PIPE,
            check=True,
        )
        rows += [Row(**{key: row[key] for key in Row.__dataclass_fields__}) for row in json.loads(done.stdout)]
    return rows + _here(os.environ.get("BENCH_WHERE", "disk"))


def _here(where: str) -> list[Row]:
    import shutil

    import django

    from config.embedded import lease
    from config.home import prepare
    from config.serving import migrate

    home = prepare()
    lease.attach(home)
    django.setup()
    migrate()
    try:
        return measured(where)
    finally:
        from django.db import connections

        connections.close_all()
        if where == "memory":
            lease.release(home)
            lease.wait_until_stopped(home, 30)
            shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    json.dump([row.as_json() for row in main()], sys.stdout)
