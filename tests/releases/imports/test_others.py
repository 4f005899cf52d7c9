"""Imports into datasets of other kinds: bitmaps, sequences; and of files that only others write."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from labeling.commands import assets
from labeling.models import Asset, Dataset, Label, Sample
from releases import queries, reading
from releases.models import ImportJob
from tests.conftest import MakeDataset
from tests.releases.conftest import Built
from tests.releases.imports.conftest import Import, coco, findings_of, zipped
from tests.releases.imports.test_round_trips import NO_CATEGORIES, native
from tests.support.records import VIDEO

JSON = dict[str, Any]
Make = Callable[..., Any]


def picture(width: int = 100, height: int = 60) -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), dtype=np.uint8)).save(data, "PNG")
    return data.getvalue()


# --- bitmaps -------------------------------------------------------------------------------------------------------


def drawn(dataset: uuid.UUID, name: str = "a.png") -> tuple[Label, Any]:
    """(label, its bitmap) of a sample."""
    label = Label.objects.get(sample_id=Sample.objects.get(dataset_id=dataset, name=name).id)
    assert label.mask is not None
    return label, assets.read_mask(label.mask["url"], "mask")


def test_shapes_are_painted_into_the_bitmap_of_a_segmentation(
    person: Make, dataset: MakeDataset, bring: Import
) -> None:
    ana = person()
    made = dataset(ana, "segmentation-bitmap")
    job = bring(made, ana, coco({"a.png": [("car", 1), ("person", 6)]}))
    assert (job.status, findings_of(job)) == ("SUCCEEDED", [])
    _, ids = drawn(made)
    wanted = np.zeros((60, 100), dtype=np.uint32)
    wanted[5:15, 1:11] = 1
    wanted[5:15, 6:16] = 2  # the later above the earlier
    assert (ids == wanted).all()
    for mode in ("merge", "override"):
        again = bring(made, ana, coco({"a.png": [("car", 1), ("person", 6)]}), mode=mode)
        assert again.counts == {"samples_matched": 1, "labels_unchanged": 1, "annotations_unchanged": 2}, mode
    job = bring(made, ana, coco({"a.png": [("car", 1), ("car", 12)]}), mode="merge")
    _, ids = drawn(made)
    wanted[5:15, 16:22] = 4  # what was there stays above
    assert (ids[5:15, 16:22] > 0).all() and (ids[:, :16] == wanted[:, :16]).all()
    job = bring(made, ana, coco({"a.png": [("person", 50)]}), mode="override")
    _, ids = drawn(made)
    assert (np.flatnonzero(ids.any(axis=0)) == np.arange(50, 60)).all()
    assert job.counts["annotations_added"] == 1 and job.counts["annotations_removed"] >= 2


# --- sequences -----------------------------------------------------------------------------------------------------


def test_a_sequence_is_brought_kept_merged_and_overridden(
    person: Make, dataset: MakeDataset, bring: Import, release: Callable[..., Built]
) -> None:
    ana = person()
    made = dataset(ana, "image-vector-sequence", **NO_CATEGORIES)
    data = native([VIDEO])
    job = bring(made, ana, data, format="native", filename="a.zip")
    assert (job.status, findings_of(job)) == ("SUCCEEDED", [])
    assert job.counts == {"categories_added": 3, "samples_added": 1, "labels_added": 1, "annotations_added": 3}
    for mode, counted in (("keep", "labels_kept"), ("merge", "labels_unchanged"), ("override", "labels_unchanged")):
        again = bring(made, ana, data, format="native", filename="a.zip", mode=mode)
        assert again.counts.get(counted) == 1 and "annotations_added" not in again.counts, mode
    other = [track for track in VIDEO.tracks if track.track_id != 2]
    less = native([type(VIDEO)(name=VIDEO.name, is_sequence=True, frames=VIDEO.frames, tracks=other)])
    job = bring(made, ana, less, format="native", filename="a.zip", mode="override")
    assert (job.counts["annotations_removed"], job.counts["annotations_unchanged"]) == (1, 2)
    _, [sample] = (lambda found: (found[0], list(found[1])))(reading.read(queries.state_of(release(made, ana).row)))
    assert {track.track_id for track in sample.tracks} == {1, 3} and len(sample.frames) == 10


def test_what_is_of_another_kind_than_the_dataset_is_told(person: Make, dataset: MakeDataset, bring: Import) -> None:
    ana = person()
    job = bring(dataset(ana), ana, native([VIDEO]), format="native", filename="a.zip")
    assert job.status == "SUCCEEDED" and len(findings_of(job)) == 1
    job = bring(dataset(ana, "image-vector-sequence"), ana, coco({"a.png": [("car", 1)]}))
    assert job.status == "SUCCEEDED" and job.errors_count == 1, findings_of(job)


# --- pictures, and files that only others write --------------------------------------------------------------------


def test_pictures_in_the_archive_become_samples(person: Make, dataset: MakeDataset, bring: Import) -> None:
    ana = person()
    made = dataset(ana)
    files = {
        "annotations/instances_train.json": coco({"a.png": [("car", 1)], "bad.png": [], "c.png": []}),
        "images/a.png": picture(),
        "images/bad.png": b"no picture",
    }
    job = bring(made, ana, zipped(files), filename="a.zip")
    assert job.status == "SUCCEEDED"
    sample = Sample.objects.get(dataset_id=made, name="a.png")
    url = sample.attributes["image"]["url"]
    assert url.startswith("/media/") and assets.read_bytes(url, "x") == picture()
    assert (sample.metadata, reading.size_of_file(url)) == ({"split": "train"}, (100, 60))
    [(where, message)] = findings_of(job)
    assert where == "sample 2 (bad.png)" and "is no picture that can be read" in message
    assert Sample.objects.get(dataset_id=made, name="c.png").attributes == {"image": {"url": ""}}


def test_folders_are_categories(person: Make, dataset: MakeDataset, bring: Import) -> None:
    """features.md SS-06: `cats/1.jpg, cats/a/2.jpg, 3.jpg` are cats, a (the last folder), and none."""
    ana = person()
    made = dataset(ana, **NO_CATEGORIES)
    files = {"cats/1.png": picture(), "cats/a/2.png": picture(20, 20), "3.png": picture(), "../x.png": picture()}
    job = bring(made, ana, zipped(files), format="folders", filename="a.zip")
    assert job.status == "SUCCEEDED"
    assert findings_of(job) == [
        ("file 4 of the archive", "its path leads out of the archive"),
        ("3.png", "is in no folder, so it has no category"),
    ]
    assert classes(made) == {"3.png": [], "cats/1.png": ["cats"], "cats/a/2.png": ["a"]}
    assert (job.errors_count, job.notes_count) == (1, 1)


def test_the_pictures_of_a_chunk_are_asked_for_together(
    person: Make, dataset: MakeDataset, bring: Import, django_assert_max_num_queries: Any
) -> None:
    """Also those that two names, or two imports, have in common are stored once by each name."""
    ana = person()
    one = dataset(ana, **NO_CATEGORIES)
    files = {f"cats/{nth}.png": picture(10 + nth % 7, 20) for nth in range(60)} | {"cats/bad.png": b"no picture"}
    began = Asset.objects.count()
    with django_assert_max_num_queries(80):
        job = bring(one, ana, zipped(files), format="folders", filename="a.zip")
    assert (job.counts["samples_added"], job.counts["samples_missing"]) == (60, 1)
    assert [(where, "is no picture" in what) for where, what in findings_of(job)] == [
        ("sample 61 (cats/bad.png)", True)
    ]
    urls = {sample.attributes["image"]["url"] for sample in Sample.objects.filter(dataset_id=one)}
    assert len(urls) == 60 and Asset.objects.count() == began + 60 + 1
    assert Asset.objects.filter(owner=ana).exclude(filename="a.zip").values("sha256").distinct().count() == 7
    other = dataset(ana, name="parks", **NO_CATEGORIES)
    bring(other, ana, zipped(files), format="folders", filename="a.zip")
    assert {sample.attributes["image"]["url"] for sample in Sample.objects.filter(dataset_id=other)} == urls


def classes(dataset: uuid.UUID) -> dict[str, list[str]]:
    """{sample: its categories, the default first}."""
    names = {item["id"]: item["name"] for item in Dataset.objects.get(id=dataset).task_attributes["categories"]}
    found: dict[str, list[str]] = {}
    for sample in Sample.objects.filter(dataset_id=dataset, archived=False):
        label = Label.objects.filter(sample_id=sample.id, deleted=False).first()
        ids = label.classifications if label else []
        first = label.default_classification if label else None
        found[sample.name] = [names[number] for number in sorted(ids, key=lambda number: number != first)]
    return found


def test_comma_lists_are_classifications(person: Make, dataset: MakeDataset, sample: Make, bring: Import) -> None:
    """features.md SS-05: `" cat,, dog ,cat"` is cat, which is the default, and dog."""
    ana = person()
    made = dataset(ana, **NO_CATEGORIES)
    for name in ("1.png", "2.png", "3.png"):
        sample(made, ana, name=name)
    text = io.StringIO()
    csv.writer(text).writerows(
        [["image", "labels"], ["1.png", " cat,, dog ,cat"], ["2.png", "dog", "cow"], ["4.png", "x"]]
    )
    job = bring(made, ana, text.getvalue().encode(), format="classifications", filename="labels.csv")
    assert classes(made) == {"1.png": ["cat", "dog"], "2.png": ["dog", "cow"], "3.png": []}
    assert [where for where, _ in findings_of(job)] == ["sample 3 (4.png)"]
    more = b"1.png,bird\n2.png,dog\n"
    bring(made, ana, more, format="classifications", filename="labels.csv", mode="merge")
    assert classes(made) == {"1.png": ["cat", "dog", "bird"], "2.png": ["dog", "cow"], "3.png": []}
    bring(made, ana, more, format="classifications", filename="labels.csv", mode="override")
    assert classes(made) == {"1.png": ["bird"], "2.png": ["dog"], "3.png": []}


def test_classifications_leave_objects_alone(person: Make, dataset: MakeDataset, bring: Import) -> None:
    ana = person()
    made = dataset(ana)
    bring(made, ana, coco({"a.png": [("car", 1)]}))
    job = bring(made, ana, b"a.png,tree\n", format="classifications", filename="a.csv", mode="override")
    assert "annotations_removed" not in job.counts and classes(made) == {"a.png": ["tree"]}


TASKS: list[JSON] = [
    {
        "id": 1,
        "data": {"image": "/data/upload/a.png"},
        "annotations": [
            {
                "result": [
                    {
                        "id": "r1",
                        "type": "rectanglelabels",
                        "from_name": "label",
                        "original_width": 100,
                        "original_height": 60,
                        "value": {
                            "x": 10,
                            "y": 50,
                            "width": 20,
                            "height": 25,
                            "rotation": 0,
                            "rectanglelabels": ["car"],
                        },
                    },
                    {
                        "id": "r2",
                        "type": "polygonlabels",
                        "from_name": "label",
                        "original_width": 100,
                        "original_height": 60,
                        "value": {"points": [[0, 0], [50, 0], [50, 100]], "polygonlabels": ["tree"]},
                    },
                    {"id": "r3", "type": "choices", "from_name": "weather", "value": {"choices": ["rain"]}},
                ]
            }
        ],
    },
    {"id": 2, "data": {"image": "/data/upload/b.png"}, "annotations": []},
]


def test_label_studios_json(person: Make, dataset: MakeDataset, sample: Make, bring: Import) -> None:
    ana = person()
    made = dataset(ana, **NO_CATEGORIES)
    sample(made, ana, name="b.png")
    job = bring(made, ana, json.dumps(TASKS).encode(), format="label-studio", filename="tasks.json")
    assert (job.status, findings_of(job)) == ("SUCCEEDED", [])
    assert classes(made) == {"a.png": ["rain"], "b.png": []}
    assert job.counts["annotations_added"] == 2 and job.counts["samples_added"] == 1


@pytest.mark.parametrize(
    "value",
    [
        {"points": [[1e307, 0], [50, 0], [50, 100]]}, {"points": [["1", 0], [50, 0], [50, 100]]}, {"points": []},
        {"points": [[1, 0, 3], [50, 0], [50, 100]]}, {"points": 7}, {},
    ],
)  # fmt: skip
def test_a_region_of_label_studio_that_cannot_be_read_is_told(
    person: Make, dataset: MakeDataset, bring: Import, value: JSON
) -> None:
    ana = person()
    made = dataset(ana, **NO_CATEGORIES)
    region = {"type": "polygonlabels", "original_width": 1000, "original_height": 60, "id": "r"}
    tasks = [{"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": [region | {"value": value}]}]}]
    job = bring(made, ana, json.dumps(tasks).encode(), format="label-studio", filename="tasks.json")
    assert ("tasks.json [0].result[0]", "is no region that can be read") in findings_of(job)


# --- the command ---------------------------------------------------------------------------------------------------


def test_the_command_imports_and_takes_back(
    person: Make, dataset: MakeDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ana = person()
    made = dataset(ana, name="streets")
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "a.json").write_bytes(
        coco({"a.png": [("car", 1)], "b.png": [("zebra", 2)]}, categories=("car", "zebra"))
    )
    call_command("import", "ana/streets", "coco-instances", str(tmp_path / "all"), by="ana", dry_run=True)
    assert not Sample.objects.filter(dataset_id=made).exists()
    assert (
        "Would be: 1 categories added, 2 samples added, 2 labels added, 2 annotations added" in capsys.readouterr().out
    )
    call_command("import", "ana/streets", "coco-instances", str(tmp_path / "all" / "a.json"), by="ana")
    said = capsys.readouterr().out
    assert "Done: 1 categories added, 2 samples added" in said
    job = ImportJob.objects.get(dataset_id=made, wish__dry_run=False)
    assert str(job.id) in said
    call_command("undo_import", str(job.id), by="ana")
    assert "Done: 2 labels restored, 2 samples archived, 1 categories removed" in capsys.readouterr().out
    assert not Sample.objects.filter(dataset_id=made, archived=False).exists()


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (["ana/nothing", "coco-instances", "FILE"], {}, "dataset was not found"),
        (["ana/streets", "coco", "FILE"], {}, "format: must be one of"),
        (["ana/streets", "coco-instances", "nowhere.json"], {}, "nowhere.json"),
        (["ana/streets", "coco-instances", "FILE"], {"by": "nobody"}, "not found"),
        (["ana/streets", "coco-instances", "FILE"], {"label_set": "none"}, "label set was not found"),
        (["ana/streets", "coco-instances", "FILE"], {"label_status": "GONE"}, "label_status: must be one of"),
        (["ana/streets", "coco-instances", "FILE"], {"option": ["x"]}, "NAME=VALUE"),
        (["ana/streets", "coco-instances", "FILE"], {"option": ["x=y"]}, "is no option of"),
        (["ana/streets", "native", "FILE"], {}, "no dataset.json beside"),
        (["ana/streets", "coco-instances", "FILE"], {"by": "ben"}, "dataset was not found"),
    ],
)
def test_the_command_says_what_is_wrong(
    person: Make, dataset: MakeDataset, tmp_path: Path, arguments: list[str], options: JSON, words: str
) -> None:
    dataset(person(), name="streets")
    person("ben")
    (tmp_path / "a.json").write_bytes(coco({"a.png": [("car", 1)]}))
    arguments = [str(tmp_path / "a.json") if item == "FILE" else item for item in arguments]
    with pytest.raises(CommandError, match=words):
        call_command("import", *arguments, **({"by": "ana"} | options))
