"""The state of a release, folded from the events of its stream, and who may end it. Pure."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, replace
from typing import Any

from labeling.errors import InvalidValue, NotFound
from labeling.log.event import Event, Fact
from labeling.log.rows import Rows
from labeling.rules.fold import NOW, Moment, Place, folded
from releases.choice import EVERYTHING, Choice
from releases.events import ReleaseCut, ReleaseSigned, ReleaseWithdrawn
from releases.terms import FIRST, NEWEST, Named, Terms

TABLE = "releases_release"
DESCRIPTION_LIMIT = 10_000

# A release's name stands in a path, and the SDK makes a folder of it; the SDK itself escapes nothing but spaces.
_name = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._()+,-]{0,126}[A-Za-z0-9._()+-])?")


def release_stream(release: uuid.UUID | str) -> str:
    return f"release/{release}"


@dataclass(slots=True)
class ReleaseState:
    """One release. `exists` is False before ReleaseCut and after ReleaseWithdrawn."""

    dataset: uuid.UUID
    stream: str
    version: int = 0
    exists: bool = False
    name: str = ""
    description: str = ""
    cut_offset: int = 0  #: where its ReleaseCut is in the log
    at_offset: int = 0  #: the offset that it froze: one that was asked for, else the newest one before it was cut
    choice: Choice = EVERYTHING
    terms: Terms = FIRST
    created_by: uuid.UUID | None = None
    created_at: Moment = NOW
    last_offset: int = 0

    @property
    def id(self) -> uuid.UUID:
        return uuid.UUID(self.stream.removeprefix("release/"))


def checked_name(value: Any) -> str:
    """The name of a release.

    Raises:
        InvalidValue: it could not stand in a path.
    """
    if not isinstance(value, str) or not _name.fullmatch(value):
        raise InvalidValue(
            "name", "must be 1 to 128 letters, digits, spaces or . _ ( ) + , - and begin with a letter or digit"
        )
    return value


def checked_description(value: Any) -> str:
    """The description of a release; null is none.

    Raises:
        InvalidValue: it is no text, or too long.
    """
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > DESCRIPTION_LIMIT:
        raise InvalidValue("description", f"must be a string of at most {DESCRIPTION_LIMIT} characters")
    return value


def cut(
    state: ReleaseState,
    *,
    name: str,
    description: str,
    offset: int | None = None,
    choice: Choice = EVERYTHING,
    terms: Terms = NEWEST,
) -> list[Fact]:
    """Freeze the dataset at an offset, or for None as it is; that the name is free the table sees, under the lock."""
    return [
        ReleaseCut(
            release=str(state.id),
            name=name,
            description=description,
            offset=offset,
            filter=choice.filter,
            category_map=choice.category_map,
            splits=choice.splits,
            manifest=terms.manifest,
            images=terms.images,
            base=None if terms.base is None else terms.base.as_json(),
            supersedes=None if terms.supersedes is None else terms.supersedes.as_json(),
        )
    ]


def withdraw(state: ReleaseState) -> list[Fact]:
    """Take a release back.

    Raises:
        NotFound: it was taken back before, or never cut.
    """
    if not state.exists:
        raise NotFound("The release")
    return [ReleaseWithdrawn()]


def evolve(state: ReleaseState, fact: Fact, place: Place) -> None:
    """Change `state` by one fact."""
    match fact:
        case ReleaseCut():
            state.exists, state.name, state.description = True, fact.name, fact.description
            state.cut_offset, state.created_by, state.created_at = place.offset, place.author, place.at
            state.at_offset = place.offset - 1 if fact.offset is None else fact.offset
            state.choice = Choice(fact.filter, fact.category_map, fact.splits)
            state.terms = Terms(fact.manifest, fact.images, Named.of(fact.base), Named.of(fact.supersedes))
        case ReleaseWithdrawn():
            state.exists = False
        case ReleaseSigned():
            pass  # signatures are read from the log
        case _:
            raise TypeError(f"{type(fact).__name__} is no event of a release")
    state.version, state.last_offset = place.version, place.offset


def fold(state: ReleaseState, events: list[Event]) -> ReleaseState:
    """The state after `events`, on a copy."""
    return folded(replace(state), events, evolve)


def rows(state: ReleaseState) -> Rows:
    """The release's row."""
    row = {
        "id": state.id,
        "dataset_id": state.dataset,
        "last_offset": state.last_offset,
        "version": state.version,
        "name": state.name,
        "description": state.description,
        "cut_offset": state.cut_offset,
        "frozen_offset": state.at_offset,
        "choice": state.choice.as_json(),
        "terms": state.terms.as_json(),
        "withdrawn": not state.exists,
        "created_by": state.created_by,
        "created_at": state.created_at,
    }
    return Rows(put={TABLE: [row]})
