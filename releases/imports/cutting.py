"""Records parted into chunks, each of which becomes one append: by the file alone, so always the same way. Pure.

A chunk is bounded by what the log has to take in while it is locked: samples, objects, and the size of their shapes. A
sample with more objects than a chunk may have is parted too, and its label is begun by the first part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from releases.formats.records import Annotation, Sample

JSON = dict[str, Any]

MOST_SAMPLES = 250
MOST_WEIGHT = 1_000
#: So many numbers or letters of a shape weigh as much as one object.
PER_OBJECT = 64


@dataclass(frozen=True, slots=True)
class Piece:
    """A record, or some of the objects of a large one (`whole`). `number` counts records, `first` objects, from 1."""

    number: int
    record: Sample
    whole: Sample
    first: int = 1
    is_last: bool = True


@dataclass(slots=True)
class Chunk:
    """What is appended at once. `number` counts from 0."""

    number: int
    pieces: list[Piece] = field(default_factory=list)
    weight: int = 0


def chunks(records: Iterable[Sample]) -> Iterator[Chunk]:
    """The chunks of a file."""
    chunk = Chunk(0)
    for number, record in enumerate(records, 1):
        for piece, weight in _pieces(number, record):
            full = chunk.weight + weight > MOST_WEIGHT or len(chunk.pieces) >= MOST_SAMPLES
            if chunk.pieces and full:
                yield chunk
                chunk = Chunk(chunk.number + 1)
            chunk.pieces.append(piece)
            chunk.weight += weight
    if chunk.pieces:
        yield chunk


def _pieces(number: int, record: Sample) -> Iterator[tuple[Piece, int]]:
    """(piece, weight) of a record."""
    if record.is_sequence or not record.annotations:
        yield Piece(number, record, record), 1 + sum(_entries(track.entries) for track in record.tracks)
        return
    first, weight, start = 1, 1, 0
    for nth, item in enumerate(record.annotations):
        own = _weight(item)
        if weight + own > MOST_WEIGHT and nth > start:
            yield Piece(number, _some(record, start, nth), record, first, False), weight
            first, weight, start = nth + 1, 1, nth
        weight += own
    rest = record if start == 0 else _some(record, start, len(record.annotations))
    yield Piece(number, rest, record, first), weight


def _some(record: Sample, start: int, end: int) -> Sample:
    return replace(record, annotations=record.annotations[start:end])


def _entries(entries: dict[int, JSON]) -> int:
    return sum(1 + _size(entry.get("geometry") or {}) // PER_OBJECT for entry in entries.values())


def _weight(item: Annotation) -> int:
    return 1 + _size(item.geometry) // PER_OBJECT


def _size(geometry: JSON) -> int:
    form = geometry.get("type")
    if form == "bitmap":
        counts = geometry["rle"].get("counts") or ()
        return len(counts) // (4 if isinstance(counts, str) else 1)
    if form == "polygon":
        return 2 * sum([len(ring) for part in geometry.get("parts") or () for ring in part])
    if form == "polyline":
        return 2 * sum(map(len, geometry.get("parts") or ()))
    return 4
