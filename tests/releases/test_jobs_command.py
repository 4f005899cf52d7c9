"""`manage.py jobs`: what there is to do and how far it is; stopping it and going on, as who may."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labeling.models import Dataset, Person
from releases import commands, exports
from releases.imports import jobs
from releases.models import ExportBuild, ImportJob
from tests.conftest import MakeDataset
from tests.releases.conftest import Built
from tests.releases.imports.conftest import begin, coco

Make = Callable[..., Any]
__all__ = ["begin"]


def told(*arguments: str, **said: Any) -> str:
    out = io.StringIO()
    call_command("jobs", *arguments, stdout=out, **said)
    return out.getvalue()


@pytest.fixture
def built(person: Make, dataset: MakeDataset, sample: Make, release: Callable[..., Built]) -> Built:
    ana = person("ana")
    streets = dataset(ana, name="streets")
    sample(streets, ana, name="a.png")
    return release(streets, ana)


def test_jobs_are_listed_shown_stopped_and_gone_on_with(built: Built, person: Make, begin: Make) -> None:
    job = commands.export_release(release=built.row, format_name="csv")
    ana = Person.objects.get(username="ana")
    brought = begin(built.row.dataset_id, ana, coco({"b.png": []}))
    listed = told("list", "ana/streets")
    assert f"{job.id}  PENDING" in listed and "export of v1 as csv" in listed
    assert f"{built.row.id}  SUCCEEDED" in listed and "release v1, 1 of 1 samples" in listed
    assert f"{brought.id}  PENDING" in listed and "ana/streets: import of coco-instances" in listed
    assert told("list").count("\n") >= 3
    stopped = told("cancel", str(job.id), by="ana")
    assert "FAILED" in stopped and "It was cancelled." in stopped
    with pytest.raises(CommandError, match="The job is over"):
        told("cancel", str(job.id), by="ana")
    assert "PENDING" in told("retry", str(job.id), by="ana")
    exports.build(job.id)
    assert "SUCCEEDED" in told("watch", str(job.id))
    assert ExportBuild.objects.get(id=job.id).samples_count == 1
    assert "CANCELED" in told("cancel", str(brought.id), by="ana")
    assert "PENDING" in told("retry", str(brought.id), by="ana")
    jobs.run(brought.id)
    assert ImportJob.objects.get(id=brought.id).status == "SUCCEEDED"
    assert "SUCCEEDED" in told("show", str(brought.id))


def test_a_long_list_asks_no_more_than_a_short_one(
    built: Built, release: Callable[..., Built], django_assert_num_queries: Any
) -> None:
    name = f"ana/{Dataset.objects.get(id=built.row.dataset_id).name}"
    with CaptureQueriesContext(connection) as few:
        assert told("list", name, all=True).count("SUCCEEDED") == 1
    for nth in range(3):
        release(built.row.dataset_id, Person.objects.get(username="ana"), name=f"more-{nth}")
    with django_assert_num_queries(len(few)):
        assert told("list", name, all=True).count("SUCCEEDED") == 4


def test_what_cannot_be_is_said(built: Built, person: Make) -> None:
    person("eve")
    job = commands.export_release(release=built.row, format_name="csv")
    with pytest.raises(CommandError, match="--by USERNAME"):
        told("cancel", str(job.id))
    with pytest.raises(CommandError, match="Not found"):
        told("cancel", str(job.id), by="eve")
    with pytest.raises(CommandError, match="must be the uuid"):
        told("show", "nonsense")
    with pytest.raises(CommandError, match="Not found"):
        told("show", str(uuid.uuid4()))
    with pytest.raises(CommandError, match="Not found"):
        told("list", "ana/none")
