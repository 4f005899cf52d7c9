"""Importing a mask and its segments: a PNG of one channel, and what each of its values is. Pure.

As Scale Nucleus has it (seed 001): each item has one mask; a value of its pixels is the index of a segment, which has a
category and metadata. Index 0 is a segment like the others. In labels with a bitmap the mask becomes that bitmap, and
the segments its objects; elsewhere each segment becomes an object with a bitmap of its own. What a mask does not say is
left alone: objects that were drawn, and everything of the label itself.

What is odd about a mask is told as findings. Whoever asks for strictness gets the mask refused then; otherwise a value
without a segment belongs to nobody, a segment without pixels is left out, a mask of another size lies with its upper
left pixel on the image's, and of a palette, or of gray in several channels, the values count.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from labeling import events as e
from labeling.errors import InvalidValue, Refused
from labeling.geometry import bitmaps, png, rle
from labeling.log import values
from labeling.log.event import Fact
from labeling.rules.documents import checked_int, checked_list, checked_object
from labeling.rules.label_state import Annotation, LabelState

JSON = dict[str, Any]
Size = tuple[int, int]

#: Segments of one mask: a value of 16 bits is the largest that a file of one channel holds.
MOST_SEGMENTS = 65_536
#: How many values or indexes a finding names.
MOST_TOLD = 256
#: What an object of a mask has in its `origin`.
KIND = "mask"
ITEM_KEYS = ("reference_id", "mask_url", "annotations", "annotation_id", "type")
SEGMENT_KEYS = ("index", "label", "category_id", "metadata")
#: What is done with a segment whose label no category has.
UNKNOWN = ("fail", "uncategorized")


@dataclass(frozen=True, slots=True)
class Segment:
    """One value of a mask: what its pixels are."""

    index: int
    category_id: int | None
    metadata: JSON | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One mask to import."""

    reference: str
    mask_url: str
    segments: list[Segment]
    annotation_id: str | None = None


def checked_item(value: Any, where: str, *, categories: Mapping[str, int], unknown: str = "fail") -> Item:
    """An item as Nucleus sends it; a segment's category by its name, or by `category_id`.

    Raises:
        InvalidValue: the first field that does not fit.
    """
    item = checked_object(value, where)
    for key in item:
        if key not in ITEM_KEYS:
            raise InvalidValue(where, f"may hold {', '.join(ITEM_KEYS)}")
    if item.get("type", KIND) != KIND:
        raise InvalidValue(f"{where}.type", "must be mask; other annotations are not imported here")
    for key in ("reference_id", "mask_url"):
        if not isinstance(item.get(key), str) or not item[key]:
            raise InvalidValue(f"{where}.{key}", "is required, as text")
    named = item.get("annotation_id")
    if named is not None and (not isinstance(named, str) or len(named) > 1000):
        raise InvalidValue(f"{where}.annotation_id", "must be text of at most 1000 characters")
    listed = checked_list(item.get("annotations"), f"{where}.annotations")
    if not 1 <= len(listed) <= MOST_SEGMENTS:
        raise InvalidValue(f"{where}.annotations", f"must hold 1 to {MOST_SEGMENTS} segments")
    segments: dict[int, Segment] = {}
    for number, each in enumerate(listed):
        place = f"{where}.annotations[{number}]"
        segment = _checked_segment(each, place, categories, unknown)
        if segment.index in segments:
            raise InvalidValue(f"{place}.index", "is used by another segment of this mask")
        segments[segment.index] = segment
    return Item(item["reference_id"], item["mask_url"], [segments[index] for index in sorted(segments)], named)


def _checked_segment(value: Any, where: str, categories: Mapping[str, int], unknown: str) -> Segment:
    segment = checked_object(value, where)
    for key in segment:
        if key not in SEGMENT_KEYS:
            raise InvalidValue(where, f"may hold {', '.join(SEGMENT_KEYS)}")
    index = checked_int(segment.get("index"), f"{where}.index")
    if not 0 <= index < MOST_SEGMENTS:
        raise InvalidValue(f"{where}.index", f"must be from 0 to {MOST_SEGMENTS - 1}")
    metadata = segment.get("metadata")
    if metadata is not None:
        checked_object(metadata, f"{where}.metadata")
    label, category_id = segment.get("label"), segment.get("category_id")
    if category_id is not None:
        if checked_int(category_id, f"{where}.category_id") not in categories.values():
            raise InvalidValue(f"{where}.category_id", "is no category of the dataset")
    elif not isinstance(label, str):
        raise InvalidValue(f"{where}.label", "is required, as text (or category_id)")
    else:
        category_id = categories.get(label, categories.get(label.casefold()))
        if category_id is None and unknown == "fail":
            raise InvalidValue(f"{where}.label", "is no category of the dataset; add it, or ask for uncategorized")
    return Segment(index, category_id, metadata, label if isinstance(label, str) else None)


