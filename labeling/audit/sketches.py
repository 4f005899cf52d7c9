"""Small drawings of one object, as SVG that stands inline in a page: what its geometry covers, over a crop. Pure.

Coordinates are those of the whole picture, x to the right and y down; a crop is [x, y, width, height] of it. Crops lie
on a coarse grid, so that an object that is moved a little is shown in the same one, and its picture is needed once.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.geometry import rle, shapes
from labeling.geometry.bitmaps import BadBitmap, box_of
from labeling.rules.colours import Colour

JSON = dict[str, Any]
Crop = tuple[float, float, float, float]
Mask = NDArray[np.bool_]

SIZE_WH = (176, 132)
#: The narrowest crop, by how much each wider one is wider, and how much room an object has in one.
LEAST_PX, STEP, ROOM = 48.0, 1.5, 1.6
#: Cells across a mask that is drawn, points of an outline, and pixels of a mask that is looked at.
CELLS, MOST_POINTS, MOST_PIXELS = 120, 2000, 40_000_000


@dataclass(frozen=True, slots=True)
class Outline:
    """What is drawn of an object: paths of what is filled, of lines and of dots, the box around it all, and the cells
    of a mask, which are filled and have no edge."""

    areas: str
    lines: str
    dots: str
    box_xyxy: tuple[float, float, float, float]
    cells: str = ""


class _Pen:
    """Gathers paths and how far they reach."""

    def __init__(self) -> None:
        self.areas, self.lines, self.dots, self.cells = list[str](), list[str](), list[str](), list[str]()
        self.xs, self.ys = list[float](), list[float]()

    def ring(self, points: list[Any], *, is_closed: bool = True) -> None:
        if not points:
            return
        shown = points[:: len(points) // MOST_POINTS + 1]
        self.xs += [point[0] for point in points]
        self.ys += [point[1] for point in points]
        path = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in shown)
        (self.areas if is_closed else self.lines).append(path + "Z" * is_closed)

    def dot(self, x: float, y: float) -> None:
        self.xs.append(x)
        self.ys.append(y)
        self.dots.append(f"M{number(x)} {number(y)}h0")

    def mask(self, mask: Mask, corner_xy: tuple[int, int] = (0, 0)) -> None:
        """The pixels of a mask whose first one lies at a corner, in cells, a rectangle a run."""
        box = box_of(mask)
        if box is None:
            return
        mask = mask[box[1] : box[3], box[0] : box[2]]
        x0, y0 = corner_xy[0] + box[0], corner_xy[1] + box[1]
        height, width = mask.shape
        self.xs += [x0, x0 + width]
        self.ys += [y0, y0 + height]
        step = max(width, height) // CELLS + 1
        for row, line in enumerate(mask[::step, ::step]):
            cells = np.concatenate(([0], line.astype(np.int8), [0]))
            edges = np.flatnonzero(np.diff(cells))
            for first, after in zip(edges[::2], edges[1::2], strict=True):
                long = int(after - first) * step
                self.cells.append(f"M{x0 + int(first) * step} {y0 + row * step}h{long}v{step}h-{long}z")


def outline(item: JSON | None, *, mask: Mask | None = None, corner_xy: tuple[int, int] = (0, 0)) -> Outline | None:
    """What is drawn of an annotation; `mask` (H, W) are its pixels where they are no part of it, the first one of which
    lies at `corner_xy` of the picture. None for nothing."""
    pen = _Pen()
    try:
        if mask is not None:
            pen.mask(mask, corner_xy)
        geometry = (item or {}).get("geometry")
        if isinstance(geometry, dict):
            _geometry(pen, geometry)
        for point in (item or {}).get("keypoints") or ():
            if point.get("visibility") != 0:
                pen.dot(point["x"], point["y"])
        if not pen.xs or not max(map(abs, (*pen.xs, *pen.ys))) <= shapes.MAX_LENGTH_PX:
            return None  # so far out, a crop around it is none
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
        return None  # what is kept verbatim may hold anything; what cannot be drawn is left out
    box = (min(pen.xs), min(pen.ys), max(pen.xs), max(pen.ys))
    return Outline("".join(pen.areas), "".join(pen.lines), "".join(pen.dots), box, "".join(pen.cells))


def _geometry(pen: _Pen, geometry: JSON) -> None:
    match geometry["type"]:
        case "polygon":
            for rings in geometry["parts"]:
                for ring in rings:
                    pen.ring(ring)
        case "polyline":
            for line in geometry["parts"]:
                pen.ring(line, is_closed=False)
        case "bbox":
            (x0, y0), (x1, y1) = geometry["points"][:2]
            pen.ring([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
        case "bitmap":
            try:
                pen.mask(rle.decode(geometry["rle"], max_pixels=MOST_PIXELS))
            except BadBitmap:
                return
        case "skeleton":
            for point in geometry["points"]:
                if point.get("visibility") != 0:
                    pen.dot(point["x"], point["y"])
        case "point":
            for x, y in geometry["points"]:
                pen.dot(x, y)
        case _:
            wire = shapes.to_wire(geometry)
            if wire is not None:
                pen.ring(wire[1])


def crop_of(outlines: list[Outline], size_wh: tuple[int, int] | None) -> Crop:
    """The crop that shows all of these, within a picture of that size where it is known and large enough."""
    x0, y0 = min(item.box_xyxy[0] for item in outlines), min(item.box_xyxy[1] for item in outlines)
    x1, y1 = max(item.box_xyxy[2] for item in outlines), max(item.box_xyxy[3] for item in outlines)
    shape = SIZE_WH[0] / SIZE_WH[1]
    needed, width = max(x1 - x0, (y1 - y0) * shape) * ROOM, LEAST_PX
    if size_wh is not None:  # what lies far outside of the picture need not be seen
        needed = min(needed, 2 * max(size_wh[0], size_wh[1] * shape))
    while width < needed and width < 1e9:
        width *= STEP
    height, grid = width / shape, width / 8
    x = round((x0 + x1) / 2 / grid) * grid - width / 2
    y = round((y0 + y1) / 2 / grid) * grid - height / 2
    if size_wh is not None:
        x, y = _within(x, width, size_wh[0]), _within(y, height, size_wh[1])
    return x, y, width, height


def _within(start: float, length: float, whole: int) -> float:
    """A stretch moved into the picture; one that is longer has the picture in its middle."""
    return min(max(start, 0.0), whole - length) if length <= whole else (whole - length) / 2


def number(value: float) -> str:
    """A coordinate, to a hundredth of a pixel."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 1e12 else "0"


