"""Tracks of formats that give an object in each frame by itself. Pure."""

from __future__ import annotations

from typing import Any

JSON = dict[str, Any]


def entries_of(sightings: dict[int, JSON], frames: int) -> dict[int, JSON]:
    """The entries of a track that is there in exactly these frames: each is a keyframe, and each gap begins with a
    remove-keyframe."""
    entries: dict[int, JSON] = {}
    for frame in sorted(sightings):
        entries[frame] = sightings[frame]
        if frame + 1 not in sightings and frame + 1 < frames:
            entries[frame + 1] = {"absent": True}
    return entries
