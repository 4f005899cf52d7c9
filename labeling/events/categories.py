"""What happened to the categories of a dataset, their attributes and skeletons. `category_id` null: the whole image.

A category is known by its number, an attribute by its name. What a fact does to the document is in
rules/task_attributes.py.
"""

from __future__ import annotations

from typing import Any

from labeling.log.event import Fact

JSON = dict[str, Any]


class TaskAttributesSet(Fact, frozen=True):
    """The document of categories, attributes and rules was set, verbatim."""

    document: JSON


class TaskAttributesChanged(Fact, frozen=True):
    """Something else in that document was changed: warning rules, its format's version, keys of the tool's own …"""

    changes: JSON
    removed: list[str] = []


class CategoryAdded(Fact, frozen=True):
    """A category was added."""

    category: JSON


class CategoryRenamed(Fact, frozen=True):
    """A category got another name."""

    id: int
    name: str


class CategoryRecolored(Fact, frozen=True):
    """A category got another colour."""

    id: int
    color: list[int] | None


class CategoryDeprecated(Fact, frozen=True):
    """A category is no longer offered; annotations keep it."""

    id: int


class CategoryMerged(Fact, frozen=True):
    """A category was merged into another: annotations keep the id that was sent, releases read them as the other."""

    id: int
    into: int


class CategoryChanged(Fact, frozen=True):
    """Something else about a category was changed: dimensions, link restrictions, keys of the tool's own …"""

    id: int
    changes: JSON
    removed: list[str] = []


class CategoryRemoved(Fact, frozen=True):
    """A category was taken out of the document; annotations keep its id."""

    id: int


class CategoriesReordered(Fact, frozen=True):
    """The categories were put into another order."""

    order: list[int]


class AttributeDefined(Fact, frozen=True):
    """An attribute was defined for a category, or for the whole image (null)."""

    category_id: int | None
    attribute: JSON


class AttributeChanged(Fact, frozen=True):
    """An attribute's definition was changed."""

    category_id: int | None
    name: str
    attribute: JSON


class AttributeRemoved(Fact, frozen=True):
    """An attribute was taken out of the definitions; annotations keep its values."""

    category_id: int | None
    name: str


class AttributesReordered(Fact, frozen=True):
    """The attributes of a category, or of the whole image, were put into another order."""

    category_id: int | None
    order: list[str]


class SkeletonDefined(Fact, frozen=True):
    """The points and edges of a category's skeleton were defined."""

    category_id: int
    skeleton: JSON


CATEGORY_EVENTS = (
    TaskAttributesSet,
    TaskAttributesChanged,
    CategoryAdded,
    CategoryRenamed,
    CategoryRecolored,
    CategoryDeprecated,
    CategoryMerged,
    CategoryChanged,
    CategoryRemoved,
    CategoriesReordered,
    AttributeDefined,
    AttributeChanged,
    AttributeRemoved,
    AttributesReordered,
    SkeletonDefined,
)
