"""What requests may say: strict JSON, plain or gzip within bounds; times and offsets; pages."""

from __future__ import annotations

import datetime as dt
import gzip
import zlib
from typing import Any

import pytest

from labeling.api import datasets, requests
from labeling.errors import InvalidValue

PATH = "/user/datasets/"
GOOD = b'{"name": "made", "task_type": "vector"}'


@pytest.fixture
def ana(caller):
    return caller("ana")


def post(ana: Any, raw: bytes, encoding: str = "gzip") -> Any:
    return ana.post(PATH, raw=raw, **{"Content-Encoding": encoding})


# --- bodies --------------------------------------------------------------------------------------------------------


def test_a_packed_body_is_read_as_a_plain_one(ana):
    assert post(ana, gzip.compress(GOOD)).status == 201
    assert post(ana, GOOD.replace(b"made", b"other"), "identity").status == 201
    assert post(ana, gzip.compress(GOOD.replace(b"made", b"third")), " GZIP ").status == 201


def packed(raw: bytes) -> bytes:
    """The same bytes in every process that collects these tests; gzip would write the time into its head."""
    return gzip.compress(raw, mtime=0)


@pytest.mark.parametrize(
    "raw, words",
    [
        (b"x", "too early"),
        (GOOD, "not valid gzip"),
        (zlib.compress(GOOD), "not valid gzip"),
        (packed(GOOD)[:-1], "too early"),
        (packed(GOOD)[:-8], "too early"),
        (packed(GOOD)[:20], "too early"),
        (packed(GOOD)[:-8] + b"\0" * 8, "not valid gzip"),
        (packed(GOOD) + b"x", "after the end"),
        (packed(GOOD[:10]) + packed(GOOD[10:]), "after the end"),
        (packed(GOOD) + b"\0" * 200_000, "after the end"),
    ],
)
def test_a_damaged_packed_body_is_refused(ana, raw, words):
    answer = post(ana, raw)
    assert (answer.status, answer.json["field"]) == (400, "body") and words in answer.detail


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "does not exist"])
def test_another_encoding_is_refused(ana, encoding):
    answer = post(ana, GOOD, encoding)
    assert answer.status == 415 and encoding not in answer.detail


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "does not exist", "multipart/form-data; boundary=x"]
)
def test_another_content_type_is_refused(ana, content_type):
    answer = ana.post(PATH, raw=GOOD, **{"Content-Type": content_type})
    assert answer.status == 415 and content_type not in answer.detail


@pytest.mark.parametrize("content_type", ["", "application/json; charset=utf-8", "Application/JSON"])
def test_json_may_be_called_so(ana, content_type):
    assert ana.post(PATH, raw=GOOD, **{"Content-Type": content_type}).status == 201


@pytest.mark.parametrize("packed", [True, False])
def test_a_body_beyond_the_limit_is_refused_before_it_is_unpacked(ana, monkeypatch, packed):
    monkeypatch.setattr(datasets.DatasetListView, "most_bytes", 1000)
    room = 1000 - len(GOOD) - len(b', "readme": ""')
    for size, status in ((room, 201), (room + 1, 413)):
        raw = GOOD[:-1] + b', "readme": "' + b"x" * size + b'"}'
        raw = raw.replace(b"made", b"made" if status == 201 else b"more")
        answer = post(ana, gzip.compress(raw) if packed else raw, "gzip" if packed else "")
        assert answer.status == status
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 60_000 and post(ana, bomb).json["code"] == "too_large"


@pytest.mark.parametrize(
    "raw",
    [
        b"{", b"nul", b"[1,]", b"{'a': 1}", b'{"a": NaN}', b'{"a": 1e400}', b'{"a": Infinity}', b'{"a": 1, "a": 2}',
        b'{"a": "\\u0000"}', b'{"a": "\\ud800"}', b'{"a": "\xff"}', b'{"a": 9007199254740992}', b'{"$int": "5"}',
        b"[" * 65 + b"]" * 65, b"[" * 100_000, b'{"a":' * 5000, b"\xef\xbb\xbf{}", b'{"a": 1} x', b"\0", b'"' * 99,
    ],
)  # fmt: skip
def test_a_body_that_is_not_strict_json_is_refused(ana, raw):
    answer = ana.post(PATH, raw=raw)
    assert answer.status == 400 and answer.json["code"] == "invalid" and answer.json["field"]


@pytest.mark.parametrize("raw", [b"null", b"[]", b"5", b'"x"', b"true"])
def test_a_body_that_is_no_object_is_refused(ana, raw):
    assert ana.post(PATH, raw=raw).json == {"detail": "body: must be an object", "code": "invalid", "field": "body"}


