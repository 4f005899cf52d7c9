"""Edits of whole tracks. Pure."""

from __future__ import annotations

import uuid
from typing import Any

from labeling.errors import InvalidValue, Refused
from labeling.log import values
from labeling.rules.documents import checked_int, checked_object
from labeling.rules.edits.objects import MOST_ORDER
from labeling.rules.protocol.labels import checked_attributes
from sequences import events as e
from sequences.rules.edits.subjects import STEPPED, Subjects, changed, names_in
from sequences.rules.skeletons import skeleton_of
from sequences.rules.timeline import Entry, Timeline

JSON = dict[str, Any]


class TrackEdits(Subjects):
    """Adds, removes, merges and splits tracks, and sets what holds for all of their frames."""

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
            entry = {key: value for key, value in shown.entry.items() if key in STEPPED} | {"geometry": shown.geometry}
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

    def set_track_attributes(self, edit: JSON, place: str) -> JSON:
        """Attributes on all frames of the track."""
        track = self.track(edit, place)
        entries = [entry for entry in track["entries"].values() if not entry.get("absent")]
        found = [(entry.get("attributes"), changed(entry.get("attributes"), edit, place)) for entry in entries]
        if any(not values.same(before, after) for before, after in found):
            attributes = checked_attributes(edit.get("attributes", {}), f"{place}.attributes")
            cleared = sorted(set(names_in(edit, place)))
            self.tell(e.TrackAttributesSet(track=track["uuid"], attributes=attributes, cleared=cleared))
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
