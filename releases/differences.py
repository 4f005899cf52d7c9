"""The difference between two places in a dataset's log: label by label, with the events and people behind each.

It is folded from the events of the streams that something happened to in between, one stream in memory at a time; what
was done and taken back leaves events and no change, and is not told.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from labeling.log import search, store
from labeling.log.event import Event
from labeling.log.search import Wanted
from labeling.rules import dataset_state, past, sample_state
from labeling.rules.dataset_state import DatasetState
from labeling.rules.sample_state import SampleState
from releases.comparing import compared

JSON = dict[str, Any]

#: Streams are looked up so many at a time.
PAGE = 200
#: An entry names so many of its events; how many there are it says in any case.
MOST_EVENTS = 100


def entries(dataset: uuid.UUID, first: int, last: int, *, after: str = "") -> Iterator[JSON]:
    """What differs between the offsets `first` and `last` (not before it), by the names of streams, behind one."""
    while True:
        wanted = Wanted(prefixes=("dataset", "label/", "sample/"), first=first + 1, last=last)
        streams = search.streams(dataset, wanted, after=after, limit=PAGE)
        for stream in streams:
            entry = _entry(dataset, stream, first, last)
            if entry is not None:
                yield entry
        if len(streams) < PAGE:
            return
        after = streams[-1]


def _entry(dataset: uuid.UUID, stream: str, first: int, last: int) -> JSON | None:
    events = list(store.read_stream(dataset, stream, up_to=last))
    between = [event for event in events if (event.offset or 0) > first]
    changes = _changes(dataset, stream, events, len(events) - len(between))
    if not changes:
        return None
    kind, *names = stream.split("/")
    return {
        "stream": stream,
        "sample": names[0] if names else None,
        "label_set": names[1] if kind == "label" else None,
        "changes": changes,
        "event_count": len(between),
        "events": [event.offset for event in between[:MOST_EVENTS]],
        "authors": sorted({str(event.intent.author) for event in between}),
    }


def _changes(dataset: uuid.UUID, stream: str, events: list[Event], before: int) -> list[JSON]:
    if stream.startswith("label/"):
        states = past.states_at(dataset, stream, events, {before, len(events)})
        return compared(states[before], states[len(events)])
    if stream.startswith("sample/"):
        sample = SampleState(dataset, stream)
        return compared(sample_state.fold(sample, events[:before]), sample_state.fold(sample, events))
    state = DatasetState(id=dataset)
    return compared(dataset_state.fold(state, events[:before]), dataset_state.fold(state, events))


def totals(found: Iterable[JSON]) -> JSON:
    """How many samples, labels and objects were added, removed and changed, and which fields of objects."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("samples", "labels", "objects", "fields")}
    events = 0
    for entry in found:
        events += entry["event_count"]
        for change in entry["changes"]:
            if ":" in change["what"]:
                counts["objects"][change["change"]] += 1
                if change["change"] == "changed":
                    counts["fields"].update(change["after"].keys() | change["before"].keys())
            elif entry["sample"] is not None:
                counts["labels" if entry["label_set"] else "samples"][_of_whole(change)] += 1
    return {"events": events, **{name: dict(sorted(found.items())) for name, found in counts.items()}}


def _of_whole(change: JSON) -> str:
    """Whether a label or a sample as a whole came, went, or only changed."""
    exists = (change["after"] or {}).get("exists")
    return "changed" if exists is None else "added" if exists else "removed"
