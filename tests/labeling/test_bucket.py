"""Files in a bucket, over real HTTP: whole or in part, with bounded memory, and forms that say what may be posted."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import io
import json
import socket
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from django.core.exceptions import SuspiciousOperation
from django.core.files.storage import default_storage

from config.storage import parse_url
from labeling import storage
from labeling.bucket import ACL, Bucket
from labeling.commands.assets import path_of
from labeling.errors import StorageUnavailable
from labeling.management.stored_files import fault
from tests.support.s3 import KEY, REGION, SECRET, Stored

TEN = b"0123456789"
FORM = {"content_type": "image/png", "most_bytes": 1000, "age_s": 3600}


@pytest.fixture
def bucket(in_bucket: Stored) -> Bucket:
    found = storage.bucket()
    assert found is not None
    return found


@pytest.fixture
def asked(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ranges that were asked of the server ("" for a whole file), in order."""
    ranges: list[str] = []
    get = bucket.client.get_object

    def noted(**parameters: Any) -> Any:
        ranges.append(parameters.get("Range", ""))
        return get(**parameters)

    monkeypatch.setattr(bucket.client, "get_object", noted)
    return ranges


@pytest.fixture
def made() -> Iterator[Callable[..., Bucket]]:
    """made(url): the bucket of a STORAGE_URL."""
    all_made: list[Bucket] = []

    def make(url: str) -> Bucket:
        all_made.append(Bucket(**parse_url(url)))
        return all_made[-1]

    yield make
    for bucket in all_made:
        bucket.close()


# --- reading and writing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"x", TEN, bytes(range(256)) * 5000])
def test_what_is_put_can_be_read(in_bucket, content):
    storage.put("ab/cdef", len(content), io.BytesIO(content))
    assert in_bucket.paths() == {"ab/cdef"} and in_bucket.get("ab/cdef") == content
    with default_storage.open("ab/cdef") as file:
        assert file.read() == content
    assert default_storage.exists("ab/cdef") and default_storage.size("ab/cdef") == len(content)


def test_what_is_there_is_not_sent_again(in_bucket):
    in_bucket.put("ab/cdef", b"there")
    storage.put("ab/cdef", 5, io.BytesIO(b"again"))
    assert in_bucket.get("ab/cdef") == b"there"
    storage.put("ab/cdef", 6, io.BytesIO(b"longer"))
    assert in_bucket.get("ab/cdef") == b"longer"


def test_content_is_read_from_its_start_and_stays_open(in_bucket):
    content = io.BytesIO(TEN)
    content.read()
    storage.put("ab/cdef", 10, content)
    assert in_bucket.get("ab/cdef") == TEN
    assert not content.closed


