"""A release as one archive: its manifest, its files, who signed it, what was erased since, and the pictures, if it was
cut to include them. It is put together while it is sent, so nothing is stored twice.

The bytes follow from the release, the signature, and what was erased since; `check_release.py` knows the names.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import IO

from labeling import signing, storage
from labeling.commands.assets import path_of
from labeling.log import values
from releases import files, queries
from releases.archives import Archive
from releases.manifest import ASSETS, FILE, path_of_asset
from releases.models import ReleaseBuild
from releases.queries import Found

MANIFEST, SIGNATURE = "manifest.json", "signature.json"
ERASED, ERASED_SIGNATURE = "erased.json", "erased.signature.json"
PIECE_BYTES = 1 << 20


class FileLost(Exception):
    """A file that the archive should hold is not in the storage; `path` is where in the archive it would be."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class _Buffer:
    """Holds what was written until it is passed on."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._pieces.append(data)

    def taken(self) -> bytes:
        found, self._pieces = b"".join(self._pieces), []
        return found


def archive(found: Found) -> Iterator[bytes]:
    """The archive of a release that was made, in pieces.

    Raises:
        FileLost: while it is gone through: a file is not in the storage. What was sent by then is no whole archive.
    """
    buffer = _Buffer()
    with Archive(buffer) as made:
        for path, file in entries(found):
            with file:
                for _ in made.putting(path, file):
                    yield buffer.taken()
            yield buffer.taken()
        made.close()
    yield buffer.taken()


def entries(found: Found) -> Iterator[tuple[str, IO[bytes]]]:
    """(path, file) of everything in the archive, in its order.

    Raises:
        FileLost: a file is not in the storage.
    """
    build = found.build
    assert build is not None
    yield MANIFEST, io.BytesIO(build.manifest.encode())
    if build.signature is not None:
        yield SIGNATURE, io.BytesIO(values.canonical(build.signature) + b"\n")
    erased = erased_since(found)
    if erased is not None:
        document, signature = erased
        yield ERASED, io.BytesIO(document)
        if signature is not None:
            yield ERASED_SIGNATURE, io.BytesIO(signature)
    yield FILE, _opened(FILE, build.path)
    if not build.assets_path:
        return
    yield ASSETS, _opened(ASSETS, build.assets_path)
    if found.release.terms.get("images") != "included":
        return
    gone, put = {item["sha256"] for item in queries.erasures_of(found)}, set()
    with _opened(ASSETS, build.assets_path) as lines:
        for line in lines:
            sha256 = json.loads(line)["sha256"]
            digest = bytes.fromhex(sha256)
            if sha256 in gone or digest in put:
                continue
            put.add(digest)  # two uploads of the same bytes are one file
            path = path_of_asset(sha256)
            try:
                file = storage.open_at(path_of(sha256))
            except FileNotFoundError:
                raise FileLost(path) from None
            yield path, file


def erased_since(found: Found) -> tuple[bytes, bytes | None] | None:
    """(what was erased of a release since it was cut, the signature over that); None where nothing was."""
    items = queries.erasures_of(found)
    if not items:
        return None
    assert found.build is not None
    document = values.canonical({"erased": 1, "release": found.build.identity, "files": items}) + b"\n"
    made = signing.sign(signing.ERASURE, document)
    return document, None if made is None else values.canonical(made.as_json()) + b"\n"


def is_whole(build: ReleaseBuild) -> bool:
    """Whether the files of a release that was made are in the storage; pictures are not looked at."""
    return all(storage.is_there(path) for path in (build.path, build.assets_path) if path)


def _opened(path: str, stored: str) -> IO[bytes]:
    try:
        return files.read(stored)
    except FileNotFoundError:
        raise FileLost(path) from None
