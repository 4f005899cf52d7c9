"""A bulk on its way: its events, and the rows that they make, copied to the server before the log is locked.

The server takes them apart while the next ones are still being written here, and nothing of it happens under the lock.
They wait in temporary tables, but for rows whose offsets are known: these are put where they belong at once, unseen by
others until the append commits.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

import orjson
from django.db import connection

from labeling.log.copy_format import END, SIGNATURE, json_text, spelled_text
from labeling.log.event import Event
from labeling.log.rows import Rows

#: Rows of one projected table from which on they are copied too; fewer go with the call.
ROWS_FROM = 100
#: Bytes that bulks may leave in each of a session's temporary tables. All of a table is read for each bulk, under the
#: log's lock, so it is not much; but to empty it, and to plan all anew, takes as long as to write this much.
MOST_LEFT = 2_000_000
#: Lines that are sent at a time.
_TOGETHER = 100

#: Those of log_staged_event that lines have.
_EVENT_COLUMNS = ("n", "stream", "version", "type", "schema_version", "data")

#: Types of cells whose text has nothing that COPY could take for its own.
_SPELLED_PLAINLY = frozenset({int, float, uuid.UUID})

#: (column, whether it holds JSON) in the order of a table.
Columns = list[tuple[str, bool]]
#: Those of each table that were met last, by which rows may be written before the server is asked.
_columns: dict[str, Columns] = {}

#: What `labeling.log.event.hashed` gives of an event: data, its hash, the event's digest.
Digests = tuple[bytes, bytes, bytes]


class Bulk:
    """Events, and the rows that they make, on their way to the server."""

    def __init__(self, events: Sequence[Event], digests: Iterable[Digests], rows: Rows) -> None:
        self._rows, self._placed = rows, rows.placed()
        many = [table for table, put in rows.put.items() if len(put) >= ROWS_FROM]
        self._copied = list(dict.fromkeys([*rows.waiting(), *many]))
        self._hashes: list[bytes] = []
        self._events = _together(_event_lines(events, digests, self._hashes))
        self._lines: dict[str, tuple[Columns, list[bytes]]] = {}  #: by table: rows, written for these columns

    def write(self) -> None:
        """Write all of it out, as far as the tables' columns are known. Else it is written while it is sent."""
        self._events = iter([*self._events])
        for table in self._copied:
            known = _columns.get(table)
            if known and table in self._rows.put:
                self._lines[table] = known, [*_row_lines(self._rows.put[table], known)]

    def copy(self, *, again: bool) -> tuple[bytes, str]:
        """Copy it, inside of the transaction that appends it; returns (hashes, rows), as log_append takes them.

        `again` says that this transaction may have had a bulk before.
        """
        columns: dict[str, Columns] = {}
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM log_stage(%s, %s)", [self._copied, again])
            for table, name, is_json in cursor.fetchall():
                columns.setdefault(table, []).append((name, is_json))
            _columns.update(columns)
            _copy(cursor, "pg_temp.log_staged_event", _EVENT_COLUMNS, self._events)
            for table, put in self._rows.put.items():
                if table in columns:
                    known, lines = self._lines.get(table, (None, ()))
                    current = columns[table]
                    named = [name for name, _ in current]
                    _copy(cursor, _staged(table), named, lines if known == current else _row_lines(put, current))
            for table, found in self._rows.written.items():
                target = table if table in self._placed else _staged(table)
                _copy(cursor, target, found.columns, _together(found.rows), binary=found.binary)
        told = [
            item | ({"up": _up(self._rows, item["t"])} if item["t"] in columns else {}) for item in self._rows.as_json()
        ]
        told += [{"t": table, "up": found.last} for table, found in self._placed.items()]
        return b"".join(self._hashes), orjson.dumps(told).decode()


def make_room() -> None:
    """Let go of what the session's bulks have left, once it is much; to be called outside of a transaction.

    It is not left to the commit of a bulk: while a checkpoint is written, that would hold the log for the time that the
    file system takes to cut off a file.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT log_unstage(%s), set_config('synchronous_commit', 'off', true)", [MOST_LEFT])


def _up(rows: Rows, table: str) -> str:
    """What log_append is told of rows that were copied into a temporary table."""
    return "some" if table in rows.put else "new"


def _staged(table: str) -> str:
    """The temporary table of a projected one."""
    return f"pg_temp.log_staged_{table}"


def _together(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Some at a time."""
    left = iter(pieces)
    return iter(lambda: b"".join(islice(left, _TOGETHER)), b"")


def _copy(cursor: Any, target: str, columns: Sequence[str], pieces: Iterable[bytes], *, binary: bool = False) -> None:
    named = ", ".join(f'"{name}"' for name in columns)
    form = " (FORMAT BINARY)" if binary else ""
    with connection.wrap_database_errors, cursor.copy(f"COPY {target} ({named}) FROM STDIN{form}") as copy:
        if binary:
            copy.write(SIGNATURE)
        for piece in pieces:
            copy.write(piece)
        if binary:
            copy.write(END)


def _event_lines(events: Sequence[Event], digests: Iterable[Digests], hashes: list[bytes]) -> Iterator[bytes]:
    """Lines of log_staged_event; what the call takes of each event's hashes is added to `hashes`."""
    streams: dict[str, bytes] = {}
    for number, (event, (data, data_hash, digest)) in enumerate(zip(events, digests, strict=True), 1):
        name, version = event.stream, event.version
        stream = streams.get(name)
        if stream is None:
            stream = streams[name] = spelled_text(name).encode()
        hashes += (event.event_id.bytes, data_hash, version.to_bytes(8, "big"), digest)
        yield b"%d\t%b\t%d\t%b\t%d\t%b\n" % (
            number,
            stream,
            version,
            event.type.encode(),
            event.schema_version,
            json_text(data),
        )


def _row_lines(rows: list[dict[str, Any]], columns: Columns) -> Iterator[bytes]:
    """Lines of the temporary table of a projected one, some at a time; a column that a row lacks is null, and so is
    JSON's null.

    They are written column by column, because most columns of a bulk say one thing.
    """
    names = [name for name, _ in columns]
    take = itemgetter(*names)
    for start in range(0, len(rows), _TOGETHER):
        part = rows[start : start + _TOGETHER]
        try:
            taken = [*map(take, part)]
        except KeyError:
            taken = [tuple([row.get(name) for name in names]) for row in part]
        cells = [_spelled(column, said) for column, (_, said) in zip(zip(*taken, strict=True), columns, strict=True)]
        yield "\n".join(map("\t".join, zip(*cells, strict=True))).encode() + b"\n"


def _spelled(cells: Sequence[Any], holds_json: bool) -> list[str]:
    """A column as COPY takes it; what it would take for its own is written out."""
    first = cells[0]
    if len(set(map(id, cells))) == 1:
        return [_cell(first, holds_json)] * len(cells)
    if not holds_json and {type(first)} == set(map(type, cells)) <= _SPELLED_PLAINLY:
        return [*map(str, cells)]
    found = [orjson.dumps(cell).decode() for cell in cells] if holds_json else [*map(str, cells)]
    text = "\t".join(found)
    if (
        "\\" in text
        or ("null" if holds_json else "None") in text
        or "\n" in text
        or "\r" in text
        or text.count("\t") != len(cells) - 1
    ):
        return [_cell(cell, holds_json) for cell in cells]
    return found


def _cell(cell: Any, holds_json: bool) -> str:
    if cell is None:
        return "\\N"
    return spelled_text(orjson.dumps(cell).decode() if holds_json else str(cell))
