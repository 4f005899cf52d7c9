"""The pieces of a file carried into a dataset: one chunk is decided on while the one before it is being stored."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from labeling.commands.writing import hint
from releases.imports.appending import Appending, appending
from releases.imports.cutting import Chunk, Line, Piece
from releases.imports.done import Done
from releases.imports.pace import Pace
from releases.imports.steps import Steps

#: (what a chunk did, its pieces)
Tell = Callable[[Done, list[Piece]], None]

#: For how many seconds a thread computes while another has to get on. By Python's default the one that stores would
#: wait for its turn, 5 ms after each answer of the database, longer than for the database.
TURN_S = 0.000_5
_turns = threading.Lock()
_carrying = 0  #: imports of this process
_long_turn_s = 0.0  #: what turns were before the first


def carry(steps: Steps, batches: Iterator[list[Piece]], tell: Tell) -> None:
    """Bring in all pieces; of each chunk is told in the order of the file, before the next is stored.

    What is raised, also by `tell`, ends it behind the chunk that is being stored, and that one is told of, too.
    """
    line, pace = Line(batches), Pace()
    stored: Chunk | None = None

    def settle(work: Appending) -> None:
        nonlocal stored
        chunk, stored = stored, None
        if chunk is None:
            return
        done = work.result()
        if done.appended is not None:
            # Not where it was appended: a broker may keep a connection for each thread, and that one ends soon.
            hint(steps.dataset, done.appended)
            if done.appended.held_ms is not None:
                pace.held(chunk.weight, done.appended.held_ms)
        tell(done, chunk.pieces)

    with appending() as work, _short_turns():
        try:
            while (piece := line.first()) is not None:
                before = steps.done_before(piece.nth) if steps.again else None
                if before is not None:
                    settle(work)
                    tell(before, line.before(before.until))
                    continue
                chunk = line.chunk(pace.weight)
                if stored is not None and not chunk.is_apart_from(stored):
                    settle(work)
                plan = steps.decided(chunk)
                settle(work)
                stored = chunk
                work.begin(partial(steps.bring, plan))
        finally:
            settle(work)


@contextmanager
def _short_turns() -> Iterator[None]:
    """Threads of this process take shorter turns, until the last of its imports is through."""
    global _carrying, _long_turn_s
    with _turns:
        if not _carrying:
            _long_turn_s = sys.getswitchinterval()
            sys.setswitchinterval(min(_long_turn_s, TURN_S))
        _carrying += 1
    try:
        yield
    finally:
        with _turns:
            _carrying -= 1
            if not _carrying:
                sys.setswitchinterval(_long_turn_s)
