"""What `manage.py verify` asks about releases: the chain hashes that they remember, and whether their files hold."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from labeling import signing
from labeling.log import search
from labeling.log.search import Wanted
from labeling.log.verify import Anchor, Finding
from labeling.management import stored_files
from labeling.queries.signing_keys import signing_key
from releases import files, queries, snapshots
from releases.events import ReleaseSigned
from releases.models import ReleaseBuild
from releases.queries import Found
from releases.serving import PIECE_BYTES
from releases.snapshots import Nowhere, SnapshotFailed


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


def signatures(log: uuid.UUID) -> Iterator[Finding]:
    """Signatures under another identity than that of their release."""
    for event in search.find_all(log, Wanted(types=(ReleaseSigned.__name__,))):
        assert isinstance(event.fact, ReleaseSigned)
        release = uuid.UUID(event.stream.removeprefix("release/"))
        build = ReleaseBuild.objects.filter(release_id=release).first()
        if build is not None and build.identity and build.identity != event.fact.content:
            yield Finding(log, "signature", event.offset, "A signature is not under the identity of its release.")


def problem_with(
    found: Found, build: ReleaseBuild, *, progress: Callable[[int], None] = lambda count: None
) -> str | None:
    """What is wrong with a release that was made, in words: its file is damaged, or the log gives another; None where
    nothing is. The files that it refers to are looked at by `asset_problems`."""
    return _file_problem(build) or _signature_problem(build) or _log_problem(found, build, progress)


@dataclass(frozen=True, slots=True)
class AssetsChecked:
    """The files that a release refers to: how many are as they were, the names of those that were erased since it was
    cut, and what is wrong with others, each in words."""

    good: int
    erased: list[str]
    problems: list[str]


def check_assets(
    found: Found, build: ReleaseBuild, *, progress: Callable[[int], None] = lambda count: None
) -> AssetsChecked:
    """Read every file that a release refers to, and compare its bytes with the manifest's."""
    good, erased, problems = 0, [], []
    gone = {item["sha256"]: item for item in queries.erasures_of(found)}
    with files.read(build.assets_path) if build.assets_path else io.BytesIO() as lines:
        for count, line in enumerate(lines, 1):
            item = json.loads(line)
            if item["sha256"] in gone:
                erased.append(f"{item['filename']} ({item['sha256']}), {gone[item['sha256']]['erased_at']}")
            else:
                fault = stored_files.fault(item["sha256"], item["size_bytes"])
                if fault is None:
                    good += 1
                else:
                    problems.append(f"The file {item['filename']} ({item['sha256']}) {fault}.")
            progress(count)
    return AssetsChecked(good, erased, problems)


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
    for path, sha256, what in (
        (build.path, build.sha256, "its file"),
        (build.assets_path, build.assets_sha256, "the list of its assets"),
    ):
        digest = hashlib.sha256()
        try:
            with files.read(path) if path else io.BytesIO() as file:
                while piece := file.read(PIECE_BYTES):
                    digest.update(piece)
        except FileNotFoundError:
            return f"{what} is missing; it will be made again when somebody asks for it."
        except OSError as error:
            return f"{what} cannot be read from the storage ({type(error).__name__})."
        if path and digest.hexdigest() != sha256:
            return f"{what} was changed; the hash differs."
    return None


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
