"""Edits of the label's bitmap."""

from __future__ import annotations

from typing import Any

import numpy as np

from labeling import events as e
from labeling.errors import AnnotationNotFound, InvalidValue, Refused, StaleBitmap
from labeling.geometry import bitmaps, rle
from labeling.rules.documents import checked_int, checked_list, checked_object
from labeling.rules.edits.editor import Editor

JSON = dict[str, Any]

#: The most pixels that a bitmap may have.
MOST_PIXELS = 1 << 26


def patch_bitmap(editor: Editor, edit: JSON, place: str) -> None:
    if not editor.has_mask:
        raise Refused(f"{place}: labels of this dataset have no bitmap")
    clear_pixels(editor)
    mask = editor.state.mask
    if (mask or {}).get("hash") != edit.get("base_hash"):
        raise StaleBitmap(f"{place}.base_hash")
    before = after = known_pixels(editor, place)
    for index, item in enumerate(checked_list(edit.get("set"), f"{place}.set")):
        field_name = f"{place}.set[{index}]"
        part = checked_object(item, field_name)
        number = checked_int(part.get("id"), f"{field_name}.id")
        if number != 0 and number not in editor.uuid_of:
            raise AnnotationNotFound(f"{field_name}.id")
        if not 0 <= number <= bitmaps.MAX_ID:
            raise InvalidValue(f"{field_name}.id", f"must be from 0 to {bitmaps.MAX_ID} to have pixels")
        try:
            painted = rle.decode(checked_object(part.get("rle"), f"{field_name}.rle"), max_pixels=MOST_PIXELS)
        except ValueError as error:
            raise InvalidValue(f"{field_name}.rle", str(error)) from error
        if after is None:
            after = np.zeros(painted.shape, np.uint32)
        if painted.shape != after.shape:
            raise InvalidValue(f"{field_name}.rle.size", "is not the size [height, width] of the label's bitmap")
        after = np.where(painted, np.uint32(number), after)
    if after is None:
        raise InvalidValue(f"{place}.set", "must hold at least one part to make a bitmap")
    patch(editor, mask, before, after)


def known_pixels(editor: Editor, place: str) -> np.ndarray | None:
    """The ids of the label's bitmap, (H, W) uint32; None where it has none yet.

    Raises:
        Refused: they are on another host.
    """
    mask = editor.state.mask
    if mask and mask["url"] and not mask.get("hash"):
        raise Refused(f"{place}: the pixels of a bitmap on another host are not known here; upload it first")
    return editor.pixels.read(mask) if mask and mask.get("hash") else None


def clear_pixels(editor: Editor) -> None:
    """Take the pixels of the objects that were removed out of the bitmap: one patch for all, told before them."""
    mask, numbers = editor.state.mask, [number for number in editor.cleared if 0 < number <= bitmaps.MAX_ID]
    editor.cleared = []
    if numbers and mask and mask.get("hash"):
        ids = editor.pixels.read(mask)
        gone = np.isin(ids, np.array(numbers, np.uint32))
        if gone.any():
            patch(editor, mask, ids, np.where(gone, np.uint32(0), ids), editor.cleared_at)


def patch(
    editor: Editor, mask: JSON | None, before: np.ndarray | None, after: np.ndarray, at: int | None = None
) -> None:
    """Tell what became of the label's bitmap (in front of the fact `at`, or last), if anything did."""
    changed: list[JSON] = [{**item} for item in bitmaps.changed(before, after)]
    if changed or not mask or not mask.get("hash"):
        kept = editor.pixels.keep(after)
        editor.tell(e.BitmapPatched(base_hash=(mask or {}).get("hash"), mask=kept, changed=changed), at)
