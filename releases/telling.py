"""What happens to releases, in sentences. Pure."""

from __future__ import annotations

from labeling.rules.telling.phrases import listed, shown
from labeling.rules.telling.told import Telling, said, tell
from releases.events import (
    ImportFinished,
    ImportResumed,
    ImportStarted,
    ImportUndone,
    ReleaseCut,
    ReleaseSigned,
    ReleaseWithdrawn,
    TrainingRegistered,
)
from releases.imports.counts import in_words

tell(ReleaseCut, said("cut the release {}", "name"))
tell(ReleaseWithdrawn, lambda told: "withdrew the release")
tell(ReleaseSigned, lambda told: f"signed the release {shown(told.fact.content[:12])} as {told.fact.meaning}")


def _counted(telling: Telling) -> str:
    """What an import brought or lost: ": 3 samples added and 8 annotations added"."""
    counts = [f"{number:,} {name}" for name, number in in_words(telling.fact.counts)]
    return f": {listed(counts)}" if counts else ""


def _ended(telling: Telling) -> str:
    fact = telling.fact
    if fact.state == "succeeded":
        return f"ended the import{_counted(telling)}"
    ended = "cancelled the import" if fact.state == "canceled" else "had to end the import"
    return f"{ended}{_counted(telling)}{f' ({fact.reason})' if fact.reason else ''}"


tell(ImportStarted, lambda told: f"began to import {shown(told.fact.source['filename'])} as {told.fact.wish['format']}")
tell(ImportResumed, lambda told: "went on with the import")
tell(ImportFinished, _ended)
tell(ImportUndone, lambda told: f"took the import back{_counted(told)}")
tell(
    TrainingRegistered,
    lambda told: (
        f"registered the training {shown(told.fact.name)} of {shown(f'{told.fact.model} {told.fact.version}'.strip())}"
    ),
)
