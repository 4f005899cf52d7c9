"""What every command shares: decide again when somebody was faster, answer a retry as before, hint the actors."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from typing import TypeVar

from django.db import transaction

from labeling.errors import Busy, IdempotencyKeyReused
from labeling.log import store
from labeling.log.event import Intent

logger = logging.getLogger(__name__)
T = TypeVar("T")


def decide(attempt: Callable[[], T]) -> T:
    """Run `attempt` until it is not stale.

    Raises:
        Busy: others were faster every time, or held the log for too long; nothing was stored.
        IdempotencyKeyReused: the command's id came before with another request.
    """
    try:
        return store.decide(attempt)
    except store.LogBusy as error:
        raise Busy from error
    except store.CommandReused as error:
        raise IdempotencyKeyReused from error


def earlier(log: uuid.UUID, intent: Intent) -> store.Appended | None:
    """What this command did when it came before, or None.

    Raises:
        IdempotencyKeyReused: it came before with another request.
    """
    if not intent.replayable:
        return None
    try:
        return store.earlier_answer(log, intent)
    except store.CommandReused as error:
        raise IdempotencyKeyReused from error


def hint(log: uuid.UUID, appended: store.Appended) -> None:
    """Tell the actors that the log moved, after commit. The sweeper finds a lost hint, so no failure is raised."""
    if appended.hint:
        transaction.on_commit(lambda: _send(log), robust=True)


#: After a queue took no hint none is sent for so long: whoever writes would wait for its time limit each time.
QUIET_S = 5.0
_quiet_until_s = 0.0


def _send(log: uuid.UUID) -> None:
    global _quiet_until_s
    if time.monotonic() < _quiet_until_s:
        return
    from labeling import actors  # the broker is set up by then; rules and tests never need it

    try:
        actors.catch_up.send(str(log))
    except Exception:
        _quiet_until_s = time.monotonic() + QUIET_S
        logger.warning("the queue took no hint for %s; the sweeper will find it", log, exc_info=True)
