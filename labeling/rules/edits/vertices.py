"""Edits of an outline's vertices, parts and holes: polygons have all three, polylines vertices and parts.

`part`, `ring` and `vertex` count from 0; ring 0 of a part is its outer one, the others are its holes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labeling import events as e
from labeling.errors import InvalidValue
from labeling.geometry import vertices
from labeling.log.values import BadValue
from labeling.rules.documents import checked_int, checked_points
from labeling.rules.edits.editor import Editor
from labeling.rules.edits.objects import remove
from labeling.rules.label_state import Annotation

JSON = dict[str, Any]


def insert_vertex(editor: Editor, edit: JSON, place: str) -> JSON:
    """Put a vertex in behind the vertex `after`; without `after`, where the border is nearest to the point."""
    item = _outline(editor, edit, place)
    point = checked_point(edit.get("point"), f"{place}.point")
    if "after" in edit:
        part, ring, after = _index(edit, place, "part"), _index(edit, place, "ring"), _index(edit, place, "after")
    else:
        for name in ("part", "ring"):
            if name in edit:
                raise InvalidValue(f"{place}.{name}", "is said with after only; without it the nearest border is taken")
        part, ring, after, point = _asked(place, lambda: vertices.nearest_on_border(item["geometry"], point))
    _asked(place, lambda: vertices.insert_vertex(item["geometry"], part, ring, after, point))
    editor.tell(
        e.AnnotationVertexInserted(annotation=item["uuid"], part=part, ring=ring, after=after, point=list(point))
    )
    editor.said |= {"part": part, "ring": ring, "vertex": after + 1, "point": list(point)}
    return item


def move_vertex(editor: Editor, edit: JSON, place: str) -> JSON:
    """Put a vertex elsewhere."""
    item = _outline(editor, edit, place)
    part, ring, vertex = (_index(edit, place, name) for name in ("part", "ring", "vertex"))
    point = checked_point(edit.get("point"), f"{place}.point")
    moved = _asked(place, lambda: vertices.move_vertex(item["geometry"], part, ring, vertex, point))
    if moved != item["geometry"]:
        editor.tell(
            e.AnnotationVertexMoved(annotation=item["uuid"], part=part, ring=ring, vertex=vertex, point=list(point))
        )
    return item


def remove_vertex(editor: Editor, edit: JSON, place: str) -> JSON:
    """Take a vertex away: its neighbours are joined. Where too few would be left it is refused, or with `or_remove`
    the hole, the part or the whole object goes."""
    item = _outline(editor, edit, place)
    part, ring, vertex = (_index(edit, place, name) for name in ("part", "ring", "vertex"))
    if type(edit.get("or_remove", False)) is not bool:
        raise InvalidValue(f"{place}.or_remove", "must be true or false")
    geometry = item["geometry"]
    # Asked with the vertex there twice, so that only a wrong place is refused here.
    _asked(place, lambda: vertices.move_vertex(geometry, part, ring, vertex, [0, 0]))
    try:
        vertices.remove_vertex(geometry, part, ring, vertex)
    except BadValue as error:
        if not edit.get("or_remove"):
            problem = f"{error.problem}; or say or_remove"
            raise InvalidValue(f"{place}.{error.where}", problem) from error
        return _remove_ring(editor, item, part, ring, place)
    editor.tell(e.AnnotationVertexRemoved(annotation=item["uuid"], part=part, ring=ring, vertex=vertex))
    editor.said["removed"] = "vertex"
    return item


def add_part(editor: Editor, edit: JSON, place: str) -> JSON:
    """One more part of the same object."""
    item = _outline(editor, edit, place)
    points = checked_points(edit.get("points"), f"{place}.points")
    _asked(place, lambda: vertices.add_part(item["geometry"], points))
    editor.tell(e.AnnotationPartAdded(annotation=item["uuid"], points=points))
    editor.said["part"] = len(item["geometry"]["parts"])
    return item


def add_hole(editor: Editor, edit: JSON, place: str) -> JSON:
    """One more hole in a part of a polygon."""
    item = _outline(editor, edit, place)
    if item["geometry"]["type"] != "polygon":
        raise InvalidValue(f"{place}.annotation", "must be a polygon; no other shape has holes")
    part = _index(edit, place, "part")
    points = checked_points(edit.get("points"), f"{place}.points")
    _asked(place, lambda: vertices.add_hole(item["geometry"], part, points))
    editor.tell(e.AnnotationHoleAdded(annotation=item["uuid"], part=part, points=points))
    editor.said |= {"part": part, "ring": len(item["geometry"]["parts"][part])}
    return item


def remove_ring(editor: Editor, edit: JSON, place: str) -> JSON:
    """Fill a hole again, or with ring 0 take a part away; with the last part the whole object goes, if `or_remove`."""
    item = _outline(editor, edit, place)
    part, ring = _index(edit, place, "part"), _index(edit, place, "ring")
    if type(edit.get("or_remove", False)) is not bool:
        raise InvalidValue(f"{place}.or_remove", "must be true or false")
    if not edit.get("or_remove"):
        _asked(place, lambda: vertices.remove_ring(item["geometry"], part, ring))
    else:
        _asked(place, lambda: vertices.move_vertex(item["geometry"], part, ring, 0, [0, 0]))
    return _remove_ring(editor, item, part, ring, place)


def _remove_ring(editor: Editor, item: Annotation, part: int, ring: int, place: str) -> JSON:
    """The hole goes, or the part with its holes, or the object where that is its last part."""
    polygon = item["geometry"]["type"] == "polygon"
    if not (polygon and ring) and len(item["geometry"]["parts"]) == 1:
        editor.said["removed"] = "annotation"
        return remove(editor, {"annotation": item["uuid"]}, place)
    editor.said["removed"] = "hole" if polygon and ring else "part"
    editor.tell(e.AnnotationRingRemoved(annotation=item["uuid"], part=part, ring=ring))
    return item


def _outline(editor: Editor, edit: JSON, place: str) -> Annotation:
    item = editor.find(edit, place)
    if item["geometry"]["type"] not in ("polygon", "polyline"):
        raise InvalidValue(f"{place}.annotation", "must be a polygon or a polyline")
    return item


def _index(edit: JSON, place: str, name: str) -> int:
    """Part and ring are the first unless said."""
    return checked_int(edit.get(name, 0 if name in ("part", "ring") else None), f"{place}.{name}")


def _asked(place: str, ask: Callable[[], Any]) -> Any:
    """What a kernel answers; what it refuses is named by the field of the edit."""
    try:
        return ask()
    except BadValue as error:
        raise InvalidValue(f"{place}.{error.where}", error.problem) from error


def checked_point(value: Any, where: str) -> list[float]:
    """One [x, y] as it was sent."""
    if type(value) is not list or len(value) != 2 or not {type(number) for number in value} <= {int, float}:
        raise InvalidValue(where, "must be a pair [x, y] of numbers")
    return value
