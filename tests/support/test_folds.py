"""The check at the end of every test finds what `rebuild` finds: a row that differs, is missing, or is one too many."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from labeling.commands import labels
from labeling.log import rebuild, store
from labeling.models import Annotation, DatasetAsset, Label, Sample
from tests.support import folds

BOX = {"type": "bbox", "points": [[1, 2], [30, 40]]}


@pytest.fixture
def log(dataset: Any, person: Any, sample: Any, intent: Any) -> uuid.UUID:
    """A dataset with two samples, and one label of two boxes; it refers to no file of ours."""
    ana = person("ana")
    made: uuid.UUID = dataset(ana)
    sample(made, ana)
    target = sample(made, ana)
    edits = [{"op": "add", "geometry": BOX, "category_id": 1} for _ in range(2)]
    labels.edit_label(intent=intent(ana), sample=target, label_set="ground-truth", edits=edits)
    return made


def a_file_that_nobody_pinned(log: uuid.UUID) -> None:
    DatasetAsset.objects.create(
        id=uuid.uuid4(), asset_id=uuid.uuid4(), dataset_id=log, added_offset=1, last_offset=1, size_bytes=1,
        created_at=Sample.objects.filter(dataset_id=log)[0].created_at,
    )  # fmt: skip


def a_count_that_is_wrong(log: uuid.UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE labeling_statuscount SET count = count + 1 WHERE dataset_id = %s", [log])


@pytest.mark.parametrize(
    "spoil, table",
    [
        (lambda log: Annotation.objects.filter(dataset_id=log, id=1).update(category_id=3), "labeling_annotation"),
        (lambda log: Annotation.objects.filter(dataset_id=log, id=2).delete(), "labeling_annotation"),
        (lambda log: Label.objects.filter(dataset_id=log).update(version=99), "labeling_label"),
        (lambda log: Sample.objects.filter(dataset_id=log).update(metadata={"x": 1}), "labeling_sample"),
        (a_file_that_nobody_pinned, "labeling_datasetasset"),
        (a_count_that_is_wrong, "labeling_statuscount"),
    ],
    ids=["changed", "missing", "a header", "both", "one too many", "a count"],
)
def test_what_differs_is_found(log: uuid.UUID, spoil: Callable[[uuid.UUID], Any], table: str) -> None:
    others = {item for item, kind, _ in store.logs() if kind == "installation"}
    assert folds.differences({log, *others}) == {}
    with transaction.atomic():
        spoil(log)
        assert folds.differences({log, *others}) == {log: rebuild.differences(log)}
        assert table in rebuild.differences(log)
        transaction.set_rollback(True)


def test_of_no_log_nothing_is_asked(django_assert_num_queries: Any, db: None) -> None:
    with django_assert_num_queries(0):
        assert folds.differences(set()) == {}