def test_a_large_file_is_sent_in_parts(in_bucket):
    content = hashlib.sha256(b"seed").digest() * (20 * (1 << 20) // 32)
    storage.put("large", len(content), io.BytesIO(content))
    assert hashlib.sha256(in_bucket.get("large")).digest() == hashlib.sha256(content).digest()


def test_what_is_not_there_is_not_found(bucket):
    assert not default_storage.exists("ab/cdef")
    for read in (default_storage.open, default_storage.size, storage.open_at):
        with pytest.raises(FileNotFoundError):
            read("ab/cdef")
    default_storage.delete("ab/cdef")


def test_a_file_is_removed(in_bucket):
    in_bucket.put("ab/cdef", TEN)
    default_storage.delete("ab/cdef")
    assert in_bucket.paths() == set()


def test_no_path_leads_out_of_the_prefix(bucket):
    for path in ("../x", "a/../../x", "../here2/x"):
        with pytest.raises(SuspiciousOperation):
            default_storage.size(path)


def test_a_file_is_opened_for_reading_only(bucket):
    with pytest.raises(ValueError):
        default_storage.open("ab/cdef", "wb")


# --- in part -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first, last", [(0, 0), (0, 9), (3, 6), (9, 9), (5, None), (0, None)])
def test_a_part_is_fetched_and_no_more(in_bucket, asked, first, last):
    in_bucket.put("ten", TEN)
    with storage.open_at("ten", first, last) as file:
        assert file.read() == TEN[first : 10 if last is None else last + 1]
        assert file.read(1) == b""
    whole = (first, last) == (0, None)
    assert asked == ["" if whole else f"bytes={first}-{'' if last is None else last}"]


def test_reading_on_is_one_request_and_a_seek_one_more(in_bucket, bucket, asked):
    in_bucket.put("ten", TEN)
    with bucket.stream("ten") as file:
        assert [file.read(3), file.read(3), file.tell()] == [b"012", b"345", 6]
        assert (file.seek(0, io.SEEK_END), file.read(1), file.seek(-2, io.SEEK_CUR), file.read()) == (10, b"", 8, b"89")
        assert (file.seek(2), file.read(2), file.seek(100), file.read(1)) == (2, b"23", 100, b"")
        assert file.size_bytes == 10
    assert asked == ["", "bytes=8-9", "bytes=2-9"]


def test_a_file_can_be_read_in_any_order(in_bucket):
    content = bytes(range(256)) * 4000
    in_bucket.put("some", content)
    with default_storage.open("some") as file:
        assert file.size == len(content)
        for at, count in ((0, 10), (5, 1000), (900_000, 200_000), (3, 3), (1_023_990, 50)):
            file.seek(at)
            assert file.read(count) == content[at : at + count]
        assert b"".join(file.chunks(10_000)) == content


def test_a_part_that_the_file_does_not_have_is_not_there(in_bucket):
    in_bucket.put("ten", TEN)
    for first, last in ((5, 10), (10, 12), (50, 60)):
        with pytest.raises(FileNotFoundError):
            storage.open_at("ten", first, last)


def test_a_large_file_is_checked_with_little_memory(in_bucket):
    content = b"\0" * (48 << 20)
    sha256 = hashlib.sha256(content).hexdigest()
    in_bucket.put(path_of(sha256), content)
    assert not default_storage.exists("some"), "the client is there, which takes 13 MB"
    tracemalloc.start()
    try:
        assert fault(sha256, len(content)) is None
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 << 20


@pytest.mark.parametrize(
    "content, problem",
    [(None, "is not in the storage"), (b"012345678", "has 9 bytes"), (b"012345678X", "has other bytes")],
)
def test_a_damaged_file_is_seen(in_bucket, content, problem):
    sha256 = hashlib.sha256(TEN).hexdigest()
    if content is not None:
        in_bucket.put(path_of(sha256), content)
    found = fault(sha256, 10)
    assert found is not None and problem in found


# --- a server that fails -------------------------------------------------------------------------------------------


def silent_url() -> str:
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def operations(bucket: Bucket) -> list[Callable[[], Any]]:
    return [
        lambda: bucket.open("ten"),
        lambda: bucket.stream("ten"),
        lambda: bucket.save("ten", io.BytesIO(TEN)),
    ]


def test_a_bucket_that_is_not_there_is_no_missing_file(s3, made):
    for operation in operations(made(f"s3://no-such-bucket?endpoint={s3.url}&region={REGION}")):
        with pytest.raises(StorageUnavailable):
            operation()


def test_a_server_that_does_not_answer_is_said_to_without_the_key(made, caplog):
    bucket = made(f"s3://some-key:hush-word@files?endpoint={silent_url()}&region={REGION}")
    for operation in (*operations(bucket), lambda: bucket.size("ten"), lambda: bucket.delete("ten")):
        with pytest.raises(StorageUnavailable) as refused:
            operation()
        assert "hush" not in str(refused.value)
    assert "cannot be used: EndpointConnectionError" in caplog.text
    assert "hush-word" not in caplog.text


def test_a_silent_storage_is_a_fault_of_every_file(made, monkeypatch):
    bucket = made(f"s3://key:word@files?endpoint={silent_url()}&region={REGION}")
    monkeypatch.setattr("labeling.management.stored_files.default_storage", bucket)
    assert fault(hashlib.sha256(TEN).hexdigest(), 10) == "cannot be read from the storage (StorageUnavailable)"


@pytest.mark.parametrize(
    "answer",
    [
        {"ContentLength": 10},
        {"ContentLength": 5, "ContentRange": "bytes 0-4/10"},
        {"ContentLength": 5, "ContentRange": "bytes 5-9/*"},
        {"ContentRange": "bytes 5-9/10"},
    ],
)
def test_a_server_that_sends_another_part_is_not_believed(bucket, monkeypatch, answer):
    body = io.BytesIO(TEN)
    monkeypatch.setattr(bucket.client, "get_object", lambda **_: answer | {"Body": body})
    with pytest.raises(StorageUnavailable):
        storage.open_at("ten", 5, 9)
    assert body.closed


def test_a_file_that_ends_too_early_is_no_file(bucket, monkeypatch):
    monkeypatch.setattr(bucket.client, "get_object", lambda **_: {"ContentLength": 10, "Body": io.BytesIO(b"012")})
    with storage.open_at("ten") as file:
        assert file.read(3) == b"012"
        with pytest.raises(StorageUnavailable):
            file.read(3)


def test_threads_share_one_client(bucket):
    with ThreadPoolExecutor(4) as pool:
        assert len({id(client) for client in pool.map(lambda _: bucket.client, range(8))}) == 1


# --- the form ------------------------------------------------------------------------------------------------------


def policy_of(form: dict[str, Any]) -> dict[str, Any]:
    policy: dict[str, Any] = json.loads(base64.b64decode(form["fields"]["policy"]))
    return policy


def test_a_form_says_what_may_be_posted_where_and_until_when(bucket, in_bucket):
    before = dt.datetime.now(dt.UTC).replace(microsecond=0)
    form = bucket.form("incoming/a", **FORM)
    fields, policy = form["fields"], policy_of(form)
    assert form["url"] == f"{in_bucket.s3.url}/{in_bucket.bucket}"
    assert set(fields) == {
        *("acl", "Content-Type", "key", "policy"),
        *("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"),
    }
    assert fields["key"] == "files/here/incoming/a"
    expires = dt.datetime.strptime(policy["expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)
    assert 0 <= (expires - before).total_seconds() - 3600 < 30
    exact = {name: fields[name] for name in ("acl", "Content-Type", "key")}
    signed = {name: fields[name] for name in ("x-amz-algorithm", "x-amz-credential", "x-amz-date")}
    demanded = [item for item in policy["conditions"] if isinstance(item, dict)]
    assert {name: value for item in demanded for name, value in item.items()} == {
        "bucket": in_bucket.bucket,
        **exact,
        **signed,
    }
    assert exact["acl"] == ACL and exact["Content-Type"] == "image/png"
    others = [item for item in policy["conditions"] if not isinstance(item, dict)]
    assert others == [["content-length-range", 0, 1000]]


def test_a_form_is_signed_with_our_key_which_is_not_in_it(bucket):
    form = bucket.form("incoming/a", **FORM)
    fields = form["fields"]
    day = fields["x-amz-date"][:8]
    assert fields["x-amz-credential"] == f"{KEY}/{day}/{REGION}/s3/aws4_request"
    signature = f"AWS4{SECRET}".encode()
    for part in (day, REGION, "s3", "aws4_request", fields["policy"]):
        signature = hmac.new(signature, part.encode(), hashlib.sha256).digest()
    assert fields["x-amz-signature"] == signature.hex()
    assert SECRET not in json.dumps(form)


def test_what_is_posted_with_a_form_is_in_the_bucket(bucket, in_bucket):
    form = bucket.form("incoming/a", **FORM)
    answer = requests.post(form["url"], data=form["fields"], files={"file": TEN}, timeout=30)
    assert answer.status_code == 204
    assert in_bucket.get("incoming/a") == TEN


@pytest.mark.parametrize(
    "url, posted_to",
    [
        ("s3://k:s@files?region=eu-central-1", "https://files.s3.eu-central-1.amazonaws.com/"),
        ("s3://k:s@my.files?region=eu-central-1", "https://s3.eu-central-1.amazonaws.com/my.files"),
        ("s3://k:s@files?endpoint=http://s3:9000", "http://s3:9000/files"),
        ("s3://k:s@files?endpoint=http://s3:9000&addressing=virtual", "http://files.s3:9000/"),
        ("s3://k:s@files?endpoint=http://s3:9000&public=https://x.example", "https://x.example/files"),
    ],
)
def test_a_form_is_posted_where_clients_reach_the_bucket(made, url, posted_to):
    assert made(url).form("incoming/a", **FORM)["url"] == posted_to


def test_keys_that_are_lent_to_us_sign_no_form_because_the_sdk_would_leave_out_their_token(made, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "word")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    assert made("s3://files?region=eu-central-1").form("incoming/a", **FORM) is None
    assert made("s3://k:s@files?region=eu-central-1").form("incoming/a", **FORM) is not None


def test_without_any_key_the_storage_is_unavailable(made, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(StorageUnavailable):
        made("s3://files?region=eu-central-1").form("incoming/a", **FORM)
    assert "NoCredentialsError" in caplog.text
