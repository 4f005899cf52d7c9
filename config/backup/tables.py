"""The tables of an installation as the database has them, out to text and in again by COPY.

Which tables there are is read from the database, because not all are models: the log's own are made by SQL. The text is
that of COPY, which PostgreSQL 15 to 18 write and read alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from django.apps import apps
from django.db import connection
from psycopg import sql

from config.backup.contents import Columns, Table

#: Tables of ours that no model and no log has would still be found: by the names of our apps.
OUR_PREFIXES = ("log_", "labeling_", "sequences_", "releases_")
#: Not carried. Sessions are logins of browsers: whoever reads the archive could use them, and people log in again.
#: Migrations are named in the archive's opening. The queue lies in a schema of its own and holds hints only: a sweeper
#: sends them again for whatever a projection or a release still lacks. Exports are made again when they are asked
#: for, and so are the shards of what was being made.
LEFT_OUT = frozenset({"django_session", "django_migrations", "releases_exportbuild", "releases_buildshard"})
#: Filled by `migrate` itself; what it put there gives way to the rows of the archive, which others refer to by id.
FILLED_BY_MIGRATE = frozenset({"django_content_type", "auth_permission"})
#: A table is cut into files of about this size, because a tar file has to know a size before it holds the bytes.
PART_BYTES = 1 << 23

#: So that the same rows are the same text on every server. Limits are for requests, not for a copy of everything.
_SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}


#: PostgreSQL's letters for when a trigger acts, and the words that say so.
_ENABLE = {"O": "ENABLE", "A": "ENABLE ALWAYS", "R": "ENABLE REPLICA"}


class Trigger(NamedTuple):
    """A trigger that would act on rows as they are put in; `enabled` is PostgreSQL's letter for when."""

    table: str
    name: str
    enabled: str


def settle() -> None:
    """Give the transaction that was just begun the settings of a copy."""
    with connection.cursor() as cursor:
        for name, value in _SETTINGS.items():
            cursor.execute("SELECT set_config(%s, %s, true)", [name, value])


def in_database() -> list[str]:
    """Every table of this installation, in order of name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
            " AND relnamespace = current_schema()::regnamespace"
        )
        found = {row[0] for row in cursor.fetchall()}
    of_models = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    return sorted(name for name in found - LEFT_OUT if name in of_models or name.startswith(OUR_PREFIXES))


def described(table: str) -> Columns:
    """A table with all columns that hold data of their own."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = quote_ident(%s)::regclass"
            " AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
            [table],
        )
        return Columns(table, tuple(row[0] for row in cursor.fetchall()))


def copy_out(table: Columns, put: Callable[[str, bytes], None]) -> Table:
    """Write the rows of a table, in order of its key, in parts: `put` gets the name and the bytes of each."""
    digest, size_bytes, number = hashlib.sha256(), 0, 0
    part = bytearray()

    def close() -> None:
        nonlocal size_bytes, number
        number += 1
        size_bytes += len(part)
        digest.update(part)
        put(f"tables/{table.name}/{number:08}", bytes(part))
        part.clear()

    query = sql.SQL("COPY (SELECT {} FROM {} ORDER BY {}) TO STDOUT").format(
        _listed(table.columns), sql.Identifier(table.name), _order(table)
    )
    with connection.cursor() as cursor:
        with cursor.copy(query) as rows:
            for row in rows:
                part += row
                if len(part) >= PART_BYTES:
                    close()
        if part:
            close()
        return Table(table.name, cursor.rowcount, size_bytes, digest.hexdigest())


def copy_in(table: Columns, pieces: Iterator[bytes]) -> int:
    """Put in what `copy_out` wrote, and return the number of rows.

    Raises:
        psycopg.Error: the rows are not of this table.
    """
    query = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), _listed(table.columns))
    with connection.cursor() as cursor:
        with cursor.copy(query) as rows:
            for piece in pieces:
                rows.write(piece)
        return int(cursor.rowcount)


def with_rows(tables: list[str]) -> list[str]:
    """Those of the tables that are not empty."""
    with connection.cursor() as cursor:
        found = []
        for table in tables:
            cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table)))
            if cursor.fetchone()[0]:
                found.append(table)
        return found


@contextmanager
def loading(tables: list[str]) -> Iterator[None]:
    """Let rows be put in as they are: what a trigger would make of them stands in the archive already.

    Only triggers on INSERT stand back, and only until the end of this; so events stay as immutable as ever. What
    `migrate` filled in is removed first. At the end foreign keys are checked, and sequences go on where the rows end.

    Raises:
        psycopg.IntegrityError: a row refers to one that is not there.
    """
    stood_back = _triggers_on_insert(tables)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for trigger in stood_back:
            cursor.execute(_alter(trigger, "DISABLE"))
        for table in with_rows(tables):
            cursor.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        yield
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for trigger in stood_back:
            cursor.execute(_alter(trigger, _ENABLE[trigger.enabled]))
        for table in tables:
            _set_sequences(cursor, table)
            cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))


def _triggers_on_insert(tables: list[str]) -> list[Trigger]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, tgname, tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " WHERE c.relnamespace = current_schema()::regnamespace AND relname = ANY(%s)"
            " AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 4 = 4 ORDER BY 1, 2",
            [tables],
        )
        return [Trigger(*row) for row in cursor.fetchall()]


def _alter(trigger: Trigger, how: str) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} {} TRIGGER {}").format(
        sql.Identifier(trigger.table), sql.SQL(how), sql.Identifier(trigger.name)
    )


def _set_sequences(cursor: Any, table: str) -> None:
    cursor.execute(
        "SELECT attname, pg_get_serial_sequence(quote_ident(%(table)s), attname) FROM pg_attribute"
        " WHERE attrelid = quote_ident(%(table)s)::regclass AND attnum > 0 AND NOT attisdropped"
        " AND pg_get_serial_sequence(quote_ident(%(table)s), attname) IS NOT NULL",
        {"table": table},
    )
    for column, sequence in cursor.fetchall():
        cursor.execute(
            sql.SQL("SELECT setval(%s::regclass, coalesce(max({0}), 0) + 1, false) FROM {1}").format(
                sql.Identifier(column), sql.Identifier(table)
            ),
            [sequence],
        )


def _listed(columns: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _order(table: Columns) -> sql.Composed:
    """The columns of the key, with text in the order of its bytes, which is the same everywhere; else all of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname, typcategory = 'S' FROM pg_index i JOIN pg_attribute a"
            " ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) JOIN pg_type t ON t.oid = a.atttypid"
            " WHERE i.indrelid = quote_ident(%s)::regclass AND i.indisprimary"
            " ORDER BY array_position(i.indkey::int2[], a.attnum)",
            [table.name],
        )
        key = cursor.fetchall()
    if not key:
        return sql.SQL("{}::text COLLATE {}").format(sql.Identifier(table.name), sql.Identifier("C"))
    return sql.SQL(", ").join(
        sql.SQL("{} COLLATE {}").format(sql.Identifier(name), sql.Identifier("C")) if is_text else sql.Identifier(name)
        for name, is_text in key
    )


def server_version() -> str:
    """PostgreSQL's version, for people."""
    assert isinstance(connection.connection, psycopg.Connection)
    number = connection.connection.info.server_version
    return f"{number // 10000}.{number % 10000}"
