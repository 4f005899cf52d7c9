"""Signing releases: under their identity, and where the dataset asks for it nothing is handed out before."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from labeling.commands import datasets, people
from labeling.log import store
from labeling.models import Person
from releases import builds, checks, queries, rules
from releases.events import ReleaseSigned
from releases.rules import release_stream
from tests.conftest import MakeDataset

PASSWORD = "a long one, only for signing"
PATH = "/datasets/{}/streets/releases"


@pytest.fixture
def ana(person: Callable[..., Person]) -> Person:
    ana = person(f"ana-{uuid.uuid4().hex[:8]}")
    people.change_person(intent=people.operator("test"), person=ana, fields={"first_name": "Ana", "last_name": "E."})
    people.set_password(intent=people.operator("test"), person=ana, password=PASSWORD)
    return ana


@pytest.fixture
def client(ana: Person, intent: Any) -> APIClient:
    _, key = people.create_key(intent=intent(ana), person=ana)
    return APIClient(headers={"Authorization": f"APIKey {key}"})


@pytest.fixture
def streets(dataset: MakeDataset, ana: Person) -> uuid.UUID:
    return dataset(ana, name="streets")


def cut(client: APIClient, ana: Person, *, build: bool = True) -> uuid.UUID:
    made = client.post(f"{PATH.format(ana.username)}/", {"name": "v1"}).json()
    release = uuid.UUID(made["uuid"])
    if build:
        builds.build(release)
    return release


def sign(client: APIClient, ana: Person, **more: Any) -> Any:
    body = {"meaning": "released", "password": PASSWORD} | more
    return client.post(f"{PATH.format(ana.username)}/v1/signatures/", body)


def test_a_signature_is_under_the_identity_of_the_release(client: APIClient, ana: Person, streets: uuid.UUID) -> None:
    release = cut(client, ana)
    read = client.get(f"{PATH.format(ana.username)}/v1/").json()

    signed = sign(client, ana)

    assert signed.status_code == 201, signed.content
    assert client.get(f"{PATH.format(ana.username)}/v1/signatures/").json() == [signed.json()]
    assert (signed.json()["content"], signed.json()["name"]) == (read["identity"], "Ana E.")
    assert (signed.json()["state"], signed.json()["version"]) == ("valid", None)
    assert sign(client, ana).json() == signed.json()
    event = list(store.read_stream(streets, release_stream(release)))[-1]
    assert isinstance(event.fact, ReleaseSigned) and "Ana" not in str(event.fact)
    told = client.get(f"/datasets/{ana.username}/streets/history/?type=ReleaseSigned").json()
    assert told[0]["sentence"].endswith("as released")
    assert list(checks.signatures(streets)) == []
    false = ReleaseSigned("released", "0" * 64, "v1.x")
    forged = store.new_events(streets, event.intent, [(event.stream, event.version, false)])
    found = queries.release_by_id(release)
    rows = rules.rows(rules.fold(queries.state_of(found.release), forged))
    store.append(streets, intent=event.intent, events=forged, rows=rows)
    assert [finding.kind for finding in checks.signatures(streets)] == ["signature"]


def test_what_is_not_made_yet_is_not_signed(client: APIClient, ana: Person, streets: uuid.UUID) -> None:
    cut(client, ana, build=False)
    assert sign(client, ana).status_code == 409
    assert sign(client, ana, password="wrong").status_code == 403
    assert sign(client, ana, meaning="seen").json()["field"] == "meaning"
    assert client.get(f"{PATH.format(ana.username)}/v1/signatures/").json() == []


def test_a_dataset_may_hand_out_signed_releases_only(
    client: APIClient, ana: Person, streets: uuid.UUID, intent: Any
) -> None:
    cut(client, ana)
    one = f"{PATH.format(ana.username)}/v1"
    address = client.get(f"{one}/").json()["attributes"]["url"]
    datasets.change_dataset(intent=intent(ana), dataset=streets, changes={"signatures_required": ["release"]})

    assert client.get(f"{one}/").json()["attributes"]["url"] is None
    for path in (address, f"{one}/archive/", f"{one}/export/?format=coco-instances"):
        assert client.get(path).status_code == 409, path
    assert sign(client, ana, meaning="reviewed").status_code == 201
    assert client.get(address).status_code == 409

    assert sign(client, ana).status_code == 201
    assert client.get(f"{one}/").json()["attributes"]["url"] == address
    answer = client.get(address)
    assert answer.status_code == 200
    assert b"".join(answer.streaming_content)  # type: ignore[attr-defined] # which closes the file
