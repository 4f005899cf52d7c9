"""What is seen of annotations that lie over each other: runs of pixels, and maps, areas and run lengths made of them.

Runs are those of `rasterize.Spans`, along the rows; here each pixel of the image belongs to one run at the most, they
ascend by place, and none goes over the end of a row. Cost and memory follow from the runs, but for functions that
return a map of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from labeling.geometry import rle
from labeling.geometry.composition import LabelMap, runs_of_mask
from labeling.geometry.rasterize import Numbers, Spans, boxed, united
from labeling.geometry.regions import set_places


class Extents(NamedTuple):
    """Of each object: areas (N,) in pixels and boxes_xyxy (N, 4), all 0 where nothing is seen of it."""

    areas: Numbers
    boxes_xyxy: Numbers


class Hidden(NamedTuple):
    """How many pixels (P,) of the object `below` (P,) are seen as those of `above` (P,), by ascending numbers."""

    below: Numbers
    above: Numbers
    pixels: Numbers


def visible(spans: Spans, places: int) -> Spans:
    """The runs in which each object is seen, of which a later one lies above an earlier; `places` is height * width."""
    if spans.start.size == 0:
        return spans
    bounds, first, after = _intervals(spans, places)
    top = _painted(first, after, spans.owner + 1, bounds.size - 1)
    seen = np.flatnonzero(top)
    return Spans(top[seen].astype(np.int64) - 1, bounds[seen], bounds[seen + 1])


def runs_of_ids(ids: LabelMap) -> tuple[Numbers, Spans]:
    """(the different values (N,) of a map (H, W), ascending and without 0; the runs of each, in their order, by place).

    The owner of a run is the place of its value among the values.
    """
    height, width = ids.shape
    starts = np.zeros((height, -(-width // 8) * 8), dtype=bool)
    np.not_equal(ids[:, 1:], ids[:, :-1], out=starts[:, 1:width])
    starts[:, :1] = True
    row, column = np.divmod(set_places(starts), starts.shape[1])
    start = row * width + column
    stop = np.append(start[1:], height * width)
    values = ids.reshape(-1)[start]
    kept = np.flatnonzero(values)
    known, owner = np.unique(values[kept], return_inverse=True)
    return known.astype(np.int64), Spans(owner.astype(np.int64), start[kept], stop[kept])


def map_of(runs: Spans, values: Any, height: int, width: int) -> LabelMap:
    """The map (height, width) of the dtype of `values` (objects,): the value of each pixel's object, 0 where none is.

    `values` may have rows (objects, C); the map is then (height, width, C).
    """
    table = np.asarray(values)
    bounds = np.empty(2 * runs.start.size + 2, dtype=np.int64)
    bounds[0], bounds[-1] = 0, height * width
    bounds[1:-1:2], bounds[2:-1:2] = runs.start, runs.stop
    painted = np.zeros((bounds.size - 1, *table.shape[1:]), dtype=table.dtype)
    painted[1::2] = table[runs.owner]
    lengths = np.diff(bounds)
    if table.ndim == 1:
        return np.repeat(painted, lengths).reshape(height, width)
    return np.repeat(painted, lengths, axis=0).reshape(height, width, *table.shape[1:])


def extents(runs: Spans, objects: int, width: int) -> Extents:
    """The area and the pixel box of what is seen of each of so many objects."""
    areas = np.zeros(objects, dtype=np.int64)
    boxes = np.zeros((objects, 4), dtype=np.int64)
    if runs.start.size == 0:
        return Extents(areas, boxes)
    order = np.argsort(runs.owner, kind="stable")
    owner, start = runs.owner[order], runs.start[order]
    lengths = (runs.stop - runs.start)[order]
    heads = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
    row, column = np.divmod(start, width)
    seen = owner[heads]
    areas[seen] = np.add.reduceat(lengths, heads)
    boxes[seen, 0] = np.minimum.reduceat(column, heads)
    boxes[seen, 1] = np.minimum.reduceat(row, heads)
    boxes[seen, 2] = np.maximum.reduceat(column + lengths, heads)
    boxes[seen, 3] = np.maximum.reduceat(row, heads) + 1
    return Extents(areas, boxes)


def hidden(spans: Spans, places: int) -> Hidden:
    """Which objects lie over which, and how much of them they cover; only pairs that share a pixel.

    Where several lie over one, its pixels are counted to the uppermost. Runs may overlap within one object.
    """
    spans = united(spans, places)
    if spans.start.size == 0:
        return Hidden(spans.owner, spans.owner, spans.owner)
    bounds, first, after = _intervals(spans, places)
    top = _painted(first, after, spans.owner + 1, bounds.size - 1)
    counts = after - first
    below = np.repeat(spans.owner, counts)
    interval = np.arange(below.size) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    above = top[interval].astype(np.int64) - 1
    covered = np.flatnonzero(above != below)
    below, above = below[covered], above[covered]
    lengths = np.diff(bounds)[interval[covered]]
    order = np.lexsort((above, below))
    below, above, lengths = below[order], above[order], lengths[order]
    if below.size == 0:
        return Hidden(below, above, lengths)
    heads = np.flatnonzero(np.append(True, (below[1:] != below[:-1]) | (above[1:] != above[:-1])))
    return Hidden(below[heads], above[heads], np.add.reduceat(lengths, heads))


def coco_rle(runs: Spans, objects: Sequence[int], height: int, width: int, *, compressed: bool) -> dict[str, Any]:
    """The COCO run lengths of what is seen of some objects together, in an image of that size.

    Cost: the box around them, not the image.
    """
    of_them = np.isin(runs.owner, np.asarray(list(objects), dtype=np.int64))
    found = boxed(Spans(*(column[of_them] for column in runs)), width)
    if found is None:
        nothing = np.zeros(0, dtype=np.int64)
        turned = Spans(nothing, nothing, nothing)
    else:
        (x0, y0, _, _), mask = found
        turned = runs_of_mask(y0, x0, mask.T, height, owner=0)
    return rle.of_spans(turned, 1, height, width, compressed=compressed)[0]


def at_place(spans: Spans, place: int) -> list[int]:
    """The objects that cover a place of the image (row * width + column), by ascending number."""
    found = spans.owner[(spans.start <= place) & (place < spans.stop)]
    return [int(number) for number in np.unique(found)]


def _intervals(spans: Spans, places: int) -> tuple[Numbers, Numbers, Numbers]:
    """(bounds of the intervals that runs cut the image into, the first interval of each run, the one after its last).

    Of the last bound the image is at an end.
    """
    ends = np.concatenate([spans.start, spans.stop, [places]])
    # what comes sorted object by object is sorted stably in a fraction of the time
    order = np.argsort(ends, kind="stable")
    ends = ends[order]
    heads = np.concatenate([[True], ends[1:] != ends[:-1]])
    number = np.empty_like(order)
    number[order] = np.cumsum(heads) - 1
    size = spans.start.size
    return ends[heads], number[:size], number[size:-1]


def _painted(first: Numbers, after: Numbers, values: Numbers, intervals: int) -> Any:
    """What each interval shows: the value of the last run that covers it, int32; 0 where none does."""
    flat = np.zeros(intervals, dtype=np.int32)
    lengths = after - first
    ends = np.cumsum(lengths)
    at, done = 0, 0
    while at < ends.size:
        cut = max(at + 1, int(np.searchsorted(ends, done + (1 << 20), side="right")))
        long = lengths[at:cut]
        places = np.arange(int(long.sum()))
        places += np.repeat(first[at:cut] - (ends[at:cut] - long - done), long)
        # of indexes that come more than once NumPy keeps the last
        flat[places] = np.repeat(values[at:cut], long)
        at, done = cut, int(ends[cut - 1])
    return flat
