"""The database backend reads times as psycopg does, only faster."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import BaseTzLoader

from config.postgres.base import TimeLoader


class Slow(BaseTzLoader):
    timezone = dt.UTC


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20 13:50:54+00",
        "2026-11-20 13:50:54.1+00",
        "2026-11-20 13:50:54.123456+00",
        "0001-01-01 00:00:00+00",
        "9999-12-31 23:59:59.999999+00",
        "2024-02-29 00:00:00.000001+00",
        "infinity",
        "-infinity",
        "0044-03-15 12:00:00+00 BC",
        "10000-01-01 00:00:00+00",
    ],
)
def test_a_time_is_what_psycopg_makes_of_it(db, text):
    def read(loader: type[BaseTzLoader]) -> Any:
        try:
            return loader(0, connection.connection).load(text.encode())
        except psycopg.DataError as error:
            return str(error)

    assert read(TimeLoader) == read(Slow)


def test_the_connection_reads_times_in_utc(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT '2026-11-20 13:50:54.25+02'::timestamptz")
        found = cursor.fetchone()[0]
    assert found == dt.datetime(2026, 11, 20, 11, 50, 54, 250_000, tzinfo=dt.UTC) and found.tzinfo is dt.UTC
