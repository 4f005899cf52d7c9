"""Masks from what a label shows: what each map means, and what names it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labeling.errors import NoMask
from labeling.rules.masks import KINDS, Bitmap, Masks, Object, Picture, grouped
from labeling.rules.palettes import Palette

JSON = dict[str, Any]
CATEGORIES: JSON = {
    "categories": [
        {"id": 1, "name": "car", "color": [200, 30, 30]},
        {"id": 2, "name": "lorry", "merged_into": 1},
        {"id": 3, "name": "sky", "color": [1, 2, 3], "has_instances": False},
    ]
}


def box(x0: float, y0: float, x1: float, y1: float) -> JSON:
    return {"type": "bbox", "points": [[x0, y0], [x1, y1]]}


def masks(*objects: tuple[int, int | None, JSON], categories: JSON = CATEGORIES, **more: Any) -> Masks:
    """Masks of 8 by 6 pixels."""
    listed = tuple(Object(number, f"u{number}", category, shape) for number, category, shape in objects)
    return Masks(Picture(listed), Palette.of(categories), 6, 8, **more)


def test_an_empty_picture_is_void() -> None:
    empty = masks()
    assert all(not empty.map(kind).any() for kind in KINDS) and empty.segments == []
    assert empty.report()["unlabeled"] == 48 and not empty.report()["complete"]
    assert all(empty.file(kind).startswith(b"\x89PNG") for kind in KINDS)


def test_merged_categories_are_read_as_their_target_and_unknown_ones_are_void() -> None:
    found = masks(
        (1, 2, box(0, 0, 2, 6)), (2, 1, box(2, 0, 4, 6)), (3, 77, box(4, 0, 6, 6)), (4, None, box(6, 0, 8, 6))
    )
    assert found.map("instance")[0].tolist() == [1, 1, 2, 2, 3, 3, 4, 4]
    assert found.map("semantic")[0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert found.map("panoptic")[0].tolist() == [1, 1, 2, 2, 0, 0, 0, 0]
    assert [item["category_id"] for item in found.segments] == [1, 1, None, None]
    assert found.map("color")[0, 5].tolist() == found.map("color")[0, 7].tolist() == [150, 150, 150]
    assert found.report()["without_category"] == 24


def test_stuff_of_a_category_is_one_segment_in_one_colour() -> None:
    found = masks((9, 3, box(0, 0, 2, 6)), (4, 3, box(4, 0, 8, 6)), (5, 1, box(2, 0, 4, 3)), (6, 1, box(2, 3, 4, 6)))
    assert set(np.unique(found.map("panoptic"))) == {4, 5, 6}
    assert (found.map("color")[:, 0] == [1, 2, 3]).all() and (found.map("color")[:, 7] == [1, 2, 3]).all()
    assert found.map("color")[0, 3].tolist() != found.map("color")[5, 3].tolist()
    listed = grouped(found.segments, found.numbers_of("panoptic", found.segments))
    assert [(item["id"], item["area"], item["annotations"], item["owners"]) for item in listed] == [
        (4, 36, ["u9", "u4"], [0, 1]),
        (5, 6, ["u5"], [2]),
        (6, 6, ["u6"], [3]),
    ]
    assert listed[0]["box_xyxy"] == [0, 0, 8, 6]


@pytest.mark.parametrize(
    "change",
    [
        {"shape": box(0, 0, 3, 3)},
        {"id": 2},
        {"category": 3},
        {"categories": {"categories": [{"id": 1, "name": "car", "color": [9, 9, 9]}]}},
    ],
)
def test_the_key_of_a_map_changes_exactly_with_its_pixels(change: JSON) -> None:
    before = masks((1, 1, box(0, 0, 4, 4)))
    after = masks(
        (change.get("id", 1), change.get("category", 1), change.get("shape", box(0, 0, 4, 4))),
        categories=change.get("categories", CATEGORIES),
    )
    for kind in KINDS:
        same = before.map(kind).shape == after.map(kind).shape and (before.map(kind) == after.map(kind)).all()
        assert (before.key(kind) == after.key(kind)) == same, kind
    assert before.content != after.content
    again = masks((1, 1, box(0, 0, 4, 4)))
    assert (again.content, again.keys()) == (before.content, before.keys())


def test_the_uuid_of_an_object_is_in_its_segments_and_not_in_its_pixels() -> None:
    one, other = (
        Masks(Picture((Object(1, uuid, 1, box(0, 0, 4, 4)),)), Palette.of(CATEGORIES), 6, 8) for uuid in ("a", "b")
    )
    assert one.keys() == other.keys() and one.content != other.content


@pytest.mark.parametrize(
    "number, refused", [(0, True), (-3, True), (1, False), (2**24 - 1, False), (2**24, True), (2**40, True)]
)
def test_ids_that_no_pixel_holds_are_refused_where_they_would_be_in_pixels(number: int, refused: bool) -> None:
    found = masks((number, 1, box(0, 0, 4, 4)))
    for kind in ("instance", "panoptic"):
        assert (found.keys()[kind] is None) == refused
        if refused:
            with pytest.raises(NoMask, match="ids of objects"):
                found.file(kind)
    assert found.keys()["semantic"] and found.keys()["color"]
    wide = masks((1, 2**24, box(0, 0, 4, 4)), categories={"categories": [{"id": 2**24, "name": "far"}]})
    with pytest.raises(NoMask, match="ids of categories"):
        wide.map("semantic")


def test_pixels_of_a_bitmap_are_read_only_for_what_needs_them() -> None:
    ids = np.zeros((6, 8), np.uint32)
    ids[:3], ids[5] = 4, 9
    read: list[int] = []

    def pixels() -> Any:
        read.append(1)
        return ids

    picture = Picture((Object(4, "u4", 1, {"type": "mask"}),), {"url": "/media/x"})
    found = Masks(picture, Palette.of(CATEGORIES), 6, 8, bitmap=Bitmap("name", pixels))
    assert found.keys() and found.content and not read
    assert (found.map("instance") == ids).all() and read == [1]
    assert found.strange == [9] and (found.map("semantic") == (ids == 4)).all()
    other = Masks(picture, Palette.of(CATEGORIES), 6, 8, bitmap=Bitmap("another", pixels))
    assert other.key("instance") != found.key("instance")
    with pytest.raises(NoMask, match="no file of this server"):
        Masks(picture, Palette.of(CATEGORIES), 6, 8, bitmap=Bitmap(None, pixels))
    with pytest.raises(NoMask, match="not of the size"):
        Masks(picture, Palette.of(CATEGORIES), 7, 8, bitmap=Bitmap("name", pixels)).map("instance")


def test_more_colours_than_a_palette_holds_are_written_as_they_are() -> None:
    objects = tuple(Object(n, f"u{n}", n, box(n % 40, n // 40, n % 40 + 1, n // 40 + 1)) for n in range(1, 400))
    categories = {"categories": [{"id": n, "name": f"{n}"} for n in range(1, 400)]}
    found = Masks(Picture(objects), Palette.of(categories), 10, 40)
    assert len(np.unique(found.map("color").reshape(-1, 3), axis=0)) > 256
    assert found.file("color")[25] == 2, "RGB"
    assert masks((1, 1, box(0, 0, 4, 4))).file("color")[25] == 3, "a palette"


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (65536, 1), (1, 65536)])
def test_a_picture_without_pixels_or_with_a_side_that_is_too_long_has_no_masks(size: tuple[int, int]) -> None:
    with pytest.raises(NoMask):
        Masks(Picture(()), Palette.of({}), *size)


def test_an_outline_that_is_none_is_told() -> None:
    with pytest.raises(NoMask):
        masks((1, 1, {"type": "polygon", "parts": [[[[0, 0], [1, 2, 3]]]]})).map("instance")
