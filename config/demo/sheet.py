"""A contact sheet: every frame of a sequence with what its label shows there, in one picture.

Pixels: x to the right, y down, the origin at the top left corner of the top left pixel."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from config.demo.datasets import Colour, Json

COLUMNS = 6
TILE_WIDTH = 400
FINER = 2  #: each tile is drawn so many times as wide and then made smaller, because PIL draws no smooth lines
GAP = 4
DARK: Colour = (24, 24, 28)
SET_BY_HAND: Colour = (255, 255, 255)
FILL = 46  #: of 255


def contact_sheet(
    pictures: Sequence[bytes], frames: Sequence[Sequence[Json]], colours: Mapping[int, Colour], path: Path
) -> None:
    """Write a JPEG of all frames, in rows of COLUMNS. `frames` has the objects of each picture as the protocol shows
    them, `colours` those of the categories. A dot in a corner for each object whose keyframe it is."""
    tiles = [
        tile(data, items, colours, number) for number, (data, items) in enumerate(zip(pictures, frames, strict=True))
    ]
    width, height = (max(size) for size in zip(*(item.size for item in tiles), strict=True))
    rows = -(-len(tiles) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (width + GAP) - GAP, rows * (height + GAP) - GAP), DARK)
    for number, item in enumerate(tiles):
        sheet.paste(item, ((number % COLUMNS) * (width + GAP), (number // COLUMNS) * (height + GAP)))
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".part")
    sheet.save(fresh, "JPEG", quality=88)
    os.replace(fresh, path)


def tile(data: bytes, items: Sequence[Json], colours: Mapping[int, Colour], number: int) -> Image.Image:
    """One frame: its objects filled faintly and outlined, and its number."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    scale = TILE_WIDTH * FINER / picture.width
    size = (TILE_WIDTH * FINER, round(picture.height * scale))
    picture = picture.resize(size, Image.Resampling.BICUBIC)
    faint = Image.new("RGBA", size)
    brush = ImageDraw.Draw(faint)
    for item in items:
        ring = [(x * scale, y * scale) for x, y in corners(item)]
        colour = colours.get(item["category_id"], SET_BY_HAND)
        if item["type"] != "bbox":
            brush.polygon(ring, fill=(*colour, FILL))
        brush.line([*ring, *ring[:2]], fill=(*colour, 255), width=2 * FINER, joint="curve")
    picture.paste(faint, mask=faint)
    small = picture.resize((TILE_WIDTH, size[1] // FINER), Image.Resampling.LANCZOS)
    brush = ImageDraw.Draw(small)
    brush.rectangle((0, 0, 26, 17), fill=DARK)
    brush.text((5, 3), f"{number:>2}", fill=SET_BY_HAND)
    keyed = [item for item in items if item.get("is_keyframe")]
    for place, item in enumerate(keyed):
        x = 33 + place * 12
        brush.ellipse((x, 5, x + 8, 13), fill=colours.get(item["category_id"], SET_BY_HAND), outline=DARK)
    return small


def corners(item: Json) -> list[tuple[float, float]]:
    """The corners of a box or of a polygon."""
    if item["type"] == "bbox":
        (x0, y0), (x1, y1) = item["points"]
        return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    return [(x, y) for x, y in item["points"]]
