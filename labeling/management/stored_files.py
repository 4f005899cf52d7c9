"""Whether the stored files are what the logs say that they are."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.core.files.storage import default_storage
from django.db import connection, transaction

from labeling.commands.assets import path_of

CHUNK_BYTES = 1 << 20
#: Told (files done, files in all).
Progress = Callable[[int, int], None]


class BrokenFile(NamedTuple):
    """A file that is not what was stored, and one place that refers to it (no dataset: only its upload)."""

    dataset: uuid.UUID | None
    offset: int | None
    filename: str
    problem: str


class Named(NamedTuple):
    """One reference to a file."""

    sha256: str
    size_bytes: int
    dataset: uuid.UUID | None
    offset: int | None
    filename: str


def broken_files(dataset: uuid.UUID | None = None, *, progress: Progress | None = None) -> Iterator[BrokenFile]:
    """Every file of a dataset (of all, and every upload, for None) that is gone, too short or too long, or changed.

    Each file is read once, however often it is named; one chunk is in memory at a time.
    """
    last, problem, done = "", None, 0
    total = _count(dataset) if progress else 0
    for named in _named(dataset):
        if named.sha256 != last:
            last, problem, done = named.sha256, fault(named.sha256, named.size_bytes), done + 1
            if progress:
                progress(done, total)
        if problem is not None:
            yield BrokenFile(named.dataset, named.offset, named.filename, problem)


def fault(sha256: str, size_bytes: int) -> str | None:
    """What is wrong with the stored file of this hash, or None."""
    path = path_of(sha256)
    try:
        if not default_storage.exists(path):
            return "is not in the storage"
        size = default_storage.size(path)
        if size != size_bytes:
            return f"has {size} bytes in the storage instead of {size_bytes}"
        digest = hashlib.sha256()
        with default_storage.open(path) as file:
            for chunk in iter(lambda: file.read(CHUNK_BYTES), b""):
                digest.update(chunk)
    except OSError as error:
        return f"cannot be read from the storage ({type(error).__name__})"
    return None if digest.hexdigest() == sha256 else "has other bytes in the storage than were uploaded"


_PINNED = (
    "SELECT sha256, size_bytes, dataset_id, last_offset, filename FROM labeling_datasetasset WHERE erased_at IS NULL"
)
_UPLOADED = (
    "SELECT sha256, size_bytes, NULL, NULL, filename FROM labeling_asset WHERE sha256 IS NOT NULL AND erased_at IS NULL"
)


def _query(dataset: uuid.UUID | None) -> tuple[str, list[Any]]:
    """(SQL, parameters) for the references to check."""
    if dataset is not None:
        return f"{_PINNED} AND dataset_id = %s", [dataset]
    return f"{_PINNED} UNION ALL {_UPLOADED}", []


def _count(dataset: uuid.UUID | None) -> int:
    query, parameters = _query(dataset)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(DISTINCT sha256) FROM ({query}) AS named", parameters)
        return int(cursor.fetchone()[0])


def _named(dataset: uuid.UUID | None) -> Iterator[Named]:
    query, parameters = _query(dataset)
    # In a transaction the server keeps its place in the list; a dataset's own reference comes before an upload's.
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(f"SELECT * FROM ({query}) AS named ORDER BY 1, 3, 4, 5", parameters)
        for row in cursor:
            yield Named(*row)
