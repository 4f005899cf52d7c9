"""Cells of tables that people open in a spreadsheet."""

from __future__ import annotations

from typing import Any

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def cell(value: Any) -> Any:
    """The value; a text that a spreadsheet would take for a formula gets an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value
