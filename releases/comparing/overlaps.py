"""How far two outlines, or two sets of pixels, are the same: by the one definition of rasterizing. Pure.

Areas are counts of pixels; an overlap is {iou, area_before_px, area_after_px}, the intersection over union rounded to
six places. Two that are both empty are the same (1.0).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap, Ids
from labeling.geometry.measures import overlaps
from labeling.geometry.overlap import MOST_PIXELS
from labeling.geometry.overlap import overlap as of_outlines
from labeling.geometry.parts import parts_of
from labeling.geometry.rasterize import BadOutline, mask_of

JSON = dict[str, Any]
#: The bitmap of a label, by the reference to it that the label holds; None where it is not there any more.
Read = Callable[[JSON], Ids | None]


def overlap(one: JSON, other: JSON) -> JSON | None:
    """The overlap of two geometries; None where one of them covers nothing by its kind, or they reach too far."""
    try:
        if "bitmap" in (one["type"], other["type"]):
            return _of_bitmaps(one, other)
        return of_outlines(one, other)
    except (BadBitmap, BadOutline):
        return None


def _of_bitmaps(one: JSON, other: JSON) -> JSON | None:
    """One of them is run lengths: both are compared in the size of its picture."""
    runs = (one if one["type"] == "bitmap" else other)["rle"]
    height, width = runs["size"]
    if height * width > MOST_PIXELS:
        return None
    masks = []
    for geometry in (one, other):
        if geometry["type"] == "bitmap":
            if list(geometry["rle"]["size"]) != [height, width]:
                return None
            masks.append(rle.decode(geometry["rle"], max_pixels=MOST_PIXELS))
        else:
            parts = parts_of(geometry)
            if not parts:
                return None
            masks.append(mask_of(parts, height, width))
    return of_masks(*masks)


def of_masks(before: Any, after: Any) -> JSON:
    """The overlap of two masks (H, W)."""
    return of_areas(int(before.sum()), int(after.sum()), int((before & after).sum()))


def of_areas(before: int, after: int, both: int) -> JSON:
    """The overlap out of two areas and what they share."""
    either = before + after - both
    return {"iou": round(both / either, 6) if either else 1.0, "area_before_px": before, "area_after_px": after}


def of_pixels(one: Ids | None, other: Ids | None) -> dict[int, JSON]:
    """{object: its overlap} of the objects of two id maps whose pixels are not the same; {} where they cannot be
    compared, because one is gone or their sizes differ."""
    if one is None or other is None or one.shape != other.shape:
        return {}
    shared = overlaps(one, other)
    before, after, both = Counter[int](), Counter[int](), Counter[int]()
    for number, there, pixels in zip(shared.one.tolist(), shared.other.tolist(), shared.pixels.tolist(), strict=True):
        before[number] += pixels
        after[there] += pixels
        both[number] += pixels if number == there else 0
    return {
        number: of_areas(before[number], after[number], both[number])
        for number in sorted({*before, *after} - {0})
        if not before[number] == after[number] == both[number]
    }
