"""What happens to reports that somebody keeps."""

from __future__ import annotations

from labeling import events as e
from labeling.log.event import Fact
from labeling.rules.telling.told import Teller, said, tell

REPORTS: tuple[tuple[type[Fact], Teller], ...] = (
    (e.ReportSaved, said("kept the report {}", "name")),
    (e.ReportRemoved, said("removed a report")),
)
for _type, _teller in REPORTS:
    tell(_type, _teller)
