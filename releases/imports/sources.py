"""The file of an import, opened: one file, or the members of a ZIP archive, by bounds on what they unpack to."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from labeling.commands.archives import MOST_TIMES, Archive, BadArchive, BadMember, Member, is_archive
from labeling.references import hostless
from releases.formats.files import Source

#: Of a file that is no archive, and of one member, unpacked: it is read into memory.
MOST_BYTES = 2 * 1024**3
#: A member may be this large however well it was packed (BMP files shrink a thousandfold); a larger one only so many
#: times its packed size.
FREE_MEMBER_BYTES = 100 * 1024**2
MOST_MEMBERS = 1_000_000
#: All members together, beside MOST_TIMES the archive.
FREE_BYTES = 4 * 1024**3


class Unusable(ValueError):
    """The file as a whole cannot be read; the text is for people and repeats nothing of it."""


class Members:
    """A ZIP archive as a codec's source. `problems` are (path, why) of members that are not read."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.problems: list[tuple[str, str]] = []
        self._members: dict[str, Member] = {}
        for nth, member in enumerate(archive.members):
            problem = member.problem or _bomb(member)
            if problem:
                self.problems.append((f"file {nth + 1} of the archive", problem))
            else:
                self._members[member.name] = member
        self._paths = sorted(self._members)

    def paths(self) -> list[str]:
        return list(self._paths)

    def read(self, path: str) -> bytes:
        """Raises KeyError where there is none, BadMember (a ValueError) where it is damaged or too large."""
        into = io.BytesIO()
        self._archive.unpack(self._members[path], into)
        return into.getvalue()


class One:
    """A file that is no archive."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self._name, self._file = name, file
        self.problems: list[tuple[str, str]] = []

    def paths(self) -> list[str]:
        return [self._name]

    def read(self, path: str) -> bytes:
        if path != self._name:
            raise KeyError(path)
        self._file.seek(0)
        return self._file.read()


class AtHome:
    """A source in whose JSON files references to files of ours have no host."""

    def __init__(self, source: Source, hosts: set[str]) -> None:
        self._source, self._hosts = source, hosts

    def paths(self) -> list[str]:
        return self._source.paths()

    def read(self, path: str) -> bytes:
        """Raises KeyError and BadMember as the source does."""
        data = self._source.read(path)
        return hostless(data, self._hosts) if path.endswith(".json") else data


@contextmanager
def opened(file: IO[bytes], name: str) -> Iterator[Members | One]:
    """The files to read of `file`, which can be sought.

    Raises:
        Unusable: it is empty, too large, or no archive though it is called one.
    """
    size = file.seek(0, os.SEEK_END)
    if not size:
        raise Unusable("The file is empty.")
    if is_archive(file, name):
        try:
            yield Members(Archive(file, most_members=MOST_MEMBERS, most_bytes=MOST_BYTES, free_bytes=FREE_BYTES))
        except BadArchive as error:
            raise Unusable(f"The archive cannot be read: {error}.") from error
        return
    if size > MOST_BYTES:
        raise Unusable("The file is larger than 2 GB; pack it into a ZIP archive, or split it.")
    yield One(name, file)


def _bomb(member: Member) -> str:
    info = member.info
    if info.file_size > max(FREE_MEMBER_BYTES, MOST_TIMES * info.compress_size):
        return "unpacks to far more than it is"
    return ""


__all__ = ["AtHome", "BadMember", "Members", "One", "Unusable", "opened"]
