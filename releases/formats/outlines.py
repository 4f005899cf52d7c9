"""Stored geometries in the forms that other formats have: boxes, rings, run lengths, areas, clipped ones. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np

from labeling.geometry import rle
from labeling.geometry.composition import coco_rle_of, spans_of
from labeling.geometry.conversions import polygon_of
from labeling.geometry.parts import parts_of
from labeling.geometry.rasterize import Numbers, united
from labeling.geometry.shapes import sine_cosine, to_wire

Geometry = dict[str, Any]
Points = list[list[float]]
Box = list[float]

AREAS = frozenset({"bbox", "rbox", "polygon", "ellipse", "bitmap"})
_GRID = 1024
#: From here on float64 has no numbers between those of the grid, and the last times it are no numbers any more.
_ON_GRID = 2.0**42
#: Points beyond are cut off as if they were there: the square of a longer length is no number.
_FARTHEST_PX = 1e150


def has_area(geometry: Geometry) -> bool:
    """Whether a geometry has an inside."""
    return geometry["type"] in AREAS


def box_of(geometry: Geometry) -> Box | None:
    """[x0, y0, x1, y1] around a geometry; None where there is nothing of it."""
    kind = geometry["type"]
    if kind == "bitmap":
        return _floats(rle.box_of_runs(geometry["rle"], max_pixels=rle.MAX_PIXELS))
    if kind == "ellipse":
        (x, y), (rx, ry) = geometry["center"], geometry["radii"]
        sine, cosine = sine_cosine(geometry["angle_deg"])
        w = _on_grid(float(np.sqrt((rx * cosine) ** 2 + (ry * sine) ** 2)))
        h = _on_grid(float(np.sqrt((rx * sine) ** 2 + (ry * cosine) ** 2)))
        return [x - w, y - h, x + w, y + h]
    # Points of a plane, one coordinate behind the other: the fastest that lists give, for a release has millions.
    flat = list(chain.from_iterable(vertices_of(geometry)))
    if not flat:
        return None
    xs, ys = flat[::2], flat[1::2]
    return [min(xs), min(ys), max(xs), max(ys)]


def vertices_of(geometry: Geometry) -> Points:
    """Every vertex of an outline, or every placed point."""
    match geometry["type"]:
        case "bbox" | "point":
            return list(geometry["points"])
        case "polygon":
            parts = geometry["parts"]
            if len(parts) == 1 and len(parts[0]) == 1:
                return parts[0][0]
            return [point for part in parts for ring in part for point in ring]
        case "polyline":
            return [point for line in geometry["parts"] for point in line]
        case "skeleton":
            return [[point["x"], point["y"]] for point in geometry["points"] if point["visibility"]]
        case "rbox":
            return corners_of(geometry)
    return []


def corners_of(rbox: Geometry) -> Points:
    """The four corners of a rotated box, from the unrotated top left on, on the grid of derived coordinates."""
    wire = to_wire(rbox)
    assert wire is not None
    return wire[1]


def parts_with_rings(geometry: Geometry) -> list[list[Points]]:
    """Parts, each its outer ring and its holes: of a bitmap exactly around its pixels, of curves as `parts_of` says."""
    match geometry["type"]:
        case "polygon":
            return [[list(ring) for ring in part if len(ring) >= 3] for part in geometry["parts"] if part]
        case "bitmap":
            return list(polygon_of(geometry).geometry["parts"])
        case "rbox":
            return [[corners_of(geometry)]]
        case "bbox" | "ellipse":
            return [[_listed(ring) for ring in part] for part in parts_of(geometry)]
    return []


def outer_rings(geometry: Geometry) -> list[Points]:
    """The outer ring of each part."""
    if geometry["type"] == "polygon":
        return [part[0] for part in geometry["parts"] if part and len(part[0]) >= 3]
    return [part[0] for part in parts_with_rings(geometry) if part and len(part[0]) >= 3]


def has_holes(geometry: Geometry) -> bool:
    return geometry["type"] == "polygon" and any(len(part) > 1 for part in geometry["parts"])


def has_parts(geometry: Geometry) -> bool:
    return geometry["type"] in ("polygon", "polyline") and len(geometry["parts"]) > 1


def runs_of(geometry: Geometry, height: int, width: int) -> dict[str, Any]:
    """Its pixels as COCO's packed run lengths, in the size of the picture."""
    if geometry["type"] == "bitmap" and list(geometry["rle"]["size"]) == [height, width]:
        runs = geometry["rle"]
        if isinstance(runs["counts"], str):
            return dict(runs)
    return coco_rle_of(geometry, height, width, compressed=True)


