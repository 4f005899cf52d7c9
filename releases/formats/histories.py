"""The events behind a release as lines of our own archive, which anybody can check against its chain hash. Pure.

An event is a JSON object with every column that the chain covers: its place (offset, stream, version), what happened
(type, schema_version, data as it was stored), who and why (author …; a reason is encrypted with its author's key), both
clocks in whole microseconds since 1970, and `chain`, the hash that the next one goes on from. `labeling.log.event` has
the layout that is hashed.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from typing import Any

from labeling.log import values
from labeling.log.event import FIRST_CHAIN, Event, chained, envelope_digest, microseconds
from releases.formats import jsons

JSON = dict[str, Any]

_IDS = ("event_id", "author", "on_behalf_of", "work_session", "command", "causation", "correlation")
_PLAIN = (
    "stream", "type", "schema_version", "author_kind", "tool", "reason", "seen_offset", "app_version", "occurred_us",
)  # fmt: skip


class BrokenHistory(ValueError):
    """The events do not lead to each other; the text says where."""


def record(event: Event) -> JSON:
    """A stored event as it is written."""
    intent = event.intent
    ids = (
        event.event_id, intent.author, intent.on_behalf_of, intent.work_session, intent.command, intent.causation,
        intent.correlation,
    )  # fmt: skip
    return {
        "offset": event.offset,
        "stream": event.stream,
        "version": event.version,
        "type": event.type,
        "schema_version": event.schema_version,
        "data": event.data,
        "author_kind": intent.author_kind,
        "tool": intent.tool,
        "reason": intent.reason,
        "seen_offset": intent.seen_offset,
        "app_version": event.app_version,
        "occurred_us": microseconds(intent.occurred_at),
        "recorded_us": microseconds(event.recorded_at),
        "chain": (event.chain or b"").hex(),
        **{name: None if value is None else str(value) for name, value in zip(_IDS, ids, strict=True)},
    }


def line(event: JSON) -> bytes:
    """An event as a line."""
    return values.canonical_of_stored(event) + b"\n"


def read(lines: bytes, log: uuid.UUID, chain: str) -> Iterator[JSON]:
    """The events of these lines, each checked against the one before it, and the last against `chain`.

    Raises:
        BrokenHistory: one is missing, was changed, or is none; in the order of the lines.
    """
    previous, offset = FIRST_CHAIN, 0
    for row in lines.splitlines():
        offset += 1
        try:
            event = jsons.parsed(row)
            previous = _chain(event, log, previous, offset)
            said = event["chain"]
        except (ValueError, TypeError, KeyError, AttributeError):
            raise BrokenHistory(f"event {offset} is none") from None
        if previous.hex() != said:
            raise BrokenHistory(f"event {offset} is not what the chain says")
        yield event
    if previous.hex() != chain:
        raise BrokenHistory(f"the events end at {offset}, and not where the release stands")


def _chain(event: JSON, log: uuid.UUID, previous: bytes, offset: int) -> bytes:
    columns: JSON = {name: event[name] for name in _PLAIN}
    columns |= {name: None if event[name] is None else uuid.UUID(event[name]) for name in _IDS}
    data_hash = hashlib.sha256(values.canonical(event["data"])).digest()
    digest = envelope_digest(log=log, data_hash=data_hash, **columns)
    if event["offset"] != offset:
        raise ValueError(offset)
    return chained(previous, offset, event["version"], event["recorded_us"], digest)
