"""What happens to releases, in sentences. Pure."""

from __future__ import annotations

from labeling.rules.telling.phrases import shown
from labeling.rules.telling.told import said, tell
from releases.events import ReleaseCut, ReleaseSigned, ReleaseWithdrawn

tell(ReleaseCut, said("cut the release {}", "name"))
tell(ReleaseWithdrawn, lambda told: "withdrew the release")
tell(ReleaseSigned, lambda told: f"signed the release {shown(told.fact.content[:12])} as {told.fact.meaning}")
