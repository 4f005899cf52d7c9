"""Where release files are kept: in the storage of all files, by their hash, at addresses that nobody can guess."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.utils.crypto import constant_time_compare, salted_hmac

from labeling import storage
from labeling.storage import local_path

FOLDER = "exports"
INCOMING = f"{FOLDER}/incoming"
PARTS = f"{FOLDER}/parts"


def path_of(sha256: str, ending: str = ".json") -> str:
    """Where the file with this hash is in storage."""
    return f"{FOLDER}/{sha256[:2]}/{sha256}{ending}"


@contextmanager
def incoming(build: uuid.UUID | str) -> Iterator[IO[bytes]]:
    """A file to write to, beside the kept ones where storage is a file system; gone at the end unless it was kept.

    What an earlier, killed build of the same release or export left is removed, so there must be one of it at a time.
    """
    # For a bucket it is written in the data directory first: the system's directory for such files may be memory.
    folder = local_path(INCOMING) or settings.EXPORTS_ROOT / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{build}-*"):
        left.unlink(missing_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=f"{build}-", delete=False) as file:
        try:
            yield file
        finally:
            Path(file.name).unlink(missing_ok=True)


def keep(file: IO[bytes], sha256: str, ending: str = ".json") -> str:
    """Put a written file in its place, whole or not at all; returns its path in storage."""
    return _put(path_of(sha256, ending), file)


def keep_part(build: uuid.UUID, number: int, file: IO[bytes]) -> str:
    """Put a part of what is being made in its place; returns its path in storage."""
    return _put(f"{PARTS}/{build}/{number:06}-{uuid.uuid4().hex}", file)


def _put(path: str, file: IO[bytes]) -> str:
    target = local_path(path)
    if target is None:
        storage.put(path, file.seek(0, os.SEEK_END), file)
    else:
        storage.move(file, target)
    return path


def discard_parts(build: uuid.UUID) -> None:
    """Remove all parts of a build, those that no row names too; what cannot be removed stays, and does no harm."""
    folder = f"{PARTS}/{build}"
    with suppress(FileNotFoundError):
        for name in default_storage.listdir(folder)[1]:
            storage.discard(f"{folder}/{name}")
        if (local := local_path(folder)) is not None:
            local.rmdir()


def read(path: str) -> File[Any]:
    """A kept file, open for reading.

    Raises:
        FileNotFoundError: it is not there any more.
    """
    return default_storage.open(path)


def discard(path: str) -> None:
    """Remove a kept file, if it is there."""
    default_storage.delete(path)


# --- the address ---------------------------------------------------------------------------------------------------


def address(build: uuid.UUID, sha256: str, name: str, *, at: str = "releases") -> str:
    """The public url of the file of a release or (`at` exports) an export; `name` is for people and their programs."""
    return f"{settings.PUBLIC_URL}/{at}/{build}/{_token(build, sha256)}/{quote(name)}"


def is_token(token: str, build: uuid.UUID, sha256: str) -> bool:
    """Whether an address was made by us for this file."""
    return constant_time_compare(token, _token(build, sha256))


def _token(build: uuid.UUID, sha256: str) -> str:
    return salted_hmac("releases.file", f"{build}/{sha256}", algorithm="sha256").hexdigest()
