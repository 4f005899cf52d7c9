"""The track operations of the edits endpoint: what each becomes, and when it is refused. Pure.

A track is named by its uuid or its number (beside `sensor`, where there are several). Editing at a frame that is
computed makes a keyframe there and leaves the neighbours' keyframes alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from labeling.errors import AnnotationNotFound, InvalidValue, Refused
from labeling.log import values
from labeling.log.event import Fact
from labeling.rules.documents import checked_int, checked_list, checked_object
from labeling.rules.edits import MOST_ORDER, OPERATIONS, Editor, Operation, Outcome, drawn_geometry
from labeling.rules.protocol.forms import check
from labeling.rules.protocol.labels import LABELS, checked_attributes
from sequences import events as e
from sequences.interpolation.blends import CUBOIDS
from sequences.rules.skeletons import BITMAPS, clock_of, skeleton_of
from sequences.rules.timeline import Clock, Entry, Timeline, Track
from sequences.rules.track_state import tracks_of

JSON = dict[str, Any]

#: The forms of geometry of a task type; where none are said, all but cuboids.
FORMS = {
    "pointcloud-cuboid-sequence": CUBOIDS,
    "pointcloud-vector-sequence": (*CUBOIDS, "polygon", "polyline", "point"),
}
#: What stays as it was when somebody sets a keyframe without saying it.
_STEPPED = ("attributes", "category_id", "object_id", "extra")


class TrackEditor(Editor):
    """Applies edits of tracks one after the other. `open` gives the facts in front of the first one."""

    names = "track"

    def __init__(self, *arguments: Any, task_type: str, open: Callable[..., list[Fact]], **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.task_type = task_type
        self._open: Callable[..., list[Fact]] | None = open
        self._opened = 0

    def operations(self) -> Mapping[str, Operation]:
        return TRACK_OPERATIONS

    def named(self, about: JSON) -> JSON:
        return {"track": about["uuid"], "track_id": about["track_id"]}

    def run(self, edits: Any, where: str = "edits") -> Outcome:
        outcome = super().run(edits, where)
        if self._opened and len(outcome.facts) == self._opened:
            outcome.facts.clear()  # nothing but the opening, which nobody asked for
        return outcome

    def open(self) -> None:
        """Give the label its frames, and its old document its tracks, before the first edit of a track."""
        if self._open is not None:
            facts, self._open = self._open(self.state, self.sample), None
            self._opened = len(facts)
            for fact in facts:
                self.tell(fact)

    # --- what an edit speaks of --------------------------------------------------------------------------------

    def track(self, edit: JSON, place: str, key: str = "track") -> Track:
        """The track that an edit names.

        Raises:
            InvalidValue: it names none, or a number that several have.
            AnnotationNotFound: there is no such track.
        """
        self.open()
        named = edit.get(key)
        if type(named) is not int and not isinstance(named, str):
            raise InvalidValue(f"{place}.{key}", "must be the uuid or the number of a track")
        sensor = edit.get("sensor")
        found = [
            track
            for track in tracks_of(self.state).values()
            if (track["uuid"] == named.lower() if isinstance(named, str) else track["track_id"] == named)
            and (sensor is None or track["sensor"] == sensor)
        ]
        if not found:
            raise AnnotationNotFound(f"{place}.{key}")
        if len(found) > 1:
            raise InvalidValue(f"{place}.{key}", "is the number of several tracks; name its uuid, or the sensor")
        return found[0]

    def clock(self, sensor: int | None) -> Clock:
        return clock_of(skeleton_of(self.state), sensor)

    def frame(self, edit: JSON, place: str, sensor: int | None, key: str = "frame") -> int:
        frame = checked_int(edit.get(key), f"{place}.{key}")
        count = self.clock(sensor).frames
        if not 0 <= frame < count:
            raise InvalidValue(f"{place}.{key}", f"must be a frame of the sequence, which has {count}")
        return frame

    def number(self, edit: JSON, place: str, sensor: int | None) -> int:
        """A number for a new track, or the one that is wanted."""
        number = edit.get("track_id")
        if number is None:
            number = self.state.last_id + 1
            if number > values.MAX_INTEGER:
                raise InvalidValue(f"{place}.track_id", "is required, because the highest number is in use")
        elif self.has(checked_int(number, f"{place}.track_id"), sensor):
            raise InvalidValue(f"{place}.track_id", "is used by another track; merge the two, or take another number")
        return int(number)

    def has(self, number: int, sensor: int | None) -> bool:
        return any(t["track_id"] == number and t["sensor"] == sensor for t in tracks_of(self.state).values())

    def order(self) -> float:
        return float(int(self.state.last_order)) + 1.0

    def geometry(self, edit: JSON, place: str, sensor: int | None) -> JSON:
        """The geometry of an edit, in a form that the sensor's labels have."""
        kind = self.task_type if sensor is None else skeleton_of(self.state)["sensors"][sensor]["task_type"]
        if kind == BITMAPS:
            for name in ("geometry", "type", "points"):
                if name in edit:
                    raise InvalidValue(f"{place}.{name}", "is not known here: the pixels are in a bitmap of the frame")
            return {"type": "mask"}
        geometry = track_geometry(edit, place)
        forms = FORMS.get(kind)
        if geometry["type"] not in forms if forms else geometry["type"] in CUBOIDS:
            raise InvalidValue(f"{place}.geometry.type", f"must be one that labels of {kind} have")
        return geometry

    # --- tracks ------------------------------------------------------------------------------------------------

    def add_track(self, edit: JSON, place: str) -> JSON:
        self.open()
        sensor = edit.get("sensor")
        skeleton = skeleton_of(self.state)
        if sensor is not None:
            checked_int(sensor, f"{place}.sensor")
        if (sensor is None) == ("sensors" in skeleton) or (sensor is not None and not self.clock(sensor).frames):
            raise InvalidValue(f"{place}.sensor", "must be that of a sensor with frames, or null without sensors")
        number = self.number(edit, place, sensor)
        category_id = edit.get("category_id")
        if category_id is not None:
            checked_int(category_id, f"{place}.category_id")
        frame = self.frame(edit, place, sensor)
        entry: Entry = {"geometry": self.geometry(edit, place, sensor)}
        if edit.get("attributes") is not None:
            entry["attributes"] = checked_attributes(edit["attributes"], f"{place}.attributes")
        origin = None if edit.get("origin") is None else checked_object(edit["origin"], f"{place}.origin")
        key = str(uuid.uuid4())
        self.tell(
            e.TrackAdded(
                track=key,
                track_id=number,
                category_id=category_id,
                entries={str(frame): entry},
                order=self.order(),
                sensor=sensor,
                origin=origin,
            )
        )
        return {"uuid": key, "track_id": number}

    def remove_track(self, edit: JSON, place: str) -> JSON:
        track = self.track(edit, place)
        self.tell(e.TrackRemoved(track=track["uuid"]))
        return track

    def recategorize_track(self, edit: JSON, place: str) -> JSON:
        track = self.track(edit, place)
        if "category_id" not in edit:
            raise InvalidValue(f"{place}.category_id", "is required; null takes the category away")
        category_id = edit["category_id"]
        if category_id is not None:
            checked_int(category_id, f"{place}.category_id")
        if category_id != track["category_id"] or any("category_id" in item for item in track["entries"].values()):
            self.tell(e.TrackRecategorized(track=track["uuid"], category_id=category_id))
        return track

    def renumber_track(self, edit: JSON, place: str) -> JSON:
        track = self.track(edit, place)
        wanted = checked_int(edit.get("track_id"), f"{place}.track_id")
        if wanted != track["track_id"]:
            self.tell(e.TrackRenumbered(track=track["uuid"], track_id=self.number(edit, place, track["sensor"])))
        return track | {"track_id": wanted}

    def order_track(self, edit: JSON, place: str) -> JSON:
        track = self.track(edit, place)
        to = edit.get("to")
        if to == "front":
            order = track["order"] if track["order"] >= self.state.last_order else self.order()
        elif type(to) in (int, float) and to is not None and abs(float(str(to))) <= MOST_ORDER:
            order = float(str(to))
        else:
            raise InvalidValue(f"{place}.to", f"must be front or a number from {-MOST_ORDER:g} to {MOST_ORDER:g}")
        if order != track["order"]:
            self.tell(e.TrackOrderChanged(track=track["uuid"], order=order))
        return track

    def merge_tracks(self, edit: JSON, place: str) -> JSON:
        """The keyframes of `source` become those of `track`; refused where both have one at the same frame."""
        track, source = self.track(edit, place), self.track(edit, place, "source")
        if track is source:
            raise InvalidValue(f"{place}.source", "must be another track")
        if track["sensor"] != source["sensor"]:
            raise InvalidValue(f"{place}.source", "must be a track of the same sensor")
        both = sorted({*Timeline.of(track).keyframes()} & {*Timeline.of(source).keyframes()})
        if both:
            frames = ", ".join(map(str, both[:20]))
            raise Refused(f"{place}: both tracks have keyframes at the same frames ({frames}); delete one of each")
        self.tell(e.TracksMerged(track=track["uuid"], source=source["uuid"]))
        return track

    def split_track(self, edit: JSON, place: str) -> JSON:
        """From `frame` on it is another track; refused where no keyframe lies before, or nothing from there on."""
        track = self.track(edit, place)
        frame = self.frame(edit, place, track["sensor"])
        line = Timeline.of(track)
        if not any(item < frame for item in line.keyframes()):
            raise Refused(f"{place}: the track has no keyframe before this frame, so there is nothing to split off")
        shown = line.at(frame, self.clock(track["sensor"]))
        if shown is None and not any(item >= frame for item in line.keyframes()):
            raise Refused(f"{place}: the object is gone at this frame and does not come back; nothing would be left")
        number = self.number(edit, place, track["sensor"])
        between = shown is not None and frame not in line.entries
        entry = None
        if shown is not None and between:
            entry = {key: value for key, value in shown.entry.items() if key in _STEPPED} | {"geometry": shown.geometry}
        key = str(uuid.uuid4())
        self.tell(
            e.TrackSplit(
                track=track["uuid"],
                frame=frame,
                new_track=key,
                new_track_id=number,
                order=self.order(),
                entry=entry,
                leaves=line.is_present(frame - 1),
            )
        )
        return {"uuid": key, "track_id": number}

    # --- keyframes ---------------------------------------------------------------------------------------------

    def set_keyframe(self, edit: JSON, place: str) -> JSON:
        track = self.track(edit, place)
        frame = self.frame(edit, place, track["sensor"])
        line = Timeline.of(track)
        shown = line.at(frame, self.clock(track["sensor"]))
        drawn = any(name in edit for name in ("geometry", "type", "points"))
        if shown is None and not drawn and line.entries[line.keyframes()[0]]["geometry"]["type"] != "mask":
            raise Refused(f"{place}: the object is not there at this frame; say where it is")
        geometry = self.geometry(edit, place, track["sensor"]) if drawn or shown is None else shown.geometry
        stepped = shown.entry if shown is not None else self._last(line, frame)
        entry: Entry = {"geometry": geometry} | {key: stepped[key] for key in _STEPPED if key in stepped}
        if "attributes" in edit:
            entry["attributes"] = checked_attributes(edit["attributes"], f"{place}.attributes")
        if not values.same(track["entries"].get(str(frame)), entry):
            self.tell(e.KeyframeSet(track=track["uuid"], frame=frame, entry=entry))
            if self.state.settings.get("enable_same_dimensions_track_constraint"):
                self._resize(track, frame, geometry)
        return track

    def _resize(self, track: Track, frame: int, geometry: JSON) -> None:
        """Give all keyframes of a cuboid the size of one, where the dataset wants it."""
        size = geometry.get("dimensions")
        others = {
            at: entry | {"geometry": entry["geometry"] | {"dimensions": size}}
            for at, entry in track["entries"].items()
            if size is not None and at != str(frame) and entry.get("geometry", {}).get("dimensions", size) != size
        }
        if others:
            self.tell(e.TrackFramesSet(track=track["uuid"], entries=others))

    def _last(self, line: Timeline, frame: int) -> Entry:
        """What an object that comes back takes along: the entry of its last keyframe before, or of its first."""
        frames = line.keyframes()
        return line.entries[max((item for item in frames if item < frame), default=frames[0])] if frames else {}

    def _keyframe(self, edit: JSON, place: str) -> tuple[Track, int, Timeline]:
        track = self.track(edit, place)
        frame = self.frame(edit, place, track["sensor"])
        line = Timeline.of(track)
        if frame not in line.entries or line.entries[frame].get("absent"):
            raise InvalidValue(f"{place}.frame", "must be a keyframe of the track")
        return track, frame, line

    def delete_keyframe(self, edit: JSON, place: str) -> JSON:
        track, frame, line = self._keyframe(edit, place)
        if len(line.keyframes()) == 1:
            raise Refused(f"{place}: a track keeps at least one keyframe; remove the track instead")
        self.tell(e.KeyframeDeleted(track=track["uuid"], frame=frame))
        return track

    def move_keyframe(self, edit: JSON, place: str) -> JSON:
        """To a frame at which the object is there, and which is no keyframe."""
        track, frame, line = self._keyframe(edit, place)
        to = self.frame(edit, place, track["sensor"], "to")
        if to == frame:
            return track
        if to in line.entries and not line.entries[to].get("absent"):
            raise Refused(f"{place}: there is a keyframe at that frame; delete it first")
        stretch = next((s for s in line.presence(self.clock(track["sensor"]).frames) if s[0] <= frame < s[1]), None)
        if stretch is None or not stretch[0] <= to < stretch[1]:
            raise InvalidValue(f"{place}.to", "must be a frame at which the object is there, without a gap in between")
        self.tell(e.KeyframeMoved(track=track["uuid"], frame=frame, to=to))
        return track

    def set_keyframe_attributes(self, edit: JSON, place: str) -> JSON:
        """Attributes from this frame on, until the next keyframe."""
        track = self.track(edit, place)
        frame = self.frame(edit, place, track["sensor"])
        line = Timeline.of(track)
        shown = line.at(frame, self.clock(track["sensor"]))
        if shown is None:
            raise Refused(f"{place}: the object is not there at this frame")
        before = shown.entry.get("attributes")
        after = _changed(before, edit, place)
        if values.same(before, after):
            return track
        if frame in line.entries and frame not in line.kept:
            self.tell(e.KeyframeAttributesSet(track=track["uuid"], frame=frame, attributes=after))
        else:
            entry = {key: shown.entry[key] for key in _STEPPED if key in shown.entry} | {"geometry": shown.geometry}
            self.tell(e.KeyframeSet(track=track["uuid"], frame=frame, entry=entry | {"attributes": after}))
        return track

    def set_track_attributes(self, edit: JSON, place: str) -> JSON:
        """Attributes on all frames of the track."""
        track = self.track(edit, place)
        entries = [entry for entry in track["entries"].values() if not entry.get("absent")]
        found = [(entry.get("attributes"), _changed(entry.get("attributes"), edit, place)) for entry in entries]
        if any(not values.same(before, after) for before, after in found):
            attributes = checked_attributes(edit.get("attributes", {}), f"{place}.attributes")
            cleared = sorted(set(_names(edit, place)))
            self.tell(e.TrackAttributesSet(track=track["uuid"], attributes=attributes, cleared=cleared))
        return track

    # --- remove-keyframes --------------------------------------------------------------------------------------

    def set_remove_keyframe(self, edit: JSON, place: str) -> JSON:
        track = self.track(edit, place)
        frame = self.frame(edit, place, track["sensor"])
        line = Timeline.of(track)
        self._after_first(line, frame, place, "frame")
        if line.keyframes() == [frame]:
            raise Refused(f"{place}: a track keeps at least one keyframe; remove the track instead")
        if not line.entries.get(frame, {}).get("absent"):
            self.tell(e.RemoveKeyframeSet(track=track["uuid"], frame=frame))
        return track

    def _after_first(self, line: Timeline, frame: int, place: str, key: str) -> None:
        if not any(item < frame for item in line.keyframes()):
            raise InvalidValue(f"{place}.{key}", "must be behind the first keyframe of the track")

    def _remove_keyframe(self, edit: JSON, place: str) -> tuple[Track, int, Timeline]:
        track = self.track(edit, place)
        frame = self.frame(edit, place, track["sensor"])
        line = Timeline.of(track)
        if not line.entries.get(frame, {}).get("absent"):
            raise InvalidValue(f"{place}.frame", "must be a remove-keyframe of the track")
        return track, frame, line

    def move_remove_keyframe(self, edit: JSON, place: str) -> JSON:
        track, frame, line = self._remove_keyframe(edit, place)
        to = self.frame(edit, place, track["sensor"], "to")
        if to == frame:
            return track
        if to in line.entries:
            raise Refused(f"{place}: there is a keyframe or a remove-keyframe at that frame; delete it first")
        self._after_first(line, to, place, "to")
        self.tell(e.RemoveKeyframeMoved(track=track["uuid"], frame=frame, to=to))
        return track

    def delete_remove_keyframe(self, edit: JSON, place: str) -> JSON:
        track, frame, _ = self._remove_keyframe(edit, place)
        self.tell(e.RemoveKeyframeDeleted(track=track["uuid"], frame=frame))
        return track

    def set_interpolation(self, edit: JSON, place: str) -> None:
        """By what time goes on between keyframes: the frames' times, or their numbers."""
        self.open()
        skeleton = skeleton_of(self.state)
        said: JSON = {}
        if edit.get("by") not in ("times", "frames"):
            raise InvalidValue(f"{place}.by", "must be times or frames")
        if edit["by"] == "times":
            said["by"] = "times"
        for key in ("extrapolate", "hold"):
            if type(edit.get(key, False)) is not bool:
                raise InvalidValue(f"{place}.{key}", "must be true or false")
            if edit.get(key):
                said[key] = True
        if said != skeleton.get("clock", {}):
            rest = {key: value for key, value in skeleton.items() if key != "clock"}
            self.tell(e.SequenceDocumentSet(document=rest | ({"clock": said} if said else {})))

    def set_label_score(self, edit: JSON, place: str) -> JSON | None:
        return self.set_score(edit, place)


