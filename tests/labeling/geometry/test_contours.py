from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as peer
from shapely.geometry import MultiPolygon, Polygon
from shapely.validation import explain_validity

from labeling.geometry.contours import geometry_of_mask, parts_of_mask, signed_area
from labeling.geometry.rasterize import mask_of
from labeling.geometry.regions import Connectivity, components
from labeling.geometry.shapes import checked_geometry

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=16))
connectivities = st.sampled_from([4, 8])


def noise(share: float, height: int = 50, width: int = 70) -> np.ndarray:
    return np.random.default_rng(int(share * 100)).random((height, width)) < share


def assert_exact(mask: np.ndarray, connectivity: Connectivity) -> None:
    """Everything that is promised of the parts of a mask."""
    parts = parts_of_mask(mask, connectivity)
    assert np.array_equal(mask_of(parts, *mask.shape), mask)
    assert len(parts) == components(mask, connectivity)[1]
    labels = components(mask, connectivity)[0]
    areas = np.bincount(labels.ravel())[1:]
    for part, area in zip(parts, areas.tolist(), strict=True):
        assert signed_area(part[0]) > 0
        assert all(signed_area(hole) < 0 for hole in part[1:])
        assert sum(map(signed_area, part)) == area
        for ring in part:
            sides = np.roll(ring, -1, axis=0) - ring
            assert ((sides[:, 0] == 0) != (sides[:, 1] == 0)).all()
            assert ((sides[:, 0] == 0) != (np.roll(sides, 1, axis=0)[:, 0] == 0)).all()
    if connectivity == 4:
        polygons = MultiPolygon([Polygon(part[0], part[1:]) for part in parts])
        assert polygons.is_valid, explain_validity(polygons)


@given(masks, connectivities)
def test_the_parts_of_a_mask_are_the_mask_again(mask: np.ndarray, connectivity: Connectivity) -> None:
    assert_exact(mask, connectivity)


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.6, 0.75, 0.98])
def test_the_parts_of_noise_are_the_noise_again(share: float, connectivity: Connectivity) -> None:
    assert_exact(noise(share), connectivity)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_the_parts_of_masks_of_four_by_four_pixels_are_that_mask(connectivity: Connectivity) -> None:
    for bits in range(0, 2**16, 67):
        assert_exact((bits >> np.arange(16) & 1).astype(bool).reshape(4, 4), connectivity)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_each_part_covers_its_own_region(connectivity: Connectivity) -> None:
    mask = noise(0.55, 40, 50)
    labels, _ = components(mask, connectivity)
    for number, part in enumerate(parts_of_mask(mask, connectivity), 1):
        assert np.array_equal(mask_of([part], 40, 50), labels == number)


@given(masks, connectivities)
def test_there_are_as_many_outer_rings_and_holes_as_opencv_finds(mask: np.ndarray, connectivity: Connectivity) -> None:
    parts = parts_of_mask(mask, connectivity)
    outside = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
    # a hole is a region of unset pixels that does not reach the outside; unset pixels touch by the other rule
    holes = cv2.connectedComponents(outside, connectivity=4 if connectivity == 8 else 8)[0] - 2
    if connectivity == 8:
        assert sum(len(part) - 1 for part in parts) == holes
    else:
        assert sum(len(part) - 1 for part in parts) >= holes


def test_the_rings_are_read_by_pycocotools_to_the_pixel() -> None:
    mask = np.zeros((60, 70), bool)
    mask[5:40, 8:50] = True
    mask[10:20, 20:30] = noise(0.5, 10, 10)
    mask[50:55, 60:] = True
    found = np.zeros_like(mask)
    for ring in itertools.chain.from_iterable(parts_of_mask(mask)):
        encoded = peer.frPyObjects([ring.astype(float).ravel().tolist()], 60, 70)
        found ^= peer.decode(encoded)[:, :, 0].astype(bool)
    assert np.array_equal(found, mask)


def test_two_regions_that_touch_by_a_corner_are_two_parts_or_one() -> None:
    mask = np.array([[1, 0], [0, 1]], bool)
    assert [[ring.tolist() for ring in part] for part in parts_of_mask(mask, 4)] == [
        [[[0, 0], [1, 0], [1, 1], [0, 1]]],
        [[[1, 1], [2, 1], [2, 2], [1, 2]]],
    ]
    assert len(parts_of_mask(mask, 8)) == 1


def test_an_island_in_a_lake_is_a_part_of_its_own_and_the_lake_a_hole() -> None:
    mask = np.ones((9, 9), bool)
    mask[2:7, 2:7] = False
    mask[4, 4] = True
    outer, island = parts_of_mask(mask)
    assert [signed_area(ring) for ring in outer] == [81, -25]
    assert [signed_area(ring) for ring in island] == [1]


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (3, 5)])
def test_a_mask_without_set_pixels_has_no_parts(shape: tuple[int, int]) -> None:
    assert parts_of_mask(np.zeros(shape, bool)) == []


def test_the_polygon_of_a_mask_can_be_stored() -> None:
    geometry = checked_geometry(geometry_of_mask(noise(0.4)), where="g")
    assert np.array_equal(mask_of(geometry["parts"], 50, 70), noise(0.4))


def test_a_mask_that_is_not_contiguous_has_the_parts_of_its_copy() -> None:
    mask = noise(0.6)
    for view in (mask[::2, ::-1], mask.T):
        assert np.array_equal(mask_of(parts_of_mask(view), *view.shape), view)


@pytest.mark.parametrize("far", [1e149, 1e308])
def test_a_ring_that_is_far_too_large_has_a_direction(far: float) -> None:
    ring = [[-far, -far], [far, -far], [far, far]]
    assert signed_area(ring) > 0 > signed_area(ring[::-1])
    assert signed_area([[far, far], [far, far], [far, far]]) == 0
