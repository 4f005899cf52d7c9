"""What differs between two documents of categories: each of them once, however many objects are of it. Pure."""

from __future__ import annotations

from typing import Any

from labeling.log import values

JSON = dict[str, Any]

#: Which word a changed field of a category has.
WORDS = {"name": "renamed", "color": "recoloured", "merged_into": "merged", "deprecated": "deprecated"}


def categories(before: JSON, after: JSON) -> list[JSON]:
    """[{id, change, before, after}]: change is added, removed, renamed, recoloured, merged, deprecated or changed;
    before and after are names, colours …, or for the last of them the fields that differ."""
    had, has = _by_id(before), _by_id(after)
    found: list[JSON] = []
    for number in [*had, *(key for key in has if key not in had)]:
        one, other = had.get(number), has.get(number)
        if one is None or other is None:
            change = "added" if one is None else "removed"
            found.append({"id": number, "change": change, "before": _name(one), "after": _name(other)})
            continue
        differ = sorted(
            name
            for name in {*one, *other}
            if not values.same(one.get(name), other.get(name)) or (name in one) != (name in other)
        )
        for name in differ:
            if name in WORDS:
                found.append({"id": number, "change": WORDS[name], "before": one.get(name), "after": other.get(name)})
        rest = [name for name in differ if name not in WORDS]
        if rest:
            sides = ({name: side[name] for name in rest if name in side} for side in (one, other))
            found.append({"id": number, "change": "changed", **dict(zip(("before", "after"), sides, strict=True))})
    return found


def _by_id(document: JSON) -> dict[int, JSON]:
    listed = document.get("categories") or []
    return {item["id"]: item for item in listed if isinstance(item, dict) and type(item.get("id")) is int}


def _name(item: JSON | None) -> str | None:
    return None if item is None else str(item.get("name", item["id"]))
