"""Chunks on their way into the log: one is being stored, one copied to the server, while the next is decided on.

They have two threads by turns, each with a connection of its own. A thread computes only while the one who decides
waits for it; what is left is waiting for the server. So no two threads compete for Python, which would slow both down.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

from django.db import connection, connections

from labeling.log import store
from releases.imports.done import Done

#: What stores a chunk.
Work = Callable[[store.Turns], Done]


class Abandoned(BaseException):
    """What was written is not to be stored; raised in the thread of it."""


class _Chunk:
    """One on its way; it tells its append when it is its turn, also one that is tried again."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.done: Future[Done] = Future()
        self._is_written, self._may_lock, self._is_abandoned = threading.Event(), threading.Event(), False

    def begin(self, thread: ThreadPoolExecutor) -> None:
        """Begin to store it; comes back when it is written."""
        is_written = self._is_written  # and not this whole, which would be a cycle
        self.done = thread.submit(self.work, self)
        self.done.add_done_callback(lambda _: is_written.set())  # it failed, or there was nothing to do
        is_written.wait()

    def written(self) -> None:
        self._is_written.set()

    def wait(self) -> None:
        self._may_lock.wait()
        if self._is_abandoned:
            raise Abandoned

    def go_on(self, *, abandoned: bool = False) -> None:
        self._is_abandoned = abandoned
        self._may_lock.set()

    def run(self) -> None:
        """All of it, here."""
        self.go_on()
        try:
            self.done.set_result(self.work(self))
        except BaseException as error:  # told when it is asked for, as a thread's
            self.done.set_exception(error)


class Appending:
    """What is stored one after the other, in the order in which it was begun; without threads, by its turn."""

    def __init__(self, threads: list[ThreadPoolExecutor]) -> None:
        self._threads = threads
        self._waiting: _Chunk | None = None
        self._going: _Chunk | None = None

    def begin(self, work: Work) -> None:
        """Have something written and copied. What was begun before went on."""
        assert self._waiting is None
        self._waiting = _Chunk(work)
        if self._threads:
            self._threads.reverse()
            self._waiting.begin(self._threads[0])

    def go_on(self) -> None:
        """Have stored what was begun. What went on before was asked for."""
        assert self._waiting is not None and self._going is None
        self._going, self._waiting = self._waiting, None
        if self._threads:
            self._going.go_on()
        else:
            self._going.run()

    def result(self) -> Done:
        """What went on gives, or raises."""
        going, self._going = self._going, None
        assert going is not None
        return going.done.result()

    def abandon(self) -> None:
        """Forget what was begun and did not go on, if there is something."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and self._threads:
            waiting.go_on(abandoned=True)
            with suppress(BaseException):  # why it could not be stored is no matter
                waiting.done.result()


@contextmanager
def appending() -> Iterator[Appending]:
    """The threads and their connections go with the block. There are none where the caller is in a transaction, because
    another connection does not see into that."""
    if connection.in_atomic_block:
        yield Appending([])
        return
    with ExitStack() as stack:
        threads = []
        for nth in (1, 2):
            threads.append(stack.enter_context(ThreadPoolExecutor(1, f"appending an import {nth}")))
            stack.callback(_close_connections, threads[-1])
        work = Appending(threads)
        stack.callback(work.abandon)
        yield work


def _close_connections(thread: ThreadPoolExecutor) -> None:
    thread.submit(connections.close_all).result()
