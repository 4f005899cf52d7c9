"""Benchmarks: each measures beside a peer or a limit in the same run, on a database of its own that is thrown away.

A bench is a module with `main() -> list[Row]`; `manage.py bench NAME` runs it in a process of its own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

#: Events of the logs that `scale` measures, and of one more that it measures when asked.
LENGTHS = (10_000, 100_000, 1_000_000)
FULL = 10_000_000
#: Labels that `release` exports when asked for all.
FULL_LABELS = 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One measured case. `ratio` is ours / peer; `target` bounds `ours` (or what `case` names) from above."""

    case: str
    unit: str
    ours: float
    peer: float | None
    target: float | None

    def as_json(self) -> dict[str, Any]:
        ratio = None if not self.peer else round(self.ours / self.peer, 3)
        met = None if self.target is None else self.ours <= self.target
        return asdict(self) | {"ours": round(self.ours, 3), "ratio": ratio, "met": met}
