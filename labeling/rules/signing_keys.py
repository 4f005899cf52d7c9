"""The state of a signing key: its public half, and from when to when it is in use. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from labeling import events as e
from labeling.errors import AlreadyExists, NotFound, Refused
from labeling.log.event import Event, Fact
from labeling.log.rows import Rows
from labeling.rules.fold import NOW, Moment, Place, folded

TABLE = "labeling_signingkey"
NAMESPACE = uuid.UUID("52c1c1de-6f55-4d0c-9d6e-0f8a4d1c2e07")


def signing_key_stream(key: str) -> str:
    return f"signing-key/{key}"


@dataclass(slots=True)
class SigningKeyState:
    """One key; version 0 before SigningKeyAdded."""

    log: uuid.UUID
    stream: str
    version: int = 0
    public: str = ""
    added_offset: int = 0
    added_at: Moment = NOW
    retired_at: Moment | None = None
    last_offset: int = 0

    @property
    def key(self) -> str:
        return self.stream.removeprefix("signing-key/")


def add(state: SigningKeyState, *, public: str) -> list[Fact]:
    """Take a key into use; `public` is its public half in hex.

    Raises:
        AlreadyExists: it was taken into use before, and a key that was retired does not come back.
    """
    if state.version:
        raise AlreadyExists("Signing key", "public half")
    return [e.SigningKeyAdded(key=state.key, public=public)]


def retire(state: SigningKeyState) -> list[Fact]:
    """Sign nothing more with a key; what it signed stays valid.

    Raises:
        NotFound: there is no such key.
        Refused: it was retired before.
    """
    if not state.version:
        raise NotFound("The signing key")
    if state.retired_at is not None:
        raise Refused("This signing key was retired before.")
    return [e.SigningKeyRetired(key=state.key)]


def evolve(state: SigningKeyState, fact: Fact, place: Place) -> None:
    """Change `state` by one fact."""
    match fact:
        case e.SigningKeyAdded():
            state.public, state.added_at, state.added_offset = fact.public, place.at, place.offset
        case e.SigningKeyRetired():
            state.retired_at = place.at
        case _:
            raise TypeError(f"{type(fact).__name__} is no event of a signing key")
    state.version, state.last_offset = place.version, place.offset


def fold(state: SigningKeyState, events: list[Event]) -> SigningKeyState:
    """The state after `events`, on a copy."""
    return folded(replace(state), events, evolve)


def rows(state: SigningKeyState) -> Rows:
    """The key's row."""
    row = {
        "id": uuid.uuid5(NAMESPACE, state.key),
        "log": state.log,
        "last_offset": state.last_offset,
        "key": state.key,
        "public": state.public,
        "added_offset": state.added_offset,
        "added_at": state.added_at,
        "retired_at": state.retired_at,
    }
    return Rows(put={TABLE: [row]})
