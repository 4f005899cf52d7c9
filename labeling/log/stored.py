"""The log as it lies in its tables, for who checks it: `store` trusts and decodes what it reads, this does neither."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import connection

from labeling.log import store, values

#: The columns of store.COLUMNS; times as microseconds since 1970, because a wrong one may be none that Python has.
COLUMNS = (
    'log, "offset", stream, version, event_id, type, schema_version, data, author, author_kind, on_behalf_of, tool,'
    " work_session, reason, command, causation, correlation, seen_offset, app_version,"
    " CASE WHEN isfinite(occurred_at) THEN least(extract(epoch FROM occurred_at) * 1000000, 9e18)::bigint"
    " WHEN occurred_at IS NOT NULL THEN 9000000000000000000 END,"
    " CASE WHEN isfinite(recorded_at) THEN least(extract(epoch FROM recorded_at) * 1000000, 9e18)::bigint"
    " ELSE 9000000000000000000 END, data_hash, chain"
)


#: What each of them is called outside.
NAMES = (
    "log", "offset", "stream", "version", "event_id", "type", "schema_version", "data", "author", "author_kind",
    "on_behalf_of", "tool", "work_session", "reason", "command", "causation", "correlation", "seen_offset",
    "app_version", "occurred_us", "recorded_us", "data_hash", "chain",
)  # fmt: skip


class StoredHead(NamedTuple):
    """The counter row of a log."""

    head: int
    chain: bytes
    recorded_us: int | None  #: None for a log that was only opened


class Misnumbered(NamedTuple):
    """Events whose version does not follow the one before it in its stream."""

    events: int
    first_offset: int


def pages(log: uuid.UUID, *, after: int = 0, up_to: int | None = None) -> Iterator[list[tuple[Any, ...]]]:
    """Rows (COLUMNS) in order of offset, with whatever is in them, up to an offset; gaps are passed over."""
    condition = 'log = %s AND "offset" > %s AND (%s::bigint IS NULL OR "offset" <= %s)'
    while True:
        page = store.page_of_rows(COLUMNS, condition, [log, after, up_to, up_to], '"offset"')
        if not page:
            return
        after = page[-1][1]
        yield page


def as_json(row: tuple[Any, ...]) -> dict[str, Any]:
    """A row as what its hashes are over, by the names of its columns: what is carried away to be checked elsewhere."""
    return dict(zip(NAMES, map(_plain, row), strict=True)) | {"data": values.load_stored(row[NAMES.index("data")])}


def _plain(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return str(value)
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else value


def event_at(log: uuid.UUID, offset: int) -> dict[str, Any]:
    """The event at an offset, as `as_json` has it.

    Raises:
        LookupError: there is none.
    """
    for row in store.page_of_rows(COLUMNS, 'log = %s AND "offset" = %s', [log, offset], '"offset"'):
        return as_json(row)
    raise LookupError(f"there is no event at offset {offset}")


def head(log: uuid.UUID) -> StoredHead | None:
    """The counter row, or None where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT head, chain,"
            " CASE WHEN isfinite(recorded_at) THEN (extract(epoch FROM recorded_at) * 1000000)::bigint END"
            " FROM log_head WHERE log = %s",
            [log],
        )
        row = cursor.fetchone()
    return StoredHead(row[0], bytes(row[1]), row[2]) if row else None


def count(log: uuid.UUID) -> int:
    """How many events are stored."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM log_event WHERE log = %s", [log])
        return int(cursor.fetchone()[0])


def misnumbered(log: uuid.UUID, *, up_to: int | None = None) -> Misnumbered | None:
    """The events up to an offset whose versions do not count 1, 2, 3 … along the offsets of their stream; None when all
    do.

    In SQL, because a table of every stream's last version would not fit a small memory.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT count(*), min("offset") FROM'
            ' (SELECT "offset", version, row_number() OVER w AS number, lag("offset") OVER w AS before FROM log_event'
            ' WHERE log = %s AND (%s::bigint IS NULL OR "offset" <= %s)'
            " WINDOW w AS (PARTITION BY stream ORDER BY version)) AS numbered"
            ' WHERE version <> number OR "offset" < before',
            [log, up_to, up_to],
        )
        found, first = cursor.fetchone()
    return Misnumbered(found, first) if found else None


def remembered(log: uuid.UUID) -> list[tuple[str, int]]:
    """(who, offset) for what beside the log remembers how far it once went."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 'the answer kept for a command', max(last_offset) FROM log_command WHERE log = %s"
            " UNION ALL SELECT 'the checkpoint of ' || projection, \"offset\" FROM log_checkpoint WHERE log = %s",
            [log, log],
        )
        return [(who, offset) for who, offset in cursor.fetchall() if offset is not None]


def logs() -> list[uuid.UUID]:
    """Every log that has a counter row or an event; a lost counter row does not hide its events."""
    with connection.cursor() as cursor:
        # One probe of the index a log, in the place of a scan of all events.
        cursor.execute(
            "WITH RECURSIVE known AS ((SELECT log FROM log_event ORDER BY log LIMIT 1) UNION ALL"
            " SELECT (SELECT e.log FROM log_event e WHERE e.log > known.log ORDER BY e.log LIMIT 1)"
            " FROM known WHERE known.log IS NOT NULL)"
            " SELECT log FROM known WHERE log IS NOT NULL UNION SELECT log FROM log_head ORDER BY 1"
        )
        return [row[0] for row in cursor.fetchall()]
