"""The edits endpoint's rule: a list of edits and a state in, the facts of one atomic command out."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from labeling import events as e
from labeling.errors import AnnotationNotFound, InvalidValue, Refused, StaleBitmap
from labeling.geometry import bitmaps, rle, shapes
from labeling.log import values
from labeling.log.event import Fact
from labeling.rules import label_state, parts
from labeling.rules.documents import attribute_changes, checked_int, checked_list, checked_object, checked_points
from labeling.rules.fold import NOW, Place
from labeling.rules.label_state import STATUSES, Annotation, LabelState
from labeling.rules.protocol.labels import check_scene, checked_attributes

JSON = dict[str, Any]

#: The status that each verb leads to; `override` and `upload` name theirs.
VERBS = {
    "submit": "LABELED",
    "save": "LABELING_IN_PROGRESS",
    "skip": "SKIPPED",
    "accept": "REVIEWED",
    "reject": "REJECTED",
    "verify": "VERIFIED",
    "override": None,
}
#: How many edits one command may hold.
MOST_EDITS = 10_000
#: The most pixels that a bitmap may have.
MOST_PIXELS = 1 << 26
#: How far from zero an order number may be given, so that there is always one above the highest.
MOST_ORDER = 1e9


class Pixels(Protocol):
    """The label's bitmap: read and kept by the command, because that is input and output."""

    def read(self, mask: JSON) -> np.ndarray: ...

    def keep(self, ids: np.ndarray) -> JSON: ...


@dataclass(slots=True)
class Outcome:
    """The facts of a list of edits, and for each edit the annotation that it was about (None for the label itself)."""

    facts: list[Fact] = field(default_factory=list)
    results: list[JSON] = field(default_factory=list)


def references(edits: Any) -> tuple[list[str], list[int], bool]:
    """(uuids, ids, whether all annotations are needed) that a list of edits speaks of; whatever it holds."""
    uuids: set[str] = set()
    ids: set[int] = set()
    everything = False
    for edit in edits if isinstance(edits, list) else []:
        if not isinstance(edit, dict):
            continue
        if edit.get("op") in ("remove", "patch_bitmap", "set_order"):
            everything = True
        for key in ("annotation", "to", "id", "uuid", *parts.referring()):
            value = edit.get(key)
            if type(value) is int:
                ids.add(value)
            elif isinstance(value, str):
                found = _uuid(value)
                if found:
                    uuids.add(found)
        for item in edit["set"] if isinstance(edit.get("set"), list) else []:
            if isinstance(item, dict) and type(item.get("id")) is int:
                ids.add(item["id"])
    return sorted(uuids), sorted(number for number in ids if abs(number) < 1 << 53), everything


def given_uuids(edits: Any) -> set[str]:
    """The uuids that a list of edits, whatever it holds, wants to give to new annotations."""
    said = (edit.get("uuid") for edit in (edits if isinstance(edits, list) else []) if isinstance(edit, dict))
    return {found for text in said if isinstance(text, str) and (found := _uuid(text))}


def verbs(edits: Any) -> set[str]:
    """The verbs by which a list of edits would change the label's status; whatever it holds."""
    said = (edit.get("verb") for edit in (edits if isinstance(edits, list) else []) if isinstance(edit, dict))
    return {verb for verb in said if isinstance(verb, str) and verb in VERBS}


def _uuid(text: str) -> str | None:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


