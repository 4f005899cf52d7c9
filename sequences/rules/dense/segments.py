"""What a track shows from one keyframe to the next: numbers that change, and the text around them. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import orjson

from sequences.interpolation import PER_METRE, PER_PIXEL, track_lerp
from sequences.interpolation.blends import Moving, Way, along, by_point, moving_on, way
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
    """A segment before it is computed: the number of its keyframe in the timeline, its frames, those of them that are
    kept as they were uploaded, and its mark."""

    index: int
    first: int
    count: int
    kept: list[int]
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
    moved = {} if clock.hold else _at_once(line, clock, missing)
    for item in missing:
        found[item.mark] = _segment(track, line, clock, item, moved.get(item.index))
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
        found.append(_Stretch(index, first, count, inside, _mark(mark)))
    return found


def _mark(text: bytes) -> bytes:
    return blake2b(text, digest_size=16).digest()


def _at_once(line: Timeline, clock: Clock, missing: Sequence[_Stretch]) -> dict[int, Moving]:
    """{keyframe: what changes in its segment}; what is alike is computed together."""
    found: dict[int, Moving] = {}
    run: list[int] = []
    ways: dict[bytes, list[tuple[int, Way, np.ndarray]]] = {}
    for item in missing:
        shape = _shape(line, item.index)
        if run and (shape is None or item.index != run[-1] + 1 or shape != _shape(line, run[-1])):
            found |= _run(line, clock, run)
            run = []
        if shape is not None:
            run.append(item.index)
        elif item.index + 1 < len(line.frames):
            last = line.entries[line.frames[item.index + 1]]
            between = None if last.get("absent") else way(line.entries[item.first]["geometry"], last["geometry"])
            if between is not None and item.count > 1:
                weights = clock.weights(item.first, line.frames[item.index + 1], item.first, item.first + item.count)
                ways.setdefault(weights.tobytes(), []).append((item.index, between, weights))
    if run:
        found |= _run(line, clock, run)
    for some in ways.values():
        for (index, between, _), numbers in zip(some, along([item[1] for item in some], some[0][2]), strict=True):
            found[index] = Moving(numbers, between.form)
    return found


def _shape(line: Timeline, index: int) -> tuple[str, int, int] | None:
    """What a keyframe and the next one have in common if they are boxes or points; None for others."""
    if index + 1 == len(line.frames):
        return None
    shape = shape_of(line.entries[line.frames[index]])
    return shape if shape == shape_of(line.entries[line.frames[index + 1]]) else None


def _run(line: Timeline, clock: Clock, run: list[int]) -> dict[int, Moving]:
    """The segments of neighbouring keyframes that are boxes or points."""
    frames = line.frames[run[0] : run[-1] + 2]
    shapes = [line.entries[frame]["geometry"] for frame in frames]
    keys = np.array([shape["points"] for shape in shapes], np.float64)
    weights = None
    if clock.times is not None:
        weights = np.concatenate([clock.weights(a, b, a, b) for a, b in pairwise(frames)])
    grid = PER_METRE if keys.shape[2] == 3 else PER_PIXEL
    found = track_lerp(np.array(frames), keys.reshape(len(frames), -1).T, grid, weights).T
    return {
        index: Moving(found[a - frames[0] : b - frames[0]], partial(_with_points, shape, keys.shape[2]))
        for index, shape, (a, b) in zip(run, shapes, pairwise(frames), strict=False)
    }


def _with_points(shape: JSON, width: int, cells: Sequence[Any]) -> JSON:
    return shape | {"points": by_point(cells, width)}


def _segment(track: Track, line: Timeline, clock: Clock, item: _Stretch, found: Moving | None) -> Segment:
    entry = line.entries[item.first]
    geometry = entry["geometry"]
    texts = {0: _text(track, Shown(item.first, geometry, entry, True))}
    for frame in item.kept:
        kept = line.kept[frame]
        texts[frame - item.first] = _text(track, Shown(frame, kept["geometry"], kept, True))
    if len(texts) < item.count and not clock.hold:
        if item.index + 1 == len(line.frames):
            found = _past(line, clock, item)
        elif _shape(line, item.index) is None:
            _put_ends(track, line, clock, item, texts, moves=found is not None)
    marks = item.mark, item.first, item.count, sorted(texts.items())
    if len(texts) == item.count:
        return Segment(*marks)
    if found is None:
        return Segment(*marks, _text(track, Shown(-1, geometry, entry, False)).replace(b"%", b"%%"))
    others = [place for place in range(item.count) if place not in texts]
    rows, form, columns = _form(track, entry, found)
    numbers = np.ascontiguousarray(rows[others], "<f8").tobytes()
    return Segment(*marks, form, rows.shape[1], numbers, columns)


def _put_ends(
    track: Track, line: Timeline, clock: Clock, item: _Stretch, texts: dict[int, bytes], *, moves: bool
) -> None:
    """Frames at the very time of a keyframe show its own geometry; where they stand still they are told one by one."""
    entry, last = line.entries[item.first], line.frames[item.index + 1]
    if line.entries[last].get("absent"):
        return
    weights = clock.weights(item.first, last, item.first, item.first + item.count)
    for place in np.flatnonzero((weights <= 0) | (weights >= 1)).tolist():
        shown = (line.entries[last] if weights[place] >= 1 else entry)["geometry"]
        if place not in texts and (moves or shown is not entry["geometry"]):
            texts[place] = _text(track, Shown(-1, shown, entry, False))


def _past(line: Timeline, clock: Clock, item: _Stretch) -> Moving | None:
    """What changes behind the last keyframe, where the label says that it goes on."""
    before = line.frames[item.index - 1] if item.index else -1
    if not clock.extrapolate or before < 0 or line.entries[before].get("absent"):
        return None
    past = np.maximum(clock.weights(before, item.first, item.first, item.first + item.count), 1.0)
    return moving_on(line.entries[before]["geometry"], line.entries[item.first]["geometry"], past)


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
