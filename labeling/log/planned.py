"""A cursor for the few statements of every edit: the server gets their parameters apart, and keeps their plans.

Django writes parameters into the text, so that PostgreSQL parses and plans a statement anew each time; for a join that
takes longer than to run it. Plans are kept where the connection has a `prepare_threshold` (config.database says when:
not behind a pooler, which may give every statement another backend). Elsewhere the statement is the same, and only
planned each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection


@contextmanager
def planned_cursor() -> Iterator[Any]:
    """A cursor with Django's errors that binds parameters on the server.

    It is one of Django's where somebody listens to statements (a test that counts them, a log). Else Django is left
    out, for its own cursor costs as much as all that psycopg does.
    """
    if connection.queries_logged or connection.execute_wrappers:
        with connection.cursor() as cursor:
            cursor.cursor.close()
            cursor.cursor = psycopg.Cursor(connection.connection)
            yield cursor
        return
    connection.validate_thread_sharing()
    connection.validate_no_broken_transaction()
    connection.ensure_connection()
    with connection.wrap_database_errors:
        yield psycopg.Cursor(connection.connection)
