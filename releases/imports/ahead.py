"""What comes next is made while the database is at work: an iterator that is gone through ahead, in a thread. Pure."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

#: How many are ready at the most; each is a batch of pieces.
AHEAD = 2
_POLL_S = 0.5


@contextmanager
def ahead(items: Iterable[T]) -> Iterator[Iterator[T]]:
    """The items, made up to AHEAD before they are asked for; the thread ends with the block.

    What their making raises is raised where they are asked for.
    """
    ready: queue.Queue[tuple[str, T | BaseException | None]] = queue.Queue(AHEAD)
    over = threading.Event()

    def put(what: str, item: T | BaseException | None) -> bool:
        while not over.is_set():
            try:
                ready.put((what, item), timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put("item", item):
                    return
            put("end", None)
        except BaseException as error:  # told in the other thread
            put("error", error)

    def taken() -> Iterator[T]:
        while True:
            what, item = ready.get()
            if what == "error":
                assert isinstance(item, BaseException)
                raise item
            if what == "end":
                return
            yield item  # type: ignore[misc]

    thread = threading.Thread(target=work, name="reading ahead", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        over.set()
        thread.join()
