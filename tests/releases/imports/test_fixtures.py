"""Files of others, imported by a job: nothing that is our fault is found, and all samples are there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labeling.models import Sample
from tests.conftest import MakeDataset
from tests.releases.imports.conftest import Import, findings_of, zipped
from tests.releases.imports.test_round_trips import NO_CATEGORIES

Make = Callable[..., Any]

FIXTURES = Path(__file__).parents[2] / "data" / "datumaro"
#: (folder, format, task type of the dataset, how many samples)
FOLDERS = [
    ("coco_dataset/coco_instances", "coco-instances", "vector", 2),
    ("coco_dataset/coco_person_keypoints", "coco-keypoints", "vector", 2),
    ("coco_dataset/coco_panoptic", "coco-panoptic", "segmentation-bitmap", 2),
    ("coco_dataset/coco_roboflow", "coco-instances", "vector", 2),
    ("cvat_dataset/for_images/export_task", "cvat-images", "vector", 2),
    ("cvat_dataset/for_video", "cvat-video", "image-vector-sequence", 1),
    ("datumaro_dataset/legacy", "datumaro", "vector", 4),
    ("voc_dataset/voc_dataset1", "voc", "vector", 1),
    ("mot_dataset/mot_seq", "mot", "image-vector-sequence", 1),
    ("labelme_dataset", "labelme", "vector", 1),
    ("yolo_dataset/strict", "yolo-detection", "vector", 1),
]


@pytest.mark.parametrize(("folder", "name", "task_type", "count"), FOLDERS, ids=[row[0] for row in FOLDERS])
def test_the_fixtures_are_imported(
    person: Make, dataset: MakeDataset, bring: Import, folder: str, name: str, task_type: str, count: int
) -> None:
    ana = person()
    made = dataset(ana, task_type, **NO_CATEGORIES)
    root = FIXTURES / folder
    files = {item.relative_to(root).as_posix(): item.read_bytes() for item in sorted(root.rglob("*")) if item.is_file()}
    job = bring(made, ana, zipped(files), format=name, filename="fixture.zip")
    assert (job.status, job.error) == ("SUCCEEDED", "")
    assert job.errors_count == 0, findings_of(job)
    assert Sample.objects.filter(dataset_id=made).count() == count
