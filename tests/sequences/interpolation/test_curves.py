"""Which point becomes which: nothing depends on where a ring starts or which way a curve was drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import LinearRing, LineString, Polygon

from sequences.interpolation.curves import matched_lines, matched_rings, pairs

SQUARE = np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]])
HOUSE = np.array([[0.0, 0], [4, 0], [4, 4], [2, 6], [0, 4]])


def ring_of(seed: int, count: int) -> np.ndarray:
    """A star-shaped ring around a random middle."""
    chance = np.random.default_rng(seed)
    turns = np.sort(chance.uniform(0, 2 * np.pi, count))
    away = chance.uniform(5, 9, count)
    return np.round(np.column_stack([np.cos(turns), np.sin(turns)]) * away[:, None] + chance.uniform(-50, 50, 2), 3)


def as_ring(points: np.ndarray) -> list[tuple[float, ...]]:
    """A ring wherever it starts and whichever way it goes: its smallest sequence."""
    rows = [tuple(row) for row in np.asarray(points).tolist()]
    return min(way[n:] + way[:n] for way in (rows, rows[::-1]) for n in range(len(rows)))


rings = st.builds(ring_of, st.integers(0, 10**6), st.integers(3, 12))


@given(one=rings, two=rings, start=st.integers(0, 11), begin=st.integers(0, 11), turn=st.booleans(), back=st.booleans())
def test_where_a_ring_starts_and_which_way_it_goes_does_not_matter(one, two, start, begin, turn, back):
    plain = np.mean(matched_rings(one, two), axis=0)
    other = np.roll(one[::-1] if turn else one, start, axis=0), np.roll(two[::-1] if back else two, begin, axis=0)
    assert as_ring(np.mean(matched_rings(*other), axis=0)) == as_ring(plain)


@given(one=rings, two=rings)
def test_both_key_shapes_are_drawn_with_all_their_corners(one, two):
    a, b = matched_rings(one, two)
    assert a.shape == b.shape
    assert a[0].tolist() == one[0].tolist(), "it begins where the first ring does"
    for drawn, shape in ((a, one), (b, two)):
        assert {tuple(p) for p in shape.tolist()} <= {tuple(p) for p in drawn.tolist()}
        # By distance and not by area: a corner put on an edge is a rounding beside it, and may cross a thin neighbour.
        assert LinearRing(drawn).hausdorff_distance(LinearRing(shape)) < 1e-6


@given(one=rings, x=st.integers(-500, 500), y=st.integers(-500, 500), start=st.integers(0, 11))
def test_a_ring_that_only_moved_keeps_its_shape_on_the_way(one, x, y, start):
    moved = np.roll(one + np.array([x, y]), start, axis=0)
    a, b = matched_rings(one, moved)
    np.testing.assert_allclose(b - a, np.broadcast_to([x, y], a.shape), atol=1e-9)
    assert Polygon((a + b) / 2).is_valid == Polygon(one).is_valid


def test_a_new_corner_grows_out_of_the_edge_where_it_appears():
    a, b = matched_rings(SQUARE, HOUSE)
    middle = Polygon((a + b) / 2)
    assert middle.is_valid
    assert Polygon(SQUARE).area < middle.area < Polygon(HOUSE).area


@pytest.mark.parametrize(
    "one, two",
    [
        (np.empty((0, 2)), SQUARE),
        (SQUARE, np.empty((0, 2))),
        (np.empty((0, 2)), np.empty((0, 2))),
    ],
)
@pytest.mark.parametrize("match", [matched_rings, matched_lines])
def test_without_points_there_is_nothing_to_match(match, one, two):
    assert [len(item) for item in match(one, two)] == [0, 0]


POINT, STILL = np.array([[3.0, 3]]), np.array([[3.0, 3], [3, 3], [3, 3]])
FLAT = np.array([[0.0, 0], [1, 0], [2, 0], [1, 0]])
HUGE = np.array([[-1.7e308, -1.7e308], [1.7e308, -1.7e308], [0, 1.7e308]])


@pytest.mark.parametrize("one", [POINT, STILL, FLAT, SQUARE, HOUSE, HUGE])
@pytest.mark.parametrize("two", [POINT, STILL, FLAT, SQUARE, HOUSE, HUGE])
@pytest.mark.parametrize("match", [matched_rings, matched_lines])
def test_curves_without_length_or_area_or_end_are_matched_without_a_fault(match, one, two):
    with np.errstate(all="raise"):
        a, b = match(one, two)
    assert a.shape == b.shape and len(a) >= max(len(one), len(two))
    assert np.isfinite(a).all() and np.isfinite(b).all()
    assert {tuple(p) for p in one.tolist()} <= {tuple(p) for p in a.tolist()}
    assert {tuple(p) for p in two.tolist()} <= {tuple(p) for p in b.tolist()}


lines = st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=2, max_size=9).map(
    lambda points: np.array(points, np.float64)
)


@given(one=lines, two=lines, turn=st.booleans(), back=st.booleans())
def test_which_way_a_line_was_drawn_does_not_matter(one, two, turn, back):
    plain = np.mean(matched_lines(one, two), axis=0).tolist()
    other = np.mean(matched_lines(one[::-1] if turn else one, two[::-1] if back else two), axis=0).tolist()
    assert other in (plain, plain[::-1])


@given(one=lines, two=lines)
def test_both_lines_are_drawn_with_all_their_corners_from_the_end_where_the_first_begins(one, two):
    a, b = matched_lines(one, two)
    assert a[0].tolist() == one[0].tolist() and a[-1].tolist() == one[-1].tolist()
    assert {tuple(b[0].tolist()), tuple(b[-1].tolist())} == {tuple(two[0].tolist()), tuple(two[-1].tolist())}
    for drawn, shape in ((a, one), (b, two)):
        assert {tuple(p) for p in shape.tolist()} <= {tuple(p) for p in drawn.tolist()}
        assert abs(LineString(drawn).length - LineString(shape).length) < 1e-6


def test_a_line_in_space_is_matched_like_one_on_the_ground():
    a, b = matched_lines(np.array([[0.0, 0, 0], [0, 0, 2]]), np.array([[1.0, 0, 2], [1, 0, 1], [1, 0, 0]]))
    assert a.tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 2]] and b.tolist() == [[1, 0, 0], [1, 0, 1], [1, 0, 2]]


@given(order=st.permutations(range(4)))
def test_parts_find_the_nearest_in_whatever_order_they_are_listed(order):
    ours = [SQUARE + np.array([n * 10, (n * n) % 5]) for n in range(4)]
    theirs = [ours[n] + 1.0 for n in order]
    assert [theirs[n].tolist() for n in pairs(ours, theirs) if n is not None] == [(r + 1.0).tolist() for r in ours]


def test_a_part_too_many_finds_none():
    assert pairs([SQUARE, SQUARE + 100], [SQUARE + 5]).count(None) == 1
    assert pairs([SQUARE], [SQUARE, SQUARE + 100]).count(None) == 0
    assert pairs([], [SQUARE]) == [] and pairs([SQUARE], []) == [None]
