"""What each fact does to the tracks of a label, and what it touches. Pure.

A track is a dict in the label's state: uuid, track_id, sensor, category_id, order, entries (frame as text → entry), and
where set object_id, unflagged, origin, lineage (uuids of tracks merged into it). It is never changed in place.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from labeling.log import values
from labeling.log.event import Fact
from labeling.rules.fold import Place
from labeling.rules.label_ids import annotation_key
from labeling.rules.label_state import LabelState
from labeling.rules.parts import Parts
from labeling.rules.touched import WHOLE
from sequences import events as e
from sequences.rules.deeds import deeds
from sequences.rules.runs import moved_along, unrolled
from sequences.rules.skeletons import frames_of, is_verbatim, skeleton_of, with_frames

JSON = dict[str, Any]
Track = dict[str, Any]
Handler = Callable[[LabelState, Any, Place], None]

TABLE = "sequences_track"
ABSENT: JSON = {"absent": True}
ROW_KEYS = ("uuid", "track_id", "sensor", "category_id", "version", "last_offset")


def tracks_of(state: LabelState) -> dict[str, Track]:
    return state.parts.setdefault(TABLE, {})


def in_order(state: LabelState) -> list[Track]:
    """The tracks from bottom to top."""
    return sorted(tracks_of(state).values(), key=lambda track: (track["order"], track["track_id"], track["uuid"]))


def track_row(state: LabelState, label: uuid.UUID, track: Track) -> JSON:
    return {
        "key": annotation_key(label.bytes, track["uuid"]),
        "uuid": track["uuid"],
        "dataset_id": state.dataset,
        "last_offset": track["last_offset"],
        "label_id": label,
        "track_id": track["track_id"],
        "sensor": track["sensor"],
        "category_id": track["category_id"],
        "version": track["version"],
        "data": {key: value for key, value in track.items() if key not in ROW_KEYS},
    }


# --- what each fact does -------------------------------------------------------------------------------------------


def _put(state: LabelState, key: str, place: Place, changes: JSON) -> None:
    old = tracks_of(state).get(key)
    if old is not None:
        tracks_of(state)[key] = old | changes | _stamp(place)


def _stamp(place: Place) -> JSON:
    return {"version": place.version, "by": str(place.author), "last_offset": place.offset}


def _tidied(entries: JSON) -> JSON:
    """Without remove-keyframes before the first keyframe, and in the order of the frames, so that equal tracks are
    equal text."""
    ordered = sorted(entries.items(), key=lambda item: int(item[0]))
    while ordered and ordered[0][1].get("absent"):
        ordered.pop(0)
    return dict(ordered)


def _added(state: LabelState, fact: e.TrackAdded, place: Place) -> None:
    track: Track = {
        "uuid": fact.track,
        "track_id": fact.track_id,
        "sensor": fact.sensor,
        "category_id": fact.category_id,
        "order": fact.order,
        "entries": _tidied(fact.entries),
    }
    if fact.object_id is not None:
        track["object_id"] = fact.object_id
    if fact.unflagged:
        track["unflagged"] = True
    if fact.origin is not None:
        track["origin"] = fact.origin
    tracks_of(state)[fact.track] = track | _stamp(place)
    state.last_id = max(state.last_id, fact.track_id)
    state.last_order = max(state.last_order, fact.order)


def _imported(state: LabelState, fact: e.TracksImported, place: Place) -> None:
    for track in fact.tracks:
        _added(state, e.TrackAdded(**track), place)
    if fact.document is not None:
        state.document = {"skeleton": fact.document}


def _document(state: LabelState, fact: e.SequenceDocumentSet, place: Place) -> None:
    state.document = {"skeleton": fact.document}


def _restored(state: LabelState, fact: e.TrackRestored, place: Place) -> None:
    old = tracks_of(state).get(fact.track, {"uuid": fact.track})
    kept = {name: value for name, value in old.items() if name not in fact.cleared}
    new = tracks_of(state)[fact.track] = kept | fact.fields | _stamp(place)
    state.last_id = max(state.last_id, new["track_id"])
    state.last_order = max(state.last_order, new["order"])


def _removed(state: LabelState, fact: e.TrackRemoved, place: Place) -> None:
    tracks_of(state).pop(fact.track, None)


def _entries(change: Callable[[JSON, Any], None]) -> Handler:
    """A handler that changes a copy of the entries of its track."""

    def handler(state: LabelState, fact: Any, place: Place) -> None:
        old = tracks_of(state).get(fact.track)
        if old is not None:
            entries = dict(old["entries"])
            change(entries, fact)
            _put(state, fact.track, place, {"entries": _tidied(entries)})

    return handler


def _frames_set(entries: JSON, fact: e.TrackFramesSet) -> None:
    for frame in fact.cleared:
        entries.pop(str(frame), None)
    entries.update(fact.entries)


def _rasterized(entries: JSON, fact: e.TrackRasterized) -> None:
    for frame, geometry in fact.geometries.items():
        if frame in entries:
            lost = fact.cleared.get(frame, {}).keys() - {"geometry"}
            kept = {key: value for key, value in entries[frame].items() if key not in lost}
            entries[frame] = kept | {"geometry": geometry}


def _fitted(entries: JSON, fact: e.TrackFitted) -> None:
    for frame, geometry in fact.geometries.items():
        if frame in entries:
            entries[frame] = entries[frame] | {"geometry": geometry}


def _set(entries: JSON, fact: e.KeyframeSet) -> None:
    entries[str(fact.frame)] = fact.entry


def _moved(entries: JSON, fact: e.KeyframeMoved | e.RemoveKeyframeMoved) -> None:
    entry = entries.pop(str(fact.frame), None)
    if entry is not None:
        entries[str(fact.to)] = entry


def _deleted(entries: JSON, fact: e.KeyframeDeleted | e.RemoveKeyframeDeleted) -> None:
    entries.pop(str(fact.frame), None)


def _leaves(entries: JSON, fact: e.RemoveKeyframeSet) -> None:
    entries[str(fact.frame)] = ABSENT


def _attributes(entries: JSON, fact: e.KeyframeAttributesSet) -> None:
    entry = entries.get(str(fact.frame))
    if entry is not None:
        entries[str(fact.frame)] = _with_attributes(entry, fact.attributes)


def _all_attributes(entries: JSON, fact: e.TrackAttributesSet) -> None:
    for frame, entry in entries.items():
        if not entry.get("absent"):
            had = entry.get("attributes")
            kept = {name: value for name, value in (had or {}).items() if name not in fact.cleared}
            after = kept | fact.attributes
            entries[frame] = _with_attributes(entry, after if after or had is not None else None)


def _with_attributes(entry: JSON, attributes: JSON | None) -> JSON:
    rest = {key: value for key, value in entry.items() if key != "attributes"}
    return rest if attributes is None else rest | {"attributes": attributes}


def _recategorized(state: LabelState, fact: e.TrackRecategorized, place: Place) -> None:
    old = tracks_of(state).get(fact.track)
    if old is not None:
        entries = {
            frame: {key: value for key, value in entry.items() if key != "category_id"}
            for frame, entry in old["entries"].items()
        }
        _put(state, fact.track, place, {"category_id": fact.category_id, "entries": entries})


def _renumbered(state: LabelState, fact: e.TrackRenumbered, place: Place) -> None:
    _put(state, fact.track, place, {"track_id": fact.track_id})
    state.last_id = max(state.last_id, fact.track_id)


def _order(state: LabelState, fact: e.TrackOrderChanged, place: Place) -> None:
    _put(state, fact.track, place, {"order": fact.order})
    state.last_order = max(state.last_order, fact.order)


def _merged(state: LabelState, fact: e.TracksMerged, place: Place) -> None:
    track, source = tracks_of(state).get(fact.track), tracks_of(state).get(fact.source)
    if track is None or source is None:
        return
    del tracks_of(state)[fact.source]
    lineage = [*track.get("lineage", []), fact.source, *source.get("lineage", [])]
    _put(state, fact.track, place, {"entries": _tidied(merged_entries(track, source)), "lineage": lineage})


def merged_entries(track: Track, source: Track) -> JSON:
    """The entries of both. A keyframe goes over a remove-keyframe; what a split put at a frame goes with the merge."""
    entries: JSON = dict(track["entries"])
    for frame, entry in source["entries"].items():
        had = entries.get(frame)
        if had is None or had.get("absent") or had.get("kept"):
            if had is not None and had.get("split") and entry.get("split"):
                del entries[frame]
                entries |= {frame: entry["was"]} if "was" in entry else {}
            elif had is None or not entry.get("absent"):
                entries[frame] = entry
    return entries


def _split(state: LabelState, fact: e.TrackSplit, place: Place) -> None:
    old = tracks_of(state).get(fact.track)
    if old is None:
        return
    before = {frame: entry for frame, entry in old["entries"].items() if int(frame) < fact.frame}
    after = {frame: entry for frame, entry in old["entries"].items() if int(frame) >= fact.frame}
    first = min((int(frame) for frame, entry in after.items() if not entry.get("absent")), default=fact.frame)
    for frame in [frame for frame in after if fact.entry is None and int(frame) < first]:
        before[frame] = after.pop(frame)  # the old one stays away, and a new track begins with a keyframe
    if fact.leaves and str(fact.frame) not in before:
        before[str(fact.frame)] = ABSENT | {"split": True}
    if fact.entry is not None:
        had = after.get(str(fact.frame))  # what was kept there, for a merge
        after[str(fact.frame)] = fact.entry | {"split": True} | ({} if had is None else {"was": had})
    _put(state, fact.track, place, {"entries": _tidied(before)})
    new = {key: value for key, value in old.items() if key not in ("object_id", "lineage")}
    tracks_of(state)[fact.new_track] = (
        new
        | {"uuid": fact.new_track, "track_id": fact.new_track_id, "order": fact.order, "entries": _tidied(after)}
        | _stamp(place)
    )
    state.last_id = max(state.last_id, fact.new_track_id)
    state.last_order = max(state.last_order, fact.order)


def _rearranged(state: LabelState, fact: e.FramesRearranged, place: Place) -> None:
    skeleton = skeleton_of(state)
    had = frames_of(skeleton, fact.sensor)
    heads = [{} if old is None or old >= len(had) else had[old] for old in unrolled(fact.frames)]
    for frame, head in fact.heads.items():
        heads[int(frame)] = head
    state.document = {"skeleton": with_frames(skeleton, fact.sensor, heads)}
    for key, track in list(tracks_of(state).items()):
        if track["sensor"] == fact.sensor:
            entries = moved_along(track["entries"], fact) | fact.entries.get(key, {})
            entries = dict(sorted(entries.items(), key=lambda item: int(item[0])))
            if entries != track["entries"]:
                _put(state, key, place, {"entries": _tidied(entries)})


HANDLERS: dict[type[Fact], Handler] = {
    e.FramesRearranged: _rearranged,
    e.TracksImported: _imported,
    e.SequenceDocumentSet: _document,
    e.TrackAdded: _added,
    e.TrackRestored: _restored,
    e.TrackRemoved: _removed,
    e.TrackFramesSet: _entries(_frames_set),
    e.TrackRasterized: _entries(_rasterized),
    e.TrackFitted: _entries(_fitted),
    e.KeyframeSet: _entries(_set),
    e.KeyframeMoved: _entries(_moved),
    e.KeyframeDeleted: _entries(_deleted),
    e.RemoveKeyframeSet: _entries(_leaves),
    e.RemoveKeyframeMoved: _entries(_moved),
    e.RemoveKeyframeDeleted: _entries(_deleted),
    e.KeyframeAttributesSet: _entries(_attributes),
    e.TrackAttributesSet: _entries(_all_attributes),
    e.TrackRecategorized: _recategorized,
    e.TrackRenumbered: _renumbered,
    e.TrackOrderChanged: _order,
    e.TracksMerged: _merged,
    e.TrackSplit: _split,
}


# --- what each fact touches ----------------------------------------------------------------------------------------


def touched(fact: Any, state: LabelState) -> set[str]:
    """Names of what a fact touches: a frame of a track, or with a slash at the end all of the track."""
    match fact:
        case e.TracksImported():
            # What a verbatim document was opened to is what everybody saw in it: that is in nobody's way.
            return set() if is_verbatim(state) else {WHOLE}
        case e.SequenceDocumentSet():
            return {"document"}
        case e.FramesRearranged():
            # Behind the last frame, and another time: every frame has the number that it had.
            same = not fact.before or fact.frames[:1] == [[0, fact.before]]
            stays = same and all(first is None for first, _ in fact.frames[bool(fact.before) :])
            return {"document"} if stays else {WHOLE}
        case e.TrackAdded():
            return {f"track:{fact.track}/", f"id:{fact.sensor}:{fact.track_id}"}
        case e.TrackRestored():
            known = tracks_of(state).get(fact.track, {}) | fact.fields
            number = {f"id:{known.get('sensor')}:{known['track_id']}"} if "track_id" in fact.fields else set()
            return {f"track:{fact.track}/"} | number
        case e.TrackRenumbered():
            sensor = tracks_of(state).get(fact.track, {}).get("sensor")
            return {f"track:{fact.track}/number", f"id:{sensor}:{fact.track_id}"}
        case e.TrackRasterized() | e.TrackFitted():
            return {f"track:{fact.track}/{frame}" for frame in fact.geometries}
        case e.TrackFramesSet():
            # A document was compared with what its author saw. So that it does not take a track's last keyframe when
            # somebody took the others, all of those who took one are in its way.
            takes = bool(fact.cleared) or any(map(_absent, fact.entries.values()))
            fewer = {f"track:{fact.track}/fewer/"} if takes else set()
            return fewer | {f"track:{fact.track}/{frame}" for frame in (*fact.entries, *fact.cleared)}
        case e.KeyframeMoved() | e.RemoveKeyframeMoved():
            return {f"track:{fact.track}/{fact.frame}", f"track:{fact.track}/{fact.to}"}
        case e.KeyframeDeleted() | e.RemoveKeyframeSet():
            return {f"track:{fact.track}/{fact.frame}", f"track:{fact.track}/fewer/{fact.frame}"}
        case e.KeyframeSet() | e.RemoveKeyframeDeleted() | e.KeyframeAttributesSet():
            return {f"track:{fact.track}/{fact.frame}"}
        case e.TrackRecategorized():
            return {f"track:{fact.track}/category"}
        case e.TrackOrderChanged():
            return {f"track:{fact.track}/order"}
        case e.TracksMerged():
            return {f"track:{fact.track}/", f"track:{fact.source}/"}
        case e.TrackSplit():
            sensor = tracks_of(state).get(fact.track, {}).get("sensor")
            return {f"track:{fact.track}/", f"track:{fact.new_track}/", f"id:{sensor}:{fact.new_track_id}"}
        case _:  # the others are about all frames of one track
            return {f"track:{fact.track}/"}


def _absent(entry: JSON) -> bool:
    return bool(entry.get("absent"))


def done(fact: Any, state: LabelState) -> bool:
    """Whether somebody did the very same in the meantime: removed what we want removed, or opened the document."""
    if isinstance(fact, e.TracksImported):
        return state.document is not None and not is_verbatim(state)
    return isinstance(fact, e.TrackRemoved) and fact.track not in tracks_of(state)


# --- back to what it was -------------------------------------------------------------------------------------------


def restored(key: str, now: Track | None, then: Track | None) -> list[Fact]:
    """The facts that make of a track what it was; its keyframes one by one, because there may be thousands."""
    if then is None:
        return [e.TrackRemoved(track=key)]
    if now is None:
        return [e.TrackRestored(track=key, fields={name: value for name, value in then.items() if name != "uuid"})]
    facts: list[Fact] = []
    fields = {n: v for n, v in then.items() if n != "entries" and not values.same(v, now.get(n, then))}
    cleared = sorted(now.keys() - then.keys())
    if fields or cleared:
        facts.append(e.TrackRestored(track=key, fields=fields, cleared=cleared))
    had, has = now["entries"], then["entries"]
    entries = {frame: entry for frame, entry in has.items() if frame not in had or not values.same(entry, had[frame])}
    gone = [int(frame) for frame in had if frame not in has]
    if entries or gone:
        facts.append(e.TrackFramesSet(track=key, entries=entries, cleared=gone))
    return facts


def settled(track: Track) -> Track | None:
    """The track with its entries in order; None where no keyframe is left."""
    entries = _tidied(track["entries"])
    return track | {"entries": entries} if entries else None


TRACKS = Parts(
    name="track",
    table=TABLE,
    number="track_id",
    columns=ROW_KEYS,
    row=track_row,
    handlers=HANDLERS,
    touched=touched,
    done=done,
    restored=restored,
    settled=settled,
    mapped=("entries",),
    unique=("sensor", "track_id"),
    barriers=(e.FramesRearranged,),
    stands=lambda document: document is not None and "skeleton" in document,
    referring=("track", "source", "track_id"),
    of_all=frozenset({"rasterize_track", "fit_track"}),
    deeds=deeds,
)
