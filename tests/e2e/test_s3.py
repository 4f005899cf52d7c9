"""The unmodified SDK and a server whose files are all in a bucket: it posts to the bucket, and people read from us."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests
from segments import SegmentsClient
from segments.resource_api import Dataset
from segments.utils import load_release

from labeling.commands.assets import path_of
from tests.e2e.documents import TASK_ATTRIBUTES
from tests.e2e.live_server import LiveServer
from tests.e2e.pictures import blocks, bytes_at, mask_at, photograph_png, uploaded
from tests.e2e.wire import Wire, wait_until
from tests.support.s3 import KEY, REGION, SECRET, StandIn, Stored

_serial = itertools.count(1)


class Site(NamedTuple):
    """A server, its bucket, and Ada with her key."""

    server: LiveServer
    stored: Stored
    ada: SegmentsClient
    wire: Wire


@pytest.fixture(scope="module")
def site(s3: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    stored = s3.new_bucket("labels")
    url = f"s3://{stored.bucket}/{stored.prefix}?endpoint={s3.url}&region={REGION}"
    keys = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    server = LiveServer(tmp_path_factory.mktemp("palimpsest") / "home", STORAGE_URL=url, **keys)
    server.start()
    try:
        key = server.new_key("ada")
        with SegmentsClient(key, api_url=server.url) as ada:
            wire = Wire(server.url, key)
            yield Site(server, stored, ada, wire)
            wire.close()
    finally:
        server.stop()


@pytest.fixture(scope="module", autouse=True)
def no_crash_behind_the_scenes(site: Site) -> Iterator[None]:
    """Neither a traceback nor the secret key in what the server printed."""
    yield
    assert "Traceback (most recent call last)" not in site.server.printed()
    assert SECRET not in site.server.printed()


def new_dataset(site: Site, task_type: str = "vector") -> Dataset:
    name = f"in-a-bucket-{next(_serial)}"
    return site.ada.add_dataset(name, task_type=task_type, task_attributes=TASK_ATTRIBUTES)


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def token_of(url: str) -> str:
    return urlsplit(url).path.split("/")[2]


def test_the_sdk_posts_to_the_bucket_and_the_url_is_ours(site: Site) -> None:
    before = site.stored.paths()
    content = photograph_png(1)
    file = site.ada.upload_asset(BytesIO(content), "violet.png")
    assert site.stored.paths() - before == {f"incoming/{file.uuid}"}
    assert file.url.startswith(f"{site.server.url}/media/")
    assert site.stored.bucket not in file.url
    assert bytes_at(file.url) == content
    assert site.stored.paths() - before == {path_of(sha256_of(content))}


def test_the_same_file_twice_is_stored_once(site: Site) -> None:
    content = photograph_png(2)
    urls = [site.ada.upload_asset(BytesIO(content), "violet.png").url for _ in range(2)]
    before = len(site.stored.paths())
    assert [bytes_at(url) for url in urls] == [content, content]
    assert len({token_of(url) for url in urls}) == 2
    assert len(site.stored.paths()) == before - 1


@pytest.mark.parametrize("size", [0, 1, 12_000_000])
def test_a_file_may_be_empty_and_may_be_large(site: Site, size: int) -> None:
    content = (hashlib.sha256(str(size).encode()).digest() * (size // 32 + 1))[:size]
    assert bytes_at(site.ada.upload_asset(BytesIO(content), "cloud.bin").url) == content


def test_a_part_of_a_file_is_read(site: Site) -> None:
    url = site.ada.upload_asset(BytesIO(b"0123456789"), "a.png").url
    answer = requests.get(url, headers={"Range": "bytes=3-6"}, timeout=30)
    assert (answer.status_code, answer.content) == (206, b"3456")
    assert answer.headers["Content-Range"] == "bytes 3-6/10"
    head = requests.head(url, timeout=30)
    assert (head.status_code, head.headers["Content-Length"], head.headers["Content-Type"]) == (200, "10", "image/png")
    assert requests.get(url, headers={"Range": "bytes=10-"}, timeout=30).status_code == 416


@pytest.mark.parametrize("filename", ["page.html", "drawing.svg"])
def test_a_file_that_a_browser_would_run_is_a_download(site: Site, filename: str) -> None:
    url = site.ada.upload_asset(BytesIO(b"<script>alert(1)</script>"), filename).url
    headers = requests.get(url, timeout=30).headers
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"].startswith("attachment")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_sample_takes_its_picture_in(site: Site) -> None:
    dataset = new_dataset(site)
    content = photograph_png(3)
    file = site.ada.upload_asset(BytesIO(content), "street.png")
    sample = dataset.add_sample("street.png", {"image": {"url": file.url}})
    assert f"incoming/{file.uuid}" not in site.stored.paths()
    assert path_of(sha256_of(content)) in site.stored.paths()
    assert bytes_at(sample.attributes.image.url) == content
    later = site.wire.send("POST", "/assets/", {"filename": "later.png"}).json()
    assert dataset.add_sample("later.png", {"image": {"url": later["url"]}}).name == "later.png"
    assert requests.get(later["url"], timeout=30).status_code == 404


def test_many_samples_in_one_request_take_their_pictures_in(site: Site) -> None:
    dataset = new_dataset(site)
    files = [site.ada.upload_asset(BytesIO(photograph_png(100 + n)), f"{n}.png") for n in range(20)]
    items = [{"name": file.filename, "attributes": {"image": {"url": file.url}}} for file in files]
    added = site.ada.add_samples(dataset.full_name, items)
    assert len(added) == 20
    assert not [path for path in site.stored.paths() if path.split("/")[-1] in {file.uuid for file in files}]


def test_a_bitmap_makes_its_way_through_the_bucket(site: Site) -> None:
    dataset = new_dataset(site, "segmentation-bitmap")
    image = site.ada.upload_asset(BytesIO(photograph_png(4)), "street.png").url
    sample = dataset.add_sample("street.png", {"image": {"url": image}})
    mask = blocks(_1=(2, 2, 20, 20), _70000=(30, 10, 60, 40))
    annotations = [{"id": 1, "category_id": 1}, {"id": 70000, "category_id": 2}]
    attributes: dict[str, Any] = {"annotations": annotations, "segmentation_bitmap": {"url": uploaded(site.ada, mask)}}
    sample.add_label("ground-truth", attributes)
    read = sample.get_label("ground-truth")
    assert np.array_equal(mask_at(read.attributes.segmentation_bitmap.url), mask)
    missing = site.wire.send("POST", "/assets/", {"filename": "label.png"}).json()["url"]
    refused = site.wire.send(
        "PUT",
        f"/labels/{sample.uuid}/ground-truth/",
        {"attributes": attributes | {"segmentation_bitmap": {"url": missing}}},
    )
    assert (refused.status_code, refused.json()["field"]) == (400, "attributes.segmentation_bitmap.url")


def test_an_owner_asks_for_a_file_at_once(site: Site) -> None:
    content = photograph_png(5)
    file = site.ada.upload_asset(BytesIO(content), "a.png")
    path = f"/assets/{file.uuid}/complete/"
    answer = site.wire.send("POST", path, {"sha256": sha256_of(content)})
    assert (answer.status_code, answer.json()["size_bytes"], answer.json()["url"]) == (200, len(content), file.url)
    planned = site.wire.send("POST", "/assets/", {"filename": "b.png"}).json()
    assert site.wire.send("POST", f"/assets/{planned['uuid']}/complete/").status_code == 409


def test_a_release_is_kept_in_the_bucket(site: Site) -> None:
    dataset = new_dataset(site)
    image = site.ada.upload_asset(BytesIO(photograph_png(6)), "street.png").url
    dataset.add_sample("street.png", {"image": {"url": image}}).add_label(
        "ground-truth", {"annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [30, 40]]}]}
    )
    dataset.add_release("v1")
    release = wait_until(lambda: dataset.get_release("v1"), lambda release: release.status != "PENDING")
    assert release.status == "SUCCEEDED"
    contents = load_release(release)
    assert contents["dataset"]["samples"][0]["attributes"]["image"]["url"] == image
    assert [path for path in site.stored.paths() if path.startswith("exports/")]
    site.ada.delete_release(dataset.full_name, "v1")
    wait_until(site.stored.paths, lambda paths: not [path for path in paths if path.startswith("exports/")])


def test_nothing_is_kept_on_this_machine(site: Site) -> None:
    kept = [path for path in Path(site.server.home).rglob("*") if path.is_file() and path.parts[-2] != "postgres"]
    assert not [path for path in kept if {"media", "exports", "incoming"} & set(path.parts)]


def test_verify_reads_the_bucket_and_names_what_is_damaged(site: Site) -> None:
    """Last, because it damages a file."""
    dataset = new_dataset(site)
    content = photograph_png(7)
    url = site.ada.upload_asset(BytesIO(content), "street.png").url
    dataset.add_sample("street.png", {"image": {"url": url}})
    assert "All sound" in site.server.manage("verify")
    site.stored.put(path_of(sha256_of(content)), bytes(len(content)))
    with pytest.raises(AssertionError, match=r"street\.png has other bytes in the storage than were uploaded"):
        site.server.manage("verify")
