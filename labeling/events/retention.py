"""How long what is in no log is kept, what must not be purged, and what was; in the log of the installation."""

from __future__ import annotations

from labeling.log.event import Fact


class RetentionSet(Fact, frozen=True):
    """Data of a kind is kept for so many days from here on; null is for ever."""

    kind: str
    days: int | None = None


class HoldPlaced(Fact, frozen=True):
    """Nothing of a dataset or of a person is purged or erased until the hold is lifted."""

    what: str  #: dataset, person
    id: str


class HoldLifted(Fact, frozen=True):
    """A hold was lifted: what was kept by it goes by the retention again."""

    what: str
    id: str


class DataPurged(Fact, frozen=True):
    """Data of a kind from before a day (UTC) was destroyed: so many pieces, and the hash of what they were."""

    kind: str
    before: str
    count: int
    sha256: str


RETENTION_EVENTS = (RetentionSet, HoldPlaced, HoldLifted, DataPurged)
