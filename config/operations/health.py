"""/healthz: this process answers. /readyz: it can also do its work: the database, its tables, the files, the queue.

Both are for whoever starts, stops and balances processes; they tell no secrets and need no key. An unreachable queue
makes a process `degraded` and not unready: edits are kept, and the sweeper finds what no hint was sent for.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from config.operations.metrics import queued

logger = logging.getLogger(__name__)

#: How long an answer about something that costs a call of its own is good for, in seconds.
GOOD_FOR_S = 5.0
_known: dict[str, tuple[float, str]] = {}


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the process answers at all."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 with `ok` or `degraded`, or 503 with `unready`; `checks` says what of it works."""
    found = readiness()
    unready = found["status"] == "unready"
    answer = JsonResponse(found, status=503 if unready else 200)
    if unready:
        answer["Retry-After"] = "5"
    return answer


def readiness() -> dict[str, Any]:
    """`status`: ok, degraded (only the queue is missing) or unready; `checks`: what of it works."""
    checks = {
        "database": _tried("database", _database),
        "migrations": _recently("migrations", _migrations),
        "files": _recently("files", _files),
        "queue": _recently("queue", _queue),
    }
    needed = [said for name, said in checks.items() if name != "queue"]
    unready = any(said != "ok" for said in needed)
    return {"status": "unready" if unready else "ok" if checks["queue"] == "ok" else "degraded", "checks": checks}


def _tried(name: str, check: Callable[[], str]) -> str:
    try:
        return check()
    except Exception as error:  # whatever it is, the answer is that it does not work
        logger.warning("%s is not ready: %s", name, error)
        return "unreachable"


def _recently(name: str, check: Callable[[], str]) -> str:
    now_s = time.monotonic()
    until_s, said = _known.get(name, (0.0, ""))
    if now_s >= until_s:
        said = _tried(name, check)
        _known[name] = (now_s + (GOOD_FOR_S if said == "ok" else 0.0), said)
    return said


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _migrations() -> str:
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return "behind: run manage.py migrate"
    return "ok"


def _files() -> str:
    if os.environ.get("STORAGE_URL", "").strip():
        default_storage.exists("readyz")
        return "ok"
    return "ok" if os.access(settings.MEDIA_ROOT, os.R_OK | os.W_OK | os.X_OK) else "not writable"


def _queue() -> str:
    queued()
    return "ok"
