"""Reports, and what clients tell of people at work."""

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
    map_of,
    nullable,
    one_of,
    record,
    said,
)
from labeling.api.schemas.parameters import or_empty, query
from labeling.commands.activity import KINDS, LONGEST_AGO_MS, MOST_NUMBER, MOST_SIGNALS
from labeling.reports.catalogue import REPORTS

JSON = dict[str, Any]

REPORT_NAME = (said(one_of(*REPORTS), "; ".join(f"`{name}`: {one.says}" for name, one in REPORTS.items())), "time")

SIGNAL = component(
    "ActivitySignal",
    record(
        {
            "number": said(
                WHOLE | {"minimum": 0, "maximum": MOST_NUMBER}, "Its place in the session; told twice it counts once."
            ),
            "kind": said(
                one_of(*KINDS),
                "A sample was opened or closed, or there was input on it since the last heartbeat (about every 20 s;"
                " without input none is told). What the input was is never told.",
            ),
            "sample": UUID,
        },
        {
            "labelset": nullable(TEXT),
            "ago_ms": said(
                WHOLE | {"minimum": 0, "maximum": LONGEST_AGO_MS},
                "How long ago by a clock that only goes forward, for what waited for the network.",
            ),
        },
    ),
    example={"number": 3, "kind": "heartbeat", "sample": "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10"},
)
ACTIVITY = component(
    "Activity",
    record(
        {
            "session": said(UUID, "One window of one person, from when it was opened."),
            "signals": listed(SIGNAL, least=1, most=MOST_SIGNALS),
        }
    ),
    example={
        "session": "0b0a4a6a-6b7e-4f0e-9a50-2d0f3a4b5c6d",
        "signals": [{"number": 0, "kind": "opened", "sample": "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10"}],
    },
)
ACTIVITY_KEPT = component(
    "ActivityKept",
    record({"kept": said(WHOLE | {"minimum": 0}, "How many of them were new, and not too close to others.")}),
    example={"kept": 1},
)

REPORT = component(
    "Report",
    record(
        {
            "report": TEXT,
            "dataset": TEXT,
            "offset": OFFSET,
            "threshold_s": said(WHOLE, "The longest pause that is still work."),
            "timezone": said(TEXT, "Whose days they are."),
            "by": listed(TEXT),
            "from": nullable(TEXT),
            "to": nullable(TEXT),
            "person": nullable(UUID),
            "digest": said(HASH, "Of the rows: asked again with this offset, they have the same."),
            "columns": said(map_of(TEXT), "What the numbers are."),
            "names": said(map_of(TEXT), "The names of today of the people, label sets and samples in the rows."),
            "rows": listed(ANYTHING),
        }
    ),
    example={
        "report": "time",
        "dataset": "ana/cars",
        "offset": 41,
        "threshold_s": 300,
        "timezone": "Europe/Berlin",
        "by": ["person"],
        "from": None,
        "to": None,
        "person": None,
        "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "columns": {"active_s": "Seconds of work: between two signals at most `threshold_s` apart."},
        "names": {"4b1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10": "ben"},
        "rows": [
            {
                "person": "4b1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
                "active_s": 340.25,
                "idle_s": 0.0,
                "signals": 12,
                "measured": 11,
                "saves": 2,
            }
        ],
    },
)

_keys = sorted({key for one in REPORTS.values() for key in one.keys})
_date = or_empty({"anyOf": [{"type": "string", "format": "date"}, ISO_TIME]})
PARAMETERS = (
    query(
        "by", f"What to group by, separated by commas; each report has some of {', '.join(_keys)}.", TEXT, "person,day"
    ),
    query("from", "Only what was at this time or later; a date is its beginning in `timezone`.", _date, "2026-11-01"),
    query("to", "Only what was before this time; a date is its beginning in `timezone`.", _date, "2026-12-01"),
    query("timezone", "A name of the IANA database; UTC unless said.", TEXT, "Europe/Berlin"),
    query(
        "threshold_s",
        "The longest pause in seconds that is still work; the dataset's setting unless said.",
        or_empty(WHOLE | {"minimum": 1, "maximum": 86_400}),
        300,
    ),
    query("person", "Only the work of this one: a username, or an id.", TEXT, "ben"),
    query("rate", "For `cost`: what an hour costs.", or_empty(NUMBER | {"minimum": 0}), 30),
    query(
        "iou",
        "For `agreement`: the least overlap of a pair; 0.5 unless said.",
        or_empty(NUMBER | {"exclusiveMinimum": 0, "maximum": 1}),
        0.5,
    ),
    query(
        "base",
        "For `agreement`: the label set that the others are compared with; `ground-truth` unless said.",
        TEXT,
        "ground-truth",
    ),
    query("format", "`json` unless said.", or_empty(one_of("json", "csv")), "json"),
)
