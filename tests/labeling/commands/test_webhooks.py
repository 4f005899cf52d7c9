"""Webhooks as events: who may, what is refused, and what an organisation's and the installation's are told."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from labeling import events as e
from labeling.commands import datasets, organizations, people, webhooks
from labeling.commands.webhooks import MOST_WEBHOOKS, Where
from labeling.errors import InvalidValue, NotFound, NotPermitted, Refused
from labeling.log import store
from labeling.log.event import INSTALLATION
from labeling.models import Webhook, WebhookCursor, WebhookDelivery
from labeling.webhooks import turns
from tests.support.receivers import Receiver, receiving

URL = "https://hooks.example.org/x"


@pytest.fixture
def ana(person):
    return person("ana")


@pytest.fixture
def street(dataset, ana):
    return dataset(ana)


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    with receiving() as found:
        settings.WEBHOOK_HOSTS = [found.host]
        yield found


def facts(log: uuid.UUID, webhook: uuid.UUID) -> list[Any]:
    return [event.fact for event in store.read_stream(log, f"webhook/{webhook}")]


def test_whatever_is_done_is_an_event_of_who_did_it(ana, street, intent):
    where = Where(street)
    fields = webhooks.checked_webhook({"url": URL, "labelsets": ["ground-truth"], "name": "x"}, where)
    made = webhooks.add_webhook(intent=intent(ana, tool="t"), where=where, fields=fields)

    def change(**changes: Any) -> None:
        checked = webhooks.checked_webhook(changes, where, partial=True)
        webhooks.change_webhook(intent=intent(ana), where=where, webhook=made, changes=checked)

    change(url=URL, name="x", labelsets=["ground-truth"])
    change(name="y", types=["label.updated"], paused=True)
    change(paused=True)
    change(paused=False)
    change(paused=False)
    webhooks.change_secret(intent=intent(ana), where=where, webhook=made)
    webhooks.redeliver(intent=intent(ana), where=where, webhook=made, log=street, offset=1)
    webhooks.remove_webhook(intent=intent(ana), where=where, webhook=made)
    assert [type(fact) for fact in facts(street, made)] == [
        e.WebhookAdded,
        e.WebhookChanged,
        e.WebhookPaused,
        e.WebhookResumed,
        e.WebhookSecretChanged,
        e.WebhookRedelivered,
        e.WebhookRemoved,
    ]
    first = next(store.read_stream(street, f"webhook/{made}"))
    assert (first.intent.author, first.intent.tool) == (ana.id, "t")
    assert facts(street, made)[1].changes == {"types": ["label.updated"], "name": "y"}
    with pytest.raises(NotFound):
        webhooks.remove_webhook(intent=intent(ana), where=where, webhook=made)


@pytest.mark.parametrize("role", ["viewer", "labeler", "reviewer", "manager"])
def test_only_admins_of_the_dataset_may(ana, street, intent, person, role):
    other = person("other")
    datasets.add_member(intent=intent(ana), dataset=street, person=other.id, role=role)
    with pytest.raises(NotPermitted):
        webhooks.add_webhook(intent=intent(other), where=Where(street), fields={"url": URL})


def test_nobody_else_knows_of_the_dataset(street, intent, person):
    with pytest.raises(NotFound):
        webhooks.add_webhook(intent=intent(person("stranger")), where=Where(street), fields={"url": URL})


@pytest.mark.parametrize(
    "url",
    ["", "x", "ftp://a.b/", "http://", "http://u:p@a.b/", "http://a.b/#c", "http://a b/", "http://a.b:0/",
     "http://a.b:99999/", "http://[::1/", "http://ä.b/", "http://a.b\\c/", 3, None, "http://a.b/" + "x" * 5000],
)  # fmt: skip
def test_what_is_no_address_is_refused_by_name(street, url):
    with pytest.raises(InvalidValue) as error:
        webhooks.checked_webhook({"url": url}, Where(street))
    assert error.value.field == "url"


@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "url"),
        ({"url": URL, "types": "label.updated"}, "types"),
        ({"url": URL, "types": ["label.created"]}, "types"),
        ({"url": URL, "types": [{}]}, "types"),
        ({"url": URL, "labelsets": "x"}, "labelsets"),
        ({"url": URL, "labelsets": [1]}, "labelsets"),
        ({"url": URL, "name": 3}, "name"),
        ({"url": URL, "name": "x" * 201}, "name"),
        ({"url": URL, "paused": 1}, "paused"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(street, body, field):
    with pytest.raises(InvalidValue) as error:
        webhooks.checked_webhook(body, Where(street))
    assert error.value.field == field


def test_label_sets_are_of_the_dataset(street):
    with pytest.raises(NotFound):
        webhooks.checked_webhook({"url": URL, "labelsets": ["other"]}, Where(street))
    with pytest.raises(InvalidValue):
        webhooks.checked_webhook({"url": URL, "labelsets": ["ground-truth"]}, Where())


def test_there_is_a_limit(ana, street, intent):
    for _ in range(MOST_WEBHOOKS):
        webhooks.add_webhook(intent=intent(ana), where=Where(street), fields={"url": URL})
    with pytest.raises(Refused):
        webhooks.add_webhook(intent=intent(ana), where=Where(street), fields={"url": URL})


def test_a_retry_makes_no_second_one(ana, street, intent):
    named = {"command": uuid.uuid4(), "request_hash": b"x" * 32}
    first = webhooks.add_webhook(intent=intent(ana, **named), where=Where(street), fields={"url": URL})
    assert webhooks.add_webhook(intent=intent(ana, **named), where=Where(street), fields={"url": URL}) == first
    assert Webhook.objects.count() == 1


def test_an_offset_that_is_not_there_is_refused(ana, street, intent):
    made = webhooks.add_webhook(intent=intent(ana), where=Where(street), fields={"url": URL})
    head = store.head(street)
    for offset in (0, head + 2):
        with pytest.raises(InvalidValue):
            webhooks.redeliver(intent=intent(ana), where=Where(street), webhook=made, log=street, offset=offset)
    webhooks.redeliver(intent=intent(ana), where=Where(street), webhook=made, log=street, offset=head + 1)
    assert WebhookCursor.objects.get(webhook_id=made).offset == head


def test_another_dataset_is_not_told(ana, street, dataset, intent):
    made = webhooks.add_webhook(intent=intent(ana), where=Where(street), fields={"url": URL})
    with pytest.raises(NotFound):
        webhooks.redeliver(intent=intent(ana), where=Where(street), webhook=made, log=dataset(ana), offset=1)


# --- above datasets ------------------------------------------------------------------------------------------------


@pytest.fixture
def firm(person, intent):
    boss = person("boss", superuser=True)
    return organizations.found_organization(intent=intent(boss), username="firm"), boss


def run_all() -> None:
    while found := turns.due():
        for one, log in found:
            turn = turns.begin(one, log)
            assert turn is not None
            turns.run(turn)
        WebhookCursor.objects.update(asked_at=None)


def create(owner: Any, by: Any, name: str, intent: Any) -> uuid.UUID:
    return datasets.create_dataset(
        intent=intent(by), owner=owner.id, name=name, task_type="vector", task_attributes=None, changes={}
    )


def test_an_organisation_is_told_of_its_datasets_old_and_new_and_of_no_others(
    firm, ana, dataset, intent, receiver, sample
):
    organization, boss = firm
    old = create(organization, boss, "old", intent)
    made = webhooks.add_webhook(
        intent=intent(boss), where=Where(organization=organization.id), fields={"url": receiver.url}
    )
    assert [type(fact) for fact in facts(INSTALLATION, made)] == [e.WebhookAdded]
    dataset(ana, name="anas")
    new = create(organization, boss, "new", intent)
    sample(old, boss, name="1.png")
    sample(new, boss, name="2.png")
    datasets.delete_dataset(intent=intent(boss), dataset=new)
    run_all()
    told = [(got.json["dataset"], got.type) for got in receiver.taken]
    assert sorted(told) == [
        ("firm/new", "dataset.created"),
        ("firm/new", "dataset.deleted"),
        ("firm/new", "sample.created"),
        ("firm/old", "sample.created"),
    ]
    assert [type for name, type in told if name == "firm/new"] == [
        "dataset.created", "sample.created", "dataset.deleted",
    ]  # fmt: skip


def test_who_runs_the_installation_is_told_of_all_datasets(ana, dataset, person, intent, receiver):
    boss = person("boss", superuser=True)
    webhooks.add_webhook(intent=intent(boss), where=Where(), fields={"url": receiver.url, "types": ["dataset.created"]})
    dataset(ana, name="anas")
    run_all()
    assert [(got.json["dataset"], got.type) for got in receiver.taken] == [("ana/anas", "dataset.created")]


@pytest.mark.parametrize("types", [[], ["dataset.created"], ["DatasetCreated", "dataset.created"]])
def test_what_is_told_again_is_what_was_told_at_first_also_where_it_stands_for_several_events(
    ana, dataset, person, intent, receiver, types
):
    boss = person("boss", superuser=True)
    made = webhooks.add_webhook(intent=intent(boss), where=Where(), fields={"url": receiver.url, "types": types})
    answers = iter([500, 500, 200, 500])
    receiver.behave = lambda got: next(answers, 200)
    street = dataset(ana, name="anas")
    for _ in range(6):
        run_all()
        WebhookCursor.objects.update(next_at=None, asked_at=None)
    assert [got.type for got in receiver.taken] == [*(["DatasetCreated"] if "DatasetCreated" in types else []),
                                                    "dataset.created"]  # fmt: skip
    assert {row.state for row in WebhookDelivery.objects.all()} == {"delivered"}
    first = receiver.taken[-1]
    receiver.behave = lambda got: 200
    for offset in range(2, first.json["offset"] + 1):
        webhooks.redeliver(intent=intent(boss), where=Where(), webhook=made, log=street, offset=offset)
        receiver.taken.clear()
        run_all()
        assert [(got.id, got.body) for got in receiver.taken] == [(first.id, first.body)]


def test_only_administrators_and_superusers_have_webhooks_above_datasets(firm, ana, person, intent):
    organization, boss = firm
    member = person("member")
    organizations.add_organization_member(
        intent=intent(boss, reason="she helps"), organization=organization.id, person=member, role="member"
    )
    for who in (ana, member):
        for where in (Where(organization=organization.id), Where()):
            with pytest.raises(NotPermitted):
                webhooks.add_webhook(intent=intent(who), where=where, fields={"url": URL})
    webhooks.add_webhook(intent=people.operator("test"), where=Where(), fields={"url": URL})
