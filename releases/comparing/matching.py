"""What differs between two labels of one sample in two label sets, such as a model's and the ground truth. Pure.

Their objects have uuids and numbers of their own, so they are matched: those that are one by their uuid or by what one
of them was copied from; then those that overlap, the best pair first, by an intersection over union of at least a half,
whatever their categories are (so that a mistaken category is one change and not two). Of tracks it is the overlap of
their boxes, summed over the frames. What has no inside is matched where it is drawn the same.

What is of the label set and not of the answer is not compared: uuid, number, order, origin, score, status.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labeling.geometry import rle
from labeling.geometry.bitmaps import pixels_of
from labeling.geometry.measures import ious_of_boxes
from labeling.log import values
from labeling.rules.label_state import LabelState
from releases.comparing.changes import compared
from releases.comparing.overlaps import Read, overlap
from releases.formats import outlines
from sequences.rules.skeletons import clock_of, skeleton_of
from sequences.rules.timeline import Timeline
from sequences.rules.track_state import TABLE, tracks_of

JSON = dict[str, Any]

#: Objects overlap at least so far to be one.
LEAST_IOU = 0.5
#: Of a sequence, so many frames are looked at to match its tracks.
MOST_FRAMES = 60
#: What an object says of itself and not of the picture.
OWN = frozenset({"uuid", "id", "track_id", "order", "origin", "score", "lineage", "version", "by", "last_offset"})


@dataclass(frozen=True, slots=True)
class Match:
    """An object of one label set that is one of the other: by `uuid`, `origin` or `overlap`."""

    one: str
    other: str
    by: str
    iou: float | None = None


def versus(one: LabelState, other: LabelState, *, read: Read | None = None) -> tuple[list[JSON], int]:
    """(the changes that lead from one label to the other, how many objects are the same in both).

    Raises:
        labeling.geometry.bitmaps.BadBitmap: run lengths that describe no mask.
    """
    ones, others = _with_pixels(one, read), _with_pixels(other, read)
    matches = [*_matches(ones.annotations, others.annotations, _overlaps)]
    matches += _matches(tracks_of(ones), tracks_of(others), _tubes(ones, others))
    by_other = {match.other: match for match in matches}
    renamed = replace(
        others,
        annotations=_renamed(ones.annotations, others.annotations, by_other),
        parts={**others.parts, TABLE: _renamed(tracks_of(ones), tracks_of(others), by_other)},
        mask=ones.mask,
        status=ones.status if ones.exists and others.exists else others.status,
        score=ones.score if ones.exists and others.exists else others.score,
        document=ones.document if _has_frames(ones) and _has_frames(others) else others.document,
    )
    changes = []
    by_one = {match.one: match for match in matches}
    for change in compared(ones, renamed):
        match = by_one.get(change["what"].partition(":")[2])
        if match is not None:
            theirs = others.annotations.get(match.other) or tracks_of(others)[match.other]
            change["match"] = {"uuid": match.other, "id": theirs.get("id", theirs.get("track_id")), "by": match.by}
            change["match"] |= {"iou": match.iou, "score": theirs.get("score")}
        changes.append(change)
    differing = {change["what"].partition(":")[2] for change in changes}
    return changes, sum(match.one not in differing for match in matches)


def _has_frames(state: LabelState) -> bool:
    return "skeleton" in (state.document or {})


def _with_pixels(state: LabelState, read: Read | None) -> LabelState:
    """The label with a bitmap of its own for each object whose pixels are in that of the label."""
    mask = state.mask
    drawn = [item for item in state.annotations.values() if item["geometry"]["type"] == "mask"]
    ids = read(mask) if read is not None and drawn and mask and mask.get("url") else None
    if ids is None:
        return state
    found = dict(state.annotations)
    for item in drawn:
        runs = rle.encode(pixels_of(ids, item["id"]), compressed=True)
        found[item["uuid"]] = item | {"geometry": outlines.bitmap(runs)}
    return replace(state, annotations=found)


def _renamed(ones: Mapping[str, JSON], others: Mapping[str, JSON], by_other: Mapping[str, Match]) -> dict[str, JSON]:
    """The objects of the other label under the names of those that they are, with what is not compared taken over."""
    found = {}
    for key, item in others.items():
        match = by_other.get(key)
        if match is None:
            found[key] = item
            continue
        own = ones[match.one]
        renamed = {name: value for name, value in item.items() if name not in OWN}
        renamed |= {name: value for name, value in own.items() if name in OWN}
        if "links" in item:
            renamed["links"] = [
                link | {"to": by_other[link["to"]].one} if link["to"] in by_other else link for link in item["links"]
            ]
        found[match.one] = renamed
    return found


# --- which object is which -----------------------------------------------------------------------------------------

#: (one, other) → how far they overlap; a pair that does not is left out.
Scores = Mapping[tuple[str, str], float]


def _matches(ones: Mapping[str, JSON], others: Mapping[str, JSON], scores: Any) -> Iterator[Match]:
    left, right = dict(ones), dict(others)
    for one, other, by in _by_name(ones, others):
        if one in left and other in right:
            del left[one], right[other]
            yield Match(one, other, by, scores({one: ones[one]}, {other: others[other]}).get((one, other)))
    found = scores(left, right)

    def rank(pair: tuple[str, str]) -> tuple[Any, ...]:
        one, other = left[pair[0]], right[pair[1]]
        return (-found[pair], one["category_id"] != other["category_id"], _number(one), _number(other), pair)

    for one, other in sorted((pair for pair in found if found[pair] >= LEAST_IOU), key=rank):
        if one in left and other in right:
            del left[one], right[other]
            yield Match(one, other, "overlap", found[one, other])


def _by_name(ones: Mapping[str, JSON], others: Mapping[str, JSON]) -> Iterator[tuple[str, str, str]]:
    for key in sorted(ones.keys() & others.keys()):
        yield key, key, "uuid"
    for key, item in sorted(others.items()):
        source = str((item.get("origin") or {}).get("annotation"))
        if source in ones:
            yield source, key, "origin"
    for key, item in sorted(ones.items()):
        source = str((item.get("origin") or {}).get("annotation"))
        if source in others:
            yield key, source, "origin"


def _number(item: JSON) -> int:
    number: int = item["id"] if "id" in item else item["track_id"]
    return number


def _overlaps(ones: Mapping[str, JSON], others: Mapping[str, JSON]) -> dict[tuple[str, str], float]:
    """How far the outlines of annotations overlap: only of those whose boxes do."""
    found: dict[tuple[str, str], float] = {}
    boxed: list[list[tuple[str, JSON, list[float]]]] = [[], []]
    for items, side in zip((ones, others), boxed, strict=True):
        for key, item in items.items():
            box = outlines.box_of(item["geometry"]) if outlines.has_area(item["geometry"]) else None
            if box is not None:
                side.append((key, item, box))
    shared = ious_of_boxes(*(np.array([box for _, _, box in side], np.float64) for side in boxed))
    # the boxes of two that overlap by a half overlap, too: by how much nobody can say
    for n, m in zip(*(places.tolist() for places in np.nonzero(shared > 0)), strict=True):
        measures = overlap(boxed[0][n][1]["geometry"], boxed[1][m][1]["geometry"])
        if measures is not None and measures["iou"] > 0:
            found[boxed[0][n][0], boxed[1][m][0]] = measures["iou"]
    plain = [
        {key: item["geometry"] for key, item in side.items() if not outlines.has_area(item["geometry"])}
        for side in (ones, others)
    ]
    for one, geometry in plain[0].items():
        for other, theirs in plain[1].items():
            if values.same(geometry, theirs):
                found[one, other] = 1.0
    return found


def _tubes(one: LabelState, other: LabelState) -> Any:
    """A function that says how far tracks overlap: by their boxes, over as many frames as are looked at."""

    def boxes_of(state: LabelState, tracks: Mapping[str, JSON]) -> dict[str, dict[int, list[float]]]:
        found: dict[str, dict[int, list[float]]] = {}
        for key, track in tracks.items():
            clock = clock_of(skeleton_of(state), track["sensor"])
            line, every = Timeline.of(track), max(1, -(-clock.frames // MOST_FRAMES))
            shown = (line.at(frame, clock) for frame in range(0, clock.frames, every))
            there = {seen.frame: _box(seen.geometry) for seen in shown if seen is not None}
            found[key] = {frame: box for frame, box in there.items() if box is not None}
        return found

    def scores(ones: Mapping[str, JSON], others: Mapping[str, JSON]) -> dict[tuple[str, str], float]:
        mine, theirs = boxes_of(one, ones), boxes_of(other, others)
        found: dict[tuple[str, str], float] = {}
        for key, tube in mine.items():
            for there, other_tube in theirs.items():
                if ones[key]["sensor"] != others[there]["sensor"] or not tube.keys() & other_tube.keys():
                    continue
                both = either = 0.0
                for frame in tube.keys() | other_tube.keys():
                    shared, union = _shared(tube.get(frame), other_tube.get(frame))
                    both, either = both + shared, either + union
                if both > 0:
                    found[key, there] = round(both / either, 6)
        return found

    return scores


def _box(geometry: JSON) -> list[float] | None:
    return outlines.box_of(geometry) if outlines.has_area(geometry) else None


def _shared(one: list[float] | None, other: list[float] | None) -> tuple[float, float]:
    """(intersection, union) of two boxes, of which one may not be there."""
    areas = [0.0 if box is None else (box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    if one is None or other is None:
        return 0.0, sum(areas)
    w, h = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    both = max(w, 0.0) * max(h, 0.0)
    return both, sum(areas) - both
