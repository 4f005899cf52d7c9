"""What apps above keep of a label piece by piece: a row each in a table of theirs, and the facts that change them.

A piece is a dict in `LabelState.parts[table]`, by its uuid; like an annotation it is never changed in place. Its row
has the columns key, uuid, label_id, dataset_id, last_offset, version and data, a column with the number by which people
call it, and any others. Pure.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labeling.log.event import Fact

JSON = dict[str, Any]

#: What a fact did to a piece.
ADDED, CHANGED, REMOVED = range(3)


@dataclass(frozen=True, slots=True)
class Parts:
    """One kind of pieces. `columns` are those of a row, beside `data`, that are read back into the piece."""

    name: str  #: what one is called, in the names of what is touched
    table: str
    number: str  #: the column with the number that people see
    columns: tuple[str, ...]
    row: Callable[[Any, uuid.UUID, JSON], JSON]
    handlers: Mapping[type[Fact], Callable[[Any, Any, Any], None]]
    touched: Callable[[Any, Any], set[str]]
    referring: tuple[str, ...]  #: fields of edits that name a piece
    done: Callable[[Any, Any], bool]  #: (fact, state): somebody did the very same in the meantime
    #: (piece's uuid, ADDED, CHANGED or REMOVED, its category, whether the fact names that) of what a fact touches
    deeds: Callable[[Any], list[tuple[str, int, int | None, bool]]]
    # What it takes to put a piece back to what it was (labeling.rules.reversal):
    restored: Callable[[str, JSON | None, JSON | None], list[Fact]]  #: (uuid, now, then): facts from one to the other
    settled: Callable[[JSON], JSON | None]  #: a piece put together of two people's work, in order; None: it is none
    mapped: tuple[str, ...] = ()  #: fields that hold parts by key, of which two people may change different ones
    unique: tuple[str, ...] = ()  #: fields that no two pieces of a label have in common
    #: Facts by which what came before means something else (the numbers of frames): nothing is put back across them.
    barriers: tuple[type[Fact], ...] = ()
    of_all: frozenset[str] = frozenset()  #: edits that speak of all pieces where they name none
    stands: Callable[[Any], bool] = lambda document: True  #: whether pieces fit to such a `LabelState.document`


_plugged: dict[str, Parts] = {}


def register(parts: Parts) -> None:
    """Plug in a kind of pieces, in the place of an earlier one in the same table."""
    _plugged[parts.table] = parts


def plugged() -> list[Parts]:
    return list(_plugged.values())


def of_table(table: str) -> Parts:
    return _plugged[table]


def referring() -> list[str]:
    return [field for parts in _plugged.values() for field in parts.referring]


def speaks_of_all(edit: JSON) -> bool:
    """Whether an edit, whatever it holds, speaks of all pieces of a kind."""
    name = edit.get("op")
    return isinstance(name, str) and any(
        name in parts.of_all and not any(field in edit for field in parts.referring) for parts in _plugged.values()
    )


def is_barrier(fact: Fact) -> bool:
    """Whether nothing from before this fact can be put back behind it."""
    return any(isinstance(fact, kind.barriers) for kind in _plugged.values())


def of_fact(fact: type[Fact]) -> Parts | None:
    """The parts that a fact changes; None for labeling's own facts and for unknown ones."""
    return next((parts for parts in _plugged.values() if fact in parts.handlers), None)
