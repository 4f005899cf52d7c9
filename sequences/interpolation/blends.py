"""From one keyframe's geometry to the next one's, for every form of geometry.

`blended(first, last, weights)` gives a geometry a weight, in the form of `first`; `way` and `along` the same as
numbers, many at once. What has no way in between is held:
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
#: How many numbers are computed at once.
MOST = 1_000_000


class Way(NamedTuple):
    """From one geometry to another: numbers that go straight (both (C,)), behind them an angle and a rotation where
    there are any, and the geometry that any such row of values (numbers, or what stands for them) makes."""

    first: Array
    last: Array
    per_unit: float
    form: Callable[[Sequence[Any]], Geometry]
    angle: Angle | None = None
    rotation: tuple[Array, Array] | None = None


class Angle(NamedTuple):
    """From one angle to another; see `numbers.arc`."""

    first: float
    last: float
    turn: float
    per_unit: float
    symmetry: float = 0.0


class Moving(NamedTuple):
    """What changes on the way from one geometry to another: a row of numbers a weight, (F, C), and the geometry that
    any C values make."""

    numbers: Array
    form: Callable[[Sequence[Any]], Geometry]


Blend = Callable[[Geometry, Geometry], Way | None]


def blended(first: Geometry, last: Geometry, weights: Array) -> list[Geometry]:
    """A geometry for each weight in [0, 1]; at 0 and 1 the keyframe's own. [] for no weights."""
    weights = np.asarray(weights, np.float64)
    found = way(first, last) if len(weights) else None
    shapes = [first] * len(weights)
    if found is not None:
        (numbers,) = along([found], weights)
        shapes = list(map(found.form, numbers.tolist()))
    return [last if at >= 1 else first if at <= 0 else item for at, item in zip(weights.tolist(), shapes, strict=True)]


def way(first: Geometry, last: Geometry) -> Way | None:
    """The way between two geometries; None where the first is held.

    At the weights 0 and 1 a keyframe's own geometry is to be shown, not what the way has there.
    """
    blend = BLENDS.get(first["type"]) if first["type"] == last["type"] else None
    return blend(first, last) if blend is not None and first != last else None


def along(ways: Sequence[Way], weights: Array) -> list[Array]:
    """The numbers (F, C) of each way at weights (F,) in [0, 1], F > 0. What is alike is computed together: to the last
    bit what each gives alone."""
    found: list[Array | None] = [None] * len(ways)
    alike: dict[Any, list[int]] = {}
    for index, item in enumerate(ways):
        turning = item.angle and item.angle[2:]
        alike.setdefault((len(item.first), item.per_unit, turning, item.rotation is None), []).append(index)
    for (count, per_unit, turning, unrotated), indices in alike.items():
        most = max(MOST // (max(count, 1) * len(weights)), 1)
        for start in range(0, len(indices), most):
            some = indices[start : start + most]
            group = [ways[index] for index in some]
            first, last = (np.concatenate([item[end] for item in group]) for end in (0, 1))
            columns = [lerp(first, last, weights, per_unit).reshape(len(weights), len(group), count)]
            if turning:
                one, two = (np.array([item.angle[end] for item in group if item.angle], np.float64) for end in (0, 1))
                turn, grid, symmetry = turning
                columns.append(arc(one, two, weights, turn=turn, per_unit=grid, symmetry=symmetry)[..., None])
            if not unrotated:
                one, two = (np.array([item.rotation[end] for item in group if item.rotation]).T for end in (0, 1))
                columns.append(np.moveaxis(on_grid(slerp(one, two, weights), PER_QUATERNION), 0, -1))
            numbers = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=2)
            for place, index in enumerate(some):
                found[index] = numbers[:, place]
    return cast(list[Array], found)


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


def _points(first: Geometry, last: Geometry) -> Way | None:
    one, two = _curve(first["points"]), _curve(last["points"])
    if one is None or two is None or one.shape != two.shape:
        return None
    width = one.shape[1]
    return Way(one.ravel(), two.ravel(), _grid_of(one), lambda cells: first | {"points": by_point(cells, width)})


def by_point(cells: Sequence[Any], width: int) -> list[list[Any]]:
    """Values in groups of `width`."""
    return list(map(list, zip(*[iter(cells)] * width, strict=True)))


def _skeleton(first: Geometry, last: Geometry) -> Way | None:
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

    return Way(one.ravel(), two.ravel(), PER_PIXEL, form)


