"""Which changes a dataset asks a reason for, and which the installation. Pure.

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
    "import": "to import in the place of labels that are there, or to take an import back",
}
#: What a dataset asks a reason for unless it says otherwise: what the protocol's clients, who send none, cannot do.
UNLESS_SAID = ("override",)
SETTING = "reasons_required"

#: {what the installation's setting REASONS_REQUIRED may name: what is done, in words}
OF_INSTALLATION = {
    "account": "to change what an account may do",
    "organization": "to change who belongs to an organization, or as what",
    "key": "to make or revoke somebody else's API key",
    "own_key": "to make or revoke an API key of one's own",
}
#: What the installation asks a reason for unless it says otherwise.
UNLESS_INSTALLATION_SAYS = ("account", "organization", "key")

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


def class_in_installation(fact: Fact, *, is_own: bool = False) -> str | None:
    """Of which of OF_INSTALLATION a change is; `is_own` says that its author does it to themselves."""
    match fact:
        case e.PersonAdded():
            return "account" if fact.staff or fact.superuser else None
        case e.PersonChanged():
            return "account" if fact.changes else None
        case e.OrganizationMemberAdded() | e.OrganizationMemberRoleChanged() | e.OrganizationMemberRemoved():
            return "organization"
        case e.KeyCreated() | e.KeyRevoked():
            return "own_key" if is_own else "key"
    return None


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
    if intent.reason is None and settings.get(SETTING, UNLESS_SAID):
        require_reason_for(intent, classes_of(facts, status=status), settings=settings)


def require_reason_for(intent: Intent, classes: Iterable[str], *, settings: Mapping[str, Any]) -> None:
    """Check the same of a change that is known to be of these CLASSES before its facts are there: a job asks in front.

    Raises:
        ReasonRequired: it has none.
    """
    missing = sorted({*classes} & set(settings.get(SETTING, UNLESS_SAID)))
    if intent.reason is None and missing:
        raise ReasonRequired(CLASSES[missing[0]])
