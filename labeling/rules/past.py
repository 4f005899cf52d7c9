"""A label's past out of its events: its states at several versions, and which event made something what it is. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from labeling.log import values
from labeling.log.event import Event
from labeling.rules.fold import place_of
from labeling.rules.label_state import LabelState, evolve
from labeling.rules.reversal import GONE, Path, piece_of

JSON = dict[str, Any]


def states_at(dataset: uuid.UUID, stream: str, events: Iterable[Event], versions: set[int]) -> dict[int, LabelState]:
    """{version: the label as it was then} in one pass over all of its events; 0 is before the first."""
    state = LabelState(dataset, stream)
    found = {0: state.copied()} if 0 in versions else {}
    for event in events:
        evolve(state, event.fact, place_of(event))
        if event.version in versions:
            found[event.version] = state.copied()
    return found


def steps(dataset: uuid.UUID, stream: str, events: Iterable[Event]) -> Iterator[tuple[LabelState, Event, LabelState]]:
    """(the label before an event, the event, the label behind it) for each event, in order."""
    state = LabelState(dataset, stream)
    for event in events:
        before = state.copied()
        evolve(state, event.fact, place_of(event))
        yield before, event, state


def value_at(state: LabelState, path: Path) -> Any:
    """What stands at a path: of the label itself, of a piece, of its attributes, links, entries …; GONE for nothing."""
    if path[0] == "label":
        value: Any = state.mask if path[1] == "pixels" else getattr(state, path[1], GONE)
        rest: Sequence[str] = path[2:]
    else:
        value = piece_of(state, path[0], path[1])
        rest = path[2:]
    for key in rest:
        if isinstance(value, list) and key.isascii() and all(isinstance(item, dict) and "to" in item for item in value):
            value = next((item for item in value if item["to"] == key), GONE)
        elif isinstance(value, dict):
            value = value.get(key, GONE)
        else:
            return GONE
    return GONE if value is None and not rest and path[0] != "label" else value


def changed_at(dataset: uuid.UUID, stream: str, events: Iterable[Event], path: Path) -> Event | None:
    """The last event that made what stands at a path what it is."""
    state = LabelState(dataset, stream)
    last, value = None, value_at(state, path)
    for event in events:
        evolve(state, event.fact, place_of(event))
        new = value_at(state, path)
        if new is not value and (new is GONE or value is GONE or not values.same(new, value)):
            last = event
        value = new
    return last
