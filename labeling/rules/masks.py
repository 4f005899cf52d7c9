"""The masks of a label: which object, category or segment each pixel of a picture shows. Pure.

Four maps are made of one picture; in all of them the later of two objects lies above the earlier, and 0 is void.

    instance   the id of the annotation; in a sequence of shapes its track id. A bitmap's is the bitmap itself
    semantic   the id of its category
    panoptic   the segment: of a thing the object's id, of stuff the least id among the objects of its category
    color      the category's colour; each thing has a shade of it by its id

What the categories mean is said in `palettes`. Points, lines, skeletons and orientations cover no pixel.

A map is known by a key: a hash of all that its pixels depend on, so equal keys are equal pixels, and what is known by
its key need not be made again. `DEFINITION` is part of it, to be raised when the same input would give other pixels or
other colours, with a migration that forgets the rows and the checkpoint of masks: then actors make them anew, and an
older backup is restored without them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from labeling.errors import NoMask
from labeling.geometry import composition, png, visible
from labeling.geometry.bitmaps import MAX_ID, BadBitmap, Ids
from labeling.geometry.parts import Geometry
from labeling.geometry.rasterize import MAX_SIDE, BadOutline, Spans, united
from labeling.rules.colours import Colour, shade
from labeling.rules.palettes import UNKNOWN, VOID, VOID_COLOUR, Meaning, Palette

JSON = dict[str, Any]
Kind = Literal["instance", "semantic", "panoptic", "color"]

KINDS: tuple[Kind, ...] = ("instance", "semantic", "panoptic", "color")
DEFINITION = 1
#: Pixels of a picture of which maps are made: 8192 x 8192; the maps of one are then up to 600 MB.
MOST_PIXELS = 1 << 26
TOO_MANY_PIXELS = (
    f"Maps are made of pictures of up to {MOST_PIXELS} pixels; this one has more. Ask for the run lengths of whole"
    " objects (format=rle&whole=1)."
)


@dataclass(frozen=True, slots=True)
class Object:
    """One object of a picture: the number that its pixels have, the uuid of its annotation (or track), and its form.

    `geometry` of the type mask means that its pixels are those of its number in the picture's bitmap.
    """

    id: int
    uuid: str
    category_id: int | None
    geometry: Geometry


@dataclass(frozen=True, slots=True)
class Bitmap:
    """A bitmap that objects are drawn in: what names its pixels (None: nobody knows them), and how to read them."""

    name: str | None
    read: Callable[[], Ids]


@dataclass(frozen=True, slots=True)
class Picture:
    """What a label shows in one picture, from bottom to top. `bitmap` is a reference to a file, as the label has it."""

    objects: tuple[Object, ...]
    bitmap: JSON | None = None


class Masks:
    """The masks of one picture of `height` by `width` pixels.

    Nothing is computed before it is asked for; keys and `content` need no pixels. What is not a map (segments, reports,
    objects at a pixel, run lengths of whole objects) can be had of pictures of up to 65,535 px a side.

    Raises:
        NoMask: the pixels of the bitmap are not known, or the picture is larger.
    """

    def __init__(
        self, picture: Picture, palette: Palette, height: int, width: int, *, bitmap: Bitmap | None = None
    ) -> None:
        if bitmap is not None and bitmap.name is None:
            raise NoMask("The bitmap of this label is no file of this server; upload it here.")
        require_size(height, width)
        self.picture, self.palette, self.height, self.width, self.bitmap = picture, palette, height, width, bitmap
        self.meanings = [palette(item.category_id) for item in picture.objects]
        self._values: dict[Kind, list[Any]] = {}

    # --- what names them ------------------------------------------------------------------------------------------

    @cached_property
    def _shape(self) -> bytes:
        """The hash of what is where, whatever it means."""
        described = [
            DEFINITION,
            self.height,
            self.width,
            self.bitmap and self.bitmap.name,
            # the numbers of a bitmap's objects say which pixels are theirs
            [item.id if item.geometry["type"] == "mask" else item.geometry for item in self.picture.objects],
        ]
        return hashlib.sha256(orjson.dumps(described)).digest()

    @cached_property
    def content(self) -> str:
        """The hash of all that maps and segments depend on."""
        listed = [
            (item.id, item.uuid, item.category_id, meaning.id, meaning.thing, meaning.colour)
            for item, meaning in zip(self.picture.objects, self.meanings, strict=True)
        ]
        return hashlib.sha256(self._shape + orjson.dumps(listed)).hexdigest()

    def key(self, kind: Kind) -> str:
        """What names the pixels of a map.

        Raises:
            NoMask: there is no such map; see `values`.
        """
        values = self.values(kind)
        return hashlib.sha256(self._shape + kind.encode() + orjson.dumps(values)).hexdigest()

    def keys(self) -> dict[str, str | None]:
        """{kind: key}; None for a map that cannot be."""
        return {kind: None if self.refusal(kind) else self.key(kind) for kind in KINDS}

    # --- what objects are in them ---------------------------------------------------------------------------------

    def values(self, kind: Kind) -> list[Any]:
        """The value of each object in a map, a number or (color) a colour.

        Raises:
            NoMask: a number does not fit into a pixel.
        """
        known = self._values.get(kind)
        if known is None:
            refusal = self.refusal(kind)
            if refusal:
                raise NoMask(refusal)
            known = self._values[kind] = self._value_of_each(kind)
        return known

    def _value_of_each(self, kind: Kind) -> list[Any]:
        pairs = zip(self.picture.objects, self.meanings, strict=True)
        match kind:
            case "instance":
                return [0 if meaning is VOID else item.id for item, meaning in pairs]
            case "semantic":
                return [meaning.id for _, meaning in pairs]
            case "panoptic":
                return [self._segment(item, meaning) for item, meaning in pairs]
            case "color":
                return self.object_colours

    @cached_property
    def _least(self) -> dict[int, int]:
        """{category of stuff: the least id among its objects}."""
        found: dict[int, int] = {}
        for item, meaning in zip(self.picture.objects, self.meanings, strict=True):
            if not meaning.thing and meaning.id:
                found[meaning.id] = min(item.id, found.get(meaning.id, item.id))
        return found

    def _segment(self, item: Object, meaning: Meaning) -> int:
        if not meaning.id:
            return 0
        return item.id if meaning.thing else self._least[meaning.id]

    def refusal(self, kind: Kind) -> str | None:
        """Why there can be no map of a kind: too many pixels, or numbers that no pixel holds. None where there is."""
        if self.height * self.width > MOST_PIXELS:
            return TOO_MANY_PIXELS
        if kind in ("instance", "panoptic") and not all(0 < item.id <= MAX_ID for item in self.picture.objects):
            return f"The ids of objects in a map are from 1 to {MAX_ID}; ask for the run lengths of instances instead."
        if kind in ("semantic", "panoptic") and not all(0 <= meaning.id <= MAX_ID for meaning in self.meanings):
            return f"The ids of categories in a map are from 1 to {MAX_ID}; this label has others."
        return None

    # --- pixels ---------------------------------------------------------------------------------------------------

    @cached_property
    def _drawn(self) -> tuple[list[int], Spans, bool]:
        """(numbers of the bitmap that no object has, runs, whether no two of them can overlap).

        The runs' owners are those numbers, in their order, and behind them the objects.
        """
        geometries = [item.geometry for item in self.picture.objects]
        try:
            spans = composition.spans_of(geometries, self.height, self.width)
            known, painted = self._bitmap_runs()
        except (ValueError, TypeError) as error:
            raise _undrawable(error) from error
        number_of = {item.id: n for n, item in enumerate(self.picture.objects) if item.geometry["type"] == "mask"}
        strange = [number for number in known if number not in number_of]
        spans = Spans(spans.owner + len(strange), spans.start, spans.stop)
        if not known:
            return [], spans, False
        place = {number: n for n, number in enumerate(strange)}
        owners = [number_of[k] + len(strange) if k in number_of else place[k] for k in known]
        painted = Spans(np.array(owners, dtype=np.int64)[painted.owner], painted.start, painted.stop)
        if spans.start.size == 0:
            return strange, painted, True
        both = [np.concatenate(pair) for pair in zip(painted, spans, strict=True)]
        order = np.argsort(both[0], kind="stable")
        return strange, Spans(*(column[order] for column in both)), False

    def _bitmap_runs(self) -> tuple[list[int], Spans]:
        if self.bitmap is None:
            none = np.zeros(0, dtype=np.int64)
            return [], Spans(none, none, none)
        ids = self.bitmap.read()
        if ids.shape != (self.height, self.width):
            raise NoMask("The bitmap of this label is not of the size of its picture.")
        known, runs = visible.runs_of_ids(ids)
        return known.tolist(), runs

    @property
    def strange(self) -> list[int]:
        """The numbers in the bitmap that no object has."""
        return self._drawn[0]

    @cached_property
    def runs(self) -> Spans:
        """What is seen, by place; the owners are those of `spans`."""
        _, spans, apart = self._drawn
        return spans if apart else visible.visible(spans, self.height * self.width)

    @property
    def spans(self) -> Spans:
        """What each object covers, whatever lies over it. Owners are first the strange numbers, then the objects."""
        return self._drawn[1]

    def map(self, kind: Kind) -> NDArray[Any]:
        """The map (height, width): uint8, uint16 or uint32, as its numbers need; of colours (height, width, 3) uint8.

        Raises:
            NoMask: see `values`; or what is drawn is no outline or bitmap.
        """
        values = self.values(kind)
        if kind == "color":
            table = np.array([*[UNKNOWN.colour] * len(self.strange), *values], dtype=np.uint8).reshape(-1, 3)
            return visible.map_of(self.runs, table, self.height, self.width)
        numbers = [*(self.strange if kind == "instance" else [0] * len(self.strange)), *values]
        most = max(numbers, default=0)
        dtype = np.uint32 if kind == "panoptic" or most > 65535 else np.uint16 if most > 255 else np.uint8
        return visible.map_of(self.runs, np.array(numbers, dtype=dtype), self.height, self.width)

    def file(self, kind: Kind, *, packing: png.Packing = "fast") -> bytes:
        """The PNG file of a map: gray of 8 or 16 bits, wider numbers and panoptic as RGBA (R + 256 G + 65536 B), and of
        colours a palette where it holds them, else RGB.

        Raises:
            NoMask: as `map`.
        """
        if kind != "color":
            found = self.map(kind)
            return (png.write_ids if found.dtype == np.uint32 else png.write_values)(found, packing=packing)
        values = [*[UNKNOWN.colour] * len(self.strange), *self.values(kind)]
        places: dict[Colour, int] = {VOID_COLOUR: 0}
        for value in values:
            places.setdefault(value, len(places))
        if len(places) > 256:
            return png.write_colours(self.map(kind), packing=packing)
        table = np.array([places[value] for value in values], dtype=np.uint8)
        indexes = visible.map_of(self.runs, table, self.height, self.width)
        return png.write_palette(indexes, np.array(list(places), dtype=np.uint8), packing=packing)

    @cached_property
    def object_colours(self) -> list[Colour]:
        """The colour of each object: of a thing a shade of its category's."""
        pairs = zip(self.picture.objects, self.meanings, strict=True)
        return [shade(m.colour, item.id) if m.thing and m.id else m.colour for item, m in pairs]

    def layers(self, kind: Kind) -> tuple[NDArray[Any], list[Colour]]:
        """(places in a list of colours (height, width), that list, of which the first is void), to show a map whatever
        its numbers are: each object has a place, or (semantic) each category, or (panoptic) each segment.

        Raises:
            NoMask: too many pixels; or what is drawn is no outline or bitmap.
        """
        if self.height * self.width > MOST_PIXELS:
            raise NoMask(TOO_MANY_PIXELS)
        colours: list[Colour] = [VOID_COLOUR]
        places: dict[Any, int] = {}
        table = []
        owners: list[tuple[Any, bool, Colour]] = [(("strange", n), False, UNKNOWN.colour) for n in self.strange]
        for item, meaning, own in zip(self.picture.objects, self.meanings, self.object_colours, strict=True):
            by_category = kind == "semantic" or (kind == "panoptic" and not meaning.thing)
            is_known = bool(meaning.id) or (kind in ("instance", "color") and meaning is not VOID)
            named = ("category", meaning.id) if by_category else ("object", item.uuid)
            owners.append((named, is_known, meaning.colour if by_category else own))
        for named, is_known, colour in owners:
            if is_known and named not in places:
                places[named] = len(colours)
                colours.append(colour)
            table.append(places[named] if is_known else 0)
        return visible.map_of(self.runs, np.array(table, dtype=np.uint32), self.height, self.width), colours

    # --- what is in them ------------------------------------------------------------------------------------------

    @cached_property
    def segments(self) -> list[JSON]:
        """What is seen of each object, bottom to top; of an object that is not seen the area is 0, and there is no box.

        Strange numbers of a bitmap come first, without annotation.
        """
        first = len(self.strange)
        areas, boxes = visible.extents(self.runs, first + len(self.picture.objects), self.width)
        listed: list[tuple[int, str | None, Meaning]] = [(number, None, UNKNOWN) for number in self.strange]
        listed += [(i.id, i.uuid, m) for i, m in zip(self.picture.objects, self.meanings, strict=True)]
        return [
            {
                "id": number,
                "annotation": uuid,
                "category_id": meaning.id or None,
                "thing": meaning.thing,
                "area": area,
                "box_xyxy": box if area else None,
            }
            for (number, uuid, meaning), area, box in zip(listed, areas.tolist(), boxes.tolist(), strict=True)
        ]

    def numbers_of(self, kind: Kind, segments: list[JSON]) -> list[int | None]:
        """The value of each of `segments` in a map; of colours, and where no pixel holds it, the id. None is void."""
        strange = [item["id"] if kind in ("instance", "color") else None for item in segments if not item["annotation"]]
        if kind in ("instance", "color"):
            pairs = zip(self.picture.objects, self.meanings, strict=True)
            return [*strange, *(None if meaning is VOID else item.id for item, meaning in pairs)]
        return [*strange, *(value or None for value in self.values(kind))]

    def whole_rle(self, owner: int, *, compressed: bool) -> JSON:
        """The COCO run lengths of all that an owner covers, also where others lie over it; no map is made.

        Raises:
            NoMask: it is a bitmap's object in a picture of too many pixels, or what is drawn is no outline or bitmap.
        """
        first = len(self.strange)
        if owner >= first and self.picture.objects[owner - first].geometry["type"] != "mask":
            geometry = self.picture.objects[owner - first].geometry
            try:
                return composition.coco_rle_of(geometry, self.height, self.width, compressed=compressed)
            except (ValueError, TypeError) as error:
                raise _undrawable(error) from error
        if self.height * self.width > MOST_PIXELS:
            raise NoMask(TOO_MANY_PIXELS)
        return visible.coco_rle(self.spans, [owner], self.height, self.width, compressed=compressed)

    def rle(self, owners: Iterable[int], *, compressed: bool) -> JSON:
        """The COCO run lengths of what is seen of some owners together.

        Raises:
            NoMask: the picture has too many pixels.
        """
        if self.height * self.width > MOST_PIXELS:
            raise NoMask(TOO_MANY_PIXELS)
        return visible.coco_rle(self.runs, list(owners), self.height, self.width, compressed=compressed)

    def report(self) -> JSON:
        """What is missing and what is double; see `Report` in the API.

        A label is complete where every pixel shows exactly one object, and every object a pixel.
        """
        first, objects = len(self.strange), self.picture.objects
        segments = self.segments
        seen = sum(item["area"] for item in segments)
        over = visible.hidden(self.spans, self.height * self.width)
        unseen = {item.id for item, s in zip(objects, segments[first:], strict=True) if not s["area"]}
        covered = {objects[n - first].id for n in set(over.below.tolist()) if n >= first}
        pixels = self.height * self.width
        overlaps = [
            {"below": segments[below]["id"], "above": segments[above]["id"], "pixels": count}
            for below, above, count in zip(*(column.tolist() for column in over), strict=True)
        ]
        overlaps.sort(key=lambda item: -item["pixels"])
        uncategorized = sum(item["area"] for item in segments[first:] if item["category_id"] is None)
        return {
            "pixels": pixels,
            "unlabeled": pixels - seen,
            "overlapping": self._covered_twice(),
            "overlaps": overlaps[:MOST_OVERLAPS],
            "without_pixels": sorted(unseen - covered),
            "hidden": sorted(unseen & covered),
            "without_annotation": [
                {"id": item["id"], "pixels": item["area"]} for item in segments[:first] if item["annotation"] is None
            ],
            "without_category": uncategorized,
            "complete": seen == pixels and not overlaps and not unseen and not self.strange and not uncategorized,
        }

    def _covered_twice(self) -> int:
        """How many pixels more than one object covers."""
        spans = self.spans
        if spans.start.size == 0:
            return 0
        one = united(spans, self.height * self.width)
        ends = np.concatenate([one.start, one.stop])
        order = np.argsort(ends, kind="stable")
        steps = np.concatenate([np.ones(one.start.size, np.int64), np.full(one.stop.size, -1, np.int64)])[order]
        ends, depth = ends[order], np.cumsum(steps)
        return int(np.diff(ends)[depth[:-1] > 1].sum())

    def at(self, x: int, y: int) -> list[JSON]:
        """The objects that cover a pixel, from top to bottom, as `segments` has them.

        Raises:
            IndexError: the pixel is not in the picture.
        """
        if not (0 <= x < self.width and 0 <= y < self.height):
            raise IndexError("The pixel is not in the picture.")
        owners = visible.at_place(self.spans, y * self.width + x)
        return [self.segments[owner] for owner in reversed(owners)]


