"""Shapes in sentences: what they are, and how one became another."""

from __future__ import annotations

import math
from typing import Any

from labeling.rules.telling.phrases import number

JSON = dict[str, Any]
SHAPES = {"bbox": "box", "rbox": "rotated box", "mask": "bitmap"}


def outline_points(geometry: JSON) -> list[list[float]]:
    """The points of a shape in their order; of a rotated one the ends of its sizes, as if it were not rotated."""
    match geometry.get("type"):
        case "bbox" | "point":
            found: list[list[float]] = geometry["points"]
            return found
        case "polygon":
            return [point for part in geometry["parts"] for ring in part for point in ring]
        case "polyline":
            return [point for line in geometry["parts"] for point in line]
        case "rbox" | "ellipse":
            (x, y), (a, b) = geometry["center"], geometry.get("size_wh") or [2 * r for r in geometry["radii"]]
            return [[x - a / 2, y - b / 2], [x + a / 2, y + b / 2]]
        case "skeleton":
            return [[point["x"], point["y"]] for point in geometry["points"] if "x" in point]
    return []


def size_of(geometry: JSON) -> str:
    """How large a shape is: its box, in pixels."""
    found = outline_points(geometry)
    if not found:
        return ""
    xs, ys = [point[0] for point in found], [point[1] for point in found]
    return f"{number(max(xs) - min(xs))} × {number(max(ys) - min(ys))} px"


def drawn(geometry: JSON) -> str:
    """A shape in words: a box of 10 × 20 px."""
    named: str = geometry.get("type") or "shape"
    kind = SHAPES.get(named, named)
    size = size_of(geometry) if kind not in ("point", "orientation") else ""
    return f"a{'n' if kind[:1] in 'aeiou' else ''} {kind}" + (f" of {size}" if size else "")


def moved_by(before: JSON, after: JSON) -> tuple[float, float] | None:
    """(dx, dy) in pixels where a shape only went somewhere else; None where it became another one."""
    ones, others = outline_points(before), outline_points(after)
    if before.get("type") != after.get("type") or not ones or len(ones) != len(others):
        return None
    dx, dy = others[0][0] - ones[0][0], others[0][1] - ones[0][1]
    if all(
        math.isclose(two[0] - one[0], dx, abs_tol=1e-6) and math.isclose(two[1] - one[1], dy, abs_tol=1e-6)
        for one, two in zip(ones, others, strict=True)
    ):
        return dx, dy
    return None


def redrawn(name: str, before: JSON, after: JSON) -> str:
    """How a shape became another one."""
    if before.get("type") != after.get("type"):
        return f"redrew {name} as {drawn(after)}"
    angle = after.get("angle_deg", 0) - before.get("angle_deg", 0)
    if angle:
        return f"turned {name} by {number(angle)}°"
    by = moved_by(before, after)
    if by is not None:
        ways = [
            f"{number(abs(step))} px {way}"
            for step, way in (
                (by[0], "to the right" if by[0] > 0 else "to the left"),
                (by[1], "down" if by[1] > 0 else "up"),
            )
            if number(step) != "0"
        ]
        return f"moved {name} by {' and '.join(ways)}" if ways else f"moved {name} by less than 0.01 px"
    ones, others = outline_points(before), outline_points(after)
    if after.get("type") in ("polygon", "polyline", "skeleton") and ones:
        if len(ones) == len(others):
            differ = sum(one != other for one, other in zip(ones, others, strict=True))
            return f"moved {differ} of the {len(ones)} points of {name}"
        return f"redrew {name}: {len(others)} points in the place of {len(ones)}"
    sizes = size_of(before), size_of(after)
    if all(sizes) and sizes[0] != sizes[1]:
        return f"resized {name} from {sizes[0]} to {sizes[1]}"
    return f"redrew {name}"
