"""What documents of sequences draw, held against what their dataset asks of shapes in images. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from labeling.log.event import Fact
from labeling.rules.edits.placement import Demands, Size
from labeling.rules.label_state import LabelState
from sequences import events as e
from sequences.rules.track_state import tracks_of

JSON = dict[str, Any]

#: The task type whose frames are images with shapes in them.
SHAPES = "image-vector-sequence"


def check_saved(
    task: str,
    state: LabelState,
    facts: Sequence[Fact],
    *,
    inside: bool,
    ratios: Callable[[], Mapping[int, float]],
    sample: Callable[[], JSON],
    size_of: Callable[[JSON], Size | None],
) -> None:
    """Hold the shapes that a whole document drew against the demands; what was there is never asked.

    Raises:
        InvalidValue: names the frame with a shape outside of its image, or a box of other proportions.
    """
    tracks = tracks_of(state)
    for track, entries in _set(tracks, facts):
        sensor = track["sensor"]
        if _task_of(task, sensor, sample) != SHAPES:
            continue
        had = tracks.get(track["uuid"], {}).get("entries", {})
        before = {frame: entry["geometry"] for frame, entry in had.items() if "geometry" in entry}
        sizes = {size for geometry in before.values() if (size := _size(geometry))}
        for frame, entry in entries.items():
            geometry = entry.get("geometry")
            if geometry is None or geometry == before.get(frame):
                continue
            place = f"attributes.frames[{frame}]"
            if sensor is not None:
                place = f"attributes.sensors[{sensor}].{place}"
            drawn = {"geometry": geometry, "category_id": entry.get("category_id", track["category_id"])}
            size = _size(geometry)
            if size and size not in sizes:  # a box as large as another of its track was moved
                Demands(ratios=ratios).check(place, drawn)
            if inside:
                size_wh = partial(size_of, image_of(sample(), sensor, int(frame)))
                Demands(inside, size_wh).check(place, drawn)


def _set(tracks: Mapping[str, JSON], facts: Sequence[Fact]) -> Iterator[tuple[JSON, dict[str, JSON]]]:
    """(track, the entries that a fact sets in it)."""
    for fact in facts:
        match fact:
            case e.TracksImported():
                for item in fact.tracks:
                    yield _head(item), item["entries"]
            case e.TrackAdded():
                yield _head(fact.plain()), fact.entries
            case e.TrackFramesSet() if fact.track in tracks:
                yield tracks[fact.track], fact.entries


def _head(added: JSON) -> JSON:
    return {"uuid": added["track"], "sensor": added.get("sensor"), "category_id": added["category_id"]}


def _size(geometry: JSON) -> tuple[float, float] | None:
    """How large a box is, to a hundredth of a px; None for other shapes."""
    if geometry["type"] != "bbox" or len(geometry["points"]) != 2:
        return None
    (x0, y0), (x1, y1) = geometry["points"]
    return round(float(x1) - x0, 2), round(float(y1) - y0, 2)  # of numbers so large that this is infinite, too


def _task_of(task: str, sensor: int | None, sample: Callable[[], JSON]) -> Any:
    if sensor is None:
        return task
    sensors = listed(sample().get("sensors"))
    return sensors[sensor].get("task_type") if sensor < len(sensors) else None


def image_of(sample: Any, sensor: int | None, frame: int) -> JSON:
    """What the sample's attributes say of the image of a frame; empty where there is none."""
    if sensor is not None:
        sensors = listed(sample.get("sensors"))
        sample = sensors[sensor].get("attributes") if sensor < len(sensors) else None
    frames = listed(sample.get("frames")) if isinstance(sample, Mapping) else []
    image = frames[frame].get("image") if frame < len(frames) else None
    return image if isinstance(image, dict) else {}


def listed(value: Any) -> list[JSON]:
    return [item if isinstance(item, dict) else {} for item in value] if isinstance(value, list) else []
