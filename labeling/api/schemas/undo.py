"""Undo, redo and restore."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    FLAG,
    ISO_TIME,
    MOMENT,
    OFFSET,
    TEXT,
    UUID,
    WHOLE,
    closed,
    listed,
    nullable,
    one_of,
    record,
    said,
    text,
)
from labeling.api.schemas.labels import STATUS
from labeling.commands.undo import ON_CONFLICT

JSON = dict[str, Any]

ABOUT: JSON = {
    "gesture": said(nullable(UUID), "What of several requests was one movement of the hand, or one bulk action."),
    "reason": said(nullable(text(10_000)), "Why, in words; stored encrypted. Required with `force`."),
    "tool": nullable(text(100)),
    "occurred_at": said(nullable(ISO_TIME), "By the client's clock, in the years 1900 to 2199."),
    "seen_offset": said(nullable(OFFSET), "The offset of the categories that the author saw."),
    "work_session": nullable(UUID),
}
HOW: JSON = {
    "on_conflict": said(
        one_of(*ON_CONFLICT),
        "Where somebody built on it since: `stop` stores nothing, `skip` leaves that as it is, `force` takes it back"
        " all the same, and needs a reason. `stop` unless said.",
    ),
    "dry_run": said(FLAG, "Only tell what would happen."),
}
UNDO = component(
    "Undo",
    record(
        {}, {"count": said(WHOLE | {"minimum": 1, "maximum": 1000}, "How many gestures; 1 unless said.")} | HOW | ABOUT
    )
    | {"additionalProperties": False},
    example={"count": 2, "dry_run": True},
)
CHANGE: JSON = closed(
    {
        "what": said(TEXT, "`annotation:<uuid>`, `label` …"),
        "id": said(nullable(WHOLE), "The number that people see."),
        "did": one_of("removed", "restored", "changed"),
        "fields": listed(TEXT, description="Which of its fields, where it was there before and is there after."),
    }
)
OBSTACLE: JSON = closed(
    {
        "what": TEXT,
        "field": nullable(TEXT),
        "why": said(
            one_of("changed", "linked", "painted", "number", "link", "invalid", "other_host"),
            "Somebody changed it again, linked to it, painted over or on it, has its number; it links to what is gone,"
            " does not go together with what others did, or its pixels are on another host.",
        ),
        "then": {"description": "What it was and would be again."},
        "now": {"description": "What it is."},
        "by": said(nullable(TEXT), "Who made it what it is."),
        "offset": said(nullable(OFFSET), "By which event."),
    }
)
GESTURE: JSON = closed(
    {
        "gesture": UUID,
        "events": WHOLE,
        "first_offset": OFFSET,
        "last_offset": OFFSET,
        "recorded_at": nullable(MOMENT),
    }
)
REPORT: JSON = {
    "version": said(WHOLE | {"minimum": 0}, "Of the label now."),
    "offset": OFFSET,
    "label_status": STATUS,
    "dry_run": FLAG,
    "stored": said(FLAG, "Whether it was done."),
    "changes": listed(CHANGE),
    "in_the_way": listed(OBSTACLE, description="What somebody built on it since."),
    "kept": listed(TEXT, description="`status`, where the author may not bring the earlier one about."),
}
CHANGED: JSON = {
    "what": "annotation:0b0a4a6a-6b7e-4f0e-9a50-2d0f3a4b5c6d",
    "id": 3,
    "did": "changed",
    "fields": ["geometry"],
}
_example: JSON = {
    "version": 9,
    "offset": 43,
    "label_status": "LABELING_IN_PROGRESS",
    "dry_run": False,
    "stored": True,
    "changes": [CHANGED],
    "in_the_way": [],
    "kept": [],
}
UNDONE = component(
    "Undone",
    closed(
        REPORT
        | {
            "gestures": listed(GESTURE, description="In the order in which they were taken back or done again."),
            "can_undo": said(WHOLE, "How many more gestures can be taken back."),
            "can_redo": said(WHOLE, "How many can be done again."),
        }
    ),
    example=_example
    | {
        "gestures": [
            {
                "gesture": "6c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
                "events": 1,
                "first_offset": 42,
                "last_offset": 42,
                "recorded_at": "2026-11-20T09:30:00.123456+00:00",
            }
        ],
        "can_undo": 4,
        "can_redo": 1,
    },
)
