"""Edits that turn outlines into bitmaps and back, and that paint, erase and fill a bitmap.

Two kinds of objects have pixels. One of type `bitmap` has them in its own geometry, as run lengths: so it is where
labels have no bitmap of their own (vector labels), and such objects may overlap. One of type `mask` has them in the
label's one bitmap, where a pixel belongs to one object: so it is where labels have a bitmap (segmentation-bitmap).
Rasterizing makes the one or the other, as the label has it; what lies higher keeps its pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from labeling import events as e
from labeling.errors import AreaOpen, InvalidValue, Refused, StaleBitmap
from labeling.geometry import bitmaps, regions, rle
from labeling.geometry.bitmaps import BadBitmap, Mask
from labeling.geometry.conversions import RASTERIZABLE, bitmap_of, painted, polygon_of
from labeling.geometry.rasterize import BadOutline
from labeling.geometry.shapes import MAX_BITMAP_PIXELS
from labeling.rules.documents import checked_int, checked_object
from labeling.rules.edits.details import checked_number
from labeling.rules.edits.editor import Editor
from labeling.rules.edits.pixels import MOST_PIXELS, clear_pixels, known_pixels, patch
from labeling.rules.label_state import Annotation

JSON = dict[str, Any]
Runs = dict[str, Any]

#: A polygon with more vertices is of no use to anybody, and takes long.
MOST_VERTICES = 200_000
MOST_TOLERANCE_PX = 1000
CLEARED = ("attributes", "keypoints", "orientation")


def rasterize(editor: Editor, edit: JSON, place: str) -> JSON | None:
    """One object, or all of the label, becomes a bitmap: attributes, keypoints and orientation are cleared (the event
    keeps them), all else stays. What has no inside, or no pixel in the image, is left alone and told in `skipped`."""
    item = editor.find(edit, place) if "annotation" in edit else None
    items = editor.state.in_order() if item is None else [item]
    done: list[Annotation] = []
    skipped: list[JSON] = []
    drawn: dict[str, Runs] = {}
    width, height = 0, 0
    for each in items:
        why = None if each["geometry"]["type"] in RASTERIZABLE else each["geometry"]["type"]
        if why is None and editor.has_mask and not 0 < each["id"] <= bitmaps.MAX_ID:
            why = "id"
        if why is None:
            width, height = editor.image_wh(edit, place)
            runs = rasterized(each["geometry"], width, height, place)
            if runs is None:
                why = "no_pixels"
            else:
                drawn[each["uuid"]] = runs
                done.append(each)
        if why is not None:
            skipped.append(editor.named(each) | {"why": why})
    if editor.has_mask and done:
        _into_label(editor, done, drawn, width, height, place)
    for each in done:
        geometry = {"type": "mask"} if editor.has_mask else {"type": "bitmap", "rle": drawn[each["uuid"]]}
        editor.tell(e.AnnotationRasterized(annotation=each["uuid"], geometry=geometry, cleared=lost(each)))
    editor.said |= {"done": [editor.named(each) for each in done], "skipped": skipped}
    return item


def rasterized(geometry: JSON, width: int, height: int, place: str) -> Runs | None:
    """The run lengths of an outline, packed; None where it covers no pixel of the image."""
    try:
        bitmap = bitmap_of(geometry, height, width)
    except BadOutline as error:
        raise Refused(f"{place}: this object cannot be rasterized. {error}") from error
    assert bitmap is not None
    runs: Runs = bitmap["rle"]
    return None if rle.box_of_runs(runs, max_pixels=MAX_BITMAP_PIXELS) is None else runs


def lost(item: JSON) -> JSON:
    """What an object loses with its outline."""
    return {key: item[key] for key in ("geometry", *CLEARED) if key in item}


def _into_label(
    editor: Editor, done: list[Annotation], drawn: dict[str, Runs], width: int, height: int, place: str
) -> None:
    """Put the pixels of objects into the label's bitmap, from bottom to top: pixels of what lies higher stay."""
    if width * height > MOST_PIXELS:
        raise Refused(f"{place}: the label's bitmap may have {MOST_PIXELS} pixels at the most")
    clear_pixels(editor)
    before = known_pixels(editor, place)
    after = np.zeros((height, width), np.uint32) if before is None else before.copy()
    becoming = {item["uuid"] for item in done}
    higher: list[int] = []
    covered: dict[str, list[int]] = {}
    for item in reversed(editor.state.in_order()):
        if item["uuid"] in becoming:
            covered[item["uuid"]] = list(higher)
        if item["geometry"]["type"] == "mask" or item["uuid"] in becoming:
            higher.append(item["id"])
    for item in done:
        mask = rle.decode(drawn[item["uuid"]], max_pixels=MOST_PIXELS)
        free = ~np.isin(after, np.array([*covered[item["uuid"]], -1], np.int64))
        after[mask & free] = item["id"]
    patch(editor, editor.state.mask, before, after)


