"""The dense frames of tracks: what a reader is shown at every frame, as arrays of numbers and a few texts. Pure.

segments  what a track shows from one keyframe to the next, computed anew only where something changed
packed    the segments of a track in one row of bytes, of which a window can be cut
texts     frames as the JSON text that they are served as

They say the same as `rendered_frames`, byte for byte; only without a dict a shape.
"""

from sequences.rules.dense.packed import BLOCK, Packed, packed, unpacked
from sequences.rules.dense.segments import Segment, clock_mark, segments_of
from sequences.rules.dense.texts import Line, document_text, frame_texts

__all__ = [
    "BLOCK",
    "Line",
    "Packed",
    "Segment",
    "clock_mark",
    "document_text",
    "frame_texts",
    "packed",
    "segments_of",
    "unpacked",
]
