"""Watch the clock of the database, which all times of the logs are by, and tell when it was set back.

The sweeper looks, so it costs an append nothing and happens under no lock. What is told is an event of the
installation's log; `rules.clocks` says from how much on, and how often.
"""

from __future__ import annotations

import logging
import time

from django.db import DatabaseError

from labeling import events as e
from labeling.commands.people import operator
from labeling.commands.writing import decide
from labeling.errors import Busy
from labeling.log import store
from labeling.log.event import INSTALLATION, Intent, microseconds
from labeling.log.rows import Rows
from labeling.rules import clocks as rules
from labeling.rules.clocks import Look

logger = logging.getLogger(__name__)

STREAM = "clock"
#: How long the clock is not looked at. A step between two looks is seen by the second, however long the logs stood.
PERIOD_S = 10.0
_before: Look | None = None


def look() -> Look:
    """What the clock says, and what the logs say."""
    asked_s = time.monotonic()
    clock, latest = store.clocks()
    return Look(microseconds(clock) or 0, microseconds(latest), asked_s, time.monotonic())


def look_now_and_then() -> int:
    """Look again, if that was not done a moment ago; returns how many events that made."""
    global _before
    if _before is not None and time.monotonic() - _before.answered_s < PERIOD_S:
        return 0
    try:
        now = look()
        told = tell_set_back(intent=operator("sweeper"), now=now, before=_before)
    except (Busy, DatabaseError):
        logger.exception("the clock could not be looked at, or that it was set back not be told; it is tried again")
        return 0  # what was seen before stays, so the next look sees the same step
    _before = now
    return int(told is not None)


def tell_set_back(*, intent: Intent, now: Look, before: Look | None = None) -> e.ClockSetBack | None:
    """Tell in the log of the installation that the clock was set back; None where it was not, or was told already.

    Raises:
        Busy: the log is held by others for too long; nothing was stored.
    """
    by_us = rules.set_back_us(now, before)
    if not by_us:
        return None

    def attempt() -> e.ClockSetBack | None:
        version = store.version(INSTALLATION, STREAM)
        last = next(store.read_stream(INSTALLATION, STREAM, after_version=version - 1), None) if version else None
        told = last.fact if last is not None and isinstance(last.fact, e.ClockSetBack) else None
        if not rules.is_news(by_us, now, told):
            return None
        fact = e.ClockSetBack(by_ms=by_us // 1000, clock_us=now.clock_us, latest_us=now.clock_us + by_us)
        events = store.new_events(INSTALLATION, intent, [(STREAM, version, fact)])
        store.append(
            INSTALLATION, intent=intent, events=events, rows=Rows(), expected={STREAM: version}, open_as="installation"
        )
        return fact

    made = decide(attempt)
    if made is not None:
        logger.warning("the clock of the database was set back by %.3f s", made.by_ms / 1000)
    return made
