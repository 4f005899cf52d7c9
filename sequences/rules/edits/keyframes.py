"""Edits of keyframes and remove-keyframes. Pure."""

from __future__ import annotations

from typing import Any

from labeling.errors import InvalidValue, Refused
from labeling.log import values
from labeling.rules.protocol.labels import checked_attributes
from sequences import events as e
from sequences.rules.edits.subjects import STEPPED, Subjects, changed
from sequences.rules.timeline import Entry, Timeline, Track

JSON = dict[str, Any]


class KeyframeEdits(Subjects):
    """Sets, moves and deletes keyframes and remove-keyframes."""

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
        entry: Entry = {"geometry": geometry} | {key: stepped[key] for key in STEPPED if key in stepped}
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
        after = changed(before, edit, place)
        if values.same(before, after):
            return track
        if frame in line.entries and frame not in line.kept:
            self.tell(e.KeyframeAttributesSet(track=track["uuid"], frame=frame, attributes=after))
        else:
            entry = {key: shown.entry[key] for key in STEPPED if key in shown.entry} | {"geometry": shown.geometry}
            self.tell(e.KeyframeSet(track=track["uuid"], frame=frame, entry=entry | {"attributes": after}))
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
