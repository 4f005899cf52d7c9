"""The processes of a running `manage.py serve`, found as an operator would find them, to be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

#: In the order in which what they do depends on each other.
PARTS = ("postmaster", "backend", "supervisor", "worker", "web server", "web process")


class Process(NamedTuple):
    """A line of `ps`."""

    pid: int
    parent: int
    arguments: str


def processes() -> list[Process]:
    """Every process of the machine."""
    listing = subprocess.run(["ps", "-wwAo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    split = (line.split(maxsplit=2) for line in listing.splitlines())
    return [Process(int(each[0]), int(each[1]), each[2]) for each in split if len(each) == 3]


def find(part: str, *, serve: int, home: Path) -> int | None:
    """The process id of a part of the installation that process `serve` runs on `home`; None while it is not there."""
    all_of_them = processes()
    if part in ("postmaster", "backend", "supervisor"):
        return _of_database(part, home, all_of_them)
    module = "config.worker" if part == "worker" else "config.web"
    master = next(
        (each.pid for each in all_of_them if each.parent == serve and f"-m {module} " in each.arguments), None
    )
    if part != "web process" or master is None:
        return master
    return next((each.pid for each in all_of_them if each.parent == master), None)


def _of_database(part: str, home: Path, all_of_them: list[Process]) -> int | None:
    postmaster = None
    for path in home.glob("postgres-*/postmaster.pid"):
        with contextlib.suppress(FileNotFoundError, IndexError, ValueError):
            postmaster = int(path.read_text().split()[0])
    if part == "postmaster" or postmaster is None:
        return postmaster
    if part == "supervisor":
        return next((each.parent for each in all_of_them if each.pid == postmaster and each.parent > 1), None)
    mine = (each for each in all_of_them if each.parent == postmaster)
    return next((each.pid for each in mine if "palimpsest" in each.arguments and "[local]" in each.arguments), None)


def kill(pid: int) -> None:
    """kill -9; it may have gone by itself."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
