"""What the label of a sequence of images shows in each frame, with what lies between keyframes computed. Pure."""

from __future__ import annotations

from typing import Any

from labeling.rules.label_state import LabelState
from labeling.rules.masks import Object, Picture
from sequences.rules.documents.rendering import position_in
from sequences.rules.skeletons import BITMAPS, clock_of, frames_of, skeleton_of
from sequences.rules.timeline import Shown, Timeline, Track
from sequences.rules.track_state import in_order

JSON = dict[str, Any]

OF_IMAGES = frozenset({"image-vector-sequence", BITMAPS})


def count(state: LabelState) -> int:
    """How many frames the label has."""
    return len(frames_of(skeleton_of(state), None))


def shown(state: LabelState, start: int, end: int, *, bitmaps: bool) -> list[Picture]:
    """The frames start … end - 1. An object is known by its track; in `bitmaps` of frames by its id in that frame."""
    skeleton = skeleton_of(state)
    heads, clock = frames_of(skeleton, None)[start:end], clock_of(skeleton, None)
    found: list[list[tuple[int, Object]]] = [[] for _ in heads]
    for track in in_order(state):
        if track["sensor"] is None:
            for item in Timeline.of(track).shown(clock, start, start + len(heads)):
                found[item.frame - start].append((track["track_id"], _object(track, item, bitmaps=bitmaps)))
    pictures = []
    for head, listed in zip(heads, found, strict=True):
        if "annotations" in head:  # there they lie in another order than elsewhere
            position = position_in(head["annotations"])
            listed = sorted(listed, key=lambda pair, place=position: place(pair[0]))  # type: ignore[misc]
        objects = tuple(item for _, item in listed)
        pictures.append(Picture(objects, head.get("segmentation_bitmap") if bitmaps else None))
    return pictures


def _object(track: Track, item: Shown, *, bitmaps: bool) -> Object:
    entry, number = item.entry, track["track_id"]
    if bitmaps:
        number = entry.get("object_id", track.get("object_id", number))
    return Object(number, track["uuid"], entry.get("category_id", track["category_id"]), item.geometry)
