"""`manage.py serve` as a person or a service manager has it: set-up, busy ports, kills of every part, one Ctrl-C."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.embedded import lease
from config.serving import Serving, ServingError

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90.0
FOREIGN_VARIABLES = ("DATABASE_URL", "BROKER_URL", "PUBLIC_URL", "SECRET_KEY", "ALLOWED_HOSTS")


def wait_until(true: Callable[[], object]) -> None:
    """Return as soon as the condition holds, and fail when it never does."""
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        pause.wait(0.02)


class Serve:
    """A `manage.py serve` in a process of its own."""

    def __init__(self, home: Path, *options: str) -> None:
        self.home = home
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in FOREIGN_VARIABLES and not name.startswith(("PALIMPSEST_", "PYTEST_", "PG"))
        }
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", "0", "--web-processes", "1", *options],
            cwd=CHECKOUT,
            env={**kept, "PALIMPSEST_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.printed = ""
        self.port = 0

    def wait_ready(self) -> Serve:
        """Read what it prints until it says where it serves."""
        self.port = int(self.wait_for(r"serves http://127\.0\.0\.1:(\d+)")[1])
        return self

    def wait_for(self, words: str) -> re.Match[str]:
        """Read what it prints until a line with these words (a regular expression)."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed += line
            if (said := re.search(words, line)) is not None:
                return said
        raise AssertionError(f"serve ended with {self.process.wait()}: {self.printed}")

    def end(self) -> int:
        """Wait for its end, and return the exit code; what it printed is in `printed`."""
        assert self.process.stdout is not None
        self.printed += self.process.stdout.read()
        self.process.stdout.close()
        return self.process.wait(PATIENCE_S)

    def status(self) -> int | None:
        """The status of a simple request, None where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/api_status/")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def child(self, module: str) -> int | None:
        """The process id of the child that runs a module."""
        listing = subprocess.run(["ps", "-wwAo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
        for line in listing.splitlines():
            pid, parent, arguments = line.split(maxsplit=2)
            if int(parent) == self.process.pid and f"-m {module} " in arguments:
                return int(pid)
        return None

    def running_child(self, module: str) -> int:
        """The same, when it is there."""
        pid = self.child(module)
        assert pid is not None
        return pid

    def postmaster(self) -> int | None:
        """The process id of the database server."""
        for path in self.home.glob("postgres-*/postmaster.pid"):
            with contextlib.suppress(FileNotFoundError, IndexError):
                return int(path.read_text().split()[0])
        return None

    def is_down(self) -> bool:
        """Say whether the embedded server has stopped."""
        return not lease.is_supervised(self.home) and not list(self.home.glob("postgres-*/postmaster.pid"))


def is_gone(pid: int) -> bool:
    """Say whether a process has ended, if only as a zombie that nobody has buried."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return shown.strip().startswith("Z") or not shown.strip()


@pytest.fixture
def serve() -> Iterator[Callable[..., Serve]]:
    started: list[Serve] = []

    def start(home: Path, *options: str) -> Serve:
        started.append(Serve(home, *options))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.send_signal(signal.SIGTERM)
        assert each.process.stdout is not None
        if not each.process.stdout.closed:
            each.end()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """One that the tests of this file share, on a home that was empty."""
    server = Serve(tmp_path_factory.mktemp("serve") / "home").wait_ready()
    yield server
    server.process.send_signal(signal.SIGINT)
    assert server.end() == 0, server.printed
    wait_until(server.is_down)


