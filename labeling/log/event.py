"""What an event is: its fact, its envelope, its hash, and how old facts become new ones. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import struct
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import msgspec

from labeling.log import values
from labeling.log.written import text_and_digest

AUTHOR_KINDS = ("person", "model", "import", "service")
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
FIRST_CHAIN = bytes(32)

#: The log of the installation: people, organisations, keys. The same everywhere, so that it needs no table to be found.
INSTALLATION = uuid.UUID("00000000-0000-4000-8000-70616c696d70")
#: The log of logins, denied commands and downloads.
SECURITY = uuid.UUID("00000000-0000-4000-8000-736563757265")


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """What happened, in an annotator's words. The class name is the stored type, for ever; fields are plain JSON."""

    schema: ClassVar[int] = 1

    def plain(self) -> dict[str, Any]:
        """The fields that differ from their defaults. They are plain JSON already, so nothing below them is copied."""
        found = msgspec.structs.asdict(self)
        for name, default in _defaults(type(self)):
            if found[name] == default:
                del found[name]
        return found


@cache
def _defaults(fact: type[Fact]) -> tuple[tuple[str, Any], ...]:
    """(field, its default) of the fields of a fact that are not required."""
    return tuple(
        (field.name, field.default_factory() if callable(field.default_factory) else field.default)
        for field in msgspec.structs.fields(fact)
        if not field.required
    )


Upcast = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Intent:
    """Who wants it and why: what every event of one command has in common.

    `author` and `on_behalf_of` are ids of people that are never reused. `reason` is already encrypted. `occurred_at`
    is the client's clock. `seen_offset` is the dataset offset whose categories and guideline the author saw.
    """

    author: uuid.UUID
    author_kind: str = "person"
    on_behalf_of: uuid.UUID | None = None
    tool: str | None = None
    work_session: uuid.UUID | None = None
    reason: str | None = None
    command: uuid.UUID = field(default_factory=uuid.uuid4)
    request_hash: bytes | None = None
    causation: uuid.UUID | None = None
    correlation: uuid.UUID | None = None
    seen_offset: int | None = None
    occurred_at: dt.datetime | None = None

    @property
    def replayable(self) -> bool:
        """True when the client named the command itself, so that a retry must give the same answer."""
        return self.request_hash is not None


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event in its envelope. `offset`, `recorded_at` and `chain` are None until it is appended.

    A struct, as its fact is, and unseen by the garbage collector: a bulk makes thousands at once, and what they hold is
    plain JSON, which refers to no event.
    """

    log: uuid.UUID
    stream: str
    version: int
    fact: Fact
    intent: Intent
    event_id: uuid.UUID
    app_version: str
    offset: int | None = None
    recorded_at: dt.datetime | None = None
    schema_version: int = 1
    raw: dict[str, Any] | None = None
    data_hash: bytes | None = None
    chain: bytes | None = None

    @property
    def type(self) -> str:
        return type(self.fact).__name__

    @property
    def data(self) -> dict[str, Any]:
        """The fact as it is stored: of the stored version when it was read, of today's when it is new."""
        return self.raw if self.raw is not None else self.fact.plain()


class UnknownEventType(LookupError):
    """The log holds a type or version that this application does not know; folding must stop, never skip."""


class Vocabulary:
    """Every type of fact that may be stored, with the upcasts from older versions."""

    def __init__(self) -> None:
        self._types: dict[str, type[Fact]] = {}
        self._upcasts: dict[tuple[str, int], Upcast] = {}

    def add(self, facts: Iterable[type[Fact]], upcasts: dict[tuple[str, int], Upcast] | None = None) -> None:
        """Register fact types, and upcasts as {(type, from version): function}. A name can be registered once."""
        for fact in facts:
            known = self._types.setdefault(fact.__name__, fact)
            if known is not fact:
                raise ValueError(f"event type {fact.__name__} is registered twice")
        self._upcasts.update(upcasts or {})

    def names(self) -> list[str]:
        return sorted(self._types)

    def modules(self) -> set[str]:
        """Where the types are defined."""
        return {fact.__module__ for fact in self._types.values()}

    def decode(self, name: str, schema_version: int, data: dict[str, Any]) -> Fact:
        """The fact of stored `data`, brought up to today's version.

        Raises:
            UnknownEventType: the type, or a step from its version to today's, is not registered.
            msgspec.ValidationError: the data does not have the fields of the type.
        """
        fact = self._types.get(name)
        if fact is None or schema_version > fact.schema:
            raise UnknownEventType(f"{name} version {schema_version}")
        while schema_version < fact.schema:
            step = self._upcasts.get((name, schema_version))
            if step is None:
                raise UnknownEventType(f"{name} version {schema_version} has no upcast")
            data, schema_version = step(data), schema_version + 1
        return msgspec.convert(data, fact)