class Editor:
    """Applies edits one after the other to a working copy of the state, and collects the facts.

    An app above has its own, with other operations. `sample` gives the attributes of the label's sample, read only when
    they are asked for.
    """

    names = "annotation"  #: the field by which an edit names what it is about

    def __init__(
        self,
        state: LabelState,
        *,
        author: uuid.UUID,
        has_mask: bool,
        pixels: Pixels,
        gone: frozenset[str] = frozenset(),
        sample: Callable[[], JSON] = dict,
    ) -> None:
        self.state = state.copied()
        self.author = author
        self.has_mask = has_mask
        self.pixels = pixels
        self.sample = sample
        self.gone = set(gone)  #: uuids of annotations that were here before, of those that the edits want to give
        self.outcome = Outcome()
        self.uuid_of = {item["id"]: item["uuid"] for item in state.annotations.values()}
        self.linking: dict[str, dict[str, None]] = {}  #: uuid → those that are linked to it, in order
        for item in state.annotations.values():
            for link in item.get("links", ()):
                self.linking.setdefault(link["to"], {})[item["uuid"]] = None
        self.cleared: list[int] = []  #: ids of removed objects whose pixels are still there
        self.cleared_at = 0  #: which fact the first of them is

    def operations(self) -> Mapping[str, Operation]:
        """What there is to do, and which fields each takes."""
        return OPERATIONS

    def named(self, about: JSON) -> JSON:
        """How an answer names what an edit was about."""
        return {"annotation": about["uuid"], "id": about["id"]}

    def tell(self, fact: Fact, at: int | None = None) -> None:
        """One fact: kept (in front of the fact `at`, or last), and seen by the edits that follow."""
        self.outcome.facts.insert(len(self.outcome.facts) if at is None else at, fact)
        match fact:
            case e.AnnotationAdded():
                self.uuid_of[fact.id] = fact.annotation
            case e.AnnotationRemoved():
                self.gone.add(fact.annotation)
                gone = self.state.annotations[fact.annotation]
                del self.uuid_of[gone["id"]]
                for link in gone.get("links", ()):
                    del self.linking[link["to"]][fact.annotation]
            case e.AnnotationLinkAdded():
                self.linking.setdefault(fact.to, {})[fact.annotation] = None
            case e.AnnotationLinkRemoved():
                del self.linking[fact.to][fact.annotation]
        label_state.evolve(self.state, fact, Place(self.author, NOW, 0, self.state.version + 1))

    def reopen(self) -> None:
        """Take the label's acceptance back, in front of the edits of somebody who may not accept."""
        self.tell(e.LabelStatusChanged(before=self.state.status, after="LABELING_IN_PROGRESS", verb="reopen"))

    def run(self, edits: Any, where: str = "edits") -> Outcome:
        """All edits, or none.

        Raises:
            InvalidValue, AnnotationNotFound, Refused, StaleBitmap: the first edit that does not fit, by its field.
        """
        items = checked_list(edits, where)
        if not items:
            raise InvalidValue(where, "must hold at least one edit")
        if len(items) > MOST_EDITS:
            raise InvalidValue(where, f"holds more than {MOST_EDITS} edits; send several requests")
        operations = self.operations()
        for index, item in enumerate(items):
            place = f"{where}[{index}]"
            edit = checked_object(item, place)
            op = edit.get("op")
            known = operations.get(op) if isinstance(op, str) else None
            if known is None:
                raise InvalidValue(f"{place}.op", f"must be one of {', '.join(operations)}")
            handler, keys = known
            for key in edit:
                if key not in keys and key not in ("op", self.names):
                    raise InvalidValue(f"{place}.{_shown(key)}", f"is not a field of {op}")
            before = len(self.outcome.facts)
            about = handler(self, edit, place)
            result: JSON = {"changed": len(self.outcome.facts) > before}
            if about is not None:
                result |= self.named(about)
            self.outcome.results.append(result)
        self.clear_pixels()
        return self.outcome

    # --- what an edit speaks of --------------------------------------------------------------------------------

    def find(self, edit: JSON, place: str, key: str = "annotation") -> Annotation:
        """The annotation that an edit names by its uuid or its id."""
        named = edit.get(key)
        if type(named) is not int and not isinstance(named, str):
            raise InvalidValue(f"{place}.{key}", "must be the uuid or the id of an annotation")
        found = self.state.annotations.get((_uuid(named) if isinstance(named, str) else self.uuid_of.get(named)) or "")
        if found is None:
            raise AnnotationNotFound(f"{place}.{key}")
        return found

    # --- objects -----------------------------------------------------------------------------------------------

    def add(self, edit: JSON, place: str) -> JSON:
        number = edit.get("id")
        if number is None:
            number = self.state.last_id + 1
            if number > values.MAX_INTEGER:
                raise InvalidValue(f"{place}.id", "is required, because the highest id is in use")
        elif checked_int(number, f"{place}.id") in self.uuid_of:
            raise InvalidValue(
                f"{place}.id", "is used by another annotation of this label; leave it out to get the next one"
            )
        key = edit.get("uuid")
        if key is None:
            key = str(uuid.uuid4())
        elif not isinstance(key, str) or _uuid(key) is None:
            raise InvalidValue(f"{place}.uuid", "must be a uuid")
        else:
            key = _uuid(key)
            if key in self.state.annotations or key in self.gone:
                raise InvalidValue(f"{place}.uuid", "is used by another annotation; uuids are never used twice")
        category_id = edit.get("category_id")
        if category_id is not None:
            checked_int(category_id, f"{place}.category_id")
        drawn = any(name in edit for name in ("geometry", "type", "points"))
        geometry = {"type": "mask"} if self.has_mask and not drawn else drawn_geometry(edit, place)
        item: JSON = {
            "annotation": key,
            "id": number,
            "category_id": category_id,
            "geometry": geometry,
            "order": math.floor(self.state.last_order) + 1.0,
        }
        if edit.get("attributes") is not None:
            item["attributes"] = checked_attributes(edit["attributes"], f"{place}.attributes")
        if edit.get("keypoints") is not None:
            item["keypoints"] = self._keypoints(edit, place, geometry)
        if edit.get("orientation") is not None:
            item["orientation"] = self._orientation(edit, place, geometry)
        elif geometry["type"] == "orientation":
            raise InvalidValue(f"{place}.orientation", "is required for an orientation that stands alone")
        if edit.get("score") is not None:
            item["score"] = _number(edit["score"], f"{place}.score")
        if edit.get("origin") is not None:
            item["origin"] = checked_object(edit["origin"], f"{place}.origin")
        self.tell(e.AnnotationAdded(**item))
        return {"uuid": key, "id": number}

    def remove(self, edit: JSON, place: str) -> JSON:
        item = self.find(edit, place)
        for other in list(self.linking.get(item["uuid"], ())):
            self.tell(e.AnnotationLinkRemoved(annotation=other, to=item["uuid"]))
        if self.has_mask:
            self.cleared_at = self.cleared_at if self.cleared else len(self.outcome.facts)
            self.cleared.append(item["id"])
        self.tell(e.AnnotationRemoved(annotation=item["uuid"]))
        return item

    def clear_pixels(self) -> None:
        """Take the pixels of the objects that were removed out of the bitmap: one patch for all, told before them."""
        mask, numbers = self.state.mask, [number for number in self.cleared if 0 < number <= bitmaps.MAX_ID]
        self.cleared = []
        if numbers and mask and mask.get("hash"):
            ids = self.pixels.read(mask)
            gone = np.isin(ids, np.array(numbers, np.uint32))
            if gone.any():
                self._patch(mask, ids, np.where(gone, np.uint32(0), ids), self.cleared_at)

    def set_geometry(self, edit: JSON, place: str) -> JSON:
        item = self.find(edit, place)
        if item["geometry"]["type"] == "mask":
            raise Refused(f"{place}: the pixels of this object are in the label's bitmap; use patch_bitmap")
        geometry = drawn_geometry(edit, place)
        if geometry["type"] == "orientation" and "orientation" not in item:
            raise InvalidValue(f"{place}.geometry.type", "needs an orientation of the object; set that first")
        if geometry != item["geometry"]:
            self.tell(e.AnnotationGeometrySet(annotation=item["uuid"], geometry=geometry))
        return item

    def set_category(self, edit: JSON, place: str) -> JSON:
        item = self.find(edit, place)
        if "category_id" not in edit:
            raise InvalidValue(f"{place}.category_id", "is required; null takes the category away")
        category_id = edit["category_id"]
        if category_id is not None:
            checked_int(category_id, f"{place}.category_id")
        if category_id != item["category_id"]:
            self.tell(e.AnnotationCategorySet(annotation=item["uuid"], category_id=category_id))
        return item

    def set_attributes(self, edit: JSON, place: str) -> JSON:
        item = self.find(edit, place)
        attributes = checked_attributes(edit.get("attributes"), f"{place}.attributes")
        before = item.get("attributes")
        for fact in attribute_changes(item["uuid"], before, (before or {}) | attributes):
            self.tell(fact)
        return item

    def clear_attributes(self, edit: JSON, place: str) -> JSON:
        item = self.find(edit, place)
        before = item.get("attributes")
        if "names" not in edit:
            after = None
        else:
            names = checked_list(edit["names"], f"{place}.names")
            for index, name in enumerate(names):
                if not isinstance(name, str):
                    raise InvalidValue(f"{place}.names[{index}]", "must be a string")
            after = before and {name: value for name, value in before.items() if name not in names}
        for fact in attribute_changes(item["uuid"], before, after):
            self.tell(fact)
        return item

    def set_keypoints(self, edit: JSON, place: str) -> JSON:
        item = self.find(edit, place)
        keypoints = self._keypoints(edit, place, item["geometry"])
        if not values.same(item.get("keypoints"), keypoints):
            self.tell(e.AnnotationKeypointsSet(annotation=item["uuid"], keypoints=keypoints))
        return item

    def clear_keypoints(self, edit: JSON, place: str) -> JSON:
        item = self.find(edit, place)
        if "keypoints" in item:
            self.tell(e.AnnotationKeypointsCleared(annotation=item["uuid"]))
        return item

    def set_orientation(self, edit: JSON, place: str) -> JSON:
        item = self.find(edit, place)
        orientation = self._orientation(edit, place, item["geometry"])
        if not values.same(item.get("orientation"), orientation):
            self.tell(e.AnnotationOrientationSet(annotation=item["uuid"], orientation=orientation))
        return item

    def clear_orientation(self, edit: JSON, place: str) -> JSON:
        item = self.find(edit, place)
        if item["geometry"]["type"] == "orientation":
            raise Refused(f"{place}: this object is nothing but its orientation; remove it instead")
        if "orientation" in item:
            self.tell(e.AnnotationOrientationCleared(annotation=item["uuid"]))
        return item

    def set_order(self, edit: JSON, place: str) -> JSON:
        item = self.find(edit, place)
        to = edit.get("to")
        others = [other["order"] for other in self.state.annotations.values() if other is not item]
        if to == "front":
            order = item["order"] if item["order"] > max(others, default=-math.inf) else max(others) + 1.0
        elif to == "back":
            order = item["order"] if item["order"] < min(others, default=math.inf) else min(others) - 1.0
        elif isinstance(to, int | float) and type(to) is not bool and abs(to) <= MOST_ORDER:
            order = float(to)
        else:
            raise InvalidValue(f"{place}.to", f"must be front, back or a number from {-MOST_ORDER:g} to {MOST_ORDER:g}")
        if order != item["order"]:
            self.tell(e.AnnotationOrderChanged(annotation=item["uuid"], order=order))
        return item

    def set_score(self, edit: JSON, place: str) -> JSON | None:
        if "score" not in edit:
            raise InvalidValue(f"{place}.score", "is required; null takes the score away")
        score = edit["score"] if edit["score"] is None else _number(edit["score"], f"{place}.score")
        if "annotation" not in edit:
            if score != self.state.score:
                self.tell(e.LabelScoreSet(score=score))
            return None
        item = self.find(edit, place)
        if score != item.get("score"):
            self.tell(e.AnnotationScoreSet(annotation=item["uuid"], score=score))
        return item

    def add_link(self, edit: JSON, place: str) -> JSON:
        item, other = self.find(edit, place), self.find(edit, place, "to")
        if item is other:
            raise InvalidValue(f"{place}.to", "must be another annotation")
        attributes = checked_attributes(edit.get("attributes", {}), f"{place}.attributes")
        link = {"to": other["uuid"], "attributes": attributes}
        if not any(values.same(link, had) for had in item.get("links", [])):
            self.tell(e.AnnotationLinkAdded(annotation=item["uuid"], to=other["uuid"], attributes=attributes))
        return item

    def remove_link(self, edit: JSON, place: str) -> JSON:
        item, other = self.find(edit, place), self.find(edit, place, "to")
        if any(link["to"] == other["uuid"] for link in item.get("links", [])):
            self.tell(e.AnnotationLinkRemoved(annotation=item["uuid"], to=other["uuid"]))
        return item

    # --- the label ---------------------------------------------------------------------------------------------

    def assign_classification(self, edit: JSON, place: str) -> None:
        number = checked_int(edit.get("category_id"), f"{place}.category_id")
        if number not in self.state.classifications:
            self.tell(e.ClassificationAssigned(category_id=number))
            if self.state.default_classification is None:
                self.tell(e.DefaultClassificationSet(category_id=number))
        elif self.state.default_classification != number:
            # Assigning again what is there makes it the default (features.md SS-12b).
            self.tell(e.DefaultClassificationSet(category_id=number))

    def remove_classification(self, edit: JSON, place: str) -> None:
        number = checked_int(edit.get("category_id"), f"{place}.category_id")
        if number in self.state.classifications:
            self.tell(e.ClassificationRemoved(category_id=number))
            if self.state.default_classification == number:
                oldest = self.state.classifications[0] if self.state.classifications else None
                self.tell(e.DefaultClassificationSet(category_id=oldest))

    def set_default_classification(self, edit: JSON, place: str) -> None:
        number = checked_int(edit.get("category_id"), f"{place}.category_id")
        if number not in self.state.classifications:
            raise InvalidValue(f"{place}.category_id", "is not assigned to this image; assign it first")
        if self.state.default_classification != number:
            self.tell(e.DefaultClassificationSet(category_id=number))

    def set_status(self, edit: JSON, place: str) -> None:
        verb = edit.get("verb")
        if not isinstance(verb, str) or verb not in VERBS:
            raise InvalidValue(f"{place}.verb", f"must be one of {', '.join(VERBS)}")
        status = VERBS[verb] or edit.get("status")
        if status not in STATUSES or status == "UNLABELED":
            raise InvalidValue(f"{place}.status", f"must be one of {', '.join(STATUSES[1:])}")
        if status != self.state.status or not self.state.exists:
            before = self.state.status if self.state.exists else None
            self.tell(e.LabelStatusChanged(before=before, after=status, verb=verb))

    def set_scene_attributes(self, edit: JSON, place: str) -> None:
        sent = checked_object(edit.get("attributes"), f"{place}.attributes")
        for key in ("annotations", "segmentation_bitmap", "frames", "sensors", "classifications"):
            if key in sent:
                raise InvalidValue(f"{place}.attributes.{key}", "is not an attribute of the whole image")
        check_scene(sent, f"{place}.attributes")
        scene = {
            key: value
            for key, value in sent.items()
            if (key in self.state.scene if value is None else not values.same(self.state.scene.get(key), value))
        }
        if scene:
            self.tell(e.SceneAttributesSet(scene=scene))

    def patch_bitmap(self, edit: JSON, place: str) -> None:
        if not self.has_mask:
            raise Refused(f"{place}: labels of this dataset have no bitmap")
        self.clear_pixels()
        mask = self.state.mask
        if (mask or {}).get("hash") != edit.get("base_hash"):
            raise StaleBitmap(f"{place}.base_hash")
        if mask and mask["url"] and not mask.get("hash"):
            raise Refused(f"{place}: the pixels of a bitmap on another host are not known here; upload it first")
        before = self.pixels.read(mask) if mask and mask.get("hash") else None
        after = before
        for index, item in enumerate(checked_list(edit.get("set"), f"{place}.set")):
            field_name = f"{place}.set[{index}]"
            part = checked_object(item, field_name)
            number = checked_int(part.get("id"), f"{field_name}.id")
            if number != 0 and number not in self.uuid_of:
                raise AnnotationNotFound(f"{field_name}.id")
            if not 0 <= number <= bitmaps.MAX_ID:
                raise InvalidValue(f"{field_name}.id", f"must be from 0 to {bitmaps.MAX_ID} to have pixels")
            try:
                painted = rle.decode(checked_object(part.get("rle"), f"{field_name}.rle"), max_pixels=MOST_PIXELS)
            except ValueError as error:
                raise InvalidValue(f"{field_name}.rle", str(error)) from error
            if after is None:
                after = np.zeros(painted.shape, np.uint32)
            if painted.shape != after.shape:
                raise InvalidValue(f"{field_name}.rle.size", "is not the size [height, width] of the label's bitmap")
            after = np.where(painted, np.uint32(number), after)
        if after is None:
            raise InvalidValue(f"{place}.set", "must hold at least one part to make a bitmap")
        self._patch(mask, before, after)

    def _patch(self, mask: JSON | None, before: np.ndarray | None, after: np.ndarray, at: int | None = None) -> None:
        changed: list[JSON] = [{**item} for item in bitmaps.changed(before, after)]
        if changed or not mask or not mask.get("hash"):
            kept = self.pixels.keep(after)
            self.tell(e.BitmapPatched(base_hash=(mask or {}).get("hash"), mask=kept, changed=changed), at)

    # --- shapes ------------------------------------------------------------------------------------------------

    def _keypoints(self, edit: JSON, place: str, geometry: JSON) -> list[JSON]:
        if geometry["type"] not in ("bbox", "rbox", "polygon"):
            raise InvalidValue(f"{place}.keypoints", "belong on boxes and polygons only")
        return shapes.checked_keypoints(edit.get("keypoints"), f"{place}.keypoints")

    def _orientation(self, edit: JSON, place: str, geometry: JSON) -> JSON:
        if geometry["type"] not in ("bbox", "rbox", "polygon", "orientation"):
            raise InvalidValue(f"{place}.orientation", "belongs on boxes and polygons, or stands alone")
        return shapes.checked_orientation(edit.get("orientation"), f"{place}.orientation")


