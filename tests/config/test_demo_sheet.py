"""The contact sheet shows every frame, with what lies there in the colour of its category."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from config.demo.datasets import png
from config.demo.sheet import COLUMNS, GAP, TILE_WIDTH, contact_sheet

RED = (255, 0, 0)


def opened(path: Path) -> Image.Image:
    return Image.open(io.BytesIO(path.read_bytes()))


@pytest.mark.parametrize("count", [1, COLUMNS, COLUMNS + 1])
def test_every_frame_has_its_tile(tmp_path: Path, count: int) -> None:
    path = tmp_path / "exports" / "sheet.jpg"
    contact_sheet([png(Image.new("RGB", (64, 36), (0, 200, 0)))] * count, [[]] * count, {}, path)
    sheet = opened(path)
    columns, rows = min(count, COLUMNS), -(-count // COLUMNS)
    assert sheet.size[1] == rows * (225 + GAP) - GAP and sheet.size[0] >= columns * (TILE_WIDTH + GAP) - GAP
    last = ((columns - 1 if count <= COLUMNS else 0) * (TILE_WIDTH + GAP) + 200, (rows - 1) * (225 + GAP) + 100)
    red, green, blue = sheet.getpixel(last)
    assert green > 180 and max(red, blue) < 30
    assert list(path.parent.iterdir()) == [path]


def test_objects_are_outlined_where_they_are(tmp_path: Path) -> None:
    box = {"type": "bbox", "category_id": 1, "points": [[16, 9], [48, 27]], "is_keyframe": True}
    contact_sheet([png(Image.new("RGB", (64, 36)))], [[box]], {1: RED}, tmp_path / "s.jpg")
    sheet = opened(tmp_path / "s.jpg")
    for spot in ((100, 112), (300, 112), (200, 56), (200, 169), (37, 9)):  # its four sides, and the keyframe's dot
        assert sheet.getpixel(spot)[0] > 120, spot
    assert sheet.getpixel((200, 112))[0] < 40


def test_an_empty_sequence_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unpack|expected|empty"):
        contact_sheet([], [], {}, tmp_path / "s.jpg")
    assert list(tmp_path.iterdir()) == []
