"""The stored files that rows refer to: out of the storage, whatever it is, and into it again, each by its SHA-256.

No file can be missed. A file is durable before a row names it, so every file that a snapshot of the rows names is there
when the snapshot is taken; and it stays, because nothing removes a file while `storage.kept` holds.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, NamedTuple

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection

from labeling import storage
from labeling.commands.assets import path_of
from labeling.storage import local_path

PIECE_BYTES = 1 << 20
_ROWS = 10_000
_PREFIX = "restored-"
_FETCHED_AT_ONCE = 8

# A dataset's reference and the upload behind it are of the same file; releases of the same content too. A table that
# an older version has not yet names no file.
_SOURCES = {
    # As JSON, because a database that was not migrated yet has no such column.
    "labeling_datasetasset": (
        "SELECT sha256, size_bytes, NULL::text AS path FROM labeling_datasetasset a"
        " WHERE to_jsonb(a) ->> 'erased_at' IS NULL"
    ),
    "labeling_asset": (
        "SELECT sha256, size_bytes, NULL::text FROM labeling_asset a"
        " WHERE sha256 IS NOT NULL AND to_jsonb(a) ->> 'erased_at' IS NULL"
    ),
    "labeling_maskfile": (
        "SELECT sha256, size_bytes, 'masks/' || left(sha256, 2) || '/' || sha256 || '.png' AS path"
        " FROM labeling_maskfile"
    ),
    "releases_releasebuild": (
        "SELECT sha256, size_bytes, path FROM releases_releasebuild WHERE status = 'SUCCEEDED' AND path <> ''"
        # As JSON, because a database that was not migrated yet has no such columns.
        " UNION SELECT j ->> 'assets_sha256', (j ->> 'assets_size_bytes')::bigint, j ->> 'assets_path'"
        " FROM (SELECT to_jsonb(b) AS j FROM releases_releasebuild b) AS builds"
        " WHERE j ->> 'status' = 'SUCCEEDED' AND j ->> 'assets_path' <> ''"
    ),
}


class BadFile(Exception):
    """A stored file is not what its row says; the message is one sentence for the person at the terminal."""


class Stored(NamedTuple):
    """A file that a row refers to, and where in storage it is."""

    sha256: str
    size_bytes: int
    path: str


class References:
    """The files that the rows of one snapshot refer to, on disk, so that neither it nor the memory is held for them."""

    def __init__(self, tables: list[str]) -> None:
        self.count = self.size_bytes = 0
        self._list: IO[str] = tempfile.TemporaryFile("w+", dir=settings.HOME)  # noqa: SIM115 - closed by close
        query = " UNION ".join(query for table, query in _SOURCES.items() if table in tables)
        with connection.chunked_cursor() as cursor:
            cursor.execute(
                f'SELECT * FROM ({query}) AS named ORDER BY path COLLATE "C" NULLS FIRST, sha256, size_bytes'
            )
            while rows := cursor.fetchmany(_ROWS):
                for sha256, size_bytes, path in rows:
                    self._list.write(f"{sha256} {size_bytes} {path or path_of(sha256)}\n")
                    self.count += 1
                    self.size_bytes += size_bytes

    def __iter__(self) -> Iterator[Stored]:
        self._list.seek(0)
        for line in self._list:
            sha256, size_bytes, path = line.rstrip("\n").split(" ", 2)
            yield Stored(sha256, int(size_bytes), path)

    def close(self) -> None:
        """Forget the list."""
        self._list.close()


def pieces(file: Stored) -> Iterator[bytes]:
    """The bytes of a stored file.

    Raises:
        BadFile: they are not there, cannot be read, or are others than were stored.
    """
    digest, size_bytes = hashlib.sha256(), 0
    try:
        with storage.open_at(file.path) as content:
            while (piece := content.read(PIECE_BYTES)) and size_bytes <= file.size_bytes:
                digest.update(piece)
                size_bytes += len(piece)
                if size_bytes <= file.size_bytes:
                    yield piece
    except FileNotFoundError:
        raise BadFile(f"The file {file.path} is not in the storage.") from None
    except OSError as error:
        raise BadFile(f"The file {file.path} cannot be read ({error.strerror or type(error).__name__}).") from None
    if size_bytes != file.size_bytes or digest.hexdigest() != file.sha256:
        raise BadFile(f"The file {file.path} has other bytes in the storage than were put there.")


def read_ahead(files: Iterable[Stored]) -> Iterator[tuple[Stored, Iterable[bytes]]]:
    """Each file with its bytes, in order. Of a bucket, small ones are fetched a few at a time, ahead of their turn.

    Raises:
        BadFile: as `pieces`, when the file's turn comes.
    """
    if storage.bucket() is None:
        yield from ((file, pieces(file)) for file in files)
        return
    waiting: deque[tuple[Stored, Future[list[bytes]] | None]] = deque()
    with ThreadPoolExecutor(_FETCHED_AT_ONCE) as pool:
        try:
            for file in files:
                is_small = file.size_bytes <= PIECE_BYTES
                waiting.append((file, pool.submit(_whole, file) if is_small else None))
                if len(waiting) > 2 * _FETCHED_AT_ONCE:
                    yield _in_turn(*waiting.popleft())
            while waiting:
                yield _in_turn(*waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)


def _whole(file: Stored) -> list[bytes]:
    return list(pieces(file))


def _in_turn(file: Stored, fetched: Future[list[bytes]] | None) -> tuple[Stored, Iterable[bytes]]:
    return file, pieces(file) if fetched is None else fetched.result()


class Placing:
    """Puts files into the storage, and takes those away again that it put there where not all came well."""

    def __init__(self) -> None:
        self._new: list[str] = []
        self._folder = local_path(storage.INCOMING) or settings.EXPORTS_ROOT / "incoming"
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.glob(f"{_PREFIX}*"):  # by a restore that was killed
            left.unlink(missing_ok=True)

    def put(self, path: str, sha256: str, size_bytes: int, pieces: Iterator[bytes]) -> None:
        """Put a file in its place, whole and durably, or not at all; `pieces` raises where the bytes are not right."""
        was_there = default_storage.exists(path)
        if was_there and _is_good(Stored(sha256, size_bytes, path)):
            return  # what is unread of the pieces is checked by who gave them
        target = local_path(path)
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=_PREFIX, delete=False) as file:
            try:
                for piece in pieces:
                    file.write(piece)
                if not was_there:
                    self._new.append(path)
                if target is not None:
                    storage.move(file, target)
                else:
                    default_storage.delete(path)  # a file of the right size would be taken for the right one
                    storage.put(path, size_bytes, file)
            finally:
                Path(file.name).unlink(missing_ok=True)

    def take_back(self) -> None:
        """Remove what was put; what others had put stays."""
        for path in self._new:
            storage.discard(path)


def _is_good(file: Stored) -> bool:
    try:
        for _ in pieces(file):
            pass
    except BadFile:
        return False
    return True
