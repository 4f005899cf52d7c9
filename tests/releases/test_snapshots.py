"""The file of a release comes from the log at its offset: the same bytes whenever and wherever it is built."""

from __future__ import annotations

import gc
import hashlib
import io
import json
import os
import subprocess
import sys
import tracemalloc
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from labeling.commands import datasets, labels, people, samples
from labeling.events import LabelImported
from labeling.log import store
from labeling.log.event import Intent, vocabulary
from labeling.log.rows import Rows
from labeling.models import LabelSet, Person
from labeling.rules import label_state
from labeling.rules.label_ids import label_stream
from labeling.rules.label_state import LabelState
from releases import commands, queries, snapshots
from releases.models import Release
from releases.snapshots import SnapshotFailed
from tests.conftest import MakeDataset
from tests.releases.conftest import Built, box, written

Make = Callable[..., Any]
MakeRelease = Callable[..., Built]
GROUND_TRUTH = "ground-truth"


def samples_of(built: Built) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = built.document["dataset"]["samples"]
    return found


def test_an_empty_dataset_has_an_empty_release(person: Make, dataset: MakeDataset, release: MakeRelease) -> None:
    ana = person()
    built = release(dataset(ana, name="streets"), ana, "v1", "nothing yet")
    assert samples_of(built) == []
    assert (built.document["name"], built.document["description"]) == ("v1", "nothing yet")
    described = built.document["dataset"]
    assert (described["name"], described["owner"], described["task_type"]) == ("streets", str(ana.id), "vector")
    assert [item["name"] for item in described["labelsets"]] == [GROUND_TRUTH]
    assert [item["id"] for item in described["task_attributes"]["categories"]] == [1, 2, 3]


def test_every_sample_has_every_label_set(
    person: Make, dataset: MakeDataset, sample: Make, label: Make, release: MakeRelease, intent: Make
) -> None:
    ana = person()
    streets = dataset(ana)
    first, second = sample(streets, ana, name="b.png"), sample(streets, ana, name="a.png", metadata={"city": "Ghent"})
    datasets.add_label_set(intent=intent(ana), dataset=streets, name="model", description="of a model")
    label(first, ana)
    label(first, ana, label_set="model", score=0.5)
    label(second, ana, label_set="model", status="REVIEWED")
    built = release(streets, ana)
    assert built.document["dataset"]["labelsets"] == [
        {"name": GROUND_TRUTH, "description": ""},
        {"name": "model", "description": "of a model"},
    ]
    assert [(item["uuid"], item["name"]) for item in samples_of(built)] == [
        (str(first), "b.png"),
        (str(second), "a.png"),
    ]
    assert samples_of(built)[1]["metadata"] == {"city": "Ghent"}
    by_status = [
        {name: found and found["label_status"] for name, found in item["labels"].items()} for item in samples_of(built)
    ]
    assert by_status == [{GROUND_TRUTH: "LABELED", "model": "LABELED"}, {GROUND_TRUTH: None, "model": "REVIEWED"}]
    [drawn] = samples_of(built)[0]["labels"]["model"]["attributes"]["annotations"]
    assert {key: drawn[key] for key in box()} == box()


def test_what_was_deleted_is_not_in_a_release(
    person: Make, dataset: MakeDataset, sample: Make, label: Make, release: MakeRelease, intent: Make
) -> None:
    ana = person()
    streets = dataset(ana)
    gone, kept = sample(streets, ana), sample(streets, ana)
    datasets.add_label_set(intent=intent(ana), dataset=streets, name="model")
    for item in (gone, kept):
        label(item, ana)
        label(item, ana, label_set="model")
    samples.archive_sample(intent=intent(ana), sample=gone)
    labels.delete_label(intent=intent(ana), sample=kept, label_set=GROUND_TRUTH)
    datasets.archive_label_set(intent=intent(ana), dataset=streets, name="model")
    built = release(streets, ana)
    assert [(item["uuid"], item["labels"]) for item in samples_of(built)] == [(str(kept), {GROUND_TRUTH: None})]
    assert built.job.samples_count == 1


def test_a_release_stays_the_same_when_the_work_goes_on(
    person: Make, dataset: MakeDataset, sample: Make, label: Make, release: MakeRelease, intent: Make
) -> None:
    ana = person()
    streets = dataset(ana)
    first, second = sample(streets, ana), sample(streets, ana)
    label(first, ana)
    built = release(streets, ana)
    label(first, ana, {"annotations": [box(x=99.0), box(2)]}, status="REVIEWED")
    label(second, ana)
    sample(streets, ana)
    samples.change_sample(intent=intent(ana), sample=first, changes={"name": "renamed.png", "metadata": {"late": True}})
    samples.archive_sample(intent=intent(ana), sample=second)
    datasets.add_label_set(intent=intent(ana), dataset=streets, name="model")
    datasets.change_dataset(
        intent=intent(ana), dataset=streets, changes={"name": "roads"}, task_attributes={"categories": []}
    )
    people.change_person(intent=intent(ana), person=ana, fields={"username": "ana-maria"})
    snapshot, data = written(built.row)
    assert data == built.data
    assert snapshot.sha256 == built.job.sha256 == hashlib.sha256(built.data).hexdigest()
    assert snapshot.size_bytes == built.job.size_bytes == len(data)


