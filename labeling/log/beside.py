"""Where a rebuild folds, beside the live rows: a schema of its own with tables of the same names.

What lies there is neither truth nor anything that is read: it is work that is not finished, made from the log alone,
and may be dropped at any moment at the cost of making it again. That is why it may outlive the process that made it,
which a temporary table cannot: whoever is killed in the middle goes on where it was. The tables are unlogged, so they
cost half the writing, are in no backup, and are emptied by a crash of the server, progress and rows together; the
rebuild then begins anew. It also begins anew where the tables or the code that folds are not those that it was begun
with.

A rebuild holds an advisory lock, so that there are never two of the same rows.
"""

from __future__ import annotations

import hashlib
import sys
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from django.db import DatabaseError, connection, transaction

#: For so long a rebuild waits for another one of the same rows: one that was just killed is gone within that time.
WAIT_S = 10.0
#: Every schema of a rebuild begins like this.
PREFIX = "rebuilt_"


class RebuildGoingOn(Exception):
    """Another process rebuilds the same rows at this moment."""


class NoSchema(Exception):
    """The database role may not create schemas in its database; its owner may, or who was granted CREATE on it."""


class Rebuilt(NamedTuple):
    """How many events and rows there are in all, how many of the events an earlier run had folded before it was
    stopped, and how many live rows were not what the log says.
    """

    events: int
    rows: int
    resumed: int
    changed: int


class Live(NamedTuple):
    """A live table: its name as SQL, quoted and with its schema, its columns in their order, and its primary key."""

    sql: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


class Beside:
    """The tables beside the live ones while a rebuild of one part of one log is under way."""

    def __init__(self, schema: str, live: dict[str, Live]) -> None:
        self.schema = schema
        self.live = live

    def sql(self, table: str) -> str:
        """The quoted name of the table beside the live one."""
        return f'"{self.schema}"."{table}"'

    @contextmanager
    def in_front(self) -> Iterator[None]:
        """Within this, in a transaction, a table's name without a schema means the one that lies here."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('search_path')")
            (before,) = cursor.fetchone()
            # Temporary tables would come first if they were not named.
            cursor.execute("SELECT set_config('search_path', %s, true)", [f'"{self.schema}", {before}, pg_temp'])
            yield
            cursor.execute("SELECT set_config('search_path', %s, true)", [before])

    def drop(self) -> None:
        """Throw all of it away."""
        with connection.cursor() as cursor:
            cursor.execute(f'DROP SCHEMA "{self.schema}" CASCADE')


@contextmanager
def opened(
    log: uuid.UUID,
    part: str,
    tables: Iterable[str],
    *,
    folded_by: Iterable[str],
    definitions: Iterable[str],
    restart: bool = False,
) -> Iterator[Beside]:
    """The tables of the rebuild of this part of a log, as an earlier run left them, or new and empty.

    `definitions` are statements that make them, with {schema} and, by the name of each table, {live[table]}, a `Live`.
    `folded_by` names the modules whose packages do the folding. Whatever happens inside, the tables stay, until they
    are dropped.

    Raises:
        RebuildGoingOn: see there.
        NoSchema: see there.
    """
    schema = f"{PREFIX}{log.hex}_{zlib.crc32(part.encode()):08x}"
    with _alone(schema):
        live = {table: _live(table) for table in tables}
        made_by = _fingerprint(live, folded_by)
        found = Beside(schema, live)
        with transaction.atomic(), connection.cursor() as cursor:
            if restart or _made_by(cursor, schema) != made_by:
                try:
                    cursor.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
                    cursor.execute(f'CREATE SCHEMA "{schema}"')
                except DatabaseError as error:
                    if getattr(error.__cause__, "sqlstate", None) == "42501":
                        raise NoSchema from error
                    raise
                for definition in definitions:
                    cursor.execute(definition.format(schema=f'"{schema}"', live=live))
                cursor.execute(f'CREATE UNLOGGED TABLE "{schema}".made_by (fingerprint text)')
                cursor.execute(f'INSERT INTO "{schema}".made_by VALUES (%s)', [made_by])
        yield found


@contextmanager
def opened_to_compare(tables: Iterable[str]) -> Iterator[Beside]:
    """New and empty tables for a transaction that is rolled back, which leaves nothing of them.

    They are logged, though nobody needs that: of an unlogged table the empty files are brought to the disk at once.
    """
    live = {table: _live(table) for table in tables}
    found = Beside(f"compared_{uuid.uuid4().hex}", live)
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE SCHEMA "{found.schema}"')
        for table, each in live.items():
            cursor.execute(f"CREATE TABLE {found.sql(table)} (LIKE {each.sql} INCLUDING ALL)")
    yield found


def unfinished(log: uuid.UUID) -> bool:
    """Whether some rebuild of this log was begun and not ended."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_namespace WHERE starts_with(nspname, %s))", [f"{PREFIX}{log.hex}_"]
        )
        return bool(cursor.fetchone()[0])


def _made_by(cursor: Any, schema: str) -> str | None:
    """What made the schema; None where there is none, or where a crash of the server emptied it."""
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f'"{schema}".made_by'])
    if not cursor.fetchone()[0]:
        return None
    cursor.execute(f'SELECT max(fingerprint) FROM "{schema}".made_by')
    return cursor.fetchone()[0]


def _live(table: str) -> Live:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%%I.%%I', n.nspname, c.relname),"
            " (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a"
            "   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),"
            " (SELECT array_agg(a.attname::text) FROM pg_index i JOIN pg_attribute a"
            "   ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary)"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %s::regclass",
            [f'"{table}"'],
        )
        name, columns, key = cursor.fetchone()
    return Live(name, tuple(columns), tuple(key or ()))


def _fingerprint(live: dict[str, Live], modules: Iterable[str]) -> str:
    """What rows depend on beside the log: the columns that they have, and the code that folds."""
    digest = hashlib.sha256()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attrelid::regclass::text, format('%%s %%s %%s', attname, atttypid::regtype, atttypmod)"
            " FROM pg_attribute WHERE attrelid = ANY(%s::regclass[]) AND attnum > 0 AND NOT attisdropped"
            " ORDER BY attrelid::regclass::text, attnum",
            [[found.sql for found in live.values()]],
        )
        digest.update(repr(cursor.fetchall()).encode())
    for package in sorted({name.split(".")[0] for name in modules}):
        digest.update(_code_of(package))
    return digest.hexdigest()


@cache
def _code_of(package: str) -> bytes:
    """The hash of a package's files."""
    digest = hashlib.sha256()
    source = getattr(sys.modules.get(package), "__file__", None)
    for path in sorted(Path(source).parent.rglob("*.py")) if source else ():
        digest.update(path.read_bytes())
    return digest.digest()


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Hold the advisory lock of this name; it goes with the connection, so nobody has to clear up after a kill."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    nested = connection.in_atomic_block  # there it is held to the end of the transaction: an aborted one frees nothing
    function = "pg_try_advisory_xact_lock" if nested else "pg_try_advisory_lock"
    deadline = time.monotonic() + WAIT_S
    with connection.cursor() as cursor:
        while True:
            cursor.execute(f"SELECT {function}(%s)", [key])
            if cursor.fetchone()[0]:
                break
            if time.monotonic() > deadline:
                raise RebuildGoingOn
            time.sleep(0.1)
    try:
        yield
    finally:
        if not nested:
            with suppress(DatabaseError), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
