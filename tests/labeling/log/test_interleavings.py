"""Two real connections on one log, in the orders that matter. The rows are committed and stay; every log is fresh."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from django.db import IntegrityError, connection, connections, transaction

from labeling import events as e
from labeling.commands import labels
from labeling.errors import Conflict
from labeling.log import projector, store
from labeling.log.event import Intent
from labeling.log.rows import Rows
from labeling.log.store import Appended, CommandReused, LogBusy, Stale
from labeling.log.verify import verify_log
from labeling.queries import labels as queries
from tests.support.installation import is_full

pytestmark = pytest.mark.usefixtures("committed_db")

T = TypeVar("T")
AUTHOR = uuid.UUID("11111111-1111-4111-8111-111111111111")
PATIENCE_S = 20.0


@pytest.fixture
def log(committed_db: None) -> uuid.UUID:
    return uuid.uuid4()


@pytest.fixture
def elsewhere() -> Iterator[Callable[..., Future[Any]]]:
    """Runs functions in threads that have a connection of their own."""
    with ThreadPoolExecutor(8) as pool:

        def run(function: Callable[..., T], *arguments: Any, **keywords: Any) -> Future[T]:
            def called() -> T:
                try:
                    return function(*arguments, **keywords)
                finally:
                    connections.close_all()

            return pool.submit(called)

        yield run


def append(log: uuid.UUID, stream: str, version: int, *, by: Intent | None = None, count: int = 1) -> Appended:
    by = by or Intent(author=AUTHOR)
    events = store.new_events(log, by, [(stream, version, e.KeyCreated(key="k"))] * count)
    return store.append(log, intent=by, events=events, rows=Rows(), open_as="installation", answer={"by": "somebody"})


@contextmanager
def holding(log: uuid.UUID) -> Iterator[None]:
    """The log, locked by this thread's open transaction."""
    with transaction.atomic():
        store.lock(log)
        yield


def wait_for_waiters(count: int) -> None:
    """Return when so many other sessions wait for a lock of this database."""
    pause, waited_s = threading.Event(), 0.0
    while True:
        with connection.cursor() as cursor:
            # Not pg_stat_activity, which stands still inside of a transaction.
            cursor.execute(
                "SELECT count(DISTINCT waiting.pid) FROM pg_locks waiting JOIN pg_locks ours USING (pid)"
                " JOIN pg_database here ON here.oid = ours.database"
                " WHERE NOT waiting.granted AND here.datname = current_database()"
            )
            if cursor.fetchone()[0] >= count:
                return
        assert waited_s < PATIENCE_S, "nobody waits"
        pause.wait(0.005)
        waited_s += 0.005


def offsets(log: uuid.UUID) -> list[int | None]:
    return [event.offset for event in store.read(log)]


# --- two appenders -------------------------------------------------------------------------------------------------


def test_the_second_appender_waits_and_gets_the_next_offset(log, elsewhere):
    append(log, "person/a", 0)
    with transaction.atomic():
        mine = append(log, "person/b", 0, count=2)
        second = elsewhere(append, log, "person/c", 0)
        wait_for_waiters(1)
        assert not second.done()
    theirs = second.result(PATIENCE_S)
    assert (mine.first_offset, mine.last_offset) == (2, 3)
    assert (theirs.first_offset, theirs.last_offset) == (4, 4)
    assert theirs.recorded_at >= mine.recorded_at
    assert verify_log(log) == []


def test_what_was_rolled_back_leaves_no_gap(log, elsewhere):
    append(log, "person/a", 0)
    with transaction.atomic():
        append(log, "person/b", 0, count=3)
        second = elsewhere(append, log, "person/c", 0)
        wait_for_waiters(1)
        transaction.set_rollback(True)
    assert second.result(PATIENCE_S).first_offset == 2
    assert offsets(log) == [1, 2] and verify_log(log) == []