def track_geometry(edit: JSON, place: str) -> JSON:
    """The geometry of an edit: in our own form (cuboids too), or in the protocol's.

    Raises:
        InvalidValue: it is neither.
    """
    if "geometry" in edit:
        geometry = checked_object(edit["geometry"], f"{place}.geometry")
        if geometry.get("type") in CUBOIDS:
            known = {"type", "position", "dimensions", "yaw", "rotation"}
            for key in geometry:
                if key not in known:
                    raise InvalidValue(f"{place}.geometry", "of a cuboid has type, position, dimensions, yaw, rotation")
            cloud = {"annotations": [geometry | {"id": 0, "category_id": 0}]}
            try:
                check(LABELS["pointcloud-cuboid"], cloud, "cloud")
            except InvalidValue as error:
                path = error.field.removeprefix("cloud.annotations[0]")
                raise InvalidValue(f"{place}.geometry{path}", error.problem) from None
            return geometry
    return drawn_geometry(edit, place)


def _names(edit: JSON, place: str) -> list[str]:
    names = checked_list(edit.get("cleared", []), f"{place}.cleared")
    for index, name in enumerate(names):
        if not isinstance(name, str):
            raise InvalidValue(f"{place}.cleared[{index}]", "must be a string")
    return names


def _changed(before: JSON | None, edit: JSON, place: str) -> JSON | None:
    """Attributes after an edit that sets some and clears others."""
    sent = checked_attributes(edit.get("attributes", {}), f"{place}.attributes")
    cleared = _names(edit, place)
    after = {name: value for name, value in (before or {}).items() if name not in cleared} | sent
    return after if after or before is not None else None


