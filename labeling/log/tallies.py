"""How much of what happened in a log up to an offset, and by whom: counted by the database, in one pass each."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection

JSON = dict[str, Any]

#: Origins that are told apart; the first ones are given.
MOST_ORIGINS = 500
#: What of an object's origin says where it came from; the rest says which object it was there.
SAYS = ("kind", "name", "model", "version", "run", "label_set")


@dataclass(frozen=True, slots=True)
class Tally:
    """The events of one type, author and tool."""

    type: str
    author: uuid.UUID
    author_kind: str
    tool: str | None
    events: int
    first: int
    last: int
    first_at: dt.datetime
    last_at: dt.datetime


def by_author(log: uuid.UUID, up_to: int) -> list[Tally]:
    """All events up to an offset, the first that came first."""
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT type, author, author_kind, tool, count(*), min("offset"), max("offset"), min(recorded_at),'
            ' max(recorded_at) FROM log_event WHERE log = %s AND "offset" <= %s'
            ' GROUP BY type, author, author_kind, tool ORDER BY min("offset")',
            [log, up_to],
        )
        return [Tally(*row) for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class OriginTally:
    """Objects that say that they came from one place."""

    origin: JSON
    objects: int
    first: int
    last: int


def by_origin(log: uuid.UUID, up_to: int) -> list[OriginTally]:
    """Where the objects say that they came from which were added up to an offset, one by one or with a whole label."""
    kept = ", ".join(f"'{name}', origin -> '{name}'" for name in SAYS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT jsonb_strip_nulls(jsonb_build_object({kept}))::text, count(*), min(at), max(at) FROM ("
            " SELECT data -> 'origin' AS origin, \"offset\" AS at FROM log_event"
            " WHERE log = %s AND \"offset\" <= %s AND type <> 'LabelImported'"
            " AND jsonb_typeof(data -> 'origin') = 'object'"
            " UNION ALL SELECT coalesce(data -> 'origin', '{}') || coalesce(object -> 'origin', '{}'), \"offset\""
            " FROM log_event, jsonb_array_elements("
            " CASE WHEN jsonb_typeof(data -> 'annotations') = 'array' THEN data -> 'annotations' ELSE '[]' END)"
            " AS object WHERE log = %s AND \"offset\" <= %s AND type = 'LabelImported'"
            " AND 'object' IN (jsonb_typeof(data -> 'origin'), jsonb_typeof(object -> 'origin'))"
            ") AS added GROUP BY 1 ORDER BY min(at) LIMIT %s",
            [log, up_to, log, up_to, MOST_ORIGINS],
        )
        return [OriginTally(json.loads(origin), *row) for origin, *row in cursor.fetchall()]
