"""Loads what reports are computed from: the ledger of a dataset, brought up to the head of its log."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.commands import assets
from labeling.errors import InvalidValue
from labeling.events import ActivityClosed
from labeling.log import projector, store
from labeling.log.event import microseconds
from labeling.models import Activity, Label, LedgerChunk
from labeling.queries import labels as label_queries
from labeling.queries import past
from labeling.queries.datasets import state_at
from labeling.reports import ledger
from labeling.reports.ledger import Chunk, Ledger
from labeling.reports.signals import Told, reopened
from labeling.rules.dataset_state import DatasetState, LabelSetState
from labeling.rules.label_state import LabelState

#: A reader waits for this many events at the most; the answer's offset says how far it reaches.
MOST_BEHIND = 50_000
#: Labels that are looked at together.
BATCH = 100


def chunk_of(row: LedgerChunk) -> Chunk:
    return Chunk(
        np.frombuffer(row.events, ledger.EVENT),
        np.frombuffer(row.pieces, ledger.PIECE),
        np.frombuffer(row.samples, np.uint8).reshape(-1, 16),
        np.frombuffer(row.annotations, np.uint8).reshape(-1, 16),
        row.words,
    )


def told_of(row: Activity) -> Told:
    at_us = microseconds(row.at)
    assert at_us is not None
    return Told(at_us, row.person, row.sample_id, row.label_set_id, row.session, row.number, row.kind)


def ledger_of(dataset: uuid.UUID, *, at: int | None = None) -> tuple[Ledger, int]:
    """The ledger of a dataset and the offset that it reaches: `at`, or the head of the log."""
    reached = projector.bring_up("ledger", dataset, most=MOST_BEHIND)
    offset = reached if at is None else min(at, reached)
    chunks = LedgerChunk.objects.filter(dataset_id=dataset).order_by("number")
    if at is not None:
        chunks = chunks.filter(number__lte=max(0, ledger.number(max(at, 1))))
    return ledger.joined((chunk_of(row) for row in chunks.iterator(200)), up_to=at), offset


def told(dataset: uuid.UUID, *, at: int | None = None) -> list[Told]:
    """What clients told of people at work in a dataset, received up to an offset: what is still kept signal by signal,
    and what was kept of closed days (also where they were closed later)."""
    rows = Activity.objects.filter(dataset_id=dataset)
    if at is not None:
        rows = rows.filter(received_offset__lte=at)
    found = [told_of(row) for row in rows.iterator()]
    for _, events in store.read_streams(dataset, "activity"):
        for event in events:
            if isinstance(event.fact, ActivityClosed):
                found += (one for one, offset in reopened(event.fact) if at is None or offset <= at)
    return found


@dataclass(frozen=True, slots=True)
class Standing:
    """The labels of a dataset as they stood at an offset, for reports that are not about time."""

    dataset: uuid.UUID
    offset: int
    state: DatasetState

    def label_set(self, name: str) -> LabelSetState | None:
        return self.state.label_set(name)

    def labels(self, label_set: str) -> Iterator[tuple[str, LabelState]]:
        """(sample, its label in the label set of this id) for those that had one, by sample; BATCH are in memory."""
        set_id = uuid.UUID(label_set)
        there = {sample.id for sample in past.samples_as_of(self.dataset, self.offset)}
        rows = Label.objects.filter(dataset_id=self.dataset, label_set_id=set_id).order_by("sample_id")
        samples = [sample for sample in rows.values_list("sample_id", flat=True) if sample in there]
        for begin in range(0, len(samples), BATCH):
            batch = samples[begin : begin + BATCH]
            live = label_queries.labels_of_samples(
                batch, set_id, "", dataset=self.dataset, task_type=self.state.task_type, full=True, named=False
            )
            states = {sample: found.state for sample, found in live.items() if found.state.last_offset <= self.offset}
            # What changed since, or is not there any more, is told by its events.
            states |= past.labels_as_of(
                self.dataset, set_id, [sample for sample in batch if sample not in states], self.offset
            )
            for sample in batch:
                if sample in states:
                    yield str(sample), states[sample]


def standing(dataset: uuid.UUID, *, at: int | None = None) -> Standing:
    """The labels of a dataset at an offset, or at the head of its log."""
    offset = store.head(dataset) if at is None else at
    return Standing(dataset, offset, state_at(dataset, offset))


def ids_of(state: LabelState) -> NDArray[Any] | None:
    """The object ids of a label's bitmap (H, W); None where it has none that can be read."""
    url = (state.mask or {}).get("url")
    if not url:
        return None
    try:
        return assets.read_mask(url, "segmentation_bitmap")
    except (InvalidValue, FileNotFoundError):
        return None


def has_closed(dataset: uuid.UUID) -> bool:
    """Whether there are days of which only their events still tell what clients told of people at work."""
    return any(store.read_streams(dataset, "activity"))
