"""The track operations of the edits endpoint: what each becomes, and when it is refused. Pure.

A track is named by its uuid or its number (beside `sensor`, where there are several). Editing at a frame that is
computed makes a keyframe there and leaves the neighbours' keyframes alone.
"""

from sequences.rules.edits.editor import TRACK_OPERATIONS, TrackEditor
from sequences.rules.edits.subjects import track_geometry

__all__ = ["TRACK_OPERATIONS", "TrackEditor", "track_geometry"]
