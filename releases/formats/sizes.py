"""The size of a picture to compute in, also where the picture's own is unknown. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from labeling.geometry.rasterize import MAX_SIDE
from releases.formats.outlines import box_of


def size_for(height: int, width: int, geometries: Iterable[dict[str, Any]]) -> tuple[int, int]:
    """(height, width) of a picture; of one of unknown size (0) those of the smallest that holds the geometries."""
    if height and width:
        return height, width
    boxes = [box for geometry in geometries if (box := box_of(geometry)) is not None]
    right, bottom = max((box[2] for box in boxes), default=1), max((box[3] for box in boxes), default=1)
    return tuple(min(max(1, math.ceil(side)), MAX_SIDE) for side in (bottom, right))  # type: ignore[return-value]
