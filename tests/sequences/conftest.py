"""A sequence on a real database, and who labels it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling.commands import labels as commands
from labeling.commands.labels import Seen
from labeling.log import store
from labeling.log.event import Intent
from labeling.queries import labels as queries
from labeling.rules.task_types import task_type
from tests.sequences.support import point

JSON = dict[str, Any]
NAME = "ground-truth"


class Desk:
    """A sequence of ten frames, its labeler Ana and its reviewer Ben."""

    def __init__(self, log: uuid.UUID, sample: uuid.UUID, ana: Any, ben: Any) -> None:
        self.log, self.sample, self.ana, self.ben = log, sample, ana, ben

    def edit(self, *edits: JSON, by: Any = None, version: int | None = None, **fields: Any) -> Any:
        return commands.edit_label(
            intent=Intent(author=(by or self.ana).id, **fields),
            sample=self.sample,
            label_set=NAME,
            edits=list(edits),
            seen=Seen(version=version),
        )

    def save(self, document: JSON, by: Any = None, version: int | None = None) -> Any:
        return commands.save_label(
            intent=Intent(author=(by or self.ana).id),
            sample=self.sample,
            label_set=NAME,
            document=document,
            create=True,
            seen=Seen(version=version),
        )

    @property
    def found(self) -> Any:
        return queries.find_label(self.sample, NAME, person=self.ana.id)

    @property
    def document(self) -> JSON:
        found = self.found
        return task_type(found.task_type).render(found.state)

    def types(self, after: int = 0) -> list[str]:
        stream = self.found.state.stream
        return [event.type for event in store.read_stream(self.log, stream, after_version=after)]


@pytest.fixture
def make_desk(dataset: Any, sample: Any, person: Any) -> Any:
    def make(kind: str = "image-vector-sequence", frames: int = 10) -> Desk:
        ana, ben = person("ana"), person("ben")
        log = dataset(ana, kind, labelers=(ben,))
        contents = [{"image": {"url": f"https://example.org/{n}.png"}} for n in range(frames)]
        return Desk(log, sample(log, ana, attributes={"frames": contents}), ana, ben)

    return make


@pytest.fixture
def desk(make_desk: Any) -> Desk:
    made: Desk = make_desk()
    for number in (1, 2):
        made.edit({"op": "add_track", "frame": 0, "category_id": number, "geometry": point(0)})
    return made
