"""One side of a difference: a moment of a dataset as a release or a person reads it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any

from labeling.errors import InvalidValue
from labeling.log import store
from labeling.queries.places import At, as_offset
from labeling.rules.dataset_state import DatasetState
from labeling.rules.label_state import LabelState
from releases import queries
from releases.choice import EVERYTHING, Choice
from sequences.rules.track_state import TABLE

JSON = dict[str, Any]
Mapped = dict[int, int | None]


@dataclass(frozen=True, slots=True)
class Side:
    """An offset, what of the dataset is held there, and the one label set that is compared, if it is one."""

    offset: int
    choice: Choice = EVERYTHING
    label_set: str = ""  #: its id
    release: str = ""  #: the name of the release that it is

    @property
    def mapped(self) -> Mapped:
        """{category: the one that it is read as, None for those that are left out}, by the choice alone."""
        return self.choice.read_as({})

    def read(self, label: LabelState) -> LabelState:
        """The label with its categories as the choice reads them."""
        mapped = self.mapped
        if not mapped:
            return label
        held, tracks = (
            {
                key: _read_as(item, mapped)
                for key, item in items.items()
                if mapped.get(item["category_id"], 0) is not None
            }
            for items in (label.annotations, label.parts.get(TABLE, {}))
        )
        classes = [mapped.get(number, number) for number in label.classifications]
        return replace(
            label,
            annotations=held,
            parts={**label.parts, TABLE: tracks} if label.parts else label.parts,
            classifications=list(dict.fromkeys(number for number in classes if number is not None)),
        )

    def read_dataset(self, dataset: DatasetState) -> DatasetState:
        """The dataset with its categories as the choice reads them, and the label sets that it holds."""
        read = replace(dataset, label_sets={key: dataset.label_sets[key] for key in self.label_sets_in(dataset)})
        if self.choice.category_map:
            read.task_attributes = self.choice.task_attributes(dataset.task_attributes)
        return read

    def label_sets_in(self, dataset: DatasetState) -> list[str]:
        """The ids of the label sets whose labels it holds."""
        held = self.choice.holds_label_set
        return [key for key, item in dataset.label_sets.items() if not item.archived and held(item.name)]


def _read_as(item: JSON, mapped: Mapped) -> JSON:
    """An object under the category that it is read as; of a track also where a keyframe says another one."""
    found = item if item["category_id"] not in mapped else item | {"category_id": mapped[item["category_id"]]}
    entries = item.get("entries", {})
    if not any(entry.get("category_id") in mapped for entry in entries.values()):
        return found
    read = {}
    for frame, entry in entries.items():
        category = entry.get("category_id")
        if category in mapped:
            entry = {"absent": True} if mapped[category] is None else entry | {"category_id": mapped[category]}
        read[frame] = entry
    return found | {"entries": read}


def side_at(dataset: uuid.UUID, said: At, label_set: str = "") -> Side:
    """The side that a release's name, an offset, a time or an event's id means.

    Raises:
        InvalidValue: there is none of that name, or no such event.
    """
    if isinstance(said, str):
        release = queries.release_named(dataset, said)
        if release is not None:
            state = queries.state_of(release)
            return Side(state.at_offset, state.choice, label_set, release.name)
    return Side(as_offset(dataset, said, store.head(dataset)), label_set=label_set)


def label_set_named(dataset: DatasetState, name: str, where: str) -> str:
    """The id of the label set of that name.

    Raises:
        InvalidValue: there is none; `where` is the field that named it.
    """
    found = dataset.label_set(name)
    if found is None:
        known = sorted(item.name for item in dataset.label_sets.values() if not item.archived)
        raise InvalidValue(where, f"must be a label set of the dataset: {', '.join(known[:20])}")
    return found.id
