"""Applying a difference: what shows that it leaves nothing out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labeling.rules.reversal import Pieces

JSON = dict[str, Any]


def applied(pieces: Pieces, changes: Iterable[JSON]) -> Pieces:
    """The objects of a label after the changes."""
    found = {key: dict(item) for key, item in pieces.items()}
    for change in changes:
        kind, _, key = change["what"].partition(":")
        if not key:
            continue
        if change["change"] == "removed":
            del found[kind, key]
            continue
        piece = found.setdefault((kind, key), {})
        for name in (change["before"] or {}).keys() - change["after"].keys():
            piece.pop(name, None)
        piece.update(change["after"])
    return found


def fields_applied(fields: JSON, changes: Iterable[JSON]) -> JSON:
    """The fields of a label, a sample or the dataset itself after the changes."""
    found = dict(fields)
    for change in changes:
        if ":" not in change["what"]:
            found.update(change["after"])
    return found
