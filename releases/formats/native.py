"""Our own archive, with everything that a label holds: `dataset.json`, and a line a sample in `samples.jsonl`; if asked
for also `events.jsonl`, the events that all of it was folded from (`histories`). Pure.

The lines are canonical JSON in the order in which the samples were added. A sample says what it is; its annotations, or
its frames and tracks with their keyframes, remove-keyframes and what was set between them; holes, parts, named points,
orientations, scores, links, provenance. Nothing is clipped, converted or left out, whatever the options say. Reading
gives the records that were written. What the fields are called is here, in `_FIELDS`, and only here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

from labeling.log import values
from releases.formats import histories, jsons
from releases.formats.files import Output, Source, opened, put_bytes
from releases.formats.format import (
    FEATURES,
    GEOMETRIES,
    LEFT_OUT,
    OF_CATEGORIES,
    ExportStopped,
    Findings,
    Format,
    Losses,
    Option,
    Options,
    UnreadableFile,
    carrying,
)
from releases.formats.parts import InParts, Part, Streams
from releases.formats.records import Annotation, Category, Dataset, Frame, Imported, Sample, Track
from sequences.rules.timeline import Clock

JSON = dict[str, Any]

FORMAT, VERSION = "palimpsest", 1
_DATASET, _SAMPLES, _EVENTS = "dataset.json", "samples.jsonl", "events.jsonl"
EVENTS = Option("events", ("no", "yes"), "The events that led there, too; for members, and of whole datasets only.")
#: After so many events it is said that the export is at work.
_BEAT_EVENTS = 1000
#: Fields of a sample that are written as they are.
_FIELDS = (
    "name", "uuid", "width", "height", "url", "split", "status", "score", "scene", "classifications",
    "default_classification", "is_sequence", "metadata", "attributes", "document",
)  # fmt: skip


def write(dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses) -> JSON:
    """The lines of samples."""
    for sample in samples:
        streams.add(_SAMPLES, values.canonical(_sample(sample)) + b"\n")
    return {}


def join(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """The files."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "name": dataset.name,
        "description": dataset.description,
        "task_type": dataset.task_type,
        "task_attributes": dataset.task_attributes,
        "image_attributes": list(dataset.image_attributes),
        "categories": [_plain(asdict(item)) for item in dataset.categories],
        "label_set": dataset.label_set,
        "stands": dataset.stands,
    }
    put_bytes(out, _DATASET, jsons.line(head) + b"\n")
    with opened(out, _SAMPLES) as file:
        for part in parts:
            for piece in part.pieces(_SAMPLES):
                file.write(piece)
    if options["events"] == "no" or dataset.events is None:
        return
    with opened(out, _EVENTS) as file:
        for nth, event in enumerate(dataset.events):
            if parts and nth % _BEAT_EVENTS == 0:
                parts[0].beat()  # they are in no part, and there may be more of them than of all else
            file.write(histories.line(event))


def tell_of_events(dataset: Dataset, options: Options, losses: Losses) -> None:
    """List the events, where they were asked for and the release holds less than they tell.

    Raises:
        ExportStopped: that is so, and losses are to stop the export.
    """
    if options["events"] == "no" or dataset.events is not None:
        return
    if losses.stop:
        raise ExportStopped("The events would be left out, because the release holds a part of its dataset.")
    losses.add("events", LEFT_OUT, sample="", said="the release holds a part of its dataset")


def _sample(sample: Sample) -> JSON:
    found: JSON = {name: getattr(sample, name) for name in _FIELDS}
    if not sample.is_sequence:
        found["annotations"] = [_sparse(item) for item in sample.annotations]
        return found
    found["frames"] = [_sparse(frame) for frame in sample.frames]
    found["tracks"] = [
        _sparse(track) | {"entries": {str(frame): entry for frame, entry in sorted(track.entries.items())}}
        for track in sample.tracks
    ]
    if sample.clock is not None:
        clock = sample.clock
        found["clock"] = {
            "frames": clock.frames,
            "times": None if clock.times is None else [_long(time) for time in clock.times],
            "extrapolate": clock.extrapolate,
            "hold": clock.hold,
        }
    return found


