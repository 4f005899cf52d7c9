"""What Prometheus reads at /metrics: requests, appends, actors, and how far the projections and the queue are behind.

Each process counts for itself (`counters`); what the database knows is read when it is asked for.
"""

from __future__ import annotations

import hmac
import logging
import os
from collections.abc import Iterator
from typing import Any

import dramatiq
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from rest_framework.exceptions import AuthenticationFailed

from labeling.api.authentication import KeyAuthentication
from labeling.log import projector, store
from releases.queries import counts_by_status

logger = logging.getLogger(__name__)


class InTheDatabase:
    """What the database knows, asked at the time of reading."""

    def collect(self) -> Iterator[Metric]:
        """Lag of each projection, the size of the logs, the queue, and releases by the state of their files."""
        failed = GaugeMetricFamily(
            "palimpsest_unreadable", "1 for what could not be read at this time.", labels=["what"]
        )
        for what, read in (
            ("projections", self._projections),
            ("logs", self._logs),
            ("queue", self._queue),
            ("releases", self._releases),
        ):
            try:
                yield from read()
            except Exception:
                logger.warning("the metrics of %s cannot be read", what, exc_info=True)
                failed.add_metric([what], 1)
        yield failed

    def _projections(self) -> Iterator[Metric]:
        events = GaugeMetricFamily(
            "palimpsest_projection_lag_events", "Events that a projection has still to fold.", labels=["projection"]
        )
        logs = GaugeMetricFamily(
            "palimpsest_projection_lagging_logs", "Logs in which a projection is behind.", labels=["projection"]
        )
        for name, (behind, lagging) in projector.lags().items():
            events.add_metric([name], behind)
            logs.add_metric([name], lagging)
        yield events
        yield logs

    def _logs(self) -> Iterator[Metric]:
        found = GaugeMetricFamily("palimpsest_log_events", "Events in the logs, by kind of log.", labels=["kind"])
        for kind, count in store.sizes().items():
            found.add_metric([kind], count)
        yield found

    def _queue(self) -> Iterator[Metric]:
        found = GaugeMetricFamily("palimpsest_queue_messages", "Messages in the queue.", labels=["queue", "state"])
        for (queue, state), count in queued().items():
            found.add_metric([queue, state], count)
        yield found

    def _releases(self) -> Iterator[Metric]:
        found = GaugeMetricFamily("palimpsest_releases", "Releases, by the state of their file.", labels=["status"])
        for status, count in counts_by_status().items():
            found.add_metric([status], count)
        yield found


def queued() -> dict[tuple[str, str], int]:
    """{(queue, state): messages} that wait or are at work, wherever the queue is.

    Raises:
        Exception: the queue cannot be reached.
    """
    broker: Any = dramatiq.get_broker()
    if os.environ.get("BROKER_URL", "").strip():
        counts: dict[tuple[str, str], int] = {}
        for queue in broker.get_declared_queues():
            for state, number in zip(
                ("queued", "delayed", "dead"), broker.get_queue_message_counts(queue), strict=True
            ):
                counts[queue, state] = number
        return counts
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT queue_name, state::text, count(*) FROM dramatiq.queue"
            " WHERE state::text IN ('queued', 'consumed') GROUP BY 1, 2"
        )
        return {(queue, state): count for queue, state, count in cursor.fetchall()}


@require_safe
def view(request: HttpRequest) -> HttpResponse:
    """The metrics in Prometheus's text format, for METRICS_TOKEN as a bearer token, or an API key of who runs the
    installation (a superuser)."""
    if not _may_read(request):
        return HttpResponse("Metrics need METRICS_TOKEN as a bearer token, or a superuser's API key.\n", status=401)
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    now = CollectorRegistry()
    now.register(InTheDatabase())
    return HttpResponse(generate_latest(registry) + generate_latest(now), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    said = request.headers.get("Authorization", "")
    token = os.environ.get("METRICS_TOKEN", "")
    if token and hmac.compare_digest(said.encode(), f"Bearer {token}".encode()):
        return True
    if said.lower().startswith("apikey "):
        try:
            known = KeyAuthentication().authenticate(request)  # type: ignore[arg-type]
        except AuthenticationFailed:
            return False
        return known is not None and known[0].is_superuser
    return False
