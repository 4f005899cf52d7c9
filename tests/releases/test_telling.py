"""What happens to releases, imports and trainings, in sentences."""

from __future__ import annotations

from typing import Any

import pytest

from labeling.log.event import Fact
from labeling.rules.telling import Telling, sentence
from releases import events as e
from releases import telling  # noqa: F401 - which tells them

RELEASE = "6d0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a11"


def finished(state: str, **fields: Any) -> e.ImportFinished:
    return e.ImportFinished(state=state, **fields)


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (e.ReleaseCut(release=RELEASE, name="v1"), "cut the release “v1”"),
        (e.ReleaseWithdrawn(), "withdrew the release"),
        (
            e.ReleaseSigned(meaning="approved", content="a" * 64, name="x"),
            "signed the release “aaaaaaaaaaaa” as approved",
        ),
        (
            e.ImportStarted(import_id=RELEASE, source={"filename": "a.zip"}, wish={"format": "coco"}, format_version=1),
            "began to import “a.zip” as coco",
        ),
        (e.ImportResumed(), "went on with the import"),
        (finished("succeeded"), "ended the import"),
        (
            finished("succeeded", counts={"annotations_added": 1200, "samples_added": 3}),
            "ended the import: 3 samples added and 1,200 annotations added",
        ),
        (finished("canceled", counts={"samples_added": 1}), "cancelled the import: 1 samples added"),
        (finished("failed", reason="no file"), "had to end the import (no file)"),
        (e.ImportUndone(counts={"samples_archived": 2}), "took the import back: 2 samples archived"),
        (
            e.TrainingRegistered(release=RELEASE, identity="a", name="night run", model="yolo", version="11"),
            "registered the training “night run” of “yolo 11”",
        ),
    ],
)
def test_each_has_its_sentence(fact: Fact, words: str) -> None:
    assert sentence(Telling(fact)) == words
