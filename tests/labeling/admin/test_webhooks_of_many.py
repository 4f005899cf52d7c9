"""The pages of webhooks of an organisation and of all datasets: who sees them, and that each button is a command."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.urls import reverse

from labeling import events as e
from labeling.commands import datasets, organizations, webhooks
from labeling.commands.webhooks import Where
from labeling.log.event import INSTALLATION, Intent
from labeling.models import Webhook, WebhookCursor, WebhookDelivery
from labeling.rules.webhook_messages import secret_text
from tests.labeling.admin.markup import refused
from tests.labeling.admin.world import World

URL = "https://hooks.example.org/a-token"
PLACES = ("organization", "installation")


class Hooks:
    """A place's webhooks, and who looks after them there."""

    def __init__(self, world: World, place: str) -> None:
        self.world = world
        if place == "organization":
            self.address = reverse("admin:labeling_organizationmember_webhooks", args=[world.organization.id])
            self.where, self.keeper, self.client = (
                Where(organization=world.organization.id),
                world.edda,
                world.clients["edda"],
            )
        else:
            self.address, self.where = reverse("admin:webhooks"), Where()
            self.keeper, self.client = world.anke, world.admin
        self.fleet = datasets.create_dataset(
            intent=Intent(author=world.edda.id),
            owner=world.organization.id,
            name="fleet",
            task_type="vector",
            task_attributes=None,
            changes={},
        )

    def add(self) -> Webhook:
        made = webhooks.add_webhook(
            intent=Intent(author=self.keeper.id), where=self.where, fields={"url": URL, "name": "x"}
        )
        return Webhook.objects.get(id=made)

    def post(self, do: str, **fields: Any) -> Any:
        return self.client.post(self.address, {"do": do, **fields})

    def page(self) -> str:
        answer = self.client.get(self.address)
        assert answer.status_code == 200
        html: str = answer.content.decode()
        assert refused(html) == []
        return html


@pytest.fixture(params=PLACES)
def hooks(request: pytest.FixtureRequest, world: World) -> Hooks:
    return Hooks(world, request.param)


def test_one_is_added_and_its_secret_is_shown_this_once(hooks: Hooks) -> None:
    answers: list[Any] = []
    (event,) = hooks.world.new_events(
        lambda: answers.append(hooks.post("add", url=URL, name="training", types=["label.updated"])), INSTALLATION
    )
    row = Webhook.objects.get()
    secret = secret_text(webhooks.secret_of(row))
    assert isinstance(event.fact, e.WebhookAdded)
    assert (event.intent.author, event.intent.tool) == (hooks.keeper.id, "admin")
    assert row.owner_id == hooks.where.organization
    assert secret in answers[0].content.decode() and "no-store" in answers[0]["Cache-Control"]
    again = hooks.page()
    assert secret not in again
    assert URL in again and "training" in again and "guild/fleet" in again


def test_what_does_not_fit_stands_at_its_field_and_label_sets_are_not_asked_for(hooks: Hooks) -> None:
    answer = hooks.post("add", url="ftp://x").content.decode()
    assert "Must be an address of http or https" in answer and 'name="labelsets"' not in answer
    assert not Webhook.objects.exists()


@pytest.mark.parametrize(
    "do, fields, fact",
    [
        ("pause", {}, e.WebhookPaused),
        ("secret", {}, e.WebhookSecretChanged),
        ("redeliver", {"from": "1", "dataset": "guild/fleet"}, e.WebhookRedelivered),
        ("remove", {}, e.WebhookRemoved),
        ("change", {"url": URL, "name": "y", "types": ["sample.created"]}, e.WebhookChanged),
    ],
)
def test_each_button_is_a_command_of_who_pressed_it(hooks: Hooks, do: str, fields: Any, fact: Any) -> None:
    row = hooks.add()
    (event,) = hooks.world.new_events(lambda: hooks.post(do, webhook=str(row.id), **fields), INSTALLATION)
    assert isinstance(event.fact, fact)
    assert (event.intent.author, event.intent.tool) == (hooks.keeper.id, "admin")


