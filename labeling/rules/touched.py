"""What a fact touches, so that two people who touch the same thing can be told, and all others need not be."""

from __future__ import annotations

from collections.abc import Iterable

from labeling import events as e
from labeling.log.event import Fact
from labeling.rules import parts
from labeling.rules.label_state import LabelState

#: The label as a whole: conflicts with everything.
WHOLE = "label"


def touched(fact: Fact, state: LabelState) -> set[str]:
    """Names of what `fact` touches; one that ends with a slash stands for all names that begin with it.

    `state` tells which object an id of the bitmap belongs to.
    """
    plugged = parts.of_fact(type(fact))
    if plugged is not None:
        return plugged.touched(fact, state)
    match fact:
        case e.LabelImported() | e.LabelDocumentSet() | e.LabelDeleted():
            return {WHOLE}
        case e.LabelStatusChanged():
            # The first edit of a label sets its first status by the way; that is nobody's decision about the label.
            return {"status"} if fact.before is None and fact.verb == "save" else {WHOLE}
        case e.GestureUndone() | e.GestureRedone() | e.LabelRestored() | e.MaskImported():
            return set()  # what was changed is told by the events behind it
        case e.LabelHeaderRestored():
            # Who made it and who reviewed it goes with the events around; the rest is what no smaller fact could say.
            return {WHOLE} if fact.fields.keys() - {"created", "reviewed"} else set()
        case e.AnnotationRestored():
            linked = {f"annotation:{link['to']}" for link in fact.fields.get("links", ())}
            number = {f"id:{fact.fields['id']}"} if "id" in fact.fields else set()
            return {f"annotation:{fact.annotation}"} | linked | number
        case e.LabelScoreSet():
            return {"score"}
        case e.SceneAttributesSet():
            # In quotes, because a client's name may end with a slash, and would stand for others.
            return {f'scene:"{key}"' for key in fact.scene}
        case e.ClassificationAssigned() | e.ClassificationRemoved():
            return {f"classification:{fact.category_id}"}
        case e.DefaultClassificationSet():
            return {"default-classification"}
        case e.BitmapPatched():
            # Pixels are compared with pixels; here only: the object must not have been changed otherwise.
            ids = {item["id"] for item in fact.changed}
            return {f"pixels:{number}" for number in ids} | {
                f"annotation:{item['uuid']}" for item in state.annotations.values() if item["id"] in ids
            }
        case e.AnnotationAdded():
            return {f"annotation:{fact.annotation}", f"id:{fact.id}"}
        case e.AnnotationLinkAdded() | e.AnnotationLinkRemoved():
            # Both ends: a link to an object that somebody else removed would point at nothing.
            return {f"annotation:{fact.annotation}", f"annotation:{fact.to}"}
        case _:
            return {f"annotation:{getattr(fact, 'annotation')}"}  # noqa: B009 - every other fact names its annotation


def overlap(mine: Iterable[set[str]], theirs: Iterable[set[str]]) -> list[str]:
    """What both sides touched, sorted; the label as a whole overlaps with everything."""
    ours: set[str] = set().union(*mine)
    others: set[str] = set().union(*theirs)
    if not ours or not others:
        return []
    both = ours & others
    for one, two in ((ours, others), (others, ours)):
        wholes = tuple(name for name in one if name.endswith("/"))
        if wholes:
            both |= {name for name in two if name.startswith(wholes)}
    if WHOLE in ours or WHOLE in others:
        both = both | {WHOLE}
    return sorted(both)
