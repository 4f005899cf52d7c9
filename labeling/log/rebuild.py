"""Fold the projections of a log again, beside the live ones; compare the two, or swap the new ones in."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import orjson
from django.db import IntegrityError, connection, transaction

from labeling.log import beside, store
from labeling.log.beside import Rebuilt
from labeling.log.event import Event, vocabulary
from labeling.log.projector import CatchUp, Counts, checkpoint, counts, kind_of, kinds, projected_tables, remade
from labeling.log.rows import Rows

JSON = dict[str, Any]

#: Rows are sent to the database in batches of this many, or what this many events made.
BATCH = 500
BATCH_EVENTS = 5000
#: A rebuild follows what others append in steps of at most so many events, until hardly any are left.
STEP = 10_000
FEW = 50
#: So many rows are swapped at once, while the log is locked: less than a tenth of a second.
SWAP_ROWS = 500
#: The column beside a row that a rebuild made: the stream that it was folded from.
STREAM = "from stream"
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
    """Temporary tables `folded_<table>` with the rows that folding the log from its first event gives.

    Must run inside a transaction in which the log stands still.

    Raises:
        UnknownStream: see there; only when all tables are wanted.
        LogGap: events are missing.
    """
    wanted = tables or list(projected_tables())
    with connection.cursor() as cursor:
        for table in wanted:
            cursor.execute(f'CREATE TEMPORARY TABLE "folded_{table}" (LIKE "{table}") ON COMMIT DROP')
        events = written = 0
        rows = Rows()
        for stream, found in _streams(log, tables):
            events += len(found)
            rows.add(_folded_stream(log, stream, found))
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
            cursor.execute(f'DROP TABLE "folded_{table}"')


def _streams(
    log: uuid.UUID, tables: list[str] | None, *, after: str = "", up_to: int | None = None
) -> Iterator[tuple[str, list[Event]]]:
    """The streams of a log that fold into these tables, sorted, those behind `after`; all of them for None."""
    if tables is None:
        yield from store.read_streams(log, after=after, up_to=up_to)
        return
    for kind in sorted(kinds(), key=lambda kind: kind.prefix):
        if kind.tables.keys() & set(tables):
            for stream, events in store.read_streams(log, kind.prefix, after=after, up_to=up_to):
                if kind_of(stream) is kind:
                    yield stream, events


def _folded_stream(log: uuid.UUID, stream: str, events: list[Event]) -> Rows:
    kind = kind_of(stream)
    if kind is None:
        raise UnknownStream(stream)
    for number, event in enumerate(events, 1):
        if event.version != number:
            raise store.LogGap(f"log {log}: {stream} lacks version {number}")
    return kind.rows(log, stream, events)


def _write(cursor: Any, rows: Rows, wanted: list[str]) -> int:
    written = 0
    for table, items in rows.put.items():
        if table in wanted and items:
            cursor.execute(
                f'INSERT INTO "folded_{table}" SELECT * FROM jsonb_populate_recordset(NULL::"{table}", %s::jsonb)',
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
        return _differing(log, projected_tables(), live="{}", other="folded_{}") | {
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
    """{table: how what a catch-up projector has made so far differs from doing it again}; nothing is changed, and
    nobody waits.

    A projector that computes from live rows says by a field `overtaken` which of its rows (`row`) cannot be compared,
    because what they are made from has moved past the %(checkpoint)s: {table: condition}.
    """
    with _standing_still(log):
        # One moment shows the checkpoint with the rows that were made up to it.
        at = checkpoint(projector.name, log)
        left_out = getattr(projector, "overtaken", {})
        with remade(projector, log, up_to=at) as place:
            other = f'{place.schema}"."{{}}'
            found = _differing(log, projector.tables, live="{}", other=other, left_out=left_out, checkpoint=at)
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
            store.lock(log)
        yield


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


def rebuild(
    log: uuid.UUID, tables: list[str] | None = None, *, progress: Progress | None = None, restart: bool = False
) -> Rebuilt:
    """Fold rows beside the live ones, and put right what differs. Writers go on meanwhile.

    Three steps. The streams are folded up to the head that the log had at the beginning, beside (see `beside`), stream
    by stream; then those again that grew since, until hardly any are left. Beside and live are compared in one
    snapshot, which says which rows are to be swapped. Only the swap locks the log: it folds what came last, and
    exchanges those rows. More than SWAP_ROWS go in turns, so that no writer waits for all of them; a reader then sees
    each row as it was or as it should be.

    Whatever stops it before the swap leaves the live rows as they are, and the next call goes on where it was;
    `restart` throws that away. The triggers count what goes and what comes; what had been counted wrongly before is
    counted anew.

    Raises:
        UnknownStream, LogGap: the log cannot be folded; the live rows stay.
        RebuildGoingOn, NoSchema: see there.
    """
    columns = projected_tables()
    wanted = tables or list(columns)
    folders = [each for each in kinds() if each.tables.keys() & set(wanted)]
    with beside.opened(
        log,
        " ".join(sorted(wanted)),
        wanted,
        folded_by=[*(each.rows.__module__ for each in folders), *vocabulary.modules()],
        definitions=[*_definitions(wanted)],
        restart=restart,
    ) as place:
        return _Rebuild(log, place, None if tables is None else wanted, progress or (lambda events: None)).run()


def _definitions(tables: list[str]) -> Iterator[str]:
    yield (
        "CREATE UNLOGGED TABLE {schema}.progress"
        ' ("offset" bigint NOT NULL, stream text, events bigint NOT NULL, rows bigint NOT NULL)'
    )
    yield "CREATE UNLOGGED TABLE {schema}.differing (name text, key uuid, PRIMARY KEY (name, key))"
    for table in tables:
        yield (
            f'CREATE UNLOGGED TABLE {{schema}}."{table}"'
            f' (LIKE {{live[{table}].sql}}, "{STREAM}" text COLLATE "C", PRIMARY KEY ({{live[{table}].key[0]}}))'
        )
        yield f'CREATE INDEX ON {{schema}}."{table}" ("{STREAM}")'


class _Rebuild:
    """One run of a rebuild of the inline projections of one log."""

    def __init__(self, log: uuid.UUID, place: beside.Beside, tables: list[str] | None, progress: Progress) -> None:
        self.log, self.place, self.tables, self.progress = log, place, tables, progress
        #: Up to this offset all streams are folded, once all are.
        self.offset = self.events = self.rows = 0

    def run(self) -> Rebuilt:
        after = self._begin()
        resumed = self.events
        self.progress(resumed)
        if after is not None:
            self._scan(after=after)
        while self._follow() > FEW:
            pass
        changed, miscounted = self._compare()
        done = False
        while not done:
            while self._follow(note=True) > FEW:
                pass
            done = self._swap(miscounted)
        self.place.drop()
        return Rebuilt(self.events, self.rows, resumed, changed)

    def _begin(self) -> str | None:
        """Take up what is there; returns the stream behind which to go on, None where all have been folded."""
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT "offset", events, rows, stream FROM {self.place.sql("progress")}')
            row = cursor.fetchone()
            if row is None:
                row = (store.head(self.log), 0, 0, "")
                cursor.execute(
                    f'INSERT INTO {self.place.sql("progress")} ("offset", events, rows, stream)'
                    " VALUES (%s, %s, %s, %s)",
                    row,
                )
        self.offset, self.events, self.rows, after = row
        return after

    def _scan(self, *, after: str) -> None:
        """Fold every stream up to the offset at which this began."""
        batch = _Batch()
        for stream, events in _streams(self.log, self.tables, after=after, up_to=self.offset):
            batch.add(stream, _folded_stream(self.log, stream, events), len(events))
            if batch.is_full():
                self._put(batch, stream)
                batch = _Batch()
        self._put(batch, None)

    def _put(self, batch: _Batch, stream: str | None) -> None:
        """Write rows, and that everything up to this stream is there; None for all of them."""
        with transaction.atomic(), connection.cursor() as cursor:
            self._insert(cursor, batch)
            self.events += batch.events
            self._tell(cursor, stream)
        self.progress(self.events)

    def _insert(self, cursor: Any, batch: _Batch) -> None:
        for table, items in batch.rows.items():
            if table in self.place.live and items:
                name = self.place.sql(table)
                cursor.execute(
                    f"INSERT INTO {name} SELECT * FROM jsonb_populate_recordset(NULL::{name}, %s::jsonb)",
                    [orjson.dumps(items).decode()],
                )
                self.rows += len(items)

    def _tell(self, cursor: Any, stream: str | None) -> None:
        cursor.execute(
            f'UPDATE {self.place.sql("progress")} SET "offset" = %s, events = %s, rows = %s, stream = %s',
            [self.offset, self.events, self.rows, stream],
        )

    def _follow(self, *, note: bool = False) -> int:
        """Fold again, whole, the streams that grew, at most STEP events on; returns how many events that were.

        `note` has their rows swapped too, because the comparison did not see them.
        """
        before, until = self.offset, min(store.head(self.log), self.offset + STEP)
        if until <= before:
            return 0
        with transaction.atomic(), connection.cursor() as cursor:
            batch = _Batch()
            for stream in store.streams_between(self.log, after=before, up_to=until):
                kind = kind_of(stream)
                if self.tables is None or (kind is not None and kind.tables.keys() & self.place.live.keys()):
                    events = list(store.read_stream(self.log, stream, up_to=until))
                    new = sum((event.offset or 0) > before for event in events)
                    batch.add(stream, _folded_stream(self.log, stream, events), new)
                if batch.is_full():
                    self._replace(cursor, batch, note)
                    batch = _Batch()
            self._replace(cursor, batch, note)
            self.offset = until
            self._tell(cursor, None)
        self.progress(self.events)
        return until - before

    def _replace(self, cursor: Any, batch: _Batch, note: bool) -> None:
        for table, live in self.place.live.items():
            key = live.key[0]
            cursor.execute(
                f'DELETE FROM {self.place.sql(table)} WHERE "{STREAM}" = ANY(%s) RETURNING "{key}"', [batch.streams]
            )
            keys = [str(row[0]) for row in cursor.fetchall()]
            self.rows -= len(keys)
            if note:
                keys += [str(item[key]) for item in batch.rows.get(table, ())]
                cursor.execute(
                    f"INSERT INTO {self.place.sql('differing')} SELECT %s, key FROM unnest(%s::uuid[]) AS key"
                    " ON CONFLICT DO NOTHING",
                    [table, keys],
                )
        self._insert(cursor, batch)
        self.events += batch.events

    def _compare(self) -> tuple[int, bool]:
        """Note the rows that differ; returns how many, and whether triggers had counted wrongly."""
        differing, changed = self.place.sql("differing"), 0
        with _standing_still(self.log), connection.cursor() as cursor:
            while self._follow():
                pass
            cursor.execute(f"DELETE FROM {differing}")
            for table, live in self.place.live.items():
                key = live.key[0]
                cursor.execute(
                    f'INSERT INTO {differing} SELECT %s, coalesce(one."{key}", two."{key}")'
                    f' FROM (SELECT * FROM {live.sql} WHERE "{projected_tables()[table]}" = %s) AS one'
                    f' FULL JOIN {self.place.sql(table)} AS two ON one."{key}" = two."{key}"'
                    f' WHERE one."{key}" IS NULL OR two."{key}" IS NULL'
                    f" OR ({_columns('one', live)}) IS DISTINCT FROM ({_columns('two', live)}) ON CONFLICT DO NOTHING",
                    [table, self.log],
                )
                changed += cursor.rowcount
            # What was counted rightly stays so, because triggers count whatever changes from now on.
            return changed, any(_miscounted(each, self.log) for each in counts())

    def _swap(self, miscounted: bool) -> bool:
        """Exchange noted rows under the lock; returns whether that was all."""
        before = self.offset, self.events, self.rows
        try:
            with transaction.atomic():
                return self._swap_most(miscounted, SWAP_ROWS)
        except IntegrityError:
            # A row that is still as it was is in the way of one that is right: only all at once will do.
            self.offset, self.events, self.rows = before
            with transaction.atomic():
                return self._swap_most(miscounted, None)

    def _swap_most(self, miscounted: bool, most: int | None) -> bool:
        differing = self.place.sql("differing")
        with connection.cursor() as cursor:
            store.lock(self.log)
            while self._follow(note=True):
                pass
            cursor.execute(
                f"DELETE FROM {differing} WHERE (name, key) IN (SELECT name, key FROM {differing}"
                " ORDER BY name, key LIMIT %s) RETURNING name, key",
                [most],
            )
            keys: dict[str, list[Any]] = {}
            for name, key in cursor.fetchall():
                keys.setdefault(name, []).append(key)
            for table, some in keys.items():
                live = self.place.live[table]
                cursor.execute(f'DELETE FROM {live.sql} WHERE "{live.key[0]}" = ANY(%s)', [some])
            for table, some in keys.items():
                live = self.place.live[table]
                listed = ", ".join(f'"{column}"' for column in live.columns)
                cursor.execute(
                    f"INSERT INTO {live.sql} ({listed}) SELECT {listed} FROM {self.place.sql(table)}"
                    f' WHERE "{live.key[0]}" = ANY(%s)',
                    [some],
                )
            cursor.execute(f"SELECT EXISTS (SELECT FROM {differing})")
            if cursor.fetchone()[0]:
                return False
            for each in counts() if miscounted else ():
                # Asked again, because what was counted anew before it may have mended or changed it.
                if _miscounted(each, self.log):
                    cursor.execute(f'DELETE FROM "{each.table}" WHERE "{each.column}" = %s', [self.log])
                    cursor.execute(f'INSERT INTO "{each.table}" SELECT * FROM "counted_{each.table}"(%s)', [self.log])
            return True


class _Batch:
    """Rows that were folded and wait to be written, each with its stream, and of how many events."""

    def __init__(self) -> None:
        self.rows: dict[str, list[JSON]] = {}
        self.streams: list[str] = []
        self.events = 0

    def add(self, stream: str, rows: Rows, events: int) -> None:
        self.streams.append(stream)
        self.events += events
        for table, items in rows.put.items():
            self.rows.setdefault(table, []).extend(item | {STREAM: stream} for item in items)

    def is_full(self) -> bool:
        return self.events >= BATCH_EVENTS or sum(map(len, self.rows.values())) >= BATCH


def _columns(alias: str, live: beside.Live) -> str:
    return ", ".join(f'{alias}."{column}"' for column in live.columns)


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
