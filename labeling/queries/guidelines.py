"""The versions of a dataset's guideline, and what was made while which of them was in force. Read from the log."""

from __future__ import annotations

import datetime as dt
import uuid
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labeling import events as e
from labeling.errors import NotFound
from labeling.log import search
from labeling.log.event import Event
from labeling.log.search import Wanted
from labeling.rules.dataset_state import STREAM
from labeling.rules.deeds import deeds
from labeling.rules.parts import ADDED

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Guideline:
    """One version: its text (Markdown) or the address of a file of ours, and where in the log it begins to hold."""

    version: int
    text: str
    url: str | None
    offset: int
    author: uuid.UUID
    recorded_at: dt.datetime


def guidelines_of(dataset: uuid.UUID, *, up_to: int | None = None) -> list[Guideline]:
    """All versions, the first one first; with `up_to` those that there were at that offset."""
    wanted = Wanted(stream=STREAM, types=(e.GuidelineSet.__name__,), last=up_to)
    return [_guideline(event) for event in search.find_all(dataset, wanted)]


def _guideline(event: Event) -> Guideline:
    assert isinstance(event.fact, e.GuidelineSet)
    assert event.offset is not None
    assert event.recorded_at is not None
    fact = event.fact
    return Guideline(fact.version, fact.text, fact.url, event.offset, event.intent.author, event.recorded_at)


def version_seen(versions: Sequence[Guideline], event: Event) -> int | None:
    """The version that the author of an event saw: as their client said, or else the newest then; None before all."""
    seen = event.intent.seen_offset
    place = (event.offset or 0) if seen is None else seen
    found = bisect_right([item.offset for item in versions], place)
    return versions[found - 1].version if found else None


def span_of(versions: Sequence[Guideline], version: int) -> tuple[int, int | None]:
    """(the first, the last) offset at which a version was in force; the last is None for the newest.

    Raises:
        NotFound: there is none of that number. 0 is the time before the first.
    """
    if not 0 <= version <= len(versions):
        raise NotFound("The version of the guideline")
    first = versions[version - 1].offset if version else 0
    return first, versions[version].offset - 1 if version < len(versions) else None


def made_under(
    dataset: uuid.UUID, versions: Sequence[Guideline], version: int, *, after: int, limit: int
) -> tuple[list[JSON], int | None]:
    """(what was added to labels by people who saw that version, the offset to go on behind or None).

    Whole events are told, so a page may hold more than `limit` objects.
    """
    first, last = span_of(versions, version)
    wanted = Wanted(prefixes=("label/",), seen=(first, last))
    found: list[JSON] = []
    while True:
        page = search.find(dataset, wanted, after=after, limit=search.PAGE)
        for event in page:
            after = event.offset or after
            _, sample, label_set = event.stream.split("/")
            for deed in deeds(event.fact):
                if deed.did == ADDED:
                    found.append({"object": deed.piece, "sample": sample, "label_set": label_set, "event": event})
            if len(found) >= limit:
                return found, after
        if len(page) < search.PAGE:
            return found, None
