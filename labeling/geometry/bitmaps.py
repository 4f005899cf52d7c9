"""Id maps: their hash, what changed between two of them, and merging two people's edits. Pure numpy.

An id map is uint32 (H, W), C-order, at least one pixel; 0 is void and not an object.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.uint32]
Mask = NDArray[np.bool_]

MAX_ID = 2**24 - 1
_HASH_HEAD = b"palimpsest-mask-1"


class BadBitmap(ValueError):
    """A mask that cannot be read or written; the text is a sentence that repeats nothing of the input."""


class ChangedObject(TypedDict):
    id: int
    box_xyxy: list[int]


def mask_hash(ids: Ids) -> str:
    """The hex SHA-256 of an id map: a fixed head, width and height and every pixel as little-endian uint32."""
    height, width = ids.shape
    hashed = hashlib.sha256(_HASH_HEAD + struct.pack("<II", width, height))
    hashed.update(np.ascontiguousarray(ids, dtype="<u4").data)
    return hashed.hexdigest()


def changed(before: Ids | None, after: Ids) -> list[ChangedObject]:
    """Every object that gained or lost a pixel, by ascending id, with the pixel box around those pixels.

    `before` None is a map of void. Void is never listed: a pixel that changed left an object or joined one, so the list
    is empty exactly when no pixel changed. Cost: linear scans, then n log n in the runs of changed pixels.

    Raises:
        BadBitmap: the maps differ in size.
    """
    if before is None:
        before = np.zeros_like(after)
    _require_one_size(before, after)
    box = box_of(before != after)
    if box is None:
        return []
    x0, y0, x1, y1 = box
    old, new = before[y0:y1, x0:x1], after[y0:y1, x0:x1]
    starts = np.ones(old.shape, dtype=bool)
    starts[:, 1:] = (old[:, 1:] != old[:, :-1]) | (new[:, 1:] != new[:, :-1])
    rows, firsts = np.divmod(np.flatnonzero(starts), old.shape[1])
    ends = np.append(firsts[1:], 0)
    ends[ends == 0] = old.shape[1]
    old_ids, new_ids = old[rows, firsts], new[rows, firsts]
    lost = (old_ids != new_ids) & (old_ids != 0)
    gained = (old_ids != new_ids) & (new_ids != 0)
    ids = np.concatenate([old_ids[lost], new_ids[gained]])
    order = np.argsort(ids, kind="stable")
    run_rows, run_firsts, run_ends = (
        np.concatenate([runs[lost], runs[gained]])[order] for runs in (rows, firsts, ends)
    )
    ids = ids[order]
    groups = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))
    boxes = np.stack(
        [
            np.minimum.reduceat(run_firsts, groups) + x0,
            np.minimum.reduceat(run_rows, groups) + y0,
            np.maximum.reduceat(run_ends, groups) + x0,
            np.maximum.reduceat(run_rows, groups) + y0 + 1,
        ],
        axis=1,
    )
    return [
        {"id": object_id, "box_xyxy": box_xyxy}
        for object_id, box_xyxy in zip(ids[groups].tolist(), boxes.tolist(), strict=True)
    ]


def merge(at_base: Ids, sent: Ids, current: Ids) -> tuple[Ids, Mask]:
    """Three-way merge of an edit that was drawn on `at_base`, sent as the whole map `sent`, onto `current`.

    Returns the merged map (the sent value where the edit changed a pixel, else the current one) and the clash (H, W):
    pixels that both sides changed, to different values. The merged map is meant to be used only where nothing clashes.

    Raises:
        BadBitmap: the maps differ in size.
    """
    _require_one_size(at_base, sent)
    _require_one_size(at_base, current)
    edited = sent != at_base
    return np.where(edited, sent, current), edited & (current != at_base) & (current != sent)


def box_of(mask: Mask) -> list[int] | None:
    """The pixel box around the set pixels of a mask (H, W), or None where none is set."""
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return None
    y0, y1 = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(mask[y0:y1].any(axis=0))
    return [int(columns[0]), y0, int(columns[-1]) + 1, y1]


def objects_in(ids: Ids) -> list[int]:
    """The ids of the objects that have a pixel, ascending."""
    flat = ids.ravel()
    heads = flat[np.append(0, np.flatnonzero(flat[1:] != flat[:-1]) + 1)]
    return [object_id for object_id in np.unique(heads).tolist() if object_id]


def pixels_of(ids: Ids, object_id: int) -> Mask:
    """The mask (H, W) of one object."""
    mask: Mask = ids == object_id
    return mask


def set_pixels(ids: Ids, object_id: int, mask: Mask) -> Ids:
    """A copy in which the pixels of the mask belong to the object (0: to none).

    Raises:
        BadBitmap: the mask has another size, or the id is not one that a bitmap can hold.
    """
    _require_one_size(ids, mask)
    if not 0 <= object_id <= MAX_ID:
        raise BadBitmap(f"An object id in a bitmap is an integer from 0 to {MAX_ID}.")
    painted = ids.copy()
    painted[mask] = object_id
    return painted


def clear_object(ids: Ids, object_id: int) -> Ids:
    """A copy in which the object's pixels are void."""
    return set_pixels(ids, 0, pixels_of(ids, object_id))


def _require_one_size(one: NDArray[np.generic], other: NDArray[np.generic]) -> None:
    if one.shape != other.shape:
        raise BadBitmap("The bitmaps have different sizes.")
