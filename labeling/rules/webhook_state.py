"""The state of a webhook: whom what is told, and whether it is."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from labeling import events as e
from labeling.log.event import INSTALLATION, Event, Fact
from labeling.log.rows import Rows
from labeling.rules.fold import NOW, Moment, Place, folded

JSON = dict[str, Any]

FIELDS = ("address", "types", "label_sets", "name")


def webhook_stream(webhook: uuid.UUID | str) -> str:
    return f"webhook/{webhook}"


@dataclass(slots=True)
class WebhookState:
    """One webhook. `address` is as stored, encrypted; `generation` counts the changes of its secret."""

    log: uuid.UUID
    stream: str
    version: int = 0
    exists: bool = False
    owner: str | None = None
    address: str = ""
    types: list[str] = field(default_factory=list)
    label_sets: list[str] = field(default_factory=list)
    name: str = ""
    paused: bool = False
    generation: int = 0
    secret_at: Moment = NOW
    created_offset: int = 0
    created_by: uuid.UUID | None = None
    created_at: Moment = NOW
    updated_at: Moment = NOW
    last_offset: int = 0

    @property
    def id(self) -> uuid.UUID:
        return uuid.UUID(self.stream.removeprefix("webhook/"))

    @property
    def dataset(self) -> uuid.UUID | None:
        return None if self.log == INSTALLATION else self.log


def evolve(state: WebhookState, fact: Fact, place: Place) -> None:
    """Change `state` by one fact."""
    match fact:
        case e.WebhookAdded():
            for name in (*FIELDS, "owner"):
                setattr(state, name, getattr(fact, name))
            state.exists, state.created_by, state.created_at = True, place.author, place.at
            state.created_offset, state.secret_at = place.offset, place.at
        case e.WebhookChanged():
            for name, value in fact.changes.items():
                if name not in FIELDS:
                    raise KeyError(name)
                setattr(state, name, value)
        case e.WebhookPaused():
            state.paused = True
        case e.WebhookResumed():
            state.paused = False
        case e.WebhookSecretChanged():
            state.generation, state.secret_at = state.generation + 1, place.at
        case e.WebhookRedelivered():
            pass  # how far it is told is not in the log
        case e.WebhookRemoved():
            state.exists = False
        case _:
            raise TypeError(f"{type(fact).__name__} is no event of a webhook")
    state.version, state.updated_at, state.last_offset = place.version, place.at, place.offset


def fold(state: WebhookState, events: list[Event]) -> WebhookState:
    """The state after `events`, on a copy."""
    return folded(replace(state), events, evolve)


def rows(state: WebhookState) -> Rows:
    """The row of a webhook."""
    row = {
        "id": state.id,
        "log": state.log,
        "last_offset": state.last_offset,
        "version": state.version,
        "owner_id": state.owner,
        "address": state.address,
        "types": state.types,
        "label_sets": state.label_sets,
        "name": state.name,
        "paused": state.paused,
        "removed": not state.exists,
        "generation": state.generation,
        "secret_at": state.secret_at,
        "created_offset": state.created_offset,
        "created_by": state.created_by,
        "created_at": state.created_at,
        "updated_at": state.updated_at,
    }
    return Rows(put={"labeling_webhook": [row]})
