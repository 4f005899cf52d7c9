"""JSON files that are written while a dataset is gone through: canonical values, a line each. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from io import BytesIO
from typing import IO, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from labeling.log import values
from releases.formats.files import Joined, Output
from releases.formats.parts import Part
from releases.formats.records import WHOLE

JSON = dict[str, Any]


def listed(pieces: Iterable[bytes], *, first: bool = True) -> Iterator[bytes]:
    """Lines as the elements of a JSON list: a comma and a line feed between them, a line feed before the first."""
    for piece in pieces:
        yield (b"\n" if first else b",\n") + piece[:-1].replace(b"\n", b",\n")
        first = False


def line(value: Any) -> bytes:
    """A value as canonical JSON, with long integers as numbers."""
    return values.canonical(values.untagged(value)) if _holds_tags(value) else values.canonical(value)


def written(value: Any) -> bytes:
    """A value as JSON text, to be read again."""
    return orjson.dumps(value)


def numbers(value: Any) -> bytes:
    """A number, or numbers in lists, as canonical JSON.

    Raises:
        ValueError: one is not finite.
    """
    written = orjson.dumps(value)
    if b"e" in written or b"-0.0" in written or b"null" in written:
        return values.canonical(value)
    return written.replace(b".0,", b",").replace(b".0]", b"]").removesuffix(b".0")


def marked(value: JSON, *names: str) -> bytes:
    """An object as a line of canonical JSON, but for these members: whole numbers, for which `filled` puts others.

    A space stands in front of each, which canonical JSON has nowhere outside of text, where a quote is escaped.
    """
    pieces: list[bytes] = []
    above = ""
    for name in sorted(names):
        pieces += _members({key: item for key, item in value.items() if above < key < name and key not in names})
        pieces.append(b'"%b": %d' % (name.encode(), value[name]))
        above = name
    pieces += _members({key: item for key, item in value.items() if above < key})
    return b"{%b}\n" % b",".join(pieces)


def _members(value: JSON) -> list[bytes]:
    return [line(value)[1:-1]] if value else []


def filled(pieces: Iterable[bytes], **found: Callable[[int], Any]) -> Iterator[bytes]:
    """Lines in which the marked members of these names have the values that are found for their numbers."""
    pattern = re.compile(rb'"(%b)": ([0-9]+)' % b"|".join(name.encode() for name in found))

    def fill(match: re.Match[bytes]) -> bytes:
        value = found[match[1].decode()](int(match[2]))
        # Mostly it is the number of a line, which is canonical as it stands.
        return b'"%b":%b' % (
            match[1],
            b"%d" % value if type(value) is int and -_SMALL < value < _SMALL else line(value),
        )

    for piece in pieces:
        yield pattern.sub(fill, piece)


_SMALL = 1 << 31


def rings(points: NDArray[np.float64], sizes: NDArray[np.int64]) -> list[bytes]:
    """Rings of points (V, 2) that stand one behind the other, `sizes` (R,) vertices each: of each ring its numbers as
    canonical JSON, with commas between them and without brackets.

    Raises:
        ValueError: one is not finite.
    """
    return rows(points.reshape(-1), 2 * sizes)


def rows(found: NDArray[np.float64], sizes: NDArray[np.int64]) -> list[bytes]:
    """Rows of numbers (N,) that stand one behind the other, `sizes` (R,) numbers each, written as `rings` are.

    Raises:
        ValueError: one is not finite.
    """
    if not np.isfinite(found).all():
        raise ValueError("a number is not finite")
    # What is no number is written as null, and so ends the rows.
    ends = np.cumsum(sizes + 1) - 1
    marked = np.empty(found.size + sizes.size)
    is_number = np.ones(marked.size, dtype=bool)
    is_number[ends] = False
    marked[is_number] = found + 0.0  # -0.0 is 0
    marked[ends] = np.nan
    written = orjson.dumps(marked, option=orjson.OPT_SERIALIZE_NUMPY)
    if b"e" in written:
        return [numbers(row.tolist())[1:-1] for row in np.split(found, np.cumsum(sizes)[:-1])]
    return _parted(written) if sizes.size else []


def _parted(written: bytes) -> list[bytes]:
    """The texts that end with a null in the text of a list, without `.0`: by arrays, for `replace` and `split` of so
    many take twice as long."""
    letters = np.frombuffer(written, dtype=np.uint8).copy()
    wholes = np.flatnonzero((letters[:-2] == ord(".")) & (letters[1:-1] == ord("0")) & (letters[2:] == ord(",")))
    nulls = np.flatnonzero(letters == ord("n"))
    letters[nulls] = ord("\n")
    is_kept = np.ones(letters.size, dtype=bool)
    is_kept[np.concatenate([wholes, wholes + 1, *(nulls + place for place in (-1, 1, 2, 3, 4))])] = False
    is_kept[0] = False
    return letters[is_kept].tobytes()[:-1].split(b"\n")


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
        with ExitStack() as opened:
            files: list[IO[bytes]] = []
            for number, name in enumerate(sorted({*self._spools, *rest})):
                head = (b",\n" if number else b"{") + orjson.dumps(name) + b":"
                if name in rest:
                    files.append(BytesIO(head + line(rest[name])))
                else:
                    spool = opened.enter_context(self._spools[name])
                    files += [BytesIO(head + b"["), spool, BytesIO(b"\n]" if self.counts[name] else b"]")]
            self._out.put(path, Joined([*files, BytesIO(b"}\n")]))  # type: ignore[arg-type]


class Splits:
    """The files of splits, each begun when its split comes up. A part has a stream `{split}/{list}` for every list."""

    def __init__(self, out: Output, *names: str) -> None:
        self._out, self._names = out, names
        self._files: dict[str, Lists] = {}

    def extend(self, part: Part, **marks: Mapping[str, Callable[[int], Any]]) -> None:
        """Take in a part; `marks` says of each list what is found for its marked members."""
        for stream in part.names():
            split, _, name = stream.rpartition("/")
            if name in marks:
                if split not in self._files:
                    self._files[split] = Lists(self._out, *self._names)
                self._files[split].extend(name, filled(part.pieces(stream), **marks[name]))

    def files(self) -> Iterable[tuple[str, Lists]]:
        """The splits with their lists; of nothing there is a file too."""
        return self._files.items() or [(WHOLE, Lists(self._out, *self._names))]


def parsed(data: bytes) -> Any:
    """The value of a JSON file of others. Not as strict as what the API takes: a record is checked when it is used.

    Raises:
        ValueError: it is no JSON text.
    """
    return orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
