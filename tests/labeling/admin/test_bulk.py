"""Bulk changes in the admin: the dry run says exactly what would change, and only that is done."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.urls import reverse

from labeling.admin import bulk
from labeling.commands import datasets, labels
from labeling.log.event import Intent
from labeling.models import Label, Sample
from tests.labeling.admin.markup import refused
from tests.labeling.admin.world import World, add_sample

LIST = "admin:labeling_sample_changelist"
BULK = "admin:labeling_sample_bulk"


@pytest.fixture
def ids(world: World) -> list[uuid.UUID]:
    """The world's sample, which is being labeled, and two that have no label."""
    return [world.sample, *(add_sample(world.dataset, world.edda, name, {}) for name in ("two.png", "three.png"))]


def chosen(world: World, action: str, ids: list[uuid.UUID], client: Any = None, **more: Any) -> Any:
    said = {"action": action, "_selected_action": [str(sample) for sample in ids]}
    return (client or world.admin).post(f"{reverse(LIST)}?dataset={world.dataset}", said | more)


def dry_run(world: World, action: str, ids: list[uuid.UUID], value: Any, client: Any = None) -> Any:
    asked = chosen(world, action, ids, client)
    form = asked.context["form"]
    said = {name: form[name].value() for name in ("what", "samples", "back")} | {"value": value}
    return (client or world.admin).post(reverse(BULK), said)


def confirm(world: World, page: Any, client: Any = None) -> Any:
    said = {name: page.context[name] for name in ("plan", "back")} | {"reason": "because"}
    return (client or world.admin).post(reverse(BULK), said, follow=True)


def test_the_dry_run_of_a_status_says_from_where_to_where_and_appends_nothing(
    world: World, ids: list[uuid.UUID]
) -> None:
    pages: list[Any] = []

    events = world.new_events(lambda: pages.append(dry_run(world, "set_status", ids, "override:LABELED")))

    html = pages[0].content.decode()
    assert events == []
    assert refused(html) == []
    assert "3 of 3 samples would change" in html
    rows = [(row["count"], str(row["before"]), str(row["after"])) for row in pages[0].context["rows"]]
    assert [(count, "unlabeled" in before, "labeled" in after) for count, before, after in rows] == [
        (2, True, True),
        (1, False, True),
    ]


def test_a_confirmed_dry_run_is_one_correlation_of_the_person_in_the_admin(world: World, ids: list[uuid.UUID]) -> None:
    page = dry_run(world, "set_status", ids, "override:LABELED")
    answers: list[Any] = []

    events = world.new_events(lambda: answers.append(confirm(world, page)))

    assert [event.type for event in events] == ["LabelStatusChanged"] * 3
    assert len({event.intent.correlation for event in events}) == 1
    assert {(event.intent.author, event.intent.tool) for event in events} == {(world.anke.id, "admin")}
    assert "3 samples changed." in answers[0].content.decode()
    assert answers[0].redirect_chain[0][0].endswith(f"?dataset={world.dataset}")


def test_a_dry_run_that_is_sent_twice_is_done_once(world: World, ids: list[uuid.UUID]) -> None:
    page = dry_run(world, "set_priority", ids, "2.5")
    confirm(world, page)
    answers: list[Any] = []

    events = world.new_events(lambda: answers.append(confirm(world, page)))

    assert events == []
    assert "this was sent twice" in answers[0].content.decode()
    assert set(Sample.objects.filter(id__in=ids).values_list("priority", flat=True)) == {2.5}


def test_what_moved_since_the_dry_run_is_said_before_anything_is_done(world: World, ids: list[uuid.UUID]) -> None:
    page = dry_run(world, "set_status", ids, "override:LABELED")
    skip = [{"op": "set_status", "verb": "skip"}]
    labels.edit_label(intent=Intent(author=world.edda.id), sample=ids[1], label_set="ground-truth", edits=skip)
    answers: list[Any] = []

    assert world.new_events(lambda: answers.append(confirm(world, page))) == []
    assert answers[0].status_code == 409
    assert "1 sample changed since you saw the dry run" in answers[0].content.decode()
    again = world.new_events(lambda: confirm(world, answers[0]))

    assert len(again) == 3
    assert set(Label.objects.filter(sample_id__in=ids).values_list("status", flat=True)) == {"LABELED"}


def test_reviewing_what_has_no_label_is_refused_with_its_name(world: World, ids: list[uuid.UUID]) -> None:
    html = dry_run(world, "set_status", ids, "accept:").content.decode()

    assert "1 of 3 samples would change" in html
    assert "there is no label to accept yet" in html
    assert "three.png, two.png" in html


def test_assigning_somebody_who_may_not_label_there_is_refused(world: World, ids: list[uuid.UUID]) -> None:
    assert "would change" in dry_run(world, "assign_labeler", ids, "bodo").content.decode()
    html = dry_run(world, "assign_reviewer", ids, "bodo").content.decode()

    assert "Nothing would change" in html
    assert "they may not review in its dataset" in html
    page = dry_run(world, "assign_labeler", ids, "bodo")
    assert [event.type for event in world.new_events(lambda: confirm(world, page))] == ["SampleAssigned"] * 3


