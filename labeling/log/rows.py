"""Projected rows on their way into the database with an append. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Lines:
    """New rows as COPY takes them: a line each, with these columns; what a row lacks is null.

    They are the first of their streams, of which the append expects that they have no events; so nothing has to be
    looked for, and one that is there breaks the table's key.
    """

    columns: tuple[str, ...]
    lines: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Rows:
    """Projected rows to write with an append: whole rows by table, and keys to delete by table.

    Rows of a bulk (`store.is_bulk`), of which there are thousands, may come written out.
    """

    put: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    out: dict[str, list[str]] = field(default_factory=dict)
    written: dict[str, Lines] = field(default_factory=dict)

    def count(self) -> int:
        """How many are put."""
        return sum(map(len, self.put.values())) + sum([len(found.lines) for found in self.written.values()])

    def add(self, other: Rows) -> Rows:
        for table, rows in other.put.items():
            self.put.setdefault(table, []).extend(rows)
        for table, keys in other.out.items():
            self.out.setdefault(table, []).extend(keys)
        for table, found in other.written.items():
            self.written.setdefault(table, Lines(found.columns)).lines.extend(found.lines)
        return self

    def as_json(self) -> list[dict[str, Any]]:
        """What log_append is told; of rows that are written out it is the table alone."""
        tables = list(dict.fromkeys([*self.put, *self.out, *self.written]))
        return [
            {"t": table}
            | ({"out": self.out[table]} if self.out.get(table) else {})
            | ({"up": self.put[table]} if self.put.get(table) else {})
            for table in tables
        ]


def json_cell(text: bytes) -> bytes:
    """JSON as COPY takes it. It has no tabs and no ends of lines: what COPY could take for its own is the backslash."""
    return text.replace(b"\\", b"\\\\") if b"\\" in text else text


def text_cell(text: str) -> str:
    """Text as COPY takes it."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\t" in text or "\n" in text or "\r" in text:
        text = text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return text
