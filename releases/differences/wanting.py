"""What of a difference somebody wants to see. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

JSON = dict[str, Any]

CHANGES = ("added", "removed", "changed")
KINDS = (
    "category", "geometry", "attributes", "keyframes", "number", "split", "merge", "status", "score", "keypoints",
    "orientation", "order", "links", "classifications", "scene", "name", "metadata", "task_attributes",
    "label_sets",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """Each that is not empty has to fit. `sample` and `label_set` are ids, `author` is a person's."""

    change: str = ""
    kind: str = ""
    label_set: str = ""
    sample: str = ""
    category: int | None = None
    author: str = ""

    @property
    def is_all(self) -> bool:
        return all(getattr(self, item.name) in ("", None) for item in fields(self))

    def of(self, entries: Iterable[JSON]) -> Iterator[JSON]:
        """The entries with the changes that fit; without those of which nothing is left."""
        for entry in entries:
            if self.is_all:
                yield entry
                continue
            if self.sample and entry["sample"] != self.sample:
                continue
            if self.label_set and entry["label_set"] != self.label_set:
                continue
            changes = [change for change in entry["changes"] if self._fits(change)]
            if changes:
                yield entry | {"changes": changes}

    def _fits(self, change: JSON) -> bool:
        if self.change and change["change"] != self.change:
            return False
        if self.kind and self.kind not in change["kinds"]:
            return False
        if self.author and self.author not in change["authors"]:
            return False
        if self.category is None:
            return True
        sides = {(side or {}).get("category_id") for side in (change["before"], change["after"])}
        return self.category in {*sides, change["category_id"]}


EVERYTHING = Wanted()