def test_two_who_open_the_same_log_at_once_both_get_in(log, elsewhere):
    with transaction.atomic():
        mine = append(log, "person/a", 0)
        second = elsewhere(append, log, "person/b", 0)
        wait_for_waiters(1)
    assert (mine.first_offset, second.result(PATIENCE_S).first_offset) == (1, 2)
    assert verify_log(log) == []


def test_other_logs_do_not_wait(log, elsewhere):
    append(log, "person/a", 0)
    with holding(log):
        assert elsewhere(append, uuid.uuid4(), "person/a", 0).result(PATIENCE_S).first_offset == 1


def test_a_counter_row_held_for_too_long_makes_the_log_busy(log, elsewhere):
    append(log, "person/a", 0)
    with holding(log):
        busy = elsewhere(append, log, "person/a", 1)
        with pytest.raises(LogBusy):
            busy.result(PATIENCE_S)
    assert offsets(log) == [1]
    assert append(log, "person/a", 1).first_offset == 2


# --- readers -------------------------------------------------------------------------------------------------------


def test_a_reader_sees_an_append_whole_or_not_at_all(log, elsewhere):
    append(log, "person/a", 0)
    with transaction.atomic():
        append(log, "person/a", 1, count=3)
        assert elsewhere(offsets, log).result(PATIENCE_S) == [1]
        assert elsewhere(store.head, log).result(PATIENCE_S) == 1
    assert elsewhere(offsets, log).result(PATIENCE_S) == [1, 2, 3, 4]


def torture(log: uuid.UUID, writers: int, each: int, elsewhere: Callable[..., Future[Any]]) -> tuple[int, list[int]]:
    """(events committed, offsets in the order that a tailing reader saw them): appends with some roll-backs."""
    over = threading.Event()
    start = threading.Barrier(writers + 1, timeout=PATIENCE_S)

    def write(number: int) -> int:
        start.wait()
        stored = version = 0
        for turn in range(each):
            count = 1 + (turn * 7 + number) % 3
            with transaction.atomic():
                append(log, f"person/{number}", version, count=count)
                if (turn + number) % 5 == 0:
                    transaction.set_rollback(True)
                    continue
            version += count
            stored += count
        return stored

    def tail() -> list[int]:
        start.wait()
        seen: list[int] = []
        last_round = False
        while True:
            for page in store.pages(log, after=seen[-1] if seen else 0):  # raises where an offset is missing
                seen.extend(event.offset for event in page if event.offset is not None)
            if last_round:
                return seen
            last_round = over.is_set()

    reader = elsewhere(tail)
    writing = [elsewhere(write, number) for number in range(writers)]
    stored = sum(future.result(PATIENCE_S * 3) for future in writing)
    over.set()
    return stored, reader.result(PATIENCE_S)


def test_a_tailing_reader_misses_nothing_and_sees_no_gap(log, elsewhere):
    append(log, "person/x", 0)
    stored, seen = torture(log, 4, 120 if is_full() else 25, elsewhere)
    assert seen == list(range(1, stored + 2))
    assert store.head(log) == stored + 1
    assert verify_log(log) == []


def test_a_projector_behind_busy_writers_folds_every_event_once(log, elsewhere, monkeypatch):
    folded: list[int] = []

    class Recorder:
        name = f"recorder-{log}"
        tables: dict[str, str] = {}

        def project(self, log: uuid.UUID, events: Any) -> None:
            folded.extend(event.offset for event in events)

        def clear(self, log: uuid.UUID) -> None:
            folded.clear()

    recorder = Recorder()
    append(log, "person/x", 0)
    over = threading.Event()

    def catch_up() -> None:
        while not over.is_set():
            projector._catch_up(recorder, log)
        projector._catch_up(recorder, log)

    two = [elsewhere(catch_up) for _ in range(2)]  # one folds, the other finds the checkpoint locked
    writing = [
        elsewhere(lambda n=number: [append(log, f"person/{n}", turn) for turn in range(15)]) for number in range(3)
    ]
    for future in writing:
        future.result(PATIENCE_S)
    over.set()
    for future in two:
        future.result(PATIENCE_S)
    assert folded == list(range(1, 47))


