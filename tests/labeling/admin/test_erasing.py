from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from labeling.log.event import INSTALLATION
from labeling.models import Person
from labeling.texts import decrypt_all
from tests.labeling.admin.world import World


def page_of(person: Person) -> str:
    return reverse("admin:labeling_person_erase", args=[person.id])


def test_the_page_first_says_what_goes_and_what_stays(world: World) -> None:
    answer = world.admin.get(page_of(world.bodo))

    text = answer.content.decode()
    assert "raw signals of work" in text and "older backups" in text and "Nothing is changed yet" in text
    assert (
        page_of(world.bodo)
        in world.admin.get(reverse("admin:labeling_person_change", args=[world.bodo.id])).content.decode()
    )


def test_with_a_reason_and_the_username_the_person_is_erased(world: World) -> None:
    said = {"reason": "asked by letter", "username": "bodo"}
    answers: list[Any] = []

    events = world.new_events(lambda: answers.append(world.admin.post(page_of(world.bodo), said)), INSTALLATION)

    assert answers[0].status_code == 302
    assert [(event.type, event.intent.author, event.intent.tool) for event in events] == [
        ("PersonErased", world.anke.id, "admin")
    ]
    assert decrypt_all([events[0].intent.reason]) == ["asked by letter"]
    after = Person.objects.get(id=world.bodo.id)
    shown = world.admin.get(reverse("admin:labeling_person_change", args=[world.bodo.id])).content.decode()
    assert after.username in shown and "was erased" in shown and 'name="_save"' not in shown
    story = world.admin.get(reverse("admin:labeling_label_change", args=[world.label.id])).content.decode()
    assert after.username in story and "bodo" not in story and "it was hidden" not in story
    issue = world.admin.get(reverse("admin:labeling_issue_change", args=[world.issue])).content.decode()
    assert "The car is cut off" not in issue and "(erased)" in issue
    assert world.admin.get(page_of(world.bodo)).status_code == 302


@pytest.mark.parametrize("field", ["reason", "username"])
def test_a_slip_erases_nobody(world: World, field: str) -> None:
    said = {"reason": "asked by letter", "username": "bodo"} | {field: "" if field == "reason" else "edda"}

    answer = world.admin.post(page_of(world.bodo), said)

    assert list(answer.context["form"].errors) == [field]
    assert Person.objects.get(id=world.bodo.id).username == "bodo"


def test_nobody_erases_themselves_or_without_running_the_installation(world: World) -> None:
    said = {"reason": "asked by letter", "username": "anke"}
    answer = world.admin.post(page_of(world.anke), said)
    assert "Nobody erases themselves" in answer.content.decode()
    for client in (world.clients["edda"], world.clients["maja"]):
        assert client.post(page_of(world.bodo), said | {"username": "bodo"}).status_code == 403
    assert not Person.objects.exclude(erased_at=None).exists()
