"""Organisations: who belongs to one, to which somebody belongs, and the state for a command."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from labeling.log import store
from labeling.log.event import INSTALLATION
from labeling.models import OrganizationMember, Person
from labeling.rules.organization_state import MemberState, OrganizationState, organization_stream


@dataclass(frozen=True, slots=True)
class Membership:
    """One side of a membership: the member of an organisation, or the organisation of a person."""

    person: Person
    role: str


def state_of(organization: uuid.UUID) -> OrganizationState:
    """The organisation's state from its rows. The version is read first, so a torn read is stale."""
    stream = organization_stream(organization)
    state = OrganizationState(INSTALLATION, stream, version=store.version(INSTALLATION, stream))
    for row in OrganizationMember.objects.filter(organization_id=organization):
        key = str(row.person_id)
        state.members[key] = MemberState(key, row.role, row.created_at, row.last_offset)
    return state


def role_in(organization: uuid.UUID, person: uuid.UUID) -> str | None:
    """Somebody's role in an organisation, or None."""
    found = OrganizationMember.objects.filter(organization_id=organization, person_id=person)
    return found.values_list("role", flat=True).first()


def members_of(organization: uuid.UUID) -> list[Membership]:
    """Everybody who belongs to an organisation, by username."""
    roles = dict(OrganizationMember.objects.filter(organization_id=organization).values_list("person_id", "role"))
    return _with(roles)


def organizations_of(person: uuid.UUID) -> list[Membership]:
    """Every organisation that somebody belongs to, by its name."""
    roles = dict(OrganizationMember.objects.filter(person_id=person).values_list("organization_id", "role"))
    return _with(roles)


def _with(roles: dict[uuid.UUID, str]) -> list[Membership]:
    people = Person.objects.filter(id__in=roles).order_by("username") if roles else []
    return [Membership(person, roles[person.id]) for person in people]


def founder_of(organization: uuid.UUID) -> str | None:
    """The username of who made the account of an organisation; None where that was done on the machine itself."""
    first = next(store.read_stream(INSTALLATION, f"person/{organization}"), None)
    if first is None:
        return None
    return Person.objects.filter(id=first.intent.author).values_list("username", flat=True).first()
