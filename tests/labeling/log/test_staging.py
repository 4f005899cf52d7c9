"""Rows that are copied before the log is locked are the rows that would have come with the call."""

from __future__ import annotations

import struct
import uuid
from typing import Any

import orjson
import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeling import events as e
from labeling.log import copy_format, store
from labeling.log.event import Intent
from labeling.log.rows import CopyRows, Rows

pytestmark = pytest.mark.django_db

AUTHOR = uuid.UUID("11111111-1111-4111-8111-111111111111")
OWN = uuid.UUID("22222222-2222-4222-8222-222222222222")
TEXTS = ["", "plain", "None", "\\N", "a\tb", "a\nb\r", "back\\slash", "\\.", "é 你 🙂", '"quoted"', "\x7f"]


def row(number: int, **changed: Any) -> dict[str, Any]:
    """An annotation's row with every kind of value."""
    return {
        "key": uuid.UUID(int=number),
        "uuid": str(uuid.UUID(int=number)),
        "dataset_id": OWN,
        "last_offset": 0,
        "label_id": str(OWN),
        "id": number,
        "category_id": None,
        "type": "bbox",
        "order": -number,
        "version": 2**40,
        "data": {},
    } | changed


def append(*rows: dict[str, Any], table: str = "labeling_annotation", turns: store.Turns | None = None) -> None:
    intent, log = Intent(author=AUTHOR), uuid.uuid4()
    events = store.new_events(log, intent, [("person/a", 0, e.KeyCreated(key="k"))])
    store.append(
        log, intent=intent, events=events, rows=Rows(put={table: list(rows)}), open_as="installation", turns=turns
    )


def stored(table: str = "labeling_annotation") -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} AS t ORDER BY t")
        return cursor.fetchall()


def both_ways(monkeypatch: pytest.MonkeyPatch, *rows: dict[str, Any]) -> list[list[tuple[Any, ...]]]:
    """What the table holds after these rows came with the call, and after they were copied before it."""
    found = []
    for least in (1_000_000, 1):
        monkeypatch.setattr(store.appending, "STAGED_FROM", least)
        monkeypatch.setattr(store.staging, "ROWS_FROM", least)
        point = transaction.savepoint()
        append(*rows)
        found.append(stored())
        transaction.savepoint_rollback(point)
    return found


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_the_same_in_a_column_and_inside_of_json(monkeypatch, text):
    rows = row(1, type=text), row(2, data=text), row(3, data={text: [text, None, {"x": text}]})
    called, copied = both_ways(monkeypatch, *rows)
    assert called == copied and len(copied) == 3


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(TEXTS[1:]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=json_values.filter(lambda value: value is not None), category=st.none() | st.integers(-5, 5))
def test_whatever_a_row_holds(monkeypatch, data, category):
    called, copied = both_ways(monkeypatch, row(1, data=data, category_id=category), row(2, data=[data]))
    assert called == copied and len(copied) == 2


def test_a_place_in_the_append_becomes_an_offset(monkeypatch):
    called, copied = both_ways(monkeypatch, row(1, last_offset=0), row(2, last_offset=7))
    assert called == copied
    assert [one[1] for one in copied] == [1, 7]


def test_a_row_that_breaks_a_constraint_stores_nothing(monkeypatch):
    monkeypatch.setattr(store.appending, "STAGED_FROM", 1)
    monkeypatch.setattr(store.staging, "ROWS_FROM", 1)
    for bad in (row(2, type=None), row(2, uuid=str(uuid.UUID(int=1)))):
        with pytest.raises(IntegrityError):
            append(row(1), bad)
        assert stored() == []


def test_a_row_that_comes_twice_stores_nothing(monkeypatch):
    monkeypatch.setattr(store.appending, "STAGED_FROM", 1)
    monkeypatch.setattr(store.staging, "ROWS_FROM", 1)
    for before in ([], [row(1)]):
        append(*before)
        with pytest.raises(IntegrityError), transaction.atomic():
            append(row(1, order=8), row(1, order=9), row(2))
        assert [one[8] for one in stored()] == [-1 for _ in before]


def test_a_bulk_never_walks_the_projected_table(monkeypatch):
    """Also not by a plan that was made while the table was empty."""
    monkeypatch.setattr(store.appending, "STAGED_FROM", 1)
    monkeypatch.setattr(store.staging, "ROWS_FROM", 1)

    def walked() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_get_xact_numscans('labeling_annotation'::regclass)")
            return int(cursor.fetchone()[0])

    before = walked()
    for turn in range(12):  # a plan is kept from the sixth on
        append(*(row(number, order=turn) for number in range(turn + 1, turn + 200)))
    assert walked() == before
    assert len(stored()) == 210
    assert walked() == before + 1, "the count counts"


