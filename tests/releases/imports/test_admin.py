"""The pages of imports: the list, a job with its findings, and what there is to do with it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Person, Sample
from releases.imports import jobs
from releases.models import ImportJob
from tests.conftest import MakeDataset
from tests.releases.imports.conftest import Import, coco

Make = Callable[..., Any]
LIST = "admin:releases_importjob_changelist"
FILE = coco({"a.png": [("car", 1)], "b.png": [("zebra", 2), ("zebra", 9)]}, categories=("car", "zebra"))


def logged_in(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def page(job: ImportJob) -> str:
    return reverse("admin:releases_importjob_change", args=[job.id])


def do(job: ImportJob, what: str) -> str:
    return reverse("admin:releases_importjob_do", args=[job.id, what])


@pytest.fixture
def job(person: Make, dataset: MakeDataset, bring: Import) -> ImportJob:
    """ana's import with two findings."""
    ana = person("ana")
    return bring(dataset(ana, name="streets"), ana, FILE, categories="skip")


def test_the_list_has_the_jobs_of_one_s_datasets(person: Make, job: ImportJob) -> None:
    root = logged_in(person("root", superuser=True))
    said = root.get(reverse(LIST)).content.decode()
    assert "file.json: COCO instances" in said and "ana/streets" in said and "2 left out" in said


def test_a_job_s_page_says_what_it_did_and_what_it_found(person: Make, job: ImportJob) -> None:
    root = logged_in(person("root", superuser=True))
    answer = root.get(page(job))
    said = answer.content.decode()
    assert answer.status_code == 200
    assert "has a category that the dataset does not have" in said and "sample 2 (b.png), object 2" in said
    assert "Annotations refused" in said and job.source["sha256"] in said
    assert "Take back" in said and "Cancel" not in said.split("content-main")[-1].split("</ul>")[0]


def _samples(job: ImportJob) -> int:
    return Sample.objects.filter(dataset_id=job.dataset_id, archived=False).count()


def test_an_import_is_taken_back_from_its_page(person: Make, job: ImportJob) -> None:
    root = logged_in(person("root", superuser=True))
    assert root.get(do(job, "undo")).status_code == 405
    answer = root.post(do(job, "undo-dry"), follow=True)
    made = ImportJob.objects.get(undoes=job.id)
    jobs.run(made.id)
    said = root.get(page(made)).content.decode()
    assert answer.status_code == 200 and "Labels restored" in said and "The import that is taken back" in said
    refused = root.post(do(job, "undo"), follow=True).content.decode()
    assert "A reason is required to take back what others did" in refused and _samples(job) == 2
    root.post(do(job, "undo"), {"reason": "the wrong file"}, follow=True)
    jobs.run(ImportJob.objects.filter(undoes=job.id).latest("created_at").id)
    assert _samples(job) == 0


def test_a_job_that_waits_is_cancelled_and_gone_on_with_from_its_page(
    person: Make, dataset: MakeDataset, begin: Import
) -> None:
    ana = person("ana")
    made = dataset(ana)
    job = begin(made, ana, FILE)
    root = logged_in(person("root", superuser=True))
    assert "Cancel</button>" in root.get(page(job)).content.decode()
    assert "cancelled" in root.post(do(job, "cancel"), follow=True).content.decode()
    assert "on its way" in root.post(do(job, "retry"), follow=True).content.decode()
    jobs.run(job.id)
    assert Sample.objects.filter(dataset_id=made).count() == 2
    assert root.get(reverse("admin:releases_importjob_change", args=[uuid.uuid4()])).status_code == 302


def test_a_page_that_nobody_may_see_says_so_on_a_page(person: Make, job: ImportJob) -> None:
    answer = logged_in(person("root", superuser=True)).get(reverse("admin:releases_importjob_add"))
    assert answer.status_code == 403
    assert "You may not see this page" in answer.content.decode() and reverse("admin:index") in answer.content.decode()
