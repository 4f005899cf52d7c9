"""The file of a release, written from the log at the release's offset and never from the live rows.

Events up to an offset never change, so the file is the same whenever it is built, and no snapshot of the database is
held open for it. Samples stand in the order in which they were added: the log has them in that order, so nothing is
sorted, and one sample with its labels is in memory at a time however many there are.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import django.db

from labeling.log import store
from labeling.log.event import Event
from labeling.queries import datasets, labels, samples
from labeling.rules.label_state import label_stream
from labeling.rules.sample_state import SampleState
from labeling.rules.task_attributes import merged as merged_categories
from labeling.rules.task_types import task_type
from releases.formats import segments
from releases.rules import ReleaseState

#: How many SampleAdded events are in memory; each may hold the frames of a sequence.
PAGE = 100


class SnapshotFailed(Exception):
    """The log does not give the release; trying again would not help. The message is for people and echoes no value."""


class Sink(Protocol):
    """Where the bytes go."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was written. `chain` is the log's chain hash at the frozen offset, in hex."""

    sha256: str
    size_bytes: int
    chain: str
    samples_count: int
    labels_left_out: int


class _Written:
    """Hashes and counts what goes by."""

    def __init__(self, sink: Sink) -> None:
        self.sink, self.digest, self.size_bytes = sink, hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        self.sink.write(data)
        self.digest.update(data)
        self.size_bytes += len(data)


def write(release: ReleaseState, sink: Sink, *, progress: Callable[[int], None] = lambda count: None) -> Snapshot:
    """Write the file; `progress` is told the number of samples after each.

    Raises:
        SnapshotFailed: the log does not give the release.
        django.db.Error, OSError: the database or the sink failed; try again.
    """
    written = _Written(sink)
    with readable("The dataset"):
        dataset = datasets.state_at(release.dataset, release.at_offset)
        chain = store.chain_at(release.dataset, release.at_offset)
        kind = task_type(dataset.task_type)
        merged = merged_categories(dataset.task_attributes)
        written.write(segments.opening(release, dataset))
    count = left_out = 0
    for sample in samples_of(release):
        found = {}
        for label_set in segments.label_sets_of(dataset):
            with readable(f"The label of sample {sample.id} in {label_set.name}"):
                stream = label_stream(sample.id, uuid.UUID(label_set.id))
                state = labels.label_at(release.dataset, stream, release.at_offset)
                label = segments.label(state, kind, merged)
            left_out += label is None
            found[label_set.name] = b"null" if label is None else label
        with readable(f"Sample {sample.id}"):
            line = segments.sample_line(sample, found)
        written.write((b",\n" if count else b"\n") + line)
        count += 1
        progress(count)
    with readable("The dataset"):
        end = segments.closing(release, dataset, chain)
    written.write(end)
    return Snapshot(written.digest.hexdigest(), written.size_bytes, chain.hex(), count, left_out)


def samples_of(release: ReleaseState) -> Iterator[SampleState]:
    """Every sample that the dataset had at the release's offset, the first added first.

    Raises:
        SnapshotFailed: the log does not give one.
    """
    dataset, offset = release.dataset, release.at_offset
    for event in _added(dataset, offset):
        with readable(f"A sample added at offset {event.offset}"):
            sample = uuid.UUID(event.stream.removeprefix("sample/"))
            state = samples.sample_at(dataset, sample, offset)
        if state.exists:
            yield state


def _added(dataset: uuid.UUID, offset: int) -> Iterator[Event]:
    after = 0
    while True:
        with readable("The log"):
            page = store.read(dataset, after=after, limit=PAGE, up_to=offset, types=["SampleAdded"])
        if not page:
            return
        yield from (event for event in page if event.version == 1)
        after = page[-1].offset or after


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Tell a fault of our own data, which stays, from one of the database, which passes.

    Raises:
        SnapshotFailed: in the place of any error but one of the database or of a file.
    """
    try:
        yield
    except (django.db.Error, OSError):
        raise
    except Exception as error:
        raise SnapshotFailed(
            f"{what} cannot be read from the log ({type(error).__name__}); run `manage.py verify`."
        ) from error
