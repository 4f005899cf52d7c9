"""Fold the projections of a log again, beside the live ones; compare the two, or swap the new ones in."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import orjson
from django.db import connection, transaction

from labeling.log import store
from labeling.log.event import Event
from labeling.log.projector import CatchUp, Counts, counts, kind_of, kinds, projected_tables, rebuild_catch_up
from labeling.log.rows import Rows

#: Rows are sent to the database in batches of this many.
BATCH = 500
#: Told how many events of the log are folded.
Progress = Callable[[int], None]


class UnknownStream(LookupError):
    """A log holds a stream that no app of this installation folds; a rebuild must not leave it out silently."""


class Folded(NamedTuple):
    """How much a fold read and made."""

    events: int
    rows: int


class Difference(NamedTuple):
    """How many rows differ, and the lowest offset at which one of them changed last (None when none says)."""

    rows: int
    offset: int | None


@contextmanager
def folded(log: uuid.UUID, tables: list[str] | None = None, *, progress: Progress | None = None) -> Iterator[Folded]:
    """Temporary tables `rebuilt_<table>` with the rows that folding the log from its first event gives.

    Must run inside a transaction in which the log stands still.

    Raises:
        UnknownStream: see there; only when all tables are wanted.
        LogGap: events are missing.
    """
    wanted = tables or list(projected_tables())
    with connection.cursor() as cursor:
        for table in wanted:
            cursor.execute(f'CREATE TEMPORARY TABLE "rebuilt_{table}" (LIKE "{table}") ON COMMIT DROP')
        events = written = 0
        rows = Rows()
        for stream, found in _streams(log, tables):
            kind = kind_of(stream)
            if kind is None:
                raise UnknownStream(stream)
            for number, event in enumerate(found, 1):
                if event.version != number:
                    raise store.LogGap(f"log {log}: {stream} lacks version {number}")
            events += len(found)
            rows.add(kind.rows(log, stream, found))
            if sum(map(len, rows.put.values())) >= BATCH:
                written += _write(cursor, rows, wanted)
                rows = Rows()
                if progress:
                    progress(events)
        written += _write(cursor, rows, wanted)
        if progress:
            progress(events)
        yield Folded(events, written)
        for table in wanted:  # where the caller failed instead, its roll-back removes them
            cursor.execute(f'DROP TABLE "rebuilt_{table}"')


def _streams(log: uuid.UUID, tables: list[str] | None) -> Iterator[tuple[str, list[Event]]]:
    """The streams of a log that fold into these tables; all of them for None."""
    if tables is None:
        yield from store.read_streams(log)
        return
    for kind in kinds():
        if kind.tables.keys() & set(tables):
            for stream, events in store.read_streams(log, kind.prefix):
                if kind_of(stream) is kind:
                    yield stream, events


def _write(cursor: Any, rows: Rows, wanted: list[str]) -> int:
    written = 0
    for table, items in rows.put.items():
        if table in wanted and items:
            cursor.execute(
                f'INSERT INTO "rebuilt_{table}" SELECT * FROM jsonb_populate_recordset(NULL::"{table}", %s::jsonb)',
                [orjson.dumps(items).decode()],
            )
            written += len(items)
    return written


def differences(log: uuid.UUID) -> dict[str, int]:
    """{table: how many rows differ between the live projection and a fold of the log}; empty when they are equal."""
    return {table: difference.rows for table, difference in compared(log).items()}


def compared(log: uuid.UUID, *, progress: Progress | None = None) -> dict[str, Difference]:
    """{table: how the live rows differ from a fold of the log}; empty when they are equal. Writers go on meanwhile.

    Also what triggers count of the live rows is counted again, and compared.

    Raises:
        UnknownStream, LogGap: the log cannot be folded.
    """
    with _standing_still(log), folded(log, progress=progress):
        return _differing(log, projected_tables(), live="{}", other="rebuilt_{}") | {
            each.table: Difference(rows, None) for each in counts() if (rows := _miscounted(each, log))
        }


def _miscounted(each: Counts, log: uuid.UUID) -> int:
    """How many rows of counts are not what counting gives."""
    with connection.cursor() as cursor:
        counted = f'SELECT * FROM "counted_{each.table}"(%(log)s)'
        stored = f'SELECT * FROM "{each.table}" WHERE "{each.column}" = %(log)s'
        if each.number:
            stored += f' AND "{each.number}" <> 0'
        cursor.execute(
            f"WITH one AS ({stored}), two AS ({counted})"
            " SELECT count(*) FROM ((TABLE one EXCEPT ALL TABLE two) UNION ALL (TABLE two EXCEPT ALL TABLE one)) AS d",
            {"log": log},
        )
        return int(cursor.fetchone()[0])


def compared_catch_up(projector: CatchUp, log: uuid.UUID) -> dict[str, Difference]:
    """{table: how what a catch-up projector has made so far differs from doing it again}; nothing is changed.

    A projector that computes from live rows says by a field `overtaken` which of its rows (`row`) cannot be compared,
    because what they are made from has moved past the %(checkpoint)s: {table: condition}.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        # Its checkpoint is locked, so the rows stand still; the events up to it are immutable.
        cursor.execute(
            'SELECT "offset" FROM log_checkpoint WHERE projection = %s AND log = %s FOR UPDATE', [projector.name, log]
        )
        row = cursor.fetchone()
        for table, column in projector.tables.items():
            cursor.execute(
                f'CREATE TEMPORARY TABLE "live_{table}" ON COMMIT DROP AS'
                f' SELECT * FROM "{table}" WHERE "{column}" = %s',
                [log],
            )
        checkpoint = row[0] if row else 0
        rebuild_catch_up(projector, log, up_to=checkpoint)
        left_out = getattr(projector, "overtaken", {})
        found = _differing(log, projector.tables, live="live_{}", other="{}", left_out=left_out, checkpoint=checkpoint)
        transaction.set_rollback(True)
    return found


