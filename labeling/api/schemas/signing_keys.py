"""Keys that the installation signs with, and their signatures."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import MOMENT, TEXT, closed, matching, nullable, said

JSON = dict[str, Any]

KEY_ID = matching("^[0-9a-f]{32}$", "The id of a signing key: it follows from its public half.")
BASE64: JSON = matching("^[A-Za-z0-9+/]*={0,2}$", "Base64.")
SIGNING_KEY = component(
    "SigningKey",
    closed(
        {
            "key": KEY_ID,
            "algorithm": {"const": "Ed25519"},
            "public_key": BASE64,
            "added_at": MOMENT,
            "retired_at": said(nullable(MOMENT), "What it signed before stays valid."),
        },
        description="A key that the installation signs with.",
    ),
    example={
        "key": "9b1c0d0a4f7e2c1b8a6d5e4f3c2b1a09",
        "algorithm": "Ed25519",
        "public_key": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        "added_at": "2026-11-20T09:30:00.123456+00:00",
        "retired_at": None,
    },
)
SIGNATURE = component(
    "Signature",
    closed(
        {
            "signature": {"const": 1},
            "algorithm": {"const": "Ed25519"},
            "purpose": said(TEXT, "What kind of thing is signed; part of what the signature is over."),
            "key": KEY_ID,
            "public_key": BASE64,
            "value": BASE64,
        },
        description="A signature over `palimpsest <purpose>`, a line feed, and the bytes of the thing.",
    ),
    example={
        "signature": 1,
        "algorithm": "Ed25519",
        "purpose": "release",
        "key": "9b1c0d0a4f7e2c1b8a6d5e4f3c2b1a09",
        "public_key": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        "value": "5VZDAMNgrHKQhuLMgG6CioSHfx64UfCiNBzOYtYkOSSYbtVGsjZHEFW5CzLUZ4qJVPxQ7oQ27BMdSn4ncvIbAA==",
    },
)
