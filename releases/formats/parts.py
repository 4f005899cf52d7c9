"""Parts of an export: what a stretch of the samples becomes, made by itself and put together in their order. Pure.

A part is some streams of whole lines, each by a name, and facts about them as JSON. Nothing in it depends on the parts
before it: where a number counts on over the whole export, the part says it as counted from its own first, and whoever
puts the parts together adds what came before. So the bytes of an export do not depend on how its samples are cut into
parts, nor on who makes which part when.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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
        """One more line, or several, with their line feeds; of a stream that is read by `Part.reading`, any bytes."""
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
    the codec says of it, `losses` a summary of what it could not carry. `beat` is called while it is read."""

    opened: Callable[[int], IO[bytes]]
    index: JSON
    facts: JSON = field(default_factory=dict)
    losses: list[JSON] = field(default_factory=list)
    beat: Callable[[], None] = lambda: None

    def names(self) -> list[str]:
        return [name for name, _ in self.index["streams"]]

    def pieces(self, name: str) -> Iterator[bytes]:
        """A stream, whole lines at a time; nothing where there is none of that name.

        Raises:
            Damaged: the file is too short.
        """
        start, size = self._place(name)
        if not size:
            return
        with self.opened(start) as file:
            for piece in _whole_lines(file, size):
                self.beat()
                yield piece

    def lines(self, name: str) -> Iterator[bytes]:
        """A stream line by line, without the line feeds.

        Raises:
            Damaged: the file is too short.
        """
        for piece in self.pieces(name):
            yield from piece.split(b"\n")[:-1]

    @contextmanager
    def reading(self, name: str) -> Iterator[Callable[[int], bytes]]:
        """Gives what reads a stream of any bytes: so many of them, behind those that it read before.

        Raises:
            Damaged: while it is read: the file is too short.
        """
        start, _ = self._place(name)
        with self.opened(start) as file:

            def read(size: int) -> bytes:
                self.beat()
                found = b""
                while len(found) < size:
                    piece = file.read(size - len(found))
                    if not piece:
                        raise Damaged
                    found += piece
                return found

            yield read

    def _place(self, name: str) -> tuple[int, int]:
        """(where a stream begins, how long it is); of one that there is none of nothing."""
        start = 0
        for other, size in self.index["streams"]:
            if other == name:
                return start, size
            start += size
        return 0, 0

    def check(self) -> None:
        """Read the file once.

        Raises:
            Damaged: it is not what was written.
        """
        left, checksum = sum(size for _, size in self.index["streams"]), 0
        with self.opened(0) as file:
            while left and (piece := file.read(min(left, PIECE_BYTES))):
                self.beat()
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


LOSSES = "losses"

Write = Callable[[Dataset, Iterable[Sample], Streams, Options, Losses], JSON]
Join = Callable[[Dataset, list[Part], Output, Options], None]
#: Lists what of the dataset itself, and not of a sample, cannot be carried.
Tell = Callable[[Dataset, Options, Losses], None]
Told = Callable[[Dataset, list[Part], Losses], Iterator[bytes]]


def nothing(dataset: Dataset, options: Options, losses: Losses) -> None:
    """Nothing of the dataset is lost."""


def as_written(dataset: Dataset, parts: list[Part], losses: Losses) -> Iterator[bytes]:
    """The lines of what parts could not carry."""
    for part in parts:
        yield from part.pieces(LOSSES)


@dataclass(frozen=True, slots=True)
class InParts:
    """A codec that writes parts, and puts them together; `write` returns the part's facts.

    `before` and `behind` list what of the dataset is lost in front of what of its samples is, and behind it; `told`
    gives the lines of the latter, where what is lost shows only when parts are put together.
    """

    write: Write
    join: Join
    before: Tell = nothing
    behind: Tell = nothing
    told: Told = as_written


class Window:
    """The rest of a file from a byte on; the file is still needed when this is closed."""

    def __init__(self, file: IO[bytes], start: int) -> None:
        self._file, self._at = file, start

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def read(self, size: int) -> bytes:
        self._file.seek(self._at)
        piece = self._file.read(size)
        self._at += len(piece)
        return piece
