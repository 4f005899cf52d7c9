"""The definition of `labeling.geometry.rasterize` once more, pixel by pixel in rational numbers: slow and plain."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

Rings = Sequence[Sequence[Sequence[float]]]


def crossings(rings: Rings, y: Fraction) -> list[Fraction]:
    """Where the rings cross the line at y, moved down by an infinitely small amount."""
    found = []
    for ring in rings:
        for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], *ring[:1]], strict=True):
            if (y0 <= y) != (y1 <= y):
                found.append(Fraction(x0) + (y - Fraction(y0)) * (Fraction(x1) - Fraction(x0)) / Fraction(y1 - y0))
    return found


def mask(parts: Sequence[Rings], height: int, width: int) -> np.ndarray:
    """The mask (height, width) of an object whose coordinates are on the 1/256 px grid already.

    A pixel is in a part where a ray from its centre to the left crosses the part's rings an odd number of times; the
    centre is moved to the right by an infinitely small amount, far larger than the one down.
    """
    result = np.zeros((height, width), dtype=bool)
    half = Fraction(1, 2)
    for rings in parts:
        for row in range(height):
            found = crossings(rings, row + half)
            for column in range(width):
                result[row, column] |= sum(crossing <= column + half for crossing in found) % 2 == 1
    return result
