"""What is denied in the browser's pages, told to the security log as what the API denies is."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from labeling.admin.logins import source_of
from labeling.admin.rights import TOOL
from labeling.api.denials import template
from labeling.commands import security
from labeling.errors import NotPermitted
from labeling.models import Person

Handler = Callable[[HttpRequest], HttpResponseBase]


def tell_denial(request: HttpRequest, error: BaseException) -> None:
    """Tell of an error, if it is (or comes of) that who is logged in may not do something."""
    denied = next(
        (item for item in (error, error.__cause__) if isinstance(item, NotPermitted | PermissionDenied)), None
    )
    if denied is None:
        return
    match = request.resolver_match
    security.denied(
        person=request.user.id if isinstance(request.user, Person) else None,
        error=denied if isinstance(denied, NotPermitted) else NotPermitted(action="page"),
        path=template(match.route) if match else "",
        source=source_of(request),
        tool=TOOL,
    )


def tell_denials(get_response: Handler) -> Handler:
    """Middleware, behind the one that knows who is logged in: tells of pages that may not be opened."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        return get_response(request)

    middleware.process_exception = tell_denial  # type: ignore[attr-defined] # Django looks for it there
    return middleware
