"""A program that webhooks are sent to: a real server, which does what it is told to, and keeps what it took."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JSON = dict[str, Any]


@dataclass
class Got:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> JSON:
        found: JSON = json.loads(self.body)
        return found

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def type(self) -> str:
        return str(self.json["event_type"])


def is_signed(got: Got, secret: str, *, now_s: float | None = None) -> bool:
    """What a receiver does, written down from the documentation and with none of our code."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    stamp = got.headers["webhook-timestamp"]
    if abs((now_s or time.time()) - int(stamp)) > 300:
        return False
    signed = f"{got.headers['webhook-id']}.{stamp}.".encode() + got.body
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(wanted, each) for each in got.headers["webhook-signature"].split())


@dataclass
class Receiver:
    """`behave` says what happens to a request: a status, a word that `answer` knows, or where to redirect to. What was
    answered 2xx is in `taken`."""

    behave: Callable[[Got], Any] = lambda got: 200
    seen: list[Got] = field(default_factory=list)
    taken: list[Got] = field(default_factory=list)
    port: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen, at the port of before if there was one."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                got = Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                receiver.seen.append(got)
                receiver.answer(self, got, receiver.behave(got))

            def do_GET(self) -> None:
                receiver.seen.append(Got(self.path, {}, b""))
                self.send_error(500)

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler, bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.server_bind = lambda: _bind(self._server)
        self._server.server_bind()
        self._server.server_activate()
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Die: nobody listens any more."""
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler, got: Got, what: Any) -> None:
        """Do what was decided."""
        out = handler.wfile
        try:
            if isinstance(what, int):
                if 200 <= what < 300:
                    self.taken.append(got)
                handler.send_response(what)
                handler.send_header("Content-Length", "2")
                handler.end_headers()
                out.write(b"ok")
            elif what == "hangs":
                self.stopping.wait(30)
            elif what == "closes":
                out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
                handler.close_connection = True
            elif what == "takes and closes":
                self.taken.append(got)
                handler.close_connection = True
            elif what == "dribbles":
                out.write(b"HTTP/1.1 200 OK\r\nX: ")
                while not self.stopping.wait(0.02):
                    out.write(b"y")
            elif what == "gigabyte":
                self.taken.append(got)
                out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
                for _ in range(1000):
                    out.write(b"x" * 1_000_000)
            elif isinstance(what, str):
                handler.send_response(307)
                handler.send_header("Location", what)
                handler.send_header("Content-Length", "0")
                handler.end_headers()
        except OSError:
            handler.close_connection = True


def _bind(server: Any) -> None:
    # Not HTTPServer's own, which looks a name up.
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.socket.bind(server.server_address)
    server.server_address = server.socket.getsockname()
    server.server_name, server.server_port = server.server_address[:2]


@contextmanager
def receiving(behave: Callable[[Got], Any] = lambda got: 200) -> Iterator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver(behave)
    receiver.start()
    yield receiver
    receiver.stopping.set()
    receiver.stop()
