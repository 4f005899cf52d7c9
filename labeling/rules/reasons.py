"""Which changes a dataset asks a reason for. Pure.

A change is known by the facts that it stores, so no way to make it (a request, a bulk change, the admin) leaves it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from labeling import events as e
from labeling.errors import ReasonRequired
from labeling.log.event import Fact, Intent
from labeling.rules.access import ACCEPTED

#: {what the setting `reasons_required` may name: what is done, in words}
CLASSES = {
    "delete": "to delete",
    "override": "to set a status by hand",
    "edit_accepted": "to change a label that was accepted",
    "permission": "to change who may do what",
    "withdraw": "to withdraw a release",
}
#: What a dataset asks a reason for unless it says otherwise: what the protocol's clients, who send none, cannot do.
UNLESS_SAID = ("override",)
SETTING = "reasons_required"

_of_fact: dict[type[Fact], str] = {
    e.DatasetDeleted: "delete",
    e.LabelSetArchived: "delete",
    e.LabelDeleted: "delete",
    e.SampleArchived: "delete",
    e.SampleFramesRemoved: "delete",
    e.IssueArchived: "delete",
    e.CategoryRemoved: "delete",
    e.MemberAdded: "permission",
    e.MemberRoleChanged: "permission",
    e.MemberRemoved: "permission",
}
_other: tuple[type[Fact], ...] = (e.LabelStatusChanged, e.GestureUndone, e.GestureRedone, e.LabelRestored)


def plug(fact: type[Fact], what: str) -> None:
    """Say of which of CLASSES an upper app's event is."""
    _of_fact[fact] = what


def classes_of(facts: Iterable[Fact], *, status: str | None = None) -> set[str]:
    """Of which of CLASSES a change is, whose facts these are; `status` is that of the label in front of it."""
    found = set()
    for fact in facts:
        what = _of_fact.get(type(fact))
        if what is not None:
            found.add(what)
        if isinstance(fact, e.LabelStatusChanged) and fact.verb == "override":
            found.add("override")
        if status in ACCEPTED and not isinstance(fact, _other):
            found.add("edit_accepted")
    return found


def require_reason(
    intent: Intent, facts: Iterable[Fact], *, settings: Mapping[str, Any], status: str | None = None
) -> None:
    """Check that a change that the dataset asks a reason for has one.

    Raises:
        ReasonRequired: it has none.
    """
    if intent.reason is not None:
        return
    asked = settings.get(SETTING, UNLESS_SAID)
    if not asked:
        return
    missing = sorted(classes_of(facts, status=status) & set(asked))
    if missing:
        raise ReasonRequired(CLASSES[missing[0]])
