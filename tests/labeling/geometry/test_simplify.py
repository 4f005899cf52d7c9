from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from shapely import union_all
from shapely.geometry import LinearRing, MultiPolygon, Point, Polygon
from shapely.validation import explain_validity

from labeling.geometry.contours import parts_of_mask
from labeling.geometry.rasterize import mask_of
from labeling.geometry.simplify import simplified

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=4, max_side=24))
tolerances = st.sampled_from([0.3, 0.75, 1.0, 1.5, 2.0, 4.0, 30.0])


def assert_valid_and_near(mask: np.ndarray, tolerance: float) -> int:
    """The number of vertices, after everything that is promised has been looked at."""
    parts = parts_of_mask(mask)
    found = simplified(parts, tolerance)
    polygons = MultiPolygon([Polygon(part[0], part[1:]) for part in found])
    assert polygons.is_valid, explain_validity(polygons)
    for part, before in zip(found, parts, strict=True):
        assert len(part) == len(before)
        for ring, whole in zip(part, before, strict=True):
            # the kept vertices are vertices of before, in their order
            places = iter(whole.tolist())
            assert all(point in places for point in ring.tolist())
            line = LinearRing(ring)
            assert all(line.distance(Point(point)) <= tolerance + 1e-9 for point in whole.tolist())
    return sum(len(ring) for part in found for ring in part)


@given(masks, tolerances)
def test_simplified_masks_are_valid_and_no_vertex_is_farther_than_allowed(mask: np.ndarray, tolerance: float) -> None:
    assert_valid_and_near(mask, tolerance)


@pytest.mark.parametrize("tolerance", [0.75, 1, 2, 5])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.62, 0.9])
def test_simplified_noise_is_valid(share: float, tolerance: float) -> None:
    assert_valid_and_near(np.random.default_rng(11).random((40, 50)) < share, tolerance)


def rough_blob(seed: int) -> np.ndarray:
    chance = np.random.default_rng(seed)
    angles = np.arange(600) * (2 * np.pi / 600)
    radius = 300 + 40 * np.sin(3 * angles) + 2 * chance.normal(size=600)
    outer = np.stack([400 + radius * np.cos(angles), 400 + radius * np.sin(angles)], axis=1)
    return mask_of([[outer, (outer - 400) * 0.3 + 430]], 800, 800)


@pytest.mark.parametrize("tolerance", [1, 2])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_rough_outline_keeps_its_area_with_far_fewer_vertices(seed: int, tolerance: float) -> None:
    mask = rough_blob(seed)
    parts = parts_of_mask(mask)
    again = mask_of(simplified(parts, tolerance), 800, 800)
    assert (mask & again).sum() / (mask | again).sum() >= 0.99
    assert assert_valid_and_near(mask, tolerance) < sum(len(ring) for part in parts for ring in part) / 2


def test_a_lake_close_to_the_shore_stays_in_the_land() -> None:
    mask = np.zeros((60, 60), bool)
    for row in range(30):
        mask[row, 30 - row : 30 + row] = True
    mask[30:50] = True
    mask[22, 10:12] = mask[28, 4:6] = False
    for tolerance in (1, 2, 5, 20):
        (outer, *lakes), *others = simplified(parts_of_mask(mask), tolerance)
        assert not others and lakes
        land = Polygon(outer)
        assert all(land.covers(Polygon(lake)) for lake in lakes)


def test_an_island_just_off_the_shore_stays_outside_of_the_land() -> None:
    mask = np.zeros((40, 60), bool)
    mask[20:] = True
    mask[20:24, 20:40] = False
    mask[21, 29] = True
    for tolerance in (1, 4, 6, 30):
        polygons = [Polygon(part[0], part[1:]) for part in simplified(parts_of_mask(mask), tolerance)]
        assert len(polygons) == 2
        assert union_all(polygons).area == sum(polygon.area for polygon in polygons)


@pytest.mark.parametrize("tolerance", [0, -1])
def test_without_a_tolerance_everything_stays(tolerance: float) -> None:
    parts = parts_of_mask(rough_blob(4))
    found = simplified(parts, tolerance)
    assert all(
        np.array_equal(a, b)
        for part, before in zip(found, parts, strict=True)
        for a, b in zip(part, before, strict=True)
    )


def test_nothing_simplified_is_nothing() -> None:
    assert simplified([], 1) == []
    assert [len(ring) for ring in simplified([[np.zeros((0, 2))]], 1)[0]] == [0]


def test_a_pixel_and_a_box_stay_whole() -> None:
    mask = np.zeros((20, 20), bool)
    mask[3, 3] = True
    mask[8:18, 5:19] = True
    assert np.array_equal(mask_of(simplified(parts_of_mask(mask), 2), 20, 20), mask)