MOST_OVERLAPS = 1000


def require_size(height: int, width: int) -> None:
    """Check that something can be drawn in a picture.

    Raises:
        NoMask: no pixels, or a side of more than 65,535 px.
    """
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
        raise NoMask(f"There are masks of pictures of up to {MAX_SIDE} rows and columns; this one has more.")


def _undrawable(error: Exception) -> NoMask:
    """Why a shape cannot be drawn; only our own sentences are told."""
    ours = isinstance(error, BadOutline | BadBitmap)
    return NoMask(str(error) if ours else "A shape of this label has points that are no pairs of numbers.")


def grouped(segments: list[JSON], values: list[int | None]) -> list[JSON]:
    """The segments of a map: those of one value are one, with their areas added and a box around them.

    `values` are those of `Masks.numbers_of`; what is void is left out. Each has the places of its owners too.
    """
    found: dict[int, JSON] = {}
    for owner, (segment, value) in enumerate(zip(segments, values, strict=True)):
        if value is None:
            continue
        known = found.setdefault(
            value, segment | {"id": value, "area": 0, "box_xyxy": None, "annotations": [], "owners": []}
        )
        known["area"] += segment["area"]
        known["box_xyxy"] = _around(known["box_xyxy"], segment["box_xyxy"])
        known["annotations"] += [segment["annotation"]] if segment["annotation"] else []
        known["owners"].append(owner)
    return [{key: value for key, value in item.items() if key != "annotation"} for item in found.values()]


def _around(one: list[int] | None, other: list[int] | None) -> list[int] | None:
    if one is None or other is None:
        return one or other
    return [min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])]
