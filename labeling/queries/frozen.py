"""Samples with their labels as they were at an offset of the log, many in a few statements: releases are made of them.

Streams are read together until there are enough bytes of events, and folded one after the other. So the memory that
this takes does not grow with the dataset, nor with how much happened to a label; only what one label is, has to fit.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import django.db

from labeling.log import store
from labeling.log.store import Happened
from labeling.models import LabelSnapshot
from labeling.queries import labels as label_queries
from labeling.rules import label_state, sample_state
from labeling.rules.fold import Place
from labeling.rules.label_ids import label_stream
from labeling.rules.label_state import LabelState
from labeling.rules.packing import unpacked
from labeling.rules.sample_state import SampleState

#: Samples that are asked for at once, where their labels are small.
TOGETHER = 80
#: Labels that are looked for at once: where their samples are in the log, and which of them have snapshots.
LISTED = 320
#: Bytes of events, compressed as the database keeps them, that are in memory at a time.
PAGE_BYTES = 250_000


class NotFolded(Exception):
    """Events of a stream do not give a state; the cause is the exception that they were met by."""

    def __init__(self, sample: uuid.UUID, label_set: uuid.UUID | None) -> None:
        super().__init__(sample, label_set)
        self.sample, self.label_set = sample, label_set


@dataclass(slots=True)
class Frozen:
    """A sample and its labels, by label set, at an offset; `added` is where in the log it came first."""

    sample: SampleState
    added: int
    labels: dict[uuid.UUID, LabelState] = field(default_factory=dict)


@dataclass(slots=True)
class _Stream:
    """One stream on its way to its state. One that begins with a snapshot has nothing but its version until opened."""

    frozen: Frozen
    label_set: uuid.UUID | None
    state: SampleState | LabelState
    is_open: bool = True

    def evolve(self, events: Sequence[Happened]) -> None:
        try:
            if not self.is_open:
                self._open()
            for event in events:
                place = Place(event.author, event.recorded_at, event.offset, event.version)
                if isinstance(self.state, LabelState):
                    label_state.evolve(self.state, event.fact, place)
                else:
                    sample_state.evolve(self.state, event.fact, place)
        except (django.db.Error, OSError):
            raise
        except Exception as error:
            raise NotFolded(self.frozen.sample.id, self.label_set) from error

    def _open(self) -> None:
        state = self.state
        rows = LabelSnapshot.objects.filter(stream=state.stream, version=state.version, dataset_id=state.dataset)
        self.state = unpacked(state.dataset, state.stream, rows.values_list("state", flat=True).get())
        self.is_open = True


def frozen_samples(
    dataset: uuid.UUID, *, offset: int, label_sets: Sequence[uuid.UUID], after: int = 0, up_to: int | None = None
) -> Iterator[Frozen]:
    """The samples that were added after one offset and up to another (else `offset`), in that order, each as it is at
    `offset` with its label in every one of `label_sets`.

    Raises:
        NotFolded: events that do not give a state.
    """
    last = offset if up_to is None else min(up_to, offset)
    listed = max(TOGETHER, LISTED // max(1, len(label_sets)))
    together = TOGETHER
    while page := store.begun(dataset, "SampleAdded", after=after, up_to=last, limit=listed):
        after, at = page[-1][0], 0
        newest = label_queries.newest_snapshots(
            dataset, [_label_stream(stream, label_set) for _, stream in page for label_set in label_sets], offset
        )
        while at < len(page):
            streams = _streams(dataset, page[at : at + together], label_sets, newest)
            at += together
            statements = yield from _folded(dataset, offset, streams)
            together = max(1, together // 2) if statements > 1 else min(2 * together, TOGETHER)


def _label_stream(sample: str, label_set: uuid.UUID) -> str:
    """The stream of a label, by that of its sample."""
    return label_stream(sample.removeprefix("sample/"), label_set)


def _streams(
    dataset: uuid.UUID,
    samples: Sequence[tuple[int, str]],
    label_sets: Sequence[uuid.UUID],
    newest_snapshots: Mapping[str, int],
) -> deque[_Stream]:
    found: deque[_Stream] = deque()
    for added, stream in samples:
        frozen = Frozen(SampleState(dataset, stream), added)
        found.append(_Stream(frozen, None, frozen.sample))
        for label_set in label_sets:
            label = _label_stream(stream, label_set)
            version = newest_snapshots.get(label, 0)
            found.append(_Stream(frozen, label_set, LabelState(dataset, label, version), is_open=not version))
    return found


def _folded(dataset: uuid.UUID, offset: int, waiting: deque[_Stream]) -> Generator[Frozen, None, int]:
    """The samples with their labels; returns how many statements that took."""
    statements = 0
    while waiting:
        wanted = [(item.state.stream, item.state.version) for item in waiting]
        events, ended = store.read_several(dataset, wanted, up_to=offset, most_bytes=PAGE_BYTES)
        statements, at = statements + 1, 0
        for place in range(min(ended + 1, len(waiting))):
            item, start = waiting[0], at
            while at < len(events) and events[at].place == place:
                at += 1
            item.evolve(events[start:at])
            if place == ended:
                break  # there is more of it
            waiting.popleft()
            if item.label_set is not None:
                assert isinstance(item.state, LabelState)
                item.frozen.labels[item.label_set] = item.state
            if not waiting or waiting[0].frozen is not item.frozen:
                yield item.frozen
    return statements