def areas_of(geometries: Sequence[Geometry], height: int, width: int) -> Numbers:
    """How many pixels of the picture each covers."""
    if any(map(has_parts, geometries)):
        whole = [number for number, geometry in enumerate(geometries) if not has_parts(geometry)]
        some = [number for number, geometry in enumerate(geometries) if has_parts(geometry)]
        areas = np.zeros(len(geometries), dtype=np.int64)
        areas[whole] = areas_of([geometries[number] for number in whole], height, width) if whole else 0
        spans = united(spans_of([geometries[number] for number in some], height, width), height * width)
        lengths = (spans.stop - spans.start).astype(np.float64)
        areas[some] = np.bincount(spans.owner, weights=lengths, minlength=len(some)).astype(np.int64)
        return areas
    spans = spans_of(geometries, height, width)  # of one part, whose runs do not overlap
    lengths = (spans.stop - spans.start).astype(np.float64)
    return np.bincount(spans.owner, weights=lengths, minlength=len(geometries)).astype(np.int64)


def bitmap(runs: dict[str, Any]) -> Geometry:
    """The stored form of run lengths."""
    return {"type": "bitmap", "rle": runs}


def bbox(x0: float, y0: float, x1: float, y1: float) -> Geometry:
    return {"type": "bbox", "points": [[x0, y0], [x1, y1]]}


def polygon(*rings: Points) -> Geometry:
    """A polygon of one part: its outer ring, then its holes."""
    return {"type": "polygon", "parts": [list(rings)]}


def sound(geometry: Geometry) -> Geometry | None:
    """The geometry as the other functions here take it; None where it shows nothing in a picture.

    The protocol takes boxes of any number of points, rings of two, and lists without an element: a box is the one
    around its points, and what is no ring or line is left away. One that is sound is returned as it is. Points in
    space, those of a point cloud, are in no picture.
    """
    if geometry["type"] in ("bbox", "point", "polygon", "polyline") and not _FLAT.issuperset(
        map(len, vertices_of(geometry))
    ):
        return None
    match geometry["type"]:
        case "bbox":
            points = geometry["points"]
            if len(points) == 2 and points[0][0] <= points[1][0] and points[0][1] <= points[1][1]:
                return geometry
            box = box_of(geometry)
            return None if box is None or len(points) < 2 else bbox(*box)
        case "polygon":
            if geometry["parts"] and all(part and min(map(len, part)) >= 3 for part in geometry["parts"]):
                return geometry
            parts = [part for part in geometry["parts"] if part and len(part[0]) >= 3]
            found = [[part[0], *(ring for ring in part[1:] if len(ring) >= 3)] for part in parts]
            return {"type": "polygon", "parts": found} if found else None
        case "polyline":
            lines = [line for line in geometry["parts"] if len(line) >= 2]
            if len(lines) == len(geometry["parts"]):
                return geometry if lines else None
            return {"type": "polyline", "parts": lines} if lines else None
    return None if geometry["type"] in _DRAWN and box_of(geometry) is None else geometry


_FLAT = frozenset({2})
_DRAWN = frozenset({"point", "skeleton", "bitmap"})


# --- the border ----------------------------------------------------------------------------------------------------


def is_within(geometry: Geometry, height: int, width: int) -> bool:
    """Whether nothing of a geometry is beyond the picture; forms that are not in its plane are."""
    if geometry["type"] == "bitmap":
        rows, columns = geometry["rle"]["size"]
        return bool(rows == height and columns == width)
    box = box_of(geometry)
    return box is None or (box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height)


