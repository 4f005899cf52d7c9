"""From one keyframe's geometry to the next one's, for every form of geometry.

`blended(first, last, weights)` gives a geometry a weight, in the form of `first`. What has no way in between is held:
the earlier keyframe's geometry stays until the later one (bitmaps and masks, another form, another number of points,
curves of other dimensions, a quaternion of length zero).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from sequences.interpolation.curves import matched_lines, matched_rings, pairs
from sequences.interpolation.numbers import (
    PER_DEGREE,
    PER_METRE,
    PER_PIXEL,
    PER_QUATERNION,
    PER_RADIAN,
    TURN_DEG,
    TURN_RAD,
    Array,
    arc,
    lerp,
    on_grid,
    slerp,
)

Geometry = dict[str, Any]
Blend = Callable[[Geometry, Geometry, Array], list[Geometry] | None]


def blended(first: Geometry, last: Geometry, weights: Array) -> list[Geometry]:
    """A geometry for each weight in [0, 1]; at 0 and 1 the keyframe's own. [] for no weights."""
    weights = np.asarray(weights, np.float64)
    blend = BLENDS.get(first["type"]) if first["type"] == last["type"] else None
    found = blend(first, last, weights) if blend is not None and len(weights) and first != last else None
    if found is None:
        found = [first] * len(weights)
    return [last if at >= 1 else first if at <= 0 else item for at, item in zip(weights.tolist(), found, strict=True)]


def continued(first: Geometry, last: Geometry, weights: Array) -> list[Geometry] | None:
    """A cuboid whose position goes on straight past `last` (weights above 1); None for any other geometry."""
    if last["type"] not in CUBOIDS or first["type"] not in CUBOIDS:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        one, two = _xyz(first["position"]), _xyz(last["position"])
        found = two + np.multiply.outer(np.asarray(weights, np.float64) - 1.0, two - one)
    found = np.where(np.isfinite(found), found, two)
    found = np.where(two == one, two, on_grid(found, PER_METRE))
    return [last | {"position": dict(zip("xyz", row, strict=True))} for row in found.tolist()]


# --- points --------------------------------------------------------------------------------------------------------


def _points(first: Geometry, last: Geometry, weights: Array) -> list[Geometry] | None:
    one, two = _curve(first["points"]), _curve(last["points"])
    if one is None or two is None or one.shape != two.shape:
        return None
    grid = _grid_of(one)
    found = lerp(one.ravel(), two.ravel(), weights, grid).reshape(-1, *one.shape)
    return [first | {"points": points} for points in found.tolist()]


def _skeleton(first: Geometry, last: Geometry, weights: Array) -> list[Geometry] | None:
    """Each point by its name; one that only one keyframe places stays where it is. Visibility is the earlier one's."""
    others = {point["name"]: point for point in last["points"]}
    moving = [
        index
        for index, point in enumerate(first["points"])
        if _is_placed(point) and _is_placed(others.get(point["name"], {}))
    ]
    if not moving:
        return None
    one = np.array([[first["points"][index][axis] for axis in "xy"] for index in moving], np.float64)
    two = np.array([[others[first["points"][index]["name"]][axis] for axis in "xy"] for index in moving], np.float64)
    found = lerp(one.ravel(), two.ravel(), weights, PER_PIXEL).reshape(-1, *one.shape)
    frames = []
    for places in found.tolist():
        points = list(first["points"])
        for index, (x, y) in zip(moving, places, strict=True):
            points[index] = points[index] | {"x": x, "y": y}
        frames.append(first | {"points": points})
    return frames


def _is_placed(point: Geometry) -> bool:
    return point.get("x") is not None and point.get("y") is not None


# --- boxes that are turned -----------------------------------------------------------------------------------------


def _turned(size: str, symmetry: float) -> Blend:
    """Centre and size straight, the angle on the shortest arc."""

    def blend(first: Geometry, last: Geometry, weights: Array) -> list[Geometry]:
        one = np.array([*first["center"], *first[size]], np.float64)
        two = np.array([*last["center"], *last[size]], np.float64)
        numbers = lerp(one, two, weights, PER_PIXEL).tolist()
        angles = arc(
            first["angle_deg"], last["angle_deg"], weights, turn=TURN_DEG, per_unit=PER_DEGREE, symmetry=symmetry
        ).tolist()
        return [
            first | {"center": [x, y], size: [w, h], "angle_deg": angle}
            for (x, y, w, h), angle in zip(numbers, angles, strict=True)
        ]

    return blend


# --- curves --------------------------------------------------------------------------------------------------------


def _polygon(first: Geometry, last: Geometry, weights: Array) -> list[Geometry] | None:
    """Parts and their holes find the nearest; a part or a hole that finds none stays until the next keyframe."""
    return _parts(first, [list(part) for part in first["parts"]], [list(part) for part in last["parts"]], weights)


