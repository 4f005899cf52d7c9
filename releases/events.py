"""What happens to releases, in the vocabulary of the log."""

from __future__ import annotations

from labeling.log.event import Fact, vocabulary


class ReleaseCut(Fact, frozen=True):
    """The dataset was frozen under a name, as it was at the offset right before this event."""

    release: str
    name: str
    description: str = ""


class ReleaseWithdrawn(Fact, frozen=True):
    """A release was taken back: its name is free; what it froze can still be read from the log."""


RELEASE_EVENTS = (ReleaseCut, ReleaseWithdrawn)

vocabulary.add(RELEASE_EVENTS)
