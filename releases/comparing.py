"""What differs between two states of a label, a sample or a dataset: typed changes, with both values. Pure.

A change is {what, id, change, before, after}: `what` names an object (`annotation:<uuid>`, `track:<uuid>`) or the whole
(`label`, `self`); `change` is added, removed or changed; `before` and `after` hold the fields that differ, all of them
where it was added or removed. A changed outline of an annotation has `geometry` beside them: the areas in pixels before
and after, and their intersection over union, by the one definition of rasterizing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labeling.geometry.overlap import overlap
from labeling.rules.reversal import Pieces
from labeling.rules.telling import changes_of

JSON = dict[str, Any]


def compared(one: Any, other: Any) -> list[JSON]:
    """The changes that lead from one state to another of the same stream."""
    found = []
    for change in changes_of(one, other):
        before, after = change["before"], change["after"]
        kind = "added" if before is None else "removed" if after is None else "changed"
        change = {"what": change["what"], "id": change["id"], "change": kind, "before": before, "after": after}
        if kind == "changed" and change["what"].startswith("annotation:") and "geometry" in after:
            measures = overlap(before["geometry"], after["geometry"])
            if measures is not None:
                change["geometry"] = measures
        found.append(change)
    return found


def applied(pieces: Pieces, changes: Iterable[JSON]) -> Pieces:
    """The objects of a label after the changes: what shows that a difference leaves nothing out."""
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
