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
    any_of,
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


def _is(word: str) -> JSON:
    return {"const": word, "type": "string"}


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


# --- restore -------------------------------------------------------------------------------------------------------

_PLACE: JSON = {
    "anyOf": [OFFSET, TEXT | {"minLength": 1}],
    "description": "An offset of the dataset, a time in ISO 8601, the id of an event, or the name of a release.",
}
_EVENT = closed({"kind": _is("event"), "offset": OFFSET}, description="One event.")
_GESTURE = closed({"kind": _is("gesture"), "gesture": UUID}, description="A gesture, a bulk action or a command.")
_SESSION = closed({"kind": _is("work_session"), "work_session": UUID}, description="A work session.")
_AUTHOR = closed(
    {"kind": _is("author"), "author": said(TEXT, "A username, or the id of a person.")},
    {"since": nullable(_PLACE), "until": nullable(_PLACE)},
    description="All that somebody did, between two times where they are given.",
)
_OBJECT = closed({"kind": _is("object"), "object": UUID, "at": _PLACE}, description="An object as it was.")
_LABEL = closed({"kind": _is("label"), "at": _PLACE}, description="The label as it was.")
_SAMPLE = closed({"kind": _is("sample"), "at": _PLACE}, description="All labels of the sample as they were.")

RESTORE = component(
    "Restore",
    closed({"of": any_of((_EVENT, _GESTURE, _SESSION, _AUTHOR, _OBJECT, _LABEL))}, HOW | ABOUT),
    example={"of": {"kind": "label", "at": 12}, "dry_run": True},
)
RESTORE_MANY = component(
    "RestoreMany",
    closed(
        {"of": any_of((_EVENT, _GESTURE, _SESSION, _AUTHOR, _SAMPLE))},
        {"after": said(nullable(TEXT), "What an answer gave as `next`.")} | HOW | ABOUT,
    ),
    example={"of": {"kind": "author", "author": "ben", "since": 12, "until": 40}, "dry_run": True},
)
_EVENTS: JSON = {"events": said(WHOLE, "How many events are taken back.")}
RESTORED = component("Restored", closed(REPORT | _EVENTS), example=_example | {"events": 3})
RESTORED_MANY = component(
    "RestoredMany",
    closed(
        {
            "gesture": said(UUID, "Restore this gesture to take all of it back."),
            "labels": listed(
                closed(
                    {"sample": UUID, "labelset": TEXT, "stored": FLAG},
                    {name: form for name, form in (REPORT | _EVENTS).items() if name not in ("label_status", "stored")}
                    | {"refused": said(TEXT, "Why this label was left alone.")},
                )
            ),
            "next": said(nullable(TEXT), "Where to go on, where there are more labels."),
        }
    ),
    example={
        "gesture": "6c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
        "labels": [
            {"sample": "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10", "labelset": "ground-truth", "events": 3}
            | {name: value for name, value in _example.items() if name != "label_status"}
        ],
        "next": None,
    },
)
