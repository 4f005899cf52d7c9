"""The edits of a sample's frames: what each becomes, and the order of the frames behind all of them. Pure.

A frame is named by its number; behind an earlier edit of the same list it is the number that the frame has by then. A
sample of several sensors has frames of each of them, so that every edit names the `sensor`, by its place in the list.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from labeling import events as e
from labeling.errors import InvalidValue, Refused
from labeling.log import values
from labeling.log.event import Fact
from labeling.rules import sample_frames
from labeling.rules.documents import checked_int, checked_list, checked_object
from labeling.rules.protocol.fields import optional_timestamp
from labeling.rules.protocol.forms import check
from labeling.rules.protocol.samples import SENSOR_TASK_TYPES
from sequences.rules.skeletons import SENSORS, SEVERAL

JSON = dict[str, Any]

#: How many edits one command may hold, and how many frames a sequence.
MOST_EDITS = 10_000
MOST_FRAMES = 100_000


@dataclass(slots=True)
class Sequence:
    """The frames of one sensor while edits go over them: each with its old number, None where it is new."""

    frames: list[JSON]
    order: list[int | None]
    count: int  #: how many there were
    timed: set[int] = field(default_factory=set)  #: old numbers of frames with another time

    @classmethod
    def of(cls, attributes: JSON, sensor: int | None) -> Sequence:
        frames = sample_frames.frames_of(attributes, sensor)
        return cls(frames, list(range(len(frames))), len(frames))

    def heads(self) -> dict[int, JSON]:
        """What documents of labels say of new and of changed frames, by their new numbers."""
        return {
            new: {"timestamp": self.frames[new]["timestamp"]} if self.frames[new].get("timestamp") is not None else {}
            for new, old in enumerate(self.order)
            if old is None or old in self.timed
        }


class FrameEditor:
    """Applies edits of frames one after the other, and collects the facts about the sample."""

    def __init__(self, attributes: JSON, task_type: str) -> None:
        self.attributes, self.task_type = attributes, task_type
        self.facts: list[Fact] = []
        self.sequences: dict[int | None, Sequence] = {}

    def run(self, edits: Any, where: str = "edits") -> list[JSON]:
        """For each edit where its frame is now, and whether that changed anything.

        Raises:
            InvalidValue: the first edit that does not fit, by its field.
            Refused: the labels of that sensor do not follow its frames.
        """
        results = []
        items = checked_list(edits, where)
        if not items:
            raise InvalidValue(where, "must hold at least one edit")
        if len(items) > MOST_EDITS:
            raise InvalidValue(where, f"holds more than {MOST_EDITS} edits; send several requests")
        for index, item in enumerate(items):
            place = f"{where}[{index}]"
            edit = checked_object(item, place)
            known = OPERATIONS.get(edit["op"]) if isinstance(edit.get("op"), str) else None
            if known is None:
                raise InvalidValue(f"{place}.op", f"must be one of {', '.join(OPERATIONS)}")
            operation, names = known
            for name in edit:
                if name not in ("op", "sensor", *names):
                    raise InvalidValue(place, f"may hold {', '.join(('op', 'sensor', *names))} for this op")
            facts = len(self.facts)
            frame = operation(self, edit, place)
            results.append({"changed": len(self.facts) > facts} | ({} if frame is None else {"frame": frame}))
        return results

    # --- what an edit speaks of --------------------------------------------------------------------------------

    def sensor(self, edit: JSON, place: str) -> int | None:
        named = edit.get("sensor")
        if self.task_type != SEVERAL:
            if named is not None:
                raise InvalidValue(f"{place}.sensor", "must be left out, or null: the sample has no sensors")
            return None
        sensors = self.attributes.get("sensors") or ()
        number = checked_int(named, f"{place}.sensor")
        if not 0 <= number < len(sensors):
            raise InvalidValue(f"{place}.sensor", "must be the place of a sensor in the list of the sample's sensors")
        if sensors[number].get("task_type") not in SENSORS:
            raise Refused(f"{place}.sensor: the labels of this sensor are set by whole documents, so PATCH the sample")
        return number

    def sequence(self, sensor: int | None) -> Sequence:
        if sensor not in self.sequences:
            self.sequences[sensor] = Sequence.of(self.attributes, sensor)
        return self.sequences[sensor]

    def frame(self, edit: JSON, place: str, sequence: Sequence, key: str = "frame", *, more: int = 0) -> int:
        frame = checked_int(edit.get(key), f"{place}.{key}")
        if not 0 <= frame < len(sequence.frames) + more:
            raise InvalidValue(f"{place}.{key}", f"must be a frame of the sequence, which has {len(sequence.frames)}")
        return frame

    def tell(self, sequence: Sequence, fact: Fact) -> None:
        self.facts.append(fact)
        sequence.frames = sample_frames.after(sequence.frames, fact)
        if isinstance(fact, e.SampleFramesAdded):
            sequence.order[fact.frame : fact.frame] = [None] * len(fact.frames)
        elif not isinstance(fact, e.SampleFrameTimed):
            sequence.order = sample_frames.after(sequence.order, fact)

    # --- the edits ---------------------------------------------------------------------------------------------

    def append(self, edit: JSON, place: str) -> int | None:
        sensor = self.sensor(edit, place)
        return self._add(edit, place, sensor, len(self.sequence(sensor).frames))

    def insert(self, edit: JSON, place: str) -> int | None:
        """In front of the frame that has the number now; behind the last for the number that the next would have."""
        sensor = self.sensor(edit, place)
        return self._add(edit, place, sensor, self.frame(edit, place, self.sequence(sensor), more=1))

    def _add(self, edit: JSON, place: str, sensor: int | None, frame: int) -> int | None:
        frames = checked_list(edit.get("frames"), f"{place}.frames")
        kind = self.task_type if sensor is None else self.attributes["sensors"][sensor]["task_type"]
        check(SENSOR_TASK_TYPES[kind], {"frames": frames}, place)
        sequence = self.sequence(sensor)
        if len(sequence.frames) + len(frames) > MOST_FRAMES:
            raise InvalidValue(f"{place}.frames", f"would make a sequence of more than {MOST_FRAMES} frames")
        if frames:
            self.tell(sequence, e.SampleFramesAdded(frame=frame, frames=frames, sensor=sensor))
        return frame

    def remove(self, edit: JSON, place: str) -> None:
        sensor = self.sensor(edit, place)
        sequence = self.sequence(sensor)
        frame = self.frame(edit, place, sequence)
        count = 1 if edit.get("count") is None else checked_int(edit["count"], f"{place}.count")
        if not 1 <= count <= len(sequence.frames) - frame:
            raise InvalidValue(f"{place}.count", "must be from 1 to as many frames as there are from that one on")
        self.tell(sequence, e.SampleFramesRemoved(frame=frame, count=count, sensor=sensor))

    def move(self, edit: JSON, place: str) -> int:
        sensor = self.sensor(edit, place)
        sequence = self.sequence(sensor)
        frame = self.frame(edit, place, sequence)
        to = self.frame(edit, place, sequence, "to")
        if to != frame:
            self.tell(sequence, e.SampleFrameMoved(frame=frame, to=to, sensor=sensor))
        return to

    def set_timestamp(self, edit: JSON, place: str) -> int:
        sensor = self.sensor(edit, place)
        sequence = self.sequence(sensor)
        frame = self.frame(edit, place, sequence)
        if "timestamp" not in edit:
            raise InvalidValue(f"{place}.timestamp", "is required; null takes the time away")
        timestamp = edit["timestamp"]
        check(optional_timestamp, timestamp, f"{place}.timestamp")
        if not values.same(sequence.frames[frame].get("timestamp"), timestamp):
            self.tell(sequence, e.SampleFrameTimed(frame=frame, timestamp=timestamp, sensor=sensor))
            old = sequence.order[frame]
            if old is not None:
                sequence.timed.add(old)
        return frame


Operation = tuple[Callable[[FrameEditor, JSON, str], int | None], tuple[str, ...]]
OPERATIONS: dict[str, Operation] = {
    "append": (FrameEditor.append, ("frames",)),
    "insert": (FrameEditor.insert, ("frame", "frames")),
    "remove": (FrameEditor.remove, ("frame", "count")),
    "move": (FrameEditor.move, ("frame", "to")),
    "set_timestamp": (FrameEditor.set_timestamp, ("frame", "timestamp")),
}


def moved_anchor(anchor: JSON, sequence: Sequence) -> JSON:
    """What an issue points at when frames have another order: the same frame, or none where that is gone."""
    frame = anchor.get("frame")
    if type(frame) is not int or not 0 <= frame < sequence.count:
        return anchor
    if frame in sequence.order:
        return anchor | {"frame": sequence.order.index(frame)}
    return {key: value for key, value in anchor.items() if key != "frame"}
