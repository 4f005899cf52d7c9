"""What a track shows from one keyframe to the next: numbers that change, and the text around them. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import orjson

from sequences.interpolation import PER_METRE, PER_PIXEL, track_lerp
from sequences.interpolation.blends import Moving, by_point, moving, moving_on
from sequences.rules.documents.rendering import annotation
from sequences.rules.geometries import to_wire, turned_corners
from sequences.rules.timeline import Clock, Entry, Shown, Timeline, Track, shape_of

JSON = dict[str, Any]

#: Part of every mark: a number that is raised when the code shows other frames, so that nothing old is shown.
FORMAT = 1
#: Of a track, beside its entries, what its objects show.
_SHOWN = ("track_id", "category_id", "object_id", "unflagged")
_CELL = re.compile(rb"\x00(\d+)\x00")
#: A character that no JSON text holds unescaped, around the column of a number.
_cells = [orjson.Fragment(b"\x00%d\x00" % column) for column in range(1024)]


class Segment(msgspec.Struct, array_like=True, frozen=True):
    """The frames first … first + count - 1, of which the object is shown at each.

    `texts` are those that were set or are held from another keyframe, by their place in the segment; each other frame
    has a row of `width` float64 numbers (little-endian), which go into the places of `form`, a text for `%` of bytes.
    `columns` are those that it takes, where they are not all of them in their order.
    """

    mark: bytes  #: of all that the segment was made from
    first: int
    count: int
    texts: list[tuple[int, bytes]]
    form: bytes = b""
    width: int = 0
    numbers: bytes = b""
    columns: list[int] | None = None


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A segment before it is computed: the number of its keyframe in the timeline, its frames, and its mark."""

    index: int
    first: int
    count: int
    mark: bytes


def clock_mark(clock: Clock) -> bytes:
    """16 bytes that say by what time, and by which code, frames were computed."""
    said = [FORMAT, clock.frames, clock.extrapolate, clock.hold]
    times = b"" if clock.times is None else repr(list(clock.times)).encode()  # a time may be longer than JSON takes
    return _mark(orjson.dumps(said) + times)


def segments_of(
    track: Track, clock: Clock, start: int = 0, end: int | None = None, known: Mapping[bytes, Segment] | None = None
) -> list[Segment]:
    """The segments of a track that have frames of start … end - 1, whole, in their order.

    Of `known`, by their marks, those are taken that are made from the very same; only the others are computed.
    """
    end = clock.frames if end is None else min(end, clock.frames)
    line = Timeline.of(track)
    stretches = _stretches(track, line, clock, start, end)
    found = {item.mark: known[item.mark] for item in stretches if item.mark in known} if known else {}
    missing = [item for item in stretches if item.mark not in found]
    numbers = {} if clock.hold else _at_once(line, clock, missing)
    for item in missing:
        found[item.mark] = _segment(track, line, clock, item, numbers.get(item.index))
    return [found[item.mark] for item in stretches]


def _stretches(track: Track, line: Timeline, clock: Clock, start: int, end: int) -> list[_Stretch]:
    head = orjson.dumps([FORMAT, clock.hold, clock.extrapolate, *(track.get(key) for key in _SHOWN)])
    frames, entries = line.frames, line.entries
    kept = sorted(line.kept)
    found = []
    for index in range(max(bisect_right(frames, start) - 1, 0), len(frames)):
        first = frames[index]
        if first >= end:
            break
        entry = entries[first]
        until = frames[index + 1] if index + 1 < len(frames) else clock.frames
        count = min(until, clock.frames) - first
        if entry.get("absent") or first + count <= start:
            continue
        said: list[Any] = [first, count, entry]
        if index + 1 < len(frames):
            said += [until, entries[until]]
        elif clock.extrapolate and index > 0:
            said += [frames[index - 1], entries[frames[index - 1]]]
        inside = kept[bisect_right(kept, first) : bisect_right(kept, first + count - 1)]
        said.append([[frame, line.kept[frame]] for frame in inside])
        mark = head + orjson.dumps(said)
        if clock.times is not None:
            low = frames[index - 1] if index + 1 == len(frames) and index > 0 else first
            mark += repr(list(clock.times[low : until + 1])).encode()
        found.append(_Stretch(index, first, count, _mark(mark)))
    return found


def _mark(text: bytes) -> bytes:
    return blake2b(text, digest_size=16).digest()


def _at_once(line: Timeline, clock: Clock, missing: Sequence[_Stretch]) -> dict[int, np.ndarray]:
    """{keyframe: the numbers (F, C) of its segment} for boxes and points, whose neighbours are computed together."""
    found: dict[int, np.ndarray] = {}
    run: list[int] = []
    for item in (*missing, None):
        if run and (item is None or item.index != run[-1] + 1):
            found |= _run(line, clock, run)
            run = []
        if item is None:
            break
        if item.index + 1 < len(line.frames):
            shape = shape_of(line.entries[item.first])
            if shape is not None and shape == shape_of(line.entries[line.frames[item.index + 1]]):
                if run and shape != shape_of(line.entries[line.frames[run[-1]]]):
                    found |= _run(line, clock, run)
                    run = []
                run.append(item.index)
    return found


