"""Events that fit a description, in the order of the log, a page at a time. A rare type or author costs an index probe.

Each type, author, gesture and work session is a stretch of an index that is in the order of the offsets, so the first
`limit` of several of them are the first `limit` of each, merged. Where several are asked for, one of them leads and the
others filter what it finds.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection

from labeling.log import store
from labeling.log.event import Event

PAGE = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for; empty is anything. `first` and `last` are offsets, both included.

    `numbers` are (beginning of a type, member of its data, number), `listed` (type, member that is a list of objects,
    member of these, number). One of all these has to hold.
    """

    stream: str | None = None
    beside: str | None = None  #: another stream, told together with `stream`
    prefixes: Sequence[str] = ()
    types: Sequence[str] = ()
    author: uuid.UUID | None = None
    tool: str | None = None
    work_session: uuid.UUID | None = None
    gesture: uuid.UUID | None = None
    least_version: int = 1
    numbers: Sequence[tuple[str, str, int]] = ()
    listed: Sequence[tuple[str, str, str, int]] = ()
    first: int = 1
    last: int | None = None
    #: (first, last or None) of the dataset offset that the author saw: where no client said it, the event's own.
    seen: tuple[int, int | None] | None = None

    def up_to(self, offset: int) -> Wanted:
        """The same, and nothing behind an offset."""
        return replace(self, last=offset if self.last is None else min(offset, self.last))


def find(log: uuid.UUID, wanted: Wanted, *, after: int = 0, limit: int = PAGE) -> list[Event]:
    """At most `limit` events behind an offset, oldest first."""
    sql, parameters = _offsets(log, wanted, after, limit)
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT {store.COLUMNS} FROM log_event WHERE log = %s AND "offset" IN ({sql}) ORDER BY "offset"',
            [log, *parameters],
        )
        return [store.unpacked(row) for row in cursor.fetchall()]


def find_all(log: uuid.UUID, wanted: Wanted, *, after: int = 0, limit: int | None = None) -> Iterator[Event]:
    """All of them, page by page."""
    while limit is None or limit > 0:
        page = find(log, wanted, after=after, limit=PAGE if limit is None else min(PAGE, limit))
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].offset or after
        limit = None if limit is None else limit - len(page)


def streams(log: uuid.UUID, wanted: Wanted, *, after: str = "", limit: int = 1000) -> list[str]:
    """The streams that hold such events, in the order of their names, behind one."""
    conditions, parameters = _conditions(wanted, 0)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT stream FROM log_event WHERE log = %s AND stream > %s AND "
            f"{conditions} ORDER BY stream LIMIT %s",
            [log, after, *parameters, limit],
        )
        return [row[0] for row in cursor.fetchall()]


def all_streams(log: uuid.UUID, wanted: Wanted, *, after: str = "", limit: int = 1000) -> Iterator[str]:
    """All of them, page by page."""
    while page := streams(log, wanted, after=after, limit=limit):
        yield from page
        if len(page) < limit:
            return
        after = page[-1]


def _offsets(log: uuid.UUID, wanted: Wanted, after: int, limit: int) -> tuple[str, list[Any]]:
    """The statement that finds the first offsets."""
    conditions, parameters = _conditions(wanted, after)
    # Within one stream there is an index of its own, and others lead to few events only.
    if not wanted.types or wanted.stream is not None or wanted.gesture or wanted.work_session:
        order = "version" if wanted.stream is not None and not wanted.beside else '"offset"'
        return (
            f'SELECT "offset" FROM log_event WHERE log = %s AND {conditions} ORDER BY {order} LIMIT %s',
            [log, *parameters, limit],
        )
    return (
        "SELECT found FROM unnest(%s::text[]) AS asked (type) CROSS JOIN LATERAL ("
        'SELECT "offset" AS found FROM log_event WHERE log = %s AND log_event.type = asked.type AND '
        f'{conditions} ORDER BY "offset" LIMIT %s) AS each ORDER BY found LIMIT %s',
        [list(dict.fromkeys(wanted.types)), log, *parameters, limit, limit],
    )


def _conditions(wanted: Wanted, after: int) -> tuple[str, list[Any]]:
    where: list[str] = ['"offset" >= %s']
    parameters: list[Any] = [max(after + 1, wanted.first)]
    for condition, value in (
        ('"offset" <= %s', wanted.last),
        ("stream = ANY(%s)", [wanted.stream, wanted.beside] if wanted.beside else None),
        ("stream = %s", None if wanted.beside else wanted.stream),
        ("author = %s", wanted.author),
        ("tool = %s", wanted.tool),
        ("work_session = %s", wanted.work_session),
    ):
        if value is not None:
            where.append(condition)
            parameters.append(value)
    if wanted.least_version > 1:
        where.append("version >= %s")
        parameters.append(wanted.least_version)
    if wanted.gesture is not None:
        where.append("(correlation = %s OR command = %s)")
        parameters += [wanted.gesture, wanted.gesture]
    if wanted.seen is not None:
        where.append('coalesce(seen_offset, "offset") >= %s')
        parameters.append(wanted.seen[0])
        if wanted.seen[1] is not None:
            where.append('coalesce(seen_offset, "offset") <= %s')
            parameters.append(wanted.seen[1])
    if wanted.types:
        where.append("log_event.type = ANY(%s)")
        parameters.append(list(wanted.types))
    if wanted.prefixes:
        where.append("(" + " OR ".join("starts_with(stream, %s)" for _ in wanted.prefixes) + ")")
        parameters += wanted.prefixes
    if wanted.numbers or wanted.listed:
        one = "starts_with(log_event.type, %s) AND data->%s = to_jsonb(%s::bigint)"
        several = "log_event.type = %s AND data->%s @> jsonb_build_array(jsonb_build_object(%s::text, %s::bigint))"
        where.append("(" + " OR ".join([one for _ in wanted.numbers] + [several for _ in wanted.listed]) + ")")
        parameters += [value for item in (*wanted.numbers, *wanted.listed) for value in item]
    return " AND ".join(where), parameters
