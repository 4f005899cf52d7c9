"""Dramatiq actors: what happens in the background when the log moves. Each may run twice, late, or never."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable

import dramatiq

from labeling import mask_files
from labeling.commands import activity, checkpoints, logins, security
from labeling.log import projector

logger = logging.getLogger(__name__)

#: How long a heavy catch-up runs before others have their turn, and how many run at once in one worker.
HEAVY_S = 2.0
HEAVY_AT_ONCE = 2
_heavy = threading.BoundedSemaphore(HEAVY_AT_ONCE)

_sweeps: list[Callable[[], int]] = []


@dramatiq.actor(max_retries=3, max_age=3_600_000)
def catch_up(log: str) -> None:
    """Bring the catch-up projections of one dataset up to the head of its log, and ask for the heavy ones."""
    projector.catch_up(uuid.UUID(log), heavy=False)
    if projector.behind(uuid.UUID(log), heavy=True):
        catch_up_heavy.send(log)


@dramatiq.actor(queue_name="heavy", priority=50, max_retries=3, max_age=3_600_000)
def catch_up_heavy(log: str) -> None:
    """Bring the heavy projections of one dataset nearer to the head of its log, and go on after others had their turn.

    In a queue of its own, because what is waiting there must not be in front of what takes moments.
    """
    if not _heavy.acquire(blocking=False):
        return  # the sweeper asks again; the other threads are for what takes moments
    try:
        folded = projector.catch_up(uuid.UUID(log), heavy=True, for_s=HEAVY_S)
    finally:
        _heavy.release()
    if folded and projector.behind(uuid.UUID(log), heavy=True):
        catch_up_heavy.send(log)


def register_sweep(function: Callable[[], int]) -> None:
    """Have an upper app's sweep run with ours; it returns how many things it found."""
    _sweeps.append(function)


def sweep() -> int:
    """Send a hint for every dataset whose log is past a checkpoint, and let the other apps do the same for their jobs.

    So what got lost between commit and queue is found. Also tells what the security log counted in minutes that are
    over, forgets old logins that failed, closes days of people's work, and now and then signs checkpoints of the logs
    and removes files of masks that nobody needs. Returns how many things there were to do.
    """
    logs, heavy = projector.behind(heavy=False), projector.behind(heavy=True)
    for log in logs:
        catch_up.send(str(log))
    for log in heavy:
        if log not in logs:  # or the other actor asks for it
            catch_up_heavy.send(str(log))
    checkpoints.sign_now_and_then()
    logins.forget_old()
    mask_files.sweep_now_and_then()
    ours = len(logs) + len(heavy) + security.tell_tallies() + activity.close_old()
    return ours + sum(function() for function in _sweeps)
