"""Makes an archive of an installation while people go on working.

Rows first, out of one snapshot, then the files that those rows name. The snapshot ends with the rows: it keeps the
database from clearing away old versions of rows, and files may take hours.
"""

from __future__ import annotations

import datetime as dt
import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from config.backup import contents, landmarks, tables
from config.backup.archive import Writer
from config.backup.contents import Columns, Files, Manifest, Opening, Table
from config.backup.files import BadFile, References, read_ahead
from labeling import storage
from labeling.log.store import APP_VERSION

#: Told (what is being written, done, in all): rows of a table by their parts, files by their number.
Progress = Callable[[str, int, int], None]


class BackupFailed(Exception):
    """There is no archive; the message is one sentence for the person at the terminal."""


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file beside `path` that only this account can read; it takes that name when all is written, and is gone else.

    Raises:
        BackupFailed: it cannot be written, something of that name is there, or somebody else is writing it.
    """
    part = path.with_name(f"{path.name}.part")
    if os.path.lexists(path):
        raise BackupFailed(f"{path} exists already; choose another name.")
    try:
        file = _open_alone(part)
    except BlockingIOError:
        raise BackupFailed(f"Another backup is writing {part}.") from None
    except OSError as error:
        raise BackupFailed(f"{part} cannot be written ({error.strerror}).") from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.rename(part, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _open_alone(part: Path) -> IO[bytes]:
    while True:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.lexists(part) and os.path.samestat(os.fstat(descriptor), os.lstat(part)):
                os.fchmod(descriptor, 0o600)
                os.ftruncate(descriptor, 0)  # of a backup that was killed
                return os.fdopen(descriptor, "wb")
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # whose lock it was has finished it meanwhile, or given it up


def make(sink: IO[bytes], *, with_files: bool = True, progress: Progress = lambda what, done, of: None) -> Manifest:
    """Write an archive of everything, and return its manifest.

    Raises:
        BackupFailed: the database is not set up, the sink takes no more, or a stored file is not what it should be.
        django.db.Error, psycopg.Error: the database failed.
    """
    try:
        with storage.kept():
            return _Making(sink, with_files, progress).run()
    except BadFile as bad:
        raise BackupFailed(
            f"{bad} `manage.py verify` names everything of that kind; --without-files leaves the files out."
        ) from None
    except OSError as error:
        raise BackupFailed(why_not_written(error)) from None


def why_not_written(error: OSError) -> str:
    """One sentence about an archive that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "The backup does not fit: the disk, or the room that this account has on it, is full."
    if error.errno == errno.EPIPE:
        return "Whoever read the backup stopped reading."
    return f"The backup cannot be written ({error.strerror or type(error).__name__})."


class _Making:
    def __init__(self, sink: IO[bytes], with_files: bool, progress: Progress) -> None:
        self.sink = sink
        self.writer = Writer(sink)
        self.with_files = with_files
        self.progress = progress

    def run(self) -> Manifest:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            tables.settle()
            opening = self._opening()
            self._put(contents.OPENING, contents.encoded(opening))
            secret_key = _kept_secret_key()
            if secret_key is not None:
                self._put(contents.SECRET_KEY, secret_key)
            written = tuple(self._table(table, n, len(opening.tables)) for n, table in enumerate(opening.tables))
            logs, releases = landmarks.logs(), landmarks.releases()
            references = References([table.name for table in opening.tables])
        try:
            files = self._files(references)
        finally:
            references.close()
        key_hash = None if secret_key is None else hashlib.sha256(secret_key).hexdigest()
        manifest = Manifest(opening, key_hash, written, logs, releases, files).sealed()
        self._put(contents.MANIFEST, contents.encoded(manifest))
        self.writer.finish()
        self.sink.flush()
        return manifest

    def _opening(self) -> Opening:
        applied = sorted(MigrationRecorder(connection).applied_migrations())
        if ("labeling", "0001_initial") not in applied:
            raise BackupFailed("There is nothing to back up: this database was never set up.")
        if set(applied) - set(MigrationLoader(connection).disk_migrations):
            raise BackupFailed("The database was set up by a newer version of Palimpsest; back it up with that.")
        return Opening(
            application=contents.APPLICATION,
            format=contents.FORMAT,
            app_version=APP_VERSION,
            made_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            postgresql=tables.server_version(),
            migrations=tuple(applied),
            tables=tuple(map(tables.described, tables.in_database())),
            with_files=self.with_files,
        )

    def _put(self, name: str, data: bytes) -> None:
        self.writer.add(name, len(data), [data])

    def _table(self, table: Columns, number: int, total: int) -> Table:
        self.progress(table.name, number, total)
        return tables.copy_out(table, self._put)

    def _files(self, references: References) -> Files:
        tally = contents.FileTally()
        for file, content in read_ahead(references if self.with_files else ()):
            self.progress("files", tally.count, references.count)
            self.writer.add(f"files/{file.path}", file.size_bytes, content)
            tally.add(file.sha256, file.size_bytes, file.path)
        return tally.files()


def _kept_secret_key() -> bytes | None:
    """The installation's secret key; None where it comes from the environment, whose owner keeps it."""
    if os.environ.get("SECRET_KEY"):
        return None
    try:
        return (settings.HOME / "secret_key").read_bytes()
    except OSError as error:
        raise BackupFailed(f"{settings.HOME / 'secret_key'} cannot be read ({error.strerror}).") from None
