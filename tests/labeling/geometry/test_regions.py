from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labeling.geometry import regions
from labeling.geometry.regions import Connectivity, components, fill, runs_of

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20))
connectivities = st.sampled_from([4, 8])


def assert_the_peer_agrees(mask: np.ndarray, connectivity: Connectivity) -> None:
    labels, count = components(mask, connectivity)
    theirs_count, theirs = cv2.connectedComponents(mask.astype(np.uint8), connectivity=connectivity)
    assert labels.dtype == np.int32
    assert count == theirs_count - 1 == labels.max(initial=0)
    pairs = set(zip(labels.ravel().tolist(), theirs.ravel().tolist(), strict=True))
    assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})
    assert ((labels == 0) == ~mask).all()
    firsts = [np.flatnonzero(labels == number)[0] for number in range(1, count + 1)]
    assert firsts == sorted(firsts)


@given(masks, connectivities)
def test_regions_are_those_of_opencv(mask: np.ndarray, connectivity: Connectivity) -> None:
    assert_the_peer_agrees(mask, connectivity)


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("share", [0.05, 0.4, 0.6, 0.95])
def test_regions_of_noise_are_those_of_opencv(share: float, connectivity: Connectivity) -> None:
    assert_the_peer_agrees(np.random.default_rng(6).random((211, 307)) < share, connectivity)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_a_spiral_and_a_comb_are_one_region(connectivity: Connectivity) -> None:
    spiral = np.zeros((101, 101), bool)
    x = y = 50
    step, length = (1, 0), 2
    while min(x, y) >= 0 and max(x, y) + length < 101:
        for _ in range(2):
            for _ in range(length):
                spiral[y, x] = True
                x, y = x + step[0], y + step[1]
            step = (-step[1], step[0])
        length += 2
    comb = np.zeros((50, 101), bool)
    comb[:, ::2] = True
    comb[-1] = True
    for mask in (spiral, spiral[::-1, ::-1], comb, comb[::-1], comb.T):
        assert components(mask, connectivity)[1] == 1
        assert_the_peer_agrees(~mask, connectivity)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (4, 6)])
def test_a_mask_without_set_pixels_has_no_region(shape: tuple[int, int]) -> None:
    labels, count = components(np.zeros(shape, bool))
    assert labels.shape == shape and count == 0 and runs_of(np.zeros(shape, bool)).regions == 0


@given(masks, st.data())
def test_a_fill_reaches_what_the_flood_fill_of_opencv_reaches(mask: np.ndarray, data: st.DataObject) -> None:
    row, column = (data.draw(st.integers(0, side - 1)) for side in mask.shape)
    filled, closed = fill(mask, column, row)
    if mask[row, column]:
        assert not filled.any() and closed
        return
    theirs = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), np.uint8)
    cv2.floodFill(mask.astype(np.uint8), theirs, (column, row), 1, flags=4)
    assert np.array_equal(filled, theirs[1:-1, 1:-1].astype(bool))
    assert closed == (not (filled[0].any() or filled[-1].any() or filled[:, 0].any() or filled[:, -1].any()))


def test_a_ring_that_is_closed_by_corners_holds_a_fill_and_a_gap_does_not() -> None:
    diamond = np.zeros((9, 9), bool)
    for step in range(4):
        for x, y in ((4 + step, step), (8 - step, 4 + step), (4 - step, 8 - step), (step, 4 - step)):
            diamond[y, x] = True
    filled, closed = fill(diamond, 4, 4)
    assert closed and filled.sum() == 25
    diamond[0, 4] = False
    filled, closed = fill(diamond, 4, 4)
    assert not closed
    assert np.array_equal(filled, fill(diamond, 4, 0)[0])


@pytest.mark.parametrize("point", [(-1, 0), (0, -1), (6, 0), (0, 5)])
def test_a_fill_from_outside_of_the_image_is_refused(point: tuple[int, int]) -> None:
    with pytest.raises(IndexError):
        fill(np.zeros((5, 6), bool), *point)


def test_the_region_of_a_pixel_is_found() -> None:
    mask = np.random.default_rng(7).random((30, 41)) < 0.5
    labels, _ = components(mask, 8)
    rows, columns = np.nonzero(mask)
    assert np.array_equal(regions.runs_of(mask, 8).region_at(rows, columns) + 1, labels[mask])
