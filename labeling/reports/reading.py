"""Loads what reports are computed from: the ledger of a dataset, brought up to the head of its log."""

from __future__ import annotations

import uuid

import numpy as np

from labeling.events import ActivityClosed
from labeling.log import projector, store
from labeling.log.event import microseconds
from labeling.models import Activity, LedgerChunk
from labeling.reports import ledger
from labeling.reports.ledger import Chunk, Ledger
from labeling.reports.signals import Told, reopened

#: A reader waits for this many events at the most; the answer's offset says how far it reaches.
MOST_BEHIND = 50_000


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


def has_closed(dataset: uuid.UUID) -> bool:
    """Whether there are days of which only their events still tell what clients told of people at work."""
    return any(store.read_streams(dataset, "activity"))
