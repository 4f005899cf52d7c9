"""Append to the log: facts to events, events and their projected rows into one call of `log_append`."""

from __future__ import annotations

import datetime as dt
import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any, TypeVar

import orjson
from django.db import OperationalError, connection, transaction

from labeling.log import values
from labeling.log.event import Event, Fact, Intent, data_digest, event_digest, microseconds
from labeling.log.rows import Rows

try:
    APP_VERSION = installed_version("palimpsest")
except PackageNotFoundError:
    APP_VERSION = "0.1"

#: How often a command is decided again because somebody else was faster, before the client is told to come back.
ATTEMPTS = 12
#: From how many events on an append copies them into a temporary table first, so that nothing is parsed under the lock.
STAGED_FROM = 50

LOCK_NOT_AVAILABLE = "55P03"

T = TypeVar("T")

#: Told of every call of log_append: what came of it (appended, replayed, stale, busy …), and how many seconds it took.
observers: list[Callable[[str, float], None]] = []


class LogBusy(Exception):
    """The log could not be appended to in time; nothing was stored. Try again after `retry_after_s`."""

    retry_after_s = 1


class CommandReused(Exception):
    """The same command id came before with another request."""


class Stale(Exception):
    """The state that a rule decided on is no longer the newest. Raised and handled in `decide`."""


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append did. `first_offset` is None when nothing was stored; `replayed` when it had happened before."""

    first_offset: int | None
    last_offset: int
    recorded_at: dt.datetime
    replayed: bool
    hint: bool
    answer: Any

    def offset_of(self, relative: int) -> int:
        """The offset of an event whose provisional offset (0 or less, counted back from the last) is `relative`."""
        return self.last_offset + relative if relative < 1 else relative


def new_events(log: uuid.UUID, intent: Intent, facts: Sequence[tuple[str, int, Fact]]) -> list[Event]:
    """Events for (stream, version before it, fact) triples; versions count on within a stream.

    Their offsets are provisional: 0 for the last, -1 for the one before it, and so on back.
    """
    ahead: dict[str, int] = {}
    events = []
    for index, (stream, before, fact) in enumerate(facts):
        number = ahead.get(stream, before) + 1
        ahead[stream] = number
        events.append(
            Event(
                log=log,
                stream=stream,
                version=number,
                fact=fact,
                intent=intent,
                event_id=uuid.uuid4(),
                app_version=APP_VERSION,
                offset=index + 1 - len(facts),
                schema_version=fact.schema,
            )
        )
    return events


def append(
    log: uuid.UUID,
    *,
    intent: Intent,
    events: Sequence[Event],
    rows: Rows,
    expected: Mapping[str, int] | None = None,
    open_as: str | None = None,
    answer: Any = None,
) -> Appended:
    """Store `events` with their projected `rows`, all or nothing.

    `expected` maps streams to the version that the caller's state was read at; it defaults to what the events say.

    Raises:
        Stale: a stream is past its expected version; decide again on fresh state.
        CommandReused: the intent's command id came before with another request.
        LogBusy: the counter row was locked for too long; nothing was stored.
        django.db.IntegrityError: a projected row breaks a constraint; nothing was stored.
    """
    if expected is None:
        expected = {}
        for event in events:
            expected.setdefault(event.stream, event.version - 1)
    staged = len(events) >= STAGED_FROM
    parameters = [
        log,
        open_as,
        orjson.dumps(expected).decode(),
        None if staged else orjson.dumps([_packed(event) for event in events]).decode(),
        orjson.dumps(rows.as_json()).decode(),
        intent.command,
        intent.request_hash,
        None if answer is None else orjson.dumps(answer).decode(),
    ]
    if intent.replayable and answer is None:
        parameters[-1] = "null"
    began_s = time.perf_counter()
    status = "failed"
    try:
        status, first, last, recorded_at, hint, kept = _call(parameters, events if staged else ())
    except LogBusy:
        status = "busy"
        raise
    finally:
        for observer in observers:
            observer(status, time.perf_counter() - began_s)
    if status == "stale":
        raise Stale
    if status == "reused":
        raise CommandReused
    if status == "unknown_log":
        raise LookupError(f"there is no log {log}")
    return Appended(
        first, last, recorded_at, status == "replayed", bool(hint), values.load_stored(kept) if kept else None
    )


def _call(parameters: list[Any], staged: Sequence[Event]) -> tuple[Any, ...]:
    # What is refused inside of a caller's transaction must not spoil the rest of that. A bulk is a transaction of its
    # own: it empties its temporary table at the end.
    in_transaction = staged or connection.in_atomic_block
    with transaction.atomic() if in_transaction else nullcontext(), connection.cursor() as cursor:
        if staged:
            _stage(cursor, staged)
        try:
            cursor.execute(
                "SELECT status, first_offset, last_offset, recorded_at, hint, answer"
                " FROM log_append(%s, %s, %s::jsonb, %s::jsonb, %s::jsonb, %s, %s, %s::jsonb)",
                parameters,
            )
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) == LOCK_NOT_AVAILABLE:
                raise LogBusy from error
            raise
        return tuple(cursor.fetchone())


#: The temporary table of a bulk: each column with its type.
STAGED = (
    ("n", "bigint"), ("stream", "text"), ("version", "bigint"), ("event_id", "uuid"), ("type", "text"),
    ("schema_version", "smallint"), ("data", "jsonb"), ("author", "uuid"), ("author_kind", "text"),
    ("on_behalf_of", "uuid"), ("tool", "text"), ("work_session", "uuid"), ("reason", "text"), ("causation", "uuid"),
    ("correlation", "uuid"), ("seen_offset", "bigint"), ("app_version", "text"), ("occurred_us", "bigint"),
    ("data_hash", "bytea"), ("digest", "bytea"),
)  # fmt: skip
STAGE = f"CREATE TEMPORARY TABLE IF NOT EXISTS log_staged_event ({', '.join(map(' '.join, STAGED))})"


def _stage(cursor: Any, events: Sequence[Event]) -> None:
    """Copy a bulk to where log_append finds it."""
    # Emptied here and not at the end: a caller's transaction may hold several bulks.
    cursor.execute(f"{STAGE}; TRUNCATE log_staged_event")
    with cursor.copy("COPY log_staged_event FROM STDIN") as copy:
        for number, event in enumerate(events):
            data = event.data
            data_hash = data_digest(data)
            intent = event.intent
            copy.write_row(
                (
                    number,
                    event.stream,
                    event.version,
                    event.event_id,
                    event.type,
                    event.schema_version,
                    orjson.dumps(data).decode(),
                    intent.author,
                    intent.author_kind,
                    intent.on_behalf_of,
                    intent.tool,
                    intent.work_session,
                    intent.reason,
                    intent.causation,
                    intent.correlation,
                    intent.seen_offset,
                    event.app_version,
                    microseconds(intent.occurred_at),
                    data_hash,
                    event_digest(event, data_hash),
                )
            )


def decide(attempt: Callable[[], T]) -> T:
    """Run `attempt` (load, rule, append) until it is not stale.

    Raises:
        LogBusy: others were faster every time; never a false conflict.
    """
    for turn in range(ATTEMPTS):
        try:
            return attempt()
        except Stale:
            time.sleep(random.uniform(0, 0.002 * (turn + 1)))
    raise LogBusy


def _packed(event: Event) -> dict[str, Any]:
    data = event.data
    data_hash = data_digest(data)
    intent = event.intent
    packed = {
        "s": event.stream,
        "v": event.version,
        "i": event.event_id,
        "t": event.type,
        "n": event.schema_version,
        "d": data,
        "h": data_hash.hex(),
        "g": event_digest(event, data_hash).hex(),
        "a": intent.author,
        "k": intent.author_kind,
        "b": intent.on_behalf_of,
        "tool": intent.tool,
        "ws": intent.work_session,
        "r": intent.reason,
        "ca": intent.causation,
        "co": intent.correlation,
        "so": intent.seen_offset,
        "av": event.app_version,
        "o": microseconds(intent.occurred_at),
    }
    return {key: value for key, value in packed.items() if value is not None}


def earlier_answer(log: uuid.UUID, intent: Intent) -> Appended | None:
    """What this command did when it came before, or None. Only for intents that the client named.

    Raises:
        CommandReused: the command id came before with another request.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT request_hash, first_offset, last_offset, recorded_at, answer FROM log_command"
            " WHERE log = %s AND command = %s",
            [log, intent.command],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    if bytes(row[0]) != intent.request_hash:
        raise CommandReused
    return Appended(row[1], row[2], row[3], True, False, values.load_stored(row[4]))
