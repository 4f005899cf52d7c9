"""A stored release file on its way to a reader: with the public address and usernames put in, piece by piece."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Protocol

import orjson

from labeling.references import served
from releases.formats.segments import PERSON

#: Lines are served together until they are this long; one line, a sample, is never cut.
PIECE_BYTES = 1 << 18


class Lines(Protocol):
    """A file to read lines from."""

    def readlines(self, hint: int, /) -> list[bytes]: ...


def pieces(
    file: Lines, *, public_url: str, usernames: Callable[[set[uuid.UUID]], dict[uuid.UUID, str]]
) -> Iterator[bytes]:
    """The file as it is served. A person without an account any more stays an id."""
    known: dict[bytes, bytes] = {}
    while lines := file.readlines(PIECE_BYTES):
        piece = served(b"".join(lines), public_url)
        unknown = {person for person in PERSON.findall(piece) if person not in known}
        if unknown:
            names = usernames({uuid.UUID(person.decode()) for person in unknown})
            for person in unknown:
                name = names.get(uuid.UUID(person.decode()))
                known[person] = b'"%b"' % person if name is None else orjson.dumps(name)
        yield PERSON.sub(lambda found: b'":' + known[found[1]], piece)
