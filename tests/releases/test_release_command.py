"""`manage.py release`: cuts a release as the API does, and makes its file."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from labeling.log import store
from releases import builds, queries

Make = Callable[..., Any]


@pytest.fixture
def street(person: Make, dataset: Make, sample: Make, label: Make) -> uuid.UUID:
    """ana/street with two labeled pictures; ben may only label."""
    ana, ben = person("ana"), person("ben")
    made: uuid.UUID = dataset(ana, name="street", labelers=(ben,))
    for name in ("a.png", "b.png"):
        box = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 1], [9, 9]]}
        label(sample(made, ana, name=name), ana, {"annotations": [box]})
    return made


def release(*arguments: str, **options: Any) -> str:
    said = io.StringIO()
    call_command("release", "ana/street", *arguments, stdout=said, stderr=io.StringIO(), **({"by": "ana"} | options))
    return said.getvalue()


def test_it_is_cut_and_its_file_is_made(street: uuid.UUID) -> None:
    said = release("v1", description="the first")
    found = queries.find_release(street, "v1")
    assert found.status == "SUCCEEDED" and found.release.description == "the first" and found.build is not None
    assert said.startswith(f"v1: offset {found.release.at_offset}, 2 samples\n")
    assert found.build.identity in said and found.build.sha256 in said


def test_an_earlier_moment_and_a_choice_of_samples(street: uuid.UUID, tmp_path: Path) -> None:
    chosen = tmp_path / "choice.json"
    chosen.write_text(json.dumps({"filter": {"samples": ["b.png"]}}))
    assert ", 1 samples" in release("one", choice=chosen)
    first = store.read(street, types=["SampleAdded"])[0].offset
    assert release("early", at=str(first)).startswith(f"early: offset {first}, 1 samples")


def test_it_is_exported_too(street: uuid.UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("releases.commands.transaction.on_commit", lambda done, **said: done())
    release("first")
    said = release("again", at="first", format=["csv", "coco-instances"])
    first, again = (queries.find_release(street, name).release for name in ("first", "again"))
    assert said.startswith(f"again: offset {first.at_offset}, 2 samples\n")
    made = queries.exports_of(again.id)
    assert [(job.format, job.status, job.samples_count) for job in made] == [
        ("coco-instances", "SUCCEEDED", 2), ("csv", "SUCCEEDED", 2),
    ]  # fmt: skip
    assert all(f"{job.format}: {job.size_bytes:,} bytes, SHA-256 {job.sha256}" in said for job in made)


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        (("v1",), {"by": "nobody"}, "user"),
        (("v1",), {"by": "ben"}, "needs the role admin"),
        (("v1",), {"at": "yesterday"}, "at: must be an offset"),
        (("v1",), {"format": ["word"]}, "formats: each must be one of"),
        (("v1",), {"base": "v0"}, "base"),
        (("",), {}, "name"),
    ],
)
def test_what_does_not_fit_is_said_in_a_line(street: uuid.UUID, arguments: Any, options: Any, says: str) -> None:
    with pytest.raises(CommandError) as refused:
        release(*arguments, **options)
    assert says in str(refused.value) and "\n" not in str(refused.value)
    assert not queries.releases_of(street)


@pytest.mark.parametrize("text", ["[]", '{"filters": {}}', "{", '{"filter": 1, "filter": 2}'])
def test_a_choice_that_is_none_is_refused(street: uuid.UUID, tmp_path: Path, text: str) -> None:
    chosen = tmp_path / "choice.json"
    chosen.write_text(text)
    with pytest.raises(CommandError):
        release("v1", choice=chosen)
    with pytest.raises(CommandError, match="No such file"):
        release("v1", choice=tmp_path / "not-there.json")
    assert not queries.releases_of(street)


def test_a_name_that_is_taken_is_refused(street: uuid.UUID) -> None:
    release("v1")
    with pytest.raises(CommandError, match="already"):
        release("v1")


def test_a_stopped_build_says_what_is_there(street: uuid.UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(_: uuid.UUID) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(builds, "build", stopped)
    with pytest.raises(CommandError, match="v1 is cut, and its file is not made"):
        release("v1")
    assert queries.find_release(street, "v1").status == "FAILED"
