"""What an earlier server left in its data directory, having lost its supervisor or its postmaster."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from config.processes import LINUX, is_alive, send_signal

# Fast shutdown, immediate shutdown, the end: each is safe for what was committed. PostgreSQL 18.4 never finishes a fast
# shutdown that is asked for while it recovers from the crash of a backend.
STOPPING = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))


class CannotBeEnded(Exception):
    """A process of an earlier server does not go, not even when killed; the message is its id."""


def clear_leftovers(data: Path, wait: Callable[[float], None]) -> None:
    """Return when no process of an earlier server works in this directory and no stale pid file misleads the next.

    Raises:
        CannotBeEnded: one stays.
    """
    begun = time.monotonic()
    while left := list(_servers_in(data)):
        way = _way_to_stop(time.monotonic() - begun)
        if way is None:
            raise CannotBeEnded(left[0])
        for pid in left:
            send_signal(pid, way)
        wait(0.1)
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return
    if is_alive(pid):  # after a reboot the number belongs to another process, which postgres would take for its own
        pid_file.unlink(missing_ok=True)


def _servers_in(data: Path) -> Iterator[int]:
    """Yield the postgres processes that work in this data directory, whoever their parent is."""
    if not LINUX:
        listing = subprocess.run(["ps", "-axwwo", "pid=,command="], capture_output=True, text=True, check=False).stdout
        for line in listing.splitlines():
            pid, _, command = line.strip().partition(" ")
            if f"-D {data} " in f"{command} " and "postgres" in command and pid.isdigit():
                yield int(pid)
        return
    place = os.path.realpath(data)
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                program = os.path.basename(os.readlink(f"/proc/{name}/exe"))
                if program in ("postgres", "postgres (deleted)") and os.readlink(f"/proc/{name}/cwd") == place:
                    yield int(name)
            except OSError:
                continue  # gone, or of another account


def _way_to_stop(waited_s: float) -> signal.Signals | None:
    for way, patience_s in STOPPING:
        if waited_s < patience_s:
            return way
        waited_s -= patience_s
    return None
