"""Where in the log the next chunk ends, as far as an import can know. Pure.

An import knows where its last chunk ended, and how many events those under way have. As long as nobody else writes, the
next one follows them, and rows that say so need not wait for the log's lock (`labeling.log.rows.CopyRows`).
"""

from __future__ import annotations

from collections import deque

#: For how many chunks nothing is guessed after a guess that was wrong, and after many in a row. Those under way were
#: decided on with it, too, and all of them are decided on again.
LEAST_REST, MOST_REST = 8, 64


class Heads:
    """`known` is where the log ends now."""

    def __init__(self, known: int) -> None:
        self._known = known
        self._under_way: deque[tuple[int, int | None]] = deque()  #: (how many events, the guess)
        self._rest = self._last_rest = 0

    def guessed(self, events: int) -> int | None:
        """The last offset of the next chunk, which has so many events; None where it had better not be guessed."""
        guess = None
        if self._rest:
            self._rest -= 1
        else:
            guess = self._known + sum([count for count, _ in self._under_way]) + events
        self._under_way.append((events, guess))
        return guess

    def ended(self, last: int | None) -> None:
        """The first of those under way ends there; None where it had been stored before."""
        _, guess = self._under_way.popleft()
        if last is not None:
            self._known = last
        if guess is None or self._rest:
            return
        if guess == last:
            self._last_rest = 0
        else:
            self._rest = self._last_rest = min(max(2 * self._last_rest, LEAST_REST), MOST_REST)
