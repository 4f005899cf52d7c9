"""Erasing an uploaded file, for the OpenAPI document."""

from __future__ import annotations

from labeling.api.schemas import component
from labeling.api.schemas.forms import FLAG, HASH, TEXT, UUID, WHOLE, closed, listed, nullable, said, text

NEW_ERASURE = component(
    "NewErasure",
    closed(
        {},
        {
            "dry_run": said(FLAG, "Say what would go, and change nothing."),
            "reason": said(nullable(text(10_000)), "Why; required unless it is a dry run."),
        },
    ),
    example={"dry_run": True},
)
ERASURE = component(
    "Erasure",
    closed(
        {
            "dry_run": FLAG,
            "sha256": said(HASH, "What is erased is a content: every upload of these bytes."),
            "size_bytes": WHOLE,
            "filenames": listed(TEXT),
            "uploads": WHOLE,
            "datasets": listed(
                closed(
                    {
                        "dataset": said(TEXT, "Its full name."),
                        "uploads": said(WHOLE, "How many of the uploads it refers to."),
                        "samples_count": WHOLE,
                        "samples": said(
                            listed(closed({"uuid": UUID, "name": TEXT, "deleted": FLAG})), "The first hundred of them."
                        ),
                        "releases": said(
                            listed(closed({"uuid": UUID, "name": TEXT, "withdrawn": FLAG})),
                            "They keep their id and manifest, and say that the file was erased.",
                        ),
                        "releases_pending": said(listed(TEXT), "Not made yet, so nobody knows whether they hold it."),
                    }
                )
            ),
        },
        description="What is, or would be, lost with a file.",
    ),
    example={
        "dry_run": True,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "size_bytes": 48_213,
        "filenames": ["a.jpg"],
        "uploads": 1,
        "datasets": [
            {
                "dataset": "ana/streets",
                "uploads": 1,
                "samples_count": 1,
                "samples": [{"uuid": "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10", "name": "a.jpg", "deleted": False}],
                "releases": [{"uuid": "6d0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a11", "name": "v1", "withdrawn": False}],
                "releases_pending": [],
            }
        ],
    },
)
