"""Fetching files of other hosts: what is fetched, and above all what is not. The internet is a server here."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from labeling.errors import InvalidValue
from labeling.fetching import Fetcher, NotFetched, fetched, is_public

PUBLIC = "93.184.215.14"


class Host(BaseHTTPRequestHandler):
    """A host of the internet: by the path, what it does."""

    seen: ClassVar[list[tuple[str, str]]] = []
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        Host.seen.append((self.headers["Host"], self.path))
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path == "/header":
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100:
                self.wfile.write(bytes([byte]))
                time.sleep(0.05)
            return
        if self.path == "/missing":
            self.send_error(404)
            return
        body = b"x" * 5000 if self.path == "/large" else b"pixels"
        self.send_response(200)
        if self.path == "/packed":
            self.send_header("Content-Encoding", "gzip")
        if self.path == "/untold":
            self.send_header("Connection", "close")
            body = b"x" * 100_000
        else:
            self.send_header("Content-Length", str(len(body) + (9 if self.path == "/cut" else 0)))
        self.end_headers()
        if self.path == "/slow":
            for byte in body:
                self.wfile.write(bytes([byte]))
                time.sleep(0.2)
            return
        self.wfile.write(body)
        if self.path == "/cut":
            self.close_connection = True

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadingHTTPServer]:
    """The host, for all of them: binding one looks its name up, which may take long."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def internet(server: ThreadingHTTPServer) -> Any:
    """internet(resolve=…) → a fetcher whose connections to public addresses end at a server here; others fail."""
    Host.seen.clear()

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        assert is_public(address), f"connected to {address}"
        return socket.create_connection(("127.0.0.1", server.server_port), timeout=seconds)

    def make(**fields: Any) -> Fetcher:
        known: Any = {"hosts": ["masks.test"], "resolve": lambda host, port: [PUBLIC], "connect": connect}
        return Fetcher(**{**known, "most_bytes": 4096, "most_s": 5.0, **fields})

    return make


def test_a_file_of_a_host_on_the_list_is_fetched(internet):
    assert internet().fetch("http://masks.test/a.png?x=1") == b"pixels"
    assert Host.seen == [("masks.test", "/a.png?x=1")]
    assert internet(hosts=["*.test"]).fetch("http://masks.test/a.png") == b"pixels"
    assert internet(hosts=["masks.test:8080"]).fetch("http://masks.test:8080/a.png") == b"pixels"
    assert internet().fetch("http://MASKS.test./a.png") == b"pixels"


@pytest.mark.parametrize(
    "url",
    [
        "http://other.test/a.png",
        "http://masks.test.evil.example/a.png",
        "http://evil-masks.test/a.png",
        "http://masks.test:8080/a.png",
        "http://masks.test@other.test/a.png",
        "http://user:secret@masks.test/a.png",
        "http://other.test#@masks.test/",
        "http://other.test\\@masks.test/",
        "file:///etc/passwd",
        "ftp://masks.test/a.png",
        "gopher://masks.test/",
        "data:image/png;base64,AAAA",
        "s3://bucket/a.png",
        "//masks.test/a.png",
        "masks.test/a.png",
        "http://",
        "http://[::1",
        "http://masks.test:99999/",
        "http://masks.test:http/",
        "http://masks.test/a b",
        "http://masks.test/\r\nX: y",
        "http://mаsks.test/",  # a Cyrillic letter
        "",
        "x" * 5000,
    ],
)
def test_what_is_no_address_on_the_list_is_not_even_looked_up(internet, url):
    def resolve(host: str, port: int) -> list[str]:
        raise AssertionError("looked up")

    with pytest.raises(NotFetched):
        internet(resolve=resolve).fetch(url)
    assert Host.seen == []


def test_nothing_is_fetched_unless_a_host_is_named(internet):
    with pytest.raises(NotFetched, match="does not fetch from its host"):
        internet(hosts=[]).fetch("http://masks.test/a.png")
    with pytest.raises(InvalidValue) as caught:
        fetched("http://masks.test/a.png", "masks[0].mask_url")
    assert caught.value.field == "masks[0].mask_url"


