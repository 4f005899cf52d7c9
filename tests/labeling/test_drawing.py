from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from labeling import drawing
from labeling.geometry import rle
from labeling.rules.colours import NO_COLOUR, colours_of

WHITE, RED = (255, 255, 255), (255, 0, 0)
CATEGORIES = {"categories": [{"id": 1, "name": "car", "color": list(RED)}]}


def over_white(*annotations: dict[str, Any], ids: np.ndarray | None = None) -> np.ndarray:
    """A white picture of 100 x 80 with these objects drawn over it, (80, 100, 3)."""
    picture = drawing.drawn(
        Image.new("RGB", (100, 80), WHITE),
        {"annotations": [{"id": 7, "category_id": 1} | item for item in annotations]},
        ids,
        size_wh=(100, 80),
        colour_of=colours_of(CATEGORIES),
    )
    return np.asarray(picture).astype(int)


def is_white(pixel: np.ndarray) -> bool:
    return bool((pixel == 255).all())


def opened(data: bytes, box: tuple[int, int] = (100, 100)) -> tuple[Image.Image, tuple[int, int]]:
    return drawing.opened(io.BytesIO(data), box)


def saved(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


def test_nothing_is_drawn_of_a_label_without_objects() -> None:
    assert is_white(over_white())


@pytest.mark.parametrize(
    ("geometry", "inside", "outside"),
    [
        ({"type": "bbox", "points": [[20, 20], [60, 60]]}, (40, 40), (70, 40)),
        ({"type": "rbox", "center": [40, 40], "size_wh": [40, 8], "angle_deg": 90.0}, (40, 55), (55, 40)),
        ({"type": "ellipse", "center": [40, 40], "radii": [20, 10], "angle_deg": 0.0}, (55, 40), (58, 49)),
        ({"type": "polygon", "parts": [[[[10, 10], [40, 10], [25, 40]]]]}, (25, 20), (12, 38)),
        ({"type": "polyline", "parts": [[[10, 10], [90, 10]]]}, (50, 10), (50, 20)),
        ({"type": "point", "points": [[50, 40]]}, (50, 40), (60, 40)),
        ({"type": "skeleton", "points": [{"name": "nose", "x": 30, "y": 30, "visibility": 2}]}, (30, 30), (40, 30)),
    ],
)
def test_each_geometry_is_drawn_where_it_is(geometry: Any, inside: tuple[int, int], outside: tuple[int, int]) -> None:
    found = over_white({"geometry": geometry})

    assert not is_white(found[inside[1], inside[0]])
    assert is_white(found[outside[1], outside[0]])


def test_a_shape_in_the_protocols_form_is_drawn_too() -> None:
    found = over_white({"type": "bbox", "points": [[20, 20], [60, 60]]})

    assert not is_white(found[40, 40])


def test_holes_and_the_space_between_parts_stay_clear() -> None:
    outer, hole = [[10, 10], [60, 10], [60, 60], [10, 60]], [[25, 25], [45, 25], [45, 45], [25, 45]]
    second = [[75, 10], [95, 10], [95, 60], [75, 60]]
    found = over_white({"geometry": {"type": "polygon", "parts": [[outer, hole], [second]]}})

    assert not is_white(found[15, 35])
    assert is_white(found[35, 35])
    assert is_white(found[35, 68])
    assert not is_white(found[35, 85])


def test_run_lengths_are_painted() -> None:
    mask = np.zeros((80, 100), dtype=bool)
    mask[10:20, 30:50] = True

    found = over_white({"geometry": {"type": "bitmap", "rle": rle.encode(mask)}})

    assert not is_white(found[15, 40])
    assert is_white(found[15, 60])


def test_the_ids_of_a_bitmap_are_painted_in_their_objects_colour() -> None:
    ids = np.zeros((80, 100), np.uint32)
    ids[:, 50:] = 7

    found = over_white({}, ids=ids)

    assert is_white(found[40, 20])
    assert found[40, 70][0] > found[40, 70][1] + 60


def test_a_bitmap_of_another_size_than_the_picture_is_stretched() -> None:
    found = over_white({}, ids=np.full((8, 10), 7, np.uint32))

    assert not is_white(found[40, 50])


def test_keypoints_are_drawn_unless_they_are_not_placed() -> None:
    box = {"type": "bbox", "points": [[0, 0], [1, 1]]}
    keypoints = [{"name": "a", "x": 50, "y": 40, "visibility": 1}, {"name": "b", "visibility": 0}]

    assert not is_white(over_white({"geometry": box, "keypoints": keypoints})[40, 50])


@pytest.mark.parametrize(
    "item",
    [
        {"geometry": {"type": "bbox", "points": [[-1e300, -1e300], [1e300, 1e300]]}},
        {"geometry": {"type": "polyline", "parts": [[[-1e18, 3], [1e18, 4]]]}},
        {"geometry": {"type": "polygon", "parts": [[[]]]}},
        {"geometry": {"type": "polygon", "parts": [[]]}},
        {"geometry": {"type": "nonsense"}},
        {"geometry": {}},
        {"type": "bbox", "points": [[1, 2]]},
        {"type": "bbox", "points": "ab"},
        {"type": "point", "points": [["x", None]]},
        {"type": 7},
        {"keypoints": [7]},
        {"geometry": {"type": "bitmap", "rle": {"size": [1, 10**9], "counts": "x"}}},
        {"category_id": [1], "type": "point", "points": [[1, 1]]},
    ],
)
def test_what_cannot_be_drawn_is_left_out(item: dict[str, Any]) -> None:
    assert over_white(item).shape == (80, 100, 3)


def test_drawing_stops_after_too_many_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MOST_POINTS", 5)
    boxes = [{"type": "bbox", "points": [[x, 10], [x + 8, 18]]} for x in (10, 30, 50)]

    found = over_white(*boxes)

    assert not is_white(found[14, 14])
    assert is_white(found[14, 54])


def test_a_category_without_a_colour_always_gets_the_same_one() -> None:
    categories = [{"id": 1, "name": "a"}, {"id": 2, "color": "red"}, {"id": 3, "color": [1]}]
    colour_of = colours_of({"categories": categories})

    assert colour_of(1) == colours_of({})(1)
    assert len({colour_of(number) for number in range(1, 40)}) > 35
    assert colour_of(None) == colour_of("1") == colour_of(0) == NO_COLOUR


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16", "I", "F"])
def test_pictures_of_every_kind_of_pixel_are_shown(mode: str) -> None:
    kind = "TIFF" if mode in ("F", "I", "LA") else "PNG"

    picture, size_wh = opened(saved(Image.new(mode, (30, 20), 1 if mode in ("1", "L") else 0), kind))

    assert (picture.mode, size_wh) == ("RGB", (30, 20))


def test_a_large_jpeg_is_decoded_small() -> None:
    picture, size_wh = opened(saved(Image.new("RGB", (3000, 2000), RED), "JPEG"))

    assert size_wh == (3000, 2000)
    assert picture.size == (100, 67)
    assert picture.getpixel((50, 30))[0] > 240


def test_a_png_that_says_it_is_huge_is_not_decoded() -> None:
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )

    with pytest.raises(drawing.Unreadable):
        opened(data)


def test_a_picture_over_the_limit_is_too_large_to_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MOST_PIXELS", 599)

    with pytest.raises(drawing.Unreadable, match="too large"):
        opened(saved(Image.new("L", (30, 20)), "PNG"))


@pytest.mark.parametrize(
    ("size", "box", "wanted"),
    [((200, 100), (100, 100), (100, 50)), ((1, 5000), (100, 100), (1, 100)), ((2, 2), (100, 100), (16, 16))],
)
def test_a_picture_is_fitted_with_its_proportions(size: Any, box: Any, wanted: Any) -> None:
    assert drawing.fitted(size, box) == wanted


def test_a_card_says_why_there_is_no_picture() -> None:
    shown = np.asarray(drawing.card((176, 120), "not a readable picture"))

    assert (shown != np.array(drawing.PAPER)).any()
    assert tuple(shown[0, 0]) == drawing.PAPER
