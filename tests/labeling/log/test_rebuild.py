"""Folding again: what is compared, what is swapped in, and what must not be left out silently."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection, transaction

from labeling.commands import labels
from labeling.log import projector, rebuild, store
from labeling.models import Annotation, Contribution, Dataset, Label, Sample
from labeling.projectors import Contributions

BOX = {"type": "bbox", "points": [[1, 2], [30, 40]]}


@pytest.fixture
def labelled(dataset, person, sample, intent) -> uuid.UUID:
    """A dataset with two samples, one of them with two boxes; one box was moved and another removed."""
    ana = person("ana")
    made = dataset(ana)
    sample(made, ana)
    edits = [{"op": "add", "geometry": BOX, "category_id": 1} for _ in range(3)]
    target = sample(made, ana)
    labels.edit_label(intent=intent(ana), sample=target, label_set="ground-truth", edits=edits)
    moved = {"op": "set_geometry", "annotation": 1, "type": "bbox", "points": [[5, 5], [9, 9]]}
    removed = {"op": "remove", "annotation": 2}
    labels.edit_label(intent=intent(ana), sample=target, label_set="ground-truth", edits=[moved, removed])
    return made


def rows_of(log: uuid.UUID) -> dict[str, list[tuple[object, ...]]]:
    with connection.cursor() as cursor:
        found = {}
        for table, column in projector.projected_tables().items():
            cursor.execute(f'SELECT * FROM "{table}" WHERE "{column}" = %s', [log])
            found[table] = sorted(cursor.fetchall(), key=repr)
    return found


def test_live_rows_equal_a_fold(labelled):
    assert rebuild.differences(labelled) == {}


def test_each_way_to_differ_is_counted_at_its_offset(labelled):
    sound = {"labeling_sample": 2, "labeling_annotation": 2, "labeling_label": 1}
    assert {table: len(rows) for table, rows in rows_of(labelled).items() if table in sound} == sound
    box, kept = Annotation.objects.filter(dataset_id=labelled).order_by("id")
    assert box.last_offset > kept.last_offset, "the first box was moved after the third was added"
    for spoil, rows, offset in (
        (lambda: Annotation.objects.filter(pk=box.pk).update(category_id=3), 2, box.last_offset),
        (lambda: Annotation.objects.filter(pk=box.pk).delete(), 1, box.last_offset),
        (lambda: Annotation.objects.filter(dataset_id=labelled).delete(), 2, kept.last_offset),
    ):
        with transaction.atomic():
            spoil()
            assert rebuild.compared(labelled) == {"labeling_annotation": rebuild.Difference(rows, offset)}
            transaction.set_rollback(True)
    assert rebuild.differences(labelled) == {}


def test_a_row_too_many_is_found(labelled):
    with transaction.atomic():
        row = Sample.objects.filter(dataset_id=labelled)[0]
        row.id, row.name = uuid.uuid4(), "nobody added this"
        row.save(force_insert=True)
        assert rebuild.differences(labelled) == {"labeling_sample": 1}
        transaction.set_rollback(True)


def test_a_rebuild_restores_what_was_spoiled(labelled):
    before = rows_of(labelled)
    Annotation.objects.filter(dataset_id=labelled).delete()
    Sample.objects.filter(dataset_id=labelled).update(readme="x", priority=7)
    Label.objects.filter(dataset_id=labelled).update(status="REVIEWED")
    Dataset.objects.filter(id=labelled).delete()
    seen: list[int] = []
    done = rebuild.rebuild(labelled, progress=seen.append)
    assert rows_of(labelled) == before
    assert done.events == store.head(labelled) == seen[-1]
    assert done.rows == sum(map(len, before.values()))


def test_a_rebuild_of_one_table_leaves_the_others(labelled):
    Annotation.objects.filter(dataset_id=labelled).delete()
    Sample.objects.filter(dataset_id=labelled).update(priority=7)
    done = rebuild.rebuild(labelled, ["labeling_annotation"])
    assert rebuild.differences(labelled) == {"labeling_sample": 4}
    assert done.events < store.head(labelled), "only the streams of labels were read"
    rebuild.rebuild(labelled, ["labeling_sample"])


def test_a_rebuild_leaves_other_datasets_alone(labelled, dataset, person, sample):
    other = dataset(person("ben"))
    sample(other, person("ben"))
    before = rows_of(other)
    rebuild.rebuild(labelled)
    assert rows_of(other) == before


def test_rebuilding_in_small_batches_gives_the_same(labelled, monkeypatch):
    monkeypatch.setattr(rebuild, "BATCH", 1)
    monkeypatch.setattr(store.reading, "PAGE", 2)
    before = rows_of(labelled)
    rebuild.rebuild(labelled)
    assert rows_of(labelled) == before


def test_a_stream_that_no_app_folds_stops_the_rebuild(labelled, monkeypatch):
    known = {prefix: kind for prefix, kind in projector._kinds.items() if prefix != "label"}
    with monkeypatch.context() as patch:
        patch.setattr(projector, "_kinds", known)
        with pytest.raises(rebuild.UnknownStream, match="label/"), transaction.atomic():
            rebuild.rebuild(labelled)
    assert rebuild.differences(labelled) == {}


def test_a_missing_event_stops_the_rebuild(labelled):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE log_event DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM log_event WHERE log = %s AND type = 'AnnotationRemoved'", [labelled])
        assert cursor.rowcount == 1
        # It was its stream's last, so nothing is missing in between; the rows tell.
        assert rebuild.differences(labelled) == {"labeling_label": 2, "labeling_annotation": 1}
        cursor.execute("DELETE FROM log_event WHERE log = %s AND type = 'AnnotationGeometrySet'", [labelled])
        cursor.execute("DELETE FROM log_event WHERE log = %s AND type = 'AnnotationAdded' AND version = 2", [labelled])
        with pytest.raises(store.LogGap, match="lacks version 2"):
            rebuild.differences(labelled)
        transaction.set_rollback(True)


def test_rows_of_no_log_are_found(labelled):
    assert rebuild.without_log() == {}
    with transaction.atomic():
        Sample.objects.filter(dataset_id=labelled).update(dataset_id=uuid.uuid4())
        assert rebuild.without_log() == {"labeling_sample": 2}
        transaction.set_rollback(True)


def test_comparing_stops_no_writer(committed_db, dataset, person, monkeypatch):
    ana = person("ana")
    log = dataset(ana)
    other = connection.copy()
    read_streams = store.read_streams

    def appended_meanwhile(*arguments, **keywords):
        yield from read_streams(*arguments, **keywords)
        with other.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
            cursor.execute(store.LOCK, [log])
            cursor.execute("UPDATE log_head SET head = head WHERE log = %s", [log])
            assert cursor.rowcount == 1

    with monkeypatch.context() as patch:
        patch.setattr(store, "read_streams", appended_meanwhile)
        assert rebuild.differences(log) == {}
    other.close()


# --- what actors bring up to date ----------------------------------------------------------------------------------


def test_what_a_projector_has_made_so_far_equals_making_it_again(labelled):
    contributions = Contributions()
    assert rebuild.compared_catch_up(contributions, labelled) == {}, "not begun yet is no difference"
    projector.catch_up(labelled)
    assert rebuild.compared_catch_up(contributions, labelled) == {}


def test_a_projector_that_is_behind_is_no_difference(labelled):
    contributions = Contributions()
    contributions.project(labelled, store.read(labelled, limit=4))
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO log_checkpoint (projection, log, "offset") VALUES (%s, %s, 4)', [contributions.name, labelled]
        )
    assert rebuild.compared_catch_up(contributions, labelled) == {}


def test_a_spoiled_count_is_found_and_comparing_mends_nothing(labelled):
    projector.catch_up(labelled)
    Contribution.objects.filter(dataset_id=labelled).update(counts={"AnnotationAdded": 1000})
    for _ in range(2):
        found = rebuild.compared_catch_up(Contributions(), labelled)
        assert {table: each.rows for table, each in found.items()} == {"labeling_contribution": 2}
    projector.rebuild_catch_up(Contributions(), labelled)
    assert rebuild.compared_catch_up(Contributions(), labelled) == {}


# --- what triggers count -------------------------------------------------------------------------------------------

COUNTED = ("labeling_samplecount", "labeling_samplestatus", "labeling_statuscount")


def counts_of(log: uuid.UUID) -> dict[str, list[tuple[object, ...]]]:
    with connection.cursor() as cursor:
        found = {}
        for table in COUNTED:
            number = "" if table == "labeling_samplestatus" else " AND count <> 0"
            cursor.execute(f"SELECT * FROM {table} WHERE dataset_id = %s{number}", [log])
            found[table] = sorted(cursor.fetchall(), key=repr)
    return found


@pytest.mark.parametrize("table", COUNTED)
def test_spoiled_counts_are_found_and_a_rebuild_of_anything_counts_anew(labelled, table):
    before = counts_of(labelled)
    assert all(before.values())
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(f"DELETE FROM {table} WHERE dataset_id = %s", [labelled])
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    missing = len(before[table])
    assert rebuild.compared(labelled) == {table: rebuild.Difference(missing, None)}
    rebuild.rebuild(labelled, ["labeling_member"])
    assert counts_of(labelled) == before and rebuild.differences(labelled) == {}


@pytest.mark.parametrize("table", ["labeling_sample", "labeling_label", "labeling_labelset", None])
def test_the_swap_of_a_rebuild_is_counted_by_the_triggers(labelled, table):
    before = counts_of(labelled)
    with transaction.atomic():
        rebuild.rebuild(labelled, [table] if table else None)
        assert counts_of(labelled) == before and rebuild.differences(labelled) == {}
        # What the triggers did not see stays as it was.
        Label.objects.filter(dataset_id=labelled).update(status="REVIEWED")
        assert counts_of(labelled) != before
        rebuild.rebuild(labelled)
        assert counts_of(labelled) == before


def test_rows_that_are_copied_in_are_counted(labelled):
    before = counts_of(labelled)
    with transaction.atomic(), connection.cursor() as cursor:
        copies = {}
        for table in ("labeling_label", "labeling_sample"):
            with cursor.copy(f"COPY (SELECT * FROM {table} WHERE dataset_id = '{labelled}') TO STDOUT") as copy:
                copies[table] = b"".join(bytes(part) for part in copy)
            cursor.execute(f"DELETE FROM {table} WHERE dataset_id = %s", [labelled])
        assert not any(counts_of(labelled).values())
        for table, data in copies.items():
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                copy.write(data)
    assert counts_of(labelled) == before
