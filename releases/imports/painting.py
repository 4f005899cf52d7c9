"""Objects of a file painted into the one bitmap of a label, in which every pixel has one object at the most. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap
from labeling.geometry.composition import label_map, spans_of
from labeling.geometry.rasterize import BadOutline
from releases.formats.records import Sample
from releases.imports.bringing import Bringing, Brought

JSON = dict[str, Any]

AREAS = frozenset({"bbox", "rbox", "polygon", "ellipse", "bitmap"})
MOST_PIXELS = 1 << 26


def is_area(said: JSON) -> bool:
    """Whether an object has pixels to paint; lines and points stay shapes beside the bitmap."""
    return said["geometry"]["type"] in AREAS


def painted(bringing: Bringing, record: Sample, brought: Sequence[Brought]) -> np.ndarray | None:
    """The map (H, W) uint32 of which object each pixel shows: its place in `brought` from 1, the later above the
    earlier. None, and told, where the size of the picture is not known or the shapes cannot be drawn.
    """
    areas = [(nth, said["geometry"]) for nth, (_, said) in enumerate(brought, 1) if is_area(said)]
    if not areas:
        return None
    size = _size(record, [geometry for _, geometry in areas])
    if size is None:
        bringing.wrong("has no size, so its objects were kept as shapes beside the bitmap", level="note")
        return None
    height, width = size
    if height * width > MOST_PIXELS:
        bringing.wrong("has too many pixels for a bitmap, so its objects were kept as shapes beside it", level="note")
        return None
    try:
        spans = spans_of([geometry for _, geometry in areas], height, width)
    except (BadOutline, BadBitmap):
        bringing.wrong("has a shape that cannot be drawn, so its objects were kept beside the bitmap", level="note")
        return None
    found: np.ndarray = label_map(spans, [nth for nth, _ in areas], height, width)
    hidden = len(areas) - np.count_nonzero(np.bincount(found.ravel(), minlength=len(brought) + 1)[1:])
    if hidden:
        bringing.wrong(f"has {hidden} objects without a pixel that is not under others", level="note")
    return found


def coloured(shown: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """The map with the visible id of each object in the place of its place."""
    return np.array([0, *ids], dtype=np.uint32)[shown]


def pixels(mask: np.ndarray) -> JSON:
    """The pixels of one object, as a bitmap of its own; equal pixels are equal text."""
    return {"type": "bitmap", "rle": rle.encode(mask, compressed=True)}


def kept(bringing: Bringing, ids: np.ndarray) -> JSON:
    """The bitmap, written."""
    assert bringing.keep is not None
    mask = bringing.keep(ids)
    bringing.urls.append(mask["url"])
    return mask


def _size(record: Sample, geometries: Sequence[JSON]) -> tuple[int, int] | None:
    if record.width and record.height:
        return record.height, record.width
    sizes = [tuple(one["rle"]["size"]) for one in geometries if one["type"] == "bitmap"]
    return (int(sizes[0][0]), int(sizes[0][1])) if sizes else None
