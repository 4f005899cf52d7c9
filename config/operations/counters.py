"""What each process counts. All processes of one `serve` keep it in files of a directory that they share
(PROMETHEUS_MULTIPROC_DIR, set by config.serving), so whichever web process is asked answers for all.
"""

from __future__ import annotations

from prometheus_client import Counter, Histogram

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

requests = Counter("palimpsest_requests_total", "Requests answered.", ["method", "route", "status"])
request_seconds = Histogram("palimpsest_request_seconds", "How long a request took.", ["route"], buckets=SECONDS)
append_seconds = Histogram(
    "palimpsest_append_seconds",
    "How long a call of log_append took, waiting for the log's lock included, by what came of it.",
    ["outcome"],
    buckets=SECONDS,
)
conflicts = Counter("palimpsest_conflicts_total", "Edits refused because somebody else had touched the same.")
actor_seconds = Histogram(
    "palimpsest_actor_seconds", "How long an actor ran, by what came of it.", ["actor", "outcome"], buckets=SECONDS
)

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def request(method: str, route: str, status: int, took_s: float) -> None:
    """Count a request. A method that somebody made up makes no series of its own."""
    requests.labels(method if method in METHODS else "other", route, str(status)).inc()
    request_seconds.labels(route).observe(took_s)
    if status == 409:
        conflicts.inc()


def appended(outcome: str, took_s: float) -> None:
    """Count an append; `store.observers` calls it."""
    append_seconds.labels(outcome).observe(took_s)
