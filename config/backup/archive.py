"""A tar archive of plain files, written and read as a stream; whatever else a tar file can hold is refused.

Any tar can list and unpack it. Reading is our own: a general reader follows links, sparse files and extended headers,
whose sizes an archive from elsewhere may choose as it likes.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from typing import Protocol

BLOCK_BYTES = 512
PIECE_BYTES = 1 << 20
END = bytes(2 * BLOCK_BYTES)
#: No name of ours is longer than what fits a plain header.
MOST_NAME_BYTES = 100


class BadArchive(Exception):
    """The archive cannot be used; the message is one sentence for the person at the terminal."""


class Sink(Protocol):
    """Where an archive is written to."""

    def write(self, data: bytes, /) -> object: ...


class Source(Protocol):
    """Where an archive is read from."""

    def read(self, size: int, /) -> bytes: ...


class Writer:
    """Writes one file after the other."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def add(self, name: str, size_bytes: int, pieces: Iterable[bytes]) -> None:
        """Write a file of a known size.

        Raises:
            ValueError: the pieces are not of that size together.
        """
        assert len(name.encode()) <= MOST_NAME_BYTES
        self._sink.write(_header(name, size_bytes))
        written = 0
        for piece in pieces:
            self._sink.write(piece)
            written += len(piece)
        if written != size_bytes:
            raise ValueError(f"{name}: {written} bytes instead of {size_bytes}")
        self._sink.write(bytes(-size_bytes % BLOCK_BYTES))

    def finish(self) -> None:
        """Write the end."""
        self._sink.write(END)


class Reader:
    """Goes through an archive file by file. `name` and `size_bytes` are of the one at hand; `name` is "" at the end."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = self._padding = 0
        self.name = ""
        self.size_bytes = 0

    def advance(self) -> None:
        """Go to the next file, past what was not read of this one.

        Raises:
            BadArchive: here is neither a plain file nor the end.
        """
        for _ in self.pieces():
            pass
        self._zeros(self._padding)
        block = self._exactly(BLOCK_BYTES)
        if not any(block):
            self._zeros(BLOCK_BYTES)
            self.name, self.size_bytes, self._left, self._padding = "", 0, 0, 0
            return
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.HeaderError, ValueError):
            raise BadArchive("The archive is damaged, or no archive: a header in it cannot be read.") from None
        if header.type != tarfile.REGTYPE or header.size < 0 or not header.name:
            raise BadArchive("The archive holds something else than plain files, so it is no backup of Palimpsest.")
        if block != _header(header.name, header.size):
            raise BadArchive("The archive is damaged, or was packed anew: a header in it is not as it was written.")
        self.name, self.size_bytes = header.name, header.size
        self._left, self._padding = header.size, -header.size % BLOCK_BYTES

    def pieces(self) -> Iterator[bytes]:
        """The bytes of the file at hand, or what is left of them.

        Raises:
            BadArchive: the archive ends within it.
        """
        while self._left:
            piece = self._source.read(min(self._left, PIECE_BYTES))
            if not piece:
                raise _cut_off()
            self._left -= len(piece)
            yield piece

    def _zeros(self, size: int) -> None:
        if any(self._exactly(size)):
            raise BadArchive("The archive is damaged: something stands between two files of it.")

    def _exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            piece = self._source.read(size - len(found))
            if not piece:
                raise _cut_off()
            found += piece
        return found


def _header(name: str, size_bytes: int) -> bytes:
    """The one form that a header has: no owner and no time, so that equal contents are equal bytes."""
    header = tarfile.TarInfo(name)
    header.size, header.mode = size_bytes, 0o600
    return header.tobuf(tarfile.GNU_FORMAT)  # which has sizes above 8 GiB


def _cut_off() -> BadArchive:
    return BadArchive("The archive ends too early: it was cut off, or is not complete yet.")
