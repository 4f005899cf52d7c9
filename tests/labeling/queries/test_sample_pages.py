"""Pages of samples: one order however they are asked for, no gap and no repeat, and never a walk or a sort of all."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.bench.million import fill
from labeling.commands import datasets, labels, samples
from labeling.errors import InvalidValue
from labeling.log import store
from labeling.models import Label, LabelSet, Sample
from labeling.queries import sample_pages
from labeling.queries.sample_pages import KEYS, LABEL_UPDATED_AT, Wanted, page_of_samples, statuses_stored

JSON = dict[str, Any]
IMAGE = {"image": {"url": ""}}
ORDERS = [*KEYS, LABEL_UPDATED_AT]
LIMIT = 7


@pytest.fixture
def rows(dataset, person, intent) -> uuid.UUID:
    """A dataset of 40 samples with ties, gaps, labels in two sets, deleted labels, and deleted samples in between."""
    chance = random.Random(11)
    ana = person("ana")
    made: uuid.UUID = dataset(ana)
    names = [f"{number:02}_{chance.choice('ab%')}.png" for number in range(46)]
    chance.shuffle(names)
    items = [
        {"name": name, "attributes": IMAGE, "priority": chance.choice([-1, 0, 0, 2.5])}
        | ({"metadata": {"city": chance.choice(["Gent", "Brugge"]), "n": number % 3}} if number % 3 else {})
        for number, name in enumerate(names)
    ]
    ids = samples.add_samples(intent=intent(ana), dataset=made, items=items, keep_existing=False)
    datasets.add_label_set(intent=intent(ana), dataset=made, name="model", description="")
    for sample in chance.sample(ids, 25):
        for label_set in ("ground-truth", "model")[: chance.choice([1, 1, 2])]:
            labels.save_label(
                intent=intent(ana),
                sample=sample,
                label_set=label_set,
                document={"annotations": []},
                status=chance.choice(["LABELED", "REVIEWED", "PRELABELED"]),
                create=True,
            )
    box = {"op": "add", "geometry": {"type": "bbox", "points": [[1, 2], [3, 4]]}}
    begun = next(item for item in ids if not Label.objects.filter(sample_id=item).exists())
    labels.edit_label(intent=intent(ana), sample=begun, label_set="ground-truth", edits=[box])
    some = Label.objects.filter(dataset_id=made, label_set_id=truth_of(made)).values_list("sample_id", flat=True)
    for sample in list(some)[:3]:
        labels.delete_label(intent=intent(ana), sample=sample, label_set="ground-truth")
    samples.archive_samples(intent=intent(ana), dataset=made, samples=chance.sample(ids, 6))
    return made


def truth_of(dataset: uuid.UUID) -> uuid.UUID:
    return LabelSet.objects.get(dataset_id=dataset, kind="ground-truth").id


def in_order(dataset: uuid.UUID, wanted: Wanted) -> list[uuid.UUID]:
    """What the list must be, told from all rows in Python."""
    found = list(Sample.objects.filter(dataset_id=dataset, archived=False))
    headers = {
        (item.sample_id, item.label_set_id): item for item in Label.objects.filter(dataset_id=dataset, deleted=False)
    }

    def fits(sample: Sample) -> bool:
        label = headers.get((sample.id, wanted.label_set))  # type: ignore[arg-type]
        return (
            wanted.name_part in sample.name
            and all(any(one.items() <= sample.metadata.items() for one in each) for each in wanted.metadata)
            and (not wanted.statuses or (label.status if label else "") in wanted.statuses)
        )

    def key(sample: Sample) -> Any:
        return tuple(getattr(sample, name) for name in KEYS[wanted.order])

    found = [sample for sample in found if fits(sample)]
    if wanted.order != LABEL_UPDATED_AT:
        return [sample.id for sample in sorted(found, key=key, reverse=wanted.down)]
    times = {item.id: headers.get((item.id, wanted.ground_truth)) for item in found}  # type: ignore[arg-type]
    labeled = sorted((item for item in found if times[item.id]), key=lambda item: times[item.id].last_offset)  # type: ignore[union-attr]
    rest = sorted((item for item in found if not times[item.id]), key=lambda item: item.created_offset)
    return [item.id for item in (labeled[::-1] if wanted.down else labeled) + rest]


def by_number(dataset: uuid.UUID, wanted: Wanted) -> Iterator[uuid.UUID]:
    skip = 0
    while page := page_of_samples(dataset, wanted, limit=LIMIT, skip=skip):
        yield from (item.id for item in page)
        skip += LIMIT


def by_cursor(dataset: uuid.UUID, wanted: Wanted) -> Iterator[uuid.UUID]:
    after = None
    while page := page_of_samples(dataset, wanted, limit=LIMIT, after=after):
        yield from (item.id for item in page)
        after = page[-1].id


FILTERS: list[JSON] = [
    {},
    {"name_part": "a"},
    {"name_part": "%"},
    {"name_part": "_b"},
    {"metadata": (({"city": "Gent"},),)},
    {"metadata": (({"city": "Gent"},), ({"n": "1"}, {"n": 1}))},
    {"statuses": ["LABELED"]},
    {"statuses": ["UNLABELED"]},
    {"statuses": ["UNLABELED", "REVIEWED"]},
    {"statuses": ["LABELED", "REVIEWED", "PRELABELED", "LABELED"]},
    {"statuses": ["REJECTED"]},
    {"statuses": ["LABELED"], "label_set": "model"},
    {"statuses": ["UNLABELED", "LABELED"], "label_set": "model"},
    {"statuses": ["UNLABELED"], "name_part": "a", "metadata": (({"city": "Gent"},),)},
]


@pytest.mark.parametrize("far", [1, 10_000], ids=["from the nearer end", "from the front"])
@pytest.mark.parametrize("down", [False, True], ids=["up", "down"])
@pytest.mark.parametrize("order", ORDERS)
def test_pages_by_number_and_by_cursor_together_are_the_whole_list_in_order(rows, monkeypatch, order, down, far):
    monkeypatch.setattr(sample_pages, "FAR", far)
    truth = truth_of(rows)
    for fields in FILTERS:
        named = LabelSet.objects.get(dataset_id=rows, name=fields.get("label_set", "ground-truth")).id
        wanted = Wanted(
            order=order,
            down=down,
            **fields
            | {"label_set": named, "ground_truth": truth, "statuses": statuses_stored(fields.get("statuses", ()))},
        )
        whole = in_order(rows, wanted)
        assert list(by_number(rows, wanted)) == whole, fields
        assert list(by_cursor(rows, wanted)) == whole, fields
        assert page_of_samples(rows, wanted, limit=LIMIT, skip=1000) == []


def test_the_fixture_has_something_to_find_in_every_filter_but_one(rows):
    truth = truth_of(rows)
    assert len(in_order(rows, Wanted(label_set=truth, ground_truth=truth))) == 40
    empty = [
        fields
        for fields in FILTERS
        if not in_order(
            rows,
            Wanted(
                **fields
                | {
                    "label_set": LabelSet.objects.get(dataset_id=rows, name=fields.get("label_set", "ground-truth")).id,
                    "ground_truth": truth,
                    "statuses": statuses_stored(fields.get("statuses", ())),
                }
            ),
        )
    ]
    assert empty == [{"statuses": ["REJECTED"]}]


def test_in_a_label_set_that_does_not_exist_everything_is_unlabeled(rows):
    nothing = Wanted(statuses=("LABELED",), ground_truth=truth_of(rows))
    everything = Wanted(statuses=statuses_stored(["UNLABELED"]), ground_truth=truth_of(rows))
    assert page_of_samples(rows, nothing, limit=LIMIT) == []
    assert list(by_number(rows, everything)) == in_order(rows, Wanted())


@pytest.mark.parametrize("order", ORDERS)
def test_a_cursor_meets_every_sample_once_that_stays_while_others_come_and_go(rows, person, intent, order):
    chance = random.Random(5)
    ana = person("ana")
    wanted = Wanted(order=order, ground_truth=truth_of(rows))
    before = set(in_order(rows, wanted))
    seen: list[uuid.UUID] = []
    gone: set[uuid.UUID] = set()
    while page := page_of_samples(rows, wanted, limit=LIMIT, after=seen[-1] if seen else None):
        seen += [item.id for item in page]
        # The last one seen goes too, and its place is still known.
        leaving = {seen[-1], chance.choice(sorted(before - gone))} - gone
        samples.archive_samples(intent=intent(ana), dataset=rows, samples=list(leaving))
        gone |= leaving
        if len(seen) < 60:
            name = f"{chance.random()}.png"
            item = {"name": name, "attributes": IMAGE, "priority": chance.choice([-1, 0, 2.5])}
            samples.add_samples(intent=intent(ana), dataset=rows, items=[item], keep_existing=False)
    assert len(seen) == len(set(seen))
    assert before - gone <= set(seen)


def test_a_cursor_of_another_dataset_or_of_nobody_is_refused(rows, dataset, person, sample):
    ana = person("ana")
    elsewhere = sample(dataset(ana), ana)
    for after in (elsewhere, uuid.uuid4()):
        with pytest.raises(InvalidValue, match="after"):
            page_of_samples(rows, Wanted(), limit=1, after=after)


# --- many ----------------------------------------------------------------------------------------------------------

MANY = 5000


@pytest.fixture
def many(dataset, person, rebuilt_equals_live) -> uuid.UUID:
    """A dataset of 5,000 samples that were put there without events, so that its log cannot be folded into them."""
    ana = person("ana")
    made: uuid.UUID = dataset(ana)
    rebuilt_equals_live.logs.discard(made)
    fill(made, ana.id, MANY)
    with connection.cursor() as cursor:
        for table in ("sample", "label", "samplestatus", "statuscount", "samplecount"):
            cursor.execute(f"ANALYZE labeling_{table}")
    return made


def counted_again(dataset: uuid.UUID) -> None:
    """Compare each table of counts with what counting gives."""
    with connection.cursor() as cursor:
        for table, condition in (
            ("samplecount", "count <> 0"),
            ("statuscount", "count <> 0"),
            ("samplestatus", "true"),
        ):
            cursor.execute(f"SELECT * FROM labeling_{table} WHERE dataset_id = %s AND {condition}", [dataset])
            kept = sorted(cursor.fetchall(), key=repr)
            cursor.execute(f"SELECT * FROM counted_labeling_{table}(%s)", [dataset])
            assert kept == sorted(cursor.fetchall(), key=repr), table


def test_a_page_by_number_is_found_through_the_counts_also_where_many_samples_are_gone(many):
    with connection.cursor() as cursor:
        # One bucket of offsets is emptied, others are thinned out.
        cursor.execute(
            "UPDATE labeling_sample SET archived = true WHERE dataset_id = %s"
            " AND (created_offset BETWEEN 1024 AND 2047 OR created_offset %% 7 = 0)",
            [many],
        )
    counted_again(many)
    for down in (False, True):
        wanted = Wanted(down=down)
        whole = [item.id for item in page_of_samples(many, wanted, limit=MANY)]
        assert len(whole) == Sample.objects.filter(dataset_id=many, archived=False).count() < MANY * 0.8
        for skip in (1, 900, 1000, 1023, 1024, 1025, 2500, len(whole) - 3, len(whole) - 1):
            page = page_of_samples(many, wanted, limit=LIMIT, skip=skip)
            assert [item.id for item in page] == whole[skip : skip + LIMIT]
        assert page_of_samples(many, wanted, limit=LIMIT, skip=len(whole)) == []


def test_bulk_changes_of_labels_and_samples_are_counted(many):
    counted_again(many)
    changes = [
        "UPDATE labeling_label SET status = 'VERIFIED' WHERE dataset_id = %s AND status IN ('LABELED', 'SKIPPED')",
        "UPDATE labeling_label SET deleted = true WHERE dataset_id = %s AND status = 'REVIEWED'",
        "UPDATE labeling_sample SET archived = (created_offset %% 3 = 0) WHERE dataset_id = %s",
        "UPDATE labeling_label SET deleted = NOT deleted, status = 'REJECTED' WHERE dataset_id = %s"
        " AND last_offset %% 2 = 0",
        "UPDATE labeling_sample SET archived = NOT archived, created_offset = created_offset + 5000"
        " WHERE dataset_id = %s AND created_offset %% 2 = 0",
        "DELETE FROM labeling_label WHERE dataset_id = %s AND last_offset %% 5 = 0",
        "DELETE FROM labeling_sample WHERE dataset_id = %s AND created_offset %% 5 = 1",
        "UPDATE labeling_sample SET priority = priority + 1 WHERE dataset_id = %s",
        "DELETE FROM labeling_sample WHERE dataset_id = %s",
    ]
    for change in changes:
        with connection.cursor() as cursor:
            cursor.execute(change, [many])
            assert cursor.rowcount > 100, change
        counted_again(many)


def test_labels_whose_rows_are_copied_before_the_append_are_counted_too(rows, person, intent, monkeypatch):
    monkeypatch.setattr(store.appending, "STAGED_FROM", 1)
    monkeypatch.setattr(store.staging, "ROWS_FROM", 1)
    ana = person("ana")
    labeled = [*Label.objects.filter(dataset_id=rows, deleted=False).order_by("id")]
    names = dict(LabelSet.objects.values_list("id", "name"))
    live = {item.id for item in Sample.objects.filter(dataset_id=rows, archived=False)}
    some = [label for label in labeled if label.sample_id in live][:9]
    assert {names[label.label_set_id] for label in some} == {"ground-truth", "model"}
    for label in [*some, some[0]]:
        sample, label_set = label.sample_id, names[label.label_set_id]
        labels.save_label(
            intent=intent(ana),
            sample=sample,
            label_set=label_set,
            document={"annotations": []},
            status="REJECTED",
            create=True,
        )
        counted_again(rows)
        labels.delete_label(intent=intent(ana), sample=sample, label_set=label_set)
        counted_again(rows)


def nodes(plan: JSON) -> Iterator[JSON]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def plans(dataset: uuid.UUID, wanted: Wanted, **page: Any) -> list[JSON]:
    """How PostgreSQL goes about the statements of a page."""
    with CaptureQueriesContext(connection) as seen:
        assert page_of_samples(dataset, wanted, limit=10, **page)
    found = []
    with connection.cursor() as cursor:
        for query in seen.captured_queries:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {query['sql']}")
            plan = cursor.fetchone()[0]
            found += (json.loads(plan) if isinstance(plan, str) else plan)[0:1]
    return [node for item in found for node in nodes(item["Plan"])]


@pytest.mark.parametrize("down", [False, True], ids=["up", "down"])
@pytest.mark.parametrize("order", ORDERS)
def test_no_page_in_the_protocols_orders_scans_or_sorts_all_samples(many, monkeypatch, order, down):
    truth = truth_of(many)
    middle = Sample.objects.get(dataset_id=many, created_offset=MANY // 2).id
    status = [("LABELED",), ("LABELED", "REVIEWED"), statuses_stored(["UNLABELED"])] if order == "created_at" else []
    monkeypatch.setattr(sample_pages, "FAR", 1)
    for statuses in [(), *status]:
        wanted = Wanted(order=order, down=down, statuses=statuses, label_set=truth, ground_truth=truth)
        for page in ({}, {"skip": 4 * LIMIT}, {"skip": 300}, {"after": middle}):
            for node in plans(many, wanted, **page):
                scanned = node["Node Type"] == "Seq Scan" and node["Relation Name"] not in (
                    "labeling_samplecount",
                    "labeling_statuscount",
                    "labeling_labelset",
                )
                assert not scanned, (statuses, page, node)
                # The rows of a page that was found as ids may be sorted again: those are ten. By the label's time the
                # rows of a bucket are sorted, one bucket after the other.
                by_bucket = "l.last_bucket" in node.get("Presorted Key", ())
                assert "Sort" not in node["Node Type"] or node["Plan Rows"] <= 10 or by_bucket, (statuses, page, node)


def test_metadata_is_found_by_its_index(many):
    wanted = Wanted(metadata=(({"city": "c7"}, {"city": 7}),), ground_truth=truth_of(many))
    used = {node.get("Index Name") for node in plans(many, wanted)}
    assert "sample_by_metadata" in used


def test_a_part_of_a_name_is_looked_for_until_the_page_is_full(many):
    found = plans(many, Wanted(name_part="a", ground_truth=truth_of(many)))
    assert [node["Node Type"] for node in found] == ["Limit", "Index Scan"]
