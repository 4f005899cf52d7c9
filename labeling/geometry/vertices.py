"""Edits of shapes by their vertices, parts and holes, and fitting shapes into an image.

Every function returns a new geometry and leaves the one given alone; what it does not touch stays to the last bit.
Derived coordinates (of a projection, of a shape that was moved into the image) are rounded to 1/1024 px.

`part` and `ring` count from 0 in the stored order (ring 0 is the outer one, the others are holes; lines have none), and
so do vertices. What a wish asks of a geometry that cannot have it is refused with a BadValue that names the field.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from labeling.geometry import rle
from labeling.geometry.composition import coco_rle_of
from labeling.geometry.parts import Geometry
from labeling.geometry.shapes import sine_cosine
from labeling.log.values import BadValue

Point = list[float]
_GRID = 1024
_LEAST = {"polygon": 3, "polyline": 2}


def insert_vertex(geometry: Geometry, part: int, ring: int, after: int, point: Sequence[float]) -> Geometry:
    """A vertex put in after another one of its ring (after the last: between it and the first) or line.

    Of a line `after` may be -1, before its first.

    Raises:
        BadValue: no polygon or polyline, or no such part, ring or vertex.
    """
    old = _ring(geometry, part, ring)
    _check_index(after, len(old), "after", least=-1 if geometry["type"] == "polyline" else 0)
    return _with_ring(geometry, part, ring, [*old[: after + 1], list(point), *old[after + 1 :]])


def move_vertex(geometry: Geometry, part: int, ring: int, vertex: int, point: Sequence[float]) -> Geometry:
    """A vertex put elsewhere.

    Raises:
        BadValue: as `insert_vertex`.
    """
    old = _ring(geometry, part, ring)
    _check_index(vertex, len(old), "vertex")
    return _with_ring(geometry, part, ring, [*old[:vertex], list(point), *old[vertex + 1 :]])


def remove_vertex(geometry: Geometry, part: int, ring: int, vertex: int) -> Geometry:
    """A vertex taken away; its neighbours are joined, so that neither ring nor line gets a gap.

    Raises:
        BadValue: as `insert_vertex`, or the ring would have fewer than 3 vertices, the line fewer than 2.
    """
    old = _ring(geometry, part, ring)
    _check_index(vertex, len(old), "vertex")
    least = _LEAST[geometry["type"]]
    if len(old) <= least:
        raise BadValue("vertex", f"must leave at least {least} vertices; remove the part, hole or annotation instead")
    return _with_ring(geometry, part, ring, [*old[:vertex], *old[vertex + 1 :]])


def add_part(geometry: Geometry, points: Sequence[Sequence[float]]) -> Geometry:
    """One more part of the same object: an outer ring of a polygon, a line of a polyline.

    Raises:
        BadValue: no polygon or polyline, or too few points.
    """
    least = _least(geometry)
    if len(points) < least:
        raise BadValue("points", f"must have at least {least} points")
    new: list[Any] = [[list(point) for point in points]]
    return {**geometry, "parts": [*geometry["parts"], *([new] if geometry["type"] == "polygon" else new)]}


def add_hole(geometry: Geometry, part: int, points: Sequence[Sequence[float]]) -> Geometry:
    """One more hole in a part of a polygon.

    Raises:
        BadValue: no polygon (a line has no holes), no such part, or too few points.
    """
    if geometry["type"] != "polygon":
        raise BadValue("type", "must be polygon; no other shape has holes")
    _check_index(part, len(geometry["parts"]), "part")
    if len(points) < _LEAST["polygon"]:
        raise BadValue("points", "must have at least 3 points")
    parts = list(geometry["parts"])
    parts[part] = [*parts[part], [list(point) for point in points]]
    return {**geometry, "parts": parts}


def remove_ring(geometry: Geometry, part: int, ring: int = 0) -> Geometry:
    """A hole filled again, or with ring 0 a part taken away with its holes.

    Raises:
        BadValue: as `insert_vertex`, or it is the last part.
    """
    _ring(geometry, part, ring)
    parts = list(geometry["parts"])
    if geometry["type"] == "polygon" and ring > 0:
        parts[part] = [*parts[part][:ring], *parts[part][ring + 1 :]]
    elif len(parts) == 1:
        raise BadValue("part", "must not be the last one; remove the annotation instead")
    else:
        del parts[part]
    return {**geometry, "parts": parts}


def nearest_on_border(geometry: Geometry, point: Sequence[float]) -> tuple[int, int, int, Point]:
    """(part, ring, vertex, [x, y]): the point of the border or line next to a point, and the vertex before it.

    Of several at the same distance it is the first. Inserting it after that vertex changes the border by at most the
    rounding of derived coordinates.

    Raises:
        BadValue: no polygon or polyline, or none with a vertex.
    """
    _least(geometry)
    best: tuple[float, int, int, int, Point] | None = None
    for number, part in enumerate(geometry["parts"]):
        closed = geometry["type"] == "polygon"
        for place, ring in enumerate(part if closed else [part]):
            if not ring:
                continue
            starts = np.asarray(ring if closed or len(ring) == 1 else ring[:-1], dtype=np.float64)
            ends = np.roll(starts, -1, axis=0) if closed or len(ring) == 1 else np.asarray(ring[1:], dtype=np.float64)
            along = ends - starts
            length = (along * along).sum(axis=1)
            away = np.asarray(point, dtype=np.float64) - starts
            share = np.clip((away * along).sum(axis=1) / np.where(length > 0, length, 1), 0, 1)
            feet = starts + share[:, None] * along
            distance = ((feet - point) ** 2).sum(axis=1)
            nearest = int(np.argmin(distance))
            if best is None or distance[nearest] < best[0]:
                foot = [_on_grid(value) for value in feet[nearest].tolist()]
                best = float(distance[nearest]), number, place, nearest, foot
    if best is None:
        raise BadValue("parts", "must have a vertex")
    return best[1:]


def fit(geometry: Geometry, height: int, width: int) -> Geometry:
    """The geometry within the image [0, width] x [0, height]: moved in as a whole, as little as possible.

    Where it is larger than the image along an axis it is moved until it covers that axis, then clamped to it; turned
    boxes and ellipses, whose form clamping would change, are made smaller about the middle of the image instead. A
    bitmap gets the image's size, what is beyond is lost. One that is within the image already is returned as it is.
    """
    limits = (float(width), float(height))
    match geometry["type"]:
        case "rbox" | "ellipse":
            return _fitted_about_center(geometry, limits)
        case "bitmap":
            if list(geometry["rle"]["size"]) == [height, width]:
                return geometry
            packed = isinstance(geometry["rle"]["counts"], str)
            fitted: Geometry = {"type": "bitmap", "rle": coco_rle_of(geometry, height, width, compressed=packed)}
            if "box_xyxy" in geometry:
                fitted["box_xyxy"] = rle.box_of_runs(fitted["rle"], max_pixels=rle.MAX_PIXELS)
            return fitted
        case "orientation" | "mask":
            return geometry
    points = points_of(geometry)
    if not points:
        return geometry
    moves = []
    for axis, limit in enumerate(limits):
        low, high = min(point[axis] for point in points), max(point[axis] for point in points)
        if high - low <= limit:
            moves.append(max(0.0, -low) + min(0.0, limit - high))
        else:
            moves.append(min(0.0, -low) + max(0.0, limit - high))

    def moved(point: Point) -> Point:
        return [
            value if move == 0 and 0 <= value <= limit else _on_grid(min(max(value + move, 0.0), limit))
            for value, move, limit in zip(point, moves, limits, strict=True)
        ]

    if all(moved(point) == point for point in points):
        return geometry
    return _with_points(geometry, moved)


def has_ratio(box_points: Sequence[Sequence[float]], ratio: float, *, tolerance_px: float = 1.0) -> bool:
    """Whether a box [[x0, y0], [x1, y1]] is `ratio` times as wide as high, to within so many pixels of its width."""
    (x0, y0), (x1, y1) = box_points
    return abs((x1 - x0) - ratio * (y1 - y0)) <= tolerance_px


def _fitted_about_center(geometry: Geometry, limits: tuple[float, float]) -> Geometry:
    """A turned box or an ellipse: its extent along the axes of the image decides."""
    sine, cosine = sine_cosine(geometry["angle_deg"])
    name = "size_wh" if geometry["type"] == "rbox" else "radii"
    sizes = geometry[name]
    if name == "size_wh":
        a, b = sizes[0] / 2, sizes[1] / 2
        reach = [abs(a * cosine) + abs(b * sine), abs(a * sine) + abs(b * cosine)]
    else:
        a, b = sizes
        reach = [math.hypot(a * cosine, b * sine), math.hypot(a * sine, b * cosine)]
    scale = min([1.0, *(limit / (2 * half) for half, limit in zip(reach, limits, strict=True) if half > 0)])
    if scale < 1:
        # downwards, so that the rounded shape does not reach out again
        sizes = [math.floor(size * scale * _GRID) / _GRID for size in sizes]
        reach = [half * scale for half in reach]
    center = [
        value if half <= value <= limit - half else _on_grid(min(max(value, half), max(half, limit - half)))
        for value, half, limit in zip(geometry["center"], reach, limits, strict=True)
    ]
    if scale == 1 and center == geometry["center"]:
        return geometry
    return {**geometry, "center": center, name: sizes}


def points_of(geometry: Geometry) -> list[Point]:
    """Every vertex; of a skeleton the placed points, and none of what has no vertices."""
    match geometry["type"]:
        case "rbox" | "ellipse" | "bitmap" | "mask" | "orientation":
            return []
        case "bbox" | "point":
            return list(geometry["points"])
        case "skeleton":
            return [[point["x"], point["y"]] for point in geometry["points"] if point["visibility"]]
        case "polyline":
            return [point for line in geometry["parts"] for point in line]
    return [point for part in geometry["parts"] for ring in part for point in ring]


def _with_points(geometry: Geometry, moved: Any) -> Geometry:
    match geometry["type"]:
        case "bbox" | "point":
            return {**geometry, "points": [moved(point) for point in geometry["points"]]}
        case "skeleton":
            points = []
            for point in geometry["points"]:
                if point["visibility"]:
                    x, y = moved([point["x"], point["y"]])
                    point = {**point, "x": x, "y": y}
                points.append(point)
            return {**geometry, "points": points}
        case "polyline":
            return {**geometry, "parts": [[moved(point) for point in line] for line in geometry["parts"]]}
    return {**geometry, "parts": [[[moved(point) for point in ring] for ring in part] for part in geometry["parts"]]}


def _least(geometry: Geometry) -> int:
    least = _LEAST.get(geometry["type"])
    if least is None:
        raise BadValue("type", "must be polygon or polyline")
    return least


def _ring(geometry: Geometry, part: int, ring: int) -> list[Point]:
    _least(geometry)
    _check_index(part, len(geometry["parts"]), "part")
    rings = geometry["parts"][part] if geometry["type"] == "polygon" else [geometry["parts"][part]]
    _check_index(ring, len(rings), "ring")
    found: list[Point] = rings[ring]
    return found


def _with_ring(geometry: Geometry, part: int, ring: int, points: Sequence[Sequence[float]]) -> Geometry:
    parts = list(geometry["parts"])
    parts[part] = points if geometry["type"] == "polyline" else [*parts[part][:ring], points, *parts[part][ring + 1 :]]
    return {**geometry, "parts": parts}


def _check_index(index: int, count: int, where: str, *, least: int = 0) -> None:
    if not least <= index < count:
        raise BadValue(where, f"must be a number from {least} to {count - 1}" if count else "must exist; there is none")


def _on_grid(coordinate: float) -> float:
    return round(coordinate * _GRID) / _GRID
