"""The whole of a release that is the difference to another: put together line by line while it is read."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack

from releases import files
from releases.check_release import joined, lines_of
from releases.models import Release, ReleaseBuild
from releases.serving import PIECE_BYTES


class BaseLost(Exception):
    """The file of a release that another is the difference to is not in the storage; `release` is the one."""

    def __init__(self, release: uuid.UUID) -> None:
        super().__init__(str(release))
        self.release = release


class Whole:
    """A file to read lines or pieces from, and to close.

    Raises:
        BaseLost: the file of it, or of one of its bases, is not in the storage.
    """

    def __init__(self, release: Release, build: ReleaseBuild) -> None:
        self._open = ExitStack()
        try:
            self._lines = self._of(release, build)
        except BaseException:
            self._open.close()
            raise

    def _of(self, release: Release, build: ReleaseBuild) -> Iterator[bytes]:
        named = release.terms.get("base")
        first = self._read(build)
        if named is None:
            return first
        base = uuid.UUID(named["release"])
        row, below = Release.objects.get(id=base), ReleaseBuild.objects.filter(release_id=base).first()
        if below is None:
            raise BaseLost(base)
        # It is gone through twice, so it is opened twice.
        passes = iter([first, self._read(build)])
        return lines_of(joined(self._of(row, below), lambda: next(passes)))

    def _read(self, build: ReleaseBuild) -> Iterator[bytes]:
        try:
            file = self._open.enter_context(files.read(build.path)) if build.path else None
        except FileNotFoundError:
            file = None
        if file is None:
            raise BaseLost(build.release_id)
        return lines_of(file.chunks(PIECE_BYTES))

    def readlines(self, hint: int, /) -> list[bytes]:
        """Lines that are together about so long; none at the end."""
        found, size = [], 0
        for line in self._lines:
            found.append(line)
            size += len(line)
            if size >= hint:
                break
        return found

    def chunks(self, size: int) -> Iterator[bytes]:
        """All of it, in pieces of about that size."""
        while lines := self.readlines(size):
            yield b"".join(lines)

    def close(self) -> None:
        """Close every file."""
        self._open.close()