def polygonize(editor: Editor, edit: JSON, place: str) -> JSON:
    """A bitmap becomes polygons: exactly its pixels, or with fewer vertices, within `tolerance_px` of its border."""
    item = editor.find(edit, place)
    tolerance = checked_number(edit.get("tolerance_px", 0), f"{place}.tolerance_px")
    if not 0 <= tolerance <= MOST_TOLERANCE_PX:
        raise InvalidValue(f"{place}.tolerance_px", f"must be a number from 0 to {MOST_TOLERANCE_PX}")
    clear_pixels(editor)
    ids = None
    if item["geometry"]["type"] == "mask":
        ids = known_pixels(editor, place)
        runs = None if ids is None else rle.encode(ids == item["id"])
    elif item["geometry"]["type"] == "bitmap":
        runs = item["geometry"]["rle"]
    else:
        raise InvalidValue(f"{place}.annotation", "must be a bitmap")
    geometry, vertices, overlap = polygonized(runs, tolerance, place)
    editor.tell(e.AnnotationPolygonized(annotation=item["uuid"], geometry=geometry, tolerance_px=tolerance))
    if ids is not None:
        patch(editor, editor.state.mask, ids, np.where(ids == item["id"], np.uint32(0), ids))
    editor.said |= {"vertices": vertices, "iou": overlap}
    return item


def polygonized(runs: Runs | None, tolerance: float, place: str) -> tuple[JSON, int, float]:
    """(polygon, its vertices, its overlap with the bitmap) of run lengths.

    Raises:
        Refused: no pixels, or too many for a polygon.
    """
    box = None if runs is None else rle.box_of_runs(runs, max_pixels=MAX_BITMAP_PIXELS)
    if runs is None or box is None:
        raise Refused(f"{place}: this object has no pixels, so it has no outline")
    counts = rle.counts_of(runs, max_pixels=MAX_BITMAP_PIXELS)
    if counts.size > MOST_VERTICES or (box[2] - box[0]) * (box[3] - box[1]) > MOST_PIXELS:
        raise Refused(f"{place}: the outline would have more than {MOST_VERTICES} vertices")
    found = polygon_of({"type": "bitmap", "rle": runs}, tolerance=tolerance)
    return found.geometry, found.vertices, found.overlap


# --- painting ------------------------------------------------------------------------------------------------------


def paint_bitmap(editor: Editor, edit: JSON, place: str) -> JSON:
    """Pixels become the object's."""
    return _stroke(editor, edit, place, erases=False)


def erase_bitmap(editor: Editor, edit: JSON, place: str) -> JSON:
    """Pixels of the object become nobody's."""
    return _stroke(editor, edit, place, erases=True)


def fill_bitmap(editor: Editor, edit: JSON, place: str) -> JSON:
    """What the object's pixels enclose becomes the object's, from the pixel (x, y) on, over common sides. An area that
    is not closed reaches the edge of the image: it is filled only with `confirm`."""
    item = _paintable(editor, edit, place)
    if type(edit.get("confirm", False)) is not bool:
        raise InvalidValue(f"{place}.confirm", "must be true or false")
    if item["geometry"]["type"] == "mask":
        ids = known_pixels(editor, place)
        if ids is None:
            raise Refused(f"{place}: this object has no pixels, so there is nothing to fill")
        own: Mask = ids == item["id"]
    else:
        own = decoded(item["geometry"]["rle"], place)
    filled, closed = filled_from(own, edit, place)
    if not closed and not edit.get("confirm"):
        raise AreaOpen(f"{place}.confirm")
    editor.said["closed"] = closed
    _painted(editor, item, rle.encode(filled, compressed=True), filled, erases=False)
    return item


def filled_from(own: Mask, edit: JSON, place: str) -> tuple[Mask, bool]:
    """(pixels, whether the area is closed) that a fill at the edit's pixel reaches."""
    height, width = own.shape
    for name, size in (("x", width), ("y", height)):
        if not 0 <= checked_int(edit.get(name), f"{place}.{name}") < size:
            raise InvalidValue(f"{place}.{name}", f"must be a pixel of the bitmap, from 0 to {size - 1}")
    return regions.fill(own, edit["x"], edit["y"])


