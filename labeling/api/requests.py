"""What requests say: bodies (strict JSON, gzip bounded), headers, query parameters, and the intent of the caller."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import uuid
import zlib
from typing import IO, Any, TypeVar
from urllib.parse import unquote

from django.conf import settings
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from labeling.commands.labels import Seen
from labeling.commands.security import Source
from labeling.errors import InvalidValue, PageNotFound, TooLarge
from labeling.log import values
from labeling.log.event import Intent
from labeling.models import ApiKey, Person
from labeling.queries.places import At
from labeling.references import WIDE as WIDE
from labeling.references import hostless
from labeling.rules.clients import client_of
from labeling.texts import encrypt

JSON = dict[str, Any]
T = TypeVar("T")

LABEL_BYTES = 512 * 1024 * 1024
OTHER_BYTES = 16 * 1024 * 1024
PAGE_MOST = 1000

#: Characters of a reason.
MOST_REASON = 10_000

_number = re.compile(r"0|[1-9][0-9]{0,15}")
_etag = re.compile(r'"(0|[1-9][0-9]{0,17})"')


class StrictJSONParser(BaseParser):
    """application/json, plain or gzip, by the rules of log.values. A view's `most_bytes` bounds it, inflated."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        request: Request = parser_context["request"]
        most = getattr(parser_context["view"], "most_bytes", OTHER_BYTES)
        raw = _read(stream, request.headers.get("Content-Encoding", "").strip().lower(), most)
        # Kept for the hash of a command that the client named.
        setattr(request._request, "raw_json", raw)  # noqa: B010 - Django's request has no such field
        if not raw:
            return {}
        if not raw.isascii() and raw.startswith(b"\xef\xbb\xbf"):
            raise InvalidValue("body", "must be UTF-8 without a byte order mark")
        host = f"{request.scheme}://{request._request.get_host()}"
        return values.parse(hostless(raw, {settings.PUBLIC_URL, host}), wide=WIDE)


def _read(stream: IO[bytes], encoding: str, most: int) -> bytes:
    if encoding in ("", "identity"):
        raw = stream.read(most + 1)
        if len(raw) > most:
            raise TooLarge("The request body is larger than the limit.")
        return raw
    if encoding != "gzip":
        raise UnsupportedMediaType(encoding)
    # No more than one gzip member, and nothing after it: both would be read differently by others.
    inflate = zlib.decompressobj(wbits=31)
    parts: list[bytes] = []
    size = 0
    try:
        while chunk := stream.read(1 << 16):
            while chunk:
                part = inflate.decompress(chunk, most + 1 - size)
                parts.append(part)
                size += len(part)
                if size > most:
                    raise TooLarge("The request body is larger than the limit when inflated.")
                chunk = inflate.unconsumed_tail
                if inflate.unused_data:
                    raise InvalidValue("body", "has something after the end of its gzip")
    except zlib.error as error:
        raise InvalidValue("body", "is not valid gzip") from error
    if not inflate.eof:
        raise InvalidValue("body", "is gzip that ends too early")
    return b"".join(parts)


def body_of(request: Request) -> JSON:
    """The body, which must be an object."""
    data = request.data
    if not isinstance(data, dict):
        raise InvalidValue("body", "must be an object")
    return data


# --- who and why ---------------------------------------------------------------------------------------------------


def caller(request: Request) -> Person:
    """Who calls; every view of ours lets in nobody else than people with an account."""
    assert isinstance(request.user, Person)
    return request.user


def intent_of(request: Request, said: JSON | None = None) -> Intent:
    """The caller's intent. `said` is what a body of ours may say about it: gesture, reason, tool, occurred_at, …"""
    person = caller(request)
    said = said or {}
    key = request.headers.get("Idempotency-Key")
    named: JSON = {}
    if key is not None:
        if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
            raise InvalidValue("Idempotency-Key", "must be 1 to 255 printable ASCII characters")
        digest = hashlib.sha256(f"{request.method} {request.path}\n{request.headers.get('If-Match', '')}\n".encode())
        digest.update(getattr(request._request, "raw_json", b""))
        named = {"command": uuid.uuid5(person.id, key), "request_hash": digest.digest()}
    in_header = _reason_in_header(request)  # looked at also where the body says it: what is wrong should not pass
    reason = _text(said, "reason", MOST_REASON) or in_header
    return Intent(
        author=person.id,
        author_kind=request.auth.origin if isinstance(request.auth, ApiKey) else "person",
        tool=_text(said, "tool", 100) or plain_header(request, "X-Source"),
        reason=encrypt(reason, person=person.id) if reason else None,
        correlation=_uuid(said, "gesture"),
        work_session=_uuid(said, "work_session"),
        occurred_at=_moment(said, "occurred_at"),
        seen_offset=_offset(said, "seen_offset") if "seen_offset" in said else _offset_in_header(request),
        **named,
    )


def _reason_in_header(request: Request) -> str | None:
    value = request.headers.get("X-Reason")
    if not value:
        return None
    try:
        found = unquote(value, errors="strict") if value.isascii() and value.isprintable() else ""
    except UnicodeDecodeError:
        found = ""
    if not found or "\x00" in found or len(found) > MOST_REASON:
        raise InvalidValue("X-Reason", f"must be at most {MOST_REASON} characters: ASCII, or percent-encoded UTF-8")
    return found


