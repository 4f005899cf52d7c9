"""A rebuild beside the live rows: with others editing, stopped anywhere and taken up again, equal at the end."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connection, connections, transaction

from labeling.commands import datasets, labels
from labeling.log import beside, projector, rebuild, store
from labeling.models import Annotation, Contribution, Label, Sample
from labeling.projectors import Contributions, WorkUnits
from tests.support.installation import is_full

pytestmark = pytest.mark.usefixtures("committed_db")

BOX = {"type": "bbox", "points": [[1, 2], [30, 40]]}
Make = Callable[..., Any]


class Street:
    """A dataset of Ana's with some labels, whose live rows can be bent, and edits of which others make more."""

    def __init__(self, ana: Any, log: uuid.UUID, samples: list[uuid.UUID], intent: Make) -> None:
        self.ana, self.log, self.samples, self.intent = ana, log, samples, intent
        self.edits = 0
        for number in range(len(samples) * 2):
            self.edit(number)

    def edit(self, number: int) -> None:
        """Add a box; now and then a sample is changed too, and the dataset."""
        box = {"op": "add", "geometry": BOX, "category_id": 1}
        target = self.samples[number % len(self.samples)]
        labels.edit_label(intent=self.intent(self.ana), sample=target, label_set="ground-truth", edits=[box])
        self.edits += 1
        if number % 5 == 4:
            datasets.change_dataset(
                intent=self.intent(self.ana), dataset=self.log, changes={"description": f"text {number}"}
            )

    def bend(self) -> None:
        """Bend rows of every kind: changed, gone, and one too many."""
        Label.objects.filter(dataset_id=self.log).update(status="REVIEWED")
        Annotation.objects.filter(dataset_id=self.log, id=1).delete()
        Annotation.objects.filter(dataset_id=self.log, id=2).update(category_id=3)
        Sample.objects.filter(dataset_id=self.log).update(priority=7)
        row = Sample.objects.filter(dataset_id=self.log)[0]
        row.id, row.name = uuid.uuid4(), "nobody added this"
        row.save(force_insert=True)

    def rows(self) -> dict[str, list[Any]]:
        """All live rows."""
        with connection.cursor() as cursor:
            found = {}
            for table, column in projector.projected_tables().items():
                cursor.execute(f'SELECT * FROM "{table}" WHERE "{column}" = %s', [self.log])
                found[table] = sorted(cursor.fetchall(), key=repr)
        return found


@pytest.fixture
def street(person: Make, dataset: Make, sample: Make, intent: Make, monkeypatch: pytest.MonkeyPatch) -> Street:
    ana = person(f"ana-{uuid.uuid4().hex[:8]}")
    made = dataset(ana)
    street = Street(ana, made, [sample(made, ana) for _ in range(4)], intent)
    # Every stream is a batch, and every swap a handful of rows, so that there are many moments to look into.
    monkeypatch.setattr(rebuild, "BATCH", 1)
    monkeypatch.setattr(rebuild, "SWAP_ROWS", 3)
    monkeypatch.setattr(rebuild, "FEW", 2)
    return street