def test_one_transaction_may_hold_several_bulks(monkeypatch):
    monkeypatch.setattr(store.appending, "STAGED_FROM", 1)
    monkeypatch.setattr(store.staging, "ROWS_FROM", 1)
    with transaction.atomic():
        append(row(1), row(2))
        append(row(2, order=9), row(3))
        append()
    assert [(one[5], one[8]) for one in stored()] == [(1, -1), (2, 9), (3, -3)]


def test_a_session_older_than_a_migration_copies_the_new_column_too(monkeypatch):
    monkeypatch.setattr(store.appending, "STAGED_FROM", 1)
    monkeypatch.setattr(store.staging, "ROWS_FROM", 1)
    with connection.cursor() as cursor:
        append(row(1))
        cursor.execute("ALTER TABLE labeling_annotation ADD COLUMN added text")
        from labeling.log.projector import define_projections

        define_projections()
        append(row(1, added="new"), row(2))
    assert [one[-1] for one in stored()] == ["new", None]


def test_a_session_older_than_a_migration_copies_events_all_the_same(monkeypatch):
    monkeypatch.setattr(store.appending, "STAGED_FROM", 1)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.log_staged_event")
        cursor.execute("CREATE TEMPORARY TABLE log_staged_event (n int, data jsonb) ON COMMIT DELETE ROWS")
    append(row(1))
    assert [one[5] for one in stored()] == [1]


def test_a_single_event_with_many_rows_is_a_bulk(monkeypatch):
    staged = []
    copy = store.staging.Bulk.copy

    def told(bulk: store.staging.Bulk, **named: Any) -> tuple[bytes, str]:
        staged.append(1)
        return copy(bulk, **named)

    monkeypatch.setattr(store.staging.Bulk, "copy", told)
    append(*(row(number) for number in range(1, store.appending.STAGED_FROM - 1)))
    assert staged == []
    append(*(row(number) for number in range(1, store.appending.STAGED_FROM)))
    assert staged == [1] and len(stored()) == store.appending.STAGED_FROM - 1


