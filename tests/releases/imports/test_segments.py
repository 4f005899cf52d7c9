"""The Segments release file comes back: what a release holds, brought into another dataset, is what that one holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.db import connection

from labeling.geometry import png
from labeling.log import values
from labeling.models import Person, Sample
from labeling.references import WIDE
from releases import builds, bundling, commands, queries
from releases.formats.segments_reading import OF_OBJECTS
from releases.models import Release
from releases.serving import pieces
from releases.wholes import Whole
from tests.conftest import MakeDataset
from tests.e2e.documents import ALL_TYPES, TASK_ATTRIBUTES, label_attributes, sample_attributes
from tests.releases.conftest import Built, box
from tests.releases.imports.conftest import Import, findings_of, zipped
from tests.releases.test_exports import as_sent, bitmap_of, picture

JSON = dict[str, Any]
Make = Callable[..., Any]
#: What an import says of its own: where objects are from. What follows from it differs with them.
OWN = frozenset({"version", "uuid", "origin", "created_at", "updated_at", "hash", "bitmap_hash", "links_to"})
NO_CATEGORIES: JSON = {"task_attributes": {"format_version": "0.1", "categories": []}}


def served(built: Built) -> bytes:
    """The file as its address gives it."""
    whole = Whole(built.row, built.job)
    made = pieces(whole, public_url=settings.PUBLIC_URL, usernames=lambda people: dict.fromkeys(people, "ana"))
    data = b"".join(made)
    whole.close()
    return data


def held(built: Built) -> Any:
    """What a release holds of each sample, without what is each dataset's own."""
    dataset = built.document["dataset"]
    return [plain(item) for item in dataset["samples"]], plain(dataset["task_attributes"]["categories"])


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        # An object without attributes is one with none, to every reader.
        return {
            key: plain(item)
            for key, item in value.items()
            if key not in OWN and not (key == "attributes" and item == {})
        }
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def worlds(person: Make, dataset: MakeDataset, sample: Make, label: Make, release: Make, bring: Import) -> Make:
    """worlds(task type): a release with everything that a label of the type has, and what an import of a file of it
    into another dataset makes, released too."""

    def make(task_type: str, data: Callable[[Built], bytes], filename: str = "release.json", **said: Any) -> Any:
        ana = person()
        first = dataset(ana, task_type=task_type, task_attributes=TASK_ATTRIBUTES)
        url = picture(ana, 30, 20)
        attributes = as_sent(sample_attributes(task_type, url))
        one = sample(first, ana, name="one", attributes=attributes, metadata={"city": "Ghent", "n": [1, 2.5]})
        sample(first, ana, name="two.png", attributes=attributes)
        ids = np.zeros((20, 30), dtype=np.uint32)
        ids[2:9, 3:12], ids[10:12, 3:12], ids[14:, 20:] = 1, 2, 300
        document = as_sent(label_attributes(task_type, bitmap_of(ana, ids)))
        if task_type == "vector":  # every category is one that the dataset has
            document["annotations"] = [item for item in document["annotations"] if item["category_id"] != 404]
        label(one, ana, document, status="REVIEWED")
        built = release(first, ana)
        second = dataset(ana, task_type=task_type, **NO_CATEGORIES)
        job = bring(second, ana, data(built), format="segments", filename=filename, **said)
        assert (job.status, job.error, job.errors_count) == ("SUCCEEDED", "", 0), (job.error, findings_of(job))
        return built, release(second, ana), job

    return make


@pytest.mark.parametrize("task_type", ALL_TYPES)
def test_labels_of_every_task_type_come_back(task_type: str, worlds: Make) -> None:
    first, second, _ = worlds(task_type, served)
    was, now = held(first), held(second)
    if task_type.startswith("segmentation"):
        for one in (was, now):  # the same pixels, in a file of another name
            one[0][0]["labels"]["ground-truth"]["attributes"]["segmentation_bitmap"].pop("url")
    assert now == was
    assert now[0][0]["labels"]["ground-truth"]["label_status"] == "REVIEWED"
    assert now[0][1]["labels"]["ground-truth"] is None


