"""An export as one archive: the files of a format, what it could not carry, and what was exported. No Django.

`losses.json` stands beside the files of the format: a line of its list for each thing that was left out or is not said
exactly, and how many there are of each kind. `export.json` says of what and with which format, version and options it
was made. Both are part of the archive, so of its hash.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import IO, Any

from releases.archives import Archive, Sink
from releases.formats.files import put_bytes, spool
from releases.formats.format import ExportStopped, Format, Losses, Options
from releases.formats.jsons import Lists, line
from releases.formats.parts import LOSSES as LOST
from releases.formats.parts import Part, Streams, Window
from releases.formats.pictures import tell_of_categories
from releases.formats.records import Dataset, Sample

JSON = dict[str, Any]

LOSSES, ABOUT = "losses.json", "export.json"
#: Samples that are made into a part at once, where nobody cuts them.
PART_SAMPLES = 250
#: How the note of an error begins that says at which sample a codec was.
AT_SAMPLE = "at sample "


@dataclass(frozen=True, slots=True)
class Packed:
    """What was written; `losses` are the kinds of things that were lost, with their numbers."""

    sha256: str
    size_bytes: int
    losses: list[JSON]


class Counted:
    """Hashes and counts what goes by."""

    def __init__(self, sink: Sink) -> None:
        self._sink, self.digest, self.size_bytes = sink, hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        self._sink.write(data)
        self.digest.update(data)
        self.size_bytes += len(data)


def pack(kind: Format, dataset: Dataset, samples: Iterable[Sample], options: Options, sink: Sink) -> Packed:
    """Write the archive. The same records, format, version and options give the same bytes.

    Raises:
        ExportStopped: something cannot be carried, and the options say to stop then.
    """
    parts: list[Part] = []
    left = iter(samples)
    with spool() as file:
        for first in left:
            start = file.seek(0, os.SEEK_END)
            found = pack_part(kind, dataset, chain([first], islice(left, PART_SAMPLES - 1)), options, file)
            parts.append(part_of(found, partial(_opened, file, start)))
        return pack_parts(kind, dataset, parts, options, sink)


def _opened(file: IO[bytes], base: int, start: int) -> IO[bytes]:
    return Window(file, base + start)  # type: ignore[return-value]


def pack_part(kind: Format, dataset: Dataset, samples: Iterable[Sample], options: Options, sink: Sink) -> JSON:
    """Write a part of an export, and return what `part_of` has to know of it.

    Raises:
        ExportStopped: something cannot be carried, and the options say to stop then.
        Exception: any other of the codec's has a note of the sample at which it was.
    """
    assert kind.parts is not None
    streams = Streams(spool)
    stop = options["losses"] == "stop"
    losses = Losses(stop=stop, tell=lambda lost: streams.add(LOST, line(lost) + b"\n"))
    if stop:
        for tell in (kind.parts.before, kind.parts.behind):
            tell(dataset, options, Losses(stop=True))
    try:
        facts = kind.parts.write(dataset, _each(samples, losses), streams, options, losses)
    except ExportStopped:
        raise
    except Exception as error:
        if losses.sample is not None:
            error.add_note(f"{AT_SAMPLE}{losses.sample}")
        raise
    return {"facts": facts, "losses": losses.summary(), "index": streams.put(sink)}


def part_of(found: JSON, opened: Callable[[int], IO[bytes]], beat: Callable[[], None] = lambda: None) -> Part:
    """A part of which `pack_part` returned this, and whose file `opened` gives at a byte."""
    return Part(opened, found["index"], found.get("facts", {}), found.get("losses", []), beat)


def pack_parts(kind: Format, dataset: Dataset, parts: list[Part], options: Options, sink: Sink) -> Packed:
    """The archive of all parts, in the order of their samples: the same bytes however the samples are cut.

    Raises:
        ExportStopped: something cannot be carried, and the options say to stop then.
        Damaged: a part is not what was written.
    """
    codec = kind.parts
    assert codec is not None
    with _Packing(kind, dataset, options, sink) as packing:
        tell_of_categories(kind, dataset, packing.losses)
        codec.before(dataset, options, packing.losses)
        codec.join(dataset, parts, packing.archive, options)
        packing.lists.extend("list", codec.told(dataset, parts, packing.losses))
        for part in parts:
            packing.losses.merge(part.losses)
        codec.behind(dataset, options, packing.losses)
    return packing.done()


def _each(samples: Iterable[Sample], losses: Losses) -> Iterator[Sample]:
    """Samples for a codec that is at the one that it read last; who reads ahead says itself at which it is."""
    for sample in samples:
        losses.sample = sample.name
        yield sample
        losses.sample = None


class _Packing:
    """An archive on its way: the files of the format, and behind them what was lost and what it is of."""

    def __init__(self, kind: Format, dataset: Dataset, options: Options, sink: Sink) -> None:
        self._kind, self._dataset, self._options = kind, dataset, options
        self._counted = Counted(sink)
        self.archive = Archive(self._counted)
        self.lists = Lists(self.archive, "list")
        self.losses = Losses(stop=options["losses"] == "stop", tell=lambda lost: self.lists.add("list", lost))

    def __enter__(self) -> _Packing:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        with self.archive:
            if kind is not None:
                return
            self.lists.put(LOSSES, {"format": self._kind.name, "summary": self.losses.summary()})
            about = {
                "dataset": self._dataset.name,
                "format": {"name": self._kind.name, "version": self._kind.version},
                "label_set": self._dataset.label_set,
                "options": dict(self._options.said),
                "stands": self._dataset.stands,
            }
            put_bytes(self.archive, ABOUT, line(about) + b"\n")
            self.archive.close()

    def done(self) -> Packed:
        return Packed(self._counted.digest.hexdigest(), self._counted.size_bytes, self.losses.summary())
