"""Erasing a file by each door: first what it would take; only by who runs the installation; and why is kept."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from labeling.commands.asset_erasure import content_named
from labeling.log import store
from labeling.log.event import INSTALLATION, SECURITY
from labeling.models import Asset, DatasetAsset, Person
from labeling.texts import decrypt_all
from releases import commands
from tests.conftest import MakeDataset
from tests.labeling.api.conftest import Answer, Caller, browser
from tests.releases.test_terms import World

Make = Callable[..., Any]
pytestmark = pytest.mark.django_db


@pytest.fixture
def root(person: Make) -> Person:
    """Who runs the installation."""
    found: Person = person("root", superuser=True)
    return found


@pytest.fixture
def world(person: Make, dataset: MakeDataset, label: Make) -> World:
    """Three pictures of ana's, with the releases v1 and v2 (withdrawn)."""
    ana = person("ana")
    found = World(ana, dataset(ana, name="streets"), label)
    found.cut("v1", images="included")
    found.cut("v2")
    commands.withdraw_release(intent=found.by, dataset=found.dataset, name="v2")
    return found


def asset_of(world: World) -> Asset:
    return Asset.objects.get(sha256=content_named(world.urls[0]))


def status_of(url: str) -> int:
    return int(browser().head(url).status_code)


# --- the API ---------------------------------------------------------------------------------------------------------


def asked(world: World, by: Person, body: Any, **headers: str) -> Answer:
    return Caller(by).post(f"/assets/{asset_of(world).id}/erase/", body, **headers)


def test_a_dry_run_names_who_loses_it_and_changes_nothing(world: World, root: Person) -> None:
    head, installation = store.head(world.dataset), store.head(INSTALLATION)
    answer = asked(world, root, {"dry_run": True})
    assert answer.status == 200, answer.raw
    [found] = answer.json["datasets"]
    assert (found["dataset"], found["uploads"], found["samples_count"]) == ("ana/streets", 1, 1)
    assert [item["name"] for item in found["samples"]] == ["0.png"]
    assert [(item["name"], item["withdrawn"]) for item in found["releases"]] == [("v1", False), ("v2", True)]
    assert answer.json["sha256"] == content_named(world.urls[0]) and answer.json["dry_run"] is True
    assert (store.head(world.dataset), status_of(world.urls[0])) == (head, 200)
    assert [event.type for event in store.read(INSTALLATION, after=installation, types=["FileErased"])] == []


def test_with_a_reason_it_goes_and_the_same_request_again_says_the_same(world: World, root: Person) -> None:
    asset = asset_of(world)
    refused = asked(world, root, {})
    assert (refused.status, refused.json["code"]) == (422, "reason_required")
    done = asked(world, root, {"reason": "she asked for it"}, Idempotency_Key="one")
    assert done.status == 200, done.raw
    assert status_of(world.urls[0]) == 410
    again = Caller(root).post(f"/assets/{asset.id}/erase/", {"reason": "she asked for it"}, Idempotency_Key="one")
    assert (again.status, again.json) == (200, done.json)
    assert Caller(root).post(f"/assets/{asset.id}/erase/", {"reason": "again"}).status == 409
    [told] = store.read_stream(INSTALLATION, f"file/{asset.sha256}")
    [erased] = store.read(world.dataset, types=["AssetErased"])
    assert decrypt_all([told.intent.reason, erased.intent.reason]) == ["she asked for it"] * 2
    said = io.StringIO()
    call_command("verify_release", "ana/streets", "v1", stdout=said)
    assert "Sound, but for what was erased" in said.getvalue()
    assert world.cut("v1.1", supersedes="v1").is_built


@pytest.mark.parametrize(
    ("body", "field"), [({"dry_run": "yes"}, "dry_run"), ({"force": True}, "body"), ({"reason": 5}, "reason")]
)
def test_what_does_not_fit_is_refused_at_its_field(world: World, root: Person, body: Any, field: str) -> None:
    answer = asked(world, root, body)
    assert (answer.status, answer.json["field"]) == (400, field)
    assert Caller(root).post(f"/assets/{uuid.uuid4()}/erase/", {"dry_run": True}).status == 404
    assert Caller(root).post("/assets/x/erase/", {"dry_run": True}).status == 404
    assert status_of(world.urls[0]) == 200


def test_nobody_else_may_not_even_look_and_that_is_told(world: World, root: Person) -> None:
    answer = asked(world, world.ana, {"dry_run": True})
    assert (answer.status, answer.json["code"]) == (403, "not_permitted")
    denied = store.read(SECURITY, types=["CommandDenied"])
    assert denied[-1].data["action"] == "erase-asset"


