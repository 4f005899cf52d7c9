from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
import pytest
from shapely.geometry import LineString, Point, Polygon

from labeling.geometry import rle
from labeling.geometry.composition import coco_rle_of
from labeling.geometry.parts import parts_of
from labeling.geometry.shapes import checked_geometry
from labeling.geometry.vertices import (
    add_hole,
    add_part,
    fit,
    has_ratio,
    insert_vertex,
    move_vertex,
    nearest_on_border,
    remove_ring,
    remove_vertex,
)
from labeling.log.values import BadValue

SQUARE: list[list[float]] = [[0, 0], [10, 0], [10, 10], [0, 10]]
HOLE: list[list[float]] = [[2, 2], [4, 2], [4, 4], [2, 4]]
POLYGON: dict[str, Any] = {"type": "polygon", "parts": [[SQUARE, HOLE], [[[20, 20], [30, 20], [25, 29.5]]]]}
LINE: dict[str, Any] = {"type": "polyline", "parts": [[[0, 0], [5, 5], [10, 0]], [[1, 1], [2, 2]]]}
H, W = 60, 80


@pytest.fixture(autouse=True)
def _nothing_given_is_changed() -> Any:
    before = copy.deepcopy([POLYGON, LINE])
    yield
    assert before == [POLYGON, LINE]


def test_a_vertex_is_put_in_moved_and_taken_away() -> None:
    more = insert_vertex(POLYGON, 0, 1, 3, [1, 3])
    assert more["parts"][0] == [SQUARE, [*HOLE, [1, 3]]]
    assert more["parts"][1] == POLYGON["parts"][1]
    assert move_vertex(more, 0, 1, 4, [1.5, 3])["parts"][0][1][4] == [1.5, 3]
    assert remove_vertex(more, 0, 1, 4) == POLYGON


def test_the_middle_of_a_line_is_taken_away_and_its_neighbours_joined() -> None:
    assert remove_vertex(LINE, 0, 0, 1)["parts"] == [[[0, 0], [10, 0]], [[1, 1], [2, 2]]]
    assert insert_vertex(LINE, 1, 0, -1, [0, 0])["parts"][1] == [[0, 0], [1, 1], [2, 2]]
    assert insert_vertex(LINE, 1, 0, 1, [3, 3])["parts"][1] == [[1, 1], [2, 2], [3, 3]]


@pytest.mark.parametrize(("geometry", "place"), [(LINE, (1, 0, 0)), (POLYGON, (1, 0, 2))])
def test_below_the_least_number_of_vertices_none_is_taken_away(geometry: dict, place: tuple[int, int, int]) -> None:
    with pytest.raises(BadValue, match="at least"):
        remove_vertex(geometry, *place)


def test_parts_and_holes_are_added_and_taken_away() -> None:
    triangle = [[50, 50], [60, 50], [55, 58]]
    more = add_part(POLYGON, triangle)
    assert more["parts"] == [*POLYGON["parts"], [triangle]]
    assert remove_ring(more, 2) == POLYGON
    holed = add_hole(POLYGON, 1, [[24, 22], [26, 22], [25, 24]])
    assert remove_ring(holed, 1, 1) == POLYGON
    assert len(holed["parts"][1]) == 2
    assert add_part(LINE, [[7, 7], [8, 8]])["parts"][-1] == [[7, 7], [8, 8]]
    assert remove_ring(LINE, 0)["parts"] == [[[1, 1], [2, 2]]]
    for geometry in (more, holed, remove_ring(POLYGON, 0), remove_ring(POLYGON, 0, 1)):
        checked_geometry(geometry, where="g")


