"""The queue of webhooks: hints after an append, the sweeper where they are lost, and who takes their time."""

from __future__ import annotations

from typing import Any

import pytest

from config.worker import THREADS
from labeling import actors
from labeling.commands import webhooks
from labeling.commands.webhooks import Where
from labeling.models import WebhookCursor
from labeling.webhooks import turns
from tests.support.receivers import receiving


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was put into the queue."""
    found: list[tuple[str, str]] = []
    monkeypatch.setattr(actors.deliver, "send", lambda *arguments: found.append(arguments))
    return found


@pytest.fixture
def hooked(person: Any, dataset: Any, sample: Any, intent: Any, settings: Any) -> Any:
    """A street with a webhook that has something to be told, and its receiver."""
    ana = person("ana")
    street = dataset(ana)
    with receiving() as receiver:
        settings.WEBHOOK_HOSTS = [receiver.host]
        made = webhooks.add_webhook(intent=intent(ana), where=Where(street), fields={"url": receiver.url})
        sample(street, ana)
        yield street, made, receiver


def test_catching_up_with_a_log_has_its_webhooks_told(hooked, sent):
    street, made, receiver = hooked
    actors.catch_up.fn(str(street))
    assert sent == [(str(made), str(street))]
    actors.catch_up.fn(str(street))
    assert len(sent) == 1  # they were asked for a moment ago
    actors.deliver.fn(*sent[0])
    assert [got.type for got in receiver.taken] == ["sample.created"]
    assert len(sent) == 1


def test_the_sweeper_finds_what_was_lost(hooked, sent):
    street, made, _ = hooked
    assert actors.ask_webhooks() == 1
    WebhookCursor.objects.update(asked_at="2000-01-01T00:00Z")  # the queue lost it
    assert actors.ask_webhooks() == 1
    assert sent == [(str(made), str(street))] * 2


def test_who_takes_their_time_gets_a_turn_only_while_others_could_have_one(hooked, sent):
    street, made, receiver = hooked
    actors.ask_webhooks()
    WebhookCursor.objects.update(last_ms=5000)
    for _ in range(actors.SLOW_AT_ONCE):
        assert actors._slow.acquire(blocking=False)
    try:
        actors.deliver.fn(*sent[0])
        assert receiver.seen == []
        assert turns.due() == [(made, street)]  # the turn was given back
        WebhookCursor.objects.update(last_ms=5)
        actors.deliver.fn(*sent[0])
        assert len(receiver.taken) == 1
    finally:
        for _ in range(actors.SLOW_AT_ONCE):
            actors._slow.release()


def test_no_more_are_told_at_once_than_leave_threads_for_everything_else(hooked, sent):
    street, made, receiver = hooked
    actors.ask_webhooks()
    for _ in range(actors.WEBHOOKS_AT_ONCE):
        assert actors._telling.acquire(blocking=False)
    try:
        actors.deliver.fn(*sent[0])
        assert receiver.seen == []
        assert turns.due() == [(made, street)]  # the sweeper asks again at once
    finally:
        for _ in range(actors.WEBHOOKS_AT_ONCE):
            actors._telling.release()
    assert actors.WEBHOOKS_AT_ONCE + actors.HEAVY_AT_ONCE < THREADS
    actors.deliver.fn(*sent[0])
    assert len(receiver.taken) == 1


def test_a_turn_ends_so_that_others_have_theirs(hooked, sent, monkeypatch, sample, person):
    street, made, receiver = hooked
    sample(street, person("ana"))
    monkeypatch.setattr(turns, "TURN_S", 0.0)
    assert turns.due() == [(made, street)]
    actors.deliver.fn(str(made), str(street))
    assert len(receiver.taken) == 1
    assert sent == [(str(made), str(street))]
    actors.deliver.fn(*sent[0])
    assert len(receiver.taken) == 2


def test_the_queue_has_threads_of_its_own():
    assert {actors.deliver.queue_name, actors.send_pings.queue_name} == {actors.WEBHOOKS}
    others = {actors.catch_up.queue_name, actors.catch_up_heavy.queue_name}
    assert actors.WEBHOOKS not in others


@pytest.mark.parametrize("limit, most", [("_telling", actors.WEBHOOKS_AT_ONCE), ("_slow", actors.SLOW_AT_ONCE)])
def test_a_ping_waits_while_nobody_is_free_and_holds_nobody_up(hooked, intent, person, limit, most):
    street, made, receiver = hooked
    webhooks.ping(intent=intent(person("ana")), where=Where(street), webhook=made)
    semaphore = getattr(actors, limit)
    for _ in range(most):
        assert semaphore.acquire(blocking=False)
    try:
        actors.send_pings.fn(str(made))
        assert receiver.seen == []
    finally:
        for _ in range(most):
            semaphore.release()
    for _ in range(3):  # nothing was kept by the one that waited
        actors.send_pings.fn(str(made))
    assert [got.type for got in receiver.taken] == ["ping"]
    assert (actors._telling._value, actors._slow._value) == (actors.WEBHOOKS_AT_ONCE, actors.SLOW_AT_ONCE)
