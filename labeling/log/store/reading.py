"""Read from the log: its head, pages of it, and streams."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import orjson
from django.db import connection

from labeling.log import values
from labeling.log.event import Event, Fact, Intent, vocabulary

#: A page of the log, bounded in rows and in bytes of data as stored; a reader holds no long snapshot.
PAGE = 1000
PAGE_BYTES = 4_000_000
#: Chain hashes that are read at once.
CHAINS = 20_000


class LogGap(Exception):
    """Offsets that were read are not contiguous: events are missing. Run `manage.py verify`."""


def head(log: uuid.UUID) -> int:
    """The offset of the newest event; 0 for a log that does not exist."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT head FROM log_head WHERE log = %s", [log])
        row = cursor.fetchone()
    return row[0] if row else 0


def heads(logs: Iterable[uuid.UUID]) -> dict[uuid.UUID, int]:
    """{log: the offset of its newest event} of those that exist."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT log, head FROM log_head WHERE log = ANY(%s)", [list(set(logs))])
        return dict(cursor.fetchall())


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


def chains(log: uuid.UUID, *, after: int, up_to: int) -> Iterator[bytes]:
    """The chain hashes of the events after an offset and up to another, in order.

    Raises:
        LogGap: an event is missing.
    """
    while after < up_to:
        with connection.cursor() as cursor:
            cursor.execute(
                'SELECT chain FROM log_event WHERE log = %s AND "offset" > %s AND "offset" <= %s ORDER BY "offset"',
                [log, after, min(after + CHAINS, up_to)],
            )
            rows = cursor.fetchall()
        if len(rows) != min(CHAINS, up_to - after):
            raise LogGap(f"log {log}: an event is missing after offset {after}")
        yield from (bytes(row[0]) for row in rows)
        after += len(rows)


def clocks() -> tuple[dt.datetime, dt.datetime | None]:
    """(what the clock of the database says, the newest time that any log recorded)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp(), max(recorded_at) FROM log_head WHERE head > 0")
        found: tuple[dt.datetime, dt.datetime | None] = cursor.fetchone()
    return found


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


def offset_of_event(log: uuid.UUID, event_id: uuid.UUID) -> int | None:
    """The offset of an event of the log by its id."""
    with connection.cursor() as cursor:
        cursor.execute('SELECT "offset" FROM log_event WHERE log = %s AND event_id = %s', [log, event_id])
        row = cursor.fetchone()
    return row[0] if row else None


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


def read_streams(
    log: uuid.UUID, prefix: str = "", *, after: str = "", up_to: int | None = None
) -> Iterator[tuple[str, list[Event]]]:
    """(stream, its events) for every stream that starts with `prefix` and comes after one, sorted; one stream is in
    memory at a time.
    """
    last = ""
    pending: list[Event] = []
    for page in _stream_pages(log, prefix, after, up_to):
        for event in page:
            if event.stream != last and pending:
                yield last, pending
                pending = []
            last = event.stream
            pending.append(event)
    if pending:
        yield last, pending


def read_short_streams(
    log: uuid.UUID, streams: Sequence[str], *, up_to: int | None = None
) -> list[tuple[str, list[Event]]]:
    """(stream, its events up to an offset) for each of these streams that has any, in one statement."""
    found: dict[str, list[Event]] = {}
    for event in _events(
        'WHERE log = %s AND stream = ANY(%s) AND (%s::bigint IS NULL OR "offset" <= %s) ORDER BY stream, version',
        [log, list(streams), up_to, up_to],
    ):
        found.setdefault(event.stream, []).append(event)
    return list(found.items())


def streams_between(log: uuid.UUID, *, after: int, up_to: int) -> list[str]:
    """The streams that have an event after an offset and up to another, sorted."""
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT DISTINCT stream FROM log_event WHERE log = %s AND "offset" > %s AND "offset" <= %s ORDER BY stream',
            [log, after, up_to],
        )
        return [row[0] for row in cursor.fetchall()]


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


