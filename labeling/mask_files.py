"""The PNG files of masks: stored by the hash of their bytes, found by the key of their pixels, removed when forgotten.

A file is written before its row. What a killed worker left without a row, and rows that no mask names any more, are
swept: nobody can be about to name them, because who stores files says so by a lock until its rows are committed.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import IO

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction

from labeling import storage
from labeling.models import MaskFile

FOLDER = "masks"
#: How long a file stays that no mask names: somebody may be reading it, and what is undone comes back.
FORGOTTEN_S = 3600
SWEEP_EVERY_S = 3600.0
_last_sweep_s = -SWEEP_EVERY_S


def path_of(sha256: str) -> str:
    """Where the mask with this hash is in storage."""
    return f"{FOLDER}/{sha256[:2]}/{sha256}.png"


def keep(dataset: uuid.UUID, wanted: Mapping[str, Callable[[], bytes]]) -> None:
    """Store the files of these keys that are not stored yet; their functions make the bytes. Within a transaction.

    Raises:
        StorageUnavailable: the storage does not answer.
    """
    storage.storing()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT key FROM labeling_maskfile WHERE dataset_id = %s AND key = ANY(%s)", [dataset, [*wanted]]
        )
        known = {row[0] for row in cursor.fetchall()}
    rows: list[tuple[str, str, int]] = []
    for key, make in wanted.items():
        if key in known:
            continue
        data = make()
        sha256 = hashlib.sha256(data).hexdigest()
        path = path_of(sha256)
        if default_storage.exists(path):
            if _hash_at(path) == sha256:
                rows.append((key, sha256, len(data)))
                continue
            storage.discard(path)  # of the right size, it would be taken for the right one
        storage.put(path, len(data), ContentFile(data))
        rows.append((key, sha256, len(data)))
    if rows:
        keys, hashes, sizes = zip(*rows, strict=True)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO labeling_maskfile (dataset_id, key, sha256, size_bytes, created_at)"
                " SELECT %s, u.*, clock_timestamp() FROM unnest(%s::text[], %s::text[], %s::bigint[]) u"
                " ON CONFLICT DO NOTHING",
                [dataset, list(keys), list(hashes), list(sizes)],
            )


def read(dataset: uuid.UUID, key: str) -> bytes | None:
    """The stored file of a key; None where there is none (any more).

    Raises:
        StorageUnavailable: the storage does not answer.
    """
    row = MaskFile.objects.filter(dataset_id=dataset, key=key).first()
    if row is None:
        return None
    try:
        with storage.open_at(path_of(row.sha256)) as file:
            data = file.read()
    except FileNotFoundError:
        return None
    return data if hashlib.sha256(data).hexdigest() == row.sha256 else None  # it is damaged; verify tells


def opened(row: MaskFile) -> IO[bytes]:
    """A stored file, open for reading.

    Raises:
        FileNotFoundError: it is not there any more.
    """
    return storage.open_at(path_of(row.sha256))


def fault(row: MaskFile) -> str | None:
    """What is wrong with a stored file, or None."""
    try:
        found = _hash_at(path_of(row.sha256))
    except FileNotFoundError:
        return "is not in the storage"
    return None if found == row.sha256 else "has other bytes in the storage than were put there"


def forget_broken(dataset: uuid.UUID) -> None:
    """Remove the rows of files that are not what they were, so that a rebuild makes them anew."""
    for row in MaskFile.objects.filter(dataset_id=dataset).iterator():
        if fault(row) is not None:
            MaskFile.objects.filter(dataset_id=dataset, key=row.key).delete()


def _hash_at(path: str) -> str:
    digest = hashlib.sha256()
    with storage.open_at(path) as file:
        while piece := file.read(storage.COPY_BYTES):
            digest.update(piece)
    return digest.hexdigest()


# --- sweeping ------------------------------------------------------------------------------------------------------


def sweep_now_and_then() -> int:
    """Sweep, if that was not done a short while ago; returns how many files were removed."""
    global _last_sweep_s
    if time.monotonic() - _last_sweep_s < SWEEP_EVERY_S:
        return 0
    _last_sweep_s = time.monotonic()
    return sweep()


def sweep(*, forgotten_s: float = FORGOTTEN_S) -> int:
    """Remove rows that no mask names, and files that no row names; returns how many files were removed.

    Where somebody relies on the files (a backup) or is storing some, all stays for the next time.
    """
    removed = 0
    with storage.removable() as removable, storage.nobody_storing() as quiet:
        if not (removable and quiet):
            return 0
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM labeling_maskfile f WHERE f.created_at < clock_timestamp() - make_interval(secs => %s)"
                " AND NOT EXISTS (SELECT FROM (SELECT m.dataset_id, k.value FROM labeling_mask m,"
                " jsonb_each_text(m.keys) k) AS named(dataset_id, key)"
                " WHERE named.dataset_id = f.dataset_id AND named.key = f.key)",
                [forgotten_s],
            )
        for paths in _stored():
            names = {path.rsplit("/", 1)[1].removesuffix(".png"): path for path in paths}
            known = set(MaskFile.objects.filter(sha256__in=list(names)).values_list("sha256", flat=True))
            for sha256 in names.keys() - known:
                storage.discard(names[sha256])
                removed += 1
    return removed


def _stored() -> Iterator[list[str]]:
    """The paths of all stored files, folder by folder."""
    try:
        folders, _ = default_storage.listdir(FOLDER)
    except FileNotFoundError:
        return
    for folder in folders:
        _, files = default_storage.listdir(f"{FOLDER}/{folder}")
        yield [f"{FOLDER}/{folder}/{name}" for name in files]
