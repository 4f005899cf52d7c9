"""The Dramatiq broker: the same PostgreSQL by default, RabbitMQ by BROKER_URL, one in memory for unit tests.

Django imports this while it loads the apps (`config.apps`), so it is set before any module of actors is imported.
Correctness never depends on it: a hint may be lost or doubled, and an unreachable queue costs a sender two seconds.
"""

from __future__ import annotations

import os
import select
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import dramatiq
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import default_middleware
from dramatiq_postgres import PostgresBroker
from dramatiq_postgres.django.middleware import DbConnectionsMiddleware
from psycopg import Connection
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from config.operations.actors import ActorTimes, RequestIds

POOL_TIMEOUT_S = 2.0
POOL_SIZE = 8
POLL_INTERVAL_S = 0.25
NOTIFY_EVERY_S = 0.05


class QueueUnreachable(PoolClosed):
    """No connection to the queue in time; a PoolClosed, which is what dramatiq-postgres does not retry for minutes."""


class QueuePool(ConnectionPool[Connection[Any]]):
    """Connections to the queue, opened at the first use (so after every fork), given up after two seconds."""

    def getconn(self, timeout: float | None = None) -> Connection[Any]:
        """Return a connection.

        Raises:
            QueueUnreachable: the database did not give one in time.
        """
        if self.closed:
            self.open()
        try:
            return super().getconn(timeout)
        except PoolTimeout as error:
            raise QueueUnreachable(str(error)) from None


def check_connection(connection: Connection[Any]) -> None:
    """Raise when the server closed an idle connection; only one with something to read is asked by a statement."""
    if select.select([connection.fileno()], [], [], 0)[0]:
        ConnectionPool.check_connection(connection)


class QueueBroker(PostgresBroker):
    """dramatiq-postgres with its NOTIFY debounced and no results.

    A NOTIFY makes a commit wait for every other commit that notifies: eight senders at once did 370 to 1340 a second
    with it and 1250 to 1700 without, on two busy cores. Without it an idle worker found a job after half a poll. So one
    sender notifies at most every 50 ms, and polling finds what came between.
    """

    def __init__(self, *, pool: QueuePool, middleware: list[dramatiq.Middleware]) -> None:
        super().__init__(pool=pool, results=False, poll_interval=POLL_INTERVAL_S, middleware=middleware)
        self._notified_s: dict[str, float] = {}

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        """Put a message into its queue, in a transaction of its own.

        Raises:
            QueueUnreachable: the database cannot be reached.
        """
        now = time.monotonic()
        self.notify = now - self._notified_s.get(message.queue_name, 0.0) >= NOTIFY_EVERY_S
        if self.notify:
            self._notified_s[message.queue_name] = now
        queued: dramatiq.Message[Any] = super().enqueue(message, delay=delay)
        return queued

    def close(self) -> None:
        """Stop listening and give the connections back."""
        super().close()
        self.pool.close()


def _queue_pool() -> QueuePool:
    database = settings.DATABASES["default"]
    names = (("NAME", "dbname"), ("USER", "user"), ("PASSWORD", "password"), ("HOST", "host"), ("PORT", "port"))
    address = {libpq: str(database[django]) for django, libpq in names if database.get(django)}
    options = {**database.get("OPTIONS", {}), "application_name": "palimpsest queue", "connect_timeout": 2}
    options.pop("pool", None)
    return QueuePool(
        kwargs={**options, **address},
        min_size=0,
        max_size=POOL_SIZE,
        timeout=POOL_TIMEOUT_S,
        reconnect_timeout=30,
        open=False,
        check=check_connection,
        name="palimpsest-queue",
    )


def _with_short_timeouts(url: str) -> str:
    """Add what makes RabbitMQ's client give up as soon as the pool does, unless the address says otherwise."""
    limits = {"socket_timeout": "2", "stack_timeout": "2", "connection_attempts": "1"}
    parts = urlsplit(url)
    return parts._replace(query=urlencode({**limits, **dict(parse_qsl(parts.query))})).geturl()


def make_broker() -> dramatiq.Broker:
    """Return the broker that the environment asks for.

    Raises:
        ImproperlyConfigured: BROKER_URL is of another kind than amqp, or RabbitMQ's client is not installed.
    """
    middleware = [*(each() for each in default_middleware), DbConnectionsMiddleware(), ActorTimes(), RequestIds()]
    if os.environ.get("PALIMPSEST_BROKER") == "stub":
        return StubBroker(middleware=middleware)
    url = os.environ.get("BROKER_URL", "").strip()
    if url:
        if not url.startswith(("amqp://", "amqps://")):
            raise ImproperlyConfigured("BROKER_URL must read amqp://user:password@host:5672/vhost (RabbitMQ).")
        try:
            from dramatiq.brokers.rabbitmq import RabbitmqBroker
        except ModuleNotFoundError:
            raise ImproperlyConfigured("BROKER_URL names RabbitMQ, which needs the package pika.") from None

        return RabbitmqBroker(url=_with_short_timeouts(url), middleware=middleware)
    return QueueBroker(pool=_queue_pool(), middleware=middleware)


broker = make_broker()
dramatiq.set_broker(broker)
