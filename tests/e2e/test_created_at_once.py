"""The same thing created by several requests: at the same moment, or again after a lost answer."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

import pytest

from tests.e2e.conftest import MakeDataset, People
from tests.e2e.live_server import LiveServer
from tests.e2e.wire import Wire, at_once

IMAGE = {"image": {"url": ""}}


class Creation(NamedTuple):
    """A request that creates something; `{dataset}` in its path is a dataset that is there."""

    path: str
    body: Any
    code: str = "already_exists"


CREATIONS = {
    "a dataset": Creation("/user/datasets/", {"name": "{unused}", "task_type": "vector"}),
    "a sample": Creation("/datasets/{dataset}/samples/", {"name": "a.png", "attributes": IMAGE}),
    "a label set": Creation("/datasets/{dataset}/labelsets/", {"name": "model"}),
    "a release": Creation("/datasets/{dataset}/releases/", {"name": "v1", "description": ""}),
    "a member": Creation(
        "/datasets/{dataset}/collaborators/", {"user": "otto", "role": "labeler"}, "already_collaborator"
    ),
}


def request(creation: Creation, dataset: str, unused: str) -> tuple[str, Any]:
    body = {key: value.format(unused=unused) if key == "name" else value for key, value in creation.body.items()}
    return creation.path.format(dataset=dataset), body


@pytest.mark.parametrize("what", CREATIONS)
def test_of_several_requests_at_the_same_moment_one_creates_it(
    make_dataset: MakeDataset, server: LiveServer, keys: People, unused: str, what: str
) -> None:
    path, body = request(CREATIONS[what], make_dataset().full_name, unused)
    answers = at_once(server.url, [keys.ada] * 6, [lambda wire: wire.send("POST", path, body)] * 6)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {CREATIONS[what].code}


@pytest.mark.parametrize("what", [name for name in CREATIONS if name != "a member"])
def test_a_retried_creation_gets_the_same_answer(
    make_dataset: MakeDataset, admin_wire: Wire, unused: str, what: str
) -> None:
    path, body = request(CREATIONS[what], make_dataset().full_name, unused)
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    first, again = (admin_wire.send("POST", path, body, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201), again.text
    named = {"uuid", "name", "full_name", "created_at"} & first.json().keys()
    assert {key: again.json()[key] for key in named} == {key: first.json()[key] for key in named}


def test_bulk_uploads_of_the_same_names_at_the_same_moment_agree(
    make_dataset: MakeDataset, server: LiveServer, keys: People, admin_wire: Wire
) -> None:
    dataset = make_dataset().full_name
    bulk = [{"name": f"{n}.png", "attributes": IMAGE} for n in range(20)]
    path = f"/datasets/{dataset}/samples_bulk/"
    answers = at_once(server.url, [keys.ada] * 6, [lambda wire: wire.send("POST", path, bulk)] * 6)
    assert {answer.status_code for answer in answers} == {201}
    assert len({tuple(sample["uuid"] for sample in answer.json()) for answer in answers}) == 1
    assert [event["type"] for event in admin_wire.events(dataset)].count("SampleAdded") == 20


def test_a_retried_bulk_upload_gets_the_same_answer(make_dataset: MakeDataset, admin_wire: Wire) -> None:
    path = f"/datasets/{make_dataset().full_name}/samples_bulk/"
    bulk = [{"name": "a.png", "attributes": IMAGE}, {"name": "b.png", "attributes": IMAGE}]
    first, again = (admin_wire.send("POST", path, bulk, headers={"Idempotency-Key": "bulk"}) for _ in range(2))
    assert (again.status_code, again.json()) == (first.status_code, first.json())


def test_a_key_used_for_one_creation_is_not_good_for_another(make_dataset: MakeDataset, admin_wire: Wire) -> None:
    path = f"/datasets/{make_dataset().full_name}/samples/"
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    assert admin_wire.send("POST", path, {"name": "a.png", "attributes": IMAGE}, headers=headers).status_code == 201
    reused = admin_wire.send("POST", path, {"name": "b.png", "attributes": IMAGE}, headers=headers)
    assert reused.status_code in (409, 422)
    assert reused.json()["code"] == "idempotency_key_reused"
