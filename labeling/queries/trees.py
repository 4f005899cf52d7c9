"""Proofs by the Merkle tree over a log: that an event is in it, and that a checkpoint's log begins with another's.

Nothing of the tree is stored but the peaks that checkpoints state. A proof needs other subtrees too; those are hashed
from the chain hashes in the log, in one pass over them at the most, and the peaks of all checkpoints spare what is
below.
"""

from __future__ import annotations

import uuid
from typing import Any

from labeling.errors import InvalidValue, NotFound
from labeling.log import store, stored
from labeling.log.event import FIRST_CHAIN
from labeling.queries import checkpoints
from labeling.queries.checkpoints import Checkpoint
from labeling.rules import tree
from labeling.rules.checkpoints import tree_of

JSON = dict[str, Any]

VERSION = 1
#: Leaves that are read and hashed together.
LEAVES = 4096


class Subtrees:
    """The roots of the subtrees of a log's tree, hashed when they are asked for. `known` are the checkpoints of it."""

    def __init__(self, log: uuid.UUID, known: list[Checkpoint]) -> None:
        self.log = log
        self._known: dict[tuple[int, int], bytes] = {}
        for item in known:
            peaks = tree_of(item.stated)
            if peaks is not None:
                self._known.update(zip(tree.spans_of(item.offset), peaks, strict=True))

    def __call__(self, first: int, after: int) -> bytes:
        """The root over the leaves first … after - 1.

        Raises:
            LogGap: events are missing.
        """
        found = self._known.get((first, after))
        if found is None:
            if after - first <= LEAVES:
                found = tree.root_of(tree.grown([], 0, store.chains(self.log, after=first, up_to=after)))
            else:
                middle = tree.middle_of(first, after)
                found = tree.node(self(first, middle), self(middle, after))
            self._known[first, after] = found
        return found

    def peaks(self, size: int) -> list[bytes]:
        """The peaks of the tree over the first `size` events."""
        return [self(first, after) for first, after in tree.spans_of(size)]


def inclusion(log: uuid.UUID, *, offset: int, number: int | None = None) -> JSON:
    """The proof that an event is in the tree of a checkpoint (of the newest one unless `number` says), with the event.

    Raises:
        NotFound: there is no such checkpoint.
        InvalidValue: the offset is none that it is over, or it has no tree.
        LogGap: events are missing.
    """
    known = checkpoints.of(log)
    over = _numbered(known, number, "checkpoint")
    if not 1 <= offset <= over.offset:
        raise InvalidValue("offset", f"must be one that checkpoint {over.number} is over: from 1 to {over.offset}")
    path = tree.inclusion_path(offset - 1, over.offset, Subtrees(log, known))
    try:
        event = stored.event_at(log, offset)
        before = FIRST_CHAIN if offset == 1 else store.chain_at(log, offset - 1)
    except LookupError as error:  # peaks of checkpoints may have spared the look at it
        raise store.LogGap(f"log {log}: {error}") from error
    return {
        "proof": VERSION,
        "kind": "inclusion",
        "event": event,
        "chain_before": before.hex(),
        "path": [item.hex() for item in path],
        "checkpoint": over.as_json(),
    }


def consistency(log: uuid.UUID, *, first: int, second: int | None = None) -> JSON:
    """The proof that the log of a checkpoint (of the newest one unless `second` says) begins with that of another.

    Raises:
        NotFound: there is no such checkpoint.
        InvalidValue: one has no tree, or the second comes before the first.
        LogGap: events are missing.
    """
    known = checkpoints.of(log)
    one, other = _numbered(known, first, "from"), _numbered(known, second, "to")
    if one.number > other.number:
        raise InvalidValue("to", f"must be a checkpoint from {one.number} on, which `from` names")
    path = tree.consistency_path(one.offset, other.offset, Subtrees(log, known))
    return {
        "proof": VERSION,
        "kind": "consistency",
        "path": [item.hex() for item in path],
        "from": one.as_json(),
        "to": other.as_json(),
    }


def _numbered(known: list[Checkpoint], number: int | None, where: str) -> Checkpoint:
    """A checkpoint by its number; without one the newest."""
    if not known or (number is not None and not 1 <= number <= len(known)):
        raise NotFound("The checkpoint")
    found = known[-1 if number is None else number - 1]
    if tree_of(found.stated) is None:
        raise InvalidValue(where, f"must be a checkpoint with a tree, which {found.number} was signed before; sign one")
    return found
