"""A zlib stream of our own making: the same bytes from the same input for ever, on every processor and with every zlib.

What zlib writes depends on its version and maker (zlib, zlib-ng, Cloudflare's, Intel's). This one uses only runs of one
byte and the fixed codes, which suits maps whose lines repeat (a PNG with the filter Up is mostly zeros), and is numpy
throughout. Format: RFC 1950 and RFC 1951, §3.2.5 and §3.2.6.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

_LONGEST, _SHORTEST = 258, 3
_PIECE = 1 << 22  # bytes looked at together, so that memory stays small
_TOKENS = 1 << 16


def deflated(data: bytes | bytearray | memoryview) -> bytes:
    """The zlib stream of some bytes."""
    packer = Packer()
    return packer.compress(data) + packer.flush()


class Packer:
    """Writes a zlib stream piece by piece, as `zlib.compressobj` does; how it is cut into pieces shows in the bytes."""

    def __init__(self) -> None:
        self._adler = 1
        # CM 8, window 32 KiB; then the header of a last block with fixed codes: 1, then 01 from its lowest bit on.
        self._head = b"\x78\x01"
        self._bits = np.array([1, 1, 0], dtype=np.uint8)

    def compress(self, data: bytes | bytearray | memoryview) -> bytes:
        """What is ready after these bytes."""
        found = [self._head]
        self._head = b""
        self._adler = zlib.adler32(data, self._adler)
        values = np.frombuffer(data, dtype=np.uint8)
        for first in range(0, values.size, _PIECE):
            tokens = _tokens(values[first : first + _PIECE])
            for start in range(0, tokens.size, _TOKENS):
                found.append(self._packed(tokens[start : start + _TOKENS]))
        return b"".join(found)

    def flush(self) -> bytes:
        """The end of the stream."""
        end = self._head + self._packed(np.array([_END], dtype=np.int64))
        return end + np.packbits(self._bits, bitorder="little").tobytes() + struct.pack(">I", self._adler)

    def _packed(self, tokens: Numbers) -> bytes:
        lengths = _LENGTHS[tokens]
        shift = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        bits = ((np.repeat(_CODES[tokens], lengths) >> shift) & 1).astype(np.uint8)
        bits = np.concatenate([self._bits, bits])
        whole = bits.size - bits.size % 8
        self._bits = bits[whole:]
        return np.packbits(bits[:whole], bitorder="little").tobytes()


def _tokens(values: NDArray[np.uint8]) -> Numbers:
    """What is written, one after the other: a byte as itself, a repetition of the byte before as 256 + its length."""
    if values.size == 0:
        return np.zeros(0, dtype=np.int64)
    heads = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    more = np.diff(heads, append=values.size) - 1
    full, rest = np.divmod(more, _LONGEST)
    short = rest < _SHORTEST
    # of each run: its byte, repetitions of full length, then one of what is left, or that as bytes
    counts = 1 + full + np.where(short, rest, 1)
    run = np.repeat(np.arange(heads.size), counts)
    nth = np.arange(run.size) - np.repeat(np.cumsum(counts) - counts, counts)
    byte = values[heads].astype(np.int64)[run]
    tail = np.where(short[run], byte, 256 + rest[run])
    return np.where(nth == 0, byte, np.where(nth <= full[run], 256 + _LONGEST, tail))


_END = 256


def _tables() -> tuple[Numbers, Numbers]:
    """(codes with their first bit lowest, lengths in bits) of every token; 256 is the end of the block."""
    codes, lengths = np.zeros(256 + _LONGEST + 1, dtype=np.int64), np.zeros(256 + _LONGEST + 1, dtype=np.int64)
    for byte in range(256):
        code, length = (0x30 + byte, 8) if byte < 144 else (0x190 + byte - 144, 9)
        codes[byte], lengths[byte] = _turned(code, length), length
    codes[_END], lengths[_END] = 0, 7
    symbol, base = 257, _SHORTEST
    for extra in range(6):
        for _ in range(8 if extra == 0 else 4):
            for offset in range(1 << extra):
                if base + offset < _LONGEST:
                    _set(codes, lengths, base + offset, symbol, offset, extra)
            base += 1 << extra
            symbol += 1
    _set(codes, lengths, _LONGEST, 285, 0, 0)
    return codes, lengths


def _set(codes: Numbers, lengths: Numbers, run: int, symbol: int, offset: int, extra: int) -> None:
    code, length = (symbol - 256, 7) if symbol < 280 else (0xC0 + symbol - 280, 8)
    # the distance is 1, whose code is five zeros
    codes[256 + run], lengths[256 + run] = _turned(code, length) | offset << length, length + extra + 5


def _turned(code: int, length: int) -> int:
    return int(f"{code:0{length}b}"[::-1], 2)


_CODES, _LENGTHS = _tables()
