"""What was denied, on its way into the security log: who asked, with which key, for which action at which address."""

from __future__ import annotations

import re
from functools import lru_cache

from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from labeling.api.requests import plain_header, source_of
from labeling.commands import security
from labeling.errors import NotPermitted
from labeling.models import ApiKey, Person

# A named group of a route, which may hold one group of its own.
_group = re.compile(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)|<(?:\w+:)?(\w+)>")


@lru_cache(maxsize=1024)
def template(route: str) -> str:
    """An address without the values in it: `^samples/(?P<sample>[^/]+)/?$` is `/samples/{sample}/`."""
    plain = _group.sub(lambda found: f"{{{found[1] or found[2]}}}", route)
    return "/" + plain.removeprefix("^").removesuffix("$").removesuffix("/?").strip("/") + "/"


def tell_denial(request: Request, error: NotPermitted | AuthenticationFailed) -> None:
    """Tell the security log of a denied command, or of a key that is none."""
    match = request._request.resolver_match
    bad_key = isinstance(error, AuthenticationFailed)
    # After a failed authentication there is nobody to ask for.
    person = None if bad_key else request.user
    key = None if bad_key else request.auth
    security.denied(
        person=person.id if isinstance(person, Person) else None,
        kind=key.origin if isinstance(key, ApiKey) else "person",
        error=None if isinstance(error, AuthenticationFailed) else error,
        path=template(match.route) if match else "",
        source=source_of(request),
        tool=plain_header(request, "X-Source"),
    )
