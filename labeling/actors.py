"""Dramatiq actors: what happens in the background when the log moves. Each may run twice, late, or never."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable

import dramatiq

from labeling.commands import logins, security
from labeling.log import projector

logger = logging.getLogger(__name__)

_sweeps: list[Callable[[], int]] = []


@dramatiq.actor(max_retries=3, max_age=3_600_000)
def catch_up(log: str) -> None:
    """Bring the catch-up projections of one dataset up to the head of its log."""
    projector.catch_up(uuid.UUID(log))


def register_sweep(function: Callable[[], int]) -> None:
    """Have an upper app's sweep run with ours; it returns how many things it found."""
    _sweeps.append(function)


def sweep() -> int:
    """Send a hint for every dataset whose log is past a checkpoint, and let the other apps do the same for their jobs.

    So what got lost between commit and queue is found. Also tells what the security log counted in minutes that are
    over, and forgets old logins that failed. Returns how many things there were to do.
    """
    logs = projector.behind()
    for log in logs:
        catch_up.send(str(log))
    logins.forget_old()
    return len(logs) + security.tell_tallies() + sum(function() for function in _sweeps)
