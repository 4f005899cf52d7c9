"""The segments of a track in one row of bytes, of which a database can cut a window of frames. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple

import msgspec

from sequences.rules.dense.segments import Segment

#: A window can be cut at frames that are multiples of this.
BLOCK = 64

_length = Struct("<I")
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Segment)


class Packed(NamedTuple):
    """Segments one behind the other. For each block of frames: where the first of its segments starts, where the last
    ends."""

    data: bytes
    starts: list[int]
    ends: list[int]


def packed(segments: Sequence[Segment], frames: int) -> Packed:
    """The segments of a track in a sequence of so many frames; the same bytes for equal segments."""
    records = [_encoder.encode(segment) for segment in segments]
    blocks = -(-frames // BLOCK)
    starts, ends = [0] * blocks, [0] * blocks
    position = 0
    filled = 0  # the first block whose start is not known
    for segment, record in zip(segments, records, strict=True):
        low, high = segment.first // BLOCK, (segment.first + segment.count - 1) // BLOCK
        after = position + _length.size + len(record)
        for block in range(filled, high + 1):  # a block between two segments has none, and is empty
            starts[block] = position
            ends[block] = after if block >= low else position
        if low < filled:
            ends[low] = after
        filled = high + 1
        position = after
    for block in range(filled, blocks):
        starts[block] = ends[block] = position
    return Packed(b"".join(_length.pack(len(record)) + record for record in records), starts, ends)


def unpacked(data: bytes | memoryview) -> list[Segment]:
    """The segments of packed bytes, or of a window of them."""
    view = memoryview(data)
    found = []
    position = 0
    while position < len(view):
        start = position + _length.size
        position = start + _length.unpack_from(view, position)[0]
        found.append(_decoder.decode(view[start:position]))
    return found
