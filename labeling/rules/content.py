"""What a label says, apart from who wrote it and how far it is; and the hash that a signature is bound to. Pure."""

from __future__ import annotations

from typing import Any

from labeling.log import values
from labeling.rules.label_state import LabelState
from labeling.rules.reversal import STAMPS

JSON = dict[str, Any]
FIELDS = ("exists", "score", "scene", "classifications", "default_classification", "document")


def content_hash(state: LabelState) -> str:
    """SHA-256 in hex over the canonical JSON of a complete state, with the dataset, sample and label set that it is of.

    So the same boxes on another sample have another hash. The status is left out: a review changes it, and not what
    was reviewed.
    """
    mask = state.mask or {}
    said: JSON = {name: getattr(state, name) for name in FIELDS} | {
        "dataset": str(state.dataset),
        "stream": state.stream,
        "mask": mask.get("hash") or mask.get("url"),
        "annotations": {key: _plain(item) for key, item in state.annotations.items()},
        "parts": {
            table: {key: _plain(item) for key, item in items.items()} for table, items in state.parts.items() if items
        },
    }
    return values.digest(said).hex()


def _plain(item: Any) -> JSON:
    return {name: value for name, value in item.items() if name not in STAMPS}
