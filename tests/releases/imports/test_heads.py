"""Where the next chunk of an import ends, and what happens where that was guessed wrongly."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from labeling.log import rebuild, store, verify
from labeling.log.rows import Rows
from labeling.models import Annotation, Label
from releases.imports import cutting, jobs, plans
from releases.imports.heads import LEAST_REST, MOST_REST, Heads
from tests.releases.imports.conftest import Import, coco

Make = Callable[..., Any]


def test_a_chunk_ends_behind_those_that_are_under_way() -> None:
    heads = Heads(10)
    assert [heads.guessed(5), heads.guessed(2)] == [15, 17]
    heads.ended(15)
    assert heads.guessed(0) == 17
    heads.ended(17)
    heads.ended(17)
    assert heads.guessed(1) == 18


def test_rests_are_doubled_up_to_a_limit_and_end_with_a_guess_that_was_right() -> None:
    heads, last = Heads(0), 0

    def rest() -> int:
        nonlocal last
        count = 0
        while heads.guessed(1) is None:
            count, last = count + 1, last + 1
            heads.ended(last)
        return count

    found = []
    for _ in range(6):
        found.append(rest())
        last += 2
        heads.ended(last)
    assert found == [0, 8, 16, 32, 64, MOST_REST]
    rest()
    last += 1
    heads.ended(last)
    assert rest() == 0
    last += 2
    heads.ended(last)
    assert rest() == LEAST_REST


def test_a_chunk_that_was_stored_before_moves_nothing() -> None:
    heads = Heads(10)
    heads.guessed(5)
    heads.ended(None)
    for _ in range(LEAST_REST):
        assert heads.guessed(1) is None
        heads.ended(None)
    assert heads.guessed(1) == 11


@pytest.mark.usefixtures("committed_db")
@pytest.mark.parametrize("meanwhile", ["nobody", "somebody", "a crowd"])
def test_rows_are_in_their_place_before_the_log_is_locked_unless_others_write(
    person: Make, dataset: Make, sample: Make, bring: Import, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    monkeypatch.setattr(cutting, "MOST_SAMPLES", 2)
    monkeypatch.setattr(store.appending, "STAGED_AGAIN_FROM", 1)
    ana = person(f"ana-{uuid.uuid4().hex[:8]}")
    streets = dataset(ana)
    told, made, placed = jobs._Telling.told, store.staging.Bulk.__init__, list[bool]()

    def beside(telling: Any, done: Any, some: Any) -> None:
        if meanwhile == "a crowd" or (meanwhile == "somebody" and some[0].nth == 10):
            sample(streets, ana, name=f"of somebody {some[0].nth}")
        told(telling, done, some)

    def counted(bulk: store.staging.Bulk, events: Any, digests: Any, rows: Rows) -> None:
        placed.append(bool(rows.placed()))
        made(bulk, events, digests, rows)

    monkeypatch.setattr(jobs._Telling, "told", beside)
    monkeypatch.setattr(store.staging.Bulk, "__init__", counted)
    job = bring(streets, ana, coco({f"{nth:03}.png": [("car", nth), ("person", 2)] for nth in range(80)}))
    assert (job.status, job.counts["annotations_added"]) == ("SUCCEEDED", 160)
    if meanwhile == "nobody":
        assert placed == [True] * 40
    else:
        assert len(placed) > 40 and 0 < placed.count(True) < (15 if meanwhile == "a crowd" else len(placed))
    labels = dict(Label.objects.filter(dataset_id=streets).values_list("id", "last_offset"))
    rows = Annotation.objects.filter(dataset_id=streets).values_list("label_id", "last_offset")
    assert len(rows) == 160 and all(offset == labels[label] for label, offset in rows)
    assert rebuild.differences(streets) == {} and verify.verify_log(streets) == []


@pytest.mark.usefixtures("committed_db")
def test_rows_of_a_chunk_that_was_overtaken_are_not_left_behind(
    person: Make, dataset: Make, sample: Make, bring: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample of the same name is made between the decision and the append."""
    monkeypatch.setattr(store.appending, "STAGED_AGAIN_FROM", 1)
    ana = person(f"ana-{uuid.uuid4().hex[:8]}")
    streets = dataset(ana)
    make, made = plans.Plan.make, list[plans.Plan]()

    def slowly(plan: plans.Plan, **named: Any) -> None:
        make(plan, **named)
        made.append(plan)
        if len(made) == 1:
            sample(streets, ana, name="a.png")

    monkeypatch.setattr(plans.Plan, "make", slowly)
    job = bring(streets, ana, coco({"a.png": [("car", 1)], "b.png": [("car", 2)]}))
    assert (job.status, job.counts["samples_matched"], len(made)) == ("SUCCEEDED", 1, 2)
    assert [bool(plan._rows.placed()) for plan in made] == [True, False]
    assert Annotation.objects.filter(dataset_id=streets).count() == 2
    assert rebuild.differences(streets) == {} and verify.verify_log(streets) == []
