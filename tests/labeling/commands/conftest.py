"""A label on a desk: a sample of a dataset where Ana is admin and Ben may label, and short ways to write to it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from labeling.commands import assets, labels, undo
from labeling.commands.labels import Saved, Seen
from labeling.commands.undo import Undone
from labeling.geometry import png
from labeling.log import store
from labeling.log.event import Event, Fact
from labeling.models import Person
from labeling.queries import labels as queries
from labeling.rules.label_state import LabelState
from labeling.rules.task_types import task_type

JSON = dict[str, Any]


class Desk:
    """One label, and what people do to it."""

    def __init__(self, task: str, ana: Person, ben: Person, dataset: uuid.UUID, sample: uuid.UUID, intent: Any) -> None:
        self.task, self.ana, self.ben, self.dataset, self.sample = task, ana, ben, dataset, sample
        self.intent = intent

    def save(
        self, document: JSON | None, *, by: Person | None = None, version: int | None = None, **rest: Any
    ) -> Saved:
        """A PUT of a whole document (or what `create`, `status`, `score` … say), If-Match where a version is given."""
        rest.setdefault("create", True)
        rest.setdefault("seen", Seen(version=version))
        rest.setdefault("intent", self.intent(by or self.ana))
        return labels.save_label(sample=self.sample, label_set="ground-truth", document=document, **rest)

    def edit(self, *edits: JSON, by: Person | None = None, version: int | None = None, **rest: Any) -> Saved:
        rest.setdefault("seen", Seen(version=version))
        rest.setdefault("intent", self.intent(by or self.ana))
        return labels.edit_label(sample=self.sample, label_set="ground-truth", edits=list(edits), **rest)

    def delete(self, *, by: Person | None = None, version: int | None = None, **rest: Any) -> Saved:
        rest.setdefault("intent", self.intent(by or self.ana))
        return labels.delete_label(sample=self.sample, label_set="ground-truth", seen=Seen(version=version), **rest)

    def undo(self, count: int = 1, *, by: Person | None = None, version: int | None = None, **rest: Any) -> Undone:
        """One's own last gestures; `redo`, `on_conflict`, `dry_run` as in `undo_gestures`."""
        rest.setdefault("intent", self.intent(by or self.ana))
        seen = Seen(version=version)
        return undo.undo_gestures(sample=self.sample, label_set="ground-truth", count=count, seen=seen, **rest)

    def redo(self, count: int = 1, **rest: Any) -> Undone:
        return self.undo(count, redo=True, **rest)

    @property
    def state(self) -> LabelState:
        """The label as its rows have it."""
        return queries.find_label(self.sample, "ground-truth", person=self.ana.id).state

    @property
    def document(self) -> JSON:
        return task_type(self.task).render(self.state)

    @property
    def version(self) -> int:
        return self.state.version

    @property
    def head(self) -> int:
        return store.head(self.dataset)

    def events(self, after: int = 0) -> list[Event]:
        return list(store.read_stream(self.dataset, self.state.stream, after_version=after))

    def facts(self, after: int = 0) -> list[Fact]:
        return [event.fact for event in self.events(after)]

    def names(self, after: int = 0) -> list[str]:
        return [event.type for event in self.events(after)]

    def bitmap(self, *rows: str) -> JSON:
        """An uploaded bitmap as a document refers to it: a digit a pixel."""
        ids = np.array([[int(pixel) for pixel in row] for row in rows], np.uint32)
        data = png.write_ids(ids)
        asset = assets.keep_bytes(data, owner=self.ana.id, filename=f"{uuid.uuid4().hex}.png", content_type="image/png")
        return {"url": assets.url_of(asset)}

    def pixels(self) -> list[str]:
        """The label's bitmap, a digit a pixel."""
        mask = self.state.mask
        assert mask is not None
        return ["".join(map(str, row)) for row in assets.read_mask(mask["url"], "x").tolist()]


@pytest.fixture
def make_desk(database: None, person: Any, dataset: Any, sample: Any, intent: Any) -> Callable[..., Desk]:
    def make(task: str = "vector", **fields: Any) -> Desk:
        suffix = uuid.uuid4().hex[:8]
        ana, ben = person(f"ana-{suffix}"), person(f"ben-{suffix}")
        made = dataset(ana, task, labelers=(ben,), **fields)
        return Desk(task, ana, ben, made, sample(made, ana), intent)

    return make


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A label with vectors."""
    return make_desk()


@pytest.fixture
def easel(make_desk: Callable[..., Desk]) -> Desk:
    """A label with a bitmap."""
    return make_desk("segmentation-bitmap")
