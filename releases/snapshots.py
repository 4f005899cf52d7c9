"""The file of a release, written from the log at the release's offset and never from the live rows.

Events up to an offset never change, so the file is the same whenever it is built, and no snapshot of the database is
held open for it. Samples stand in the order in which they were added: the log has them in that order, so nothing is
sorted, and one sample with its labels is in memory at a time however many there are.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import django.db

from labeling.log import store
from labeling.queries import datasets
from labeling.queries.frozen import Frozen, NotFolded, frozen_samples
from labeling.rules.dataset_state import DatasetState, LabelSetState
from labeling.rules.task_types import TaskType, task_type
from releases import manifest
from releases.choice import truth_of
from releases.formats import segments
from releases.rules import ReleaseState


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
    sets = segments.label_sets_of(release, dataset)
    for frozen in frozen_of(release, dataset, [uuid.UUID(item.id) for item in sets]):
        line, split, missing = line_of(release, frozen, sets, kind, mapped)
        left_out += missing
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


def line_of(
    release: ReleaseState,
    frozen: Frozen,
    label_sets: Sequence[LabelSetState],
    kind: TaskType,
    mapped: Mapping[int, int | None],
) -> tuple[bytes, str, int]:
    """(the line of a sample in the Segments file, its split, how many of its labels are left out)."""
    sample, found, left_out = frozen.sample, {}, 0
    for item in label_sets:
        with readable(f"The label of sample {sample.id} in {item.name}"):
            label = segments.label(frozen.labels[uuid.UUID(item.id)], kind, mapped)
        left_out += label is None
        found[item.name] = b"null" if label is None else label
    with readable(f"Sample {sample.id}"):
        split = release.choice.split_of(sample)
        return segments.sample_line(sample, found, split), split, left_out


def frozen_of(
    release: ReleaseState,
    dataset: DatasetState,
    label_sets: Sequence[uuid.UUID],
    *,
    after: int = 0,
    up_to: int | None = None,
) -> Iterator[Frozen]:
    """The samples that the release holds, of those that were added after one offset and up to another; the first added
    first, each with its labels in these label sets.

    Raises:
        SnapshotFailed: the log does not give one.
    """
    truth = truth_of(dataset) if release.choice.needs_label else None
    wanted = [*label_sets, *([truth] if truth and truth not in label_sets else [])]
    names = {uuid.UUID(item.id): item.name for item in dataset.label_sets.values()}
    samples = frozen_samples(release.dataset, offset=release.at_offset, label_sets=wanted, after=after, up_to=up_to)
    try:
        for frozen in samples:
            label = frozen.labels[truth] if truth is not None else None
            if frozen.sample.exists and release.choice.holds(frozen.sample, label):
                yield frozen
    except NotFolded as error:
        where = f"Sample {error.sample}"
        if error.label_set is not None:
            where = f"The label of sample {error.sample} in {names[error.label_set]}"
        cause = type(error.__cause__).__name__
        raise SnapshotFailed(f"{where} cannot be read from the log ({cause}); run `manage.py verify`.") from error


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
