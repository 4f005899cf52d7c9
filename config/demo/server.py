"""One person's view of a running server: requests with that person's key, answers with their version and offset.

Standard library only. A test of the wire is made with the public SDK; the demo must run without it."""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 60


class Refused(Exception):
    """The server refused a request; the message says which and why, in the server's words."""

    def __init__(self, method: str, path: str, answer: Answer) -> None:
        super().__init__(f"{method} {path} answered {answer.status}: {answer.detail}")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: status, headers with lower-case names, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The decoded body; None where there is none."""
        return json.loads(self.body) if self.body else None

    @property
    def detail(self) -> str:
        """What an error says, in one line."""
        try:
            said = self.json
        except ValueError:
            said = None
        if isinstance(said, dict) and "detail" in said:
            return str(said["detail"])
        return self.body[:200].decode(errors="replace").strip()

    @property
    def version(self) -> int:
        """The version of the label that was read or written."""
        return int(self.headers["etag"].strip('"'))

    @property
    def offset(self) -> int:
        """The offset of the dataset's log that the answer stands at."""
        return int(self.headers["dataset-offset"])


class DemoFailed(Exception):
    """The server did not do what the demo shows; the message says what was expected and what came."""


class Server:
    """Requests to the server at `address`, as the person who has `key`.

    Addresses that the server hands out begin with `public_url`; they are asked of `address`, so that the demo works
    where the public name does not lead back to this machine."""

    def __init__(self, address: str, key: str, *, public_url: str | None = None) -> None:
        self.address = address.rstrip("/")
        self.public_url = (public_url or address).rstrip("/")
        self._key = key

    def send(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request with a JSON body, and return the answer whatever its status."""
        sent = {"Authorization": f"APIKey {self._key}", **(headers or {})}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        return self._ask(method, self.local(path), data, sent)

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """The same, raising Refused unless the status is 2xx."""
        answer = self.send(method, path, body, headers)
        if not 200 <= answer.status < 300:
            raise Refused(method, path, answer)
        return answer

    def find(self, path: str) -> Answer | None:
        """GET `path`; None where it is not there. Raises Refused for any other refusal."""
        answer = self.send("GET", path)
        if answer.status == 404:
            return None
        if not 200 <= answer.status < 300:
            raise Refused("GET", path, answer)
        return answer

    def follow(self, url: str) -> Answer:
        """GET an address that the server handed out, with the key. Raises Refused."""
        answer = self._ask("GET", self.local(url), None, {"Authorization": f"APIKey {self._key}"})
        if answer.status != 200:
            raise Refused("GET", urlsplit(url).path, answer)
        return answer

    def upload(self, filename: str, data: bytes) -> str:
        """Upload a file as an asset, as the SDK does, and return its address. Raises Refused."""
        asset = self.call("POST", "/assets/", {"filename": filename}).json
        form = asset["presignedPostFields"]
        body, content_type = multipart(form["fields"], filename, data)
        answer = self._ask("POST", self.local(form["url"]), body, {"Content-Type": content_type})
        if not 200 <= answer.status < 300:
            raise Refused("POST", urlsplit(form["url"]).path, answer)
        url: str = asset["url"]
        return url

    def download(self, url: str) -> bytes:
        """Fetch an address that the server handed out, without a key, as the SDK does. Raises Refused."""
        answer = self._ask("GET", self.local(url), None, {})
        if answer.status != 200:
            raise Refused("GET", urlsplit(url).path, answer)
        return answer.body

    def local(self, url: str) -> str:
        """The address to ask for an address or path that the server handed out."""
        if url.startswith("/"):
            return self.address + url
        if url == self.public_url or url.startswith(self.public_url + "/"):
            return self.address + url[len(self.public_url) :]
        return url  # a store of its own, such as S3

    def _ask(self, method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target or "/", body=data, headers={**headers, "Connection": "close"})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()


def multipart(fields: Mapping[str, str], filename: str, data: bytes) -> tuple[bytes, str]:
    """The form fields and then the file, as multipart/form-data: the body and its content type (RFC 7578)."""
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'
    body = b"".join([*parts, head.encode(), data, f"\r\n--{boundary}--\r\n".encode()])
    return body, f"multipart/form-data; boundary={boundary}"
