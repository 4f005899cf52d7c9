"""What a message says: `{event_type, created_at, api_version, dataset, object, text}`, the protocol's payload.

`object` of one of the protocol's events is the label, sample, issue, dataset or release as it was at that offset (what
was deleted: as it was before), so telling it again says the same; of one of our own events it is the event, as the API
has it. An app above says what its own look like by `register`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from labeling.api.answers import encoded
from labeling.api.datasets import rendered_dataset
from labeling.api.history import event_list
from labeling.api.issues import rendered_issues
from labeling.api.labels import rendered
from labeling.api.samples import rendered_sample
from labeling.errors import NotFound
from labeling.log import store
from labeling.log.event import Event
from labeling.models import Dataset, Person
from labeling.queries.datasets import Seen, state_at
from labeling.queries.issues import IssueOnSample
from labeling.queries.labels import Found, label_at, names_of
from labeling.queries.samples import sample_at
from labeling.rules import issue_state
from labeling.rules.dataset_state import STREAM, DatasetState, fold
from labeling.rules.issue_state import IssueState
from labeling.rules.webhook_messages import API_VERSION, PROTOCOL, Message

JSON = dict[str, Any]

#: A larger payload says only which object it is about; the receiver reads it.
MOST_BYTES = 1_000_000
#: What is left of an object that is too large: who it is, and what became of it.
SMALL = (
    "uuid", "name", "full_name", "sample_uuid", "sample_name", "labelset", "label_type", "label_status", "status",
    "created_at", "created_by", "updated_at", "updated_by", "offset", "stream", "version", "event_id", "type",
)  # fmt: skip


class NotYet(Exception):
    """What a message is about is still being made; it is told later, and what is behind it after it."""


class Past:
    """A dataset as it was, at one offset after another: each fold goes on where the one before it ended."""

    def __init__(self, log: uuid.UUID) -> None:
        self.log = log
        self._state: DatasetState | None = None
        self._offset = 0
        self._row: tuple[Dataset, Person] | None = None
        self._names: dict[uuid.UUID, str] = {}
        self._page = range(0)  #: offsets that were read
        self._changes: list[int] = []  #: those of them at which the dataset itself was changed

    def read(self, page: Sequence[Event]) -> None:
        """Know of a page of the log, so that nobody looks for changes where there are none."""
        offsets = [event.offset or 0 for event in page]
        self._page = range(offsets[0], offsets[-1] + 1)
        self._changes = [event.offset or 0 for event in page if event.stream == STREAM]

    def names(self, people: set[uuid.UUID | None]) -> dict[uuid.UUID, str]:
        """{person: username}, asked for once in a turn."""
        unknown = people - self._names.keys() - {None}
        if unknown:
            self._names |= names_of(unknown)
        return self._names

    def at(self, offset: int) -> DatasetState:
        known = self._offset + 1 in self._page and offset in self._page
        if self._state is not None and offset == self._offset:
            return self._state
        if self._state is not None and self._offset < offset and known:
            if not any(self._offset < change <= offset for change in self._changes):
                self._offset = offset
                return self._state
        if self._state is None or offset < self._offset:
            self._state = state_at(self.log, offset)
        else:
            tail = store.read_stream(self.log, STREAM, after_version=self._state.version, up_to=offset)
            self._state = fold(self._state, list(tail))
        self._offset = offset
        return self._state

    def row(self) -> tuple[Dataset, Person]:
        """The dataset's row, to be filled with what was, and its owner."""
        if self._row is None:
            row = Dataset.objects.get(id=self.log)
            owner = Person.objects.filter(id=row.owner_id).first()
            self._row = row, owner or Person(id=row.owner_id, username=str(row.owner_id))
        return self._row


