"""The frames of a sample that is a sequence: where its attributes have them, and what happens to them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from labeling import events as e
from labeling.log import values
from labeling.log.event import Fact

JSON = dict[str, Any]


def frames_of(attributes: JSON, sensor: int | None) -> list[JSON]:
    """The frames of a sequence, or of one of its sensors; none where there are none."""
    if sensor is not None:
        sensors = attributes.get("sensors") or ()
        attributes = (sensors[sensor].get("attributes") or {}) if 0 <= sensor < len(sensors) else {}
    return list(attributes.get("frames") or ())


def with_frames(attributes: JSON, sensor: int | None, frames: list[JSON]) -> JSON:
    """The attributes with other frames, on a copy."""
    if sensor is None:
        return attributes | {"frames": frames}
    sensors = list(attributes.get("sensors") or ())
    if not 0 <= sensor < len(sensors):
        return attributes
    sensors[sensor] = sensors[sensor] | {"attributes": (sensors[sensor].get("attributes") or {}) | {"frames": frames}}
    return attributes | {"sensors": sensors}


def timed(frame: JSON, timestamp: Any) -> JSON:
    """A frame (of a sample or of a label) with a time; null takes it away."""
    rest = {key: value for key, value in frame.items() if key != "timestamp"}
    return rest if timestamp is None else rest | {"timestamp": timestamp}


def after(frames: list[Any], fact: Fact) -> list[Any]:
    """The frames after one of FRAME_EVENTS, on a copy."""
    frames = list(frames)
    match fact:
        case e.SampleFramesAdded():
            frames[fact.frame : fact.frame] = fact.frames
        case e.SampleFramesRemoved():
            del frames[fact.frame : fact.frame + fact.count]
        case e.SampleFrameMoved():
            if fact.frame < len(frames):
                frames.insert(fact.to, frames.pop(fact.frame))
        case e.SampleFrameTimed():
            if fact.frame < len(frames):
                frames[fact.frame] = timed(frames[fact.frame], fact.timestamp)
        case _:
            raise TypeError(f"{type(fact).__name__} is about no frame")
    return frames


def sensors_of(attributes: JSON) -> list[int | None]:
    """The sensors of a sample; one None where it is a sequence by itself."""
    sensors = attributes.get("sensors")
    return [None] if not isinstance(sensors, list) else list(range(len(sensors)))


def name_of(attributes: JSON, sensor: int | None) -> str | None:
    """What a sensor is called."""
    if sensor is None:
        return None
    name: str | None = attributes["sensors"][sensor].get("name")
    return name


def renumbered(before: JSON, now: JSON) -> str | None:
    """Why the frames of `now` are not those of `before` one by one; None where they are.

    A picture may be replaced by a better one. More or fewer frames, one that stands where another stood, and another
    time are something else: what was labeled at a frame's number would be at another frame.
    """
    were = {name_of(before, sensor): frames_of(before, sensor) for sensor in sensors_of(before)}
    for sensor in sensors_of(now):
        name = name_of(now, sensor)
        if name not in were:
            continue
        old, new = were[name], frames_of(now, sensor)
        if len(old) != len(new):
            return f"has {len(new)} frames in the place of {len(old)}"
        places: dict[str, int] = {}
        for number, address in enumerate(_addresses(old)):
            places.setdefault(address, number)
        for number, (one, two) in enumerate(zip(_addresses(old), _addresses(new), strict=True)):
            if one != two and places.get(two, number) != number:
                return f"has the frame {places[two]} at {number}"
        for number, (was, frame) in enumerate(zip(old, new, strict=True)):
            if not values.same(was.get("timestamp"), frame.get("timestamp")):
                return f"has another time at frame {number}"
    return None


def _addresses(frames: list[JSON]) -> Iterator[str]:
    """The address of each frame's picture or cloud."""
    for frame in frames:
        file = frame.get("image") or frame.get("pcd")
        yield str(file.get("url", "")) if isinstance(file, dict) else ""
