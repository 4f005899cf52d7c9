"""What happens to people."""

from __future__ import annotations

from labeling import events as e
from labeling.log.event import Fact
from labeling.rules.telling.told import Teller, tell

PEOPLE: tuple[tuple[type[Fact], Teller], ...] = (
    (e.PersonErased, lambda told: f"erased a person's data, who is erased-{told.fact.number:04d} from here on"),
)
for _type, _teller in PEOPLE:
    tell(_type, _teller)
