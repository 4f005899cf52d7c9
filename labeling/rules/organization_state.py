"""The state of an organisation: its members, folded from the events of its stream in the installation's log."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from labeling import events as e
from labeling.errors import LastAdministrator
from labeling.log.event import Event, Fact
from labeling.log.rows import Rows
from labeling.rules.fold import Moment, Place, folded

JSON = dict[str, Any]

MEMBER_NAMESPACE = uuid.UUID("6a1f0f52-6f0d-4b0e-9d5c-2b7f1f7f0c05")


def organization_stream(organization: uuid.UUID | str) -> str:
    return f"organization/{organization}"


@dataclass(slots=True)
class MemberState:
    """One person's role."""

    person: str
    role: str
    created_at: Moment
    last_offset: int


@dataclass(slots=True)
class OrganizationState:
    """One organisation. Members are replaced, never changed in place."""

    log: uuid.UUID
    stream: str
    version: int = 0
    members: dict[str, MemberState] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.stream.removeprefix("organization/")


def evolve(state: OrganizationState, fact: Fact, place: Place) -> None:
    """Change `state` by one fact."""
    match fact:
        case e.OrganizationMemberAdded():
            state.members[fact.person] = MemberState(fact.person, fact.role, place.at, place.offset)
        case e.OrganizationMemberRoleChanged():
            had = state.members[fact.person]
            state.members[fact.person] = replace(had, role=fact.role, last_offset=place.offset)
        case e.OrganizationMemberRemoved():
            state.members.pop(fact.person, None)
        case _:
            raise TypeError(f"{type(fact).__name__} is no event of an organisation")
    state.version = place.version


def fold(state: OrganizationState, events: list[Event]) -> OrganizationState:
    return folded(replace(state, members=dict(state.members)), events, evolve)


def keep_an_administrator(state: OrganizationState, person: str) -> None:
    """Check that somebody else than `person` administers the organisation.

    Raises:
        LastAdministrator: nobody does.
    """
    if not any(item.role == "administrator" for key, item in state.members.items() if key != person):
        raise LastAdministrator


def difference(before: OrganizationState, after: OrganizationState) -> Rows:
    """The rows to write so that the table goes from `before` to `after`."""
    put = [
        {
            "id": member_id(after.id, item.person),
            "log": after.log,
            "last_offset": item.last_offset,
            "organization_id": after.id,
            "person_id": item.person,
            "role": item.role,
            "created_at": item.created_at,
        }
        for key, item in after.members.items()
        if before.members.get(key) is not item
    ]
    out = [str(member_id(after.id, key)) for key in before.members if key not in after.members]
    found = Rows()
    if put:
        found.put["labeling_organizationmember"] = put
    if out:
        found.out["labeling_organizationmember"] = out
    return found


def member_id(organization: str, person: str) -> uuid.UUID:
    return uuid.uuid5(MEMBER_NAMESPACE, f"{organization}/{person}")
