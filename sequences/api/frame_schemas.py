"""Edits of a sample's frames, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.edits import SAID
from labeling.api.schemas.forms import (
    FLAG,
    OFFSET,
    TEXT,
    UUID,
    WHOLE,
    any_of,
    closed,
    listed,
    nullable,
    said,
    tagged,
    told_by,
)
from labeling.api.schemas.labels import TIMESTAMP
from labeling.api.schemas.samples import CLOUD, IMAGE_FRAME
from sequences.api.schemas import FRAME
from sequences.rules.frame_edits import MOST_EDITS

JSON = dict[str, Any]

_NUMBER: JSON = said(FRAME, "The number that it has behind the edits in front of this one.")
_SENSOR = said(nullable(WHOLE), "Of a sample of several sensors: which one, by its place in the list.")
_frames: JSON = said(listed(any_of([IMAGE_FRAME, CLOUD])), "As the sample's attributes have them.")
_new = [{"image": {"url": "https://example.org/005.jpg"}, "name": "005", "timestamp": 800_000_000}]

#: By op: what is required, what may be there, and an example.
FRAME_OPERATIONS: dict[str, tuple[JSON, JSON, JSON]] = {
    "append": ({"frames": _frames}, {}, {"frames": _new}),
    "insert": (
        {"frame": said(FRAME, "In front of which, or how many there are."), "frames": _frames},
        {},
        {"frame": 0, "frames": _new},
    ),
    "remove": (
        {"frame": _NUMBER},
        {"count": said(nullable(WHOLE), "How many from there on; one unless said.")},
        {"frame": 1},
    ),
    "move": ({"frame": _NUMBER, "to": said(FRAME, "The number that it has then.")}, {}, {"frame": 1, "to": 0}),
    "set_timestamp": ({"frame": _NUMBER, "timestamp": TIMESTAMP}, {}, {"frame": 0, "timestamp": 160_000_000}),
}


def _form(op: str) -> JSON:
    required, optional, example = FRAME_OPERATIONS[op]
    name = "".join(word.capitalize() for word in op.split("_")) + "FrameEdit"
    return component(
        name, tagged("op", op, closed(required, {"sensor": _SENSOR} | optional)), example={"op": op} | example
    )


FRAME_EDIT = component(
    "FrameEdit",
    told_by("op", {op: _form(op) for op in FRAME_OPERATIONS}),
    example={"op": "append", "frames": _new},
)
FRAME_EDITS = component(
    "FrameEdits",
    closed({"edits": listed(FRAME_EDIT, least=1, most=MOST_EDITS)}, SAID),
    example={"edits": [{"op": "append", "frames": _new}], "reason": "the end of the film was missing"},
)
_track = closed({"track": UUID, "track_id": WHOLE})
FRAMES_EDITED = component(
    "FramesEdited",
    closed(
        {
            "version": said(WHOLE | {"minimum": 0}, "Of the sample now."),
            "offset": OFFSET,
            "edits": said(
                listed(closed({"changed": FLAG}, {"frame": FRAME})),
                "For each edit whether it changed anything, and where its first frame is then.",
            ),
            "labels": said(
                listed(
                    closed(
                        {
                            "labelset": TEXT,
                            "version": said(WHOLE, "Of the label now."),
                            "keyframes": said(
                                listed(closed({"track": UUID, "track_id": WHOLE, "frame": FRAME})),
                                "Frames that became keyframes, so that they go on showing what they showed.",
                            ),
                            "removed_tracks": said(listed(_track), "Tracks of which no frame is left."),
                        }
                    )
                ),
                "The labels that went along.",
            ),
        }
    ),
    example={"version": 2, "offset": 43, "edits": [{"changed": True, "frame": 33}], "labels": []},
)
