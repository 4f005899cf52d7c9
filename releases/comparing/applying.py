"""Applying a difference: what shows that it leaves nothing out. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from labeling.rules.dataset_state import STREAM, DatasetState
from labeling.rules.label_state import LabelState
from labeling.rules.reversal import Pieces, pieces_of
from labeling.rules.sample_state import SampleState
from labeling.rules.telling.changes import FIELDS
from releases.comparing.label_sets import label_sets_of

JSON = dict[str, Any]
State = DatasetState | SampleState | LabelState


@dataclass(frozen=True, slots=True)
class Content:
    """All of a label, a sample or the dataset itself that differences tell: its fields, and a label's objects."""

    fields: JSON
    pieces: Pieces

    @property
    def exists(self) -> bool:
        return bool(self.fields.get("exists", True))


def content_of(state: State) -> Content:
    """What there is to tell of a state."""
    fields: JSON = {name: getattr(state, name) for name in FIELDS[type(state).__name__]}
    if isinstance(state, DatasetState):
        fields["label_sets"] = label_sets_of(state)
    return Content(fields, pieces_of(state) if isinstance(state, LabelState) else {})


def empty(dataset: uuid.UUID, stream: str) -> State:
    """What a stream folds to that holds nothing."""
    if stream == STREAM:
        return DatasetState(id=dataset)
    return LabelState(dataset, stream) if stream.startswith("label/") else SampleState(dataset, stream)


def content_after(content: Content, changes: Iterable[JSON]) -> Content:
    """The content after the changes of its entry."""
    changes = list(changes)
    return Content(fields_applied(content.fields, changes), applied(content.pieces, changes))


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
        piece.update({name: value for name, value in change["after"].items() if name != "uuid"})  # that is its key
    return found


def fields_applied(fields: JSON, changes: Iterable[JSON]) -> JSON:
    """The fields of a label, a sample or the dataset itself after the changes."""
    found = dict(fields)
    for change in changes:
        if ":" not in change["what"]:
            found.update(change["after"])
    return found
