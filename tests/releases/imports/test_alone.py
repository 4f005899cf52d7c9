"""An import that looks for samples only where there may be some, and finds those that are there by their index."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from labeling.log import verify
from labeling.models import Person, Sample
from releases.formats.records import Sample as Record
from releases.imports import cutting, jobs, samples
from releases.imports.alone import Alone
from releases.imports.samples import There
from tests.releases.imports.conftest import Import, coco

Make = Callable[..., Any]


@pytest.fixture
def looked_for(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names that were looked for in the dataset, of each chunk."""
    found_in, names = samples.found_in, list[list[str]]()

    def told(dataset: uuid.UUID, records: Any, *, full: bool) -> dict[int, There]:
        names.append([record.name for _, record in records])
        return found_in(dataset, records, full=full)

    monkeypatch.setattr(samples, "found_in", told)
    monkeypatch.setattr(cutting, "MOST_SAMPLES", 2)
    return names


def test_an_import_is_alone_as_long_as_its_appends_follow_one_another() -> None:
    alone = Alone(10)
    assert alone.has_none_of({"a"})
    alone.brought({"a"})
    alone.appended(11, 20)
    alone.appended(21, 21)
    assert alone.has_none_of({"b"}) and not alone.has_none_of({"b", "a"})
    alone.appended(23, 30)
    assert not alone.has_none_of({"b"})
    alone.appended(31, 40)
    assert not alone.has_none_of({"b"}), "whoever came in between may have brought anything"


@pytest.mark.usefixtures("committed_db")
def test_nothing_is_looked_for_in_an_empty_dataset_but_what_the_file_may_name_twice(
    person: Make, dataset: Make, bring: Import, looked_for: list[list[str]]
) -> None:
    ana = person(f"ana-{uuid.uuid4().hex[:8]}")
    streets = dataset(ana)
    names = ["a.png", "b.png", "c.png", "d.png", "a", "e.png"]
    job = bring(streets, ana, coco({name: [("car", 1)] for name in names}), mode="merge")
    assert (job.status, job.counts["samples_added"], job.counts["samples_matched"]) == ("SUCCEEDED", 5, 1)
    assert looked_for == [["a", "e.png"]]


@pytest.mark.usefixtures("committed_db")
@pytest.mark.parametrize("dry_run", [False, True])
def test_samples_that_are_there_are_looked_for(
    person: Make, dataset: Make, sample: Make, bring: Import, looked_for: list[list[str]], dry_run: bool
) -> None:
    ana = person(f"ana-{uuid.uuid4().hex[:8]}")
    streets = dataset(ana)
    sample(streets, ana, name="b.jpg")
    job = bring(streets, ana, coco({f"{name}.png": [("car", 1)] for name in "abc"}), dry_run=dry_run)
    assert (job.counts["samples_added"], job.counts["samples_matched"]) == (2, 1)
    assert looked_for == [["a.png", "b.png"], ["c.png"]]


@pytest.mark.usefixtures("committed_db")
def test_a_sample_that_somebody_brings_meanwhile_is_found_by_the_chunks_behind(
    person: Make, dataset: Make, sample: Make, bring: Import, looked_for: list[list[str]], monkeypatch: Any
) -> None:
    ana = person(f"ana-{uuid.uuid4().hex[:8]}")
    streets = dataset(ana)
    told = jobs._Telling.told

    def beside(telling: Any, done: Any, some: Any) -> None:
        if some[0].nth == 0:
            sample(streets, ana, name="9")
        told(telling, done, some)

    monkeypatch.setattr(jobs._Telling, "told", beside)
    job = bring(streets, ana, coco({f"{nth}.png": [("car", 1)] for nth in range(10)}))
    assert (job.status, job.counts["samples_added"], job.counts["samples_matched"]) == ("SUCCEEDED", 9, 1)
    assert looked_for[-1] == ["8.png", "9.png"]
    assert verify.verify_log(streets) == []


@pytest.mark.django_db
def test_no_sample_is_walked_past_to_find_another(person: Make, dataset: Make, intent: Make) -> None:
    """Whatever the planner knows: here, that a dataset has one sample."""
    from labeling.commands.samples import add_samples

    ana: Person = person("ana")
    streets = dataset(ana)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO labeling_sample (id, dataset_id, last_offset, version, name, attributes, metadata, priority,"
            " readme, archived, created_by, created_at, updated_at, created_offset) SELECT gen_random_uuid(),"
            " gen_random_uuid(), 1, 1, repeat('x', 200) || n, '{}', '{}', 0, '', false, %s, now(), now(), 1"
            " FROM generate_series(1, 400) AS n",
            [ana.id],
        )
        cursor.execute("ANALYZE labeling_sample")
        items = [{"name": f"{nth:04}.png", "attributes": {}} for nth in range(900)]
        add_samples(intent=intent(ana), dataset=streets, items=items, keep_existing=False)

        def fetched() -> int:
            cursor.execute(
                "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'labeling_sample'"
            )
            return int(cursor.fetchone()[0])

        before = fetched()
        records = [(nth, Record(name=f"{nth * 2:04}.jpg")) for nth in range(500)]
        found = samples.found_in(streets, records, full=True)
        walked = fetched() - before
    ids = dict(Sample.objects.filter(dataset_id=streets).values_list("name", "id"))
    assert {nth: there.id for nth, there in found.items()} == {nth: ids[f"{nth * 2:04}.png"] for nth in range(450)}
    asked = len(records) * (len(samples.ENDINGS) + 2)
    assert walked <= asked + 100, "one for each name that is asked for, and some dead ones of other tests"