@contextmanager
def _standing_still(log: uuid.UUID) -> Iterator[None]:
    """A transaction that sees one moment of the log: by a snapshot, or, inside of another transaction, by the lock."""
    outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        else:
            _lock(cursor, log)
        yield


def _lock(cursor: Any, log: uuid.UUID) -> None:
    cursor.execute("SELECT head FROM log_head WHERE log = %s FOR NO KEY UPDATE", [log])


def _differing(
    log: uuid.UUID,
    tables: Mapping[str, str],
    *,
    live: str,
    other: str,
    left_out: Mapping[str, str] = {},
    checkpoint: int = 0,
) -> dict[str, Difference]:
    found = {}
    with connection.cursor() as cursor:
        for table, column in tables.items():
            wanted = f'row."{column}" = %(log)s AND NOT ({left_out.get(table, "false")})'
            cursor.execute(
                f'WITH one AS (SELECT * FROM "{live.format(table)}" AS row WHERE {wanted}),'
                f' two AS (SELECT * FROM "{other.format(table)}" AS row WHERE {wanted})'
                " SELECT count(*), min((to_jsonb(different) ->> 'last_offset')::bigint) FROM"
                " ((TABLE one EXCEPT ALL TABLE two) UNION ALL (TABLE two EXCEPT ALL TABLE one)) AS different",
                {"log": log, "checkpoint": checkpoint},
            )
            rows, offset = cursor.fetchone()
            if rows:
                found[table] = Difference(rows, offset)
    return found


def rebuild(log: uuid.UUID, tables: list[str] | None = None, *, progress: Progress | None = None) -> Folded:
    """Put freshly folded rows in the place of the live ones, in one transaction.

    The triggers count what goes and what comes; what had been counted wrongly before is counted anew.

    Raises:
        UnknownStream, LogGap: the log cannot be folded; the live rows stay.
    """
    columns = projected_tables()
    with transaction.atomic(), connection.cursor() as cursor:
        _lock(cursor, log)
        with folded(log, tables, progress=progress) as done:
            for table in tables or list(columns):
                cursor.execute(f'DELETE FROM "{table}" WHERE "{columns[table]}" = %s', [log])
                cursor.execute(f'INSERT INTO "{table}" SELECT * FROM "rebuilt_{table}"')
            for each in counts():
                if _miscounted(each, log):
                    cursor.execute(f'DELETE FROM "{each.table}" WHERE "{each.column}" = %s', [log])
                    cursor.execute(f'INSERT INTO "{each.table}" SELECT * FROM "counted_{each.table}"(%s)', [log])
    return done


def without_log() -> dict[str, int]:
    """{table: how many projected rows belong to no log}; empty when there are none."""
    found = {}
    with connection.cursor() as cursor:
        for table, column in projected_tables().items():
            cursor.execute(
                f'SELECT count(*) FROM "{table}" AS row'
                f' WHERE NOT EXISTS (SELECT FROM log_event e WHERE e.log = row."{column}" AND e."offset" = 1)'
            )
            count = cursor.fetchone()[0]
            if count:
                found[table] = count
    return found