def test_a_release_can_be_built_when_the_dataset_is_gone(
    person: Make, dataset: MakeDataset, sample: Make, release: MakeRelease, intent: Make
) -> None:
    ana = person()
    streets = dataset(ana)
    sample(streets, ana)
    built = release(streets, ana)
    datasets.delete_dataset(intent=intent(ana), dataset=streets)
    assert written(built.row)[1] == built.data


def test_a_release_is_built_from_the_log_and_not_from_the_rows(
    person: Make, dataset: MakeDataset, sample: Make, label: Make, release: MakeRelease, rebuilt_equals_live: Any
) -> None:
    ana = person()
    streets = dataset(ana)
    label(sample(streets, ana), ana)
    built = release(streets, ana)
    with connection.cursor() as cursor:
        for table in (
            "labeling_annotation",
            "labeling_label",
            "labeling_sample",
            "labeling_labelset",
            "labeling_member",
        ):
            cursor.execute(f"DELETE FROM {table} WHERE dataset_id = %s", [streets])
        cursor.execute("UPDATE labeling_dataset SET name = 'x', task_type = 'bboxes' WHERE id = %s", [streets])
    assert written(built.row)[1] == built.data
    rebuilt_equals_live.logs.clear()  # the rows were spoilt on purpose


def test_a_release_says_where_in_the_log_it_stands(
    person: Make, dataset: MakeDataset, sample: Make, release: MakeRelease
) -> None:
    ana = person()
    streets = dataset(ana)
    sample(streets, ana)
    head, chain = store.head_and_chain(streets)
    built = release(streets, ana)
    assert built.document["log"] == {
        "dataset": str(streets),
        "offset": head,
        "chain": chain.hex(),
        "release": str(built.row.id),
    }
    assert built.job.chain == chain.hex()


def test_two_releases_of_one_state_hold_the_same_dataset(
    person: Make, dataset: MakeDataset, sample: Make, label: Make, release: MakeRelease
) -> None:
    ana = person()
    streets = dataset(ana)
    label(sample(streets, ana), ana)
    first, second = release(streets, ana, "v1"), release(streets, ana, "v2")
    assert first.document["dataset"] == second.document["dataset"]
    assert first.job.sha256 != second.job.sha256


def test_bitmap_labels_without_a_bitmap_are_left_out_and_counted(
    person: Make, dataset: MakeDataset, sample: Make, label: Make, release: MakeRelease
) -> None:
    ana = person()
    streets = dataset(ana, "segmentation-bitmap")
    objects = [{"id": 1, "category_id": 1}]
    urls = (None, "https://example.org/mask.png")
    for url in urls:
        label(sample(streets, ana), ana, {"annotations": objects, "segmentation_bitmap": {"url": url}})
    built = release(streets, ana)
    found = [item["labels"][GROUND_TRUTH] for item in samples_of(built)]
    assert found[0] is None
    assert found[1]["attributes"]["segmentation_bitmap"]["url"] == urls[1]
    assert (built.job.labels_left_out, built.job.samples_count) == (1, 2)


def test_verbatim_labels_come_back_as_they_were_set(
    person: Make, dataset: MakeDataset, sample: Make, label: Make, release: MakeRelease
) -> None:
    ana = person()
    walks = dataset(ana, "pointcloud-cuboid-sequence")
    frames = {"frames": [{"annotations": [], "timestamp": "1700000000000000001"}], "links": []}
    label(sample(walks, ana, attributes={"frames": []}), ana, frames)
    assert samples_of(release(walks, ana))[0]["labels"][GROUND_TRUTH]["attributes"] == frames


