"""Cutting and withdrawing releases: who may, what is frozen, and what a retry does."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
from django.core.files.storage import default_storage
from django.db.models.functions import Now

from labeling.commands import datasets, people
from labeling.errors import AlreadyExists, IdempotencyKeyReused, InvalidValue, NotFound, NotPermitted, ReasonRequired
from labeling.log import store
from labeling.log.event import Intent
from labeling.models import Person
from releases import actors, commands, exports, jobs, queries, rules
from releases.events import ReleaseCut, ReleaseWithdrawn
from releases.models import ExportBuild, Release, ReleaseBuild
from releases.rules import release_stream
from tests.conftest import MakeDataset
from tests.releases.conftest import Built, written

Make = Callable[..., Any]


def events_of(release: uuid.UUID, dataset: uuid.UUID) -> list[Any]:
    return list(store.read_stream(dataset, release_stream(release)))


def test_cutting_a_release_is_one_event(person: Make, dataset: MakeDataset, intent: Make) -> None:
    ana = person()
    streets = dataset(ana)
    head = store.head(streets)
    release = commands.cut_release(intent=intent(ana), dataset=streets, name="v1", description="the first")
    [event] = events_of(release, streets)
    assert event.fact == ReleaseCut(release=str(release), name="v1", description="the first", manifest=2)
    assert (event.offset, event.version, event.intent.author) == (head + 1, 1, ana.id)
    row = queries.find_release(streets, "v1").release
    assert (row.id, row.at_offset, row.cut_offset, row.created_by) == (release, head, head + 1, ana.id)
    assert row.created_at == event.recorded_at


def test_the_exports_of_a_new_release_are_there_with_it_whoever_dies_then(
    person: Make, dataset: MakeDataset, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Make
) -> None:
    ana = person()
    streets = dataset(ana)
    sent: list[uuid.UUID] = []
    monkeypatch.setattr(actors, "send_export", sent.append)
    wish: Any = {"intent": named(ana), "dataset": streets, "name": "v1", "formats": ["csv", "voc"]}
    with django_capture_on_commit_callbacks() as callbacks:  # who dies calls none of them
        release = commands.cut_release(**wish)
    waiting = ExportBuild.objects.filter(release_id=release, status="PENDING")
    assert sorted(waiting.values_list("format", flat=True)) == ["csv", "voc"]
    waiting.update(updated_at=Now() - dt.timedelta(seconds=2 * jobs.QUIET_S))
    assert {job.id for job in waiting} <= {*exports.claim_waiting()}, "the sweeper finds them"
    for callback in callbacks:
        callback()
    assert sorted(sent) == sorted(job.id for job in waiting)
    assert commands.cut_release(**wish) == release
    assert waiting.count() == 2


def test_nothing_is_cut_where_its_exports_cannot_be_made(
    person: Make, dataset: MakeDataset, intent: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = person()
    streets = dataset(ana)
    datasets.add_label_set(intent=intent(ana), dataset=streets, name="model")
    head = store.head(streets)
    wish: Any = {"dataset": streets, "name": "v1", "formats": ["csv"]}
    with pytest.raises(InvalidValue, match="ground-truth") as refused:
        commands.cut_release(intent=intent(ana), **wish, filter={"label_sets": ["model"]})
    assert refused.value.field == "formats"

    def broken(*arguments: Any) -> Any:
        raise KeyError("zebra")

    with monkeypatch.context() as patch:
        patch.setattr(exports, "asked", broken)
        with pytest.raises(KeyError):
            commands.cut_release(intent=intent(ana), **wish)
    assert store.head(streets) == head and not Release.objects.filter(dataset_id=streets).exists()
    release = commands.cut_release(intent=intent(ana), **wish)
    assert ExportBuild.objects.filter(release_id=release).count() == 1


def test_the_state_from_the_log_is_the_row(person: Make, dataset: MakeDataset, intent: Make) -> None:
    ana = person()
    streets = dataset(ana)
    row = Release.objects.get(id=commands.cut_release(intent=intent(ana), dataset=streets, name="v1"))
    [expected] = rules.rows(queries.state_of(row)).put["releases_release"]
    assert {key: getattr(row, key) for key in expected} == expected


def test_a_release_freezes_what_others_stored_up_to_its_own_event(
    person: Make, dataset: MakeDataset, sample: Make, intent: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = person()
    streets = dataset(ana)
    append, added = store.append, []

    def overtaken(log: uuid.UUID, **keywords: Any) -> store.Appended:
        if not added:
            added.append(None)
            added.append(sample(streets, ana))
        return append(log, **keywords)

    monkeypatch.setattr(store, "append", overtaken)
    release = commands.cut_release(intent=intent(ana), dataset=streets, name="v1")
    monkeypatch.undo()
    sample(streets, ana)
    [event] = events_of(release, streets)
    row = Release.objects.get(id=release)
    assert row.cut_offset == event.offset
    assert row.at_offset == store.head(streets) - 2
    snapshot, data = written(row)
    assert snapshot.samples_count == 1
    assert str(added[1]).encode() in data


def test_a_taken_name_is_refused_while_its_release_is_pending(person: Make, dataset: MakeDataset, intent: Make) -> None:
    ana = person()
    streets, roads = dataset(ana), dataset(ana)
    commands.cut_release(intent=intent(ana), dataset=streets, name="v1")
    commands.cut_release(intent=intent(ana), dataset=roads, name="v1")
    head = store.head(streets)
    with pytest.raises(AlreadyExists) as refused:
        commands.cut_release(intent=intent(ana), dataset=streets, name="v1")
    assert "already exists" in refused.value.message
    assert store.head(streets) == head


@pytest.mark.parametrize(("field", "fields"), [("name", {"name": "a/b"}), ("description", {"description": 5})])
def test_what_does_not_fit_is_refused(
    person: Make, dataset: MakeDataset, intent: Make, field: str, fields: dict[str, Any]
) -> None:
    ana = person()
    streets = dataset(ana)
    head = store.head(streets)
    with pytest.raises(InvalidValue) as refused:
        commands.cut_release(**{"intent": intent(ana), "dataset": streets, "name": "v1"} | fields)
    assert (refused.value.field, store.head(streets)) == (field, head)


def cut(intent: Intent, dataset: uuid.UUID) -> None:
    commands.cut_release(intent=intent, dataset=dataset, name="v2")


def withdraw(intent: Intent, dataset: uuid.UUID) -> None:
    commands.withdraw_release(intent=intent, dataset=dataset, name="v1")


@pytest.mark.parametrize("command", [cut, withdraw])
@pytest.mark.parametrize("role", [*(role for role in ("viewer", "labeler", "reviewer", "manager"))])
def test_only_admins_have_to_do_with_releases(
    person: Make, dataset: MakeDataset, intent: Make, command: Callable[[Intent, uuid.UUID], None], role: str
) -> None:
    ana, ben = person(), person("ben")
    streets = dataset(ana)
    datasets.add_member(intent=intent(ana), dataset=streets, person=ben.id, role=role)
    commands.cut_release(intent=intent(ana), dataset=streets, name="v1")
    head = store.head(streets)
    with pytest.raises(NotPermitted):
        command(intent(ben), streets)
    assert store.head(streets) == head


@pytest.mark.parametrize("command", [cut, withdraw])
@pytest.mark.parametrize(("public", "error"), [(False, NotFound), (True, NotPermitted)])
def test_strangers_do_not_learn_of_private_datasets(
    person: Make,
    dataset: MakeDataset,
    intent: Make,
    command: Callable[[Intent, uuid.UUID], None],
    public: bool,
    error: type[Exception],
) -> None:
    ana, eve = person(), person("eve")
    streets = dataset(ana, public=public)
    commands.cut_release(intent=intent(ana), dataset=streets, name="v1")
    with pytest.raises(error):
        command(intent(eve), streets)


def test_a_release_of_a_deleted_dataset_is_not_found(person: Make, dataset: MakeDataset, intent: Make) -> None:
    ana = person()
    streets = dataset(ana)
    datasets.delete_dataset(intent=intent(ana), dataset=streets)
    for command in (cut, withdraw):
        with pytest.raises(NotFound):
            command(intent(ana), streets)


# --- withdrawing ---------------------------------------------------------------------------------------------------


def test_a_withdrawn_release_is_gone_and_its_name_is_free(
    person: Make,
    dataset: MakeDataset,
    intent: Make,
    release: Callable[..., Built],
    django_capture_on_commit_callbacks: Make,
) -> None:
    ana = person()
    streets = dataset(ana)
    built = release(streets, ana)
    with django_capture_on_commit_callbacks(execute=True):
        commands.withdraw_release(intent=intent(ana), dataset=streets, name="v1")
    assert [event.fact for event in events_of(built.row.id, streets)][1:] == [ReleaseWithdrawn()]
    assert queries.releases_of(streets) == []
    for find in (lambda: queries.find_release(streets, "v1"), lambda: queries.release_by_id(built.row.id)):
        with pytest.raises(NotFound):
            find()
    assert not default_storage.exists(built.job.path)
    again = release(streets, ana)
    assert again.row.id != built.row.id
    assert [item.release.id for item in queries.releases_of(streets)] == [again.row.id]


def test_a_withdrawn_release_keeps_the_offset_that_it_froze(
    person: Make, dataset: MakeDataset, sample: Make, intent: Make, release: Callable[..., Built]
) -> None:
    ana = person()
    streets = dataset(ana)
    built = release(streets, ana)
    sample(streets, ana)
    commands.withdraw_release(intent=intent(ana), dataset=streets, name="v1")
    row = Release.objects.get(id=built.row.id)
    assert (row.withdrawn, row.cut_offset, row.last_offset) == (True, built.row.cut_offset, store.head(streets))


def test_withdrawing_what_is_not_there_is_not_found(person: Make, dataset: MakeDataset, intent: Make) -> None:
    ana = person()
    streets = dataset(ana)
    with pytest.raises(NotFound):
        withdraw(intent(ana), streets)


# --- retries -------------------------------------------------------------------------------------------------------


def named(author: Person, request: bytes = b"r") -> Intent:
    return Intent(author=author.id, command=uuid.UUID(int=77), request_hash=request)


def test_a_retry_of_a_cut_gives_the_same_release(person: Make, dataset: MakeDataset) -> None:
    ana = person()
    streets = dataset(ana)
    first = commands.cut_release(intent=named(ana), dataset=streets, name="v1")
    head = store.head(streets)
    assert commands.cut_release(intent=named(ana), dataset=streets, name="v1") == first
    assert store.head(streets) == head


def test_a_twin_of_a_cut_that_was_faster_is_answered_from(
    person: Make, dataset: MakeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = person()
    streets = dataset(ana)
    append, found = store.append, []

    def overtaken(log: uuid.UUID, **keywords: Any) -> store.Appended:
        if not found:
            found.append(None)
            found.append(commands.cut_release(intent=named(ana), dataset=streets, name="v1"))
        return append(log, **keywords)

    monkeypatch.setattr(store, "append", overtaken)
    assert commands.cut_release(intent=named(ana), dataset=streets, name="v1") == found[1]
    assert Release.objects.filter(dataset_id=streets).count() == 1


def test_a_retry_of_a_withdrawal_does_nothing(person: Make, dataset: MakeDataset, intent: Make) -> None:
    ana = person()
    streets = dataset(ana)
    cut(intent(ana), streets)
    commands.withdraw_release(intent=named(ana), dataset=streets, name="v2")
    cut(intent(ana), streets)
    commands.withdraw_release(intent=named(ana), dataset=streets, name="v2")
    assert len(queries.releases_of(streets)) == 1


def test_a_key_that_was_used_for_another_request_is_refused(person: Make, dataset: MakeDataset) -> None:
    ana = person()
    streets = dataset(ana)
    commands.cut_release(intent=named(ana), dataset=streets, name="v1")
    with pytest.raises(IdempotencyKeyReused):
        commands.cut_release(intent=named(ana, b"other"), dataset=streets, name="v2")


# --- the queue -----------------------------------------------------------------------------------------------------


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Releases whose file was asked for."""
    found: list[str] = []

    def send(release: str) -> None:
        found.append(release)

    monkeypatch.setattr(actors.build_release, "send", send)
    return found


