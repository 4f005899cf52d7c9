"""The page of a dataset's webhooks: who sees it, and that each button is a command."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import reverse

from labeling import events as e
from labeling.commands import datasets, webhooks
from labeling.commands.webhooks import Where
from labeling.models import Webhook, WebhookCursor, WebhookDelivery
from labeling.rules.webhook_messages import secret_text
from tests.labeling.admin.world import World, logged_in

URL = "https://hooks.example.org/a-token"


def at(world: World) -> str:
    return reverse("admin:labeling_dataset_webhooks", args=[world.dataset])


def post(world: World, do: str, **fields: Any) -> Any:
    return logged_in(world.edda).post(at(world), {"do": do, **fields})


def text(answer: Any) -> str:
    found: str = answer.content.decode()
    return found


@pytest.fixture
def webhook(world: World, intent: Any) -> Webhook:
    made = webhooks.add_webhook(intent=intent(world.edda), where=Where(world.dataset), fields={"url": URL, "name": "x"})
    return Webhook.objects.get(id=made)


def test_one_is_added_and_its_secret_is_shown_this_once(world):
    answers: list[Any] = []
    (event,) = world.new_events(
        lambda: answers.append(post(world, "add", url=URL, name="training", types=["label.updated"]))
    )
    (answer,) = answers
    row = Webhook.objects.get()
    secret = secret_text(webhooks.secret_of(row))
    assert isinstance(event.fact, e.WebhookAdded)
    assert event.intent.author == world.edda.id
    assert secret in text(answer) and "no-store" in answer["Cache-Control"]
    again = text(logged_in(world.edda).get(at(world)))
    assert secret not in again
    assert URL in again and "training" in again and "label.updated" in again


def test_what_does_not_fit_stands_at_its_field(world):
    answer = post(world, "add", url="ftp://x")
    assert answer.status_code == 200
    assert "Must be an address of http or https" in text(answer)
    assert not Webhook.objects.exists()


@pytest.mark.parametrize(
    "do, fields, fact",
    [
        ("pause", {}, e.WebhookPaused),
        ("secret", {}, e.WebhookSecretChanged),
        ("redeliver", {"from": "1"}, e.WebhookRedelivered),
        ("remove", {}, e.WebhookRemoved),
        ("change", {"url": URL, "name": "y", "types": ["sample.created"]}, e.WebhookChanged),
    ],
)
def test_each_button_is_a_command_of_who_pressed_it(world, webhook, do, fields, fact):
    (event,) = world.new_events(lambda: post(world, do, webhook=str(webhook.id), **fields))
    assert isinstance(event.fact, fact)
    assert (event.intent.author, event.intent.tool) == (world.edda.id, "admin")


def test_a_stopped_one_says_why_and_goes_on(world, webhook):
    WebhookCursor.objects.create(
        webhook_id=webhook.id, log=world.dataset, offset=3, state="stopped", failures=12, reason="it answers 500"
    )
    page = text(logged_in(world.edda).get(at(world)))
    assert "stopped" in page and "it answers 500" in page and "12 times" in page
    post(world, "resume", webhook=str(webhook.id))
    assert WebhookCursor.objects.get().state == "active"


def test_a_ping_is_asked_for_and_told_of(world, webhook):
    post(world, "ping", webhook=str(webhook.id))
    assert WebhookDelivery.objects.get().type == "ping"
    assert re.search(r"<td>ping</td>", text(logged_in(world.edda).get(at(world))))


@pytest.mark.parametrize("offset", ["", "0", "-1", "x", "9" * 30, "999999"])
def test_an_offset_that_is_none_is_refused_in_words(world, webhook, offset):
    client = logged_in(world.edda)
    answer = client.post(at(world), {"do": "redeliver", "webhook": str(webhook.id), "from": offset})
    assert answer.status_code == 200 and "offset of the dataset" in text(answer)


@pytest.mark.parametrize("fields", [{"do": "pause"}, {"do": "pause", "webhook": "x"}, {"do": "nonsense"}, {}])
def test_what_is_not_there_is_not_found(world, webhook, fields):
    assert logged_in(world.edda).post(at(world), fields).status_code == 404


def test_only_admins_of_the_dataset_open_it(world, webhook, intent):
    assert logged_in(world.maja).get(at(world)).status_code == 404
    datasets.add_member(intent=intent(world.edda), dataset=world.dataset, person=world.maja.id, role="manager")
    assert logged_in(world.maja).get(at(world)).status_code == 403
    assert logged_in(world.maja).post(at(world), {"do": "pause", "webhook": str(webhook.id)}).status_code == 403
    assert world.admin.get(at(world)).status_code == 200
