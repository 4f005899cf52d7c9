"""Reports that somebody keeps."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    ANYTHING,
    HASH,
    ISO_TIME,
    NUMBER,
    OFFSET,
    TEXT,
    UUID,
    WHOLE,
    listed,
    nullable,
    one_of,
    record,
    said,
)
from labeling.api.schemas.parameters import named_path_parameter, or_empty, query
from labeling.commands.saved_reports import NAME_LIMIT
from labeling.reports.catalogue import REPORTS

JSON = dict[str, Any]

named_path_parameter(
    "saved_report", said(UUID, "The uuid of a report that is kept."), "3e0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a14"
)

#: What may be asked of a report: as the parameters of its own address.
ASKED = ("by", "from", "to", "timezone", "threshold_s", "person", "rate", "iou", "base")
FIELDS = ("name", "report", "at", *ASKED)
FORMAT = query("format", "`json` unless said.", or_empty(one_of("json", "csv")), "json")
NAME = TEXT | {"minLength": 1, "maxLength": NAME_LIMIT, "pattern": r"\S"}

QUESTION = component(
    "SavedQuestion",
    record(
        {
            "by": listed(TEXT),
            "from_us": said(nullable(WHOLE), "Microseconds since 1970 (UTC)."),
            "to_us": nullable(WHOLE),
            "timezone": TEXT,
            "threshold_s": WHOLE,
            "person": nullable(TEXT),
            "options": said(ANYTHING, "`rate`, `iou` and `base`, where the report has them."),
        }
    ),
    example={
        "by": ["person"],
        "from_us": 1793491200000000,
        "to_us": None,
        "timezone": "Europe/Berlin",
        "threshold_s": 300,
        "person": None,
        "options": {},
    },
)
SAVED_REPORT = component(
    "SavedReport",
    record(
        {
            "uuid": UUID,
            "name": TEXT,
            "report": TEXT,
            "question": QUESTION,
            "offset": OFFSET,
            "created_at": ISO_TIME,
            "created_by": TEXT,
        }
    ),
    example={
        "uuid": "3e0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a14",
        "name": "November",
        "report": "time",
        "question": {
            "by": ["person"],
            "from_us": 1793491200000000,
            "to_us": None,
            "timezone": "Europe/Berlin",
            "threshold_s": 300,
            "person": None,
            "options": {},
        },
        "offset": 41,
        "created_at": "2026-11-20T12:00:00Z",
        "created_by": "ana",
    },
)
NEW_SAVED_REPORT = component(
    "NewSavedReport",
    record(
        {"name": NAME, "report": one_of(*REPORTS)},
        {
            "at": nullable(OFFSET | {"minimum": 1}),
            "by": nullable({"anyOf": [TEXT, listed(TEXT)]}),
            "from": nullable(TEXT),
            "to": nullable(TEXT),
            "timezone": nullable(TEXT),
            "threshold_s": nullable({"anyOf": [TEXT, WHOLE | {"minimum": 1, "maximum": 86_400}]}),
            "person": nullable(TEXT),
            "rate": nullable({"anyOf": [TEXT, NUMBER | {"minimum": 0}]}),
            "iou": nullable({"anyOf": [TEXT, NUMBER | {"exclusiveMinimum": 0, "maximum": 1}]}),
            "base": nullable(TEXT),
        },
    ),
    example={"name": "November", "report": "time", "by": "person", "timezone": "Europe/Berlin"},
)
RUN = component(
    "SavedReportRun",
    record(
        {
            "uuid": UUID,
            "report": TEXT,
            "question": QUESTION,
            "offset": OFFSET,
            "digest": said(HASH, "Of the rows: the same every time."),
            "rows": listed(ANYTHING),
        }
    ),
    example={
        "uuid": "3e0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a14",
        "report": "time",
        "question": {
            "by": [],
            "from_us": None,
            "to_us": None,
            "timezone": "UTC",
            "threshold_s": 300,
            "person": None,
            "options": {},
        },
        "offset": 41,
        "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "rows": [{"active_s": 340.25, "idle_s": 0.0, "signals": 12, "measured": 11, "saves": 2}],
    },
)
