"""A picture with a label drawn over it, and the grey card for one that cannot be shown. Pillow and numpy, no Django.

Pixels: x to the right, y down. A label's coordinates are those of the whole picture; a scale brings them to the small.
Shapes are drawn at twice the size and shrunk, because Pillow draws without smoothing.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from labeling.errors import StorageUnavailable
from labeling.geometry import rle, shapes
from labeling.geometry.bitmaps import BadBitmap, Ids
from labeling.rules.colours import NO_COLOUR, Colour, shade
from labeling.rules.masks import Kind, Masks

JSON = dict[str, Any]
Points = list[tuple[float, float]]

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
#: Decoded pixels: 40 million are 120 MB. A JPEG is decoded at an eighth, so it may be larger.
MOST_PIXELS = 40_000_000
MOST_JPEG_PIXELS = 400_000_000
#: What is drawn of one label; past it a thumbnail says nothing more.
MOST_OBJECTS = 4000
MOST_POINTS = 200_000

#: A part of keys of what was drawn, to be raised when the same would be drawn differently.
STYLE = 1
SMOOTH = 2
FILL = 0.28
MASK_FILL = 0.55
#: What has no inside, and so covers no pixels of a mask.
THIN = frozenset({"polyline", "point", "skeleton"})
VOID: Colour = (0, 0, 0)
PAPER: Colour = (222, 222, 218)
INK: Colour = (132, 134, 136)


class Unreadable(ValueError):
    """The picture cannot be shown; the text is a few words for the card in its place."""


def opened(file: IO[bytes], box_wh: tuple[int, int]) -> tuple[Image.Image, tuple[int, int]]:
    """A picture that fits into a box, RGB, and the size (w, h) of the whole one; memory stays bounded.

    Raises:
        Unreadable: too large, damaged, or no picture.
        StorageUnavailable: the file cannot be read now.
    """
    try:
        picture = Image.open(file, formats=FORMATS)
        width, height = picture.size
        jpeg = picture.format == "JPEG"
        if width * height > (MOST_JPEG_PIXELS if jpeg else MOST_PIXELS):
            raise Unreadable("too large to show")
        small = fitted((width, height), box_wh)
        if jpeg:
            picture.draft("RGB", (small[0] * 2, small[1] * 2))
            if picture.size[0] * picture.size[1] > MOST_PIXELS:
                raise Unreadable("too large to show")
        return _as_rgb(picture).resize(small, Image.Resampling.LANCZOS, reducing_gap=2.0), (width, height)
    except (Unreadable, StorageUnavailable):
        raise
    except Exception as error:  # Pillow's decoders raise whatever comes to them: OSError, SyntaxError, KeyError …
        raise Unreadable("not a readable picture") from error


def _as_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":
        # 16 bits and more have no range of their own: spread what is there.
        values = np.asarray(picture, dtype=np.float64)
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        spread = np.nan_to_num((values - low) * (255.0 / (high - low) if high > low else 0.0))
        picture = Image.fromarray(spread.astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        ground = Image.new("RGB", picture.size, PAPER)
        layer = picture.convert("RGBA")
        ground.paste(layer, mask=layer.getchannel("A"))
        return ground
    return picture.convert("RGB")


def fitted(size_wh: tuple[int, int], box_wh: tuple[int, int]) -> tuple[int, int]:
    """The size that fits into a box with the same proportions; small pictures grow by eight at most."""
    width, height = size_wh
    scale = min(box_wh[0] / width, box_wh[1] / height, 8.0)
    return max(1, round(width * scale)), max(1, round(height * scale))


def card(box_wh: tuple[int, int], words: str) -> Image.Image:
    """The grey card in the place of a picture that cannot be shown."""
    picture = Image.new("RGB", box_wh, PAPER)
    draw = ImageDraw.Draw(picture)
    size = max(9, min(22, box_wh[0] // 12))
    draw.text((box_wh[0] / 2, box_wh[1] / 2), words, fill=INK, font=ImageFont.load_default(size), anchor="mm")
    return picture


def encoded(picture: Image.Image) -> bytes:
    """WebP: a quarter of a PNG, and every browser of today shows it."""
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=84, method=4)
    return buffer.getvalue()


def drawn(
    picture: Image.Image,
    document: JSON,
    ids: Ids | None,
    *,
    size_wh: tuple[int, int],
    colour_of: Callable[[Any], Colour],
) -> Image.Image:
    """The picture with a label document drawn over it; `ids` is its bitmap, `size_wh` the whole picture's size."""
    large = picture.resize((picture.width * SMOOTH, picture.height * SMOOTH), Image.Resampling.BILINEAR)
    scale = (large.width / size_wh[0], large.height / size_wh[1])
    listed = document.get("annotations")
    objects = [item for item in listed if isinstance(item, dict)][:MOST_OBJECTS] if isinstance(listed, list) else []
    if ids is not None:
        colours = {item["id"]: colour_of(item.get("category_id")) for item in objects if type(item.get("id")) is int}
        large = _with_bitmap(large, ids, colours)
    pen = _Pen(large, scale)
    for item in objects:
        pen.object(item, colour_of(item.get("category_id")))
    return large.resize(picture.size, Image.Resampling.BOX)