def drawn_geometry(edit: JSON, place: str) -> JSON:
    """The geometry of an edit: in our own form, or in the protocol's.

    Raises:
        InvalidValue: it is neither.
    """
    if "geometry" in edit:
        geometry = shapes.checked_geometry(edit["geometry"], where=f"{place}.geometry", lenient=False)
        if geometry["type"] == "mask":
            raise InvalidValue(f"{place}.geometry.type", "a mask is painted with patch_bitmap")
        return geometry
    kind = edit.get("type")
    if kind not in ("bbox", "polygon", "polyline", "point"):
        raise InvalidValue(f"{place}.geometry", "is required (or type and points as the protocol has them)")
    points = checked_points(edit.get("points"), f"{place}.points")
    return shapes.checked_geometry(shapes.from_wire(kind, points), where=f"{place}.points", lenient=False)


def _number(value: Any, where: str) -> float:
    if type(value) not in (int, float):
        raise InvalidValue(where, "must be a number")
    return value


def _shown(key: str) -> str:
    """A key of a request in an error's field: only what looks like a field name is shown."""
    return key if key.isidentifier() and len(key) <= 40 else "?"


Operation = tuple[Callable[[Any, JSON, str], JSON | None], tuple[str, ...]]
OPERATIONS: dict[str, Operation] = {
    "add": (
        Editor.add,
        (
            "id", "uuid", "category_id", "geometry", "type", "points",
            "attributes", "keypoints", "orientation", "score", "origin",
        ),
    ),
    "remove": (Editor.remove, ()),
    "set_geometry": (Editor.set_geometry, ("geometry", "type", "points")),
    "set_category": (Editor.set_category, ("category_id",)),
    "set_attributes": (Editor.set_attributes, ("attributes",)),
    "clear_attributes": (Editor.clear_attributes, ("names",)),
    "set_keypoints": (Editor.set_keypoints, ("keypoints",)),
    "clear_keypoints": (Editor.clear_keypoints, ()),
    "set_orientation": (Editor.set_orientation, ("orientation",)),
    "clear_orientation": (Editor.clear_orientation, ()),
    "set_order": (Editor.set_order, ("to",)),
    "set_score": (Editor.set_score, ("score",)),
    "add_link": (Editor.add_link, ("to", "attributes")),
    "remove_link": (Editor.remove_link, ("to",)),
    "assign_classification": (Editor.assign_classification, ("category_id",)),
    "remove_classification": (Editor.remove_classification, ("category_id",)),
    "set_default_classification": (Editor.set_default_classification, ("category_id",)),
    "set_status": (Editor.set_status, ("verb", "status")),
    "set_scene_attributes": (Editor.set_scene_attributes, ("attributes",)),
    "patch_bitmap": (Editor.patch_bitmap, ("base_hash", "set")),
}  # fmt: skip
