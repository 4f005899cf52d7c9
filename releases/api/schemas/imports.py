"""Imports and their jobs, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    FLAG,
    HASH,
    MOMENT,
    TEXT,
    UUID,
    WHOLE,
    closed,
    listed,
    map_of,
    nullable,
    one_of,
    record,
    said,
    text,
)
from labeling.api.schemas.labels import SETTABLE
from labeling.api.schemas.parameters import named_path_parameter
from releases.formats import registry
from releases.imports.commands import ON_CONFLICT
from releases.imports.counts import NAMES
from releases.imports.wish import CATEGORIES, MODES, SAMPLES
from releases.models import ImportJob

JSON = dict[str, Any]

_ID = "3b0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a19"
named_path_parameter("job", said(UUID, "The uuid of a job."), _ID)

_WISH: JSON = {
    "label_set": said(TEXT, "ground-truth unless said."),
    "mode": said(
        one_of(*MODES),
        "What becomes of labels that are there: they are kept (unless said), the file's objects take the place of"
        " theirs, or are merged with them. What is equal is left alone in any case.",
    ),
    "categories": said(
        one_of(*CATEGORIES), "Categories that the dataset does not have: added (unless said), refused, or skipped."
    ),
    "samples": said(one_of(*SAMPLES), "Samples that the dataset does not have: added (unless said), or skipped."),
}
_REASON = text(10_000)
_STATUS = "The status of new labels; unless said what the file says, else PRELABELED."
NEW_IMPORT = component(
    "NewImport",
    closed(
        {
            "format": said(one_of(*sorted(registry.READ)), "`GET /formats/` lists them."),
            "asset": said(UUID, "An uploaded file of the caller's."),
        },
        _WISH
        | {
            "options": said(map_of(TEXT), "How the format is read; see `reading_options` of `GET /formats/`."),
            "label_status": said(nullable(SETTABLE), _STATUS),
            "dry_run": said(FLAG, "Say what would be, and change nothing."),
            "reason": said(nullable(_REASON), "Why; asked for by the dataset's setting `reasons_required`."),
        },
    ),
    example={
        "format": "coco-instances",
        "asset": "2f0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a13",
        "mode": "merge",
        "dry_run": True,
    },
)
IMPORT_FORM = component(
    "ImportForm",
    closed(
        {
            "format": one_of(*sorted(registry.READ)),
            "file": said({"type": "string", "format": "binary"}, "A file of the format, or a ZIP archive of them."),
        },
        _WISH
        | {
            "options": said(TEXT, "As JSON."),
            "label_status": said(TEXT, _STATUS),
            "dry_run": one_of("true", "false"),
            "reason": said(_REASON, "Why."),
        },
    ),
    example={"format": "coco-instances", "file": "{}", "dry_run": "true"},
)
JOB_FINDING = closed(
    {
        "number": WHOLE,
        "where": said(TEXT, "The place in the file."),
        "message": TEXT,
        "level": said(one_of("error", "note"), "Left out, or read without all that the file says of it."),
    }
)
COUNTS = closed({}, dict.fromkeys(NAMES, WHOLE))
JOB = component(
    "Job",
    closed(
        {
            "uuid": UUID,
            "kind": one_of("import", "undo", "release", "export"),
            "undoes": said(nullable(UUID), "The import that is taken back."),
            "dataset": said(TEXT, "Its full name."),
            "status": one_of(*ImportJob.Status.values),
            "dry_run": FLAG,
            "wish": said(record({}), "What was asked for."),
            "source": said(
                nullable(closed({"asset": UUID, "filename": TEXT, "sha256": HASH, "size_bytes": WHOLE})), "The file."
            ),
            "samples_done": WHOLE,
            "samples_total": said(nullable(WHOLE), "Null where it is not known before they are read."),
            "counts": said(COUNTS, "What was done, or in a dry run would be."),
            "errors_count": said(WHOLE, "What could not be imported."),
            "notes_count": said(WHOLE, "What was imported without all that the file says of it."),
            "findings": said(listed(JOB_FINDING), "The first of them; `after` and `limit` give the others."),
            "error": said(nullable(TEXT), "Why it failed."),
            "created_by": TEXT,
            "created_at": MOMENT,
            "updated_at": MOMENT,
            "ended_at": nullable(MOMENT),
        }
    ),
    example={
        "uuid": _ID,
        "kind": "import",
        "undoes": None,
        "dataset": "ana/cars",
        "status": "PENDING",
        "dry_run": False,
        "wish": {"format": "coco-instances", "mode": "keep"},
        "source": {
            "asset": "2f0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a13",
            "filename": "instances.json",
            "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "size_bytes": 1234,
        },
        "samples_done": 120,
        "samples_total": 1000,
        "counts": {"samples_added": 120, "annotations_added": 800},
        "errors_count": 1,
        "notes_count": 0,
        "findings": [
            {
                "number": 1,
                "where": "sample 3 (c.png)",
                "message": "is no sample of the dataset",
                "level": "error",
            }
        ],
        "error": None,
        "created_by": "ana",
        "created_at": "2026-11-20T09:30:00.123456+00:00",
        "updated_at": "2026-11-20T09:30:05.123456+00:00",
        "ended_at": None,
    },
    gives={"job": "$response.body#/uuid"},
)
UNDO_IMPORT = component(
    "UndoImport",
    closed(
        {},
        {
            "dry_run": said(FLAG, "Say what would be, and change nothing."),
            "on_conflict": said(
                one_of(*ON_CONFLICT),
                "What somebody changed since: nothing is done (unless said), it stays, or it goes.",
            ),
            "reason": said(
                nullable(_REASON),
                "Required to take back what others imported, for `force`, and where the dataset asks for one.",
            ),
        },
    ),
    example={"dry_run": True},
)
