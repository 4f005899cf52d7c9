"""From one keyframe's geometry to the next one's, for every form of geometry.

`blended(first, last, weights)` gives a geometry a weight, in the form of `first`. What has no way in between is held:
the earlier keyframe's geometry stays until the later one (bitmaps and masks, another form, another number of points,
curves of other dimensions, a quaternion of length zero).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

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


class Moving(NamedTuple):
    """What changes on the way from one geometry to another: a row of numbers a weight, (F, C), and the geometry that
    any C values (numbers, or what stands for them) make."""

    numbers: Array
    form: Callable[[Sequence[Any]], Geometry]


Blend = Callable[[Geometry, Geometry, Array], Moving | None]


def blended(first: Geometry, last: Geometry, weights: Array) -> list[Geometry]:
    """A geometry for each weight in [0, 1]; at 0 and 1 the keyframe's own. [] for no weights."""
    weights = np.asarray(weights, np.float64)
    found = moving(first, last, weights) if len(weights) else None
    shapes = [first] * len(weights) if found is None else list(map(found.form, found.numbers.tolist()))
    return [last if at >= 1 else first if at <= 0 else item for at, item in zip(weights.tolist(), shapes, strict=True)]


def moving(first: Geometry, last: Geometry, weights: Array) -> Moving | None:
    """What changes between two geometries, at weights (F,), F > 0, in [0, 1]; None where the first is held.

    At the weights 0 and 1 a keyframe's own geometry is to be shown, whatever stands in those rows.
    """
    blend = BLENDS.get(first["type"]) if first["type"] == last["type"] else None
    return blend(first, last, weights) if blend is not None and first != last else None


def continued(first: Geometry, last: Geometry, weights: Array) -> list[Geometry] | None:
    """A cuboid whose position goes on straight past `last` (weights above 1); None for any other geometry."""
    found = moving_on(first, last, np.asarray(weights, np.float64))
    return None if found is None else list(map(found.form, found.numbers.tolist()))


def moving_on(first: Geometry, last: Geometry, weights: Array) -> Moving | None:
    """What changes of a geometry past its last keyframe, at weights (F,) above 1; None where it is held."""
    if last["type"] not in CUBOIDS or first["type"] not in CUBOIDS:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        one, two = _xyz(first["position"]), _xyz(last["position"])
        found = two + np.multiply.outer(weights - 1.0, two - one)
    found = np.where(np.isfinite(found), found, two)
    found = np.where(two == one, two, on_grid(found, PER_METRE))
    return Moving(found, lambda cells: last | {"position": dict(zip("xyz", cells, strict=True))})


# --- points --------------------------------------------------------------------------------------------------------


def _points(first: Geometry, last: Geometry, weights: Array) -> Moving | None:
    one, two = _curve(first["points"]), _curve(last["points"])
    if one is None or two is None or one.shape != two.shape:
        return None
    found = lerp(one.ravel(), two.ravel(), weights, _grid_of(one))
    width = one.shape[1]
    return Moving(found, lambda cells: first | {"points": by_point(cells, width)})


def by_point(cells: Sequence[Any], width: int) -> list[list[Any]]:
    """Values in groups of `width`."""
    return list(map(list, zip(*[iter(cells)] * width, strict=True)))


def _skeleton(first: Geometry, last: Geometry, weights: Array) -> Moving | None:
    """Each point by its name; one that only one keyframe places stays where it is. Visibility is the earlier one's."""
    others = {point["name"]: point for point in last["points"]}
    placed = [
        index
        for index, point in enumerate(first["points"])
        if _is_placed(point) and _is_placed(others.get(point["name"], {}))
    ]
    if not placed:
        return None
    one = np.array([[first["points"][index][axis] for axis in "xy"] for index in placed], np.float64)
    two = np.array([[others[first["points"][index]["name"]][axis] for axis in "xy"] for index in placed], np.float64)

    def form(cells: Sequence[Any]) -> Geometry:
        points = list(first["points"])
        for index, (x, y) in zip(placed, by_point(cells, 2), strict=True):
            points[index] = points[index] | {"x": x, "y": y}
        return first | {"points": points}

    return Moving(lerp(one.ravel(), two.ravel(), weights, PER_PIXEL), form)


def _is_placed(point: Geometry) -> bool:
    return point.get("x") is not None and point.get("y") is not None


# --- boxes that are turned -----------------------------------------------------------------------------------------


def _turned(size: str, symmetry: float) -> Blend:
    """Centre and size straight, the angle on the shortest arc."""

    def blend(first: Geometry, last: Geometry, weights: Array) -> Moving:
        one = np.array([*first["center"], *first[size]], np.float64)
        two = np.array([*last["center"], *last[size]], np.float64)
        angles = arc(
            first["angle_deg"], last["angle_deg"], weights, turn=TURN_DEG, per_unit=PER_DEGREE, symmetry=symmetry
        )

        def form(cells: Sequence[Any]) -> Geometry:
            x, y, w, h, angle = cells
            return first | {"center": [x, y], size: [w, h], "angle_deg": angle}

        return Moving(np.column_stack([lerp(one, two, weights, PER_PIXEL), angles]), form)

    return blend


