"""The OpenAPI document, made once a process from what the views say of themselves, and the page to try it on."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request

from labeling.api.contract import SAFE, Operation, Reply, documented, operation_of
from labeling.api.denials import template
from labeling.api.schemas import COMPONENTS, PLACE, component_of, example_of
from labeling.api.schemas.errors import CONFLICT, ERROR, MEANINGS, REFUSALS
from labeling.api.schemas.forms import ANYTHING
from labeling.api.schemas.parameters import HEADERS, PATH, answer_header, path_parameter
from labeling.api.views import Answer, JSONAlways, View

JSON = dict[str, Any]

VERSION = "3.1.1"
#: Addresses that the protocol spells without the last slash (segments-protocol.md, fact 6). Both spellings answer.
BARE = {"user", "user-read", "collaborator"}
_METHODS = ("get", "put", "post", "patch", "delete")
_parameter = re.compile(r"\{(\w+)\}")
ABOUT = """\
The Segments.ai protocol, and beside it the events that every label is computed from.

Every address answers with and without its last slash; here is the form that the protocol uses. Bodies are strict JSON:
no NaN, no name used twice, no integer beyond 2^53 - 1 (nanosecond `timestamp`s aside), at most 64 levels; unknown names
are passed over, except where an object is closed. Every refusal has `detail` for people and `code` for programs.
Whatever writes takes `Idempotency-Key`. `x-scope` is the scope of API key that an operation needs, `x-action`,
`x-roles` and `x-public` say who may."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One documented method at one address; `name` is the address's."""

    id: str
    name: str
    method: str
    path: str
    view: Any
    operation: Operation

    @property
    def path_parameters(self) -> tuple[str, ...]:
        return tuple(_parameter.findall(self.path))

    @property
    def scope(self) -> str:
        """The scope that an API key needs."""
        writes: str = getattr(self.view, "writes", "read")
        return "read" if self.method in SAFE or self.operation.action == "open" else writes

    @property
    def tag(self) -> str:
        return str(self.view.__module__.rpartition(".")[2]).replace("_", " ")


def endpoints() -> list[Endpoint]:
    """Every documented method of every address, in order of the paths."""
    found = []
    for name, route, view in addresses():
        for method in _METHODS:
            operation = operation_of(getattr(view, method, None))
            if operation is not None and method in view.http_method_names:
                id = operation.id_at(name)
                found.append(Endpoint(id, name, method, spelled(name, route), view, operation))
    return sorted(found, key=lambda item: (item.path, _METHODS.index(item.method)))


def addresses() -> Iterator[tuple[str, str, Any]]:
    """(name, route, view class) of every address but those of pages for browsers."""
    for route, pattern in _patterns(get_resolver()):
        view = getattr(pattern.callback, "view_class", None)
        if view is not None and not route.startswith(("admin/", "accounts/")):
            yield str(pattern.name), route, view


def _patterns(resolver: URLResolver, front: str = "") -> Iterator[tuple[str, URLPattern]]:
    for item in resolver.url_patterns:
        place = front + str(item.pattern)
        if isinstance(item, URLResolver):
            yield from _patterns(item, place)
        else:
            yield place, item


def spelled(name: str, route: str) -> str:
    """An address in the spelling that is documented."""
    path = template(route)
    has_two = route.endswith("/?$")
    return path if (has_two and name not in BARE) or route.endswith("/") else path.rstrip("/")


# --- the document --------------------------------------------------------------------------------------------------


@cache
def document() -> JSON:
    """The whole document."""
    found = endpoints()
    paths: JSON = {}
    for item in found:
        paths.setdefault(item.path, {})[item.method] = _operation(item, found)
    tags = {item.tag: (sys.modules[item.view.__module__].__doc__ or "").strip().split("\n")[0] for item in found}
    return {
        "openapi": VERSION,
        "info": {
            "title": "Palimpsest",
            "summary": "A labeling backend that keeps every edit as an immutable event.",
            "description": ABOUT,
            "version": "0.1.0",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "servers": [{"url": "/", "description": "This installation."}],
        "security": [{"APIKey": []}, {"session": []}],
        "tags": [{"name": name, "description": words} for name, words in sorted(tags.items())],
        "paths": paths,
        "components": {
            "responses": _refusals(found),
            "schemas": {name: item.schema | {"examples": [item.example]} for name, item in sorted(COMPONENTS.items())},
            "securitySchemes": {
                "APIKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`APIKey <key>`; make a key at `/user/keys/`, in the admin, or with `manage.py"
                    " apikey`.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": settings.SESSION_COOKIE_NAME,
                    "description": "A browser that is logged in. What writes also takes `X-CSRFToken`.",
                },
            },
        },
    }