def categories_in(document: Any) -> set[int]:
    """The categories of all objects of a document, in whatever frame and of whatever sensor."""
    if isinstance(document, dict):
        own = {document["category_id"]} if "category_id" in document else set()
        return own.union(*map(categories_in, document.values()))
    return set().union(*map(categories_in, document)) if isinstance(document, list) else set()


@pytest.mark.parametrize("task_type", [name for name in ALL_TYPES if name not in OF_OBJECTS])
def test_a_category_that_is_skipped_does_not_come_as_the_one_that_has_its_number_here(
    task_type: str, worlds: Make, person: Make, dataset: MakeDataset, release: Make, bring: Import
) -> None:
    first, _, _ = worlds(task_type, served)
    ben = person("ben")
    here = {"format_version": "0.1", "categories": [{"id": 1, "name": "banana"}, {"id": 5, "name": "road"}]}
    made = dataset(ben, task_type=task_type, task_attributes=here)
    was = first.document["dataset"]["samples"][0]["labels"]["ground-truth"]["attributes"]
    job = bring(made, ben, served(first), format="segments", categories="skip")
    now = release(made, ben).document["dataset"]["samples"][0]["labels"]["ground-truth"]["attributes"]
    # 404 is a category of neither, and a label may hold it.
    assert categories_in(was) - {404} <= {1, 2} and 1 in categories_in(was)
    assert categories_in(now) == {5 if number == 2 else number for number in categories_in(was) - {1}}
    problem = "has objects of categories that the dataset does not have, and comes without them"
    assert (job.status, findings_of(job)) == ("SUCCEEDED", [("sample 1 (one)", problem)])


def test_the_stored_file_and_the_archive_are_read_too(worlds: Make) -> None:
    for data, filename in (
        (lambda built: built.data, "release.json"),
        (lambda built: b"".join(bundling.archive(queries.release_by_id(built.row.id))), "release.zip"),
    ):
        first, second, _ = worlds("segmentation-bitmap", data, filename)
        hashes = [
            item.document["dataset"]["samples"][0]["labels"]["ground-truth"]["attributes"]["segmentation_bitmap"][
                "hash"
            ]
            for item in (first, second)
        ]
        assert hashes[0] == hashes[1]


def test_an_archive_with_its_files_is_read_where_none_of_them_is_known(
    worlds: Make, dataset: MakeDataset, bring: Import, release: Make, intent: Make, person: Make
) -> None:
    """Another installation, which has no file of these addresses: those of the archive become its own."""
    first, _, _ = worlds("segmentation-bitmap", served)
    ben = person("ben-of-elsewhere")
    owner = person_of(first)
    commands.cut_release(intent=intent(owner), dataset=first.row.dataset_id, name="whole", images="included")
    cut = Release.objects.get(dataset_id=first.row.dataset_id, name="whole")
    builds.build(cut.id)
    data = b"".join(bundling.archive(queries.release_by_id(cut.id)))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE labeling_asset SET token = CASE left(token, 1) WHEN 'x' THEN 'y' ELSE 'x' END || substr(token, 2)"
        )
    made = dataset(ben, task_type="segmentation-bitmap", **NO_CATEGORIES)
    job = bring(made, ben, data, format="segments", filename="whole.zip")
    assert (job.status, job.error, findings_of(job)) == ("SUCCEEDED", "", [])
    found = release(made, ben).document["dataset"]["samples"]
    before, _ = first.document["dataset"]["samples"]
    image = found[0]["attributes"]["image"]["url"]
    assert image.startswith("/media/") and image != before["attributes"]["image"]["url"]
    bitmap = found[0]["labels"]["ground-truth"]["attributes"]["segmentation_bitmap"]
    assert bitmap["hash"] == before["labels"]["ground-truth"]["attributes"]["segmentation_bitmap"]["hash"]


