"""How far two outlines cover the same: pixels of the grid that they lie on, by the one definition of rasterizing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from labeling.geometry.parts import Part, parts_of
from labeling.geometry.rasterize import mask_of

JSON = dict[str, Any]

#: Outlines that together reach over more pixels than this are not drawn to be compared.
MOST_PIXELS = 16_000_000


def overlap(one: JSON, other: JSON) -> JSON | None:
    """{iou, area_before_px, area_after_px} of two outlines; None where one has none, or they reach too far."""
    outlines = parts_of(one), parts_of(other)
    rings = [np.asarray(ring, np.float64).reshape(-1, 2) for part in (*outlines[0], *outlines[1]) for ring in part]
    points = np.concatenate(rings) if rings else np.zeros((0, 2))
    if not outlines[0] or not outlines[1] or not len(points) or not np.isfinite(points).all():
        return None
    low = np.floor(points.min(axis=0))
    width, height = (int(side) for side in np.ceil(points.max(axis=0)) - low + 1)
    if width * height > MOST_PIXELS or max(width, height) > 65_535:
        return None
    before, after = (mask_of(_shifted(parts, low), height, width) for parts in outlines)
    both, either = int((before & after).sum()), int((before | after).sum())
    return {
        "iou": round(both / either, 6) if either else 1.0,
        "area_before_px": int(before.sum()),
        "area_after_px": int(after.sum()),
    }


def _shifted(parts: Iterable[Part], by: Any) -> list[Part]:
    return [[np.asarray(ring, np.float64).reshape(-1, 2) - by for ring in part] for part in parts]
