"""Datasets, label sets and members: what is stored, what is refused, and who may."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling import events as e
from labeling.commands import datasets, organizations, people
from labeling.errors import (
    AlreadyCollaborator,
    AlreadyExists,
    CannotCollaborate,
    IdempotencyKeyReused,
    InvalidValue,
    NotFound,
    NotPermitted,
    Refused,
)
from labeling.log import store
from labeling.models import Dataset, LabelSet, Member
from labeling.queries import datasets as queries
from labeling.rules import dataset_state
from labeling.rules.dataset_state import ROLES, SETTINGS, STREAM

JSON = dict[str, Any]


def facts(dataset: uuid.UUID, after: int = 0) -> list[Any]:
    return [event.fact for event in store.read_stream(dataset, STREAM, after_version=after)]


def create(make_intent: Any, owner: Any, name: str, **fields: Any) -> uuid.UUID:
    known: JSON = {"owner": owner.id, "task_type": "vector", "task_attributes": None, "changes": {}}
    known["intent"] = make_intent(owner)
    return datasets.create_dataset(name=name, **(known | fields))


@pytest.fixture
def ana(person):
    return person("ana")


@pytest.fixture
def ben(person):
    return person("ben")


# --- creating ------------------------------------------------------------------------------------------------------


def test_a_dataset_has_a_ground_truth_and_an_admin(intent, ana):
    made = create(intent, ana, "streets", changes={"enable_ratings": True, "public": True, "unheard_of": 5})
    created, truth, member = facts(made)
    assert created == e.DatasetCreated(
        owner=str(ana.id),
        name="streets",
        task_type="vector",
        settings=SETTINGS | {"enable_ratings": True},
        public=True,
    )
    assert (truth.name, truth.kind) == ("ground-truth", "ground-truth")
    assert member == e.MemberAdded(person=str(ana.id), role="admin")
    assert store.head(made) == 3
    assert [event.offset for event in store.read_stream(made, STREAM)] == [1, 2, 3]


def test_a_dataset_of_an_organisation_has_its_maker_as_admin(intent, ana, person):
    firm = organizations.found_organization(intent=people.operator("test"), username="firm")
    organizations.add_organization_member(
        intent=people.operator("test"), organization=firm.id, person=ana, role="member"
    )
    made = create(intent, firm, "streets", intent=intent(ana))
    assert [fact.person for fact in facts(made)[2:]] == [str(ana.id)]


def test_who_runs_the_installation_makes_a_dataset_for_somebody_and_both_are_admins(intent, ana, person):
    root = person("root", superuser=True)
    made = create(intent, ana, "streets", intent=intent(root))
    assert [fact.person for fact in facts(made)[2:]] == [str(ana.id), str(root.id)]


@pytest.mark.parametrize("kind", ["person", "organization"])
def test_nobody_makes_a_dataset_for_those_to_whom_they_do_not_belong(intent, ana, person, kind):
    other = person("other", kind=kind)
    with pytest.raises(NotPermitted):
        create(intent, other, "streets", intent=intent(ana))
    assert not Dataset.objects.filter(owner_id=other.id).exists()


def test_a_name_is_of_one_dataset_of_its_owner(intent, ana, ben):
    first = create(intent, ana, "streets")
    with pytest.raises(AlreadyExists, match="already exists"):
        create(intent, ana, "streets")
    assert Dataset.objects.filter(name="streets").count() == 1
    create(intent, ben, "streets")
    datasets.delete_dataset(intent=intent(ana), dataset=first)
    create(intent, ana, "streets")


def test_a_retried_creation_makes_one_dataset(intent, ana):
    named: JSON = {"command": uuid.uuid4(), "request_hash": b"1" * 32}
    first = create(intent, ana, "streets", intent=intent(ana, **named))
    assert create(intent, ana, "streets", intent=intent(ana, **named)) == first
    assert (Dataset.objects.filter(name="streets").count(), store.head(first)) == (1, 3)
    with pytest.raises(IdempotencyKeyReused):
        create(intent, ana, "roads", intent=intent(ana, **(named | {"request_hash": b"2" * 32})))


BAD: list[tuple[str, Any]] = [
    *[("name", bad) for bad in ("", " ", "a b", "a/b", "-a", ".a", "é", "a" * 129, None, 5, [], "a\n")],
    *[("task_type", bad) for bad in ("vectors", None, 5, [], {})],
    *[("description", bad) for bad in (5, [], True, "x" * 1_000_001)],
    *[("readme", bad) for bad in (5, {})],
    *[("category", bad) for bad in ("cars", None, [], 5)],
    *[("public", bad) for bad in (1, None, "true")],
    *[("archived", bad) for bad in (0, None)],
    *[("metadata", bad) for bad in (None, [], "x")],
    *[("labeling_inactivity_timeout_seconds", bad) for bad in (0, 86_401, 1.5, True, None, "1", 2**70)],
    *[("region_of_interest", bad) for bad in (5, [], "x")],
    *[("enable_ratings", bad) for bad in (1, "true", None)],
    *[("accepted_label_edits", bad) for bad in ("", "Reopen", None, True, 5, [])],
]


@pytest.mark.parametrize("field, bad", BAD)
def test_a_field_that_does_not_fit_is_refused_by_its_name(field, bad):
    with pytest.raises(InvalidValue) as caught:
        datasets.checked_changes({field: bad})
    assert caught.value.field == field


CATEGORY_FAULTS: list[tuple[Any, str]] = [
    (5, "task_attributes"),
    ([], "task_attributes"),
    ({"categories": {}}, "task_attributes.categories"),
    ({"categories": ["car"]}, "task_attributes.categories[0]"),
    ({"categories": [{"name": "car"}]}, "task_attributes.categories[0].id"),
    ({"categories": [{"id": "1", "name": "car"}]}, "task_attributes.categories[0].id"),
    ({"categories": [{"id": True, "name": "car"}]}, "task_attributes.categories[0].id"),
    ({"categories": [{"id": 1}]}, "task_attributes.categories[0].name"),
    ({"categories": [{"id": 1, "name": 5}]}, "task_attributes.categories[0].name"),
    ({"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}, "task_attributes.categories[1].id"),
]


@pytest.mark.parametrize("document, where", CATEGORY_FAULTS)
def test_categories_that_do_not_fit_are_refused_by_their_place(document, where):
    with pytest.raises(InvalidValue) as caught:
        datasets.checked_task_attributes(document)
    assert caught.value.field.startswith(where)


def test_what_is_not_known_of_categories_is_kept(intent, ana, dataset):
    document = {"categories": [{"id": 1, "name": "car", "odd": {"a": [1]}}], "circle_radius": 3}
    made = dataset(ana, task_attributes=document)
    assert Dataset.objects.get(id=made).task_attributes == document


# --- changing ------------------------------------------------------------------------------------------------------


def test_only_what_differs_becomes_an_event(intent, ana, dataset):
    made = dataset(ana, name="streets", description="d")
    change: JSON = {"description": "d", "enable_ratings": False, "metadata": {}, "odd": 1}
    fewer = {"categories": [{"id": 1, "name": "vehicle"}]}
    datasets.change_dataset(intent=intent(ana), dataset=made, changes=change, task_attributes=...)
    assert store.head(made) == 3
    change |= {"description": "e", "metadata": {"a": 1}, "enable_ratings": True, "readme": None}
    datasets.change_dataset(intent=intent(ana), dataset=made, changes=change, task_attributes=fewer)
    assert facts(made, 3) == [
        e.DatasetSettingsChanged(changes={"description": "e", "metadata": {"a": 1}, "enable_ratings": True}),
        e.CategoryRemoved(id=2),
        e.CategoryRemoved(id=3),
        e.CategoryRenamed(id=1, name="vehicle"),
    ]
    datasets.change_dataset(intent=intent(ana), dataset=made, changes={}, task_attributes=fewer)
    assert store.head(made) == 7
    assert Dataset.objects.get(id=made).task_attributes == fewer


def test_a_dataset_can_have_another_name_but_not_a_taken_one(intent, ana, dataset):
    made, _ = dataset(ana, name="streets"), dataset(ana, name="roads")
    with pytest.raises(AlreadyExists):
        datasets.change_dataset(intent=intent(ana), dataset=made, changes={"name": "roads"})
    datasets.change_dataset(intent=intent(ana), dataset=made, changes={"name": "lanes"})
    assert queries.find_dataset("ana", "lanes", person=ana.id).id == made


def test_the_task_type_is_fixed(intent, ana, dataset):
    made = dataset(ana)
    with pytest.raises(Refused):
        datasets.change_dataset(intent=intent(ana), dataset=made, changes={"task_type": "bboxes"})
    datasets.change_dataset(intent=intent(ana), dataset=made, changes={"task_type": "vector"})
    assert store.head(made) == 3


def test_a_dataset_is_deleted_once(intent, ana, dataset):
    made = dataset(ana, name="streets")
    datasets.delete_dataset(intent=intent(ana), dataset=made)
    for again in (
        lambda: datasets.delete_dataset(intent=intent(ana), dataset=made),
        lambda: datasets.change_dataset(intent=intent(ana), dataset=made, changes={"readme": "x"}),
        lambda: datasets.add_label_set(intent=intent(ana), dataset=made, name="model"),
        lambda: queries.find_dataset("ana", "streets", person=ana.id),
    ):
        with pytest.raises(NotFound):
            again()
    assert store.head(made) == 4


def test_the_dataset_as_it_was_at_an_offset(intent, ana, ben, dataset):
    made = dataset(ana, name="streets", labelers=(ben,))
    datasets.change_dataset(intent=intent(ana), dataset=made, changes={"name": "roads"})
    datasets.remove_member(intent=intent(ana), dataset=made, person=ben.id)
    names = [queries.state_at(made, offset).name for offset in range(7)]
    assert names == ["", "streets", "streets", "streets", "streets", "roads", "roads"]
    assert [len(queries.state_at(made, offset).members) for offset in range(7)] == [0, 0, 0, 1, 2, 2, 1]
    assert queries.state_at(made, 6) == queries.state_of(made)


# --- label sets ----------------------------------------------------------------------------------------------------


def test_label_sets_are_made_and_deleted_and_their_names_are_free_again(intent, ana, dataset):
    made = dataset(ana)
    datasets.add_label_set(intent=intent(ana), dataset=made, name="model", description="d")
    with pytest.raises(AlreadyExists):
        datasets.add_label_set(intent=intent(ana), dataset=made, name="model")
    with pytest.raises(AlreadyExists):
        datasets.add_label_set(intent=intent(ana), dataset=made, name="ground-truth")
    datasets.archive_label_set(intent=intent(ana), dataset=made, name="model")
    with pytest.raises(NotFound):
        datasets.archive_label_set(intent=intent(ana), dataset=made, name="model")
    datasets.add_label_set(intent=intent(ana), dataset=made, name="model")
    assert LabelSet.objects.filter(dataset_id=made, name="model").count() == 2


def test_the_ground_truth_stays(intent, ana, dataset):
    with pytest.raises(Refused):
        datasets.archive_label_set(intent=intent(ana), dataset=dataset(ana), name="ground-truth")


@pytest.mark.parametrize("name, description, field", [("a b", "", "name"), (None, "", "name"), ("a", 5, "description")])
def test_a_label_set_that_does_not_fit_is_refused(intent, ana, dataset, name, description, field):
    with pytest.raises(InvalidValue) as caught:
        datasets.add_label_set(intent=intent(ana), dataset=dataset(ana), name=name, description=description)
    assert caught.value.field == field


# --- members -------------------------------------------------------------------------------------------------------


def test_members_join_change_and_leave(intent, ana, ben, dataset):
    made = dataset(ana)
    datasets.add_member(intent=intent(ana), dataset=made, person=ben.id, role="viewer")
    with pytest.raises(AlreadyCollaborator, match="already a collaborator"):
        datasets.add_member(intent=intent(ana), dataset=made, person=ben.id, role="admin")
    datasets.change_role(intent=intent(ana), dataset=made, person=ben.id, role="reviewer")
    datasets.change_role(intent=intent(ana), dataset=made, person=ben.id, role="reviewer")
    assert store.head(made) == 5
    datasets.remove_member(intent=intent(ana), dataset=made, person=ben.id)
    datasets.add_member(intent=intent(ana), dataset=made, person=ben.id, role="labeler")
    assert list(Member.objects.filter(dataset_id=made, person_id=ben.id).values_list("role", flat=True)) == ["labeler"]


@pytest.mark.parametrize("role", ["boss", "", None, 5, []])
def test_a_role_that_there_is_not_is_refused(intent, ana, ben, dataset, role):
    made = dataset(ana)
    for give in (datasets.add_member, datasets.change_role):
        with pytest.raises(InvalidValue):
            give(intent=intent(ana), dataset=made, person=ben.id, role=role)


def test_a_dataset_keeps_an_admin(intent, ana, ben, dataset):
    made = dataset(ana, labelers=(ben,))
    with pytest.raises(Refused):
        datasets.remove_member(intent=intent(ana), dataset=made, person=ana.id)
    with pytest.raises(Refused):
        datasets.change_role(intent=intent(ana), dataset=made, person=ana.id, role="viewer")
    datasets.change_role(intent=intent(ana), dataset=made, person=ben.id, role="admin")
    datasets.remove_member(intent=intent(ben), dataset=made, person=ana.id)
    with pytest.raises(NotFound):
        datasets.change_dataset(intent=intent(ana), dataset=made, changes={"readme": "x"})


def test_nobody_who_is_no_member_has_a_role(intent, ana, ben, dataset):
    made = dataset(ana)
    for change in (
        lambda: datasets.change_role(intent=intent(ana), dataset=made, person=ben.id, role="admin"),
        lambda: datasets.remove_member(intent=intent(ana), dataset=made, person=ben.id),
    ):
        with pytest.raises(NotFound):
            change()


CHANGES = [
    lambda intent, made, who: datasets.change_dataset(intent=intent, dataset=made, changes={"readme": "x"}),
    lambda intent, made, who: datasets.delete_dataset(intent=intent, dataset=made),
    lambda intent, made, who: datasets.add_label_set(intent=intent, dataset=made, name="model"),
    lambda intent, made, who: datasets.archive_label_set(intent=intent, dataset=made, name="model"),
    lambda intent, made, who: datasets.add_member(intent=intent, dataset=made, person=who, role="admin"),
    lambda intent, made, who: datasets.change_role(intent=intent, dataset=made, person=who, role="admin"),
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("role", ["viewer", "labeler", "reviewer", "manager", None])
@pytest.mark.parametrize("public", [True, False])
def test_only_admins_change_a_dataset(intent, ana, ben, dataset, change, role, public):
    made = dataset(ana, public=public)
    if role:
        datasets.add_member(intent=intent(ana), dataset=made, person=ben.id, role=role)
    head = store.head(made)
    with pytest.raises(NotPermitted if role or public else NotFound):
        change(intent(ben), made, ben.id)
    assert store.head(made) == head


@pytest.fixture
def team(intent, ana, person, dataset):
    """A dataset of ana, in which each role has a member of its name; and one more who is no member."""
    made = dataset(ana)
    for role in ROLES:
        datasets.add_member(intent=intent(ana), dataset=made, person=person(role).id, role=role)
    return made, {role: person(role) for role in (*ROLES, "stranger")}


BELOW_ADMIN = [role for role in ROLES if role != "admin"]


@pytest.mark.parametrize("role", ROLES)
def test_managers_manage_members_below_admin_and_admins_all(intent, team, role):
    made, who = team
    author = intent(who[role])
    for other in (*BELOW_ADMIN, "admin"):
        steps = [
            lambda other=other: datasets.add_member(intent=author, dataset=made, person=who["stranger"].id, role=other),
            lambda other=other: datasets.change_role(
                intent=author, dataset=made, person=who["stranger"].id, role="viewer"
            ),
            lambda other=other: datasets.remove_member(intent=author, dataset=made, person=who["stranger"].id),
        ]
        if role == "admin" or (role == "manager" and other != "admin"):
            for step in steps:
                step()
        else:
            with pytest.raises(NotPermitted):
                steps[0]()
    assert Member.objects.filter(dataset_id=made).count() == len(ROLES) + 1


@pytest.mark.parametrize("role", ["labeler", "manager"])
def test_nobody_but_an_admin_unmakes_an_admin_or_makes_one_of_themselves(intent, team, role):
    made, who = team
    head = store.head(made)
    author = intent(who[role])
    with pytest.raises(NotPermitted):
        datasets.remove_member(intent=author, dataset=made, person=who["admin"].id)
    with pytest.raises(NotPermitted):
        datasets.change_role(intent=author, dataset=made, person=who["admin"].id, role="viewer")
    with pytest.raises(NotPermitted):
        datasets.change_role(intent=author, dataset=made, person=who[role].id, role="admin")
    assert store.head(made) == head


def test_an_organisation_is_no_collaborator(intent, ana, person, dataset):
    made = dataset(ana)
    with pytest.raises(CannotCollaborate, match="cannot be added as collaborator"):
        datasets.add_member(
            intent=intent(ana), dataset=made, person=person("firm", kind="organization").id, role="viewer"
        )


@pytest.mark.parametrize("value", ["reopen", "refuse", "allow"])
def test_what_an_edit_of_an_accepted_label_does_is_a_setting(intent, ana, dataset, value):
    made = dataset(ana, accepted_label_edits=value)
    assert queries.state_of(made).settings["accepted_label_edits"] == value


def test_who_runs_the_installation_may_change_every_dataset(intent, ana, person, dataset):
    root = person("root", superuser=True)
    made = dataset(ana)
    datasets.change_dataset(intent=intent(root), dataset=made, changes={"readme": "x"})
    assert facts(made, 3) == [e.DatasetSettingsChanged(changes={"readme": "x"})]
    root.is_active = False
    root.save()
    with pytest.raises(NotFound):
        datasets.change_dataset(intent=intent(root), dataset=made, changes={"readme": "y"})


def test_a_change_that_was_retried_happens_once(intent, ana, dataset):
    made = dataset(ana)
    named: JSON = {"command": uuid.uuid4(), "request_hash": b"1" * 32}
    for _ in range(2):
        datasets.add_label_set(intent=intent(ana, **named), dataset=made, name="model")
    assert store.head(made) == 4
    with pytest.raises(IdempotencyKeyReused):
        datasets.add_label_set(intent=intent(ana, **(named | {"request_hash": b"2" * 32})), dataset=made, name="other")


def test_who_is_slower_decides_again(intent, ana, ben, dataset, monkeypatch):
    """Two admins each take the other's role at the same time: one of them has to stay."""
    made = dataset(ana, labelers=(ben,))
    datasets.change_role(intent=intent(ana), dataset=made, person=ben.id, role="admin")
    append, late = store.append, [True]

    def slow(log: uuid.UUID, **keywords: Any) -> Any:
        if late:
            late.clear()
            datasets.remove_member(intent=intent(ben), dataset=made, person=ana.id)
        return append(log, **keywords)

    monkeypatch.setattr(store, "append", slow)
    with pytest.raises(NotFound):
        datasets.remove_member(intent=intent(ana), dataset=made, person=ben.id)
    assert [member.role for member in queries.state_of(made).members.values()] == ["admin"]


def test_the_state_of_a_dataset_is_its_rows(intent, ana, ben, dataset):
    made = dataset(ana, labelers=(ben,), metadata={"a": [1, 2.5]}, region_of_interest={"x": 1})
    assert queries.state_of(made) == queries.state_at(made, store.head(made))
    assert dataset_state.difference(queries.state_of(made), queries.state_of(made)).out == {}
