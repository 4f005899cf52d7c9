"""A running installation: the web server and the workers as children that are watched, and stopped in order.

`manage.py serve` and `manage.py demo` both run one.
"""

from __future__ import annotations

import errno
import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Any, Self

from config.embedded import lease
from config.embedded.lease import EmbeddedDatabaseError
from config.home import CHECKOUT, prepare

logger = logging.getLogger(__name__)

WATCH_S = 0.25
READY_LIMIT_S = 120.0
DRAIN_LIMIT_S = 40.0  # the web server gives requests under way 30 seconds, the workers give jobs 20
LONG_LIFE_S = 5.0
RESTART_PAUSES_S = (0.0, 0.5, 1.0, 2.0, 5.0)
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


class ServingError(Exception):
    """The installation cannot be served; the message is one sentence for the person at the terminal."""


@dataclass
class Child:
    """One process that is started again when it dies."""

    name: str
    module: str
    options: dict[str, Any]
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    deaths: int = 0
    due_s: float = 0.0


class Serving:
    """The web server and the workers of one home; also a context manager that starts, waits until ready, and stops.

    Port 0 takes a free one. With no web processes only the workers run, and the other way round; the first worker also
    sweeps. `log` is a file for what the children print; by default they print where this process does.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 8000,
        *,
        home: Path | None = None,
        web_processes: int = 2,
        threads: int = 4,
        workers: int = 1,
        log: Path | None = None,
        settings: str = "config.settings",
    ) -> None:
        self.host, self.port = host, port
        self.settings = settings
        self.home = prepare(home)
        self.log = log
        self._listener: socket.socket | None = None
        self._children = [Child(f"worker {n + 1}", "config.worker", {"sweeps": n == 0}) for n in range(workers)]
        if web_processes:
            options = {"processes": web_processes, "threads": threads}
            self._children.append(Child("web server", "config.web", options))
        self._has_web = bool(web_processes)
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None
        self._counts: tempfile.TemporaryDirectory[str] | None = None

    @property
    def base_url(self) -> str:
        """The address of the web server on this machine; known once the port is taken."""
        host = WILDCARDS.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def public_url(self) -> str:
        """The address that is put into what is served: PUBLIC_URL, else our own."""
        return os.environ.get("PUBLIC_URL", "").rstrip("/") or self.base_url

    def take_port(self) -> None:
        """Take the port, so that a busy one is found before anything else is done.

        Raises:
            ServingError: the port is in use or not allowed, or the host is not an address of this machine.
        """
        if self._listener is not None or not self._has_web:
            return
        try:
            (family, kind, _, _, address), *_ = socket.getaddrinfo(
                self.host or None, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            listener = socket.socket(family, kind)
        except OSError:
            raise ServingError(f"{self.host} is no address of this machine; choose another with --host.") from None
        try:
            # Linux lets two sockets share an address until one listens, so a listening one is always found here.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError as error:
            listener.close()
            reasons = {
                errno.EADDRINUSE: f"Port {self.port} on {self.host} is in use; choose another with --port.",
                errno.EACCES: f"Port {self.port} needs more rights than this account has; choose another with --port.",
            }
            other = f"{self.host} is no address of this machine; choose another with --host."
            raise ServingError(reasons.get(error.errno or 0, other)) from None
        self._listener = listener
        self.port = listener.getsockname()[1]

    def start(self) -> None:
        """Start the children and the watch over them; the database must be migrated.

        Raises:
            ServingError: the port cannot be taken, or the embedded database cannot be had.
        """
        self.take_port()
        try:
            if self._is_embedded:
                lease.ensure(self.home)
        except EmbeddedDatabaseError as error:
            raise ServingError(str(error)) from None
        # What the children count, so that each can answer for all; begins anew whenever the installation is started.
        self._counts = tempfile.TemporaryDirectory(prefix="palimpsest-counts-", ignore_cleanup_errors=True)
        self._watcher = threading.Thread(target=self._watch, name="serving", daemon=True)
        self._watcher.start()

    def wait_ready(self, limit_s: float = READY_LIMIT_S) -> None:
        """Return when the web server answers over HTTP.

        Raises:
            ServingError: it ended, or said nothing in time.
        """
        deadline = time.monotonic() + limit_s
        while self._has_web and not self._answers():
            web = self._children[-1]
            if web.deaths:
                raise ServingError(f"The web server did not start{self._where_to_look()}.")
            if time.monotonic() > deadline:
                raise ServingError(f"The web server does not answer on {self.base_url}{self._where_to_look()}.")
            if self._stopping.wait(0.05):
                return

    def stop(self) -> None:
        """Stop everything in order: the web server finishes its requests, then the workers; the database comes last.

        The database is embedded and stops by itself when the last lease, ours and the children's, is gone.
        """
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join()
        if self._counts is not None:
            self._counts.cleanup()
        if self._listener is not None:
            self._listener.close()
        if os.getpid() == 1 and self._is_embedded:  # in a container, where our end kills the database
            lease.release(self.home)
            lease.wait_until_stopped(self.home, DRAIN_LIMIT_S)

    def stop_at_once(self) -> None:
        """End the children without waiting for what they do; to be called during `stop`, from a signal handler too."""
        for child in self._children:
            self._send(child, signal.SIGKILL)

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Children

    def _watch(self) -> None:
        """Start the children, start again what dies, and stop them in the end.

        All in one thread, because the kernel tells a child of the death of the thread that started it.
        """
        lifeline, lifeline_end = os.pipe()
        while not self._stopping.is_set():
            if self._is_embedded:
                self._revive_database()
            for child in self._children:
                self._look_after(child, lifeline)
            self._stopping.wait(WATCH_S)
        if self._listener is not None:
            self._listener.close()  # or connections would wait here while the web server finishes
        self._tell_to_stop([child for child in self._children if child.module == "config.web"])
        self._tell_to_stop(self._children)
        os.close(lifeline)
        os.close(lifeline_end)

    def _look_after(self, child: Child, lifeline: int) -> None:
        now = time.monotonic()
        if child.process is not None and (code := child.process.poll()) is not None:
            child.process = None
            child.deaths = 1 if now - child.started_s > LONG_LIFE_S else child.deaths + 1
            pause_s = RESTART_PAUSES_S[min(child.deaths, len(RESTART_PAUSES_S)) - 1]
            child.due_s = now + pause_s
            logger.warning("The %s ended with %s; it is started again in %.0f s.", child.name, code, pause_s)
        if child.process is None and now >= child.due_s:
            self._start_child(child, lifeline)

    def _start_child(self, child: Child, lifeline: int) -> None:
        options = {**child.options, "parent": os.getpid(), "lifeline": lifeline}
        keep = [lifeline]
        if child.module == "config.web":
            assert self._listener is not None
            options["listener"] = self._listener.fileno()
            keep.append(self._listener.fileno())
        if self._is_embedded:
            keep.append(lease.descriptor(self.home))  # so the database outlives a killed parent until they are done
        output = self._output()
        child.started_s = time.monotonic()
        child.process = subprocess.Popen(
            [sys.executable, "-m", child.module, json.dumps(options)],
            cwd=CHECKOUT,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=keep,
            start_new_session=True,  # so that one Ctrl-C at the terminal reaches this process only
        )
        if output is not None:
            output.close()

    def _environment(self) -> dict[str, str]:
        environment = {
            **os.environ,
            "PALIMPSEST_HOME": str(self.home),
            "DJANGO_SETTINGS_MODULE": self.settings,
        }
        if self._has_web:  # workers alone know no address but the one that they are told
            environment["PUBLIC_URL"] = self.public_url
        if self._counts is not None:
            environment["PROMETHEUS_MULTIPROC_DIR"] = self._counts.name
        if self.host in WILDCARDS:  # whoever listens on every address is reached by names that nobody knows here
            environment.setdefault("ALLOWED_HOSTS", "*")
        return environment

    def _output(self) -> IO[bytes] | None:
        return open(self.log, "ab") if self.log is not None else None

    @property
    def _is_embedded(self) -> bool:
        return not os.environ.get("DATABASE_URL")

    def _revive_database(self) -> None:
        try:
            if lease.ensure(self.home):
                logger.warning("The embedded PostgreSQL had lost its supervisor; it was started again.")
        except EmbeddedDatabaseError as error:
            logger.error("%s", error)
            self._stopping.wait(RESTART_PAUSES_S[2])

    def _send(self, child: Child, number: signal.Signals) -> None:
        if child.process is None or child.process.poll() is not None:
            return
        try:
            if number == signal.SIGKILL:
                os.killpg(child.process.pid, number)  # with the web server's own children
            else:
                child.process.send_signal(number)
        except ProcessLookupError:
            pass

    def _tell_to_stop(self, children: list[Child]) -> None:
        for child in children:
            self._send(child, signal.SIGTERM)
        deadline = time.monotonic() + DRAIN_LIMIT_S
        for child in children:
            if child.process is not None:
                try:
                    child.process.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    logger.warning("The %s does not stop; it is ended.", child.name)
                    self._send(child, signal.SIGKILL)
                    child.process.wait()

    def _answers(self) -> bool:
        host = WILDCARDS.get(self.host, self.host)
        connection = http.client.HTTPConnection(host, self.port, timeout=10)
        try:
            connection.request("GET", "/api_status/", headers={"Host": "localhost"})
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _where_to_look(self) -> str:
        return f"; see {self.log}" if self.log is not None else ""


def migrate() -> None:
    """Bring the database's tables up to date; of several processes that do this at once, one does it."""
    from django.core.management import call_command
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('palimpsest migrate'))")
        try:
            call_command("migrate", interactive=False, verbosity=0)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtext('palimpsest migrate'))")


def stop_on_signals(serving: Serving) -> None:
    """Have the first SIGINT, SIGTERM or SIGHUP raise KeyboardInterrupt, and the next one end the children at once."""
    told: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        told.append(number)
        if len(told) == 1:
            raise KeyboardInterrupt
        serving.stop_at_once()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, receive)
