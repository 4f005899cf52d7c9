"""What a dataset asks of imports: a reason where it asks one of others, and no review of what one brings in oneself."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from labeling.commands import datasets, labels, people
from labeling.errors import ReasonRequired, Refused
from labeling.log import store
from labeling.log.event import Intent
from labeling.models import Label, Person, Sample
from labeling.texts import decrypt_all, encrypt
from releases.imports import commands, jobs
from releases.models import ImportJob
from tests.conftest import MakeDataset
from tests.releases.imports.conftest import Import, coco, findings_of

Make = Callable[..., Any]
FILE = coco({"a.png": [("car", 1)], "b.png": [("person", 2)]})
OTHER = coco({"a.png": [("car", 50)], "b.png": [("person", 2)]})


@pytest.fixture
def ana(person: Make) -> Person:
    found: Person = person("ana")
    return found


@pytest.fixture
def streets(ana: Person, dataset: MakeDataset, bring: Import) -> uuid.UUID:
    """A dataset with two labels, which asks a reason for imports, deletions and changes of accepted labels."""
    made = dataset(ana, name="streets", reasons_required=["import", "delete", "edit_accepted"])
    assert bring(made, ana, FILE).status == "SUCCEEDED"
    return made


def because(author: Person, reason: str = "they were wrong") -> Intent:
    return Intent(author=author.id, reason=encrypt(reason, person=author.id))


def accept(dataset: uuid.UUID, by: Person) -> Label:
    """The label of a.png, accepted."""
    sample = Sample.objects.get(dataset_id=dataset, name="a.png")
    edits = [{"op": "set_status", "verb": "accept"}]
    labels.edit_label(intent=because(by), sample=sample.id, label_set="ground-truth", edits=edits)
    return Label.objects.get(dataset_id=dataset, sample_id=sample.id)


def test_overriding_takes_a_reason_and_all_else_does_not(streets: uuid.UUID, ana: Person, begin: Import) -> None:
    head = store.head(streets)
    with pytest.raises(ReasonRequired, match="in the place of labels"):
        begin(streets, ana, OTHER, mode="override")
    assert store.head(streets) == head and ImportJob.objects.filter(dataset_id=streets).count() == 1
    for said in ({"mode": "override", "dry_run": True}, {"mode": "merge"}, {"mode": "keep"}):
        begin(streets, ana, OTHER, **said)


def test_its_reason_stands_at_every_event_of_an_import(streets: uuid.UUID, ana: Person) -> None:
    first, head = ImportJob.objects.get(dataset_id=streets), store.head(streets)
    commands.undo_import(intent=because(ana), job=first, send=False)
    jobs.run(ImportJob.objects.get(undoes=first.id).id)
    events = store.read(streets, after=head)
    assert {event.type for event in events} >= {"LabelRestored", "SampleArchived", "ImportUndone"}
    assert set(decrypt_all([event.intent.reason for event in events])) == {"they were wrong"}


def test_merging_into_accepted_labels_takes_one_too(streets: uuid.UUID, ana: Person, bring: Import) -> None:
    accept(streets, ana)
    with pytest.raises(ReasonRequired, match="accepted"):
        bring(streets, ana, OTHER, mode="merge")
    assert bring(streets, ana, OTHER, mode="keep").status == "SUCCEEDED"


def test_a_label_that_is_accepted_while_it_is_imported_is_left_alone(
    streets: uuid.UUID, ana: Person, begin: Import
) -> None:
    job = begin(streets, ana, OTHER, mode="merge")
    version = accept(streets, ana).version
    jobs.run(job.id)
    job.refresh_from_db()
    [(where, why)] = findings_of(job)
    assert where == "sample 1 (a.png)" and why.startswith("was left as it was: reason: is required")
    assert accept(streets, ana).version == version


def test_taking_back_takes_a_reason_for_what_goes_with_it(streets: uuid.UUID, ana: Person) -> None:
    job = ImportJob.objects.get(dataset_id=streets)
    commands.undo_import(intent=Intent(author=ana.id), job=job, dry_run=True, send=False)
    for asked in (["import"], ["delete"]):
        change = {"reasons_required": asked}
        datasets.change_dataset(intent=Intent(author=ana.id), dataset=streets, changes=change)
        with pytest.raises(ReasonRequired):
            commands.undo_import(intent=Intent(author=ana.id), job=job, send=False)
    datasets.change_dataset(intent=Intent(author=ana.id), dataset=streets, changes={"reasons_required": ["override"]})
    commands.undo_import(intent=Intent(author=ana.id), job=job, send=False)


def test_nobody_accepts_what_they_bring_in_where_four_eyes_are_asked_for(
    ana: Person, dataset: MakeDataset, begin: Import, bring: Import
) -> None:
    made = dataset(ana)
    job = begin(made, ana, FILE, label_status="REVIEWED")
    datasets.change_dataset(intent=Intent(author=ana.id), dataset=made, changes={"enable_four_eyes": True})
    jobs.run(job.id)
    assert not Label.objects.filter(dataset_id=made).exists(), "what is asked for since counts too"
    assert {why for _, why in findings_of(job)} == {
        "was left as it was: Nobody reviews a label here that they changed themselves (four eyes);"
        " somebody else has to."
    }
    with pytest.raises(Refused, match="label_status"):
        bring(made, ana, FILE, label_status="REVIEWED")
    bring(made, ana, FILE, label_status="LABELED")
    assert set(Label.objects.filter(dataset_id=made).values_list("status", flat=True)) == {"LABELED"}


# --- the doors -------------------------------------------------------------------------------------------------------


def test_the_api_asks_and_takes_it_in_a_form_a_body_and_a_header(streets: uuid.UUID, ana: Person) -> None:
    _, key = people.create_key(intent=people.operator("test"), person=ana)
    client = APIClient(headers={"Authorization": f"APIKey {key}"})
    path = "/datasets/ana/streets/imports/"

    def form(**said: Any) -> Any:
        file = SimpleUploadedFile("a.json", OTHER)
        return client.post(
            path, {"format": "coco-instances", "file": file, "mode": "override"} | said, format="multipart"
        )

    refused = form()
    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (422, "reason_required", "reason")
    done = form(reason="better ones")
    assert done.status_code == 202, done.content
    job = ImportJob.objects.get(id=done.json()["uuid"])
    assert decrypt_all([job.intent["reason"]]) == ["better ones"]
    jobs.run(job.id)
    [event] = store.read(streets, types=["AnnotationRemoved"])
    assert decrypt_all([event.intent.reason]) == ["better ones"]
    undo = f"/jobs/{job.id}/undo/"
    assert client.post(undo, {}, format="json").status_code == 422
    assert client.post(undo, {"dry_run": True}, format="json").status_code == 202
    assert client.post(undo, {}, format="json", headers={"X-Reason": "no%20better"}).status_code == 202
    asset = {"format": "coco-instances", "asset": job.source["asset"], "mode": "override", "reason": "again"}
    assert client.post(path, asset, format="json").status_code == 202


def test_the_commands_ask_and_take_it(streets: uuid.UUID, ana: Person, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_bytes(OTHER)

    def run(name: str, *arguments: str) -> str:
        said = io.StringIO()
        call_command(name, *arguments, stdout=said, stderr=said)
        return said.getvalue()

    wanted = ("ana/streets", "coco-instances", str(file), "--by", "ana", "--mode", "override")
    with pytest.raises(CommandError, match="reason"):
        run("import", *wanted)
    assert "Done" in run("import", *wanted, "--reason", "better ones")
    job = ImportJob.objects.filter(dataset_id=streets).latest("created_at")
    with pytest.raises(CommandError, match="reason"):
        run("undo_import", str(job.id), "--by", "ana")
    assert "Done" in run("undo_import", str(job.id), "--by", "ana", "--reason", "no better")


def test_the_page_asks_where_the_dataset_does(streets: uuid.UUID, person: Make) -> None:
    job = ImportJob.objects.get(dataset_id=streets)
    ana = Person.objects.get(username="ana")
    Person.objects.filter(id=ana.id).update(is_staff=True)
    client = Client()
    client.force_login(ana)
    page = reverse("admin:releases_importjob_change", args=[job.id])
    assert 'maxlength="10000" required' in client.get(page).content.decode()
    undo = reverse("admin:releases_importjob_do", args=[job.id, "undo"])
    assert "A reason is required to delete" in client.post(undo, follow=True).content.decode()
    assert not ImportJob.objects.filter(dataset_id=streets).exclude(undoes=None).exists()
    client.post(undo, {"reason": "the wrong file"})
    datasets.change_dataset(intent=because(ana), dataset=streets, changes={"reasons_required": []})
    assert 'placeholder="if you like"' in client.get(page).content.decode()
