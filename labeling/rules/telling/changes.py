"""What an event changed, field by field: both values of each."""

from __future__ import annotations

from typing import Any

from labeling.log import values
from labeling.rules.label_state import LabelState
from labeling.rules.reversal import STAMPS, changed_pieces, piece_of

JSON = dict[str, Any]


def changes_of(before: Any, after: Any) -> list[JSON]:
    """What an event changed: of each object, and of the label, sample or dataset itself, the fields with both values.

    `before` is null for an object that was not there, and `after` for one that is gone.
    """
    found: list[JSON] = []
    if isinstance(before, LabelState):
        for kind, key in sorted(changed_pieces(before, after)):
            had, has = piece_of(before, kind, key), piece_of(after, kind, key)
            one, two = _fields(had, has), _fields(has, had)
            if one or two:
                item = has or had or {}
                found.append({"what": f"{kind}:{key}", "id": item.get("id", item.get("track_id")),
                              "before": one, "after": two})  # fmt: skip
    own = {}
    for name in _plain_fields(after):
        had, has = getattr(before, name), getattr(after, name)
        if had is not has and not values.same(had, has):
            own[name] = (had, has)
    if own:
        found.append(
            {
                "what": "label" if isinstance(after, LabelState) else "self",
                "id": None,
                "before": {name: pair[0] for name, pair in own.items()},
                "after": {name: pair[1] for name, pair in own.items()},
            }
        )
    return found


#: The fields of a state that people mean when they say what it is.
FIELDS = {
    "LabelState": (
        "exists", "status", "score", "scene", "classifications", "default_classification", "mask", "document",
    ),
    "SampleState": (
        "exists", "name", "attributes", "metadata", "priority", "readme", "assigned_labeler", "assigned_reviewer",
    ),
    "DatasetState": (
        "name", "description", "category", "readme", "metadata", "public", "archived", "task_type", "settings",
        "task_attributes",
    ),
}  # fmt: skip


def _plain_fields(state: Any) -> tuple[str, ...]:
    return FIELDS.get(type(state).__name__, ())


def _fields(item: JSON | None, other: JSON | None) -> JSON | None:
    """The fields of an object that the other state has not, or has otherwise."""
    if item is None:
        return None
    return {
        name: value
        for name, value in item.items()
        if name not in STAMPS and (other is None or name not in other or not values.same(value, other[name]))
    }
