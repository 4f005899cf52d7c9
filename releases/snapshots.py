"""The file of a release, written from the log at the release's offset and never from the live rows.

Events up to an offset never change, so the file is the same whenever it is built, and no snapshot of the database is
held open for it. Samples stand in the order in which they were added: the log has them in that order, so nothing is
sorted, and one sample with its labels is in memory at a time however many there are.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import django.db
import numpy as np

from labeling import references
from labeling.events import AssetAdded
from labeling.log import store, values
from labeling.log.event import Event
from labeling.queries import datasets
from labeling.queries.frozen import Frozen, NotFolded, frozen_samples
from labeling.rules.dataset_state import DatasetState, LabelSetState
from labeling.rules.task_types import TaskType, task_type
from releases import manifest
from releases.choice import truth_of
from releases.formats import segments
from releases.formats.files import spool
from releases.formats.jsons import listed
from releases.formats.parts import Part, Streams
from releases.manifest import Assets, Written
from releases.rules import ReleaseState, fold, release_stream

JSON = dict[str, Any]

#: How many events are in memory of those that are gone through one by one.
PAGE = 1000


class SnapshotFailed(Exception):
    """The log does not give the release; trying again would not help. The message is for people and echoes no value."""


class Sink(Protocol):
    """Where the bytes go."""

    def write(self, data: bytes, /) -> object: ...


class Nowhere:
    """Takes bytes and keeps none."""

    def write(self, data: bytes) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was written. `chain` is the log's chain hash at the frozen offset, in hex."""

    sha256: str
    size_bytes: int
    chain: str
    samples_count: int
    labels_left_out: int
    assets: Assets
    manifest: bytes

    @property
    def identity(self) -> str:
        """The release's identity: the hash of its manifest."""
        return hashlib.sha256(self.manifest).hexdigest()


class _Counted:
    """Hashes and counts what goes by."""

    def __init__(self, sink: Sink) -> None:
        self.sink, self.digest, self.size_bytes = sink, hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        self.sink.write(data)
        self.digest.update(data)
        self.size_bytes += len(data)

    @property
    def written(self) -> Written:
        return Written(self.digest.hexdigest(), self.size_bytes)


