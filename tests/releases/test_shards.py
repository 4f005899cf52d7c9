"""Builds in shards: the same bytes however they are cut and whoever makes them, and no more lost than was under way."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from rest_framework.test import APIClient

from labeling.commands import people
from labeling.models import Person, Sample
from releases import actors, builds, commands, exports, files, jobs, queries, shards, snapshots
from releases.admin.releases import status_badge
from releases.formats import coco, drafts, geojson
from releases.formats.records import Annotation
from releases.formats.registry import FORMATS, WRITTEN
from releases.models import BuildShard, ExportBuild, Release, ReleaseBuild
from tests.conftest import MakeDataset
from tests.releases.conftest import box

Make = Callable[..., Any]
COUNT = 7


@pytest.fixture
def cut(person: Make, dataset: MakeDataset, sample: Make, label: Make, intent: Make) -> Release:
    """A release of seven samples of which five have a label, in splits; nobody has begun to make its file."""
    ana = person(f"ana-{uuid.uuid4().hex[:8]}")
    streets = dataset(ana)
    for number in range(COUNT):
        metadata = {"width": 60, "height": 50} | ({"split": "val"} if number % 3 == 1 else {})
        one = sample(streets, ana, name=f"{number}.png", metadata=metadata)
        if number % 3:
            label(one, ana, {"annotations": [box(1, 1, x=number), box(2, 2)]})
    return Release.objects.get(id=commands.cut_release(intent=intent(ana), dataset=streets, name="v1"))


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[uuid.UUID]:
    """What workers were called for; none of them comes."""
    found: list[uuid.UUID] = []
    for module in (builds, exports):
        monkeypatch.setattr(module, "KIND", dataclasses.replace(module.KIND, call=found.append))
    return found


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    done = {*ReleaseBuild.objects.filter(status="SUCCEEDED").values_list("release_id", flat=True)}
    done |= {*ExportBuild.objects.filter(status="SUCCEEDED").values_list("id", flat=True)}
    assert not BuildShard.objects.filter(build__in=done).exists()
    assert not [build for build in done if Path(default_storage.path(f"{files.PARTS}/{build}")).exists()]


def file_of(release: Release) -> tuple[bytes, str]:
    job = ReleaseBuild.objects.get(release_id=release.id)
    assert job.status == "SUCCEEDED", job.error
    assert (job.samples_count, job.samples_total) == (COUNT, COUNT)
    with files.read(job.path) as file:
        return file.read(), job.manifest


def again(release: Release) -> tuple[bytes, str]:
    builds.reset(release.id)
    builds.build(release.id)
    return file_of(release)


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7])
def test_the_file_does_not_depend_on_the_shards(
    cut: Release, called: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    builds.build(cut.id)
    once = file_of(cut)
    assert called == []
    monkeypatch.setattr(shards, "SAMPLES", size)
    assert again(cut) == once
    assert len(called) == (0 if size == 7 else -(-COUNT // size) - 1), "a worker for each shard but our own"


def exported(job: ExportBuild) -> tuple[bytes, int, Any]:
    exports.build(job.id)
    job.refresh_from_db()
    assert job.status == "SUCCEEDED", job.error
    with files.read(job.path) as file:
        return file.read(), job.samples_count, job.losses


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_an_export_does_not_depend_on_the_shards(
    cut: Release, called: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    job = commands.export_release(release=cut, format_name=name)
    once = exported(job)
    assert once[1] == COUNT
    monkeypatch.setattr(shards, "SAMPLES", 2)
    exports.reset(job.id)
    assert exported(job) == once
    assert called


@pytest.mark.parametrize(
    "name", ["cvat-video", "mot", "mots", "kitti-tracking", "native", "coco-instances", "yolo-detection", "parquet"]
)
def test_an_export_of_sequences_is_cut_by_sequence(
    person: Make,
    dataset: MakeDataset,
    sample: Make,
    label: Make,
    intent: Make,
    called: list[uuid.UUID],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    ana = person(f"ana-{uuid.uuid4().hex[:8]}")
    drives = dataset(ana, "image-vector-sequence")
    for number in range(5):
        frames = [{"image": {"url": ""}, "name": f"f{n}"} for n in range(4)]
        one = sample(
            drives, ana, name=f"drive {number}", attributes={"frames": frames}, metadata={"width": 60, "height": 50}
        )
        seen = [{"annotations": [box(1, 1, x=number + n) | {"track_id": 1, "is_keyframe": n != 1}]} for n in range(4)]
        label(one, ana, {"frames": seen})
    cut = Release.objects.get(id=commands.cut_release(intent=intent(ana), dataset=drives, name="v1"))
    monkeypatch.setattr(shards, "SAMPLES", 10_000)
    job = commands.export_release(release=cut, format_name=name)
    once = exported(job)
    assert called == []
    monkeypatch.setattr(shards, "SAMPLES", 2 * shards.TIMES_SEQUENCE * (10 if FORMATS[name].is_painted else 1))
    exports.reset(job.id)
    assert exported(job) == once
    assert len(called) == 2, "two sequences make a shard, as so many pictures"


@pytest.mark.parametrize(
    ("codec", "function", "name"),
    [(geojson, "_geometry", "geojson"), (coco, "_annotation_line", "coco-instances")],
    ids=["one by one", "read ahead"],
)
def test_what_no_codec_foresees_fails_the_export_and_says_at_which_sample(
    cut: Release, called: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch, codec: Any, function: str, name: str
) -> None:
    real = getattr(codec, function)

    def broken(item: Any, *rest: Any) -> Any:
        geometry = item.geometry if isinstance(item, Annotation) else item
        if geometry["points"][0][0] == 5.0:  # of 5.png, the second of its shard
            raise KeyError("zebra")
        return real(item, *rest)

    monkeypatch.setattr(codec, function, broken)
    monkeypatch.setattr(shards, "SAMPLES", 2)
    job = commands.export_release(release=cut, format_name=name)
    for _ in range(jobs.MOST_TRIES - 1):
        with pytest.raises(KeyError):
            exports.build(job.id)
    exports.build(job.id)
    job.refresh_from_db()
    words = f"The file could not be made in {jobs.MOST_TRIES} tries; the last ended in KeyError at sample 5.png."
    assert (job.status, job.error) == ("FAILED", words)
    monkeypatch.setattr(codec, function, real)
    exports.reset(job.id)
    exported(job)


def test_an_export_is_cancelled_while_its_shards_are_put_together(
    cut: Release, called: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = commands.export_release(release=cut, format_name="geojson")
    once = exported(job)
    exports.reset(job.id)
    monkeypatch.setattr(shards, "SAMPLES", 2)
    monkeypatch.setattr(jobs, "BEAT_S", 0.0)
    real = drafts.put_all

    def cancelled(*arguments: Any) -> None:
        assert commands.cancel_export(export=job.id)
        real(*arguments)
        raise AssertionError("it went on")

    with monkeypatch.context() as patch:
        patch.setattr(drafts, "put_all", cancelled)
        exports.build(job.id)
    job.refresh_from_db()
    assert (job.status, job.error) == ("FAILED", "It was cancelled.")
    assert shards.unmade(job.id) == 0 and shards.is_planned(job.id), "what was made stays for a while"
    exports.reset(job.id)
    assert exported(job) == once


def test_a_build_has_hardly_more_shards_than_can_be_gone_through(
    cut: Release, called: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    builds.build(cut.id)
    once = file_of(cut)
    monkeypatch.setattr(shards, "SAMPLES", 1)
    monkeypatch.setattr(shards, "MOST_SHARDS", 3)
    monkeypatch.setattr(jobs, "TURN_S", -1)
    builds.reset(cut.id)
    builds.build(cut.id)
    assert list(BuildShard.objects.filter(build=cut.id).order_by("number").values_list("samples_total", flat=True)) == [
        3,
        3,
        1,
    ]
    monkeypatch.setattr(jobs, "TURN_S", 9)
    builds.build(cut.id)
    assert file_of(cut) == once


def test_a_difference_to_another_release_does_not_depend_on_the_shards(
    cut: Release, called: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch, sample: Make, label: Make, intent: Make
) -> None:
    builds.build(cut.id)
    by = Person.objects.get(id=cut.created_by)
    first = Sample.objects.filter(dataset_id=cut.dataset_id).order_by("created_offset").first()
    assert first is not None
    label(first.id, by, {"annotations": [box(9, 1)]})
    sample(cut.dataset_id, by, name="new.png")
    later = commands.cut_release(intent=intent(by), dataset=cut.dataset_id, name="v2", base="v1")
    builds.build(later)
    once = ReleaseBuild.objects.get(release_id=later)
    monkeypatch.setattr(shards, "SAMPLES", 3)
    builds.reset(later)
    builds.build(later)
    again = ReleaseBuild.objects.get(release_id=later)
    assert called and (again.sha256, again.manifest) == (once.sha256, once.manifest)
    with files.read(again.path) as file:
        held = json.loads(file.read())
    assert [item["name"] for item in held["dataset"]["samples"]] == ["0.png", "new.png"]


def test_a_killed_worker_loses_the_shard_that_it_was_at(
    cut: Release, called: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    builds.build(cut.id)
    once = file_of(cut)
    builds.reset(cut.id)
    monkeypatch.setattr(shards, "SAMPLES", 2)
    begun: list[int] = []
    real = builds.KIND.part

    def killed(job: Any, release: Any, shard: BuildShard, *rest: Any) -> Any:
        begun.append(shard.number)
        if begun == [0, 1, 2]:
            raise KeyboardInterrupt
        return real(job, release, shard, *rest)

    monkeypatch.setattr(builds, "KIND", dataclasses.replace(builds.KIND, part=killed))
    with pytest.raises(KeyboardInterrupt):
        builds.build(cut.id)
    assert queries.release_by_id(cut.id).status == "PENDING"
    assert [row.number for row in BuildShard.objects.filter(build=cut.id, path="").order_by("number")] == [2, 3]
    monkeypatch.setattr(jobs, "QUIET_S", -1)
    assert cut.id in builds.claim_waiting(), "the sweeper finds it"
    builds.build(cut.id)
    assert begun == [0, 1, 2, 2, 3]
    assert file_of(cut) == once


def test_two_workers_share_the_shards(cut: Release, called: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    """One is told of the job while the other is at its first shard: it makes those that are left, and not that one."""
    monkeypatch.setattr(shards, "SAMPLES", 2)
    made: list[int] = []
    real = builds.KIND.part

    def shared(job: Any, release: Any, shard: BuildShard, *rest: Any) -> Any:
        made.append(shard.number)
        if len(made) == 1:
            with monkeypatch.context() as other:
                other.setattr(shards, "taken", but_first)
                builds.build(cut.id)
        return real(job, release, shard, *rest)

    monkeypatch.setattr(builds, "KIND", dataclasses.replace(builds.KIND, part=shared))
    builds.build(cut.id)
    assert sorted(made) == [0, 1, 2, 3]
    file_of(cut)


@contextmanager
def but_first(build: uuid.UUID) -> Iterator[BuildShard | None]:
    """`shards.taken` of a worker to whom another has the first one. (Here both have one connection, so one's locks.)"""
    yield BuildShard.objects.filter(build=build, path="", number__gt=0).order_by("number").first()


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b"x"),
        lambda path: path.write_bytes(path.read_bytes()[:-5]),
    ],
)
def test_a_lost_or_damaged_shard_is_made_again(
    cut: Release, called: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch, harm: Callable[[Path], object]
) -> None:
    builds.build(cut.id)
    once = file_of(cut)
    builds.reset(cut.id)
    monkeypatch.setattr(shards, "SAMPLES", 2)
    with monkeypatch.context() as patch:
        patch.setattr(builds, "KIND", dataclasses.replace(builds.KIND, whole=stopped))
        with pytest.raises(KeyboardInterrupt):
            builds.build(cut.id)
    row = BuildShard.objects.get(build=cut.id, number=1)
    harm(Path(default_storage.path(row.path)))
    called.clear()
    builds.build(cut.id)
    assert called == [cut.id]
    assert queries.release_by_id(cut.id).status == "PENDING"
    builds.build(cut.id)
    assert file_of(cut) == once


