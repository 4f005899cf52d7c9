"""What becomes of a label when the frames of its sample change: some are added, removed, moved or timed anew. Pure.

What somebody set goes with its frame: keyframes, remove-keyframes, frames that are kept as they were uploaded, and what
the document has of the frame itself (its time, its bitmap). All between keyframes is computed anew. So that no frame
loses an object that it showed, or gains one:

- A new frame shows the objects of the frame in front of it, held or on their way; in front of the first there are none.
- Each frame that remains shows the objects that it showed. Where a stretch of presence now begins at another frame,
  that one becomes a keyframe with what it showed; where one now ends at another, a remove-keyframe is put there.
- What was set at a removed keyframe is not lost: the frames that now stand beside the place, as far as its stretch
  goes, become keyframes with what they showed. So does the last frame of a stretch that was on its way to a keyframe
  which does not come behind it any more.
- Where two stretches meet because what was between them is gone, both sides become keyframes with what they showed, so
  that nothing is computed across what was a gap.
- A track of which no frame remains is removed.

So to insert a frame and to remove it again is nothing, and to move a frame there and back shows the same again.

A label may have other frames than its sample, because the protocol lets it: what it has behind the sample's last frame
stays behind, and frames that it does not have show nothing. What is set behind its own last frame stays behind it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from labeling.log.event import Fact
from labeling.rules.label_state import LabelState
from sequences import events as e
from sequences.rules.runs import runs_of
from sequences.rules.skeletons import clock_of, frames_of, skeleton_of
from sequences.rules.timeline import Clock, Entry, Timeline, Track
from sequences.rules.track_state import ABSENT, in_order

JSON = dict[str, Any]

#: What a keyframe has that is put where none was, as when somebody sets one there.
_STEPPED = ("attributes", "category_id", "object_id", "extra")


@dataclass(slots=True)
class Rearranged:
    """What becomes of one label: its facts, and for people what was set and which tracks went."""

    facts: list[Fact] = field(default_factory=list)
    keyframes: list[JSON] = field(default_factory=list)  #: {track, track_id, frame} of keyframes that were put
    removed: list[JSON] = field(default_factory=list)  #: {track, track_id}


def rearranged(
    state: LabelState, sensor: int | None, order: Sequence[int | None], heads: dict[int, JSON], count: int
) -> Rearranged:
    """What becomes of a label, whose document is opened, when its sample's `count` frames become those of `order`.

    `order` has for each frame its old number, or None where it is new. `heads` has what the document of a label says of
    new and of changed frames, {timestamp} or nothing, by their new numbers.
    """
    skeleton = skeleton_of(state)
    mine = frames_of(skeleton, sensor)
    order, gaps = _own_order(order, len(mine), count)
    found = Rearranged()
    own_heads = {
        str(new): _head(mine[old] if old is not None and old < len(mine) else {}, heads.get(new))
        for new, old in enumerate(order)
        if new in heads or old is None
    }
    if order == list(range(len(mine))) and not own_heads:
        return found
    # Frames at the end or other times leave everybody where they are.
    entries: dict[str, dict[str, Entry]] = {}
    if order[: len(mine)] != list(range(len(mine))):
        clock = clock_of(skeleton, sensor)
        places = _Places(order, gaps, len(mine))
        for track in in_order(state):
            if track["sensor"] != sensor:
                continue
            put = places.put_for(track, clock)
            name = {"track": track["uuid"], "track_id": track["track_id"]}
            if put is None:
                found.facts.append(e.TrackRemoved(track=track["uuid"]))
                found.removed.append(name)
            elif put:
                entries[track["uuid"]] = {str(frame): entry for frame, entry in sorted(put.items())}
                found.keyframes += [name | {"frame": frame} for frame in sorted(put) if not put[frame].get("absent")]
    found.facts.append(
        e.FramesRearranged(
            before=len(mine), frames=list(runs_of(order)), heads=own_heads, entries=entries, sensor=sensor
        )
    )
    return found


def _head(had: JSON, said: JSON | None) -> JSON:
    """What a document says of a frame when its sample says another time."""
    return had if said is None else {key: value for key, value in had.items() if key != "timestamp"} | said


def _own_order(order: Sequence[int | None], mine: int, count: int) -> tuple[list[int | None], set[int]]:
    """(the order of a label's own frames, the new numbers at which it has had no frame) of that of its sample."""
    own = [*order, *range(count, mine)]
    if mine >= count:
        return own, set()
    gaps: set[int] = set()
    last = 0
    ours = True  # whether a new frame here stands behind one of the label
    for new, old in enumerate(own):
        if old is not None:
            ours = old < mine
        if ours and mine:
            last = new + 1
        else:
            gaps.add(new)
            own[new] = None
    return own[:last], {new for new in gaps if new < last}


class _Places:
    """Where each frame goes, for all tracks of a sensor."""

    def __init__(self, order: list[int | None], gaps: set[int], before: int) -> None:
        self.order, self.before = order, before
        self.new_of = {old: new for new, old in enumerate(order) if old is not None}
        #: For each new frame the old one whose objects it shows; None in front of the first and where there was none.
        self.source: list[int | None] = []
        for new, old in enumerate(order):
            behind = self.source[-1] if self.source else None
            self.source.append(None if new in gaps else behind if old is None else old)

    def put_for(self, track: Track, clock: Clock) -> dict[int, Entry] | None:
        """What has to be set for a track beside what goes with its frames; None where nothing of it remains."""
        line = Timeline.of(track)
        stretches = line.presence(self.before)
        stretch_of: list[int | None] = [None] * self.before
        for number, (start, end) in enumerate(stretches):
            stretch_of[start:end] = [number] * (end - start)
        there = [None if old is None else stretch_of[old] for old in self.source]
        if all(stretch is None for stretch in there) and not any(f >= self.before for f in line.keyframes()):
            return None
        put: dict[int, Entry] = {}

        def pin(new: int) -> None:
            """Make a frame a keyframe with what it showed, where it is none."""
            while self.order[new] is None:
                new -= 1  # a new frame shows what the one in front of it does
            own = self.order[new]
            assert own is not None
            known = line.entries.get(own)
            if (known is None or known.get("absent")) and new not in put:
                shown = line.at(own, clock)
                assert shown is not None, "only frames that show the object are pinned"
                kept = {key: shown.entry[key] for key in _STEPPED if key in shown.entry}
                put[new] = kept | {"geometry": shown.geometry}

        for frame in line.keyframes():
            mine = stretch_of[frame] if frame < self.before else None
            if mine is not None and frame not in self.new_of:
                for neighbour in self._beside(frame, *stretches[mine]):
                    pin(neighbour)
        for new, stretch in enumerate([*there, None]):
            previous = there[new - 1] if new else None
            if stretch is None:
                if previous is None:
                    continue
                if self._is_on_its_way(line, new - 1, clock):
                    pin(new - 1)
                old = self.order[new] if new < len(self.order) else None
                known = line.entries.get(old) if old is not None else None
                if new < len(self.order) and not (known or {}).get("absent"):
                    put[new] = ABSENT
            elif previous != stretch:
                pin(new)
                if previous is not None:
                    pin(new - 1)
        return put

    def _beside(self, frame: int, start: int, end: int) -> Iterator[int]:
        """The new numbers of the frames nearest to a removed one that remain of its stretch."""
        for numbers in (range(frame - 1, start - 1, -1), range(frame + 1, end)):
            old = next((old for old in numbers if old in self.new_of), None)
            if old is not None:
                yield self.new_of[old]

    def _is_on_its_way(self, line: Timeline, new: int, clock: Clock) -> bool:
        """Whether a frame showed something between two keyframes that lie apart."""
        source = self.source[new]
        shown = None if source is None else line.at(source, clock)
        if shown is None or shown.own or source is None:
            return False
        index = bisect_right(line.frames, source)
        behind = line.entries[line.frames[index]] if index < len(line.frames) else ABSENT
        if index < len(line.frames) and line.frames[index] >= self.before:
            return False  # what is set behind the last frame stays behind it
        return not behind.get("absent") and shown.geometry != shown.entry["geometry"]
