"""The demo's requests, against a real HTTP server that keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from config.demo.server import Answer, Refused, Server

PUBLIC = "https://labels.example"


@dataclass
class Listening:
    """A server at `address` that gives `answers` in turn and keeps the requests."""

    address: str = ""
    answers: list[tuple[int, bytes, dict[str, str]]] = field(default_factory=list)
    asked: list[tuple[str, str, Message, bytes]] = field(default_factory=list)

    def then(self, status: int, body: Any = None, **headers: str) -> None:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self.answers.append((status, data, headers))


@pytest.fixture
def listening() -> Iterator[Listening]:
    kept = Listening()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kept.asked.append((self.command, self.path, self.headers, data))
            status, body, headers = kept.answers.pop(0)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = answer

        def log_message(self, format: str, *args: Any) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield kept
        finally:
            server.shutdown()
            thread.join()


def test_a_call_carries_the_key_and_json_and_reads_version_and_offset(listening: Listening) -> None:
    listening.then(200, {"version": 8}, ETag='"8"', Dataset_Offset="31")
    answer = Server(listening.address, "secret").call("PUT", "/labels/a/b/?x=1", {"é": 1.5}, {"If-Match": '"7"'})
    (method, path, headers, data) = listening.asked[0]
    assert (method, path) == ("PUT", "/labels/a/b/?x=1")
    assert headers["Authorization"] == "APIKey secret"
    assert headers["If-Match"] == '"7"'
    assert headers["Content-Type"] == "application/json"
    assert json.loads(data) == {"é": 1.5}
    assert (answer.version, answer.offset, answer.json) == (8, 31, {"version": 8})


def test_a_refusal_is_raised_with_the_servers_words(listening: Listening) -> None:
    detail = "edits[0].category_id: must be a whole number"
    listening.then(400, {"detail": detail, "code": "invalid", "field": "edits[0].category_id"})
    with pytest.raises(Refused) as raised:
        Server(listening.address, "secret").call("POST", "/labels/", {})
    assert str(raised.value) == f"POST /labels/ answered 400: {detail}"
    assert raised.value.answer.status == 400


def test_a_refusal_that_is_no_json_is_quoted(listening: Listening) -> None:
    listening.then(502, b"<h1>Bad Gateway</h1>")
    with pytest.raises(Refused, match="answered 502: <h1>Bad Gateway"):
        Server(listening.address, "secret").call("GET", "/")


def test_send_returns_any_status(listening: Listening) -> None:
    listening.then(409, {"code": "conflict"})
    assert Server(listening.address, "secret").send("POST", "/", {}).json == {"code": "conflict"}


def test_find_is_none_only_where_nothing_is_there(listening: Listening) -> None:
    listening.then(404, {"detail": "Not found."})
    listening.then(200, [])
    listening.then(403, {"detail": "You do not have permission to perform this action."})
    server = Server(listening.address, "secret")
    assert server.find("/a/") is None
    assert isinstance(server.find("/a/"), Answer)
    with pytest.raises(Refused, match="403"):
        server.find("/a/")


def test_an_upload_posts_every_field_and_the_file_last_without_the_key(listening: Listening) -> None:
    data = bytes(range(256)) + b"\r\n--"
    fields = {"acl": "private", "key": "a/b.png", "policy": "é"}
    form = {"url": f"{PUBLIC}/assets/upload/", "fields": fields}
    listening.then(200, {"url": f"{PUBLIC}/media/b.png", "presignedPostFields": form})
    listening.then(204)
    assert Server(listening.address, "secret", public_url=PUBLIC).upload("b.png", data) == f"{PUBLIC}/media/b.png"
    asked, posted = listening.asked
    assert asked[1] == "/assets/" and json.loads(asked[3]) == {"filename": "b.png"}
    assert posted[1] == "/assets/upload/"
    assert posted[2]["Authorization"] is None
    head = f"Content-Type: {posted[2]['Content-Type']}\r\n\r\n".encode()
    parts = list(BytesParser(policy=HTTP).parsebytes(head + posted[3]).iter_parts())
    names = [part.get_param("name", header="content-disposition") for part in parts]
    assert names == [*fields, "file"]
    assert [part.get_payload(decode=True) for part in parts[:-1]] == [value.encode() for value in fields.values()]
    assert parts[-1].get_filename() == "b.png"
    assert parts[-1].get_payload(decode=True) == data


def test_a_refused_upload_is_raised(listening: Listening) -> None:
    form = {"url": f"{PUBLIC}/assets/upload/", "fields": {"key": "k"}}
    listening.then(200, {"url": f"{PUBLIC}/media/b.png", "presignedPostFields": form})
    listening.then(403, {"detail": "The upload form has expired."})
    with pytest.raises(Refused, match="expired"):
        Server(listening.address, "secret", public_url=PUBLIC).upload("b.png", b"x")


def test_what_the_server_hands_out_is_fetched_here_whatever_its_public_name(listening: Listening) -> None:
    listening.then(200, b"image")
    listening.then(200, [{"type": "AnnotationGeometrySet"}])
    listening.then(200, [])
    server = Server(listening.address, "secret", public_url=f"{PUBLIC}/")
    assert server.download(f"{PUBLIC}/media/b.png?token=t") == b"image"
    assert server.follow("/labels/s/g/events/?after=7").json == [{"type": "AnnotationGeometrySet"}]
    server.follow(f"{PUBLIC}/labels/")
    assert [path for _, path, _, _ in listening.asked] == [
        "/media/b.png?token=t",
        "/labels/s/g/events/?after=7",
        "/labels/",
    ]
    assert [headers["Authorization"] for _, _, headers, _ in listening.asked] == [None, *["APIKey secret"] * 2]


def test_another_host_with_the_same_beginning_is_not_taken_for_this_one() -> None:
    server = Server("http://127.0.0.1:8000", "secret", public_url="https://labels.example")
    assert server.local("https://labels.example") == "http://127.0.0.1:8000"
    for other in ("https://labels.example.net/b.png", "https://store.example/b.png"):
        assert server.local(other) == other


def test_a_download_that_is_not_there_is_raised(listening: Listening) -> None:
    listening.then(404, {"detail": "Not found."})
    with pytest.raises(Refused, match=r"GET /media/b\.png answered 404"):
        Server(listening.address, "secret").download("/media/b.png")
