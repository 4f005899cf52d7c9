"""Ids of what an import makes: the same however often the file is read, and in the order of the file. Pure.

What is brought together lies together in every index then, where ids by chance would touch a page of it for each row.
"""

from __future__ import annotations

import hashlib
import uuid

#: How many of the last 62 bits count the objects of a record; the others count records. No file has so many of either.
_OBJECT = 26


class Ids:
    """The ids of one import: UUIDs of version 8 (RFC 9562, 5.8). They begin with 60 bits of a hash of the import's own,
    and end with the number of the record and that of its object."""

    def __init__(self, import_id: uuid.UUID) -> None:
        head = hashlib.sha256(import_id.bytes).hexdigest()
        self._head = f"{head[:8]}-{head[8:12]}-8{head[12:15]}-"

    def of_sample(self, record: int) -> str:
        """The id of the sample of a record, counted from 1."""
        return self.of_object(record, 0)

    def of_object(self, record: int, number: int) -> str:
        """The id of one of its objects, counted from 1."""
        tail = f"{0b10 << 62 | record << _OBJECT | number:x}"
        return f"{self._head}{tail[:4]}-{tail[4:]}"
