"""Members of datasets and of organisations in the admin: each role gives and takes what the roles table says."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

import pytest
from django.urls import reverse

from labeling.commands import datasets, organizations
from labeling.log.event import INSTALLATION, Intent
from labeling.models import Dataset, Member, OrganizationMember, Person
from labeling.queries.organizations import role_in
from tests.labeling.admin.markup import refused
from tests.labeling.admin.world import World, logged_in

ORGANIZATIONS = "admin:labeling_organizationmember_changelist"


def page_of(dataset: uuid.UUID) -> str:
    return reverse("admin:labeling_dataset_change", args=[dataset])


def organization_of(world: World) -> str:
    return reverse("admin:labeling_organizationmember_change", args=[world.organization.id])


def give(world: World, person: Person, role: str) -> None:
    intent = Intent(author=world.edda.id)
    datasets.add_member(intent=intent, dataset=world.dataset, person=person.id, role=role)


def join(world: World, person: Person, role: str) -> None:
    organizations.add_organization_member(
        intent=Intent(author=world.edda.id, reason="needed"),
        organization=world.organization.id,
        person=person,
        role=role,
    )


def sent(rows: Any, seen: Any, **changes: Any) -> dict[str, Any]:
    """What a browser sends from the rows of a page of members."""
    found: dict[str, Any] = {"seen": seen, "reason": "as agreed"}
    for form in (rows.management_form, *rows):
        for field in form:
            value = field.value()
            if value is not None and value is not False and not field.field.disabled:
                found[field.html_name] = value
    return found | {f"members-{key}": value for key, value in changes.items()}


def roles(world: World) -> dict[str, str]:
    people = dict(Person.objects.values_list("id", "username"))
    rows = Member.objects.filter(dataset_id=world.dataset).values_list("person_id", "role")
    return {people[person]: role for person, role in rows}


# --- of a dataset ----------------------------------------------------------------------------------------------------


def test_a_manager_manages_members_below_admin_and_changes_nothing_else(world: World) -> None:
    give(world, world.maja, "manager")
    client = world.clients["maja"]
    page = client.get(page_of(world.dataset))
    rows = page.context["adminform"].form.members
    said = sent(rows, Dataset.objects.get(id=world.dataset).version, **{"0-role": "reviewer", "3-person": "anke"})

    events = world.new_events(lambda: client.post(page_of(world.dataset), said | {"description": "mine now"}))

    assert [(event.type, event.intent.author, event.intent.tool) for event in events] == [
        ("MemberAdded", world.maja.id, "admin"),
        ("MemberRoleChanged", world.maja.id, "admin"),
    ]
    assert roles(world) == {"bodo": "reviewer", "edda": "admin", "maja": "manager", "anke": "labeler"}
    assert Dataset.objects.get(id=world.dataset).description == "A street"


def test_a_manager_sees_admins_and_cannot_move_them(world: World) -> None:
    give(world, world.maja, "manager")
    client = world.clients["maja"]
    rows = client.get(page_of(world.dataset)).context["adminform"].form.members
    edda = next(row for row in rows if row.initial.get("role") == "admin")
    offered = [[name for name, _ in row.fields["role"].choices] for row in rows if not row.fixed]
    version = Dataset.objects.get(id=world.dataset).version

    assert edda.fixed
    assert all("admin" not in names for names in offered)
    number = rows.forms.index(edda)
    for changes in ({f"{number}-DELETE": "on"}, {f"{number}-role": "viewer"}, {"0-role": "admin"}):
        said = sent(rows, version, **changes)
        assert world.new_events(partial(client.post, page_of(world.dataset), said)) == [], changes
    assert roles(world)["edda"] == "admin"


@pytest.mark.parametrize("role", ["viewer", "labeler", "reviewer"])
def test_who_manages_no_members_only_sees_them(world: World, role: str) -> None:
    give(world, world.maja, role)
    client = world.clients["maja"]
    page = client.get(page_of(world.dataset))
    html = page.content.decode()

    assert "bodo" in html
    assert 'name="_save"' not in html
    said = {"members-TOTAL_FORMS": 3, "members-INITIAL_FORMS": 3, "members-0-role": "admin"}
    events = world.new_events(lambda: client.post(page_of(world.dataset), said))
    assert events == []
    assert client.post(page_of(world.dataset), said).status_code == 403


def test_only_an_admin_deletes_a_dataset_that_a_manager_may_open_for_change(world: World) -> None:
    give(world, world.maja, "manager")

    answer = world.clients["maja"].post(reverse("admin:labeling_dataset_delete", args=[world.dataset]))

    assert answer.status_code == 403
    assert not Dataset.objects.get(id=world.dataset).deleted


# --- of an organisation ----------------------------------------------------------------------------------------------


def test_an_organisation_is_founded_by_who_runs_the_installation(world: World) -> None:
    answers: list[Any] = []
    address = reverse("admin:labeling_organizationmember_add")

    events = world.new_events(
        lambda: answers.append(world.admin.post(address, {"username": "new-guild"})), INSTALLATION
    )

    made = Person.objects.get(username="new-guild")
    assert made.is_organization
    assert [event.type for event in events] == ["PersonAdded", "OrganizationMemberAdded"]
    assert {(event.intent.author, event.intent.tool) for event in events} == {(world.anke.id, "admin")}
    assert answers[0]["Location"] == reverse("admin:labeling_organizationmember_change", args=[made.id])


def test_others_found_none(world: World) -> None:
    address = reverse("admin:labeling_organizationmember_add")

    assert world.clients["edda"].get(address).status_code == 403
    assert world.clients["edda"].post(address, {"username": "own"}).status_code == 403
    assert not Person.objects.filter(username="own").exists()


def test_a_name_that_is_taken_or_cannot_be_one_is_said_at_its_field(world: World) -> None:
    for name in ("edda", "no spaces", ""):
        answer = world.admin.post(reverse("admin:labeling_organizationmember_add"), {"username": name})
        assert list(answer.context["adminform"].form.errors) == ["username"], name


def test_an_administrator_who_is_no_superuser_manages_the_members(world: World) -> None:
    client = world.clients["edda"]
    page = client.get(organization_of(world))
    assert refused(page.content.decode()) == []
    said = sent(page.context["rows"], page.context["seen"], **{"1-person": "maja", "1-role": "administrator"})

    events = world.new_events(lambda: client.post(organization_of(world), said), INSTALLATION)
    page = client.get(organization_of(world))
    said = sent(page.context["rows"], page.context["seen"], **{"0-role": "member"})  # edda herself
    more = world.new_events(lambda: client.post(organization_of(world), said), INSTALLATION)

    assert [event.type for event in events + more] == ["OrganizationMemberAdded", "OrganizationMemberRoleChanged"]
    assert {(event.intent.author, event.intent.tool) for event in events + more} == {(world.edda.id, "admin")}
    assert role_in(world.organization.id, world.maja.id) == "administrator"


def test_the_last_administrator_stays_and_the_page_says_why(world: World) -> None:
    client = world.clients["edda"]
    page = client.get(organization_of(world))
    said = sent(page.context["rows"], page.context["seen"], **{"0-DELETE": "on"})
    answers: list[Any] = []

    events = world.new_events(lambda: answers.append(client.post(organization_of(world), said)), INSTALLATION)

    assert events == []
    assert "Member edda: The last administrator cannot leave" in answers[0].content.decode()


def test_an_outdated_page_of_members_is_not_saved(world: World) -> None:
    page = world.admin.get(organization_of(world))
    old = sent(page.context["rows"], page.context["seen"], **{"1-person": "bodo"})
    join(world, world.maja, "member")
    answers: list[Any] = []

    assert world.new_events(lambda: answers.append(world.admin.post(organization_of(world), old)), INSTALLATION) == []
    assert "Somebody changed this" in answers[0].content.decode()


def test_a_member_reads_and_changes_nothing(world: World) -> None:
    join(world, world.maja, "member")
    client = world.clients["maja"]
    page = client.get(organization_of(world))
    said = {
        "seen": page.context["seen"],
        "members-TOTAL_FORMS": 2,
        "members-INITIAL_FORMS": 2,
        "members-0-DELETE": "on",
    }

    assert "edda" in page.content.decode()
    assert 'type="submit" class="default"' not in page.content.decode()
    assert client.post(organization_of(world), said).status_code == 403
    assert OrganizationMember.objects.filter(organization_id=world.organization.id).count() == 2


def test_an_organisation_of_others_is_not_there(world: World) -> None:
    client = world.clients["maja"]

    assert client.get(organization_of(world)).status_code == 404
    assert client.post(organization_of(world), {}).status_code == 404
    assert "You belong to no organisation" in client.get(reverse(ORGANIZATIONS)).content.decode()


def test_who_takes_themselves_out_is_led_back_to_the_list(world: World) -> None:
    join(world, world.maja, "administrator")
    client = logged_in(world.maja)
    page = client.get(organization_of(world))
    number = next(n for n, row in enumerate(page.context["rows"]) if row.initial.get("person") == world.maja)
    said = sent(page.context["rows"], page.context["seen"], **{f"{number}-DELETE": "on"})

    assert client.post(organization_of(world), said)["Location"] == reverse(ORGANIZATIONS)


def test_the_list_counts_members_and_datasets(world: World) -> None:
    lines = world.admin.get(reverse(ORGANIZATIONS)).context["lines"]

    assert {"name": "guild", "members": 1, "datasets": 0, "role": ""}.items() <= next(
        line for line in lines if line["name"] == "guild"
    ).items()
