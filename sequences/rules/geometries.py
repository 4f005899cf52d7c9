"""Geometries of tracks on the wire: what the protocol shows of them, and when two of them are the same. Pure."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from labeling.errors import InvalidValue
from labeling.geometry import shapes
from labeling.rules.documents import WIRE_TYPES
from sequences.interpolation.blends import CUBOIDS
from sequences.interpolation.numbers import (
    PER_DEGREE,
    PER_METRE,
    PER_PIXEL,
    PER_QUATERNION,
    PER_RADIAN,
)

JSON = dict[str, Any]

_CUBOID_KEYS = frozenset({"type", "position", "dimensions", "yaw", "rotation"})
_SHAPE_KEYS = frozenset({"type", "points"})
_EXACT_KEYS = _SHAPE_KEYS | {"geometry"}
#: The grid of the numbers below a key; of a list of points their length decides.
_GRIDS = {
    "yaw": PER_RADIAN,
    "rotation": PER_QUATERNION,
    "position": PER_METRE,
    "dimensions": PER_METRE,
    "angle_deg": PER_DEGREE,
}


def from_wire(item: JSON, where: str) -> tuple[JSON, frozenset[str], bool]:
    """(the geometry of an annotation, the keys that it was in, whether it came in our own form).

    Raises:
        InvalidValue: our own form beside the protocol's contradicts it.
    """
    kind = item.get("type")
    if kind in CUBOIDS and "position" in item:
        return (
            {key: item[key] for key in ("type", "position", "dimensions", "yaw", "rotation") if key in item},
            (_CUBOID_KEYS),
            False,
        )
    if kind not in WIRE_TYPES or "points" not in item:
        return {"type": "mask"}, frozenset(), False
    geometry = item.get("geometry")
    if isinstance(geometry, dict) and geometry.get("type") not in (None, "mask", "orientation"):
        geometry = shapes.checked_geometry(geometry, where=f"{where}.geometry", lenient=True)
        if shapes.to_wire(geometry) != (kind, item["points"]):
            raise InvalidValue(
                f"{where}.points", "must be those of the geometry; send the one of the two that you changed"
            )
        return geometry, _EXACT_KEYS, True
    return shapes.from_wire(cast(str, kind), item["points"]), _SHAPE_KEYS, False


def to_wire(geometry: JSON) -> JSON:
    """What the protocol shows of a geometry, with our own form beside where that says more."""
    kind = geometry["type"]
    if kind == "bbox" or kind == "point":  # most of all, and there may be a million
        return {"type": kind, "points": geometry["points"]}
    if kind in CUBOIDS:
        return geometry
    wire = shapes.to_wire(geometry)
    if wire is None:
        return {}
    found: JSON = {"type": wire[0], "points": wire[1]}
    if kind not in WIRE_TYPES or shapes.keeps(geometry):
        found["geometry"] = geometry
    return found


def turned_corners(kind: str, numbers: np.ndarray) -> np.ndarray:
    """`labeling.geometry.shapes.to_wire` of many rotated boxes or ellipses at once, to the last bit.

    `numbers` is (F, 5): centre x, y, two lengths, angle in degrees. Gives (F, 2 N): x, y of each of the N vertices.
    """
    x, y, one, two, angle = numbers.T
    if kind == "rbox":
        ways = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]).T
        one, two = one / 2, two / 2
    else:
        turns = [shapes.sine_cosine(360 * index / shapes.ELLIPSE_VERTICES) for index in range(shapes.ELLIPSE_VERTICES)]
        ways = np.array([(cosine, sine) for sine, cosine in turns]).T
    dx, dy = np.multiply.outer(one, ways[0]), np.multiply.outer(two, ways[1])
    pairs = np.array([shapes.sine_cosine(item) for item in angle.tolist()]).reshape(-1, 2)
    sine, cosine = pairs[:, :1], pairs[:, 1:]
    found = np.empty((len(numbers), ways.shape[1], 2))
    found[..., 0] = x[:, None] + dx * cosine - dy * sine
    found[..., 1] = y[:, None] + dx * sine + dy * cosine
    return (np.rint(found * PER_PIXEL) / PER_PIXEL + 0.0).reshape(len(numbers), -1)


def agree(ours: JSON, sent: JSON, *, exact: bool) -> bool:
    """Whether a geometry that was sent is ours after rounding to the grid; as far as the protocol shows it, unless it
    came in our own form (`exact`)."""
    if ours == sent:
        return True
    if ours["type"] == sent["type"] and "points" in ours and ours["type"] != "skeleton":
        return _same_points(ours["points"], sent["points"])
    if not exact and ours["type"] not in CUBOIDS and ours["type"] != "mask":
        shown, wanted = shapes.to_wire(ours), shapes.to_wire(sent)
        if shown is None or wanted is None or shown[0] != wanted[0]:
            return False
        return _same_points(shown[1], wanted[1])
    return ours["type"] == sent["type"] and _near(ours, sent, None)


def _same_points(one: list[list[float]], two: list[list[float]]) -> bool:
    if len(one) != len(two):
        return False
    for p, q in zip(one, two, strict=True):
        if p != q:
            if len(p) != len(q):
                return False
            grid = PER_METRE if len(p) == 3 else PER_PIXEL
            for a, b in zip(p, q, strict=True):
                if a != b and _rounded(a, grid) != _rounded(b, grid):
                    return False
    return True


def _rounded(number: float, per_unit: float) -> float:
    """The steps of the grid that a number is at: `on_grid` of one number, which takes numpy fifty times as long."""
    return round(number * per_unit) if abs(number) < 2.0**52 / per_unit else number


def _near(one: Any, two: Any, grid: float | None) -> bool:
    if isinstance(one, dict):
        return (
            isinstance(two, dict)
            and one.keys() == two.keys()
            and all(_near(value, two[key], _GRIDS.get(key, grid)) for key, value in one.items())
        )
    if isinstance(one, list):
        if not isinstance(two, list) or len(one) != len(two):
            return False
        if one and grid is None and not isinstance(one[0], list | dict):
            grid = PER_METRE if len(one) == 3 else PER_PIXEL
        return all(_near(a, b, grid) for a, b in zip(one, two, strict=True))
    if type(one) in (int, float) and type(two) in (int, float):
        if one == two:
            return True
        return _rounded(one, grid or PER_PIXEL) == _rounded(two, grid or PER_PIXEL)
    return type(one) is type(two) and bool(one == two)