@pytest.mark.parametrize(
    ("where", "wish"),
    [
        ("part", lambda: move_vertex(POLYGON, 2, 0, 0, [0, 0])),
        ("part", lambda: move_vertex(POLYGON, -1, 0, 0, [0, 0])),
        ("ring", lambda: move_vertex(POLYGON, 1, 1, 0, [0, 0])),
        ("ring", lambda: move_vertex(LINE, 0, 1, 0, [0, 0])),
        ("vertex", lambda: move_vertex(POLYGON, 0, 0, 4, [0, 0])),
        ("vertex", lambda: remove_vertex(POLYGON, 0, 0, -1)),
        ("after", lambda: insert_vertex(POLYGON, 0, 0, -1, [0, 0])),
        ("after", lambda: insert_vertex(LINE, 0, 0, 3, [0, 0])),
        ("type", lambda: move_vertex({"type": "bbox", "points": [[0, 0], [1, 1]]}, 0, 0, 0, [0, 0])),
        ("type", lambda: add_hole(LINE, 0, HOLE)),
        ("type", lambda: add_part({"type": "point", "points": [[0, 0]]}, HOLE)),
        ("type", lambda: nearest_on_border({"type": "mask"}, [0, 0])),
        ("part", lambda: add_hole(POLYGON, 5, HOLE)),
        ("points", lambda: add_hole(POLYGON, 0, HOLE[:2])),
        ("points", lambda: add_part(POLYGON, HOLE[:2])),
        ("points", lambda: add_part(LINE, HOLE[:1])),
        ("part", lambda: remove_ring({"type": "polygon", "parts": [[SQUARE]]}, 0)),
        ("parts", lambda: nearest_on_border({"type": "polygon", "parts": []}, [0, 0])),
    ],
)
def test_a_wish_that_the_shape_cannot_have_is_refused_by_the_name_of_its_field(where: str, wish: Any) -> None:
    with pytest.raises(BadValue) as refused:
        wish()
    assert refused.value.where == where


def test_a_vertex_put_in_where_the_border_is_nearest_keeps_the_shape() -> None:
    chance = random.Random("projection")
    for _ in range(100):
        point = [chance.uniform(-5, 35), chance.uniform(-5, 35)]
        part, ring, vertex, foot = nearest_on_border(POLYGON, point)
        borders = [LineString([*ring, ring[0]]) for part in POLYGON["parts"] for ring in part]
        least = min(border.distance(Point(point)) for border in borders)
        assert abs(Point(foot).distance(Point(point)) - least) < 1 / 512
        more = insert_vertex(POLYGON, part, ring, vertex, foot)
        assert abs(Polygon(more["parts"][part][ring]).area - Polygon(POLYGON["parts"][part][ring]).area) < 20 / 1024
    assert nearest_on_border(LINE, [10, -3]) == (0, 0, 1, [10, 0])
    assert nearest_on_border({"type": "polyline", "parts": [[], [[4, 4]]]}, [0, 0]) == (1, 0, 0, [4, 4])


def test_a_shape_outside_is_moved_in_as_a_whole_and_no_farther_than_needed() -> None:
    moved = fit({"type": "polygon", "parts": [[[[-5.5, 10], [4, 70], [-2, 20.25]]]]}, H, W)
    assert moved["parts"] == [[[[0, 0], [9.5, 60], [3.5, 10.25]]]]
    assert fit({"type": "bbox", "points": [[100, 5], [120.5, 9]]}, H, W)["points"] == [[59.5, 5], [80, 9]]
    skeleton = {
        "type": "skeleton",
        "points": [
            {"name": "a", "x": 85, "y": 3, "visibility": 2},
            {"name": "b", "visibility": 0},
            {"name": "c", "x": 70.1, "y": 3, "visibility": 1},
        ],
    }
    points = fit(skeleton, H, W)["points"]
    assert (points[0]["x"], points[1], points[2]["x"]) == (80, skeleton["points"][1], round(65.1 * 1024) / 1024)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([[-10, 5], [100, 9]], [[0, 5], [80, 9]]),
        ([[30, 5], [130, 9]], [[0, 5], [80, 9]]),
        ([[-60, 5], [40, 9]], [[0, 5], [80, 9]]),
        ([[-60, -3], [40, 90]], [[0, 0], [80, 60]]),
    ],
)
def test_a_shape_larger_than_the_image_covers_it_and_is_clamped(points: Any, expected: Any) -> None:
    assert fit({"type": "bbox", "points": points}, H, W)["points"] == expected


