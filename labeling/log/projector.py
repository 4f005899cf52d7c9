"""Projectors: what folds streams into rows, what catches up with the log in the background, and how both are rebuilt.

There are two kinds. An inline projection is the rows of a stream's fold (`StreamKind`): a command writes their
differences inside its append, and a rebuild makes them anew from the log. A catch-up projection (`CatchUp`) reads the
log from its checkpoint, and commits its rows and its checkpoint in one transaction, so that doing it twice does no
harm.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from django.db import OperationalError, connection, transaction

from labeling.log import beside, store
from labeling.log.event import Event, vocabulary
from labeling.log.rows import Rows


@dataclass(frozen=True, slots=True)
class StreamKind:
    """How the streams of one kind fold into rows. `tables` are projected tables; each has a column naming its log."""

    prefix: str
    tables: dict[str, str]  #: table → the column that holds the log
    rows: Callable[[uuid.UUID, str, list[Event]], Rows]


class CatchUp(Protocol):
    """A projection that actors bring up to date.

    One whose work takes more than moments says so by a field `most_streams`: it has an actor and a queue of its own, so
    that it holds up no other, and gets no more events at once than of so many streams, so that no transaction is long.

    A rebuild folds it beside the live rows, by the same `project`: then the names of its tables mean others, empty at
    first. So `tables` must have every table that it writes, and it must name them without a schema, and on the
    connection `default`. What it reads of itself it finds as it wrote it; tables that are not its own are live ones,
    which may be ahead of the page. One that computes from those says by a field `overtaken` which of its rows cannot be
    verified, because what they are made from has moved on (see `rebuild.compared_catch_up`).
    """

    name: str
    tables: dict[str, str]  #: table → the column that holds the log

    def project(self, log: uuid.UUID, events: Sequence[Event]) -> None:
        """Fold a contiguous page of events into rows, inside the caller's transaction."""


@runtime_checkable
class KeepsFiles(Protocol):
    """A catch-up projection whose rows name files of what it made."""

    def before_rebuild(self, log: uuid.UUID) -> None:
        """Forget the files that are lost or damaged, so that a rebuild makes them anew."""


@dataclass(frozen=True, slots=True)
class Counts:
    """A table that triggers keep beside the projected tables. The SQL function counted_<table>(log) counts again."""

    table: str
    column: str  #: that holds the log
    number: str | None = None  #: a column of numbers; a row with 0 says the same as no row


_kinds: dict[str, StreamKind] = {}
_catch_ups: dict[str, CatchUp] = {}
_counts: dict[str, Counts] = {}


def register_kind(kind: StreamKind) -> None:
    _kinds[kind.prefix] = kind


def register_catch_up(projector: CatchUp) -> None:
    _catch_ups[projector.name] = projector


def register_counts(counts: Counts) -> None:
    _counts[counts.table] = counts


def counts() -> list[Counts]:
    """What triggers keep, each after those that it is counted from."""
    return list(_counts.values())


def kinds() -> list[StreamKind]:
    return list(_kinds.values())


def kind_of(stream: str) -> StreamKind | None:
    """The kind of a stream by what stands before its first slash."""
    return _kinds.get(stream.split("/", 1)[0])


def catch_ups(*, heavy: bool | None = None) -> list[CatchUp]:
    """All of them, or only the heavy ones, or only the others."""
    return [each for each in _catch_ups.values() if heavy is None or heavy == (_most_streams(each) is not None)]


def _most_streams(projector: CatchUp) -> int | None:
    found: int | None = getattr(projector, "most_streams", None)
    return found


def projected_tables() -> dict[str, str]:
    """Every inline projected table, with the column that holds the log."""
    return {table: column for kind in kinds() for table, column in kind.tables.items()}


def define_projections() -> None:
    """Make the SQL function that writes the projected tables, from the tables as they are. Run after migrations."""
    with connection.cursor() as cursor:
        # An app that is not migrated yet has no tables; its own migration brings us here again.
        cursor.execute(
            "SELECT log_define_projections(ARRAY(SELECT name FROM unnest(%s::text[]) AS name"
            " WHERE to_regclass(name) IS NOT NULL))",
            [list(projected_tables())],
        )


def behind(log: uuid.UUID | None = None, *, heavy: bool | None = None) -> list[uuid.UUID]:
    """The logs of datasets (or this one) in which some catch-up projection has not folded the newest event."""
    names = [projector.name for projector in catch_ups(heavy=heavy)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT h.log FROM log_head h CROSS JOIN unnest(%s::text[]) AS p(name)"
            " LEFT JOIN log_checkpoint c ON c.log = h.log AND c.projection = p.name"
            " WHERE h.kind = 'dataset' AND h.head > coalesce(c.\"offset\", 0) AND (%s::uuid IS NULL OR h.log = %s)"
            " GROUP BY h.log ORDER BY h.log",
            [names, log, log],
        )
        return [row[0] for row in cursor.fetchall()]


