"""The files that a codec writes and reads: named, in folders, and nowhere in particular. Pure.

A codec may have several files open at once. They are put down in the order in which they are closed, so that an archive
can be written while a dataset is gone through.
"""

from __future__ import annotations

import io
import re
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import IO, Literal, Protocol

#: A file is held in memory until it is that large.
IN_MEMORY_BYTES = 1 << 20
_RESERVED = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')


class Output(Protocol):
    """Where files go."""

    def put(self, path: str, data: IO[bytes]) -> None:
        """Put down a file, read from its start. No two have one path."""

    def spool(self) -> IO[bytes]:
        """A file to write and read again, that goes when it is closed."""


@contextmanager
def opened(out: Output, path: str) -> Iterator[IO[bytes]]:
    """A file to write, put down at the end; not after an error."""
    with out.spool() as file:
        yield file
        file.seek(0)
        out.put(path, file)


class Joined:
    """Files one behind the other, to be read from the start of the first: so they need not be copied into one."""

    def __init__(self, files: list[IO[bytes]]) -> None:
        self._files, self._at = files, 0

    def seek(self, start: Literal[0]) -> int:
        for file in self._files:
            file.seek(start)
        self._at = 0
        return 0

    def read(self, size: int) -> bytes:
        """At most so many bytes, maybe fewer; none at the end of the last."""
        while self._at < len(self._files):
            if piece := self._files[self._at].read(size):
                return piece
            self._at += 1
        return b""


def put_bytes(out: Output, path: str, data: bytes) -> None:
    """Put down a small file."""
    out.put(path, io.BytesIO(data))


def spool() -> IO[bytes]:
    """A file to write and read again, in memory while it is small; it goes when it is closed."""
    return tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)


class Paths:
    """Names of people made into paths that every file system takes, each given once."""

    def __init__(self) -> None:
        self._taken: set[bytes] = set()

    def path(self, name: str, ending: str = "", *, folder: str = "") -> str:
        """A path below `folder`; without the ending of a picture where `ending` is given instead.

        Two names that would have one path (also where only case tells them apart) get a number.
        """
        steps = [_step(step) for step in name.replace("\\", "/").split("/")]
        safe = "/".join(step for step in steps if step) or "unnamed"
        if ending:
            safe = without_ending(safe)
        stem, last = (safe, ending) if ending else _split(safe)
        number = 1
        while True:
            tried = f"{stem}~{number}{last}" if number > 1 else f"{stem}{last}"
            whole = f"{folder}/{tried}" if folder else tried
            key = blake2b(whole.casefold().encode(), digest_size=8).digest()
            if key not in self._taken:
                self._taken.add(key)
                return whole
            number += 1


def without_ending(path: str) -> str:
    """A path without the ending of a picture; any other dot belongs to the name."""
    stem, last = _split(path)
    return stem if last.lower() in _PICTURES else path


_PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff"}


def _split(path: str) -> tuple[str, str]:
    dot = path.rfind(".")
    return (path[:dot], path[dot:]) if dot > path.rfind("/") + 1 else (path, "")


def _step(step: str) -> str:
    step = _RESERVED.sub("_", unicodedata.normalize("NFC", step)).strip()
    return "" if step.strip(". ") == "" else step.rstrip(". ")[:120]


# --- reading -------------------------------------------------------------------------------------------------------


class Source(Protocol):
    """Files to read: their paths, ascending, with slashes."""

    def paths(self) -> list[str]: ...

    def read(self, path: str) -> bytes:
        """Raises KeyError where there is none, ValueError where it is larger than may be."""


class Given:
    """Files that are in memory."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    def paths(self) -> list[str]:
        return sorted(self._files)

    def read(self, path: str) -> bytes:
        return self._files[path]


class Folder:
    """Files of a directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def paths(self) -> list[str]:
        return sorted(item.relative_to(self._root).as_posix() for item in self._root.rglob("*") if item.is_file())

    def read(self, path: str) -> bytes:
        try:
            return (self._root / path).read_bytes()
        except FileNotFoundError as error:
            raise KeyError(path) from error


class Zipped:
    """Files of a ZIP archive, each read when it is asked for, and none that is larger than `most_bytes`."""

    def __init__(self, file: IO[bytes], *, most_bytes: int = 1 << 30) -> None:
        self._zip = zipfile.ZipFile(file)
        self._most_bytes = most_bytes

    def paths(self) -> list[str]:
        return sorted({name for name in self._zip.namelist() if not name.endswith("/") and _is_within(name)})

    def read(self, path: str) -> bytes:
        if self._zip.getinfo(path).file_size > self._most_bytes:
            raise ValueError(path)
        with self._zip.open(path) as file:
            data = file.read(self._most_bytes + 1)
        if len(data) > self._most_bytes:
            raise ValueError(path)
        return data


def _is_within(name: str) -> bool:
    steps = name.replace("\\", "/").split("/")
    return not name.startswith("/") and ".." not in steps and "__MACOSX" not in steps