def test_a_bitmap_of_ours_is_not_taken_for_a_file_of_its_name_in_the_archive(
    worlds: Make, dataset: MakeDataset, bring: Import, release: Make
) -> None:
    first, _, _ = worlds("segmentation-bitmap", served)
    was = first.document["dataset"]["samples"][0]["labels"]["ground-truth"]["attributes"]["segmentation_bitmap"]
    others = png.write_ids(np.ones((20, 30), dtype=np.uint32))
    data = zipped({"release.json": served(first), f"images/{was['url'].rsplit('/', 1)[-1]}": others})
    made = dataset(person_of(first), task_type="segmentation-bitmap", **NO_CATEGORIES)
    job = bring(made, person_of(first), data, format="segments", filename="a.zip")
    assert (job.status, findings_of(job)) == ("SUCCEEDED", [])
    now = release(made, person_of(first)).document["dataset"]["samples"][0]["labels"]["ground-truth"]["attributes"]
    assert now["segmentation_bitmap"]["hash"] == was["hash"]


def person_of(built: Built) -> Any:
    return Person.objects.get(id=built.row.created_by)


# --- files of Segments.ai ---------------------------------------------------------------------------------------------


def theirs(**more: Any) -> JSON:
    """A release file as Segments.ai documents it: nothing of ours, addresses of theirs, pretty-printed."""
    label = {
        "label_status": "LABELED",
        "attributes": {
            "format_version": "0.1",
            "annotations": [{"id": 1, "category_id": 1}, {"id": 2, "category_id": 0, "attributes": {"is_crowd": True}}],
            "segmentation_bitmap": {"url": "https://segmentsai-prod.s3.eu-west-2.amazonaws.com/assets/b/9f4a.png"},
        },
        "created_at": "2021-04-09T09:40:20.338440Z",
        "created_by": "davy",
        "score": None,
        "rating": None,
    }
    found = {
        "name": "v0.1",
        "description": "",
        "created_at": "2021-04-09 09:40:46.014033+00:00",
        "dataset": {
            "name": "flowers",
            "owner": "segments",
            "task_type": "segmentation-bitmap",
            "task_attributes": {
                "format_version": "0.1",
                "categories": [{"id": 0, "name": "rose"}, {"id": 1, "name": "violet", "color": [0, 113, 188]}],
            },
            "labelsets": [{"name": "ground-truth", "description": ""}, {"name": "model", "description": "m"}],
            "samples": [
                {
                    "uuid": "9d5bb5b8-9b7e-4d40-b7a8-4e2cfd7e3c34",
                    "name": "violet.jpg",
                    "attributes": {"image": {"url": "https://segmentsai-prod.s3.eu-west-2.amazonaws.com/a/violet.jpg"}},
                    "metadata": {},
                    "labels": {"ground-truth": label, "model": None},
                },
                {
                    "uuid": "1ebeb41c-a1b8-44a4-96ee-7ddeb8b9ec0e",
                    "name": "rose.jpg",
                    "attributes": {"image": {"url": "https://segmentsai-prod.s3.eu-west-2.amazonaws.com/a/rose.jpg"}},
                    "metadata": {},
                    "labels": {"ground-truth": None, "model": None},
                },
            ],
        },
    }
    return found | more


def pretty(value: Any) -> bytes:
    return json.dumps(value, indent=2).encode()


def test_a_file_of_segments_ai_is_imported_with_the_bitmaps_beside_it(
    person: Make, dataset: MakeDataset, bring: Import, release: Make
) -> None:
    ana = person()
    made = dataset(ana, task_type="segmentation-bitmap", **NO_CATEGORIES)
    ids = np.zeros((20, 30), dtype=np.uint32)
    ids[2:9, 3:12], ids[10:12] = 1, 2
    files = {"v0.1.json": pretty(theirs()), "labels/9f4a.png": png.write_ids(ids)}
    job = bring(made, ana, zipped(files), format="segments", filename="v0.1.zip")
    assert (job.status, job.errors_count) == ("SUCCEEDED", 0), findings_of(job)
    assert [message for _, message in findings_of(job)] == [
        "has another label set, which is not read; `labels_of` says which is"
    ]
    built = release(made, ana)
    first, second = built.document["dataset"]["samples"]
    assert second["labels"]["ground-truth"] is None
    assert first["attributes"]["image"]["url"].endswith("/a/violet.jpg")
    label = first["labels"]["ground-truth"]
    assert label["label_status"] == "LABELED"
    names = {item["id"]: item["name"] for item in built.document["dataset"]["task_attributes"]["categories"]}
    drawn = label["attributes"]["annotations"]
    assert [(item["id"], names[item["category_id"]]) for item in drawn] == [(1, "violet"), (2, "rose")]
    assert drawn[1]["attributes"] == {"is_crowd": True}