def clipped(geometry: Geometry, height: int, width: int) -> Geometry | None:
    """What of a geometry is within the picture; None where nothing is. What is within already is returned as it is.

    Turned boxes and ellipses become polygons, and lines may become several parts. Cut points are on the border exactly.
    """
    if is_within(geometry, height, width):
        return geometry
    match geometry["type"]:
        case "bitmap":
            runs = coco_rle_of(geometry, height, width, compressed=True)
            return bitmap(runs) if rle.area(runs, max_pixels=rle.MAX_PIXELS) else None
        case "bbox":
            (x0, y0), (x1, y1) = geometry["points"]
            x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
            return bbox(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None
        case "point":
            kept = [point for point in geometry["points"] if _is_inside(point, height, width)]
            return {"type": "point", "points": kept} if kept else None
        case "skeleton":
            points = [
                point
                if not point["visibility"] or _is_inside([point["x"], point["y"]], height, width)
                else {"name": point["name"], "visibility": 0}
                for point in geometry["points"]
            ]
            return {"type": "skeleton", "points": points} if any(point["visibility"] for point in points) else None
        case "polyline":
            lines = [piece for line in geometry["parts"] for piece in _clipped_line(line, height, width)]
            return {"type": "polyline", "parts": lines} if lines else None
    parts = []
    for part in parts_with_rings(geometry):
        # Parts are filled by even and odd: where the outer ring goes, a hole that was not all within it still fills.
        rings = [ring for ring in (_clipped_ring(ring, height, width) for ring in part) if ring]
        if rings:
            parts.append(rings)
    return {"type": "polygon", "parts": parts} if parts else None


def _is_inside(point: Sequence[float], height: int, width: int) -> bool:
    return 0 <= point[0] <= width and 0 <= point[1] <= height


def _clipped_ring(ring: Points, height: int, width: int) -> Points:
    """Sutherland and Hodgman: one side of the picture after the other.

    Its pixels are those of the ring within, but for centres that a side passes nearer than a step of the rasterizer's
    grid: where that side is cut, its new corner is a rounded number.
    """
    ring = _reachable(ring)
    for axis, limit, sign in ((0, 0.0, 1), (0, float(width), -1), (1, 0.0, 1), (1, float(height), -1)):
        found: Points = []
        for before, point in zip([ring[-1], *ring[:-1]], ring, strict=True) if ring else ():
            was, now = sign * (before[axis] - limit) >= 0, sign * (point[axis] - limit) >= 0
            if was != now:
                found.append(_crossing(before, point, axis, limit))
            if now:
                found.append(point)
        ring = found
    ring = [point for nth, point in enumerate(ring) if nth == 0 or point != ring[nth - 1]]
    if len(ring) > 1 and ring[0] == ring[-1]:
        ring = ring[:-1]
    if len(ring) < 3 or len({point[0] for point in ring}) < 2 or len({point[1] for point in ring}) < 2:
        return []
    return ring


def _reachable(points: Points) -> Points:
    """The same points, and none so far that a length between two is no number any more."""
    if all(-_FARTHEST_PX <= value <= _FARTHEST_PX for point in points for value in point):
        return points
    return [[min(max(value, -_FARTHEST_PX), _FARTHEST_PX) for value in point] for point in points]


def _crossing(one: list[float], other: list[float], axis: int, limit: float) -> list[float]:
    share = (limit - one[axis]) / (other[axis] - one[axis])
    cut = one[1 - axis] + share * (other[1 - axis] - one[1 - axis])
    return [limit, cut] if axis == 0 else [cut, limit]


def _clipped_line(line: Points, height: int, width: int) -> list[Points]:
    """Liang and Barsky, segment by segment; pieces that meet are one line."""
    found: list[Points] = []
    for one, other in pairwise(_reachable(line)):
        first, last = 0.0, 1.0
        for axis, limit in ((0, width), (1, height)):
            step = other[axis] - one[axis]
            if step == 0:
                if not 0 <= one[axis] <= limit:
                    first, last = 1.0, 0.0
                continue
            near, far = sorted(((0 - one[axis]) / step, (limit - one[axis]) / step))
            first, last = max(first, near), min(last, far)
        if first >= last:
            continue
        begin = one if first == 0 else _between(one, other, first, height, width)
        end = other if last == 1 else _between(one, other, last, height, width)
        if found and found[-1][-1] == begin:
            found[-1].append(end)
        else:
            found.append([begin, end])
    return found


def _between(one: list[float], other: list[float], share: float, height: int, width: int) -> list[float]:
    x, y = (a + share * (b - a) for a, b in zip(one, other, strict=True))
    return [min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))]


def sides_of(x0: float, y0: float, x1: float, y1: float) -> tuple[float, float]:
    """(width, height) of a box, as floats: the difference of whole numbers may be none that a float is."""
    return float(x1) - float(x0), float(y1) - float(y0)


def _listed(ring: Any) -> Points:
    return [[_on_grid(x), _on_grid(y)] for x, y in np.asarray(ring, dtype=np.float64).tolist()]


def _on_grid(coordinate: float) -> float:
    return coordinate if abs(coordinate) >= _ON_GRID else round(coordinate * _GRID) / _GRID


def _floats(box: list[int] | None) -> Box | None:
    return None if box is None else [float(side) for side in box]
