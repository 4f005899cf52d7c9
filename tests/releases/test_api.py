"""Releases over HTTP, as the protocol has them, and their files without a key."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from labeling import events as e
from labeling.commands import assets, people
from labeling.commands.security import NOBODY, hidden
from labeling.log import store
from labeling.log.event import SECURITY
from labeling.models import Person
from releases import builds, files, queries
from tests.conftest import MakeDataset

Make = Callable[..., Any]


@pytest.fixture
def client_of(intent: Make) -> Callable[[Person], APIClient]:
    """client_of(person): HTTP with a key of that person."""

    def make(person: Person) -> APIClient:
        _, key = people.create_key(intent=intent(person), person=person)
        return APIClient(headers={"Authorization": f"APIKey {key}"})

    return make


@pytest.fixture
def ana(person: Make) -> Person:
    found: Person = person()
    return found


@pytest.fixture
def streets(dataset: MakeDataset, ana: Person) -> uuid.UUID:
    return dataset(ana, name="streets")


@pytest.fixture
def client(client_of: Callable[[Person], APIClient], ana: Person) -> APIClient:
    return client_of(ana)


PATH = "/datasets/ana/streets/releases"


def built(client: APIClient, streets: uuid.UUID, name: str = "v1", description: str = "") -> dict[str, Any]:
    """A release as it is read once its file is there."""
    answer = client.post(f"{PATH}/", {"name": name, "description": description})
    assert answer.status_code == 201, answer.content
    builds.build(uuid.UUID(answer.json()["uuid"]))
    found: dict[str, Any] = client.get(f"{PATH}/{name}/").json()
    assert found["status"] == "SUCCEEDED", found
    return found


def path_of(url: str) -> str:
    assert url.startswith(settings.PUBLIC_URL)
    return urlsplit(url).path


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_a_dataset_without_releases_has_an_empty_list(client: APIClient, streets: uuid.UUID) -> None:
    assert client.get(f"{PATH}/").json() == []


def test_a_new_release_is_pending_and_has_no_file(client: APIClient, streets: uuid.UUID) -> None:
    head, chain = store.head_and_chain(streets)
    answer = client.post(f"{PATH}/", {"name": "v1", "description": "the first"})
    assert answer.status_code == 201
    made = answer.json()
    assert {key: value for key, value in made.items() if key not in ("uuid", "created_at")} == {
        "name": "v1",
        "description": "the first",
        "release_type": "JSON",
        "attributes": {"url": None},
        "status": "PENDING",
        "created_by": "ana",
        "samples_count": 0,
        "samples_total": None,
        "labels_left_out": 0,
        "size_bytes": None,
        "sha256": None,
        "error": None,
        "offset": head,
        "choice": {},
        "images": "referred",
        "base": None,
        "supersedes": None,
        "signed_by": None,
        "withdrawn": None,
        "identity": None,
        "chain": chain.hex(),
    }
    assert client.get(f"{PATH}/v1/").json() == made
    assert client.get(f"{PATH}/").json() == [made]


@pytest.mark.parametrize("slash", ["", "/"])
def test_both_forms_of_a_path_are_taken(client: APIClient, streets: uuid.UUID, slash: str) -> None:
    assert client.post(f"{PATH}{slash}", {"name": "v1.1 (beta)"}).status_code == 201
    assert client.get(f"{PATH}{slash}").json()[0]["name"] == "v1.1 (beta)"
    assert client.get(f"{PATH}/v1.1 (beta){slash}").json()["name"] == "v1.1 (beta)"
    assert client.delete(f"{PATH}/v1.1%20(beta){slash}").status_code == 204
    assert client.get(f"{PATH}{slash}").json() == []


def test_releases_are_listed_in_the_order_in_which_they_were_cut(client: APIClient, streets: uuid.UUID) -> None:
    for name in ("b", "a", "c"):
        client.post(f"{PATH}/", {"name": name})
    assert [item["name"] for item in client.get(f"{PATH}/").json()] == ["b", "a", "c"]


def test_a_failed_release_says_why(client: APIClient, streets: uuid.UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    made = client.post(f"{PATH}/", {"name": "v1"}).json()
    monkeypatch.setattr(store, "chain_at", lambda *arguments: 1 / 0)
    builds.build(uuid.UUID(made["uuid"]))
    monkeypatch.undo()
    found = client.get(f"{PATH}/v1/").json()
    assert (found["status"], found["attributes"]) == ("FAILED", {"url": None})
    assert found["error"].startswith("The dataset cannot be read from the log (ZeroDivisionError)")


# --- refusals ------------------------------------------------------------------------------------------------------


def test_a_taken_name_already_exists(client: APIClient, streets: uuid.UUID) -> None:
    client.post(f"{PATH}/", {"name": "v1"})
    answer = client.post(f"{PATH}/", {"name": "v1"})
    assert (answer.status_code, answer.json()["field"]) == (409, "name")
    assert "already exists." in answer.json()["detail"]


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("name", {}),
        ("name", {"name": None}),
        ("name", {"name": "zebra/7391"}),
        ("description", {"name": "v1", "description": ["zebra7391"]}),
    ],
)
def test_a_bad_body_is_refused_by_the_name_of_its_field(
    client: APIClient, streets: uuid.UUID, field: str, sent: dict[str, Any]
) -> None:
    head = store.head(streets)
    answer = client.post(f"{PATH}/", sent)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert b"zebra" not in answer.content
    assert store.head(streets) == head


@pytest.mark.parametrize("method", ["get", "delete"])
def test_a_release_that_is_not_there_is_not_found(client: APIClient, streets: uuid.UUID, method: str) -> None:
    answer = getattr(client, method)(f"{PATH}/v9/")
    assert answer.status_code == 404
    assert answer.json()["detail"].endswith("Not found.")


def test_a_stranger_finds_nothing_and_a_labeler_may_only_read(
    client: APIClient, streets: uuid.UUID, client_of: Callable[[Person], APIClient], person: Make
) -> None:
    from labeling.commands import datasets
    from labeling.log.event import Intent

    client.post(f"{PATH}/", {"name": "v1"})
    eve, ben = client_of(person("eve")), person("ben")
    for answer in (eve.get(f"{PATH}/"), eve.get(f"{PATH}/v1/"), eve.post(f"{PATH}/", {"name": "v2"})):
        assert answer.status_code == 404
    ana = person()
    datasets.add_member(intent=Intent(author=ana.id), dataset=streets, person=ben.id, role="labeler")
    labeler = client_of(ben)
    assert labeler.get(f"{PATH}/v1/").status_code == 200
    for answer in (labeler.post(f"{PATH}/", {"name": "v2"}), labeler.delete(f"{PATH}/v1/")):
        assert answer.status_code == 403
        assert "do not have permission" in answer.json()["detail"]


def test_without_a_key_nothing_is_told(streets: uuid.UUID) -> None:
    assert APIClient().get(f"{PATH}/").status_code == 401


def test_the_same_key_of_a_request_gives_the_same_release(client: APIClient, streets: uuid.UUID) -> None:
    first, second = (
        client.post(f"{PATH}/", {"name": "v1"}, headers={"Idempotency-Key": "once"}).json() for _ in range(2)
    )
    assert first == second


# --- files ---------------------------------------------------------------------------------------------------------


def test_a_file_is_served_without_a_key_with_address_and_names_put_in(
    client: APIClient, streets: uuid.UUID, ana: Person, sample: Make, label: Make
) -> None:
    picture = assets.keep_bytes(b"png", owner=ana.id, filename="street.png", content_type="image/png")
    drawn = sample(streets, ana, attributes={"image": {"url": assets.url_of(picture)}})
    label(drawn, ana)
    found = built(client, streets, "v1.1 (beta)", "two")
    path = path_of(found["attributes"]["url"])
    assert path.endswith("/streets-v1.1%20%28beta%29.json")
    answer = APIClient().get(path)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    document = json.loads(body(answer))
    assert document["dataset"]["owner"] == "ana"
    [told] = document["dataset"]["samples"]
    assert told["attributes"]["image"]["url"] == settings.PUBLIC_URL + assets.url_of(picture)
    assert told["labels"]["ground-truth"]["created_by"] == "ana"
    assert (found["samples_count"], document["log"]["offset"]) == (1, found["offset"])


def test_the_bytes_as_stored_have_the_hash_that_the_release_names(
    client: APIClient, streets: uuid.UUID, ana: Person
) -> None:
    found = built(client, streets)
    data = body(APIClient().get(path_of(found["attributes"]["url"]) + "?stored"))
    assert hashlib.sha256(data).hexdigest() == found["sha256"]
    assert len(data) == found["size_bytes"]
    assert json.loads(data)["dataset"]["owner"] == str(ana.id)


def test_a_download_is_told_and_looking_at_its_head_is_not(client: APIClient, streets: uuid.UUID, ana: Person) -> None:
    found = built(client, streets)
    path = path_of(found["attributes"]["url"])
    known = store.head(SECURITY)
    APIClient().head(path)
    assert store.head(SECURITY) == known
    body(APIClient().get(path))
    browser = APIClient()
    browser.force_login(ana)
    body(browser.get(path))
    first, second = [event for event in store.read(SECURITY, after=known) if event.type == "Downloaded"]
    for told, address in ((first, hidden("127.0.0.1")), (second, hidden("127.0.0.1", person=ana.id))):
        assert told.fact == e.Downloaded(
            what="release", id=found["uuid"], dataset=str(streets), sha256=found["sha256"], address=address
        )
    assert (first.intent.author, second.intent.author) == (NOBODY, ana.id)


def test_a_download_that_cannot_be_told_does_not_happen(
    client: APIClient, streets: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = path_of(built(client, streets)["attributes"]["url"])

    def busy(*arguments: Any, **options: Any) -> Any:
        raise store.LogBusy

    monkeypatch.setattr(store, "append", busy)
    answer = APIClient().get(path)
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")


def test_a_new_address_of_the_server_or_name_of_a_person_shows_at_once(
    client: APIClient, streets: uuid.UUID, ana: Person, intent: Make, settings: Any
) -> None:
    url = built(client, streets)["attributes"]["url"]
    people.change_person(intent=intent(ana), person=ana, fields={"username": "ana-maria"})
    path = path_of(url)
    settings.PUBLIC_URL = "https://labels.example.org"
    assert json.loads(body(APIClient().get(path)))["dataset"]["owner"] == "ana-maria"
    [found] = client.get("/datasets/ana-maria/streets/releases/").json()
    assert found["attributes"]["url"] == f"https://labels.example.org{path}"


def test_only_the_address_that_was_given_out_is_served(client: APIClient, streets: uuid.UUID) -> None:
    found, other = built(client, streets, "v1"), built(client, streets, "v2")
    _, _, release, token, name = path_of(found["attributes"]["url"]).split("/")
    stolen = path_of(other["attributes"]["url"]).split("/")[3]
    for path in (
        f"/releases/{release}/{stolen}/{name}",
        f"/releases/{release}/{found['sha256']}/{name}",
        f"/releases/{release}/{token[:-1]}/{name}",
        f"/releases/{uuid.uuid4()}/{token}/{name}",
        f"/releases/zebra/{token}/{name}",
        f"/releases/{release}/caf\u00e9/{name}",
    ):
        answer = APIClient().get(path)
        assert (answer.status_code, "Not found." in answer.json()["detail"]) == (404, True), path


def test_a_pending_release_has_no_address_that_can_be_made_up(client: APIClient, streets: uuid.UUID) -> None:
    made = client.post(f"{PATH}/", {"name": "v1"}).json()
    token = files.address(uuid.UUID(made["uuid"]), "", "x").split("/")[-2]
    assert APIClient().get(f"/releases/{made['uuid']}/{token}/x.json").status_code == 404


def test_the_file_of_a_withdrawn_release_is_not_found(client: APIClient, streets: uuid.UUID) -> None:
    path = path_of(built(client, streets)["attributes"]["url"])
    assert client.delete(f"{PATH}/v1/").status_code == 204
    assert APIClient().get(path).status_code == 404


def test_a_lost_file_is_made_again_behind_the_same_address(client: APIClient, streets: uuid.UUID) -> None:
    found = built(client, streets)
    path = path_of(found["attributes"]["url"])
    before = body(APIClient().get(path))
    release = uuid.UUID(found["uuid"])
    build = queries.release_by_id(release).build
    assert build is not None
    files.discard(build.path)
    answer = APIClient().get(path)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert APIClient().get(path).status_code == 503
    builds.build(release)
    assert client.get(f"{PATH}/v1/").json()["attributes"]["url"] == found["attributes"]["url"]
    assert body(APIClient().get(path)) == before


def test_a_head_request_names_the_kind_and_sends_nothing(client: APIClient, streets: uuid.UUID) -> None:
    answer = APIClient().head(path_of(built(client, streets)["attributes"]["url"]))
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert answer.content == b""


def test_a_choice_is_asked_for_over_the_api_and_its_manifest_read(client: APIClient, streets: uuid.UUID) -> None:
    wanted = {"filter": {"samples": ["no*"]}, "splits": {"seed": "s", "shares": {"train": 1}}}
    made = client.post(f"{PATH}/", {"name": "v1", "at": store.head(streets)} | wanted)
    assert made.status_code == 201 and made.json()["choice"] == wanted
    assert client.get(f"{PATH}/v1/manifest/").status_code == 404, "its file is not made yet"
    builds.build(uuid.UUID(made.json()["uuid"]))
    answer = client.get(f"{PATH}/v1/manifest/")
    assert answer.status_code == 200 and answer.json()["samples_count"] == 0
    identity = client.get(f"{PATH}/v1/").json()["identity"]
    assert hashlib.sha256(answer.content).hexdigest() == identity and answer.headers["ETag"] == f'"{identity}"'
    for at in (0, -1, True, 1.5, "yesterday", [1]):
        refused = client.post(f"{PATH}/", {"name": "v2", "at": at})
        assert (refused.status_code, refused.json()["field"]) == (400, "at")
    refused = client.post(f"{PATH}/", {"name": "v2", "filter": {"colour": 1}})
    assert (refused.status_code, refused.json()["field"]) == (400, "filter.colour")


def test_a_release_stands_where_an_event_or_another_release_does(client: APIClient, streets: uuid.UUID) -> None:
    first = built(client, streets, "first")
    event = store.read(streets)[1]
    for name, at, offset in (
        ("by-release", "first", first["offset"]),
        ("by-uuid", str(event.event_id), event.offset),
        ("by-number", str(event.offset), event.offset),
    ):
        made = client.post(f"{PATH}/", {"name": name, "at": at})
        assert (made.status_code, made.json()["offset"]) == (201, offset)


def test_a_new_release_is_exported_in_formats_at_once(
    client: APIClient, streets: uuid.UUID, django_capture_on_commit_callbacks: Make
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        made = client.post(f"{PATH}/", {"name": "v1", "formats": ["csv", "coco-instances", "csv"]})
    assert made.status_code == 201
    assert [job.format for job in queries.exports_of(uuid.UUID(made.json()["uuid"]))] == ["coco-instances", "csv"]
    head = store.head(streets)
    for formats in ("csv", ["zebra"], [7], {"csv": 1}, ["folders"]):
        refused = client.post(f"{PATH}/", {"name": "v2", "formats": formats})
        assert (refused.status_code, refused.json()["field"]) == (400, "formats"), formats
        assert b"zebra" not in refused.content
    assert store.head(streets) == head
    changed = client.patch("/datasets/ana/streets/", {"signatures_required": ["release"]})
    assert changed.status_code == 200, changed.content
    refused = client.post(f"{PATH}/", {"name": "v2", "formats": ["csv"]})
    assert refused.status_code == 409 and "signed" in refused.json()["detail"]
