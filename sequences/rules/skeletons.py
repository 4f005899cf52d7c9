"""The skeleton of a sequence's label: its document without the objects, and by what time its frames go on. Pure.

It is {"frames": […]} or {"sensors": […]}, with all other keys of the document below `rest`; each frame, and each sensor
with tracks, likewise without its objects. `clock` says what counts between two keyframes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from labeling.log import values
from labeling.rules.label_state import LabelState
from sequences.rules.timeline import Clock

JSON = dict[str, Any]

SEVERAL = "multisensor-sequence"
BITMAPS = "image-segmentation-sequence"  #: the pixels of its objects are in a bitmap of each frame
#: Task types of sensors whose objects are tracks.
SENSORS = {
    "image-vector-sequence",
    "image-segmentation-sequence",
    "pointcloud-cuboid-sequence",
    "pointcloud-vector-sequence",
}


class Place(NamedTuple):
    """The frames of one sensor, or of the whole document."""

    sensor: int | None
    task_type: str
    frames: list[JSON]
    where: str


def places(document: JSON, where: str, task_type: str) -> Iterator[Place]:
    """Where a document has frames with objects; sensors of other kinds are not looked into."""
    if task_type != SEVERAL:
        yield Place(None, task_type, document["frames"], where)
        return
    for number, sensor in enumerate(document["sensors"]):
        if has_tracks(sensor):
            yield Place(
                number, sensor["task_type"], sensor["attributes"]["frames"], f"{where}.sensors[{number}].attributes"
            )


def bare(document: JSON, *, sensors: bool) -> JSON:
    """The skeleton: `frames` or `sensors` without their objects, and all other keys below `rest`."""
    items: list[JSON]
    key = "sensors" if sensors else "frames"
    if sensors:
        items = [
            sensor | {"attributes": bare(sensor["attributes"], sensors=False)} if has_tracks(sensor) else sensor
            for sensor in document["sensors"]
        ]
    else:
        items = [
            {name: value for name, value in frame.items() if name != "annotations"} for frame in document["frames"]
        ]
    rest = {name: value for name, value in document.items() if name != key}
    return {key: items, "rest": rest} if rest else {key: items}


def is_verbatim(state: LabelState) -> bool:
    """Whether a label holds a document from before there were tracks."""
    return state.document is not None and "skeleton" not in state.document


def skeleton_of(state: LabelState) -> JSON:
    """The document without its objects; empty where there is none yet."""
    found: JSON = (state.document or {}).get("skeleton", {})
    return found


def sensors_of(skeleton: JSON) -> list[int | None]:
    """The sensors with tracks; one None where there are no sensors."""
    if "sensors" not in skeleton:
        return [None]
    return [number for number, sensor in enumerate(skeleton["sensors"]) if has_tracks(sensor)]


def has_tracks(sensor: JSON) -> bool:
    """Whether the objects of a sensor are tracks; a sensor without a label has an empty list for its attributes."""
    return isinstance(sensor["attributes"], dict) and sensor.get("task_type") in SENSORS


def frames_of(skeleton: JSON, sensor: int | None) -> list[JSON]:
    """The frames of the skeleton, without their objects."""
    if sensor is None:
        return list(skeleton.get("frames", ()))
    sensors = skeleton.get("sensors", ())
    if sensor >= len(sensors) or not has_tracks(sensors[sensor]):
        return []
    return list(sensors[sensor]["attributes"]["frames"])


def with_frames(skeleton: JSON, sensor: int | None, frames: list[JSON]) -> JSON:
    """The skeleton with other frames, on a copy."""
    if sensor is None:
        return skeleton | {"frames": frames}
    sensors = list(skeleton["sensors"])
    sensors[sensor] = sensors[sensor] | {"attributes": sensors[sensor]["attributes"] | {"frames": frames}}
    return skeleton | {"sensors": sensors}


def clock_of(skeleton: JSON, sensor: int | None) -> Clock:
    """By what time goes on between the keyframes of a sensor; the skeleton's `clock` says it."""
    frames, said = frames_of(skeleton, sensor), skeleton.get("clock", {})
    times = times_of(frames) if said.get("by") == "times" else None
    return Clock(len(frames), times, bool(said.get("extrapolate")), bool(said.get("hold")))


def times_of(frames: list[JSON]) -> list[int | float] | None:
    """The times of frames as numbers; None where one of them has none."""
    found: list[int | float] = []
    for frame in frames:
        time = frame.get("timestamp")
        if isinstance(time, dict):
            time = time.get(values.TAG)  # nanoseconds, which are stored as text
        if isinstance(time, str):
            if not time.isascii() or not time.removeprefix("-").isdigit() or len(time) > 30:
                return None
            time = int(time)
        if type(time) is not int and type(time) is not float:
            return None
        found.append(time)
    return found


def clock_said(settings: JSON) -> JSON:
    """The `clock` of a label that begins now, as the dataset's settings say; kept, so that a later change of a setting
    changes no label. Nothing where frames count by their numbers."""
    said: JSON = {}
    if settings.get("use_timestamps_for_interpolation"):
        said["by"] = "times"
    if settings.get("enable_extrapolation"):
        said["extrapolate"] = True
    if settings.get("enable_interpolation") is False:
        said["hold"] = True
    return {"clock": said} if said else {}