# --- decisions on old state ----------------------------------------------------------------------------------------


def test_of_two_decisions_on_the_same_state_one_is_stale(log, elsewhere):
    append(log, "person/a", 0)
    with transaction.atomic():
        append(log, "person/a", 1)
        second = elsewhere(append, log, "person/a", 1)
        wait_for_waiters(1)
    with pytest.raises(Stale):
        second.result(PATIENCE_S)
    assert offsets(log) == [1, 2] and verify_log(log) == []


def test_a_decision_on_a_state_that_was_rolled_back_is_not_stale(log, elsewhere):
    append(log, "person/a", 0)
    with transaction.atomic():
        append(log, "person/a", 1)
        second = elsewhere(append, log, "person/a", 1)
        wait_for_waiters(1)
        transaction.set_rollback(True)
    assert second.result(PATIENCE_S).first_offset == 2


def test_deciding_again_gets_everybody_through(log, elsewhere):
    append(log, "person/a", 0)
    start = threading.Barrier(4, timeout=PATIENCE_S)

    def add_ten() -> None:
        start.wait()
        for _ in range(10):
            store.decide(lambda: append(log, "person/a", sum(1 for _ in store.read_stream(log, "person/a"))))

    for future in [elsewhere(add_ten) for _ in range(4)]:
        future.result(PATIENCE_S * 2)
    assert [event.version for event in store.read(log)] == list(range(1, 42))


# --- retries that race ---------------------------------------------------------------------------------------------


def test_a_retry_that_races_its_first_try_gets_the_first_answer(log, elsewhere):
    by = Intent(author=AUTHOR, request_hash=b"request")
    append(log, "person/a", 0)
    with transaction.atomic():
        first = append(log, "person/a", 1, by=by)
        retry = elsewhere(append, log, "person/a", 1, by=by)
        other = elsewhere(
            append, log, "person/a", 1, by=Intent(author=AUTHOR, command=by.command, request_hash=b"else")
        )
        wait_for_waiters(2)
    again = retry.result(PATIENCE_S)
    assert again.replayed and (again.first_offset, again.recorded_at) == (2, first.recorded_at)
    with pytest.raises(CommandReused):
        other.result(PATIENCE_S)
    assert offsets(log) == [1, 2]


def test_a_retry_does_the_work_when_its_first_try_was_lost(log, elsewhere):
    by = Intent(author=AUTHOR, request_hash=b"request")
    append(log, "person/a", 0)
    with transaction.atomic():
        append(log, "person/a", 1, by=by)
        retry = elsewhere(append, log, "person/a", 1, by=by)
        wait_for_waiters(1)
        transaction.set_rollback(True)
    assert not retry.result(PATIENCE_S).replayed
    assert offsets(log) == [1, 2]


# --- labels --------------------------------------------------------------------------------------------------------


def box(x: float) -> dict[str, Any]:
    return {"type": "bbox", "points": [[x, 1], [x + 9, 9]]}


@pytest.fixture
def boxes(committed_db, dataset, person, sample) -> uuid.UUID:
    """A sample with four boxes in the label set ground-truth."""
    ana = person("ana")
    target = sample(dataset(ana), ana)
    edits = [{"op": "add", "geometry": box(10 * number), "category_id": 1} for number in range(4)]
    labels.edit_label(intent=Intent(author=ana.id), sample=target, label_set="ground-truth", edits=edits)
    return target


def test_two_people_who_edit_different_boxes_at_once_both_get_through(boxes, person, elsewhere):
    ana = person("ana")
    start = threading.Barrier(4, timeout=PATIENCE_S)

    def move(number: int) -> None:
        start.wait()
        for turn in range(8):
            edit = {"op": "set_geometry", "annotation": number, "geometry": box(100 * number + turn)}
            labels.edit_label(intent=Intent(author=ana.id), sample=boxes, label_set="ground-truth", edits=[edit])

    for future in [elsewhere(move, number) for number in (1, 2, 3, 4)]:
        future.result(PATIENCE_S * 2)
    state = queries.find_label(boxes, "ground-truth", person=ana.id).state
    assert state.version == 5 + 4 * 8
    assert {item["id"]: item["geometry"] for item in state.in_order()} == {
        number: box(100 * number + 7) for number in (1, 2, 3, 4)
    }


