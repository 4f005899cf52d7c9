"""The outermost middleware: the request's id, how long it took, a line in the log about it; and what operators watch.

/healthz, /readyz and /metrics are answered here, before Django looks at the name of the host: whoever asks for them
calls a process by its address.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from config.operations import counters, health, metrics, request_ids

logger = logging.getLogger(__name__)
GetResponse = Callable[[HttpRequest], HttpResponseBase]

WATCHED: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": health.healthz,
    "/readyz": health.readyz,
    "/metrics": metrics.view,
}


def observed(get_response: GetResponse) -> GetResponse:
    """Answer with the request's id, count the request, and (LOG_LEVEL INFO) tell about it.

    Neither the query nor a body is told: they may hold what only the log of events should.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        request_id = request_ids.told_or_new(request.headers.get(request_ids.HEADER, ""))
        with request_ids.bound(request_id):
            began = time.perf_counter()
            watched = WATCHED.get(request.path_info.rstrip("/"))
            response = get_response(request) if watched is None else _plain(watched(request))
            took_s = time.perf_counter() - began
            response[request_ids.HEADER] = request_id
            route = request.path_info.strip("/") if watched else _route(request)
            counters.request(request.method or "", route, response.status_code, took_s)
            if logger.isEnabledFor(logging.INFO):
                fields = {
                    "method": request.method,
                    "path": request.path,
                    "route": route,
                    "status": response.status_code,
                    "took_ms": round(took_s * 1000, 1),
                }
                logger.info("%s %s %s", request.method, request.path, response.status_code, extra=fields)
            return response

    return middleware


def _plain(response: HttpResponse) -> HttpResponse:
    """With what Django's own middleware would have added."""
    response["Content-Length"] = str(len(response.content))
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _route(request: HttpRequest) -> str:
    """The name of the view: a path holds names and would make a series of its own each."""
    match = request.resolver_match
    return match.view_name if match is not None and match.view_name else "none"
