"""The barrier: appends commit ahead of the disk and wait for it before they answer. A server that stops at once, with
whatever it has not written, loses no append that was answered; without the wait it does, or this test shows nothing.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, connections
from pytest_django import DjangoDbBlocker

from config.embedded import lease
from labeling import events as e
from labeling.log import store, verify
from labeling.log.event import Intent
from labeling.log.rows import Rows
from tests.support.homes import Home
from tests.support.installation import is_full

AUTHOR = uuid.UUID("11111111-1111-4111-8111-111111111111")
WRITERS = 4
#: Appends that were answered before the server stops.
ANSWERED = 2000 if is_full() else 200
PATIENCE_S = 60.0 + 0.2 * ANSWERED  # also where a disk is slow and shared


class Server:
    """An embedded PostgreSQL of its own that is durable, and writes to the disk only when somebody waits for it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.fields = lease.attach(home)

    def stop_at_once(self) -> None:
        """As `pg_ctl stop -m immediate`: what lies in its memory is gone."""
        (path,) = self.home.glob("postgres-*/postmaster.pid")
        pid = int(path.read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        deadline = time.monotonic() + PATIENCE_S
        with suppress(FileNotFoundError):
            while path.read_text().split()[:1] == [str(pid)]:
                assert time.monotonic() < deadline
                time.sleep(0.02)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("durable") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(lease.ENVIRONMENT_NAME, "")
        patch.setattr(lease, "LINGER_S", 0.2)
        yield Server(home)
    lease.release(home)
    lease.wait_until_stopped(home, PATIENCE_S)


@pytest.fixture
def log(
    server: Server, django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path: Path
) -> Iterator[uuid.UUID]:
    """A log on that server, to which this process is led, with the tables of the log alone."""
    home = Home(tmp_path, server.fields)
    with django_db_blocker.unblock(), home.inside(), connection.cursor() as cursor:
        folder = Path(store.__file__).parents[1] / "sql"
        for name in ("tables.sql", "append.sql"):
            cursor.execute((folder / name).read_text())
        for setting in ("wal_writer_delay = '10s'", "wal_writer_flush_after = '1GB'", "wal_buffers = '16MB'"):
            cursor.execute(f"ALTER SYSTEM SET {setting}")
        cursor.execute("SELECT pg_reload_conf()")
        log, by = uuid.uuid4(), Intent(author=AUTHOR)
        first = store.new_events(log, by, [("person/first", 0, e.KeyCreated(key="k"))])
        store.append(log, intent=by, events=first, rows=Rows(), open_as="installation")  # waits for the disk
        yield log


def answered_before_the_end(server: Server, log: uuid.UUID) -> set[uuid.UUID]:
    """Append from several connections until the server stops; the ids of the events whose append was answered."""
    answered: set[uuid.UUID] = set()
    enough, over = threading.Event(), threading.Event()

    def write(number: int) -> None:
        by = Intent(author=AUTHOR)
        stream = f"person/{uuid.uuid4()}"
        try:
            for version in itertools.count():
                if over.is_set():
                    return
                events = store.new_events(log, by, [(stream, version, e.KeyCreated(key="k"))])
                store.append(log, intent=by, events=events, rows=Rows(), open_as="installation")
                answered.add(events[0].event_id)
                if len(answered) >= ANSWERED:
                    enough.set()
        except DatabaseError:
            return  # it stopped
        finally:
            connections.close_all()

    with ThreadPoolExecutor(WRITERS) as pool:
        running = [pool.submit(write, number) for number in range(WRITERS)]
        try:
            assert enough.wait(PATIENCE_S)
            server.stop_at_once()
        finally:
            over.set()
        for each in running:
            each.result(PATIENCE_S)
    connections.close_all()
    return answered


def stored(server: Server, log: uuid.UUID) -> set[uuid.UUID]:
    """The ids of the events that are there when the server is back; what is there is sound."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            connection.settings_dict.update({name: lease.attach(server.home)[name] for name in ("HOST", "PORT")})
            head = store.head(log)
            break
        except (DatabaseError, lease.EmbeddedDatabaseError):
            connections.close_all()
            assert time.monotonic() < deadline
            time.sleep(0.05)
    found = {event.event_id for page in store.pages(log) for event in page}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "_anchor_sources", [])  # there are only the tables of the log
        assert len(found) == head and verify.verify_log(log) == []
    return found


def test_what_was_answered_is_there_after_the_server_stopped_at_once(
    server: Server, log: uuid.UUID, monkeypatch: pytest.MonkeyPatch, tell: Callable[[str], None]
) -> None:
    monkeypatch.setattr(settings, "COMMIT_BARRIER", True)
    answered = answered_before_the_end(server, log)
    lost = answered - stored(server, log)
    assert len(answered) >= ANSWERED and not lost
    tell(f"with the barrier: {len(answered)} appends answered, 0 lost, no gap")


def test_without_the_wait_some_are_lost(
    server: Server, log: uuid.UUID, monkeypatch: pytest.MonkeyPatch, tell: Callable[[str], None]
) -> None:
    monkeypatch.setattr(settings, "COMMIT_BARRIER", True)
    monkeypatch.setattr(store.appending, "_flush", lambda: None)
    answered = answered_before_the_end(server, log)
    lost = answered - stored(server, log)
    assert lost, "the server is expected to lose what nobody waited for; the test has lost its teeth"
    tell(f"control without the wait: {len(lost)} of {len(answered)} answered appends lost, still no gap")


@pytest.mark.parametrize("bulk_from", [1, 1000], ids=["a bulk", "a call"])
def test_a_retry_is_answered_only_when_what_it_tells_of_is_on_disk(
    committed_db: None, monkeypatch: pytest.MonkeyPatch, bulk_from: int
) -> None:
    monkeypatch.setattr(settings, "COMMIT_BARRIER", True)
    monkeypatch.setattr(store.appending, "STAGED_FROM", bulk_from)
    waited: list[int] = []
    monkeypatch.setattr(store.appending, "_flush", lambda: waited.append(1))
    log, by = uuid.uuid4(), Intent(author=AUTHOR, request_hash=bytes(32))
    events: list[Any] = store.new_events(log, by, [("person/x", 0, e.KeyCreated(key="k"))])
    for turn in (1, 2):
        appended = store.append(log, intent=by, events=events, rows=Rows(), open_as="installation", answer={})
        assert (appended.replayed, len(waited)) == (turn == 2, turn)
    assert store.earlier_answer(log, by) is not None and len(waited) == 3
    stranger = Intent(author=AUTHOR)
    with pytest.raises(store.Stale):
        store.append(
            log, intent=stranger, events=store.new_events(log, stranger, [("person/x", 0, e.KeyCreated(key="k"))]),
            rows=Rows(),
        )  # fmt: skip
    assert len(waited) == 3, "who stored nothing and says nothing waits for nothing"
