"""What every fold shares: the moment of an event that is not stored yet, and where it happened."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from labeling.log.event import Event

#: The time of an append that has not happened yet; the database puts the real one in its place, under the lock.
NOW = "infinity"
Moment = dt.datetime | str


@dataclass(frozen=True, slots=True)
class Place:
    """Who did it, when, and where in the log: what a fold may use of an envelope."""

    author: uuid.UUID
    at: Moment
    offset: int
    version: int


def place_of(event: Event) -> Place:
    return Place(
        author=event.intent.author,
        at=event.recorded_at if event.recorded_at is not None else NOW,
        offset=event.offset if event.offset is not None else 0,
        version=event.version,
    )