def _operation(item: Endpoint, everything: list[Endpoint]) -> JSON:
    said = item.operation
    words = " ".join((getattr(item.view, item.method).__doc__ or "").split())
    path = [path_parameter(name, *({**PATH, **said.path}[name])) for name in item.path_parameters]
    found: JSON = {
        "operationId": item.id,
        "tags": [item.tag],
        "summary": re.split(r"(?<=[.;:]) ", words)[0].rstrip(".;:"),
        "description": f"{words}\n\n{said.who}",
        "parameters": [*path, *said.parameters_at(item.method)],
        "responses": {
            **{str(status): _answer(status, answer, item, everything) for status, answer in said.answers.items()},
            **{
                str(status): {"$ref": f"#/components/responses/{_refusal_name(status, codes)}"}
                for status, codes in said.refusals_at(item.method, item.path_parameters).items()
            },
        },
        "x-action": said.action,
        "x-scope": item.scope,
    }
    if said.body is not None:
        body = said.body
        content = {body.media: {"schema": body.schema, "example": example_of(body.schema)}}
        if body.form is not None:
            content["multipart/form-data"] = {"schema": body.form, "example": example_of(body.form)}
        found["requestBody"] = {"required": body.is_required, "content": content}
    if said.action == "open":
        found["security"] = []
    if said.roles is not None:
        found["x-roles"] = said.roles
        found["x-public"] = said.is_public
    return found


def _answer(status: int, answer: Reply, item: Endpoint, everything: list[Endpoint]) -> JSON:
    found: JSON = {"description": answer.description or HTTPStatus(status).phrase}
    if answer.headers:
        found["headers"] = dict(answer.headers)
    if answer.schema is not None:
        content: JSON = {"schema": answer.schema}
        if "application/json" in answer.media:
            content["example"] = example_of(answer.schema) if answer.example is None else answer.example
        found["content"] = dict.fromkeys(answer.media, content)
        if "application/json" in answer.media:  # the schema is that of JSON; what else there is, is text
            others = [media for media in answer.media if media != "application/json"]
            found["content"] |= {media: {"schema": {"type": "string"}} for media in others}
        found["content"] |= {media: {"schema": {"type": "string", "format": "binary"}} for media in answer.files}
        links = _links(answer, item, everything)
        if links:
            found["links"] = links
    return found


def _links(answer: Reply, item: Endpoint, everything: list[Endpoint]) -> JSON:
    """Links to whatever takes something of the answer, and nothing that is not known then."""
    known = component_of(answer.schema)
    if known is None or not known.gives:
        return {}
    values = {name: f"$request.path.{name}" for name in item.path_parameters} | known.gives
    links: JSON = {}
    for other in everything:
        needed = set(other.path_parameters)
        if needed & known.gives.keys() and needed <= values.keys() and not other.operation.path:
            links[other.id] = {
                "operationId": other.id,
                "parameters": {f"path.{name}": values[name] for name in other.path_parameters},
            }
    return links


def _refusals(everything: list[Endpoint]) -> JSON:
    """The refusals of all operations, each once."""
    found = {
        _refusal_name(status, codes): _refusal(status, codes)
        for item in everything
        for status, codes in item.operation.refusals_at(item.method, item.path_parameters).items()
    }
    return dict(sorted(found.items()))


def _refusal_name(status: int, codes: list[str]) -> str:
    return ".".join([str(status), *codes])


def _refusal(status: int, codes: list[str]) -> JSON:
    if codes == ["conflict"]:
        schema: JSON = CONFLICT
    else:
        others = [code for code in codes if code != "conflict"]
        plain: JSON = {"allOf": [ERROR, {"properties": {"code": {"enum": others}}}]}
        schema = {"oneOf": [plain, CONFLICT]} if "conflict" in codes else plain
    found: JSON = {
        "description": MEANINGS[status],
        "content": {
            "application/json": {
                "schema": schema,
                "examples": {code: {"value": REFUSALS[code].example(code)} for code in codes},
            }
        },
    }
    headers = {name: HEADERS[name] for code in codes for name in REFUSALS[code].headers}
    if headers:
        found["headers"] = headers
    return found


def referred(schema: Any) -> Iterator[str]:
    """The names of all components that a part of the document refers to."""
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(PLACE)
        for value in schema.values():
            yield from referred(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from referred(value)


# --- where it is served --------------------------------------------------------------------------------------------


@cache
def _served() -> tuple[bytes, str]:
    raw = orjson.dumps(document())
    return raw, f'"{hashlib.sha256(raw).hexdigest()[:32]}"'


ETAG = answer_header("ETag", "The hash of the document.", {"type": "string", "examples": ['"5f…"']})


class SchemaView(View):
    """The OpenAPI document."""

    authentication_classes = []
    permission_classes = []

    @documented("schema", "open", {200: Reply(ANYTHING, (ETAG,), example={"openapi": VERSION})})
    def get(self, request: Request) -> Answer:
        """This document."""
        raw, etag = _served()
        return HttpResponse(raw, content_type="application/json", headers={"ETag": etag})


class DocsView(SpectacularSwaggerSplitView):
    """The page to read the document on and to try it."""

    authentication_classes = []
    http_method_names = ["get", "head"]  # OPTIONS would be answered by a template that there is none of
    content_negotiation_class = JSONAlways  # whatever a browser accepts, it is this page
    # Split in two, and with a template of ours, because the content policy refuses inline scripts and styles.
    url_name = "schema"
    template_name = "labeling/api_docs.html"
    title = "Palimpsest"

    @documented("docs", "open", {200: Reply({"type": "string"}, media=("text/html", "application/javascript"))})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        """A page for browsers, to read this document and to try it."""
        return super().get(request, *args, **kwargs)
