"""Goes through an archive from its first byte to its last, and hands on what is in it; it believes no word of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Protocol

from config.backup import contents
from config.backup.archive import BadArchive, Reader, Source
from config.backup.contents import Columns, Manifest, Opening

#: Told (what is being read, bytes read so far).
Progress = Callable[[str, int], None]


class Receiver(Protocol):
    """What is done with what is read. What a receiver leaves unread is read, and checked, nevertheless."""

    def opening(self, opening: Opening) -> None:
        """The archive says what it is."""

    def table(self, table: Columns, pieces: Iterator[bytes]) -> int | None:
        """The rows of a table; returns how many they were, None where they were not counted."""

    def file(self, path: str, sha256: str, size_bytes: int, pieces: Iterator[bytes]) -> None:
        """A stored file. Taking the last piece raises BadArchive where the file is not what its name says."""

    def manifest(self, manifest: Manifest, secret_key: bytes | None) -> None:
        """All was read, and is what the manifest says that it should be."""


class Checking:
    """A receiver that only has everything read and checked."""

    def opening(self, opening: Opening) -> None:
        """Do nothing."""

    def table(self, table: Columns, pieces: Iterator[bytes]) -> int | None:
        """Do nothing."""
        return None

    def file(self, path: str, sha256: str, size_bytes: int, pieces: Iterator[bytes]) -> None:
        """Do nothing."""

    def manifest(self, manifest: Manifest, secret_key: bytes | None) -> None:
        """Do nothing."""


def read(source: Source, receiver: Receiver, progress: Progress = lambda what, done: None) -> Manifest:
    """Read an archive into a receiver and return its manifest.

    Raises:
        BadArchive: it is damaged, cut off, or of somebody else.
    """
    return _Reading(source, receiver, progress).run()


class _Tally:
    """Counts and hashes what goes by."""

    def __init__(self) -> None:
        self.digest, self.size_bytes = hashlib.sha256(), 0
        self.rows: int | None = None


class _Reading:
    def __init__(self, source: Source, receiver: Receiver, progress: Progress) -> None:
        self.at = Reader(source)
        self.receiver = receiver
        self.progress = progress
        self.done = 0
        self.secret_key: bytes | None = None
        self.tables: dict[str, _Tally] = {}
        self.files = contents.FileTally()

    def run(self) -> Manifest:
        try:
            self.at.advance()
        except BadArchive:
            raise BadArchive("This is no backup of Palimpsest, or not even its beginning is there.") from None
        if self.at.name != contents.OPENING:
            raise BadArchive("This is no backup of Palimpsest.")
        opening = contents.checked_opening(self._whole(contents.MOST_OPENING_BYTES))
        self.receiver.opening(opening)
        self.at.advance()
        if self.at.name == contents.SECRET_KEY:
            self.secret_key = self._whole(contents.MOST_SECRET_KEY_BYTES)
            self.at.advance()
        for table in opening.tables:
            self._table(table)
        while (stored := contents.stored_path(self.at.name)) is not None and opening.with_files:
            self._file(*stored)
        if self.at.name != contents.MANIFEST:
            raise BadArchive("The archive is damaged: something stands in it where it should not.")
        manifest = contents.decoded(self._whole(contents.MOST_MANIFEST_BYTES), Manifest)
        self.at.advance()
        if self.at.name:
            raise BadArchive("The archive is damaged: it goes on after its manifest.")
        self._compare(manifest, opening)
        self.receiver.manifest(manifest, self.secret_key)
        return manifest

    def _whole(self, most_bytes: int) -> bytes:
        if self.at.size_bytes > most_bytes:
            raise BadArchive("The archive is damaged: a description in it is far too long.")
        return b"".join(self.at.pieces())

    def _table(self, table: Columns) -> None:
        tally = self.tables[table.name] = _Tally()
        pieces = self._parts(table.name, tally)
        tally.rows = self.receiver.table(table, pieces)
        for _ in pieces:
            pass

    def _parts(self, table: str, tally: _Tally) -> Iterator[bytes]:
        number = 0
        while (part := contents.part_of(self.at.name)) is not None and part[0] == table:
            number += 1
            if part[1] != number:
                raise BadArchive(f"The archive is damaged: a part of the table {table} is missing.")
            for piece in self.at.pieces():
                self._count(tally, piece, table)
                yield piece
            self.at.advance()

    def _file(self, path: str, sha256: str) -> None:
        size_bytes = self.at.size_bytes
        pieces = self._checked(path, sha256)
        self.receiver.file(path, sha256, size_bytes, pieces)
        for _ in pieces:
            pass
        self.files.add(sha256, size_bytes, path)
        self.at.advance()

    def _checked(self, path: str, sha256: str) -> Iterator[bytes]:
        tally = _Tally()
        for piece in self.at.pieces():
            self._count(tally, piece, "files")
            yield piece
        if tally.digest.hexdigest() != sha256:
            raise BadArchive(f"The archive is damaged: the file {path} in it is not what its name says.")

    def _count(self, tally: _Tally, piece: bytes, what: str) -> None:
        tally.digest.update(piece)
        tally.size_bytes += len(piece)
        self.done += len(piece)
        self.progress(what, self.done)

    def _compare(self, manifest: Manifest, opening: Opening) -> None:
        """Refuse an archive that is not what its own manifest says."""
        if not manifest.is_sealed:
            raise BadArchive("The archive is damaged: its manifest is not what was written.")
        key_hash = None if self.secret_key is None else hashlib.sha256(self.secret_key).hexdigest()
        if (manifest.opening, manifest.secret_key_sha256) != (opening, key_hash):
            raise BadArchive("The archive is damaged: its beginning does not belong to its end.")
        if [table.name for table in manifest.tables] != list(self.tables):
            raise BadArchive("The archive is damaged: its manifest is of other tables.")
        for table in manifest.tables:
            tally = self.tables[table.name]
            if (table.size_bytes, table.sha256) != (tally.size_bytes, tally.digest.hexdigest()):
                raise BadArchive(f"The archive is damaged: the table {table.name} in it is not what was written.")
            if tally.rows not in (None, table.rows):
                raise BadArchive(f"The archive is damaged: the table {table.name} has another number of rows.")
        if manifest.files != self.files.files():
            raise BadArchive("The archive is damaged: the files in it are not those that were written.")
