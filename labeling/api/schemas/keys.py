"""API keys."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import MOMENT, UUID, closed, nullable, one_of, record, said, text
from labeling.rules.access import ORIGINS, SCOPES

JSON = dict[str, Any]

_fields: JSON = {
    "uuid": UUID,
    "name": text(100),
    "scope": said(one_of(*SCOPES), "Each covers the ones before it."),
    "origin": said(one_of(*ORIGINS), "By which the log tells who acts."),
    "created_at": MOMENT,
    "last_used_at": said(nullable(MOMENT), "Right to the hour."),
    "revoked_at": nullable(MOMENT),
}
_example = {
    "uuid": "1e0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a12",
    "name": "training",
    "scope": "label",
    "origin": "model",
    "created_at": "2026-11-20T09:30:00.123456+00:00",
    "last_used_at": None,
    "revoked_at": None,
}
KEY = component("Key", closed(_fields, description="A key as it is known: the key itself is not."), example=_example)
MADE_KEY = component(
    "MadeKey",
    closed(_fields | {"key": said({"type": "string"}, "The key. It is shown this once and not stored.")}),
    example=_example | {"key": "pk_cQm0n3…"},
    gives={"key": "$response.body#/uuid"},
)
NEW_KEY = component(
    "NewKey",
    record(
        {},
        {
            "name": text(100),
            "scope": said(one_of(*SCOPES), "manage unless said."),
            "origin": said(one_of(*ORIGINS), "person unless said."),
        },
    ),
    example={"name": "training", "scope": "label", "origin": "model"},
)