# --- the command -----------------------------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    said = io.StringIO()
    call_command("erase_asset", *arguments, stdout=said, stderr=said)
    return said.getvalue()


def test_the_command_says_what_it_would_take_and_takes_it(world: World, root: Person) -> None:
    url, asset = world.urls[0], asset_of(world)
    assert asset.sha256 is not None
    for named in (url, f"http://127.0.0.1:8000{url}", asset.token, str(asset.id), asset.sha256):
        assert f"{asset.filename}: {asset.size_bytes} bytes, SHA-256 {asset.sha256}" in run(named)
    told = run(url)
    assert "samples that lose it: 0.png" in told and "releases that lose it: v1, v2 (withdrawn)" in told
    assert "Nothing was changed" in told and status_of(url) == 200
    assert f"Erased {asset.size_bytes} bytes; hash and size stay in ana/streets." in run(
        url, "--erase", "--by", "root", "--reason", "asked"
    )
    with pytest.raises(CommandError, match="erased before"):
        run(url)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "The file was not found"),
        (("{url}", "--erase"), "Say who erases"),
        (("{url}", "--erase", "--by", "root"), "Say who erases"),
        (("{url}", "--erase", "--by", "nobody", "--reason", "x"), "The user was not found"),
        (("{url}", "--erase", "--by", "ana", "--reason", "x"), "Only who runs the installation"),
    ],
)
def test_the_command_says_what_is_wrong(world: World, root: Person, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(*(item.replace("{url}", world.urls[0]) for item in arguments))


# --- the admin -------------------------------------------------------------------------------------------------------


def logged_in(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def page_of(world: World) -> str:
    row = DatasetAsset.objects.get(dataset_id=world.dataset, sha256=content_named(world.urls[0]))
    return reverse("admin:labeling_datasetasset_erase", args=[row.id])


def test_the_page_says_what_goes_and_takes_it_for_a_reason_and_the_name(world: World, root: Person) -> None:
    client = logged_in(root)
    listed = client.get(reverse("admin:labeling_datasetasset_changelist"), {"q": content_named(world.urls[0])})
    assert asset_of(world).filename in listed.content.decode() and "ana/streets" in listed.content.decode()
    text = client.get(page_of(world)).content.decode()
    assert "Nothing is changed yet" in text and "0.png" in text and ">v1</a>" in text and "(withdrawn)" in text
    filename = asset_of(world).filename
    for said, field in (({"filename": filename}, "reason"), ({"reason": "x", "filename": "y"}, "filename")):
        assert list(client.post(page_of(world), said).context["form"].errors) == [field]
    assert status_of(world.urls[0]) == 200
    done = client.post(page_of(world), {"reason": "asked by letter", "filename": filename}, follow=True)
    assert "The bytes of this file were erased" in done.content.decode()
    assert status_of(world.urls[0]) == 410
    [told] = store.read(INSTALLATION, types=["FileErased"])[-1:]
    assert (told.intent.tool, decrypt_all([told.intent.reason])) == ("admin", ["asked by letter"])
    kept = client.get(reverse("admin:labeling_datasetasset_changelist"), {"state": "kept"}).context["cl"].result_list
    assert content_named(world.urls[0]) not in {row.sha256 for row in kept} and len(kept) >= 2
    assert client.get(page_of(world)).status_code == 200


def test_an_address_that_leads_to_no_file_says_so(world: World, root: Person) -> None:
    Person.objects.filter(id=world.ana.id).update(is_staff=True)
    staff = logged_in(Person.objects.get(id=world.ana.id))
    [row] = DatasetAsset.objects.filter(dataset_id=world.dataset, sha256=content_named(world.urls[0]))
    for key, there in (("abc", False), (str(uuid.uuid4()), False), (str(row.id), True)):
        address = reverse("admin:labeling_datasetasset_change", args=[key])
        assert staff.get(address).status_code == 403
        answer = logged_in(root).get(address)
        assert (answer.status_code, answer["Location"] == page_of(world)) == (302, there)
        assert logged_in(root).get(address, follow=True).status_code == 200


def test_others_see_no_files_and_erase_none(world: World, root: Person) -> None:
    Person.objects.filter(id=world.ana.id).update(is_staff=True)
    client = logged_in(Person.objects.get(id=world.ana.id))
    for address in (page_of(world), reverse("admin:labeling_datasetasset_changelist")):
        assert client.get(address).status_code == 403
    assert client.post(page_of(world), {"reason": "x", "filename": "y"}).status_code == 403
    assert logged_in(root).get(page_of(world).replace("0", "1")).status_code in (200, 404)
