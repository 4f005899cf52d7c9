"""Label documents whose objects we keep one by one: parse, render, and the events of what really changed.

A document cannot say everything that we know. So each incoming object is compared with our own rendering of that
object: equal means untouched, and keeps what the protocol cannot say (holes, parts, keypoints, order); a changed
geometry is replaced by what was sent, and what was lost with it is reported. What is never shown is never removed by
absence.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from labeling import events as e
from labeling.errors import InvalidValue
from labeling.geometry import rle, shapes
from labeling.log import values
from labeling.log.event import Fact
from labeling.rules.label_state import Annotation, LabelState
from labeling.rules.order import new_orders
from labeling.rules.protocol.forms import check
from labeling.rules.protocol.labels import check_scene, checked_attributes, pairs

JSON = dict[str, Any]

WIRE_TYPES = ("bbox", "polygon", "polyline", "point")
#: Keys of an object on the wire that mean something to us; all others are kept verbatim.
KNOWN_KEYS = {
    "id", "category_id", "type", "points", "attributes",
    "uuid", "category", "geometry", "keypoints", "orientation", "score", "origin", "order", "links_to",
    "bitmap_hash",
}  # fmt: skip
#: Stored JSON of one event stays below this, so that a huge import is several events.
PART_BYTES = 1_000_000


@dataclass(slots=True)
class Wire:
    """One object of a document, checked."""

    id: int
    category_id: int
    geometry: JSON
    attributes: JSON | None = None
    extra: JSON = field(default_factory=dict)
    rich: JSON = field(default_factory=dict)
    exact: bool = False  #: the geometry came in our own form, not in the protocol's


@dataclass(slots=True)
class Document:
    """A checked label document: its objects, what holds for the whole image, and its bitmap (a url, or null)."""

    objects: list[Wire] = field(default_factory=list)
    scene: JSON = field(default_factory=dict)
    mask_url: str | None = None
    has_mask: bool = False
    verbatim: JSON | None = None


@dataclass(slots=True)
class Changes:
    """The facts of a save, and for each object id what the protocol could not carry and was lost."""

    facts: list[Fact] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    removed: list[Annotation] = field(default_factory=list)


def checked_object(value: Any, where: str) -> JSON:
    if not isinstance(value, dict):
        raise InvalidValue(where, "must be an object")
    return value


def checked_list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidValue(where, "must be a list")
    return value


def checked_int(value: Any, where: str) -> int:
    if type(value) is not int:
        raise InvalidValue(where, "must be a whole number")
    return value


def parse_objects(document: JSON, where: str, *, masks: bool) -> Document:
    """The checked form of a document with `annotations`; `masks` says that geometry is the label's bitmap.

    Raises:
        InvalidValue: names the first field that does not fit.
    """
    found = Document()
    if "annotations" not in document:
        raise InvalidValue(f"{where}.annotations", "is required")
    seen: set[int] = set()
    for index, item in enumerate(checked_list(document["annotations"], f"{where}.annotations")):
        place = f"{where}.annotations[{index}]"
        wire = _parse_object(checked_object(item, place), place, masks=masks)
        if wire.id in seen:
            raise InvalidValue(f"{place}.id", "is used by another annotation of this label; ids must be unique")
        seen.add(wire.id)
        found.objects.append(wire)
    check_scene(document, where)
    skipped = {"annotations"} | ({"segmentation_bitmap"} if masks else set()) | {"classifications"}
    found.scene = {key: value for key, value in document.items() if key not in skipped and value is not None}
    if masks:
        bitmap = document.get("segmentation_bitmap")
        if bitmap is not None:
            bitmap = checked_object(bitmap, f"{where}.segmentation_bitmap")
            url = bitmap.get("url")
            if url is not None and not isinstance(url, str):
                raise InvalidValue(f"{where}.segmentation_bitmap.url", "must be a string")
            found.mask_url, found.has_mask = url or None, True
    return found


def _parse_object(item: JSON, place: str, *, masks: bool) -> Wire:
    for key in ("id", "category_id"):
        if key not in item:
            raise InvalidValue(f"{place}.{key}", "is required")
    attributes = item.get("attributes")
    if attributes is not None:
        checked_attributes(attributes, f"{place}.attributes")
    geometry: JSON
    exact = False
    if masks:
        geometry = {"type": "mask"}
    elif item.get("geometry") is not None:
        geometry, exact = _exact_geometry(item, place), True
    else:
        kind = item.get("type")
        if kind not in WIRE_TYPES:
            raise InvalidValue(f"{place}.type", f"must be one of {', '.join(WIRE_TYPES)}")
        points = checked_points(item.get("points"), f"{place}.points")
        geometry = shapes.from_wire(kind, points)
        if kind == "bbox" and len(points) != 2:
            raise InvalidValue(f"{place}.points", "a bbox has two points: top left and bottom right")
    rich: JSON = {}
    if item.get("keypoints") is not None:
        rich["keypoints"] = shapes.checked_keypoints(item["keypoints"], f"{place}.keypoints")
    if item.get("orientation") is not None:
        rich["orientation"] = shapes.checked_orientation(item["orientation"], f"{place}.orientation")
    if item.get("score") is not None:
        if type(item["score"]) not in (int, float):
            raise InvalidValue(f"{place}.score", "must be a number")
        rich["score"] = item["score"]
    if item.get("origin") is not None:
        rich["origin"] = checked_object(item["origin"], f"{place}.origin")
    return Wire(
        id=checked_int(item["id"], f"{place}.id"),
        category_id=checked_int(item["category_id"], f"{place}.category_id"),
        geometry=geometry,
        attributes=attributes,
        extra={key: value for key, value in item.items() if key not in KNOWN_KEYS},
        rich=rich,
        exact=exact,
    )


def _exact_geometry(item: JSON, place: str) -> JSON:
    """The geometry in our own form, which must not contradict what the object says in the protocol's."""
    geometry = shapes.checked_geometry(item["geometry"], where=f"{place}.geometry", lenient=True)
    if geometry["type"] == "mask":
        raise InvalidValue(f"{place}.geometry.type", "belongs to labels with a bitmap")
    if geometry["type"] == "orientation" and item.get("orientation") is None:
        raise InvalidValue(f"{place}.orientation", "is required for an orientation that stands alone")
    if item.get("points") is not None and shapes.to_wire(geometry) != (item.get("type"), item["points"]):
        raise InvalidValue(f"{place}.points", "must be those of the geometry; send the one of the two that you changed")
    return geometry


