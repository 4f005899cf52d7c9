"""`bench append`: what it costs to append, projection and chain included, beside a bare INSERT and the PyPI library
`eventsourcing`, on the same server, interleaved in the same run; once with the database in memory (where CPU and locks
show) and once on the disk (where the flush does).

Ours is the whole way of an edit: facts, the label's new state, JSON, hashes, the call with its lock, its check of
versions, its chain and its projected rows (one an annotation, one for the label), and the commit. Beside it stand the
library's own whole way (`Application.save`: events, the aggregate's new state, JSON, its table lock, INSERT, NOTIFY,
commit; it keeps no projection and no chain), which the targets are about; the library's recorder alone, given bytes
that were made before; and one bare INSERT or COPY. All writers write to one log, which is our worst case, each to a
label of its own. From 1,000 events and rows on, ours goes by COPY.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from config.bench import Row
from config.bench.processor import processor_ms
from config.bench.server import database
from config.home import CHECKOUT

#: Seconds that each variant runs in a round, and rounds; every round runs all variants in another order.
SECONDS = float(os.environ.get("BENCH_SECONDS", "0.8"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
BATCH, BULK = 100, 1000
#: (events of an append, writers): least ratio of our rate to the library's, as the plan of the project has it.
TARGETS = {(1, 1): 0.9, (1, 4): 1.3, (BATCH, 1): 0.8, (BATCH, 4): 0.8, (BULK, 1): 1.0}
#: Events a second of a bulk.
LEAST_BULK_RATE = 20_000

Writer = Callable[[], int]
AUTHOR = uuid.UUID("11111111-1111-4111-8111-111111111111")
POINTS = [[10.5, 20.25], [110.5, 90.75]]


# --- what is measured: each makes a function that appends once and says how many events that were ------------------


def ours(size: int, log: str) -> Writer:
    """Edits of annotations of one label, `size` at once."""
    from labeling import events as e
    from labeling.log import store
    from labeling.log.event import Intent
    from labeling.rules import label_ids, label_state
    from labeling.rules.label_state import LabelState

    label = label_ids.label_stream(uuid.uuid4(), uuid.uuid4())
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


def insert(size: int, log: str) -> Writer:
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


def library(size: int, log: str) -> Writer:
    """An application of eventsourcing's with its defaults, which moves annotations of one aggregate."""
    from django.db import connection
    from eventsourcing.application import Application
    from eventsourcing.domain import Aggregate

    class Label(Aggregate):
        def __init__(self) -> None:
            self.annotations: dict[str, Any] = {}

        class Moved(Aggregate.Event):
            annotation: str
            geometry: dict[str, Any]

            def apply(self, aggregate: Any) -> None:
                aggregate.annotations[self.annotation] = self.geometry

    class BenchLibrary(Application[uuid.UUID]):
        pass

    where = connection.settings_dict
    with connection.cursor() as cursor:  # it replaces functions as well, which two cannot do at once
        cursor.execute("SELECT pg_advisory_lock(1)")
        application = BenchLibrary(
            env={
                "PERSISTENCE_MODULE": "eventsourcing.postgres",
                "POSTGRES_DBNAME": where["NAME"],
                "POSTGRES_HOST": where["HOST"],
                "POSTGRES_PORT": str(where["PORT"] or 5432),
                "POSTGRES_USER": where["USER"],
                "POSTGRES_PASSWORD": where["PASSWORD"],
            }
        )
        cursor.execute("SELECT pg_advisory_unlock(1)")
    names = [str(uuid.uuid4()) for _ in range(size)]
    label = Label()

    def once() -> int:
        x = random.random()
        moved = {"type": "bbox", "points": [[x, 20.25], [110.5, 90.75]]}
        for name in names:
            label.trigger_event(Label.Moved, annotation=name, geometry=moved)
        application.save(label)
        return size

    return once


