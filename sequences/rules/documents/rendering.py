"""Every frame of a sequence, rendered from its tracks. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labeling.rules.label_state import LabelState
from sequences.rules.geometries import to_wire
from sequences.rules.skeletons import clock_of, frames_of, has_tracks, skeleton_of
from sequences.rules.timeline import Shown, Timeline, Track
from sequences.rules.track_state import in_order

JSON = dict[str, Any]


def flag_of(track: Track, shown: Shown) -> bool | None:
    """What `is_keyframe` says; None where it is left out."""
    if not shown.own:
        return None if track.get("unflagged") else False
    flag: bool | None = shown.entry.get("flag", not shown.entry.get("kept"))
    return flag


def annotation(track: Track, shown: Shown, wire: JSON | None = None) -> JSON:
    """An object at a frame, as the protocol shows it; `wire` is what it shows of the geometry, where that is known."""
    entry = shown.entry
    category = entry.get("category_id", track["category_id"])
    found: JSON = {
        "id": entry.get("object_id", track.get("object_id", track["track_id"])),
        "category_id": 0 if category is None else category,
        "track_id": track["track_id"],
        **(to_wire(shown.geometry) if wire is None else wire),
    }
    flag = flag_of(track, shown)
    if flag is not None:
        found["is_keyframe"] = flag
    if category is None:
        found["category"] = None
    if "attributes" in entry:
        found["attributes"] = entry["attributes"]
    if "extra" in entry:
        found |= entry["extra"]
    return found


def rendered_frames(state: LabelState, sensor: int | None, start: int = 0, end: int | None = None) -> list[JSON]:
    """The frames start … end - 1 of a sensor, dense."""
    skeleton = skeleton_of(state)
    frames, clock = frames_of(skeleton, sensor), clock_of(skeleton, sensor)
    heads = frames[start:end]
    lists: list[list[JSON]] = [[] for _ in heads]
    for track in in_order(state):
        if track["sensor"] == sensor:
            for shown in Timeline.of(track).shown(clock, start, start + len(heads)):
                lists[shown.frame - start].append(annotation(track, shown))
    found = []
    for head, items in zip(heads, lists, strict=True):
        if "annotations" in head:
            position = position_in(head["annotations"])
            items.sort(key=lambda item: position(item["track_id"]))
        found.append(head | {"annotations": items})
    return found


def render_tracks(state: LabelState) -> JSON:
    """The whole document."""
    return with_frames_of(skeleton_of(state), lambda sensor: rendered_frames(state, sensor))


def with_frames_of(skeleton: JSON, frames: Callable[[int | None], Any]) -> JSON:
    """A skeleton as a document again, with what `frames` gives for each sensor."""
    rest: JSON = skeleton.get("rest", {})
    if "sensors" not in skeleton:
        return rest | {"frames": frames(None)}
    sensors = [
        sensor | {"attributes": sensor["attributes"].get("rest", {}) | {"frames": frames(number)}}
        if has_tracks(sensor)
        else sensor
        for number, sensor in enumerate(skeleton["sensors"])
    ]
    return rest | {"sensors": sensors}


def position_in(numbers: list[int] | None) -> Callable[[int], int]:
    """Where a number stands in a list, as a key to sort by; those that are not in it stay behind, in their order."""
    places = {number: index for index, number in enumerate(numbers or ())}
    return lambda number: places.get(number, len(places))