def test_deleting_shows_what_would_be_lost_from_sight_and_then_deletes(world: World, ids: list[uuid.UUID]) -> None:
    page = chosen(world, "delete_samples", ids)

    events = world.new_events(lambda: confirm(world, page))

    assert "The name becomes free" in page.content.decode()
    assert [event.type for event in events] == ["SampleArchived"] * 3
    assert not Sample.objects.filter(id__in=ids, archived=False).exists()


def test_all_that_match_the_filter_are_chosen_at_once(world: World, ids: list[uuid.UUID]) -> None:
    page = chosen(world, "delete_samples", ids[:1], select_across="1")

    assert page.context["wanted"] == 3


def test_a_value_that_fits_nothing_is_said_at_its_field(world: World, ids: list[uuid.UUID]) -> None:
    for action, value in (("set_status", "nonsense"), ("set_priority", "nan"), ("assign_labeler", "nobody")):
        answer = dry_run(world, action, ids, value)
        assert list(answer.context["form"].errors) == ["value"], action


@pytest.mark.parametrize("sent", [{}, {"what": "nonsense"}, {"what": "status", "samples": "!"}, {"plan": "forged"}])
def test_a_broken_form_changes_nothing_and_breaks_nothing(world: World, sent: dict[str, str]) -> None:
    answers: list[Any] = []

    assert world.new_events(lambda: answers.append(world.admin.post(reverse(BULK), sent))) == []
    assert answers[0].status_code in (200, 302)


def test_a_dry_run_is_good_for_who_saw_it_only(world: World, ids: list[uuid.UUID]) -> None:
    page = dry_run(world, "set_priority", ids, "2")
    answers: list[Any] = []

    assert world.new_events(lambda: answers.append(confirm(world, page, world.clients["edda"]))) == []
    assert "not yours" in answers[0].content.decode()


def test_no_names_are_offered_of_datasets_that_one_may_not_see(world: World) -> None:
    said = {"what": "labeler", "samples": bulk.packed([world.sample]), "value": "nobody"}

    assert world.admin.post(reverse(BULK), said).context["people"] == ["bodo", "edda"]
    assert world.clients["maja"].post(reverse(BULK), said).context["people"] == []


def test_the_way_back_leads_nowhere_else(world: World, ids: list[uuid.UUID]) -> None:
    page = dry_run(world, "set_priority", ids, "2")

    answer = world.admin.post(reverse(BULK), {"plan": page.context["plan"], "back": "//evil.example/?x=1"})

    assert answer["Location"].startswith(reverse(LIST) + "?")


@pytest.mark.parametrize(
    ("role", "offered"),
    [
        ("viewer", set()),
        ("labeler", set()),
        ("reviewer", {"set_status"}),
        ("manager", {"set_status", "set_priority", "assign_labeler", "assign_reviewer"}),
        ("admin", {"set_status", "set_priority", "assign_labeler", "assign_reviewer", "delete_samples"}),
    ],
)
def test_actions_are_offered_to_those_whose_role_allows_them(
    world: World, ids: list[uuid.UUID], role: str, offered: set[str]
) -> None:
    intent = Intent(author=world.edda.id)
    datasets.add_member(intent=intent, dataset=world.dataset, person=world.maja.id, role=role)

    page = world.clients["maja"].get(reverse(LIST))

    form = page.context["action_form"]
    assert ({name for name, _ in form.fields["action"].choices if name} if form else set()) == offered


def test_a_role_that_was_taken_away_since_the_dry_run_stops_it(world: World, ids: list[uuid.UUID]) -> None:
    intent = Intent(author=world.edda.id)
    datasets.add_member(intent=intent, dataset=world.dataset, person=world.maja.id, role="manager")
    client = world.clients["maja"]
    page = dry_run(world, "set_priority", ids, "2", client)
    datasets.change_role(intent=intent, dataset=world.dataset, person=world.maja.id, role="viewer")
    answers: list[Any] = []

    events = world.new_events(lambda: answers.append(confirm(world, page, client)))

    assert events == []
    assert answers[0].status_code == 409  # nothing would change any more, and the page says why
    assert "You do not have permission" in answers[0].content.decode()


def test_a_manager_says_on_a_samples_page_who_shall_do_it_and_changes_nothing_else(
    world: World, ids: list[uuid.UUID]
) -> None:
    intent = Intent(author=world.edda.id)
    datasets.add_member(intent=intent, dataset=world.dataset, person=world.maja.id, role="manager")
    client = world.clients["maja"]
    address = reverse("admin:labeling_sample_change", args=[world.sample])
    said = {"seen": Sample.objects.get(id=world.sample).version, "name": "x", "priority": "3", "readme": "y"}

    events = world.new_events(lambda: client.post(address, said))

    assert [(event.type, event.data) for event in events] == [("SamplePrioritySet", {"priority": 3.0})]
    assert events[0].intent.author == world.maja.id
    assert client.post(reverse("admin:labeling_sample_delete", args=[world.sample])).status_code == 403
