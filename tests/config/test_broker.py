"""The broker: chosen by the environment, quick to give up, sparing with NOTIFY."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import psycopg
import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from dramatiq.brokers.stub import StubBroker

from config import broker as module
from config.broker import QueueBroker, QueueUnreachable, make_broker


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that asks for no particular broker."""
    monkeypatch.delenv("PALIMPSEST_BROKER", raising=False)
    monkeypatch.delenv("BROKER_URL", raising=False)
    return monkeypatch


@pytest.fixture
def queue(environment: pytest.MonkeyPatch, committed_db: None) -> Iterator[QueueBroker]:
    """The default broker, on the database of the tests."""
    made = make_broker()
    assert isinstance(made, QueueBroker)
    yield made
    made.close()


def made_actor(broker: dramatiq.Broker, name: str, work: Callable[[int], None]) -> dramatiq.Actor[[int], None]:
    """An actor of its own name and queue."""
    return dramatiq.actor(broker=broker, actor_name=name, queue_name=name)(work)


def test_the_queue_is_in_the_database_unless_the_environment_says_otherwise(environment: pytest.MonkeyPatch) -> None:
    made = make_broker()
    assert isinstance(made, QueueBroker)
    made.close()
    environment.setenv("PALIMPSEST_BROKER", "stub")
    assert isinstance(make_broker(), StubBroker)


def test_a_broker_of_another_kind_is_refused_without_repeating_its_password(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("BROKER_URL", "redis://user:secret-word@host")
    with pytest.raises(ImproperlyConfigured, match="BROKER_URL must read amqp://") as refused:
        make_broker()
    assert "secret-word" not in str(refused.value)


def test_rabbitmq_without_its_client_is_refused_in_words(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("BROKER_URL", "amqp://user:secret@127.0.0.1:1/vhost")
    environment.setitem(sys.modules, "pika", None)
    environment.delitem(sys.modules, "dramatiq.brokers.rabbitmq", raising=False)
    with pytest.raises(ImproperlyConfigured, match="needs the package pika"):
        make_broker()


def test_an_unreachable_queue_is_given_up_at_once_and_not_tried_for_minutes(environment: pytest.MonkeyPatch) -> None:
    environment.setattr(module, "POOL_TIMEOUT_S", 0.1)
    environment.setitem(settings.DATABASES["default"], "HOST", "/nonexistent")
    made = make_broker()
    tries: list[module.QueuePool] = []
    getconn = module.QueuePool.getconn

    def counted(pool: module.QueuePool, timeout: float | None = None) -> psycopg.Connection[Any]:
        tries.append(pool)
        return getconn(pool, timeout)

    environment.setattr(module.QueuePool, "getconn", counted)
    actor = made_actor(made, "unreachable", lambda number: None)
    with pytest.raises(QueueUnreachable):
        actor.send(1)
    assert len(tries) == 1
    made.close()


def test_of_messages_sent_at_once_each_is_queued_and_one_notifies(queue: QueueBroker) -> None:
    name = "debounced"
    actor = made_actor(queue, name, lambda number: None)
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as listener:
        listener.execute(f'LISTEN "dramatiq.{name}.enqueue"')
        sent = {actor.send(1).message_id for _ in range(5)}
        heard = list(listener.notifies(timeout=0.5))
        rows = listener.execute(
            "DELETE FROM dramatiq.queue WHERE queue_name = %s RETURNING message_id", (name,)
        ).fetchall()
    assert {str(row[0]) for row in rows} == sent
    assert 1 <= len(heard) < 5


def test_a_worker_runs_what_was_sent_with_and_without_a_notify(queue: QueueBroker) -> None:
    name = "worked"
    ran: list[int] = []
    all_done = threading.Event()

    def work(number: int) -> None:
        ran.append(number)
        if len(ran) == 20:
            all_done.set()

    actor = made_actor(queue, name, work)
    worker = dramatiq.Worker(queue, worker_threads=1)
    worker.start()
    try:
        for number in range(20):
            actor.send(number)
        assert all_done.wait(60)
    finally:
        worker.stop()
    assert sorted(ran) == list(range(20))


def test_rabbitmq_gets_short_timeouts_unless_its_address_has_others() -> None:
    assert module._with_short_timeouts("amqp://user:p%40w@host:5672/%2F?heartbeat=30&socket_timeout=7") == (
        "amqp://user:p%40w@host:5672/%2F?socket_timeout=7&stack_timeout=2&connection_attempts=1&heartbeat=30"
    )