def svg(found: Outline | None, crop: Crop, colour: Colour, words: str, *, picture: str = "") -> str:
    """The drawing as an element; `picture` is what lies below, `words` what it shows."""
    width, height = SIZE_WH
    view = " ".join(map(number, crop))
    shown = "".join(_layers(found, colour)) if found is not None else ""
    return (
        f'<svg class="sketch" viewBox="{view}" width="{width}" height="{height}" role="img">'
        f"<title>{html.escape(words)}</title>{picture}{shown}</svg>"
    )


def _layers(found: Outline, colour: Colour) -> list[str]:
    """A white edge, and the colour in it, both as wide on the screen however large the crop is."""
    red, green, blue = colour
    own = f"rgb({red},{green},{blue})"
    lines = 'fill="none" stroke-linecap="round" stroke-linejoin="round" vector-effect="non-scaling-stroke"'
    layers = []
    if found.areas or found.cells:
        layers.append(f'<path d="{found.areas}{found.cells}" fill="{own}" fill-opacity=".35" fill-rule="evenodd"/>')
    for paths, wide in ((found.areas, 1.8), (found.lines, 1.8), (found.dots, 6.0)):
        if paths:
            layers.append(f'<path d="{paths}" {lines} stroke="#fff" stroke-opacity=".85" stroke-width="{wide + 2}"/>')
            layers.append(f'<path d="{paths}" {lines} stroke="{own}" stroke-width="{wide}"/>')
    return layers
