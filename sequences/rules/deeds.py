"""What a fact did to which tracks, as labeling's reports count it; see labeling.rules.deeds. Pure."""

from __future__ import annotations

from typing import Any

from labeling.rules.parts import ADDED, CHANGED, REMOVED
from sequences import events as e


def deeds(fact: Any) -> list[tuple[str, int, int | None, bool]]:
    """(track, what was done, category, whether the fact names it) of every track that a fact touches."""
    match fact:
        case e.TracksImported():
            return [(item["track"], ADDED, item.get("category_id"), True) for item in fact.tracks]
        case e.TrackAdded():
            return [(fact.track, ADDED, fact.category_id, True)]
        case e.TrackRecategorized():
            return [(fact.track, CHANGED, fact.category_id, True)]
        case e.TrackRestored():
            return [(fact.track, CHANGED, fact.fields.get("category_id"), "category_id" in fact.fields)]
        case e.TrackRemoved():
            return [(fact.track, REMOVED, None, False)]
        case e.TracksMerged():
            return [(fact.track, CHANGED, None, False), (fact.source, REMOVED, None, False)]
        case e.TrackSplit():
            return [(fact.track, CHANGED, None, False), (fact.new_track, ADDED, None, False)]
    track = getattr(fact, "track", None)
    return [(track, CHANGED, None, False)] if isinstance(track, str) else []
