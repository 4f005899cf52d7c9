"""Ids of what an import makes: the same however often the file is read, and in the order of the file. Pure.

What is brought together lies together in every index then, where ids by chance would touch a page of it for each row.
"""

from __future__ import annotations

import hashlib
import uuid


class Ids:
    """The ids of one import: UUIDs of version 8 (RFC 9562, 5.8). They begin with 60 bits of a hash of the import's own,
    and end with 34 bits of the number of the record and 28 of its object's; no file has so many of either."""

    def __init__(self, import_id: uuid.UUID) -> None:
        head = hashlib.sha256(import_id.bytes).hexdigest()
        self._head = f"{head[:8]}-{head[8:12]}-8{head[12:15]}-"

    def of_sample(self, record: int) -> str:
        """The id of the sample of a record, counted from 1."""
        return object_id(self.of_record(record), 0)

    def of_record(self, record: int) -> str:
        """What the ids of its objects begin with."""
        number = f"{0b10 << 34 | record:x}"
        return f"{self._head}{number[:4]}-{number[4:]}"


def object_id(record: str, number: int) -> str:
    """The id of an object of a record, counted from 1."""
    return f"{record}{number:07x}"
