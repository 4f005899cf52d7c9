"""The facts that a document of a sequence becomes: of a first one, of one that changes a label, of one from before
there were tracks. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import orjson

from labeling.log import values
from labeling.log.event import Fact
from labeling.rules.documents import PART_BYTES, Changes
from labeling.rules.label_state import LabelState
from sequences import events as e
from sequences.rules.documents.entries import entries_for, new_track
from sequences.rules.documents.rendering import position_in
from sequences.rules.documents.sightings import Key, SequenceDocument, Sighting
from sequences.rules.skeletons import clock_of, frames_of, sensors_of, skeleton_of
from sequences.rules.timeline import Clock, Timeline, Track
from sequences.rules.track_state import in_order

JSON = dict[str, Any]


def new_name(key: Key) -> str:
    return str(uuid.uuid4())


def first_tracks(state: LabelState, document: SequenceDocument, name: Callable[[Key], str] = new_name) -> list[Fact]:
    """The facts of a first upload: one TracksImported, or several where it is huge."""
    skeleton = document.skeleton
    tracks = []
    for number, (key, sightings) in enumerate(document.sightings.items(), 1):
        order = float(int(state.last_order)) + number
        tracks.append(new_track(key, sightings, clock_of(skeleton, key.sensor), name(key), order))
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
            changes.facts.append(e.TrackAdded(**new_track(key, sightings, clock, new_name(key), order)))
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
            sorted(numbers, key=position_in(frame.get("annotations"))) if "annotations" in frame else numbers
            for numbers, frame in zip(lists, frames, strict=True)
        ]
    return found


# --- labels from before there were tracks --------------------------------------------------------------------------


def opening(state: LabelState, parsed: SequenceDocument) -> list[Fact]:
    """The facts that turn the verbatim document of a label, parsed, into tracks.

    Their ids are the same at every reading and at every version, so that what somebody read before the first change is
    named by the same after it. They are in the log once at most, because nobody writes verbatim documents any more.
    """

    def name(key: Key) -> str:
        return str(uuid.uuid5(state.id, f"{key.sensor}/{key.number}/{key.nth}"))

    return first_tracks(state, parsed, name)