def _sparse(item: Annotation | Frame | Track) -> JSON:
    """The fields that are not at their defaults, so that lines stay short."""
    found: JSON = {}
    for field in fields(item):
        value = getattr(item, field.name)
        if value is None or value == "" or value == {} or value == [] or not field.compare:
            continue
        found[field.name] = value
    return found | {"category_id": item.category_id} if isinstance(item, Annotation | Track) else found


def _long(time: float) -> Any:
    """A time, tagged where it is longer than JSON's numbers are."""
    return values.tagged(time) if isinstance(time, int) else time


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


# --- reading -------------------------------------------------------------------------------------------------------


def read(source: Source, findings: Findings, options: Options) -> Imported:
    """What `write` wrote.

    Raises:
        UnreadableFile: it is none, or of a version that is newer than this program.
    """
    try:
        head = jsons.parsed(source.read(_DATASET))
        lines = source.read(_SAMPLES)
    except (KeyError, ValueError):
        raise UnreadableFile(f"there is no {_DATASET} beside a {_SAMPLES}") from None
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise UnreadableFile(f"{_DATASET} is not of this format")
    if head.get("version") != VERSION:
        raise UnreadableFile(f"{_DATASET} is of another version than {VERSION}, which this program reads")
    dataset = Dataset(
        name=str(head.get("name")),
        description=str(head.get("description") or ""),
        task_type=str(head.get("task_type")),
        task_attributes=head.get("task_attributes") or {},
        image_attributes=tuple(head.get("image_attributes") or ()),
        categories=tuple(_category(item) for item in head.get("categories") or ()),
        label_set=str(head.get("label_set")),
        stands=head.get("stands") or {},
        events=_History(source, head.get("stands") or {}) if _EVENTS in source.paths() else None,
    )
    if dataset.events is not None:
        try:
            for _ in dataset.events:
                pass
        except histories.BrokenHistory as error:
            findings.add(_EVENTS, f"cannot be relied on: {error}")
    return Imported(dataset, _read(lines, findings))


@dataclass(frozen=True, slots=True)
class _History:
    """The events of an archive, checked each time that they are gone through."""

    source: Source
    stands: JSON

    def __iter__(self) -> Iterator[JSON]:
        try:
            log, chain = uuid.UUID(str(self.stands.get("dataset"))), str(self.stands.get("chain"))
        except ValueError:
            raise histories.BrokenHistory("nothing says of which dataset they are") from None
        yield from histories.read(self.source.read(_EVENTS), log, chain)


def _category(item: JSON) -> Category:
    colour = item["colour"]
    edges = tuple((edge[0], edge[1]) for edge in item["edges"])
    said = {"colour": colour and tuple(colour), "points": tuple(item["points"]), "edges": edges}
    return Category(**item | said | {"attributes": tuple(item["attributes"])})


def _read(lines: bytes, findings: Findings) -> Iterator[Sample]:
    for nth, row in enumerate(lines.splitlines(), 1):
        try:
            yield _read_sample(jsons.parsed(row))
        except (ValueError, TypeError, KeyError, AttributeError):
            findings.add(f"{_SAMPLES} line {nth}", "is no sample of this format")


def _read_sample(said: JSON) -> Sample:
    known: JSON = {name: said[name] for name in _FIELDS}
    if not said["is_sequence"]:
        return Sample(**known, annotations=[Annotation(**item) for item in said["annotations"]])
    clock = said.get("clock")
    tracks = [
        Track(**track | {"entries": {int(frame): entry for frame, entry in _by_frame(track["entries"])}})
        for track in said["tracks"]
    ]
    return Sample(
        **known,
        frames=[Frame(**frame) for frame in said["frames"]],
        tracks=tracks,
        clock=None if clock is None else Clock(**clock | {"times": values.untagged(clock["times"])}),
    )


def _by_frame(entries: JSON) -> list[tuple[str, JSON]]:
    return sorted(entries.items(), key=lambda item: int(item[0]))


NATIVE = Format(
    "native",
    2,  # of what writes it; what is written is still of the first version
    "Palimpsest's own archive",
    carrying(*GEOMETRIES, *FEATURES, *OF_CATEGORIES),
    parts=InParts(write, join, behind=tell_of_events),
    read=read,
    options=(EVENTS,),
)
