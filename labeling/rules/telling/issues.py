"""What happens to issues."""

from __future__ import annotations

from labeling import events as e
from labeling.log.event import Fact
from labeling.rules.telling.told import Teller, said, tell

ISSUES: tuple[tuple[type[Fact], Teller], ...] = (
    (e.IssueOpened, said("opened an issue")),
    (e.IssueCommented, said("commented on an issue")),
    (e.IssueResolved, said("set an issue to {}", "status")),
    (e.IssueAnchorSet, said("moved an issue")),
    (e.IssueArchived, said("deleted an issue")),
)
for _type, _teller in ISSUES:
    tell(_type, _teller)
