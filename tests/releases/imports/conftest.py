"""What tests of imports share: a file that is brought in, as the API and a worker would."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from labeling.commands import assets
from labeling.log.event import Intent
from labeling.models import Person
from releases.imports import commands, jobs
from releases.imports.wish import checked_wish
from releases.models import ImportFinding, ImportJob

JSON = dict[str, Any]
Import = Callable[..., ImportJob]


def zipped(files: dict[str, bytes]) -> bytes:
    """A ZIP archive."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return sink.getvalue()


def coco(images: JSON, *, categories: tuple[str, ...] = ("car", "person")) -> bytes:
    """A COCO file: {name of a picture: [(category, x)]}, every object a box of 10 by 10."""
    document: JSON = {
        "images": [{"id": nth, "file_name": name, "width": 100, "height": 60} for nth, name in enumerate(images, 1)],
        "categories": [{"id": nth, "name": name} for nth, name in enumerate(categories, 1)],
        "annotations": [],
    }
    for nth, boxes in enumerate(images.values(), 1):
        for category, x in boxes:
            item = {"id": len(document["annotations"]) + 1, "image_id": nth, "bbox": [x, 5, 10, 10]}
            document["annotations"].append(item | {"category_id": categories.index(category) + 1})
    return json.dumps(document).encode()


def findings_of(job: ImportJob) -> list[tuple[str, str]]:
    """(where, message) of what was found."""
    rows = ImportFinding.objects.filter(job_id=job.id).order_by("number")
    return list(rows.values_list("where", "message"))


@pytest.fixture
def begin(intent: Callable[..., Intent]) -> Import:
    """begin(dataset, author, data, format=…): gives a file to be imported; nobody is at work on it yet."""

    def make(
        dataset: uuid.UUID, author: Person, data: bytes, *, filename: str = "file.json", key: str = "", **said: Any
    ) -> ImportJob:
        asset = assets.keep_file(io.BytesIO(data), owner=author.id, filename=filename)
        wish = checked_wish({"format": "coco-instances"} | said)
        named: JSON = {"command": uuid.uuid5(author.id, key), "request_hash": b"x" * 32} if key else {}
        return commands.start_import(
            intent=intent(author, **named), dataset=dataset, wish=wish, asset=asset, send=False
        )

    return make


@pytest.fixture
def bring(begin: Import) -> Import:
    """bring(dataset, author, data, format=…): imports a file, as a worker would; returns its job."""

    def make(*arguments: Any, **said: Any) -> ImportJob:
        job = begin(*arguments, **said)
        jobs.run(job.id)
        job.refresh_from_db()
        return job

    return make
