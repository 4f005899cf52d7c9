"""The job that makes a release's file: once, again, at the same time, interrupted, and when something fails."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError, connection

from labeling.log.event import Intent
from releases import actors, builds, commands, files, jobs, queries
from releases.formats import segments
from releases.models import Release, ReleaseBuild
from tests.conftest import MakeDataset
from tests.releases.conftest import Built

Make = Callable[..., Any]


@pytest.fixture
def cut(person: Make, dataset: MakeDataset, sample: Make, intent: Make) -> Callable[[], uuid.UUID]:
    """cut(): a release of a dataset with two samples, whose file nobody has begun to make."""

    def make() -> uuid.UUID:
        ana = person(f"ana-{uuid.uuid4().hex[:8]}")
        streets = dataset(ana)
        for _ in range(2):
            sample(streets, ana)
        return commands.cut_release(intent=intent(ana), dataset=streets, name="v1")

    return make


def job_of(release: uuid.UUID) -> ReleaseBuild:
    return ReleaseBuild.objects.get(release_id=release)


def left_over(release: uuid.UUID) -> list[Path]:
    """Files that the builds of a release did not clean up; those of other tests lie in the same place."""
    return list(Path(default_storage.path(files.INCOMING)).glob(f"{release}-*"))


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """later(): from now on whatever stands still has stood still for long enough to be noticed."""
    return lambda: monkeypatch.setattr(jobs, "QUIET_S", -1)


def test_a_release_is_pending_until_its_file_is_there(cut: Callable[[], uuid.UUID]) -> None:
    release = cut()
    assert queries.release_by_id(release).status == "PENDING"
    builds.build(release)
    job = job_of(release)
    assert (job.status, job.error, job.samples_count, job.tries) == ("SUCCEEDED", "", 2, 1)
    assert job.path == f"exports/{job.sha256[:2]}/{job.sha256}.json"
    assert default_storage.size(job.path) == job.size_bytes
    assert left_over(release) == []


def test_building_again_does_nothing(cut: Callable[[], uuid.UUID]) -> None:
    release = cut()
    builds.build(release)
    before = job_of(release)
    builds.build(release)
    assert (job_of(release).updated_at, job_of(release).tries) == (before.updated_at, 1)


def test_a_release_that_is_not_there_is_not_built(database: None) -> None:
    unknown = uuid.uuid4()
    builds.build(unknown)
    assert not ReleaseBuild.objects.filter(release_id=unknown).exists()


def test_a_lost_file_is_made_again_with_the_same_bytes(
    person: Make, dataset: MakeDataset, sample: Make, release: Callable[..., Built]
) -> None:
    ana = person()
    streets = dataset(ana)
    sample(streets, ana)
    built = release(streets, ana)
    files.discard(built.job.path)
    commands.build_again(release=built.row.id)
    assert job_of(built.row.id).status == "PENDING"
    builds.build(built.row.id)
    with files.read(job_of(built.row.id).path) as file:
        assert file.read() == built.data


def test_a_half_written_file_of_a_killed_worker_is_removed(cut: Callable[[], uuid.UUID]) -> None:
    release = cut()
    folder = Path(default_storage.path(files.INCOMING))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{release}-killed").write_bytes(b"{")
    builds.build(release)
    assert left_over(release) == []


def test_a_kept_file_can_be_read_by_the_web_server(cut: Callable[[], uuid.UUID]) -> None:
    release = cut()
    builds.build(release)
    assert Path(default_storage.path(job_of(release).path)).stat().st_mode & 0o777 == 0o644


# --- failures ------------------------------------------------------------------------------------------------------


def test_a_fault_of_our_own_data_fails_at_once_and_says_where(
    cut: Callable[[], uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = cut()

    def broken(*arguments: object) -> bytes:
        raise ValueError("zebra7391")

    monkeypatch.setattr(segments, "sample_line", broken)
    builds.build(release)
    job = job_of(release)
    assert (job.status, job.tries, job.path) == ("FAILED", 1, "")
    assert job.error.startswith("Sample ")
    assert "ValueError" in job.error
    assert "zebra" not in job.error
    assert left_over(release) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OperationalError("the server went away")])
def test_what_may_pass_is_tried_again_and_given_up_at_last(
    cut: Callable[[], uuid.UUID], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    release = cut()

    def full(*arguments: object) -> str:
        raise error

    monkeypatch.setattr(files, "keep", full)
    for turn in range(1, jobs.MOST_TRIES):
        with pytest.raises(type(error)):
            builds.build(release)
        assert (job_of(release).status, job_of(release).tries) == ("PENDING", turn)
    builds.build(release)
    job = job_of(release)
    assert job.status == "FAILED"
    assert job.error == f"The file could not be made in 5 tries; the last ended in {type(error).__name__}."
    assert left_over(release) == []


def test_a_failed_release_succeeds_when_it_is_built_again(
    cut: Callable[[], uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = cut()
    with monkeypatch.context() as patch:
        patch.setattr(segments, "opening", lambda *arguments: 1 / 0)
        builds.build(release)
    assert job_of(release).status == "FAILED"
    builds.build(release)
    assert job_of(release).status == "FAILED"
    commands.build_again(release=release)
    builds.build(release)
    assert (job_of(release).status, job_of(release).error) == ("SUCCEEDED", "")


def test_a_worker_that_is_asked_to_stop_does_not_count_as_a_try(
    cut: Callable[[], uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = cut()

    def stopped(*arguments: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, "keep", stopped)
        with pytest.raises(KeyboardInterrupt):
            builds.build(release)
    assert (job_of(release).status, job_of(release).tries) == ("PENDING", 0)
    assert left_over(release) == []
    builds.build(release)
    assert job_of(release).status == "SUCCEEDED"


def test_a_worker_that_is_killed_every_time_is_not_tried_for_ever(cut: Callable[[], uuid.UUID]) -> None:
    release = cut()
    builds.build(release)
    ReleaseBuild.objects.filter(release_id=release).update(status="PENDING", tries=jobs.MOST_TRIES)
    builds.build(release)
    assert job_of(release).status == "FAILED"
    assert "killed 5 times" in job_of(release).error


# --- at the same time ----------------------------------------------------------------------------------------------


@contextmanager
def another_worker_at(release: uuid.UUID) -> Iterator[None]:
    """Hold the lock of the release in a connection of its own."""
    key = int.from_bytes(release.bytes[:8], signed=True)
    fields = connection.get_connection_params()
    with psycopg.connect(
        dbname=fields["dbname"], user=fields["user"], host=fields["host"], port=fields.get("port")
    ) as own:
        own.execute("SELECT pg_advisory_lock(%s)", [key])
        yield
        own.execute("SELECT pg_advisory_unlock(%s)", [key])


def test_only_one_worker_makes_a_file(cut: Callable[[], uuid.UUID]) -> None:
    release = cut()
    with another_worker_at(release):
        builds.build(release)
        assert queries.release_by_id(release).build is None
    builds.build(release)
    assert job_of(release).status == "SUCCEEDED"


def test_the_lock_is_given_back_after_a_failure(cut: Callable[[], uuid.UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    release = cut()
    with monkeypatch.context() as patch:
        patch.setattr(files, "keep", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            builds.build(release)
    with another_worker_at(release):
        pass


def test_a_long_build_says_how_far_it_is(cut: Callable[[], uuid.UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    release = cut()
    told = []
    keep = files.keep

    def looked_at(*arguments: Any) -> str:
        told.append(job_of(release).samples_count)
        return keep(*arguments)

    monkeypatch.setattr(jobs, "BEAT_S", 0.0)
    monkeypatch.setattr(files, "keep", looked_at)
    builds.build(release)
    assert told == [2, 2]


def test_a_release_taken_back_while_its_file_is_made_leaves_no_file(
    cut: Callable[[], uuid.UUID], intent: Callable[..., Intent], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = cut()
    row = Release.objects.get(id=release)
    keep, kept = files.keep, []

    def withdrawn_meanwhile(*arguments: Any) -> str:
        if not kept:
            commands.withdraw_release(intent=Intent(author=row.created_by), dataset=row.dataset_id, name="v1")
            builds.forget(release)
        kept.append(keep(*arguments))
        return kept[-1]

    monkeypatch.setattr(files, "keep", withdrawn_meanwhile)
    builds.build(release)
    assert len(kept) == 2
    assert not any(map(default_storage.exists, kept))
    assert not ReleaseBuild.objects.filter(release_id=release).exists()


def test_a_worker_that_lost_its_lock_does_no_harm(
    cut: Callable[[], uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = cut()
    keep, ended = files.keep, []

    def overtaken(*arguments: Any) -> str:
        path = keep(*arguments)
        monkeypatch.setattr(files, "keep", keep)
        ReleaseBuild.objects.filter(release_id=release).update(tries=3)
        jobs._finish(builds.KIND, release, is_planned=False)
        ended.append(job_of(release))
        return path

    monkeypatch.setattr(files, "keep", overtaken)
    builds.build(release)
    assert (ended[0].status, ended[0].tries) == ("SUCCEEDED", 4)
    assert job_of(release).updated_at == ended[0].updated_at
    assert default_storage.exists(ended[0].path)


def test_a_build_stops_when_its_release_is_taken_back(
    cut: Callable[[], uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = cut()
    line, written = segments.sample_line, []

    def withdrawn_meanwhile(*arguments: Any) -> bytes:
        builds.forget(release)
        written.append(1)
        return line(*arguments)

    monkeypatch.setattr(jobs, "BEAT_S", 0.0)
    monkeypatch.setattr(segments, "sample_line", withdrawn_meanwhile)
    builds.build(release)
    assert written == [1]
    assert not ReleaseBuild.objects.filter(release_id=release).exists()
    assert left_over(release) == []


# --- what the sweeper finds ----------------------------------------------------------------------------------------


def test_the_sweeper_finds_a_release_whose_message_was_lost(
    cut: Callable[[], uuid.UUID], later: Callable[[], None]
) -> None:
    release = cut()
    assert release not in builds.claim_waiting()
    later()
    assert release in builds.claim_waiting()


def test_the_sweeper_finds_a_build_that_fell_silent(cut: Callable[[], uuid.UUID], later: Callable[[], None]) -> None:
    release = cut()
    builds.build(release)
    commands.build_again(release=release)
    assert release not in builds.claim_waiting()
    later()
    assert release in builds.claim_waiting()


def test_the_sweeper_names_a_release_once_in_a_while(
    cut: Callable[[], uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = cut()
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "QUIET_S", -1)
        assert release in builds.claim_waiting()
    assert release not in builds.claim_waiting()
    builds.build(release)
    assert job_of(release).status == "SUCCEEDED"


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
def test_the_sweeper_leaves_alone_what_has_ended(
    cut: Callable[[], uuid.UUID], later: Callable[[], None], status: str
) -> None:
    release = cut()
    builds.build(release)
    ReleaseBuild.objects.filter(release_id=release).update(status=status)
    later()
    assert release not in builds.claim_waiting()


def test_the_sweeper_removes_the_file_of_a_release_taken_back(cut: Callable[[], uuid.UUID]) -> None:
    release = cut()
    builds.build(release)
    path = job_of(release).path
    row = Release.objects.get(id=release)
    commands.withdraw_release(intent=Intent(author=row.created_by), dataset=row.dataset_id, name="v1")
    assert builds.left_behind() == [release]
    actors.sweep()
    assert builds.left_behind() == []
    assert not default_storage.exists(path)


def test_a_withdrawn_release_is_not_built(cut: Callable[[], uuid.UUID], later: Callable[[], None]) -> None:
    release = cut()
    row = Release.objects.get(id=release)
    commands.withdraw_release(intent=Intent(author=row.created_by), dataset=row.dataset_id, name="v1")
    later()
    assert release not in builds.claim_waiting()
    builds.build(release)
    assert not ReleaseBuild.objects.filter(release_id=release).exists()
