"""A release as records for codecs: folded from the log at its offset, a sample at a time, never from live rows.

The sizes of pictures are not in the log. They come from what a label's bitmap says, else from the head of the picture's
file, which the log pins by its hash; so they are the same whenever they are looked up. Pictures that are not ours are
not fetched, and their size is unknown unless the sample's metadata gives `width` and `height`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from labeling import pictures
from labeling.commands import assets
from labeling.geometry import bitmaps, measures, rle
from labeling.geometry.composition import runs_of_mask
from labeling.geometry.rasterize import Spans
from labeling.log import store
from labeling.models import Asset
from labeling.queries import datasets
from labeling.rules.dataset_state import DatasetState
from labeling.rules.label_state import LabelState
from labeling.rules.sample_state import SampleState
from labeling.rules.task_types import has_frames, task_type
from labeling.storage import open_at
from releases import snapshots
from releases.formats import histories, pngs
from releases.formats.records import Annotation, Dataset, Frame, Sample, Track, categories_of
from releases.rules import ReleaseState
from releases.snapshots import SnapshotFailed
from sequences.rules.skeletons import clock_of, frames_of, skeleton_of
from sequences.rules.track_state import in_order

JSON = dict[str, Any]
Geometry = dict[str, Any]
Mapped = dict[int, int | None]

#: The heads of nearly all picture files are within so many bytes.
HEAD_BYTES = 1 << 18
_TOKEN = re.compile(r"/media/([A-Za-z0-9_-]{20,64})/")
_SPLIT = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SIDE_LIMIT = 65535


class NoLabelSet(ValueError):
    """The release has no label set of that name; the text lists those that it has."""


def read(
    release: ReleaseState,
    *,
    label_set: str = "ground-truth",
    after: int = 0,
    up_to: int | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> tuple[Dataset, Iterator[Sample]]:
    """The dataset of a release, and its samples with their labels in one label set, the first added first; where said,
    of those that were added after one offset and up to another.

    Raises:
        NoLabelSet: there is none of that name.
        SnapshotFailed: the log does not give the release; while samples are gone through, too.
    """
    with snapshots.readable("The dataset"):
        state = datasets.state_at(release.dataset, release.at_offset)
        chain = store.chain_at(release.dataset, release.at_offset)
    chosen = release.choice.holds_label_set
    sets = {item.name: item for item in state.label_sets.values() if not item.archived and chosen(item.name)}
    task_attributes = release.choice.task_attributes(state.task_attributes)
    if label_set not in sets:
        raise NoLabelSet(f"must be one of {', '.join(sorted(sets))}")
    found = Dataset(
        name=state.name,
        categories=categories_of(task_attributes),
        task_type=state.task_type,
        description=release.description,
        image_attributes=tuple(
            item for item in task_attributes.get("image_attributes") or [] if isinstance(item, dict)
        ),
        task_attributes=task_attributes,
        label_set=label_set,
        stands={
            "chain": chain.hex(),
            "dataset": str(state.id),
            "offset": release.at_offset,
            "release": str(release.id),
            "name": release.name,
        },
        # Of a part of a dataset the events would tell the rest.
        events=History(release) if not release.choice.filter and not release.choice.category_map else None,
    )
    mapped = release.choice.read_as(state.task_attributes)
    return found, _samples(release, state, found, uuid.UUID(sets[label_set].id), mapped, (after, up_to), progress)


@dataclass(frozen=True, slots=True)
class History:
    """The events that a release was folded from, a page in memory at a time."""

    release: ReleaseState

    def __iter__(self) -> Iterator[JSON]:
        for page in store.pages(self.release.dataset, up_to=self.release.at_offset):
            yield from map(histories.record, page)


def _samples(
    release: ReleaseState,
    state: DatasetState,
    dataset: Dataset,
    label_set: uuid.UUID,
    mapped: Mapped,
    between: tuple[int, int | None],
    progress: Callable[[int], None],
) -> Iterator[Sample]:
    after, up_to = between
    samples = snapshots.frozen_of(release, state, [label_set], after=after, up_to=up_to)
    for count, frozen in enumerate(samples, 1):
        sample = frozen.sample
        with snapshots.readable(f"The label of sample {sample.key}"):
            split = release.choice.split_of(sample)
            found = sample_of(sample, frozen.labels[label_set], dataset.task_type, mapped, split=split)
        yield found
        progress(count)


def sample_of(sample: SampleState, label: LabelState, kind: str, mapped: Mapped, *, split: str = "") -> Sample:
    """The record of a sample and its label; `mapped` says as which category another is read, None for
    one whose annotations are left out. The release's split goes before that of the metadata."""
    attributes = sample.attributes
    image = attributes.get("image") if isinstance(attributes.get("image"), dict) else {}
    url = str((image or {}).get("url") or "")
    said = sample.metadata.get("split")
    make = partial(
        Sample,
        name=sample.name,
        uuid=sample.key,
        url=url,
        split=split or (said if isinstance(said, str) and _SPLIT.fullmatch(said) else ""),
        status=label.status,
        score=label.score,
        scene=label.scene,
        classifications=_classes(label.classifications, mapped),
        default_classification=_read_as(label.default_classification, mapped),
        metadata=sample.metadata,
        attributes=attributes,
    )
    if has_frames(kind):
        return _sequence(make(), label, mapped)
    if label.exists and not task_type(kind).by_annotation:
        return make(document=label.document)
    ids = _ids(label.mask)
    width, height = _size(sample, label, ids, url)
    pixels = {} if ids is None else bitmaps_of(ids)
    items = label.in_order()
    if mapped:
        items = [item for item in items if _is_held(item["category_id"], mapped)]
    size = (height or 1, width or 1)
    return make(width=width, height=height, annotations=[_annotation(item, pixels, size, mapped) for item in items])


