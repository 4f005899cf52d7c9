"""What an import did, or would do, in numbers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields


@dataclass(slots=True)
class Counts:
    """Numbers of one chunk, or of all of an import."""

    categories_added: int = 0
    samples_added: int = 0
    samples_matched: int = 0
    samples_missing: int = 0
    labels_added: int = 0
    labels_changed: int = 0
    labels_unchanged: int = 0  #: the file says what is there
    labels_kept: int = 0  #: left alone, as it was wished
    annotations_added: int = 0
    annotations_unchanged: int = 0
    annotations_removed: int = 0
    annotations_refused: int = 0  #: each has a finding
    labels_restored: int = 0  #: from here on, by taking an import back
    samples_archived: int = 0
    categories_removed: int = 0

    def add(self, other: Mapping[str, int]) -> None:
        for name, number in other.items():
            setattr(self, name, getattr(self, name) + number)

    def as_json(self) -> dict[str, int]:
        """Those that are not 0."""
        return {name: number for name, number in asdict(self).items() if number}


NAMES = tuple(field.name for field in fields(Counts))


def in_words(said: Mapping[str, int]) -> list[tuple[str, int]]:
    """(what, how many) of counts as they were kept, in their order."""
    return [(name.replace("_", " "), said[name]) for name in NAMES if name in said]
