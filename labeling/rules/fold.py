"""What every fold shares: its events one after the other, where each happened, and when, also before it is stored."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from labeling.log.event import Event

State = TypeVar("State")

#: The time of an append that has not happened yet; the database puts the real one in its place, under the lock.
NOW = "infinity"
Moment = dt.datetime | str


class Place(NamedTuple):
    """Who did it, when, and where in the log: what a fold may use of an envelope."""

    author: uuid.UUID
    at: Moment
    offset: int
    version: int


def place_of(event: Event) -> Place:
    at = event.recorded_at
    return Place(event.intent.author, NOW if at is None else at, event.offset or 0, event.version)


def folded(state: State, events: Iterable[Event], evolve: Callable[[State, Any, Place], None]) -> State:
    """`state`, changed by one event after the other; so it is a copy of what has to stay as it is."""
    for event in events:
        evolve(state, event.fact, place_of(event))
    return state


@lru_cache(maxsize=4096)
def spelled(id: uuid.UUID) -> str:
    """The text of an id that a thousand annotations of a bulk have in common: a person's, a log's."""
    return str(id)