def lags() -> dict[str, tuple[int, int]]:
    """{catch-up projection: (events still to be folded, logs of datasets in which there are any)}."""
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT p.name, coalesce(sum(h.head - coalesce(c."offset", 0)), 0),'
            ' count(*) FILTER (WHERE h.head > coalesce(c."offset", 0))'
            " FROM unnest(%s::text[]) AS p(name) LEFT JOIN log_head h ON h.kind = 'dataset'"
            " LEFT JOIN log_checkpoint c ON c.log = h.log AND c.projection = p.name GROUP BY p.name ORDER BY p.name",
            [[projector.name for projector in catch_ups()]],
        )
        return {name: (int(events), logs) for name, events, logs in cursor.fetchall()}


def catch_up(log: uuid.UUID, *, heavy: bool | None = None, for_s: float | None = None) -> int:
    """Bring every catch-up projection of one log (only the heavy ones, or only the others) up to its head, or for so
    many seconds nearer to it; returns how many events were folded.
    """
    until_s = None if for_s is None else time.monotonic() + for_s
    return sum(_catch_up(projector, log, until_s=until_s) for projector in catch_ups(heavy=heavy))


def bring_up(name: str, log: uuid.UUID, *, most: int) -> int:
    """Bring one catch-up projection of a log up to its head, for a reader who would otherwise see what was; returns
    the offset up to which it is folded. Where more than `most` events are missing, the actors are left to it; and where
    somebody holds the checkpoint for long, which a rebuild does while it swaps, nobody waits for that.
    """
    projector, head = _catch_ups[name], store.head(log)
    behind = head - checkpoint(name, log)
    if 0 < behind <= most:
        try:
            _catch_up(projector, log, wait=True)
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) != store.LOCK_NOT_AVAILABLE:
                raise
    return checkpoint(name, log)


def checkpoint(name: str, log: uuid.UUID) -> int:
    """The offset up to which a catch-up projection of a log is folded; 0 where it has not begun."""
    with connection.cursor() as cursor:
        cursor.execute('SELECT "offset" FROM log_checkpoint WHERE projection = %s AND log = %s', [name, log])
        row = cursor.fetchone()
    return row[0] if row else 0


def _catch_up(projector: CatchUp, log: uuid.UUID, *, wait: bool = False, until_s: float | None = None) -> int:
    folded = 0
    rest: list[Event] = []  # what a page was cut to leave over: events never change, so they need not be read again
    while until_s is None or time.monotonic() < until_s:
        with transaction.atomic(), connection.cursor() as cursor:
            if wait:
                cursor.execute("SET LOCAL lock_timeout = '1s'")
            cursor.execute(
                'INSERT INTO log_checkpoint (projection, log, "offset") VALUES (%s, %s, 0) ON CONFLICT DO NOTHING',
                [projector.name, log],
            )
            cursor.execute(
                'SELECT "offset" FROM log_checkpoint WHERE projection = %s AND log = %s FOR UPDATE'
                + ("" if wait else " SKIP LOCKED"),
                [projector.name, log],
            )
            row = cursor.fetchone()
            if row is None:
                return folded  # another worker is at it, and will find what we were told of
            whole = rest if rest and rest[0].offset == row[0] + 1 else next(store.pages(log, after=row[0]), None)
            if whole is None:
                return folded
            page = _cut(whole, _most_streams(projector))
            rest = whole[len(page) :]
            projector.project(log, page)
            cursor.execute(
                'UPDATE log_checkpoint SET "offset" = %s WHERE projection = %s AND log = %s',
                [page[-1].offset, projector.name, log],
            )
            folded += len(page)
    return folded


def _cut(page: list[Event], most_streams: int | None) -> list[Event]:
    """The page up to where it would be about more streams than so many."""
    seen: set[str] = set()
    for number, event in enumerate(page):
        seen.add(event.stream)
        if most_streams is not None and len(seen) > most_streams:
            return page[:number]
    return page


