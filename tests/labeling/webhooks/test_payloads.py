"""What messages say: objects as the protocol has them, as they were at that offset."""

from __future__ import annotations

import json
from typing import Any

import pytest

from labeling.commands import datasets, labels, samples
from labeling.log import store
from labeling.queries.datasets import state_at
from labeling.rules.webhook_messages import NAMESPACE, messages
from labeling.webhooks import payloads
from labeling.webhooks.payloads import Past, payload

BOX = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [30, 40]]}


@pytest.fixture
def ana(person):
    return person("ana")


@pytest.fixture
def street(dataset, ana):
    return dataset(ana, name="street")


def told(log: Any, past: Past | None = None, **wanted: Any) -> list[Any]:
    """The payloads of a whole log."""
    page = store.read(log)
    if past is not None:
        past.read(page)
    found = messages(NAMESPACE, page, ends=True, types=wanted.get("types", ()))
    return [json.loads(body) for body in (payload(message, past) for message in found) if body is not None]


def test_a_label_is_told_as_it_was_then_and_a_deleted_one_as_it_was_before(street, ana, sample, intent):
    picture = sample(street, ana, name="a.png")

    def save(status: str, annotations: list[Any]) -> None:
        labels.save_label(
            intent=intent(ana), sample=picture, label_set="ground-truth", document={"annotations": annotations},
            status=status, create=True,
        )  # fmt: skip

    save("PRELABELED", [BOX])
    save("LABELED", [BOX, BOX | {"id": 2}])
    labels.delete_label(intent=intent(ana), sample=picture, label_set="ground-truth")
    found = told(street, types=["label.updated", "label.deleted"])
    assert [item["event_type"] for item in found] == ["label.updated", "label.updated", "label.deleted"]
    shown = [(item["object"]["label_status"], len(item["object"]["attributes"]["annotations"])) for item in found]
    assert shown == [("PRELABELED", 1), ("LABELED", 2), ("LABELED", 2)]
    assert {item["object"]["sample_uuid"] for item in found} == {str(picture)}
    assert found[0]["object"]["created_by"] == "ana"


def test_a_dataset_is_told_as_it_was_then(street, ana, intent):
    datasets.change_dataset(intent=intent(ana), dataset=street, changes={"name": "road"})
    datasets.change_dataset(intent=intent(ana), dataset=street, changes={"readme": "x"})
    found = told(street, Past(street))
    assert [item["event_type"] for item in found] == ["dataset.created", "dataset.updated", "dataset.updated"]
    assert [item["dataset"] for item in found] == ["ana/street", "ana/road", "ana/road"]
    assert [item["object"]["readme"] for item in found] == ["", "", "x"]
    assert all("role" not in item["object"] and "samples_count" not in item["object"] for item in found)


def test_a_sample_that_is_deleted_is_told_as_it_was(street, ana, sample, intent):
    picture = sample(street, ana, name="a.png")
    samples.archive_sample(intent=intent(ana), sample=picture)
    found = told(street, types=["sample.created", "sample.deleted"])
    assert [(item["event_type"], item["object"]["name"]) for item in found] == [
        ("sample.created", "a.png"),
        ("sample.deleted", "a.png"),
    ]


def test_what_is_too_large_says_what_it_is_and_what_was_left_out(street, ana, sample, monkeypatch):
    picture = sample(street, ana, name="a.png", metadata={"x": "y" * 5000})
    monkeypatch.setattr(payloads, "MOST_BYTES", 2000)
    (item,) = told(street, types=["sample.created"])
    assert (item["object"]["uuid"], item["object"]["name"]) == (str(picture), "a.png")
    assert {"metadata", "attributes"} <= set(item["left_out"])
    assert len(json.dumps(item)) < 2000


def test_what_is_remembered_of_a_page_is_what_was(street, ana, sample, intent):
    for number in range(4):
        sample(street, ana)
        sample(street, ana)
        datasets.change_dataset(intent=intent(ana), dataset=street, changes={"readme": str(number)})
    page = store.read(street)
    head = page[-1].offset or 0
    for first in (0, 3, 6):
        past = Past(street)
        past.read(page[first : first + 5])
        for offset in (*range(1, head + 1), head - 3, 2, head):
            assert past.at(offset).readme == state_at(street, offset).readme, (first, offset)


def test_telling_a_page_with_what_is_remembered_says_the_same(street, ana, sample, intent):
    for number in range(3):
        sample(street, ana)
        datasets.change_dataset(intent=intent(ana), dataset=street, changes={"name": f"name-{number}"})
    assert told(street, Past(street)) == told(street)
