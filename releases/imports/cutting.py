"""Records made into pieces, by the file alone, and pieces put together into chunks, each of which is one append. Pure.

A record is one piece, so a label comes whole: nobody reads half of one. Only objects that weigh more than MOST_OF_LABEL
(about the megabyte that one event may hold, which is 2,500 boxes) come in several pieces; the first begins the label,
and readers see it grow, because one append of all of them would make everybody wait.

How many pieces a chunk takes is for who appends it to say, who knows how long the log was held for the last one. So
chunks are named by their first piece; which one comes next is kept with what the chunk did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from releases.formats.files import without_ending
from releases.formats.records import Annotation, Sample

JSON = dict[str, Any]

#: Samples of a chunk: their names are looked for by one query.
MOST_SAMPLES = 500
#: What the objects of one label may weigh, to come at once.
MOST_OF_LABEL = 2_500
#: And to fit into one event for sure.
SMALL = MOST_OF_LABEL // 12
#: So many bytes weigh as much as one object. A number of a shape counts as eight.
PER_OBJECT = 512
NUMBER, OF_FRAME = 8, 100
#: A sample is an event and a row beside its label's.
OF_SAMPLE = 2


@dataclass(frozen=True, slots=True)
class Piece:
    """A record, or some of the objects of a large one (`whole`).

    `nth` counts pieces, from 0; `number` counts records and `first` objects, from 1.
    """

    nth: int
    number: int
    record: Sample
    whole: Sample
    weight: int
    first: int = 1
    is_last: bool = True

    @property
    def is_small(self) -> bool:
        """Whether all of it fits into one event for sure: written out it may be some times what its weight says."""
        return self.first == 1 and self.is_last and self.weight <= SMALL


@dataclass
class Chunk:
    """What is appended at once: one piece or more."""

    pieces: list[Piece]

    @property
    def first(self) -> int:
        return self.pieces[0].nth

    @property
    def until(self) -> int:
        """The piece behind the last."""
        return self.pieces[-1].nth + 1

    @property
    def weight(self) -> int:
        return sum(piece.weight for piece in self.pieces)

    @cached_property
    def stems(self) -> frozenset[str]:
        """By what the samples are found that another chunk makes: their names without the ending of a picture."""
        return frozenset(without_ending(piece.record.name) for piece in self.pieces)

    def is_apart_from(self, other: Chunk) -> bool:
        """Whether it can be decided on before `other` is stored: neither goes on with a label of the other nor may
        find a sample that the other makes. (Two that change one label are told apart by its version.)"""
        return self.pieces[0].first == 1 and self.stems.isdisjoint(other.stems)


class Line:
    """Pieces in their order, of which some at a time become a chunk. They are taken as they are needed."""

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces = pieces
        self._first: Piece | None = None

    def first(self) -> Piece | None:
        """The piece that comes next; None at the end."""
        if self._first is None:
            self._first = next(self._pieces, None)
        return self._first

    def before(self, nth: int) -> list[Piece]:
        """Take the pieces before one."""
        return list(self._taken(lambda piece: piece.nth < nth))

    def chunk(self, weight: int) -> Chunk:
        """Take as many as weigh no more, and at least one; what goes on with a label comes with the next, because that
        it was begun is known by then."""
        left, count = weight, 0

        def fits(piece: Piece) -> bool:
            nonlocal left, count
            left, count = left - piece.weight, count + 1
            return count == 1 or (left >= 0 and count <= MOST_SAMPLES and piece.first == 1)

        return Chunk(list(self._taken(fits)))

    def _taken(self, wanted: Callable[[Piece], bool]) -> Iterator[Piece]:
        while (piece := self.first()) is not None and wanted(piece):
            self._first = None
            yield piece


def pieces(records: Iterable[Sample]) -> Iterator[Piece]:
    """The pieces of a file."""
    nth = 0
    for number, record in enumerate(records, 1):
        for objects, weight, first, is_last in _parted(record):
            some = record if objects is None else replace(record, annotations=objects)
            yield Piece(nth, number, some, record, weight, first, is_last)
            nth += 1


def _parted(record: Sample) -> Iterator[tuple[list[Annotation] | None, int, int, bool]]:
    """(objects, None where they are all, their weight, the first of them, whether they are the last)."""
    start, weight = 0, _head(record)
    items = record.annotations
    for nth, item in enumerate(items):
        own = 1 + _bytes(item) // PER_OBJECT
        if weight + own > MOST_OF_LABEL and nth > start:
            yield items[start:nth], weight, start + 1, False
            start, weight = nth, OF_SAMPLE
        weight += own
    yield (items[start:] if start else None), weight, start + 1, True


def _head(record: Sample) -> int:
    """The weight of all but the objects."""
    size = OF_FRAME * len(record.frames)
    for one in (record.scene, record.metadata, record.attributes, record.document):
        if one:
            size += len(repr(one))
    for track in record.tracks:
        size += sum([PER_OBJECT + NUMBER * _numbers(entry.get("geometry") or {}) for entry in track.entries.values()])
    return OF_SAMPLE + size // PER_OBJECT


def _bytes(item: Annotation) -> int:
    """About how long an object is when it is written, beyond what all of them have."""
    size = NUMBER * _numbers(item.geometry) if item.written is None else len(item.written.text)
    if item.attributes:
        size += len(repr(item.attributes))
    for one in (item.keypoints, item.links, item.origin, item.extra):
        if one:
            size += len(repr(one))
    return size


def _numbers(geometry: JSON) -> int:
    form = geometry.get("type")
    if form == "polygon":
        return 2 * sum([len(ring) for part in geometry.get("parts") or () for ring in part])
    if form == "bitmap":
        counts = geometry["rle"].get("counts") or ()
        return len(counts) // (NUMBER if isinstance(counts, str) else 1)
    if form == "polyline":
        return 2 * sum(map(len, geometry.get("parts") or ()))
    return len(geometry.get("points") or ()) * 4
