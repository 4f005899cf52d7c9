"""Files in storage: put there whole and durably, or not at all. The file system by default, a bucket by setting."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import connection

from labeling.errors import InvalidValue, Refused, StorageUnavailable, TooLarge

if TYPE_CHECKING:
    from labeling.bucket import Bucket

logger = logging.getLogger(__name__)

#: Where files lie until they are whole: on this machine, or in a bucket, until somebody asks for one.
INCOMING = "incoming"
COPY_BYTES = 1 << 20
MEMORY_BYTES = 1 << 22


def local_path(path: str) -> Path | None:
    """Where `path` is on this machine; None where storage is elsewhere."""
    try:
        return Path(default_storage.path(path))
    except NotImplementedError:
        return None


def bucket() -> Bucket | None:
    """The bucket that files are kept in; None where they are on this machine."""
    if local_path("") is not None:
        return None
    from labeling.bucket import Bucket  # boto3 takes half a second and 50 MB, which a file system does not need

    return default_storage if isinstance(default_storage, Bucket) else None


def put(path: str, size_bytes: int, content: IO[bytes] | io.BufferedIOBase | File[Any]) -> None:
    """Store `content` (read from its start) at `path`, a name made of its hash: what is there with this size is it."""
    if _holds(path, size_bytes):
        return
    content.seek(0)
    target = local_path(path)
    if target is None:
        default_storage.save(path, content if isinstance(content, File) else File(cast("IO[bytes]", content)))
        return
    folder = local_path(INCOMING)
    assert folder is not None
    with _new_file(folder) as file:
        try:
            while chunk := content.read(COPY_BYTES):
                file.write(chunk)
            move(file, target)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _new_file(folder: Path) -> tempfile._TemporaryFileWrapper[bytes]:
    try:
        return tempfile.NamedTemporaryFile(dir=folder, delete=False)
    except FileNotFoundError:  # mostly it is there, and to ask first costs as much as to make the file
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.NamedTemporaryFile(dir=folder, delete=False)


def open_at(path: str, first: int = 0, last: int | None = None) -> IO[bytes]:
    """A stored file, open at byte `first`; of a bucket, no more is fetched than up to `last`.

    Raises:
        FileNotFoundError: it is not there, or in a bucket and too short.
    """
    where = bucket()
    if where is not None:
        return cast("IO[bytes]", where.stream(path, first, last))
    file: IO[bytes] = default_storage.open(path)
    file.seek(first)
    return file


def is_there(path: str) -> bool:
    """Whether there is a stored file of that path."""
    return bool(default_storage.exists(path))


def _holds(path: str, size_bytes: int) -> bool:
    try:
        return default_storage.size(path) == size_bytes
    except FileNotFoundError:
        return False


def move(file: IO[bytes], target: Path) -> None:
    """Put a written file of the same file system in its place. It is durable before a row can name it."""
    file.flush()
    os.fsync(file.fileno())
    mode = getattr(default_storage, "file_permissions_mode", None)
    os.chmod(file.name, 0o644 if mode is None else mode)
    try:
        os.replace(file.name, target)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file.name, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


# --- what may be removed ------------------------------------------------------------------------------------------

#: Numbers of ours among the database's advisory locks. The first is held, shared, by who reads what rows say that
#: there is; the second by who stores files that can be made again, from before the file until its row is committed.
_KEPT = int.from_bytes(b"relfiles", signed=True)
_STORING = int.from_bytes(b"mskfiles", signed=True)


@contextmanager
def kept() -> Iterator[None]:
    """While this runs, no file that a row refers to is removed, so what a snapshot of the rows names can be read."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s)", [_KEPT])
    try:
        yield
    finally:
        _unlock("pg_advisory_unlock_shared", _KEPT)


@contextmanager
def removable() -> Iterator[bool]:
    """True while nobody relies on files that rows refer to; False where somebody does, and the files have to stay."""
    with _alone(_KEPT) as free:
        yield free


def storing() -> None:
    """Until the end of the transaction, files that no row names yet are not taken for forgotten ones."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_STORING])


@contextmanager
def nobody_storing() -> Iterator[bool]:
    """True while a file that no row names is a forgotten one; False where somebody may be about to name it."""
    with _alone(_STORING) as free:
        yield free


@contextmanager
def _alone(number: int) -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
        free = bool(cursor.fetchone()[0])
    try:
        yield free
    finally:
        if free:
            _unlock("pg_advisory_unlock", number)


def _unlock(function: str, number: int) -> None:
    # A lost connection has lost its locks.
    if connection.connection is not None and not connection.connection.closed and not connection.needs_rollback:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", [number])


# --- what others posted to the bucket ------------------------------------------------------------------------------


class Taken(NamedTuple):
    """A file that was posted to the bucket and is now where its hash says."""

    sha256: str
    size_bytes: int


def take_in(
    path: str,
    *,
    most_bytes: int,
    until: dt.datetime,
    path_of: Callable[[str], str],
    sha256: str | None = None,
) -> Taken | None:
    """Copy what was posted to `path` of the bucket to where its hash says; None where nothing was posted.

    The form that it was posted with says what may come and until when; not every server keeps to it, so all is looked
    at again here. What is stored is what was hashed, whatever is posted to `path` meanwhile.

    Raises:
        TooLarge: it has more than `most_bytes`; it is removed.
        Refused: it came after `until`.
        InvalidValue: its hash is not `sha256`, where that is given; it is removed.
    """
    where = bucket()
    if where is None:
        return None
    try:
        posted = where.stream(path)
    except FileNotFoundError:
        return None
    digest = hashlib.sha256()
    with posted, tempfile.SpooledTemporaryFile(MEMORY_BYTES) as copy:
        if posted.modified_at is None or posted.modified_at > until:
            raise Refused("file: it was posted after its form had expired; ask for a new one")
        if posted.size_bytes > most_bytes:
            discard(path)
            raise TooLarge("file: is larger than 100 MB")
        while chunk := posted.read(COPY_BYTES):
            digest.update(chunk)
            copy.write(chunk)
        taken = Taken(digest.hexdigest(), posted.size_bytes)
        if sha256 not in (None, taken.sha256):
            discard(path)
            raise InvalidValue("sha256", "is not that of the file that arrived, which was removed; post it again")
        put(path_of(taken.sha256), taken.size_bytes, copy)
    return taken


def discard(path: str) -> None:
    """Remove a file that nobody needs; where that fails it stays, and does no harm."""
    try:
        default_storage.delete(path)
    except StorageUnavailable:
        logger.warning("a file that is no longer needed stays in the bucket")