def test_each_dataset_has_a_line_and_what_is_stuck_comes_first(hooks: Hooks) -> None:
    row = hooks.add()
    WebhookCursor.objects.update_or_create(
        webhook_id=row.id,
        log=hooks.fleet,
        defaults={"offset": 1, "state": "stopped", "failures": 12, "reason": "it answers 500"},
    )
    html = hooks.page()
    assert "it answers 500" in html and "12 times" in html and "Try now" in html
    if hooks.where.organization is None:
        assert html.index("guild/fleet") < html.index("edda/street")
    hooks.post("resume", webhook=str(row.id))
    assert WebhookCursor.objects.get(log=hooks.fleet).state == "active"


def test_a_ping_is_asked_for_and_told_of(hooks: Hooks) -> None:
    row = hooks.add()
    hooks.post("ping", webhook=str(row.id))
    assert WebhookDelivery.objects.get().type == "ping"
    assert "<td>ping</td>" in hooks.page()


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"from": "1"}, "owner/name"),
        ({"from": "1", "dataset": "guild"}, "owner/name"),
        ({"from": "1", "dataset": "guild/fle\0et"}, "owner/name"),
        ({"from": "1", "dataset": "guild/nothing"}, "not found"),
        ({"from": "9999", "dataset": "guild/fleet"}, "offset of the dataset"),
        ({"from": "x", "dataset": "guild/fleet"}, "offset of the dataset"),
    ],
)
def test_what_cannot_be_told_again_is_refused_in_words(hooks: Hooks, fields: Any, words: str) -> None:
    row = hooks.add()
    answer = hooks.post("redeliver", webhook=str(row.id), **fields)
    assert answer.status_code == 200 and words in answer.content.decode()


def test_an_organisation_tells_nothing_again_of_what_is_not_its_own(world: World) -> None:
    hooks = Hooks(world, "organization")
    row = hooks.add()
    answer = hooks.post("redeliver", webhook=str(row.id), **{"from": "1", "dataset": "edda/street"})
    assert "not found" in answer.content.decode()


@pytest.mark.parametrize("fields", [{"do": "pause"}, {"do": "pause", "webhook": "x"}, {"do": "nonsense"}, {}])
def test_what_is_not_there_is_not_found(hooks: Hooks, fields: Any) -> None:
    hooks.add()
    assert hooks.client.post(hooks.address, fields).status_code == 404


def test_the_webhook_of_another_place_is_not_there(world: World) -> None:
    of_firm, of_all = Hooks(world, "organization"), reverse("admin:webhooks")
    row = of_firm.add()
    assert world.admin.post(of_all, {"do": "pause", "webhook": str(row.id)}).status_code == 404
    assert URL not in world.admin.get(of_all).content.decode()


def test_only_who_manages_the_place_opens_it(world: World) -> None:
    firm, everything = Hooks(world, "organization").address, reverse("admin:webhooks")
    maja, edda = world.clients["maja"], world.clients["edda"]
    assert maja.get(firm).status_code == 404
    organizations.add_organization_member(
        intent=Intent(author=world.edda.id, reason="she helps"),
        organization=world.organization.id,
        person=world.maja,
        role="member",
    )
    assert maja.get(firm).status_code == 403 and maja.post(firm, {"do": "add", "url": URL}).status_code == 403
    assert edda.get(everything).status_code == 403 and edda.post(everything, {"do": "add"}).status_code == 403
    nobody = reverse("admin:labeling_organizationmember_webhooks", args=[uuid.uuid4()])
    assert world.admin.get(nobody).status_code == 404 and world.admin.get(firm).status_code == 200


def test_the_pages_are_found_from_where_one_is(world: World) -> None:
    hooks = Hooks(world, "organization")
    page = reverse("admin:labeling_organizationmember_change", args=[world.organization.id])
    assert hooks.address in hooks.client.get(page).content.decode()
    assert reverse("admin:webhooks") in world.admin.get(reverse("admin:index")).content.decode()
    assert reverse("admin:webhooks") not in world.clients["edda"].get(reverse("admin:index")).content.decode()
