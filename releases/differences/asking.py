"""What somebody asks of a difference, in the words of a query: `from`, `to`, label sets, filters."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from labeling.api.requests import place_said, uuid_of
from labeling.errors import InvalidValue
from labeling.log import store
from labeling.models import Person
from labeling.queries import datasets
from releases.differences.comparison import Comparison
from releases.differences.sides import Side, label_set_named, side_at
from releases.differences.wanting import CHANGES, KINDS, Wanted

#: Of a page and what is behind it, so many entries are counted.
MOST_COUNTED = 2000

Said = Mapping[str, Any]


def compared_sides(dataset: uuid.UUID, said: Said) -> Comparison:
    """The two sides that a query names.

    Raises:
        InvalidValue: one of them is missing, or there is none such.
    """
    sets = {name: said.get(f"{name}_label_set") or "" for name in ("from", "to")}
    for name, other in (("from", "to"), ("to", "from")):
        if sets[name] and not sets[other]:
            raise InvalidValue(f"{other}_label_set", f"is required where there is {name}_label_set")
    head = store.head(dataset)
    state = datasets.state_at(dataset, head)
    sets = {name: label_set_named(state, word, f"{name}_label_set") if word else "" for name, word in sets.items()}
    last = _side(dataset, said, "to", sets["to"]) or Side(head, label_set=sets["to"])
    one = _side(dataset, said, "from", sets["from"])
    if one is None and sets["from"]:
        one = Side(last.offset, last.choice, sets["from"], last.release)
    if one is None:
        raise InvalidValue("from", "is required: a release's name, an offset, a time, or an event's id")
    return Comparison(dataset, one, last)


def _side(dataset: uuid.UUID, said: Said, name: str, label_set: str) -> Side | None:
    if not said.get(name):
        return None
    try:
        return side_at(dataset, place_said(said[name], name), label_set)
    except InvalidValue as error:
        raise InvalidValue(name, error.problem) from error


def wanted_of(compared: Comparison, said: Said) -> Wanted:
    """What of the difference a query asks for.

    Raises:
        InvalidValue: a filter that names nothing.
    """
    found = {name: said.get(name) or "" for name in ("change", "kind", "label_set", "sample", "author")}
    for name, known in (("change", CHANGES), ("kind", KINDS)):
        if found[name] and found[name] not in known:
            raise InvalidValue(name, f"must be one of {', '.join(known)}")
    if found["label_set"]:
        found["label_set"] = label_set_named(compared.states[1], found["label_set"], "label_set")
    if found["sample"]:
        sample = uuid_of(found["sample"])
        if sample is None:
            raise InvalidValue("sample", "must be the uuid of a sample")
        found["sample"] = str(sample)
    if found["author"]:
        person = Person.objects.filter(username=found["author"]).values_list("id", flat=True).first()
        # Whether there is such a person is nobody's business: what they did not do is nothing.
        found["author"] = str(person or uuid.UUID(int=0))
    category = said.get("category") or ""
    if category and not (category.isascii() and category.isdigit() and len(category) <= 15):
        raise InvalidValue("category", "must be the id of a category, a whole number")
    return Wanted(**found, category=int(category) if category else None)
