"""What a track shows at which frame: presence, keyframes, and what is computed between them. Pure.

Presence is half-open: from a keyframe until the next remove-keyframe, exclusive. An object is absent before its first
keyframe, held after its last one and before a remove-keyframe, and never computed across a gap. So a frame depends on
nothing but the keyframes of its stretch of presence. Attributes, category and all else step from keyframe to keyframe.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from sequences.interpolation import PER_METRE, PER_PIXEL, blended, continued, track_lerp

JSON = dict[str, Any]
Track = dict[str, Any]
Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Clock:
    """How many frames there are, and by what time goes on between them: their times, or else their numbers."""

    frames: int
    times: Sequence[int | float] | None = None
    extrapolate: bool = False  #: a cuboid goes on past its last keyframe
    hold: bool = False  #: nothing is computed: each keyframe is held until the next

    def weights(self, first: int, last: int, start: int, end: int) -> np.ndarray:
        """How far the frames start … end - 1 are on the way from `first` (0) to `last` (1); beyond it, above 1.

        Times that are missing, stand still or run back between the two keyframes give way to the frames' numbers.
        """
        times = self.times
        if times is not None and last < len(times) and end <= len(times) and times[last] > times[first]:
            span = times[last] - times[first]
            found = np.array([(times[frame] - times[first]) / span for frame in range(start, end)], np.float64)
            if np.isfinite(found).all():
                return np.clip(found, 0.0, 1.0) if end <= last + 1 else np.maximum(found, 0.0)
        return (np.arange(start, end, dtype=np.float64) - first) / (last - first)


class Shown(NamedTuple):
    """An object at one frame: where it is, the entry that all else comes from, and whether it is that entry's frame."""

    frame: int
    geometry: JSON
    entry: Entry
    own: bool


