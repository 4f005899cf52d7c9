"""Geometries for the tests of sequences."""

from __future__ import annotations

from typing import Any

JSON = dict[str, Any]


def bbox(x0: float, y0: float, x1: float, y1: float) -> JSON:
    return {"type": "bbox", "points": [[x0, y0], [x1, y1]]}


def polygon(ring: Any) -> JSON:
    return {"type": "polygon", "parts": [[[list(map(float, p)) for p in ring] if len(ring) else []]]}


def polyline(line: Any) -> JSON:
    return {"type": "polyline", "parts": [[list(p) for p in line]]}


def cuboid(
    x: float = 0.0, *, yaw: float = 0.0, type: str = "cuboid", length: float = 4.0, rotation: JSON | None = None
) -> JSON:
    made = {
        "type": type,
        "position": {"x": x, "y": 0.0, "z": 0.0},
        "dimensions": {"x": length, "y": 2.0, "z": 1.5},
        "yaw": yaw,
    }
    return made if rotation is None else made | {"rotation": rotation}


FORMS: dict[str, JSON] = {
    "bbox": bbox(0.1, 0.2, 10.3, 10.4),
    "rbox": {"type": "rbox", "center": [1.5, 2.5], "size_wh": [3.0, 4.0], "angle_deg": 30.0},
    "polygon": polygon([[0, 0], [4, 0], [2, 3]]),
    "polyline": polyline([[0.0, 0.0], [4.0, 0.5], [8.0, 0.0]]),
    "point": {"type": "point", "points": [[1 / 3, 2 / 3]]},
    "skeleton": {"type": "skeleton", "points": [{"name": "nose", "x": 1.0, "y": 2.0, "visibility": 2}]},
    "ellipse": {"type": "ellipse", "center": [1.0, 2.0], "radii": [3.0, 4.0], "angle_deg": 15.0},
    "bitmap": {"type": "bitmap", "rle": {"size": [2, 2], "counts": [1, 2, 1]}},
    "orientation": {"type": "orientation"},
    "mask": {"type": "mask"},
    "cuboid": cuboid(1.0, yaw=0.5),
    "cuboid-sync": cuboid(1.0, yaw=0.5, type="cuboid-sync"),
}


def point(x: float) -> JSON:
    return {"type": "point", "points": [[x, 0]]}


def track(
    keyframes: dict[int, Any], absent: tuple[int, ...] = (), kept: dict[int, Any] | None = None, **more: Any
) -> JSON:
    """A track as a state holds it; keyframes and kept frames are given by an x, a geometry or an entry."""

    def entry(value: Any) -> JSON:
        if isinstance(value, dict):
            return value if "geometry" in value else {"geometry": value}
        return {"geometry": point(value)}

    entries = {frame: {"absent": True} for frame in absent}
    entries |= {frame: entry(value) for frame, value in keyframes.items()}
    entries |= {frame: entry(value) | {"kept": True} for frame, value in (kept or {}).items()}
    return {
        "uuid": "00000000-0000-4000-8000-000000000001",
        "track_id": 1,
        "sensor": None,
        "category_id": 1,
        "order": 1.0,
        "entries": {str(frame): entries[frame] for frame in sorted(entries)},
    } | more
