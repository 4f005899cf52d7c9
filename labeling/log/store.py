"""Append to the log and read from it: the only code that touches the event table.

The whole append, with its projected rows, is one call of the SQL function `log_append` (sql/append.sql), in one round
trip and one transaction. The counter row of a log is its only lock, so offset order = commit order = visibility order,
without a gap (measured alternatives: an identity column without a lock lost 75 % of the events to a tailing reader; an
xid horizon stalls every reader behind any open transaction of the cluster). No Python runs under the lock.

Streams. Besides a label's own stream and the dataset's, samples, assets and releases have streams of their own: a
million samples in one stream would make each a rival of all others, and a sample's history a scan.
"""

from __future__ import annotations

import datetime as dt
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any, TypeVar

import orjson
from django.db import OperationalError, connection, transaction

from labeling.log import values
from labeling.log.event import Event, Fact, Intent, data_digest, event_digest, microseconds, vocabulary
from labeling.log.rows import Rows

try:
    APP_VERSION = installed_version("palimpsest")
except PackageNotFoundError:
    APP_VERSION = "0.1"

#: How often a command is decided again because somebody else was faster, before the client is told to come back.
ATTEMPTS = 12
#: A page of the log, bounded in rows and in bytes of data as stored; a reader holds no long snapshot.
PAGE = 1000
PAGE_BYTES = 4_000_000

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


class LogGap(Exception):
    """Offsets that were read are not contiguous: events are missing. Run `manage.py verify`."""


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


def head(log: uuid.UUID) -> int:
    """The offset of the newest event; 0 for a log that does not exist."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT head FROM log_head WHERE log = %s", [log])
        row = cursor.fetchone()
    return row[0] if row else 0


def head_and_chain(log: uuid.UUID) -> tuple[int, bytes]:
    """The newest offset and the chain hash there: everything up to it is committed and will never change."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT head, chain FROM log_head WHERE log = %s", [log])
        row = cursor.fetchone()
    return (row[0], bytes(row[1])) if row else (0, bytes(32))


def chain_at(log: uuid.UUID, offset: int) -> bytes:
    """The chain hash at `offset` (1 or more).

    Raises:
        LookupError: there is no such event.
    """
    with connection.cursor() as cursor:
        cursor.execute('SELECT chain FROM log_event WHERE log = %s AND "offset" = %s', [log, offset])
        row = cursor.fetchone()
    if row is None:
        raise LookupError(f"there is no event at offset {offset}")
    return bytes(row[0])


def offset_at(log: uuid.UUID, moment: dt.datetime) -> int:
    """The last offset recorded at or before `moment`; 0 when that was before the first event."""
    with connection.cursor() as cursor:
        # recorded_at never decreases with the offset, so a bisection over the key needs no second index.
        cursor.execute("SELECT head FROM log_head WHERE log = %s", [log])
        row = cursor.fetchone()
        low, high = 0, row[0] if row else 0
        while low < high:
            middle = (low + high + 1) // 2
            cursor.execute(
                'SELECT recorded_at <= %s FROM log_event WHERE log = %s AND "offset" = %s', [moment, log, middle]
            )
            low, high = (middle, high) if cursor.fetchone()[0] else (low, middle - 1)
    return low


def version(log: uuid.UUID, stream: str) -> int:
    """How many events a stream has."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT version FROM log_event WHERE log = %s AND stream = %s ORDER BY version DESC LIMIT 1", [log, stream]
        )
        row = cursor.fetchone()
    return row[0] if row else 0


def logs(kind: str | None = None) -> list[tuple[uuid.UUID, str, int]]:
    """(log, kind, head) of every log."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT log, kind, head FROM log_head WHERE %s::text IS NULL OR kind = %s ORDER BY log", [kind, kind]
        )
        return list(cursor.fetchall())


