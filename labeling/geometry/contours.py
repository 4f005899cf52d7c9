"""Exact outlines of masks: rings along the sides of pixels, which `rasterize` turns into the same mask again, always.

Vertices are corners of pixels, integers [x, y]. Outer rings run clockwise on the screen (their `signed_area` is above
0), holes against it. Only corners are vertices: no three in a row lie on a line.

Connectivity is that of the set pixels, and every region becomes one part: its outer ring, then its holes. With 4, where
two pixels of one region touch by a corner only, the rings pass it so that none touches itself: the parts are valid
polygons in the sense of OGC (rings may touch in single points). With 8 a ring may touch itself there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.geometry.bitmaps import Mask, box_of
from labeling.geometry.regions import Connectivity, Runs, runs_of, set_places

Numbers = NDArray[np.int64]
Ring = NDArray[np.int64]


def parts_of_mask(mask: Mask, connectivity: Connectivity = 4) -> list[list[Ring]]:
    """The parts of a mask (H, W), each its outer ring and then its holes (N, 2); in the order of their first pixels.

    An empty mask has no parts.
    """
    box = box_of(mask)
    if box is None:
        return []
    x0, y0, x1, y1 = box
    inner = mask[y0:y1, x0:x1]
    runs = runs_of(inner, connectivity)
    points, sizes = _walked(*_linked(inner, runs, connectivity))
    heads = np.cumsum(sizes) - sizes
    outer = _doubled_areas(points, heads, sizes) > 0
    # each ring begins at its uppermost and then leftmost corner: of an outer ring the region's pixel is to the lower
    # right of it, of a hole above
    first = points[heads]
    region = runs.region_at(first[:, 1] - ~outer, first[:, 0])
    points += np.array([x0, y0])
    rings = np.split(points, heads[1:])
    parts: list[list[Ring]] = [[] for _ in range(runs.regions)]
    for number in [*np.flatnonzero(outer).tolist(), *np.flatnonzero(~outer).tolist()]:
        parts[region[number]].append(rings[number])
    return parts


def geometry_of_mask(mask: Mask, connectivity: Connectivity = 4) -> dict[str, Any]:
    """The stored polygon that covers exactly the mask's pixels; of an empty mask one without parts."""
    return {
        "type": "polygon",
        "parts": [[ring.tolist() for ring in part] for part in parts_of_mask(mask, connectivity)],
    }


def signed_area(ring: Any) -> float:
    """The area within a ring (N, 2) that does not cross itself: above 0 where it runs clockwise on the screen; infinite
    where it is so large that no number says it."""
    points = np.asarray(ring)
    if not len(points):
        return 0.0
    farthest = np.abs(points).max()
    is_far = farthest > _FAR
    if is_far:
        points = points / farthest
    area = float(_doubled_areas(points, np.zeros(1, dtype=np.int64), np.array([len(points)]))[0] / 2)
    return math.copysign(math.inf, area) if is_far and area else area


#: Coordinates whose products are numbers for sure.
_FAR = 1e150


def _doubled_areas(points: NDArray[Any], heads: Numbers, sizes: Numbers) -> NDArray[Any]:
    following = np.arange(1, len(points) + 1)
    following[heads + sizes - 1] = heads
    x, y = points[:, 0], points[:, 1]
    return np.add.reduceat(x * y[following] - x[following] * y, heads)


def _linked(mask: Mask, runs: Runs, connectivity: Connectivity) -> tuple[Numbers, Numbers, Numbers]:
    """(x, y, following) of every corner of the outline, row by row; where two regions' corners meet there are two.

    A corner ends one horizontal and one vertical side. Along a row of corners every second gap is a side, and so it is
    along a column; the set pixels are on the right of the way along the rings.
    """
    height, width = mask.shape
    padded = np.zeros((height + 2, -(-(width + 2) // 8) * 8 + 8), dtype=bool)
    padded[1:-1, 1 : width + 1] = mask
    turned = padded[1:] ^ padded[:-1]
    corner = np.zeros((height + 1, padded.shape[1] - 8), dtype=bool)
    wide = corner.shape[1]
    # between four pixels there is a corner where an odd number is set, or two that touch by their corners only
    left, right = turned[:, :wide], turned[:, 1 : wide + 1]
    np.logical_xor(left, right, out=corner)
    saddle = left & right
    saddle &= padded[:-1, :wide] ^ padded[:-1, 1 : wide + 1]
    corner |= saddle
    places = set_places(corner)
    twice = saddle.reshape(-1)[places]
    places = np.repeat(places, 1 + twice)
    y, x = np.divmod(places, wide)
    falling = padded[y, x]  # the upper left pixel is set; of a saddle then also the lower right one
    index = np.arange(places.size)
    by_column = index.copy()
    firsts = np.flatnonzero(np.repeat(twice, 1 + twice))[::2]
    if firsts.size:
        # Of a saddle's two corners the first ends the side to its left, the second begins the one to its right. Which
        # of them has the side above decides whether the set pixels are kept apart there or joined.
        joined = np.ones(firsts.size, dtype=bool)
        if connectivity == 4:
            up, down = falling[firsts], ~falling[firsts]
            at_x, at_y = x[firsts], y[firsts]
            joined = runs.region_at(at_y - 1, at_x - up) == runs.region_at(at_y, at_x - down)
        swapped = firsts[joined == falling[firsts]]
        by_column[swapped], by_column[swapped + 1] = swapped + 1, swapped
    columns = x[by_column]
    by_column = by_column[np.argsort(columns.astype(np.uint16) if width < 2**16 else columns, kind="stable")]
    across, along = index ^ 1, np.empty_like(index)
    along[by_column[::2]], along[by_column[1::2]] = by_column[1::2], by_column[::2]
    # a horizontal side is gone to the right where the pixel below it is set
    to_right = np.repeat(padded[y[::2] + 1, x[::2] + 1], 2)
    goes_across = to_right ^ (index & 1).astype(bool)
    return x, y, np.where(goes_across, across, along)


def _walked(x: Numbers, y: Numbers, following: Numbers) -> tuple[Ring, Numbers]:
    """(vertices of all rings, sizes): each ring from its first corner on, rings by their first corners."""
    ways = following.tolist()
    seen = bytearray(len(ways))
    order: list[int] = []
    sizes = []
    add = order.append
    at = 0
    while at >= 0:
        begin, before = at, len(order)
        while not seen[at]:
            seen[at] = 1
            add(at)
            at = ways[at]
        sizes.append(len(order) - before)
        at = seen.find(0, begin)
    return np.stack([x[order], y[order]], axis=1), np.array(sizes)
