"""JSON files that are written while a dataset is gone through: canonical values, a line each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Any

import orjson

from labeling.log import values
from releases.formats.files import Output

JSON = dict[str, Any]


def listed(pieces: Iterable[bytes], *, first: bool = True) -> Iterator[bytes]:
    """Lines as the elements of a JSON list: a comma and a line feed between them, a line feed before the first."""
    for piece in pieces:
        yield (b"\n" if first else b",\n") + piece[:-1].replace(b"\n", b",\n")
        first = False


def line(value: Any) -> bytes:
    """A value as canonical JSON, with long integers as numbers."""
    return values.canonical(values.untagged(value)) if _holds_tags(value) else values.canonical(value)


def numbers(value: Any) -> bytes:
    """A number, or numbers in lists, as canonical JSON.

    Raises:
        ValueError: one is not finite.
    """
    written = orjson.dumps(value)
    if b"e" in written or b"-0.0" in written or b"null" in written:
        return values.canonical(value)
    return written.replace(b".0,", b",").replace(b".0]", b"]").removesuffix(b".0")


def _holds_tags(value: Any) -> bool:
    return values.TAG in value if isinstance(value, dict) else False


class Lists:
    """The lists of one JSON object, each grown by itself and put together at the end in the order of their names."""

    def __init__(self, out: Output, *names: str) -> None:
        self._out = out
        self._spools: dict[str, IO[bytes]] = {name: out.spool() for name in names}
        self.counts = dict.fromkeys(names, 0)

    def add(self, name: str, value: Any) -> None:
        """One more element of a list."""
        spool = self._spools[name]
        spool.write((b",\n" if self.counts[name] else b"\n") + line(value))
        self.counts[name] += 1

    def extend(self, name: str, pieces: Iterable[bytes]) -> None:
        """More elements of a list: lines of canonical JSON, each ending with a line feed."""
        spool = self._spools[name]
        for piece in listed(pieces, first=not self.counts[name]):
            spool.write(piece)
            self.counts[name] += 1

    def put(self, path: str, rest: JSON) -> None:
        """Put down the file: the lists and the members of `rest`."""
        with self._out.spool() as file:
            written = 0
            for name in sorted({*self._spools, *rest}):
                file.write((b",\n" if written else b"{") + orjson.dumps(name) + b":")
                written += 1
                if name in rest:
                    file.write(line(rest[name]))
                    continue
                with self._spools[name] as spool:
                    spool.seek(0)
                    file.write(b"[")
                    while piece := spool.read(1 << 20):
                        file.write(piece)
                    file.write(b"\n]" if self.counts[name] else b"]")
            file.write(b"}\n")
            file.seek(0)
            self._out.put(path, file)


def parsed(data: bytes) -> Any:
    """The value of a JSON file of others. Not as strict as what the API takes: a record is checked when it is used.

    Raises:
        ValueError: it is no JSON text.
    """
    return orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
