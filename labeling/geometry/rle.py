"""Run lengths of masks as COCO writes them: column-major, beginning with unset pixels, as a list or as packed text.

Source: maskApi.c of cocodataset/cocoapi (rleEncode, rleToString, rleFrString); agrees with it byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.geometry.bitmaps import BadBitmap, Mask, box_of

Counts = NDArray[np.int64]

# Enough 5-bit digits for any count below 2**34, few enough that sums of them stay within int64.
_MAX_DIGITS = 7


def encode(mask: Mask, *, compressed: bool = False) -> dict[str, Any]:
    """The run lengths of a mask (H, W): {"size": [h, w], "counts": list of int, or text where `compressed`}.

    Cost: the box around the set pixels, not the whole mask.

    Raises:
        BadBitmap: not two-dimensional, or no pixels.
    """
    if mask.ndim != 2 or mask.size == 0:
        raise BadBitmap("A mask is a two-dimensional array with at least one pixel.")
    height, width = mask.shape
    counts = np.diff(_toggles(mask.astype(bool, copy=False)), prepend=0, append=height * width)
    if counts[-1] == 0:
        counts = counts[:-1]
    return {"size": [height, width], "counts": _to_text(counts) if compressed else counts.tolist()}


def decode(rle: Mapping[str, Any], *, max_pixels: int) -> Mask:
    """The mask (H, W) of run lengths in either form; its memory is column-major.

    Raises:
        BadBitmap: as `counts_of`.
    """
    counts = counts_of(rle, max_pixels=max_pixels)
    values = (np.arange(counts.size) & 1).astype(bool)
    height, width = rle["size"]
    return np.repeat(values, counts).reshape((height, width), order="F")


def counts_of(rle: Mapping[str, Any], *, max_pixels: int) -> Counts:
    """The verified run lengths (N,), int64, from either form, without making the mask.

    Raises:
        BadBitmap: not {"size": [h, w], "counts": …} with a size from 1 to `max_pixels` pixels and runs of no negative
            length that add up to it.
    """
    size, counts = (rle.get("size"), rle.get("counts")) if isinstance(rle, Mapping) else (None, None)
    if not (isinstance(size, list) and len(size) == 2 and all(type(side) is int and side > 0 for side in size)):
        raise BadBitmap("The size of run lengths is a list of two positive integers, height and width.")
    pixels = size[0] * size[1]
    if pixels > max_pixels:
        raise BadBitmap(f"The run lengths describe more than {max_pixels} pixels.")
    if isinstance(counts, str):
        lengths = _from_text(counts)
    elif isinstance(counts, list) and set(map(type, counts)) <= {int} and max(map(abs, counts), default=0) <= pixels:
        lengths = np.array(counts, dtype=np.int64)
    else:
        raise BadBitmap("The counts of run lengths are text, or a list of integers no longer than the mask.")
    if (lengths < 0).any() or (lengths > pixels).any() or int(lengths.sum()) != pixels:
        raise BadBitmap("The run lengths do not add up to the size of the mask.")
    return lengths


def area(rle: Mapping[str, Any], *, max_pixels: int) -> int:
    """The number of set pixels.

    Raises:
        BadBitmap: as `counts_of`.
    """
    return int(counts_of(rle, max_pixels=max_pixels)[1::2].sum())


def box_of_runs(rle: Mapping[str, Any], *, max_pixels: int) -> list[int] | None:
    """The pixel box [x0, y0, x1, y1] around the set pixels, or None where none is set, without making the mask.

    Raises:
        BadBitmap: as `counts_of`.
    """
    counts = counts_of(rle, max_pixels=max_pixels)
    height = rle["size"][0]
    ends = np.cumsum(counts)[1::2]
    firsts = ends - counts[1::2]
    firsts, lasts = firsts[firsts < ends], ends[firsts < ends] - 1
    if firsts.size == 0:
        return None
    x0, x1 = int(firsts[0] // height), int(lasts[-1] // height) + 1
    if (firsts // height != lasts // height).any():  # a run through a column's foot touches the first and the last row
        return [x0, 0, x1, height]
    return [x0, int((firsts % height).min()), x1, int((lasts % height).max()) + 1]


def _toggles(mask: Mask) -> Counts:
    """The places, counted down the columns, where the mask begins or ceases to be set."""
    box = box_of(mask)
    if box is None:
        return np.zeros(0, dtype=np.int64)
    x0, y0, x1, y1 = box
    columns = np.zeros((x1 - x0, y1 - y0 + 2), dtype=bool)
    columns[:, 1:-1] = mask[y0:y1, x0:x1].T
    column, row = np.nonzero(columns[:, 1:] != columns[:, :-1])
    places = (column + x0) * mask.shape[0] + row + y0
    # a run over the foot of a column ends where the next begins: both toggles go
    doubled = np.flatnonzero(places[1:] == places[:-1])
    return np.delete(places, np.concatenate([doubled, doubled + 1]))


def _to_text(counts: Counts) -> str:
    rest = counts.copy()
    rest[3:] -= counts[1:-2]
    digits, wanted = [], []
    open_ = np.ones(rest.size, dtype=bool)
    while open_.any():
        digit = rest & 0x1F
        rest >>= 5
        more = np.where(digit & 0x10, rest != -1, rest != 0)
        digits.append((digit | (more << 5)) + 48)
        wanted.append(open_.copy())
        open_ &= more
    characters = np.stack(digits, axis=1)[np.stack(wanted, axis=1)].astype(np.uint8)
    return str(characters.tobytes(), "ascii")


def _from_text(text: str) -> Counts:
    if not text:
        return np.zeros(0, dtype=np.int64)
    digits = np.frombuffer(text.encode("utf-8", "replace"), dtype=np.uint8).astype(np.int64) - 48
    if digits.min() < 0 or digits.max() > 63 or digits[-1] & 0x20:
        raise BadBitmap("The counts of run lengths are not packed as COCO packs them.")
    lasts = np.flatnonzero((digits & 0x20) == 0)
    lengths = np.diff(lasts, prepend=-1)
    if lengths.max() > _MAX_DIGITS:
        raise BadBitmap("A run length is longer than any mask.")
    firsts = lasts - lengths + 1
    places = np.arange(digits.size) - np.repeat(firsts, lengths)
    counts = np.add.reduceat((digits & 0x1F) << (5 * places), firsts)
    counts -= np.where(digits[lasts] & 0x10, np.int64(1) << (5 * lengths), 0)
    # from the fourth on, a count is stored as its difference from the last but one
    counts[1::2] = np.cumsum(counts[1::2])
    counts[2::2] = np.cumsum(counts[2::2])
    return counts