def test_no_body_is_an_empty_one(ana):
    assert ana.post(PATH).json["field"] == "name"
    assert ana.post(PATH, **{"Content-Encoding": "gzip"}).json["field"] == "name"


def test_a_chunked_body_is_not_taken_for_an_empty_one(ana):
    response = ana.client.generic(
        "PATCH", "/datasets/x/y/", b"", headers={"Authorization": f"APIKey {ana.key}", "Transfer-Encoding": "chunked"}
    )
    assert (response.status_code, response.json()["field"]) == (400, "Content-Length")


# --- paths and queries ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/users/a%00b", "/datasets/a%00b/c/", "/datasets/a/b/?labelset=%00", "/user?x=a%00"])
def test_a_nul_in_a_path_or_a_query_is_refused(ana, path):
    answer = ana.get(path)
    assert (answer.status, answer.json["code"]) == (400, "invalid")


@pytest.mark.parametrize("path", ["/users/%ff", "/users/%ed%a0%80", "/datasets/%F0%9F/x/", "/samples/%C0%AE/"])
def test_what_is_no_text_in_a_path_is_not_found(ana, path):
    assert ana.get(path).status == 404


MOMENTS: list[tuple[str, dt.datetime]] = [
    ("2026-03-01T12:00:00Z", dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)),
    ("2026-03-01T12:00:00", dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)),
    ("2026-03-01 12:00:00", dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)),
    ("2026-03-01", dt.datetime(2026, 3, 1, tzinfo=dt.UTC)),
    ("2026-03-01T12:00:00.123456+02:00", dt.datetime(2026, 3, 1, 10, 0, 0, 123456, dt.UTC)),
]


@pytest.mark.parametrize("text, wanted", MOMENTS)
def test_a_time_is_read_in_utc_unless_it_says_another_zone(text, wanted):
    assert requests.moment(text, "at") == wanted


@pytest.mark.parametrize(
    "value",
    [
        None, 5, [], "", "x", "soon", "2026-13-01", "2026-02-30T00:00:00Z", "2026-01-01T25:00:00Z", "9" * 5000,
        "2026-01-01T00:00:00+99:99", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "٢٠٢٦-03-01",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(value):
    with pytest.raises(InvalidValue) as caught:
        requests.moment(value, "at")
    assert caught.value.field == "at"


@pytest.mark.parametrize("at", ["", "-1", "1.5", "x", "9" * 19, "0x1", "²", "2026-13-01", "1e3", "None"])
def test_an_at_that_does_not_fit_is_refused(street, at):
    for path in (street.label, street.path, f"/samples/{street.sample}", f"{street.path}/samples"):
        answer = street.ana.get(f"{path}/?at={at}")
        assert (answer.status, answer.json["field"]) == (400, "at")


@pytest.mark.parametrize("page", ["", "0", "-1", "x", "desc", "1.5", "²", "9" * 5000, "None"])
def test_a_page_that_makes_no_sense_is_the_first_one(street, page):
    assert len(street.ana.get(f"{street.path}/samples/?page={page}&per_page={page}").json) == 1


@pytest.mark.parametrize("path", ["samples", "issues", "workunits"])
def test_a_page_beyond_the_last_is_invalid_in_the_protocols_words_and_the_first_one_may_be_empty(street, path):
    street.ana.delete(f"/samples/{street.sample}/")
    first = street.ana.get(f"{street.path}/{path}/?per_page=5&page=1")
    assert (first.status, first.json) == (200, [])
    for page in ("2", "9" * 18):
        answer = street.ana.get(f"{street.path}/{path}/?per_page=5&page={page}")
        assert (answer.status, answer.json) == (404, {"detail": "Invalid page.", "code": "invalid_page"})


def test_pages_of_what_was_and_of_datasets_end_in_the_same_way(street):
    past = f"{street.path}/samples/?at={street.head}&per_page=1"
    assert len(street.ana.get(f"{past}&page=1").json) == 1
    for path in (past, f"{street.path}/issues/?at={street.head}&per_page=1", "/user/datasets/?per_page=1"):
        answer = street.ana.get(f"{path}&page=2")
        assert (answer.status, answer.detail) == (404, "Invalid page."), path


@pytest.mark.parametrize(
    "query, field",
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("after=-1", "after"),
        ("after=" + "9" * 19, "after"),
    ],
)
def test_a_number_that_does_not_fit_is_refused(street, query, field):
    for path in (f"{street.path}/events/", f"{street.label}/events/"):
        answer = street.ana.get(f"{path}?{query}")
        assert (answer.status, answer.json["field"]) == (400, field)