def _annotation(item: JSON, pixels: dict[int, Geometry], size: tuple[int, int], mapped: Mapped) -> Annotation:
    geometry, get = item["geometry"], item.get
    if geometry["type"] == "mask":
        geometry = pixels.get(item["id"]) or _nothing(*size)
    # by their places, which takes half as long: there are millions
    return Annotation(
        item["id"],
        _read_as(item["category_id"], mapped) if mapped else item["category_id"],
        geometry,
        item["uuid"],
        get("attributes") or {},
        get("keypoints"),
        get("orientation"),
        get("score"),
        None,  # no track
        None,
        get("links") or [],
        get("origin"),
        get("by", ""),
        get("extra") or {},
    )


def _read_as(category: int | None, mapped: Mapped) -> int | None:
    return category if category is None else mapped.get(category, category)


def _is_held(category: int | None, mapped: Mapped) -> bool:
    return category is None or mapped.get(category, category) is not None


def _classes(found: list[int], mapped: Mapped) -> list[int]:
    read = (mapped.get(item, item) for item in found)
    return list(dict.fromkeys(item for item in read if item is not None))


# --- sequences -----------------------------------------------------------------------------------------------------


def _sequence(sample: Sample, label: LabelState, mapped: Mapped) -> Sample:
    skeleton = skeleton_of(label)
    said = sample.attributes.get("frames")
    given = [item for item in said if isinstance(item, dict)] if isinstance(said, list) else []
    if label.exists and label.document is not None and "skeleton" not in label.document:
        return replace(sample, is_sequence=True, document=label.document)
    drawn = frames_of(skeleton, None)
    frames = [_frame(given[n] if n < len(given) else {}, n) for n in range(max(len(given), len(drawn)))]
    frames = [_with_size(frame, sample.metadata) for frame in frames]
    tracks = []
    masks = [_ids(frame.get("segmentation_bitmap")) for frame in drawn]
    pixels = [None if ids is None else bitmaps_of(ids) for ids in masks]
    for number, ids in enumerate(masks):
        if ids is not None:
            frames[number] = replace(frames[number], width=ids.shape[1], height=ids.shape[0])
    for track in in_order(label):
        if not _is_held(track["category_id"], mapped):
            continue
        entries = {
            int(frame): _entry(track, entry, pixels[int(frame)] if int(frame) < len(pixels) else None, mapped)
            for frame, entry in track["entries"].items()
        }
        tracks.append(
            Track(
                track_id=track["track_id"],
                category_id=_read_as(track["category_id"], mapped),
                entries=entries,
                uuid=track["uuid"],
                sensor=track.get("sensor"),
                origin=track.get("origin"),
                author=track.get("by", ""),
            )
        )
    clock = replace(clock_of(skeleton, None), frames=len(frames))
    return replace(sample, is_sequence=True, frames=frames, tracks=tracks, clock=clock)


