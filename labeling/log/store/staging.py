"""A bulk on its way: its events, and the rows that they make, copied into temporary tables before the log is locked.

The server takes them apart while the next ones are still being written here, and nothing of it happens under the lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import orjson
from django.db import connection

from labeling.log.event import Event
from labeling.log.rows import Rows

#: Rows of one projected table from which on they are copied too; fewer go with the call.
ROWS_FROM = 100
#: Lines that are sent at a time.
_TOGETHER = 100

#: What `labeling.log.event.hashed` gives of an event: data, its hash, the event's digest.
Digests = tuple[bytes, bytes, bytes]


def stage(events: Sequence[Event], digests: Iterable[Digests], rows: Rows, *, again: bool) -> tuple[bytes, str]:
    """Copy them, inside of a transaction; returns (hashes, rows), as log_append takes them.

    `again` says that this transaction may have had a bulk before.
    """
    copied = [table for table, put in rows.put.items() if len(put) >= ROWS_FROM]
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM log_stage(%s, %s)", [copied, again])
        columns: dict[str, list[tuple[str, bool]]] = {}
        for table, name, is_json in cursor.fetchall():
            columns.setdefault(table, []).append((name, is_json))
        hashes: list[bytes] = []
        lines = _event_lines(events, digests, hashes)
        _copy(cursor, "log_staged_event", iter(lambda: b"".join(islice(lines, _TOGETHER)), b""))
        for table in copied:
            _copy(cursor, f"log_staged_{table}", _row_lines(rows.put[table], columns[table]))
    told = [{**item, "up": True} if item["t"] in columns else item for item in rows.as_json()]
    return b"".join(hashes), orjson.dumps(told).decode()


def _copy(cursor: Any, table: str, pieces: Iterator[bytes]) -> None:
    with connection.wrap_database_errors, cursor.copy(f"COPY pg_temp.{table} FROM STDIN") as copy:
        for piece in pieces:
            copy.write(piece)


def _event_lines(events: Sequence[Event], digests: Iterable[Digests], hashes: list[bytes]) -> Iterator[bytes]:
    """Lines of log_staged_event; what the call takes of each event's hashes is added to `hashes`."""
    streams: dict[str, bytes] = {}
    for number, (event, (data, data_hash, digest)) in enumerate(zip(events, digests, strict=True), 1):
        name, version = event.stream, event.version
        stream = streams.get(name)
        if stream is None:
            stream = streams[name] = _text(name.encode())
        hashes += (event.event_id.bytes, data_hash, version.to_bytes(8, "big"), digest)
        yield b"%d\t%b\t%d\t%b\t%d\t%b\n" % (
            number,
            stream,
            version,
            event.type.encode(),
            event.schema_version,
            _json(data),
        )


def _row_lines(rows: list[dict[str, Any]], columns: list[tuple[str, bool]]) -> Iterator[bytes]:
    """Lines of the temporary table of a projected one, some at a time; a column that a row lacks is null, and so is
    JSON's null.

    They are written column by column, because most columns of a bulk say one thing.
    """
    for start in range(0, len(rows), _TOGETHER):
        part = rows[start : start + _TOGETHER]
        cells = [_spelled([row.get(name) for row in part], holds_json) for name, holds_json in columns]
        lines = "\n".join(map("\t".join, zip(*cells, strict=True)))
        if (
            "\\" in lines
            or "None" in lines
            or "\r" in lines
            or lines.count("\t") != (len(columns) - 1) * len(part)
            or lines.count("\n") != len(part) - 1
        ):
            nulls = [[row.get(name) is None for row in part] for name, _ in columns]
            lines = "\n".join(map("\t".join, zip(*map(_guarded, cells, nulls), strict=True)))
        yield lines.encode() + b"\n"


def _spelled(cells: list[Any], holds_json: bool) -> list[str]:
    """The text of each cell of a column; null is "None"."""
    if holds_json:
        return ["None" if cell is None else orjson.dumps(cell).decode() for cell in cells]
    first = cells[0]
    if all(cell is first for cell in cells):
        return [str(first)] * len(cells)
    return [*map(str, cells)]


def _guarded(cells: list[str], nulls: list[bool]) -> list[str]:
    """The cells of a column with what COPY would take for its own written out."""
    return ["\\N" if null else _text(cell.encode()).decode() for cell, null in zip(cells, nulls, strict=True)]


def _json(text: bytes) -> bytes:
    """JSON has no tabs and no ends of lines: what COPY could take for its own is the backslash."""
    return text.replace(b"\\", b"\\\\") if b"\\" in text else text


def _text(text: bytes) -> bytes:
    text = _json(text)
    if b"\t" in text or b"\n" in text or b"\r" in text:
        text = text.replace(b"\t", b"\\t").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return text
