"""A release after somebody's data was erased: the same id and bytes, and another name for who did it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from labeling.commands.erasure import erase_person
from labeling.log.event import Intent
from labeling.models import Person
from labeling.queries.labels import names_of
from labeling.texts import encrypt
from releases import files, queries
from releases.checks import problem_with
from releases.serving import pieces
from tests.conftest import MakeDataset
from tests.releases.conftest import Built, written


def test_a_release_keeps_its_bytes_and_names_a_number(
    person: Callable[..., Person], dataset: MakeDataset, sample: Any, label: Any, release: Callable[..., Built]
) -> None:
    suffix = uuid.uuid4().hex[:8]
    root, ana, ben = person(f"root-{suffix}", superuser=True), person(f"ana-{suffix}"), person(f"ben-{suffix}")
    streets = dataset(ana, labelers=(ben,))
    label(sample(streets, ana), ben)
    built = release(streets, ana)

    def served() -> str:
        with files.read(built.job.path) as file:
            return b"".join(
                pieces(file, public_url="https://x.example.org", usernames=lambda people: names_of({*people}))
            ).decode()

    assert ben.username in served()

    number = erase_person(intent=Intent(author=root.id, reason=encrypt("asked", person=root.id)), person=ben)

    snapshot, data = written(built.row)
    assert data == built.data
    assert snapshot.sha256 == built.job.sha256
    found = queries.release_by_id(built.row.id)
    assert found.build is not None
    assert problem_with(found, found.build) is None
    assert f"erased-{number:04d}" in served() and f"ben-{suffix}" not in served()