def _polyline(first: Geometry, last: Geometry, weights: Array) -> list[Geometry] | None:
    found = _parts(
        first, [[line] for line in first["parts"]], [[line] for line in last["parts"]], weights, closed=False
    )
    return found and [shape | {"parts": [part[0] for part in shape["parts"]]} for shape in found]


def _parts(
    first: Geometry, ours: list[list[Any]], theirs: list[list[Any]], weights: Array, *, closed: bool = True
) -> list[Geometry] | None:
    one = [[_curve(ring) for ring in part] for part in ours]
    two = [[_curve(ring) for ring in part] for part in theirs]
    known = {ring.shape[1] for part in [*one, *two] for ring in part if ring is not None and len(ring)}
    if len(known) != 1 or any(ring is None for part in [*one, *two] for ring in part):
        return None  # no point at all, or some with a height and some without
    empty = np.empty((0, known.pop()))
    rings = cast(list[list[Array]], one)
    others = cast(list[list[Array]], two)
    frames: list[list[list[Any]]] = [[] for _ in weights]
    outer = pairs([part[0] if part else empty for part in rings], [part[0] if part else empty for part in others])
    for part, held, partner in zip(rings, ours, outer, strict=True):
        matches = [] if partner is None else others[partner]
        if len(part) > 1 and len(matches) > 1:
            holes = pairs(part[1:], matches[1:])
        else:
            holes = [None] * (len(part) - 1)
        wanted = [0 if matches and part else None, *(None if hole is None else hole + 1 for hole in holes)][: len(part)]
        drawn = [
            None if match is None else _ring(ring, matches[match], weights, closed=closed)
            for ring, match in zip(part, wanted, strict=True)
        ]
        for index, frame in enumerate(frames):
            frame.append([held[n] if ring is None else ring[index] for n, ring in enumerate(drawn)])
    return [first | {"parts": parts} for parts in frames]


def _ring(one: Array, two: Array, weights: Array, *, closed: bool) -> list[Any] | None:
    """One curve at each weight; None where there is nothing to go to."""
    a, b = (matched_rings if closed else matched_lines)(one, two)
    if not len(a):
        return None
    found: list[Any] = lerp(a.ravel(), b.ravel(), weights, _grid_of(a)).reshape(-1, *a.shape).tolist()
    return found


# --- in a cloud ----------------------------------------------------------------------------------------------------


def _cuboid(first: Geometry, last: Geometry, weights: Array) -> list[Geometry]:
    """Position and size straight; the rotation by slerp, the yaw on the shortest arc."""
    one = np.concatenate([_xyz(first["position"]), _xyz(first["dimensions"])])
    two = np.concatenate([_xyz(last["position"]), _xyz(last["dimensions"])])
    numbers = lerp(one, two, weights, PER_METRE).tolist()
    yaws = arc(first["yaw"], last["yaw"], weights, turn=TURN_RAD, per_unit=PER_RADIAN).tolist()
    turns = _turns(first.get("rotation"), last.get("rotation"), weights)
    found = []
    for index, ((x, y, z, length, width, height), yaw) in enumerate(zip(numbers, yaws, strict=True)):
        cuboid = first | {
            "position": {"x": x, "y": y, "z": z},
            "dimensions": {"x": length, "y": width, "z": height},
            "yaw": yaw,
        }
        if turns is not None:
            cuboid["rotation"] = dict(zip(("qx", "qy", "qz", "qw"), turns[index], strict=True))
        found.append(cuboid)
    return found


def _turns(first: Geometry | None, last: Geometry | None, weights: Array) -> list[list[float]] | None:
    """Quaternions between two; None where the first is held, because one of them is missing or turns nothing."""
    if not first or not last or first == last:
        return None
    one, two = (np.array([q[name] for name in ("qx", "qy", "qz", "qw")], np.float64) for q in (first, last))
    if not one.any() or not two.any():
        return None
    found: list[list[float]] = on_grid(slerp(one, two, weights).T, PER_QUATERNION).tolist()
    return found


def _xyz(value: Geometry) -> Array:
    return np.array([value["x"], value["y"], value["z"]], np.float64)


def _curve(points: list[Any]) -> Array | None:
    """(N, 2) or (N, 3); None where the points are of several lengths."""
    if not points:
        return np.empty((0, 2))
    if len(set(map(len, points))) != 1 or len(points[0]) not in (2, 3):
        return None
    return np.array(points, np.float64)


def _grid_of(points: Array) -> float:
    """A point with a height is in a cloud, in metres."""
    return PER_METRE if points.shape[1] == 3 else PER_PIXEL


CUBOIDS = ("cuboid", "cuboid-sync")
BLENDS: dict[str, Blend] = {
    "bbox": _points,
    "point": _points,
    "skeleton": _skeleton,
    "rbox": _turned("size_wh", 0.0),
    "ellipse": _turned("radii", TURN_DEG / 2),
    "polygon": _polygon,
    "polyline": _polyline,
    **dict.fromkeys(CUBOIDS, _cuboid),
}
