"""A preview: key frames and ids of objects in, all filled frames out, nothing saved. The shape is Encord's. Pure."""

from __future__ import annotations

import math
import re
from typing import Any

from labeling.errors import InvalidValue, TooLarge
from labeling.rules.documents import checked_list, checked_object
from sequences.rules.edits import track_geometry
from sequences.rules.timeline import Clock, Timeline

JSON = dict[str, Any]

#: How many objects, over all frames, one preview may give.
MOST_SHAPES = 200_000
_frame = re.compile(r"0|[1-9][0-9]{0,6}")


def filled(body: JSON) -> JSON:
    """{frame: {"objects": […]}} with the objects of `objects_to_interpolate` on every frame between the first and the
    last key frame that has them; other objects stay where they are.

    Raises:
        InvalidValue: the first field that does not fit.
        TooLarge: more would come out than one answer holds.
    """
    for key in body:
        if key not in ("key_frames", "objects_to_interpolate", "times"):
            raise InvalidValue("body", "may hold key_frames, objects_to_interpolate, times")
    key_frames = _key_frames(body.get("key_frames"))
    wanted = _ids(body.get("objects_to_interpolate"))
    if not key_frames:
        raise InvalidValue("key_frames", "must hold at least one frame")
    times = _times(body.get("times"), max(key_frames) + 1)
    frames: dict[int, dict[Any, JSON]] = {
        frame: {item["id"]: item for item in items if item["id"] not in wanted} for frame, items in key_frames.items()
    }
    made = 0
    clock = Clock(max(key_frames) + 1, times)
    for name in wanted:
        keys = {frame: item for frame, items in key_frames.items() for item in items if item["id"] == name}
        if not keys:
            continue
        made += max(keys) - min(keys) + 1
        if made > MOST_SHAPES:
            raise TooLarge(f"More than {MOST_SHAPES} objects would come out; ask for fewer frames at once.")
        entries = {str(frame): {"geometry": item["geometry"], "item": item} for frame, item in keys.items()}
        for shown in Timeline.of({"entries": entries}).shown(clock, min(keys), max(keys) + 1):
            frames.setdefault(shown.frame, {})[name] = shown.entry["item"] | {"geometry": shown.geometry}
    return {str(frame): {"objects": list(items.values())} for frame, items in sorted(frames.items())}


def _key_frames(value: Any) -> dict[int, list[JSON]]:
    found: dict[int, list[JSON]] = {}
    for frame, content in checked_object(value, "key_frames").items():
        if not _frame.fullmatch(frame):
            raise InvalidValue("key_frames", "must map frames, as whole numbers, to what is there")
        place = f"key_frames.{frame}"
        items = checked_list(checked_object(content, place).get("objects"), f"{place}.objects")
        if set(content) != {"objects"}:
            raise InvalidValue(place, "may hold objects")
        seen: set[Any] = set()
        for index, item in enumerate(items):
            where = f"{place}.objects[{index}]"
            name = _id(checked_object(item, where).get("id"), f"{where}.id")
            if name in seen:
                raise InvalidValue(f"{where}.id", "is used by another object of this frame")
            seen.add(name)
            if "geometry" not in item:
                raise InvalidValue(f"{where}.geometry", "is required")
            track_geometry(item, where)
        found[int(frame)] = items
    return found


def _id(value: Any, where: str) -> int | str:
    if type(value) not in (int, str):
        raise InvalidValue(where, "must be a string or a whole number")
    found: int | str = value
    return found


def _ids(value: Any) -> list[int | str]:
    items = checked_list(value, "objects_to_interpolate")
    if not items:
        raise InvalidValue("objects_to_interpolate", "must hold at least one id")
    return list(dict.fromkeys(_id(item, f"objects_to_interpolate[{index}]") for index, item in enumerate(items)))


def _times(value: Any, frames: int) -> list[float] | None:
    if value is None:
        return None
    times = checked_list(value, "times")
    if len(times) < frames:
        raise InvalidValue("times", f"must have one for each frame up to the last key frame, which are {frames}")
    for index, item in enumerate(times):
        if type(item) not in (int, float) or not math.isfinite(item):
            raise InvalidValue(f"times[{index}]", "must be a number")
    return times