_SHAPE = ("geometry", "type", "points")
_AT = ("sensor", "frame")
TRACK_OPERATIONS: dict[str, Operation] = {
    "add_track": (TrackEditor.add_track, (*_AT, *_SHAPE, "track_id", "category_id", "attributes", "origin")),
    "remove_track": (TrackEditor.remove_track, ("sensor",)),
    "recategorize_track": (TrackEditor.recategorize_track, ("sensor", "category_id")),
    "renumber_track": (TrackEditor.renumber_track, ("sensor", "track_id")),
    "order_track": (TrackEditor.order_track, ("sensor", "to")),
    "merge_tracks": (TrackEditor.merge_tracks, ("sensor", "source")),
    "split_track": (TrackEditor.split_track, (*_AT, "track_id")),
    "set_track_attributes": (TrackEditor.set_track_attributes, ("sensor", "attributes", "cleared")),
    "set_keyframe": (TrackEditor.set_keyframe, (*_AT, *_SHAPE, "attributes")),
    "move_keyframe": (TrackEditor.move_keyframe, (*_AT, "to")),
    "delete_keyframe": (TrackEditor.delete_keyframe, _AT),
    "set_keyframe_attributes": (TrackEditor.set_keyframe_attributes, (*_AT, "attributes", "cleared")),
    "set_remove_keyframe": (TrackEditor.set_remove_keyframe, _AT),
    "move_remove_keyframe": (TrackEditor.move_remove_keyframe, (*_AT, "to")),
    "delete_remove_keyframe": (TrackEditor.delete_remove_keyframe, _AT),
    "set_interpolation": (TrackEditor.set_interpolation, ("by", "extrapolate", "hold")),
    "set_score": (TrackEditor.set_label_score, ("score",)),
    "set_status": OPERATIONS["set_status"],
}
