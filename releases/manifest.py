"""The manifest of a release: what it is of, and the hash of every byte of it. Its own hash is the release's identity.

It is RFC 8785 canonical JSON and holds no clock, host or name of an account. `files` are as they are stored (with
`?stored`): references to files of ours have no host, people are ids. `content_sha256` is over the lines of the samples
alone, so two releases of the same content can be told by it whatever they are called. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labeling.log import values
from labeling.rules.dataset_state import DatasetState
from releases.rules import ReleaseState

JSON = dict[str, Any]

VERSION = 1
#: A new number where the bytes of the Segments file differ for the same log.
SEGMENTS_VERSION = 1
FILE = "release.json"


def manifest(
    release: ReleaseState,
    dataset: DatasetState,
    *,
    chain: str,
    file_sha256: str,
    file_size_bytes: int,
    content_sha256: str,
    samples_count: int,
    labels_left_out: int,
    splits: Mapping[str, int],
) -> bytes:
    """The manifest's bytes."""
    found: JSON = {
        "manifest": VERSION,
        "dataset": {"id": str(dataset.id), "name": dataset.name},
        "release": {"id": str(release.id), "name": release.name},
        "offset": release.at_offset,
        "chain": chain,
        "choice": release.choice.as_json(),
        "task_type": dataset.task_type,
        "task_attributes": dataset.task_attributes,
        "exporters": [{"name": "segments", "version": SEGMENTS_VERSION}],
        "files": [{"path": FILE, "sha256": file_sha256, "size_bytes": file_size_bytes}],
        "content_sha256": content_sha256,
        "samples_count": samples_count,
        "labels_left_out": labels_left_out,
        "splits": {name: count for name, count in splits.items() if name},
    }
    return values.canonical(found)
