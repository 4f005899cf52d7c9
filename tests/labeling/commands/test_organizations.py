"""Organisations: who belongs to them, who says so, and what that gives in their datasets."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling import events as e
from labeling.commands import datasets, organizations, people
from labeling.errors import (
    AlreadyExists,
    AlreadyMember,
    InvalidValue,
    LastAdministrator,
    NotFound,
    NotPermitted,
)
from labeling.log import rebuild, store
from labeling.log.event import INSTALLATION
from labeling.models import OrganizationMember, Person
from labeling.queries import datasets as dataset_queries
from labeling.queries import organizations as queries
from labeling.rules.access import ORGANIZATION_ROLES, acting_role
from labeling.rules.dataset_state import ROLES
from labeling.rules.organization_state import OrganizationState, fold, organization_stream

JSON = dict[str, Any]


@pytest.fixture(autouse=True)
def no_reasons(settings):
    """Who may do what is asked here; what needs a reason is in admin/test_reasons_of_installation.py."""
    settings.REASONS_REQUIRED = []


@pytest.fixture
def rita(person):
    return person("rita", superuser=True)


@pytest.fixture
def bodo(person):
    return person("bodo")


@pytest.fixture
def mona(person):
    return person("mona")


@pytest.fixture
def firm(intent, rita, bodo):
    """An organisation that rita, who runs the installation, founded for bodo."""
    made = organizations.found_organization(intent=intent(rita), username="firm")
    add(intent(rita), made, bodo, "administrator")
    organizations.remove_organization_member(intent=intent(rita), organization=made.id, person=rita.id)
    return made


def add(intent: Any, organization: Person, person: Person, role: str = "member") -> None:
    organizations.add_organization_member(intent=intent, organization=organization.id, person=person, role=role)


def change(intent: Any, organization: Person, person: Person, role: str) -> None:
    organizations.change_organization_role(intent=intent, organization=organization.id, person=person.id, role=role)


def remove(intent: Any, organization: Person, person: Person) -> None:
    organizations.remove_organization_member(intent=intent, organization=organization.id, person=person.id)


def facts(organization: Person) -> list[Any]:
    return [event.fact for event in store.read_stream(INSTALLATION, organization_stream(organization.id))]


def roles(organization: Person) -> dict[str, str]:
    return {item.person.username: item.role for item in queries.members_of(organization.id)}


# --- who belongs to it ---------------------------------------------------------------------------------------------


def test_who_founds_an_organisation_administers_it(intent, rita):
    made = organizations.found_organization(intent=intent(rita), username="firm", email="office@example.org")
    assert made.is_organization and not made.has_usable_password()
    assert facts(made) == [e.OrganizationMemberAdded(person=str(rita.id), role="administrator")]
    assert roles(made) == {"rita": "administrator"}
    assert queries.founder_of(made.id) == "rita"


def test_one_that_the_machines_operator_founds_has_no_members(db):
    made = organizations.found_organization(intent=people.operator("test"), username="firm")
    assert (facts(made), roles(made), queries.founder_of(made.id)) == ([], {}, None)


def test_only_who_runs_the_installation_founds_one(intent, bodo):
    with pytest.raises(NotPermitted, match="needs a superuser"):
        organizations.found_organization(intent=intent(bodo), username="firm")
    assert not Person.objects.filter(username="firm").exists()


def test_a_name_that_is_taken_leaves_nothing_behind(intent, rita, bodo):
    head = store.head(INSTALLATION)
    with pytest.raises(AlreadyExists):
        organizations.found_organization(intent=intent(rita), username="bodo")
    assert store.head(INSTALLATION) == head


def test_members_join_change_roles_and_leave(intent, firm, bodo, mona):
    add(intent(bodo), firm, mona)
    assert roles(firm) == {"bodo": "administrator", "mona": "member"}
    assert [item.person.username for item in queries.organizations_of(mona.id)] == ["firm"]
    change(intent(bodo), firm, mona, "administrator")
    remove(intent(bodo), firm, bodo)
    assert roles(firm) == {"mona": "administrator"}
    assert facts(firm)[-3:] == [
        e.OrganizationMemberAdded(person=str(mona.id), role="member"),
        e.OrganizationMemberRoleChanged(person=str(mona.id), role="administrator"),
        e.OrganizationMemberRemoved(person=str(bodo.id)),
    ]
    add(intent(mona), firm, bodo)
    assert roles(firm) == {"bodo": "member", "mona": "administrator"}


def test_the_members_are_what_the_log_folds_to(intent, firm, bodo, mona):
    add(intent(bodo), firm, mona)
    assert rebuild.differences(INSTALLATION) == {}
    stream = organization_stream(firm.id)
    folded = fold(OrganizationState(INSTALLATION, stream), list(store.read_stream(INSTALLATION, stream)))
    assert folded == queries.state_of(firm.id)
    OrganizationMember.objects.filter(person_id=mona.id).delete()
    assert rebuild.differences(INSTALLATION) == {"labeling_organizationmember": 1}
    rebuild.rebuild(INSTALLATION)
    assert queries.state_of(firm.id) == folded


def test_a_member_is_no_member_twice(intent, firm, bodo, mona):
    add(intent(bodo), firm, mona)
    with pytest.raises(AlreadyMember):
        add(intent(bodo), firm, mona, "administrator")
    assert roles(firm)["mona"] == "member"


def test_a_role_that_is_there_already_is_no_event(intent, firm, bodo):
    head = store.head(INSTALLATION)
    change(intent(bodo), firm, bodo, "administrator")
    assert store.head(INSTALLATION) == head


@pytest.mark.parametrize("role", ["", "admin", "viewer", "Member", None, 1, [], {}])
def test_a_role_that_is_none_is_refused_by_its_field(intent, firm, bodo, mona, role):
    with pytest.raises(InvalidValue) as refused:
        add(intent(bodo), firm, mona, role)
    assert refused.value.field == "role"
    with pytest.raises(InvalidValue):
        change(intent(bodo), firm, bodo, role)


def test_an_organisation_does_not_belong_to_another(intent, firm, bodo, person):
    with pytest.raises(InvalidValue, match="must be a person"):
        add(intent(bodo), firm, person("other", kind="organization"))


def test_who_is_no_member_has_no_role(intent, firm, bodo, mona):
    with pytest.raises(NotFound):
        change(intent(bodo), firm, mona, "member")
    with pytest.raises(NotFound):
        remove(intent(bodo), firm, mona)


def test_a_retry_happens_once(intent, firm, bodo, mona):
    named: JSON = {"command": uuid.uuid4(), "request_hash": b"1" * 32}
    for _ in range(2):
        add(intent(bodo, **named), firm, mona)
    assert facts(firm)[-1] == e.OrganizationMemberAdded(person=str(mona.id), role="member")


# --- who may -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["member", None])
def test_only_administrators_manage_members(intent, firm, bodo, mona, person, role):
    if role:
        add(intent(bodo), firm, mona, role)
    head = store.head(INSTALLATION)
    for act in (
        lambda: add(intent(mona), firm, person("pim")),
        lambda: add(intent(mona), firm, mona, "administrator"),
        lambda: change(intent(mona), firm, mona, "administrator"),
        lambda: change(intent(mona), firm, bodo, "member"),
        lambda: remove(intent(mona), firm, bodo),
    ):
        person("pim")
        head = store.head(INSTALLATION)
        with pytest.raises(NotPermitted, match="need to be an administrator"):
            act()
        assert store.head(INSTALLATION) == head


def test_a_member_may_leave(intent, firm, bodo, mona):
    add(intent(bodo), firm, mona)
    remove(intent(mona), firm, mona)
    assert roles(firm) == {"bodo": "administrator"}


def test_who_runs_the_installation_manages_every_organisation(intent, firm, rita, mona):
    add(intent(rita), firm, mona)
    change(intent(rita), firm, mona, "administrator")
    assert roles(firm) == {"bodo": "administrator", "mona": "administrator"}


def test_the_last_administrator_stays(intent, firm, rita, bodo, mona):
    add(intent(bodo), firm, mona)
    for act in (
        lambda: remove(intent(bodo), firm, bodo),
        lambda: change(intent(bodo), firm, bodo, "member"),
        lambda: remove(intent(rita), firm, bodo),
    ):
        with pytest.raises(LastAdministrator, match="cannot leave the organization"):
            act()
    assert roles(firm) == {"bodo": "administrator", "mona": "member"}


# --- in its datasets -----------------------------------------------------------------------------------------------


def make(intent: Any, owner: Person, name: str = "streets", **changes: Any) -> uuid.UUID:
    return datasets.create_dataset(
        intent=intent, owner=owner.id, name=name, task_type="vector", task_attributes=None, changes=changes
    )


def role_now(dataset: uuid.UUID, person: Person) -> str | None:
    """The role as the reads have it, which must be the one that the commands have."""
    seen = dataset_queries.dataset_by_id(dataset, person=person.id).role
    assert dataset_queries.find_dataset("firm", "streets", person=person.id).role == seen
    assert dataset_queries.role_of(person.id, dataset_queries.state_of(dataset)) == seen
    return seen


@pytest.mark.parametrize("own", [None, *ROLES])
@pytest.mark.parametrize("organization_role", [None, *ORGANIZATION_ROLES])
def test_membership_of_the_owner_is_a_role_in_its_datasets(intent, firm, bodo, mona, own, organization_role):
    made = make(intent(bodo), firm)
    if organization_role:
        add(intent(bodo), firm, mona, organization_role)
    if own:
        datasets.add_member(intent=intent(bodo), dataset=made, person=mona.id, role=own)
    expected = acting_role(own, organization_role=organization_role)
    assert role_now(made, mona) == expected
    mine = dataset_queries.datasets_of(mona.id, owner=None, limit=9, skip=0)
    assert [(item.id, item.role) for item in mine] == ([(made, expected)] if expected else [])
    assert dataset_queries.roles_of(mona.id) == ({made: expected} if expected else {})


def test_who_leaves_an_organisation_sees_its_datasets_no_more(intent, firm, bodo, mona):
    made = make(intent(bodo), firm)
    add(intent(bodo), firm, mona)
    assert role_now(made, mona) == "viewer"
    remove(intent(mona), firm, mona)
    assert role_now(made, mona) is None
    assert dataset_queries.datasets_of(mona.id, owner=firm.id, limit=9, skip=0) == []


def test_an_administrator_changes_a_dataset_that_somebody_else_made(intent, firm, bodo, mona):
    add(intent(bodo), firm, mona)
    made = make(intent(mona), firm)
    datasets.change_dataset(intent=intent(bodo), dataset=made, changes={"readme": "x"})
    assert role_now(made, bodo) == "admin"


def test_a_member_only_reads_what_others_made(intent, firm, bodo, mona):
    made = make(intent(bodo), firm)
    add(intent(bodo), firm, mona)
    with pytest.raises(NotPermitted):
        datasets.change_dataset(intent=intent(mona), dataset=made, changes={"readme": "x"})


def test_who_runs_the_installation_is_an_admin_of_its_datasets(intent, firm, rita, bodo):
    made = make(intent(bodo), firm)
    datasets.add_member(intent=intent(bodo), dataset=made, person=rita.id, role="viewer")
    assert role_now(made, rita) == "admin"
    Person.objects.filter(id=rita.id).update(is_active=False)
    assert role_now(made, rita) == "viewer"


def test_the_organisations_own_account_is_an_admin_of_its_datasets(intent, firm, bodo):
    made = make(intent(bodo), firm)
    assert role_now(made, firm) == "admin"
    assert [item.id for item in dataset_queries.datasets_of(firm.id, owner=None, limit=9, skip=0)] == [made]


def test_a_person_who_owns_a_dataset_and_is_no_member_any_more_has_no_role(intent, bodo, mona):
    made = make(intent(bodo), bodo)
    datasets.add_member(intent=intent(bodo), dataset=made, person=mona.id, role="admin")
    datasets.remove_member(intent=intent(mona), dataset=made, person=bodo.id)
    assert dataset_queries.dataset_by_id(made, person=bodo.id).role is None
    assert dataset_queries.datasets_of(bodo.id, owner=None, limit=9, skip=0) == []
