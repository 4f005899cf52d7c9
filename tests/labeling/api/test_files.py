"""Files over the API: the signed form, and media that is served to anybody and run by nobody."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.conf import settings
from django.core import signing
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile

from labeling.api import files
from labeling.commands import assets
from labeling.models import Asset

JSON = dict[str, Any]
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


def plan(ana: Any, filename: str = "violet.jpg") -> JSON:
    answer = ana.post("/assets/", {"filename": filename})
    assert answer.status == 201
    found: JSON = answer.json
    return found


@pytest.fixture
def upload(post_form: Any) -> Any:
    """upload(fields, b"…"): post the form as the SDK does: no key, all fields first, the file last."""

    def send(fields: JSON, data: bytes | None = b"pixels", **more: Any) -> Any:
        file = {} if data is None else {"file": SimpleUploadedFile("file", data)}
        return post_form("/assets/upload/", fields | file | more)

    return send


@pytest.fixture
def serve(visit: Any) -> Any:
    """serve(url): what anybody gets there."""
    return lambda url, method="GET", **headers: visit(url.removeprefix(settings.PUBLIC_URL), method, **headers)


@pytest.fixture
def stored(upload: Any) -> Any:
    """stored(ana, "a.png", b"…"): the url of a file that she uploaded."""

    def make(ana: Any, filename: str, data: bytes = b"0123456789", content_type: str = "") -> str:
        planned = plan(ana, filename)
        fields = planned["presignedPostFields"]["fields"]
        assert upload(fields | ({"Content-Type": content_type} if content_type else {}), data).status == 204
        return str(planned["url"])

    return make


# --- the form ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", ["/", ""])
def test_a_file_is_planned_in_the_protocols_shape(ana, slash):
    planned = ana.post(f"/assets{slash}", {"filename": "violet.jpg"})
    assert planned.status == 201 and planned.json.keys() == {
        "uuid",
        "filename",
        "url",
        "created_at",
        "presignedPostFields",
    }
    form = planned.json["presignedPostFields"]
    assert set(form["fields"]) == FIELDS and all(isinstance(value, str) and value for value in form["fields"].values())
    assert form["url"] == f"{settings.PUBLIC_URL}/assets/upload/"
    assert planned.json["url"].startswith(f"{settings.PUBLIC_URL}/media/") and planned.json["url"].endswith(
        "/violet.jpg"
    )
    assert ana.post(f"/assets{slash}").json["filename"] == "label.png"


@pytest.mark.parametrize("filename", ["", None, 5, [], "x" * 256])
def test_a_filename_that_does_not_fit_is_refused(ana, filename):
    answer = ana.post("/assets/", {"filename": filename})
    assert (answer.status, answer.json["field"]) == (400, "filename")


def test_what_was_uploaded_is_served_without_a_key(ana, upload, serve):
    planned = plan(ana)
    assert serve(planned["url"]).status == 404, "nothing is there yet"
    done = upload(planned["presignedPostFields"]["fields"])
    assert (done.status, done.raw) == (204, b"")
    response = serve(planned["url"])
    assert (response.status, response.raw) == (200, b"pixels")
    assert response.headers["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize("policy", [None, "", "x", "a:b:c", "e30:1abc:sig", "\0", "é"])
def test_a_form_that_we_did_not_sign_is_refused(ana, policy, upload):
    planned = plan(ana)
    fields = planned["presignedPostFields"]["fields"] | {"policy": policy or ""}
    if policy is None:
        del fields["policy"]
    response = upload(fields)
    assert (response.status, response.json["code"]) == (400, "invalid")
    assert Asset.objects.get(id=planned["uuid"]).sha256 is None


def test_a_signature_for_something_else_is_refused(ana, upload):
    planned = plan(ana)
    fields = planned["presignedPostFields"]["fields"]
    for policy in (
        signing.dumps(planned["uuid"], salt="other"),
        signing.dumps(str(uuid.uuid4()), salt=files.SALT),
        signing.dumps("no uuid", salt=files.SALT),
    ):
        assert upload(fields | {"policy": policy}).status == 400


def test_a_signature_is_good_for_an_hour(ana, monkeypatch, upload):
    fields = plan(ana)["presignedPostFields"]["fields"]
    monkeypatch.setattr(files, "FORM_AGE_S", -1)
    assert upload(fields).status == 400


def test_a_form_is_good_for_one_file(ana, upload, serve):
    planned = plan(ana)
    fields = planned["presignedPostFields"]["fields"]
    assert [upload(fields, data).status for data in (b"one", b"one", b"two")] == [204, 204, 400]
    assert serve(planned["url"]).raw == b"one"


def test_a_form_without_a_file_is_refused(ana, upload):
    fields = plan(ana)["presignedPostFields"]["fields"]
    for response in (upload(fields, None), upload(fields, None, file="text")):
        assert (response.status, response.json["code"]) == (400, "invalid")


def test_a_file_that_is_too_large_is_refused(ana, monkeypatch, upload):
    monkeypatch.setattr(assets, "MOST_BYTES", 10)
    assert upload(plan(ana)["presignedPostFields"]["fields"], b"x" * 11).status == 413
    monkeypatch.setattr(assets, "MOST_BYTES", -(1 << 20))
    assert upload(plan(ana)["presignedPostFields"]["fields"], b"x").status == 413


@pytest.mark.parametrize("data", [b"", b"junk", b"--x\r\n", b"--x--\r\n"])
def test_a_form_that_is_none_is_refused(ana, data):
    answer = ana.post("/assets/upload/", raw=data, **{"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status == 400


@pytest.mark.parametrize(
    "said, kept",
    [("image/webp", "image/webp"), ("text/html", "text/html"), ("", "image/png"), ("x" * 300, "image/png"),
     ("image/png\r\nX-Evil: 1", "image/png"), ("IMAGE/PNG; q=1", "image/png")],
)  # fmt: skip
def test_the_content_type_of_the_form_is_kept_where_it_is_one(ana, said, kept, upload):
    planned = plan(ana, "a.png")
    upload(planned["presignedPostFields"]["fields"] | {"Content-Type": said})
    assert Asset.objects.get(id=planned["uuid"]).content_type == kept


# --- media ---------------------------------------------------------------------------------------------------------


def test_media_is_kept_for_ever_and_run_by_nobody(ana, serve, stored):
    headers = serve(stored(ana, "a.png")).headers
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"] and "script-src" not in headers["Content-Security-Policy"]
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Content-Disposition"] == 'inline; filename="a.png"'


@pytest.mark.parametrize(
    "filename, content_type",
    [
        ("a.html", ""), ("a.svg", ""), ("a.xml", ""), ("a.js", ""), ("a.pdf", ""), ("a.txt", ""), ("a", ""),
        ("a.png", "text/html"), ("a.png", "image/svg+xml"), ("a.png", "application/xhtml+xml"), ("a.mhtml", ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("part", [{}, {"Range": "bytes=0-3"}])
def test_what_a_browser_could_run_is_a_download(ana, filename, content_type, part, serve, stored):
    response = serve(stored(ana, filename, b"<script>alert(1)</script>", content_type), **part)
    assert response.headers["Content-Type"] == "application/octet-stream"
    name = filename if "." in filename else f"{filename}.bin"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'


@pytest.mark.parametrize(
    "header, wanted",
    [
        ("bytes=0-3", b"0123"), ("bytes=4-4", b"4"), ("bytes=5-", b"56789"), ("bytes=5-99", b"56789"),
        ("bytes=-3", b"789"), ("bytes=-99", b"0123456789"), ("bytes= 0 - 3", b"0123"),
    ],
)  # fmt: skip
def test_a_part_of_a_file(ana, header, wanted, serve, stored):
    response = serve(stored(ana, "a.png"), Range=header)
    first = b"0123456789".index(wanted)
    assert (response.status, response.raw) == (206, wanted)
    assert response.headers["Content-Range"] == f"bytes {first}-{first + len(wanted) - 1}/10"
    assert response.headers["Content-Length"] == str(len(wanted))


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=99-100", "bytes=5-4", "bytes=-0"])
def test_a_part_that_is_not_there(ana, header, serve, stored):
    response = serve(stored(ana, "a.png"), Range=header)
    assert (response.status, response.headers["Content-Range"], response.raw) == (416, "bytes */10", b"")


@pytest.mark.parametrize(
    "header", ["", "bytes", "bytes=-", "bytes=a-b", "lines=0-3", "bytes=0-1,4-5", "bytes=" + "9" * 30 + "-"]
)
def test_a_range_that_is_none_gives_the_whole(ana, header, serve, stored):
    response = serve(stored(ana, "a.png"), Range=header)
    assert (response.status, response.raw) == (200, b"0123456789")


def test_an_empty_file(ana, serve, stored):
    url = stored(ana, "a.png", b"")
    assert (serve(url).status, serve(url).raw) == (200, b"")
    assert serve(url, Range="bytes=0-").status == serve(url, Range="bytes=-5").status == 416


def test_what_the_client_has_is_not_sent_again(ana, serve, stored):
    url = stored(ana, "a.png")
    etag = serve(url).headers["ETag"]
    again = serve(url, If_None_Match=etag)
    assert (again.status, again.raw, again.headers["ETag"]) == (304, b"", etag)
    assert serve(url, If_None_Match='"other"').status == 200


def test_a_look_at_the_head_alone(ana, serve, stored):
    response = serve(stored(ana, "a.png"), "HEAD")
    assert (response.status, response.headers["Content-Length"], response.raw) == (200, "10", b"")


def test_media_that_is_not_there(ana, db, serve, stored):
    url = stored(ana, "a.png")
    for path in (url.replace("a.png", "b.png"), f"/media/{'x' * 32}/a.png", "/media/x/y", url + "/"):
        assert serve(path).status == 404
    assert serve(url, "POST").status == 405
    sha256 = Asset.objects.get(token=url.split("/")[-2]).sha256
    assert sha256 is not None
    default_storage.delete(assets.path_of(sha256))
    gone = serve(url)
    assert (gone.status, gone.json["code"]) == (410, "missing_file")


def test_references_have_no_host_where_they_are_stored(street, stored):
    url = stored(street.ana, "a.png")
    assert url.startswith("http")
    body = {"name": "b.png", "attributes": {"image": {"url": url}}, "readme": f'see "{url}"'}
    made = street.ana.post(f"{street.path}/samples/", body).json
    assert (made["attributes"]["image"]["url"], made["readme"]) == (url, f'see "{url}"')
    event = street.ana.get(f"{street.path}/events/?type=SampleAdded&after=5").json[-1]
    assert event["data"]["attributes"]["image"]["url"] == url
    (pinned,) = street.ana.get(f"{street.path}/events/?type=AssetAdded").json
    assert pinned["data"]["token"] == url.split("/")[-2]
