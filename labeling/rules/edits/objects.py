"""Edits of objects: they come and go, and get a category, an order, a score and links."""

from __future__ import annotations

import math
import uuid
from typing import Any

from labeling import events as e
from labeling.errors import InvalidValue
from labeling.log import values
from labeling.rules.documents import checked_int, checked_object
from labeling.rules.edits.details import checked_keypoints, checked_number, checked_orientation
from labeling.rules.edits.editor import Editor
from labeling.rules.edits.mentions import uuid_of
from labeling.rules.edits.outlines import drawn_geometry
from labeling.rules.order import Key, new_orders
from labeling.rules.protocol.labels import checked_attributes

JSON = dict[str, Any]

#: How far from zero an order number may be given, so that there is always one above the highest.
MOST_ORDER = 1e9


def add(editor: Editor, edit: JSON, place: str) -> JSON:
    number = edit.get("id")
    if number is None:
        number = editor.state.last_id + 1
        if number > values.MAX_INTEGER:
            raise InvalidValue(f"{place}.id", "is required, because the highest id is in use")
    elif checked_int(number, f"{place}.id") in editor.uuid_of:
        raise InvalidValue(
            f"{place}.id", "is used by another annotation of this label; leave it out to get the next one"
        )
    key = edit.get("uuid")
    if key is None:
        key = str(uuid.uuid4())
    elif not isinstance(key, str) or uuid_of(key) is None:
        raise InvalidValue(f"{place}.uuid", "must be a uuid")
    else:
        key = uuid_of(key)
        if key in editor.state.annotations or key in editor.gone:
            raise InvalidValue(f"{place}.uuid", "is used by another annotation; uuids are never used twice")
    category_id = edit.get("category_id")
    if category_id is not None:
        checked_int(category_id, f"{place}.category_id")
    drawn = any(name in edit for name in ("geometry", "type", "points"))
    geometry = {"type": "mask"} if editor.has_mask and not drawn else drawn_geometry(edit, place)
    item: JSON = {
        "annotation": key,
        "id": number,
        "category_id": category_id,
        "geometry": geometry,
        "order": math.floor(editor.state.last_order) + 1.0,
    }
    if edit.get("attributes") is not None:
        item["attributes"] = checked_attributes(edit["attributes"], f"{place}.attributes")
    if edit.get("keypoints") is not None:
        item["keypoints"] = checked_keypoints(edit, place, geometry)
    if edit.get("orientation") is not None:
        item["orientation"] = checked_orientation(edit, place, geometry)
    elif geometry["type"] == "orientation":
        raise InvalidValue(f"{place}.orientation", "is required for an orientation that stands alone")
    if edit.get("score") is not None:
        item["score"] = checked_number(edit["score"], f"{place}.score")
    if edit.get("origin") is not None:
        item["origin"] = checked_object(edit["origin"], f"{place}.origin")
    editor.tell(e.AnnotationAdded(**item))
    return {"uuid": key, "id": number}


def remove(editor: Editor, edit: JSON, place: str) -> JSON:
    item = editor.find(edit, place)
    for other in list(editor.linking.get(item["uuid"], ())):
        editor.tell(e.AnnotationLinkRemoved(annotation=other, to=item["uuid"]))
    if editor.has_mask:
        editor.cleared_at = editor.cleared_at if editor.cleared else len(editor.outcome.facts)
        editor.cleared.append(item["id"])
    editor.tell(e.AnnotationRemoved(annotation=item["uuid"]))
    return item


def set_category(editor: Editor, edit: JSON, place: str) -> JSON:
    item = editor.find(edit, place)
    if "category_id" not in edit:
        raise InvalidValue(f"{place}.category_id", "is required; null takes the category away")
    category_id = edit["category_id"]
    if category_id is not None:
        checked_int(category_id, f"{place}.category_id")
    if category_id != item["category_id"]:
        editor.tell(e.AnnotationCategorySet(annotation=item["uuid"], category_id=category_id))
    return item


def set_order(editor: Editor, edit: JSON, place: str) -> JSON:
    item = editor.find(edit, place)
    to = edit.get("to")
    if to in ("up", "down"):
        for uuid_, order in _one_step(editor, item, 1 if to == "up" else -1).items():
            editor.tell(e.AnnotationOrderChanged(annotation=uuid_, order=order))
        return item
    others = [other["order"] for other in editor.state.annotations.values() if other is not item]
    if to == "front":
        order = item["order"] if item["order"] > max(others, default=-math.inf) else max(others) + 1.0
    elif to == "back":
        order = item["order"] if item["order"] < min(others, default=math.inf) else min(others) - 1.0
    elif isinstance(to, int | float) and type(to) is not bool and abs(to) <= MOST_ORDER:
        order = float(to)
    else:
        raise InvalidValue(
            f"{place}.to", f"must be front, back, up, down or a number from {-MOST_ORDER:g} to {MOST_ORDER:g}"
        )
    if order != item["order"]:
        editor.tell(e.AnnotationOrderChanged(annotation=item["uuid"], order=order))
    return item


def _one_step(editor: Editor, item: JSON, step: int) -> dict[str, float]:
    """The order numbers that put an object over the next one above it, or below the next one beneath."""
    others = [other for other in editor.state.in_order() if other is not item]
    at = editor.state.in_order().index(item) + step
    if not 0 <= at <= len(others):
        return {}
    wanted: list[Key | None] = [(other["order"], other["id"]) for other in others]
    orders = new_orders([*wanted[:at], None, *wanted[at:]], editor.state.last_order)
    sequence = [*others[:at], item, *others[at:]]
    return {other["uuid"]: order for other, order in zip(sequence, orders, strict=True) if order != other["order"]}


def set_score(editor: Editor, edit: JSON, place: str) -> JSON | None:
    if "score" not in edit:
        raise InvalidValue(f"{place}.score", "is required; null takes the score away")
    score = edit["score"] if edit["score"] is None else checked_number(edit["score"], f"{place}.score")
    if "annotation" not in edit:
        if score != editor.state.score:
            editor.tell(e.LabelScoreSet(score=score))
        return None
    item = editor.find(edit, place)
    if score != item.get("score"):
        editor.tell(e.AnnotationScoreSet(annotation=item["uuid"], score=score))
    return item


def add_link(editor: Editor, edit: JSON, place: str) -> JSON:
    item, other = editor.find(edit, place), editor.find(edit, place, "to")
    if item is other:
        raise InvalidValue(f"{place}.to", "must be another annotation")
    attributes = checked_attributes(edit.get("attributes", {}), f"{place}.attributes")
    link = {"to": other["uuid"], "attributes": attributes}
    if not any(values.same(link, had) for had in item.get("links", [])):
        editor.tell(e.AnnotationLinkAdded(annotation=item["uuid"], to=other["uuid"], attributes=attributes))
    return item


def remove_link(editor: Editor, edit: JSON, place: str) -> JSON:
    item, other = editor.find(edit, place), editor.find(edit, place, "to")
    if any(link["to"] == other["uuid"] for link in item.get("links", [])):
        editor.tell(e.AnnotationLinkRemoved(annotation=item["uuid"], to=other["uuid"]))
    return item
