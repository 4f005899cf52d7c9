"""Organisations: own datasets, and have members. Their names are accounts; who belongs to them is in the log."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.db import transaction

from labeling import events as e
from labeling.commands.people import OPERATOR, add_person, person_named, require_reason
from labeling.commands.writing import decide, earlier
from labeling.errors import AlreadyMember, InvalidValue, NotFound, NotPermitted
from labeling.log import store
from labeling.log.event import INSTALLATION, Fact, Intent
from labeling.models import Person
from labeling.queries import organizations as queries
from labeling.rules import access, organization_state
from labeling.rules.access import ORGANIZATION_ROLES
from labeling.rules.organization_state import OrganizationState, keep_an_administrator

Rule = Callable[[OrganizationState], list[Fact]]


def found_organization(*, intent: Intent, username: Any, email: str = "") -> Person:
    """Make the account of an organisation; the author becomes its administrator.

    Raises:
        NotPermitted: the author does not run the installation.
        AlreadyExists: the username is taken.
        InvalidValue: it cannot be one.
    """
    if not _runs_the_installation(intent):
        raise NotPermitted("Founding an organization needs a superuser.", action="organization-found")
    if earlier(INSTALLATION, intent) is not None:
        return person_named(str(username))
    with transaction.atomic():
        organization = add_person(intent=intent, username=username, email=email, kind="organization")
        if intent.author != OPERATOR:
            founder = e.OrganizationMemberAdded(person=str(_person(intent)), role="administrator")
            # Of a command that the client named there is one append in a log, and that made the account.
            _append(
                queries.state_of(organization.id), [founder], replace(intent, command=uuid.uuid4(), request_hash=None)
            )
    return organization


def add_organization_member(*, intent: Intent, organization: uuid.UUID, person: Person, role: Any) -> None:
    """Give a person a role in the organisation.

    Raises:
        NotPermitted: the author is no administrator of it.
        ReasonRequired: no reason is given (people.require_reason).
        AlreadyMember: they have a role.
        InvalidValue: there is no such role, or an organisation would join another.
    """
    _checked_role(role)
    if person.is_organization:
        raise InvalidValue("user", "must be a person; an organization cannot belong to another")

    def rule(state: OrganizationState) -> list[Fact]:
        _require(state, intent)
        if str(person.id) in state.members:
            raise AlreadyMember
        return [e.OrganizationMemberAdded(person=str(person.id), role=role)]

    _change(organization, intent, rule)


def change_organization_role(*, intent: Intent, organization: uuid.UUID, person: uuid.UUID, role: Any) -> None:
    """Give a member another role in the organisation.

    Raises:
        NotPermitted: the author is no administrator of it.
        ReasonRequired: no reason is given (people.require_reason).
        NotFound: they are no member.
        LastAdministrator: nobody would administer it.
    """
    _checked_role(role)

    def rule(state: OrganizationState) -> list[Fact]:
        _require(state, intent)
        member = state.members.get(str(person))
        if member is None:
            raise NotFound("The member")
        if member.role == role:
            return []
        if member.role == "administrator":
            keep_an_administrator(state, str(person))
        return [e.OrganizationMemberRoleChanged(person=str(person), role=role)]

    _change(organization, intent, rule)


def remove_organization_member(*, intent: Intent, organization: uuid.UUID, person: uuid.UUID) -> None:
    """Take a person's role in the organisation away; everybody may leave by themselves. What they did stays theirs.

    Raises:
        NotPermitted: the author is no administrator of it, and somebody else.
        ReasonRequired: no reason is given (people.require_reason).
        NotFound: they are no member.
        LastAdministrator: nobody would administer it.
    """

    def rule(state: OrganizationState) -> list[Fact]:
        if person != _person(intent) or str(person) not in state.members:
            _require(state, intent)
        member = state.members.get(str(person))
        if member is None:
            raise NotFound("The member")
        if member.role == "administrator":
            keep_an_administrator(state, str(person))
        return [e.OrganizationMemberRemoved(person=str(person))]

    _change(organization, intent, rule)


def _checked_role(role: Any) -> None:
    if role not in ORGANIZATION_ROLES:
        raise InvalidValue("role", f"must be one of {', '.join(ORGANIZATION_ROLES)}")


def _person(intent: Intent) -> uuid.UUID:
    return intent.on_behalf_of or intent.author


def _runs_the_installation(intent: Intent) -> bool:
    return intent.author == OPERATOR or (
        Person.objects.filter(id=_person(intent), is_superuser=True, is_active=True).exists()
    )


def _require(state: OrganizationState, intent: Intent) -> None:
    member = state.members.get(str(_person(intent)))
    role = member.role if member else None
    if role != "administrator" and _runs_the_installation(intent):
        role = "administrator"
    access.require_in_organization("manage", role=role)


def _change(organization: uuid.UUID, intent: Intent, rule: Rule) -> None:
    def attempt() -> None:
        if earlier(INSTALLATION, intent) is not None:
            return
        state = queries.state_of(organization)
        facts = rule(state)
        for fact in facts:
            require_reason(intent, fact)
        if facts or intent.replayable:
            _append(state, facts, intent)

    decide(attempt)


def _append(state: OrganizationState, facts: list[Fact], intent: Intent) -> None:
    events = store.new_events(INSTALLATION, intent, [(state.stream, state.version, fact) for fact in facts])
    store.append(
        INSTALLATION,
        intent=intent,
        events=events,
        rows=organization_state.difference(state, organization_state.fold(state, events)),
        expected={state.stream: state.version},
        open_as="installation",
    )
