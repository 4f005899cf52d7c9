"""The caller, other people, and the members of a dataset."""

from __future__ import annotations

import uuid
from typing import Any

from rest_framework.request import Request

from labeling.api.answers import answer, no_content
from labeling.api.contract import Reply, documented
from labeling.api.requests import body_of, caller, intent_of
from labeling.api.schemas import people as schemas
from labeling.api.schemas.forms import listed
from labeling.api.schemas.parameters import AT, DATASET_OFFSET
from labeling.api.views import Answer, View, offset_of
from labeling.commands import datasets as commands
from labeling.commands.people import person_named
from labeling.errors import InvalidValue, NotFound
from labeling.models import Member, Person
from labeling.queries.organizations import Membership, founder_of, members_of, organizations_of, role_in
from labeling.rules import access

JSON = dict[str, Any]


def rendered_person(person: Person, *, organization_role: str | None = None) -> JSON:
    """The protocol's User; in an organisation with their role there.

    The protocol has no plain member: its `organization_role` is left out then, and ours beside it says so.
    """
    found: JSON = {
        "username": person.username,
        "created_at": person.date_joined,
        "is_organization": person.is_organization,
    }
    if organization_role is not None:
        found["palimpsest_organization_role"] = organization_role
        if organization_role == "administrator":
            found["organization_role"] = "admin"
    return found


def rendered_memberships(found: list[Membership]) -> list[JSON]:
    """Members of an organisation, or organisations of a person, as Users."""
    return [rendered_person(item.person, organization_role=item.role) for item in found]


def rendered_self(person: Person) -> JSON:
    """The caller as they see themselves: with their e-mail address and their organisations."""
    organizations = rendered_memberships(organizations_of(person.id))
    return rendered_person(person) | {"email": person.email, "organizations": organizations}


def rendered_organization(organization: Person, *, role: str | None) -> JSON:
    """An organisation; for its members (`role`) with who else belongs to it, and who founded it."""
    found = rendered_person(organization, organization_role=role)
    if role is None:
        return found
    members = rendered_memberships(members_of(organization.id))
    return found | {"members": members, "organization_created_by": founder_of(organization.id)}


def role_of(person: Person, organization: Person) -> str | None:
    """The role that somebody acts in towards an organisation: who runs the installation administers every one."""
    if person.is_superuser and person.is_active:
        return "administrator"
    return role_in(organization.id, person.id)


class StatusView(View):
    """Whether the server answers and the key is good."""

    @documented("status", "account", {200: Reply(schemas.STATUS)})
    def get(self, request: Request) -> Answer:
        """The SDK asks this first."""
        return answer({"status": "ok"})


class CallerView(View):
    """Whose key it is."""

    @documented("user", "account", {200: Reply(schemas.SELF)})
    def get(self, request: Request) -> Answer:
        """The caller, with the organisations that they belong to."""
        return answer(rendered_self(caller(request)))


class PersonView(View):
    """Somebody by username."""

    @documented("user_read", "account", {200: Reply(schemas.ANYBODY)})
    def get(self, request: Request, username: str) -> Answer:
        """A person, or an organisation; who belongs to it sees its members."""
        person = person_named(username)
        if person.id == self.person:
            return answer(rendered_self(person))
        if person.is_organization:
            return answer(rendered_organization(person, role=role_of(caller(request), person)))
        return answer(rendered_person(person))


def rendered_member(person: Person, role: str) -> JSON:
    """The protocol's Collaborator. It knows no viewer: `role` is the nearest it has, ours is beside it."""
    return {"user": rendered_person(person), "role": "labeler" if role == "viewer" else role, "palimpsest_role": role}


class MembersView(View):
    """The members of a dataset."""

    @documented(
        "collaborators",
        "read",
        {200: Reply(listed(schemas.COLLABORATOR), (DATASET_OFFSET,))},
        parameters=(AT,),
        members_only=True,
    )
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """All members with their roles, now or (`at`) as they were; whoever has no account any more is left out."""
        found = self.dataset(owner, name)
        if found.role is None:
            raise NotFound("The collaborators")
        past = self.past(found)
        if past is None:
            roles = dict(Member.objects.filter(dataset_id=found.id).values_list("person_id", "role"))
        else:
            roles = {uuid.UUID(member.person): member.role for member in past.state.members.values()}
        people = Person.objects.filter(id__in=roles).order_by("username")
        headers = offset_of(found) if past is None else past.headers
        return answer([rendered_member(person, roles[person.id]) for person in people], headers=headers)

    @documented(
        "collaborator_add",
        "members",
        {201: Reply(schemas.COLLABORATOR)},
        body=schemas.NEW_COLLABORATOR,
        appends=True,
        refusals=("already_collaborator", "cannot_collaborate"),
    )
    def post(self, request: Request, owner: str, name: str) -> Answer:
        """Give somebody a role."""
        found = self.dataset(owner, name)
        body = body_of(request)
        # Before anything is said of people: who may not manage members shall not learn of accounts.
        access.require("members", role=found.role, public=found.dataset.public, dataset=found.id)
        if not isinstance(body.get("user"), str):
            raise InvalidValue("user", "must be a username")
        person = person_named(body["user"])
        role = body.get("role", "labeler")
        commands.add_member(intent=intent_of(request), dataset=found.id, person=person.id, role=role)
        return answer(rendered_member(person, role), status=201)


class MemberView(View):
    """One member of a dataset."""

    @documented(
        "collaborator_read",
        "read",
        {200: Reply(schemas.COLLABORATOR, (DATASET_OFFSET,))},
        parameters=(AT,),
        members_only=True,
    )
    def get(self, request: Request, owner: str, name: str, username: str) -> Answer:
        """A member's role, now or (`at`) as it was."""
        found = self.dataset(owner, name)
        past = self.past(found) if found.role is not None else None
        person = person_named(username)
        if past is not None:
            was = past.state.members.get(str(person.id))
            if was is None:
                raise NotFound
            return answer(rendered_member(person, was.role), headers=past.headers)
        member = Member.objects.filter(dataset_id=found.id, person_id=person.id).first()
        if member is None or found.role is None:
            raise NotFound
        return answer(rendered_member(person, member.role), headers=offset_of(found))

    @documented(
        "collaborator_change",
        "members",
        {200: Reply(schemas.COLLABORATOR)},
        body=schemas.ROLE,
        appends=True,
        refusals=("refused",),
    )
    def patch(self, request: Request, owner: str, name: str, username: str) -> Answer:
        """Give a member another role."""
        found = self.dataset(owner, name, "members")
        person = person_named(username)
        role = body_of(request).get("role")
        commands.change_role(intent=intent_of(request), dataset=found.id, person=person.id, role=role)  # type: ignore[arg-type]
        return answer(rendered_member(person, str(role)))

    @documented("collaborator_delete", "members", {204: Reply()}, appends=True, refusals=("refused",))
    def delete(self, request: Request, owner: str, name: str, username: str) -> Answer:
        """Take a member's role away."""
        found = self.dataset(owner, name, "members")
        commands.remove_member(intent=intent_of(request), dataset=found.id, person=person_named(username).id)
        return no_content()