@pytest.fixture(scope="module")
def spare_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home for one server after the other."""
    return tmp_path_factory.mktemp("spare") / "home"


def test_on_an_empty_home_it_serves_the_api_and_the_admin_and_starts_a_worker(running: Serve) -> None:
    assert running.status() == 401  # asked for a key by the API, so there is one
    assert "/admin/" in running.printed
    assert running.child("config.worker") is not None
    assert "Traceback" not in running.printed


@pytest.mark.parametrize("part", ["config.web", "config.worker"])
def test_a_part_that_is_killed_is_started_again(running: Serve, part: str) -> None:
    before = running.running_child(part)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: running.child(part) not in (None, before))
    wait_until(lambda: running.status() == 401)


@pytest.mark.parametrize("part", ["supervisor", "postmaster"])
def test_a_database_that_is_killed_comes_back_under_the_running_server(running: Serve, part: str) -> None:
    postmaster = running.postmaster()
    assert postmaster is not None
    asked = ["ps", "-o", "ppid=", "-p", str(postmaster)]
    supervisor = int(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    os.kill(supervisor if part == "supervisor" else postmaster, signal.SIGKILL)
    wait_until(lambda: is_gone(postmaster))
    wait_until(lambda: running.postmaster() not in (None, postmaster))
    wait_until(lambda: _login_page(running) == 200)


def _login_page(server: Serve) -> int | None:
    """Ask for a page whose answer needs the database: a session that it has to look up."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", "/admin/login/", headers={"Cookie": "palimpsest_session=nobodys"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def test_another_one_on_the_same_home_shares_its_database_and_leaves_it_running(
    running: Serve, serve: Callable[..., Serve]
) -> None:
    other = serve(running.home).wait_ready()
    assert other.port != running.port
    other.process.send_signal(signal.SIGTERM)
    assert other.end() == 0, other.printed
    assert _login_page(running) == 200


def test_a_busy_port_is_named_before_anything_is_started(running: Serve, serve: Callable[..., Serve]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = serve(running.home, "--port", str(port))
        assert refused.end() == 1
    assert f"Port {port} on 127.0.0.1 is in use; choose another with --port." in refused.printed
    assert "Traceback" not in refused.printed


def test_one_interrupt_lets_requests_finish_stops_the_workers_and_the_database_last(
    spare_home: Path, serve: Callable[..., Serve]
) -> None:
    server = serve(spare_home).wait_ready()
    web, worker = server.running_child("config.web"), server.running_child("config.worker")
    with _half_a_request(server) as connection:
        server.process.send_signal(signal.SIGINT)
        server.wait_for("Stopping")
        assert not is_gone(web) and not is_gone(worker) and not server.is_down()
        connection.sendall(b"b" * 50)
        assert connection.recv(1000).startswith(b"HTTP/1.1 403")  # a form without its token, but answered
    assert server.end() == 0, server.printed
    assert "Traceback" not in server.printed
    assert is_gone(web) and is_gone(worker)
    wait_until(server.is_down)
    assert "database system is shut down" in (server.home / "log" / "postgres.log").read_text()


def _half_a_request(server: Serve) -> socket.socket:
    """Send a request whose body is still to come, and return when the server waits for it."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
    head = b"POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\nCookie: palimpsest_csrf="
    head += b"x" * 32 + b"\r\nContent-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n"
    connection.sendall(head)
    assert connection.recv(1000).startswith(b"HTTP/1.1 100")
    connection.sendall(b"a" * 50)
    return connection


def test_a_second_interrupt_does_not_wait_for_requests(spare_home: Path, serve: Callable[..., Serve]) -> None:
    server = serve(spare_home).wait_ready()
    with _half_a_request(server) as connection:
        server.process.send_signal(signal.SIGINT)
        server.wait_for("Stopping")
        server.process.send_signal(signal.SIGINT)
        server.end()
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1000) == b""  # cut off, not answered


def test_when_it_is_killed_itself_nothing_is_left_running(spare_home: Path, serve: Callable[..., Serve]) -> None:
    server = serve(spare_home).wait_ready()
    web, worker = server.running_child("config.web"), server.running_child("config.worker")
    server.process.kill()
    server.end()
    wait_until(lambda: is_gone(web) and is_gone(worker))
    wait_until(server.is_down)


def test_port_0_takes_a_free_one_and_the_address_names_this_machine(tmp_path: Path) -> None:
    for host, shown in (("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")):
        serving = Serving(host, 0, home=tmp_path / "home")
        serving.take_port()
        try:
            assert serving.port > 0
            assert serving.base_url == f"http://{shown}:{serving.port}"
        finally:
            serving.stop()


def test_a_host_that_is_not_this_machine_is_refused_in_words(tmp_path: Path) -> None:
    for host in ("192.0.2.1", "no-such-host.invalid"):
        with pytest.raises(ServingError, match=f"{host} is no address of this machine; choose another with --host"):
            Serving(host, 0, home=tmp_path / "home").take_port()


def test_the_public_address_is_our_own_unless_the_environment_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PUBLIC_URL", raising=False)
    serving = Serving("127.0.0.1", 8123, home=tmp_path / "home")
    assert serving.public_url == "http://127.0.0.1:8123"
    monkeypatch.setenv("PUBLIC_URL", "https://labels.example/")
    assert serving.public_url == "https://labels.example"
