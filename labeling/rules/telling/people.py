"""What happens to people, to what is kept of them, and to the whole installation."""

from __future__ import annotations

from labeling import events as e
from labeling.log.event import Fact
from labeling.rules.telling.told import Teller, said, tell

PEOPLE: tuple[tuple[type[Fact], Teller], ...] = (
    (
        e.RetentionSet,
        lambda told: (
            f"had {told.fact.kind} kept {'for ever' if told.fact.days is None else f'for {told.fact.days} days'}"
        ),
    ),
    (e.HoldPlaced, said("placed a legal hold on a {}", "what")),
    (e.HoldLifted, said("lifted the legal hold on a {}", "what")),
    (e.DataPurged, lambda told: f"purged {told.fact.count} of {told.fact.kind} from before {told.fact.before}"),
    (
        e.SystemRestored,
        lambda told: f"put the installation back from the backup of {told.fact.made_at}",
    ),
    (e.ClockSetBack, lambda told: f"found that the clock was set back by {told.fact.by_ms / 1000:g} s"),
    (
        e.FileErased,
        lambda told: (
            f"erased a file of {told.fact.size_bytes} bytes, for good, to which {len(told.fact.datasets)}"
            f" dataset{'s refer' if len(told.fact.datasets) != 1 else ' refers'}"
        ),
    ),
    (e.PersonErased, lambda told: f"erased a person's data, who is erased-{told.fact.number:04d} from here on"),
)
for _type, _teller in PEOPLE:
    tell(_type, _teller)
