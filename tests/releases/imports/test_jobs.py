"""Imports as jobs: what a file brings, what it leaves alone, how it ends, and how it is taken back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.storage import default_storage

from labeling.commands import assets, datasets, labels
from labeling.log import rebuild, store, tallies
from labeling.models import Annotation, Dataset, Label, Person, Sample
from releases.imports import commands, jobs
from releases.models import Import as ImportRow
from releases.models import ImportJob
from tests.conftest import MakeDataset
from tests.releases.conftest import box
from tests.releases.imports.conftest import Import, coco, findings_of, zipped

JSON = dict[str, Any]
Make = Callable[..., Any]

FILE = coco({"a.png": [("car", 1), ("person", 20)], "b.png": [("car", 3)], "c.png": []})


@pytest.fixture
def streets(person: Make, dataset: MakeDataset) -> tuple[Person, uuid.UUID]:
    ana = person()
    return ana, dataset(ana, name="streets")


def shown(dataset: uuid.UUID) -> dict[str, list[tuple[Any, ...]]]:
    """{sample: (id, category, first x) of each object} of what is there."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for sample in Sample.objects.filter(dataset_id=dataset, archived=False).order_by("name"):
        label = Label.objects.filter(sample_id=sample.id, deleted=False).first()
        rows = Annotation.objects.filter(label_id=label.id).order_by("order", "id") if label else []
        found[sample.name] = [(row.id, row.category_id, row.data["geometry"]["points"][0][0]) for row in rows]
    return found


def test_a_file_brings_samples_and_labels_with_their_origin(streets: Any, bring: Import) -> None:
    ana, dataset = streets
    job = bring(dataset, ana, FILE)
    assert (job.status, job.error, findings_of(job)) == ("SUCCEEDED", "", [])
    assert shown(dataset) == {"a.png": [(1, 1, 1), (2, 2, 20)], "b.png": [(1, 1, 3)], "c.png": []}
    assert job.counts == {"samples_added": 3, "labels_added": 2, "annotations_added": 3}
    assert (job.samples_done, job.samples_total) == (3, 3)
    row = Annotation.objects.filter(dataset_id=dataset).order_by("order").first()
    assert row is not None
    origin = row.data["origin"]
    assert (origin["kind"], origin["import"], origin["format"]) == ("import", str(job.id), "coco-instances")
    assert origin["sha256"] == job.source["sha256"] and origin["row"] == "file.json annotations[0]"
    [imported, _] = [event for event in store.read(dataset) if event.type == "LabelImported"]
    assert imported.data["origin"] == {key: value for key, value in origin.items() if key != "row"}, "said once"
    assert [item["origin"] for item in imported.data["annotations"]] == [
        {"row": f"file.json annotations[{nth}]"} for nth in range(2)
    ]
    assert [(item.origin, item.objects) for item in tallies.by_origin(dataset, store.head(dataset))] == [
        ({"kind": "import"}, 3)
    ]
    events = store.read(dataset, after=5)
    assert {event.intent.correlation for event in events} == {job.id}
    assert {event.intent.author for event in events} == {ana.id}
    kinds = [event.intent.author_kind for event in events if event.type == "LabelImported"]
    assert kinds == ["import", "import"]
    told = ImportRow.objects.get(id=job.id)
    assert (told.state, told.counts, told.source["filename"]) == ("succeeded", job.counts, "file.json")
    sample = Sample.objects.get(dataset_id=dataset, name="a.png")
    assert (sample.metadata["width"], sample.metadata["height"]) == (100, 60)


