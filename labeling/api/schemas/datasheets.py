"""Datasheets on the wire."""

from __future__ import annotations

from labeling.api.schemas import component
from labeling.api.schemas.forms import FLAG, MOMENT, OFFSET, TEXT, closed, listed, nullable, said, text
from labeling.rules.datasheet import FIELDS, MOST_TEXT

DATASHEET = component(
    "Datasheet",
    closed(
        {
            "fields": listed(
                closed(
                    {
                        "field": TEXT,
                        "section": TEXT,
                        "asks": said(TEXT, "What is to be told here."),
                        "required": FLAG,
                        "text": said(nullable(TEXT), "Markdown; null where nothing was said."),
                        "set_by": nullable(TEXT),
                        "set_at": nullable(MOMENT),
                        "offset": nullable(OFFSET),
                    }
                )
            ),
            "missing": said(listed(TEXT), "Required fields in which nothing was said."),
        }
    ),
    example={
        "fields": [
            {
                "field": "motivation",
                "section": "Motivation",
                "asks": "For what purpose was the dataset made, and by whom?",
                "required": True,
                "text": "Finding cars in our street.",
                "set_by": "ana",
                "set_at": "2026-11-20T09:30:00.123456+00:00",
                "offset": 41,
            }
        ],
        "missing": ["licence"],
    },
)
DATASHEET_CHANGES = component(
    "DatasheetChanges",
    closed({}, {name: said(nullable(text(MOST_TEXT)), field.asks) for name, field in FIELDS.items()}, minProperties=1),
    example={"motivation": "Finding cars in our street."},
)