def checked_points(value: Any, where: str) -> list[list[float]]:
    """A list of [x, y] pairs, as sent. Any length: what a shape needs is the shape's affair."""
    check(pairs, value, where)
    return cast(list[list[float]], value)


# --- rendering -----------------------------------------------------------------------------------------------------


def render_object(item: Annotation) -> JSON | None:
    """An annotation as the protocol shows it, with our own fields beside; None for what it cannot show at all.

    An annotation without a category has category_id 0 on the wire, and `category` null beside it.
    """
    geometry = item["geometry"]
    category_id = item["category_id"]
    rendered: JSON = {"id": item["id"], "category_id": 0 if category_id is None else category_id}
    if geometry["type"] != "mask":
        wire = shapes.to_wire(geometry)
        if wire is None:
            return None
        rendered["type"], rendered["points"] = wire
        if shapes.keeps(geometry) or geometry["type"] not in WIRE_TYPES:
            rendered["geometry"] = geometry
        if geometry["type"] == "bitmap":
            rendered["bitmap_hash"] = rle.hash_of_runs(geometry["rle"])
    for key in ("attributes", "keypoints", "orientation", "score", "origin"):
        if key in item:
            rendered[key] = item[key]
    if "links" in item:
        rendered["links_to"] = item["links"]
    if category_id is None:
        rendered["category"] = None
    rendered["uuid"] = item["uuid"]
    if "extra" in item:
        rendered.update(item["extra"])
    return rendered


def render_objects(state: LabelState) -> JSON:
    """The document of a label whose objects we keep one by one."""
    document: JSON = dict(state.scene)
    document["annotations"] = [item for item in map(render_object, state.in_order()) if item is not None]
    if state.classifications:
        document["classifications"] = [
            {"category_id": item, "default": item == state.default_classification} for item in state.classifications
        ]
    return document


# --- what changed --------------------------------------------------------------------------------------------------


def first_import(
    state: LabelState, document: Document, *, status: str, score: float | None, mask: JSON | None
) -> list[Fact]:
    """The facts of a first upload."""
    orders = new_orders([None] * len(document.objects), state.last_order)
    objects = [added(wire, order) for wire, order in zip(document.objects, orders, strict=True)]
    return imported(objects, scene=document.scene, mask=mask, status=status, score=score)


def imported(objects: list[JSON], *, origin: JSON | None = None, is_small: bool = False, **head: Any) -> list[Fact]:
    """One LabelImported with the objects (as AnnotationAdded) and `head`, in several parts where it is huge.

    `origin` is what their origins have in common. Who knows that the objects fit into one says that they are small, so
    that they are not written out to be measured.
    """
    parts: list[list[JSON]] = [objects] if is_small or len(orjson.dumps(objects)) <= PART_BYTES else [[]]
    size = 0
    for item in objects if not parts[0] else ():
        weight = len(orjson.dumps(item))
        if size + weight > PART_BYTES and parts[-1]:
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += weight
    facts: list[Fact] = []
    for number, part in enumerate(parts, 1):
        first = head if number == 1 else {}
        shared = origin if origin and part else {}
        facts.append(e.LabelImported(annotations=part, part=number, parts=len(parts), origin=shared, **first))
    return facts


