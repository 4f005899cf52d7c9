"""Copy a dataset as it is at one moment into a new one with a log of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec
from django.db import IntegrityError, OperationalError, connection, transaction

from labeling import events as e
from labeling.commands import assets
from labeling.commands.datasets import checked_changes, first_admins
from labeling.commands.writing import decide, earlier, hint
from labeling.errors import AlreadyExists, InvalidValue, NotFound
from labeling.log import store
from labeling.log.event import Event, Fact, Intent
from labeling.log.projector import kind_of
from labeling.log.rows import Rows
from labeling.models import Sample
from labeling.queries import datasets as dataset_queries
from labeling.queries import labels as label_queries
from labeling.queries.datasets import Seen
from labeling.rules import access
from labeling.rules.copies import labels_fit
from labeling.rules.dataset_state import FIELDS, STREAM, DatasetState
from labeling.rules.label_ids import label_stream
from labeling.rules.sample_state import sample_stream
from labeling.rules.task_types import task_type as task_type_named

JSON = dict[str, Any]

#: An append is cut at about this much; only one label, which is not split, may be more.
CHUNK_EVENTS = 500
CHUNK_BYTES = 1_000_000
SAMPLES_AT_ONCE = 500
#: Labels are read in groups of about this much; they are stored compressed, and many times as large in memory.
STORED_BYTES = 250_000

SERIALIZATION_FAILURE = "40001"


def clone_dataset(
    *, intent: Intent, source: Seen, owner: uuid.UUID, name: str, with_labels: bool, changes: JSON
) -> uuid.UUID:
    """Copy a dataset: settings, texts, categories, label sets and samples, and `with_labels` their labels; returns the
    new one's id. `changes` may set another `task_type`, and `public`.

    What was deleted, who the members are, who is assigned to what, issues and the past stay behind; `cloned_from` and
    the origin of each annotation lead back to them. All of it is one transaction that sees one moment of the source and
    holds no lock of its log, so a clone is there whole or not at all, and nobody waits for it.

    Raises:
        NotFound, NotPermitted: the dataset is neither public nor the author's to administer, or the owner neither the
        author nor an organisation that they belong to.
        AlreadyExists: the owner has a dataset of that name.
        InvalidValue: the first field that does not fit; labels do not fit every task type.
    """
    checked = checked_changes({"name": name} | {key: changes[key] for key in ("task_type", "public") if key in changes})
    # A command that the client named gives the log its id, so that a retry finds what it did.
    dataset = intent.command if intent.replayable else uuid.uuid4()

    def attempt() -> uuid.UUID:
        if earlier(dataset, intent) is None:
            with _one_moment():
                _Clone(intent, source, dataset, owner, checked, with_labels=with_labels).run()
        return dataset

    return decide(attempt)


@contextmanager
def _one_moment() -> Iterator[None]:
    """A transaction that sees the database as it is at its first statement, unless it is part of another one."""
    outermost = not connection.in_atomic_block
    try:
        with transaction.atomic():
            if outermost:
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == SERIALIZATION_FAILURE:
            raise store.Stale from error  # a twin of this request was faster; the next turn answers what it did
        raise


class _Clone:
    """One clone on its way into its log, chunk by chunk."""

    def __init__(
        self, intent: Intent, source: Seen, dataset: uuid.UUID, owner: uuid.UUID, checked: JSON, *, with_labels: bool
    ) -> None:
        self.intent = intent
        self.source = source
        self.dataset = dataset
        self.owner = owner
        self.checked = checked
        self.with_labels = with_labels
        self.label_sets: dict[uuid.UUID, uuid.UUID] = {}  #: of the source → ours
        self._triples: list[tuple[str, int, Fact]] = []
        self._bytes = 0
        self._tokens: set[str] = set()

    def run(self) -> None:
        state = dataset_queries.state_of(self.source.id)
        if not state.exists:
            raise NotFound("The dataset")
        person = self.intent.on_behalf_of or self.intent.author
        role = dataset_queries.role_of(person, state)
        access.require("clone", role=role, public=state.public, dataset=state.id)
        task_type = self.checked.get("task_type", state.task_type)
        if self.with_labels and not labels_fit(state.task_type, task_type):
            raise InvalidValue(
                "clone_labels",
                f"labels of a {state.task_type or 'custom'} dataset are none of a {task_type or 'custom'} one;"
                " send false, and clone the samples only",
            )
        self._tell_dataset(state, person)
        appended = self._flush(self.intent, open_as="dataset")
        # From here on it is a copy that a program makes on somebody's word: not the person's own labeling.
        self.intent = replace(self.intent, author_kind="import", request_hash=None)
        page: list[Sample] = []
        rows = Sample.objects.filter(dataset_id=state.id, archived=False).order_by("created_offset")
        for row in rows.iterator(chunk_size=SAMPLES_AT_ONCE):
            page.append(row)
            if len(page) == SAMPLES_AT_ONCE:
                self._copy(page, state.task_type)
                page = []
        self._copy(page, state.task_type)
        appended = self._flush(self.intent) or appended
        assert appended is not None
        hint(self.dataset, appended)

    def _tell_dataset(self, state: DatasetState, person: uuid.UUID) -> None:
        fields = {key: getattr(state, key) for key in FIELDS} | {"archived": False} | self.checked
        created = e.DatasetCreated(
            owner=str(self.owner),
            settings=state.settings,
            task_attributes=state.task_attributes,
            cloned_from={
                "dataset": str(state.id), "full_name": self.source.full_name, "offset": store.head(state.id),
            },
            **fields,
        )  # fmt: skip
        facts: list[Fact] = [created]
        found = sorted(state.label_sets.values(), key=lambda item: item.last_offset)
        kept = [item for item in found if not item.archived]
        self.label_sets = {uuid.UUID(item.id): uuid.uuid4() for item in kept}
        for item in kept:
            base = self.label_sets.get(uuid.UUID(item.base)) if item.base else None
            facts.append(
                e.LabelSetCreated(
                    label_set=str(self.label_sets[uuid.UUID(item.id)]),
                    name=item.name,
                    description=item.description,
                    kind=item.kind,
                    base=str(base) if base else None,
                )
            )
        facts.extend(e.MemberAdded(person=str(item), role="admin") for item in first_admins(self.owner, person))
        self._triples = [(STREAM, 0, fact) for fact in facts]

    def _copy(self, samples: list[Sample], task_type: str) -> None:
        """A page of samples, and their labels."""
        new = {row.id: uuid.uuid4() for row in samples}
        for row in samples:
            added = e.SampleAdded(
                sample=str(new[row.id]),
                name=row.name,
                attributes=row.attributes,
                metadata=row.metadata,
                priority=row.priority,
                readme=row.readme,
            )
            self._add(sample_stream(new[row.id]), [added], row.attributes)
        kind = task_type_named(task_type)
        for label_set, ours in self.label_sets.items() if self.with_labels else ():
            for some in label_queries.bounded_by_bytes(list(new), label_set, most_bytes=STORED_BYTES):
                labels = label_queries.labels_of_samples(
                    some, label_set, "", dataset=self.source.id, task_type=task_type, full=True
                )
                for sample in some:
                    state = labels[sample].state
                    self._add(label_stream(new[sample], ours), kind.copied(state), [state.mask, state.document])

    def _add(self, stream: str, facts: list[Fact], refers: Any) -> None:
        self._triples.extend((stream, 0, fact) for fact in facts)
        self._tokens |= assets.tokens_in(refers)
        self._bytes += sum(len(msgspec.json.encode(fact)) for fact in facts)
        if len(self._triples) >= CHUNK_EVENTS or self._bytes >= CHUNK_BYTES:
            self._flush(self.intent)

    def _flush(self, intent: Intent, *, open_as: str | None = None) -> store.Appended | None:
        """Append what has gathered; every stream is new, so its rows are its fold."""
        triples = assets.pin_assets(self.dataset, self._tokens) + self._triples
        self._triples, self._tokens, self._bytes = [], set(), 0
        if not triples:
            return None
        events = store.new_events(self.dataset, intent, triples)
        streams: dict[str, list[Event]] = {}
        for event in events:
            streams.setdefault(event.stream, []).append(event)
        rows = Rows()
        for stream, own in streams.items():
            kind = kind_of(stream)
            assert kind is not None
            rows.add(kind.rows(self.dataset, stream, own))
        try:
            appended = store.append(self.dataset, intent=intent, events=events, rows=rows, open_as=open_as)
        except IntegrityError as error:
            if "dataset_name_taken" in str(error):
                raise AlreadyExists("Dataset") from error
            raise
        if appended.replayed:
            raise store.Stale  # a twin of this request was faster; the next turn answers what it did
        return appended
