"""Signatures on the wire."""

from __future__ import annotations

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    HASH,
    MOMENT,
    OFFSET,
    TEXT,
    WHOLE,
    closed,
    nullable,
    one_of,
    record,
    said,
    text,
)
from labeling.rules.signatures import OF_LABEL, OF_RELEASE

SIGNED = component(
    "ElectronicSignature",
    closed(
        {
            "meaning": said(one_of(*OF_RELEASE), "What who signed says of it."),
            "name": said(TEXT, "The printed name at that time; erased with the person's data."),
            "signed_by": said(TEXT, "The username of today."),
            "signed_at": MOMENT,
            "offset": OFFSET,
            "version": said(nullable(WHOLE), "Of the label; null for a release."),
            "content": said(HASH, "Of exactly what was signed; for a release its identity."),
            "state": said(one_of("valid", "superseded"), "Superseded: it was edited since."),
        }
    ),
    example={
        "meaning": "reviewed",
        "name": "Ana Example",
        "signed_by": "ana",
        "signed_at": "2026-11-20T09:30:00.123456+00:00",
        "offset": 45,
        "version": 7,
        "content": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "state": "valid",
    },
)
PASSWORD = said(text(4096, least=1), "The caller's own, once more.")
NEW_SIGNATURE = component(
    "NewElectronicSignature",
    record(
        {
            "meaning": one_of(*OF_LABEL),
            "version": said(WHOLE | {"minimum": 1}, "Of the label, as its ETag gives it."),
            "password": PASSWORD,
        }
    ),
    example={"meaning": "reviewed", "version": 7, "password": "correct horse battery staple"},
)