def overlaid(picture: Image.Image, masks: Masks, kind: Kind) -> Image.Image:
    """The picture with a map of the masks over it, and what covers no pixel (lines, points, skeletons) as it is drawn.

    Raises:
        NoMask: what is drawn is no outline or bitmap.
    """
    large = picture.resize((picture.width * SMOOTH, picture.height * SMOOTH), Image.Resampling.BILINEAR)
    indexes, colours = masks.layers(kind)
    large = _with_layers(large, indexes, np.array(colours, dtype=np.float32))
    pen = _Pen(large, (large.width / masks.width, large.height / masks.height))
    for item, colour in list(zip(masks.picture.objects, masks.object_colours, strict=True))[:MOST_OBJECTS]:
        if item.geometry["type"] in THIN:
            pen.object({"geometry": item.geometry}, colour)
    return large.resize(picture.size, Image.Resampling.BOX)


def _with_bitmap(picture: Image.Image, ids: Ids, colours: dict[int, Colour]) -> Image.Image:
    present, place = np.unique(_nearest(ids, picture), return_inverse=True)
    table = [shade(colours.get(int(number), NO_COLOUR), int(number)) for number in present]
    first = int(present[0] != 0)  # in front of all there is void
    return _with_layers(
        picture,
        (place + first).reshape(picture.height, picture.width),
        np.array([VOID] * first + table, dtype=np.float32),
    )


def _nearest(values: NDArray[Any], picture: Image.Image) -> NDArray[Any]:
    """The value of the nearest pixel for each of the picture's."""
    rows = (np.arange(picture.height) * values.shape[0]) // picture.height
    columns = (np.arange(picture.width) * values.shape[1]) // picture.width
    found: NDArray[Any] = values[rows[:, None], columns[None, :]]
    return found


def _with_layers(picture: Image.Image, indexes: NDArray[Any], table: NDArray[np.float32]) -> Image.Image:
    """The picture with a map of places in a table of colours over it, of which the first is void, and outlines."""
    small = _nearest(indexes, picture)
    weight = np.where(small == 0, 0.0, MASK_FILL).astype(np.float32)[..., None]
    edge = np.zeros(small.shape, dtype=bool)
    edge[:, :-1] |= small[:, :-1] != small[:, 1:]
    edge[:-1] |= small[:-1] != small[1:]
    painted = np.asarray(picture, dtype=np.float32) * (1 - weight) + table[small] * weight
    painted[edge] *= 0.55
    return Image.fromarray(np.clip(painted, 0, 255).astype(np.uint8))


