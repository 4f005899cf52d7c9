"""What an edit of a track speaks of: a track, a frame, a number, a geometry. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labeling.errors import AnnotationNotFound, InvalidValue
from labeling.log import values
from labeling.log.event import Fact
from labeling.rules.documents import checked_int, checked_list, checked_object
from labeling.rules.edits.editor import Editor, Outcome
from labeling.rules.edits.outlines import drawn_geometry
from labeling.rules.protocol.forms import check
from labeling.rules.protocol.labels import LABELS, checked_attributes
from sequences.interpolation.blends import CUBOIDS
from sequences.rules.skeletons import BITMAPS, clock_of, skeleton_of
from sequences.rules.timeline import Clock, Track
from sequences.rules.track_state import tracks_of

JSON = dict[str, Any]

#: The forms of geometry of a task type; where none are said, all but UNSHOWN.
FORMS = {
    "pointcloud-cuboid-sequence": CUBOIDS,
    "pointcloud-vector-sequence": (*CUBOIDS, "polygon", "polyline", "point"),
}
#: A document of images cannot show these in a frame, so it could not be uploaded again.
UNSHOWN = (*CUBOIDS, "orientation")
#: What stays as it was when somebody sets a keyframe without saying it.
STEPPED = ("attributes", "category_id", "object_id", "extra")


class Subjects(Editor):
    """Finds what edits of tracks speak of. `open` gives the facts in front of the first one."""

    names = "track"

    def __init__(self, *arguments: Any, task_type: str, open: Callable[..., list[Fact]], **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.task_type = task_type
        self._open: Callable[..., list[Fact]] | None = open
        self._opened = 0

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
            raise AnnotationNotFound(f"{place}.{key}", "track")
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
        if geometry["type"] not in forms if forms else geometry["type"] in UNSHOWN:
            raise InvalidValue(f"{place}.geometry.type", f"must be one that labels of {kind} have")
        return geometry


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


def names_in(edit: JSON, place: str) -> list[str]:
    names = checked_list(edit.get("cleared", []), f"{place}.cleared")
    for index, name in enumerate(names):
        if not isinstance(name, str):
            raise InvalidValue(f"{place}.cleared[{index}]", "must be a string")
    return names


def changed(before: JSON | None, edit: JSON, place: str) -> JSON | None:
    """Attributes after an edit that sets some and clears others."""
    sent = checked_attributes(edit.get("attributes", {}), f"{place}.attributes")
    cleared = names_in(edit, place)
    after = {name: value for name, value in (before or {}).items() if name not in cleared} | sent
    return after if after or before is not None else None
