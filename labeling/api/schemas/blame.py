"""Blame."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    ANYTHING,
    MOMENT,
    OFFSET,
    TEXT,
    UUID,
    WHOLE,
    closed,
    listed,
    nullable,
    one_of,
    said,
)
from labeling.log.event import AUTHOR_KINDS

JSON = dict[str, Any]

_CAUSE: JSON = {
    "offset": said(OFFSET, "The event that made it what it is."),
    "restored": said(nullable(OFFSET), "The undo or restore that put it back, where it was changed in between."),
    "before": listed(OFFSET, description="The events that made it what it was before, the last first; at most 20."),
}
BLAME = component(
    "Blame",
    closed(
        {
            "version": WHOLE | {"minimum": 0},
            "offset": OFFSET,
            "objects": listed(
                closed(
                    {
                        "what": said(TEXT, "`annotation:<uuid>` …"),
                        "id": said(nullable(WHOLE), "The number that people see."),
                        "begun": said(OFFSET, "The event that it began with."),
                        "origin": said(nullable(ANYTHING), "What it was made from: a model and its run, an import …"),
                        "parts": listed(
                            closed(
                                {"path": listed(TEXT, description="`geometry`; `attributes`, `parked` …"), **_CAUSE},
                                {
                                    "vertices": said(
                                        listed(listed(OFFSET)), "Of an outline: the event of each vertex, ring by ring."
                                    )
                                },
                            )
                        ),
                    }
                )
            ),
            "pixel": nullable(
                closed(
                    {
                        "x": WHOLE,
                        "y": WHOLE,
                        "id": said(WHOLE, "The object's number; 0 for none."),
                        "object": nullable(UUID),
                        **_CAUSE,
                        "offset": said(nullable(OFFSET), "The event that painted it; null where none ever did."),
                    }
                )
            ),
            "events": listed(
                closed(
                    {
                        "offset": OFFSET,
                        "recorded_at": MOMENT,
                        "author": TEXT,
                        "author_kind": one_of(*AUTHOR_KINDS),
                        "tool": nullable(TEXT),
                        "type": TEXT,
                        "sentence": TEXT,
                        "reason": nullable(TEXT),
                        "event_id": UUID,
                    }
                ),
                description="Every event that is named above.",
            ),
        }
    ),
    example={
        "version": 2,
        "offset": 41,
        "objects": [
            {
                "what": "annotation:0b0a4a6a-6b7e-4f0e-9a50-2d0f3a4b5c6d",
                "id": 3,
                "begun": 40,
                "origin": None,
                "parts": [
                    {"path": ["category_id"], "offset": 41, "restored": None, "before": [40]},
                    {"path": ["geometry"], "offset": 40, "restored": None, "before": [], "vertices": [[40, 40]]},
                ],
            }
        ],
        "pixel": None,
        "events": [
            {
                "offset": 41,
                "recorded_at": "2026-11-20T09:30:00.123456+00:00",
                "author": "ben",
                "author_kind": "person",
                "tool": None,
                "type": "AnnotationCategorySet",
                "sentence": "ben changed car 3 from car to lorry",
                "reason": None,
                "event_id": "3a1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
            }
        ],
    },
)
