"""Snapshots of labels that have many events, so that any state of the past costs a short tail of them.

A snapshot is made where a version is a multiple of labels.EVERY, so a rebuild makes the same ones. They only save
time: a read that finds none, or only early ones, folds more.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from labeling.log import store
from labeling.log.event import Event
from labeling.models import LabelSnapshot
from labeling.queries import labels as queries
from labeling.rules import label_state
from labeling.rules.packing import packed


class LabelSnapshots:
    """The states of labels at every EVERY-th of their versions."""

    name = "label-snapshots"
    tables = {"labeling_labelsnapshot": "dataset_id"}

    def project(self, log: uuid.UUID, events: Sequence[Event]) -> None:
        """Make the snapshots that a page of events calls for."""
        for event in events:
            if event.version % queries.EVERY or not event.stream.startswith("label/"):
                continue
            base = queries.label_before(log, event.stream, version=event.version - 1)
            tail = store.read_stream(log, event.stream, after_version=base.version, up_to=event.offset)
            state = label_state.fold(base, list(tail))
            LabelSnapshot.objects.create(
                id=uuid.uuid5(log, f"{event.stream}/{event.version}"),
                dataset_id=log,
                stream=event.stream,
                version=event.version,
                last_offset=event.offset or 0,
                state=packed(state),
            )
