"""What tests of releases share: labels, and a release with its file."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from labeling.commands import labels
from labeling.log.event import Intent
from labeling.models import Person
from releases import builds, commands, files, queries, snapshots
from releases.models import Release, ReleaseBuild
from releases.snapshots import Snapshot


def box(number: int = 1, category_id: int = 1, x: float = 10.5) -> dict[str, Any]:
    """A box as the protocol has it."""
    points = [[x, 5.0], [x + 20.0, 30.25]]
    return {"id": number, "category_id": category_id, "type": "bbox", "points": points}


class Built(NamedTuple):
    """A release with its file as it is stored."""

    row: Release
    job: ReleaseBuild
    data: bytes
    document: dict[str, Any]


def written(release: Release) -> tuple[Snapshot, bytes]:
    """The file, written once more from the log."""
    sink = io.BytesIO()
    snapshot = snapshots.write(queries.state_of(release), sink)
    return snapshot, sink.getvalue()


@pytest.fixture
def label(intent: Callable[..., Intent]) -> Callable[..., None]:
    """label(sample, author, document): saves a label; a box unless a document is given."""

    def make(
        sample: uuid.UUID,
        author: Person,
        document: dict[str, Any] | None = None,
        *,
        label_set: str = "ground-truth",
        status: str = "LABELED",
        **more: Any,
    ) -> None:
        document = {"annotations": [box()]} if document is None else document
        labels.save_label(
            intent=intent(author),
            sample=sample,
            label_set=label_set,
            document=document,
            status=status,
            create=True,
            **more,
        )

    return make


@pytest.fixture
def release(intent: Callable[..., Intent]) -> Callable[..., Built]:
    """release(dataset, author, name): cuts a release and makes its file, as a worker would."""

    def make(dataset: uuid.UUID, author: Person, name: str = "v1", description: str = "") -> Built:
        made = commands.cut_release(intent=intent(author), dataset=dataset, name=name, description=description)
        builds.build(made)
        found = queries.release_by_id(made)
        assert found.build is not None
        assert found.build.error == ""
        with files.read(found.build.path) as file:
            data = file.read()
        return Built(found.release, found.build, data, json.loads(data))

    return make
