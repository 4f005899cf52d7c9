"""An import that is killed, again and again: it ends with what an import gives that nobody disturbed."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from labeling.commands import assets
from labeling.log import rebuild, store
from labeling.log.event import Intent
from labeling.models import Annotation, Label, Person, Sample
from releases.imports import commands, cutting, jobs
from releases.imports.wish import checked_wish
from releases.models import Import, ImportJob
from tests.faults.test_killed_between import killed_at, was_killed_at
from tests.releases.imports.conftest import coco

pytestmark = pytest.mark.usefixtures("committed_db")

Make = Callable[..., Any]
JSON = dict[str, Any]

#: Five samples; one has more objects than an append may have here, and one has a category that is new.
FILE = coco(
    {
        "a.png": [("car", 1), ("zebra", 20)],
        "b.png": [("car", x) for x in range(9)],
        "c.png": [],
        "d.png": [("person", 4)],
        "e.png": [("car", 5)],
    },
    categories=("car", "person", "zebra"),
)
#: With the limits below each sample is one, and the second is five.
CHUNKS = 9
SMALL = "from releases.imports import cutting, jobs; cutting.MOST_SAMPLES = 1; cutting.MOST_OF_LABEL = 4; "


def begun(dataset: uuid.UUID, author: Person) -> ImportJob:
    asset = assets.keep_file(io.BytesIO(FILE), owner=author.id, filename="file.json")
    wish = checked_wish({"format": "coco-instances"})
    return commands.start_import(intent=Intent(author=author.id), dataset=dataset, wish=wish, asset=asset, send=False)


def outcome(dataset: uuid.UUID, job: ImportJob) -> JSON:
    """All that an import did, without the uuids that follow from its own."""
    samples = dict(Sample.objects.filter(dataset_id=dataset, archived=False).values_list("id", "name"))
    labels = {row.id: samples[row.sample_id] for row in Label.objects.filter(dataset_id=dataset, deleted=False)}
    rows = Annotation.objects.filter(dataset_id=dataset)
    job.refresh_from_db()
    return {
        "job": (job.status, job.error, job.counts, job.samples_done, job.errors_count),
        "import": Import.objects.values_list("state", "counts").get(id=job.id),
        "samples": sorted(samples.values()),
        "events": [(event.type, event.stream.split("/")[0]) for event in store.read(dataset)],
        "objects": sorted(
            (labels[row.label_id], row.id, row.category_id, row.order, str(row.data["geometry"])) for row in rows
        ),
    }


@pytest.fixture
def undisturbed(person: Make, dataset: Make, monkeypatch: pytest.MonkeyPatch) -> tuple[Person, JSON]:
    """Somebody, and what the import of the file gives."""
    monkeypatch.setattr(cutting, "MOST_SAMPLES", 1)
    monkeypatch.setattr(cutting, "MOST_OF_LABEL", 4)
    ana = person(f"ana-{uuid.uuid4().hex[:8]}")
    made = dataset(ana)
    job = begun(made, ana)
    jobs.run(job.id)
    found = outcome(made, job)
    assert found["job"][0] == "SUCCEEDED" and len(found["objects"]) == 13
    return ana, found


@pytest.mark.parametrize(
    ("moment", "before"),
    [
        ("releases.imports.plans:Plan.append", True),
        ("releases.imports.plans:Plan.append", False),
        ("releases.imports.jobs:_Findings.write", False),
        ("releases.imports.jobs._tell", False),
        ("releases.imports.jobs._end", True),
        ("releases.imports.jobs.tell", False),
    ],
)
def test_an_import_that_is_killed_goes_on_and_does_nothing_twice(
    undisturbed: tuple[Person, JSON], dataset: Make, monkeypatch: pytest.MonkeyPatch, moment: str, before: bool
) -> None:
    ana, wanted = undisturbed
    made = dataset(ana)
    job = begun(made, ana)
    killed_at(moment, f"{SMALL}jobs.run(uuid.UUID('{job.id}'))", before=before)
    job.refresh_from_db()
    assert job.status == "PENDING"
    monkeypatch.setattr(jobs, "QUIET_S", -1)
    assert job.id in jobs.claim_waiting(), "the sweeper finds it"
    jobs.run(job.id)
    assert outcome(made, job) == wanted
    assert rebuild.differences(made) == {}


@pytest.mark.full
def test_an_import_that_is_killed_behind_every_chunk_goes_on(undisturbed: tuple[Person, JSON], dataset: Make) -> None:
    ana, wanted = undisturbed
    made = dataset(ana)
    job = begun(made, ana)
    kills = 0
    while was_killed_at("releases.imports.plans:Plan.append", f"{SMALL}jobs.run(uuid.UUID('{job.id}'))"):
        kills += 1
        assert kills <= CHUNKS
    assert kills == CHUNKS
    assert outcome(made, job) == wanted
