"""From what a document shows of an object to the entries of its track, which show just that again. Pure."""

from __future__ import annotations

from typing import Any

from labeling.log import values
from sequences.rules.documents.rendering import flag_of
from sequences.rules.documents.sightings import Key, Sighting
from sequences.rules.geometries import agree, to_wire
from sequences.rules.timeline import Clock, Entry, Shown, Timeline, Track
from sequences.rules.track_state import ABSENT

JSON = dict[str, Any]


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


def new_track(key: Key, sightings: dict[int, Sighting], clock: Clock, name: str, order: float) -> JSON:
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
