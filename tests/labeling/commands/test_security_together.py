"""A flood from many sides at once: the security log stays short, loses no count, and nobody is turned away for it."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from labeling.commands import logins, security
from labeling.commands.security import MOST_A_MINUTE
from labeling.log import store, verify
from labeling.log.event import SECURITY
from labeling.models import SecurityTally

THREADS, TIMES = 8, 25


def at_once(call: Any) -> list[Any]:
    """What `call(number)` gives in each thread, all begun at the same moment."""
    start = threading.Barrier(THREADS)

    def one(number: int) -> Any:
        try:
            start.wait(30)
            return call(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(one, range(THREADS)))


@pytest.mark.parametrize("different", [False, True])
def test_a_flood_of_failures_from_many_threads(committed_db, monkeypatch, caplog, different):
    minute = dt.datetime(2026, 3, 2, 9, 0 if different else 1, tzinfo=dt.UTC)
    moment = minute + dt.timedelta(seconds=5)
    monkeypatch.setattr(security, "now", lambda: moment)
    known = store.head(SECURITY)

    def flood(number: int) -> None:
        for turn in range(TIMES):
            name = f"user-{number}-{turn}" if different else "ana"
            security.login_failed(username=name, source=security.Source("192.0.2.1"), locked=False)

    at_once(flood)
    told = [event.fact for event in store.read(SECURITY, after=known)]
    # Those that came in the same instant do not see each other's rows, so a few more than the limit may be told.
    assert 1 <= len(told) <= (MOST_A_MINUTE + THREADS + 1 if different else 1)
    moment = minute + dt.timedelta(minutes=1)
    while security.tell_tallies():
        pass
    counts: list[int] = [event.data.get("count", 1) for event in store.read(SECURITY, after=known)]
    assert sum(counts) == THREADS * TIMES
    assert not SecurityTally.objects.filter(minute=minute).exists()
    assert not caplog.records
    assert verify.verify_log(SECURITY) == []


def test_many_attempts_at_once_are_no_more_than_one_after_the_other(committed_db):
    allowed = at_once(lambda number: [logins.may_try("login", "ana-of-many-threads", "192.0.2.1") for _ in range(5)])
    assert sum(map(sum, allowed)) == logins.MOST_FAILURES
    logins.forget("login", "ana-of-many-threads", "192.0.2.1")
