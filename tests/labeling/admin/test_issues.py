"""Issues in the admin: raised on a sample, found, answered, resolved, reworded and deleted by who may."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from labeling.admin.issues import anchor_words
from labeling.commands import datasets
from labeling.commands import issues as commands
from labeling.log.event import Intent
from labeling.models import Issue
from labeling.texts import decrypt_all
from tests.labeling.admin.markup import refused
from tests.labeling.admin.world import World, add_sample

LIST = "admin:labeling_issue_changelist"
ADD = "admin:labeling_issue_add"


def page_of(world: World) -> str:
    return reverse("admin:labeling_issue_change", args=[world.issue])


def give(world: World, role: str) -> Any:
    """Maja's client, after she got a role."""
    intent = Intent(author=world.edda.id)
    datasets.add_member(intent=intent, dataset=world.dataset, person=world.maja.id, role=role)
    return world.clients["maja"]


def facts(world: World, client: Any, **said: str) -> list[tuple[str, Any]]:
    events = world.new_events(lambda: client.post(page_of(world), said))
    assert {event.intent.tool for event in events} <= {"admin"}
    return [(event.type, event.intent.author) for event in events]


def test_a_page_shows_what_was_said_where_it_points_and_the_answers(world: World) -> None:
    commands.comment_on_issue(intent=Intent(author=world.edda.id), issue=world.issue, text="So <b>it</b> is")

    html = world.admin.get(page_of(world)).content.decode()

    assert refused(html) == []
    assert "The car is cut off" in html
    assert "track 1" in html
    assert "So &lt;b&gt;it&lt;/b&gt; is" in html
    assert "The car is cut off" not in str(Issue.objects.get(id=world.issue).text)


def test_an_issue_is_answered_resolved_and_opened_again(world: World) -> None:
    client = give(world, "viewer")

    assert facts(world, client, do="answer", text="Why?") == [("IssueCommented", world.maja.id)]
    assert facts(world, client, do="resolve", text="Done\r\nnow") == [
        ("IssueCommented", world.maja.id),
        ("IssueResolved", world.maja.id),
    ]
    assert Issue.objects.get(id=world.issue).status == "CLOSED"
    assert facts(world, client, do="reopen", text="") == [("IssueResolved", world.maja.id)]
    assert facts(world, client, do="reopen") == []


@pytest.mark.parametrize(
    "said", [{}, {"do": "answer", "text": "  "}, {"do": "edit", "text": ""}, {"do": "answer", "text": "x" * 10_001}]
)
def test_nothing_said_is_refused_in_words(world: World, said: dict[str, str]) -> None:
    answers: list[Any] = []

    events = world.new_events(lambda: answers.append(world.admin.post(page_of(world), said)))

    assert events == []
    assert answers[0].status_code == (400 if said else 302)


def test_an_issue_is_put_in_other_words_by_its_author_and_managers_only(world: World) -> None:
    client = give(world, "reviewer")

    assert facts(world, client, do="edit", text="Hers") == []
    intent = Intent(author=world.edda.id)
    datasets.change_role(intent=intent, dataset=world.dataset, person=world.maja.id, role="manager")
    assert facts(world, client, do="edit", text="Hers") == [("IssueCommented", world.maja.id)]
    assert decrypt_all([Issue.objects.get(id=world.issue).text]) == ["Hers"]


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("reviewer", 403), ("manager", 302), ("admin", 302)])
def test_an_issue_of_somebody_else_is_deleted_by_managers(world: World, role: str, status: int) -> None:
    client = give(world, role)
    address = reverse("admin:labeling_issue_delete", args=[world.issue])

    assert client.get(address).status_code == (200 if status == 302 else status)
    assert client.post(address).status_code == status
    assert Issue.objects.get(id=world.issue).archived == (status == 302)
    assert (address in client.get(page_of(world)).content.decode()) is False or status == 302


def test_an_issue_is_raised_from_a_samples_page(world: World) -> None:
    client = give(world, "viewer")
    sample = client.get(reverse("admin:labeling_sample_change", args=[world.sample])).content.decode()
    address = f"{reverse(ADD)}?sample={world.sample}"
    assert address in sample
    assert "New issue on one.png" in client.get(address).content.decode()

    events = world.new_events(
        lambda: client.post(address, {"sample": str(world.sample), "description": "Too dark\r\nhere"})
    )

    assert [(event.type, event.intent.author, event.intent.tool) for event in events] == [
        ("IssueOpened", world.maja.id, "admin")
    ]
    made = Issue.objects.exclude(id=world.issue).get(sample_id=world.sample)
    assert decrypt_all([made.text]) == ["Too dark\nhere"]


def test_no_issue_is_raised_on_what_one_may_not_see(world: World) -> None:
    client = world.clients["maja"]
    said = {"sample": str(world.sample), "description": "x"}

    assert world.new_events(lambda: client.post(f"{reverse(ADD)}?sample={world.sample}", said)) == []
    assert client.get(reverse(ADD)).status_code == 403
    assert "one.png" not in client.get(f"{reverse(ADD)}?sample={world.sample}").content.decode()
    assert client.get(page_of(world)).status_code == 302
    assert world.issue not in {row.pk for row in client.get(reverse(LIST)).context["cl"].result_list}


def test_in_a_public_dataset_others_read_issues_and_say_nothing(world: World) -> None:
    intent = Intent(author=world.edda.id)
    datasets.change_dataset(intent=intent, dataset=world.dataset, changes={"public": True})
    client = world.clients["maja"]

    page = client.get(page_of(world))

    assert "The car is cut off" in page.content.decode()
    assert "<textarea" not in page.content.decode()
    assert client.post(page_of(world), {"do": "answer", "text": "x"}).status_code == 403


def test_issues_are_found_by_dataset_status_sample_and_the_samples_name(world: World) -> None:
    other = add_sample(world.dataset, world.edda, "two.png", {})
    closed = commands.open_issue(
        intent=Intent(author=world.edda.id),
        sample=other,
        fields=commands.checked_issue({"description": "x", "status": "CLOSED"}),
    )

    assert {world.issue, closed} <= world.listed(LIST, dataset=world.dataset)
    assert world.listed(LIST, dataset=world.dataset, status="OPEN") == {world.issue}
    assert world.listed(LIST, sample=other) == {closed}
    assert world.listed(LIST, q="one.png", dataset=world.dataset) == {world.issue}
    assert world.listed(LIST, sample="nonsense") == set()


def test_the_events_of_an_issue_lead_to_its_page(world: World) -> None:
    history = world.admin.get(reverse("admin:labeling_issue_history", args=[world.issue]), follow=True)

    assert "IssueOpened" in history.content.decode()
    assert page_of(world) in history.content.decode()


@pytest.mark.parametrize(
    ("anchor", "words"),
    [
        (None, "the whole sample"),
        ({"type": "basic"}, "the whole sample"),
        ({"type": "basic", "frame": 3}, "the whole sample, frame 3"),
        ({"type": "track", "trackNumber": 7, "trackAttribute": "colour"}, "track 7, its attribute colour"),
        ({"type": "sceneAttribute", "sceneAttribute": "wet"}, "the attribute wet of the image"),
        (
            {"type": "location", "location": {"type": "3d", "x": 1.5, "y": 2, "z": -3}, "sensor": "left"},
            "at x 1.5, y 2, z -3, sensor left",
        ),
    ],
)
def test_an_anchor_is_told_in_words(anchor: Any, words: str) -> None:
    assert anchor_words(anchor) == words
