"""When the server's clock was set back: what counts as that, and which of it is told. Pure.

Order never depends on it: the log takes the later one of the clock and its newest time (`log/sql/append.sql`). But
until the clock has passed that time, all that is recorded seems to happen at once, so it is told. Times are
microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from labeling import events as e

#: What is less is none: a server that follows others turns its clock slowly, and a leap second is one second.
LEAST_US = 2_000_000
#: A clock that goes back and forth is told once in so long, and what is twice as far as what was told.
TOLD_EVERY_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the clock of the database. `asked_s` and `answered_s` are by a clock of this process that nobody
    sets; `latest_us` is the newest time that any log recorded."""

    clock_us: int
    latest_us: int | None
    asked_s: float
    answered_s: float


def set_back_us(now: Look, before: Look | None) -> int:
    """By how much the clock is behind what it has to be at least: the newest time of any log, and what it said at the
    look before with the time that passed since; 0 where that is no more than what happens anyway."""
    due_us = now.clock_us if now.latest_us is None else now.latest_us
    if before is not None:
        passed_us = max(0, int((now.asked_s - before.answered_s) * 1_000_000))
        due_us = max(due_us, before.clock_us + passed_us)
    behind_us = due_us - now.clock_us
    return behind_us if behind_us >= LEAST_US else 0


def is_news(by_us: int, now: Look, told: e.ClockSetBack | None) -> bool:
    """Whether that the clock is behind by so much is to be told, when `told` was the last that was."""
    if told is None:
        return True
    return now.clock_us + by_us - told.latest_us >= TOLD_EVERY_US or by_us >= 2 * told.by_ms * 1000