def categories_by_name(task_attributes: JSON) -> dict[str, int]:
    """{name: id} of the categories of a dataset, and without capitals where that names one only."""
    listed = [item for item in task_attributes.get("categories") or [] if not item.get("deprecated")]
    folded: dict[str, set[int]] = {}
    for item in listed:
        folded.setdefault(item["name"].casefold(), set()).add(item["id"])
    found = {name: next(iter(ids)) for name, ids in folded.items() if len(ids) == 1}
    return found | {item["name"]: item["id"] for item in listed}


# --- the mask ------------------------------------------------------------------------------------------------------


def read_values(data: bytes, where: str, *, max_pixels: int) -> tuple[np.ndarray, list[JSON]]:
    """(the values (H, W) of a mask's pixels, uint32; what is odd about its file).

    Raises:
        InvalidValue: no sound PNG, or one in colour.
    """
    try:
        kind, bits, _, _ = png.kind_of(data)
        found = png.read_ids(data, max_pixels=max_pixels)
    except bitmaps.BadBitmap as error:
        raise InvalidValue(where, str(error)) from error
    findings: list[JSON] = []
    if kind in ("rgb", "rgba"):
        gray = found & np.uint32(0xFF)
        if (found != gray * np.uint32(0x010101)).any():
            raise InvalidValue(where, "is in colour; a mask has one channel, in which a value is a segment's index")
        found = gray
        findings.append({"code": "several_channels"})
    elif kind == "palette":
        findings.append({"code": "palette"})
    elif bits == 16:
        findings.append({"code": "sixteen_bits"})
    return found, findings


def findings_of(values_: np.ndarray, segments: list[Segment], image_wh: Size | None) -> list[JSON]:
    """What does not agree: the size, values without a segment (with their pixels), segments without a pixel."""
    height, width = values_.shape
    findings: list[JSON] = []
    if image_wh is not None and image_wh != (width, height):
        findings.append({"code": "other_size", "mask_wh": [width, height], "image_wh": list(image_wh)})
    counts = np.bincount(values_.ravel(), minlength=1)
    there = {int(value): int(counts[value]) for value in np.flatnonzero(counts)}
    known = {segment.index for segment in segments}
    without = {str(value): pixels for value, pixels in there.items() if value not in known}
    if without:
        some = dict(list(without.items())[:MOST_TOLD])
        findings.append({"code": "values_without_segment", "count": len(without), "pixels": some})
    empty = sorted(known - there.keys())
    if empty:
        findings.append({"code": "segments_without_pixels", "count": len(empty), "indexes": empty[:MOST_TOLD]})
    return findings


# --- what becomes of it --------------------------------------------------------------------------------------------


def layer_of(state: LabelState, *, has_mask: bool) -> list[Annotation]:
    """The objects of a label's mask: of its bitmap, or those that a mask brought."""
    if has_mask:
        return [item for item in state.in_order() if item["geometry"]["type"] == "mask"]
    return [item for item in state.in_order() if _origin(item).get("kind") == KIND]


def has_layer(state: LabelState, *, has_mask: bool) -> bool:
    """Whether a label has a mask already."""
    return bool(has_mask and (state.mask or {}).get("url")) or bool(layer_of(state, has_mask=has_mask))


