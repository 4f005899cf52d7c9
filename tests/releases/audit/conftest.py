"""A dataset with a story for the audit of releases."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from labeling.commands import labels
from labeling.commands.people import operator
from labeling.commands.signing_keys import add_signing_key
from labeling.log import store
from labeling.texts import encrypt

BY = operator("test")


class Story:
    """Ana's dataset with two samples, labels, and whatever a test does."""

    def __init__(self, person: Any, dataset: Any, sample: Any, intent: Any) -> None:
        suffix = uuid.uuid4().hex[:6]
        self.ana, self.ben = person(f"ana-{suffix}"), person(f"ben-{suffix}")
        self.intent = intent
        self.id = dataset(self.ana, labelers=(self.ben,))
        self.samples = [sample(self.id, self.ana), sample(self.id, self.ana)]

    @property
    def head(self) -> int:
        return store.head(self.id)

    def add(self, who: Any, category: int = 1, *, sample: int = 0, why: str = "", **more: Any) -> None:
        """One more box."""
        box = {"op": "add", "category_id": category, "type": "bbox", "points": [[1.5, 2e-7], [30.25, 1e21]]} | more
        self.edit(who, box, sample=sample, why=why)

    def edit(self, who: Any, *edits: Any, sample: int = 0, why: str = "") -> None:
        reason = encrypt(why, person=who.id) if why else None
        labels.edit_label(
            intent=self.intent(who, reason=reason),
            sample=self.samples[sample],
            label_set="ground-truth",
            edits=list(edits),
        )


@pytest.fixture
def story(person, dataset, sample, intent) -> Story:
    return Story(person, dataset, sample, intent)


@pytest.fixture
def key(tmp_path: Path, settings: Any, db: None) -> str:
    """The installation signs with this key."""
    settings.HOME, settings.SIGNING_KEY = tmp_path, ""
    return add_signing_key(intent=BY)