@pytest.mark.parametrize("form", ["rbox", "ellipse"])
def test_turned_shapes_come_in_without_losing_their_form(form: str) -> None:
    chance = random.Random(form)
    name = "size_wh" if form == "rbox" else "radii"
    for _ in range(100):
        sizes = [chance.uniform(0.5, 70), chance.uniform(0.5, 70)]
        geometry = {
            "type": form,
            "center": [chance.uniform(-50, W + 50), chance.uniform(-50, H + 50)],
            name: sizes,
            "angle_deg": chance.uniform(-360, 360),
        }
        found = fit(geometry, H, W)
        outline = np.concatenate([np.asarray(ring) for part in parts_of(found) for ring in part])
        assert outline.min() > -1 / 512 and (outline < [W + 1 / 512, H + 1 / 512]).all()
        assert abs(found[name][0] / found[name][1] - sizes[0] / sizes[1]) < 0.02 * sizes[0] / sizes[1]
        assert found["angle_deg"] == geometry["angle_deg"]
        again = fit(found, H, W)
        assert np.allclose(again["center"], found["center"], atol=1 / 512) and np.allclose(
            again[name], found[name], atol=1 / 256
        )


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "bbox", "points": [[0, 0], [80, 60]]},
        {"type": "point", "points": [[3.3333333333, 4]]},
        {"type": "polygon", "parts": [[SQUARE]]},
        {"type": "polyline", "parts": []},
        {"type": "rbox", "center": [40.123456789, 30], "size_wh": [10, 10], "angle_deg": 45},
        {"type": "ellipse", "center": [40, 30], "radii": [40, 30], "angle_deg": 0},
        {"type": "mask"},
        {"type": "orientation"},
        {"type": "bitmap", "rle": {"size": [H, W], "counts": [0, H * W]}},
    ],
)
def test_a_shape_within_the_image_stays_to_the_last_bit(geometry: dict) -> None:
    assert fit(geometry, H, W) is geometry


def test_a_bitmap_gets_the_size_of_the_image() -> None:
    mask = np.random.default_rng(12).random((70, 50)) < 0.5
    geometry = {"type": "bitmap", "rle": rle.encode(mask), "box_xyxy": [0, 0, 50, 70]}
    found = fit(geometry, H, W)
    checked_geometry(found, where="g")
    assert np.array_equal(rle.decode(found["rle"], max_pixels=10**6), np.pad(mask[:60], ((0, 0), (0, 30))))
    assert coco_rle_of(found, H, W) == found["rle"]


@pytest.mark.parametrize(
    ("points", "ratio", "expected"),
    [
        ([[0, 0], [20, 10]], 2, True),
        ([[0, 0], [20.5, 10]], 2, True),
        ([[0, 0], [22, 10]], 2, False),
        ([[5, 5], [15, 15]], 1, True),
        ([[5, 5], [15, 25]], 1, False),
    ],
)
def test_the_ratio_of_a_box_is_told_to_within_a_pixel(points: Any, ratio: float, expected: bool) -> None:
    assert has_ratio(points, ratio) is expected


def test_a_turned_box_of_no_size_is_moved_and_not_scaled():
    shape = {"type": "rbox", "center": [120, 40], "size_wh": [0, 0], "angle_deg": 30}
    assert fit(shape, 80, 100) == shape | {"center": [100, 40]}


@pytest.mark.parametrize("kind", ["bbox", "polyline", "rbox", "ellipse"])
def test_shapes_of_any_extent_are_fitted(kind):
    far = 1e308
    shapes: dict[str, dict[str, Any]] = {
        "bbox": {"type": "bbox", "points": [[-far, -far], [far, far]]},
        "polyline": {"type": "polyline", "parts": [[[far, 0.0], [-far, 5.0], [3.0, far]]]},
        "rbox": {"type": "rbox", "center": [far, -far], "size_wh": [far, far], "angle_deg": 30},
        "ellipse": {"type": "ellipse", "center": [-far, far], "radii": [far, 1.0], "angle_deg": 30},
    }
    fitted = fit(shapes[kind], 80, 100)
    assert fitted != shapes[kind] and fit(fitted, 80, 100) == fitted
