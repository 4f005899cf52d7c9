"""Places in a dataset's log as people name them: an offset, a time, an event, or a name that an app above knows."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable

from labeling.errors import InvalidValue
from labeling.log import store

At = int | dt.datetime | uuid.UUID | str
#: (dataset, name) → the offset that the name stands for, or None.
Named = Callable[[uuid.UUID, str], int | None]

_named: list[Named] = []


def register(named: Named) -> None:
    """Plug in names for offsets, once."""
    if named not in _named:
        _named.append(named)


def as_offset(dataset: uuid.UUID, at: At, head: int) -> int:
    """The offset that `at` means, never past the head: of a time the last one recorded by then, of an event its own.

    Raises:
        InvalidValue: there is no such event, or no such name.
    """
    if isinstance(at, int):
        return min(at, head)
    if isinstance(at, dt.datetime):
        return store.offset_at(dataset, at)
    if isinstance(at, uuid.UUID):
        found = store.offset_of_event(dataset, at)
    else:
        found = next((offset for named in _named if (offset := named(dataset, at)) is not None), None)
    if found is None:
        raise InvalidValue(
            "at",
            "must be an offset of the dataset, a time in ISO 8601, the id of an event, or another name that is known",
        )
    return min(found, head)
