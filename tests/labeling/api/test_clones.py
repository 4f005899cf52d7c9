"""Cloning over the API."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from segments.typing import Dataset as SDKDataset

JSON = dict[str, Any]
BOX = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}


@pytest.fixture
def labeled(street) -> Any:
    """The street with a label."""
    assert street.ana.put(f"{street.label}/", {"attributes": {"annotations": [BOX]}}).status == 201
    return street


@pytest.mark.parametrize("slash", ["/", ""])
def test_a_clone_is_answered_as_a_dataset(labeled, slash):
    answer = labeled.ana.post(f"{labeled.path}/clone{slash}", {"name": "copy", "clone_labels": True})
    assert answer.status == 201, answer.raw
    shown = SDKDataset.model_validate(answer.json)
    source = labeled.ana.get(labeled.path).json
    assert (shown.name, shown.cloned_from, shown.public) == ("copy", source["full_name"], False)
    assert answer.json["label_stats"] == source["label_stats"] == {"TOTAL": 1, "PRELABELED": 1}
    assert labeled.ana.get(f"/datasets/{shown.full_name}/").json == answer.json
    assert answer.headers["Dataset-Offset"] == "5"
    (sample,) = labeled.ana.get(f"/datasets/{shown.full_name}/samples/?labelset=ground-truth").json
    assert sample["uuid"] != str(labeled.sample) and sample["label"]["label_status"] == "PRELABELED"


def test_a_name_and_the_rest_have_defaults(labeled):
    answer = labeled.ana.post(f"{labeled.path}/clone/", {})
    assert (answer.status, answer.json["full_name"]) == (201, f"{labeled.path.removeprefix('/datasets/')}-clone")
    assert answer.json["label_stats"] == {"TOTAL": 1, "UNLABELED": 1}, "labels go along only where asked for"
    again = labeled.ana.post(f"{labeled.path}/clone/", {})
    assert (again.status, again.detail) == (409, "Dataset with this name already exists.")


def test_what_may_differ(labeled):
    body = {"name": "copy", "task_type": "segmentation-bitmap", "public": True, "owner": labeled.ana.person.username}
    answer = labeled.ana.post(f"{labeled.path}/clone/", body)
    assert answer.status == 201
    assert (answer.json["task_type"], answer.json["public"]) == ("segmentation-bitmap", True)


FAULTS: list[tuple[JSON, str]] = [
    ({"name": "a/b"}, "name"),
    ({"name": None}, "name"),
    ({"task_type": "zebra7391"}, "task_type"),
    ({"public": "zebra7391"}, "public"),
    ({"clone_labels": None}, "clone_labels"),
    ({"clone_labels": "zebra7391"}, "clone_labels"),
    ({"clone_labels": True, "task_type": "segmentation-bitmap"}, "clone_labels"),
    ({"owner": 5}, "owner"),
]


@pytest.mark.parametrize("body, field", FAULTS, ids=str)
def test_what_does_not_fit_is_refused_by_its_name_and_makes_nothing(labeled, body, field):
    answer = labeled.ana.post(f"{labeled.path}/clone/", {"name": "copy"} | body)
    assert (answer.status, answer.json["field"]) == (400, field) and b"zebra7391" not in answer.raw
    assert [item["name"] for item in labeled.ana.get("/user/datasets/").json] == [labeled.path.split("/")[-1]]


def test_who_may(labeled, caller):
    eve = caller(f"eve-{uuid.uuid4().hex[:8]}")
    path = f"{labeled.path}/clone/"
    refused = labeled.ben.post(path, {"name": "copy"})
    assert refused.status == 403 and refused.detail.startswith("You do not have permission to perform this action.")
    assert (eve.post(path, {"name": "copy"}).status, eve.post(path, {"name": "copy"}).detail) == (404, "Not found.")
    labeled.ana.patch(labeled.path, {"public": True})
    for somebody in (labeled.ben, eve):
        answer = somebody.post(path, {"name": "copy", "clone_labels": True})
        assert (answer.status, answer.json["owner"]["username"]) == (201, somebody.person.username)
    others = eve.post(path, {"name": "theirs", "owner": labeled.ana.person.username})
    assert others.status == 403
    assert eve.post(path, {"name": "theirs", "owner": "nobody-there"}).status == 404


def test_a_retry_makes_one(labeled):
    path = f"{labeled.path}/clone/"
    first, again = (labeled.ana.post(path, {"name": "copy"}, Idempotency_Key="k") for _ in range(2))
    assert first.json == again.json and first.status == again.status == 201
    assert labeled.ana.post(path, {"name": "other"}, Idempotency_Key="k").status == 422
