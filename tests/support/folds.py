"""Whether the rows of logs are what folding them gives: what `rebuild.differences` says, for the end of every test.

All tables of all logs are compared in one statement, without the temporary tables that keep a long fold out of memory:
these logs are short, and the tables took half of the time of the tests that write.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from typing import Any

import orjson
from django.db import connection, transaction

from labeling.log import rebuild, store
from labeling.log.projector import counts, kind_of, projected_tables
from labeling.log.rows import Rows

_UNLIKE = "SELECT count(*) FROM (({one} EXCEPT ALL {two}) UNION ALL ({two} EXCEPT ALL {one})) AS unlike"


def differences(logs: Collection[uuid.UUID]) -> dict[uuid.UUID, dict[str, int]]:
    """{log: {table: rows that differ}} of the logs that have any."""
    if not logs or _are_equal(logs):
        return {}
    found = {log: tables for log in logs if (tables := rebuild.differences(log))}
    assert found, "the comparison in one statement sees differences where `rebuild` sees none"
    return found


def _are_equal(logs: Collection[uuid.UUID]) -> bool:
    outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if outermost:  # the fold and the rows are those of one moment
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        rows = Rows()
        for log in logs:
            for stream, events in store.read_streams(log):
                kind = kind_of(stream)
                if kind is None:
                    raise rebuild.UnknownStream(stream)
                rows.add(kind.rows(log, stream, events))
        said: dict[str, Any] = {"logs": list(logs)}
        said |= {table: orjson.dumps(items).decode() for table, items in rows.put.items() if items}
        cursor.execute("SELECT " + " + ".join(f"({each})" for each in _comparisons(said)), said)
        return cursor.fetchone() == (0,)


def _comparisons(folded: Collection[str]) -> Iterator[str]:
    """For each table, and each that triggers count, a query for how many rows differ."""
    for table, column in projected_tables().items():
        live = f'SELECT * FROM "{table}" WHERE "{column}" = ANY(%(logs)s)'
        if table not in folded:
            yield f"SELECT count(*) FROM ({live}) AS live"
            continue
        again = f'SELECT * FROM jsonb_populate_recordset(NULL::"{table}", %({table})s::jsonb)'
        yield _UNLIKE.format(one=live, two=again)
    for each in counts():
        stored = f'SELECT * FROM "{each.table}" WHERE "{each.column}" = ANY(%(logs)s)'
        stored += f' AND "{each.number}" <> 0' if each.number else ""
        counted = f'SELECT again.* FROM unnest(%(logs)s::uuid[]) AS log, LATERAL "counted_{each.table}"(log) AS again'
        yield _UNLIKE.format(one=stored, two=counted)