def imported(
    state: LabelState,
    item: Item,
    values_: np.ndarray,
    *,
    has_mask: bool,
    source: JSON,
    findings: list[JSON],
    read: Callable[[JSON], np.ndarray],
    keep: Callable[[np.ndarray], JSON],
) -> list[Fact]:
    """The facts by which a mask takes the place of the label's; none where it is the same already.

    An object of the same index stays the same object. `read` and `keep` are of the label's bitmap.

    Raises:
        Refused: an object would get an id that has no colour.
    """
    had = {_origin(each).get("index"): each for each in layer_of(state, has_mask=has_mask) if _is_import(each)}
    present = np.flatnonzero(np.bincount(values_.ravel(), minlength=1))
    segments = [segment for segment in item.segments if has_mask or segment.index in present]
    wanted = {segment.index for segment in segments}
    gone = [each for each in layer_of(state, has_mask=has_mask) if _origin(each).get("index") not in wanted]
    gone += [each for each in layer_of(state, has_mask=has_mask) if not _is_import(each) and each not in gone]
    staying = {each["id"] for each in state.annotations.values()} - {each["id"] for each in gone}
    numbers: dict[int, int] = {}
    last = max([state.last_id, *staying])
    for segment in segments:
        number = had[segment.index]["id"] if segment.index in had else segment.index + 1
        if segment.index not in had and number in staying:
            last = number = max(last, MOST_SEGMENTS) + 1
        numbers[segment.index] = number
        staying.add(number)
    facts: list[Fact] = []
    if has_mask:
        facts += _patched(state, values_, numbers, read, keep)
    for each in gone:
        for other in state.annotations.values():
            if other not in gone and any(link["to"] == each["uuid"] for link in other.get("links", ())):
                facts.append(e.AnnotationLinkRemoved(annotation=other["uuid"], to=each["uuid"]))
        facts.append(e.AnnotationRemoved(annotation=each["uuid"]))
    order = state.last_order
    for segment in segments:
        geometry: JSON = {"type": "mask"}
        if not has_mask:
            geometry = {"type": "bitmap", "rle": rle.encode(values_ == segment.index, compressed=True)}
        known = had.get(segment.index)
        if known is None:
            order += 1.0
            facts.append(_added(segment, item, numbers[segment.index], geometry, order))
        else:
            facts += _changed(known, segment, item, geometry)
    if not facts:
        return []
    listed = [{"index": segment.index, "id": numbers[segment.index]} for segment in segments]
    head = e.MaskImported(source=source, segments=listed, annotation_id=item.annotation_id, findings=findings)
    return [head, *facts]


def _patched(
    state: LabelState,
    values_: np.ndarray,
    numbers: dict[int, int],
    read: Callable[[JSON], np.ndarray],
    keep: Callable[[np.ndarray], JSON],
) -> list[Fact]:
    if any(number > bitmaps.MAX_ID for number in numbers.values()):
        raise Refused("This label has ids beyond those that a bitmap can hold; remove its highest objects first.")
    ids_of = np.zeros(int(values_.max()) + 1, np.uint32)
    for index, number in numbers.items():
        if index < ids_of.size:
            ids_of[index] = number
    ids = ids_of[values_]
    mask = state.mask or {}
    before = read(mask) if mask.get("hash") else None
    if before is not None and before.shape == ids.shape and not (before != ids).any():
        return []
    if before is not None and before.shape != ids.shape:
        before = None
    changed: list[JSON] = [{**each} for each in bitmaps.changed(before, ids)]
    return [e.BitmapPatched(base_hash=mask.get("hash"), mask=keep(ids), changed=changed)]


def _added(segment: Segment, item: Item, number: int, geometry: JSON, order: float) -> Fact:
    fields: JSON = {"origin": _origin_of(segment, item)}
    if segment.metadata:
        fields["extra"] = {"metadata": segment.metadata}
    return e.AnnotationAdded(
        annotation=str(uuid.uuid4()),
        id=number,
        category_id=segment.category_id,
        geometry=geometry,
        order=order,
        **fields,
    )


def _changed(known: Annotation, segment: Segment, item: Item, geometry: JSON) -> list[Fact]:
    """The facts that make of an object the one that the segment says."""
    key = known["uuid"]
    facts: list[Fact] = []
    if geometry["type"] != known["geometry"]["type"] or (
        geometry["type"] == "bitmap" and rle.hash_of_runs(geometry["rle"]) != rle.hash_of_runs(known["geometry"]["rle"])
    ):
        facts.append(e.AnnotationGeometrySet(annotation=key, geometry=geometry))
    if known["category_id"] != segment.category_id:
        facts.append(e.AnnotationCategorySet(annotation=key, category_id=segment.category_id))
    origin = _origin_of(segment, item)
    if not values.same(known.get("origin"), origin):
        facts.append(e.AnnotationOriginSet(annotation=key, origin=origin))
    had = known.get("extra") or {}
    extra = {name: value for name, value in had.items() if name != "metadata"}
    extra |= {"metadata": segment.metadata} if segment.metadata else {}
    if not values.same(had, extra):
        facts.append(e.AnnotationExtraSet(annotation=key, extra=extra or None))
    return facts


def _origin_of(segment: Segment, item: Item) -> JSON:
    origin: JSON = {"kind": KIND, "index": segment.index}
    if item.annotation_id is not None:
        origin["annotation_id"] = item.annotation_id
    if segment.category_id is None and segment.label is not None:
        origin["label"] = segment.label
    return origin


def _origin(item: Annotation) -> JSON:
    return item.get("origin") or {}


def _is_import(item: Annotation) -> bool:
    return _origin(item).get("kind") == KIND and type(_origin(item).get("index")) is int
