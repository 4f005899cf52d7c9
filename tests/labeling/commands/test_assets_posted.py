"""Files that their owners post to the bucket: taken in on their first use, and only what they may be.

The server of the tests lets anybody post anything with any form, so what is refused here, we refuse.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from typing import Any

import numpy as np
import pytest
import requests
from django.core.files.storage import default_storage

from labeling import storage
from labeling.bucket import Bucket
from labeling.commands import assets, labels, samples
from labeling.errors import InvalidValue, NotFound, Refused, StorageUnavailable, TooLarge
from labeling.geometry import png
from labeling.models import Asset, DatasetAsset, Sample
from tests.support.s3 import Stored

TEN = b"0123456789"


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def ana(person):
    return person("ana")


@pytest.fixture
def plan(ana: Any, in_bucket: Stored):
    """plan("a.png"): a file that Ana is about to upload."""
    return lambda filename="a.png": assets.plan_asset(owner=ana.id, filename=filename)


@pytest.fixture
def post():
    """post(asset, b"…"): do what the SDK does with the form."""

    def send(asset: Asset, content: bytes = TEN) -> None:
        form = assets.form_of(asset)
        assert form is not None
        answer = requests.post(form["url"], data=form["fields"], files={"file": content}, timeout=30)
        assert answer.status_code == 204

    return send


def again(asset: Asset) -> Asset:
    return Asset.objects.get(id=asset.id)


def image(asset: Asset) -> dict[str, Any]:
    return {"attributes": {"image": {"url": assets.url_of(asset)}}}


def test_the_form_is_for_one_place_of_the_bucket_and_for_100_mb(plan, in_bucket):
    one, two = plan(), plan("b.html")
    forms = [assets.form_of(asset) or {} for asset in (one, two)]
    assert [form["fields"]["key"] for form in forms] == [f"files/here/incoming/{asset.id}" for asset in (one, two)]
    assert [form["fields"]["Content-Type"] for form in forms] == ["image/png", "text/html"]


def test_on_the_file_system_there_is_no_such_form(ana):
    assert assets.form_of(assets.plan_asset(owner=ana.id, filename="a.png")) is None


def test_what_was_posted_is_a_file_from_its_first_reading_on(plan, post, in_bucket):
    asset = plan()
    with pytest.raises(NotFound):
        assets.asset_by_token(asset.token)
    post(asset)
    assert again(asset).sha256 is None
    found = assets.asset_by_token(asset.token)
    assert (found.sha256, found.size_bytes, found.content_type) == (sha256_of(TEN), 10, "image/png")
    assert in_bucket.paths() == {assets.path_of(sha256_of(TEN))}
    with default_storage.open(assets.path_of(sha256_of(TEN))) as file:
        assert file.read() == TEN


@pytest.mark.parametrize("content", [b"", bytes(range(256)) * (5 << 12)])
def test_an_empty_file_and_a_large_one_are_files(plan, post, content):
    asset = plan()
    post(asset, content)
    found = assets.asset_by_token(asset.token)
    assert (found.sha256, found.size_bytes) == (sha256_of(content), len(content))


def test_the_same_bytes_twice_are_stored_once(plan, post, in_bucket):
    both = [plan(), plan("b.png")]
    for asset in both:
        post(asset)
        assets.asset_by_token(asset.token)
    assert in_bucket.paths() == {assets.path_of(sha256_of(TEN))}
    assert len({again(asset).token for asset in both}) == 2


def test_what_is_posted_later_changes_nothing(plan, post):
    asset = plan()
    post(asset)
    assets.asset_by_token(asset.token)
    post(asset, b"other")
    assert assets.asset_by_token(asset.token).sha256 == sha256_of(TEN)
    assert assets.read_bytes(assets.url_of(asset), "url") == TEN


def test_a_sample_takes_in_its_files_and_pins_them(ana, plan, post, dataset, intent, in_bucket):
    made = dataset(ana)
    planned = [plan(f"{number}.png") for number in range(12)]
    for number, asset in enumerate(planned[:11]):
        post(asset, str(number).encode())
    items = [samples.checked_sample({"name": asset.filename} | image(asset)) for asset in planned]
    samples.add_samples(intent=intent(ana), dataset=made, items=items, keep_existing=False)
    assert {path for path in in_bucket.paths() if path.startswith("incoming/")} == set()
    pinned = dict(DatasetAsset.objects.filter(dataset_id=made).values_list("token", "sha256"))
    assert pinned == {asset.token: sha256_of(str(number).encode()) for number, asset in enumerate(planned[:11])}
    assert again(planned[11]).sha256 is None, "a sample may name a file that was never uploaded"


def test_a_changed_sample_takes_in_its_files(ana, plan, post, dataset, sample, intent):
    made = dataset(ana)
    one = sample(made, ana)
    asset = plan()
    post(asset)
    changes = samples.checked_sample(image(asset), partial=True)
    samples.change_sample(intent=intent(ana), sample=one, changes=changes)
    assert DatasetAsset.objects.get(dataset_id=made).sha256 == sha256_of(TEN)


def bitmap(asset: Asset) -> dict[str, Any]:
    return {
        "format_version": "0.1",
        "annotations": [{"id": 1, "category_id": 1}],
        "segmentation_bitmap": {"url": assets.url_of(asset)},
    }


def test_a_bitmap_has_to_be_there_and_the_field_is_named(ana, plan, post, dataset, sample, intent):
    made = dataset(ana, "segmentation-bitmap")
    one = sample(made, ana)
    asset = plan("label.png")
    wish = {"sample": one, "label_set": "ground-truth", "document": bitmap(asset), "create": True}
    with pytest.raises(InvalidValue) as refused:
        labels.save_label(intent=intent(ana), **wish)
    assert refused.value.field == "attributes.segmentation_bitmap.url"
    post(asset, png.write_ids(np.ones((4, 4), np.uint32)))
    labels.save_label(intent=intent(ana), **wish)
    assert DatasetAsset.objects.filter(dataset_id=made, token=asset.token).exists()


# --- what is refused -----------------------------------------------------------------------------------------------


def test_a_file_that_is_too_large_is_removed_and_no_file(plan, post, in_bucket, monkeypatch):
    monkeypatch.setattr(assets, "MOST_BYTES", 9)
    asset = plan()
    post(asset)
    with pytest.raises(NotFound):
        assets.asset_by_token(asset.token)
    assert in_bucket.paths() == set()
    post(asset)
    with pytest.raises(TooLarge):
        assets.complete_asset(asset=asset.id, owner=asset.owner_id)
    assert in_bucket.paths() == set()
    post(asset, TEN[:9])
    assert assets.complete_asset(asset=asset.id, owner=asset.owner_id).size_bytes == 9


def test_what_came_after_the_form_had_expired_is_no_file(plan, post, monkeypatch):
    asset = plan()
    post(asset)
    long_ago = asset.created_at - dt.timedelta(seconds=assets.FORM_AGE_S + assets.LATE_S + 5)
    Asset.objects.filter(id=asset.id).update(created_at=long_ago)
    with pytest.raises(NotFound):
        assets.asset_by_token(asset.token)
    with pytest.raises(Refused, match="expired"):
        assets.complete_asset(asset=asset.id, owner=asset.owner_id)
    Asset.objects.filter(id=asset.id).update(created_at=long_ago + dt.timedelta(seconds=30))
    assert assets.asset_by_token(asset.token).sha256 == sha256_of(TEN)


def test_what_is_stored_is_what_was_hashed_whatever_is_posted_meanwhile(plan, post, in_bucket, monkeypatch):
    asset = plan()
    post(asset)
    put = storage.put

    def overtaken(*arguments: Any) -> None:
        post(asset, b"another file")
        put(*arguments)

    monkeypatch.setattr(storage, "put", overtaken)
    found = assets.asset_by_token(asset.token)
    assert found.sha256 == sha256_of(TEN)
    assert in_bucket.paths() == {assets.path_of(sha256_of(TEN))}
    assert in_bucket.get(assets.path_of(sha256_of(TEN))) == TEN


def test_of_two_who_take_a_file_in_at_once_both_have_it(plan, post, monkeypatch):
    asset = plan()
    post(asset)
    take_in = storage.take_in

    def overtaken(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(storage, "take_in", take_in)
        assets.complete_asset(asset=asset.id, owner=asset.owner_id)
        return take_in(*arguments, **options)

    monkeypatch.setattr(storage, "take_in", overtaken)
    assert assets.complete_asset(asset=asset.id, owner=asset.owner_id).sha256 == sha256_of(TEN)


def test_of_two_who_find_different_bytes_the_first_holds(plan, post, monkeypatch):
    asset = plan()
    post(asset)
    record = assets._record

    def overtaken(*arguments: Any) -> None:
        monkeypatch.setattr(assets, "_record", record)
        post(asset, b"another file")
        assets.complete_asset(asset=asset.id, owner=asset.owner_id)
        record(*arguments)

    monkeypatch.setattr(assets, "_record", overtaken)
    found = assets.asset_by_token(asset.token)
    assert found.sha256 == again(asset).sha256 == sha256_of(b"another file")
    assert found.size_bytes == again(asset).size_bytes == 12


def test_when_the_bucket_does_not_answer_nothing_is_written(ana, plan, post, dataset, intent, monkeypatch):
    made = dataset(ana)
    asset = plan()
    post(asset)

    def silent(*_: Any, **__: Any) -> None:
        raise StorageUnavailable

    monkeypatch.setattr(Bucket, "stream", silent)
    items = [samples.checked_sample({"name": "a.png"} | image(asset))]
    with pytest.raises(StorageUnavailable):
        samples.add_samples(intent=intent(ana), dataset=made, items=items, keep_existing=False)
    assert not Sample.objects.filter(dataset_id=made).exists()
    assert again(asset).sha256 is None


def test_what_cannot_be_removed_does_no_harm(plan, post, in_bucket, monkeypatch, caplog):
    asset = plan()
    post(asset)

    def silent(*_: Any) -> None:
        raise StorageUnavailable

    monkeypatch.setattr(Bucket, "delete", silent)
    assert assets.asset_by_token(asset.token).sha256 == sha256_of(TEN)
    assert f"incoming/{asset.id}" in in_bucket.paths()
    assert "stays in the bucket" in caplog.text


# --- asked for -----------------------------------------------------------------------------------------------------


def test_an_owner_can_have_a_file_looked_at_at_once(plan, post):
    asset = plan()
    wish = {"asset": asset.id, "owner": asset.owner_id}
    with pytest.raises(Refused, match="nothing was uploaded"):
        assets.complete_asset(**wish)
    post(asset)
    for sha256 in (sha256_of(TEN), None, sha256_of(TEN)):
        assert assets.complete_asset(**wish, sha256=sha256).size_bytes == 10
    with pytest.raises(InvalidValue) as refused:
        assets.complete_asset(**wish, sha256=sha256_of(b"other"))
    assert refused.value.field == "sha256"
    assert again(asset).sha256 == sha256_of(TEN)


def test_a_file_that_arrived_damaged_is_removed_and_can_be_posted_again(plan, post, in_bucket):
    asset = plan()
    wish = {"asset": asset.id, "owner": asset.owner_id, "sha256": sha256_of(TEN)}
    post(asset, b"012345678")
    with pytest.raises(InvalidValue) as refused:
        assets.complete_asset(**wish)
    assert refused.value.field == "sha256"
    assert in_bucket.paths() == set() and again(asset).sha256 is None
    post(asset)
    assert assets.complete_asset(**wish).sha256 == sha256_of(TEN)


def test_nobody_but_its_owner_asks_for_a_file(plan, post, person):
    asset = plan()
    post(asset)
    for other in (person("ben").id, asset.id):
        with pytest.raises(NotFound):
            assets.complete_asset(asset=asset.id, owner=other)
    with pytest.raises(NotFound):
        assets.complete_asset(asset=asset.owner_id, owner=asset.owner_id)
    assert again(asset).sha256 is None


def test_a_file_that_was_posted_to_us_is_in_the_bucket_as_well(plan, in_bucket):
    asset = plan()
    assets.store_asset(asset, io.BytesIO(TEN))
    assert in_bucket.paths() == {assets.path_of(sha256_of(TEN))}
    assert assets.complete_asset(asset=asset.id, owner=asset.owner_id).sha256 == sha256_of(TEN)
