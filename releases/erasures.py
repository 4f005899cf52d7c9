"""What erasing a file takes, dataset by dataset: the samples that show it, and the releases that hold it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from labeling.commands.asset_erasure import AssetErasure, Showing
from labeling.queries.logs import names_of_logs
from releases import files, queries
from releases.models import Release, ReleaseBuild

READY = ReleaseBuild.Status.SUCCEEDED


@dataclass(frozen=True, slots=True)
class Losing:
    """A dataset that refers to a file. `releases` were cut with it and keep their id, `pending` are not made yet."""

    dataset: uuid.UUID
    name: str
    uploads: int
    samples: Showing
    releases: list[Release]
    pending: list[Release]


def losing(plan: AssetErasure) -> list[Losing]:
    """The datasets that lose a file, by name."""
    names = names_of_logs()
    found = []
    for dataset, uploads in plan.datasets.items():
        known = queries.releases_of(dataset, withdrawn=True)
        holding = [item.release for item in known if item.build is not None and _holds(item.build, plan.sha256)]
        pending = [item.release for item in known if item.status != READY and not item.release.withdrawn]
        name = names.get(dataset, str(dataset))
        found.append(Losing(dataset, name, uploads, plan.samples[dataset], holding, pending))
    return sorted(found, key=lambda item: item.name)


def _holds(build: ReleaseBuild, sha256: str) -> bool:
    """Whether the list of the files that a release refers to has this one."""
    if not build.assets_path:
        return False
    try:
        with files.read(build.assets_path) as lines:
            return _names(lines, sha256.encode())
    except FileNotFoundError:
        return False  # it is made again when somebody asks for it, and says then what was erased


def _names(lines: Iterable[bytes], sha256: bytes) -> bool:
    return any(sha256 in line for line in lines)