# --- curves --------------------------------------------------------------------------------------------------------


def _polygon(first: Geometry, last: Geometry, weights: Array) -> Moving | None:
    """Parts and their holes find the nearest; a part or a hole that finds none stays until the next keyframe."""
    ours, theirs = [list(part) for part in first["parts"]], [list(part) for part in last["parts"]]
    found = _parts(ours, theirs, weights)
    if found is None:
        return None
    numbers, form = found
    return Moving(numbers, lambda cells: first | {"parts": form(cells)})


def _polyline(first: Geometry, last: Geometry, weights: Array) -> Moving | None:
    ours, theirs = [[line] for line in first["parts"]], [[line] for line in last["parts"]]
    found = _parts(ours, theirs, weights, closed=False)
    if found is None:
        return None
    numbers, form = found
    return Moving(numbers, lambda cells: first | {"parts": [part[0] for part in form(cells)]})


def _parts(
    ours: list[list[Any]], theirs: list[list[Any]], weights: Array, *, closed: bool = True
) -> tuple[Array, Callable[[Sequence[Any]], list[list[Any]]]] | None:
    """(numbers, the parts that any values in their place make)."""
    one = [[_curve(ring) for ring in part] for part in ours]
    two = [[_curve(ring) for ring in part] for part in theirs]
    known = {ring.shape[1] for part in [*one, *two] for ring in part if ring is not None and len(ring)}
    if len(known) != 1 or any(ring is None for part in [*one, *two] for ring in part):
        return None  # no point at all, or some with a height and some without
    width = known.pop()
    empty = np.empty((0, width))
    rings = cast(list[list[Array]], one)
    others = cast(list[list[Array]], two)
    columns: list[Array] = []
    ends: list[list[int | None]] = []  # of the numbers of each ring; None where it stays
    end = 0
    outer = pairs([part[0] if part else empty for part in rings], [part[0] if part else empty for part in others])
    for part, partner in zip(rings, outer, strict=True):
        matches = [] if partner is None else others[partner]
        if len(part) > 1 and len(matches) > 1:
            holes = pairs(part[1:], matches[1:])
        else:
            holes = [None] * (len(part) - 1)
        wanted = [0 if matches and part else None, *(None if hole is None else hole + 1 for hole in holes)][: len(part)]
        ends.append([])
        for ring, match in zip(part, wanted, strict=True):
            drawn = None if match is None else _ring(ring, matches[match], weights, closed=closed)
            if drawn is not None:
                columns.append(drawn)
                end += drawn.shape[1]
            ends[-1].append(None if drawn is None else end)

    def form(cells: Sequence[Any]) -> list[list[Any]]:
        start, parts = 0, cast(list[list[Any]], [])
        for held, stops in zip(ours, ends, strict=True):
            parts.append([])
            for ring, stop in zip(held, stops, strict=True):
                parts[-1].append(ring if stop is None else by_point(cells[start:stop], width))
                start = start if stop is None else stop
        return parts

    return (np.concatenate(columns, axis=1) if len(columns) != 1 else columns[0], form) if columns else None


def _ring(one: Array, two: Array, weights: Array, *, closed: bool) -> Array | None:
    """One curve at each weight, (F, C); None where there is nothing to go to."""
    a, b = (matched_rings if closed else matched_lines)(one, two)
    return lerp(a.ravel(), b.ravel(), weights, _grid_of(a)) if len(a) else None


# --- in a cloud ----------------------------------------------------------------------------------------------------


def _cuboid(first: Geometry, last: Geometry, weights: Array) -> Moving:
    """Position and size straight; the rotation by slerp, the yaw on the shortest arc."""
    one = np.concatenate([_xyz(first["position"]), _xyz(first["dimensions"])])
    two = np.concatenate([_xyz(last["position"]), _xyz(last["dimensions"])])
    yaws = arc(first["yaw"], last["yaw"], weights, turn=TURN_RAD, per_unit=PER_RADIAN)
    columns = [lerp(one, two, weights, PER_METRE), yaws]
    turns = _turns(first.get("rotation"), last.get("rotation"), weights)
    if turns is not None:
        columns.append(turns)

    def form(cells: Sequence[Any]) -> Geometry:
        x, y, z, length, width, height, yaw, *turn = cells
        cuboid = first | {
            "position": {"x": x, "y": y, "z": z},
            "dimensions": {"x": length, "y": width, "z": height},
            "yaw": yaw,
        }
        if turn:
            cuboid["rotation"] = dict(zip(("qx", "qy", "qz", "qw"), turn, strict=True))
        return cuboid

    return Moving(np.column_stack(columns), form)


def _turns(first: Geometry | None, last: Geometry | None, weights: Array) -> Array | None:
    """Quaternions between two, (F, 4); None where the first is held: one of them is missing, or turns nothing."""
    if not first or not last or first == last:
        return None
    one, two = (np.array([q[name] for name in ("qx", "qy", "qz", "qw")], np.float64) for q in (first, last))
    if not one.any() or not two.any():
        return None
    return on_grid(slerp(one, two, weights).T, PER_QUATERNION)


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
