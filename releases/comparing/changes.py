"""The typed changes that lead from one state of a stream to another. Pure."""

from __future__ import annotations

from typing import Any

from labeling.rules.dataset_state import DatasetState
from labeling.rules.label_state import LabelState
from labeling.rules.reversal import piece_of
from labeling.rules.telling import changes_of
from releases.comparing.categories import categories
from releases.comparing.label_sets import label_sets, label_sets_of
from releases.comparing.overlaps import Read, of_pixels, overlap
from releases.comparing.tracks import Splits, keyframes, painted, relations

JSON = dict[str, Any]

#: Which kind of change a field is; any other is called as it is.
KINDS = {"category_id": "category", "id": "number", "track_id": "number"}


def compared(one: Any, other: Any, *, read: Read | None = None, splits: Splits | None = None) -> list[JSON]:
    """The changes that lead from one state to another of the same stream.

    `read` gives the bitmaps of a label, so that changed pixels are told object by object; `splits` are those of tracks
    that happened in between.
    """
    found = [_change(one, other, item) for item in changes_of(one, other)]
    if isinstance(other, DatasetState):
        return _with_label_sets(found, label_sets_of(one), label_sets_of(other))
    if not isinstance(other, LabelState):
        return found
    found.sort(key=_rank)
    related = relations(one, other, splits or {})
    for change in found:
        relation = related.get(change["what"].partition(":")[2])
        if relation:
            change |= relation
            change["kinds"] = ["split" if "split_from" in relation else "merge"]
    return _with_pixels(found, one, other, read) if read is not None else found


def _with_label_sets(found: list[JSON], before: JSON, after: JSON) -> list[JSON]:
    """The change of the dataset itself, with its label sets."""
    if before == after:
        return found
    change = found[0] if found else _same("self", None, None)
    change["before"] = change["before"] | {"label_sets": before}
    change["after"] = change["after"] | {"label_sets": after}
    change["kinds"] = sorted(change["after"])
    change["label_sets"] = label_sets(before, after)
    return [change]


def _rank(change: JSON) -> tuple[Any, ...]:
    """The label itself first, then its objects by their numbers."""
    return (":" in change["what"], change["id"] or 0, change["what"])


def _change(one: Any, other: Any, item: JSON) -> JSON:
    before, after = item["before"], item["after"]
    kind, _, key = item["what"].partition(":")
    change: JSON = {"what": item["what"], "id": item["id"], "category_id": None, "change": "changed", "kinds": []}
    change |= {"before": before, "after": after}
    if before is None or after is None:
        change["change"] = "added" if before is None else "removed"
        change["category_id"] = (after or before).get("category_id")
        return change
    if not key:
        if "exists" in after:
            change["change"] = "added" if after["exists"] else "removed"
        else:
            change["kinds"] = sorted(after)
        if "task_attributes" in after:
            change["categories"] = categories(before["task_attributes"], after["task_attributes"])
        return change
    change["category_id"] = (piece_of(other, kind, key) or {}).get("category_id")
    kinds = {KINDS.get(name, name) for name in {*before, *after} - {"entries", "lineage"}}
    if "entries" in after:
        change["keyframes"], of_entries = keyframes(before["entries"], after["entries"])
        kinds |= of_entries
    if "lineage" in {*before, *after}:
        kinds.add("merge")
    change["kinds"] = sorted(kinds)
    if "geometry" in after and "geometry" in before:
        measures = overlap(before["geometry"], after["geometry"])
        if measures is not None:
            change["geometry"] = measures
    return change


def _with_pixels(found: list[JSON], one: LabelState, other: LabelState, read: Read) -> list[JSON]:
    """The changes, and those of objects that only look otherwise because the bitmap that holds them does."""
    by_what = {change["what"]: change for change in found}
    for what, number, measures in _painted_annotations(one, other, read):
        change = by_what.setdefault(what, _same(what, number, piece_of(other, *what.split(":", 1))))
        change["geometry"] = measures
        change["kinds"] = sorted({*change["kinds"], "geometry"})
    if one.document != other.document and (one.document or {}).get("skeleton") is not None:
        for key, frames in painted(one, other, read).items():
            track = piece_of(other, "track", key) or {}
            change = by_what.setdefault(f"track:{key}", _same(f"track:{key}", track.get("track_id"), track))
            listed = change.setdefault("keyframes", {})
            told = {item["frame"] for item in listed.get("changed", ())}
            more = [item for item in frames if item["frame"] not in told]
            listed["changed"] = sorted([*listed.get("changed", ()), *more], key=lambda item: item["frame"])
            change["kinds"] = sorted({*change["kinds"], "geometry"})
    return sorted(by_what.values(), key=_rank)


def _same(what: str, number: int | None, item: JSON | None) -> JSON:
    """A change of an object none of whose own fields differ."""
    category = (item or {}).get("category_id")
    return {
        "what": what,
        "id": number,
        "category_id": category,
        "change": "changed",
        "kinds": [],
        "before": {},
        "after": {},
    }


def _painted_annotations(one: LabelState, other: LabelState, read: Read) -> list[tuple[str, int, JSON]]:
    had, has = one.mask, other.mask
    if not had or not has or not had.get("url") or not has.get("url") or had == has:
        return []
    changed = of_pixels(read(had), read(has))
    found = []
    for key, item in sorted(other.annotations.items()):
        before = one.annotations.get(key)
        if before is None or before["geometry"]["type"] != "mask" or item["geometry"]["type"] != "mask":
            continue
        if before["id"] == item["id"] and item["id"] in changed:
            found.append((f"annotation:{key}", item["id"], changed[item["id"]]))
    return found
