"""Issues, their anchors and comments, as `rules.anchors` and `commands.issues` take them."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    MOMENT,
    NUMBER,
    TEXT,
    UUID,
    WHOLE,
    closed,
    listed,
    nullable,
    one_of,
    record,
    said,
    tagged,
    text,
)
from labeling.commands.issues import TEXT_LIMIT
from labeling.rules.anchors import AXES
from labeling.rules.anchors import TEXT_LIMIT as WORD_LIMIT
from labeling.rules.issue_state import STATUSES

JSON = dict[str, Any]

_WORD = text(WORD_LIMIT)
_ANYWHERE: JSON = {"sensor": nullable(_WORD), "frame": nullable(WHOLE | {"minimum": 0})}
_LOCATION: JSON = {"oneOf": [tagged("type", kind, closed(dict.fromkeys(axes, NUMBER))) for kind, axes in AXES.items()]}
ANCHOR = component(
    "Anchor",
    {
        "oneOf": [
            tagged("type", "basic", closed({}, _ANYWHERE)),
            tagged("type", "track", closed({"trackNumber": WHOLE}, _ANYWHERE | {"trackAttribute": nullable(_WORD)})),
            tagged("type", "sceneAttribute", closed({"sceneAttribute": _WORD}, _ANYWHERE)),
            tagged("type", "location", closed({"location": _LOCATION}, _ANYWHERE)),
        ],
        "description": "What an issue points at; kept as it was sent.",
    },
    example={"type": "location", "location": {"type": "2d", "x": 120, "y": 44.5}, "frame": 3},
)
COMMENT = component(
    "Comment",
    closed({"created_at": MOMENT, "created_by": nullable(TEXT), "text": TEXT}),
    example={"created_at": "2026-11-20T10:00:00.123456+00:00", "created_by": "ben", "text": "fixed"},
)
ISSUE = component(
    "Issue",
    closed(
        {
            "uuid": UUID,
            "description": TEXT,
            "created_at": MOMENT,
            "updated_at": MOMENT,
            "created_by": nullable(TEXT),
            "updated_by": nullable(TEXT),
            "status": one_of(*STATUSES),
            "comments": listed(COMMENT),
            "anchor": nullable(ANCHOR),
            "sample_uuid": UUID,
            "sample_name": TEXT,
        }
    ),
    example={
        "uuid": "5d0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a11",
        "description": "The car behind the tree is missing.",
        "created_at": "2026-11-20T09:30:00.123456+00:00",
        "updated_at": "2026-11-20T10:00:00.123456+00:00",
        "created_by": "ana",
        "updated_by": "ben",
        "status": "OPEN",
        "comments": [{"created_at": "2026-11-20T10:00:00.123456+00:00", "created_by": "ben", "text": "fixed"}],
        "anchor": {"type": "location", "location": {"type": "2d", "x": 120, "y": 44.5}},
        "sample_uuid": "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
        "sample_name": "a.jpg",
    },
    gives={"issue": "$response.body#/uuid"},
)
_WORDS = said(text(TEXT_LIMIT, least=1) | {"pattern": r"\S"}, "Stored encrypted.")
_status = one_of(*STATUSES)
NEW_ISSUE = component(
    "NewIssue",
    record({"description": _WORDS}, {"status": said(_status, "OPEN unless said."), "anchor": nullable(ANCHOR)}),
    example={"description": "The car behind the tree is missing.", "anchor": {"type": "basic", "frame": 3}},
)
ISSUE_CHANGE = component(
    "IssueChange",
    record({}, {"description": _WORDS, "status": _status, "anchor": nullable(ANCHOR)}),
    example={"status": "CLOSED"},
)
NEW_COMMENT = component("NewComment", record({"text": _WORDS}), example={"text": "fixed"})
