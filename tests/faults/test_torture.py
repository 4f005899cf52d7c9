"""Eight writers with random pauses and roll-backs, and a reader who follows: nothing is missed, nothing out of order.

The control does the same without the log's lock, in the way that tables with an identity column are commonly
read; it has to miss events, or the test above proves nothing.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections, transaction

from labeling import events as e
from labeling.log import store
from labeling.log.event import Intent
from labeling.log.rows import Rows
from labeling.log.verify import verify_log
from tests.support.installation import is_full

pytestmark = pytest.mark.usefixtures("committed_db")

AUTHOR = uuid.UUID("11111111-1111-4111-8111-111111111111")
WRITERS = 8
TURNS = 300 if is_full() else 30
#: So often the reader finds something new before the writers end, however late it gets its turn.
LOOKS = 20
PAUSE_S = 0.003
ROLLED_BACK = 0.05

Write = Callable[[random.Random, int], int]
Tail = Callable[[int], list[int]]


def tortured(write: Write, tail: Tail) -> tuple[int, list[int]]:
    """(how many were committed, what a reader saw who asks again and again for what comes after the last one)."""
    over, looked = threading.Event(), threading.Event()
    start = threading.Barrier(WRITERS + 1, timeout=60)

    def writer(number: int) -> int:
        try:
            chance = random.Random(number)
            connection.ensure_connection()
            start.wait()
            committed = turns = 0
            while turns < TURNS or not looked.is_set():
                committed += write(chance, number)
                turns += 1
            return committed
        finally:
            connections.close_all()

    def reader() -> list[int]:
        try:
            connection.ensure_connection()
            start.wait()
            seen: list[int] = []
            looks = 0
            while True:
                is_last = over.is_set()
                found = tail(seen[-1] if seen else 0)
                seen += found
                looks += bool(found)
                if looks >= LOOKS:
                    looked.set()
                if is_last:
                    return seen
        finally:
            looked.set()  # nobody waits for one who looks no more
            connections.close_all()

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        reading = pool.submit(reader)
        try:
            committed = sum(pool.map(writer, range(WRITERS)))
        finally:
            over.set()
        return committed, reading.result()


def pause(chance: random.Random) -> None:
    """Time passes inside of the transaction: it is what the test is about, and waits for nothing."""
    time.sleep(chance.uniform(0, PAUSE_S))


@pytest.fixture
def control() -> Iterator[str]:
    """A table with an identity column."""
    name = f"control_{uuid.uuid4().hex}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {name} (place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, writer int)")
        yield name
        cursor.execute(f"DROP TABLE {name}")


def test_a_reader_who_follows_eight_writers_misses_nothing(tell: Callable[[str], None]) -> None:
    log = uuid.uuid4()
    by = Intent(author=AUTHOR)

    def append(stream: str, count: int) -> None:
        facts = [(stream, store.version(log, stream), e.KeyCreated(key="k"))] * count
        store.append(log, intent=by, events=store.new_events(log, by, facts), rows=Rows(), open_as="installation")

    def write(chance: random.Random, number: int) -> int:
        count = chance.randint(1, 3)
        with transaction.atomic():
            pause(chance)
            append(f"person/{number}", count)
            pause(chance)
            if chance.random() < ROLLED_BACK:
                transaction.set_rollback(True)
                return 0
        return count

    def tail(after: int) -> list[int]:
        return [event.offset or 0 for page in store.pages(log, after=after) for event in page]

    append("person/first", 1)
    committed, seen = tortured(write, tail)
    assert seen == list(range(1, committed + 2)), "contiguous, in order, none missed"
    assert store.head(log) == committed + 1
    assert verify_log(log) == []
    tell(f"{committed + 1} events of {WRITERS} writers, 0 missed by the reader, contiguous")


def test_without_the_lock_such_a_reader_misses_events(control: str, tell: Callable[[str], None]) -> None:
    def write(chance: random.Random, number: int) -> int:
        count = chance.randint(1, 3)
        with transaction.atomic(), connection.cursor() as cursor:
            pause(chance)
            cursor.execute(f"INSERT INTO {control} (writer) SELECT %s FROM generate_series(1, %s)", [number, count])
            pause(chance)
            if chance.random() < ROLLED_BACK:
                transaction.set_rollback(True)
                return 0
        return count

    def tail(after: int) -> list[int]:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT place FROM {control} WHERE place > %s ORDER BY place", [after])
            return [row[0] for row in cursor.fetchall()]

    committed, seen = tortured(write, tail)
    missed = committed - len(seen)
    assert missed > 0, "the reader of an unlocked table is expected to miss events; the torture has lost its teeth"
    tell(f"control without the lock: {missed} of {committed} rows missed")
