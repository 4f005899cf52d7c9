"""The shapes of many labels: what is wanted, and what became of each."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import FLAG, TEXT, UUID, WHOLE, closed, listed, nullable, one_of, said
from labeling.commands.shapes import MOST_LABELS, WHATS

JSON = dict[str, Any]

SHAPING = component(
    "Shaping",
    closed(
        {"what": said(one_of(*WHATS), "Push shapes into their images, or turn them into bitmaps.")},
        {
            "samples": said(listed(UUID, most=MOST_LABELS), "Those whose labels are meant; all unless said."),
            "labelset": said(TEXT, "ground-truth unless said."),
            "dry_run": said(FLAG, "Only say what would change."),
        },
    ),
    example={"what": "fit", "dry_run": True},
)
_sample = "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10"
SHAPED = component(
    "Shaped",
    closed(
        {
            "dry_run": FLAG,
            "labels_changed": WHOLE,
            "objects_changed": WHOLE,
            "results": listed(
                closed(
                    {
                        "sample": UUID,
                        "objects_changed": WHOLE,
                        "objects_skipped": WHOLE,
                        "version": nullable(WHOLE),
                    },
                    {"error": closed({"code": TEXT, "detail": TEXT})},
                )
            ),
        }
    ),
    example={
        "dry_run": True,
        "labels_changed": 1,
        "objects_changed": 2,
        "results": [{"sample": _sample, "objects_changed": 2, "objects_skipped": 0, "version": 7}],
    },
)
