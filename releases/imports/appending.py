"""What was decided is appended in a thread, while the next is decided: one at a time, and in the order of the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from django.db import connection, connections

from releases.imports.done import Done


class Appending:
    """Work under way. Without a thread it is done at once."""

    def __init__(self, pool: ThreadPoolExecutor | None) -> None:
        self._pool = pool
        self._begun: Future[Done] | None = None

    def begin(self, work: Callable[[], Done]) -> None:
        """Have something done. What was begun before was asked for."""
        assert self._begun is None
        if self._pool is not None:
            self._begun = self._pool.submit(work)
            return
        self._begun = Future()
        try:
            self._begun.set_result(work())
        except BaseException as error:  # told when it is asked for, as a thread's
            self._begun.set_exception(error)

    def result(self) -> Done:
        """What was begun gives, or raises."""
        begun, self._begun = self._begun, None
        assert begun is not None
        return begun.result()


@contextmanager
def appending() -> Iterator[Appending]:
    """A thread with a connection of its own; both go with the block, when the work is done. There is none where the
    caller is in a transaction, because another connection does not see into that."""
    if connection.in_atomic_block:
        yield Appending(None)
        return
    with ThreadPoolExecutor(1, "appending an import") as pool:
        try:
            yield Appending(pool)
        finally:
            pool.submit(connections.close_all).result()