@pytest.fixture
def elsewhere() -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Runs a function in a thread with a connection of its own, and waits for it."""
    with ThreadPoolExecutor(1) as pool:

        def run(function: Callable[[], Any]) -> Any:
            return pool.submit(function).result(timeout=20)

        yield run
        pool.submit(connections.close_all).result()


def unlocked() -> bool:
    """Whether the rebuild holds no lock at this moment: it holds one only inside of a transaction."""
    return not connection.in_atomic_block


# --- with others editing -------------------------------------------------------------------------------------------


def test_others_edit_between_any_two_steps_and_all_is_equal_at_the_end(
    street: Street, elsewhere: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tell: Callable[[str], None]
) -> None:
    street.bend()
    before = street.edits
    limit = 60 if is_full() else 15
    swaps = []

    def others_edit(_: int = 0) -> None:
        if unlocked() and street.edits - before < limit:
            elsewhere(lambda: street.edit(street.edits))

    swap = rebuild._Rebuild._swap

    def after_others(self: Any, miscounted: bool) -> bool:
        others_edit()  # what nobody has seen when the log is locked
        swaps.append(len(swaps))
        return swap(self, miscounted)

    monkeypatch.setattr(rebuild._Rebuild, "_swap", after_others)
    done = rebuild.rebuild(street.log, progress=others_edit)
    assert street.edits - before == limit and len(swaps) > 3
    assert rebuild.differences(street.log) == {}
    assert done.events == store.head(street.log) and done.changed >= 4 + 8 + 5
    assert done.rows == sum(map(len, street.rows().values()))
    assert not beside.unfinished(street.log), "nothing is left behind"
    tell(f"{limit} edits while {done.events} events were folded beside and swapped in {len(swaps)} turns; equal")


def test_a_log_that_nobody_touches_is_compared_and_nothing_is_written(street: Street) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT ctid, xmin FROM labeling_annotation WHERE dataset_id = %s", [street.log])
        before = cursor.fetchall()
        done = rebuild.rebuild(street.log)
        cursor.execute("SELECT ctid, xmin FROM labeling_annotation WHERE dataset_id = %s", [street.log])
        assert cursor.fetchall() == before
    assert (done.changed, done.resumed) == (0, 0)


def test_the_log_is_locked_only_while_a_handful_of_rows_is_swapped(
    street: Street, elsewhere: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    street.bend()
    swapped: list[int] = []
    free = 0

    def seen_free(_: int) -> None:
        nonlocal free
        if unlocked():
            elsewhere(lambda: appendable(street.log))
            free += 1

    most = rebuild._Rebuild._swap_most

    def counted(self: Any, miscounted: bool, limit: int | None) -> bool:
        before = noted(self)
        done = most(self, miscounted, limit)
        swapped.append(before - noted(self))
        return done

    monkeypatch.setattr(rebuild._Rebuild, "_swap_most", counted)
    rebuild.rebuild(street.log, progress=seen_free)
    assert free > 8 and max(swapped) <= rebuild.SWAP_ROWS < sum(swapped)
    assert rebuild.differences(street.log) == {}


def appendable(log: uuid.UUID) -> None:
    """Lock the log as an append does, without waiting."""
    with connection.cursor() as cursor:
        cursor.execute(store.LOCK.replace("pg_", "pg_try_"), [log])
        assert cursor.fetchone() == (True,), "the log is held"


def noted(run: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {run.place.sql('differing')}")
        return int(cursor.fetchone()[0])


def test_rows_in_each_others_way_are_swapped_all_at_once(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "SWAP_ROWS", 1)
    label = Label.objects.filter(dataset_id=street.log)[0]
    # The visible ids of two annotations of one label are exchanged; each is in the way of the other.
    for old, new in ((1, 1000), (2, 1), (1000, 2)):
        Annotation.objects.filter(label_id=label.id, id=old).update(id=new)
    assert rebuild.rebuild(street.log).changed == 2
    assert rebuild.differences(street.log) == {}


def test_no_batch_is_larger_than_a_batch_and_a_stream(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "BATCH", 4)
    monkeypatch.setattr(rebuild, "BATCH_EVENTS", 7)
    insert, sizes = rebuild._Rebuild._insert, []

    def measured(self: Any, cursor: Any, batch: Any) -> None:
        sizes.append(sum(map(len, batch.rows.values())))
        insert(self, cursor, batch)

    monkeypatch.setattr(rebuild._Rebuild, "_insert", measured)
    widest = max(Label.objects.filter(dataset_id=street.log).values_list("version", flat=True)) + 1
    rebuild.rebuild(street.log)
    assert len(sizes) > 3 and max(sizes) < 4 + widest


# --- stopped, and taken up again -----------------------------------------------------------------------------------


def test_stopped_at_any_step_the_live_rows_stay_and_the_next_run_goes_on(
    street: Street, tell: Callable[[str], None]
) -> None:
    street.bend()
    reached = [0]

    def stop(done: int) -> None:
        if done > reached[-1]:
            raise KeyboardInterrupt

    for _ in range(40 if is_full() else 12):
        bent = street.rows()
        with pytest.raises(KeyboardInterrupt):
            rebuild.rebuild(street.log, progress=stop)
        assert street.rows() == bent
        reached.append(events_beside(street.log))
        street.edit(street.edits)  # and life goes on
    done = rebuild.rebuild(street.log)
    assert reached == sorted(set(reached)), "each run got further"
    assert done.resumed == reached[-1] and done.events == store.head(street.log)
    assert rebuild.differences(street.log) == {} and not beside.unfinished(street.log)
    tell(f"stopped {len(reached) - 1} times within {done.events} events, with an edit after each; equal")


def events_beside(log: uuid.UUID) -> int:
    """How many events an unfinished rebuild of all tables has folded."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)", [f"rebuilt_{log.hex}_"])
        ((schema,),) = cursor.fetchall()
        cursor.execute(f'SELECT events FROM "{schema}".progress')
        return int(cursor.fetchone()[0])