@dataclass(frozen=True)
class Scene:
    """A message, and the dataset that it is about as it was then."""

    message: Message
    past: Past

    @property
    def log(self) -> uuid.UUID:
        return self.message.event.log

    @property
    def offset(self) -> int:
        """Of the state to show: what was deleted is shown as it was before."""
        return self.message.offset - self.message.type.endswith(".deleted")

    @cached_property
    def dataset(self) -> DatasetState:
        return self.past.at(self.offset)

    @cached_property
    def seen(self) -> Seen:
        """The dataset's row as it was then, with its owner."""
        row, owner = self.past.row()
        state = self.dataset
        for name in ("name", "description", "category", "readme", "metadata", "public", "archived", "task_type"):
            setattr(row, name, getattr(state, name))
        row.settings, row.task_attributes, row.cloned_from = state.settings, state.task_attributes, state.cloned_from
        return Seen(dataset=row, owner=owner, role=None, head=self.offset)


Maker = Callable[[Scene], JSON | None]
_makers: dict[str, Maker] = {}


def register(kind: str, maker: Maker) -> None:
    """Have the objects of a kind of stream made by an app above; None is told to nobody. It may raise NotYet."""
    _makers[kind] = maker


def payload(message: Message, past: Past | None = None) -> bytes | None:
    """The body of a message; None where there is nothing to tell. `past` is kept for the messages of one log.

    Raises:
        NotYet: what it is about is still being made.
    """
    scene = Scene(message, past or Past(message.event.log))
    kind = message.event.stream.partition("/")[0]
    shown = _makers[kind](scene) if message.type in PROTOCOL else event_list([message.event])[0]
    if shown is None:
        return None
    author = message.event.intent.author
    who = scene.past.names({author}).get(author, str(author))
    said: JSON = {
        "event_type": message.type,
        "created_at": message.event.recorded_at,
        "api_version": API_VERSION,
        "dataset": scene.seen.full_name,
        "object": shown,
        "text": f"{message.type} in {scene.seen.full_name} by {who}",
        "offset": message.offset,
    }
    body = encoded(said)
    if len(body) > MOST_BYTES:
        small = {name: shown[name] for name in SMALL if name in shown}
        body = encoded(said | {"object": small, "left_out": sorted(shown.keys() - small.keys())})
    return body


def ping(message: str, at: Any) -> bytes:
    """The body of a ping."""
    return encoded(
        {
            "event_type": "ping",
            "created_at": at,
            "api_version": API_VERSION,
            "dataset": None,
            "object": {"message": message},
            "text": "A ping, to see whether you are there.",
        }
    )


def _dataset(scene: Scene) -> JSON:
    found = rendered_dataset(scene.seen, {}, None, len(scene.dataset.members))
    # How many samples there were then would take a walk through the log.
    return {name: value for name, value in found.items() if name not in ("samples_count", "role", "palimpsest_role")}


def _sample(scene: Scene) -> JSON:
    state = sample_at(scene.log, uuid.UUID(scene.message.event.stream.removeprefix("sample/")), scene.offset)
    people = {state.created_by, state.assigned_labeler, state.assigned_reviewer}
    names = scene.past.names({uuid.UUID(str(person)) for person in people if person})
    return rendered_sample(state, names, scene.seen.full_name)


def _label(scene: Scene) -> JSON | None:
    stream = scene.message.event.stream
    _, sample, label_set = stream.split("/")
    known = scene.dataset.label_sets.get(label_set)
    state = label_at(scene.log, stream, scene.offset)
    if known is None or not state.exists:
        return None
    found = Found(
        dataset=scene.log,
        owner=scene.seen.owner.id,
        task_type=scene.dataset.task_type,
        public=scene.dataset.public,
        role=None,
        head=scene.offset,
        sample=uuid.UUID(sample),
        label_set=uuid.UUID(label_set),
        label_set_name=known.name,
        state=state,
        names=scene.past.names({state.created_by, state.updated_by, state.reviewed_by}),
    )
    return rendered(found, state)


def _issue(scene: Scene) -> JSON:
    stream = scene.message.event.stream
    events = list(store.read_stream(scene.log, stream, up_to=scene.offset))
    state = issue_state.fold(IssueState(scene.log, stream), events)
    try:
        name = sample_at(scene.log, uuid.UUID(state.sample), scene.offset).name
    except NotFound:
        name = ""
    return rendered_issues([IssueOnSample(state, name)])[0]


for _kind, _maker in {"dataset": _dataset, "sample": _sample, "label": _label, "issue": _issue}.items():
    register(_kind, _maker)
