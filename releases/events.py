"""What happens to releases, in the vocabulary of the log."""

from __future__ import annotations

from typing import Any

from labeling.log.event import Fact, vocabulary

JSON = dict[str, Any]


class ReleaseCut(Fact, frozen=True):
    """The dataset was frozen under a name: as it was at `offset`, or for null at the offset right before this event.

    `filter`, `category_map` and `splits` say what of it, and as what; see releases.choice. The rest is of
    releases.terms: which form its manifest has (1: of releases that were cut before there were others), whether its
    archive holds the pictures, of which release it is the difference, and in whose place it comes.
    """

    release: str
    name: str
    description: str = ""
    offset: int | None = None
    filter: JSON = {}
    category_map: JSON = {}
    splits: JSON = {}
    manifest: int = 1
    images: str = "referred"
    base: JSON | None = None  #: {release, identity}
    supersedes: JSON | None = None  #: {release, identity}


class ReleaseWithdrawn(Fact, frozen=True):
    """A release was taken back: its name is free; what it froze can still be read from the log."""


class TrainingRegistered(Fact, frozen=True):
    """A model was trained on a release, known by its identity: with which code, and what came of it."""

    release: str
    identity: str
    name: str
    model: str
    version: str = ""
    code: str = ""
    metrics: JSON = {}
    link: str = ""


class ImportStarted(Fact, frozen=True):
    """A file was given to be imported; the events of what it brought have `import_id` as their correlation.

    `source`: {asset, filename, sha256, size_bytes}. `wish`: format, options, label_set, mode …; see imports.wish.
    """

    import_id: str
    source: JSON
    wish: JSON
    format_version: int


class ImportResumed(Fact, frozen=True):
    """An import that had ended too early went on."""


class ImportFinished(Fact, frozen=True):
    """An import ended: succeeded, failed (for a reason) or canceled. What it did until then stays.

    `counts`: samples and annotations that were added, labels that were changed …; see imports.counts.
    """

    state: str
    counts: JSON = {}
    reason: str = ""


class ImportUndone(Fact, frozen=True):
    """What an import had brought was taken back; the events in front of it, of the same correlation, say what."""

    counts: JSON = {}


class ReleaseSigned(Fact, frozen=True):
    """A person signed a release after giving their password again: `content` is its identity, the hash of its manifest,
    and `name` their printed name, encrypted with their key."""

    meaning: str  #: reviewed, approved, released
    content: str
    name: str


RELEASE_EVENTS = (ReleaseCut, ReleaseWithdrawn, ReleaseSigned)
TRAINING_EVENTS = (TrainingRegistered,)
IMPORT_EVENTS = (ImportStarted, ImportResumed, ImportFinished, ImportUndone)

vocabulary.add(RELEASE_EVENTS)
vocabulary.add(TRAINING_EVENTS)
vocabulary.add(IMPORT_EVENTS)
