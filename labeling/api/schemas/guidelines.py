"""Guidelines on the wire."""

from __future__ import annotations

from labeling.api.schemas import component
from labeling.api.schemas.forms import MOMENT, OFFSET, TEXT, UUID, WHOLE, closed, listed, nullable, record, said, text
from labeling.api.schemas.parameters import named_path_parameter
from labeling.commands.guidelines import MOST_TEXT

named_path_parameter("guideline", said(TEXT, "The number of a version of the guideline; 0 is the time before."), "1")

GUIDELINE = component(
    "Guideline",
    closed(
        {
            "version": WHOLE | {"minimum": 1},
            "text": said(TEXT, "Markdown."),
            "url": said(nullable(TEXT), "A file of this server."),
            "offset": said(OFFSET, "From here on it is in force."),
            "created_by": TEXT,
            "created_at": MOMENT,
        }
    ),
    example={
        "version": 2,
        "text": "# Cars\n\nDraw the box around what can be seen.",
        "url": None,
        "offset": 41,
        "created_by": "ana",
        "created_at": "2026-11-20T09:30:00.123456+00:00",
    },
)
NEW_GUIDELINE = component(
    "NewGuideline",
    record({}, {"text": nullable(text(MOST_TEXT)), "url": nullable(TEXT)}, description="One of both."),
    example={"text": "# Cars\n\nDraw the box around what can be seen."},
)
MADE = component(
    "MadeUnderGuideline",
    closed(
        {
            "objects": listed(
                closed(
                    {
                        "object": UUID,
                        "sample": UUID,
                        "labelset": TEXT,
                        "offset": said(OFFSET, "Of the event that added it."),
                        "author": TEXT,
                        "seen_offset": said(nullable(OFFSET), "As the client said; null: the newest then."),
                        "recorded_at": MOMENT,
                    }
                )
            ),
            "next": said(nullable(OFFSET), "Where there are more: the next request's `after`."),
        }
    ),
    example={
        "objects": [
            {
                "object": "0b0a4a6a-6b7e-4f0e-9a50-2d0f3a4b5c6d",
                "sample": "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
                "labelset": "ground-truth",
                "offset": 44,
                "author": "ben",
                "seen_offset": 41,
                "recorded_at": "2026-11-20T09:30:00.123456+00:00",
            }
        ],
        "next": None,
    },
)
