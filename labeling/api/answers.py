"""JSON answers: encoded once, with the public address put into references to our own files."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse

from labeling.references import served, untagged


def answer(data: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """A JSON answer; uuids and times are written as strings."""
    return HttpResponse(
        encoded(data),
        status=status,
        headers=headers or {},
        content_type="application/json",
    )


def encoded(data: Any) -> bytes:
    """JSON as it is answered."""
    return served(untagged(orjson.dumps(data, default=_plain)), settings.PUBLIC_URL)


def streamed(pieces: Iterable[bytes], *, headers: dict[str, str] | None = None) -> StreamingHttpResponse:
    """A JSON answer in pieces of text, none of which ends within a string."""
    shown = (served(untagged(piece), settings.PUBLIC_URL) for piece in pieces)
    return StreamingHttpResponse(shown, headers=headers or {}, content_type="application/json")


def no_content(headers: dict[str, str] | None = None) -> HttpResponse:
    """204 without a body."""
    return HttpResponse(status=204, headers=headers or {})


def _plain(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(type(value).__name__)
