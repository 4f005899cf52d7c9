"""Events, as the API shows them."""

from __future__ import annotations

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    ANYTHING,
    HASH,
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

CHANGED_ENTRY = component(
    "HistoryEntry",
    closed(
        {
            "offset": OFFSET,
            "recorded_at": said(MOMENT, "By the server's clock."),
            "occurred_at": said(nullable(MOMENT), "By the client's."),
            "author": said(TEXT, "The username of today."),
            "author_kind": one_of(*AUTHOR_KINDS),
            "on_behalf_of": nullable(TEXT),
            "tool": nullable(TEXT),
            "work_session": nullable(UUID),
            "gesture": nullable(UUID),
            "command": UUID,
            "event_id": UUID,
            "type": TEXT,
            "stream": TEXT,
            "version": WHOLE | {"minimum": 1},
            "sample": said(nullable(UUID), "The sample that it is about."),
            "label_set": said(nullable(UUID), "The label set that it is about."),
            "sentence": said(TEXT, "Who did what, in words."),
            "reason": nullable(TEXT),
            "guideline": said(nullable(WHOLE), "The version that the author saw; null before the first."),
            "changes": listed(
                closed(
                    {
                        "what": said(TEXT, "`annotation:<uuid>`, `label`, or `self` for the sample or the dataset."),
                        "id": said(nullable(WHOLE), "The number that people see."),
                        "before": said(nullable(ANYTHING), "The fields that changed; null where it was not there."),
                        "after": said(nullable(ANYTHING), "The same behind it; null where it is gone."),
                    }
                )
            ),
        }
    ),
    example={
        "offset": 41,
        "recorded_at": "2026-11-20T09:30:00.123456+00:00",
        "occurred_at": None,
        "author": "ben",
        "author_kind": "person",
        "on_behalf_of": None,
        "tool": None,
        "work_session": None,
        "gesture": None,
        "command": "6c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
        "event_id": "3a1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
        "type": "AnnotationCategorySet",
        "stream": "label/7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10/8d1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
        "version": 7,
        "sample": "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
        "label_set": "8d1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
        "sentence": "ben changed car 3 from car to lorry",
        "reason": None,
        "guideline": 2,
        "changes": [
            {
                "what": "annotation:0b0a4a6a-6b7e-4f0e-9a50-2d0f3a4b5c6d",
                "id": 3,
                "before": {"category_id": 1},
                "after": {"category_id": 2},
            }
        ],
    },
)
EVENT = component(
    "Event",
    closed(
        {
            "offset": OFFSET,
            "stream": said(TEXT, "`label/<sample>/<label set>`, `sample/<sample>`, `dataset`, `release/<release>` …"),
            "version": said(WHOLE | {"minimum": 1}, "Its place in the stream."),
            "event_id": UUID,
            "type": TEXT,
            "schema_version": WHOLE | {"minimum": 1},
            "data": said(ANYTHING, "What happened; its fields are those of the type and schema version."),
            "author": said(nullable(TEXT), "The username of today."),
            "author_id": UUID,
            "author_kind": one_of(*AUTHOR_KINDS),
            "on_behalf_of": nullable(TEXT),
            "tool": nullable(TEXT),
            "work_session": nullable(UUID),
            "reason": nullable(TEXT),
            "occurred_at": said(nullable(MOMENT), "By the client's clock."),
            "recorded_at": said(MOMENT, "By the server's."),
            "command": said(UUID, "The same for all events of one request."),
            "causation": nullable(UUID),
            "gesture": nullable(UUID),
            "seen_offset": nullable(OFFSET),
            "chain": said(HASH, "The hash of the whole log up to here."),
        },
        {"text": said(nullable(TEXT), "What somebody wrote in it.")},
    ),
    example={
        "offset": 41,
        "stream": "label/7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10/8d1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
        "version": 7,
        "event_id": "3a1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
        "type": "AnnotationRemoved",
        "schema_version": 1,
        "data": {"annotation": "0b0a4a6a-6b7e-4f0e-9a50-2d0f3a4b5c6d"},
        "author": "ben",
        "author_id": "4b1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
        "author_kind": "person",
        "on_behalf_of": None,
        "tool": None,
        "work_session": None,
        "reason": "a shadow",
        "occurred_at": None,
        "recorded_at": "2026-11-20T09:30:00.123456+00:00",
        "command": "6c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
        "causation": None,
        "gesture": None,
        "seen_offset": 12,
        "chain": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    },
)
