"""Areas, boxes, centroids, boundaries and overlaps of masks, label maps and run lengths.

Areas are whole pixels, int64; boxes are half-open pixel boxes [x0, y0, x1, y1]; centroids are the means of pixel
centres, [x, y] in px, float64. A label map is an array (H, W) of unsigned integers in which 0 is void. The overlap of
two masks of which both are empty is 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap, Mask
from labeling.geometry.regions import set_places

Numbers = NDArray[np.int64]
Shares = NDArray[np.float64]

_DENSE = 1 << 20
_QUERIES = 1 << 20


class Segments(NamedTuple):
    """What a label map shows, by ascending id: ids (N,), areas (N,), boxes_xyxy (N, 4), centroids (N, 2)."""

    ids: Numbers
    areas: Numbers
    boxes_xyxy: Numbers
    centroids: Shares


class Overlaps(NamedTuple):
    """Pixels (N,) that have the id `one` in one map and `other` in the other, void among them, by ascending ids."""

    one: Numbers
    other: Numbers
    pixels: Numbers


def segments_of(ids: NDArray[Any]) -> Segments:
    """Area, box and centroid of every id of a label map (H, W) but void."""
    width = ids.shape[1]
    places, lengths = _joint_runs(ids)
    values = ids.reshape(-1)[places].astype(np.int64)
    kept = np.flatnonzero(values)
    values, places, lengths = values[kept], places[kept], lengths[kept]
    order = np.argsort(values, kind="stable")
    values, places, lengths = values[order], places[order], lengths[order]
    if values.size == 0:
        none = np.zeros(0, dtype=np.int64)
        return Segments(none, none, np.zeros((0, 4), dtype=np.int64), np.zeros((0, 2)))
    heads = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    row, first = np.divmod(places, width)
    after = first + lengths
    areas = np.add.reduceat(lengths, heads)
    boxes = [
        np.minimum.reduceat(first, heads),
        np.minimum.reduceat(row, heads),
        np.maximum.reduceat(after, heads),
        np.maximum.reduceat(row, heads) + 1,
    ]
    # twice the sums of the centres' coordinates, which are whole
    sums = [np.add.reduceat(lengths * (first + after), heads), np.add.reduceat(lengths * (2 * row + 1), heads)]
    return Segments(values[heads], areas, np.stack(boxes, axis=1), np.stack(sums, axis=1) / (2 * areas[:, None]))


def boundary(mask: Mask, *, edge: bool = True) -> Mask:
    """The set pixels of a mask (H, W) that have an unset one at one of their four sides.

    Outside of the image nothing is set, so pixels at its edge belong to the boundary, unless `edge` is False.
    """
    framed = np.pad(mask, 1, constant_values=not edge)
    inner = framed[:-2, 1:-1] & framed[2:, 1:-1] & framed[1:-1, :-2] & framed[1:-1, 2:]
    result: Mask = mask & ~inner
    return result


def overlaps(one: NDArray[Any], other: NDArray[Any]) -> Overlaps:
    """How many pixels each pair of ids of two label maps (H, W) share; only pairs that share one.

    Runs in which neither map changes are counted by their lengths, so the cost is one look at each pixel.

    Raises:
        BadBitmap: the maps differ in size.
    """
    if one.shape != other.shape:
        raise BadBitmap("The bitmaps have different sizes.")
    places, lengths = _joint_runs(one, other)
    ones, first = _compact(one.reshape(-1)[places])
    others, second = _compact(other.reshape(-1)[places])
    keys = first * others.size + second
    if ones.size * others.size <= _DENSE:
        sums = np.bincount(keys, weights=lengths, minlength=ones.size * others.size)
        found = np.flatnonzero(sums)
        pixels = sums[found].astype(np.int64)  # whole numbers below 2**53: exact
    else:
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        heads = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
        found, pixels = keys[heads], np.add.reduceat(lengths[order], heads)
    return Overlaps(ones[found // max(1, others.size)], others[found % max(1, others.size)], pixels)


def ious_of_maps(one: NDArray[Any], other: NDArray[Any]) -> tuple[Numbers, Numbers, Shares]:
    """(ids (N,), ids (M,), intersection over union (N, M)) of the objects of two label maps (H, W), void left out.

    Raises:
        BadBitmap: the maps differ in size.
    """
    shared = overlaps(one, other)
    ones, first = np.unique(shared.one, return_inverse=True)
    others, second = np.unique(shared.other, return_inverse=True)
    pixels = np.zeros((ones.size, others.size), dtype=np.int64)
    pixels[first, second] = shared.pixels
    areas, other_areas = pixels.sum(axis=1), pixels.sum(axis=0)
    union = areas[:, None] + other_areas[None, :] - pixels
    kept, other_kept = np.flatnonzero(ones), np.flatnonzero(others)
    grid = np.ix_(kept, other_kept)
    return ones[kept], others[other_kept], pixels[grid] / union[grid]


def ious_of_runs(
    ones: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]], *, crowd: Sequence[bool] | None = None
) -> Shares:
    """Intersection over union (N, M) of masks given by their run lengths, which may overlap each other.

    Where `crowd` (M,) is true the intersection is divided by the area of the one alone, as COCO does for crowds.

    Raises:
        BadBitmap: run lengths that describe no mask, or of different sizes.
    """
    bounds, areas, spans = _bounds(ones)
    other_bounds, other_areas, other_spans = _bounds(others)
    sizes = {tuple(runs["size"]) for runs in (*ones, *others)}
    if len(sizes) > 1:
        raise BadBitmap("The bitmaps have different sizes.")
    result = np.zeros((len(ones), len(others)))
    if result.size == 0:
        return result
    height, width = sizes.pop()
    far = height * width + 1
    # only masks of which some columns are the same can meet
    first, second = np.nonzero(
        (spans[:, 0, None] < other_spans[None, :, 1]) & (other_spans[None, :, 0] < spans[:, 1, None])
    )
    counts = np.array([item.size for item in bounds])
    pixels = np.zeros(result.shape, dtype=np.int64)
    every = np.concatenate([item + number * far for number, item in enumerate(other_bounds)])
    before = np.cumsum([0, *(item.size for item in other_bounds)])
    reached = _set_before(other_bounds)
    pieces = np.searchsorted(np.cumsum(counts[first]), np.arange(_QUERIES, counts[first].sum(), _QUERIES))
    for pairs in np.split(np.arange(first.size), pieces):
        i, j = first[pairs], second[pairs]
        if i.size == 0:
            continue
        at = np.concatenate([bounds[number] for number in i.tolist()])
        of = np.repeat(j, counts[i])
        nth = np.searchsorted(every, at + of * far, side="right")
        inside = ((nth - before[of]) & 1).astype(bool)
        so_far = np.append(0, reached)[nth]
        so_far[nth == before[of]] = 0
        so_far[inside] += (at - every[nth - 1] + of * far)[inside]
        heads = np.cumsum(counts[i]) - counts[i]
        signs = np.tile([-1, 1], at.size // 2)
        pixels[i, j] = np.add.reduceat(signs * so_far, heads)
    union = areas[:, None] + other_areas[None, :] - pixels
    if crowd is not None:
        union = np.where(np.asarray(crowd, dtype=bool)[None, :], areas[:, None], union)
    np.divide(pixels, union, out=result, where=union > 0)
    return result


def ious_of_boxes(ones: Shares, others: Shares) -> Shares:
    """Intersection over union (N, M) of boxes (N, 4) and (M, 4), [x0, y0, x1, y1] in px with x0 <= x1 and y0 <= y1."""
    ones, others = (
        np.asarray(ones, dtype=np.float64).reshape(-1, 4),
        np.asarray(others, dtype=np.float64).reshape(-1, 4),
    )
    low = np.maximum(ones[:, None, :2], others[None, :, :2])
    high = np.minimum(ones[:, None, 2:], others[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas, other_areas = (np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (ones, others))
    union = areas[:, None] + other_areas[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _joint_runs(*maps: NDArray[Any]) -> tuple[Numbers, Numbers]:
    """(first place, length) of the longest runs along the rows in which no map changes; places count row by row."""
    height, width = maps[0].shape
    starts = np.zeros((height, -(-width // 8) * 8), dtype=bool)
    for ids in maps:
        starts[:, 1:width] |= ids[:, 1:] != ids[:, :-1]
    starts[:, :1] = True
    places = set_places(starts)
    if starts.shape[1] != width:
        row, column = np.divmod(places, starts.shape[1])
        places = row * width + column
    return places, np.diff(places, append=height * width)


def _compact(values: NDArray[Any]) -> tuple[Numbers, Numbers]:
    """(the different values, ascending, and which of them each value is)."""
    if values.size == 0 or int(values.max()) >= max(1 << 16, values.size):
        ids, which = np.unique(values, return_inverse=True)
        return ids.astype(np.int64), which.astype(np.int64)
    seen = np.zeros(int(values.max()) + 1, dtype=bool)
    seen[values] = True
    return np.flatnonzero(seen), (np.cumsum(seen) - 1)[values]


def _bounds(masks: Sequence[Mapping[str, Any]]) -> tuple[list[Numbers], Numbers, Numbers]:
    """(starts and stops of the runs of each mask in turn, areas (N,), first and last place (N, 2))."""
    found = []
    for runs in masks:
        ends = np.cumsum(rle.counts_of(runs, max_pixels=rle.MAX_PIXELS))
        found.append(ends[: ends.size - ends.size % 2])
    areas = np.array([int((item[1::2] - item[::2]).sum()) for item in found], dtype=np.int64)
    spans = np.array([(item[0], item[-1]) if item.size else (0, 0) for item in found], dtype=np.int64)
    return found, areas, spans


def _set_before(bounds: list[Numbers]) -> Numbers:
    """For every bound, masks one after the other: how many pixels of its mask are set before it."""
    parts = []
    for item in bounds:
        lengths = np.zeros(item.size, dtype=np.int64)
        lengths[1::2] = item[1::2] - item[::2]
        parts.append(np.cumsum(lengths))
    return np.concatenate(parts)
