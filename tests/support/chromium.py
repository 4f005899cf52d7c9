"""A headless Chromium over its DevTools pipe: goes to pages, runs scripts in them, says what they complained of.

No package is needed for it: the protocol is JSON between NUL bytes on file descriptors 3 and 4.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LIMIT_S = 30.0
#: How long a page may still complain after it has loaded.
SETTLE_S = 0.3
FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


def executable() -> str | None:
    """The path of a Chromium, if this machine has one."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Chromium:
    """One browser with one page. `complaints` are what went wrong on the page since the last `go` or `follow`."""

    def __init__(self, profile: Path) -> None:
        path = executable()
        assert path is not None
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        def connect() -> None:
            # Both are moved out of the way first, because one of them may be 3 or 4.
            os.dup2(to_browser, 63)
            os.dup2(from_browser, 64)
            os.dup2(63, 3)
            os.dup2(64, 4)

        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        self._process = subprocess.Popen(
            [path, *FLAGS, *sandbox, f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"],
            preexec_fn=connect,
            close_fds=False,  # Python's own descriptors are not inheritable anyway
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._pending = b""
        self._number = 0
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools protocol, and its answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message(LIMIT_S)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                found: dict[str, Any] = answer["result"]
                return found
            self._events.append(answer)

    def _message(self, limit_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + limit_s
        while b"\0" not in self._pending:
            if not select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError("Chromium said nothing in time")
            self._pending += os.read(self._read, 1 << 20)
        text, self._pending = self._pending.split(b"\0", 1)
        message: dict[str, Any] = json.loads(text)
        return message

    def go(self, url: str) -> None:
        """Go to a page and wait until it has loaded."""
        self._events = []
        self.call("Page.navigate", url=url)
        self._loaded()

    def follow(self, script: str) -> None:
        """Run a script that leads to another page, and wait until that has loaded."""
        self._events = []
        self.run(script)
        self._loaded()

    def _loaded(self) -> None:
        while not any(event.get("method") == "Page.loadEventFired" for event in self._events):
            self._events.append(self._message(LIMIT_S))
        self.settle()

    def settle(self, moment_s: float = SETTLE_S) -> None:
        """Hear what the page still has to say."""
        deadline = time.monotonic() + moment_s
        while True:
            try:
                self._events.append(self._message(deadline - time.monotonic()))
            except TimeoutError:
                return

    def run(self, script: str) -> Any:
        """The value of a script, run in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def complaints(self) -> list[str]:
        """What the policy blocked, what did not load and what scripts threw, since the last `go` or `follow`."""
        found = []
        for event in self._events:
            said = event.get("params", {})
            match event.get("method"):
                case "Log.entryAdded" if said["entry"]["level"] in ("error", "warning"):
                    found.append(said["entry"]["text"])
                case "Audits.issueAdded" if said["issue"]["code"] == "ContentSecurityPolicyIssue":
                    found.append(json.dumps(said["issue"]["details"]))
                case "Runtime.exceptionThrown":
                    found.append(said["exceptionDetails"]["text"])
                case "Network.responseReceived" if said["response"]["status"] >= 400:
                    found.append(f"{said['response']['status']} {said['response']['url']}")
        return found

    def close(self) -> None:
        """End the browser."""
        try:
            self.call("Browser.close")
        except (AssertionError, OSError, TimeoutError):
            self._process.kill()
        self._process.wait(LIMIT_S)
        os.close(self._write)
        os.close(self._read)
