"""The id of a request: taken from X-Request-ID or made, answered, put into every line of the log, and handed to the
actors whose work the request caused."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

HEADER = "X-Request-ID"

#: Empty where nothing was asked for from outside: the sweeper, a command.
current: ContextVar[str] = ContextVar("request_id", default="")
_sound = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


def told_or_new(said: str) -> str:
    """The id that a client or a proxy gave, where it is one that can stand in a line of a log; else a new one."""
    return said if _sound.fullmatch(said) else uuid.uuid4().hex


@contextmanager
def bound(request_id: str) -> Iterator[None]:
    """Everything inside of it belongs to this request."""
    token = current.set(request_id)
    try:
        yield
    finally:
        current.reset(token)
