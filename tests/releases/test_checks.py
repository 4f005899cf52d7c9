"""What `manage.py verify` finds about releases: a lost tail, a lost or changed file, a log that gives another one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from labeling.commands import datasets
from labeling.log import verify
from labeling.models import Dataset
from releases import checks, commands, files
from tests.conftest import MakeDataset
from tests.releases.conftest import Built

Make = Callable[..., Any]


@pytest.fixture
def built(person: Make, dataset: MakeDataset, sample: Make, label: Make, release: Callable[..., Built]) -> Built:
    ana = person()
    streets = dataset(ana)
    label(sample(streets, ana), ana)
    return release(streets, ana, "v1")


def problems(dataset: uuid.UUID) -> list[tuple[str, int | None, str]]:
    return [(item.kind, item.offset, item.problem) for item in checks.findings(dataset)]


def test_a_dataset_without_releases_has_nothing_to_check(person: Make, dataset: MakeDataset) -> None:
    streets = dataset(person())
    assert (list(checks.anchors(streets)), list(checks.findings(streets))) == ([], [])


def test_a_sound_release_has_no_findings(built: Built) -> None:
    assert problems(built.row.dataset_id) == []
    assert list(checks.anchors(built.row.dataset_id)) == [
        ("release v1", built.row.at_offset, bytes.fromhex(built.job.chain))
    ]


def test_a_pending_release_has_nothing_to_compare(built: Built, person: Make, intent: Make) -> None:
    commands.cut_release(intent=intent(person()), dataset=built.row.dataset_id, name="v2")
    assert problems(built.row.dataset_id) == []


def test_a_lost_file_is_found(built: Built) -> None:
    files.discard(built.job.path)
    [(kind, offset, problem)] = problems(built.row.dataset_id)
    assert (kind, offset) == ("release v1", built.row.cut_offset)
    assert problem.startswith("Release v1: its file is missing")


def test_a_changed_file_is_found(built: Built) -> None:
    path = Path(default_storage.path(built.job.path))
    path.write_bytes(built.data.replace(b'"LABELED"', b'"SKIPPED"'))
    [(_, _, problem)] = problems(built.row.dataset_id)
    assert problem == "Release v1: its file was changed; the hash differs."


def spoil(statement: str, *parameters: Any) -> None:
    """As the owner of the table would, with its triggers off."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE log_event DISABLE TRIGGER USER")
        cursor.execute(statement, parameters)
        assert cursor.rowcount > 0


def test_a_log_that_was_rewritten_gives_another_file(built: Built) -> None:
    log = built.row.dataset_id
    with transaction.atomic():
        spoil(
            "UPDATE log_event SET data = data || '{\"name\": \"other.png\"}' WHERE log = %s AND type = 'SampleAdded'",
            log,
        )
        [(_, _, problem)] = problems(log)
        assert problem == "Release v1: the log gives another file than the one that was made."
        transaction.set_rollback(True)


@pytest.mark.parametrize("type_name", ["ReleaseCut", "LabelImported", "DatasetCreated"])
def test_a_log_that_cannot_be_read_any_more_is_found(built: Built, type_name: str) -> None:
    log = built.row.dataset_id
    with transaction.atomic():
        spoil("UPDATE log_event SET type = 'Zebra' WHERE log = %s AND type = %s", log, type_name)
        [(kind, _, problem)] = problems(log)
        assert kind == "release v1"
        assert problem.endswith("cannot be read from the log (UnknownEventType); run `manage.py verify`.")
        transaction.set_rollback(True)


def test_a_release_whose_event_is_gone_is_found(built: Built) -> None:
    log = built.row.dataset_id
    with transaction.atomic():
        spoil("DELETE FROM log_event WHERE log = %s AND type = 'ReleaseCut'", log)
        [(_, _, problem)] = problems(log)
        assert problem == "Release v1: the event that cut it is missing from the log."
        transaction.set_rollback(True)


def test_a_truncated_tail_is_found_by_the_chain_that_a_release_remembers(built: Built) -> None:
    log, kept = built.row.dataset_id, built.row.at_offset - 1
    with transaction.atomic():
        spoil('DELETE FROM log_event WHERE log = %s AND "offset" > %s', log, kept)
        spoil(
            'UPDATE log_head SET head = e."offset", chain = e.chain, recorded_at = e.recorded_at FROM log_event e'
            ' WHERE log_head.log = %s AND e.log = log_head.log AND e."offset" = %s',
            log,
            kept,
        )
        found = {item.kind: item for item in verify.verify_log(log)}
        assert found["anchor release v1"].offset == kept + 1
        assert "the tail is missing" in found["anchor release v1"].problem
        transaction.set_rollback(True)


def test_verify_says_it(built: Built, person: Make, intent: Make) -> None:
    row = Dataset.objects.get(id=built.row.dataset_id)
    call_command("verify", dataset=f"ana/{row.name}", stdout=StringIO(), stderr=StringIO())
    datasets.change_dataset(intent=intent(person()), dataset=row.id, changes={"name": "roads"})
    files.discard(built.job.path)
    said = StringIO()
    with pytest.raises(CommandError, match="1 fault in ana/roads"):
        call_command("verify", dataset="ana/roads", stdout=said, stderr=StringIO())
    assert f"ana/roads at {built.row.cut_offset}: Release v1: its file is missing" in said.getvalue()