def decoded(runs: Runs, place: str) -> Mask:
    """The mask of run lengths, if it may be made."""
    height, width = runs["size"]
    if height * width > MOST_PIXELS:
        raise Refused(f"{place}: only bitmaps of at most {MOST_PIXELS} pixels are filled here")
    return rle.decode(runs, max_pixels=MOST_PIXELS)


def _stroke(editor: Editor, edit: JSON, place: str, *, erases: bool) -> JSON:
    item = _paintable(editor, edit, place)
    stroke = checked_stroke(edit, place)
    geometry = item["geometry"]
    if geometry["type"] == "bitmap":
        if stroke["size"] != geometry["rle"]["size"]:
            raise InvalidValue(f"{place}.rle.size", "is not the size [height, width] of the object's bitmap")
        _painted(editor, item, stroke, None, erases=erases)
        return item
    if stroke["size"][0] * stroke["size"][1] > MOST_PIXELS:
        raise InvalidValue(f"{place}.rle.size", f"has more than {MOST_PIXELS} pixels")
    before = known_pixels(editor, place)
    if before is not None and list(before.shape) != stroke["size"]:
        raise InvalidValue(f"{place}.rle.size", "is not the size [height, width] of the label's bitmap")
    _painted(editor, item, stroke, rle.decode(stroke, max_pixels=MOST_PIXELS), erases=erases)
    return item


def checked_stroke(edit: JSON, place: str) -> Runs:
    """The run lengths of an edit."""
    stroke = checked_object(edit.get("rle"), f"{place}.rle")
    try:
        rle.counts_of(stroke, max_pixels=MAX_BITMAP_PIXELS)
    except BadBitmap as error:
        raise InvalidValue(f"{place}.rle", str(error)) from error
    return {"size": stroke["size"], "counts": stroke["counts"]}


def _paintable(editor: Editor, edit: JSON, place: str) -> Annotation:
    """The object of an edit, whose bitmap is the one that the edit was made against."""
    item = editor.find(edit, place)
    clear_pixels(editor)
    kind = item["geometry"]["type"]
    if kind not in ("bitmap", "mask"):
        raise InvalidValue(f"{place}.annotation", "must be a bitmap; rasterize it first")
    if kind == "mask" and not 0 < item["id"] <= bitmaps.MAX_ID:
        raise InvalidValue(f"{place}.annotation", f"must have an id from 1 to {bitmaps.MAX_ID} to have pixels")
    if "base_hash" not in edit:
        raise InvalidValue(f"{place}.base_hash", "is required; null where the label has no bitmap yet")
    now = (editor.state.mask or {}).get("hash") if kind == "mask" else rle.hash_of_runs(item["geometry"]["rle"])
    if edit.get("base_hash") != now:
        raise StaleBitmap(f"{place}.base_hash")
    return item


def _painted(editor: Editor, item: Annotation, stroke: Runs, mask: Mask | None, *, erases: bool) -> None:
    """Tell what a stroke changes: of the object's own bitmap, or (`mask`) of the label's."""
    if item["geometry"]["type"] == "bitmap":
        runs = item["geometry"]["rle"]
        fact = bitmap_change(runs, stroke, erases=erases)
        if fact:
            editor.tell(e.AnnotationBitmapPatched(annotation=item["uuid"], **fact))
        editor.said["bitmap_hash"] = fact["hash"] if fact else rle.hash_of_runs(runs)
        return
    assert mask is not None
    now = editor.state.mask
    before = editor.pixels.read(now) if now and now.get("hash") else None
    had = np.zeros(mask.shape, np.uint32) if before is None else before
    own = np.uint32(item["id"])
    patch(
        editor, editor.state.mask, before, np.where(mask & (had == own), 0, had) if erases else np.where(mask, own, had)
    )
    editor.said["bitmap_hash"] = (editor.state.mask or {})["hash"]


def bitmap_change(runs: Runs, stroke: Runs, *, erases: bool) -> JSON:
    """{base_hash, hash, drawn or erased: the pixels that really change} of a stroke; empty where it changes nothing."""
    after = painted(runs, stroke, "erase" if erases else "draw")
    base_hash, new_hash = rle.hash_of_runs(runs), rle.hash_of_runs(after)
    if base_hash == new_hash:
        return {}
    changed = painted(runs, after, "erase") if erases else painted(stroke, runs, "erase")
    return {"base_hash": base_hash, "hash": new_hash, ("erased" if erases else "drawn"): changed}
