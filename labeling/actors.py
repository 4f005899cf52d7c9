"""Dramatiq actors: what happens in the background when the log moves. Each may run twice, late, or never."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable

import dramatiq

from labeling import mask_files
from labeling.commands import activity, asset_erasure, checkpoints, clocks, logins, security
from labeling.log import projector
from labeling.webhooks import turns

logger = logging.getLogger(__name__)

#: How long a heavy catch-up runs before others have their turn, and how many run at once in one worker.
HEAVY_S = 2.0
HEAVY_AT_ONCE = 2
_heavy = threading.BoundedSemaphore(HEAVY_AT_ONCE)

#: The queue of what is told to other programs; how many are told at once in one worker, and how many of those may be
#: ones who take their time.
WEBHOOKS = "webhooks"
WEBHOOKS_AT_ONCE = 4
_telling = threading.BoundedSemaphore(WEBHOOKS_AT_ONCE)
SLOW_MS = 1000
SLOW_AT_ONCE = 2
_slow = threading.BoundedSemaphore(SLOW_AT_ONCE)

_sweeps: list[Callable[[], int]] = []


@dramatiq.actor(max_retries=3, max_age=3_600_000)
def catch_up(log: str) -> None:
    """Bring the catch-up projections of one dataset up to the head of its log, and ask for the heavy ones."""
    projector.catch_up(uuid.UUID(log), heavy=False)
    if projector.behind(uuid.UUID(log), heavy=True):
        catch_up_heavy.send(log)
    ask_webhooks(uuid.UUID(log))


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


@dramatiq.actor(queue_name=WEBHOOKS, max_retries=0, max_age=3_600_000)
def deliver(webhook: str, log: str) -> None:
    """Tell a webhook what it was not told of a log yet; a turn at a time, so that others have theirs.

    In a queue of its own, and only in some of a worker's threads: whoever is told may take its time. One who does, or
    who failed, gets a turn only while some of those are left for others.
    """
    if not _telling.acquire(blocking=False):
        turns.ask_again(uuid.UUID(webhook), uuid.UUID(log))
        return
    try:
        goes_on = _tell(uuid.UUID(webhook), uuid.UUID(log))
    finally:
        _telling.release()
    if goes_on:
        deliver.send(webhook, log)


def _tell(webhook: uuid.UUID, log: uuid.UUID) -> bool:
    """Have a webhook's turn; returns whether there is more to tell."""
    turn = turns.begin(webhook, log)
    if turn is None:
        return False
    is_slow = turn.failures > 0 or (turn.last_ms or 0) > SLOW_MS
    if is_slow and not _slow.acquire(blocking=False):
        turns.give_back(turn)
        return False  # the sweeper asks again
    try:
        return turns.run(turn)
    finally:
        if is_slow:
            _slow.release()


@dramatiq.actor(queue_name=WEBHOOKS, max_retries=0, max_age=3_600_000)
def send_pings(webhook: str) -> None:
    """Send the pings of a webhook that wait. Nobody knows how long its host takes."""
    for limit in (free := [_telling, _slow]):
        if not limit.acquire(blocking=False):
            for taken in free[: free.index(limit)]:
                taken.release()
            return  # the sweeper asks again
    try:
        turns.send_pings(uuid.UUID(webhook))
    finally:
        for limit in free:
            limit.release()


def ask_ping(webhook: uuid.UUID) -> None:
    """Have the pings of a webhook sent soon."""
    send_pings.send(str(webhook))


def ask_webhooks(log: uuid.UUID | None = None) -> int:
    """Have told what is to be told, of one log or of all; returns how many webhooks that are."""
    found = turns.due(log)
    for webhook, its_log in found:
        deliver.send(str(webhook), str(its_log))
    return len(found)


def register_sweep(function: Callable[[], int]) -> None:
    """Have an upper app's sweep run with ours; it returns how many things it found."""
    _sweeps.append(function)


def sweep() -> int:
    """Send a hint for every dataset whose log is past a checkpoint, and let the other apps do the same for their jobs.

    So what got lost between commit and queue is found. Also tells what the security log counted in minutes that are
    over, forgets old logins that failed, has webhooks told, closes days of people's work, and now and then looks at the
    clock, signs checkpoints of the logs and removes files of masks that nobody needs. Returns how many things there
    were to do.
    """
    logs, heavy = projector.behind(heavy=False), projector.behind(heavy=True)
    for log in logs:
        catch_up.send(str(log))
    for log in heavy:
        if log not in logs:  # or the other actor asks for it
            catch_up_heavy.send(str(log))
    clocks.look_now_and_then()
    checkpoints.sign_now_and_then()
    logins.forget_old()
    for webhook in turns.pings():
        ask_ping(webhook)
    turns.forget_old_now_and_then()
    mask_files.sweep_now_and_then()
    asset_erasure.sweep()
    ours = len(logs) + len(heavy) + ask_webhooks() + security.tell_tallies() + activity.close_old()
    return ours + sum(function() for function in _sweeps)
