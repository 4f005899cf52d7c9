"""A bulk on its way: its events, and the rows that they make, copied into temporary tables before the log is locked.

The server takes them apart while the next ones are still being written here, and nothing of it happens under the lock.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

import orjson
from django.db import connection

from labeling.log.event import Event
from labeling.log.rows import Lines, Rows, json_cell, text_cell

#: Rows of one projected table from which on they are copied too; fewer go with the call.
ROWS_FROM = 100
#: Lines that are sent at a time.
_TOGETHER = 100

#: Types of cells whose text has nothing that COPY could take for its own.
_SPELLED_PLAINLY = frozenset({int, float, uuid.UUID})

#: {table: (column, whether it holds JSON) in the order of the table}
Columns = dict[str, list[tuple[str, bool]]]
#: Those that were met last, by which rows may be written before the server is asked.
_columns: Columns = {}

#: What `labeling.log.event.hashed` gives of an event: data, its hash, the event's digest.
Digests = tuple[bytes, bytes, bytes]


def stage(
    events: Sequence[Event],
    digests: Iterable[Digests],
    rows: Rows,
    *,
    again: bool,
    written: Callable[[], None] | None = None,
) -> tuple[bytes, str]:
    """Copy them, inside of a transaction; returns (hashes, rows), as log_append takes them.

    `again` says that this transaction may have had a bulk before. They are written while they are sent; where `written`
    is given, they are written first, before the server is asked for anything, and it is called then.
    """
    copied = [*rows.written, *(table for table, put in rows.put.items() if len(put) >= ROWS_FROM)]
    copied = list(dict.fromkeys(copied))
    hashes: list[bytes] = []
    lines = _event_lines(events, digests, hashes)
    of_events: Iterable[bytes] = iter(lambda: b"".join(islice(lines, _TOGETHER)), b"")
    before = {table: _columns.get(table) for table in copied}
    of_rows: dict[str, Iterable[bytes]] = {}
    if written is not None:
        of_events = [*of_events]
        of_rows = {table: [b"".join(_of_table(rows, table, known))] for table, known in before.items() if known}
        written()
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM log_stage(%s, %s)", [copied, again])
        columns: Columns = {}
        for table, name, is_json in cursor.fetchall():
            columns.setdefault(table, []).append((name, is_json))
        _columns.update(columns)
        _copy(cursor, "event", None, of_events)
        for table, known in columns.items():
            if table not in of_rows or known != before[table]:
                of_rows[table] = _of_table(rows, table, known)
            _copy(cursor, table, rows.written.get(table), of_rows[table])
    told = [item | ({"up": _up(rows, item["t"])} if item["t"] in columns else {}) for item in rows.as_json()]
    return b"".join(hashes), orjson.dumps(told).decode()


def _up(rows: Rows, table: str) -> str:
    """What log_append is told of rows that were copied."""
    return "new" if table in rows.written and table not in rows.put else "some"


def _copy(cursor: Any, table: str, lines: Lines | None, pieces: Iterable[bytes]) -> None:
    named = "" if lines is None else " ({})".format(", ".join(f'"{name}"' for name in lines.columns))
    with (
        connection.wrap_database_errors,
        cursor.copy(f"COPY pg_temp.log_staged_{table}{named} FROM STDIN") as copy,
    ):
        for piece in pieces:
            copy.write(piece)


def _of_table(rows: Rows, table: str, columns: list[tuple[str, bool]]) -> Iterator[bytes]:
    """The lines of a table's rows, also of those that are written out, in whose columns the others are then, too."""
    found = rows.written.get(table)
    if found is not None:
        yield b"".join(found.lines)
        kinds = dict(columns)
        columns = [(name, kinds[name]) for name in found.columns]
    yield from _row_lines(rows.put.get(table, []), columns)


def _event_lines(events: Sequence[Event], digests: Iterable[Digests], hashes: list[bytes]) -> Iterator[bytes]:
    """Lines of log_staged_event; what the call takes of each event's hashes is added to `hashes`."""
    streams: dict[str, bytes] = {}
    for number, (event, (data, data_hash, digest)) in enumerate(zip(events, digests, strict=True), 1):
        name, version = event.stream, event.version
        stream = streams.get(name)
        if stream is None:
            stream = streams[name] = text_cell(name).encode()
        hashes += (event.event_id.bytes, data_hash, version.to_bytes(8, "big"), digest)
        yield b"%d\t%b\t%d\t%b\t%d\t%b\n" % (
            number,
            stream,
            version,
            event.type.encode(),
            event.schema_version,
            json_cell(data),
        )


def _row_lines(rows: list[dict[str, Any]], columns: list[tuple[str, bool]]) -> Iterator[bytes]:
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
    return text_cell(orjson.dumps(cell).decode() if holds_json else str(cell))
