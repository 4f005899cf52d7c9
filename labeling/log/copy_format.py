"""Cells of rows as COPY takes them: as text, or in its binary format, where nothing has to be spelled. Pure.

Both are described under "File Formats" of https://www.postgresql.org/docs/current/sql-copy.html. In the binary format a
number is big-endian, a uuid is its 16 bytes, and a jsonb a byte for its version, 1, and its text.
"""

from __future__ import annotations

from struct import Struct

#: What a file in the binary format begins and ends with.
SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END = b"\xff\xff"
#: A cell that is null.
NULL = b"\xff\xff\xff\xff"

_LENGTH = Struct(">i")
_OF_JSON = Struct(">iB")
_BIGINT = Struct(">iq")


def cell(value: bytes) -> bytes:
    """A binary cell: text, or a uuid."""
    return _LENGTH.pack(len(value)) + value


def bigint(number: int) -> bytes:
    """A binary cell of a bigint."""
    return _BIGINT.pack(8, number)


def json_head(text: bytes) -> bytes:
    """What comes before JSON to make it a binary cell of a jsonb."""
    return _OF_JSON.pack(len(text) + 1, 1)


def json_text(text: bytes) -> bytes:
    """JSON as COPY takes it. It has no tabs and no ends of lines: what COPY could take for its own is the backslash."""
    return text.replace(b"\\", b"\\\\") if b"\\" in text else text


def spelled_text(text: str) -> str:
    """Text as COPY takes it."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\t" in text or "\n" in text or "\r" in text:
        text = text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return text
