from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.urls import reverse

from labeling.commands import datasets
from labeling.log.event import Intent
from labeling.models import Dataset, Member
from labeling.rules.dataset_state import SETTINGS
from tests.labeling.admin.world import World

LIST = "admin:labeling_dataset_changelist"
ADD = "admin:labeling_dataset_add"


def page_of(dataset: uuid.UUID) -> str:
    return reverse("admin:labeling_dataset_change", args=[dataset])


def sent(world: World, **changes: Any) -> dict[str, Any]:
    """What a browser sends from a dataset's page on which somebody changed some fields."""
    row = Dataset.objects.get(id=world.dataset)
    members = list(Member.objects.filter(dataset_id=world.dataset))
    found: dict[str, Any] = {
        "seen": row.version,
        "name": row.name,
        "description": row.description,
        "category": row.category,
        "readme": row.readme,
        "metadata": "",
        "task_attributes": json.dumps(row.task_attributes),
        "labeling_inactivity_timeout_seconds": 300,
        "undo_limit": 100,
        "members-TOTAL_FORMS": len(members) + 2,
        "members-INITIAL_FORMS": len(members),
    }
    found |= {key: "on" for key in SETTINGS if row.settings[key] is True}
    found |= {key: row.settings[key] for key in SETTINGS if isinstance(row.settings[key], str | list)}
    for number, role in enumerate(("labeler", "admin")):  # in order of their names: bodo, edda
        found[f"members-{number}-role"] = role
    found |= {"members-2-role": "labeler", "members-3-role": "labeler"}
    return {key: value for key, value in (found | changes).items() if value is not None}


def errors_of(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return dict(answer.context["adminform"].form.errors)


def test_a_new_dataset_is_an_event_of_the_person_in_the_admin(world: World) -> None:
    said = {
        "owner": "edda",
        "name": "forest",
        "task_type": "segmentation-bitmap",
        "category": "garden",
        "public": "on",
        "description": "Trees",
        "task_attributes": '{"categories": [{"id": 1, "name": "oak"}]}',
    }

    answer = world.admin.post(reverse(ADD), said)

    made = Dataset.objects.get(name="forest")
    assert answer.status_code == 302
    events = world.events(made.id)
    assert [event.type for event in events] == ["DatasetCreated", "LabelSetCreated", "MemberAdded", "MemberAdded"]
    assert {(event.intent.author, event.intent.tool) for event in events} == {(world.anke.id, "admin")}
    assert (made.owner_id, made.public, made.category) == (world.edda.id, True, "garden")
    assert made.task_attributes == {"categories": [{"id": 1, "name": "oak"}]}


def test_only_a_superuser_makes_datasets_for_others(world: World) -> None:
    said = {"owner": "anke", "name": "own", "task_type": "vector", "category": "other"}

    world.clients["edda"].post(reverse(ADD), said)

    assert Dataset.objects.get(name="own").owner_id == world.edda.id


def test_a_superuser_who_is_no_member_may_change_a_dataset(world: World) -> None:
    said = sent(world, description="A quiet street", enable_ratings="on", archived="on")

    events = world.new_events(lambda: world.admin.post(page_of(world.dataset), said))

    assert [(event.type, event.data) for event in events] == [
        (
            "DatasetSettingsChanged",
            {"changes": {"description": "A quiet street", "enable_ratings": True, "archived": True}},
        )
    ]
    assert (events[0].intent.author, events[0].intent.tool) == (world.anke.id, "admin")


def test_a_page_that_is_saved_as_it_was_appends_nothing(world: World) -> None:
    answer: list[Any] = []

    events = world.new_events(lambda: answer.append(world.admin.post(page_of(world.dataset), sent(world))))

    assert (answer[0].status_code, events) == (302, [])


def test_what_the_form_shows_is_what_it_takes_back(world: World) -> None:
    intent = Intent(author=world.edda.id)
    datasets.change_dataset(
        intent=intent,
        dataset=world.dataset,
        changes={
            "readme": "# One\n\ntwo <b>",
            "metadata": {"weights": [1.5, 1e-9, 300000000000000000000.0], "ü": "\\"},
        },
    )
    shown = world.admin.get(page_of(world.dataset)).context["adminform"].form
    again = {name: shown[name].value() for name in ("readme", "metadata", "task_attributes")}
    again["readme"] = again["readme"].replace("\n", "\r\n")  # as browsers send it

    events = world.new_events(lambda: world.admin.post(page_of(world.dataset), sent(world, **again)))

    assert events == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "no spaces"),
        ("name", "a" * 129),
        ("description", "nul \x00"),
        ("category", "nonsense"),
        ("metadata", "{"),
        ("metadata", "[1]"),
        ("metadata", '{"a": NaN}'),
        ("metadata", '{"a": 1, "a": 2}'),
        ("metadata", '{"a": "\\ud800"}'),
        ("task_attributes", '{"categories": [{"id": 1}]}'),
        ("task_attributes", '{"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}'),
        ("labeling_inactivity_timeout_seconds", 0),
        ("region_of_interest", "7"),
    ],
)
def test_what_does_not_fit_is_said_at_its_field_and_stores_nothing(world: World, field: str, value: Any) -> None:
    answers: list[Any] = []

    events = world.new_events(
        lambda: answers.append(world.admin.post(page_of(world.dataset), sent(world, **{field: value})))
    )

    assert list(errors_of(answers[0])) == [field]
    assert events == []