vocabulary = Vocabulary()


def microseconds(moment: dt.datetime | None) -> int | None:
    """Whole microseconds since 1970 in UTC; exact, unlike a float timestamp."""
    return None if moment is None else (moment - EPOCH) // dt.timedelta(microseconds=1)


def event_digest(event: Event, data_hash: bytes) -> bytes:
    """The digest of an event that is about to be stored; the same as `envelope_digest` of its columns."""
    fields = (event.log.bytes, event.stream.encode(), event.event_id.bytes, event.type.encode())
    kind = _SCHEMA.pack(8, event.schema_version) + _HASH
    return hashlib.sha256(_joined(fields) + kind + data_hash + _of_intent(event.intent, event.app_version)).digest()


def hashed(
    log: uuid.UUID, intent: Intent, app_version: str, events: Iterable[Event]
) -> Iterator[tuple[bytes, bytes, bytes]]:
    """(data as JSON text, its hash, `event_digest`) of events that are about to be stored and have all this in common.

    What many of them share is written once: a bulk has thousands.
    """
    before, behind = _prefixed(log.bytes), _of_intent(intent, app_version)
    streams: dict[str, bytes] = {}
    kinds: dict[tuple[str, int], bytes] = {}
    for event in events:
        text, data_hash = text_and_digest(event.data)
        name, version = event.stream, event.schema_version
        stream = streams.get(name)
        if stream is None:
            stream = streams[name] = before + _prefixed(name.encode()) + _ID
        kind = kinds.get((event.type, version))
        if kind is None:
            kind = _prefixed(event.type.encode()) + _SCHEMA.pack(8, version) + _HASH
            kinds[event.type, version] = kind
        digest = hashlib.sha256(b"".join((stream, event.event_id.bytes, kind, data_hash, behind))).digest()
        yield text, data_hash, digest


_ID = struct.pack(">i", 16)
_SCHEMA = struct.Struct(">iq")
_HASH = struct.pack(">i", 32)


def _of_intent(intent: Intent, app_version: str) -> bytes:
    """What all events of one command have in common."""
    return _joined(
        (
            intent.author.bytes,
            intent.author_kind.encode(),
            _bytes(intent.on_behalf_of),
            _text(intent.tool),
            _bytes(intent.work_session),
            _text(intent.reason),
            intent.command.bytes,
            _bytes(intent.causation),
            _bytes(intent.correlation),
            _int(intent.seen_offset),
            app_version.encode(),
            _int(microseconds(intent.occurred_at)),
        )
    )


def envelope_digest(
    *,
    log: uuid.UUID,
    stream: str,
    event_id: uuid.UUID,
    type: str,
    schema_version: int,
    data_hash: bytes,
    author: uuid.UUID,
    author_kind: str,
    on_behalf_of: uuid.UUID | None,
    tool: str | None,
    work_session: uuid.UUID | None,
    reason: str | None,
    command: uuid.UUID,
    causation: uuid.UUID | None,
    correlation: uuid.UUID | None,
    seen_offset: int | None,
    app_version: str,
    occurred_us: int | None,
) -> bytes:
    """SHA-256 over every immutable column that the client's side knows, each with a 4-byte big-endian length (-1 =
    null).

    Offset, version and the server's clock are added by the chain, because they are fixed only under the lock.
    """
    fields: tuple[bytes | None, ...] = (
        log.bytes,
        stream.encode(),
        event_id.bytes,
        type.encode(),
        struct.pack(">q", schema_version),
        data_hash,
        author.bytes,
        author_kind.encode(),
        _bytes(on_behalf_of),
        _text(tool),
        _bytes(work_session),
        _text(reason),
        command.bytes,
        _bytes(causation),
        _bytes(correlation),
        _int(seen_offset),
        app_version.encode(),
        _int(occurred_us),
    )
    return hashlib.sha256(_joined(fields)).digest()


def chained(previous: bytes, offset: int, version: int, recorded_us: int, digest: bytes) -> bytes:
    """The chain hash at `offset`; the SQL function `log_append` computes the same bytes under the lock."""
    return hashlib.sha256(previous + struct.pack(">qqq", offset, version, recorded_us) + digest).digest()


def data_digest(data: dict[str, Any]) -> bytes:
    return values.digest(data)


def _joined(fields: Iterable[bytes | None]) -> bytes:
    return b"".join(map(_prefixed, fields))


def _prefixed(item: bytes | None) -> bytes:
    return struct.pack(">i", -1) if item is None else struct.pack(">i", len(item)) + item


def _bytes(item: uuid.UUID | None) -> bytes | None:
    return None if item is None else item.bytes


def _text(item: str | None) -> bytes | None:
    return None if item is None else item.encode()


def _int(item: int | None) -> bytes | None:
    return None if item is None else struct.pack(">q", item)
