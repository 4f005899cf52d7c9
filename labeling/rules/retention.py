"""The retention of what is in no log: policies and legal holds, folded from their events. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from labeling import events as e
from labeling.errors import InvalidValue
from labeling.log.event import Fact

STREAM = "retention"
WHATS = ("dataset", "person")
MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Kind:
    """What is kept for a time: in words, how long at the least, and how long unless said (None: for ever)."""

    words: str
    least_days: int
    days: int | None


KINDS = {
    "activity": Kind("raw signals of people at work; what they amount to stays in the log", 1, 90),
    "addresses": Kind("what tells network addresses in the security log apart, month by month", 180, None),
    "deliveries": Kind("what became of messages to webhooks", 1, 7),
    "answers": Kind("the answers that retries of commands get", 7, None),
}


@dataclass(slots=True)
class Retention:
    """The policies (a kind that nobody set has its default) and the holds as (what, id)."""

    days: dict[str, int | None] = field(default_factory=dict)
    holds: set[tuple[str, str]] = field(default_factory=set)

    def kept_days(self, kind: str) -> int | None:
        return self.days.get(kind, KINDS[kind].days)

    def held(self, what: str) -> set[str]:
        """The ids of the datasets, or of the people, that are held."""
        return {key for name, key in self.holds if name == what}


def fold(facts: Iterable[Fact], *, defaults: dict[str, int | None] | None = None) -> Retention:
    """The policies and holds after these facts, oldest first."""
    state = Retention(days=dict(defaults or {}))
    for fact in facts:
        match fact:
            case e.RetentionSet():
                state.days[fact.kind] = fact.days
            case e.HoldPlaced():
                state.holds.add((fact.what, fact.id))
            case e.HoldLifted():
                state.holds.discard((fact.what, fact.id))
            case e.DataPurged():
                pass
            case _:
                raise TypeError(f"{type(fact).__name__} is no event of the retention")
    return state


def checked_days(kind: str, days: object) -> int | None:
    """A policy that may be set.

    Raises:
        InvalidValue: there is no such kind, or it must be kept for longer.
    """
    if kind not in KINDS:
        raise InvalidValue("kind", f"must be one of {', '.join(KINDS)}")
    least = KINDS[kind].least_days
    if days is not None and (type(days) is not int or not least <= days <= MOST_DAYS):
        raise InvalidValue("days", f"must be from {least} to {MOST_DAYS} for this kind, or nothing: for ever")
    return days if isinstance(days, int) else None
