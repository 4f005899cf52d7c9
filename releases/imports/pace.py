"""How much an import appends at once: as much as the log is held for by AIM_MS. Pure."""

from __future__ import annotations

#: Others wait as long as the log is held. It is well below the 100 ms that they may have to, because no two chunks of a
#: weight take the same time.
AIM_MS = 40.0
#: What a chunk weighs before anything is known, and at the least and the most. On a machine that has far more to do
#: than it can, the log is held for nearly as long for a small one as for a large one, and it only makes more work.
START, LEAST, MOST = 750, 250, 4_000
#: What came before is no promise, so it grows slowly; it shrinks at once.
GROWS = 1.25


class Pace:
    """What the next chunk may weigh, by how long the log was held for those before it."""

    def __init__(self) -> None:
        self.weight = START

    def held(self, weight: int, ms: float) -> None:
        """Learn how long the log was held for a chunk of some weight."""
        fitting = weight * AIM_MS / max(ms, 1e-3)
        # A small chunk says little about a large one: what all have in common is in it as well.
        if fitting > self.weight:
            fitting = min(fitting, self.weight * GROWS) if weight * 2 > self.weight else self.weight
        self.weight = int(min(max(fitting, LEAST), MOST))
