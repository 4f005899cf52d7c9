"""The ledger: what an event's envelope says, and which pieces of a label it touched, in columns of fixed width.

A chunk holds what happened at up to CHUNK consecutive offsets, so that its bytes depend on nothing but the log:

    events       (N,) EVENT, by offset
    pieces       (M,) PIECE: annotations (or what an app above keeps piece by piece) that an event touched
    samples      (S, 16) uint8, annotations (A, 16) uint8: uuids, in the order in which they come up
    words        {people, kinds, tools, sessions, types, label_sets}: lists, in the order in which they come up

An index of -1 stands for none. Integers are little-endian. Pure.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling import events as e
from labeling.log.event import Event, Fact, microseconds
from labeling.rules.deeds import deeds
from labeling.rules.label_state import STATUSES
from labeling.rules.work_units import PROGRAMS, is_signal

CHUNK = 512

#: What an event saves; see rules.work_units.work_type.
WORK = ("label", "review", "normal")

EVENT = np.dtype(
    [
        ("offset", "<i8"),
        ("at_us", "<i8"),
        ("command", "<i8"),  # the first 8 bytes of its id: the same for all events of one request
        ("sample", "<i4"),
        ("person", "<i2"),
        ("kind", "<i2"),
        ("tool", "<i2"),
        ("session", "<i2"),
        ("type", "<i2"),
        ("label_set", "<i2"),
        ("work", "i1"),  # what the event saves: an index of WORK
        ("verb", "i1"),
        ("before", "i1"),
        ("after", "i1"),
        ("program", "?"),  # its tool says that a program drove it
        ("signal", "?"),  # it is a signal of a person at work; see rules.work_units
    ]
)
PIECE = np.dtype([("event", "<i4"), ("annotation", "<i4"), ("category", "<i8"), ("deed", "i1"), ("named", "?")])

VERBS = ("submit", "save", "skip", "accept", "reject", "verify", "override", "upload", "reopen")
Words = dict[str, list[Any]]
WORDS = ("people", "kinds", "tools", "sessions", "types", "label_sets")


@dataclass(slots=True)
class Chunk:
    """A part of a ledger; see the head of the file."""

    events: NDArray[Any]
    pieces: NDArray[Any]
    samples: NDArray[np.uint8]
    annotations: NDArray[np.uint8]
    words: Words


def number(offset: int) -> int:
    """The number of the chunk that an offset (1 or more) belongs to, from 0."""
    return (offset - 1) // CHUNK


@dataclass(slots=True)
class _Index:
    """Numbers for values, in the order in which they come up."""

    places: dict[Any, int] = field(default_factory=dict)

    def of(self, value: Any) -> int:
        return -1 if value is None else self.places.setdefault(value, len(self.places))


def chunk(
    events: Iterable[Event],
    sample_of: Callable[[Event], str | None],
    work_of: Callable[[Event], str | None],
    *,
    after: Chunk | None = None,
) -> Chunk:
    """The chunk of these events of a log, which follow those of `after` in the same chunk.

    `sample_of` tells the sample that an event is about; `work_of` what it saves, one of WORK.
    """
    known = after or empty()
    index = {name: _Index({value: place for place, value in enumerate(known.words[name])}) for name in WORDS}
    samples = _Index({bytes(value): place for place, value in enumerate(known.samples)})
    annotations = _Index({bytes(value): place for place, value in enumerate(known.annotations)})
    rows: list[tuple[Any, ...]] = []
    pieces: list[tuple[Any, ...]] = []
    for event in events:
        intent, fact = event.intent, event.fact
        sample, work = sample_of(event), work_of(event)
        verb, before, after_status = _status_change(fact)
        assert event.recorded_at is not None
        rows.append(
            (
                event.offset,
                microseconds(event.recorded_at),
                int.from_bytes(intent.command.bytes[:8], "little", signed=True),
                samples.of(uuid.UUID(sample).bytes if sample else None),
                index["people"].of(str(intent.author)),
                index["kinds"].of(intent.author_kind),
                index["tools"].of(intent.tool),
                index["sessions"].of(str(intent.work_session) if intent.work_session else None),
                index["types"].of(event.type),
                index["label_sets"].of(event.stream.split("/")[2] if event.stream.startswith("label/") else None),
                -1 if work is None else WORK.index(work),
                verb,
                before,
                after_status,
                intent.tool in PROGRAMS,
                is_signal(event),
            )
        )
        place = len(known.events) + len(rows) - 1
        for deed in deeds(fact):
            category = -1 if deed.category_id is None else deed.category_id
            pieces.append((place, annotations.of(uuid.UUID(deed.piece).bytes), category, deed.did, deed.names_category))
    return Chunk(
        np.concatenate([known.events, np.array(rows, EVENT)]),
        np.concatenate([known.pieces, np.array(pieces, PIECE)]),
        _uuids(samples),
        _uuids(annotations),
        {name: list(found.places) for name, found in index.items()},
    )


def _status_change(fact: Fact) -> tuple[int, int, int]:
    """The codes of the verb, the status before and the status after; -1 where there is none."""
    match fact:
        case e.LabelStatusChanged():
            return VERBS.index(fact.verb), _status(fact.before), _status(fact.after)
        case e.LabelImported() if fact.status is not None:
            return VERBS.index(fact.verb), -1, _status(fact.status)
    return -1, -1, -1


def _status(status: str | None) -> int:
    return STATUSES.index(status) if status in STATUSES else -1


def _uuids(index: _Index) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(index.places), np.uint8).reshape(-1, 16)


def empty() -> Chunk:
    nothing = np.zeros((0, 16), np.uint8)
    return Chunk(np.zeros(0, EVENT), np.zeros(0, PIECE), nothing, nothing, {name: [] for name in WORDS})


@dataclass(slots=True)
class Ledger:
    """A whole ledger, or the part of one up to an offset: the chunks in one, with one index for all."""

    events: NDArray[Any]
    pieces: NDArray[Any]
    samples: list[str]
    annotations: list[bytes]  #: their uuids
    words: Words

    def code(self, name: str, value: str) -> int:
        """The index of a word; -2, which no event has, where it does not come up."""
        found = self.words[name]
        return found.index(value) if value in found else -2


def joined(chunks: Iterable[Chunk], *, up_to: int | None = None) -> Ledger:
    """The chunks, in their order, as one ledger; only what happened up to an offset."""
    indexes = {name: _Index() for name in WORDS}
    samples, annotations = _Index(), _Index()
    all_events, all_pieces = [], []
    begun = 0
    for part in chunks:
        events, pieces = part.events.copy(), part.pieces.copy()
        for column, name in (
            ("person", "people"),
            ("kind", "kinds"),
            ("tool", "tools"),
            ("session", "sessions"),
            ("type", "types"),
            ("label_set", "label_sets"),
        ):
            events[column] = _moved(events[column], [indexes[name].of(value) for value in part.words[name]])
        events["sample"] = _moved(events["sample"], _places(samples, part.samples))
        if up_to is not None:
            kept = int(np.searchsorted(events["offset"], up_to, "right"))
            events, pieces = events[:kept], pieces[pieces["event"] < kept]
        pieces["event"] += begun
        pieces["annotation"] = _moved(pieces["annotation"], _places(annotations, part.annotations))
        begun += len(events)
        all_events.append(events)
        all_pieces.append(pieces)
    return Ledger(
        np.concatenate([np.zeros(0, EVENT), *all_events]),
        np.concatenate([np.zeros(0, PIECE), *all_pieces]),
        [str(uuid.UUID(bytes=value)) for value in samples.places],
        list(annotations.places),
        {name: list(found.places) for name, found in indexes.items()},
    )


def _places(index: _Index, uuids: NDArray[np.uint8]) -> list[int]:
    raw = uuids.tobytes()
    return [index.of(raw[begin : begin + 16]) for begin in range(0, len(raw), 16)]


def _moved(codes: NDArray[Any], to: list[int]) -> NDArray[Any]:
    """Codes of one index as those of another; -1 stays."""
    return np.append(np.array(to, codes.dtype), codes.dtype.type(-1))[codes]
