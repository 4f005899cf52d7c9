"""Organisations and who belongs to them."""

from __future__ import annotations

from rest_framework.request import Request

from labeling.api.answers import answer, no_content
from labeling.api.contract import Reply, documented
from labeling.api.datasets import DatasetListView
from labeling.api.people import rendered_memberships, rendered_organization, rendered_person, role_of
from labeling.api.requests import body_of, caller, intent_of
from labeling.api.schemas import datasets
from labeling.api.schemas import people as schemas
from labeling.api.schemas.forms import listed
from labeling.api.schemas.parameters import DATASET_OFFSET, PAGING
from labeling.api.views import Answer, View
from labeling.commands import organizations as commands
from labeling.commands.people import person_named
from labeling.errors import InvalidValue, NotFound
from labeling.models import Person
from labeling.queries import organizations as queries
from labeling.rules import access


def organization_named(name: str) -> Person:
    """Raises NotFound when there is no organisation of that name."""
    found = person_named(name)
    if not found.is_organization:
        raise NotFound("The organization")
    return found


class OrganizationsView(View):
    """The organisations of the caller."""

    @documented("organizations", "account", {200: Reply(listed(schemas.ORGANIZATION_MEMBER))})
    def get(self, request: Request) -> Answer:
        """Every organisation that the caller belongs to."""
        return answer(rendered_memberships(queries.organizations_of(self.person)))

    @documented(
        "organization_add",
        "superuser",
        {201: Reply(schemas.ORGANIZATION)},
        body=schemas.NEW_ORGANIZATION,
        appends=True,
        refusals=("already_exists",),
    )
    def post(self, request: Request) -> Answer:
        """Found an organisation (who runs the installation); its `username` stands in front of its datasets."""
        body = body_of(request)
        if "username" not in body:
            raise InvalidValue("username", "is required")
        email = body.get("email", "")
        if not isinstance(email, str) or len(email) > 254:
            raise InvalidValue("email", "must be a string of at most 254 characters")
        made = commands.found_organization(intent=intent_of(request), username=body["username"], email=email)
        return answer(rendered_organization(made, role="administrator"), status=201)


class OrganizationDatasetsView(DatasetListView):
    """The datasets of an organisation."""

    @documented("datasets_of_organization", "account", {200: Reply(listed(datasets.DATASET))}, parameters=PAGING)
    def get(self, request: Request, organization: str) -> Answer:  # type: ignore[override]
        """A page of the organisation's datasets that the caller may see, by name."""
        return super().get(request, organization_named(organization).username)

    @documented(
        "dataset_add_for_organization",
        "create-dataset",
        {201: Reply(datasets.DATASET, (DATASET_OFFSET,))},
        body=datasets.NEW_DATASET,
        appends=True,
        refusals=("already_exists",),
    )
    def post(self, request: Request, organization: str) -> Answer:  # type: ignore[override]
        """Create a dataset that the organisation owns."""
        return super().post(request, organization_named(organization).username)


class OrganizationMembersView(View):
    """Who belongs to an organisation."""

    @documented("organization_members", "organization-members", {200: Reply(listed(schemas.ORGANIZATION_MEMBER))})
    def get(self, request: Request, organization: str) -> Answer:
        """All members, for members."""
        found = organization_named(organization)
        access.require_in_organization("members", role=role_of(caller(request), found))
        return answer(rendered_memberships(queries.members_of(found.id)))

    @documented(
        "organization_member_add",
        "organization-manage",
        {201: Reply(schemas.ORGANIZATION_MEMBER)},
        body=schemas.NEW_ORGANIZATION_MEMBER,
        appends=True,
        refusals=("already_member",),
    )
    def post(self, request: Request, organization: str) -> Answer:
        """Give a `user` a `role` in it: member (if it is left out) or administrator."""
        found = organization_named(organization)
        access.require_in_organization("manage", role=role_of(caller(request), found))
        body = body_of(request)
        if not isinstance(body.get("user"), str):
            raise InvalidValue("user", "must be a username")
        person, role = person_named(body["user"]), body.get("role", "member")
        commands.add_organization_member(intent=intent_of(request), organization=found.id, person=person, role=role)
        return answer(rendered_person(person, organization_role=role), status=201)


class OrganizationMemberView(View):
    """One member of an organisation."""

    @documented("organization_member_read", "organization-members", {200: Reply(schemas.ORGANIZATION_MEMBER)})
    def get(self, request: Request, organization: str, username: str) -> Answer:
        """A member's role."""
        found = organization_named(organization)
        access.require_in_organization("members", role=role_of(caller(request), found))
        person = person_named(username)
        role = queries.role_in(found.id, person.id)
        if role is None:
            raise NotFound("The member")
        return answer(rendered_person(person, organization_role=role))

    @documented(
        "organization_member_change",
        "organization-manage",
        {200: Reply(schemas.ORGANIZATION_MEMBER)},
        body=schemas.ORGANIZATION_ROLE,
        appends=True,
        refusals=("last_administrator",),
    )
    def patch(self, request: Request, organization: str, username: str) -> Answer:
        """Give a member another `role`."""
        found = organization_named(organization)
        access.require_in_organization("manage", role=role_of(caller(request), found))
        person, role = person_named(username), body_of(request).get("role")
        commands.change_organization_role(intent=intent_of(request), organization=found.id, person=person.id, role=role)
        return answer(rendered_person(person, organization_role=str(role)))

    @documented(
        "organization_member_delete",
        "organization-manage",
        {204: Reply()},
        appends=True,
        refusals=("last_administrator",),
    )
    def delete(self, request: Request, organization: str, username: str) -> Answer:
        """Take a member's role away, or leave; what they did stays theirs."""
        found = organization_named(organization)
        action = "members" if username == caller(request).username else "manage"
        access.require_in_organization(action, role=role_of(caller(request), found))
        commands.remove_organization_member(
            intent=intent_of(request), organization=found.id, person=person_named(username).id
        )
        return no_content()
