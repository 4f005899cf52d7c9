"""An export as one archive: the files of a format, what it could not carry, and what was exported. No Django.

`losses.json` stands beside the files of the format: a line of its list for each thing that was left out or is not said
exactly, and how many there are of each kind. `export.json` says of what and with which format, version and options it
was made. Both are part of the archive, so of its hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from releases.archives import Archive, Sink
from releases.formats import native
from releases.formats.files import put_bytes, spool
from releases.formats.format import Format, Losses, Options
from releases.formats.jsons import Lists, line
from releases.formats.parts import Part, Streams
from releases.formats.records import Dataset, Sample

JSON = dict[str, Any]

LOSSES, ABOUT = "losses.json", "export.json"


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
    assert kind.write is not None
    with _Packing(kind, dataset, options, sink) as packing:
        kind.write(dataset, samples, packing.archive, options, packing.losses)
    return packing.done()


# --- in parts --------------------------------------------------------------------------------------------------------
# A format that can be written in parts is; of any other a part is its records, read from the log once and for all.

_LOSSES, _RECORDS = "losses", "records"


def pack_part(kind: Format, dataset: Dataset, samples: Iterable[Sample], options: Options, sink: Sink) -> JSON:
    """Write a part of an export, and return what `pack_parts` has to know of it.

    Raises:
        ExportStopped: something cannot be carried, and the options say to stop then.
    """
    streams = Streams(spool)
    found: JSON = {}
    if kind.parts is None:
        for sample in samples:
            streams.add(_RECORDS, native.record(sample))
    else:
        losses = Losses(stop=options["losses"] == "stop", tell=lambda lost: streams.add(_LOSSES, line(lost) + b"\n"))
        found["facts"] = kind.parts.write(dataset, samples, streams, options, losses)
        found["losses"] = losses.summary()
    return found | {"index": streams.put(sink)}


def pack_parts(kind: Format, dataset: Dataset, parts: list[Part], options: Options, sink: Sink) -> Packed:
    """The archive of all parts, in the order of their samples: byte for byte what `pack` writes of the samples.

    Raises:
        ExportStopped: something cannot be carried, and the options say to stop then.
        Damaged: a part is not what was written.
    """
    if kind.parts is None:
        return pack(kind, dataset, _records(parts), options, sink)
    with _Packing(kind, dataset, options, sink) as packing:
        kind.parts.join(dataset, parts, packing.archive, options)
        for part in parts:
            packing.lists.extend("list", part.pieces(_LOSSES))
            packing.losses.merge(part.losses)
    return packing.done()


def _records(parts: list[Part]) -> Iterator[Sample]:
    for part in parts:
        for piece in part.pieces(_RECORDS):
            yield from map(native.sample_of, piece.splitlines())


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
