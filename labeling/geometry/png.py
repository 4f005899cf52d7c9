"""Segmentation bitmaps as PNG files: id maps (uint32, H x W) read from what clients send; ids, values, colours written.

In colour an id is R + 256 G + 65536 B with alpha ignored on reading and 255 on writing (Segments.ai and COCO panoptic);
in palette and gray files it is the sample itself. Every written line has the filter Up, which suits maps of few values;
libpng's choice among the filters takes longer than all the rest. Format: PNG, third edition (W3C 2025).
"""

from __future__ import annotations

import importlib
import io
import struct
import zlib
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngImageFile

from labeling.geometry.bitmaps import MAX_ID, BadBitmap, Ids

isal_zlib: Any
try:
    isal_zlib = importlib.import_module("isal.isal_zlib")
except ImportError:  # an extra: several times faster, a little larger
    isal_zlib = None

__all__ = ["BadBitmap", "Packing", "kind_of", "read_ids", "write_colours", "write_ids", "write_palette", "write_values"]

#: small: zlib at its usual level. fast: isal where it is installed, else zlib's fastest level.
Packing = Literal["small", "fast"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _RGB, _PALETTE, _GRAY_ALPHA, _RGBA = 0, 2, 3, 4, 6
_DEPTHS = {_GRAY: (1, 2, 4, 8, 16), _RGB: (8,), _PALETTE: (1, 2, 4, 8), _RGBA: (8,)}
_KINDS = {_GRAY: "gray", _RGB: "rgb", _PALETTE: "palette", _GRAY_ALPHA: "gray+alpha", _RGBA: "rgba"}
_CHANNELS = {_GRAY: 1, _RGB: 3, _PALETTE: 1, _RGBA: 4}
# first column, first row, column step, row step of each pass
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_BAND_BYTES = 1 << 20
_UP_FILTER = 2


class _Header(NamedTuple):
    width: int
    height: int
    depth: int
    colour: int
    compression: int
    filtering: int
    interlace: int


def read_ids(data: bytes, *, max_pixels: int) -> Ids:
    """The id map (H, W) of a PNG file of at most `max_pixels` pixels.

    Only the chunks that hold pixels reach the decoder, so that text, profiles and animation cannot do anything.

    Raises:
        BadBitmap: not a whole and sound PNG file, too large, or of a kind that holds no ids (16 bits a colour channel,
            gray with alpha).
    """
    header, chunks = _chunks(data)
    if not (header.width and header.height) or header.width * header.height > max_pixels:
        raise BadBitmap(f"The bitmap has no pixels or more than {max_pixels}.")
    if header.compression or header.filtering or header.interlace > 1:
        raise BadBitmap("The bitmap is packed in a way that PNG does not define.")
    if header.depth not in _DEPTHS.get(header.colour, ()):
        raise BadBitmap("The bitmap must be RGBA or RGB with 8 bits a channel, palette, or gray.")
    if header.colour == _GRAY and header.depth < 8:
        # Pillow spreads few-bit gray over 0..255; as palette indexes the samples stay as they are
        header = header._replace(colour=_PALETTE)
        chunks = [(b"PLTE", bytes(3 << header.depth)), *chunks]
    elif header.colour != _PALETTE:
        chunks = [chunk for chunk in chunks if chunk[0] != b"PLTE"]
    elif not chunks or chunks[0][0] != b"PLTE" or not 0 < len(chunks[0][1]) <= 768 or len(chunks[0][1]) % 3:
        raise BadBitmap("The bitmap has no sound palette.")
    _require_whole_pixels(b"".join(body for kind, body in chunks if kind == b"IDAT"), header)
    clean = b"".join(_chunk(*chunk) for chunk in [(b"IHDR", struct.pack(">IIBBBBB", *header)), *chunks, (b"IEND", b"")])
    try:
        # the size was checked above; Image.open would also apply Pillow's own, process-wide limit
        with PngImageFile(io.BytesIO(_SIGNATURE + clean)) as image:
            samples = np.asarray(image)
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise BadBitmap("The pixels of the bitmap are damaged.") from error
    if samples.ndim == 2:
        return samples.astype(np.uint32)
    ids = samples[:, :, 2].astype(np.uint32)
    for channel in (1, 0):
        ids <<= np.uint32(8)
        ids |= samples[:, :, channel]
    return ids


def kind_of(data: bytes) -> tuple[str, int, int, int]:
    """(kind, bits a sample, width, height) of a PNG file by its header; kinds: gray, rgb, palette, gray+alpha, rgba.

    Raises:
        BadBitmap: not a PNG file as far as its header.
    """
    header = _header(data[8:33]) if data[:8] == _SIGNATURE else None
    if header is None or header.colour not in _KINDS:
        raise BadBitmap("The bitmap does not begin with a PNG header.")
    return _KINDS[header.colour], header.depth, header.width, header.height


def write_ids(ids: Ids, *, alpha: bool = True, packing: Packing = "small") -> bytes:
    """The RGBA (or RGB) PNG file of an id map (H, W).

    `small`: the same map gives the same bytes wherever zlib is the same.

    Raises:
        BadBitmap: not a two-dimensional array of integers from 0 to 2**24 - 1, or no pixels.
    """
    if ids.ndim != 2 or ids.size == 0 or ids.dtype.kind not in "ui":
        raise BadBitmap("An id map is a two-dimensional array of integers with at least one pixel.")
    if int(ids.max()) > MAX_ID or (ids.dtype.kind == "i" and int(ids.min()) < 0):
        raise BadBitmap(f"An object id in a bitmap is an integer from 0 to {MAX_ID}.")

    def lines(first: int, after: int) -> NDArray[np.uint8]:
        band = np.ascontiguousarray(ids[first:after], dtype="<u4")
        if alpha:
            return (band | np.uint32(0xFF000000)).view(np.uint8)
        return np.ascontiguousarray(band.view(np.uint8).reshape(*band.shape, 4)[:, :, :3]).reshape(band.shape[0], -1)

    return _written(lines, ids.shape, 8, _RGBA if alpha else _RGB, packing)


def write_values(values: NDArray[Any], *, packing: Packing = "small") -> bytes:
    """The gray PNG file of a map (H, W) of uint8 or uint16 values, 8 or 16 bits a pixel.

    Raises:
        BadBitmap: not a two-dimensional array of one of these types, or no pixels.
    """
    if values.ndim != 2 or values.size == 0 or values.dtype not in (np.uint8, np.uint16):
        raise BadBitmap("A map of gray values is a two-dimensional array of uint8 or uint16 with at least one pixel.")
    depth = 8 * values.dtype.itemsize

    def lines(first: int, after: int) -> NDArray[np.uint8]:
        return np.ascontiguousarray(values[first:after], dtype=f">u{depth // 8}").view(np.uint8)

    return _written(lines, values.shape, depth, _GRAY, packing)


def write_colours(colours: NDArray[np.uint8], *, packing: Packing = "small") -> bytes:
    """The RGB or RGBA PNG file of an array (H, W, 3 or 4) of uint8.

    Raises:
        BadBitmap: another shape or type, or no pixels.
    """
    if colours.ndim != 3 or colours.shape[2] not in (3, 4) or colours.size == 0 or colours.dtype != np.uint8:
        raise BadBitmap("Colours are an array of uint8, height by width by 3 or 4, with at least one pixel.")
    height, width, channels = colours.shape

    def lines(first: int, after: int) -> NDArray[np.uint8]:
        return np.ascontiguousarray(colours[first:after]).reshape(after - first, channels * width)

    return _written(lines, (height, width), 8, _RGB if channels == 3 else _RGBA, packing)


def write_palette(indexes: NDArray[np.uint8], colours: NDArray[np.uint8], *, packing: Packing = "small") -> bytes:
    """The palette PNG file of a map (H, W) of places in a list (N, 3) of at most 256 colours, all uint8.

    Raises:
        BadBitmap: other shapes or types, no pixels, or a place that the list does not have.
    """
    if indexes.ndim != 2 or indexes.size == 0 or indexes.dtype != np.uint8:
        raise BadBitmap("A map of palette indexes is a two-dimensional array of uint8 with at least one pixel.")
    if colours.dtype != np.uint8 or colours.ndim != 2 or colours.shape[1] != 3 or not 0 < len(colours) <= 256:
        raise BadBitmap("A palette is an array of 1 to 256 colours of three bytes.")
    if int(indexes.max()) >= len(colours):
        raise BadBitmap("A palette index is less than the number of colours.")

    def lines(first: int, after: int) -> NDArray[np.uint8]:
        return np.ascontiguousarray(indexes[first:after])

    return _written(lines, indexes.shape, 8, _PALETTE, packing, _chunk(b"PLTE", colours.tobytes()))


def _written(
    lines: Callable[[int, int], NDArray[np.uint8]],
    shape: tuple[int, ...],
    depth: int,
    colour: int,
    packing: Packing,
    palette: bytes = b"",
) -> bytes:
    """The file whose rows `first` to `after` (exclusive) are the bytes lines(first, after), packed band by band."""
    height, width = shape
    packer: Any
    if packing == "small":
        packer = zlib.compressobj(6)
    else:
        packer = zlib.compressobj(1) if isal_zlib is None else isal_zlib.compressobj(1)
    row_bytes = width * _CHANNELS[colour] * depth // 8
    band_rows = max(1, _BAND_BYTES // row_bytes)
    packed = []
    above = np.zeros((1, row_bytes), dtype=np.uint8)
    filtered = np.empty((min(band_rows, height), 1 + row_bytes), dtype=np.uint8)
    filtered[:, 0] = _UP_FILTER
    for first in range(0, height, band_rows):
        band = lines(first, min(height, first + band_rows))
        np.subtract(band[:1], above, out=filtered[:1, 1:])
        np.subtract(band[1:], band[:-1], out=filtered[1 : len(band), 1:])
        above = band[-1:]
        packed.append(packer.compress(filtered[: len(band)].data))
    packed.append(packer.flush())
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = _chunk(b"IDAT", b"".join(packed))
    return _SIGNATURE + _chunk(b"IHDR", head) + palette + pixels + _chunk(b"IEND", b"")


def _header(chunk: bytes) -> _Header | None:
    """The header from the first chunk of a file, or None where that is none or damaged."""
    if len(chunk) < 25 or chunk[:8] != b"\x00\x00\x00\x0dIHDR":
        return None
    if struct.unpack_from(">I", chunk, 21)[0] != zlib.crc32(chunk[4:21]):
        return None
    return _Header(*struct.unpack(">IIBBBBB", chunk[8:21]))


def _chunks(data: bytes) -> tuple[_Header, list[tuple[bytes, bytes]]]:
    """The header and the palette and pixel chunks, each with its checksum verified, up to the end chunk."""
    if data[:8] != _SIGNATURE:
        raise BadBitmap("The bitmap is not a PNG file.")
    kept: list[tuple[bytes, bytes]] = []
    header: _Header | None = None
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        end = at + 8 + length
        if end + 4 > len(data):
            break
        body = data[at + 8 : end]
        at = end + 4
        if header is None:
            if kind != b"IHDR" or length != 13:
                raise BadBitmap("The bitmap does not begin with a PNG header.")
        elif kind not in (b"PLTE", b"IDAT", b"IEND"):
            if not kind[0] & 0x20:
                raise BadBitmap("The bitmap has a chunk that PNG does not define.")
            continue
        if struct.unpack_from(">I", data, end)[0] != zlib.crc32(body, zlib.crc32(kind)):
            raise BadBitmap("A checksum in the bitmap is wrong.")
        if header is None:
            header = _Header(*struct.unpack(">IIBBBBB", body))
        elif kind == b"IEND":
            return header, kept
        else:
            kept.append((kind, body))
    raise BadBitmap("The bitmap is cut off.")


def _require_whole_pixels(packed: bytes, header: _Header) -> None:
    """Unpack without keeping anything: Pillow fills in what a short stream leaves out, and we would store the void."""
    bits = header.depth * _CHANNELS[header.colour]
    expected = 0
    for x0, y0, dx, dy in _ADAM7 if header.interlace else ((0, 0, 1, 1),):
        columns, rows = -((x0 - header.width) // dx), -((y0 - header.height) // dy)
        if columns > 0 and rows > 0:
            expected += rows * (1 + (columns * bits + 7) // 8)
    inflater = zlib.decompressobj()
    unpacked = 0
    try:
        while not inflater.eof and unpacked <= expected:
            piece = inflater.decompress(packed, _BAND_BYTES)
            packed = inflater.unconsumed_tail
            unpacked += len(piece)
            if not piece and not packed:
                break
    except zlib.error as error:
        raise BadBitmap("The pixels of the bitmap are damaged.") from error
    if not inflater.eof or unpacked != expected:
        raise BadBitmap("The bitmap holds fewer or more pixels than its size says.")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
