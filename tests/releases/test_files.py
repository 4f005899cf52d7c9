"""Release files in a bucket: written here, kept there, read as a stream, removed."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from labeling.bucket import Bucket
from labeling.errors import StorageUnavailable
from releases import builds, checks, files, queries
from tests.conftest import MakeDataset
from tests.releases.conftest import Built
from tests.support.s3 import Stored

Make = Callable[..., Any]


@pytest.fixture
def built(
    in_bucket: Stored, person: Make, dataset: MakeDataset, sample: Make, label: Make, release: Callable[..., Built]
) -> Built:
    """A release whose file was made while all files are kept in a bucket."""
    ana = person()
    streets = dataset(ana)
    label(sample(streets, ana), ana)
    return release(streets, ana, "v1")


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """silent(): from now on the bucket does not answer."""

    def refuse(*_: Any) -> None:
        raise StorageUnavailable

    def fall_silent() -> None:
        for name in ("stream", "size", "_save"):
            monkeypatch.setattr(Bucket, name, refuse)

    return fall_silent


def left_here() -> Iterator[Path]:
    return (settings.EXPORTS_ROOT / "incoming").iterdir()


def served(built: Built) -> Any:
    found = queries.release_by_id(built.row.id)
    assert found.build is not None
    address = files.address(built.row.id, found.build.sha256, "v1.json")
    return APIClient().get(address.removeprefix(settings.PUBLIC_URL))


def test_the_file_is_in_the_bucket_and_nothing_is_left_here(built: Built, in_bucket: Stored) -> None:
    path = files.path_of(hashlib.sha256(built.data).hexdigest())
    assert (built.job.path, in_bucket.get(path)) == (path, built.data)
    assert not list(left_here())


def test_what_a_killed_build_left_is_removed_by_the_next(in_bucket: Stored) -> None:
    release = uuid.uuid4()
    with files.incoming(release) as file:
        left = Path(file.name)
        left.with_name(f"{release}-left").write_bytes(b"half")
        with files.incoming(release):
            assert not left.with_name(f"{release}-left").exists()
    assert not list(left_here())


def test_the_same_file_is_sent_once(built: Built, in_bucket: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(Bucket, "_save", refused)
    builds.reset(built.row.id)
    builds.build(built.row.id)
    found = queries.release_by_id(built.row.id)
    assert found.is_built and found.build is not None and found.build.path == built.job.path


def test_the_file_is_served_from_the_bucket(built: Built) -> None:
    answer = served(built)
    assert answer.status_code == 200
    document = b"".join(answer.streaming_content)
    assert document.startswith(built.data[:20]) and b"street.png" in document


def test_a_file_that_is_gone_from_the_bucket_is_made_again(built: Built, in_bucket: Stored) -> None:
    in_bucket.delete(built.job.path)
    assert [finding.problem for finding in checks.findings(built.row.dataset_id)] == [
        "Release v1: its file is missing; it will be made again when somebody asks for it."
    ]
    assert served(built).status_code == 503
    builds.build(built.row.id)
    assert in_bucket.get(built.job.path) == built.data
    assert list(checks.findings(built.row.dataset_id)) == []


def test_a_file_that_was_changed_in_the_bucket_is_found(built: Built, in_bucket: Stored) -> None:
    in_bucket.put(built.job.path, built.data + b" ")
    [finding] = checks.findings(built.row.dataset_id)
    assert "its file was changed" in finding.problem


def test_a_bucket_that_does_not_answer_is_no_lost_file(built: Built, silent: Make) -> None:
    silent()
    [finding] = checks.findings(built.row.dataset_id)
    assert finding.problem == "Release v1: its file cannot be read from the storage (StorageUnavailable)."
    answer = served(built)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert queries.release_by_id(built.row.id).is_built


def test_a_build_that_the_bucket_does_not_take_is_tried_again(built: Built, in_bucket: Stored, silent: Make) -> None:
    in_bucket.delete(built.job.path)
    builds.reset(built.row.id)
    silent()
    with pytest.raises(StorageUnavailable):
        builds.build(built.row.id)
    assert not queries.release_by_id(built.row.id).is_built


def test_a_withdrawn_release_leaves_nothing_in_the_bucket(built: Built, in_bucket: Stored) -> None:
    builds.forget(built.row.id)
    assert built.job.path not in in_bucket.paths()
    files.discard(built.job.path)
