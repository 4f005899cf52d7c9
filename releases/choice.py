"""What of a dataset a release holds, and as what: a filter of samples, a category map, and splits. Pure.

All of it is JSON that stands in the event that cut the release, with every default left out:

    filter        {status: [words], label_sets: [names], samples: [names, `*` and `?` stand for others],
                  metadata: {key: value}, categories: [ids]}; a sample is held where each of them that is there fits.
                  Status and categories are those of its ground truth; UNLABELED is what has no label.
    category_map  {merge: {id: id}, rename: {id: name}, drop: [ids]}: annotations of a merged category are read as of
                  the other, those of a dropped one are left out. Merging comes first. A bitmap keeps its pixels.
    splits        {metadata: key} reads a sample's split there; {seed: text, shares: {name: whole number}} draws it by a
                  hash of seed and sample, so that it stays where it is however the dataset grows.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labeling.errors import InvalidValue
from labeling.log import values
from labeling.rules.dataset_state import GROUND_TRUTH, DatasetState
from labeling.rules.label_state import STATUSES, LabelState
from labeling.rules.sample_state import SampleState
from labeling.rules.task_attributes import merged as merged_categories

JSON = dict[str, Any]

MOST_NAMES = 100_000
MOST_SPLITS = 20
_split = re.compile(r"[A-Za-z0-9_-]{1,32}")


@dataclass(frozen=True, slots=True)
class Choice:
    """A release's choice, as its event says it."""

    filter: JSON = field(default_factory=dict)
    category_map: JSON = field(default_factory=dict)
    splits: JSON = field(default_factory=dict)

    @property
    def needs_label(self) -> bool:
        """Whether a sample's ground truth has to be looked at."""
        return bool(self.filter.keys() & {"status", "categories"})

    def as_json(self) -> JSON:
        """The parts of it that say anything."""
        parts = {"category_map": self.category_map, "filter": self.filter, "splits": self.splits}
        return {name: value for name, value in parts.items() if value}

    def holds(self, sample: SampleState, truth: LabelState | None) -> bool:
        """Whether a sample is in the release; `truth` is its ground truth where `needs_label`."""
        said = self.filter
        if "samples" in said and not any(fnmatch.fnmatchcase(sample.name, item) for item in said["samples"]):
            return False
        for key, value in said.get("metadata", {}).items():
            if key not in sample.metadata or not values.same(sample.metadata[key], value):
                return False
        if truth is None:
            return True
        if "status" in said and (truth.status if truth.exists else "UNLABELED") not in said["status"]:
            return False
        return "categories" not in said or not categories_in(truth).isdisjoint(said["categories"])

    def holds_label_set(self, name: str) -> bool:
        return name in self.filter.get("label_sets", [name])

    def read_as(self, task_attributes: JSON) -> dict[int, int | None]:
        """{category: the one that it is read as, None for those that are left out}; what stays itself is not in it."""
        merged = merged_categories(task_attributes)
        further = {int(old): new for old, new in self.category_map.get("merge", {}).items()}
        found: dict[int, int | None] = {old: further.get(new, new) for old, new in merged.items()}
        found |= {old: new for old, new in further.items() if old not in merged}
        dropped = set(self.category_map.get("drop", []))
        found = {old: None if new in dropped else new for old, new in found.items()}
        return found | dict.fromkeys(dropped)

    def task_attributes(self, document: JSON) -> JSON:
        """The dataset's document with its categories as the release reads them."""
        gone, names = self.read_as(document), self.category_map.get("rename", {})
        categories = [
            item | ({"name": names[str(item["id"])]} if str(item["id"]) in names else {})
            for item in document.get("categories") or []
            if item["id"] not in gone
        ]
        return document | {"categories": categories}

    def split_of(self, sample: SampleState) -> str:
        """The split of a sample; empty where there is none."""
        if "metadata" in self.splits:
            said = sample.metadata.get(self.splits["metadata"])
            return said if isinstance(said, str) and _split.fullmatch(said) else ""
        shares: Mapping[str, int] = self.splits.get("shares", {})
        if not shares:
            return ""
        drawn = int.from_bytes(hashlib.sha256(f"{self.splits['seed']}/{sample.key}".encode()).digest()[:8])
        place = drawn * sum(shares.values()) >> 64
        for name in sorted(shares):
            place -= shares[name]
            if place < 0:
                return name
        raise AssertionError("a share was drawn")


#: The whole dataset as it is.
EVERYTHING = Choice()


def categories_in(label: LabelState) -> set[int]:
    """The categories that come up in a label: of its objects, pieces and of itself."""
    pieces = (item for found in label.parts.values() for item in found.values())
    objects = {item.get("category_id") for item in (*label.annotations.values(), *pieces)}
    return {item for item in (*objects, *label.classifications) if item is not None}


# --- what is asked for, checked --------------------------------------------------------------------------------------


