"""The outlines of many objects looked at together, in arrays: their boxes, and how many pixels they cover. Pure.

One by one that would be most of the time of an export. What is not plain, and there is little of it, is not in a
survey: `outlines` has it.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable
from contextlib import suppress
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from labeling.geometry.rasterize import (
    MAX_SIDE,
    BadOutline,
    Numbers,
    Outlines,
    outlines_of_rings,
    pixel_counts,
)
from releases.formats.outlines import Box, Geometry, Points, vertices_of

Flags = NDArray[np.bool_]

#: What is surveyed together: pictures, and objects beyond which no further picture is taken in.
PICTURES, OBJECTS = 64, 512
#: Coordinates that are written as float64 in the same way, whatever kind of number they came as.
_FAR_PX = float(1 << 20)
#: Lines of pixels that are drawn together of outlines of which nothing says how large their pictures are.
_UNSIZED_LINES = 1 << 20


class Survey:
    """Plain outlines: polygons whose rings have three vertices or more, and boxes from their upper left to their lower
    right corner, all in a plane. So `outlines.sound` returns them as they are.

    Each is given with the width and height of its picture, 0 where that is unknown. They are known by their place among
    the plain ones, in the order given: `places` has that of each object that was given, None of one that is not plain.
    Their rings stand one behind the other, those of a box with its two corners.
    """

    def __init__(self, objects: Iterable[tuple[Geometry, int, int]]) -> None:
        given = list(objects)
        self._take(given)
        pairs = list(chain.from_iterable(self.rings))
        if set(map(len, pairs)) - {2}:  # points in space, which are in no picture
            spatial = {id(item) for item in self.geometries if {len(point) for point in vertices_of(item)} != {2}}
            self._take(given, spatial)
            pairs = list(chain.from_iterable(self.rings))
        self.points = np.fromiter(chain.from_iterable(pairs), np.float64, 2 * len(pairs)).reshape(-1, 2)

    def _take(self, objects: Iterable[tuple[Geometry, int, int]], without: Container[int] = frozenset()) -> None:
        self.geometries: list[Geometry] = []
        self.places: list[int | None] = []
        self.rings: list[Points] = []
        self._sizes_wh: list[tuple[int, int]] = []
        self._parts: list[int] = []  # how many parts each geometry has, and how many rings each part
        self._part_rings: list[int] = []
        for geometry, width, height in objects:
            self.places.append(None)
            if id(geometry) in without:
                continue
            if geometry["type"] == "polygon":
                parts = geometry["parts"]
                rings = parts[0] if len(parts) == 1 else [ring for part in parts for ring in part]
                if not rings or not all(parts) or min(map(len, rings)) < 3:
                    continue
                self._parts.append(len(parts))
                self._part_rings += map(len, parts)
                self.rings += rings
            elif geometry["type"] == "bbox" and len(geometry["points"]) == 2:
                first, last = geometry["points"]
                if min(len(first), len(last)) < 2 or first[0] > last[0] or first[1] > last[1]:
                    continue
                self._parts.append(1)
                self._part_rings.append(1)
                self.rings.append(geometry["points"])
            else:
                continue
            self.places[-1] = len(self.geometries)
            self.geometries.append(geometry)
            self._sizes_wh.append((width, height))

    def place_of(self, geometry: Geometry) -> int | None:
        """The place of a geometry, found by identity; None where it was changed since, or is not plain."""
        return self._place.get(id(geometry))

    @cached_property
    def _place(self) -> dict[int, int]:
        return dict(zip(map(id, self.geometries), range(len(self.geometries)), strict=True))

    @cached_property
    def sizes(self) -> Numbers:
        """How many vertices each ring has (R,)."""
        return np.fromiter(map(len, self.rings), np.int64, len(self.rings))

    @cached_property
    def _ring_counts(self) -> Numbers:
        """How many rings each geometry has (G,)."""
        counts = np.array(self._part_rings, dtype=np.int64)
        return counts if counts.size == len(self.geometries) else np.add.reduceat(counts, _starts(self._parts))

    @cached_property
    def first_rings(self) -> list[int]:
        """Where the rings of each geometry begin, and at the end how many rings there are (G + 1)."""
        return [0, *np.cumsum(self._ring_counts).tolist()]

    @cached_property
    def boxes_xyxy(self) -> NDArray[np.float64]:
        """The box around each geometry (G, 4)."""
        if not self.geometries:
            return np.zeros((0, 4))
        vertices = self.sizes
        if vertices.size > len(self.geometries):
            vertices = np.add.reduceat(vertices, self.first_rings[:-1])
        starts = np.cumsum(vertices) - vertices
        x, y = self.points.T.copy()
        ends = (np.minimum, x), (np.minimum, y), (np.maximum, x), (np.maximum, y)
        return np.stack([choose.reduceat(along, starts) for choose, along in ends], axis=1)

    @cached_property
    def owners(self) -> Numbers:
        """The place of the geometry that each vertex is of (V,)."""
        return np.repeat(np.repeat(np.arange(len(self.geometries)), self._ring_counts), self.sizes)

    @cached_property
    def boxes(self) -> list[Box]:
        """The same as lists."""
        return list(self.boxes_xyxy.tolist())

    @cached_property
    def is_near(self) -> Flags:
        """Whether all of each geometry is so near that its numbers are written alike as float64 (G,)."""
        return np.asarray((np.abs(self.boxes_xyxy) <= _FAR_PX).all(axis=1))

    @cached_property
    def is_polygon(self) -> Flags:
        """Whether each geometry is a polygon (G,); the others are boxes."""
        return np.array([item["type"] == "polygon" for item in self.geometries], dtype=bool)

    @cached_property
    def has_holes(self) -> Flags:
        """Whether a part of each geometry has more rings than its outer one (G,)."""
        return self._ring_counts > np.array(self._parts, dtype=np.int64)

    @cached_property
    def is_whole(self) -> list[bool]:
        """Whether nothing of each geometry is beyond the border of its picture, as of one of unknown size (G,)."""
        boxes, sizes = self.boxes_xyxy, self._sizes
        within = (boxes[:, :2] >= 0).all(axis=1) & (boxes[:, 2:] <= sizes).all(axis=1)
        return list((within | (sizes == 0).any(axis=1)).tolist())

    @cached_property
    def has_size(self) -> list[bool]:
        """Whether width and height of each geometry are numbers (G,); they are not where it is far too large."""
        with np.errstate(over="ignore"):
            sides = self.boxes_xyxy[:, 2:] - self.boxes_xyxy[:, :2]
        return list(np.asarray(np.isfinite(sides).all(axis=1)).tolist())

    @cached_property
    def _sizes(self) -> NDArray[np.float64]:
        """The width and height of each geometry's picture (G, 2)."""
        return np.array(self._sizes_wh, dtype=np.float64).reshape(-1, 2)

    @cached_property
    def pixels(self) -> list[int]:
        """How many pixels each polygon covers in a picture that holds it whole, however large that is (G,).

        -1 where its own does not, and for boxes. Source: the definition of `labeling.geometry.rasterize`.
        """
        counts = np.full(len(self.geometries), -1, dtype=np.int64)
        held = self._held()
        if held.any():
            width, height = (max(1, math.ceil(side)) for side in self.boxes_xyxy[held][:, 2:].max(axis=0).tolist())
            with suppress(BadOutline):  # too much together, maybe, for what may be drawn at once
                counts[held] = pixel_counts(self._edges(held), height, width)
        return list(counts.tolist())

    def _held(self) -> Flags:
        """Which polygons are drawn here (G,): those that are whole in their own pictures. What is beyond the border is
        cut off before it is drawn, so work must not follow from that; without a size only so much is drawn."""
        boxes, sizes = self.boxes_xyxy, self._sizes
        unsized = (sizes == 0).any(axis=1)
        most = np.where(unsized[:, None], float(MAX_SIDE), np.minimum(sizes, MAX_SIDE))
        held = self.is_polygon & (boxes[:, :2] >= 0).all(axis=1) & (boxes[:, 2:] <= most).all(axis=1)
        unsized &= held
        sides = np.where(unsized, boxes[:, 1::2].T, 0.0)
        return held & ~(unsized & (np.cumsum(sides[1] - sides[0]) > _UNSIZED_LINES))

    def pixels_in(self, place: int, height: int, width: int) -> int | None:
        """How many pixels a geometry covers in a picture of that size (0 where it is unknown); None where that has to
        be drawn, because some of it may be beyond the border."""
        _, _, x1, y1 = self.boxes[place]
        is_held = self.pixels[place] >= 0 and (not (height and width) or (x1 <= width and y1 <= height))
        return self.pixels[place] if is_held else None

    def _edges(self, chosen: Flags) -> Outlines:
        """The edges of some of the geometries."""
        part_rings = np.array(self._part_rings, dtype=np.int64)
        owner = np.repeat(np.arange(len(self._parts)), self._parts)
        part = np.repeat(np.arange(part_rings.size), part_rings)
        points, sizes, objects = self.points, self.sizes, len(self._parts)
        if not chosen.all():
            parts = chosen[owner]
            rings = parts[part]
            points, sizes, objects = points[np.repeat(rings, sizes)], sizes[rings], int(chosen.sum())
            part = (np.cumsum(parts) - 1)[part[rings]]
            owner = (np.cumsum(chosen) - 1)[owner[parts]]
        return outlines_of_rings(points, sizes, part, owner, objects)


def _starts(counts: list[int]) -> Numbers:
    return np.cumsum(counts, dtype=np.int64) - np.array(counts, dtype=np.int64)


NOTHING = Survey(())
