"""Imports over HTTP: a form or an asset begins one, and its job says how far it is, what was found, and is stopped."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from labeling.commands import people
from labeling.log.event import Intent
from labeling.models import Sample
from releases.imports import jobs
from releases.models import ImportJob
from tests.conftest import MakeDataset
from tests.releases.imports.conftest import coco

Make = Callable[..., Any]
FILE = coco({"a.png": [("car", 1)], "b.png": [("zebra", 2), ("zebra", 9)]}, categories=("car", "zebra"))
PATH = "/datasets/ana/streets/imports/"


@pytest.fixture
def client(person: Make, dataset: MakeDataset, intent: Callable[..., Intent]) -> APIClient:
    ana = person()
    dataset(ana, name="streets")
    _, key = people.create_key(intent=intent(ana), person=ana)
    return APIClient(headers={"Authorization": f"APIKey {key}"})


def form(**said: Any) -> dict[str, Any]:
    return {"format": "coco-instances", "file": SimpleUploadedFile("a.json", FILE)} | said


def _samples(job: dict[str, Any]) -> int:
    dataset = ImportJob.objects.get(id=job["uuid"]).dataset_id
    return Sample.objects.filter(dataset_id=dataset, archived=False).count()


def test_a_form_begins_an_import_and_its_job_tells_of_it(client: APIClient) -> None:
    begun = client.post(PATH, form(categories="skip", options="{}"), format="multipart")
    assert begun.status_code == 202, begun.content
    job = begun.json()
    assert (job["status"], job["dataset"], job["dry_run"]) == ("PENDING", "ana/streets", False)
    assert job["source"]["filename"] == "a.json" and job["wish"]["categories"] == "skip"
    jobs.run(uuid.UUID(job["uuid"]))
    done = client.get(f"/jobs/{job['uuid']}/?limit=1").json()
    assert (done["status"], done["errors_count"], len(done["findings"])) == ("SUCCEEDED", 2, 1)
    rest = client.get(f"/jobs/{job['uuid']}/?after=1").json()["findings"]
    assert [(item["number"], item["where"]) for item in rest] == [(2, "sample 2 (b.png), object 2")]
    assert [item["uuid"] for item in client.get(PATH).json()] == [job["uuid"]]
    undone = client.post(f"/jobs/{job['uuid']}/undo/", {"dry_run": True}, format="json")
    assert undone.status_code == 202 and undone.json()["undoes"] == job["uuid"]
    jobs.run(uuid.UUID(undone.json()["uuid"]))
    counts = client.get(f"/jobs/{undone.json()['uuid']}/").json()["counts"]
    assert counts == {"labels_restored": 2, "samples_archived": 2}
    assert _samples(job) == 2


def test_a_dry_run_of_a_form_changes_nothing(client: APIClient) -> None:
    job = client.post(PATH, form(dry_run="true"), format="multipart").json()
    jobs.run(uuid.UUID(job["uuid"]))
    done = client.get(f"/jobs/{job['uuid']}/").json()
    assert done["dry_run"] and done["counts"]["annotations_added"] == 3
    assert _samples(job) == 0
    refused = client.post(f"/jobs/{job['uuid']}/undo/", {}, format="json")
    assert refused.status_code == 409 and refused.json()["code"] == "refused"


def test_a_job_is_cancelled_by_either_request(client: APIClient) -> None:
    for cancel in (lambda job: client.delete(f"/jobs/{job}/"), lambda job: client.post(f"/jobs/{job}/cancel/")):
        job = client.post(PATH, form(), format="multipart").json()["uuid"]
        assert cancel(job).json()["status"] == "CANCELED"
        assert cancel(job).status_code == 409
        assert client.post(f"/jobs/{job}/retry/").json()["status"] == "PENDING"


def test_the_same_idempotency_key_is_the_same_job(client: APIClient) -> None:
    headers = {"Idempotency-Key": "k-1"}
    one = client.post(PATH, form(), format="multipart", headers=headers).json()
    two = client.post(PATH, form(), format="multipart", headers=headers).json()
    assert one["uuid"] == two["uuid"] and [item["uuid"] for item in client.get(PATH).json()] == [one["uuid"]]
    other = client.post(PATH, form(mode="merge"), format="multipart", headers=headers)
    assert other.status_code == 422


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"format": "nonsense"}, "format"),
        ({"mode": "replace"}, "mode"),
        ({"categories": "x"}, "categories"),
        ({"samples": "x"}, "samples"),
        ({"label_status": "DONE"}, "label_status"),
        ({"dry_run": "maybe"}, "dry_run"),
        ({"options": "{"}, "options"),
        ({"options": '{"colour": "red"}'}, "options.colour"),
        ({"options": "[]"}, "options"),
        ({"extra": "x"}, "body"),
        ({"asset": str(uuid.uuid4())}, "asset"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_field(client: APIClient, said: Any, field: str) -> None:
    answer = client.post(PATH, form(**said), format="multipart")
    assert (answer.status_code, answer.json()["field"]) == (400, field), answer.content
    assert client.get(PATH).json() == []


def test_bodies_that_are_none(client: APIClient) -> None:
    for body in (
        {},
        {"format": "coco-instances"},
        {"format": "coco-instances", "file": "x"},
        {"format": 5, "asset": 7},
    ):
        answer = client.post(PATH, json.dumps(body), content_type="application/json")
        assert answer.status_code == 400, body
    answer = client.post(PATH, {"format": "coco-instances", "asset": str(uuid.uuid4())}, format="json")
    assert answer.status_code == 400 and "asset" in answer.content.decode()
    broken = client.generic("POST", PATH, "--x\r\nnonsense", content_type="multipart/form-data; boundary=")
    assert broken.status_code == 400
    assert client.get(f"/jobs/{uuid.uuid4()}/").status_code == 404
