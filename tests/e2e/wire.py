"""Plain HTTP beside the SDK: headers, bodies and paths that the SDK would not send, and fields that it would drop."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import requests

T = TypeVar("T")
WAIT_LIMIT_S = 60.0


class RawAnswer(NamedTuple):
    """An answer to a request that was sent byte for byte as it was given."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class Wire:
    """One person's raw HTTP connection to the server (nobody's, when `key` is None)."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url
        self.key = key
        self._session = requests.Session()
        self._session.trust_env = False
        if key is not None:
            self._session.headers["Authorization"] = f"APIKey {key}"

    def close(self) -> None:
        self._session.close()

    def get(self, path: str, **query: Any) -> requests.Response:
        return self._session.get(self.url + path, params=query)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        """Sends `body` as JSON, or `raw` as it is with content type application/json unless `headers` say otherwise."""
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if data is not None else {}
        return self._session.request(method, self.url + path, data=data, headers=sent | (headers or {}))

    def exactly(self, method: str, target: str, headers: dict[str, str] | None = None) -> RawAnswer:
        """Sends a request target that no client library has cleaned up (`..`, `%00`, `//`)."""
        where = urlsplit(self.url)
        assert where.hostname is not None
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            if self.key is not None:
                connection.putheader("Authorization", f"APIKey {self.key}")
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return RawAnswer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def events(self, dataset: str, **query: Any) -> list[dict[str, Any]]:
        """The events of a dataset, from all pages unless `limit` asks for one."""
        if "limit" in query:
            return self._page(f"/datasets/{dataset}/events/", query)
        found: list[dict[str, Any]] = []
        after = int(query.pop("after", 0))
        while page := self._page(f"/datasets/{dataset}/events/", query | {"after": after}):
            found.extend(page)
            after = page[-1]["offset"]
        return found

    def label_events(self, sample: str, labelset: str = "ground-truth", **query: Any) -> list[dict[str, Any]]:
        """The events of one label (one page, which is enough for a test)."""
        return self._page(f"/labels/{sample}/{labelset}/events/", query)

    def head(self, dataset: str) -> int:
        """The offset of the newest event of a dataset."""
        answer = self.get(f"/datasets/{dataset}/events/", limit=1)
        assert answer.status_code == 200, answer.text
        return offset(answer)

    def label(self, sample: str, labelset: str = "ground-truth", **query: Any) -> dict[str, Any]:
        """The label as raw JSON, with the fields that the SDK's models drop."""
        answer = self.get(f"/labels/{sample}/{labelset}/", **query)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def edit(
        self,
        sample: str,
        edits: Iterable[dict[str, Any]],
        *,
        labelset: str = "ground-truth",
        if_match: str | int | None = None,
        key: str | None = None,
        **more: Any,
    ) -> requests.Response:
        """One list of edits as one command; `more` are the other fields of the body (gesture, reason, tool …)."""
        headers = {}
        if if_match is not None:
            headers["If-Match"] = f'"{if_match}"' if isinstance(if_match, int) else if_match
        if key is not None:
            headers["Idempotency-Key"] = key
        body = {"edits": list(edits), **more}
        return self.send("POST", f"/labels/{sample}/{labelset}/edits/", body, headers=headers)

    def _page(self, path: str, query: dict[str, Any]) -> list[dict[str, Any]]:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert isinstance(page, list), "a list of events is a bare list"
        return page


def label_path(sample: str, labelset: str = "ground-truth") -> str:
    """Where the label of a sample is."""
    return f"/labels/{sample}/{labelset}/"


def etag(answer: requests.Response) -> int:
    """The version in a strong ETag such as `"7"`."""
    tag = answer.headers["ETag"]
    assert tag.startswith('"') and tag.endswith('"'), f"not a strong entity tag: {tag}"
    return int(tag[1:-1])


def offset(answer: requests.Response) -> int:
    """The offset in the Dataset-Offset header."""
    return int(answer.headers["Dataset-Offset"])


def at_once(url: str, keys: Sequence[str], calls: Sequence[Callable[[Wire], T]]) -> list[T]:
    """What each call gives, made with its key over a connection of its own, all at the same moment."""
    start = threading.Barrier(len(calls))

    def one(key: str, call: Callable[[Wire], T]) -> T:
        wire = Wire(url, key)
        try:
            wire.get("/api_status/")
            start.wait(30)
            return call(wire)
        finally:
            wire.close()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(one, keys, calls))


def packed(body: Any) -> bytes:
    """JSON as the SDK packs it."""
    return gzip.compress(json.dumps(body).encode())


def wait_until(read: Callable[[], T], accept: Callable[[T], bool]) -> T:
    """Asks again until a background job has done what `accept` looks for; fails after a minute."""
    deadline = time.monotonic() + WAIT_LIMIT_S
    pause = threading.Event()
    while not accept(value := read()):
        assert time.monotonic() < deadline, f"still {value!r} after {WAIT_LIMIT_S:.0f} s"
        pause.wait(0.05)
    return value
