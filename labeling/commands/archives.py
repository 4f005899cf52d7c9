"""ZIP archives that somebody sent: their members one by one, and nothing of what an archive can do to its reader.

A member is read as a stream, by bounds on itself and on all of the archive. The list of members is measured before
Python's zipfile reads it, because that makes an object for each that the list names.
"""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

MOST_MEMBERS = 20_000
#: The list of that many members with the longest names that are sensible.
MOST_LIST_BYTES = 8 * 1024 * 1024
#: One member, unpacked.
MOST_BYTES = 100 * 1024 * 1024
#: All members, unpacked: this much, and so many times the archive. Pictures hardly shrink, a bomb a thousandfold.
FREE_BYTES = 256 * 1024 * 1024
MOST_TIMES = 25
CHUNK_BYTES = 1 << 20
#: zipfile bounds what a read returns for these two only.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1

END = b"PK\x05\x06"
END_BYTES = 22
END_64 = b"PK\x06\x06"
END_64_BYTES = 56
LOCATOR_64 = b"PK\x06\x07"
LOCATOR_64_BYTES = 20
ENTRY = b"PK\x01\x02"
ENTRY_BYTES = 46
COMMENT_BYTES = 0xFFFF

#: What systems put into archives beside what people chose.
LITTER = ("__MACOSX/",)
LITTER_NAMES = (".ds_store", "thumbs.db", "desktop.ini")


class BadArchive(ValueError):
    """The archive as a whole cannot be used; the text says why."""


class BadMember(ValueError):
    """One member cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive. `name` is its path there; `problem` says why it cannot be used, or nothing."""

    name: str
    problem: str
    info: zipfile.ZipInfo


class Archive:
    """An open archive of `file`, which can be sought; of members and bytes that its reader takes, or fewer.

    Raises:
        BadArchive: it is damaged, or holds too much.
    """

    def __init__(
        self,
        file: IO[bytes],
        *,
        most_members: int | None = None,
        most_bytes: int | None = None,
        free_bytes: int | None = None,
    ) -> None:
        size = file.seek(0, os.SEEK_END)
        self._most_bytes = most_bytes or MOST_BYTES
        _measure(file, size, most_members or MOST_MEMBERS)
        try:
            self._zip = zipfile.ZipFile(file)
        except Exception as error:  # as below
            raise BadArchive("this ZIP archive is damaged") from error
        self._left = (free_bytes or FREE_BYTES) + MOST_TIMES * size
        self.members = list(self._listed())

    def _listed(self) -> Iterator[Member]:
        seen: set[str] = set()
        for info in self._zip.infolist():
            name = info.filename.replace("\\", "/")
            last = name.rpartition("/")[2].lower()
            if info.is_dir() or name.startswith(LITTER) or last in LITTER_NAMES:
                continue
            problem = _problem(info, name, self._most_bytes)
            problem = problem or ("this name is in the archive twice" if name in seen else "")
            seen.add(name)
            yield Member(name, problem, info)

    def unpack(self, member: Member, into: IO[bytes]) -> None:
        """Write a member's bytes to `into`, and go back to its start.

        Raises:
            BadMember: it is damaged, too large, or the archive unpacks to too much.
        """
        size = 0
        for chunk in self._chunks(member):
            size += len(chunk)
            self._left -= len(chunk)
            if size > self._most_bytes:
                raise BadMember(_too_large(self._most_bytes))
            if self._left < 0:
                raise BadMember("the archive unpacks to far more than it is; send the rest in another one")
            into.write(chunk)
        into.seek(0)

    def _chunks(self, member: Member) -> Iterator[bytes]:
        try:
            with self._zip.open(member.info) as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        except Exception as error:  # zipfile raises what comes to it: BadZipFile, zlib.error, ValueError …
            raise BadMember("damaged in the archive") from error


def is_archive(file: IO[bytes], name: str) -> bool:
    """Whether it is to be read as a ZIP archive: it is called one, or begins as one."""
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    return name.lower().endswith(".zip") or start in (b"PK\x03\x04", END)


def _too_large(most_bytes: int) -> str:
    return f"larger than {max(100, most_bytes >> 20)} MB"


def _problem(info: zipfile.ZipInfo, name: str, most_bytes: int) -> str:
    """Why a member is not read at all."""
    parts = name.split("/")
    if "\0" in info.orig_filename or not name.isprintable():
        return "its name has characters that cannot be shown"
    if name.startswith("/") or (len(parts[0]) == 2 and parts[0].endswith(":")):
        return "its path is absolute; pack it with a relative one"
    if any(part in ("", ".", "..") for part in parts):
        return "its path leads out of the archive"
    if info.flag_bits & ENCRYPTED:
        return "encrypted; pack it without a password"
    if info.compress_type not in METHODS:
        return "packed in an uncommon way; use plain ZIP (deflate)"
    if info.file_size > most_bytes:
        return _too_large(most_bytes)
    return ""


def _measure(file: IO[bytes], size: int, most_members: int) -> None:
    """Walk the list of members before anybody makes objects of it.

    Raises:
        BadArchive: there is no list, or it is too long.
    """
    tail = min(size, END_BYTES + COMMENT_BYTES)
    file.seek(size - tail)
    text = file.read(tail)
    at = text.rfind(END)
    if at < 0 or len(text) - at < END_BYTES:
        raise BadArchive("this is no ZIP archive, or its end is missing")
    count, list_bytes = struct.unpack_from("<HI", text, at + 10)
    end = size - tail + at
    if end >= LOCATOR_64_BYTES:
        file.seek(end - LOCATOR_64_BYTES)
        if file.read(4) == LOCATOR_64:
            end -= LOCATOR_64_BYTES + END_64_BYTES
            file.seek(max(end, 0))
            found = file.read(END_64_BYTES)
            if len(found) < END_64_BYTES or not found.startswith(END_64):
                raise BadArchive("this ZIP archive is damaged")
            count, list_bytes = struct.unpack_from("<Q", found, 32)[0], struct.unpack_from("<Q", found, 40)[0]
    if count > most_members or list_bytes > MOST_LIST_BYTES * max(1, most_members // MOST_MEMBERS):
        raise BadArchive(f"this ZIP archive holds more than {most_members} files; split it")
    if list_bytes > end:
        raise BadArchive("this ZIP archive is damaged")
    file.seek(end - list_bytes)
    listed = file.read(list_bytes)
    # The count above is the sender's word; the list itself is what zipfile reads.
    if sum(1 for _ in _entries(listed)) > most_members:
        raise BadArchive(f"this ZIP archive holds more than {most_members} files; split it")


def _entries(listed: bytes) -> Iterator[int]:
    at = 0
    while at + ENTRY_BYTES <= len(listed) and listed[at : at + 4] == ENTRY:
        yield at
        at += ENTRY_BYTES + sum(struct.unpack_from("<HHH", listed, at + 28))