def write(
    release: ReleaseState,
    sink: Sink,
    *,
    assets: Sink | None = None,
    parts: list[Part] | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> Snapshot:
    """Write the file, of the parts that `write_part` made of all samples, or else from the log; and to `assets` the
    list of the files that it refers to. `progress` is told the number of samples now and then.

    Raises:
        SnapshotFailed: the log does not give the release.
        Damaged: a part is not what was written.
        django.db.Error, OSError: the database or a sink failed; try again.
    """
    file, whole = _Counted(sink), _Counted(Nowhere())
    base = _base_of(release)
    outs = [file] if base is None else [file, whole]
    with readable("The dataset"):
        dataset = datasets.state_at(release.dataset, release.at_offset)
        chain = store.chain_at(release.dataset, release.at_offset)
        opening = segments.opening(release, dataset)
    for out in outs:
        out.write(opening)
    seen = _Seen(progress)
    with readable("The dataset"):
        ends = [segments.closing(release, dataset, chain)]
    if base is None:
        pieces = seen.pieces(lines_of(release, dataset)) if parts is None else seen.pieces_of(parts)
        for piece in listed(pieces):
            file.write(piece)
    else:
        assert release.terms.base is not None
        lines = seen.lines(lines_of(release, dataset)) if parts is None else seen.lines_of(parts)
        said = _write_difference(lines, lines_of(base), file, whole) | {"base": release.terms.base.as_json()}
        with readable("The dataset"):
            ends.insert(0, segments.closing(release, dataset, chain, difference=said))
    for out, end in zip(outs, ends, strict=True):
        out.write(end)
    held = assets_of(release, seen.tokens, _Counted(assets or Nowhere()))
    made = manifest.manifest(
        release,
        dataset,
        chain=chain.hex(),
        file=file.written,
        whole=outs[-1].written,
        assets=held,
        content_sha256=seen.content.hexdigest(),
        samples_count=seen.samples,
        labels_left_out=seen.left_out,
        splits=seen.splits,
    )
    return Snapshot(file.written.sha256, file.size_bytes, chain.hex(), seen.samples, seen.left_out, held, made)


def _write_difference(lines: Iterable[Line], base: Iterator[Line], file: _Counted, whole: _Counted) -> JSON:
    """Write the lines that are not in the base to `file`, and all to `whole`; returns what else the difference is."""
    difference = Difference(base)
    held = 0
    for count, line in enumerate(lines):
        whole.write((b",\n" if count else b"\n") + line.text)
        if difference.differs(line):
            file.write((b",\n" if held else b"\n") + line.text)
            held += 1
    return difference.said()


# --- in parts --------------------------------------------------------------------------------------------------------
# Streams of a part: the lines, of each sample where in the log it came and its id, and the tokens that occur.

_LINES, _PLACES, _TOKENS = "lines", "places", "tokens"


def write_part(
    release: ReleaseState, sink: Sink, *, after: int, up_to: int, progress: Callable[[int], None] = lambda count: None
) -> JSON:
    """Write the lines of the samples that were added after one offset and up to another; returns what `write` has to
    know of them, as JSON.

    Raises:
        SnapshotFailed: the log does not give the release.
    """
    streams, seen = Streams(spool), _Seen(progress)
    for line in seen.lines(lines_of(release, after=after, up_to=up_to)):
        streams.add(_LINES, line.text + b"\n")
        streams.add(_PLACES, b"%d %b\n" % (line.added, line.sample.bytes.hex().encode()))
    for token in seen.tokens.sorted().tolist():
        streams.add(_TOKENS, token + b"\n")
    facts = {"samples": seen.samples, "left_out": seen.left_out, "splits": dict(seen.splits)}
    return {"index": streams.put(sink), "facts": facts}


class _Seen:
    """What the manifest says of the lines that went by."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        self.content, self.splits, self.tokens = hashlib.sha256(), Counter[str](), Tokens()
        self.samples = self.left_out = 0
        self._progress = progress

    def lines(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Lines from the log."""
        for line in lines:
            self.samples += 1
            self.left_out += line.left_out
            self.splits[line.split] += 1
            self.tokens.add(line.text)
            self.content.update(line.text + b"\n")
            yield line
            self._progress(self.samples)

    def pieces(self, lines: Iterable[Line]) -> Iterator[bytes]:
        """Lines from the log, each with its line feed."""
        for line in self.lines(lines):
            yield line.text + b"\n"

    def pieces_of(self, parts: Iterable[Part]) -> Iterator[bytes]:
        """The lines of parts, with their line feeds, many at a time."""
        for part in parts:
            for piece in part.pieces(_LINES):
                self.content.update(piece)
                yield piece
            self.samples += part.facts["samples"]
            self.left_out += part.facts["left_out"]
            self.splits.update(part.facts["splits"])
            for tokens in part.pieces(_TOKENS):
                self.tokens.add_all(tokens.replace(b"\n", b""))
            self._progress(self.samples)

    def lines_of(self, parts: Iterable[Part]) -> Iterator[Line]:
        """The lines of parts, one by one."""
        for part in parts:
            places = (place.split() for piece in part.pieces(_PLACES) for place in piece.splitlines())
            texts = (text for piece in self.pieces_of([part]) for text in piece.split(b"\n")[:-1])
            for (added, sample), text in zip(places, texts, strict=True):
                yield Line(uuid.UUID(sample.decode()), int(added), text, "", 0)


def _base_of(release: ReleaseState) -> ReleaseState | None:
    """The release that this one is the difference to, as it was cut, also where it was withdrawn since."""
    named = release.terms.base
    if named is None:
        return None
    with readable("The release that it builds on"):
        stream = release_stream(named.release)
        return fold(ReleaseState(release.dataset, stream), list(store.read_stream(release.dataset, stream)))


# --- lines -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """A sample as it stands in the file; `added` is where in the log it came first, and by it they are in order."""

    sample: uuid.UUID
    added: int
    text: bytes
    split: str
    left_out: int


def lines_of(
    release: ReleaseState, dataset: DatasetState | None = None, *, after: int = 0, up_to: int | None = None
) -> Iterator[Line]:
    """The lines of all samples that a release holds, the first added first, whatever it is the difference to; where
    said, of those that were added after one offset and up to another.

    Raises:
        SnapshotFailed: the log does not give one.
    """
    with readable("The dataset"):
        dataset = dataset or datasets.state_at(release.dataset, release.at_offset)
        kind = task_type(dataset.task_type)
        mapped = release.choice.read_as(dataset.task_attributes)
    sets = segments.label_sets_of(release, dataset)
    for frozen in frozen_of(release, dataset, [uuid.UUID(item.id) for item in sets], after=after, up_to=up_to):
        text, split, left_out = line_of(release, frozen, sets, kind, mapped)
        yield Line(frozen.sample.id, frozen.added, text, split, left_out)


class Difference:
    """What of a release is not in its base. Both are in the order of the log, so they are gone through side by side."""

    def __init__(self, base: Iterator[Line]) -> None:
        self._base = base
        self._next = next(base, None)
        self._last: uuid.UUID | None = None
        self._removed: list[str] = []
        self._added: dict[str, str | None] = {}

    def differs(self, line: Line) -> bool:
        """Whether the next line of the release has to be in the difference."""
        while self._next is not None and self._next.added < line.added:
            self._remove()
        before, self._last = self._last, line.sample
        if self._next is None or self._next.added > line.added:
            self._added[str(line.sample)] = None if before is None else str(before)
            return True
        is_other = self._next.text != line.text
        self._next = next(self._base, None)
        return is_other

    def _remove(self) -> None:
        assert self._next is not None
        self._removed.append(str(self._next.sample))
        self._next = next(self._base, None)

    def said(self) -> dict[str, Any]:
        """The samples of the base that are not in the release, and those of the release that are not in the base, each
        with the one behind which it stands (null: in front of all). Others that are in the difference are changed."""
        while self._next is not None:
            self._remove()
        return {"added": self._added, "removed": self._removed}


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
        with readable(f"The label of sample {sample.key} in {item.name}"):
            label = segments.label(frozen.labels[uuid.UUID(item.id)], kind, mapped)
        left_out += label is None
        found[item.name] = b"null" if label is None else label
    with readable(f"Sample {sample.key}"):
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


# --- the files that it refers to -------------------------------------------------------------------------------------


class Tokens:
    """The tokens of our files that lines refer to, 32 bytes each, so that a million of them are 32 MB."""

    def __init__(self) -> None:
        self._seen = bytearray()
        self._sorted: np.ndarray | None = None

    def add(self, line: bytes) -> None:
        """Look through a line."""
        for token in dict.fromkeys(references.tokens_in(line)):
            self._seen += token

    def add_all(self, tokens: bytes) -> None:
        """Tokens, one behind the other."""
        self._seen += tokens

    def sorted(self) -> np.ndarray:
        """Each token once."""
        if self._sorted is None:
            self._sorted = np.unique(np.frombuffer(self._seen, dtype="S32"))
        return self._sorted

    def __contains__(self, token: str) -> bool:
        known, wanted = self.sorted(), np.array(token.encode(), dtype="S32")
        place = int(np.searchsorted(known, wanted))
        return place < len(known) and bool(known[place] == wanted)


def assets_of(release: ReleaseState, tokens: Tokens, out: _Counted) -> Assets:
    """Write the list of the files that a release refers to, a line each, the first brought in first; those that had
    been erased before it was cut are told apart.

    Raises:
        SnapshotFailed: the log does not give them.
    """
    gone = {event.stream: event for event in _events_of(release.dataset, ["AssetErased"], up_to=release.cut_offset - 1)}
    count = size_bytes = 0
    erased = []
    for event in _events_of(release.dataset, ["AssetAdded"], up_to=release.at_offset):
        fact = event.fact
        assert isinstance(fact, AssetAdded)
        if fact.token not in tokens:
            continue
        if event.stream in gone:
            erased.append({"asset": fact.asset, "sha256": fact.sha256, "size_bytes": fact.size_bytes})
            continue
        said = {
            "asset": fact.asset,
            "content_type": fact.content_type,
            "filename": fact.filename,
            "path": manifest.path_of_asset(fact.sha256),
            "sha256": fact.sha256,
            "size_bytes": fact.size_bytes,
            "url": f"/media/{fact.token}/{fact.filename}",
        }
        out.write(values.canonical(said) + b"\n")
        count, size_bytes = count + 1, size_bytes + fact.size_bytes
    return Assets(out.written, count, size_bytes, erased)


# --- the log ---------------------------------------------------------------------------------------------------------


def _events_of(dataset: uuid.UUID, types: list[str], *, up_to: int) -> Iterator[Event]:
    after = 0
    while True:
        with readable("The log"):
            page = store.read(dataset, after=after, limit=PAGE, up_to=up_to, types=types)
        if not page:
            return
        yield from page
        after = page[-1].offset or after


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Tell a fault of our own data, which stays, from one of the database, which passes.

    Raises:
        SnapshotFailed: in the place of any error but one of the database or of a file.
    """
    try:
        yield
    except (django.db.Error, OSError, SnapshotFailed):
        raise
    except Exception as error:
        raise SnapshotFailed(
            f"{what} cannot be read from the log ({type(error).__name__}); run `manage.py verify`."
        ) from error
