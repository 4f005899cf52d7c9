"""Reading the Segments release file: `release.json` of ours, as stored, as served, or in a release's archive, and those
of Segments.ai. Pure.

One label set is read. Objects of images are records, with what our own files say beside the protocol (geometry in our
form, named points, orientations, links); a label of a sequence or of several sensors is the document that it is, from
which its keyframes follow as from an upload. A bitmap is known by its address: who brings the records in reads it. What
a file says of who labeled and reviewed when is not taken over, because nobody did that here.

A file of ours has a sample a line, and is read line by line. Source: docs.segments.ai, "Release file", and the SDK.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from labeling.errors import InvalidValue
from labeling.log import values
from labeling.log.values import BadValue
from labeling.references import WIDE
from labeling.rules.dataset_state import GROUND_TRUTH
from labeling.rules.documents import Wire, parse_objects
from labeling.rules.task_types import has_frames
from releases.formats import jsons
from releases.formats.files import Source
from releases.formats.format import (
    FEATURES,
    GEOMETRIES,
    Findings,
    Format,
    Option,
    Options,
    UnreadableFile,
    carrying,
)
from releases.formats.records import Annotation, Dataset, Imported, Sample, categories_of, listed

JSON = dict[str, Any]

LABEL_SET = Option("labels_of", (GROUND_TRUTH,), "The label set of the file that is read; any name.", is_open=True)
OF_OBJECTS = ("vector", "bboxes", "keypoints", "segmentation-bitmap", "segmentation-bitmap-highres")
_OPENING, _CLOSING = b'"samples":[', b"\n]"
_NOT_SCENE = frozenset({"annotations", "segmentation_bitmap", "classifications"})


def read(source: Source, findings: Findings, options: Options) -> Imported:
    """The samples of the one JSON file that is a release.

    Raises:
        UnreadableFile: there is none, or more than one; it is the difference to another; its label sets or categories
            are no lists; it has no such label set.
    """
    found: list[tuple[str, JSON, list[bytes] | list[Any]]] = []
    for path in source.paths():
        if not path.endswith(".json"):
            continue
        raw = source.read(path)
        opened = _ours(raw) or _any(raw)
        if opened is not None:
            found.append((path, *opened))
    if not found:
        raise UnreadableFile("there is no JSON file of a release, with a dataset and its samples")
    if len(found) > 1:
        raise UnreadableFile("there are several releases; import one after the other")
    [(path, head, samples)] = found
    if "difference" in head:
        raise UnreadableFile("the file is the difference to another release; import what the release's address gives")
    said = head["dataset"]
    task_attributes = said["task_attributes"] if isinstance(said.get("task_attributes"), dict) else {}
    for name, value in (("labelsets", said.get("labelsets")), ("categories", task_attributes.get("categories"))):
        if not isinstance(value, list | None):
            raise UnreadableFile(f"the {name} of the file are no list")
    wanted = options["labels_of"]
    sets = [str(item.get("name")) for item in listed(said.get("labelsets")) if isinstance(item, dict)]
    if wanted not in sets and (sets or wanted != GROUND_TRUTH):
        raise UnreadableFile(f"the file has no label set of that name; it has {len(sets)}; `labels_of` says which")
    for _ in (name for name in sets if name != wanted):
        findings.note(path, "has another label set, which is not read; `labels_of` says which is")
    dataset = Dataset(
        name=str(said.get("name") or ""),
        categories=categories_of(task_attributes),
        task_type=str(said.get("task_type") or ""),
        description=str(head.get("description") or ""),
        task_attributes=task_attributes,
        label_set=wanted,
    )
    return Imported(dataset, _Samples(path, dataset, samples, findings).each(), len(samples))


def _ours(raw: bytes) -> tuple[JSON, list[bytes]] | None:
    """(all but the samples, a line a sample) of a file of ours."""
    first, last = raw.find(b"\n"), raw.rfind(_CLOSING)
    if first < 0 or last < first or not raw.endswith(b"}\n") or raw[first - len(_OPENING) : first] != _OPENING:
        return None
    try:
        head = jsons.parsed(raw[:first] + raw[last:])
    except ValueError:
        return None
    lines = raw[first + 1 : last].split(b",\n") if last > first else []
    is_ours = isinstance(head, dict) and "log" in head and isinstance(head.get("dataset"), dict)
    return (head, lines) if is_ours else None


def _any(raw: bytes) -> tuple[JSON, list[Any]] | None:
    """(the file, its samples) of any other."""
    try:
        head = jsons.parsed(raw)
    except ValueError:
        return None
    dataset = head.get("dataset") if isinstance(head, dict) else None
    samples = dataset.get("samples") if isinstance(dataset, dict) else None
    return (head, samples) if isinstance(samples, list) else None


class _Samples:
    """The samples of a file as records."""

    def __init__(self, path: str, dataset: Dataset, said: list[bytes] | list[Any], findings: Findings) -> None:
        self._path, self._dataset, self._said, self._findings = path, dataset, said, findings
        self._known = dataset.by_id

    def each(self) -> Iterator[Sample]:
        for nth, item in enumerate(self._said):
            where = f"{self._path} samples[{nth}]"
            raw = item if isinstance(item, bytes) else jsons.written(item)
            try:
                said = values.parse(raw, where="sample", wide=WIDE)
                yield self._sample(said, where)
            except BadValue as error:
                self._findings.add(where, f"cannot be read: {error.where} {error.problem}")
            except (KeyError, TypeError, ValueError, AttributeError):
                self._findings.add(where, "is no sample with a name, attributes and labels")

    def _sample(self, said: JSON, where: str) -> Sample:
        attributes, metadata = said.get("attributes") or {}, said.get("metadata") or {}
        found = Sample(
            name=str(said["name"]),
            uuid=str(said.get("uuid") or ""),
            url=str((attributes.get("image") or {}).get("url") or ""),
            split=str(said.get("split") or ""),
            is_sequence=has_frames(self._dataset.task_type),
            metadata=metadata,
            attributes=attributes,
        )
        label = (said.get("labels") or {}).get(self._dataset.label_set)
        if label is None:
            return found
        found = replace(found, status=str(label.get("label_status") or "UNLABELED"), score=label.get("score"))
        document = label.get("attributes")
        if document is None:
            return found
        if self._dataset.task_type not in OF_OBJECTS:
            return replace(found, document=document)
        classes = document.get("classifications") or []
        return replace(
            found,
            scene={key: item for key, item in document.items() if key not in _NOT_SCENE and item is not None},
            classifications=[item["category_id"] for item in classes],
            default_classification=next((item["category_id"] for item in classes if item.get("default")), None),
            annotations=list(self._annotations(document["annotations"], where)),
            bitmap_url=str((document.get("segmentation_bitmap") or {}).get("url") or ""),
        )

    def _annotations(self, items: list[JSON], where: str) -> Iterator[Annotation]:
        bitmap = self._dataset.task_type.startswith("segmentation")
        for nth, item in enumerate(items):
            place = f"{where}.annotations[{nth}]"
            try:
                # Shapes may lie beside a bitmap.
                masks = bitmap and not {"type", "geometry"} & item.keys()
                [wire] = parse_objects({"annotations": [item]}, "label", masks=masks).objects
            except (InvalidValue, BadValue) as error:
                self._findings.add(place, error.problem)
                continue
            yield self._annotation(wire, item, place)

    def _annotation(self, wire: Wire, item: JSON, place: str) -> Annotation:
        category: int | None = wire.category_id
        if category not in self._known:
            if not ("category" in item and item["category"] is None):
                self._findings.note(place, "has a category that the file does not define, and comes without one")
            category = None
        return Annotation(
            id=wire.id,
            category_id=category,
            geometry=wire.geometry,
            uuid=str(item.get("uuid") or ""),
            attributes=wire.attributes or {},
            keypoints=wire.rich.get("keypoints"),
            orientation=wire.rich.get("orientation"),
            score=wire.rich.get("score"),
            links=[link for link in item.get("links_to") or [] if isinstance(link, dict)],
            origin=wire.rich.get("origin"),
            extra=wire.extra,
        )


SEGMENTS = Format(
    "segments",
    1,
    "Segments release file",
    carrying(*GEOMETRIES, *FEATURES),
    read=read,
    reading_options=(LABEL_SET,),
)
