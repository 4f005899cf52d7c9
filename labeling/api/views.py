"""What all views share: the strict parser, the caller, and a dataset as the caller sees it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponseBase
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from labeling.api.requests import OTHER_BYTES, StrictJSONParser, at_of, caller
from labeling.errors import InvalidValue, NotFound
from labeling.models import ApiKey
from labeling.queries import datasets as dataset_queries
from labeling.queries.places import as_offset
from labeling.rules import access
from labeling.rules.dataset_state import DatasetState


class JSONAlways(BaseContentNegotiation):
    """Answers are JSON whatever the client accepts: the SDK accepts anything, and a browser should see JSON too."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        content_type = (request.content_type or "").split(";")[0].strip().lower()
        for parser in parsers:
            if content_type in ("", parser.media_type):
                return parser
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class View(APIView):
    """A view of the API."""

    parser_classes = [StrictJSONParser]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = JSONAlways
    schema = None  # what a view is, it says by api.contract
    most_bytes = OTHER_BYTES
    #: The scope of an API key that may write here: all of it, unless a view says that labeling is enough.
    writes = "manage"
    request: Request

    def scope_of(self, method: str | None) -> str:
        """The scope that an API key needs for a method."""
        return "read" if method in SAFE_METHODS else self.writes

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if isinstance(request.auth, ApiKey):  # who is logged in with a browser is there in person
            access.require_scope(self.scope_of(request.method), scope=request.auth.scope)
        if request.headers.get("Transfer-Encoding") and not request.META.get("CONTENT_LENGTH"):
            # WSGI gives Django no such body, and an empty one would be taken for a request that asks for nothing.
            raise InvalidValue("Content-Length", "is required; a chunked body is not read")
        for name, value in {**kwargs, **request.query_params.dict()}.items():
            if isinstance(value, str) and ("\x00" in value or not _encodes(value)):
                raise InvalidValue(name if name.isidentifier() else "query", "must be plain Unicode text without NUL")

    @property
    def person(self) -> uuid.UUID:
        return caller(self.request).id

    def dataset(self, owner: str, name: str, action: str = "read") -> dataset_queries.Seen:
        """The dataset owner/name, which the caller must be allowed to read, change …"""
        found = dataset_queries.find_dataset(owner, name, person=self.person)
        access.require(action, role=found.role, public=found.dataset.public, dataset=found.id)
        return found

    def past(self, found: dataset_queries.Seen) -> Past | None:
        """The dataset as it was `at`, for those who may read its history; None where the request asks for today.

        Raises:
            NotFound: there was none.
        """
        offset = asked_offset(
            self.request, dataset=found.id, role=found.role, public=found.dataset.public, head=found.head
        )
        if offset is None:
            return None
        state = dataset_queries.state_at(found.id, offset)
        if not state.exists:
            raise NotFound
        return Past(state, offset)


def offset_of(found: dataset_queries.Seen) -> dict[str, str]:
    """The header of an answer that shows a dataset as it is now: it reaches at least as far as the head that was read
    with the dataset, so that who follows the log from there misses nothing."""
    return {"Dataset-Offset": str(found.head)}


def asked_offset(request: Request, *, dataset: uuid.UUID, role: str | None, public: bool, head: int) -> int | None:
    """The offset that `at` names, for those who may read the dataset's history; None where the request asks for today.

    Raises:
        InvalidValue: there is no such event, or no such name.
    """
    at = at_of(request)
    if at is None:
        return None
    access.require("history", role=role, public=public, dataset=dataset)
    return as_offset(dataset, at, head)


@dataclass(frozen=True, slots=True)
class Past:
    """A dataset as it was at the offset that `at` named."""

    state: DatasetState
    offset: int

    @property
    def headers(self) -> dict[str, str]:
        return {"Dataset-Offset": str(self.offset)}


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


Answer = HttpResponseBase