def test_a_log_that_cannot_be_read_fails_with_the_place_and_without_the_value(
    person: Make, dataset: MakeDataset, sample: Make, label: Make, release: MakeRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = person()
    streets = dataset(ana)
    broken = sample(streets, ana, name="zebra.png")
    label(broken, ana)
    built = release(streets, ana)
    with monkeypatch.context() as patch:
        patch.delitem(vocabulary._types, "LabelImported")
        with pytest.raises(SnapshotFailed) as failed:
            written(built.row)
    assert f"The label of sample {broken} in ground-truth" in str(failed.value)
    assert "UnknownEventType" in str(failed.value)
    assert "zebra" not in str(failed.value)


def test_progress_is_told_after_each_sample(
    person: Make, dataset: MakeDataset, sample: Make, release: MakeRelease
) -> None:
    ana = person()
    streets = dataset(ana)
    for _ in range(3):
        sample(streets, ana)
    told: list[int] = []
    snapshots.write(queries.state_of(release(streets, ana).row), io.BytesIO(), progress=told.append)
    assert told == [1, 2, 3]


# --- elsewhere -----------------------------------------------------------------------------------------------------

WRITE = """
import hashlib, io, sys, uuid
import django
django.setup()
from releases import queries, snapshots
from releases.models import Release
sink = io.BytesIO()
snapshots.write(queries.state_of(Release.objects.get(id=uuid.UUID(sys.argv[1]))), sink)
print(hashlib.sha256(sink.getvalue()).hexdigest())
"""


def test_another_process_in_another_country_writes_the_same_bytes(
    committed_db: None,
    person: Make,
    dataset: MakeDataset,
    sample: Make,
    label: Make,
    release: MakeRelease,
    intent: Make,
) -> None:
    ana = person(f"ana-{uuid.uuid4().hex[:8]}")
    streets = dataset(ana, task_attributes={"categories": [{"id": 1, "name": "ñandú 🦤", "has_instances": None}]})
    datasets.add_label_set(intent=intent(ana), dataset=streets, name="model")
    for name in ("ß.png", "a.png", "日本.png"):
        named = sample(
            streets, ana, name=name, metadata={"z": 1e300, "ä": 0.1, "b": [1.0, -5e-324, {"y": 1, "x": None}]}
        )
        label(named, ana, {"annotations": [box(2, x=1 / 3), box(1)], "image_attributes": {"b": True, "a": "ü"}})
    built = release(streets, ana)
    fields = {key: connection.settings_dict[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")}
    for zone, seed in (("Asia/Kolkata", "1"), ("America/St_Johns", "2")):
        environment = os.environ | {
            "PALIMPSEST_DATABASE": json.dumps(fields),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PYTHONHASHSEED": seed,
            "TZ": zone,
            "LC_ALL": "tr_TR.UTF-8",
            "PGTZ": zone,
        }
        command = [sys.executable, "-c", WRITE, str(built.row.id)]
        done = subprocess.run(
            command, env=environment, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False
        )
        assert done.stdout.strip() == built.job.sha256, done.stderr


# --- size ----------------------------------------------------------------------------------------------------------


def filled(dataset: uuid.UUID, author: Person, count: int, intent: Callable[..., Intent]) -> None:
    """Add `count` samples, each with a label of ten boxes, in a few large appends."""
    [truth] = LabelSet.objects.filter(dataset_id=dataset, name=GROUND_TRUTH)
    objects = [
        {
            "annotation": "",
            "id": number,
            "category_id": 1,
            "order": float(number),
            "geometry": {"type": "bbox", "points": [[number, 5.0], [number + 20.5, 30.25]]},
        }
        for number in range(1, 11)
    ]
    for begin in range(0, count, 500):
        items = [
            {"name": f"{begin + number:06}.png", "attributes": {"image": {"url": "https://example.org/a.png"}}}
            for number in range(min(500, count - begin))
        ]
        added = samples.add_samples(intent=intent(author), dataset=dataset, items=items, keep_existing=False)
        facts = [
            LabelImported(annotations=[item | {"annotation": str(uuid.uuid4())} for item in objects], status="LABELED")
            for _ in added
        ]
        streams = [label_stream(item, truth.id) for item in added]
        by = intent(author)
        events = store.new_events(dataset, by, [(stream, 0, fact) for stream, fact in zip(streams, facts, strict=True)])
        rows = Rows()
        for event in events:
            empty = LabelState(dataset, event.stream)
            rows.add(label_state.difference(empty, label_state.fold(empty, [event])))
        store.append(dataset, intent=by, events=events, rows=rows)


class Nowhere:
    """Counts bytes and keeps none."""

    size_bytes = 0

    def write(self, data: bytes) -> None:
        self.size_bytes += len(data)


def peak_bytes(release: Release) -> tuple[int, int]:
    """The most memory that Python had in use beyond what it began with, and the size of the file."""
    state, sink = queries.state_of(release), Nowhere()

    def collect(count: int) -> None:
        if count % 100 == 0:
            gc.collect()  # cycles of closed cursors, which would wait for the collector's own time

    gc.freeze()  # what earlier tests left is not gone through again by each collection
    tracemalloc.start()
    try:
        begin = tracemalloc.get_traced_memory()[0]
        snapshots.write(state, sink, progress=collect)
        return tracemalloc.get_traced_memory()[1] - begin, sink.size_bytes
    finally:
        tracemalloc.stop()
        gc.unfreeze()


def test_memory_does_not_grow_with_the_dataset(person: Make, dataset: MakeDataset, intent: Make) -> None:
    ana = person()
    peaks, sizes = [], []
    for count in (20, 200, 2_000):  # the first is only there to fill caches
        streets = dataset(ana)
        filled(streets, ana, count, intent)
        made = commands.cut_release(intent=intent(ana), dataset=streets, name="v1")
        peak, size = peak_bytes(Release.objects.get(id=made))
        peaks.append(peak)
        sizes.append(size)
    assert sizes[2] > 9 * sizes[1]
    assert peaks[2] < 1.25 * peaks[1], f"peak {peaks[1]:,} bytes for 200 samples, {peaks[2]:,} for 2,000"
    assert peaks[2] < sizes[2] / 4
