"""Many annotations in one image: which object each pixel shows, the later one above the earlier.

A label map is an array (H, W) of uint8, uint16 or uint32, row-major; 0 is what nothing covers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.geometry import rle
from labeling.geometry.bitmaps import Mask
from labeling.geometry.parts import Geometry, parts_of
from labeling.geometry.rasterize import Numbers, Spans, boxed, column_spans, outlines, row_spans

LabelMap = NDArray[Any]

# pixels that are painted at a time: so many that the processor's cache still holds their places
_BAND_PIXELS = 1 << 16
_COUNTED = np.arange(_BAND_PIXELS)
#: Shorter spans than this, on average, are painted pixel by pixel.
_SHORT = 48


def spans_of(
    geometries: Sequence[Geometry], height: int, width: int, *, line_width: float = 0.0, point_radius: float = 0.0
) -> Spans:
    """The runs of set pixels along the rows, object by object in the order given, bitmaps among them.

    A bitmap lies with its upper left pixel on that of the image, and what is beyond the image is left out.

    Raises:
        BadOutline: an outline that `rasterize` refuses, or no size of an image.
        BadBitmap: run lengths that describe no mask.
    """
    parts = [parts_of(geometry, line_width=line_width, point_radius=point_radius) for geometry in geometries]
    spans = row_spans(outlines(parts), height, width)
    drawn = [
        runs_of_mask(*bitmap_in_box(geometry["rle"], height, width), width, owner=number)
        for number, geometry in enumerate(geometries)
        if geometry["type"] == "bitmap"
    ]
    if not drawn:
        return spans
    owner, start, stop = (np.concatenate(arrays) for arrays in zip(spans, *drawn, strict=True))
    order = np.argsort(owner, kind="stable")
    return Spans(owner[order], start[order], stop[order])


def bitmap_in_box(runs: Any, height: int, width: int) -> tuple[int, int, Mask]:
    """(first column, first row, mask) of the run lengths of a bitmap, as far as they lie within an image of that size.

    Raises:
        BadBitmap: run lengths that describe no mask.
    """
    box = rle.box_of_runs(runs, max_pixels=rle.MAX_PIXELS)
    if box is None:
        return 0, 0, np.zeros((0, 0), dtype=bool)
    x0, y0 = box[:2]
    mask = rle.decode_box(runs, box)
    return x0, y0, mask[: max(0, height - y0), : max(0, width - x0)]


def runs_of_mask(x0: int, y0: int, mask: Mask, width: int, *, owner: int) -> Spans:
    """The runs along the rows of a mask whose upper left pixel is at (x0, y0) of an image of that width."""
    rows, columns = mask.shape
    edges = np.zeros((rows, columns + 2), dtype=bool)
    edges[:, 1:-1] = mask
    row, column = np.divmod(np.flatnonzero(edges[:, 1:] != edges[:, :-1]), columns + 1)
    places = (row + y0) * width + column + x0
    start, stop = places[::2], places[1::2]
    return Spans(np.full(start.size, owner, dtype=np.int64), start, stop)


def label_map(
    spans: Spans, values: Sequence[int] | Numbers, height: int, width: int, *, dtype: Any = np.uint32
) -> LabelMap:
    """The map (height, width) in which each pixel has the value of the last object that covers it; 0 where none does.

    `values` (objects,) belong to the owners of `spans`, which come as `spans_of` and `row_spans` give them.

    Raises:
        ValueError: `dtype` is none of uint8, uint16 and uint32, or does not hold a value.
    """
    kind = np.dtype(dtype)
    if kind not in (np.uint8, np.uint16, np.uint32):
        raise ValueError("A label map is uint8, uint16 or uint32.")
    numbers = np.asarray(values, dtype=np.int64)
    if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) <= np.iinfo(kind).max:
        raise ValueError(f"A value in this label map is an integer from 0 to {np.iinfo(kind).max}.")
    painted = numbers[spans.owner].astype(kind)
    lengths = spans.stop - spans.start
    if painted.size == 0:
        return np.zeros((height, width), dtype=kind)
    if int(lengths.sum()) < _SHORT * lengths.size:
        return _by_pixels(spans.start, lengths, painted, height * width).reshape(height, width)
    return _by_intervals(spans.start, spans.stop, painted, height * width).reshape(height, width)


def _by_pixels(start: Numbers, lengths: Numbers, painted: LabelMap, places: int) -> LabelMap:
    """Every span's pixels written one after the other: of repeated indexes NumPy keeps the last."""
    flat = np.zeros(places, dtype=painted.dtype)
    ends = np.cumsum(lengths)
    first = done = 0
    while first < ends.size:
        cut = max(first + 1, int(np.searchsorted(ends, done + _BAND_PIXELS, side="right")))
        long = lengths[first:cut]
        pixels = np.repeat(start[first:cut] - (ends[first:cut] - long - done), long)
        pixels += _COUNTED[: pixels.size] if pixels.size <= _COUNTED.size else np.arange(pixels.size)
        flat[pixels] = np.repeat(painted[first:cut], long)
        first, done = cut, int(ends[cut - 1])
    return flat


def _by_intervals(start: Numbers, stop: Numbers, painted: LabelMap, places: int) -> LabelMap:
    """Spans cut the image into intervals of one value each: those are painted, and then stretched to pixels."""
    ends = np.concatenate([start, stop, [0, places]])
    # what comes sorted object by object is sorted stably in a fraction of the time
    order = np.argsort(ends, kind="stable")
    ends = ends[order]
    heads = np.concatenate([[True], ends[1:] != ends[:-1]])
    number = np.empty_like(order)
    number[order] = np.cumsum(heads) - 1
    bounds = ends[heads]
    first, after = number[: start.size], number[start.size : -2]
    values = _by_pixels(first, after - first, painted, bounds.size - 1)
    return np.repeat(values, np.diff(bounds))


def coco_rle_of(
    geometry: Geometry,
    height: int,
    width: int,
    *,
    compressed: bool = False,
    line_width: float = 0.0,
    point_radius: float = 0.0,
) -> dict[str, Any]:
    """The COCO run lengths of one annotation in an image of that size, without making the mask.

    Raises:
        BadOutline: as `spans_of`.
        BadBitmap: as `spans_of`.
    """
    if geometry["type"] == "bitmap":
        x0, y0, mask = bitmap_in_box(geometry["rle"], height, width)
        turned = runs_of_mask(y0, x0, mask.T, height, owner=0)
        return rle.of_spans(turned, 1, height, width, compressed=compressed)[0]
    parts = parts_of(geometry, line_width=line_width, point_radius=point_radius)
    return rle.of_spans(column_spans(outlines([parts]), height, width), 1, height, width, compressed=compressed)[0]


def box_and_mask_of(
    geometry: Geometry, height: int, width: int, *, line_width: float = 0.0, point_radius: float = 0.0
) -> tuple[list[int], Mask] | None:
    """The pixel box of one annotation and its mask inside of it; None where no pixel of the image is covered.

    Raises:
        BadOutline: as `spans_of`.
        BadBitmap: as `spans_of`.
    """
    return boxed(spans_of([geometry], height, width, line_width=line_width, point_radius=point_radius), width)
