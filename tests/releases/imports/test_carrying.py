"""An import with chunks under way: what it decided on ahead is decided on again where that was overtaken."""

from __future__ import annotations

import gc
import sys
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection, connections

from labeling.commands import labels, writing
from labeling.log import projector, rebuild, store
from labeling.log.rows import Rows
from labeling.models import Annotation, Label, Person, Sample
from releases.imports import cutting, jobs, pace, plans
from releases.imports.steps import Overtaken, Steps
from releases.imports.wish import Wish
from releases.jobs import MOST_TRIES
from releases.models import ImportJob
from tests.releases.imports.conftest import Import, coco

pytestmark = pytest.mark.usefixtures("committed_db")

PATIENCE_S = 60.0
JSON = dict[str, Any]
Make = Callable[..., Any]


@pytest.fixture
def streets(person: Make, dataset: Make) -> tuple[Person, uuid.UUID]:
    ana = person(f"ana-{uuid.uuid4().hex[:8]}")
    return ana, dataset(ana)


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each record is a chunk."""
    monkeypatch.setattr(cutting, "MOST_SAMPLES", 1)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    """(events, milliseconds that the log was held) of each append."""
    found: list[tuple[int, float]] = []
    monkeypatch.setattr(plans, "observers", [lambda events, ms: found.append((events, ms))])
    return found


def objects(dataset: uuid.UUID) -> dict[str, list[int]]:
    """{sample: first x of each object}."""
    found = {}
    for sample in Sample.objects.filter(dataset_id=dataset, archived=False).order_by("name"):
        label = Label.objects.filter(sample_id=sample.id, deleted=False).first()
        rows = Annotation.objects.filter(label_id=label.id).order_by("order", "id") if label else []
        found[sample.name] = [row.data["geometry"]["points"][0][0] for row in rows]
    return found


def test_the_log_is_not_held_for_more_than_a_chunk_and_each_says_for_how_long(
    streets: Any, bring: Import, held: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "START", 40)
    monkeypatch.setattr(pace, "MOST", 60)
    ana, dataset = streets
    head = store.head(dataset)
    job = bring(dataset, ana, coco({f"{nth}.png": [("car", x) for x in range(8)] for nth in range(60)}))
    assert job.status == "SUCCEEDED" and job.counts["annotations_added"] == 480
    assert len(held) >= 60 * 10 // 60, "of 600 in all, none weighs more than 60"
    assert all(0 < events <= 12 and 0 < ms < 10_000 for events, ms in held)
    beside = 3  # the file, that the import began, and how it ended
    assert store.head(dataset) - head == sum(events for events, _ in held) + beside
    assert rebuild.differences(dataset) == {}


def test_a_label_is_read_whole_or_not_at_all(streets: Any, bring: Import, held: Any) -> None:
    """A new label of 1,800 objects is one append, though a chunk is smaller."""
    ana, dataset = streets
    job = bring(dataset, ana, coco({"a.png": [], "huge.png": [("car", x % 90) for x in range(1_800)], "b.png": []}))
    assert job.status == "SUCCEEDED"
    sample = Sample.objects.get(dataset_id=dataset, name="huge.png")
    label = Label.objects.get(sample_id=sample.id)
    events = [event for event in store.read(dataset) if event.stream.startswith(f"label/{sample.id}/")]
    assert [event.type for event in events] == ["LabelImported"] and label.version == 1
    assert Annotation.objects.filter(label_id=label.id).count() == 1_800


def test_a_sample_that_the_chunk_before_makes_is_found_by_its_name_without_the_ending(
    streets: Any, bring: Import, one_by_one: None
) -> None:
    ana, dataset = streets
    job = bring(dataset, ana, coco({"a.png": [("car", 1)], "a": [("car", 2)], "b.png": [("car", 3)]}), mode="merge")
    assert (job.status, job.counts["samples_added"], job.counts["samples_matched"]) == ("SUCCEEDED", 2, 1)
    assert objects(dataset) == {"a.png": [1, 2], "b.png": [3]}


def test_a_label_that_somebody_changes_meanwhile_is_decided_on_again(
    streets: Any, bring: Import, sample: Make, intent: Make, one_by_one: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, dataset = streets
    names = ("a.png", "b.png", "c.png")
    made = {name: sample(dataset, ana, name=name) for name in names}
    box = {"id": 1, "category_id": 1, "type": "bbox", "points": [[50, 5], [60, 15]]}
    make, seen = plans.Plan.make, list[str]()

    def slowly(plan: plans.Plan, **named: Any) -> None:
        make(plan, **named)
        name = plan.chunk.pieces[0].record.name
        seen.append(name)
        if seen.count(name) == 1:  # somebody is faster than what was just decided on
            labels.save_label(
                intent=intent(ana),
                sample=made[name],
                label_set="ground-truth",
                document={"annotations": [box]},
                status="LABELED",
                create=True,
            )

    monkeypatch.setattr(plans.Plan, "make", slowly)
    job = bring(dataset, ana, coco({name: [("car", 1)] for name in names}), mode="merge")
    assert job.status == "SUCCEEDED" and sorted(seen) == sorted([*names, *names])
    assert objects(dataset) == {name: [50, 1] for name in names}
    assert rebuild.differences(dataset) == {}


def test_a_sample_that_somebody_makes_meanwhile_is_the_one_that_is_labelled(
    streets: Any, bring: Import, sample: Make, one_by_one: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, dataset = streets
    make, seen = plans.Plan.make, set[str]()

    def slowly(plan: plans.Plan, **named: Any) -> None:
        make(plan, **named)
        name = plan.chunk.pieces[0].record.name
        if name not in seen:
            seen.add(name)
            sample(dataset, ana, name=name)

    monkeypatch.setattr(plans.Plan, "make", slowly)
    job = bring(dataset, ana, coco({"a.png": [("car", 1)], "b.png": [("car", 2)]}))
    assert job.status == "SUCCEEDED" and job.counts["samples_matched"] == 2
    assert objects(dataset) == {"a.png": [1], "b.png": [2]}


def test_what_goes_wrong_while_a_chunk_is_stored_does_not_lose_count_of_it(
    streets: Any, begin: Import, one_by_one: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, dataset = streets
    job = begin(dataset, ana, coco({"a.png": [("car", 1)], "b.png": [("car", 2)], "c.png": [("car", 3)]}))
    make = plans.Plan.make

    def broken(plan: plans.Plan, **named: Any) -> None:
        if plan.chunk.first == 2:
            raise RuntimeError
        make(plan, **named)

    with monkeypatch.context() as patched:
        patched.setattr(plans.Plan, "make", broken)
        with pytest.raises(RuntimeError):
            jobs.run(job.id)
    job.refresh_from_db()
    assert (job.status, job.samples_done, len(objects(dataset))) == ("PENDING", 2, 2)
    jobs.run(job.id)
    job.refresh_from_db()
    assert (job.status, job.counts["samples_added"], job.samples_done) == ("SUCCEEDED", 3, 3)
    assert objects(dataset) == {"a.png": [1], "b.png": [2], "c.png": [3]}


@pytest.mark.parametrize("most", [0, 10**9], ids=["emptied", "left"])
def test_a_commit_cuts_no_file_off_under_the_logs_lock(
    streets: Any, begin: Import, one_by_one: None, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """While a checkpoint is written that takes tenths of a second. What a bulk left is emptied before another."""
    ana, dataset = streets
    job = begin(dataset, ana, coco({f"{nth}.png": [("car", nth)] for nth in range(12)}))
    make_room, copy = store.staging.make_room, store.staging.Bulk.copy
    seen: dict[int, list[tuple[str, dict[str, tuple[int, int]]]]] = defaultdict(list)  #: of each session

    def look(when: str) -> None:
        """(file, its size) of each temporary table."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT relname, pg_relation_filenode(oid), pg_relation_size(oid) FROM pg_class"
                " WHERE relname LIKE 'log%staged%' AND relkind = 'r' AND relnamespace = pg_my_temp_schema()"
            )
            found = {name: (file, size) for name, file, size in cursor.fetchall()}
        seen[connection.connection.info.backend_pid].append((when, found))

    def made_room() -> None:
        look("committed")
        make_room()
        look("there is room")

    def copied(bulk: store.staging.Bulk, **named: Any) -> tuple[bytes, str]:
        found = copy(bulk, **named)
        look("copied")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(store.appending, "STAGED_AGAIN_FROM", 1)
        patched.setattr(store.staging, "MOST_LEFT", most)
        patched.setattr(store.staging, "make_room", made_room)
        patched.setattr(store.staging.Bulk, "copy", copied)
        jobs.run(job.id)
    job.refresh_from_db()
    assert job.status == "SUCCEEDED"
    assert objects(dataset) == {f"{nth}.png": [nth] for nth in range(12)}
    bulks = 0
    for looks in seen.values():
        for (when, then), (_, now) in pairwise(looks):
            if when == "copied":
                assert now == then and any(size for _, size in then.values())
                bulks += 1
            elif when == "committed":
                assert now == then if most else not any(size for _, size in now.values())
    assert bulks > 4


