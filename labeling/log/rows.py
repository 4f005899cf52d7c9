"""Projected rows on their way into the database with an append. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Rows:
    """Projected rows to write with an append: whole rows by table, and keys to delete by table."""

    put: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    out: dict[str, list[str]] = field(default_factory=dict)

    def add(self, other: Rows) -> Rows:
        for table, rows in other.put.items():
            self.put.setdefault(table, []).extend(rows)
        for table, keys in other.out.items():
            self.out.setdefault(table, []).extend(keys)
        return self

    def as_json(self) -> list[dict[str, Any]]:
        tables = list(dict.fromkeys([*self.put, *self.out]))
        return [
            {"t": table}
            | ({"out": self.out[table]} if self.out.get(table) else {})
            | ({"up": self.put[table]} if self.put.get(table) else {})
            for table in tables
        ]
