"""The outline of a stored geometry, as parts made of rings: what `rasterize` turns into pixels.

Curves become polygons whose vertices are on the curve and whose sides leave it by at most 1/64 px (more beyond a radius
of 212,000 px, where 8192 vertices are not enough). Sines are computed by the same series on every processor, so that
one geometry has the same pixels everywhere.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.geometry.shapes import sine_cosine

Geometry = dict[str, Any]
Points = NDArray[np.float64]
#: A list of rings (N, 2), float64, px: filled by the even-odd rule.
Part = list[Any]

CHORD_ERROR = 1 / 64
_MOST_VERTICES = 8192


def parts_of(geometry: Geometry, *, line_width: float = 0.0, point_radius: float = 0.0) -> list[Part]:
    """The parts of a geometry; their union is the object.

    - bbox: one box (of other than two points: the box around them); rbox and ellipse: one polygon.
    - polygon: as stored, its vertices untouched.
    - polyline: a capsule for each segment, `line_width` px wide, so that joins and ends are round.
    - point, skeleton: a disc of `point_radius` px for each point that is placed.
    - bitmap, mask, orientation: none; they have no outline.

    A width or radius of 0, like every outline without area, covers nothing.
    """
    match geometry["type"]:
        case "bbox":
            if len(geometry["points"]) < 2:
                return []
            points = np.asarray(geometry["points"], dtype=np.float64)
            (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
            return [[[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]]]
        case "rbox":
            half_w, half_h = (side / 2 for side in geometry["size_wh"])
            corners = np.array([(-half_w, -half_h), (half_w, -half_h), (half_w, half_h), (-half_w, half_h)])
            return [[_placed(corners, geometry)]]
        case "ellipse":
            radii = geometry["radii"]
            return [[_placed(circle(max(radii)) * np.asarray(radii, dtype=np.float64), geometry)]]
        case "polygon":
            return list(geometry["parts"])
        case "polyline":
            return [[ring] for line in geometry["parts"] for ring in capsules(line, line_width / 2)]
        case "point":
            return discs(geometry["points"], point_radius)
        case "skeleton":
            placed = [[point["x"], point["y"]] for point in geometry["points"] if point["visibility"]]
            return discs(placed, point_radius)
    return []


def circle(radius: float) -> Points:
    """The unit circle (N, 2) from (1, 0) towards (0, 1), fine enough for that radius; N is a multiple of 8."""
    # a side of a polygon of n vertices leaves the circle by r (1 - cos(pi / n)), nearly r (pi / n)**2 / 2
    eighths = math.ceil(math.pi / 8 * math.sqrt(max(radius, CHORD_ERROR) / (2 * CHORD_ERROR)))
    return _unit_circle(8 * min(eighths, _MOST_VERTICES // 8))


def discs(centers: Any, radius: float) -> list[Part]:
    """One disc a centre (N, 2)."""
    if len(centers) == 0 or radius <= 0:
        return []
    ring = circle(radius) * radius
    return [[ring + center] for center in np.asarray(centers, dtype=np.float64)]


def capsules(line: Any, radius: float) -> Points:
    """(S, N, 2): of each segment of a line (M, 2) what is within `radius` of it; of a line of one point its disc."""
    points = np.asarray(line, dtype=np.float64).reshape(-1, 2)
    if len(points) == 0 or radius <= 0:
        return np.zeros((0, 0, 2))
    starts, ends = (points[:-1], points[1:]) if len(points) > 1 else (points, points)
    along = ends - starts
    length = np.sqrt(along[:, 0] * along[:, 0] + along[:, 1] * along[:, 1])
    along = np.where(length[:, None] > 0, along / np.where(length > 0, length, 1)[:, None], [1.0, 0.0]) * radius
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    unit = circle(radius)
    quarter = len(unit) // 4
    round_end = np.concatenate([unit[-quarter:], unit[: quarter + 1]])
    offsets = round_end[:, 0, None] * along[:, None, :] + round_end[:, 1, None] * across[:, None, :]
    return np.concatenate([ends[:, None, :] + offsets, starts[:, None, :] - offsets], axis=1)


def _placed(offsets: Points, geometry: Geometry) -> Points:
    """Offsets from the centre, turned by the geometry's angle."""
    x, y = geometry["center"]
    sine, cosine = sine_cosine(geometry["angle_deg"])
    dx, dy = offsets[:, 0], offsets[:, 1]
    return np.stack([x + dx * cosine - dy * sine, y + dx * sine + dy * cosine], axis=1)


@lru_cache(maxsize=256)
def _unit_circle(vertices: int) -> Points:
    """The first eighth by Taylor's series, the others as its mirror images, so that the circle is symmetric exactly."""
    angle = np.arange(vertices // 8 + 1) * (2 * math.pi / vertices)
    square = angle * angle
    sine, cosine = np.ones_like(angle), np.ones_like(angle)
    for order in range(16, 0, -2):
        sine = 1.0 - square * sine / (order * (order + 1))
        cosine = 1.0 - square * cosine / (order * (order - 1))
    sine *= angle
    cosine[-1] = sine[-1] = math.sqrt(0.5)
    x = np.concatenate([cosine, sine[-2:0:-1]])
    y = np.concatenate([sine, cosine[-2:0:-1]])
    points = np.concatenate([np.stack(turned, axis=1) for turned in ((x, y), (-y, x), (-x, -y), (y, -x))])
    points += 0.0  # no negative zero
    points.setflags(write=False)
    return points