def _is_placed(point: Geometry) -> bool:
    return point.get("x") is not None and point.get("y") is not None


# --- boxes that are turned -----------------------------------------------------------------------------------------


def _turned(size: str, symmetry: float) -> Blend:
    """Centre and size straight, the angle on the shortest arc."""

    def blend(first: Geometry, last: Geometry) -> Way:
        def form(cells: Sequence[Any]) -> Geometry:
            x, y, w, h, angle = cells
            return first | {"center": [x, y], size: [w, h], "angle_deg": angle}

        return Way(
            np.array([*first["center"], *first[size]], np.float64),
            np.array([*last["center"], *last[size]], np.float64),
            PER_PIXEL,
            form,
            Angle(first["angle_deg"], last["angle_deg"], TURN_DEG, PER_DEGREE, symmetry),
        )

    return blend


# --- curves --------------------------------------------------------------------------------------------------------


def _polygon(first: Geometry, last: Geometry) -> Way | None:
    """Parts and their holes find the nearest; a part or a hole that finds none stays until the next keyframe."""
    found = _parts([list(part) for part in first["parts"]], [list(part) for part in last["parts"]])
    if found is None:
        return None
    one, two, form = found
    return Way(one.ravel(), two.ravel(), _grid_of(one), lambda cells: first | {"parts": form(cells)})


def _polyline(first: Geometry, last: Geometry) -> Way | None:
    found = _parts([[line] for line in first["parts"]], [[line] for line in last["parts"]], closed=False)
    if found is None:
        return None
    one, two, form = found

    def of_lines(cells: Sequence[Any]) -> Geometry:
        return first | {"parts": [part[0] for part in form(cells)]}

    return Way(one.ravel(), two.ravel(), _grid_of(one), of_lines)


def _parts(
    ours: list[list[Any]], theirs: list[list[Any]], *, closed: bool = True
) -> tuple[Array, Array, Callable[[Sequence[Any]], list[list[Any]]]] | None:
    """(points (N, D), the points that they become, the parts that any values in their place make)."""
    one = [[_curve(ring) for ring in part] for part in ours]
    two = [[_curve(ring) for ring in part] for part in theirs]
    known = {ring.shape[1] for part in [*one, *two] for ring in part if ring is not None and len(ring)}
    if len(known) != 1 or any(ring is None for part in [*one, *two] for ring in part):
        return None  # no point at all, or some with a height and some without
    width = known.pop()
    empty = np.empty((0, width))
    rings = cast(list[list[Array]], one)
    others = cast(list[list[Array]], two)
    matched: list[tuple[Array, Array]] = []
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
            pair = None if match is None else (matched_rings if closed else matched_lines)(ring, matches[match])
            if pair is not None and len(pair[0]):
                matched.append(pair)
                end += pair[0].size
                ends[-1].append(end)
            else:
                ends[-1].append(None)

    def form(cells: Sequence[Any]) -> list[list[Any]]:
        start, parts = 0, cast(list[list[Any]], [])
        for held, stops in zip(ours, ends, strict=True):
            parts.append([])
            for ring, stop in zip(held, stops, strict=True):
                parts[-1].append(ring if stop is None else by_point(cells[start:stop], width))
                start = start if stop is None else stop
        return parts

    if not matched:
        return None
    return np.concatenate([a for a, _ in matched]), np.concatenate([b for _, b in matched]), form


# --- in a cloud ----------------------------------------------------------------------------------------------------


def _cuboid(first: Geometry, last: Geometry) -> Way:
    """Position and size straight; the rotation by slerp, the yaw on the shortest arc."""

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

    return Way(
        np.concatenate([_xyz(first["position"]), _xyz(first["dimensions"])]),
        np.concatenate([_xyz(last["position"]), _xyz(last["dimensions"])]),
        PER_METRE,
        form,
        Angle(first["yaw"], last["yaw"], TURN_RAD, PER_RADIAN),
        _rotation(first.get("rotation"), last.get("rotation")),
    )


def _rotation(first: Geometry | None, last: Geometry | None) -> tuple[Array, Array] | None:
    """Two quaternions; None where the first is held, because one of them is missing or turns nothing."""
    if not first or not last or first == last:
        return None
    one, two = (np.array([q[name] for name in ("qx", "qy", "qz", "qw")], np.float64) for q in (first, last))
    return (one, two) if one.any() and two.any() else None


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
