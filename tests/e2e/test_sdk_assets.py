"""Uploading files with the SDK and reading them back without a key."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from segments import SegmentsClient
from segments.exceptions import NetworkError

from tests.e2e.live_server import LiveServer
from tests.e2e.pictures import bytes_at, photograph_png
from tests.e2e.wire import Wire

SIGNED_FIELDS = {
    "acl",
    "Content-Type",
    "key",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "policy",
    "x-amz-signature",
}


def ask(wire: Wire, filename: str) -> dict[str, Any]:
    """Asks for a place to put a file."""
    answer = wire.send("POST", "/assets/", {"filename": filename})
    assert answer.status_code in (200, 201), answer.text
    granted: dict[str, Any] = answer.json()
    return granted


def put(granted: dict[str, Any], content: bytes, **changed: str) -> requests.Response:
    """Sends the file as the SDK does: the form fields first, the file last, no key."""
    place = granted["presignedPostFields"]
    return requests.post(place["url"], data=place["fields"] | changed, files={"file": content}, timeout=30)


def test_an_uploaded_file_is_served_byte_for_byte_without_a_key(admin: SegmentsClient) -> None:
    content = photograph_png(7)
    file = admin.upload_asset(BytesIO(content), "violet.png")
    assert file.filename == "violet.png"
    assert urlsplit(file.url).path.endswith(".png")
    assert bytes_at(file.url) == content


@pytest.mark.parametrize(
    ("filename", "content_type"),
    [("a.png", "image/png"), ("b.JPG", "image/jpeg"), ("c.jpeg", "image/jpeg"), ("d.gif", "image/gif")],
)
def test_a_file_is_served_with_the_type_of_its_extension(
    admin: SegmentsClient, filename: str, content_type: str
) -> None:
    url = admin.upload_asset(BytesIO(b"{}"), filename).url
    answer = requests.get(url, timeout=30)
    assert answer.headers["Content-Type"].partition(";")[0] == content_type
    assert urlsplit(url).path.lower().endswith(filename[1:].lower())


@pytest.mark.parametrize("filename", ["page.html", "drawing.svg", "script.js", "page.xhtml", "feed.xml"])
def test_a_file_that_a_browser_would_run_is_not_run(admin: SegmentsClient, filename: str) -> None:
    url = admin.upload_asset(BytesIO(b"<script>alert(1)</script>"), filename).url
    headers = requests.get(url, timeout=30).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    kept_apart = "sandbox" in headers.get("Content-Security-Policy", "")
    downloaded = headers.get("Content-Disposition", "").startswith("attachment")
    assert kept_apart or downloaded or headers["Content-Type"] in ("application/octet-stream", "text/plain")


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_file_may_be_empty_and_may_be_large(admin: SegmentsClient, size: int) -> None:
    content = hashlib.sha256(str(size).encode()).digest() * (size // 32 + 1)
    assert bytes_at(admin.upload_asset(BytesIO(content[:size]), "cloud.bin").url) == content[:size]


def test_the_same_file_twice_gets_two_unguessable_addresses(admin: SegmentsClient) -> None:
    content = photograph_png(8)
    urls = [urlsplit(admin.upload_asset(BytesIO(content), "x.png").url).path for _ in range(2)]
    assert urls[0] != urls[1]
    for path in urls:
        assert hashlib.sha256(content).hexdigest() not in path
        assert max(map(len, path.split("/"))) >= 20


@pytest.mark.parametrize(
    "filename",
    [
        "../../../etc/passwd.png",
        "a b (ü) 🚗.png",
        "no-extension",
        ".png",
        "a/b\\c.png",
        "%2e%2e%2f.png",
        "x" * 200 + ".png",
    ],
)
def test_any_file_name_gives_an_address_that_works(admin: SegmentsClient, server: LiveServer, filename: str) -> None:
    file = admin.upload_asset(BytesIO(b"content"), filename)
    assert file.url.startswith(f"{server.url}/")
    assert ".." not in file.url
    assert bytes_at(file.url) == b"content"
    if filename.endswith(".png") and filename != ".png":
        assert urlsplit(file.url).path.endswith(".png")


@pytest.mark.parametrize("filename", ["", "a\0.png", "x" * 5000 + ".png", None, 5, ["a.png"], {"a": 1}])
def test_a_file_name_that_cannot_be_one_is_refused(admin_wire: Wire, filename: Any) -> None:
    answer = admin_wire.send("POST", "/assets/", {"filename": filename})
    assert answer.status_code == 400
    assert answer.json()["field"] == "filename"


def test_the_fields_to_upload_with_are_the_eight_that_the_sdk_sends(admin_wire: Wire, server: LiveServer) -> None:
    granted = ask(admin_wire, "label.png")
    place = granted["presignedPostFields"]
    assert set(place["fields"]) == SIGNED_FIELDS
    assert all(isinstance(value, str) for value in place["fields"].values())
    assert place["url"].startswith(f"{server.url}/")
    answer = put(granted, b"\x89PNG")
    assert (answer.status_code, answer.content) == (204, b"")
    assert bytes_at(granted["url"]) == b"\x89PNG"


def test_a_place_without_a_file_in_it_yet_is_not_found(admin_wire: Wire) -> None:
    assert requests.get(ask(admin_wire, "label.png")["url"], timeout=30).status_code == 404


def test_uploading_needs_a_key(nobody_wire: Wire) -> None:
    assert nobody_wire.send("POST", "/assets/", {"filename": "a.png"}).status_code == 401


@pytest.mark.parametrize("forged", ["", "zebra", "{}x", "x{}", "{}:{}"])
def test_an_upload_with_a_forged_policy_is_refused(admin_wire: Wire, forged: str) -> None:
    granted = ask(admin_wire, "label.png")
    genuine = granted["presignedPostFields"]["fields"]["policy"]
    answer = put(granted, b"forged", policy=forged.format(genuine, genuine))
    assert answer.status_code in (400, 403)
    assert requests.get(granted["url"], timeout=30).status_code == 404


@pytest.mark.parametrize("field", ["key", "x-amz-signature", "x-amz-credential"])
def test_no_field_of_the_form_leads_an_upload_to_someone_elses_place(
    admin_wire: Wire, outsider_wire: Wire, field: str
) -> None:
    mine, theirs = ask(admin_wire, "mine.png"), ask(outsider_wire, "theirs.png")
    put(theirs, b"overwritten", **{field: mine["presignedPostFields"]["fields"][field]})
    assert requests.get(mine["url"], timeout=30).status_code == 404


def test_a_file_once_there_is_never_replaced(admin_wire: Wire) -> None:
    granted = ask(admin_wire, "label.png")
    assert put(granted, b"first").status_code == 204
    put(granted, b"second")
    assert bytes_at(granted["url"]) == b"first"


def test_an_upload_without_a_file_or_without_fields_is_refused(admin_wire: Wire) -> None:
    place = ask(admin_wire, "label.png")["presignedPostFields"]
    for fields, files in ((place["fields"], None), ({}, {"file": b"x"}), ({}, None)):
        answer = requests.post(place["url"], data=fields, files=files, timeout=30)
        assert 400 <= answer.status_code < 500
        assert "Traceback" not in answer.text


def test_a_foreign_key_in_a_media_address_reveals_nothing(admin: SegmentsClient, server: LiveServer) -> None:
    url = admin.upload_asset(BytesIO(b"secret"), "a.png").url
    token = max(urlsplit(url).path.split("/"), key=len)
    changed = url.replace(token, token[:-1] + ("A" if token[-1] != "A" else "B"))
    answer = requests.get(changed, timeout=30)
    assert answer.status_code == 404
    assert b"secret" not in answer.content


def test_media_answers_to_a_browser_that_asks_again(admin: SegmentsClient) -> None:
    url = admin.upload_asset(BytesIO(photograph_png(9)), "a.png").url
    first = requests.get(url, timeout=30)
    head = requests.head(url, timeout=30)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(first.content))
    if "ETag" in first.headers:
        again = requests.get(url, headers={"If-None-Match": first.headers["ETag"]}, timeout=30)
        assert again.status_code in (200, 304)


def test_an_upload_from_a_text_file_works_as_well(admin: SegmentsClient, tmp_path: Any) -> None:
    path = tmp_path / "points.csv"
    path.write_text("x,y\n1,2\n")
    with path.open() as file:
        assert bytes_at(admin.upload_asset(file, "points.csv").url) == b"x,y\n1,2\n"


def test_the_sdk_says_network_error_when_a_name_is_refused(admin: SegmentsClient) -> None:
    with pytest.raises(NetworkError):
        admin.upload_asset(BytesIO(b"x"), "")
