"""What a list of edits speaks of, read before any of it is checked: so the command loads no more than it needs."""

from __future__ import annotations

import uuid
from typing import Any

from labeling.rules import parts

JSON = dict[str, Any]

#: The status that each verb leads to; `override` and `upload` name theirs.
VERBS = {
    "submit": "LABELED",
    "save": "LABELING_IN_PROGRESS",
    "skip": "SKIPPED",
    "accept": "REVIEWED",
    "reject": "REJECTED",
    "verify": "VERIFIED",
    "override": None,
}
#: Edits of one object that depend on the others: links to it, the order, who has which pixels.
NEED_ALL = frozenset(
    "remove patch_bitmap set_order rasterize polygonize fit_to_image paint_bitmap erase_bitmap fill_bitmap".split()
)


def references(edits: Any) -> tuple[list[str], list[int], bool]:
    """(uuids, ids, whether all annotations are needed) that a list of edits speaks of; whatever it holds."""
    uuids: set[str] = set()
    ids: set[int] = set()
    everything = False
    for edit in edits if isinstance(edits, list) else []:
        if not isinstance(edit, dict):
            continue
        if (isinstance(edit.get("op"), str) and edit["op"] in NEED_ALL) or edit.get("or_remove"):
            everything = True
        everything = everything or parts.speaks_of_all(edit)
        for key in ("annotation", "to", "id", "uuid", *parts.referring()):
            value = edit.get(key)
            if type(value) is int:
                ids.add(value)
            elif isinstance(value, str):
                found = uuid_of(value)
                if found:
                    uuids.add(found)
        for item in edit["set"] if isinstance(edit.get("set"), list) else []:
            if isinstance(item, dict) and type(item.get("id")) is int:
                ids.add(item["id"])
    return sorted(uuids), sorted(number for number in ids if abs(number) < 1 << 53), everything


def given_uuids(edits: Any) -> set[str]:
    """The uuids that a list of edits, whatever it holds, wants to give to new annotations."""
    said = (edit.get("uuid") for edit in (edits if isinstance(edits, list) else []) if isinstance(edit, dict))
    return {found for text in said if isinstance(text, str) and (found := uuid_of(text))}


def verbs(edits: Any) -> set[str]:
    """The verbs by which a list of edits would change the label's status; whatever it holds."""
    said = (edit.get("verb") for edit in (edits if isinstance(edits, list) else []) if isinstance(edit, dict))
    return {verb for verb in said if isinstance(verb, str) and verb in VERBS}


def uuid_of(text: str) -> str | None:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None