class Turns:
    """Tells what happens to it."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def written(self) -> None:
        self.told.append("written")

    def wait(self) -> None:
        self.told.append("wait")


@pytest.mark.parametrize("known", ["not at all", "as they are", "as they were"])
@pytest.mark.parametrize("least", [1, 1_000_000], ids=["copied", "with the call"])
def test_rows_that_are_written_before_the_server_is_asked_are_the_same(monkeypatch, known, least):
    monkeypatch.setattr(store.appending, "STAGED_FROM", least)
    monkeypatch.setattr(store.appending, "STAGED_AGAIN_FROM", least)
    monkeypatch.setattr(store.staging, "ROWS_FROM", least)
    point = transaction.savepoint()
    append(row(1), row(2, category_id=7))
    expected = stored()
    transaction.savepoint_rollback(point)
    columns = {} if known == "not at all" else dict(store.staging._columns)
    if known == "as they were" and columns:
        columns["labeling_annotation"] = columns["labeling_annotation"][:-1]
    monkeypatch.setattr(store.staging, "_columns", columns)
    turns = Turns()
    append(row(1), row(2, category_id=7), turns=turns)
    assert stored() == expected and turns.told == ["written", "wait"]


def test_the_version_of_a_stream_is_looked_up_however_old_the_plan_is(monkeypatch):
    """Also by one that was made where logs had one event each, so that the smallest index that has the log will do."""
    intent, log = Intent(author=AUTHOR), uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO log_event SELECT gen_random_uuid(), 1, repeat('x', 200) || n, 1, gen_random_uuid(),"
            " 'KeyCreated', 1, '{}', %s, 'person', null, null, null, null, gen_random_uuid(), null, null, null, '',"
            " null, now(), '', '' FROM generate_series(1, 100) AS n",
            [AUTHOR],
        )
        cursor.execute("ANALYZE log_event")

    def fetched() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'log_event'"
            )
            return int(cursor.fetchone()[0])

    for turn in range(12):  # a plan is kept from the sixth on
        streams = [f"person/{turn}-{nth}" for nth in range(200)]
        events = store.new_events(log, intent, [(stream, 0, e.KeyCreated(key="k")) for stream in streams])
        before = fetched()
        store.append(log, intent=intent, events=events, rows=Rows(), open_as="installation")
        assert fetched() - before <= 200


def written(*numbers: int, last: int | None = None, binary: bool = False) -> Rows:
    """New annotations that came written out, as rows of an append that ends at `last`."""
    columns = ("version", *(name for name in row(1) if name != "version"))
    found = CopyRows(columns, last=last, binary=binary)
    for number in numbers:
        one = row(number, last_offset=0 if last is None else last)
        if binary:
            found.rows.append(struct.pack(">h", len(columns)) + b"".join(_cell(name, one[name]) for name in columns))
            continue
        cells = ["\\N" if one[name] is None else str(one[name]) for name in columns]
        found.rows.append(("\t".join(cells) + "\n").encode())
    return Rows(written={"labeling_annotation": found})


def _cell(name: str, value: Any) -> bytes:
    if value is None:
        return copy_format.NULL
    if name == "data":
        text = orjson.dumps(value)
        return copy_format.json_head(text) + text
    if name in ("key", "uuid", "dataset_id", "label_id"):
        return copy_format.cell(uuid.UUID(str(value)).bytes)
    if name == "order":
        return struct.pack(">id", 8, value)
    return copy_format.cell(value.encode()) if isinstance(value, str) else copy_format.bigint(value)


def append_written(rows: Rows, log: uuid.UUID | None = None, **named: Any) -> None:
    intent, log = named.pop("intent", None) or Intent(author=AUTHOR), log or uuid.uuid4()
    events = store.new_events(log, intent, [(f"person/{uuid.uuid4()}", 0, e.KeyCreated(key="k"))])
    store.append(log, intent=intent, events=events, rows=rows, open_as="installation", **named)


@pytest.mark.parametrize("binary", [False, True], ids=["lines", "binary"])
@pytest.mark.parametrize("last", [None, 1], ids=["waiting", "placed"])
def test_rows_that_came_written_out_are_the_same(monkeypatch, last, binary):
    monkeypatch.setattr(store.appending, "STAGED_FROM", 1)
    point = transaction.savepoint()
    append(row(1), row(2))
    expected = stored()
    transaction.savepoint_rollback(point)
    append_written(written(1, 2, last=last, binary=binary))
    assert stored() == expected


@pytest.mark.parametrize("binary", [False, True], ids=["lines", "binary"])
@pytest.mark.parametrize("last", [None, 1], ids=["waiting", "placed"])
@pytest.mark.parametrize("least", [1, 100], ids=["copied", "with the call"])
def test_rows_that_came_written_out_stand_beside_rows_that_did_not(monkeypatch, least, last, binary):
    monkeypatch.setattr(store.appending, "STAGED_FROM", 1)
    monkeypatch.setattr(store.staging, "ROWS_FROM", least)
    append(row(1), row(2))
    append_written(written(3, last=last, binary=binary).add(Rows(put={"labeling_annotation": [row(1, order=9)]})))
    assert [(one[5], one[8]) for one in stored()] == [(1, 9), (2, -2), (3, -3)]


def test_a_row_that_came_written_out_never_takes_the_place_of_another(monkeypatch):
    monkeypatch.setattr(store.appending, "STAGED_FROM", 1)
    append(row(1), row(2))
    expected = stored()
    with pytest.raises(IntegrityError), transaction.atomic():
        append_written(written(3, 2))
    assert stored() == expected
    with pytest.raises(store.Stale), transaction.atomic():
        append_written(written(3, 2, last=1))
    assert stored() == expected


def test_an_append_that_ends_elsewhere_than_its_rows_have_it_stores_nothing(monkeypatch):
    monkeypatch.setattr(store.appending, "STAGED_FROM", 1)
    log = uuid.uuid4()
    append_written(written(1, last=1), log)
    for wrong in (1, 3):
        with pytest.raises(store.Stale):
            append_written(written(2, last=wrong), log)
    assert [one[5] for one in stored()] == [1] and store.head(log) == 1
    append_written(written(2, last=2), log)
    assert [(one[1], one[5]) for one in stored()] == [(1, 1), (2, 2)] and store.head(log) == 2


def test_rows_in_their_place_go_with_an_append_that_happened_before(monkeypatch):
    monkeypatch.setattr(store.appending, "STAGED_FROM", 1)
    log, intent = uuid.uuid4(), Intent(author=AUTHOR, request_hash=b"x" * 32)
    append_written(written(1, last=1), log, intent=intent, answer={})
    with pytest.raises(store.Stale):
        append_written(written(2, last=2), log, intent=intent, answer={})
    assert [one[5] for one in stored()] == [1]


def test_only_the_rows_of_a_bulk_come_written_out():
    with pytest.raises(ValueError, match="bulk"):
        append_written(written(1))
    assert stored() == []
