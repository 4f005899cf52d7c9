"""The real server of the end-to-end tests: `manage.py serve` in a process of its own, on a home of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 180.0
STOP_LIMIT_S = 60.0
ADDRESS = re.compile(r"Palimpsest serves (http://\S+)")
READY = "Ctrl-C stops it"
# What the surrounding test run may have set for itself and what would lead the server away from its own home.
FOREIGN_VARIABLES = ("DATABASE_URL", "BROKER_URL", "STORAGE_URL", "PUBLIC_URL", "SECRET_KEY", "DJANGO_SETTINGS_MODULE")
FOREIGN_PREFIXES = ("PG", "PYTEST_", "PALIMPSEST_", "AWS_", "SEGMENTS_")


class ServerDidNotStart(Exception):
    """`manage.py serve` ended, or said nothing over HTTP in time; the message carries what it printed."""


class LiveServer:
    """`manage.py serve` with an embedded database under `home`, listening on a free port of 127.0.0.1.

    `options` are added to its command line, `variables` are what it is told by its environment.
    """

    def __init__(self, home: Path, *options: str, **variables: str) -> None:
        self.home = home
        self.options = options
        self.variables = variables
        self.log = home.parent / f"{home.name}.log"
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the server and returns when it says where it serves.

        Raises:
            ServerDidNotStart: with the last lines that it printed.
        """
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--port", "0", *self.options],
                cwd=CHECKOUT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that the stop below reaches the whole tree, and Ctrl-C reaches it once
            )
        deadline = time.monotonic() + START_LIMIT_S
        pause = threading.Event()
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerDidNotStart(f"serve ended with {self._process.returncode}\n{self.printed()[-4000:]}")
            if READY in self.printed():
                told = ADDRESS.search(self.printed())
                self.url = told[1] if told else ""  # only workers
                return
            pause.wait(0.05)
        self.stop()
        raise ServerDidNotStart(f"no answer in {START_LIMIT_S:.0f} s\n{self.printed()[-4000:]}")

    def stop(self) -> None:
        """Sends one Ctrl-C and waits until all is down; raises when that is not enough, after killing what is left."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise AssertionError(f"one Ctrl-C did not stop the server in {STOP_LIMIT_S:.0f} s") from None

    @property
    def pid(self) -> int:
        """The process of `manage.py serve` itself."""
        assert self._process is not None
        return self._process.pid

    def printed(self) -> str:
        """Everything that the server has printed so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def manage(self, *arguments: str) -> str:
        """Runs another `manage.py` command on the same home and returns what it printed; raises when it fails."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=CHECKOUT,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, f"{arguments[0]} ended with {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def new_key(self, username: str) -> str:
        """A fresh API key of a person, who is made when there is no such person yet."""
        return self.manage("apikey", username, "--create").split()[-1]

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in FOREIGN_VARIABLES and not name.startswith(FOREIGN_PREFIXES)
        }
        return kept | {"PALIMPSEST_HOME": str(self.home)} | self.variables
