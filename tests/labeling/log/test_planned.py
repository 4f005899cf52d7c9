"""Statements whose plans are kept: logged, counted and refused like any other, and kept only where that is allowed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError

from labeling.log.planned import planned_cursor

pytestmark = pytest.mark.django_db


@pytest.fixture
def threshold() -> Iterator[None]:
    """The connection as it was."""
    connection.ensure_connection()
    before = connection.connection.prepare_threshold
    yield
    connection.connection.prepare_threshold = before


def kept() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


def ask(name: str) -> str:
    with planned_cursor() as cursor:
        cursor.execute(f"SELECT %s::text || '{name}'", ["a"])
        return str(cursor.fetchone()[0])


def test_a_plan_is_kept_where_a_threshold_allows_it_and_the_answer_is_the_same(threshold):
    first, second = uuid.uuid4().hex, uuid.uuid4().hex
    connection.connection.prepare_threshold = 1
    assert {ask(first) for _ in range(4)} == {f"a{first}"}
    connection.connection.prepare_threshold = None
    assert {ask(second) for _ in range(4)} == {f"a{second}"}
    statements = "".join(kept())
    assert first in statements and second not in statements


def test_it_counts_as_a_statement_and_raises_djangos_errors(django_assert_num_queries):
    with django_assert_num_queries(1):
        ask("x")
    with pytest.raises(IntegrityError), transaction.atomic(), planned_cursor() as cursor:
        cursor.execute("INSERT INTO log_head VALUES (%s, %s, NULL, '', now())", [uuid.uuid4(), "dataset"])
    assert ask("x") == "ax", "the connection is still of use"


def test_who_listens_hears_of_it(threshold):
    heard = []

    def listen(execute, sql, parameters, many, context):
        heard.append(sql)
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(listen):
        ask("y")
    assert heard == ["SELECT %s::text || 'y'"] and ask("y") == "ay"


def test_a_broken_transaction_is_told_as_djangos_cursor_tells_it():
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            ask("z")
