"""Edits of what an object has beside its shape: attributes, keypoints, an orientation."""

from __future__ import annotations

from typing import Any

from labeling import events as e
from labeling.errors import InvalidValue, Refused
from labeling.geometry import shapes
from labeling.log import values
from labeling.rules.documents import attribute_changes, checked_list
from labeling.rules.edits.editor import Editor
from labeling.rules.protocol.labels import checked_attributes

JSON = dict[str, Any]


def set_attributes(editor: Editor, edit: JSON, place: str) -> JSON:
    item = editor.find(edit, place)
    attributes = checked_attributes(edit.get("attributes"), f"{place}.attributes")
    before = item.get("attributes")
    for fact in attribute_changes(item["uuid"], before, (before or {}) | attributes):
        editor.tell(fact)
    return item


def clear_attributes(editor: Editor, edit: JSON, place: str) -> JSON:
    item = editor.find(edit, place)
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
        editor.tell(fact)
    return item


def set_keypoints(editor: Editor, edit: JSON, place: str) -> JSON:
    item = editor.find(edit, place)
    keypoints = checked_keypoints(edit, place, item["geometry"])
    if not values.same(item.get("keypoints"), keypoints):
        editor.tell(e.AnnotationKeypointsSet(annotation=item["uuid"], keypoints=keypoints))
    return item


def clear_keypoints(editor: Editor, edit: JSON, place: str) -> JSON:
    item = editor.find(edit, place)
    if "keypoints" in item:
        editor.tell(e.AnnotationKeypointsCleared(annotation=item["uuid"]))
    return item


def set_orientation(editor: Editor, edit: JSON, place: str) -> JSON:
    item = editor.find(edit, place)
    orientation = checked_orientation(edit, place, item["geometry"])
    if not values.same(item.get("orientation"), orientation):
        editor.tell(e.AnnotationOrientationSet(annotation=item["uuid"], orientation=orientation))
    return item


def clear_orientation(editor: Editor, edit: JSON, place: str) -> JSON:
    item = editor.find(edit, place)
    if item["geometry"]["type"] == "orientation":
        raise Refused(f"{place}: this object is nothing but its orientation; remove it instead")
    if "orientation" in item:
        editor.tell(e.AnnotationOrientationCleared(annotation=item["uuid"]))
    return item


def checked_keypoints(edit: JSON, place: str, geometry: JSON) -> list[JSON]:
    """The keypoints that an edit wants on an object of that geometry."""
    if geometry["type"] not in ("bbox", "rbox", "polygon"):
        raise InvalidValue(f"{place}.keypoints", "belong on boxes and polygons only")
    return shapes.checked_keypoints(edit.get("keypoints"), f"{place}.keypoints")


def checked_orientation(edit: JSON, place: str, geometry: JSON) -> JSON:
    """The orientation that an edit wants on an object of that geometry."""
    if geometry["type"] not in ("bbox", "rbox", "polygon", "orientation"):
        raise InvalidValue(f"{place}.orientation", "belongs on boxes and polygons, or stands alone")
    return shapes.checked_orientation(edit.get("orientation"), f"{place}.orientation")


def checked_number(value: Any, where: str) -> float:
    """A number as it was sent."""
    if type(value) not in (int, float):
        raise InvalidValue(where, "must be a number")
    return value