def test_with_if_match_the_slower_of_two_on_one_box_is_refused(boxes, person, elsewhere):
    ana = person("ana")

    def move(x: float) -> labels.Saved:
        return labels.edit_label(
            intent=Intent(author=ana.id),
            sample=boxes,
            label_set="ground-truth",
            edits=[{"op": "set_geometry", "annotation": 1, "geometry": box(x)}],
            seen=labels.Seen(version=5),
        )

    with transaction.atomic():
        first = move(500)
        second = elsewhere(move, 600)
        wait_for_waiters(1)
    assert first.state.version == 6 and not first.rebased
    with pytest.raises(Conflict):
        second.result(PATIENCE_S)


def test_with_if_match_the_slower_of_two_on_different_boxes_is_rebased(boxes, person, elsewhere):
    ana = person("ana")

    def move(number: int) -> labels.Saved:
        return labels.edit_label(
            intent=Intent(author=ana.id),
            sample=boxes,
            label_set="ground-truth",
            edits=[{"op": "set_geometry", "annotation": number, "geometry": box(500)}],
            seen=labels.Seen(version=5),
        )

    with transaction.atomic():
        move(1)
        second = elsewhere(move, 2)
        wait_for_waiters(1)
    saved = second.result(PATIENCE_S)
    assert saved.rebased and saved.state.version == 7


@pytest.fixture
def bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every append goes as a bulk: copied before, and committed with its call in one message."""
    monkeypatch.setattr(store.appending, "STAGED_FROM", 1)


@pytest.mark.usefixtures("bulk")
def test_a_bulk_is_committed_before_its_writer_hears_of_it(log, monkeypatch):
    """So the log is free although the writer does nothing more; with a commit of Django's it would wait for that."""
    seen = []

    plain = connection.commit

    def commit() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id_if_assigned() IS NULL")
            seen.append((store.head(log), cursor.fetchone()[0]))
        plain()

    monkeypatch.setattr(connection, "commit", commit)
    done = append(log, "person/a", 0, count=3)
    assert seen == [(3, True)]
    assert done.last_offset == 3 and done.held_ms is not None and 0 < done.held_ms < 1000 * PATIENCE_S


@pytest.mark.usefixtures("bulk")
def test_a_bulk_that_is_stale_or_repeated_or_wrong_stores_nothing_and_leaves_the_connection_of_use(log):
    by = Intent(author=AUTHOR, request_hash=bytes(32))
    first = append(log, "person/a", 0, by=by, count=2)
    again = append(log, "person/a", 0, by=by, count=2)
    assert again.replayed and again.held_ms is None and again.last_offset == first.last_offset
    with pytest.raises(Stale):
        append(log, "person/a", 1)
    with pytest.raises(CommandReused):
        append(log, "person/a", 2, by=replace(by, request_hash=bytes(range(32))))
    twice = store.new_events(log, Intent(author=AUTHOR), [("person/a", 2, e.KeyCreated(key="k"))])
    with pytest.raises(IntegrityError):
        store.append(log, intent=twice[0].intent, events=twice * 2, rows=Rows())
    assert append(log, "person/a", 2).last_offset == 3
    assert verify_log(log) == []


@pytest.mark.usefixtures("bulk")
def test_a_bulk_that_waits_too_long_is_busy_and_stores_nothing(log, elsewhere):
    append(log, "person/a", 0)
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            append(log, "person/b", 0)
            held.set()
            assert free.wait(PATIENCE_S)

    holding = elsewhere(hold)
    assert held.wait(PATIENCE_S)
    with pytest.raises(LogBusy):
        append(log, "person/c", 0)
    free.set()
    holding.result(PATIENCE_S)
    assert append(log, "person/c", 0).last_offset == 3
