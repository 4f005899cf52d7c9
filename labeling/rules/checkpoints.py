"""Signed checkpoints: what one states, and whether those of a log follow from each other. Pure.

A checkpoint states that at an offset a log had a chain hash, and so what every event up to there was. Whoever keeps
one can show later that the log was cut off, or written anew from somewhere on. It names the one before it by the hash
of its statement, so none can be taken out of the middle either. What is signed is the statement's canonical JSON.

It also states the Merkle tree over the chain up to there (`rules.tree`), by which one event, or that the log of a newer
checkpoint begins with that of an older one, is proved without the log. The peaks of the tree are all that it takes to
go on, so the next checkpoint costs the events since, and nothing has to be kept beside.

Checkpoints are events of the installation's log, in a stream for each log, and files beside it that people carry away.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from typing import Any

from labeling.log import values
from labeling.rules import tree

JSON = dict[str, Any]

#: From 2 on a statement has a `tree`.
VERSION = 2


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
    peaks: list[bytes],
) -> JSON:
    """What a checkpoint states. `recorded_us` is when the event at its offset was recorded, `made_us` the time now.

    `peaks` are those of the tree over the chain up to there; see rules.tree.
    """
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
        "tree": {"root": tree.root_of(peaks).hex(), "peaks": [peak.hex() for peak in peaks]},
    }


def tree_of(stated: JSON) -> list[bytes] | None:
    """The peaks of the tree that a statement has; None of the first form, which had none, and of what is no tree."""
    held = stated.get("tree")
    try:
        peaks = [bytes.fromhex(item) for item in held["peaks"]] if isinstance(held, dict) else None
    except (KeyError, TypeError, ValueError):
        return None
    is_whole = peaks is not None and len(peaks) == len(tree.spans_of(int(stated.get("offset", 0))))
    return peaks if is_whole else None


def tree_problem(stated: JSON) -> str | None:
    """What is wrong with the tree of a statement taken by itself, in words."""
    if "tree" not in stated and stated.get("checkpoint") == 1:
        return None
    peaks = tree_of(stated)
    if peaks is None:
        return "has no tree of its size"
    return None if stated["tree"].get("root") == tree.root_of(peaks).hex() else "has a root that is not of its tree"


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
        problem = tree_problem(stated)
        if problem is not None:
            found.append((at, f"checkpoint {number} {problem}"))
        before = stated
    return found