def test_the_file_is_asked_for_after_the_commit(
    person: Make, dataset: MakeDataset, intent: Make, sent: list[str], django_capture_on_commit_callbacks: Make
) -> None:
    ana = person()
    streets = dataset(ana)
    with django_capture_on_commit_callbacks(execute=True):
        release = commands.cut_release(intent=intent(ana), dataset=streets, name="v1")
        assert sent == []
    assert sent == [str(release)]


def test_a_queue_that_does_not_answer_does_not_fail_the_cut(
    person: Make,
    dataset: MakeDataset,
    intent: Make,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Make,
) -> None:
    def unreachable(release: str) -> None:
        raise dramatiq.ConnectionClosed("no queue")

    ana = person()
    streets = dataset(ana)
    monkeypatch.setattr(actors.build_release, "send", unreachable)
    with django_capture_on_commit_callbacks(execute=True):
        release = commands.cut_release(intent=intent(ana), dataset=streets, name="v1")
    assert queries.release_by_id(release).status == "PENDING"


def test_the_sweeper_asks_again(
    person: Make, dataset: MakeDataset, intent: Make, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import labeling.actors

    ana = person()
    release = commands.cut_release(intent=intent(ana), dataset=dataset(ana), name="v1")
    labeling.actors.sweep()
    assert str(release) not in sent
    monkeypatch.setattr(jobs, "QUIET_S", -1)
    labeling.actors.sweep()
    assert str(release) in sent


def test_the_actor_builds(person: Make, dataset: MakeDataset, intent: Make) -> None:
    ana = person()
    release = commands.cut_release(intent=intent(ana), dataset=dataset(ana), name="v1")
    actors.build_release.fn(str(release))
    assert ReleaseBuild.objects.get(release_id=release).status == "SUCCEEDED"


def test_an_operator_is_no_admin_of_a_private_dataset(person: Make, dataset: MakeDataset) -> None:
    with pytest.raises(NotFound):
        cut(people.operator("test"), dataset(person()))


def test_a_dataset_may_ask_why_a_release_is_withdrawn(
    person: Callable[..., Person], dataset: MakeDataset, intent: Any
) -> None:
    ana = person()
    streets = dataset(ana, reasons_required=["withdraw"])
    commands.cut_release(intent=intent(ana), dataset=streets, name="v1")
    with pytest.raises(ReasonRequired, match="withdraw"):
        commands.withdraw_release(intent=intent(ana), dataset=streets, name="v1")
    commands.withdraw_release(intent=intent(ana, reason="v1.why"), dataset=streets, name="v1")
    assert store.read(streets)[-1].intent.reason == "v1.why"