def _run(line: Timeline, clock: Clock, run: list[int]) -> dict[int, np.ndarray]:
    frames = line.frames[run[0] : run[-1] + 2]
    keys = np.array([line.entries[frame]["geometry"]["points"] for frame in frames], np.float64)
    weights = None
    if clock.times is not None:
        weights = np.concatenate([clock.weights(a, b, a, b) for a, b in pairwise(frames)])
    grid = PER_METRE if keys.shape[2] == 3 else PER_PIXEL
    found = track_lerp(np.array(frames), keys.reshape(len(frames), -1).T, grid, weights).T
    return {index: found[a - frames[0] : b - frames[0]] for index, (a, b) in zip(run, pairwise(frames), strict=True)}


def _segment(track: Track, line: Timeline, clock: Clock, item: _Stretch, numbers: np.ndarray | None) -> Segment:
    entry = line.entries[item.first]
    texts = {0: _text(track, Shown(item.first, entry["geometry"], entry, True))}
    for frame, kept in line.kept.items():
        if item.first < frame < item.first + item.count:
            texts[frame - item.first] = _text(track, Shown(frame, kept["geometry"], kept, True))
    if len(texts) == item.count:
        return Segment(item.mark, item.first, item.count, sorted(texts.items()))
    geometry = entry["geometry"]
    found: Moving | None = None
    if numbers is not None:
        width = len(geometry["points"][0]) if geometry["points"] else 1
        found = Moving(numbers[: item.count], lambda cells: geometry | {"points": by_point(cells, width)})
    else:
        found = _moving(track, line, clock, item, texts)
    if found is None:
        form = _text(track, Shown(-1, geometry, entry, False)).replace(b"%", b"%%")
        return Segment(item.mark, item.first, item.count, sorted(texts.items()), form)
    others = [place for place in range(item.count) if place not in texts]
    rows, form, columns = _form(track, entry, found)
    return Segment(
        item.mark,
        item.first,
        item.count,
        sorted(texts.items()),
        form,
        rows.shape[1],
        np.ascontiguousarray(rows[others], "<f8").tobytes(),
        columns,
    )


def _moving(track: Track, line: Timeline, clock: Clock, item: _Stretch, texts: dict[int, bytes]) -> Moving | None:
    """What changes in a segment; frames that show a keyframe's own geometry are put into `texts`."""
    entry, frames = line.entries[item.first], line.frames
    geometry = entry["geometry"]
    if clock.hold:
        return None
    if item.index + 1 < len(frames):
        last = frames[item.index + 1]
        other = line.entries[last]
        if other.get("absent"):
            return None
        weights = clock.weights(item.first, last, item.first, item.first + item.count)
        found = moving(geometry, other["geometry"], weights)
        for place in np.flatnonzero((weights <= 0) | (weights >= 1)).tolist():
            shown = other["geometry"] if weights[place] >= 1 else geometry
            if place not in texts and (found is not None or shown is not geometry):
                texts[place] = _text(track, Shown(-1, shown, entry, False))
        return found
    if not clock.extrapolate or item.index == 0 or line.entries[frames[item.index - 1]].get("absent"):
        return None
    before = frames[item.index - 1]
    past = np.maximum(clock.weights(before, item.first, item.first, item.first + item.count), 1.0)
    return moving_on(line.entries[before]["geometry"], geometry, past)


def _form(track: Track, entry: Entry, found: Moving) -> tuple[np.ndarray, bytes, list[int] | None]:
    """(numbers, the text around a row of them, which columns it takes where not all in their order)."""
    numbers = found.numbers
    count = numbers.shape[1]
    geometry = found.form(_cells_of(count))
    wire: JSON | None = None
    if geometry["type"] in ("rbox", "ellipse"):  # the protocol shows their corners, which are computed too
        corners = turned_corners(geometry["type"], numbers)
        numbers = np.concatenate([numbers, corners], axis=1)
        shown = _cells_of(numbers.shape[1])[count:]
        wire = {"type": "polygon", "points": by_point(shown, 2), "geometry": geometry}
    text = _text(track, Shown(-1, geometry, entry, False), wire)
    pieces = _CELL.split(text)
    columns = list(map(int, pieces[1::2]))
    form = b"%b".join(piece.replace(b"%", b"%%") for piece in pieces[::2])
    return numbers, form, None if columns == list(range(numbers.shape[1])) else columns


def _cells_of(count: int) -> Sequence[orjson.Fragment]:
    more = [orjson.Fragment(b"\x00%d\x00" % column) for column in range(len(_cells), count)]
    return _cells[:count] + more


def _text(track: Track, shown: Shown, wire: JSON | None = None) -> bytes:
    return orjson.dumps(annotation(track, shown, to_wire(shown.geometry) if wire is None else wire))
