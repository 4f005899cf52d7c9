"""Bad headers, queries, paths and methods: a 4xx without a trace of the inside, and the log as it was."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest

from tests.e2e.hostile import MARK, Bench, refused

# --- headers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "if_match",
    [
        "zebra7391",
        '"zebra7391"',
        "1",
        'W/"1"',
        '"-1"',
        '"1.0"',
        '"1',
        '""',
        '"0x1"',
        '"99999999"',
        '"9' + "9" * 400 + '"',
        '"١"',
    ],
)
@pytest.mark.parametrize("target", ["put label", "patch label", "edits"])
def test_a_bad_if_match_is_refused(bench: Bench, target: str, if_match: str) -> None:
    body = bench.targets[target].good | ({} if target == "edits" else {"label_status": "REVIEWED"})
    answer = bench.send(target, json.dumps(body).encode(), **{"If-Match": if_match.encode().decode("latin-1")})
    refused(answer)
    assert answer.status_code in (400, 409, 412)


@pytest.mark.parametrize("key", ["zebra7391" * 200, "zebra7391 with a caf\xe9"])
@pytest.mark.parametrize("target", ["put label", "edits"])
def test_a_bad_idempotency_key_is_refused(bench: Bench, target: str, key: str) -> None:
    body = bench.targets[target].good | ({} if target == "edits" else {"label_status": "REVIEWED"})
    refused(bench.send(target, json.dumps(body).encode(), **{"Idempotency-Key": key}), "Idempotency-Key", 400)


# --- queries and paths ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at", [MARK, "-1", "1.5", "1e3", "NaN", "0x1", "9" * 400, "2026-13-45", "2026-11-20T25:00:00Z", "\0", ""]
)
@pytest.mark.parametrize("kind", ["label", "sample", "dataset"])
def test_a_bad_time_or_offset_to_read_at_is_refused(bench: Bench, kind: str, at: str) -> None:
    path = {"label": bench.label, "sample": f"/samples/{bench.sample.uuid}/", "dataset": f"/datasets/{bench.dataset}/"}
    refused(bench.wire.get(path[kind], at=at), "at", 400)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("after", MARK),
        ("after", "-1"),
        ("after", "1.5"),
        ("after", "9" * 400),
        ("limit", MARK),
        ("limit", "-1"),
        ("limit", "9" * 400),
        ("type", "a\0b"),
        ("author", "a\0b"),
    ],
)
def test_a_bad_query_about_events_is_refused(bench: Bench, field: str, value: str) -> None:
    refused(bench.wire.get(f"/datasets/{bench.dataset}/events/", **{field: value}), field, 400)


def paths() -> Iterator[str]:
    up = ("..", "%2e%2e", "%2E%2E%2F", "..%2f", "%c0%ae%c0%ae", "....//", "..%5c", "%252e%252e")
    for trick in up:
        yield f"/media/{trick}/{trick}/{trick}/etc/passwd"
        yield f"/static/{trick}/{trick}/config/settings.py"
        yield f"/datasets/ada/{trick}/events/"
        yield f"/labels/{trick}/ground-truth/"
    for odd in ("%00", "%0a", "%ff%fe", "%ed%a0%80", "a%00b", "%2F", "x" * 3000, "%F0%9F%A6%93", "';--", "%25", "%"):
        yield f"/datasets/ada/{odd}/"
        yield f"/datasets/{odd}/x/samples/"
        yield f"/users/{odd}"
        yield f"/samples/{odd}/"
        yield f"/labels/{odd}/ground-truth/"
        yield f"/labels/{uuid.UUID(int=5)}/{odd}/"
        yield f"/media/{odd}"
        yield f"/media/{odd}/a.png"
    yield from ("//etc/passwd", "/media/", "/media", "///", "/.env", "/.git/config", "/manage.py", "/media//etc/passwd")


@pytest.mark.parametrize("path", list(paths()))
def test_a_path_that_plays_tricks_finds_nothing(bench: Bench, path: str) -> None:
    answer = bench.wire.exactly("GET", path)
    assert 400 <= answer.status < 500 or (
        answer.status in (301, 302, 308) and "//" not in answer.headers["location"][8:]
    )
    assert b"root:" not in answer.body
    assert "Traceback" not in answer.text and "DJANGO" not in answer.text.upper()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "POST", "DELETE"])
@pytest.mark.parametrize("odd", ["%00", "%ff", "..%2f", "%0d%0aSet-Cookie:a=b", "x" * 3000])
def test_a_write_to_a_path_that_plays_tricks_is_refused(bench: Bench, method: str, odd: str) -> None:
    for path in (f"/labels/{bench.sample.uuid}/{odd}/", f"/labels/{odd}/ground-truth/", f"/datasets/ada/{odd}/"):
        answer = bench.wire.exactly(method, path, {"Content-Length": "0"})
        assert 400 <= answer.status < 500
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH", "OPTIONS", "HEAD", "TRACE", "ZEBRA"])
def test_a_method_that_a_resource_does_not_have_changes_nothing(bench: Bench, method: str) -> None:
    for path in ("/user", "/api_status/", f"/datasets/{bench.dataset}/events/", f"{bench.label}events/"):
        assert bench.wire.exactly(method, path, {"Content-Length": "0"}).status < 500
