"""A new order of frames as an event has it: runs [first, count] of frames by their old numbers, null for new. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sequences import events as e

Entry = dict[str, Any]


def runs_of(order: Sequence[int | None]) -> Iterator[list[int | None]]:
    """Runs [first, count] of neighbours that were neighbours, and of new frames."""
    run: list[int | None] | None = None
    for old in order:
        if run is not None and run[1] is not None:
            first, length = run[0], run[1]
            if old == (None if first is None else first + length):
                run[1] = length + 1
                continue
            yield run
        run = [old, 1]
    if run is not None:
        yield run


def unrolled(runs: Sequence[Sequence[int | None]]) -> list[int | None]:
    """The order that runs say."""
    found: list[int | None] = []
    for first, count in runs:
        assert count is not None
        found += [None] * count if first is None else range(first, first + count)
    return found


def moved_along(entries: dict[str, Entry], fact: e.FramesRearranged) -> dict[str, Entry]:
    """The entries of a track at the new numbers of their frames, without what the fact puts there."""
    order = unrolled(fact.frames)
    new_of = {old: new for new, old in enumerate(order) if old is not None}
    later = len(order) - fact.before
    found: dict[str, Entry] = {}
    for frame, entry in entries.items():
        old = int(frame)
        new = old + later if old >= fact.before else new_of.get(old)
        if new is not None:
            found[str(new)] = entry
    return found