def checked_choice(dataset: DatasetState, *, filter: Any, category_map: Any, splits: Any) -> Choice:
    """A choice that somebody asks for; null is none of it.

    Raises:
        InvalidValue: the first field that does not fit, or names what the dataset does not have.
    """
    return Choice(_filter(filter, dataset), _category_map(category_map, dataset), _splits(splits))


def _object(value: Any, where: str, fields: Iterable[str]) -> JSON:
    if value is None:
        return {}
    known = tuple(fields)
    if not isinstance(value, dict):
        raise InvalidValue(where, f"must be an object with some of {', '.join(known)}")
    for name in value:
        if name not in known:
            raise InvalidValue(f"{where}.{name}"[:200], f"is not known; there are {', '.join(known)}")
    return {name: item for name, item in value.items() if item is not None}


def _filter(value: Any, dataset: DatasetState) -> JSON:
    found = _object(value, "filter", ("status", "label_sets", "samples", "metadata", "categories"))
    names = {item.name for item in dataset.label_sets.values() if not item.archived}
    for key, known in (("status", STATUSES), ("label_sets", sorted(names))):
        if key in found:
            found[key] = _some_of(found[key], f"filter.{key}", known)
    if "samples" in found:
        found["samples"] = _texts(found["samples"], "filter.samples")
    if "categories" in found:
        found["categories"] = _categories(found["categories"], "filter.categories", dataset)
    if "metadata" in found and not isinstance(found["metadata"], dict):
        raise InvalidValue("filter.metadata", "must be an object: keys with the value that a sample must have there")
    return {key: item for key, item in found.items() if item != {}}


def _some_of(value: Any, where: str, known: Iterable[str]) -> list[str]:
    words = list(known)
    if not isinstance(value, list) or not value or any(item not in words for item in value):
        raise InvalidValue(where, f"must be a list of one or more of {', '.join(words)}")
    return sorted(set(value))


def _texts(value: Any, where: str) -> list[str]:
    fits = isinstance(value, list) and 1 <= len(value) <= MOST_NAMES
    if not fits or any(not isinstance(item, str) or not item for item in value):
        raise InvalidValue(where, f"must be a list of 1 to {MOST_NAMES} names, in which * and ? stand for others")
    return sorted(set(value))


def _categories(value: Any, where: str, dataset: DatasetState) -> list[int]:
    known = {item["id"] for item in dataset.task_attributes.get("categories") or []}
    if not isinstance(value, list) or not value or any(type(item) is not int or item not in known for item in value):
        raise InvalidValue(where, "must be a list of ids of the dataset's categories")
    return sorted(set(value))


def _category_map(value: Any, dataset: DatasetState) -> JSON:
    found = _object(value, "category_map", ("merge", "rename", "drop"))
    known = {str(item["id"]) for item in dataset.task_attributes.get("categories") or []}
    for key in ("merge", "rename"):
        said = found.get(key, {})
        if not isinstance(said, dict) or any(item not in known for item in said):
            raise InvalidValue(f"category_map.{key}", "must be an object by ids of the dataset's categories")
    merge = found.get("merge", {})
    if any(type(item) is not int or str(item) not in known or str(item) in merge for item in merge.values()):
        raise InvalidValue("category_map.merge", "must lead to ids of the dataset's categories that are not merged too")
    names = found.get("rename", {}).values()
    if any(not isinstance(item, str) or not 1 <= len(item) <= 200 for item in names):
        raise InvalidValue("category_map.rename", "must give each category a name of 1 to 200 characters")
    if "drop" in found:
        found["drop"] = _categories(found["drop"], "category_map.drop", dataset)
    return {key: item for key, item in found.items() if item}


def _splits(value: Any) -> JSON:
    found = _object(value, "splits", ("metadata", "seed", "shares"))
    if not found:
        return {}
    if "metadata" in found:
        if len(found) > 1 or not isinstance(found["metadata"], str) or not found["metadata"]:
            raise InvalidValue("splits.metadata", "must be the name of a key of the samples' metadata, and stand alone")
        return found
    shares = found.get("shares")
    if not isinstance(shares, dict) or not 1 <= len(shares) <= MOST_SPLITS:
        raise InvalidValue("splits.shares", f"must be an object of 1 to {MOST_SPLITS} splits, each with its share")
    for name, share in shares.items():
        if not _split.fullmatch(name):
            raise InvalidValue("splits.shares", "must name splits in 1 to 32 letters, digits, _ or -")
        if type(share) is not int or not 0 <= share <= 1_000_000:
            raise InvalidValue(f"splits.shares.{name}", "must be a whole number from 0 to 1000000")
    if not any(shares.values()):
        raise InvalidValue("splits.shares", "must not all be 0")
    seed = found.get("seed", "")
    if not isinstance(seed, str) or len(seed) > 200:
        raise InvalidValue("splits.seed", "must be a text of at most 200 characters")
    return {"seed": seed, "shares": shares}


def truth_of(dataset: DatasetState) -> uuid.UUID:
    """The id of the ground truth."""
    return next(uuid.UUID(item.id) for item in dataset.label_sets.values() if item.name == GROUND_TRUTH)
