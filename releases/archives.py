"""A ZIP archive whose bytes follow from its files alone: fixed times, permissions and order, and no compression.

Nothing is compressed, because what deflate writes depends on the library that does it; whoever serves or keeps an
archive may compress it on the way. The writer is our own, because what `zipfile` puts into its headers is up to the
version of Python. Files stand in the order in which they were put down. Format: PKWARE APPNOTE 6.3, §4.3 and §4.5.3.
"""

from __future__ import annotations

import struct
import tempfile
import zlib
from collections.abc import Iterator
from typing import IO, Protocol
from weakref import WeakSet

from releases.formats.files import IN_MEMORY_BYTES

_PIECE = 1 << 20
_UTF8 = 1 << 11
_ZIP64, _PLAIN = 45, 20
_UNIX = 3 << 8
#: 1 January 1980, the first moment that a ZIP can say.
_TIME, _DATE = 0, 0x21
_REGULAR_FILE = 0o100644 << 16
_MAX32, _MAX16 = 0xFFFFFFFF, 0xFFFF


class Sink(Protocol):
    """Where the bytes go."""

    def write(self, data: bytes, /) -> object: ...


class Archive:
    """A ZIP archive on its way to a sink; `close` writes its directory. Leaving it closes what codecs left open."""

    def __init__(self, sink: Sink) -> None:
        self._sink, self._at = sink, 0
        self._entries: list[tuple[bytes, int, int, int]] = []
        self._names: set[str] = set()
        self._spools: WeakSet[IO[bytes]] = WeakSet()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *error: object) -> None:
        for spool in list(self._spools):
            spool.close()

    def spool(self) -> IO[bytes]:
        spool = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - codecs close theirs, or we at the end
        self._spools.add(spool)
        return spool

    def put(self, path: str, data: IO[bytes]) -> None:
        """One more file, read from its start.

        Raises:
            ValueError: there is a file of that path.
        """
        for _ in self.putting(path, data):
            pass

    def putting(self, path: str, data: IO[bytes]) -> Iterator[None]:
        """`put`, piece by piece: whoever passes the sink's bytes on does so in between.

        Raises:
            ValueError: there is a file of that path.
        """
        if path in self._names:
            raise ValueError(path)
        self._names.add(path)
        checksum = size = 0
        data.seek(0)
        while piece := data.read(_PIECE):
            checksum, size = zlib.crc32(piece, checksum), size + len(piece)
        name, start = path.encode(), self._at
        large = size >= _MAX32
        extra = struct.pack("<HHQQ", 1, 16, size, size) if large else b""
        said = _MAX32 if large else size
        self._write(
            struct.pack(
                "<IHHHHHIIIHH",
                0x04034B50, _ZIP64 if large else _PLAIN, _UTF8, 0, _TIME, _DATE, checksum, said, said,
                len(name), len(extra),
            )
            + name
            + extra
        )  # fmt: skip
        data.seek(0)
        while piece := data.read(_PIECE):
            self._write(piece)
            yield
        self._entries.append((name, checksum, size, start))

    def close(self) -> None:
        """Write the directory."""
        start = self._at
        for name, checksum, size, offset in self._entries:
            wide = [number for number in (size, size) if size >= _MAX32] + [offset] * (offset >= _MAX32)
            extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
            version = _ZIP64 if wide else _PLAIN
            said = min(size, _MAX32)
            self._write(
                struct.pack(
                    "<IHHHHHHIIIHHHHHII",
                    0x02014B50, _UNIX | version, version, _UTF8, 0, _TIME, _DATE, checksum, said, said,
                    len(name), len(extra), 0, 0, 0, _REGULAR_FILE, min(offset, _MAX32),
                )
                + name
                + extra
            )  # fmt: skip
        size, count = self._at - start, len(self._entries)
        if count >= _MAX16 or start >= _MAX32 or size >= _MAX32:
            end = self._at
            self._write(
                struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, _UNIX | _ZIP64, _ZIP64, 0, 0, count, count, size, start)
            )
            self._write(struct.pack("<IIQI", 0x07064B50, 0, end, 1))
        few = min(count, _MAX16)
        self._write(struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, few, few, min(size, _MAX32), min(start, _MAX32), 0))

    def _write(self, data: bytes) -> None:
        self._sink.write(data)
        self._at += len(data)
