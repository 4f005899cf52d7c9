"""What the categories of a dataset mean in masks. Pure.

They are meant as they are read now: one that was merged is the one that it was merged into; an object without a
category, or of one that the dataset does not have, is void in the semantic and panoptic map, and grey. A category is
stuff where `has_instances` is false, else its objects are things.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labeling.rules import task_attributes
from labeling.rules.colours import Colour, colours_of

JSON = dict[str, Any]

VOID_COLOUR: Colour = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a category means in a mask. `id` is the one that it is read as; 0 is void."""

    id: int
    thing: bool
    colour: Colour


UNKNOWN = Meaning(0, True, colours_of({})(None))


@dataclass(frozen=True, slots=True)
class Palette:
    """What the categories of a dataset mean in masks."""

    meanings: Mapping[int, Meaning]

    @classmethod
    def of(cls, document: JSON) -> Palette:
        """The palette of a dataset's task attributes."""
        colour_of = colours_of(document)
        categories = {item["id"]: item for item in document.get("categories") or ()}
        merged = task_attributes.merged(document)
        found = {}
        for number in categories:
            into = merged.get(number, number)
            thing = categories.get(into, {}).get("has_instances") is not False
            found[number] = Meaning(into, thing, colour_of(into))
        return cls(found)

    def __call__(self, category: int | None) -> Meaning:
        return UNKNOWN if category is None else self.meanings.get(category, UNKNOWN)

    def mapped(self, categories: Mapping[int, int | None]) -> Palette:
        """Consolidated: each of these categories is taken for another one, or (None) for void.

        Raises:
            KeyError: to a category that the dataset does not have.
        """
        found = dict(self.meanings)
        for number, into in categories.items():
            found[number] = VOID if into is None else self.meanings[into]
        # what was merged into a category goes where that goes
        for number, meaning in self.meanings.items():
            if number not in categories and meaning.id != number and meaning.id in categories:
                found[number] = found[meaning.id]
        return Palette(found)

    def without_stuff(self) -> Palette:
        """Stuff is void."""
        return Palette({number: m if m.thing else VOID for number, m in self.meanings.items()})


#: What a consolidated category becomes that belongs to the background; in contrast to UNKNOWN, in every map.
VOID = Meaning(0, False, VOID_COLOUR)
