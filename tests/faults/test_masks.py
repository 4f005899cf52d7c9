"""Masks whose workers are killed between file and row, and masks that several workers draw at once."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections

from labeling import mask_files
from labeling.commands import labels
from labeling.log import projector, rebuild, store
from labeling.management import mask_checks
from labeling.models import Annotation, Label, Mask, MaskFile
from tests.faults.test_killed_between import killed_at
from tests.support.masks import CATEGORIES, add_sample, box, picture, save, upload

pytestmark = pytest.mark.usefixtures("committed_db")
Make = Callable[..., Any]
WORKERS, EDITS = 3, 12


def masks() -> Any:
    return next(each for each in projector.catch_ups(heavy=True) if each.name == "masks")


@pytest.fixture
def street(person: Make, dataset: Make, intent: Make) -> tuple[Any, uuid.UUID, list[uuid.UUID]]:
    """Ana, a dataset of hers, and two samples with a label each."""
    ana = person(f"ana-{uuid.uuid4().hex[:8]}")
    made = dataset(ana, task_attributes=CATEGORIES)
    found = []
    wide = 80 + uuid.uuid4().int % 3000  # so that no file of another test is the same
    for number in range(2):
        url = upload(ana, picture(wide + number, 60), f"{number}.png")
        found.append(add_sample(made, ana, {"image": {"url": url}}, intent))
        save(found[-1], ana, {"annotations": [box(1, 5, 5, 20, 20), box(2, 10, 10, 40, 40, 3)]}, intent)
    return ana, made, found


@pytest.mark.parametrize(
    "moment, before",
    [
        ("labeling.storage.put", True),
        ("labeling.storage.put", False),
        ("labeling.mask_files.keep", False),
        ("labeling.projectors.masks:LabelMaskRows.project", False),
    ],
)
def test_a_worker_that_is_killed_leaves_no_row_without_its_file(street: Any, moment: str, before: bool) -> None:
    _, made, _ = street
    killed_at(moment, f"projector.catch_up(uuid.UUID('{made}'), heavy=True)", before=before)
    assert projector.checkpoint("masks", made) == 0 and not Mask.objects.filter(dataset_id=made).exists()
    assert made in projector.behind(heavy=True), "the sweeper finds it"
    projector.catch_up(made)
    assert Mask.objects.filter(dataset_id=made).count() == 2
    assert list(mask_checks.findings(made)) == []
    mask_files.sweep(forgotten_s=-1)
    for row in MaskFile.objects.filter(dataset_id=made):
        assert mask_files.fault(row) is None, "what is named stays, and what the dead one left is gone"
    assert MaskFile.objects.filter(dataset_id=made).count() == 8


def test_several_workers_draw_what_others_edit_and_lose_nothing(street: Any, intent: Make) -> None:
    ana, made, samples = street
    stop = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while not stop.is_set():
                projector.catch_up(made)
                mask_files.sweep(forgotten_s=-1)
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    try:
        for number in range(EDITS):
            which = samples[number % 2]
            named = str(Annotation.objects.get(label_id=_label(which), id=1).uuid)
            shape = {"type": "bbox", "points": [[number, 5], [number + 15, 20]]}
            labels.edit_label(
                intent=intent(ana),
                sample=which,
                label_set="ground-truth",
                edits=[{"op": "set_geometry", "annotation": named, "geometry": shape}],
            )
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    assert failures == []
    projector.catch_up(made)
    assert projector.checkpoint("masks", made) == store.head(made)
    assert rebuild.compared_catch_up(masks(), made) == {}
    assert list(mask_checks.findings(made)) == []


def _label(sample: uuid.UUID) -> uuid.UUID:
    found: uuid.UUID = Label.objects.get(sample_id=sample).id
    return found
