"""The proof that a difference leaves nothing out: applied to the first side it gives the second.

Both sides are read as releases are, which is another way than that of the difference. In memory are the difference and
a hash of each stream, not the sides.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator

from labeling.log import values
from labeling.queries import datasets
from labeling.rules.dataset_state import STREAM
from releases import snapshots
from releases.comparing import Content, content_after, content_of, empty
from releases.differences.comparison import Comparison
from releases.differences.sides import Side
from releases.rules import ReleaseState


def contents(dataset: uuid.UUID, side: Side) -> Iterator[tuple[str, Content]]:
    """(stream, what it holds) of the dataset itself, and of each sample and label that is there on a side.

    Raises:
        SnapshotFailed: the log does not give one.
    """
    state = datasets.state_at(dataset, side.offset)
    yield STREAM, content_of(side.read_dataset(state))
    frozen = ReleaseState(dataset, "", at_offset=side.offset, choice=side.choice)
    sets = [uuid.UUID(key) for key in side.label_sets_in(state)]
    for held in snapshots.frozen_of(frozen, state, sets):
        yield held.sample.stream, content_of(held.sample)
        for key in sets:
            label = held.labels[key]
            if label.exists:
                yield label.stream, content_of(side.read(label))


def first_unequal(compared: Comparison) -> str | None:
    """The first stream at which the difference, applied to the first side, does not give the second; None for none.

    Raises:
        ValueError: two label sets are compared, whose objects are matched and not the same.
        SnapshotFailed: the log does not give one of the sides.
    """
    if compared.of_label_sets:
        raise ValueError("label sets are compared")
    dataset = compared.dataset
    wanted = {stream: _digest(content) for stream, content in contents(dataset, compared.other)}
    entries = {entry["stream"]: entry["changes"] for entry in compared.entries()}
    wrong: list[str] = []

    def compare(stream: str, before: Content) -> None:
        after = content_after(before, entries.pop(stream, ()))
        if (_digest(after) if after.exists else None) != wanted.pop(stream, None):
            wrong.append(stream)

    for stream, content in contents(dataset, compared.one):
        compare(stream, content)
    for stream in [*entries]:
        compare(stream, content_of(empty(dataset, stream)))
    return min([*wrong, *wanted], default=None)


def _digest(content: Content) -> bytes:
    pieces = {f"{kind}:{key}": piece for (kind, key), piece in content.pieces.items()}
    return hashlib.sha256(values.canonical([content.fields, pieces])).digest()
