"""Files in a bucket over the API: the bucket's form, media in part and as a stream, and an owner who asks at once."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any
from unittest.mock import Mock

import pytest
import requests
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile

from labeling import storage
from labeling.bucket import Bucket
from labeling.commands import assets
from labeling.errors import StorageUnavailable
from labeling.models import Asset
from tests.labeling.api.conftest import browser
from tests.support.s3 import Stored

JSON = dict[str, Any]
TEN = b"0123456789"
SHA256 = hashlib.sha256(TEN).hexdigest()
FIELDS = {
    "acl",
    "Content-Type",
    "key",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "policy",
    "x-amz-signature",
}


@pytest.fixture
def ana(caller):
    return caller("ana")


@pytest.fixture
def plan(ana: Any, in_bucket: Stored):
    """plan("a.png"): what the API answers to somebody who wants to upload."""

    def ask(filename: str = "a.png") -> JSON:
        answer = ana.post("/assets/", {"filename": filename})
        assert answer.status == 201
        planned: JSON = answer.json
        return planned

    return ask


def post(planned: JSON, content: bytes = TEN) -> None:
    form = planned["presignedPostFields"]
    assert requests.post(form["url"], data=form["fields"], files={"file": content}, timeout=30).status_code == 204


@pytest.fixture
def serve(visit: Any) -> Any:
    """serve(url): what anybody gets there."""
    return lambda url, method="GET", **headers: visit(url.removeprefix(settings.PUBLIC_URL), method, **headers)


@pytest.fixture
def stored(plan: Any):
    """stored("a.png", b"…"): the url of an uploaded file."""

    def make(filename: str = "a.png", content: bytes = TEN) -> str:
        planned = plan(filename)
        post(planned, content)
        return str(planned["url"])

    return make


def test_the_form_is_the_buckets_and_the_url_is_ours(plan, in_bucket):
    planned = plan()
    form = planned["presignedPostFields"]
    assert form["url"] == f"{in_bucket.s3.url}/{in_bucket.bucket}"
    assert set(form["fields"]) == FIELDS and all(isinstance(value, str) for value in form["fields"].values())
    assert planned["url"].startswith(f"{settings.PUBLIC_URL}/media/")
    assert planned["uuid"] not in planned["url"] and str(planned["uuid"]) in form["fields"]["key"]


def test_with_lent_keys_the_form_is_ours_and_the_file_is_in_the_bucket(plan, in_bucket, monkeypatch, post_form, serve):
    monkeypatch.setattr(Bucket, "form", lambda *_, **__: None)
    planned = plan()
    form = planned["presignedPostFields"]
    assert form["url"] == f"{settings.PUBLIC_URL}/assets/upload/"
    answer = post_form("/assets/upload/", form["fields"] | {"file": SimpleUploadedFile("file", TEN)})
    assert answer.status == 204
    assert in_bucket.get(assets.path_of(SHA256)) == TEN
    assert serve(planned["url"]).raw == TEN


def test_a_file_is_served_whole(stored, serve):
    answer = serve(stored())
    assert (answer.status, answer.raw) == (200, TEN)
    assert answer.headers["Content-Length"] == "10"
    assert answer.headers["ETag"] == f'"{SHA256}"'
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "immutable" in answer.headers["Cache-Control"]


def test_an_empty_file_is_served(stored, serve):
    url = stored("a.bin", b"")
    answer = serve(url)
    assert (answer.status, answer.raw, answer.headers["Content-Length"]) == (200, b"", "0")
    assert serve(url, Range="bytes=0-0").status == 416


@pytest.mark.parametrize(
    "said, part", [("0-3", b"0123"), ("4-", b"456789"), ("-2", b"89"), ("0-99", TEN), ("9-9", b"9")]
)
def test_a_part_is_served_from_a_part(stored, serve, said, part, monkeypatch):
    url = stored()
    serve(url)
    stream = Mock(wraps=storage.open_at)
    monkeypatch.setattr(storage, "open_at", stream)
    answer = serve(url, Range=f"bytes={said}")
    assert (answer.status, answer.raw, answer.headers["Content-Length"]) == (206, part, str(len(part)))
    first = TEN.index(part)
    stream.assert_called_once_with(assets.path_of(SHA256), first, first + len(part) - 1)
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/10"


@pytest.mark.parametrize("said", ["10-", "5-4", "-0"])
def test_a_part_that_is_not_there_is_refused(stored, serve, said):
    answer = serve(stored(), Range=f"bytes={said}")
    assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */10")


def test_head_and_what_the_browser_has_fetch_nothing(stored, serve, monkeypatch):
    url = stored()
    etag = serve(url).headers["ETag"]

    def fetched(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(Bucket, "stream", fetched)
    head = serve(url, "HEAD")
    assert (head.status, head.raw, head.headers["Content-Length"]) == (200, b"", "10")
    part = serve(url, "HEAD", Range="bytes=2-4")
    assert (part.status, part.headers["Content-Length"], part.headers["Content-Range"]) == (206, "3", "bytes 2-4/10")
    assert serve(url, If_None_Match=etag).status == 304


@pytest.mark.parametrize("filename", ["page.html", "drawing.svg", "script.js", "feed.xml"])
def test_what_a_browser_would_run_is_a_download(stored, serve, filename):
    answer = serve(stored(filename, b"<script>alert(1)</script>"))
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_what_nobody_posted_is_not_found(plan, serve):
    url = plan()["url"]
    for method in ("GET", "HEAD"):
        assert serve(url, method).status == 404
    assert serve(url, Range="bytes=0-1").status == 404


@pytest.mark.parametrize(
    "method, headers", [("GET", {}), ("HEAD", {}), ("GET", {"Range": "bytes=2-3"}), ("GET", {"Range": "bytes=99-"})]
)
def test_a_file_that_is_gone_from_the_bucket_is_gone(stored, serve, in_bucket, method, headers):
    url = stored()
    serve(url)
    in_bucket.delete(assets.path_of(SHA256))
    assert serve(url, method, **headers).status == 410


def test_a_part_that_was_cut_off_in_the_bucket_is_gone(stored, serve, in_bucket):
    url = stored()
    serve(url)
    in_bucket.put(assets.path_of(SHA256), TEN[:5])
    assert serve(url, Range="bytes=0-4").raw == TEN[:5]
    assert serve(url, Range="bytes=3-7").status == 410


@pytest.mark.parametrize("is_known", [True, False])
def test_when_the_bucket_does_not_answer_come_again(stored, serve, ana, monkeypatch, is_known):
    url = stored()
    if is_known:
        serve(url)

    def silent(*_: Any, **__: Any) -> None:
        raise StorageUnavailable

    for name in ("stream", "size", "form"):
        monkeypatch.setattr(Bucket, name, silent)
    refused = [serve(url), ana.post("/assets/", {"filename": "a.png"})]
    if is_known:
        refused.append(serve(url, "HEAD"))
    for answer in refused:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert refused[1].json["code"] == "storage_unavailable"


def test_an_upload_to_us_that_the_bucket_does_not_take_may_come_again(plan, monkeypatch, post_form):
    monkeypatch.setattr(Bucket, "form", lambda *_, **__: None)
    planned = plan()

    def silent(*_: Any, **__: Any) -> None:
        raise StorageUnavailable

    monkeypatch.setattr(Bucket, "_save", silent)
    fields = planned["presignedPostFields"]["fields"]
    assert post_form("/assets/upload/", fields | {"file": SimpleUploadedFile("file", TEN)}).status == 503
    assert Asset.objects.get(id=planned["uuid"]).sha256 is None


def test_the_connection_is_let_go_when_nobody_reads_on(stored, serve, monkeypatch):
    url = stored()
    serve(url)
    streams = []

    def noted(*given: Any) -> Any:
        streams.append(open_at(*given))
        return streams[-1]

    open_at = storage.open_at
    monkeypatch.setattr(storage, "open_at", noted)
    response: Any = browser().get(url.removeprefix(settings.PUBLIC_URL))
    for close in response._resource_closers:  # not response.close(), which closes the test's database as well
        close()
    assert [stream.closed for stream in streams] == [True]


# --- an owner asks -------------------------------------------------------------------------------------------------


def complete(ana: Any, planned: JSON, body: Any = None, slash: str = "/") -> Any:
    return ana.post(f"/assets/{planned['uuid']}/complete{slash}", body)


@pytest.mark.parametrize("slash", ["/", ""])
def test_an_owner_asks_whether_a_file_is_there(ana, plan, slash, in_bucket):
    planned = plan()
    early = complete(ana, planned, slash=slash)
    assert (early.status, early.json["code"]) == (409, "refused")
    post(planned)
    done = complete(ana, planned, {"sha256": SHA256}, slash)
    assert done.status == 200
    assert done.json == {
        **{name: planned[name] for name in ("uuid", "filename", "url", "created_at")},
        "content_type": "image/png",
        "size_bytes": 10,
        "sha256": SHA256,
    }
    assert complete(ana, planned).json == done.json
    assert in_bucket.paths() == {assets.path_of(SHA256)}


def test_a_file_that_is_another_one_is_refused(ana, plan):
    planned = plan()
    post(planned, b"damaged")
    answer = complete(ana, planned, {"sha256": SHA256})
    assert (answer.status, answer.json["field"]) == (400, "sha256")
    assert SHA256 not in answer.json["detail"]
    post(planned)
    assert complete(ana, planned, {"sha256": SHA256}).status == 200


@pytest.mark.parametrize("sha256", ["", SHA256[:-1], SHA256.upper(), f"{SHA256}\n", 5, [SHA256], True])
def test_a_hash_that_is_none_is_refused(ana, plan, sha256):
    answer = complete(ana, plan(), {"sha256": sha256})
    assert (answer.status, answer.json["field"]) == (400, "sha256")


def test_a_file_that_is_too_large_is_said_to_be(ana, plan, monkeypatch):
    planned = plan()
    post(planned)
    monkeypatch.setattr(assets, "MOST_BYTES", 9)
    assert complete(ana, planned).status == 413


def test_others_do_not_know_of_the_file(ana, plan, caller):
    planned = plan()
    post(planned)
    assert complete(caller("ben"), planned).status == 404
    assert complete(caller(), planned).status == 401
    for unknown in (str(uuid.uuid4()), "x", "0"):
        assert complete(ana, {"uuid": unknown}).status == 404


def test_where_files_are_on_this_machine_the_owner_asks_as_well(ana, post_form):
    assert storage.bucket() is None
    planned = ana.post("/assets/", {"filename": "a.png"}).json
    assert complete(ana, planned).status == 409
    post_form("/assets/upload/", planned["presignedPostFields"]["fields"] | {"file": SimpleUploadedFile("file", TEN)})
    assert complete(ana, planned, {"sha256": SHA256}).json["size_bytes"] == 10
    assert complete(ana, planned, {"sha256": hashlib.sha256(b"").hexdigest()}).status == 400
    assert default_storage.exists(assets.path_of(SHA256))