def added(wire: Wire, order: float, annotation: str | None = None) -> JSON:
    """The fields of AnnotationAdded for an object of a document."""
    item: JSON = {
        "annotation": annotation or str(uuid.uuid4()),
        "id": wire.id,
        "category_id": wire.category_id,
        "geometry": wire.geometry,
        "order": order,
    }
    if wire.attributes is not None:
        item["attributes"] = wire.attributes
    if wire.extra:
        item["extra"] = wire.extra
    return item | wire.rich


def object_changes(state: LabelState, document: Document) -> Changes:
    """The facts that turn the objects of `state` into those of `document`; none when nothing really changed."""
    changes = Changes()
    by_id = {item["id"]: item for item in state.annotations.values()}
    sent = {wire.id for wire in document.objects}
    ordered = state.in_order()
    changes.removed = [item for item in ordered if item["id"] not in sent and item["geometry"]["type"] != "orientation"]
    gone = {item["uuid"] for item in changes.removed}
    for item in ordered if gone else ():
        for link in item.get("links", ()):
            if link["to"] in gone and item["uuid"] not in gone:
                changes.facts.append(e.AnnotationLinkRemoved(annotation=item["uuid"], to=link["to"]))
    changes.facts.extend(e.AnnotationRemoved(annotation=item["uuid"]) for item in changes.removed)
    wanted = [(by_id[wire.id]["order"], wire.id) if wire.id in by_id else None for wire in document.objects]
    orders = new_orders(wanted, state.last_order)
    for wire, had, order in zip(document.objects, wanted, orders, strict=True):
        if had is None:
            changes.facts.append(e.AnnotationAdded(**added(wire, order)))
            continue
        item = by_id[wire.id]
        changes.facts.extend(_object_change(item, wire, changes.lost))
        if order != had[0]:
            changes.facts.append(e.AnnotationOrderChanged(annotation=item["uuid"], order=order))
    scene = scene_change(state.scene, document.scene)
    if scene:
        changes.facts.append(e.SceneAttributesSet(scene=scene))
    return changes


def scene_change(before: JSON, after: JSON) -> JSON:
    """The keys to set, and with null the keys to remove."""
    changed: JSON = {
        key: value for key, value in after.items() if key not in before or not values.same(before[key], value)
    }
    return changed | {key: None for key in before if key not in after}


def _object_change(item: Annotation, wire: Wire, lost: list[str]) -> list[Fact]:
    key = item["uuid"]
    facts: list[Fact] = []
    shown = 0 if item["category_id"] is None else item["category_id"]
    if wire.category_id != shown:
        facts.append(e.AnnotationCategorySet(annotation=key, category_id=wire.category_id))
    if not _same_shape(item["geometry"], wire):
        facts.append(e.AnnotationGeometrySet(annotation=key, geometry=wire.geometry))
        words = [] if wire.exact else [word for word in shapes.keeps(item["geometry"]) if word]
        for optional, cleared in (
            ("keypoints", e.AnnotationKeypointsCleared),
            ("orientation", e.AnnotationOrientationCleared),
        ):
            if optional in item and optional not in wire.rich:
                facts.append(cleared(annotation=key))
                words.append(optional)
        if words:
            lost.append(f"{item['id']}:{'+'.join(dict.fromkeys(words))}")
    facts.extend(attribute_changes(key, item.get("attributes"), wire.attributes))
    for name, fact in (
        ("keypoints", e.AnnotationKeypointsSet),
        ("orientation", e.AnnotationOrientationSet),
        ("score", e.AnnotationScoreSet),
        ("origin", e.AnnotationOriginSet),
    ):
        if name in wire.rich and not values.same(item.get(name), wire.rich[name]):
            facts.append(fact(annotation=key, **{name: wire.rich[name]}))
    if wire.extra and not values.same(item.get("extra"), wire.extra):
        facts.append(e.AnnotationExtraSet(annotation=key, extra=wire.extra))
    return facts


def _same_shape(geometry: JSON, wire: Wire) -> bool:
    if wire.geometry["type"] == "mask":
        return True  # an object of a bitmap's document says nothing of a shape that was drawn beside the bitmap
    if wire.exact or geometry["type"] == wire.geometry["type"]:
        if geometry == wire.geometry:
            return True
        if wire.exact:
            return False
    return shapes.to_wire(geometry) == shapes.to_wire(wire.geometry)


def attribute_changes(key: str, before: JSON | None, after: JSON | None) -> list[Fact]:
    """The facts that turn the attributes `before` into `after`; None means that the object has none at all."""
    if after is None:
        return [] if before is None else [e.AnnotationAttributesCleared(annotation=key, names=sorted(before), all=True)]
    had = before or {}
    facts: list[Fact] = []
    gone = sorted(name for name in had if name not in after)
    if gone:
        facts.append(e.AnnotationAttributesCleared(annotation=key, names=gone))
    changed = {name: value for name, value in after.items() if name not in had or not values.same(had[name], value)}
    if changed or before is None:
        facts.append(e.AnnotationAttributesSet(annotation=key, attributes=changed))
    return facts
