"""Frames as the JSON text that they are served as, from the segments of their tracks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import orjson

from labeling.rules.label_state import LabelState
from sequences.rules.dense.segments import Segment, segments_of
from sequences.rules.documents.rendering import position_in, with_frames_of
from sequences.rules.skeletons import clock_of, frames_of, skeleton_of
from sequences.rules.track_state import in_order

JSON = dict[str, Any]

#: A piece of text ends with the frame with which it has so many numbers or texts.
MOST = 200_000
_HERE = b"\x00"  # which no JSON text holds unescaped


class Line(NamedTuple):
    """One track's segments, and the number that people see."""

    track_id: int
    segments: Sequence[Segment]


def frame_texts(heads: Sequence[JSON], lines: Sequence[Line], start: int, *, numbered: bool = True) -> Iterator[bytes]:
    """The frames `start`, start + 1 … as pieces of the text of one JSON array: a head for each, with its number in
    front (if wanted) and the objects of `lines` in their order (or in that of the numbers which the head lists) behind.
    """
    yield b"["
    low = start
    for high in _steps(lines, start, start + len(heads)):
        lists = _lists(lines, low, high, {low + n for n, head in enumerate(heads[low - start : high - start])
                                          if "annotations" in head})  # fmt: skip
        texts = [
            _frame({"frame": number} if numbered else {}, head, items)
            for number, (head, items) in enumerate(zip(heads[low - start : high - start], lists, strict=True), low)
        ]
        yield (b"," if low > start else b"") + b",".join(texts)
        low = high
    yield b"]"


def _steps(lines: Sequence[Line], start: int, end: int) -> Iterator[int]:
    """Where to cut: the ends of pieces that are not too large."""
    changes = np.zeros(end - start + 1, np.int64)
    for line in lines:
        for segment in line.segments:
            low, high = max(segment.first, start) - start, min(segment.first + segment.count, end) - start
            if low < high:
                weight = max(len(segment.columns or ()), segment.width, 1)
                changes[low] += weight
                changes[high] -= weight
    sizes = np.cumsum(np.cumsum(changes)[:-1])
    low = 0
    while low < end - start:
        before = int(sizes[low - 1]) if low else 0
        low = max(int(np.searchsorted(sizes, before + MOST, side="right")), low + 1)
        yield start + low


def _lists(lines: Sequence[Line], start: int, end: int, listed: set[int]) -> list[list[Any]]:
    """For each frame of start … end - 1 the texts of its objects; with their numbers in front in frames of `listed`."""
    found: list[list[Any]] = [[] for _ in range(end - start)]
    parts = [
        (line.track_id, segment, *_rows(segment, start, end))
        for line in lines
        for segment in line.segments
        if segment.first < end and segment.first + segment.count > start
    ]
    numbers = b"".join(data for *_, data in parts)
    tokens = orjson.dumps(np.frombuffer(numbers, "<f8"), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    at = 0
    for track_id, segment, low, high, rows, _ in parts:
        texts, form, width = segment.texts, segment.form, segment.width
        if width:
            after = at + rows * width
            cells = zip(*[iter(tokens[at:after])] * width, strict=True)
            at = after
            columns = segment.columns
            if columns is None:
                shown = [form % row for row in cells]
            elif len(columns) == 1:
                shown = [form % row[columns[0]] for row in cells]
            else:
                shown = list(map(form.__mod__, map(itemgetter(*columns), cells))) if columns else [form % ()] * rows
        else:
            shown = [form % ()] * rows
        for place, text in texts:
            if low <= place < high:
                shown.insert(place - low, text)
        first = segment.first - start
        if listed:
            for frame, text in enumerate(shown, first + low):
                found[frame].append((track_id, text) if frame + start in listed else text)
        else:
            for items, text in zip(found[first + low : first + high], shown, strict=True):
                items.append(text)
    return found


def _rows(segment: Segment, start: int, end: int) -> tuple[int, int, int, bytes]:
    """(the first and the end of the wanted places of a segment, how many of them have numbers, those)."""
    low, high = max(start - segment.first, 0), min(end - segment.first, segment.count)
    if high - low == segment.count:
        return low, high, segment.count - len(segment.texts), segment.numbers
    before = sum(place < low for place, _ in segment.texts)
    inside = sum(low <= place < high for place, _ in segment.texts)
    rows = high - low - inside
    size = 8 * segment.width
    return low, high, rows, segment.numbers[(low - before) * size : (low - before + rows) * size]


def _frame(front: JSON, head: JSON, items: list[Any]) -> bytes:
    if "annotations" in head:
        position = position_in(head["annotations"])
        items = [text for _, text in sorted(items, key=lambda item: position(item[0]))]
    text = orjson.dumps(front | head | {"annotations": orjson.Fragment(_HERE)})
    before, _, after = text.partition(_HERE)
    return b"%b[%b]%b" % (before, b",".join(items), after)


def document_text(state: LabelState) -> bytes:
    """What `render_tracks` gives, as JSON text."""
    skeleton = skeleton_of(state)

    def frames(sensor: int | None) -> orjson.Fragment:
        clock = clock_of(skeleton, sensor)
        tracks = (track for track in in_order(state) if track["sensor"] == sensor)
        lines = [Line(track["track_id"], segments_of(track, clock)) for track in tracks]
        return orjson.Fragment(b"".join(frame_texts(frames_of(skeleton, sensor), lines, 0, numbered=False)))

    return orjson.dumps(with_frames_of(skeleton, frames))
