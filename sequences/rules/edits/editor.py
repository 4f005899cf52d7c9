"""All edits of tracks, by the name of their operation. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labeling.rules.edits.editor import Operation
from labeling.rules.edits.objects import set_score
from labeling.rules.edits.whole_label import set_status
from sequences.rules.edits.keyframes import KeyframeEdits
from sequences.rules.edits.shapes import ShapeEdits
from sequences.rules.edits.tracks import TrackEdits

JSON = dict[str, Any]


class TrackEditor(TrackEdits, KeyframeEdits, ShapeEdits):
    """Applies edits of tracks one after the other."""

    def operations(self) -> Mapping[str, Operation]:
        return TRACK_OPERATIONS


_SHAPE = ("geometry", "type", "points")
_AT = ("sensor", "frame")
TRACK_OPERATIONS: dict[str, Operation] = {
    "add_track": (TrackEditor.add_track, (*_AT, *_SHAPE, "track_id", "category_id", "attributes", "origin")),
    "remove_track": (TrackEditor.remove_track, ("sensor",)),
    "recategorize_track": (TrackEditor.recategorize_track, ("sensor", "category_id")),
    "renumber_track": (TrackEditor.renumber_track, ("sensor", "track_id")),
    "order_track": (TrackEditor.order_track, ("sensor", "to")),
    "merge_tracks": (TrackEditor.merge_tracks, ("sensor", "source")),
    "split_track": (TrackEditor.split_track, (*_AT, "track_id")),
    "set_track_attributes": (TrackEditor.set_track_attributes, ("sensor", "attributes", "cleared")),
    "set_keyframe": (TrackEditor.set_keyframe, (*_AT, *_SHAPE, "attributes")),
    "move_keyframe": (TrackEditor.move_keyframe, (*_AT, "to")),
    "delete_keyframe": (TrackEditor.delete_keyframe, _AT),
    "set_keyframe_attributes": (TrackEditor.set_keyframe_attributes, (*_AT, "attributes", "cleared")),
    "set_remove_keyframe": (TrackEditor.set_remove_keyframe, _AT),
    "move_remove_keyframe": (TrackEditor.move_remove_keyframe, (*_AT, "to")),
    "delete_remove_keyframe": (TrackEditor.delete_remove_keyframe, _AT),
    "rasterize_track": (TrackEditor.rasterize_track, ("sensor", "size_wh")),
    "fit_track": (TrackEditor.fit_track, ("sensor", "size_wh")),
    "set_interpolation": (TrackEditor.set_interpolation, ("by", "extrapolate", "hold")),
    "set_score": (set_score, ("score",)),
    "set_status": (set_status, ("verb", "status")),
}
