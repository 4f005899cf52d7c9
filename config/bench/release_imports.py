"""`bench release_imports [--annotations N]`: how fast a COCO file comes into a dataset, by the job that the API starts.

The file has five objects a picture, polygons as people draw them, and nothing of it is known before. The peer reads
the same file with Python's own parser and copies each annotation, as it stands, into a table with a primary key: no
checks, no log, no hashes, no rows to read labels from.
"""

from __future__ import annotations

import io
import json
import math
import os
import sys
import time
import uuid
from typing import Any

from config.bench import Row
from config.bench.server import database

ANNOTATIONS = 100_000
PER_IMAGE = 5
VERTICES = 12
#: Microseconds an annotation: 20,000 a second.
MOST_US = 50.0

JSON = dict[str, Any]


def coco(annotations: int, name: str = "street", *, per_image: int = PER_IMAGE) -> bytes:
    """A COCO file with so many polygons."""
    images = [
        {"id": nth, "file_name": f"{name}-{nth:07d}.jpg", "width": 640, "height": 480}
        for nth in range(1, math.ceil(annotations / per_image) + 1)
    ]
    items = []
    for nth in range(annotations):
        x, y = nth % 97 * 6.1, nth // 97 % 89 * 4.9
        ring = []
        for vertex in range(VERTICES):
            angle = 2 * math.pi * vertex / VERTICES
            ring += [round(x + 20 + 17 * math.cos(angle), 2), round(y + 20 + 13 * math.sin(angle), 2)]
        items.append(
            {
                "id": nth + 1,
                "image_id": nth // per_image + 1,
                "category_id": nth % 80 + 1,
                "segmentation": [ring],
                "bbox": [round(x + 3, 2), round(y + 7, 2), 34.0, 26.0],
                "area": 694.29,
                "iscrowd": 0,
            }
        )
    categories = [{"id": nth, "name": f"category {nth}"} for nth in range(1, 81)]
    return json.dumps({"images": images, "annotations": items, "categories": categories}).encode()


def bring_in(dataset: uuid.UUID, person: uuid.UUID, data: bytes) -> None:
    """Import a file, as a worker does."""
    from labeling.commands import assets
    from labeling.log.event import Intent
    from releases.imports import commands, jobs
    from releases.imports.wish import checked_wish
    from releases.models import ImportJob

    asset = assets.keep_file(io.BytesIO(data), owner=person, filename="instances.json")
    wish = checked_wish({"format": "coco-instances"})
    job = commands.start_import(intent=Intent(author=person), dataset=dataset, wish=wish, asset=asset, send=False)
    jobs.run(job.id)
    row = ImportJob.objects.get(id=job.id)
    if row.status != ImportJob.Status.SUCCEEDED or row.errors_count:
        raise SystemExit(f"the import is {row.status}: {row.error}")


def made_dataset() -> tuple[uuid.UUID, uuid.UUID]:
    """(an empty dataset, its owner)."""
    from labeling.commands import datasets, people
    from labeling.log.event import Intent

    name = f"bench-{uuid.uuid4().hex[:8]}"
    ana = people.add_person(intent=people.operator("bench"), username=name).id
    made = datasets.create_dataset(
        intent=Intent(author=ana), owner=ana, name=name, task_type="vector", task_attributes={}, changes={}
    )
    return made, ana


def copied(data: bytes) -> float:
    """Seconds of the peer."""
    from django.db import connection, transaction

    from labeling.management.progress import without_cycle_search

    began = time.perf_counter()
    with without_cycle_search():
        items = json.loads(data)["annotations"]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE peer (id bigint PRIMARY KEY, data jsonb) ON COMMIT DROP")
        with cursor.copy("COPY peer FROM STDIN") as copy:
            for item in items:
                copy.write_row((item["id"], json.dumps(item)))
    return time.perf_counter() - began


def read_alone(data: bytes) -> float:
    """Seconds that the codec takes to make records of a file."""
    from labeling.management.progress import without_cycle_search
    from releases.formats import registry
    from releases.formats.files import Given
    from releases.formats.format import Findings

    kind = registry.FORMATS["coco-instances"]
    assert kind.read is not None
    began = time.perf_counter()
    with without_cycle_search():
        for _ in kind.read(Given({"instances.json": data}), Findings(), kind.parsed_for_reading({})).samples:
            pass
    return time.perf_counter() - began


def measured(annotations: int) -> list[Row]:
    """The rows, on a database that is there."""
    data = coco(annotations)
    bring_in(*made_dataset(), coco(PER_IMAGE * 20))  # what is done once is done
    reading = read_alone(data)
    peer = copied(data)
    made, ana = made_dataset()
    began, own = time.perf_counter(), time.process_time()
    bring_in(made, ana, data)
    seconds, own = time.perf_counter() - began, time.process_time() - own
    each = 1e6 / annotations
    return [
        Row(f"COCO of {annotations:,} annotations imported, an annotation", "us", seconds * each, peer * each, MOST_US),
        Row("of that, our own processor time", "us", own * each, None, None),
        Row("reading the file into records alone", "us", reading * each, peer * each, None),
    ]


def main(annotations: int = ANNOTATIONS) -> list[Row]:
    """Measure on a fresh database."""
    os.environ["PALIMPSEST_BROKER"] = "stub"
    with database():
        return measured(annotations)


if __name__ == "__main__":
    json.dump([row.as_json() for row in main(*map(int, sys.argv[1:]))], sys.stdout)
