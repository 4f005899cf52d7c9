"""Connected regions of a mask, found by its runs: which pixels belong together, and filling from a point.

Pixels are neighbours by their sides (connectivity 4) or also by their corners (8). Masks are bool (H, W), row-major.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeling.geometry.bitmaps import Mask

Connectivity = Literal[4, 8]
Numbers = NDArray[np.int64]


class Runs(NamedTuple):
    """The runs of set pixels along the rows (R,): row, first column, column after the last, number of the region.

    In the order of the rows; regions are numbered from 0 in the order of their first run.
    """

    row: Numbers
    first: Numbers
    after: Numbers
    region: Numbers

    @property
    def regions(self) -> int:
        """How many regions there are."""
        return int(self.region.max(initial=-1)) + 1

    def region_at(self, rows: Numbers, columns: Numbers) -> Numbers:
        """The regions of set pixels (N,)."""
        wide = int(self.after.max(initial=0)) + 1
        return self.region[np.searchsorted(self.row * wide + self.first, rows * wide + columns, side="right") - 1]


def runs_of(mask: Mask, connectivity: Connectivity = 4) -> Runs:
    """The runs of a mask (H, W) and their regions; none of a mask without pixels or without set ones.

    Runs of neighbouring rows that meet are linked, and every run takes over the least number that it can reach.
    """
    height, width = mask.shape
    edges = np.zeros((height, -(-(width + 2) // 8) * 8), dtype=bool)
    np.not_equal(mask[:, 1:], mask[:, :-1], out=edges[:, 1:width])
    if mask.size:
        edges[:, 0], edges[:, width] = mask[:, 0], mask[:, -1]
    places = set_places(edges)
    start, stop = places[::2], places[1::2]
    wide = edges.shape[1]
    # a run meets those of the next row that end after it begins and begin before it ends
    reach = 1 if connectivity == 8 else 0
    low = np.searchsorted(stop, start + wide - reach, side="right")
    high = np.searchsorted(start, stop + wide + reach, side="left")
    counts = np.maximum(high - low, 0)
    upper = np.repeat(np.arange(start.size), counts)
    lower = np.arange(upper.size) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(low, counts)
    region = np.unique(_roots(start.size, upper, lower), return_inverse=True)[1]
    row = start // wide
    return Runs(row, start - row * wide, stop - row * wide, region.astype(np.int64))


def components(mask: Mask, connectivity: Connectivity = 4) -> tuple[NDArray[np.int32], int]:
    """(labels (H, W), count): the number of its region, from 1, for each set pixel, and 0 for the others."""
    runs = runs_of(mask, connectivity)
    height, width = mask.shape
    bounds = np.empty(2 * runs.row.size + 2, dtype=np.int64)
    bounds[0], bounds[-1] = 0, height * width
    bounds[1:-1:2], bounds[2:-1:2] = runs.row * width + runs.first, runs.row * width + runs.after
    values = np.zeros(bounds.size - 1, dtype=np.int32)
    values[1::2] = runs.region + 1
    return np.repeat(values, np.diff(bounds)).reshape(height, width), runs.regions


def fill(mask: Mask, column: int, row: int) -> tuple[Mask, bool]:
    """(pixels, closed): what a fill from an unset pixel reaches without crossing the mask; whether that is enclosed.

    Neighbours are pixels with a common side, so a line of set pixels that touch by their corners holds the fill. The
    area is not closed where it reaches the edge of the image. From a set pixel nothing is reached, and that is closed.

    Raises:
        IndexError: the pixel is not in the image.
    """
    height, width = mask.shape
    if not (0 <= row < height and 0 <= column < width):
        raise IndexError("The pixel is not in the image.")
    filled = np.zeros_like(mask)
    if mask[row, column]:
        return filled, True
    runs = runs_of(~mask, 4)
    own = runs.region == runs.region_at(np.array([row]), np.array([column]))[0]
    rows, first, after = runs.row[own], runs.first[own], runs.after[own]
    closed = bool(rows[0] > 0 and rows[-1] < height - 1 and first.min() > 0 and after.max() < width)
    edges = np.zeros((height, width + 1), dtype=bool)
    edges[rows, first] = True
    edges[rows, after] = True
    return np.logical_xor.accumulate(edges, axis=1)[:, :-1], closed


def set_places(padded: Mask) -> Numbers:
    """Where an array (H, W) is set, row-major; W is a multiple of 8, so that eight places are looked at together."""
    eights = np.flatnonzero(padded.view(np.uint64))
    eighth, bit = np.nonzero(padded.reshape(-1, 8)[eights])
    return eights[eighth] * 8 + bit


def _roots(count: int, one: Numbers, other: Numbers) -> Numbers:
    """For each of so many items the least that links lead to: hook roots under lesser ones, shorten all ways, again."""
    root = np.arange(count)
    while one.size:
        low, high = np.minimum(root[one], root[other]), np.maximum(root[one], root[other])
        np.minimum.at(root, high, low)
        while True:
            shorter = root[root]
            if np.array_equal(shorter, root):
                break
            root = shorter
        apart = root[one] != root[other]
        one, other = one[apart], other[apart]
    return root