class _Pen:
    """Draws the shapes of one label on a picture, until there have been too many points."""

    def __init__(self, picture: Image.Image, scale: tuple[float, float]) -> None:
        self.picture = picture
        self.draw = ImageDraw.Draw(picture)
        self.scale = scale
        self.left = MOST_POINTS
        self.line = max(2, round(max(picture.size) / 320) * SMOOTH)
        # Pillow walks along a line pixel by pixel, also where it is outside of the picture.
        self.far = 4.0 * max(picture.size)

    def object(self, item: JSON, colour: Colour) -> None:
        """One object as a document shows it: in our own form where it has one, else in the protocol's."""
        geometry = item.get("geometry")
        try:
            if not isinstance(geometry, dict) and item.get("type"):
                geometry = shapes.from_wire(item["type"], item.get("points") or [])
            if isinstance(geometry, dict):
                self._geometry(geometry, colour)
            for point in item.get("keypoints") or ():
                if point.get("visibility") != 0:
                    self._dot(*self._at([[point["x"], point["y"]]])[0], colour)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            # A document that is kept verbatim may hold anything; what cannot be drawn is left out.
            return

    def _geometry(self, geometry: JSON, colour: Colour) -> None:
        kind = geometry["type"]
        if kind == "polygon":
            for rings in geometry["parts"]:
                self._area([self._at(ring) for ring in rings], colour)
        elif kind == "polyline":
            for line in geometry["parts"]:
                self._stroke(self._at(line), colour)
        elif kind == "bbox":
            (x0, y0), (x1, y1) = geometry["points"][:2]
            self._area([self._at([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])], colour)
        elif kind == "bitmap":
            self._mask(geometry["rle"], colour)
        elif kind == "skeleton":
            for point in geometry["points"]:
                if point.get("visibility") != 0:
                    self._dot(*self._at([[point["x"], point["y"]]])[0], colour)
        elif kind == "point":
            for x, y in self._at(geometry["points"]):
                self._dot(x, y, colour)
        else:
            wire = shapes.to_wire(geometry)
            if wire is not None:
                self._area([self._at(wire[1])], colour)

    def _at(self, points: list[Any]) -> Points:
        self.left -= len(points)
        if self.left < 0:
            return []
        (across, down), far = self.scale, self.far
        return [(min(max(x * across, -far), far), min(max(y * down, -far), far)) for x, y in points]

    def _area(self, rings: list[Points], colour: Colour) -> None:
        if not rings or len(rings[0]) < 2:
            return
        box = self._visible(rings[0])
        if box is not None:
            x0, y0, x1, y1 = box
            mask = Image.new("L", (x1 - x0, y1 - y0), 0)
            draw = ImageDraw.Draw(mask)
            for number, ring in enumerate(rings):
                if len(ring) > 2:
                    draw.polygon([(x - x0, y - y0) for x, y in ring], fill=0 if number else round(255 * FILL))
            self.picture.paste(colour, box, mask)
        for ring in rings:
            if len(ring) > 1:
                self._stroke([*ring, ring[0]], colour)

    def _visible(self, ring: Points) -> tuple[int, int, int, int] | None:
        xs, ys = [x for x, _ in ring], [y for _, y in ring]
        x0, y0 = max(0, int(min(xs))), max(0, int(min(ys)))
        x1, y1 = min(self.picture.width, int(max(xs)) + 1), min(self.picture.height, int(max(ys)) + 1)
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None

    def _stroke(self, points: Points, colour: Colour) -> None:
        if len(points) > 1:
            self.draw.line(points, fill=colour, width=self.line, joint="curve")

    def _dot(self, x: float, y: float, colour: Colour) -> None:
        radius = self.line * 1.4
        self.draw.ellipse(
            (x - radius, y - radius, x + radius, y + radius), fill=colour, outline=(255, 255, 255), width=SMOOTH
        )

    def _mask(self, runs: JSON, colour: Colour) -> None:
        try:
            mask: NDArray[np.bool_] = rle.decode(runs, max_pixels=MOST_PIXELS)
        except BadBitmap:
            return
        small = Image.fromarray(mask.astype(np.uint8) * round(255 * MASK_FILL)).resize(self.picture.size)
        self.picture.paste(colour, (0, 0), small)


def picture_urls(attributes: JSON, frame: int = 0, sensor: int | None = None) -> Iterator[str]:
    """The addresses of the pictures of a sample, the one to show first: its image, or that of a frame."""
    sensors = attributes.get("sensors")
    if sensor is not None and isinstance(sensors, list):
        inner = next((item.get("attributes") for item in sensors[sensor : sensor + 1] if isinstance(item, dict)), None)
        attributes = inner if isinstance(inner, dict) else {}
    frames = attributes.get("frames")
    for holder in (attributes, *(frames[frame : frame + 1] if isinstance(frames, list) else ())):
        image = holder.get("image") if isinstance(holder, dict) else None
        if isinstance(image, dict) and isinstance(image.get("url"), str):
            yield image["url"]
