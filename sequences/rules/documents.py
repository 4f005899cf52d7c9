"""Label documents of sequences: parse them into tracks, tell what changed, and render every frame again. Pure.

On the wire each frame lists every object in it. In the log there are keyframes. So of an uploaded document
- the first frame of a track, and the first after an absence, are keyframes whatever their flag says; so are those whose
  `is_keyframe` is true;
- a frame that is as we would compute it (equal after rounding to the grid, the flag included) is nothing;
- one that differs is kept, with its values and its flag, until somebody edits it;
- the first frame of an absence is a remove-keyframe.
What was an entry is rendered exactly as it was uploaded, the rest within a step of the grid.

`LabelState.document` is {"skeleton": the document without its objects} (see `bare`, `clock_said`). A frame whose
objects are not listed in the order of the tracks has their numbers in the place of its `annotations`. A label that was
saved before there were tracks holds its document verbatim, and is opened (`opening`) by the first command that changes
it.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import orjson

from labeling.log import values
from labeling.log.event import Fact
from labeling.rules.documents import PART_BYTES, Changes, Document
from labeling.rules.label_state import LabelState
from sequences import events as e
from sequences.rules.geometries import agree, from_wire, to_wire
from sequences.rules.skeletons import (
    BITMAPS,
    SEVERAL,
    bare,
    clock_of,
    frames_of,
    has_tracks,
    places,
    sensors_of,
    skeleton_of,
)
from sequences.rules.timeline import Clock, Entry, Shown, Timeline, Track
from sequences.rules.track_state import ABSENT, in_order

JSON = dict[str, Any]
_KNOWN = {"id", "category_id", "track_id", "attributes", "is_keyframe"}


class Key(NamedTuple):
    """What a document calls an object by. Two in one frame may have one number: the protocol does not say no."""

    sensor: int | None
    number: int
    nth: int = 0


@dataclass(slots=True)
class Sighting:
    """One object at one frame of a document."""

    object_id: int
    category_id: int | None
    geometry: JSON
    exact: bool  #: the geometry came in our own form, not in the protocol's
    flag: bool | None
    rest: JSON  #: attributes and extra, as an entry has them


@dataclass(slots=True)
class SequenceDocument(Document):
    """A checked document: for each object its sightings by frame, and all that is no object."""

    sightings: dict[Key, dict[int, Sighting]] = field(default_factory=dict)
    skeleton: JSON = field(default_factory=dict)
    listed: dict[int | None, list[list[int]]] = field(default_factory=dict)  #: sensor → frame → numbers, as listed


# --- parsing -------------------------------------------------------------------------------------------------------


def parse_tracks(document: JSON, where: str, *, task_type: str) -> SequenceDocument:
    """The tracks of a document of a task type, whose fields were checked.

    Raises:
        InvalidValue: a geometry of ours contradicts the protocol's beside it.
    """
    found = SequenceDocument(verbatim=document)
    found.skeleton = bare(document, sensors=task_type == SEVERAL)
    for place in places(document, where, task_type):
        lists: list[list[int]] = []
        for frame, content in enumerate(place.frames):
            numbers: list[int] = []
            times: Counter[int] = Counter()
            for index, item in enumerate(content["annotations"]):
                spot = f"{place.where}.frames[{frame}].annotations[{index}]"
                key = Key(place.sensor, item["track_id"], times[item["track_id"]])
                times[item["track_id"]] += 1
                sightings = found.sightings.setdefault(key, {})
                sightings[frame] = _sighting(item, spot, drawn=place.task_type != BITMAPS)
                numbers.append(item["track_id"])
            lists.append(numbers)
        found.listed[place.sensor] = lists
    return found


def _sighting(item: JSON, where: str, *, drawn: bool) -> Sighting:
    geometry, keys, exact = from_wire(item, where) if drawn else ({"type": "mask"}, frozenset[str](), False)
    rest: JSON = {"attributes": item["attributes"]} if "attributes" in item else {}
    none = item["category_id"] == 0 and "category" in item and item["category"] is None
    extra = {
        key: value
        for key, value in item.items()
        if key not in _KNOWN and key not in keys and not (none and key == "category")
    }
    if extra:
        rest["extra"] = extra
    return Sighting(
        object_id=item["id"],
        category_id=None if none else item["category_id"],
        geometry=geometry,
        exact=exact,
        flag=item.get("is_keyframe"),
        rest=rest,
    )


# --- from sightings to entries -------------------------------------------------------------------------------------


def _entry(track: Track, seen: Sighting, shown: Shown | None, *, kept: bool) -> Entry:
    """What is set at a frame, as it was sent; where that is how ours is shown, which says more, it is ours."""
    geometry = seen.geometry
    if shown is not None and not seen.exact and "geometry" in to_wire(shown.geometry):
        if agree(shown.geometry, geometry, exact=False):
            geometry = shown.geometry
    entry: Entry = {"geometry": geometry}
    if seen.object_id != track.get("object_id", track["track_id"]):
        entry["object_id"] = seen.object_id
    if seen.category_id != track["category_id"]:
        entry["category_id"] = seen.category_id
    entry |= seen.rest
    if seen.flag is not (not kept):
        entry["flag"] = seen.flag
    if kept:
        entry["kept"] = True
    return entry


def flag_of(track: Track, shown: Shown) -> bool | None:
    """What `is_keyframe` says; None where it is left out."""
    if not shown.own:
        return None if track.get("unflagged") else False
    flag: bool | None = shown.entry.get("flag", not shown.entry.get("kept"))
    return flag


def _agrees(track: Track, shown: Shown, seen: Sighting) -> bool:
    """Whether a sighting is what the track shows at that frame, as far as the document can say."""
    entry = shown.entry
    return (
        seen.flag is flag_of(track, shown)
        and seen.object_id == entry.get("object_id", track.get("object_id", track["track_id"]))
        and seen.category_id == entry.get("category_id", track["category_id"])
        and _same_rest(entry, seen.rest)
        and agree(shown.geometry, seen.geometry, exact=seen.exact)
    )


def _same_rest(entry: Entry, rest: JSON) -> bool:
    if ("attributes" in entry) != ("attributes" in rest):
        return False
    if "attributes" in entry and not values.same(entry["attributes"], rest["attributes"]):
        return False
    # What the protocol does not name is dropped by its SDK, so its absence says nothing.
    return "extra" not in rest or values.same(entry.get("extra"), rest["extra"])


def entries_for(track: Track, sightings: dict[int, Sighting], clock: Clock) -> dict[str, Entry]:
    """The entries with which `track` (as it is, maybe without any) shows exactly these sightings; what need not change
    is the very entry that was there."""
    before = Timeline.of(track)
    shown = {item.frame: item for item in before.shown(clock)}
    if shown.keys() == sightings.keys() and all(
        _agrees(track, shown[frame], seen) for frame, seen in sightings.items()
    ):
        return dict(track["entries"])
    # What is set behind the last frame stays: the document cannot show it.
    marks: dict[int, Entry] = {frame: entry for frame, entry in before.entries.items() if frame >= clock.frames}
    for frame, seen in sightings.items():
        now = shown.get(frame)
        as_it_was = now is not None and _agrees(track, now, seen)
        if as_it_was and frame in before.entries:
            marks[frame] = before.entries[frame]
        elif seen.flag or frame - 1 not in sightings:
            if as_it_was and frame in before.kept and not seen.flag:
                marks[frame] = {key: value for key, value in before.kept[frame].items() if key != "kept"}
                marks[frame]["flag"] = seen.flag
            else:
                marks[frame] = _entry(track, seen, now, kept=False)
        if frame + 1 not in sightings and frame + 1 < clock.frames:
            had = before.entries.get(frame + 1)
            marks[frame + 1] = had if had is not None and had.get("absent") else ABSENT
    ordered = dict(sorted(marks.items()))
    after = Timeline(ordered, {}, list(ordered))
    kept: dict[int, Entry] = {}
    for item in after.shown(clock):
        seen, had = sightings[item.frame], before.kept.get(item.frame)
        if item.frame in ordered:
            continue
        if had is not None and _agrees(track, Shown(item.frame, had["geometry"], had, True), seen):
            kept[item.frame] = had
        elif not _agrees(track, item, seen):
            kept[item.frame] = _entry(track, seen, shown.get(item.frame), kept=True)
    # Nor does it show a second remove-keyframe in one absence, or what was kept where there is nothing now.
    marks |= {
        frame: entry
        for frame, entry in before.entries.items()
        if entry.get("absent") and frame not in marks and not after.is_present(frame)
    }
    kept |= {
        frame: entry
        for frame, entry in before.kept.items()
        if frame not in kept and frame not in marks and not after.is_present(frame)
    }
    return {str(frame): entry for frame, entry in sorted((marks | kept).items())}


def _new_track(key: Key, sightings: dict[int, Sighting], clock: Clock, name: str, order: float) -> JSON:
    """The fields of TrackAdded."""
    first = sightings[min(sightings)]
    flags = {seen.flag for seen in sightings.values()}
    track: Track = {"track_id": key.number, "category_id": first.category_id, "entries": {}}
    added: JSON = {"track": name, "track_id": key.number, "category_id": first.category_id, "order": order}
    if first.object_id != key.number:
        added["object_id"] = track["object_id"] = first.object_id
    if None in flags and False not in flags:
        added["unflagged"] = track["unflagged"] = True
    if key.sensor is not None:
        added["sensor"] = key.sensor
    return added | {"entries": entries_for(track, sightings, clock)}


# --- facts ---------------------------------------------------------------------------------------------------------


def new_name(key: Key) -> str:
    return str(uuid.uuid4())


def first_tracks(state: LabelState, document: SequenceDocument, name: Callable[[Key], str] = new_name) -> list[Fact]:
    """The facts of a first upload: one TracksImported, or several where it is huge."""
    skeleton = document.skeleton
    tracks = []
    for number, (key, sightings) in enumerate(document.sightings.items(), 1):
        order = float(int(state.last_order)) + number
        tracks.append(_new_track(key, sightings, clock_of(skeleton, key.sensor), name(key), order))
    ordered = list(document.sightings)
    listed = _with_order(document, lambda sensor: [key.number for key in ordered if key.sensor == sensor], None)
    return imported(tracks, listed)


def imported(tracks: list[JSON], skeleton: JSON | None) -> list[Fact]:
    """One TracksImported with the tracks (as TrackAdded) and the skeleton, in several parts where it is huge."""
    parts: list[list[JSON]] = [[]]
    size = 0
    for item in tracks:
        weight = len(orjson.dumps(item))
        if size + weight > PART_BYTES and parts[-1]:
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += weight
    return [
        e.TracksImported(tracks=part, part=number, parts=len(parts), document=skeleton if number == 1 else None)
        for number, part in enumerate(parts, 1)
    ]


def track_changes(state: LabelState, document: SequenceDocument) -> Changes:
    """The facts that turn the tracks of `state`, which is opened, into those of `document`; none without a change."""
    changes = Changes()
    document.skeleton |= {key: value for key, value in skeleton_of(state).items() if key == "clock"}
    had: dict[Key, Track] = {}
    for track in in_order(state):
        nth = 0
        while Key(track["sensor"], track["track_id"], nth) in had:
            nth += 1
        had[Key(track["sensor"], track["track_id"], nth)] = track
    skeleton = document.skeleton
    for key, track in had.items():
        if key not in document.sightings and _is_seen(track, skeleton_of(state)):
            changes.removed.append(track | {"id": track["track_id"]})
            changes.facts.append(e.TrackRemoved(track=track["uuid"]))
    order = float(int(state.last_order))
    for key, sightings in document.sightings.items():
        clock = clock_of(skeleton, key.sensor)
        if key in had:
            changes.facts.extend(_track_change(had[key], sightings, clock))
        else:
            order += 1.0
            changes.facts.append(e.TrackAdded(**_new_track(key, sightings, clock, new_name(key), order)))
    known = [key for key in had if key in document.sightings]
    ordered = known + [key for key in document.sightings if key not in had]
    shown = _with_order(document, lambda sensor: [key.number for key in ordered if key.sensor == sensor], state)
    if not values.same((state.document or {}).get("skeleton"), shown):
        changes.facts.append(e.SequenceDocumentSet(document=shown))
    return changes


def _is_seen(track: Track, skeleton: JSON) -> bool:
    """Whether a document shows a track at all: absence does not remove what never was to be seen."""
    return bool(Timeline.of(track).presence(clock_of(skeleton, track["sensor"]).frames))


def _track_change(track: Track, sightings: dict[int, Sighting], clock: Clock) -> list[Fact]:
    facts: list[Fact] = []
    categories = {seen.category_id for seen in sightings.values()}
    if len(categories) == 1 and (category := categories.pop()) != track["category_id"]:
        facts.append(e.TrackRecategorized(track=track["uuid"], category_id=category))
        entries = {
            frame: {key: value for key, value in entry.items() if key != "category_id"}
            for frame, entry in track["entries"].items()
        }
        track = track | {"category_id": category, "entries": entries}
    before, after = track["entries"], entries_for(track, sightings, clock)
    changed = {frame: entry for frame, entry in after.items() if not values.same(before.get(frame), entry)}
    cleared = [int(frame) for frame in before if frame not in after]
    if changed or cleared:
        facts.append(e.TrackFramesSet(track=track["uuid"], entries=changed, cleared=cleared))
    return facts


def _with_order(
    document: SequenceDocument, order_of: Callable[[int | None], list[int]], state: LabelState | None
) -> JSON:
    """The skeleton, with the numbers of the objects in frames that do not list them in the order of the tracks.

    A frame that lists them as `state` shows them says what it said.
    """
    was = {} if state is None else skeleton_of(state)
    shown = {} if state is None else _listed(state)
    for sensor, lists in document.listed.items():
        rank = {number: index for index, number in enumerate(order_of(sensor))}
        frames, before = frames_of(document.skeleton, sensor), frames_of(was, sensor)
        known = shown.get(sensor, [])
        for index, numbers in enumerate(lists):
            if index < len(before) and index < len(known) and known[index] == numbers:
                if "annotations" in before[index]:
                    frames[index]["annotations"] = before[index]["annotations"]
            elif any(rank[a] > rank[b] for a, b in pairwise(numbers)):
                frames[index]["annotations"] = numbers
    return document.skeleton


def _listed(state: LabelState) -> dict[int | None, list[list[int]]]:
    """{sensor: for each frame the numbers of its objects, in the order in which they are shown}."""
    skeleton, found = skeleton_of(state), {}
    for sensor in sensors_of(skeleton):
        frames = frames_of(skeleton, sensor)
        lists: list[list[int]] = [[] for _ in frames]
        for track in in_order(state):
            if track["sensor"] == sensor:
                for first, last in Timeline.of(track).presence(len(frames)):
                    for frame in range(first, last):
                        lists[frame].append(track["track_id"])
        found[sensor] = [
            sorted(numbers, key=_position(frame.get("annotations"))) if "annotations" in frame else numbers
            for numbers, frame in zip(lists, frames, strict=True)
        ]
    return found


def _position(numbers: list[int] | None) -> Callable[[int], int]:
    """Where a number stands in a list, as a key to sort by; those that are not in it stay behind, in their order."""
    places = {number: index for index, number in enumerate(numbers or ())}
    return lambda number: places.get(number, len(places))


# --- rendering -----------------------------------------------------------------------------------------------------


def annotation(track: Track, shown: Shown) -> JSON:
    """An object at a frame, as the protocol shows it."""
    entry = shown.entry
    category = entry.get("category_id", track["category_id"])
    found: JSON = {
        "id": entry.get("object_id", track.get("object_id", track["track_id"])),
        "category_id": 0 if category is None else category,
        "track_id": track["track_id"],
        **to_wire(shown.geometry),
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
            position = _position(head["annotations"])
            items.sort(key=lambda item: position(item["track_id"]))
        found.append(head | {"annotations": items})
    return found


def render_tracks(state: LabelState) -> JSON:
    """The whole document."""
    skeleton = skeleton_of(state)
    rest = skeleton.get("rest", {})
    if "sensors" not in skeleton:
        return rest | {"frames": rendered_frames(state, None)}
    sensors = [
        sensor | {"attributes": sensor["attributes"].get("rest", {}) | {"frames": rendered_frames(state, number)}}
        if has_tracks(sensor)
        else sensor
        for number, sensor in enumerate(skeleton["sensors"])
    ]
    return rest | {"sensors": sensors}


# --- labels from before there were tracks --------------------------------------------------------------------------


def is_verbatim(state: LabelState) -> bool:
    return state.document is not None and "skeleton" not in state.document


def opening(state: LabelState, parsed: SequenceDocument) -> list[Fact]:
    """The facts that turn the verbatim document of a label, parsed, into tracks; the same ids at every reading."""

    def name(key: Key) -> str:
        return str(uuid.uuid5(state.id, f"{state.version}/{key.sensor}/{key.number}/{key.nth}"))

    return first_tracks(state, parsed, name)
