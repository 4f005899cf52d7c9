"""The file of a release, written from the log at the release's offset and never from the live rows.

Events up to an offset never change, so the file is the same whenever it is built, and no snapshot of the database is
held open for it. Samples stand in the order in which they were added: the log has them in that order, so nothing is
sorted, and one sample with its labels is in memory at a time however many there are.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
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
from labeling.rules.task_types import task_type
from releases import manifest
from releases.choice import truth_of
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
    manifest: bytes

    @property
    def identity(self) -> str:
        """The release's identity: the hash of its manifest."""
        return hashlib.sha256(self.manifest).hexdigest()


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
        mapped = release.choice.read_as(dataset.task_attributes)
        written.write(segments.opening(release, dataset))
    count = left_out = 0
    content, splits = hashlib.sha256(), Counter[str]()
    for sample in samples_of(release):
        found = {}
        for label_set in segments.label_sets_of(release, dataset):
            with readable(f"The label of sample {sample.id} in {label_set.name}"):
                stream = label_stream(sample.id, uuid.UUID(label_set.id))
                state = labels.label_at(release.dataset, stream, release.at_offset)
                label = segments.label(state, kind, mapped)
            left_out += label is None
            found[label_set.name] = b"null" if label is None else label
        with readable(f"Sample {sample.id}"):
            split = release.choice.split_of(sample)
            line = segments.sample_line(sample, found, split)
        content.update(line + b"\n")
        splits[split] += 1
        written.write((b",\n" if count else b"\n") + line)
        count += 1
        progress(count)
    with readable("The dataset"):
        end = segments.closing(release, dataset, chain)
    written.write(end)
    made = manifest.manifest(
        release,
        dataset,
        chain=chain.hex(),
        file_sha256=written.digest.hexdigest(),
        file_size_bytes=written.size_bytes,
        content_sha256=content.hexdigest(),
        samples_count=count,
        labels_left_out=left_out,
        splits=splits,
    )
    return Snapshot(written.digest.hexdigest(), written.size_bytes, chain.hex(), count, left_out, made)


def samples_of(release: ReleaseState) -> Iterator[SampleState]:
    """Every sample of the dataset at the release's offset that the release holds, the first added first.

    Raises:
        SnapshotFailed: the log does not give one.
    """
    dataset, offset = release.dataset, release.at_offset
    needs_label = release.choice.needs_label
    truth = truth_of(datasets.state_at(dataset, offset)) if needs_label else None
    for event in _added(dataset, offset):
        with readable(f"A sample added at offset {event.offset}"):
            sample = uuid.UUID(event.stream.removeprefix("sample/"))
            state = samples.sample_at(dataset, sample, offset)
            label = labels.label_at(dataset, label_stream(sample, truth), offset) if truth and state.exists else None
        if state.exists and release.choice.holds(state, label):
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
