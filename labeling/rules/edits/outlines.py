"""Edits of shapes."""

from __future__ import annotations

from typing import Any

from labeling import events as e
from labeling.errors import InvalidValue, Refused
from labeling.geometry import shapes
from labeling.rules.documents import checked_points
from labeling.rules.edits.editor import Editor

JSON = dict[str, Any]


def set_geometry(editor: Editor, edit: JSON, place: str) -> JSON:
    item = editor.find(edit, place)
    if item["geometry"]["type"] == "mask":
        raise Refused(f"{place}: the pixels of this object are in the label's bitmap; use patch_bitmap")
    geometry = drawn_geometry(edit, place)
    if geometry["type"] == "orientation" and "orientation" not in item:
        raise InvalidValue(f"{place}.geometry.type", "needs an orientation of the object; set that first")
    if geometry != item["geometry"]:
        editor.tell(e.AnnotationGeometrySet(annotation=item["uuid"], geometry=geometry))
    return item


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