def test_a_chunk_that_is_a_bulk_stores_the_same(
    streets: Any, dataset: MakeDataset, bring: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its new samples and labels come as lines; beside them stand labels of samples that were there."""
    ana, one = streets
    other = dataset(ana, name="parks")
    odd = coco({'tab\tline\nback\\slash "é".png': [("car", 1)], "a.png": [("car", 1)], "d.png": [("person", 2.5)]})
    rows = []
    for each, least in ((one, 1_000_000), (other, 1)):
        monkeypatch.setattr(store.appending, "STAGED_AGAIN_FROM", least)
        for data in (FILE, odd):
            job = bring(each, ana, data, mode="merge")
            assert job.status == "SUCCEEDED"
        assert rebuild.differences(each) == {}
        rows.append((shown(each), Sample.objects.filter(dataset_id=each).values_list("name", "metadata", "version")))
    assert rows[0][0] == rows[1][0] and sorted(rows[0][1], key=str) == sorted(rows[1][1], key=str)
    assert 'tab\tline\nback\\slash "é".png' in rows[1][0]


def test_samples_that_are_there_are_found_by_name_also_without_the_ending(
    streets: Any, sample: Make, bring: Import
) -> None:
    ana, dataset = streets
    sample(dataset, ana, name="a.png")
    sample(dataset, ana, name="b")
    job = bring(dataset, ana, FILE, samples="skip")
    assert shown(dataset) == {"a.png": [(1, 1, 1), (2, 2, 20)], "b": [(1, 1, 3)]}
    assert job.counts["samples_matched"] == 2 and job.counts["samples_missing"] == 1
    assert findings_of(job) == [("sample 3 (c.png)", "is no sample of the dataset")]


def test_the_same_file_again_changes_nothing(streets: Any, bring: Import) -> None:
    ana, dataset = streets
    bring(dataset, ana, FILE)
    for mode in ("keep", "merge", "override"):
        before = Label.objects.get(
            dataset_id=dataset, sample_id=Sample.objects.get(dataset_id=dataset, name="a.png").id
        ).version
        job = bring(dataset, ana, FILE, mode=mode)
        assert job.status == "SUCCEEDED"
        assert "annotations_added" not in job.counts and "labels_changed" not in job.counts, mode
        after = Label.objects.get(
            dataset_id=dataset, sample_id=Sample.objects.get(dataset_id=dataset, name="a.png").id
        ).version
        assert before == after


OTHER = coco({"a.png": [("car", 1), ("car", 70)]})


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("keep", [(1, 1, 1), (2, 2, 20)]),
        ("merge", [(1, 1, 1), (2, 2, 20), (3, 1, 70)]),
        ("override", [(1, 1, 1), (2, 1, 70)]),
    ],
)
def test_what_exists_is_kept_merged_or_overridden(streets: Any, bring: Import, mode: str, expected: Any) -> None:
    ana, dataset = streets
    bring(dataset, ana, FILE)
    job = bring(dataset, ana, OTHER, mode=mode)
    assert (job.status, findings_of(job)) == ("SUCCEEDED", [])
    assert shown(dataset)["a.png"] == expected


def test_a_dry_run_says_the_same_and_appends_nothing(streets: Any, bring: Import) -> None:
    ana, dataset = streets
    head = store.head(dataset)
    dry = bring(dataset, ana, FILE, dry_run=True)
    assert store.head(dataset) == head and shown(dataset) == {}
    real = bring(dataset, ana, FILE)
    assert (dry.status, dry.counts, findings_of(dry)) == (real.status, real.counts, findings_of(real))


NEW = coco({"a.png": [("car", 1), ("zebra", 20), ("zebra", 30)]}, categories=("car", "zebra"))


def test_unknown_categories_are_added_with_their_events(streets: Any, bring: Import) -> None:
    ana, dataset = streets
    job = bring(dataset, ana, NEW)
    named = {item["name"]: item["id"] for item in Dataset.objects.get(id=dataset).task_attributes["categories"]}
    assert named == {"car": 1, "person": 2, "tree": 3, "zebra": 4}
    assert job.counts["categories_added"] == 1
    assert shown(dataset)["a.png"] == [(1, 1, 1), (2, 4, 20), (3, 4, 30)]
    assert [event.type for event in store.read(dataset, types=["CategoryAdded"])] == ["CategoryAdded"]


def test_unknown_categories_are_refused_with_all_of_the_file(streets: Any, bring: Import) -> None:
    ana, dataset = streets
    job = bring(dataset, ana, NEW, categories="refuse")
    assert job.status == "FAILED" and job.error.startswith("1 of the file's 2 categories are none of the dataset")
    assert shown(dataset) == {}
    assert ImportRow.objects.get(id=job.id).state == "failed"


def test_unknown_categories_are_skipped_with_a_finding_each(streets: Any, bring: Import) -> None:
    ana, dataset = streets
    job = bring(dataset, ana, NEW, categories="skip")
    assert shown(dataset)["a.png"] == [(1, 1, 1)]
    assert findings_of(job) == [
        ("sample 1 (a.png), object 2", "has a category that the dataset does not have"),
        ("sample 1 (a.png), object 3", "has a category that the dataset does not have"),
    ]
    assert job.counts["annotations_refused"] == 2 and job.errors_count == 2


# --- taking it back ------------------------------------------------------------------------------------------------


def undone(job: ImportJob, author: Person, intent: Make, **said: Any) -> ImportJob:
    made = commands.undo_import(intent=intent(author), job=job, send=False, **said)
    jobs.run(made.id)
    made.refresh_from_db()
    return made


def test_an_import_is_taken_back_as_one(streets: Any, bring: Import, intent: Make) -> None:
    ana, dataset = streets
    bring(dataset, ana, OTHER)
    before, categories = shown(dataset), Dataset.objects.get(id=dataset).task_attributes
    job = bring(dataset, ana, NEW, mode="override")
    job = bring(
        dataset, ana, coco({"a.png": [("zebra", 9)], "z.png": [("dog", 2)]}, categories=("zebra", "dog")), mode="merge"
    )
    middle = shown(dataset)
    assert set(middle) == {"a.png", "z.png"}
    head = store.head(dataset)
    dry = undone(job, ana, intent, dry_run=True)
    assert dry.counts == {"labels_restored": 2, "samples_archived": 1, "categories_removed": 1}
    assert store.head(dataset) == head
    done = undone(job, ana, intent)
    assert (done.status, done.counts) == ("SUCCEEDED", dry.counts)
    assert set(shown(dataset)) == {"a.png"}
    assert [row[2] for row in shown(dataset)["a.png"]] == [1, 20, 30]
    assert ImportRow.objects.get(id=job.id).state == "undone"
    names = {item["name"] for item in Dataset.objects.get(id=dataset).task_attributes["categories"]}
    assert names == {"car", "person", "tree", "zebra"}  # zebra came with the import before
    assert before and categories
    with pytest.raises(Exception, match="taken back before"):
        commands.undo_import(intent=intent(ana), job=job)


def test_what_somebody_built_on_an_import_is_in_the_way(streets: Any, bring: Import, intent: Make) -> None:
    ana, dataset = streets
    job = bring(dataset, ana, FILE)
    sample = Sample.objects.get(dataset_id=dataset, name="b.png").id
    moved = {"op": "set_geometry", "annotation": 1, "type": "bbox", "points": [[4, 5], [14, 15]]}
    labels.edit_label(intent=intent(ana), sample=sample, label_set="ground-truth", edits=[moved])
    head = store.head(dataset)
    done = undone(job, ana, intent)
    assert (done.status, store.head(dataset)) == ("FAILED", head), "nothing was taken back"
    assert "skip that, or force it" in done.error
    done = undone(job, ana, intent, on_conflict="skip")
    assert done.status == "SUCCEEDED"
    assert shown(dataset) == {"b.png": [(1, 1, 4)]}
    assert ("label" in findings_of(done)[0][0], findings_of(done)[0][1]) == (True, "was changed by somebody since")


# --- how it ends otherwise -----------------------------------------------------------------------------------------


def bomb() -> bytes:
    return zipped({"a.json": b" " * (150 << 20)})


@pytest.mark.parametrize(
    ("data", "filename", "format_name", "error"),
    [
        (b"", "file.json", "coco-instances", "The file is empty."),
        (b"no json", "file.json", "coco-instances", "There is no JSON file with the images and annotations of COCO."),
        (b"<a></a>", "file.xml", "cvat-images", None),
        (b"\xff\xfe", "list.csv", "classifications", "There is no line with a picture's name and its categories."),
        (b"PK\x03\x04 and no more", "file.zip", "coco-instances", "The archive cannot be read: "),
        (FILE[:-40], "file.json", "coco-instances", "There is no JSON file with the images"),
        (bomb(), "file.zip", "coco-instances", "There is no JSON file with the images"),
        (zipped({"../a.json": FILE}), "file.zip", "coco-instances", "There is no JSON file with the images"),
        (zipped({}), "file.zip", "native", "There is no dataset.json beside a samples.jsonl."),
    ],
    ids=["empty", "no JSON", "another XML", "not UTF-8", "no archive", "cut off", "a bomb", "a path out", "no files"],
)
def test_a_file_that_cannot_be_read_fails_with_the_reason(
    streets: Any, bring: Import, data: bytes, filename: str, format_name: str, error: str | None
) -> None:
    ana, dataset = streets
    job = bring(dataset, ana, data, filename=filename, format=format_name)
    assert job.status == "FAILED" and job.error.startswith(error or ""), job.error
    assert job.error.endswith(".") and not Sample.objects.filter(dataset_id=dataset).exists()
    told = ImportRow.objects.get(id=job.id)
    assert (told.state, told.reason) == ("failed", job.error)


def test_members_that_are_not_read_are_found(streets: Any, bring: Import) -> None:
    ana, dataset = streets
    job = bring(dataset, ana, zipped({"../evil.json": FILE, "good.json": FILE}), filename="file.zip")
    assert job.status == "SUCCEEDED" and len(shown(dataset)) == 3
    assert findings_of(job) == [("file 1 of the archive", "its path leads out of the archive")]


def test_a_bad_row_is_left_out_and_the_others_are_imported(streets: Any, bring: Import) -> None:
    ana, dataset = streets
    document = json.loads(FILE)
    document["annotations"][0]["bbox"] = [1, 2]
    document["annotations"][1]["attributes"] = {"note": "a\u0000b"}
    document["annotations"].append({"id": 9, "image_id": 77, "category_id": 1, "bbox": [1, 1, 2, 2]})
    document["images"].append(document["images"][2] | {"id": 99})
    job = bring(dataset, ana, json.dumps(document).encode())
    assert job.status == "SUCCEEDED"
    assert shown(dataset) == {"a.png": [], "b.png": [(1, 1, 3)], "c.png": []}
    assert sorted(findings_of(job)) == [
        ("file.json annotations[0]", "has a segmentation, a bbox or keypoints that cannot be read"),
        ("file.json annotations[3]", "names no image of this file"),
        ("sample 1 (a.png), object 1", "attributes.note: must not hold a NUL character"),
    ]


def test_the_same_sample_twice_in_a_file_is_imported_once(streets: Any, bring: Import) -> None:
    ana, dataset = streets
    files = {
        "annotations/instances_train.json": coco({"a.png": [("car", 1)]}),
        "annotations/instances_val.json": coco({"a.png": [("car", 2)]}),
    }
    job = bring(dataset, ana, zipped(files), filename="file.zip")
    assert shown(dataset) == {"a.png": [(1, 1, 1)]}
    assert findings_of(job) == [("record 2", "is of the same sample as one before it, and was left out")]
    assert Sample.objects.get(dataset_id=dataset).metadata["split"] == "train"


def test_the_file_is_gone_from_storage(streets: Any, begin: Import) -> None:
    ana, dataset = streets
    job = begin(dataset, ana, coco({"gone.png": [("car", 1)]}))
    default_storage.delete(assets.path_of(job.source["sha256"]))
    jobs.run(job.id)
    job.refresh_from_db()
    assert (job.status, job.error) == ("FAILED", "The file is not in storage any more; send it again.")


def test_the_dataset_is_deleted_meanwhile(streets: Any, begin: Import, intent: Make) -> None:
    ana, dataset = streets
    job = begin(dataset, ana, FILE)
    datasets.delete_dataset(intent=intent(ana), dataset=dataset)
    jobs.run(job.id)
    job.refresh_from_db()
    assert job.status == "FAILED" and job.error.startswith("The dataset was not found")


def test_the_person_lost_their_rights(person: Make, streets: Any, begin: Import, intent: Make) -> None:
    ana, dataset = streets
    ben = person("ben")
    datasets.add_member(intent=intent(ana), dataset=dataset, person=ben.id, role="admin")
    job = begin(dataset, ben, FILE)
    datasets.change_role(intent=intent(ana), dataset=dataset, person=ben.id, role="labeler")
    jobs.run(job.id)
    job.refresh_from_db()
    assert job.status == "FAILED" and "needs the role admin" in job.error
    assert shown(dataset) == {}


def test_a_labeler_imports_into_what_is_there(person: Make, dataset: MakeDataset, sample: Make, bring: Import) -> None:
    ana, ben = person(), person("ben")
    made = dataset(ana, labelers=(ben,))
    sample(made, ana, name="a.png")
    with pytest.raises(Exception, match="needs the role admin"):
        bring(made, ben, FILE)
    job = bring(made, ben, FILE, samples="skip", categories="skip")
    assert job.status == "SUCCEEDED" and shown(made) == {"a.png": [(1, 1, 1), (2, 2, 20)]}


def test_a_job_is_cancelled_gone_on_with_and_ends_as_if_nothing_was(
    streets: Any, begin: Import, intent: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, dataset = streets
    monkeypatch.setattr("releases.imports.cutting.MOST_SAMPLES", 1)
    job = begin(dataset, ana, FILE)

    def stop(done: int, total: int | None) -> None:
        if done == 2:
            ImportJob.objects.filter(id=job.id).update(cancel=True)

    jobs.run(job.id, progress=stop)
    job.refresh_from_db()
    assert (job.status, len(shown(dataset)), job.counts["samples_added"]) == ("CANCELED", 2, 2)
    assert ImportRow.objects.get(id=job.id).state == "canceled"
    commands.retry_job(intent=intent(ana), job=job)
    assert ImportRow.objects.get(id=job.id).state == "running"
    jobs.run(job.id)
    job.refresh_from_db()
    assert job.status == "SUCCEEDED"
    assert job.counts == {"samples_added": 3, "labels_added": 2, "annotations_added": 3}
    assert shown(dataset) == {"a.png": [(1, 1, 1), (2, 2, 20)], "b.png": [(1, 1, 3)], "c.png": []}
    with pytest.raises(Exception, match="nothing to cancel"):
        commands.cancel_job(intent=intent(ana), job=job)
    with pytest.raises(Exception, match="failed or was cancelled"):
        commands.retry_job(intent=intent(ana), job=job)


def test_a_job_that_waits_is_cancelled_at_once(streets: Any, begin: Import, intent: Make) -> None:
    ana, dataset = streets
    job = begin(dataset, ana, FILE)
    commands.cancel_job(intent=intent(ana), job=job)
    job.refresh_from_db()
    assert job.status == "CANCELED" and shown(dataset) == {}


def test_two_imports_at_once_bring_each_sample_once(
    streets: Any, begin: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, dataset = streets
    monkeypatch.setattr("releases.imports.cutting.MOST_SAMPLES", 1)
    one, two = begin(dataset, ana, FILE), begin(dataset, ana, OTHER, mode="merge")
    jobs.run(one.id, progress=lambda done, total: jobs.run(two.id) if done == 1 else None)
    assert shown(dataset) == {"a.png": [(1, 1, 1), (2, 2, 20), (3, 1, 70)], "b.png": [(1, 1, 3)], "c.png": []}
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.status, two.status) == ("SUCCEEDED", "SUCCEEDED")


def test_the_same_request_again_is_the_same_job(streets: Any, begin: Import) -> None:
    ana, dataset = streets
    one, two = begin(dataset, ana, FILE, key="k"), begin(dataset, ana, FILE, key="k")
    assert one.id == two.id and ImportJob.objects.filter(dataset_id=dataset).count() == 1
    with pytest.raises(Exception, match="Idempotency-Key was used"):
        begin(dataset, ana, OTHER, key="k")


def test_a_worker_that_fails_is_tried_again_and_then_given_up(
    streets: Any, begin: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, dataset = streets
    job = begin(dataset, ana, FILE)

    def broken(*arguments: Any, **named: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("releases.imports.plans.Plan.make", broken)
    for _ in range(4):
        with pytest.raises(RuntimeError):
            jobs.run(job.id)
    jobs.run(job.id)
    job.refresh_from_db()
    assert (job.status, job.error) == ("FAILED", "It was tried 5 times; the last ended in RuntimeError.")


def test_a_label_with_more_objects_than_an_append_may_have_is_begun_and_gone_on_with(
    streets: Any, bring: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, dataset = streets
    monkeypatch.setattr("releases.imports.cutting.MOST_OF_LABEL", 10)
    data = coco({"a.png": [("car", x) for x in range(25)], "b.png": [("person", x) for x in range(12)]})
    job = bring(dataset, ana, data)
    assert (job.status, findings_of(job)) == ("SUCCEEDED", [])
    there = shown(dataset)
    assert [row[0] for row in there["a.png"]] == list(range(1, 26))
    assert [row[2] for row in there["a.png"]] == list(range(25)) and len(there["b.png"]) == 12
    assert job.counts == {"samples_added": 2, "labels_added": 2, "annotations_added": 37}
    assert job.samples_done == 2
    for mode in ("merge", "override"):
        again = bring(dataset, ana, data, mode=mode)
        assert again.counts == {"samples_matched": 2, "labels_unchanged": 2, "annotations_unchanged": 37}


def test_a_document_that_the_dataset_refuses_is_a_finding(streets: Any, bring: Import, intent: Make) -> None:
    ana, dataset = streets
    datasets.change_dataset(intent=intent(ana), dataset=dataset, changes={"labels_outside_image": "refuse"})
    job = bring(dataset, ana, coco({"a.png": [("car", 1), ("car", 95)]}))
    assert shown(dataset)["a.png"] == [(1, 1, 1)]
    [(where, message)] = findings_of(job)
    assert where == "sample 1 (a.png), object 2" and "image" in message


def test_an_accepted_label_is_reopened_by_a_labelers_import(
    person: Make, dataset: MakeDataset, sample: Make, label: Make, bring: Import, intent: Make
) -> None:
    ana, ben = person(), person("ben")
    made = dataset(ana, labelers=(ben,))
    first = sample(made, ana, name="a.png")
    label(first, ana, {"annotations": [box()]}, status="REVIEWED")
    job = bring(made, ben, OTHER, samples="skip", categories="skip", mode="merge")
    assert job.status == "SUCCEEDED" and Label.objects.get(sample_id=first).status == "LABELING_IN_PROGRESS"
    datasets.change_dataset(intent=intent(ana), dataset=made, changes={"accepted_label_edits": "refuse"})
    Label.objects.get(sample_id=first)
    labels.save_label(intent=intent(ana), sample=first, label_set="ground-truth", status="REVIEWED")
    job = bring(made, ben, FILE, samples="skip", categories="skip", mode="merge")
    assert findings_of(job)[0][1] == "is accepted, and labelers do not edit such a label here"
