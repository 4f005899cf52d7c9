"""Run lengths of masks as COCO writes them: column-major, beginning with unset pixels, as a list or as packed text.

Source: maskApi.c of cocodataset/cocoapi (rleEncode, rleToString, rleFrString); agrees with it byte for byte.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.geometry.bitmaps import BadBitmap, Mask, box_of
from labeling.geometry.rasterize import Spans, united

Counts = NDArray[np.int64]

#: As many as the largest image has.
MAX_PIXELS = 65535 * 65535

#: Runs that are turned into counts at a time.
_RUNS = 1 << 16

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
    return {
        "size": [height, width],
        "counts": _texts(counts, np.array([counts.size]))[0] if compressed else counts.tolist(),
    }


def of_spans(spans: Spans, objects: int, height: int, width: int, *, compressed: bool = False) -> list[dict[str, Any]]:
    """The run lengths of each of so many objects from their runs along the columns, without making any mask.

    Runs may overlap and touch, as those of an object's parts do; an object without runs is an empty mask.
    """
    found: list[dict[str, Any]] = []
    before = np.searchsorted(spans.owner, np.arange(objects + 1))
    first = 0
    while first < objects:
        # so many objects at a time that memory stays small
        after = max(first + 1, int(np.searchsorted(before, before[first] + _RUNS, side="right")) - 1)
        piece = slice(before[first], before[after])
        some = Spans(spans.owner[piece] - first, spans.start[piece], spans.stop[piece])
        counts, sizes = _counts_of_spans(united(some, height * width), after - first, height * width)
        if compressed:
            found += [{"size": [height, width], "counts": text} for text in _texts(counts, sizes)]
        else:
            listed, ends = counts.tolist(), np.cumsum(sizes).tolist()
            found += [{"size": [height, width], "counts": listed[begin:end]} for begin, end in pairwise([0, *ends])]
        first = after
    return found


def _counts_of_spans(runs: Spans, objects: int, places: int) -> tuple[Counts, Counts]:
    """(counts of all objects one after the other, how many each has) of runs that neither touch nor overlap."""
    # of each object: 0, its starts and stops in turn, the end of the image
    sizes = 2 * np.bincount(runs.owner, minlength=objects) + 2
    heads = np.cumsum(sizes) - sizes
    bounds = np.zeros(int(sizes.sum()), dtype=np.int64)
    bounds[heads + sizes - 1] = places
    at = 2 * np.arange(runs.owner.size) + 2 * runs.owner + 1
    bounds[at], bounds[at + 1] = runs.start, runs.stop
    counts = np.diff(bounds)
    kept = np.ones(counts.size, dtype=bool)
    kept[heads[1:] - 1] = False
    lasts = heads + sizes - 2
    kept[lasts[counts[lasts] == 0]] = False
    return counts[kept], sizes - 1 - (counts[lasts] == 0)


def decode(rle: Mapping[str, Any], *, max_pixels: int) -> Mask:
    """The mask (H, W) of run lengths in either form; its memory is column-major.

    Raises:
        BadBitmap: as `counts_of`.
    """
    counts = counts_of(rle, max_pixels=max_pixels)
    values = (np.arange(counts.size) & 1).astype(bool)
    height, width = rle["size"]
    return np.repeat(values, counts).reshape((height, width), order="F")


def decode_box(rle: Mapping[str, Any], box_xyxy: list[int]) -> Mask:
    """The mask (y1 - y0, x1 - x0) inside a pixel box of the mask of verified run lengths, without making the rest."""
    x0, y0, x1, y1 = box_xyxy
    counts = counts_of(rle, max_pixels=MAX_PIXELS)
    height = rle["size"][0]
    ends = np.clip(np.cumsum(counts), x0 * height, x1 * height)
    values = (np.arange(counts.size) & 1).astype(bool)
    columns = np.repeat(values, np.diff(ends, prepend=x0 * height))
    return columns.reshape((height, x1 - x0), order="F")[y0:y1]


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


def hash_of_runs(rle: Mapping[str, Any]) -> str:
    """The hex SHA-256 of a mask by its run lengths, in whatever form and however the runs are cut: a fixed head, width
    and height (uint32), and where the mask begins or ceases to be set (uint64, column-major), all little-endian.

    Raises:
        BadBitmap: as `counts_of`.
    """
    bounds = np.cumsum(counts_of(rle, max_pixels=MAX_PIXELS))[:-1]
    places, times = np.unique(bounds, return_counts=True)  # runs of no length meet, and then nothing changes there
    height, width = rle["size"]
    places = places[(times & 1).astype(bool) & (places < height * width)]
    hashed = hashlib.sha256(b"palimpsest-runs-1" + struct.pack("<II", width, height))
    hashed.update(np.ascontiguousarray(places, dtype="<u8").data)
    return hashed.hexdigest()


def _toggles(mask: Mask) -> Counts:
    """The places, counted down the columns, where the mask begins or ceases to be set."""
    box = box_of(mask)
    if box is None:
        return np.zeros(0, dtype=np.int64)
    x0, y0, x1, y1 = box
    height, width = y1 - y0, x1 - x0
    # differences between a row and the one above are found along the rows, where memory is contiguous, and eight at a
    # time; a stable sort by column then puts them in order down the columns
    differs = np.zeros((height + 1, -(-width // 8) * 8), dtype=bool)
    differs[0, :width], differs[-1, :width] = mask[y0, x0:x1], mask[y1 - 1, x0:x1]
    np.not_equal(mask[y0 + 1 : y1, x0:x1], mask[y0 : y1 - 1, x0:x1], out=differs[1:-1, :width])
    eights = np.flatnonzero(differs.view(np.uint64))
    eighth, bit = np.nonzero(differs.reshape(-1, 8)[eights])
    row, column = np.divmod(eights[eighth] * 8 + bit, differs.shape[1])
    order = np.argsort(column.astype(np.uint16) if width <= 2**16 else column, kind="stable")
    places = ((column + x0) * mask.shape[0] + row + y0)[order]
    # a run over the foot of a column ends where the next begins: both toggles go
    doubled = np.flatnonzero(places[1:] == places[:-1])
    return np.delete(places, np.concatenate([doubled, doubled + 1])) if doubled.size else places


def _texts(counts: Counts, sizes: Counts) -> list[str]:
    """The packed texts of masks whose counts follow each other; `sizes` is how many each has, one at least."""
    if not sizes.size:
        return []
    # from the fourth on, a count is stored as its difference from the last but one
    rest = counts.copy()
    rest[2:] -= counts[:-2]
    tails = np.cumsum(sizes)
    for nth in range(3):
        first = (tails - sizes)[sizes > nth] + nth
        rest[first] = counts[first]
    # five bits a character, the last one's uppermost being the sign
    magnitude = np.maximum(rest, ~rest)
    lengths = np.ones(rest.size, dtype=np.int64)
    limit, largest = 16, int(magnitude.max())
    while limit <= largest:
        lengths += magnitude >= limit
        limit <<= 5
    ends = np.cumsum(lengths)
    place = np.arange(int(lengths.sum()))
    place -= np.repeat(ends - lengths, lengths)
    digits = (np.repeat(rest, lengths) >> (5 * place)) & 0x1F
    digits |= 0x20
    digits[ends - 1] &= 0x1F
    text = str((digits + 48).astype(np.uint8).tobytes(), "ascii")
    cuts = [0, *ends[tails - 1].tolist()]
    return [text[first:after] for first, after in pairwise(cuts)]


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
