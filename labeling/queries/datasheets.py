"""What people said in a dataset's datasheet, read from the log."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from labeling import events as e
from labeling.log import search
from labeling.log.event import Event
from labeling.log.search import Wanted
from labeling.rules.dataset_state import STREAM


def datasheet_of(dataset: uuid.UUID, *, up_to: int | None = None) -> dict[str, Event]:
    """{field: the event that said it last} of those that say something, at an offset or now."""
    wanted = Wanted(stream=STREAM, types=(e.DatasheetSet.__name__,), last=up_to)
    return said_in(search.find_all(dataset, wanted))


def said_since(dataset: uuid.UUID, offset: int) -> set[str]:
    """The fields in which something was said, or taken away, behind an offset."""
    wanted = Wanted(stream=STREAM, types=(e.DatasheetSet.__name__,), first=offset + 1)
    facts = [event.fact for event in search.find_all(dataset, wanted)]
    return {name for fact in facts if isinstance(fact, e.DatasheetSet) for name in fact.changes}


def said_in(events: Iterable[Event]) -> dict[str, Event]:
    """{field: the event that said it last} of those that say something."""
    found: dict[str, Event] = {}
    for event in events:
        if isinstance(event.fact, e.DatasheetSet):
            found |= dict.fromkeys(event.fact.changes, event)
    return {name: event for name, event in found.items() if text_of(event, name)}


def text_of(event: Event, field: str) -> str:
    """What an event says in a field."""
    return event.fact.changes.get(field, "") if isinstance(event.fact, e.DatasheetSet) else ""
