"""How densely tracks are set: keyframes against the frames that are computed between them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from labeling.reports.catalogue import Report
from labeling.reports.reading import Standing
from labeling.reports.tables import Row
from labeling.rules.label_state import LabelState
from labeling.rules.task_types import task_type
from sequences.rules.skeletons import clock_of, is_verbatim, skeleton_of
from sequences.rules.timeline import Timeline
from sequences.rules.track_state import in_order
from sequences.task_types import SequenceTask

KEYS = ("label_set", "category", "sample", "track")


def keyframe_table(found: Standing, by: tuple[str, ...]) -> list[Row]:
    """A row for each group of KEYS: tracks, the frames that they are in, and those of these that were set."""
    groups: dict[tuple[Any, ...], Counter[str]] = {}
    kind = task_type(found.state.task_type)
    for label_set in sorted(found.state.label_sets.values(), key=lambda item: item.id):
        if label_set.archived or not isinstance(kind, SequenceTask):
            continue
        for sample, state in found.labels(label_set.id):
            for known, counts in _tracks(kind, state):
                values = known | {"label_set": label_set.id, "sample": sample}
                groups.setdefault(tuple(values[name] for name in by), Counter()).update(counts)
    rows = [dict(zip(by, key, strict=True)) | _row(counts) for key, counts in groups.items()]
    return sorted(rows, key=lambda row: [(row[name] is not None, row[name] or 0) for name in by])


def _tracks(kind: SequenceTask, state: LabelState) -> list[tuple[dict[str, Any], dict[str, int]]]:
    if is_verbatim(state):
        state = kind.opened(state)[0]
    found = []
    for track in in_order(state):
        line = Timeline.of(track)
        count = clock_of(skeleton_of(state), track["sensor"]).frames
        frames = sum(last - first for first, last in line.presence(count))
        keyframes = sum(frame < count for frame in line.keyframes())
        counts = {
            "tracks": 1,
            "frames": frames,
            "keyframes": keyframes,
            "remove_keyframes": sum(frame < count for frame in line.remove_keyframes()),
        }
        found.append(({"category": track["category_id"], "track": track["uuid"]}, counts))
    return found


def _row(counts: Counter[str]) -> Row:
    frames, keyframes = counts["frames"], counts["keyframes"]
    return {
        "tracks": counts["tracks"],
        "frames": frames,
        "keyframes": keyframes,
        "computed": frames - keyframes,
        "remove_keyframes": counts["remove_keyframes"],
        "density": round(keyframes / frames, 6) if frames else None,
    }


KEYFRAMES = Report(
    "keyframes",
    "How densely the tracks of sequences are set, as the labels stand.",
    KEYS,
    ("category",),
    {
        "tracks": "Tracks.",
        "frames": "Frames in which their objects are there.",
        "keyframes": "Those among them that somebody or a model set.",
        "computed": "The others, which are computed between keyframes.",
        "remove_keyframes": "Keyframes that say that an object is gone.",
        "density": "Keyframes of all frames: 1 where every frame was set by hand.",
    },
    personal=False,
    standing=lambda found, by, _: keyframe_table(found, by),
)
