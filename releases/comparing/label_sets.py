"""What differs between the label sets of two states of a dataset, each once, however many labels are in it. Pure."""

from __future__ import annotations

from typing import Any

from labeling.rules.dataset_state import DatasetState

JSON = dict[str, Any]


def label_sets_of(state: DatasetState) -> JSON:
    """{id: what is said of it} of the label sets that are not archived; nobody reads the labels of the others."""
    return {
        item.id: {name: getattr(item, name) for name in ("name", "description", "kind", "base")}
        for item in state.label_sets.values()
        if not item.archived
    }


def label_sets(before: JSON, after: JSON) -> list[JSON]:
    """[{id, name, change}]: added or removed, for nothing else is ever done to one."""
    gone = [(key, before[key], "removed") for key in before if key not in after]
    come = [(key, after[key], "added") for key in after if key not in before]
    return [{"id": key, "name": item["name"], "change": change} for key, item, change in gone + come]
