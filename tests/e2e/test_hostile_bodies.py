"""Bodies that are no strict JSON, or are packed badly: each is refused, names the field and leaves the log as it is."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import MakeSample
from tests.e2e.documents import bbox, vector_label
from tests.e2e.hostile import LABEL, MARK, TARGETS, Bench, refused
from tests.e2e.wire import Wire, packed


def nested(depth: int) -> str:
    """Lists in lists, the outermost one being the value of a key of the body, which is level 1."""
    return "[" * (depth - 1) + "]" * (depth - 1)


# --- bodies that are no strict JSON --------------------------------------------------------------------------------

BAD_VALUES = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "1e400": "1e400",
    "-1e400": "-1e400",
    "a huge fraction": "1" * 400 + ".5",
    "NUL": f'"{MARK}\\u0000"',
    "a NUL as a key": f'{{"{MARK}\\u0000": 1}}',
    "a lone high surrogate": f'"{MARK}\\ud800"',
    "a lone low surrogate": f'"\\udc00{MARK}"',
    "surrogates the wrong way round": f'"\\udc00\\ud800{MARK}"',
    "a lone surrogate as a key": f'{{"\\ud83d{MARK}": 1}}',
    "a key twice": f'{{"twice": "{MARK}", "twice": "{MARK}"}}',
    "65 levels": nested(65),
    "very many levels": nested(20_000),
    "2**53": str(2**53),
    "-(2**53)": str(-(2**53)),
    "an integer of a thousand digits": "7" * 1000,
    "an integer of ten thousand digits": "7" * 10_000,
    "a tag of our own": f'{{"$int": "{MARK}"}}',
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("bad", BAD_VALUES.values(), ids=BAD_VALUES)
def test_a_value_that_cannot_be_kept_is_refused_by_its_name(bench: Bench, target: str, bad: str) -> None:
    good = json.dumps(bench.targets[target].good)
    answer = bench.send(target, f'{good[:-1]}, "the_bad_one": {bad}}}'.encode())
    assert refused(answer, status=400)["field"].startswith("the_bad_one")


@pytest.mark.parametrize("bad", ["NaN", "1e400", f'"{MARK}\\u0000"', f'"\\ud800{MARK}"', str(2**60)])
@pytest.mark.parametrize(
    "place", ["annotations[0].points[1][0]", "annotations[0].attributes.colour", "image_attributes.x"]
)
def test_the_path_to_a_bad_value_in_a_label_is_named(bench: Bench, bad: str, place: str) -> None:
    holder = {
        "annotations[0].points[1][0]": vector_label(bbox(1) | {"points": [[0.0, 0.0], ["@", 1.0]]}),
        "annotations[0].attributes.colour": vector_label(bbox(1, attributes={"colour": "@"})),
        "image_attributes.x": vector_label(image_attributes={"x": "@"}),
    }[place]
    raw = json.dumps({"attributes": holder}).replace('"@"', bad).encode()
    assert refused(bench.send("put label", raw), place, 400)["field"] == f"attributes.{place}"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "raw",
    [
        b" ",
        b"\x00",
        b"{",
        b"{}}",
        b"{} {}",
        b"{'a': 1}",
        b'{"a": 01}',
        b'{"a": .5}',
        b'{"a": +1}',
        b'{"a": 0x1F}',
        b'{"a": 1,}',
        b'{"a": True}',
        b"// zebra7391\n{}",
        b'{"a": "zebra7391\n"}',
        b'\xef\xbb\xbf{"a": "zebra7391"}',
        b'{"a": "\xff\xfe zebra7391"}',
        b'{"a": "\xc0\x80 zebra7391"}',
        b'{"a": "\xed\xa0\x80 zebra7391"}',
        "{}".encode("utf-16"),
        "{}".encode("utf-32"),
        b"zebra7391",
    ],
)
def test_a_body_that_is_not_json_in_utf_8_is_refused(bench: Bench, target: str, raw: bytes) -> None:
    assert refused(bench.send(target, raw), status=400)["field"] in ("a", "body")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("body", [[], "zebra7391", 5, None, True, [{}], [["zebra7391"]]], ids=repr)
def test_a_body_that_is_not_an_object_is_refused(bench: Bench, target: str, body: Any) -> None:
    refused(bench.send(target, json.dumps(body).encode()), status=400)


@pytest.mark.parametrize("body", [{}, "zebra7391", 5, None, [5], ["zebra7391"], [None], [[]]], ids=repr)
def test_a_bulk_upload_that_is_not_a_list_of_samples_is_refused(bench: Bench, body: Any) -> None:
    refused(bench.wire.send("POST", f"/datasets/{bench.dataset}/samples_bulk/", body or {}), status=400)


# --- transport -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["put label", "edits", "add sample", "add dataset"])
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=zebra7391",
        "application/xml",
        "application/zebra7391",
        "zebra7391",
    ],
)
def test_a_content_type_other_than_json_is_refused(bench: Bench, target: str, content_type: str) -> None:
    raw = json.dumps(bench.targets[target].good | {"label_status": "REVIEWED", "description": "no"}).encode()
    refused(bench.send(target, raw, **{"Content-Type": content_type}), status=415)


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "compress", "identity, gzip, br", "zebra7391"])
def test_a_content_encoding_other_than_gzip_is_refused(bench: Bench, encoding: str) -> None:
    raw = zlib.compress(json.dumps(bench.targets["put label"].good).encode())
    refused(bench.send("put label", raw, **{"Content-Encoding": encoding}), status=415)


GZIPPED = packed({"attributes": vector_label(bbox(2)), "label_status": "REVIEWED"})
BAD_GZIPS = {
    "empty": b"",
    "only a header": GZIPPED[:10],
    "cut in the middle": GZIPPED[: len(GZIPPED) // 2],
    "without its last byte": GZIPPED[:-1],
    "without its checksum": GZIPPED[:-8],
    "with another checksum": GZIPPED[:-8] + b"\0\0\0\0" + GZIPPED[-4:],
    "with another length": GZIPPED[:-4] + b"\x01\x02\x03\x04",
    "with a flipped bit": GZIPPED[:20] + bytes([GZIPPED[20] ^ 4]) + GZIPPED[21:],
    "followed by something else": GZIPPED + b"zebra7391",
    "followed by a second body": GZIPPED + packed({"attributes": vector_label(bbox(3))}),
    "not gzip at all": b"zebra7391" * 4,
    "plain JSON": json.dumps({"attributes": vector_label(bbox(2))}).encode(),
    "packed twice": gzip.compress(GZIPPED),
    "zlib": zlib.compress(b"{}"),
}


@pytest.mark.parametrize("target", ["put label", "edits", "add sample"])
@pytest.mark.parametrize("raw", BAD_GZIPS.values(), ids=BAD_GZIPS)
def test_a_damaged_gzip_body_is_refused(bench: Bench, target: str, raw: bytes) -> None:
    refused(bench.send(target, raw, **{"Content-Encoding": "gzip"}), status=400)


def bomb(start: bytes, filler: bytes, end: bytes) -> bytes:
    """A gzip body of 600 MB of fillers, more than any may have: one block again and again, so it is soon made."""
    chunk = filler * 1_000_000
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = squeeze.compress(start) + squeeze.flush(zlib.Z_FULL_FLUSH)
    block = squeeze.compress(chunk) + squeeze.flush(zlib.Z_FULL_FLUSH)
    last = squeeze.compress(end) + squeeze.flush()
    check = zlib.crc32(start)
    for _ in range(600):
        check = zlib.crc32(chunk, check)
    size = len(start) + 600 * len(chunk) + len(end)
    trailer = struct.pack("<II", zlib.crc32(end, check), size)
    return gzip.compress(b"")[:10] + first + block * 600 + last + trailer


@pytest.mark.parametrize(
    ("target", "start", "filler", "end"),
    [
        ("put label", b'{"attributes": "', b"z", b'"}'),
        ("put label", b'{"attributes": ', b"[", b"}"),
        ("edits", b"", b" ", b"{}"),
        ("add sample", b'{"name": "', b"z", b'"}'),
    ],
    ids=["a long text", "many brackets", "spaces", "a long name"],
)
def test_a_gzip_bomb_is_refused_for_its_size(
    bench: Bench, target: str, start: bytes, filler: bytes, end: bytes
) -> None:
    raw = bomb(start, filler, end)
    assert len(raw) < 700_000
    refused(bench.send(target, raw, **{"Content-Encoding": "gzip"}), status=413)


@pytest.mark.full
def test_the_bomb_is_a_sound_gzip() -> None:
    assert gzip.decompress(bomb(b"(", b"x", b")")) == b"(" + b"x" * 600_000_000 + b")"


# --- the control: the same requests without the fault --------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_the_same_request_without_a_fault_is_taken(
    admin_wire: Wire, make_sample: MakeSample, unused: str, target: str
) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", LABEL, "LABELED")
    fresh = Bench(admin_wire, sample)
    body = fresh.targets[target].good | ({"name": unused} if target == "add dataset" else {})
    answer = fresh.send(target, json.dumps(body).encode())
    assert answer.status_code in (200, 201), answer.text


DEEPEST: dict[str, Callable[[str], str]] = {
    "64 levels": lambda good: f'{good[:-1]}, "metadata": {{"deep": {nested(63)}}}}}',
    "2**53-1": lambda good: f'{good[:-1]}, "metadata": {{"n": {2**53 - 1}}}}}',
    "a pair of surrogates": lambda good: f'{good[:-1]}, "metadata": {{"\\ud83e\\udd93": "\\ud83e\\udd93"}}}}',
    "1e308": lambda good: f'{good[:-1]}, "metadata": {{"n": 1e308}}}}',
}


@pytest.mark.parametrize("spell", DEEPEST.values(), ids=DEEPEST)
def test_a_value_just_within_the_limits_is_kept(admin_wire: Wire, make_sample: MakeSample, spell: Any) -> None:
    sample = make_sample()
    path = f"/samples/{sample.uuid}/"
    raw = spell('{"readme": "limits"}')
    answer = admin_wire.send("PATCH", path, raw=raw.encode())
    assert answer.status_code == 200, answer.text
    assert admin_wire.get(path).json()["metadata"] == json.loads(raw)["metadata"]
