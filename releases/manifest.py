"""The manifest of a release: what it is of, and the hash of every byte of it. Its own hash is the release's identity.

It is RFC 8785 canonical JSON and holds no clock, host or name of an account. `files` are as they are stored (with
`?stored`): references to files of ours have no host, people are ids. `content_sha256` is over the lines of all samples
alone, so two releases of the same content can be told by it whatever they are called; of a difference too, which holds
only some of them: `whole` is what its base and it give together. The files that the release refers to stand by their
hashes in ASSETS, so that a manifest is short however many there are; those that had been erased before it was cut stand
here. A release has for ever the form of manifest that it was cut with. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labeling.log import values
from labeling.rules.dataset_state import DatasetState
from releases.rules import ReleaseState

JSON = dict[str, Any]

#: A new number where the bytes of the Segments file differ for the same log.
SEGMENTS_VERSION = 1
FILE, ASSETS = "release.json", "assets.jsonl"
#: Where in an archive the files themselves are; two levels, so that no folder is endless.
FOLDER = "assets"


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written."""

    sha256: str
    size_bytes: int

    def as_json(self) -> JSON:
        return {"sha256": self.sha256, "size_bytes": self.size_bytes}


@dataclass(frozen=True, slots=True)
class Assets:
    """The files that a release refers to: their list, how many there are, and those that were erased before."""

    listed: Written
    count: int = 0
    size_bytes: int = 0
    erased: list[JSON] = field(default_factory=list)


def path_of_asset(sha256: str) -> str:
    """Where in an archive a file is."""
    return f"{FOLDER}/{sha256[:2]}/{sha256}"


def manifest(
    release: ReleaseState,
    dataset: DatasetState,
    *,
    chain: str,
    file: Written,
    whole: Written,
    assets: Assets,
    content_sha256: str,
    samples_count: int,
    labels_left_out: int,
    splits: Mapping[str, int],
) -> bytes:
    """The manifest's bytes, in the form that the release was cut with; `whole` is `file` where it has no base."""
    terms = release.terms
    found: JSON = {
        "manifest": terms.manifest,
        "dataset": {"id": str(dataset.id), "name": dataset.name},
        "release": {"id": str(release.id), "name": release.name},
        "offset": release.at_offset,
        "chain": chain,
        "choice": release.choice.as_json(),
        "task_type": dataset.task_type,
        "task_attributes": dataset.task_attributes,
        "exporters": [{"name": "segments", "version": SEGMENTS_VERSION}],
        "files": [{"path": FILE} | file.as_json()],
        "content_sha256": content_sha256,
        "samples_count": samples_count,
        "labels_left_out": labels_left_out,
        "splits": {name: count for name, count in splits.items() if name},
    }
    if terms.manifest >= 2:
        found["files"].append({"path": ASSETS} | assets.listed.as_json())
        found["assets"] = {
            "count": assets.count,
            "size_bytes": assets.size_bytes,
            "images": terms.images,
            "erased": assets.erased,
        }
        found["supersedes"] = None if terms.supersedes is None else terms.supersedes.as_json()
        found["base"] = None if terms.base is None else terms.base.as_json()
        if terms.base is not None:
            found["whole"] = whole.as_json()
    return values.canonical(found)
