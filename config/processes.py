"""Processes that must not outlive their parent, and questions about others. Standard library only."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
import threading

LINUX = sys.platform.startswith("linux")
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def ask_for_death_signal(number: int, parent: int) -> None:
    """Have the kernel send this process a signal when the thread that started it ends (Linux only).

    To be called in the child, after any change of account, which clears it; `parent` is the parent's process id.
    """
    assert _libc is not None
    _libc.prctl(_SET_DEATH_SIGNAL, int(number), 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        os.kill(os.getpid(), number)


def die_with_parent(number: int, parent: int, lifeline: int) -> None:
    """Have this process sent a signal when its parent ends; `lifeline` is a pipe that the parent's death closes."""
    if LINUX:
        ask_for_death_signal(number, parent)
        return

    def watch() -> None:
        os.read(lifeline, 1)
        os.kill(os.getpid(), number)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def send_signal(pid: int, number: signal.Signals) -> None:
    """Signal a process that may be gone already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def is_alive(pid: int) -> bool:
    """Say whether a process of this id exists, of whatever account."""
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno == errno.EPERM
    return True
