"""What differs between two states of a label, a sample or a dataset: typed changes, with both values. Pure.

A change is {what, id, change, before, after}: `what` names an object (`annotation:<uuid>`, `track:<uuid>`) or the whole
(`label`, `self`); `change` is added, removed or changed; `before` and `after` hold the fields that differ, all of them
where it was added or removed. A changed outline of an annotation has `geometry` beside them: the areas in pixels before
and after, and their intersection over union, by the one definition of rasterizing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from labeling.geometry.parts import Part, parts_of
from labeling.geometry.rasterize import mask_of
from labeling.rules.reversal import Pieces
from labeling.rules.telling import changes_of

JSON = dict[str, Any]

#: Outlines that together reach over more pixels than this are not drawn to be compared.
MOST_PIXELS = 16_000_000


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


def overlap(one: JSON, other: JSON) -> JSON | None:
    """{iou, area_before_px, area_after_px} of two outlines; None where one has none, or they reach too far."""
    outlines = parts_of(one), parts_of(other)
    rings = [np.asarray(ring, np.float64).reshape(-1, 2) for part in (*outlines[0], *outlines[1]) for ring in part]
    points = np.concatenate(rings) if rings else np.zeros((0, 2))
    if not outlines[0] or not outlines[1] or not len(points) or not np.isfinite(points).all():
        return None
    low = np.floor(points.min(axis=0))
    width, height = (int(side) for side in np.ceil(points.max(axis=0)) - low + 1)
    if width * height > MOST_PIXELS or max(width, height) > 65_535:
        return None
    before, after = (mask_of(_shifted(parts, low), height, width) for parts in outlines)
    both, either = int((before & after).sum()), int((before | after).sum())
    return {
        "iou": round(both / either, 6) if either else 1.0,
        "area_before_px": int(before.sum()),
        "area_after_px": int(after.sum()),
    }


def _shifted(parts: Iterable[Part], by: Any) -> list[Part]:
    return [[np.asarray(ring, np.float64).reshape(-1, 2) - by for ring in part] for part in parts]


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