def stopped(street: Street) -> None:
    """A rebuild that was stopped after its first step."""

    def stop(done: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild.rebuild(street.log, progress=stop)
    assert events_beside(street.log) > 0


def test_stopped_between_two_swaps_the_next_run_swaps_the_rest(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    street.bend()
    swap, turns = rebuild._Rebuild._swap, []

    def stop_later(self: Any, miscounted: bool) -> bool:
        if len(turns) == 2:
            raise KeyboardInterrupt
        turns.append(1)
        return swap(self, miscounted)

    with monkeypatch.context() as patch:
        patch.setattr(rebuild._Rebuild, "_swap", stop_later)
        with pytest.raises(KeyboardInterrupt):
            rebuild.rebuild(street.log)
    assert sum(rebuild.differences(street.log).values()) > 0
    street.edit(3)
    done = rebuild.rebuild(street.log)
    assert done.resumed > 0 and done.changed > 0
    assert rebuild.differences(street.log) == {}


def test_restart_throws_away_what_was_made(street: Street) -> None:
    stopped(street)
    assert rebuild.rebuild(street.log, restart=True).resumed == 0
    assert not beside.unfinished(street.log)


def test_other_code_or_other_columns_begin_anew(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped(street)
    monkeypatch.setattr(beside, "_fingerprint", lambda live, modules: "another version")
    assert rebuild.rebuild(street.log).resumed == 0


def test_a_crash_of_the_server_empties_what_was_made_and_it_begins_anew(street: Street) -> None:
    stopped(street)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%%I.%%I', schemaname, tablename) FROM pg_tables WHERE starts_with(schemaname, %s)",
            [f"rebuilt_{street.log.hex}_"],
        )
        names = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE oid = ANY(%s::regclass[]) AND relpersistence <> 'u'", [names]
        )
        assert cursor.fetchone()[0] == 0, "all are unlogged, so a crash empties them"
        cursor.execute(f"TRUNCATE {', '.join(names)}")
    assert rebuild.rebuild(street.log).resumed == 0
    assert rebuild.differences(street.log) == {}


def test_two_rebuilds_of_the_same_rows_exclude_each_other(
    street: Street, elsewhere: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "WAIT_S", 0.0)
    refused = []

    def again(_: int) -> None:
        if unlocked() and not refused:
            with pytest.raises(beside.RebuildGoingOn):
                elsewhere(lambda: rebuild.rebuild(street.log))
            elsewhere(lambda: rebuild.rebuild(street.log, ["labeling_member"]))  # is of other rows
            refused.append(1)

    rebuild.rebuild(street.log, progress=again)
    assert refused == [1]


def test_a_role_that_may_not_create_schemas_is_told(street: Street) -> None:
    role = f"plain_{uuid.uuid4().hex}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {role}")
        cursor.execute(f"SET ROLE {role}")
        try:
            with pytest.raises(beside.NoSchema):
                rebuild.rebuild(street.log)
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute(f"DROP ROLE {role}")


def test_a_killed_rebuild_frees_its_lock_with_its_connection(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        fields = connection.settings_dict
        with psycopg.connect(
            host=fields["HOST"], port=fields["PORT"], user=fields["USER"], dbname=fields["NAME"], autocommit=True
        ) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    with pytest.raises(Exception, match=r"terminating connection|closed"):
        rebuild.rebuild(street.log, progress=die)
    connection.close()
    rebuild.rebuild(street.log)
    assert rebuild.differences(street.log) == {}


# --- what actors bring up to date ----------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [Contributions(), WorkUnits()], ids=lambda made: made.name)
def test_a_catch_up_projection_is_rebuilt_while_actors_go_on(
    street: Street, elsewhere: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, made: projector.CatchUp
) -> None:
    monkeypatch.setattr(store.reading, "PAGE", 4)
    projector.catch_up(street.log)
    before = street.edits

    def work_goes_on(_: int) -> None:
        if unlocked() and street.edits - before < 10:
            elsewhere(lambda: street.edit(street.edits))
            elsewhere(lambda: projector.catch_up(street.log))

    done = projector.rebuild_catch_up(made, street.log, progress=work_goes_on)
    assert street.edits - before > 3
    assert done.events == projector.checkpoint(made.name, street.log) == store.head(street.log)
    assert done.changed == 0, "what actors made meanwhile is what the rebuild made"
    assert rebuild.compared_catch_up(made, street.log) == {}
    assert not beside.unfinished(street.log)


def test_a_catch_up_projection_that_is_stopped_goes_on_where_it_was(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.reading, "PAGE", 5)
    projector.catch_up(street.log)
    Contribution.objects.filter(dataset_id=street.log).update(counts={"AnnotationAdded": 1000})
    bent = list(Contribution.objects.filter(dataset_id=street.log).values())

    def stop(done: int) -> None:
        if done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        projector.rebuild_catch_up(Contributions(), street.log, progress=stop)
    assert list(Contribution.objects.filter(dataset_id=street.log).values()) == bent
    found = rebuild.compared_catch_up(Contributions(), street.log)
    assert found["labeling_contribution"].rows == 2, "comparing does not use what is unfinished"
    street.edit(1)
    done = projector.rebuild_catch_up(Contributions(), street.log)
    assert (done.resumed, done.changed) == (10, 1)
    assert rebuild.compared_catch_up(Contributions(), street.log) == {}


def test_a_reader_does_not_wait_for_the_swap_of_a_catch_up_projection(
    street: Street, elsewhere: Callable[..., Any]
) -> None:
    projector.catch_up(street.log)
    at = store.head(street.log)
    street.edit(0)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT FROM log_checkpoint WHERE log = %s FOR UPDATE", [street.log])
        assert elsewhere(lambda: projector.bring_up("workunits", street.log, most=100)) == at
    assert projector.bring_up("workunits", street.log, most=100) == store.head(street.log)
