"""Who signed what."""

from __future__ import annotations

from labeling import events as e
from labeling.log.event import Fact
from labeling.rules.telling.told import Teller, tell

SIGNATURES: tuple[tuple[type[Fact], Teller], ...] = (
    (e.LabelSigned, lambda told: f"signed version {told.fact.label_version} of the label as {told.fact.meaning}"),
)
for _type, _teller in SIGNATURES:
    tell(_type, _teller)