def sizes() -> dict[str, int]:
    """{kind of log: events in all logs of that kind}."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind, sum(head) FROM log_head GROUP BY kind ORDER BY kind")
        return {kind: int(events) for kind, events in cursor.fetchall()}


def read_stream(
    log: uuid.UUID,
    stream: str,
    *,
    after_version: int = 0,
    after: int = 0,
    up_to: int | None = None,
    limit: int | None = None,
) -> Iterator[Event]:
    """The first `limit` events of one stream in order, after a version and an offset of the log, up to an offset."""
    return _events(
        'WHERE log = %s AND stream = %s AND version > %s AND "offset" > %s AND (%s::bigint IS NULL OR "offset" <= %s)'
        " ORDER BY version LIMIT %s",
        [log, stream, after_version, after, up_to, up_to, limit],
    )


def read_streams(log: uuid.UUID, prefix: str = "", *, up_to: int | None = None) -> Iterator[tuple[str, list[Event]]]:
    """(stream, its events) for every stream that starts with `prefix`, sorted; one stream is in memory at a time."""
    last = ""
    pending: list[Event] = []
    for page in _stream_pages(log, prefix, up_to):
        for event in page:
            if event.stream != last and pending:
                yield last, pending
                pending = []
            last = event.stream
            pending.append(event)
    if pending:
        yield last, pending


def read(
    log: uuid.UUID,
    *,
    after: int = 0,
    limit: int = PAGE,
    up_to: int | None = None,
    stream: str | None = None,
    types: Sequence[str] | None = None,
    author: uuid.UUID | None = None,
) -> list[Event]:
    """A page of the log after an offset, at most `limit` events, filtered by stream, types and author where given."""
    return list(
        _events(
            'WHERE log = %s AND "offset" > %s AND (%s::bigint IS NULL OR "offset" <= %s)'
            " AND (%s::text IS NULL OR stream = %s) AND (%s::text[] IS NULL OR type = ANY(%s))"
            ' AND (%s::uuid IS NULL OR author = %s) ORDER BY "offset" LIMIT %s',
            [
                log,
                after,
                up_to,
                up_to,
                stream,
                stream,
                list(types or []) or None,
                list(types or []) or None,
                author,
                author,
                limit,
            ],
        )
    )


def naming(log: uuid.UUID, stream: str, types: Sequence[str], member: str, texts: Sequence[str]) -> set[str]:
    """Those of `texts` that an event of the stream, of one of these types, has as this member of its data."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT data->>%s FROM log_event"
            " WHERE log = %s AND stream = %s AND type = ANY(%s) AND data->>%s = ANY(%s)",
            [member, log, stream, list(types), member, list(texts)],
        )
        return {row[0] for row in cursor.fetchall()}


def pages(log: uuid.UUID, *, after: int = 0, up_to: int | None = None) -> Iterator[list[Event]]:
    """The log in pages of contiguous events.

    Raises:
        LogGap: an event is missing.
    """
    while True:
        condition = 'log = %s AND "offset" > %s AND (%s::bigint IS NULL OR "offset" <= %s)'
        page = [unpacked(row) for row in page_of_rows(COLUMNS, condition, [log, after, up_to, up_to], '"offset"')]
        if not page:
            return
        for number, event in enumerate(page, after + 1):
            if event.offset != number:
                raise LogGap(f"log {log}: offset {number} is missing, found {event.offset}")
        after = page[-1].offset or after
        yield page


COLUMNS = (
    'log, "offset", stream, version, event_id, type, schema_version, data, author, author_kind, on_behalf_of, tool,'
    " work_session, reason, command, causation, correlation, seen_offset, app_version, occurred_at, recorded_at,"
    " data_hash, chain"
)


def page_of_rows(columns: str, condition: str, parameters: list[Any], order: str) -> list[tuple[Any, ...]]:
    """At most PAGE rows of events, and none after about PAGE_BYTES of data: huge labels must not fill the memory."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns} FROM (SELECT *, sum(pg_column_size(data)) OVER (ORDER BY {order}) - pg_column_size(data)"
            f" AS bytes_before FROM log_event WHERE {condition} ORDER BY {order} LIMIT %s) AS page"
            f" WHERE bytes_before < %s ORDER BY {order}",
            [*parameters, PAGE, PAGE_BYTES],
        )
        return list(cursor.fetchall())


def _events(where: str, parameters: list[Any]) -> Iterator[Event]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {COLUMNS} FROM log_event {where}", parameters)
        for row in cursor.fetchall():
            yield unpacked(row)


def _stream_pages(log: uuid.UUID, prefix: str, up_to: int | None) -> Iterator[list[Event]]:
    stream, number = prefix, 0
    condition = (
        "log = %s AND (stream, version) > (%s, %s) AND starts_with(stream, %s)"
        ' AND (%s::bigint IS NULL OR "offset" <= %s)'
    )
    while True:
        parameters = [log, stream, number, prefix, up_to, up_to]
        page = [unpacked(row) for row in page_of_rows(COLUMNS, condition, parameters, "stream, version")]
        if not page:
            return
        stream, number = page[-1].stream, page[-1].version
        yield page


def unpacked(row: Sequence[Any]) -> Event:
    """The event of a stored row (COLUMNS), its fact brought up to today's version."""
    data = values.load_stored(row[7])
    return Event(
        log=row[0],
        offset=row[1],
        stream=row[2],
        version=row[3],
        event_id=row[4],
        fact=vocabulary.decode(row[5], row[6], data),
        schema_version=row[6],
        raw=data,
        intent=Intent(
            author=row[8],
            author_kind=row[9],
            on_behalf_of=row[10],
            tool=row[11],
            work_session=row[12],
            reason=row[13],
            command=row[14],
            causation=row[15],
            correlation=row[16],
            seen_offset=row[17],
            occurred_at=row[19],
        ),
        app_version=row[18],
        recorded_at=row[20],
        data_hash=bytes(row[21]),
        chain=bytes(row[22]),
    )


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
