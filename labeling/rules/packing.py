"""A label's whole state as one text, and back: exactly what the fold had. Pure."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import fields
from typing import Any

import orjson

from labeling.rules.label_state import LabelState

#: What is known from elsewhere, or is of no state.
LEFT_OUT = frozenset({"dataset", "stream", "complete", "settings"})
NAMES = tuple(item.name for item in fields(LabelState) if item.name not in LEFT_OUT)
PEOPLE = ("created_by", "updated_by", "reviewed_by")
TIMES = ("created_at", "updated_at", "reviewed_at")


def packed(state: LabelState) -> str:
    """The text of a complete state that was folded from stored events."""
    return orjson.dumps({name: getattr(state, name) for name in NAMES}).decode()


def unpacked(dataset: uuid.UUID, stream: str, text: str) -> LabelState:
    """The state of such a text."""
    found: dict[str, Any] = orjson.loads(text)
    for name in PEOPLE:
        found[name] = None if found[name] is None else uuid.UUID(found[name])
    for name in TIMES:
        found[name] = None if found[name] is None else dt.datetime.fromisoformat(found[name])
    return LabelState(dataset=dataset, stream=stream, **found)