def test_without_the_bitmap_the_finding_says_what_to_do(person: Make, dataset: MakeDataset, bring: Import) -> None:
    ana = person()
    made = dataset(ana, task_type="segmentation-bitmap", **NO_CATEGORIES)
    job = bring(made, ana, pretty(theirs()), format="segments", options={"labels_of": "ground-truth"})
    [problem] = [message for _, message in findings_of(job) if "bitmap" in message]
    assert "ZIP archive" in problem and job.status == "SUCCEEDED"
    assert Sample.objects.filter(dataset_id=made).count() == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dataset": {"samples": {}}}, "no JSON file of a release"),
        ({"dataset": {"samples": [], "labelsets": [{"name": "other"}]}}, "no label set of that name"),
        ({"difference": {}}, "is the difference to another release"),
    ],
)
def test_what_is_no_whole_release_is_refused(
    person: Make, dataset: MakeDataset, bring: Import, change: JSON, words: str
) -> None:
    ana = person()
    job = bring(dataset(ana), ana, pretty(theirs(**change)), format="segments")
    assert job.status == "FAILED" and words in job.error, job.error


def test_each_bad_sample_and_object_is_named_and_the_rest_comes(
    person: Make, dataset: MakeDataset, bring: Import
) -> None:
    ana = person()
    made = dataset(ana)
    good = {"annotations": [box(1, 1), box(2, 404), {"id": 3, "category_id": 1, "type": "circle", "points": []}]}
    attributes = {"image": {"url": ""}}
    samples: list[Any] = [
        {"name": "a.png", "attributes": attributes, "labels": {"ground-truth": {"attributes": good}}},
        {"attributes": attributes},
        7,
        {"name": "b.png", "attributes": attributes, "labels": {"ground-truth": {"attributes": {"annotations": 5}}}},
        {"name": "c.png", "attributes": {"image": 5}},
        {"name": "d.png", "attributes": attributes, "labels": None},
    ]
    said = theirs()["dataset"] | {"task_type": "vector", "samples": samples, "labelsets": [{"name": "ground-truth"}]}
    job = bring(made, ana, pretty(theirs(dataset=said)), format="segments")
    where = [where for where, _ in findings_of(job)]
    assert job.status == "SUCCEEDED", job.error
    assert where == [
        "file.json samples[0].annotations[1]",
        "file.json samples[0].annotations[2]",
        "file.json samples[1]",
        "file.json samples[2]",
        "file.json samples[3]",
        "file.json samples[4]",
    ]
    assert sorted(Sample.objects.filter(dataset_id=made).values_list("name", flat=True)) == ["a.png", "d.png"]


def test_another_label_set_is_read_where_it_is_named(
    person: Make, dataset: MakeDataset, bring: Import, release: Make
) -> None:
    ana = person()
    made = dataset(ana)
    labels = {"ground-truth": None, "model": {"label_status": "PRELABELED", "attributes": {"annotations": [box(1, 1)]}}}
    samples = [{"name": "a.png", "attributes": {"image": {"url": ""}}, "labels": labels}]
    said = theirs()["dataset"] | {"task_type": "vector", "samples": samples}
    job = bring(made, ana, pretty(theirs(dataset=said)), format="segments", options={"labels_of": "model"})
    assert (job.status, job.errors_count) == ("SUCCEEDED", 0), findings_of(job)
    [sample] = release(made, ana).document["dataset"]["samples"]
    assert len(sample["labels"]["ground-truth"]["attributes"]["annotations"]) == 1


def test_nanosecond_clocks_come_through(worlds: Make) -> None:
    _, second, _ = worlds("image-vector-sequence", served)
    frames = values.parse(second.data, wide=WIDE)["dataset"]["samples"][0]["attributes"]["frames"]
    assert values.untagged(frames[0]["timestamp"]) > 2**53
