from __future__ import annotations

import math
import random
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from labeling.geometry.parts import CHORD_ERROR, capsules, circle, parts_of
from labeling.geometry.rasterize import mask_of
from labeling.geometry.shapes import checked_geometry

H, W = 60, 80


def mask(geometry: dict[str, Any], **options: float) -> np.ndarray:
    return mask_of(parts_of(checked_geometry(geometry, where="g"), **options), H, W)


def centres() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:H, :W]
    return x + 0.5, y + 0.5


def within(distance: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """What is certainly in, and what may be: the sides of a curve's polygon and the grid leave it by so much."""
    slack = CHORD_ERROR + 1 / 128
    return distance < limit - slack, distance < limit + slack


def assert_between(found: np.ndarray, bounds: tuple[np.ndarray, np.ndarray]) -> None:
    certain, possible = bounds
    assert (found | ~certain).all() and (possible | ~found).all()


def test_a_box_covers_the_centres_within_it() -> None:
    found = mask({"type": "bbox", "points": [[3.5, 4.25], [20.5, 30.5]]})
    x, y = centres()
    assert np.array_equal(found, (x >= 3.5) & (x < 20.5) & (y >= 4.25) & (y < 30.5))


@pytest.mark.parametrize("points", [[], [[3, 4]]])
def test_a_box_of_too_few_points_covers_nothing(points: list[list[float]]) -> None:
    geometry = checked_geometry({"type": "bbox", "points": points}, where="g", lenient=True)
    assert not mask_of(parts_of(geometry), H, W).any()


def test_a_box_of_more_points_is_the_box_around_them() -> None:
    geometry = checked_geometry({"type": "bbox", "points": [[9, 3], [2, 8], [4, 20]]}, where="g", lenient=True)
    assert np.array_equal(mask_of(parts_of(geometry), H, W), mask({"type": "bbox", "points": [[2, 3], [9, 20]]}))


def test_a_box_turned_by_a_quarter_is_the_box_with_its_sides_exchanged() -> None:
    turned = mask({"type": "rbox", "center": [30.5, 20.5], "size_wh": [21, 11], "angle_deg": 90})
    assert np.array_equal(turned, mask({"type": "bbox", "points": [[25, 10], [36, 31]]}))


def test_a_turned_box_covers_what_lies_between_its_sides() -> None:
    chance = random.Random("rbox")
    for _ in range(50):
        angle, w, h = chance.uniform(-400, 400), chance.uniform(0.1, 40), chance.uniform(0.1, 40)
        cx, cy = chance.uniform(0, W), chance.uniform(0, H)
        found = mask({"type": "rbox", "center": [cx, cy], "size_wh": [w, h], "angle_deg": angle})
        x, y = centres()
        turn = math.radians(angle)
        along = (x - cx) * math.cos(turn) + (y - cy) * math.sin(turn)
        across = (y - cy) * math.cos(turn) - (x - cx) * math.sin(turn)
        outside = np.maximum(abs(along) - w / 2, abs(across) - h / 2)
        assert_between(found, (outside < -1 / 128, outside < 1 / 128))


def test_an_ellipse_covers_what_its_equation_says() -> None:
    chance = random.Random("ellipse")
    for _ in range(50):
        angle, rx, ry = chance.uniform(-400, 400), chance.uniform(1, 40), chance.uniform(1, 40)
        cx, cy = chance.uniform(0, W), chance.uniform(0, H)
        found = mask({"type": "ellipse", "center": [cx, cy], "radii": [rx, ry], "angle_deg": angle})
        x, y = centres()
        turn = math.radians(angle)
        along = (x - cx) * math.cos(turn) + (y - cy) * math.sin(turn)
        across = (y - cy) * math.cos(turn) - (x - cx) * math.sin(turn)

        slack = CHORD_ERROR + 1 / 128
        smaller, larger = (np.hypot(along / (rx + by), across / (ry + by)) < 1 for by in (-slack, slack))
        assert_between(found, (smaller, larger))


def test_a_line_with_a_width_covers_what_is_near_it() -> None:
    chance = random.Random("line")
    x, y = centres()
    for _ in range(40):
        line = [[chance.uniform(-5, W + 5), chance.uniform(-5, H + 5)] for _ in range(chance.randint(2, 6))]
        line.insert(1, line[0])
        width = chance.uniform(0.5, 12)
        distance = np.full((H, W), np.inf)
        for (ax, ay), (bx, by) in pairwise(line):
            length = (bx - ax) ** 2 + (by - ay) ** 2
            t = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0, 1) if length else 0
            distance = np.minimum(distance, np.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay)))
        found = mask({"type": "polyline", "parts": [line]}, line_width=width)
        assert_between(found, within(distance, width / 2))


def test_points_and_placed_points_of_skeletons_are_discs() -> None:
    x, y = centres()
    found = mask({"type": "point", "points": [[20.3, 30.1]]}, point_radius=6.5)
    assert_between(found, within(np.hypot(x - 20.3, y - 30.1), 6.5))
    points = [
        {"name": "a", "x": 20.3, "y": 30.1, "visibility": 1},
        {"name": "b", "x": 60, "y": 30, "visibility": 0},
        {"name": "c", "x": 50, "y": 9, "visibility": 2},
    ]
    both = mask({"type": "skeleton", "points": points}, point_radius=6.5)
    assert np.array_equal(both, found | mask({"type": "point", "points": [[50, 9]]}, point_radius=6.5))


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "point", "points": [[3, 3]]},
        {"type": "polyline", "parts": [[[3, 3], [40, 40]]]},
        {"type": "rbox", "center": [9, 9], "size_wh": [0, 5], "angle_deg": 0},
        {"type": "ellipse", "center": [9, 9], "radii": [0, 5], "angle_deg": 0},
        {"type": "orientation"},
        {"type": "mask"},
        {"type": "bitmap", "rle": {"size": [2, 2], "counts": [1, 3]}},
    ],
)
def test_what_has_no_area_of_its_own_covers_nothing(geometry: dict[str, Any]) -> None:
    assert not mask(geometry).any()


def test_parts_are_united_and_holes_cut_out() -> None:
    square = [[10, 10], [40, 10], [40, 40], [10, 40]]
    hole = [[20, 20], [24, 20], [24, 24], [20, 24]]
    other = [[22, 22], [50, 22], [50, 50], [22, 50]]
    found = mask({"type": "polygon", "parts": [[square, hole], [other]]})
    expected = mask({"type": "bbox", "points": [[10, 10], [40, 40]]})
    expected[20:24, 20:24] = False
    expected[22:50, 22:50] = True
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("radius", [0, 0.01, 1, 7.5, 1000, 1e9])
def test_a_circle_is_symmetric_to_the_last_bit_and_near_enough(radius: float) -> None:
    points = circle(radius)
    assert len(points) % 8 == 0 and len(points) <= 8192
    assert np.allclose(np.hypot(*points.T), 1, atol=1e-15)
    as_set = set(map(tuple, points.tolist()))
    assert as_set == {(-x, y) for x, y in as_set} == {(y, x) for x, y in as_set}
    if len(points) < 8192:
        assert radius * (1 - math.cos(math.pi / len(points))) <= CHORD_ERROR


def test_a_line_of_one_point_is_a_disc_and_of_none_is_nothing() -> None:
    assert capsules([], 3).size == 0
    (ring,) = capsules([[5, 6]], 3)
    assert np.allclose(np.hypot(*(ring - [5, 6]).T), 3)
