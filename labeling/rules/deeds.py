"""What a fact did to which pieces of a label, as reports count it. Pure."""

from __future__ import annotations

from typing import NamedTuple

from labeling import events as e
from labeling.log.event import Fact
from labeling.rules import parts
from labeling.rules.parts import ADDED, CHANGED, REMOVED


class Deed(NamedTuple):
    """One piece (an annotation, or what an app above keeps piece by piece) and what was done to it.

    `category_id` is told where the event tells it (`names_category`); null is a category too: none.
    """

    piece: str
    did: int  #: ADDED, CHANGED or REMOVED
    category_id: int | None = None
    names_category: bool = False


def deeds(fact: Fact) -> list[Deed]:
    """What a fact did, in its own order; nothing for facts about the label as a whole, and for pixels."""
    match fact:
        case e.LabelImported():
            return [Deed(item["annotation"], ADDED, item.get("category_id"), True) for item in fact.annotations]
        case e.AnnotationAdded():
            return [Deed(fact.annotation, ADDED, fact.category_id, True)]
        case e.AnnotationCategorySet():
            return [Deed(fact.annotation, CHANGED, fact.category_id, True)]
        case e.AnnotationRestored():
            return [Deed(fact.annotation, CHANGED, fact.fields.get("category_id"), "category_id" in fact.fields)]
        case e.AnnotationRemoved():
            return [Deed(fact.annotation, REMOVED)]
    plugged = parts.of_fact(type(fact))
    if plugged is not None:
        return [Deed(*item) for item in plugged.deeds(fact)]
    piece = getattr(fact, "annotation", None)
    return [Deed(piece, CHANGED)] if isinstance(piece, str) else []
