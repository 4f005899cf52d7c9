"""A stored geometry turned into another one: outlines into bitmaps, bitmaps into polygons, bitmaps painted on.

A bitmap lies with its upper left pixel on the image's. Sizes are those of the image, in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap
from labeling.geometry.composition import coco_rle_of
from labeling.geometry.contours import parts_of_mask
from labeling.geometry.measures import ious_of_runs
from labeling.geometry.parts import Geometry
from labeling.geometry.rasterize import Spans
from labeling.geometry.simplify import simplified

Runs = dict[str, Any]
Stroke = Literal["draw", "erase"]

#: What has an inside; points, lines, skeletons and orientations have none, bitmaps and masks are pixels already.
RASTERIZABLE = frozenset({"bbox", "rbox", "polygon", "ellipse"})


@dataclass(frozen=True, slots=True)
class Polygonized:
    """A polygon made of a bitmap: how many vertices it has, and its overlap (IoU) with the bitmap, 1 where exact."""

    geometry: Geometry
    vertices: int
    overlap: float


def bitmap_of(geometry: Geometry, height: int, width: int) -> Geometry | None:
    """The bitmap of the pixels that a geometry covers in an image, or None where the geometry has no inside.

    What lies outside of the image is lost; a geometry that covers no pixel becomes an empty bitmap.

    Raises:
        BadOutline: an outline that `rasterize` refuses, or no size of an image.
    """
    if geometry["type"] not in RASTERIZABLE:
        return None
    return {"type": "bitmap", "rle": coco_rle_of(geometry, height, width, compressed=True)}


def polygon_of(bitmap: Geometry, *, tolerance: float = 0.0) -> Polygonized:
    """The polygon of a bitmap: exactly its pixels at tolerance 0, else simplified by up to `tolerance` px and valid.

    A bitmap without pixels becomes a polygon without parts; its overlap is 1.

    Raises:
        BadBitmap: run lengths that describe no mask.
    """
    runs = bitmap["rle"]
    box = rle.box_of_runs(runs, max_pixels=rle.MAX_PIXELS)
    if box is None:
        return Polygonized({"type": "polygon", "parts": []}, 0, 1.0)
    parts = parts_of_mask(rle.decode_box(runs, box))
    if tolerance > 0:
        parts = simplified(parts, tolerance)
    corner = np.array(box[:2])
    geometry = {"type": "polygon", "parts": [[(ring + corner).tolist() for ring in part] for part in parts]}
    vertices = sum(len(ring) for part in parts for ring in part)
    if tolerance <= 0:
        return Polygonized(geometry, vertices, 1.0)
    again = coco_rle_of(geometry, *runs["size"])
    return Polygonized(geometry, vertices, float(ious_of_runs([again], [runs])[0, 0]))


def painted(runs: Mapping[str, Any], stroke: Mapping[str, Any], how: Stroke) -> Runs:
    """The run lengths of a bitmap after the pixels of a stroke were drawn (set) or erased (unset), in packed form.

    Neither mask is made: the cost follows from the number of runs. Drawing and then erasing pixels that were unset
    gives the same run lengths as before.

    Raises:
        BadBitmap: run lengths that describe no mask, or of different sizes.
    """
    before, change = _spans(runs), _spans(stroke)
    if list(runs["size"]) != list(stroke["size"]):
        raise BadBitmap("The bitmaps have different sizes.")
    height, width = runs["size"]
    if how == "draw":
        both = Spans(*(np.concatenate(pair) for pair in zip(before, change, strict=True)))
        return rle.of_spans(both, 1, height, width, compressed=True)[0]
    # what is set before and not in the stroke: the bounds of both cut the image into intervals
    bounds = np.sort(np.concatenate([before.start, before.stop, change.start, change.stop]), kind="stable")
    kept = _is_in(before, bounds[:-1]) & ~_is_in(change, bounds[:-1])
    start, stop = bounds[:-1][kept], bounds[1:][kept]
    left = Spans(np.zeros(start.size, dtype=np.int64), start, stop)
    return rle.of_spans(left, 1, height, width, compressed=True)[0]


def repainted(bitmap: Geometry, *, drawn: Mapping[str, Any] | None, erased: Mapping[str, Any] | None) -> Geometry:
    """The bitmap after pixels were drawn, and others erased.

    Raises:
        BadBitmap: as `painted`.
    """
    runs = bitmap["rle"]
    if drawn is not None:
        runs = painted(runs, drawn, "draw")
    if erased is not None:
        runs = painted(runs, erased, "erase")
    found: Geometry = {**bitmap, "rle": runs}
    if "box_xyxy" in bitmap:
        found["box_xyxy"] = rle.box_of_runs(runs, max_pixels=rle.MAX_PIXELS)
    return found


def _spans(runs: Mapping[str, Any]) -> Spans:
    """The set runs along the columns, of length above 0."""
    ends = np.cumsum(rle.counts_of(runs, max_pixels=rle.MAX_PIXELS))
    start, stop = ends[: ends.size - ends.size % 2 : 2], ends[1::2]
    long = stop > start
    return Spans(np.zeros(int(long.sum()), dtype=np.int64), start[long], stop[long])


def _is_in(spans: Spans, places: Any) -> Any:
    """Whether each place is set; runs ascend and do not overlap."""
    nth = np.searchsorted(spans.start, places, side="right") - 1
    return (nth >= 0) & (places < np.append(spans.stop, 0)[nth])