class Happened(NamedTuple):
    """What a fold uses of an event. `text` is its data as it is stored: `fact` decodes it."""

    place: int  #: of its stream among those that were asked for
    version: int
    offset: int
    type: str
    schema_version: int
    text: str
    author: uuid.UUID
    recorded_at: dt.datetime

    @property
    def fact(self) -> Fact:
        """Its fact, brought up to today's version.

        Raises:
            UnknownEventType, msgspec.ValidationError: its data is not of a type that there is.
        """
        return vocabulary.decode(self.type, self.schema_version, values.load_stored(self.text))


def read_several(
    log: uuid.UUID, streams: Sequence[tuple[str, int]], *, up_to: int, most_bytes: int
) -> tuple[list[Happened], int]:
    """Events of several streams, each after a version, in one statement: as they were asked for, by version.

    Returns them, and how many of the streams are read to their end. No event comes after about `most_bytes` of data
    as stored, so it may be none; then ask again for those that are left, where the first one stopped.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT place, version, "offset", type, schema_version, data::text, author, recorded_at, found FROM'
            ' (SELECT w.place, e.version, e."offset", e.type, e.schema_version, e.data, e.author, e.recorded_at,'
            " sum(pg_column_size(e.data)) OVER (ORDER BY w.place, e.version) - pg_column_size(e.data) AS bytes_before,"
            " count(*) OVER () AS found"
            " FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS w (asked, place) CROSS JOIN LATERAL"
            ' (SELECT version, "offset", type, schema_version, data, author, recorded_at FROM log_event'
            ' WHERE log = %s AND stream = w.asked->>0 AND version > (w.asked->>1)::bigint AND "offset" <= %s'
            " ORDER BY version LIMIT %s) e) AS page WHERE bytes_before < %s ORDER BY place, version",
            # a long array takes psycopg several times as long
            [orjson.dumps(streams).decode(), log, up_to, PAGE, most_bytes],
        )
        rows = cursor.fetchall()
    found = [Happened(row[0] - 1, *row[1:8]) for row in rows]
    for place, events in groupby(found, key=lambda event: event.place):
        if sum(1 for _ in events) == PAGE:
            return [event for event in found if event.place <= place], place
    if rows and rows[-1][8] > len(rows):
        return found, found[-1].place
    return found, len(streams)


def begun(log: uuid.UUID, type_name: str, *, after: int, up_to: int, limit: int) -> list[tuple[int, str]]:
    """(offset, stream) of streams that began with an event of a type, after an offset and up to another."""
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT "offset", stream FROM log_event WHERE log = %s AND type = %s AND "offset" > %s AND "offset" <= %s'
            ' AND version = 1 ORDER BY "offset" LIMIT %s',
            [log, type_name, after, up_to, limit],
        )
        return list(cursor.fetchall())


def milestones(log: uuid.UUID, type_name: str, *, up_to: int, every: int) -> tuple[list[int], int]:
    """(the offset of every so-manieth event of a type, how many there are up to an offset)."""
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT "offset", number FROM (SELECT "offset", row_number() OVER (ORDER BY "offset") AS number,'
            ' lead("offset") OVER (ORDER BY "offset") AS next FROM log_event'
            ' WHERE log = %s AND type = %s AND "offset" <= %s) AS counted'
            ' WHERE number %% %s = 0 OR next IS NULL ORDER BY "offset"',
            [log, type_name, up_to, every],
        )
        rows = cursor.fetchall()
    return [row[0] for row in rows], rows[-1][1] if rows else 0


def run_before(event: Event) -> set[str]:
    """The types of the events that lie right in front of one in its log, and are of the same stream and command."""
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT DISTINCT type FROM log_event WHERE log = %(log)s AND "offset" < %(offset)s AND "offset" > coalesce('
            ' (SELECT "offset" FROM log_event WHERE log = %(log)s AND "offset" < %(offset)s'
            "   AND (stream <> %(stream)s OR command IS DISTINCT FROM %(command)s)"
            '   ORDER BY "offset" DESC LIMIT 1), 0)',
            {"log": event.log, "offset": event.offset, "stream": event.stream, "command": event.intent.command},
        )
        return {name for (name,) in cursor.fetchall()}


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


def _stream_pages(log: uuid.UUID, prefix: str, after: str, up_to: int | None) -> Iterator[list[Event]]:
    stream, number = max((prefix, 0), (after, 2**63 - 1)) if after else (prefix, 0)
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
