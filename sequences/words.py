"""The events of tracks in words."""

from __future__ import annotations

from typing import Any

from labeling.admin.words import tell
from sequences import events as e

JSON = dict[str, Any]


def _imported(data: JSON) -> str:
    return f"with {len(data.get('tracks') or ())} tracks"


def _frame(data: JSON) -> str:
    return f"{data['frame']}" if "frame" in data else ""


tell(e.TracksImported, "imported a sequence", "imported a sequence in {n} parts", _imported)
tell(e.SequenceDocumentSet, "set what a sequence holds beside its objects")
tell(e.TrackAdded, "began a track", "began {n} tracks")
tell(e.TrackRestored, "put back a track", "put back {n} tracks")
tell(e.TrackRemoved, "removed a track", "removed {n} tracks")
tell(e.TrackFramesSet, "set frames of a track", "set frames of {n} tracks")
tell(e.KeyframeSet, "set a keyframe at frame", "set {n} keyframes", _frame)
tell(e.KeyframeMoved, "moved the keyframe of frame", "moved {n} keyframes", _frame)
tell(e.KeyframeDeleted, "deleted the keyframe of frame", "deleted {n} keyframes", _frame)
tell(e.RemoveKeyframeSet, "let an object leave at frame", "let objects leave {n} times", _frame)
tell(e.RemoveKeyframeMoved, "moved the remove-keyframe of frame", "moved {n} remove-keyframes", _frame)
tell(e.RemoveKeyframeDeleted, "deleted the remove-keyframe of frame", "deleted {n} remove-keyframes", _frame)
tell(e.KeyframeAttributesSet, "set attributes from frame", "set attributes of {n} keyframes", _frame)
tell(e.TrackAttributesSet, "set attributes of a track", "set attributes of {n} tracks")
tell(e.TrackRecategorized, "changed a track's category", "changed the category of {n} tracks")
tell(e.TrackRenumbered, "renumbered a track", "renumbered {n} tracks")
tell(e.TrackOrderChanged, "raised or lowered a track", "reordered {n} tracks")
tell(e.TrackRasterized, "turned a track into bitmaps", "turned {n} tracks into bitmaps")
tell(e.TrackFitted, "fitted a track into the image", "fitted {n} tracks into the image")
tell(e.TracksMerged, "merged two tracks", "merged {n} tracks")
tell(e.TrackSplit, "split a track at frame", "split {n} tracks", _frame)
tell(e.FramesRearranged, "let labels go along with the frames of their sample")
