"""The document of categories and attributes: what a fact does to it, and which facts lead from one document to another.

The document is kept verbatim: `folded(before, differences(before, after))` is `after`, whatever keys a tool put there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labeling import events as e
from labeling.log import values
from labeling.log.event import Fact

JSON = dict[str, Any]

#: Keys of a category that facts of their own tell about.
NAME, COLOR, DEPRECATED, MERGED_INTO, ATTRIBUTES, SKELETON = (
    "name",
    "color",
    "deprecated",
    "merged_into",
    "attributes",
    "skeleton",
)


# --- what a fact does ----------------------------------------------------------------------------------------------


def evolve(document: JSON, fact: Fact) -> JSON:
    """The document after `fact`. A category that is not there is passed over."""
    match fact:
        case e.TaskAttributesSet():
            return fact.document
        case e.TaskAttributesChanged():
            return _changed(document, fact.changes, fact.removed)
        case e.AttributeDefined(category_id=None) | e.AttributeChanged(category_id=None):
            return document | {"image_attributes": _put(document.get("image_attributes"), fact)}
        case e.AttributeRemoved(category_id=None) | e.AttributesReordered(category_id=None):
            return document | {"image_attributes": _rearranged(document.get("image_attributes"), fact)}
        case _:
            return document | {"categories": _evolve_categories(document.get("categories") or [], fact)}


def _evolve_categories(categories: list[JSON], fact: Fact) -> list[JSON]:
    match fact:
        case e.CategoryAdded():
            return [*categories, fact.category]
        case e.CategoryRemoved():
            return [item for item in categories if item["id"] != fact.id]
        case e.CategoriesReordered():
            place = {number: index for index, number in enumerate(fact.order)}
            return sorted(categories, key=lambda item: place.get(item["id"], len(place)))
        case e.CategoryRenamed():
            return _with(categories, fact.id, {NAME: fact.name})
        case e.CategoryRecolored():
            return _with(categories, fact.id, {COLOR: fact.color})
        case e.CategoryDeprecated():
            return _with(categories, fact.id, {DEPRECATED: True})
        case e.CategoryMerged():
            return _with(categories, fact.id, {MERGED_INTO: fact.into})
        case e.CategoryChanged():
            return _with(categories, fact.id, fact.changes, fact.removed)
        case e.SkeletonDefined():
            return _with(categories, fact.category_id, {SKELETON: fact.skeleton})
        case e.AttributeDefined() | e.AttributeChanged():
            return [
                item | {ATTRIBUTES: _put(item.get(ATTRIBUTES), fact)} if item["id"] == fact.category_id else item
                for item in categories
            ]
        case e.AttributeRemoved() | e.AttributesReordered():
            return [
                item | {ATTRIBUTES: _rearranged(item.get(ATTRIBUTES), fact)} if item["id"] == fact.category_id else item
                for item in categories
            ]
        case _:
            raise TypeError(f"{type(fact).__name__} is no event of categories")


def _changed(item: JSON, changes: JSON, removed: Iterable[str] = ()) -> JSON:
    return {key: value for key, value in item.items() if key not in removed} | changes


def _with(categories: list[JSON], number: int, changes: JSON, removed: Iterable[str] = ()) -> list[JSON]:
    return [_changed(item, changes, removed) if item["id"] == number else item for item in categories]


def _put(attributes: list[JSON] | None, fact: e.AttributeDefined | e.AttributeChanged) -> list[JSON]:
    """The definitions with one of them replaced in its place, or put at the end."""
    name = fact.name if isinstance(fact, e.AttributeChanged) else fact.attribute.get("name")
    listed = attributes or []
    if any(item.get("name") == name for item in listed):
        return [fact.attribute if item.get("name") == name else item for item in listed]
    return [*listed, fact.attribute]


def _rearranged(attributes: list[JSON] | None, fact: e.AttributeRemoved | e.AttributesReordered) -> list[JSON]:
    listed = attributes or []
    if isinstance(fact, e.AttributeRemoved):
        return [item for item in listed if item.get("name") != fact.name]
    place = {name: index for index, name in enumerate(fact.order)}
    return sorted(listed, key=lambda item: place.get(item.get("name", ""), len(place)))


def folded(document: JSON, facts: Iterable[Fact]) -> JSON:
    for fact in facts:
        document = evolve(document, fact)
    return document


# --- which facts lead from one to the other ------------------------------------------------------------------------


def differences(before: JSON, after: JSON) -> list[Fact]:
    """What happened between two documents, in an annotator's words; nothing where they are equal."""
    facts: list[Fact] = [
        *_differences_of_categories(before.get("categories") or [], after.get("categories") or []),
        *(_differences_of_attributes(None, before, after, "image_attributes") or ()),
    ]
    so_far = folded(before, facts)
    changes, removed = _difference(so_far, after)
    if changes or removed:
        facts.append(e.TaskAttributesChanged(changes=changes, removed=removed))
    return facts


