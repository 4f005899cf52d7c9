"""Parts of an export: what a stretch of the samples becomes, made by itself and put together in their order. Pure.

A part is some streams of whole lines, each by a name, and facts about them as JSON. Nothing in it depends on the parts
before it: where a number counts on over the whole export, the part says it as counted from its own first, and whoever
puts the parts together adds what came before. So the bytes of an export do not depend on how its samples are cut into
parts, nor on who makes which part when.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from releases.formats.files import Output
from releases.formats.format import Losses, Options
from releases.formats.records import Dataset, Sample

JSON = dict[str, Any]

#: Lines are read together up to about so many bytes.
PIECE_BYTES = 1 << 18
#: What is written to a stream waits in memory up to so many bytes.
_WAITING_BYTES = 1 << 16


class Sink(Protocol):
    """Where the bytes go."""

    def write(self, data: bytes, /) -> object: ...


class Streams:
    """The streams of a part while it is made."""

    def __init__(self, spool: Callable[[], IO[bytes]]) -> None:
        self._spool = spool
        self._spools: dict[str, IO[bytes]] = {}
        self._waiting: dict[str, list[bytes]] = {}
        self._sizes: dict[str, int] = {}

    def add(self, name: str, line: bytes) -> None:
        """One more line, which ends with a line feed and has no other."""
        waiting = self._waiting.setdefault(name, [])
        waiting.append(line)
        size = self._sizes.get(name, 0) + len(line)
        self._sizes[name] = size
        if size % _WAITING_BYTES < len(line):
            self._flush(name)

    def _flush(self, name: str) -> None:
        if name not in self._spools:
            self._spools[name] = self._spool()
        self._spools[name].write(b"".join(self._waiting[name]))
        self._waiting[name].clear()

    def put(self, sink: Sink) -> JSON:
        """Write the streams one behind the other; returns what `Part` needs to find them again."""
        checksum, index = 0, []
        for name in self._waiting:
            self._flush(name)
            with self._spools[name] as spool:
                spool.seek(0)
                while piece := spool.read(PIECE_BYTES):
                    checksum = zlib.crc32(piece, checksum)
                    sink.write(piece)
            index.append([name, self._sizes[name]])
        return {"streams": index, "crc32": checksum}


class Damaged(Exception):
    """The bytes of a part are not those that were written; make it again."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part that was made. `opened` gives its file at a byte; `index` is what `Streams.put` returned, `facts` what
    the codec says of it, `losses` a summary of what it could not carry."""

    opened: Callable[[int], IO[bytes]]
    index: JSON
    facts: JSON = field(default_factory=dict)
    losses: list[JSON] = field(default_factory=list)

    def names(self) -> list[str]:
        return [name for name, _ in self.index["streams"]]

    def pieces(self, name: str) -> Iterator[bytes]:
        """A stream, whole lines at a time; nothing where there is none of that name.

        Raises:
            Damaged: the file is too short.
        """
        start = 0
        for other, size in self.index["streams"]:
            if other == name:
                break
            start += size
        else:
            return
        with self.opened(start) as file:
            yield from _whole_lines(file, size)

    def check(self) -> None:
        """Read the file once.

        Raises:
            Damaged: it is not what was written.
        """
        left, checksum = sum(size for _, size in self.index["streams"]), 0
        with self.opened(0) as file:
            while left and (piece := file.read(min(left, PIECE_BYTES))):
                checksum, left = zlib.crc32(piece, checksum), left - len(piece)
        if left or checksum != self.index["crc32"]:
            raise Damaged


def _whole_lines(file: IO[bytes], left: int) -> Iterator[bytes]:
    begun = b""
    while left:
        piece = file.read(min(left, PIECE_BYTES))
        if not piece:
            raise Damaged
        left -= len(piece)
        end = piece.rfind(b"\n") + 1
        if end:
            yield begun + piece[:end]
            begun = piece[end:]
        else:
            begun += piece
    if begun:
        raise Damaged


Write = Callable[[Dataset, Iterable[Sample], Streams, Options, Losses], JSON]
Join = Callable[[Dataset, list[Part], Output, Options], None]


@dataclass(frozen=True, slots=True)
class InParts:
    """A codec that writes parts, and puts them together; `write` returns the part's facts."""

    write: Write
    join: Join

    def whole(self, dataset: Dataset, samples: Iterable[Sample], out: Output, options: Options, losses: Losses) -> None:
        """All samples as one part."""
        streams = Streams(out.spool)
        facts = self.write(dataset, samples, streams, options, losses)
        with out.spool() as file:
            index = streams.put(file)
            self.join(dataset, [Part(_again(file), index, facts)], out, options)


def _again(file: IO[bytes]) -> Callable[[int], IO[bytes]]:
    def opened(start: int) -> IO[bytes]:
        return _Window(file, start)  # type: ignore[return-value]

    return opened


class _Window:
    """A file that is still needed when this is closed."""

    def __init__(self, file: IO[bytes], start: int) -> None:
        self._file, self._at = file, start

    def __enter__(self) -> _Window:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def read(self, size: int) -> bytes:
        self._file.seek(self._at)
        piece = self._file.read(size)
        self._at += len(piece)
        return piece
