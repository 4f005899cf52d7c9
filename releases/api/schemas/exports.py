"""Exports of releases and the formats that there are, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    FLAG,
    HASH,
    TEXT,
    UUID,
    WHOLE,
    closed,
    listed,
    map_of,
    nullable,
    one_of,
    said,
)
from releases.api.schemas.releases import NAME

JSON = dict[str, Any]

LOSS = closed(
    {
        "what": said(TEXT, "What of the labels it is."),
        "became": one_of("kept", "converted", "approximated", "left out"),
        "times": WHOLE,
    }
)
EXPORT = component(
    "Export",
    closed(
        {
            "uuid": UUID,
            "release": NAME,
            "format": TEXT,
            "format_version": WHOLE,
            "label_set": TEXT,
            "options": map_of(TEXT),
            "status": one_of("PENDING", "SUCCEEDED", "FAILED"),
            "url": said(nullable(TEXT), "The archive, readable without a key; null until it is made."),
            "samples_count": WHOLE,
            "samples_total": said(nullable(WHOLE), "Of how many, while it is made; null before that is known."),
            "losses": said(listed(LOSS), "What the format cannot carry; one by one in the archive's `losses.json`."),
            "size_bytes": nullable(WHOLE),
            "sha256": nullable(HASH),
            "error": said(nullable(TEXT), "Why it failed."),
        }
    ),
    example={
        "uuid": "6d0f2b52-9c7e-5f3e-8f5a-0f6f2c9b1a11",
        "release": "v1",
        "format": "coco-instances",
        "format_version": 1,
        "label_set": "ground-truth",
        "options": {"clip": "yes"},
        "status": "PENDING",
        "url": None,
        "samples_count": 0,
        "samples_total": None,
        "losses": [],
        "size_bytes": None,
        "sha256": None,
        "error": None,
    },
)
EXPORT_FILE: JSON = {"type": "string", "format": "binary", "description": "A ZIP archive; its bytes never differ."}
FORMAT = component(
    "Format",
    closed(
        {
            "name": TEXT,
            "version": WHOLE,
            "title": TEXT,
            "exports": FLAG,
            "imports": FLAG,
            "needs_size": said(FLAG, "Pictures of unknown size are left out."),
            "options": listed(closed({"name": TEXT, "choices": listed(TEXT), "description": TEXT})),
            "reading_options": said(
                listed(closed({"name": TEXT, "choices": listed(TEXT), "description": TEXT})), "Those of imports."
            ),
            "carries": said(
                map_of(one_of("kept", "converted", "approximated", "left out")), "What becomes of what labels hold."
            ),
        }
    ),
    example={
        "name": "coco-instances",
        "version": 1,
        "title": "COCO instances",
        "exports": True,
        "imports": True,
        "needs_size": False,
        "options": [{"name": "clip", "choices": ["yes", "no"], "description": "Cut shapes off at the border."}],
        "reading_options": [],
        "carries": {"bbox": "kept", "holes": "converted", "orientations": "left out"},
    },
)
