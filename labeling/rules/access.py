"""Who may do what: the one table of actions and roles, and what an API key's scope covers. Pure.

Every command and view asks here; what no table names is refused. The role is today's, also where the past is read.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from labeling.errors import NotFound, NotPermitted
from labeling.rules.dataset_state import ROLES

# --- in a dataset --------------------------------------------------------------------------------------------------

MEMBERS = frozenset(ROLES)
LABELERS = MEMBERS - {"viewer"}
REVIEWERS = LABELERS - {"labeler"}
MANAGERS = frozenset({"manager", "admin"})
ADMINS = frozenset({"admin"})


@dataclass(frozen=True, slots=True)
class Action:
    """One kind of thing to do in a dataset: the roles that may, and what it is called in a refusal."""

    roles: frozenset[str]
    doing: str


ACTIONS = {
    "read": Action(MEMBERS, "Reading"),  # and everybody, where the dataset is public
    "history": Action(MEMBERS, "Reading the history"),
    "issue": Action(MEMBERS, "Raising, answering and resolving issues"),
    "moderate": Action(MANAGERS, "Changing or deleting an issue that somebody else raised"),
    "label": Action(LABELERS, "Labeling"),
    "review": Action(REVIEWERS, "Accepting, rejecting and verifying labels"),
    "override": Action(MANAGERS, "Setting a status by hand"),
    "restore": Action(MANAGERS, "Taking back what others did"),
    "audit": Action(ADMINS, "Reading audit reports"),
    "assign": Action(MANAGERS, "Assigning samples and setting their priority"),
    "work": Action(MANAGERS, "Seeing the work of others"),
    "members": Action(MANAGERS, "Managing members"),
    "members-admin": Action(ADMINS, "Making or unmaking an admin"),
    "change": Action(ADMINS, "Changing the dataset, its samples, categories or label sets"),
    "clone": Action(ADMINS, "Cloning the dataset"),  # and everybody, where the dataset is public
    "webhooks": Action(ADMINS, "Seeing and changing webhooks"),
    "release": Action(ADMINS, "Cutting and withdrawing releases"),
    "train": Action(LABELERS, "Registering a training"),
    "delete": Action(ADMINS, "Deleting the dataset"),
}
#: What everybody may do where the dataset is public.
IN_PUBLIC = frozenset({"read", "clone"})


def may(action: str, *, role: str | None, public: bool) -> bool:
    """Whether somebody with `role` (None: not a member) may do one of ACTIONS."""
    return role in ACTIONS[action].roles or (public and action in IN_PUBLIC)


def require(action: str, *, role: str | None, public: bool, dataset: uuid.UUID | None = None) -> None:
    """Check that somebody with `role` (None: not a member) may do one of ACTIONS; `dataset` is told with a refusal.

    Raises:
        NotFound: they may not even know of the dataset.
        NotPermitted: they may see it, and not do this.
    """
    if not may("read", role=role, public=public):
        raise NotFound("The dataset")
    if not may(action, role=role, public=public):
        raise refusal(action, dataset=dataset)


def refusal(action: str, *, dataset: uuid.UUID | None = None) -> NotPermitted:
    """What is said to a member who may not do one of ACTIONS: which roles may."""
    wanted = ACTIONS[action]
    return NotPermitted(f"{wanted.doing} needs {_named(wanted.roles)}.", action=action, dataset=dataset)


def _named(roles: frozenset[str]) -> str:
    if roles == MEMBERS:
        return "membership of the dataset"
    *others, last = (role for role in ROLES if role in roles)
    return f"the role {', '.join(others)} or {last}" if others else f"the role {last}"


def members_action(*roles: str | None) -> str:
    """What it takes to give, change or take away these roles: that somebody is an admin is only the admins' to say."""
    return "members-admin" if "admin" in roles else "members"


# --- a label's status ----------------------------------------------------------------------------------------------

#: What it takes to change a label's status by each verb.
VERBS = {
    "submit": "label",
    "save": "label",
    "skip": "label",
    "upload": "label",
    "reopen": "label",
    "accept": "review",
    "reject": "review",
    "verify": "review",
    "override": "override",
}
ACCEPTED = frozenset({"REVIEWED", "VERIFIED"})
#: What a labeler's edit of an accepted label does; the first is the default. Uploads are always taken as they are.
ON_ACCEPTED = ("reopen", "refuse", "allow")


def on_accepted(status: str, *, role: str | None, setting: str | None) -> str:
    """What an edit by somebody with `role` does to a label with this status: one of ON_ACCEPTED."""
    if status not in ACCEPTED or role in REVIEWERS:
        return "allow"
    return setting if setting in ON_ACCEPTED else ON_ACCEPTED[0]


# --- in an organisation --------------------------------------------------------------------------------------------

ORGANIZATION_ROLES = ("member", "administrator")
#: The least that a member of an organisation is in its datasets. (queries.datasets.ROLE says the same in SQL.)
IN_ITS_DATASETS = {"member": "viewer", "administrator": "admin"}


def acting_role(
    own: str | None, *, organization_role: str | None = None, is_owner: bool = False, is_superuser: bool = False
) -> str | None:
    """The role that somebody acts in, out of their own in the dataset and theirs in the organisation that owns it.

    Who runs the installation (a superuser) is an admin of every dataset, and an organisation's account of its own.
    """
    through = "admin" if is_superuser or is_owner else IN_ITS_DATASETS.get(organization_role or "")
    return max((role for role in (own, through) if role), key=ROLES.index, default=None)


ORGANIZATION_ACTIONS = {
    "members": frozenset(ORGANIZATION_ROLES),  # see who belongs to it
    "datasets": frozenset(ORGANIZATION_ROLES),  # create a dataset for it
    "manage": frozenset({"administrator"}),  # add, change and remove members
}


def require_in_organization(action: str, *, role: str | None) -> None:
    """Check that somebody with `role` in an organisation (None: no member) may do one of ORGANIZATION_ACTIONS.

    Raises:
        NotPermitted: they may not.
    """
    if role not in ORGANIZATION_ACTIONS[action]:
        need = "an administrator" if action == "manage" else "a member"
        raise NotPermitted(f"You need to be {need} of the organization.", action=f"organization-{action}")


# --- an API key ----------------------------------------------------------------------------------------------------

#: Each covers the ones before it.
SCOPES = ("read", "label", "manage")
#: Who acts when a key is used; the author kind of its events.
ORIGINS = ("person", "model", "service")


def require_origin(origin: str, *, by: str) -> None:
    """Check that with a key of the origin `by` one of `origin` may be made: no model makes itself a person.

    Raises:
        NotPermitted: it may not.
    """
    if by not in ("person", origin):
        raise NotPermitted(f"With the key of a {by} only keys of a {by} are made.", action="key-origin")


def require_scope(needed: str, *, scope: str) -> None:
    """Check that a key of `scope` may be used for what needs `needed`.

    Raises:
        NotPermitted: it may not.
    """
    if SCOPES.index(scope) < SCOPES.index(needed):
        raise NotPermitted(
            f"The scope of this API key is {scope}; the request needs a key of the scope {needed}.",
            action=f"scope-{needed}",
        )
