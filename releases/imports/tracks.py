"""What a sequence of a file makes of a label: its tracks, with their keyframes as they are. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labeling import events as labels
from labeling.errors import InvalidValue
from labeling.geometry import shapes
from labeling.log import values
from labeling.log.event import Fact
from labeling.log.values import BadValue
from labeling.rules.label_state import LabelState
from releases.formats.format import LEFT_OUT
from releases.formats.records import Sample, Track
from releases.imports.bringing import Bringing, head_of, scene_of, status_of
from sequences import events as e
from sequences.rules.documents import imported
from sequences.rules.track_state import in_order
from sequences.task_types import SequenceTask

JSON = dict[str, Any]

_AXES = ("x", "y", "z")
CUBOIDS = ("cuboid", "cuboid-sync")


def facts_of(bringing: Bringing, record: Sample, state: LabelState) -> list[Fact]:
    """The facts by which the label of a sequence becomes what is wished."""
    task = bringing.task
    assert isinstance(task, SequenceTask)
    brought = []
    for nth, track in enumerate(record.tracks, 1):
        said = _track(bringing, track, nth)
        if said is None:
            bringing.counts.annotations_refused += 1
        else:
            brought.append(said)
    if not state.exists:
        return _first(bringing, record, state, brought)
    opened, facts = task.opened(state)
    if opened.document is None:
        facts = task.begun(opened, bringing.sample)
    known: dict[bytes, list[JSON]] = {}
    for item in reversed(in_order(opened)):
        known.setdefault(_same_key(item), []).append(item)
    fresh = []
    for said in brought:
        matching = known.get(_same_key(said))
        if matching:
            matching.pop()
        else:
            fresh.append(said)
    removes = bringing.mode == "override" and bringing.kind.fate("tracks") != LEFT_OUT
    gone = {item["uuid"] for items in known.values() for item in items} if removes else set()
    changes: list[Fact] = [e.TrackRemoved(track=item["uuid"]) for item in in_order(opened) if item["uuid"] in gone]
    taken = {(item["sensor"], item["track_id"]) for item in in_order(opened) if item["uuid"] not in gone}
    changes += [e.TrackAdded(**item) for item in _placed(fresh, taken, state)]
    changes += head_of(bringing, record, state)
    bringing.counts.annotations_added += len(fresh)
    bringing.counts.annotations_unchanged += len(brought) - len(fresh)
    bringing.counts.annotations_removed += len(gone)
    if not changes:
        bringing.counts.labels_unchanged += 1
        return []
    bringing.counts.labels_changed += 1
    return [*facts, *changes]


def _first(bringing: Bringing, record: Sample, state: LabelState, brought: list[JSON]) -> list[Fact]:
    task = bringing.task
    assert isinstance(task, SequenceTask)
    facts: list[Fact] = list(task.begun(state, bringing.sample))
    if brought:
        facts += imported(_placed(brought, set(), state), None)
    scene = scene_of(bringing, record)
    facts += [labels.SceneAttributesSet(scene=scene)] if scene else []
    facts.append(labels.LabelStatusChanged(before=None, after=status_of(bringing, record), verb="upload"))
    if record.score is not None:
        facts.append(labels.LabelScoreSet(score=record.score))
    bringing.counts.labels_added += 1
    bringing.counts.annotations_added += len(brought)
    return facts


def _track(bringing: Bringing, track: Track, nth: int) -> JSON | None:
    """A track as TrackAdded, without its order; None, and told, where it cannot be one."""
    try:
        category = _category(bringing, track.category_id)
        entries = {str(frame): _entry(bringing, entry, frame) for frame, entry in sorted(track.entries.items())}
    except BadValue as error:
        bringing.wrong(f"{error.where}: {error.problem}", nth=nth)
        return None
    except InvalidValue as error:
        bringing.wrong(error.message, nth=nth)
        return None
    if not any("geometry" in entry for entry in entries.values()):
        bringing.wrong("has no keyframe", nth=nth)
        return None
    return {
        "track": bringing.key(nth),
        "track_id": track.track_id,
        "sensor": track.sensor,
        "category_id": category,
        "entries": entries,
        "origin": bringing.origin.common | bringing.origin.of(f"{bringing.number}.{nth}", track),
    }


def _category(bringing: Bringing, number: int | None) -> int | None:
    if number is None:
        return None
    if number not in bringing.categories:
        raise InvalidValue("category", "is none that the dataset has")
    return bringing.categories[number]


def _entry(bringing: Bringing, entry: JSON, frame: int) -> JSON:
    if frame < 0:
        raise InvalidValue("frame", "must be 0 or more")
    if entry.get("absent"):
        return {"absent": True}
    found: JSON = values.checked(
        {key: value for key, value in entry.items() if key != "geometry"}, where=f"frame {frame}"
    )
    geometry = entry.get("geometry")
    found["geometry"] = _geometry(geometry, f"frame {frame} geometry")
    if found.get("category_id") is not None:
        found["category_id"] = _category(bringing, found["category_id"])
    return found


def _geometry(geometry: Any, where: str) -> JSON:
    if not isinstance(geometry, dict) or geometry.get("type") not in CUBOIDS:
        return shapes.checked_geometry(geometry, where=where, lenient=True)
    found: JSON = values.checked(geometry, where=where)
    for name in ("position", "dimensions"):
        point = found.get(name)
        if not isinstance(point, dict) or not all(type(point.get(axis)) in (int, float) for axis in _AXES):
            raise InvalidValue(f"{where}.{name}", "must be an object with the numbers x, y and z")
    if type(found.get("yaw", 0)) not in (int, float):
        raise InvalidValue(f"{where}.yaw", "must be a number")
    return found


def _placed(brought: list[JSON], taken: set[tuple[int | None, int]], state: LabelState) -> list[JSON]:
    """The tracks with their order, and with a number that no other has."""
    used = set(taken)
    highest = max([state.last_id, *(number for _, number in used), *(said["track_id"] for said in brought)], default=0)
    found = []
    for nth, said in enumerate(brought, 1):
        number = said["track_id"]
        if (said["sensor"], number) in used:
            highest += 1
            number = highest
        used.add((said["sensor"], number))
        found.append(said | {"track_id": number, "order": float(int(state.last_order)) + nth})
    return found


def _same_key(item: Mapping[str, Any]) -> bytes:
    """What makes a track of a file and one of a label the same."""
    return values.canonical([item["category_id"], item["sensor"], item["entries"]])