def rebuild_catch_up(
    projector: CatchUp,
    log: uuid.UUID,
    *,
    up_to: int | None = None,
    progress: Callable[[int], None] | None = None,
    restart: bool = False,
) -> beside.Rebuilt:
    """Fold one log again from offset 1, beside the live rows (see `beside`), and swap what differs in one transaction.

    `progress` is told how many events are folded, first of all what an earlier run left.

    Page by page, each with its checkpoint beside; whatever stops it leaves the live rows as they are, and the next
    call goes on where it was, unless `restart`. Only the swap holds the live checkpoint, so that actors pass by;
    appends never wait for it.

    Raises:
        LogGap: events are missing.
        RebuildGoingOn, NoSchema: see there.
    """
    with _beside(projector, log, restart=restart) as place:
        with connection.cursor() as cursor:
            resumed = _checkpoint_beside(cursor, projector, log, place)
        if progress:
            progress(resumed)
        while page := _page_beside(projector, log, place, up_to):
            if progress:
                progress(page[-1].offset or 0)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                'INSERT INTO log_checkpoint (projection, log, "offset") VALUES (%s, %s, 0) ON CONFLICT DO NOTHING',
                [projector.name, log],
            )
            cursor.execute(
                "SELECT FROM log_checkpoint WHERE projection = %s AND log = %s FOR UPDATE", [projector.name, log]
            )
            while _page_beside(projector, log, place, up_to):
                pass
            rows = changed = 0
            for table, column in projector.tables.items():
                there, other = _exchange(cursor, place, table, column, log)
                rows, changed = rows + there, changed + other
            folded = _checkpoint_beside(cursor, projector, log, place)
            cursor.execute(
                'UPDATE log_checkpoint SET "offset" = %s WHERE projection = %s AND log = %s',
                [folded, projector.name, log],
            )
        place.drop()
    return beside.Rebuilt(folded, rows, resumed, changed)


@contextmanager
def remade(projector: CatchUp, log: uuid.UUID, *, up_to: int) -> Iterator[beside.Beside]:
    """What the projector makes of the events up to an offset, beside; for a transaction that is rolled back."""
    with beside.opened_to_compare(projector.tables) as place:
        with place.in_front():
            for page in store.pages(log, up_to=up_to):
                while page:
                    part = _cut(page, _most_streams(projector))
                    projector.project(log, part)
                    page = page[len(part) :]
        yield place


def _beside(projector: CatchUp, log: uuid.UUID, *, restart: bool) -> AbstractContextManager[beside.Beside]:
    """The tables beside those of a catch-up projector, with its checkpoint."""
    checkpoints = "CREATE UNLOGGED TABLE {schema}.log_checkpoint (LIKE log_checkpoint INCLUDING ALL)"
    tables = (
        f'CREATE UNLOGGED TABLE {{schema}}."{table}" (LIKE {{live[{table}].sql}} INCLUDING ALL)'
        for table in projector.tables
    )
    return beside.opened(
        log,
        projector.name,
        projector.tables,
        folded_by=[type(projector).__module__, *vocabulary.modules()],
        definitions=[checkpoints, *tables],
        restart=restart,
    )


def _page_beside(projector: CatchUp, log: uuid.UUID, place: beside.Beside, up_to: int | None) -> list[Event]:
    """Fold the next page beside; returns it, empty at the end."""
    with transaction.atomic(), connection.cursor() as cursor:
        folded = _checkpoint_beside(cursor, projector, log, place)
        page = next(store.pages(log, after=folded, up_to=up_to), [])
        if page:
            page = _cut(page, _most_streams(projector))
            with place.in_front():
                projector.project(log, page)
            cursor.execute(
                f'INSERT INTO {place.sql("log_checkpoint")} (projection, log, "offset") VALUES (%s, %s, %s)'
                ' ON CONFLICT (log, projection) DO UPDATE SET "offset" = excluded."offset"',
                [projector.name, log, page[-1].offset],
            )
    return page


def _checkpoint_beside(cursor: Any, projector: CatchUp, log: uuid.UUID, place: beside.Beside) -> int:
    cursor.execute(
        f'SELECT coalesce(max("offset"), 0) FROM {place.sql("log_checkpoint")} WHERE projection = %s AND log = %s',
        [projector.name, log],
    )
    return int(cursor.fetchone()[0])


def _exchange(cursor: Any, place: beside.Beside, table: str, column: str, log: uuid.UUID) -> tuple[int, int]:
    """Make the live rows of a log equal to those beside; returns how many there are, and how many were not right."""
    live, other = place.live[table], place.sql(table)
    same = " AND ".join(f'one."{name}" = two."{name}"' for name in live.key) or "false"
    listed = ", ".join(f'"{name}"' for name in live.columns)
    one, two = (", ".join(f'{alias}."{name}"' for name in live.columns) for alias in ("one", "two"))
    cursor.execute(
        f'DELETE FROM {live.sql} AS one WHERE "{column}" = %s AND NOT EXISTS'
        f" (SELECT FROM {other} AS two WHERE {same} AND ({one}) IS NOT DISTINCT FROM ({two}))",
        [log],
    )
    gone = cursor.rowcount
    cursor.execute(
        f"INSERT INTO {live.sql} ({listed}) OVERRIDING SYSTEM VALUE SELECT {listed} FROM {other} AS two"
        f" WHERE NOT EXISTS (SELECT FROM {live.sql} AS one WHERE {same})"
    )
    changed = max(gone, cursor.rowcount)
    cursor.execute(f"SELECT count(*) FROM {other}")
    return cursor.fetchone()[0], changed
