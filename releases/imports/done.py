"""What one step of an import did, as it is kept for who asks again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from labeling.log.store import Appended
from releases.imports.counts import Counts

JSON = dict[str, Any]


@dataclass(slots=True)
class Done:
    """What a step did, as it is kept for the next who asks. `begun`: records whose labels it began, and how.

    `until` is the piece behind a chunk's last. Not kept: what its append gave, where there was one just now.
    """

    counts: Counts = field(default_factory=Counts)
    findings: list[list[str]] = field(default_factory=list)  #: [where, message, level]
    begun: dict[str, str] = field(default_factory=dict)
    categories: list[list[int]] = field(default_factory=list)
    until: int = 0
    appended: Appended | None = None

    def find(self, where: str, message: str, level: str) -> None:
        self.findings.append([where, message, level])

    def as_json(self) -> JSON:
        said: JSON = {"counts": self.counts.as_json(), "findings": self.findings}
        said |= {"begun": self.begun} if self.begun else {}
        said |= {"until": self.until} if self.until else {}
        return said | ({"categories": self.categories} if self.categories else {})


def done_of(said: JSON) -> Done:
    counts = Counts()
    counts.add(said.get("counts", {}))
    begun, known = said.get("begun", {}), said.get("categories", [])
    return Done(counts, said.get("findings", []), begun, known, said.get("until", 0))