def _difference(before: JSON, after: JSON) -> tuple[JSON, list[str]]:
    """(keys that have another value, keys that are gone)."""
    changes = {key: value for key, value in after.items() if key not in before or not values.same(before[key], value)}
    return changes, sorted(key for key in before if key not in after)


def _differences_of_categories(before: list[JSON], after: list[JSON]) -> list[Fact]:
    had = {item["id"]: item for item in before}
    has = {item["id"]: item for item in after}
    facts: list[Fact] = [e.CategoryRemoved(id=number) for number in had if number not in has]
    for number, item in has.items():
        if number in had:
            facts += _differences_of_category(had[number], item)
    facts += [e.CategoryAdded(category=item) for number, item in has.items() if number not in had]
    stayed = [number for number in had if number in has]
    order = stayed + [number for number in has if number not in had]
    if order != list(has):
        facts.append(e.CategoriesReordered(order=list(has)))
    return facts


def _differences_of_category(before: JSON, after: JSON) -> list[Fact]:
    number = after["id"]
    facts: list[Fact] = []
    changes, removed = _difference(before, after)
    if NAME in changes:
        facts.append(e.CategoryRenamed(id=number, name=changes.pop(NAME)))
    if COLOR in changes:
        facts.append(e.CategoryRecolored(id=number, color=changes.pop(COLOR)))
    if changes.get(DEPRECATED) is True:
        facts.append(e.CategoryDeprecated(id=number))
        del changes[DEPRECATED]
    if changes.get(MERGED_INTO) is not None:
        facts.append(e.CategoryMerged(id=number, into=changes.pop(MERGED_INTO)))
    if isinstance(changes.get(SKELETON), dict):
        facts.append(e.SkeletonDefined(category_id=number, skeleton=changes.pop(SKELETON)))
    if ATTRIBUTES in changes:
        of_attributes = _differences_of_attributes(number, before, after, ATTRIBUTES)
        if of_attributes is not None:
            facts += of_attributes
            del changes[ATTRIBUTES]
    if changes or removed:
        facts.append(e.CategoryChanged(id=number, changes=changes, removed=removed))
    return facts


def _differences_of_attributes(number: int | None, before: JSON, after: JSON, key: str) -> list[Fact] | None:
    """What happened to the definitions at `key`, or None where facts about single attributes cannot tell it: two of a
    name, or no list where there was one."""
    old, new = before.get(key) or [], after.get(key)
    if not isinstance(new, list) or (not new and not isinstance(before.get(key), list)):
        return None
    had, has = {item["name"]: item for item in old}, {item["name"]: item for item in new}
    if len(had) != len(old) or len(has) != len(new):
        return None
    facts: list[Fact] = []
    # One that has another name in the same place was renamed.
    renamed = {}
    if len(old) == len(new):
        pairs = zip(old, new, strict=True)
        renamed = {a["name"]: b["name"] for a, b in pairs if a["name"] not in has and b["name"] not in had}
    order: list[str] = []
    for name, item in had.items():
        now = has.get(renamed.get(name, name))
        if now is None:
            facts.append(e.AttributeRemoved(category_id=number, name=name))
            continue
        order.append(now["name"])
        if not values.same(item, now):
            facts.append(e.AttributeChanged(category_id=number, name=name, attribute=now))
    added = [name for name in has if name not in order]
    facts += [e.AttributeDefined(category_id=number, attribute=has[name]) for name in added]
    if order + added != list(has):
        facts.append(e.AttributesReordered(category_id=number, order=list(has)))
    return facts


# --- merged categories ---------------------------------------------------------------------------------------------


def merged(document: JSON) -> dict[int, int]:
    """{category that was merged: the one that it is read as now}, over several steps where they follow each other."""
    into = {item["id"]: item.get(MERGED_INTO) for item in document.get("categories") or []}
    found: dict[int, int] = {}
    for number in into:
        last, seen = number, {number}
        while isinstance(target := into.get(last), int) and target not in seen:
            last = target
            seen.add(last)
        if last != number:
            found[number] = last
    return found
