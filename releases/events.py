"""What happens to releases, in the vocabulary of the log."""

from __future__ import annotations

from typing import Any

from labeling.log.event import Fact, vocabulary

JSON = dict[str, Any]


class ReleaseCut(Fact, frozen=True):
    """The dataset was frozen under a name: as it was at `offset`, or for null at the offset right before this event.

    `filter`, `category_map` and `splits` say what of it, and as what; see releases.choice.
    """

    release: str
    name: str
    description: str = ""
    offset: int | None = None
    filter: JSON = {}
    category_map: JSON = {}
    splits: JSON = {}


class ReleaseWithdrawn(Fact, frozen=True):
    """A release was taken back: its name is free; what it froze can still be read from the log."""


RELEASE_EVENTS = (ReleaseCut, ReleaseWithdrawn)

vocabulary.add(RELEASE_EVENTS)
