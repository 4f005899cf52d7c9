"""What catches up with the log: page by page, each with its checkpoint, twice without harm."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence

import pytest
from django.db import connection, transaction

from labeling import actors
from labeling.commands import datasets
from labeling.log import projector, store
from labeling.log.event import Event, Intent
from labeling.models import Contribution
from labeling.projectors import Contributions


class Recorder:
    """A catch-up projector that writes down which offsets it was given, in a table of its own."""

    name = "recorder"
    tables = {"recorded": "log"}

    def __init__(self) -> None:
        self.fail_at: int | None = None
        with connection.cursor() as cursor:
            cursor.execute('CREATE TEMPORARY TABLE recorded (log uuid, "offset" bigint) ON COMMIT DROP')

    def project(self, log: uuid.UUID, events: Sequence[Event]) -> None:
        with connection.cursor() as cursor:
            for event in events:
                cursor.execute("INSERT INTO recorded VALUES (%s, %s)", [log, event.offset])
                if event.offset == self.fail_at:
                    raise RuntimeError("the projector fell over")

    def seen(self, log: uuid.UUID) -> list[int]:
        with connection.cursor() as cursor:
            cursor.execute('SELECT "offset" FROM recorded WHERE log = %s', [log])
            return [row[0] for row in cursor.fetchall()]


@pytest.fixture
def recorder(db, monkeypatch) -> Recorder:
    found = Recorder()
    monkeypatch.setattr(projector, "_catch_ups", {})
    projector.register_catch_up(found)
    return found


@pytest.fixture
def log(dataset, person) -> uuid.UUID:
    """The log of a dataset with ten events."""
    made = dataset(person("ana"))
    for number in range(store.head(made), 10):
        change(made, person("ana"), f"text {number}")
    assert store.head(made) == 10
    return made


def change(log: uuid.UUID, person, text: str) -> None:
    datasets.change_dataset(intent=Intent(author=person.id), dataset=log, changes={"description": text})


def checkpoint(log: uuid.UUID, name: str = "recorder") -> int | None:
    with connection.cursor() as cursor:
        cursor.execute('SELECT "offset" FROM log_checkpoint WHERE log = %s AND projection = %s', [log, name])
        row = cursor.fetchone()
    return row[0] if row else None


@pytest.mark.parametrize("page", [1, 3, 10, 1000])
def test_catching_up_sees_every_event_once_in_order(recorder, log, monkeypatch, page):
    monkeypatch.setattr(store.reading, "PAGE", page)
    assert projector.catch_up(log) == 10
    assert recorder.seen(log) == list(range(1, 11)) and checkpoint(log) == 10


def test_catching_up_again_does_nothing_until_there_is_something_new(recorder, log, person):
    projector.catch_up(log)
    assert projector.catch_up(log) == 0
    change(log, person("ana"), "new")
    assert projector.catch_up(log) == 1
    assert recorder.seen(log) == list(range(1, 12))


def test_a_projector_that_falls_over_loses_only_its_page(recorder, log, monkeypatch):
    monkeypatch.setattr(store.reading, "PAGE", 4)
    recorder.fail_at = 6
    with pytest.raises(RuntimeError):
        projector.catch_up(log)
    assert recorder.seen(log) == [1, 2, 3, 4] and checkpoint(log) == 4, "rows and checkpoint are of one transaction"
    recorder.fail_at = None
    assert projector.catch_up(log) == 6
    assert recorder.seen(log) == list(range(1, 11))


def test_a_missing_event_stops_the_projector_in_front_of_it(recorder, log):
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE log_event DISABLE TRIGGER USER")
            cursor.execute('DELETE FROM log_event WHERE log = %s AND "offset" = 5', [log])
        with pytest.raises(store.LogGap, match="offset 5 is missing"):
            projector.catch_up(log)
        assert recorder.seen(log) == [] and checkpoint(log) is None
        transaction.set_rollback(True)


def test_a_rebuild_starts_again_from_the_first_event(recorder, log, monkeypatch):
    projector.catch_up(log)
    monkeypatch.setattr(store.reading, "PAGE", 3)
    assert projector.rebuild_catch_up(recorder, log).events == 10
    assert recorder.seen(log) == list(range(1, 11)) and checkpoint(log) == 10


def test_a_rebuild_that_falls_over_leaves_the_old_rows(recorder, log):
    projector.catch_up(log)
    recorder.fail_at = 6
    with pytest.raises(RuntimeError):
        projector.rebuild_catch_up(recorder, log)
    assert recorder.seen(log) == list(range(1, 11)) and checkpoint(log) == 10


def test_a_rebuild_up_to_an_offset_stops_there(recorder, log):
    assert projector.rebuild_catch_up(recorder, log, up_to=7).events == 7
    assert recorder.seen(log) == list(range(1, 8)) and checkpoint(log) == 7
    assert projector.catch_up(log) == 3


def test_only_logs_that_moved_are_behind(recorder, log, dataset, person):
    other = dataset(person("ana"))
    assert {log, other} <= set(projector.behind()), "never begun is behind"
    projector.catch_up(log)
    assert log not in projector.behind() and other in projector.behind()
    change(log, person("ana"), "new")
    assert log in projector.behind()


def test_a_log_is_behind_when_one_of_several_projectors_is(recorder, log):
    projector.catch_up(log)
    assert log not in projector.behind()
    projector.register_catch_up(Contributions())
    assert log in projector.behind()
    projector.catch_up(log)
    assert log not in projector.behind()
    assert checkpoint(log, "contributions") == 10


def test_the_installations_log_has_no_projections_to_be_behind_with(recorder, person):
    person("ana")
    kinds = {log: kind for log, kind, _ in store.logs()}
    assert "installation" in kinds.values()
    assert not any(kinds[log] == "installation" for log in projector.behind())


def test_contributions_count_by_author_and_type(log, dataset, person):
    ana, ben = person("ana"), person("ben")
    datasets.add_member(intent=Intent(author=ana.id), dataset=log, person=ben.id, role="admin")
    change(log, ben, "by ben")
    projector.catch_up(log)
    counts = {row.author: row.counts for row in Contribution.objects.filter(dataset_id=log)}
    assert counts[ben.id] == {"DatasetSettingsChanged": 1}
    assert counts[ana.id]["MemberAdded"] == 2 and counts[ana.id]["DatasetCreated"] == 1
    assert sum(sum(each.values()) for each in counts.values()) == store.head(log)


def test_contributions_do_not_depend_on_how_the_log_was_paged(log, monkeypatch):
    projector.catch_up(log)
    whole = list(Contribution.objects.filter(dataset_id=log).order_by("id").values())
    for page in (1, 3):
        monkeypatch.setattr(store.reading, "PAGE", page)
        projector.rebuild_catch_up(Contributions(), log)
        assert list(Contribution.objects.filter(dataset_id=log).order_by("id").values()) == whole


def test_a_kind_is_found_by_what_stands_before_the_first_slash():
    assert projector.kind_of("label/a/b") is projector.kind_of("label/c")
    kind = projector.kind_of("dataset")
    assert kind is not None and kind.prefix == "dataset"
    assert projector.kind_of("labels/a") is None and projector.kind_of("") is None


class Heavy(Recorder):
    """A recorder that is no light work: two streams at once."""

    name = "heavy"
    most_streams = 2

    def __init__(self) -> None:
        self.fail_at = None  # its table is there already
        self.pages: list[int] = []

    def project(self, log: uuid.UUID, events: Sequence[Event]) -> None:
        self.pages.append(len({event.stream for event in events}))
        super().project(log, events)


def test_heavy_work_is_not_done_with_the_others_and_gets_few_streams_at_once(recorder, log, sample, person):
    heavy = Heavy()
    projector.register_catch_up(heavy)
    for _ in range(5):
        sample(log, person("ana"))
    head = store.head(log)
    assert projector.catch_up(log, heavy=False) == head and projector.checkpoint("heavy", log) == 0
    assert projector.behind(log, heavy=False) == [] and projector.behind(log, heavy=True) == [log]
    assert projector.behind(log) == [log]

    assert projector.catch_up(log, heavy=True) == head
    assert max(heavy.pages) == 2 and len(heavy.pages) >= 3
    assert heavy.seen(log).count(head) == 2, "every event once by each"
    assert projector.behind(log) == []


def test_heavy_work_stops_when_its_time_is_over_and_goes_on_later(recorder, log, sample, person, monkeypatch):
    heavy = Heavy()
    projector.register_catch_up(heavy)
    for _ in range(5):
        sample(log, person("ana"))
    moments = iter([0.0, 1.0, 3.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    done = projector.catch_up(log, heavy=True, for_s=2.0)
    monkeypatch.undo()
    assert len(heavy.pages) == 1 and 0 < done < store.head(log)


def test_the_light_actor_asks_for_the_heavy_one_which_goes_on_until_all_is_done(recorder, log, monkeypatch):
    heavy = Heavy()
    projector.register_catch_up(heavy)
    sent: list[str] = []
    monkeypatch.setattr(actors.catch_up_heavy, "send", sent.append)
    actors.catch_up.fn(str(log))
    assert sent == [str(log)] and heavy.pages == []
    monkeypatch.setattr(actors, "HEAVY_S", 0.0)
    actors.catch_up_heavy.fn(str(log))
    assert heavy.pages == [], "no time at all, and so it does not ask for itself for ever"
    monkeypatch.setattr(actors, "HEAVY_S", 60.0)
    actors.catch_up_heavy.fn(str(log))
    assert projector.behind(log) == [] and sent == [str(log)]


def test_no_more_heavy_work_than_leaves_threads_for_the_rest(recorder, log, monkeypatch):
    heavy = Heavy()
    projector.register_catch_up(heavy)
    monkeypatch.setattr(actors, "_heavy", threading.BoundedSemaphore(1))
    with actors._heavy:
        actors.catch_up_heavy.fn(str(log))
    assert heavy.pages == []
