"""Uploaded files."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    HASH,
    MOMENT,
    TEXT,
    UUID,
    WHOLE,
    closed,
    matching,
    nullable,
    record,
    said,
    text,
)
from labeling.api.schemas.parameters import answer_header, header

JSON = dict[str, Any]

#: What the SDK posts a file with; the names are S3's, and where files are posted to us only the policy means something.
FORM_FIELDS = (
    "acl", "Content-Type", "key", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "policy", "x-amz-signature",
)  # fmt: skip
_fields: JSON = {
    "uuid": UUID,
    "filename": said(TEXT, "As it is in the url: what cannot stand there is replaced."),
    "url": said(TEXT | {"format": "uri"}, "Readable without a key; it cannot be guessed."),
    "created_at": MOMENT,
}
_example = {
    "uuid": "2f0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a13",
    "filename": "a.jpg",
    "url": "http://127.0.0.1:8000/media/Jn0yZ3Y1tq4d8wXo0mC2aB5eF7hK9pLs/a.jpg",
    "created_at": "2026-11-20T09:30:00.123456+00:00",
}
NEW_FILE = component("NewFile", record({}, {"filename": text(255, least=1)}), example={"filename": "a.jpg"})
PLANNED_FILE = component(
    "PlannedFile",
    closed(
        _fields
        | {
            "presignedPostFields": closed(
                {
                    "url": said(TEXT | {"format": "uri"}, "Where the form is posted."),
                    "fields": said(
                        record(dict.fromkeys(FORM_FIELDS, TEXT), additionalProperties=TEXT),
                        "The form's fields; the file comes last, as `file`.",
                    ),
                }
            )
        }
    ),
    example=_example
    | {
        "presignedPostFields": {
            "url": "http://127.0.0.1:8000/assets/upload/",
            "fields": dict.fromkeys(FORM_FIELDS, "…"),
        }
    },
    gives={"asset": "$response.body#/uuid"},
)
COMPLETION = component("Completion", record({}, {"sha256": nullable(HASH)}), example={"sha256": "0" * 64})
STORED_FILE = component(
    "StoredFile",
    closed(_fields | {"content_type": TEXT, "size_bytes": WHOLE | {"minimum": 0}, "sha256": HASH}),
    example=_example | {"content_type": "image/jpeg", "size_bytes": 48_213, "sha256": "0" * 64},
)
FORM = component(
    "UploadForm",
    record(
        {"policy": TEXT, "file": {"type": "string", "format": "binary"}},
        {name: TEXT for name in FORM_FIELDS if name != "policy"},
        description="`presignedPostFields.fields`, and then the file, at most 100 MB.",
    ),
    example=dict.fromkeys(FORM_FIELDS, "…") | {"file": "…"},
)

# --- files as they are served --------------------------------------------------------------------------------------

BYTES: JSON = {"type": "string", "format": "binary"}
_ETAG = matching('^"[0-9a-f]{64}"$', "The SHA-256 of the bytes.")
RANGE = header("Range", "One range of bytes; what is none is passed over.", TEXT, "bytes=0-1023")
IF_NONE_MATCH = header("If-None-Match", "The ETag of what one has.", TEXT, f'"{"0" * 64}"')
SERVED = (
    answer_header("ETag", "The SHA-256 of the bytes.", _ETAG | {"examples": [f'"{"0" * 64}"']}),
    answer_header("Cache-Control", "It may be kept for ever.", TEXT | {"examples": ["public, max-age=31536000"]}),
    answer_header("Accept-Ranges", "Ranges of bytes are served.", {"const": "bytes", "examples": ["bytes"]}),
)
CONTENT_RANGE = answer_header(
    "Content-Range", "Which bytes these are, or how many there are.", TEXT | {"examples": ["bytes 0-1023/48213"]}
)
