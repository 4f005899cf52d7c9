"""Files: kept by their content, known by an unguessable token, found in documents, and read as bitmaps."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from labeling import events as e
from labeling.commands import assets
from labeling.errors import InvalidValue, NotFound, Refused, TooLarge
from labeling.geometry import bitmaps, png
from labeling.models import Asset, DatasetAsset

IDS = np.array([[0, 1], [2, 70000]], np.uint32)


@pytest.fixture
def ana(person):
    return person("ana")


def kept(ana: Any, data: bytes = b"some bytes", filename: str = "a.png") -> Asset:
    return assets.keep_bytes(data, owner=ana.id, filename=filename, content_type="image/png")


def stored(asset: Asset) -> bytes:
    assert asset.sha256 is not None
    with default_storage.open(assets.path_of(asset.sha256)) as file:
        return bytes(file.read())


@pytest.mark.parametrize(
    "said, name, content_type",
    [
        ("violet.jpg", "violet.jpg", "image/jpeg"),
        ("label.png", "label.png", "image/png"),
        ("a/b\\c d.png", "c_d.png", "image/png"),
        ("../../etc/passwd", "passwd.bin", "application/octet-stream"),
        ("..", "...bin", "application/octet-stream"),
        (".", "file.bin", "application/octet-stream"),
        ("/", "file.bin", "application/octet-stream"),
        ("", "file.bin", "application/octet-stream"),
        ("straße\n\0.png", "stra_e__.png", "image/png"),
        ("x" * 300 + ".png", "x" * 116 + ".png", "image/png"),
        ("page.html", "page.html", "text/html"),
    ],
)
def test_the_name_of_a_file_can_stand_in_an_address(ana, said, name, content_type):
    asset = assets.plan_asset(owner=ana.id, filename=said)
    assert (asset.filename, asset.content_type, asset.sha256) == (name, content_type, None)
    assert assets.url_of(asset) == f"/media/{asset.token}/{name}"
    assert assets._ours.fullmatch(assets.url_of(asset))


def test_tokens_cannot_be_guessed(ana):
    tokens = {assets.plan_asset(owner=ana.id, filename="a.png").token for _ in range(20)}
    assert len(tokens) == 20 and {len(token) for token in tokens} == {32}


def test_a_file_is_stored_once_by_its_content(ana):
    planned = [assets.plan_asset(owner=ana.id, filename=f"{number}.png") for number in range(2)]
    for asset in planned:
        assets.store_asset(asset, ContentFile(b"the same"), content_type="image/png")
    assert planned[0].sha256 == planned[1].sha256 and planned[0].size_bytes == 8
    assert stored(planned[0]) == b"the same"
    assets.store_asset(planned[0], io.BytesIO(b"the same"))
    with pytest.raises(Refused):
        assets.store_asset(planned[0], io.BytesIO(b"another"))
    assert stored(planned[0]) == b"the same"


def test_a_file_that_a_crash_left_half_written_is_written_again(ana):
    asset = kept(ana, b"all of the bytes")
    assert asset.sha256 is not None
    path = assets.path_of(asset.sha256)
    default_storage.delete(path)
    default_storage.save(path, ContentFile(b"all of"))
    again = assets.plan_asset(owner=ana.id, filename="a.png")
    assets.store_asset(again, ContentFile(b"all of the bytes"))
    assert stored(again) == b"all of the bytes"


def test_a_file_that_is_too_large_is_refused(ana, monkeypatch):
    monkeypatch.setattr(assets, "MOST_BYTES", 10)
    asset = assets.plan_asset(owner=ana.id, filename="a.png")
    with pytest.raises(TooLarge):
        assets.store_asset(asset, io.BytesIO(b"x" * 11))
    assert Asset.objects.get(id=asset.id).sha256 is None
    assets.store_asset(asset, io.BytesIO(b"x" * 10))


def test_an_empty_file_is_a_file(ana):
    asset = assets.plan_asset(owner=ana.id, filename="a.png")
    assets.store_asset(asset, ContentFile(b""))
    assert (asset.size_bytes, stored(asset)) == (0, b"")


def test_what_we_make_ourselves_is_one_file_of_its_owner(ana, person):
    assert kept(ana).id == kept(ana).id
    other = kept(person("ben"))
    assert other.id != kept(ana).id and other.sha256 == kept(ana).sha256


def test_a_file_is_found_by_its_token_when_it_is_there(ana):
    asset = kept(ana)
    assert assets.asset_by_token(asset.token).id == asset.id
    for token in ("x" * 32, assets.plan_asset(owner=ana.id, filename="a").token, ""):
        with pytest.raises(NotFound):
            assets.asset_by_token(token)


# --- references ----------------------------------------------------------------------------------------------------

ONE, TWO = "t" * 32, "u-_" * 10 + "ab"


@pytest.mark.parametrize(
    "value, tokens",
    [
        (None, set()),
        ([], set()),
        ({}, set()),
        (5, set()),
        (f"/media/{ONE}/a.png", {ONE}),
        (f"/media/{ONE}/a.png?x=1", {ONE}),
        ({"a": {"url": f"/media/{ONE}/a.png"}, "b": [[{"url": f"/media/{TWO}/a.png"}]]}, {ONE, TWO}),
        ([f"/media/{ONE}/a.png", f"/media/{TWO}/a.png"], {ONE, TWO}),
        ([1, 2.5, {"url": f"/media/{ONE}/a.png"}], {ONE}),
        ([None, f"/media/{ONE}/a.png"], {ONE}),
        ([[1, 2], [3, 4]], set()),
        (f"https://example.org/media/{ONE}/a.png", set()),
        ("/media/short/a.png", set()),
        (f"/media/{ONE}/", set()),
        (f"see /media/{ONE}/a.png", set()),
    ],
)
def test_the_files_that_a_document_names(value, tokens):
    assert assets.tokens_in(value) == tokens


def test_only_files_that_the_dataset_does_not_know_yet_are_pinned(ana, dataset, sample):
    made, asset = dataset(ana), kept(ana)
    planned = assets.plan_asset(owner=ana.id, filename="b.png")
    assert assets.pin_assets(made, []) == []
    ((stream, version, fact),) = assets.pin_assets(made, [asset.token, planned.token, "x" * 32])
    assert (stream, version) == (f"asset/{asset.id}", 0)
    assert fact == e.AssetAdded(
        asset=str(asset.id),
        token=asset.token,
        filename="a.png",
        sha256=asset.sha256 or "",
        size_bytes=10,
        content_type="image/png",
    )
    sample(made, ana, attributes={"image": {"url": assets.url_of(asset)}})
    assert assets.pin_assets(made, [asset.token]) == []
    assert DatasetAsset.objects.filter(dataset_id=made, token=asset.token).count() == 1


# --- bitmaps -------------------------------------------------------------------------------------------------------


def test_a_bitmap_is_read_and_written_by_its_pixels(ana):
    files = assets.MaskFiles(ana.id)
    mask = files.keep(IDS)
    assert mask == {"url": mask["url"], "hash": bitmaps.mask_hash(IDS), "width": 2, "height": 2}
    assert assets.MaskFiles(ana.id).read(mask).tolist() == IDS.tolist()
    assert assets.MaskFiles(ana.id).known(mask["url"], "x") == mask
    assert files.keep(IDS.copy())["url"] == mask["url"]


def test_a_bitmap_is_read_once(ana, monkeypatch):
    mask = assets.MaskFiles(ana.id).keep(IDS)
    files = assets.MaskFiles(ana.id)
    files.known(mask["url"], "x")
    monkeypatch.setattr(assets, "read_bytes", None)
    assert files.read(mask).tolist() == IDS.tolist()


@pytest.mark.parametrize("url", ["/media/", "/media/x/y", f"/media/{ONE}/a.png", "https://example.org/a.png", ""])
def test_a_bitmap_that_was_never_uploaded_is_refused(db, url):
    with pytest.raises(InvalidValue) as caught:
        assets.read_mask(url, "here")
    assert caught.value.field == "here"


@pytest.mark.parametrize("data", [b"", b"<svg/>", png.write_ids(IDS)[:-20], b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_no_bitmap_is_refused(ana, data):
    with pytest.raises(InvalidValue) as caught:
        assets.read_mask(assets.url_of(kept(ana, data)), "here")
    assert caught.value.field == "here"
    assert b"svg" not in str(caught.value).encode()