def test_what_was_copied_is_not_stored_where_the_chunk_before_it_ended_the_job(
    streets: Any, begin: Import, one_by_one: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, dataset = streets
    job = begin(dataset, ana, coco({f"{nth}.png": [("car", nth)] for nth in range(4)}))
    copied, copy, write = list[int](), store.staging.Bulk.copy, store.staging.Bulk.write
    written = set[store.staging.Bulk]()  # by turns; not the categories

    def noted(bulk: store.staging.Bulk) -> None:
        written.add(bulk)
        write(bulk)

    def told(bulk: store.staging.Bulk, **named: Any) -> tuple[bytes, str]:
        found = copy(bulk, **named)
        if bulk in written:
            copied.append(1)
        return found

    def broken(telling: Any, done: Any, some: Any) -> None:
        until_s = time.monotonic() + 30
        while len(copied) < 2 and time.monotonic() < until_s:
            time.sleep(0.01)
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(store.appending, "STAGED_AGAIN_FROM", 1)
        patched.setattr(store.staging.Bulk, "write", noted)
        patched.setattr(store.staging.Bulk, "copy", told)
        patched.setattr(jobs._Telling, "told", broken)
        with pytest.raises(RuntimeError):
            jobs.run(job.id)
    assert len(copied) == 2 and objects(dataset) == {"0.png": [0]}
    jobs.run(job.id)
    assert objects(dataset) == {f"{nth}.png": [nth] for nth in range(4)}
    assert rebuild.differences(dataset) == {}


def test_an_import_that_is_begun_again_goes_on_where_chunks_ended_that_were_of_another_size(
    streets: Any, begin: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, dataset = streets
    job = begin(dataset, ana, coco({f"{nth}.png": [("car", nth)] for nth in range(9)}))
    append, done = plans.Plan.append, list[int]()

    def killed(plan: plans.Plan, turns: store.Turns) -> None:
        if plan.chunk.first == 4:
            raise RuntimeError
        append(plan, turns)
        done.append(plan.chunk.until)

    monkeypatch.setattr(pace, "LEAST", 1)
    monkeypatch.setattr(pace, "START", 8)
    with monkeypatch.context() as patched:
        patched.setattr(plans.Plan, "append", killed)
        patched.setattr(pace, "MOST", 8)
        with pytest.raises(RuntimeError):
            jobs.run(job.id)
    assert done == [2, 4]
    monkeypatch.setattr(pace, "START", 10_000)
    jobs.run(job.id)
    job.refresh_from_db()
    assert (job.status, job.counts["samples_added"], job.counts["annotations_added"]) == ("SUCCEEDED", 9, 9)
    added = [event.stream for event in store.read(dataset, types=["SampleAdded"])]
    assert len(added) == len(set(added)) == 9
    assert ImportJob.objects.get(id=job.id).samples_done == 9


def test_who_was_overtaken_by_a_twin_that_parts_the_file_otherwise_begins_again(
    streets: Any, begin: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, dataset = streets
    job = begin(dataset, ana, coco({f"{nth}.png": [("car", nth)] for nth in range(3)}))
    append, twins = plans.Plan.append, list[uuid.UUID]()

    def overtaken(plan: plans.Plan, turns: store.Turns) -> None:
        if plan.chunk.first > 0:
            raise RuntimeError  # the twin dies behind its first chunk
        if not twins:
            twins.append(job.id)
            with monkeypatch.context() as patched:
                patched.setattr(cutting, "MOST_SAMPLES", 1)
                with pytest.raises(RuntimeError):
                    jobs.run(job.id)
        append(plan, turns)

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "alone_at", lambda job: nullcontext(True))  # as where the first lost its connection
        patched.setattr(plans.Plan, "append", overtaken)
        with pytest.raises(Overtaken):
            jobs.run(job.id)
    assert twins and objects(dataset) == {"0.png": [0]}, "what it did is what the twin did"
    jobs.run(job.id)
    job.refresh_from_db()
    assert (job.status, job.counts["samples_added"], job.counts["annotations_added"]) == ("SUCCEEDED", 3, 3)
    assert objects(dataset) == {f"{nth}.png": [nth] for nth in range(3)}
    assert rebuild.differences(dataset) == {}


@pytest.mark.parametrize("name", ["chunk 0", "piece 0"])
def test_an_import_that_another_version_began_is_to_be_started_anew(streets: Any, begin: Import, name: str) -> None:
    ana, dataset = streets
    job = begin(dataset, ana, coco({"a.png": [("car", 1)]}))
    steps = Steps(job.id, dataset, Wish(**job.wish), jobs.intent_of(job), job.source)
    store.append(dataset, intent=steps.own(name), events=[], rows=Rows(), answer={})
    ImportJob.objects.filter(id=job.id).update(is_begun=True)
    jobs.run(job.id)
    job.refresh_from_db()
    assert (job.status, objects(dataset)) == ("FAILED", {})
    assert job.error.startswith("It was begun by another version")


def test_an_import_that_is_killed_behind_each_piece_of_a_large_label_is_not_given_up(
    streets: Any, begin: Import, one_by_one: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "MOST_OF_LABEL", 3)
    ana, dataset = streets
    job = begin(dataset, ana, coco({"a.png": [("car", x) for x in range(9)]}))
    append, kills = plans.Plan.append, 0

    def killed(plan: plans.Plan, turns: store.Turns) -> None:
        nonlocal kills
        append(plan, turns)
        kills += 1
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(plans.Plan, "append", killed)
        for _ in range(9):
            with pytest.raises(RuntimeError):
                jobs.run(job.id)
    jobs.run(job.id)
    job.refresh_from_db()
    assert (kills, job.status, job.counts["annotations_added"]) == (9, "SUCCEEDED", 9)


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_import_that_is_killed_at_the_same_piece_each_time_is_given_up(
    streets: Any, begin: Import, one_by_one: None, dry_run: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BEAT_S", -1)  # it says how far it is behind each piece, also behind those done before
    ana, dataset = streets
    job = begin(dataset, ana, coco({f"{nth}.png": [("car", nth)] for nth in range(4)}), dry_run=dry_run)
    make = plans.Plan.make

    def killed(plan: plans.Plan, **named: Any) -> None:
        if plan.chunk.first == 3:
            raise RuntimeError
        make(plan, **named)

    monkeypatch.setattr(plans.Plan, "make", killed)
    for _ in range(MOST_TRIES):
        with pytest.raises(RuntimeError):
            jobs.run(job.id)
        job.refresh_from_db()
        assert job.counts["samples_added"] == 3
    jobs.run(job.id)
    job.refresh_from_db()
    assert job.status == "FAILED" and job.error.startswith("It was tried 5 times")


def test_hints_are_sent_by_the_thread_of_the_job(
    streets: Any, bring: Import, one_by_one: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker may keep a connection for each thread that sent something, and one that appends ends with the job."""
    ana, dataset = streets
    senders: list[threading.Thread] = []

    def send(log: uuid.UUID) -> None:
        senders.append(threading.current_thread())
        projector.catch_up(log)  # or the next append finds that a hint is on its way, and sends none

    monkeypatch.setattr(writing, "_send", send)
    job = bring(dataset, ana, coco({"a.png": [("car", 1)], "b.png": [("car", 2)], "c.png": [("car", 3)]}))
    assert job.status == "SUCCEEDED"
    assert len(senders) >= 3 and set(senders) == {threading.current_thread()}


@pytest.fixture
def frozen() -> Iterator[int]:
    """As a worker begins: what was loaded is set apart from the search for cycles; how many objects that are."""
    gc.freeze()
    yield gc.get_freeze_count()
    gc.unfreeze()


def test_two_imports_at_once_in_one_process_leave_it_as_it_was(
    streets: Any, begin: Import, one_by_one: None, frozen: int
) -> None:
    """The second begins while the first is at work, and is still at work when that ends."""
    ana, dataset = streets
    first, second = (
        begin(dataset, ana, coco({f"{name}{nth}.png": [("car", nth)] for nth in range(3)})) for name in "ab"
    )
    at_work, begun, over = (threading.Event() for _ in range(3))

    def run(job: ImportJob, progress: Callable[[int, int | None], None]) -> None:
        try:
            jobs.run(job.id, progress=progress)
        finally:
            connections.close_all()

    def wait_for(event: threading.Event) -> None:
        assert event.wait(PATIENCE_S)

    def told_first(done: int, total: int | None) -> None:
        at_work.set()
        wait_for(begun)

    def told_second(done: int, total: int | None) -> None:
        begun.set()
        wait_for(over)

    turn_s = sys.getswitchinterval()
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(run, first, told_first)
        one.add_done_callback(lambda _: over.set())
        wait_for(at_work)
        two = pool.submit(run, second, told_second)
        one.result()
        two.result()
    assert sys.getswitchinterval() == turn_s
    assert gc.get_freeze_count() > frozen / 2, "but for those that are gone"
    for job in (first, second):
        job.refresh_from_db()
        assert (job.status, job.counts["samples_added"]) == ("SUCCEEDED", 3)
    assert objects(dataset) == {f"{name}{nth}.png": [nth] for name in "ab" for nth in range(3)}
    assert rebuild.differences(dataset) == {}


def test_nobody_waits_for_the_disk_with_an_import_which_does_before_it_tells(
    streets: Any, bring: Import, one_by_one: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.appending, "STAGED_AGAIN_FROM", 1)
    ana, dataset = streets
    flush, told = store.appending._flush, jobs._Telling.told
    steps: list[str] = []

    def flushed() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
            steps.append("free" if cursor.fetchone() is None else "held")
        flush()

    def tell(telling: Any, done: Any, some: Any) -> None:
        steps.append("told")
        told(telling, done, some)

    monkeypatch.setattr(store.appending, "_flush", flushed)
    monkeypatch.setattr(jobs._Telling, "told", tell)
    job = bring(dataset, ana, coco({"a.png": [("car", 1)], "b.png": [("car", 2)], "c.png": [("car", 3)]}))
    assert job.status == "SUCCEEDED" and sorted(steps) == ["free"] * 3 + ["told"] * 3
    assert all(steps[: at + 1].count("free") >= steps[: at + 1].count("told") for at in range(6))