INSIDE = [
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.0.8", "198.18.0.1", "192.0.2.1", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:93.184.215.14", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1",
    "2002:7f00:1::1", "2001:0:53aa:64c:0:fbff:80ff:fffe", "2001:db8::1", "nonsense", "",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_of_the_inside_is_connected_to_whatever_a_name_server_says(internet, address):
    assert not is_public(address)
    for addresses in ([address], [PUBLIC, address], [address, PUBLIC]):
        with pytest.raises(NotFetched, match="not on the internet"):
            internet(resolve=lambda host, port, found=addresses: found).fetch("http://masks.test/a.png")
    assert Host.seen == []


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "[fe80::1]"])
def test_an_address_instead_of_a_name_is_held_to_the_same(internet, address):
    name = address.strip("[]")
    with pytest.raises(NotFetched):
        internet(hosts=[name, address, "*"]).fetch(f"http://{address}/a.png")


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1"])
def test_an_address_in_disguise_is_a_name_that_means_the_inside(internet, host):
    with pytest.raises(NotFetched, match="not on the internet"):
        internet(hosts=[host], resolve=lambda host, port: ["127.0.0.1"]).fetch(f"http://{host}/a.png")


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:4700:4700::1111"])
def test_addresses_of_the_internet(address):
    assert is_public(address)


def test_a_name_is_looked_up_once_for_each_request_and_that_address_is_used(internet):
    """A name server that answers otherwise the second time (rebinding) finds nobody who asks."""
    answers = [[PUBLIC], ["127.0.0.1"]]
    assert internet(resolve=lambda host, port: answers.pop(0)).fetch("http://masks.test/a.png") == b"pixels"
    assert answers == [["127.0.0.1"]]


def test_a_redirect_is_followed_where_it_leads_to_what_may_be_fetched(internet):
    assert internet().fetch("http://masks.test/to/http://masks.test/a.png") == b"pixels"
    assert internet().fetch("http://masks.test/to//a.png") == b"pixels"


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1/a.png", "http://other.test/a.png", "file:///etc/passwd", "http://169.254.169.254/latest", ""],
)
def test_a_redirect_elsewhere_is_refused(internet, target):
    with pytest.raises(NotFetched):
        internet().fetch(f"http://masks.test/to/{target}")
    assert len(Host.seen) <= 2


def test_the_address_is_looked_at_again_at_each_redirect(internet):
    answers = [[PUBLIC], ["10.0.0.1"]]
    with pytest.raises(NotFetched, match="not on the internet"):
        internet(resolve=lambda host, port: answers.pop(0)).fetch("http://masks.test/to//a.png")


def test_redirects_without_end_are_followed_three_times(internet):
    url = "http://masks.test" + "/to/" * 8 + "/a.png"
    with pytest.raises(NotFetched, match="more than 3 times"):
        internet().fetch(url)
    assert len(Host.seen) == 4


@pytest.mark.parametrize("path", ["large", "untold"])
def test_what_is_too_large_is_not_read(internet, path):
    with pytest.raises(NotFetched, match="larger than 4096 bytes"):
        internet().fetch(f"http://masks.test/{path}")


@pytest.mark.parametrize("path", ["slow", "header"])
def test_a_host_that_drips_is_left(internet, path):
    began = time.monotonic()
    with pytest.raises(NotFetched):
        internet(most_s=0.5).fetch(f"http://masks.test/{path}")
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("path", ["missing", "packed", "cut"])
def test_an_answer_that_is_not_the_file_is_refused(internet, path):
    with pytest.raises(NotFetched):
        internet().fetch(f"http://masks.test/{path}")


def test_a_host_that_is_not_there_or_does_not_answer_is_told(internet):
    def nobody(address: str, port: int, seconds: float) -> socket.socket:
        raise ConnectionRefusedError

    with pytest.raises(NotFetched, match="does not answer"):
        internet(connect=nobody).fetch("http://masks.test/a.png")
    with pytest.raises(NotFetched):
        internet(connect=nobody).fetch("https://masks.test/a.png")


def test_the_certificate_of_a_host_must_be_its_own(internet):
    """The server here speaks no TLS, let alone as masks.test."""
    with pytest.raises(NotFetched):
        internet(hosts=["masks.test"]).fetch("https://masks.test/a.png")
