"""Projected rows on their way into the database with an append. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class CopyRows:
    """New rows as COPY takes them, with these columns; what a row lacks is null. They are lines of text, or rows of its
    binary format (`labeling.log.copy_format`).

    They are the first of their streams, of which the append expects that they have no events; so nothing has to be
    looked for, and one that is there breaks the table's key.

    Where `last` is given they have offsets, and not places in the append: those that they get if it ends at that one.
    Then they are put where they belong before the log is locked, and the append is stale if it ends elsewhere.
    """

    columns: tuple[str, ...]
    rows: list[bytes] = field(default_factory=list)
    last: int | None = None
    binary: bool = False


@dataclass(slots=True)
class Rows:
    """Projected rows to write with an append: whole rows by table, and keys to delete by table.

    Rows of a bulk (`store.is_bulk`), of which there are thousands, may come written out.
    """

    put: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    out: dict[str, list[str]] = field(default_factory=dict)
    written: dict[str, CopyRows] = field(default_factory=dict)

    def count(self) -> int:
        """How many are put."""
        return sum(map(len, self.put.values())) + sum([len(found.rows) for found in self.written.values()])

    def add(self, other: Rows) -> Rows:
        for table, rows in other.put.items():
            self.put.setdefault(table, []).extend(rows)
        for table, keys in other.out.items():
            self.out.setdefault(table, []).extend(keys)
        for table, found in other.written.items():
            self.written.setdefault(table, replace(found, rows=[])).rows.extend(found.rows)
        return self

    def placed(self) -> dict[str, CopyRows]:
        """Those written out that are put where they belong before the log is locked."""
        return {table: found for table, found in self.written.items() if found.last is not None}

    def waiting(self) -> dict[str, CopyRows]:
        """The others of those written out."""
        return {table: found for table, found in self.written.items() if found.last is None}

    def as_json(self) -> list[dict[str, Any]]:
        """What log_append is told; of rows that are written out it is the table alone."""
        tables = list(dict.fromkeys([*self.put, *self.out, *self.waiting()]))
        return [
            {"t": table}
            | ({"out": self.out[table]} if self.out.get(table) else {})
            | ({"up": self.put[table]} if self.put.get(table) else {})
            for table in tables
        ]
