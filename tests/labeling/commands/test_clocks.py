"""The clock of the database set back: told once, in the installation's log, and never in a storm."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import DatabaseError, connection

from labeling import events as e
from labeling.audit.asking import ask
from labeling.audit.catalogue import reports
from labeling.audit.report import Question
from labeling.commands import clocks, datasets
from labeling.commands.people import operator
from labeling.errors import Busy
from labeling.log import store
from labeling.log.event import INSTALLATION, Intent
from labeling.log.verify import verify_log
from labeling.rules.clocks import LEAST_US, TOLD_EVERY_US, Look, is_news, set_back_us

BY = operator("test")
HOUR_US = TOLD_EVERY_US


@pytest.fixture
def log(dataset, person) -> uuid.UUID:
    return dataset(person(f"ana-{uuid.uuid4().hex[:6]}"))


def set_back(log: uuid.UUID, seconds: float) -> None:
    """As if the clock had been later by so much when the last event was recorded."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE log_head SET recorded_at = clock_timestamp() + %s * interval '1 second' WHERE log = %s",
            [seconds, log],
        )


def told() -> list[e.ClockSetBack]:
    return [
        event.fact for event in store.read_stream(INSTALLATION, clocks.STREAM) if isinstance(event.fact, e.ClockSetBack)
    ]


def at(clock_s: float, *, latest_s: float | None = None, steady_s: float = 0.0) -> Look:
    latest_us = None if latest_s is None else int(latest_s * 1e6)
    return Look(int(clock_s * 1e6), latest_us, steady_s, steady_s)


# --- what counts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "before", "by_s"),
    [
        (at(100), None, 0),
        (at(100, latest_s=99), None, 0),
        (at(100, latest_s=101.9), None, 0),  # no more than a leap second and a little
        (at(100, latest_s=130), None, 30),
        (at(100, steady_s=10), at(100), 10),  # it stood
        (at(95, steady_s=10), at(100), 15),  # nothing was recorded meanwhile, and it is seen all the same
        (at(110, steady_s=10), at(100), 0),
        (at(500, steady_s=10), at(100), 0),  # set forward
        (at(95, latest_s=200, steady_s=10), at(100), 105),
    ],
)
def test_a_clock_is_set_back_where_it_is_behind_what_it_has_to_be_at_least(now, before, by_s):
    assert set_back_us(now, before) == by_s * 1_000_000


def test_what_was_told_is_told_again_only_after_an_hour_or_where_it_is_twice_as_far():
    said = e.ClockSetBack(by_ms=30_000, clock_us=100_000_000, latest_us=130_000_000)
    assert is_news(30_000_000, at(100), None)
    assert not is_news(30_000_000, at(100), said)
    assert not is_news(20_000_000, at(110), said)  # the same, ten seconds later
    assert not is_news(59_000_000, at(100), said)
    assert is_news(60_000_000, at(100), said)
    later = Look(130_000_000 + HOUR_US, None, 0, 0)
    assert is_news(LEAST_US, later, said)


def test_a_clock_that_goes_back_all_the_time_is_no_storm():
    """For a day, 3 to 60 seconds back every ten seconds: at most a few an hour."""
    last, count, clock_us = None, 0, 1_000_000_000
    for turn in range(24 * 360):
        clock_us += 10_000_000
        by_us = (3 + turn * 7 % 58) * 1_000_000
        now = Look(clock_us, None, 0, 0)
        if is_news(by_us, now, last):
            last, count = e.ClockSetBack(by_ms=by_us // 1000, clock_us=clock_us, latest_us=clock_us + by_us), count + 1
    assert 24 <= count <= 24 * 6


# --- told ------------------------------------------------------------------------------------------------------------


def test_that_the_clock_was_set_back_is_one_event_of_the_installations_log(log, person):
    before = told()
    set_back(log, 86_400)
    made = clocks.tell_set_back(intent=BY, now=clocks.look())
    assert made is not None and told() == [*before, made]
    assert 86_390_000 < made.by_ms <= 86_400_000
    assert abs(made.latest_us - made.clock_us - made.by_ms * 1000) < 1000
    for _ in range(3):
        assert clocks.tell_set_back(intent=BY, now=clocks.look()) is None
    # What is recorded meanwhile keeps its order, and every log holds.
    ana = store.read(log)[0].intent.author
    for text in ("one", "two"):
        datasets.change_dataset(intent=Intent(author=ana), dataset=log, changes={"description": text})
    times = [event.recorded_at for event in store.read(log)]
    assert times == sorted(time for time in times if time is not None) and times[-1] == times[-2]
    assert clocks.tell_set_back(intent=BY, now=clocks.look()) is None
    assert verify_log(log) == [] and verify_log(INSTALLATION) == []


def test_a_clock_that_goes_right_is_not_told_of(log):
    before = told()
    first = clocks.look()
    assert clocks.tell_set_back(intent=BY, now=clocks.look(), before=first) is None
    assert told() == before


def test_who_comes_second_sees_that_it_was_told(log, monkeypatch):
    """Two sweepers see the same step: the one whose append is stale decides again, and finds it told."""
    set_back(log, 600)
    now = clocks.look()
    append, mine = store.append, []

    def late(*arguments: Any, **keywords: Any) -> Any:
        monkeypatch.setattr(store, "append", append)
        mine.append(clocks.tell_set_back(intent=BY, now=now))  # the other one, in between
        return append(*arguments, **keywords)

    monkeypatch.setattr(store, "append", late)
    before = told()
    assert clocks.tell_set_back(intent=BY, now=now) is None
    assert told() == [*before, mine[0]]


def test_the_sweeper_looks_now_and_then_and_at_once_again_where_it_could_not_tell(log, monkeypatch):
    monkeypatch.setattr(clocks, "_before", None)
    monkeypatch.setattr(clocks, "PERIOD_S", 1e9)
    before = told()
    assert clocks.look_now_and_then() == 0
    seen = clocks._before
    set_back(log, 600)
    assert clocks.look_now_and_then() == 0 and told() == before  # a moment ago
    monkeypatch.setattr(clocks, "PERIOD_S", 0.0)

    def busy(**_: Any) -> None:
        raise Busy

    def unreachable() -> None:
        raise DatabaseError

    with monkeypatch.context() as patch:
        patch.setattr(clocks, "tell_set_back", busy)
        assert clocks.look_now_and_then() == 0
    with monkeypatch.context() as patch:
        patch.setattr(store, "clocks", unreachable)
        assert clocks.look_now_and_then() == 0
    assert clocks._before is seen
    assert clocks.look_now_and_then() == 1 and clocks.look_now_and_then() == 0
    assert len(told()) == len(before) + 1


def test_the_integrity_report_tells_of_it(log):
    set_back(log, 600)
    made = clocks.tell_set_back(intent=BY, now=clocks.look())
    assert made is not None
    for of, where in (("dataset", log), ("installation", INSTALLATION)):
        rows = [cells for part, cells in ask(reports(of)["integrity"], where, Question()).rows if part == "clock"]
        assert rows[-1]["back_s"] == made.by_ms / 1000 and rows[-1]["offset"] == store.head(INSTALLATION)