def stopped(*arguments: Any) -> Any:
    raise KeyboardInterrupt


def test_a_shard_that_cannot_be_made_fails_the_build_and_says_which_sample(
    cut: Release, called: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SAMPLES", 2)
    real = snapshots.line_of

    def broken(release: Any, frozen: Any, *rest: Any) -> Any:
        if frozen.sample.name == "4.png":
            with snapshots.readable(f"Sample {frozen.sample.id}"):
                raise ValueError("zebra")
        return real(release, frozen, *rest)

    monkeypatch.setattr("releases.snapshots.line_of", broken)
    builds.build(cut.id)
    job = ReleaseBuild.objects.get(release_id=cut.id)
    assert (job.status, job.path) == ("FAILED", "")
    assert job.error.startswith("Sample ") and "ValueError" in job.error and "zebra" not in job.error
    made = BuildShard.objects.filter(build=cut.id).exclude(path="").count()
    assert made == 2
    monkeypatch.setattr("releases.snapshots.line_of", real)
    commands.build_again(release=cut.id)
    builds.build(cut.id)
    file_of(cut)


def test_a_build_is_cancelled_and_goes_on_later_with_what_it_has(
    cut: Release, called: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SAMPLES", 2)
    made: list[int] = []
    real = builds.KIND.part

    def cancelled(job: Any, release: Any, shard: BuildShard, *rest: Any) -> Any:
        made.append(shard.number)
        if len(made) == 2:
            assert commands.cancel_build(release=cut.id)
            assert not commands.cancel_build(release=cut.id), "it is over"
        return real(job, release, shard, *rest)

    monkeypatch.setattr(builds, "KIND", dataclasses.replace(builds.KIND, part=cancelled))
    builds.build(cut.id)
    job = ReleaseBuild.objects.get(release_id=cut.id)
    assert (job.status, job.error, made) == ("FAILED", "It was cancelled.", [0, 1])
    builds.build(cut.id)
    assert made == [0, 1]
    commands.build_again(release=cut.id)
    builds.build(cut.id)
    assert made == [0, 1, 2, 3]
    file_of(cut)


def test_a_release_that_is_taken_back_takes_its_shards_along(
    cut: Release, called: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SAMPLES", 2)
    real = builds.KIND.part

    def withdrawn(job: Any, release: Any, shard: BuildShard, *rest: Any) -> Any:
        facts = real(job, release, shard, *rest)
        if shard.number == 1:
            builds.forget(cut.id)
        return facts

    monkeypatch.setattr(builds, "KIND", dataclasses.replace(builds.KIND, part=withdrawn))
    builds.build(cut.id)
    assert not BuildShard.objects.filter(build=cut.id).exists()
    assert not ReleaseBuild.objects.filter(release_id=cut.id).exists()
    assert not Path(default_storage.path(f"{files.PARTS}/{cut.id}")).exists()


def test_a_worker_lets_others_have_their_turn(
    cut: Release, called: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SAMPLES", 2)
    monkeypatch.setattr(jobs, "TURN_S", -1)
    for left in (3, 2, 1, 0):
        called.clear()
        builds.build(cut.id)
        assert shards.unmade(cut.id) == left
        assert called[-1:] == [cut.id], "it comes again"
    builds.build(cut.id)
    file_of(cut)


def test_progress_is_told_while_shards_are_made(
    cut: Release, called: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SAMPLES", 2)
    monkeypatch.setattr(jobs, "BEAT_S", 0.0)
    told: list[tuple[int, int]] = []
    real = builds.KIND.part

    def looked_at(*arguments: Any) -> Any:
        found = queries.release_by_id(cut.id).build
        assert found is not None
        told.append((found.samples_count, found.samples_total))
        return real(*arguments)

    monkeypatch.setattr(builds, "KIND", dataclasses.replace(builds.KIND, part=looked_at))
    builds.build(cut.id)
    assert told == [(0, 7), (2, 7), (4, 7), (6, 7)]


def test_shards_of_what_failed_long_ago_are_removed(
    cut: Release, called: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SAMPLES", 2)
    with monkeypatch.context() as patch:
        patch.setattr(builds, "KIND", dataclasses.replace(builds.KIND, whole=stopped))
        with pytest.raises(KeyboardInterrupt):
            builds.build(cut.id)
    actors.sweep()
    assert BuildShard.objects.filter(build=cut.id).count() == 4
    builds.cancel(cut.id)
    actors.sweep()
    assert BuildShard.objects.filter(build=cut.id).count() == 4, "somebody may want it to go on"
    monkeypatch.setattr(shards, "KEPT_S", -1)
    actors.sweep()
    assert not BuildShard.objects.filter(build=cut.id).exists()
    commands.build_again(release=cut.id)
    builds.build(cut.id)
    file_of(cut)


# --- over HTTP -------------------------------------------------------------------------------------------------------


def test_a_build_is_a_job_that_is_looked_at_cancelled_and_gone_on_with(
    cut: Release, called: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch, client: APIClient
) -> None:
    def over(path: str, method: str = "get", status: int = 200) -> Any:
        found = getattr(client, method)(f"/jobs/{path}/", headers=headers)
        assert found.status_code == status, found.content
        return found.json()

    owner = Person.objects.get(id=cut.created_by)
    headers = {"Authorization": f"APIKey {people.create_key(intent=people.operator('test'), person=owner)[1]}"}
    stranger = Person.objects.get(id=people.add_person(intent=people.operator("test"), username="stranger").id)
    monkeypatch.setattr(shards, "SAMPLES", 2)
    monkeypatch.setattr(jobs, "TURN_S", -1)
    builds.build(cut.id)
    seen = over(str(cut.id))
    assert (seen["kind"], seen["status"], seen["samples_done"], seen["samples_total"]) == ("release", "PENDING", 2, 7)
    assert seen["wish"] == {"release": "v1"}
    assert "being made, 28 %" in status_badge(queries.release_by_id(cut.id))
    listed = client.get(f"/datasets/{seen['dataset']}/releases/v1/", headers=headers).json()
    assert (listed["samples_count"], listed["samples_total"]) == (2, 7)
    over(f"{cut.id}/retry", "post", 409)
    assert over(f"{cut.id}/cancel", "post")["error"] == "It was cancelled."
    assert over(str(cut.id))["status"] == "FAILED"
    over(str(cut.id), "delete", 409)
    assert over(f"{cut.id}/retry", "post")["status"] == "PENDING"
    monkeypatch.setattr(jobs, "TURN_S", 9)
    builds.build(cut.id)
    assert over(str(cut.id))["status"] == "SUCCEEDED"
    file_of(cut)
    job = commands.export_release(release=cut, format_name="csv")
    exports.build(job.id)
    found = over(str(job.id))
    assert (found["kind"], found["status"], found["wish"]["format"]) == ("export", "SUCCEEDED", "csv")
    headers = {"Authorization": f"APIKey {people.create_key(intent=people.operator('test'), person=stranger)[1]}"}
    over(str(cut.id), status=404)
    over(str(uuid.uuid4()), status=404)
