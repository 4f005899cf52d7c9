"""What comes in bulk is appended in chunks of so many events, so that nobody waits long for the log."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from labeling.commands import bulk, samples
from labeling.log import store
from labeling.models import Person, Sample
from labeling.queries import bulk as queries
from labeling.rules import bulk as rules
from tests.support.installation import is_full

Make = Callable[..., Any]
#: So many samples come in; the chunks are smaller by the same factor where the run is.
SAMPLES, FACTOR = (5000, 1) if is_full() else (250, 20)


class Turn(NamedTuple):
    """What one append held the log for."""

    events: int
    rows: int


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[Turn]:
    """Every append of the test."""
    seen: list[Turn] = []
    append = store.append

    def watched(log: uuid.UUID, **keywords: Any) -> store.Appended:
        events = keywords["events"]
        rows = sum(map(len, keywords["rows"].put.values()))
        seen.append(Turn(len(events), rows))
        return append(log, **keywords)

    monkeypatch.setattr(store, "append", watched)
    for module in (samples, bulk):
        monkeypatch.setattr(module, "CHUNK", module.CHUNK // FACTOR)
    return seen


def items(count: int) -> list[Any]:
    image = {"image": {"url": "https://example.org/a.png"}}
    return [samples.checked_sample({"name": f"{number}.png", "attributes": image}) for number in range(count)]


@pytest.fixture
def street(person: Make, dataset: Make, intent: Make, turns: list[Turn]) -> tuple[Person, uuid.UUID, list[uuid.UUID]]:
    """A dataset of Ana's with many samples, which came in one request."""
    ana = person("ana")
    made = dataset(ana, name="street")
    turns.clear()
    ids = samples.add_samples(intent=intent(ana), dataset=made, items=items(SAMPLES), keep_existing=True)
    return ana, made, ids


def test_many_samples_of_one_request_come_in_chunks(
    street: tuple[Person, uuid.UUID, list[uuid.UUID]], turns: list[Turn], tell: Callable[[str], None]
) -> None:
    _, made, ids = street
    assert [turn.events for turn in turns] == [samples.CHUNK] * (SAMPLES // samples.CHUNK) + [
        rest for rest in [SAMPLES % samples.CHUNK] if rest
    ]
    assert all(turn.rows == turn.events for turn in turns)
    assert len(set(ids)) == SAMPLES == Sample.objects.filter(dataset_id=made).count()
    names = dict(Sample.objects.filter(dataset_id=made).values_list("id", "name"))
    assert [names[each] for each in ids] == [f"{number}.png" for number in range(SAMPLES)], (
        "in the order of the request"
    )
    events = store.read(made, after=store.head(made) - SAMPLES, limit=SAMPLES)
    assert len({event.intent.correlation for event in events}) == 1
    tell(f"{SAMPLES} samples in {len(turns)} appends of at most {max(turns).events} events and rows")


def test_the_same_request_again_adds_what_its_failure_left_out(
    person: Make, dataset: Make, intent: Make, turns: list[Turn], monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = person("ana")
    made = dataset(ana)
    own = intent(ana, command=uuid.uuid4(), request_hash=bytes(32))
    append, calls = store.append, itertools.count()

    def fails_once(log: uuid.UUID, **keywords: Any) -> store.Appended:
        if next(calls) == 2:
            raise store.LogGap("the third is lost")
        return append(log, **keywords)

    monkeypatch.setattr(store, "append", fails_once)
    with pytest.raises(store.LogGap):
        samples.add_samples(intent=own, dataset=made, items=items(SAMPLES), keep_existing=True)
    assert Sample.objects.filter(dataset_id=made).count() == 2 * samples.CHUNK
    head = store.head(made)
    ids = samples.add_samples(intent=own, dataset=made, items=items(SAMPLES), keep_existing=True)
    assert len(set(ids)) == SAMPLES and store.head(made) == head + SAMPLES - 2 * samples.CHUNK
    assert samples.add_samples(intent=own, dataset=made, items=items(SAMPLES), keep_existing=True) == ids
    assert store.head(made) == head + SAMPLES - 2 * samples.CHUNK, "and once more adds nothing"


def test_a_bulk_change_comes_in_chunks(
    street: tuple[Person, uuid.UUID, list[uuid.UUID]], intent: Make, turns: list[Turn]
) -> None:
    ana, _, ids = street
    change = rules.BulkChange("priority", 7.0)
    expected = {item.sample: rules.before(change, item.now) for item in queries.listed(ids, person=ana.id)}
    turns.clear()
    assert bulk.change_in_bulk(intent=intent(ana), change=change, expected=expected).changed == SAMPLES
    assert {turn.events for turn in turns} == {bulk.CHUNK} and len(turns) == SAMPLES // bulk.CHUNK