def recorder(size: int, log: str) -> Writer:
    """eventsourcing's PostgresApplicationRecorder with its defaults, and bytes that were made before."""
    from django.db import connection
    from eventsourcing.persistence import StoredEvent
    from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

    where = connection.settings_dict
    datastore = PostgresDatastore(
        dbname=where["NAME"], host=where["HOST"], port=where["PORT"] or 5432, user=where["USER"],
        password=where["PASSWORD"],
    )  # fmt: skip
    table = PostgresApplicationRecorder(datastore, events_table_name="bench_recorder")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(1)")
        table.create_table()
        cursor.execute("SELECT pg_advisory_unlock(1)")
    stream = uuid.uuid4()
    version = 0
    state = json.dumps({"annotation": str(uuid.uuid4()), "geometry": {"type": "bbox", "points": POINTS}}).encode()

    def once() -> int:
        nonlocal version
        events = [
            StoredEvent(stream, version + number, "labeling:AnnotationGeometrySet", state) for number in range(size)
        ]
        table.insert_events(events)
        version += size
        return size

    return once


VARIANTS: dict[str, Callable[[int, str], Writer]] = {
    "ours": ours,
    "library": library,
    "recorder": recorder,
    "insert": insert,
}
#: What each row beside ours stands for.
PEERS = {
    "library": "eventsourcing's Application.save",
    "recorder": "eventsourcing's recorder, bytes made before",
    "insert": "a bare INSERT or COPY",
}


# --- how -----------------------------------------------------------------------------------------------------------


def rate(variant: str, size: int, writers: int, log: str) -> float:
    """Events a second of so many processes at once."""
    context = multiprocessing.get_context("fork")
    start, counts = context.Barrier(writers + 1), context.SimpleQueue()

    def run() -> None:
        from django.db import connections

        connections.close_all()
        once = VARIANTS[variant](size, log)
        gc.collect()
        gc.freeze()  # as the web server and the workers do
        for _ in range(3):
            once()
        start.wait()
        began, count = time.monotonic(), 0
        while time.monotonic() < began + SECONDS:
            count += once()
        counts.put(count / (time.monotonic() - began))

    processes = [context.Process(target=run) for _ in range(writers)]
    for process in processes:
        process.start()
    start.wait(60)
    total = sum(counts.get() for _ in processes)
    for process in processes:
        process.join()
    return float(total)


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
    wanted = [(name, size, writers) for size, writers in TARGETS for name in VARIANTS]
    found: dict[tuple[str, int, int], list[float]] = {key: [] for key in wanted}
    chance = random.Random(1)
    for _ in range(ROUNDS):
        for name, size, writers in chance.sample(wanted, len(wanted)):
            found[name, size, writers].append(rate(name, size, writers, str(made)))
    rows = []
    for size, writers in TARGETS:
        mine = found["ours", size, writers]
        what = f"{where}: {size:,} event{'s' if size > 1 else ''} a transaction"
        what += f"{' by COPY' if size == BULK else ''}, {writers} writer{'s' if writers > 1 else ''}, beside "
        for name, peer in PEERS.items():
            theirs = found[name, size, writers]
            ratio = statistics.median(a / b for a, b in zip(mine, theirs, strict=True))
            cost = 1e6 / statistics.median(theirs)
            # A rate of r times the peer's, paired by round, is a cost of 1 / r of the peer's.
            target = cost / TARGETS[size, writers] if name == "library" else None
            rows.append(Row(what + peer, "µs an event", cost / ratio, cost, target))
    bulk = 1e6 / statistics.median(found["ours", BULK, 1])
    case = f"{where}: {BULK:,} events a transaction by COPY, 1 writer, at {LEAST_BULK_RATE:,} a second"
    rows.append(Row(case, "µs an event", bulk, None, 1e6 / LEAST_BULK_RATE))
    case = f"{where}: {BULK:,} events a transaction by COPY, 1 writer, Python and PostgreSQL"
    return [*rows, Row(case, "µs CPU an event", processor_us(str(made)), None, None)]


def processor_us(log: str) -> float:
    """Microseconds of processor time of an event in a bulk, here and in its backend: what other load changes least."""
    from django.db import connection

    once = ours(BULK, log)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pids = [os.getpid(), cursor.fetchone()[0]]
    found = []
    for _ in range(ROUNDS * 2):
        before = processor_ms(pids)
        count = once()
        found.append((processor_ms(pids) - before) * 1000 / count)
    return statistics.median(found)


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
    from config.embedded import lease

    with database() as home:
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