@dataclass(slots=True)
class Timeline:
    """A track's entries in the order of their frames."""

    entries: dict[int, Entry]  #: of keyframes and remove-keyframes
    kept: dict[int, Entry]
    frames: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, track: Track) -> Timeline:
        """The timeline of a track as a state holds it."""
        marks: dict[int, Entry] = {}
        kept: dict[int, Entry] = {}
        for frame, entry in sorted((int(frame), entry) for frame, entry in track["entries"].items()):
            (kept if entry.get("kept") else marks)[frame] = entry
        return cls(marks, kept, list(marks))

    def keyframes(self) -> list[int]:
        return [frame for frame, entry in self.entries.items() if not entry.get("absent")]

    def remove_keyframes(self) -> list[int]:
        return [frame for frame, entry in self.entries.items() if entry.get("absent")]

    def presence(self, count: int) -> list[tuple[int, int]]:
        """The stretches [start, end) of the frames 0 … count - 1 in which the object is there."""
        found: list[tuple[int, int]] = []
        start: int | None = None
        for frame, entry in self.entries.items():
            if entry.get("absent"):
                if start is not None:
                    found.append((start, frame))
                    start = None
            elif start is None:
                start = frame
        if start is not None:
            found.append((start, count))
        return [(first, min(last, count)) for first, last in found if first < min(last, count)]

    def is_present(self, frame: int) -> bool:
        return self.support(frame) is not None

    def support(self, frame: int) -> int | None:
        """The keyframe at or before a frame that it comes from; None where the object is absent."""
        index = bisect_right(self.frames, frame) - 1
        if index < 0 or self.entries[self.frames[index]].get("absent"):
            return None
        return self.frames[index]

    def shown(self, clock: Clock, start: int = 0, end: int | None = None) -> Iterator[Shown]:
        """The object at each of the frames start … end - 1 at which it is there, in their order."""
        end = clock.frames if end is None else min(end, clock.frames)
        index = max(bisect_right(self.frames, start) - 1, 0)
        while index < len(self.frames) and self.frames[index] < end:
            run = index if clock.hold else self._run(index, end)
            if run > index:
                yield from self._at_once(clock, index, run, start, end)
                index = run
                continue
            first = self.frames[index]
            until = self.frames[index + 1] if index + 1 < len(self.frames) else clock.frames
            if until > start and not self.entries[first].get("absent"):
                yield from self._segment(clock, index, max(start, first), min(end, until))
            index += 1

    def _run(self, index: int, end: int) -> int:
        """The last of the keyframes from `index` on, in front of `end` or the first behind it, that are points in one
        number, so that all between them is computed at once; `index` where there are none."""
        run = index
        shape = shape_of(self.entries[self.frames[index]])
        while (
            shape is not None
            and self.frames[run] < end
            and run + 1 < len(self.frames)
            and shape_of(self.entries[self.frames[run + 1]]) == shape
        ):
            run += 1
        return run

    def _at_once(self, clock: Clock, index: int, run: int, start: int, end: int) -> Iterator[Shown]:
        """The frames from the keyframe `index` up to `run`, exclusive, as far as they are wanted."""
        frames = self.frames[index : run + 1]
        keys = np.array([self.entries[frame]["geometry"]["points"] for frame in frames], np.float64)
        weights = None
        if clock.times is not None:
            weights = np.concatenate([clock.weights(a, b, a, b) for a, b in pairwise(frames)])
        flat = keys.reshape(len(frames), -1).T
        grid = PER_METRE if keys.shape[2] == 3 else PER_PIXEL
        points = track_lerp(np.array(frames), flat, grid, weights).T.reshape(-1, *keys.shape[1:]).tolist()
        entries, kept, offset = self.entries, self.kept, frames[0]
        entry = entries[offset]
        geometry = entry["geometry"]
        for frame in range(offset, min(frames[-1], end)):
            mine = entries.get(frame)
            if mine is not None:
                entry, geometry = mine, mine["geometry"]
            if frame < start:
                continue
            if frame in kept:
                yield Shown(frame, kept[frame]["geometry"], kept[frame], True)
            elif mine is not None:
                yield Shown(frame, geometry, entry, True)
            else:
                yield Shown(frame, geometry | {"points": points[frame - offset]}, entry, False)

    def at(self, frame: int, clock: Clock) -> Shown | None:
        """The object at one frame, or None where it is absent."""
        return next(self.shown(clock, frame, frame + 1), None)

    def _segment(self, clock: Clock, index: int, low: int, high: int) -> Iterator[Shown]:
        """The frames low … high - 1 between a keyframe and what comes next."""
        first = self.frames[index]
        entry = self.entries[first]
        geometries = self._between(clock, index, low, high)
        for frame in range(low, high):
            if frame in self.kept:
                kept = self.kept[frame]
                yield Shown(frame, kept["geometry"], kept, True)
            elif frame == first:
                yield Shown(frame, entry["geometry"], entry, True)
            else:
                geometry = entry["geometry"] if geometries is None else geometries[frame - low]
                yield Shown(frame, geometry, entry, False)

    def _between(self, clock: Clock, index: int, low: int, high: int) -> list[JSON] | None:
        """The computed geometries of low … high - 1; None where the keyframe's own is held."""
        first = self.frames[index]
        geometry = self.entries[first]["geometry"]
        if clock.hold:
            return None
        if index + 1 < len(self.frames):
            last = self.frames[index + 1]
            other = self.entries[last]
            if other.get("absent"):
                return None
            return blended(geometry, other["geometry"], clock.weights(first, last, low, high))
        if not clock.extrapolate or index == 0 or self.entries[self.frames[index - 1]].get("absent"):
            return None
        before = self.frames[index - 1]
        past = np.maximum(clock.weights(before, first, low, high), 1.0)
        return continued(self.entries[before]["geometry"], geometry, past)


def shape_of(entry: Entry) -> tuple[str, int, int] | None:
    """(type, number of points, their length) of a box or points, which are all computed alike; None for others."""
    geometry = entry.get("geometry")
    if geometry is None or geometry["type"] not in ("bbox", "point"):
        return None
    points = geometry["points"]
    lengths = set(map(len, points))
    return (geometry["type"], len(points), lengths.pop()) if len(lengths) == 1 else None
