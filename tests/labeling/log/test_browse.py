from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from labeling.commands import datasets
from labeling.log import browse, store
from labeling.log.event import Intent
from labeling.models import Person


@pytest.fixture
def log(person: Callable[..., Person], dataset: Any) -> uuid.UUID:
    """A log of at least seven events: made, one label set, one member, and four changes."""
    ana = person("ana")
    made: uuid.UUID = dataset(ana)
    for text in ("one", "two", "three", "four"):
        datasets.change_dataset(intent=Intent(author=ana.id), dataset=made, changes={"description": text})
    return made


def test_an_empty_log_has_no_headlines(db: None) -> None:
    assert browse.newest(uuid.uuid4(), limit=5) == []
    assert browse.newest_of_all([], limit=5) == []


def test_headlines_come_newest_first_and_within_their_bounds(log: uuid.UUID) -> None:
    head = store.head(log)

    assert [item.offset for item in browse.newest(log, limit=3)] == [head, head - 1, head - 2]
    assert [item.offset for item in browse.newest(log, limit=9, before=3)] == [2, 1]
    assert [item.offset for item in browse.newest(log, limit=9, first=2, last=3)] == [3, 2]
    assert [item.offset for item in browse.newest(log, limit=2, stream="dataset")] == [head, head - 1]


def test_long_data_stays_out(log: uuid.UUID, person: Callable[..., Person]) -> None:
    long = {"description": "".join(str(uuid.uuid4()) for _ in range(400))}
    datasets.change_dataset(intent=Intent(author=person("ana").id), dataset=log, changes=long)

    first, second, *_ = browse.newest(log, limit=9)

    assert first.data is None
    assert second.data == {"changes": {"description": "four"}}


@pytest.mark.parametrize("text", ["THREE", "three", "'", "%", "\\", "_____"])
def test_text_is_looked_for_as_it_is(log: uuid.UUID, text: str) -> None:
    assert len(browse.newest(log, limit=9, text=text)) == (1 if text.lower() == "three" else 0)


def test_a_search_leaves_the_limits_of_the_transaction_as_they_were(db: None) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '7s'")
        browse.newest(uuid.uuid4(), limit=1)
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("7s",)


def test_the_newest_of_several_logs_are_merged_by_time(log: uuid.UUID, person: Any, dataset: Any) -> None:
    other = dataset(person("ana"))
    datasets.change_dataset(intent=Intent(author=person("ana").id), dataset=log, changes={"description": "five"})

    found = browse.newest_of_all([log, other], limit=5)

    assert (found[0].log, found[1].log) == (log, other)
    assert len(found) == 5
    assert [item.recorded_at for item in found] == sorted((item.recorded_at for item in found), reverse=True)
    assert {item.log for item in browse.newest_of_all([other], limit=5)} == {other}
