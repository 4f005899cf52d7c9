"""An export as one archive: the files of a format, what it could not carry, and what was exported. No Django.

`losses.json` stands beside the files of the format: a line of its list for each thing that was left out or is not said
exactly, and how many there are of each kind. `export.json` says of what and with which format, version and options it
was made. Both are part of the archive, so of its hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from releases.archives import Archive, Sink
from releases.formats.files import put_bytes
from releases.formats.format import Format, Losses, Options
from releases.formats.jsons import Lists, line
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
    counted = Counted(sink)
    with Archive(counted) as archive:
        lists = Lists(archive, "list")
        losses = Losses(stop=options["losses"] == "stop", tell=lambda lost: lists.add("list", lost))
        kind.write(dataset, samples, archive, options, losses)
        lists.put(LOSSES, {"format": kind.name, "summary": losses.summary()})
        about = {
            "dataset": dataset.name,
            "format": {"name": kind.name, "version": kind.version},
            "label_set": dataset.label_set,
            "options": dict(options.said),
            "stands": dataset.stands,
        }
        put_bytes(archive, ABOUT, line(about) + b"\n")
        archive.close()
    return Packed(counted.digest.hexdigest(), counted.size_bytes, losses.summary())