def test_a_taken_name_is_an_error_at_the_name(world: World) -> None:
    said = {"owner": "edda", "name": "street", "task_type": "vector", "category": "other"}

    answer = world.admin.post(reverse(ADD), said)

    assert errors_of(answer) == {"name": ["Dataset with this name already exists."]}


def test_an_outdated_page_is_refused_once_and_saved_when_it_is_sent_again(world: World) -> None:
    old = sent(world, description="mine")
    datasets.change_dataset(intent=Intent(author=world.edda.id), dataset=world.dataset, changes={"readme": "hers"})

    refused = world.admin.post(page_of(world.dataset), old)

    assert "Somebody changed this" in str(errors_of(refused)["__all__"])
    again = old | {"seen": refused.context["adminform"].form["seen"].value()}
    assert world.admin.post(page_of(world.dataset), again).status_code == 302
    assert Dataset.objects.get(id=world.dataset).description == "mine"


def test_members_are_added_promoted_and_removed_by_their_rows(world: World) -> None:
    said = sent(
        world,
        **{
            "members-0-role": "reviewer",  # bodo
            "members-1-DELETE": "on",  # edda
            "members-2-person": "maja",
            "members-2-role": "admin",
        },
    )

    events = world.new_events(lambda: world.admin.post(page_of(world.dataset), said))

    assert [(event.type, event.data) for event in events] == [
        ("MemberAdded", {"person": str(world.maja.id), "role": "admin"}),
        ("MemberRoleChanged", {"person": str(world.bodo.id), "role": "reviewer"}),
        ("MemberRemoved", {"person": str(world.edda.id)}),
    ]


def test_a_refused_member_leaves_the_whole_page_unsaved(world: World) -> None:
    said = sent(world, description="new", **{"members-1-DELETE": "on"})
    answers: list[Any] = []

    events = world.new_events(lambda: answers.append(world.admin.post(page_of(world.dataset), said)))

    assert "Member edda: A dataset needs an administrator" in str(errors_of(answers[0])["__all__"])
    assert events == []
    assert Dataset.objects.get(id=world.dataset).description == "A street"


def test_an_unknown_member_is_an_error_in_its_row(world: World) -> None:
    answer = world.admin.post(page_of(world.dataset), sent(world, **{"members-2-person": "nobody"}))

    assert answer.status_code == 200
    assert "Nobody has this username." in answer.content.decode()


def test_who_only_reads_a_dataset_sees_its_page_and_cannot_save_it(world: World) -> None:
    intent = Intent(author=world.edda.id)
    datasets.add_member(intent=intent, dataset=world.dataset, person=world.maja.id, role="viewer")
    client = world.clients["maja"]

    page = client.get(page_of(world.dataset))

    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    assert client.post(page_of(world.dataset), sent(world, description="x")).status_code == 403
    assert client.post(reverse("admin:labeling_dataset_delete", args=[world.dataset])).status_code == 403


def test_deleting_a_dataset_is_an_event_and_asks_first(world: World) -> None:
    address = reverse("admin:labeling_dataset_delete", args=[world.dataset])

    asked = world.new_events(lambda: world.admin.get(address))
    deleted = world.new_events(lambda: world.admin.post(address))

    assert asked == []
    assert [(event.type, event.intent.author, event.intent.tool) for event in deleted] == [
        ("DatasetDeleted", world.anke.id, "admin")
    ]
    assert world.dataset not in world.listed(LIST)


def test_several_datasets_are_deleted_one_command_each_after_asking(world: World) -> None:
    other = datasets.create_dataset(
        intent=Intent(author=world.edda.id),
        owner=world.edda.id,
        name="other",
        task_type="vector",
        task_attributes=None,
        changes={},
    )
    chosen = {"action": "delete_datasets", "_selected_action": [str(world.dataset), str(other)]}

    asked = world.admin.post(reverse(LIST), chosen)
    assert "2 chosen" in asked.content.decode()
    assert {world.dataset, other} <= world.listed(LIST)
    world.admin.post(reverse(LIST), chosen | {"post": "yes"})

    assert not {world.dataset, other} & world.listed(LIST)
    assert world.events(other)[-1].type == "DatasetDeleted"


def test_the_list_counts_samples_by_status(world: World) -> None:
    page = world.admin.get(reverse(LIST)).content.decode()

    assert 'class="st-labeling-in-progress" x="0.000" y="0" width="100.000"' in page


@pytest.mark.parametrize("wanted", ["street", "quiet", "edda"])
def test_a_dataset_is_found_by_name_description_and_owner(world: World, wanted: str) -> None:
    intent = Intent(author=world.edda.id)
    datasets.change_dataset(intent=intent, dataset=world.dataset, changes={"description": "quiet"})

    assert world.dataset in world.listed(LIST, q=wanted)
    assert world.dataset not in world.listed(LIST, q="absent")
