"""The pieces of a file carried into a dataset: a chunk is decided on while those before it are copied and stored."""

from __future__ import annotations

import gc
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from labeling.commands.writing import hint
from releases.imports.appending import appending
from releases.imports.cutting import Chunk, Line, Piece
from releases.imports.done import Done
from releases.imports.pace import Pace
from releases.imports.steps import Steps

#: (what a chunk did, its pieces)
Tell = Callable[[Done, list[Piece]], None]


#: Chunks between two searches for cycles among what came since the last. By itself Python would search through what is
#: under way, which has none, again and again, for a sixth of the time.
SEARCH_EVERY = 32
#: For how many seconds a thread computes while another has to get on. By Python's default the one that stores would
#: wait for its turn, 5 ms after each answer of the database, longer than for the database.
TURN_S = 0.000_5
_turns = threading.Lock()
_carrying = 0  #: imports of this process
_long_turn_s = 0.0  #: what turns were before the first


def carry(steps: Steps, pieces: Iterator[Piece], tell: Tell) -> None:
    """Bring in all pieces; of each chunk is told in the order of the file, before the next is stored.

    What is raised ends it behind the chunks that were decided on, and those are told of, too; what `tell` raises, or an
    append, ends it behind the chunk that is being stored.
    """
    line, pace = Line(pieces), Pace()
    number = 0
    under_way: deque[Chunk] = deque()  #: the first is being stored; one behind it is copied
    with appending() as work, _short_turns():

        def settle(most: int) -> None:
            """Wait until no more than `most` are under way, and have the next stored."""
            while len(under_way) > most:
                chunk = under_way.popleft()
                try:
                    done = work.result()
                    steps.know(done.appended)
                    if done.appended is not None:
                        # Not where it was appended: a broker may keep a connection for each thread, and that one ends.
                        hint(steps.dataset, done.appended)
                        if done.appended.held_ms is not None:
                            pace.held(chunk.weight, done.appended.held_ms)
                    tell(done, chunk.pieces)
                except BaseException:
                    under_way.clear()
                    work.abandon()
                    raise
                if under_way:
                    work.go_on()

        try:
            while (piece := line.first()) is not None:
                before = steps.done_before(piece.nth) if steps.again else None
                if before is not None:
                    settle(0)
                    tell(before, line.before(before.until))
                    continue
                chunk = line.chunk(pace.weight)
                number += 1
                if number % SEARCH_EVERY == 0:
                    gc.collect(0)
                if not all(map(chunk.is_apart_from, under_way)):
                    settle(0)
                plan = steps.decided(chunk)
                settle(1)
                work.begin(partial(steps.bring, plan))
                under_way.append(chunk)
                if len(under_way) == 1:
                    work.go_on()
        finally:
            settle(0)


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
