"""What differs between two states of a track: its keyframes, frame by frame, and where it came from or went. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labeling.log import values
from labeling.rules.label_state import LabelState
from releases.comparing.overlaps import Read, of_pixels, overlap
from sequences.rules.skeletons import frames_of, sensors_of, skeleton_of
from sequences.rules.track_state import tracks_of

JSON = dict[str, Any]
#: {new track: (the track that it was split from, the frame)}
Splits = Mapping[str, tuple[str, int]]

#: Of one track, so many keyframes are measured; all that changed are listed.
MOST_MEASURED = 500
#: Which kind of change the field of a keyframe is.
KINDS = {"geometry": "geometry", "attributes": "attributes", "category_id": "category"}


def keyframes(before: JSON, after: JSON) -> tuple[JSON, set[str]]:
    """(what differs between the entries of two states of a track, the kinds of change in it)."""
    found: JSON = {"added": [], "removed": [], "changed": [], "leaves": [], "stays": []}
    kinds: set[str] = set()
    measured = 0
    for frame in sorted({*before, *after}, key=int):
        had, has = before.get(frame), after.get(frame)
        if had is has or (had is not None and has is not None and values.same(had, has)):
            continue
        was, here = _is_there(had), _is_there(has)
        if was and here:
            change, measures = _changed(had or {}, has or {}, measured < MOST_MEASURED)
            measured += measures
            found["changed"].append({"frame": int(frame), **change})
            kinds.update(change["kinds"])
            continue
        kinds.add("keyframes")
        if was or here:
            found["removed" if was else "added"].append(int(frame))
        if (had or {}).get("absent") and not (has or {}).get("absent"):
            found["stays"].append(int(frame))
        if (has or {}).get("absent") and not (had or {}).get("absent"):
            found["leaves"].append(int(frame))
    return {name: frames for name, frames in found.items() if frames}, kinds


def _is_there(entry: JSON | None) -> bool:
    return entry is not None and not entry.get("absent")


def _changed(had: JSON, has: JSON, may_measure: bool) -> tuple[JSON, int]:
    differ = [
        name for name in {*had, *has} if name not in had or name not in has or not values.same(had[name], has[name])
    ]
    change: JSON = {"kinds": sorted({KINDS.get(name, "keyframes") for name in differ})}
    if "geometry" not in differ or not may_measure:
        return change, 0
    measures = overlap(had["geometry"], has["geometry"]) if "geometry" in had and "geometry" in has else None
    return change | ({"geometry": measures} if measures else {}), 1


def relations(one: LabelState, other: LabelState, splits: Splits) -> dict[str, JSON]:
    """{track: {"split_from": …} or {"merged_into": …}} of the tracks that only one of two states holds.

    Splits are known by their events, merges by what a track says of itself; in the order of time a track that is new
    was split off, and one that is gone was merged. Read backwards, a split is a merge.
    """
    ones, others = tracks_of(one), tracks_of(other)
    found: dict[str, JSON] = {}
    for name, here, there in (("split_from", others, ones), ("merged_into", ones, others)):
        grown = {
            key: number
            for number, track in there.items()
            for key in track.get("lineage", ())
            if key not in here.get(number, {}).get("lineage", ())
        }
        for key in here.keys() - there.keys():
            parent, frame = splits.get(key) or (grown.get(key, ""), None)
            if parent in there:
                found[key] = {name: {"track": parent, "track_id": there[parent]["track_id"], "frame": frame}}
    return found


def painted(one: LabelState, other: LabelState, read: Read) -> dict[str, list[JSON]]:
    """{track: [{frame, kinds, geometry}]} of the frames whose bitmaps show a track otherwise than before."""
    found: dict[str, list[JSON]] = {}
    skeletons = skeleton_of(one), skeleton_of(other)
    both = [(ones, tracks_of(other)[key]) for key, ones in sorted(tracks_of(one).items()) if key in tracks_of(other)]
    for sensor in sensors_of(skeletons[1]):
        frames = frames_of(skeletons[0], sensor), frames_of(skeletons[1], sensor)
        for number, (had, has) in enumerate(zip(*frames, strict=False)):
            masks = had.get("segmentation_bitmap"), has.get("segmentation_bitmap")
            if not masks[0] or not masks[1] or masks[0] == masks[1]:
                continue
            changed = of_pixels(read(masks[0]), read(masks[1]))
            for before, after in both:
                ids = _drawn_as(before, number, sensor), _drawn_as(after, number, sensor)
                if ids[0] is not None and ids[0] == ids[1] and ids[0] in changed:
                    change = {"frame": number, "kinds": ["geometry"], "geometry": changed[ids[0]]}
                    found.setdefault(before["uuid"], []).append(change)
    return found


def _drawn_as(track: JSON, frame: int, sensor: int | None) -> int | None:
    """The number by which a frame's bitmap shows a track; None where it does not."""
    entry = track["entries"].get(str(frame))
    if track["sensor"] != sensor or entry is None or (entry.get("geometry") or {}).get("type") != "mask":
        return None
    number: int = entry.get("object_id", track.get("object_id", track["track_id"]))
    return number