def _offset_in_header(request: Request) -> int | None:
    value = request.headers.get("Seen-Offset")
    if value is None:
        return None
    if not _number.fullmatch(value):
        raise InvalidValue("Seen-Offset", "must be an offset of the dataset")
    return int(value)


def source_of(request: Request) -> Source:
    """Where the request came from, for the security log. (An authentication that failed gave no key.)"""
    key = getattr(request, "_auth", None)
    own = key if isinstance(key, ApiKey) else None
    return Source(
        address=request.META.get("REMOTE_ADDR", ""),
        client=client_of(request.META.get("HTTP_USER_AGENT", "")),
        key=own.id if own else None,
        scope=own.scope if own else None,
    )


def plain_header(request: Request, name: str) -> str | None:
    """A header's text where it is plain ASCII, cut at 100 characters."""
    value = request.headers.get(name, "")[:100]
    return value if value and value.isascii() and value.isprintable() else None


def _text(said: JSON, key: str, most: int) -> str | None:
    value = said.get(key)
    if value is not None and (not isinstance(value, str) or len(value) > most):
        raise InvalidValue(key, f"must be a string of at most {most} characters")
    return value


def _uuid(said: JSON, key: str) -> uuid.UUID | None:
    value = said.get(key)
    if value is None:
        return None
    try:
        return uuid.UUID(value)
    except (ValueError, AttributeError, TypeError) as error:
        raise InvalidValue(key, "must be a uuid") from error


def _offset(said: JSON, key: str) -> int | None:
    value = said.get(key)
    if value is not None and (type(value) is not int or value < 0):
        raise InvalidValue(key, "must be an offset of the dataset")
    return value


def _moment(said: JSON, key: str) -> dt.datetime | None:
    value = said.get(key)
    if value is None:
        return None
    found = moment(value, key)
    # PostgreSQL multiplies an interval by a float, which holds every microsecond of these years and not of all.
    if not 1900 <= found.year < 2200:
        raise InvalidValue(key, "must be a time from the years 1900 to 2199")
    return found


def moment(value: Any, where: str) -> dt.datetime:
    """A time in ISO 8601; without a zone it is UTC."""
    try:
        found = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        raise InvalidValue(where, "must be a time in ISO 8601")
    if found.tzinfo is None:
        return found.replace(tzinfo=dt.UTC)
    try:
        return found.astimezone(dt.UTC)
    except OverflowError as error:
        raise InvalidValue(where, "must be a time in ISO 8601") from error


# --- headers and query ---------------------------------------------------------------------------------------------


def seen_of(request: Request) -> Seen:
    """What If-Match and If-None-Match say."""
    wanted, unwanted = request.headers.get("If-Match"), request.headers.get("If-None-Match")
    if unwanted is not None and unwanted.strip() != "*":
        raise InvalidValue("If-None-Match", "must be *")
    if wanted is None:
        return Seen(absent=unwanted is not None)
    wanted = wanted.strip()
    if wanted == "*":
        return Seen(any_version=True)
    match = _etag.fullmatch(wanted)
    if match is None:
        raise InvalidValue("If-Match", 'must be one strong ETag as this server gave it, for example "7"')
    return Seen(version=int(match[1]), absent=unwanted is not None)


def at_of(request: Request) -> At | None:
    """What ?at= says."""
    return place_of(request, "at")


def place_of(request: Request, name: str) -> At | None:
    """A place in a dataset's log that the query names."""
    value = request.query_params.get(name)
    return None if value is None else place_said(value, name)


def place_said(value: str, name: str) -> At:
    """A place in a dataset's log in somebody's words: an offset, a time, the id of an event, or a name."""
    if value.isascii() and value.isdigit():
        if len(value) > 18:
            raise InvalidValue(name, "must be an offset of the dataset or a time in ISO 8601")
        return int(value)
    event = uuid_of(value)
    if event is not None:
        return event
    try:
        # A plus sign in a query is a space unless it was escaped.
        return moment(value.replace(" ", "+") if "T" in value else value, name)
    except InvalidValue:
        return value


def number_of(request: Request, name: str, default: int, *, least: int = 0, most: int = 1 << 62) -> int:
    """A whole number of the query, which must be within bounds."""
    value = request.query_params.get(name)
    if value is None or value == "":
        return default
    if not value.isascii() or not value.isdigit() or len(value) > 18 or not least <= int(value) <= most:
        raise InvalidValue(name, f"must be a whole number from {least} to {most}")
    return int(value)


def page_of(request: Request, default: int = PAGE_MOST) -> tuple[int, int]:
    """(limit, skip) of the protocol's per_page and page; what makes no sense is ignored, as the protocol does."""

    def lenient(name: str, otherwise: int) -> int:
        value = request.query_params.get(name, "")
        return int(value) or otherwise if value.isascii() and value.isdigit() and len(value) <= 18 else otherwise

    limit = min(lenient("per_page", default), PAGE_MOST)
    return limit, (min(lenient("page", 1), 10_000_000) - 1) * limit


def existing_page(page: list[T], skip: int) -> list[T]:
    """The rows of a page; a first one may be empty.

    Raises:
        PageNotFound: the list ended before it.
    """
    if skip and not page:
        raise PageNotFound
    return page


def uuid_of(text: str) -> uuid.UUID | None:
    """A uuid of a path, or None."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
