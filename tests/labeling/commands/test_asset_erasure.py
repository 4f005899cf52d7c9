"""Erasing a file: the bytes go, the tombstone stays, and nothing that was made of it changes or breaks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from labeling import events as e
from labeling import pictures, storage
from labeling.commands import asset_erasure, assets, labels, retention, samples
from labeling.commands.asset_erasure import content_named, erase_asset, plan_asset_erasure
from labeling.errors import InvalidValue, NotFound, NotPermitted, ReasonRequired, Refused
from labeling.log import rebuild, store
from labeling.log.event import INSTALLATION, Intent
from labeling.management.stored_files import broken_files
from labeling.models import Asset, DatasetAsset, Person, Sample
from labeling.rules.sample_state import asset_stream
from labeling.texts import encrypt
from tests.conftest import MakeDataset
from tests.labeling.api.conftest import browser
from tests.support.masks import picture, upload, upload_ids

Make = Callable[..., Any]
pytestmark = pytest.mark.django_db
DATA = picture(width=37)
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def root(person: Make) -> Person:
    """Who runs the installation."""
    found: Person = person("root")
    Person.objects.filter(id=found.id).update(is_superuser=True)
    return found


@pytest.fixture
def by(root: Person) -> Intent:
    return Intent(author=root.id, reason=encrypt("the person in it asked for it", person=root.id))


@pytest.fixture
def url(person: Make, dataset: MakeDataset) -> str:
    """A picture of 37 by … in a dataset of ana."""
    ana = person("ana")
    return add(dataset(ana), ana)


def status_of(url: str) -> int:
    return int(browser().head(url).status_code)


def add(dataset: Any, ana: Person, name: str = "a.png", data: bytes = DATA) -> str:
    url = upload(ana, data, name)
    item = samples.checked_sample({"name": name, "attributes": {"image": {"url": url}}})
    samples.add_samples(intent=Intent(author=ana.id), dataset=dataset, items=[item], keep_existing=False)
    return url


def test_the_bytes_go_and_a_tombstone_stays(url: str, by: Intent) -> None:
    path = assets.path_of(SHA256)
    assert default_storage.exists(path)
    erase_asset(intent=by, sha256=SHA256)
    assert asset_erasure.sweep() == 1
    assert not default_storage.exists(path)
    row = DatasetAsset.objects.get(sha256=SHA256)
    assert row.erased_at is not None
    assert (row.size_bytes, row.width) == (len(DATA), 37)
    added, erased = store.read_stream(row.dataset_id, asset_stream(row.asset_id))
    assert isinstance(added.fact, e.AssetAdded)
    assert erased.fact == e.AssetErased(
        asset=str(row.asset_id), sha256=SHA256, size_bytes=len(DATA), width=37, height=row.height
    )
    assert erased.intent.reason == by.reason
    assert rebuild.differences(row.dataset_id) == {}


def test_its_address_says_that_it_was_erased(url: str, by: Intent) -> None:
    assert status_of(url) == 200
    erase_asset(intent=by, sha256=SHA256)
    answer = browser().get(url)
    assert (answer.status_code, answer.json()["code"]) == (410, "erased_file")


def test_verify_finds_no_fault_in_what_was_erased(url: str, by: Intent) -> None:
    erase_asset(intent=by, sha256=SHA256)
    asset_erasure.sweep()
    assert [item for item in broken_files() if item.filename in ("a.png",)] == []
    Asset.objects.filter(sha256=SHA256).update(erased_at=None)
    assert [item.problem for item in broken_files()] == ["is not in the storage"]


def test_the_size_of_the_picture_is_known_for_ever(url: str, by: Intent) -> None:
    pictures.size_of.cache_clear()
    before = pictures.size_of(SHA256)
    erase_asset(intent=by, sha256=SHA256)
    asset_erasure.sweep()
    pictures.size_of.cache_clear()
    assert pictures.size_of(SHA256) == before


def test_every_dataset_and_every_upload_of_the_same_bytes_is_told(
    person: Make, dataset: MakeDataset, by: Intent
) -> None:
    ana, ben = person("ana"), person("ben")
    one, other = dataset(ana), dataset(ben)
    add(one, ana), add(one, ana, "b.png"), add(other, ben)
    plan = plan_asset_erasure(SHA256)
    assert (plan.datasets, plan.uploads, plan.filenames) == ({one: 2, other: 1}, 3, ["a.png", "b.png"])
    erase_asset(intent=by, sha256=SHA256)
    for log, count in ((one, 2), (other, 1)):
        assert len(list(store.read(log, types=["AssetErased"]))) == count
    with pytest.raises(Refused, match="erased before"):
        erase_asset(intent=by, sha256=SHA256)


def test_it_is_told_once_for_all_and_names_the_samples_that_lose_it(
    person: Make, dataset: MakeDataset, by: Intent
) -> None:
    ana = person("ana")
    one, other = dataset(ana), dataset(ana)
    for made, name in ((one, "b.png"), (one, "a_1.png"), (other, "c.png")):
        add(made, ana, name)
    add(one, ana, "other.png", picture(width=38))
    gone = Sample.objects.get(dataset_id=one, name="b.png")
    samples.archive_sample(intent=Intent(author=ana.id), sample=gone.id)
    showing = plan_asset_erasure(SHA256).samples[one]
    assert (showing.count, [(item.name, item.is_deleted) for item in showing.first]) == (
        2, [("a_1.png", False), ("b.png", True)],
    )  # fmt: skip
    erase_asset(intent=by, sha256=SHA256)
    [told] = store.read_stream(INSTALLATION, f"file/{SHA256}")
    assert told.fact == e.FileErased(
        sha256=SHA256, size_bytes=len(DATA), uploads=3, datasets=sorted([str(one), str(other)])
    )
    assert told.intent.reason == by.reason


def test_a_file_in_no_dataset_is_told_too(person: Make, by: Intent) -> None:
    upload(person("ana"), DATA)
    erase_asset(intent=by, sha256=SHA256)
    [told] = store.read_stream(INSTALLATION, f"file/{SHA256}")
    assert isinstance(told.fact, e.FileErased) and told.fact.datasets == []


def test_what_is_uploaded_while_the_datasets_are_told_is_counted(
    url: str, by: Intent, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell = asset_erasure._tell

    def late(*arguments: Any) -> None:
        tell(*arguments)
        upload(Person.objects.get(username="ana"), DATA, "later.png")

    monkeypatch.setattr(asset_erasure, "_tell", late)
    monkeypatch.setattr(asset_erasure, "_showing", lambda *_: pytest.fail("nobody looks at the samples"))
    assert erase_asset(intent=by, sha256=SHA256) == len(DATA)
    [told] = store.read_stream(INSTALLATION, f"file/{SHA256}")
    assert isinstance(told.fact, e.FileErased) and told.fact.uploads == 2
    assert not Asset.objects.filter(sha256=SHA256, erased_at=None).exists()


def test_nothing_of_a_held_dataset_is_erased(url: str, by: Intent) -> None:
    log = DatasetAsset.objects.get(sha256=SHA256).dataset_id
    retention.place_hold(intent=by, what="dataset", key=log)
    with pytest.raises(Refused, match="held"):
        erase_asset(intent=by, sha256=SHA256)
    assert status_of(url) == 200
    retention.lift_hold(intent=by, what="dataset", key=log)
    erase_asset(intent=by, sha256=SHA256)


def test_the_same_bytes_are_not_taken_again(url: str, by: Intent, person: Make) -> None:
    erase_asset(intent=by, sha256=SHA256)
    owner = Person.objects.get(username="ana")
    planned = assets.plan_asset(owner=owner.id, filename="c.png")
    with pytest.raises(Refused, match="erased"):
        assets.store_asset(planned, ContentFile(DATA))
    assert not Asset.objects.filter(token=planned.token, sha256__isnull=False).exists()


def test_bytes_that_we_make_ourselves_may_come_again_and_stay(url: str, by: Intent) -> None:
    erase_asset(intent=by, sha256=SHA256)
    asset_erasure.sweep()
    again = upload(Person.objects.get(username="ana"), DATA)
    assert again != url
    assert asset_erasure.sweep() == 0
    assert status_of(again) == 200
    assert status_of(url) == 410


def test_a_backup_keeps_the_bytes_until_it_is_done(url: str, by: Intent, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def not_now() -> Any:
        yield False

    with monkeypatch.context() as during:
        during.setattr(storage, "removable", not_now)
        erase_asset(intent=by, sha256=SHA256)
        assert asset_erasure.sweep() == 0
        assert default_storage.exists(assets.path_of(SHA256))
    assert status_of(url) == 410, "nobody else gets it meanwhile"
    assert asset_erasure.sweep() == 1


def test_an_erased_file_is_not_brought_into_another_dataset(
    url: str, by: Intent, person: Make, dataset: MakeDataset
) -> None:
    erase_asset(intent=by, sha256=SHA256)
    ana = Person.objects.get(username="ana")
    other = dataset(ana)
    item = samples.checked_sample({"name": "x.png", "attributes": {"image": {"url": url}}})
    samples.add_samples(intent=Intent(author=ana.id), dataset=other, items=[item], keep_existing=False)
    assert list(store.read(other, types=["AssetAdded"])) == []


def test_the_pixels_of_a_label_are_no_picture(person: Make, dataset: MakeDataset, by: Intent) -> None:
    ana = person("ana")
    bitmaps = dataset(ana, "segmentation-bitmap")
    item = samples.checked_sample({"name": "a.png", "attributes": {"image": {"url": upload(ana, DATA)}}})
    [sample] = samples.add_samples(intent=Intent(author=ana.id), dataset=bitmaps, items=[item], keep_existing=False)
    mask = upload_ids(ana, np.ones((4, 4), np.uint32))
    document = {"annotations": [{"id": 1, "category_id": 1}], "segmentation_bitmap": {"url": mask}}
    labels.save_label(
        intent=Intent(author=ana.id), sample=sample, label_set="ground-truth", document=document, status="LABELED",
        create=True,
    )  # fmt: skip
    with pytest.raises(Refused, match="pixels of a label"):
        erase_asset(intent=by, sha256=content_named(mask))
    erase_asset(intent=by, sha256=SHA256)
    with pytest.raises(InvalidValue, match="was erased"):
        assets.read_bytes(assets.url_of(Asset.objects.get(sha256=SHA256)), "url")


def test_only_who_runs_the_installation_erases_and_says_why(url: str, root: Person, person: Make) -> None:
    ana = Person.objects.get(username="ana")
    with pytest.raises(NotPermitted):
        erase_asset(intent=Intent(author=ana.id, reason="x"), sha256=SHA256)
    with pytest.raises(ReasonRequired):
        erase_asset(intent=Intent(author=root.id), sha256=SHA256)
    with pytest.raises(NotFound):
        erase_asset(intent=Intent(author=root.id, reason="x"), sha256="0" * 64)
    assert status_of(url) == 200
