"""What `manage.py verify` asks about releases: the chain hashes that they remember, and whether their files hold."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable, Iterator

from labeling import signing
from labeling.log.verify import Anchor, Finding
from labeling.queries.signing_keys import signing_key
from releases import files, queries, snapshots
from releases.models import ReleaseBuild
from releases.queries import Found
from releases.serving import PIECE_BYTES
from releases.snapshots import SnapshotFailed


class Nowhere:
    """Takes bytes and keeps none."""

    def write(self, data: bytes) -> None:
        """Do nothing."""


def anchors(log: uuid.UUID) -> Iterator[Anchor]:
    """The chain hash that each built release wrote down when its file was made."""
    for found in queries.releases_of(log):
        if found.build is not None and found.build.chain:
            yield f"release {found.release.name}", found.release.at_offset, bytes.fromhex(found.build.chain)


def findings(log: uuid.UUID) -> Iterator[Finding]:
    """Releases whose file is lost or was changed, or is not what the log gives."""
    for found in queries.releases_of(log):
        if found.build is not None and found.is_built:
            problem = problem_with(found, found.build)
            if problem is not None:
                name = f"release {found.release.name}"
                yield Finding(log, name, found.release.cut_offset, f"R{name[1:]}: {problem}")


def problem_with(
    found: Found, build: ReleaseBuild, *, progress: Callable[[int], None] = lambda count: None
) -> str | None:
    """What is wrong with a release that was made, in words: its file is damaged, or the log gives another; None where
    nothing is."""
    return _file_problem(build) or _signature_problem(build) or _log_problem(found, build, progress)


def _signature_problem(build: ReleaseBuild) -> str | None:
    document = build.signature
    if document is None:
        return None
    key = signing_key(document["key"])
    if key is None:
        return "its manifest is signed by a key that this installation never had."
    public, value = bytes.fromhex(key.public), base64.b64decode(document["value"])
    if signing.is_valid(signing.RELEASE, build.manifest.encode(), public=public, value=value):
        return None
    return "the signature is not over its manifest."


def _file_problem(build: ReleaseBuild) -> str | None:
    digest = hashlib.sha256()
    try:
        with files.read(build.path) as file:
            for piece in file.chunks(PIECE_BYTES):
                digest.update(piece)
    except FileNotFoundError:
        return "its file is missing; it will be made again when somebody asks for it."
    except OSError as error:
        return f"its file cannot be read from the storage ({type(error).__name__})."
    return None if digest.hexdigest() == build.sha256 else "its file was changed; the hash differs."


def _log_problem(found: Found, build: ReleaseBuild, progress: Callable[[int], None]) -> str | None:
    try:
        with snapshots.readable("It"):
            state = queries.state_of(found.release)
        if not state.exists:
            return "the event that cut it is missing from the log."
        snapshot = snapshots.write(state, Nowhere(), progress=progress)
    except SnapshotFailed as error:
        return str(error)
    if snapshot.sha256 != build.sha256:
        return "the log gives another file than the one that was made."
    return None if snapshot.identity == build.identity else "the log gives another manifest than the one that was made."
