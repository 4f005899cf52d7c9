"""What an event did, told in a sentence without who did it: "moved car 3 by 10 px to the right".

One file a noun holds the sentences of its event types; an app above tells its own events by `tell`. Pure: the same
events give the same words everywhere.
"""

from __future__ import annotations

from labeling.rules.telling import (  # noqa: F401 - which tell the words for our events
    datasets,
    issues,
    labels,
    people,
    reports,
    samples,
    signatures,
    webhooks,
)
from labeling.rules.telling.changes import changes_of
from labeling.rules.telling.labels import differing
from labeling.rules.telling.phrases import attributes_set, listed, number, shown
from labeling.rules.telling.shapes import drawn, moved_by, outline_points, redrawn, size_of
from labeling.rules.telling.told import Teller, Telling, sentence, tell

__all__ = [
    "Teller",
    "Telling",
    "attributes_set",
    "changes_of",
    "differing",
    "drawn",
    "listed",
    "moved_by",
    "number",
    "outline_points",
    "redrawn",
    "sentence",
    "shown",
    "size_of",
    "tell",
]
