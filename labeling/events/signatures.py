"""Who put their name to a label, as what."""

from __future__ import annotations

from labeling.log.event import Fact


class LabelSigned(Fact, frozen=True):
    """A person signed a label after giving their password again: `meaning` is what they say of it.

    `content` is the hash of what the label said at `label_version` (rules.content), `name` their printed name,
    encrypted with their key.
    """

    meaning: str  #: reviewed, approved
    label_version: int
    content: str
    name: str


SIGNATURE_EVENTS = (LabelSigned,)
