"""How much processor time processes used: nanoseconds of the scheduler's account, not clock ticks of 10 ms."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")


def processor_ms(pids: Iterable[int]) -> float:
    """Milliseconds that all threads of these processes ran so far (the first field of schedstat); gone ones count 0."""
    total_ns = 0
    for pid in pids:
        for task in (PROC / str(pid) / "task").glob("*/schedstat"):
            try:
                total_ns += int(task.read_text().split()[0])
            except OSError:
                continue
    return total_ns / 1e6


def children(pid: int) -> list[int]:
    """The processes below this one, at any depth."""
    parents: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                # The command's name is in parentheses and may hold spaces.
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    pending = [pid]
    while pending:
        below = parents.get(pending.pop(), [])
        found += below
        pending += below
    return found


def command_line(pid: int) -> str:
    """What the process was started as; empty when it is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
