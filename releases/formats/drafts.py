"""Files of a part, whose names are found when parts are put together: no two of an export may have one. Pure.

A codec that writes a file or files a picture asks a `Draft` for a name, and puts files under it. What stands in another
file and names such a file is a marked number (`jsons.marked`), in whose place the name comes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import IO

import orjson

from releases.formats.files import IN_MEMORY_BYTES, Output, Paths
from releases.formats.format import Options
from releases.formats.parts import Part, Streams
from releases.formats.records import Dataset

_NAMES, _FILES, _DATA = "names", "files", "data"
_PIECE_BYTES = 1 << 20


class Draft:
    """The names and files of a part while it is made."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._count = 0

    def name(self, name: str, ending: str = "", *, folder: str = "") -> int:
        """Ask for a path as `Paths.path` gives it; returns the number of the name that it will have: the path without
        folder and ending."""
        self._streams.add(_NAMES, orjson.dumps([name, ending, folder]) + b"\n")
        self._count += 1
        return self._count - 1

    def put(self, data: bytes | IO[bytes], name: int, *, before: str = "", after: str = "") -> None:
        """Put down a file; its path is the name of that number with what is before and after it."""
        size = 0
        if isinstance(data, bytes):
            self._streams.add(_DATA, data)
            size = len(data)
        else:
            data.seek(0)
            while piece := data.read(_PIECE_BYTES):
                self._streams.add(_DATA, piece)
                size += len(piece)
        self._streams.add(_FILES, orjson.dumps([before, name, after, size]) + b"\n")

    def file(self, data: bytes, name: str, ending: str, *, folder: str = "", after: str = "") -> int:
        """Put down a file of its own name; returns the number of the name. `after` comes behind the ending."""
        number = self.name(name, ending, folder=folder)
        self.put(data, number, before=f"{folder}/" if folder else "", after=ending + after)
        return number


def put_down(parts: list[Part], out: Output) -> Iterator[tuple[Part, list[str]]]:
    """Put down the files of parts, one part after the other; gives each with the names that it asked for.

    Raises:
        Damaged: a part is not what was written.
    """
    paths = Paths()
    for part in parts:
        names = [_named(paths, *orjson.loads(line)) for line in part.lines(_NAMES)]
        with part.reading(_DATA) as read:
            for line in part.lines(_FILES):
                before, name, after, size = orjson.loads(line)
                path = f"{before}{names[name]}{after}"
                if size <= IN_MEMORY_BYTES:
                    out.put(path, io.BytesIO(read(size)))
                    continue
                with out.spool() as file:
                    while size:
                        size -= file.write(read(min(size, _PIECE_BYTES)))
                    out.put(path, file)
        yield part, names


def put_all(parts: list[Part], out: Output) -> None:
    """Put down the files of parts, where nothing else says their names.

    Raises:
        Damaged: as `put_down`.
    """
    for _ in put_down(parts, out):
        pass


def join(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """The files of all parts: what a codec does that has no others."""
    put_all(parts, out)


def paths_of(names: list[str], before: str, after: str) -> Callable[[int], str]:
    """The path of a file by the number of its name."""
    return lambda number: f"{before}{names[number]}{after}"


def _named(paths: Paths, name: str, ending: str, folder: str) -> str:
    path = paths.path(name, ending, folder=folder)
    return path[len(folder) + 1 if folder else 0 : len(path) - len(ending)]