def _entry(track: JSON, entry: JSON, pixels: dict[Any, Geometry] | None, mapped: Mapped) -> JSON:
    if not _is_held(entry.get("category_id"), mapped):
        return {"absent": True}
    if "category_id" in entry:
        entry = entry | {"category_id": _read_as(entry["category_id"], mapped)}
    if entry.get("geometry", {}).get("type") != "mask":
        return entry
    number = entry.get("object_id", track.get("object_id", track["track_id"]))
    found = None if pixels is None else pixels.get(number)
    return entry | {"geometry": found or _nothing(1, 1)}


def _frame(said: JSON, number: int) -> Frame:
    image = said.get("image") if isinstance(said.get("image"), dict) else {}
    url = str((image or {}).get("url") or "")
    name = said.get("name") if isinstance(said.get("name"), str) else ""
    return Frame(name=name or f"{number:06d}", url=url, timestamp=said.get("timestamp"))


def _with_size(frame: Frame, metadata: JSON) -> Frame:
    size = size_of_file(frame.url) or _said_size(metadata)
    return frame if size is None else replace(frame, width=size[0], height=size[1])


# --- pixels and sizes ----------------------------------------------------------------------------------------------


def bitmaps_of(ids: bitmaps.Ids) -> dict[int, Geometry]:
    """The bitmap of each object of an id map."""
    height, width = ids.shape
    segments = measures.segments_of(ids)
    spans = [
        runs_of_mask(y0, x0, (ids[y0:y1, x0:x1] == number).T, height, owner=owner)
        for owner, (number, (x0, y0, x1, y1)) in enumerate(
            zip(segments.ids.tolist(), segments.boxes_xyxy.tolist(), strict=True)
        )
    ]
    if not spans:
        return {}
    together = Spans(*(np.concatenate(arrays) for arrays in zip(*spans, strict=True)))
    runs = rle.of_spans(together, len(spans), height, width, compressed=True)
    return {number: {"type": "bitmap", "rle": one} for number, one in zip(segments.ids.tolist(), runs, strict=True)}


def _ids(mask: JSON | None) -> bitmaps.Ids | None:
    url = (mask or {}).get("url")
    if not isinstance(url, str) or not _TOKEN.match(url):
        return None
    try:
        found: bitmaps.Ids = assets.read_mask(url, "segmentation_bitmap")
    except FileNotFoundError as error:
        raise SnapshotFailed("The bitmap of a label is not in the storage any more.") from error
    return found


def _nothing(height: int, width: int) -> Geometry:
    """The bitmap of an object that has no pixels."""
    return {"type": "bitmap", "rle": rle.encode(np.zeros((height, width), dtype=bool), compressed=True)}


def _size(sample: SampleState, label: LabelState, ids: bitmaps.Ids | None, url: str) -> tuple[int | None, int | None]:
    if ids is not None:
        return ids.shape[1], ids.shape[0]
    found = size_of_file(url) or _said_size(sample.metadata)
    if found is not None:
        return found
    for item in label.annotations.values():
        if item["geometry"]["type"] == "bitmap":
            height, width = item["geometry"]["rle"]["size"]
            return width, height
    return None, None


def size_of_file(url: str) -> tuple[int, int] | None:
    """(width, height) of a picture of ours, by the head of its file; None where it is none of ours or no picture."""
    match = _TOKEN.match(url)
    sha256 = Asset.objects.filter(token=match[1]).values_list("sha256", flat=True).first() if match else None
    if not sha256:
        return None
    path = assets.path_of(sha256)
    try:
        with open_at(path, 0, HEAD_BYTES - 1) as file:
            found = pngs.size_of(file.read(HEAD_BYTES))
        if found is None:
            with open_at(path) as file:
                found = pngs.size_of(file.read())
    except FileNotFoundError:
        return pictures.size_of_erased(sha256)
    return found


def size_of_picture(url: str, metadata: JSON) -> tuple[int, int] | None:
    """(width, height) of a sample's picture: of the file where it is ours, else as its metadata says."""
    return size_of_file(url) or _said_size(metadata)


def _said_size(metadata: JSON) -> tuple[int, int] | None:
    width, height = metadata.get("width"), metadata.get("height")
    if type(width) is int and type(height) is int and 0 < width <= _SIDE_LIMIT and 0 < height <= _SIDE_LIMIT:
        return width, height
    return None
