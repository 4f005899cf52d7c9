"""Signed checkpoints: what one states, and whether those of a log follow from each other. Pure.

A checkpoint states that at an offset a log had a chain hash, and so what every event up to there was. Whoever keeps
one can show later that the log was cut off, or written anew from somewhere on. It names the one before it by the hash
of its statement, so none can be taken out of the middle either. What is signed is the statement's canonical JSON.

Checkpoints are events of the installation's log, in a stream for each log, and files beside it that people carry away.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from typing import Any

from labeling.log import values

JSON = dict[str, Any]

VERSION = 1


def checkpoint_stream(log: uuid.UUID) -> str:
    return f"checkpoint/{log}"


def statement(
    *,
    log: uuid.UUID,
    number: int,
    offset: int,
    chain: bytes,
    recorded_us: int,
    made_us: int,
    app_version: str,
    previous: JSON | None,
) -> JSON:
    """What a checkpoint states. `recorded_us` is when the event at its offset was recorded, `made_us` the time now."""
    return {
        "checkpoint": VERSION,
        "log": str(log),
        "number": number,
        "offset": offset,
        "chain": chain.hex(),
        "recorded_us": recorded_us,
        "made_us": made_us,
        "app_version": app_version,
        "previous": None if previous is None else digest(previous),
    }


def message(stated: JSON) -> bytes:
    """The bytes of a statement that a signature is over."""
    return values.canonical(stated)


def digest(stated: JSON) -> str:
    """What the next checkpoint names a statement by."""
    return hashlib.sha256(message(stated)).hexdigest()


def order_problems(log: str, statements: Iterable[JSON]) -> list[tuple[int, str]]:
    """(offset, problem) where the statements of a log, in the order of its stream, do not follow from each other."""
    found: list[tuple[int, str]] = []
    before: JSON | None = None
    for number, stated in enumerate(statements, 1):
        at = int(stated.get("offset", 0))
        if stated.get("log") != log:
            found.append((at, f"checkpoint {number} is of another log"))
        if stated.get("number") != number:
            found.append((at, f"checkpoint {number} says that it is {stated.get('number')}"))
        if stated.get("previous") != (None if before is None else digest(before)):
            found.append((at, f"checkpoint {number} does not name the one before it"))
        if before is not None and at <= int(before.get("offset", 0)):
            found.append((at, f"checkpoint {number} is not behind the one before it"))
        before = stated
    return found
