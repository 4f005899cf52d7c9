from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.urls import reverse

from labeling.models import Sample
from tests.labeling.admin.world import World, add_sample

LIST = "admin:labeling_sample_changelist"


def page_of(sample: uuid.UUID) -> str:
    return reverse("admin:labeling_sample_change", args=[sample])


def sent(world: World, **changes: Any) -> dict[str, Any]:
    """What a browser sends from a sample's page on which somebody changed some fields."""
    shown = world.admin.get(page_of(world.sample)).context["adminform"].form
    found = {name: shown[name].value() for name in shown.fields}
    return {key: "" if value is None else value for key, value in (found | changes).items()}


def test_a_changed_sample_is_events_of_the_person_in_the_admin(world: World) -> None:
    said = sent(world, name="first.png", priority="2.5", assigned_labeler="bodo")

    events = world.new_events(lambda: world.admin.post(page_of(world.sample), said))

    assert [(event.type, event.data) for event in events] == [
        ("SampleChanged", {"changes": {"name": "first.png"}}),
        ("SamplePrioritySet", {"priority": 2.5}),
        ("SampleAssigned", {"roles": {"labeler": str(world.bodo.id)}}),
    ]
    assert {(event.intent.author, event.intent.tool) for event in events} == {(world.anke.id, "admin")}


def test_a_sample_that_is_saved_as_it_was_appends_nothing(world: World) -> None:
    assert world.new_events(lambda: world.admin.post(page_of(world.sample), sent(world))) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "two.png"),
        ("priority", "soon"),
        ("priority", "nan"),
        ("priority", "1e400"),
        ("assigned_reviewer", "nobody"),
        ("attributes", "{'image': 1}"),
        ("metadata", "7"),
    ],
)
def test_what_does_not_fit_is_said_at_its_field(world: World, field: str, value: str) -> None:
    add_sample(world.dataset, world.edda, "two.png", {})
    answers: list[Any] = []

    said = sent(world, **{field: value})
    events = world.new_events(lambda: answers.append(world.admin.post(page_of(world.sample), said)))

    assert answers[0].status_code == 200
    assert list(answers[0].context["adminform"].form.errors) == [field]
    assert events == []


def test_a_pasted_address_of_ours_is_stored_without_its_host(world: World, settings: Any) -> None:
    url = f"{settings.PUBLIC_URL}/media/{'t' * 32}/two.png"

    world.admin.post(page_of(world.sample), sent(world, attributes=f'{{"image": {{"url": "{url}"}}}}'))

    assert Sample.objects.get(id=world.sample).attributes == {"image": {"url": f"/media/{'t' * 32}/two.png"}}


def test_deleting_a_sample_is_an_event_and_frees_its_name(world: World) -> None:
    address = reverse("admin:labeling_sample_delete", args=[world.sample])

    events = world.new_events(lambda: world.admin.post(address))

    assert [(event.type, event.intent.author) for event in events] == [("SampleArchived", world.anke.id)]
    assert world.admin.get(page_of(world.sample)).status_code == 302
    add_sample(world.dataset, world.edda, "one.png", {})


def test_a_labeler_may_not_change_a_sample(world: World) -> None:
    from labeling.commands import datasets
    from labeling.log.event import Intent

    intent = Intent(author=world.edda.id)
    datasets.add_member(intent=intent, dataset=world.dataset, person=world.maja.id, role="labeler")
    chosen = {"action": "delete_samples", "_selected_action": [str(world.sample)], "post": "yes"}
    said = sent(world, name="x.png")
    client = world.clients["maja"]

    def act() -> None:
        assert client.post(page_of(world.sample), said).status_code == 403
        assert "delete_samples" not in client.post(reverse(LIST), chosen, follow=True).content.decode()

    assert world.new_events(act) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "one"}, ["one.png"]),
        ({"q": "absent"}, []),
        ({"status": "LABELING_IN_PROGRESS"}, ["one.png"]),
        ({"status": "UNLABELED"}, ["two.png"]),
        ({"status": "REVIEWED"}, []),
        ({"dataset": "nonsense"}, []),
    ],
)
def test_samples_are_found_by_name_and_status(world: World, query: dict[str, str], found: list[str]) -> None:
    ours = {world.sample: "one.png", add_sample(world.dataset, world.edda, "two.png", {}): "two.png"}

    shown = world.listed(LIST, **query)

    assert sorted(ours[sample] for sample in shown if sample in ours) == found


def test_samples_are_found_by_their_uuid_and_dataset(world: World) -> None:
    assert world.listed(LIST, q=world.sample) == {world.sample}
    assert world.listed(LIST, dataset=world.dataset) == {world.sample}
