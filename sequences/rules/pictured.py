"""What of a track a small drawing shows: the first frame in which it is another one than before. Pure."""

from __future__ import annotations

from typing import Any

JSON = dict[str, Any]


def frame_of_change(before: JSON | None, after: JSON | None) -> tuple[int, JSON | None, JSON | None]:
    """(frame, the track there before as an annotation, after) of the first keyframe that differs, else of the first."""
    one, other = ((track or {}).get("entries") or {} for track in (before, after))
    frames = sorted({*one, *other}, key=int)
    changed = [frame for frame in frames if one.get(frame) != other.get(frame)]
    shown = (changed or frames or ["0"])[0]
    return int(shown), _there(before, one.get(shown)), _there(after, other.get(shown))


def _there(track: JSON | None, entry: JSON | None) -> JSON | None:
    """A track at one of its keyframes as an annotation; None where it is not there, or is no keyframe."""
    if track is None or entry is None or entry.get("absent"):
        return None
    return {"id": track.get("track_id"), "category_id": track.get("category_id"), "geometry": entry.get("geometry")}
