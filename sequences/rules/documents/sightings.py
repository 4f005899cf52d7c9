"""A checked document of a sequence: where each object was seen. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from labeling.rules.documents import Document
from sequences.rules.geometries import from_wire
from sequences.rules.skeletons import BITMAPS, SEVERAL, bare, places

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
