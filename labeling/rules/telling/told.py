"""What a sentence is told from: one event with the states around it, and names; and who tells it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labeling.log.event import Fact
from labeling.rules.label_state import LabelState
from labeling.rules.reversal import piece_of
from labeling.rules.telling.phrases import listed, shown

JSON = dict[str, Any]
OBJECT = "annotation"


@dataclass(frozen=True, slots=True)
class Telling:
    """One event, with the states before and behind it (None where the stream is no label's), and names."""

    fact: Any
    before: Any = None
    after: Any = None
    categories: Mapping[int, str] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)

    def category(self, number: Any) -> str:
        if number is None:
            return "no category"
        return self.categories.get(number, f"category {number}")

    def person(self, key: str | None) -> str:
        return "nobody" if key is None else self.people.get(key, key)

    def named(self, kind: str, key: str) -> str:
        """An object in words, as it was before the event or else behind it: car 3."""
        item = None
        for state in (self.before, self.after):
            if isinstance(state, LabelState) and item is None:
                item = piece_of(state, kind, key)
        if item is None:
            return "an object that was gone"
        name = "object" if item.get("category_id") is None else self.category(item["category_id"])
        return f"{name} {item.get('id', item.get('track_id', ''))}".rstrip()

    def pieces(self, kind: str, key: str) -> tuple[JSON, JSON]:
        """An object before and behind the event; {} where it was not there."""
        return (piece_of(self.before, kind, key) or {}, piece_of(self.after, kind, key) or {})


Teller = Callable[[Telling], str]
_tellers: dict[type[Fact], Teller] = {}


def tell(fact: type[Fact], teller: Teller) -> None:
    """Give the sentence of an event type."""
    _tellers[fact] = teller


def sentence(telling: Telling) -> str:
    """What happened, without who: "moved car 3 by 10 px to the right"."""
    teller = _tellers.get(type(telling.fact))
    if teller is not None:
        return teller(telling)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(telling.fact).__name__).lower()
    about = getattr(telling.fact, "annotation", None)
    return words if about is None else f"{words}: {telling.named(OBJECT, about)}"


def said(words: str, *names: str) -> Teller:
    """A sentence with fields of the fact in it."""
    return lambda told: words.format(*(shown(getattr(told.fact, name)) for name in names))


def of_category(words: str, name: str = "category_id") -> Teller:
    return lambda told: words.format(told.category(getattr(told.fact, name)))


def changed(words: str) -> Teller:
    """A sentence with the names of the settings that the fact changed in it."""
    return lambda told: f"changed the {words}'s {listed(sorted(key.replace('_', ' ') for key in told.fact.changes))}"
