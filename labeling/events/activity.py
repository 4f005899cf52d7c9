"""What is kept of people at work once the signals of a day, which clients told, are deleted."""

from __future__ import annotations

from labeling.log.event import Fact


class ActivityClosed(Fact, frozen=True):
    """The signals of people at work that were received for a day (UTC) were deleted, and only these are kept.

    Each of `signals` is [time in microseconds since 1970, and the places in the lists of its person, sample, label set
    (or -1) and session, its number in the session, its kind (1 opened, 2 closed, 3 heartbeat), the offset of the log
    at which it was received]. Between heartbeats that were a minute apart or less, some are left out: that changes no
    working time at any idle threshold of a minute or more.
    """

    day: str
    people: list[str]
    samples: list[str]
    label_sets: list[str]
    sessions: list[str]
    signals: list[list[int]]


ACTIVITY_EVENTS = (ActivityClosed,)
