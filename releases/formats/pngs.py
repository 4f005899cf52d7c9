"""Maps as PNG and BMP files whose bytes are the same everywhere, because nothing but our own code makes them. Pure.

A PNG's bytes depend on the deflate library, so these are packed by `labeling.geometry.deflate`, every line with the
filter Up. Formats: PNG, third edition (W3C 2025); BMP with BITMAPINFOHEADER.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from labeling.geometry.bitmaps import BadBitmap, Mask
from labeling.geometry.deflate import Packer

Values = NDArray[Any]
_BAND_BYTES = 1 << 20
_UP = 2
_GRAY, _RGB, _PALETTE = 0, 2, 3
MAX_PIXELS = 1 << 28


def gray(values: Values) -> bytes:
    """A map (H, W) of uint8 or uint16, 8 or 16 bits a pixel."""
    depth = 8 * values.dtype.itemsize
    raw = np.ascontiguousarray(values, dtype=f">u{depth // 8}").view(np.uint8).reshape(values.shape[0], -1)
    return _written(raw, values.shape, depth, _GRAY)


def palette(values: NDArray[np.uint8], colours: Sequence[tuple[int, int, int]]) -> bytes:
    """A map (H, W) of uint8 with a colour for each value."""
    return _written(np.ascontiguousarray(values), values.shape, 8, _PALETTE, bytes(sum(colours, ())))


def ids(values: Values) -> bytes:
    """A map (H, W) of numbers below 2**24 as RGB, R + 256 G + 65536 B, as COCO's panoptic files have it."""
    raw = np.ascontiguousarray(values, dtype="<u4").view(np.uint8).reshape(*values.shape, 4)[:, :, :3]
    return _written(np.ascontiguousarray(raw).reshape(values.shape[0], -1), values.shape, 8, _RGB)


def colours(values: NDArray[np.uint8]) -> bytes:
    """Colours (H, W, 3)."""
    height, width, _ = values.shape
    return _written(np.ascontiguousarray(values).reshape(height, 3 * width), (height, width), 8, _RGB)


def bmp(mask: Mask) -> bytes:
    """A mask (H, W) as an 8 bit gray BMP: 255 where it is set. Lines go from the bottom to the top."""
    height, width = mask.shape
    row = -(-width // 4) * 4
    pixels = np.zeros((height, row), dtype=np.uint8)
    pixels[:, :width] = np.where(mask[::-1], 255, 0)
    ramp = bytes(byte for level in range(256) for byte in (level, level, level, 0))
    start = 14 + 40 + len(ramp)
    head = b"BM" + struct.pack("<IHHI", start + pixels.size, 0, 0, start)
    head += struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 0, pixels.size, 2835, 2835, 256, 0)
    return head + ramp + pixels.tobytes()


def read(data: bytes) -> Values:
    """The samples of a picture file: (H, W) of gray or palette values (uint8, or int32 of 16 bits), or (H, W, 3).

    Raises:
        BadBitmap: no whole picture, or too large a one.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "BMP")) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise BadBitmap(f"The picture has more than {MAX_PIXELS} pixels.")
            if picture.mode == "1":
                return np.asarray(picture.convert("L"))
            if picture.mode in ("L", "P"):
                return np.asarray(picture)
            if picture.mode.startswith("I"):
                return np.asarray(picture).astype(np.int32)
            return np.asarray(picture.convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, BadBitmap):
            raise
        raise BadBitmap("The file is no PNG or BMP picture, or not a whole one.") from error


def size_of(data: bytes) -> tuple[int, int] | None:
    """(width, height) of a picture file from its beginning; None where that does not say."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.size
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _written(raw: NDArray[np.uint8], shape: tuple[int, ...], depth: int, colour: int, table: bytes = b"") -> bytes:
    """The file whose lines are the rows of `raw`."""
    height, width = shape
    packer = Packer()
    packed = []
    above = np.zeros((1, raw.shape[1]), dtype=np.uint8)
    rows = max(1, _BAND_BYTES // raw.shape[1])
    for first in range(0, height, rows):
        band = raw[first : first + rows]
        filtered = np.empty((len(band), 1 + raw.shape[1]), dtype=np.uint8)
        filtered[:, 0] = _UP
        np.subtract(band, np.concatenate([above, band[:-1]]), out=filtered[:, 1:])
        above = band[-1:]
        packed.append(packer.compress(filtered.reshape(-1).data))
    packed.append(packer.flush())
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", head), *([(b"PLTE", table)] if table else []), (b"IDAT", b"".join(packed)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
