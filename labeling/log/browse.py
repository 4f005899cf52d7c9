"""The log as people leaf through it: newest first, a page at a time, without what is too long to be read in a list."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

from django.db import OperationalError, connection, transaction

from labeling.log import values

#: Longer data (a whole import) stays out of lists; its event has a page of its own.
SHORT_BYTES = 4000
#: A search for text has no index to help it.
SEARCH_MS = 5000

QUERY_CANCELED = "57014"


class TooSlow(Exception):
    """A search was given up after SEARCH_MS. Ask for a stream, a type or a shorter time."""


@dataclass(frozen=True, slots=True)
class Headline:
    """One event as it stands in a list. `data` is None where it is long."""

    log: uuid.UUID
    offset: int
    stream: str
    version: int
    type: str
    author: uuid.UUID
    author_kind: str
    on_behalf_of: uuid.UUID | None
    tool: str | None
    command: uuid.UUID
    recorded_at: dt.datetime
    data: dict[str, Any] | None


NAMES = [field.name for field in fields(Headline)]


def newest(
    log: uuid.UUID,
    *,
    limit: int,
    before: int | None = None,
    first: int | None = None,
    last: int | None = None,
    stream: str | None = None,
    types: Sequence[str] = (),
    author: uuid.UUID | None = None,
    text: str = "",
) -> list[Headline]:
    """Headlines of one log, newest first: at most `limit` before an offset, from `first` to `last`, of what is asked
    for.

    `text` is looked for, in any case of letters, in streams and in data; a uuid also finds an event or a command by
    its id.

    Raises:
        TooSlow: the search was given up.
    """
    where: list[str] = ["log = %s"]
    parameters: list[Any] = [log]
    for condition, value in (
        ('"offset" < %s', before),
        ('"offset" >= %s', first),
        ('"offset" <= %s', last),
        ("stream = %s", stream),
        ("type = ANY(%s)", list(types) or None),
        ("author = %s", author),
    ):
        if value is not None:
            where.append(condition)
            parameters.append(value)
    if text:
        found = "strpos(lower(stream), lower(%s)) > 0 OR strpos(lower(data::text), lower(%s)) > 0"
        parameters += [text, text]
        named = _as_uuid(text)
        if named is not None:
            found += " OR event_id = %s OR command = %s"
            parameters += [named, named]
        where.append(f"({found})")
    # Within one stream, version and offset rise together, and there is an index for the version.
    order = "version" if stream is not None else '"offset"'
    with _patience(), connection.cursor() as cursor:
        cursor.execute(
            'SELECT log, "offset", stream, version, type, author, author_kind, on_behalf_of, tool, command,'
            " recorded_at, CASE WHEN pg_column_size(data) <= %s THEN data::text END"
            f" FROM log_event WHERE {' AND '.join(where)} ORDER BY {order} DESC LIMIT %s",
            [SHORT_BYTES, *parameters, limit],
        )
        rows = cursor.fetchall()
    return [_headline(row) for row in rows]


def newest_of_all(logs: Sequence[uuid.UUID] | None, *, limit: int, busiest: int = 8) -> list[Headline]:
    """The newest headlines over the logs that moved last, of `logs` or of all, merged by time."""
    wanted = None if logs is None else list(logs)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT log FROM log_head WHERE head > 0 AND (%s::uuid[] IS NULL OR log = ANY(%s::uuid[]))"
            " ORDER BY recorded_at DESC LIMIT %s",
            [wanted, wanted, busiest],
        )
        moved = [row[0] for row in cursor.fetchall()]
    found = [headline for log in moved for headline in newest(log, limit=limit)]
    return sorted(found, key=lambda item: (item.recorded_at, item.offset), reverse=True)[:limit]


def _headline(row: Sequence[Any]) -> Headline:
    named: dict[str, Any] = dict(zip(NAMES, row, strict=True))
    if named["data"] is not None:
        named["data"] = values.load_stored(named["data"])
    return Headline(**named)


def _as_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text.strip())
    except ValueError:
        return None


@contextmanager
def _patience() -> Any:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('statement_timeout'), set_config('statement_timeout', %s, true)",
                [f"{SEARCH_MS}ms"],
            )
            (before, _) = cursor.fetchone()
            yield
            # An outer transaction goes on with its own limit.
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == QUERY_CANCELED:
            raise TooSlow from error
        raise
