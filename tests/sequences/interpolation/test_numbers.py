"""Straight lines, shortest arcs and rotations, against numpy.interp, math and SciPy's Slerp."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from sequences.interpolation import numbers
from sequences.interpolation.numbers import (
    PER_DEGREE,
    PER_METRE,
    PER_PIXEL,
    PER_RADIAN,
    arc_tangent,
    lerp,
    on_grid,
    shortest_arc,
    sine,
    slerp,
    track_lerp,
)


def arc(first, last, at, **more):
    """The arc between two angles, (F,)."""
    return numbers.arc(np.array([first], np.float64), np.array([last], np.float64), at, **more)[:, 0]


finite = st.floats(allow_nan=False, allow_infinity=False)
pixels = st.integers(-(2**30), 2**30).map(lambda n: n / 1024)
weights = st.lists(st.floats(0, 1), min_size=1, max_size=5)


@pytest.mark.parametrize(
    "value, per_unit, expected",
    [
        (0.0, PER_PIXEL, 0.0),
        (1 / 3, PER_PIXEL, 341 / 1024),
        (0.5 / 1024, PER_PIXEL, 0.0),
        (1.5 / 1024, PER_PIXEL, 2 / 1024),
        (-1e-9, PER_PIXEL, 0.0),
        (1e300, PER_PIXEL, 1e300),
        (-1.7976931348623157e308, PER_METRE, -1.7976931348623157e308),
        (5e-324, PER_METRE, 0.0),
        (12.34567, PER_METRE, 12.3457),
    ],
)
def test_a_number_goes_to_the_nearest_point_of_the_grid(value, per_unit, expected):
    [found] = on_grid(np.array([value]), per_unit).tolist()
    assert found == expected and math.copysign(1, found) == (math.copysign(1, expected) if expected else 1)


def test_nothing_is_on_the_grid_too():
    assert on_grid(np.array([]), PER_PIXEL).shape == (0,)


@given(first=finite, last=finite, at=weights)
def test_a_line_between_any_two_numbers_is_finite_and_stays_between_them_up_to_the_grid(first, last, at):
    found = lerp(np.array([first]), np.array([last]), np.array(at), PER_PIXEL)[:, 0]
    slack = 1 / 2048 + 4 * max(abs(first), abs(last)) * 2.0**-52
    assert np.isfinite(found).all()
    with np.errstate(over="ignore"):  # at the end of what a float can hold the slack leads beyond it
        assert (found + slack >= min(first, last)).all() and (found - slack <= max(first, last)).all()


@given(value=finite, at=weights)
def test_what_both_keyframes_have_in_common_is_passed_on_to_the_last_bit(value, at):
    assert lerp(np.array([value]), np.array([value]), np.array(at), PER_PIXEL)[:, 0].tolist() == [value] * len(at)


@given(first=pixels, last=pixels, at=weights, shift=st.integers(-1000, 1000))
def test_a_line_moves_with_its_ends_and_backwards_is_the_same_line(first, last, at, shift):
    one, two, share = np.array([first]), np.array([last]), np.array(at)
    found = lerp(one, two, share, PER_PIXEL)
    assert np.abs(lerp(one + shift, two + shift, share, PER_PIXEL) - shift - found).max() <= 1 / 1024
    assert np.abs(lerp(two, one, 1 - share, PER_PIXEL) - found).max() <= 1 / 1024


@given(
    frames=st.lists(st.integers(0, 300), min_size=1, max_size=12, unique=True).map(sorted),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_whole_track_is_what_numpy_interp_says_and_its_keyframes_are_exact(frames, seed):
    keys = np.random.default_rng(seed).uniform(-1e4, 1e4, (4, len(frames)))
    found = track_lerp(np.array(frames), keys, PER_PIXEL)
    wanted = [np.interp(np.arange(frames[0], frames[-1] + 1), frames, row) for row in keys]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1 / 2048 + 1e-9)
    np.testing.assert_array_equal(found[:, np.array(frames) - frames[0]], keys)


def test_a_whole_track_is_the_line_of_each_of_its_segments():
    keys = np.array([[0.0, 10.0, 5.0], [1 / 3, 7.25, 1 / 7]])
    found = track_lerp(np.array([2, 5, 6]), keys, PER_PIXEL)
    np.testing.assert_array_equal(found[:, 1:3].T, lerp(keys[:, 0], keys[:, 1], np.array([1, 2]) / 3, PER_PIXEL))


@given(
    keys=st.lists(st.lists(finite | pixels, min_size=2, max_size=2), min_size=2, max_size=5),
    lengths=st.lists(st.integers(1, 6), min_size=4, max_size=4),
    repeat=st.booleans(),
)
def test_all_segments_at_once_are_to_the_last_bit_what_each_is_alone(keys, lengths, repeat):
    if repeat:
        keys[-1] = keys[-2]
    frames = np.cumsum([3, *lengths])[: len(keys)]
    planar = np.array(keys, np.float64).T
    found = track_lerp(frames, planar, PER_PIXEL)
    for index, (first, last) in enumerate(pairwise(frames)):
        alone = lerp(planar[:, index], planar[:, index + 1], np.arange(1, last - first) / (last - first), PER_PIXEL)
        np.testing.assert_array_equal(found[:, first - 3 + 1 : last - 3].T, alone)
    np.testing.assert_array_equal(found[:, frames - 3], planar)


@pytest.mark.parametrize(
    "first, last, way",
    [(0, 0, 0), (350, 10, 20), (10, 350, -20), (0, 180, 180), (180, 0, 180), (0, -180, 180), (0, 181, -179),
     (90, 270, 180), (0, 720, 0), (-170, 170, -20), (359, 1e-9, 1 + 1e-9)],
)  # fmt: skip
def test_the_shortest_arc_and_half_a_turn_goes_forward(first, last, way):
    assert shortest_arc(first, last, 360.0) == pytest.approx(way, abs=1e-12)


@pytest.mark.parametrize(
    "first, last, middle",
    [(350, 10, 0), (0, 180, 90), (180, 0, 270), (-10, 10, 0), (-170, 170, 180), (90, 270, 180), (20, 20, 20),
     (270, -90, 270)],
)  # fmt: skip
def test_an_angle_turns_the_shorter_way_round(first, last, middle):
    assert arc(first, last, np.array([0.5]), turn=360.0, per_unit=PER_DEGREE).tolist() == [middle]


def test_half_a_turn_is_exact_at_every_quarter():
    assert arc(0.0, 180.0, np.arange(5) / 4, turn=360.0, per_unit=PER_DEGREE).tolist() == [0, 45, 90, 135, 180]


def test_a_shape_that_half_a_turn_leaves_as_it_is_turns_by_a_quarter_at_most():
    found = arc(10.0, 170.0, np.array([0.5]), turn=360.0, per_unit=PER_DEGREE, symmetry=180.0)
    assert found.tolist() == [0.0]


@given(first=finite, last=finite, at=weights)
def test_angles_of_any_size_give_angles_within_a_turn(first, last, at):
    for turn, grid in ((360.0, PER_DEGREE), (2 * math.pi, PER_RADIAN)):
        found = arc(first, last, np.array(at), turn=turn, per_unit=grid)
        assert np.isfinite(found).all()
        if shortest_arc(first, last, turn):
            assert (np.abs(found) <= turn).all()


def test_our_sine_and_arc_tangent_are_those_of_the_library_to_the_last_digits():
    x = np.linspace(0, math.pi / 2, 1001)
    np.testing.assert_allclose(sine(x), np.sin(x), rtol=0, atol=5e-16)
    x = np.linspace(0, 1, 1001)
    np.testing.assert_allclose(arc_tangent(x), np.arctan(x), rtol=0, atol=5e-16)


@given(seed=st.integers(0, 2**32 - 1), near=st.sampled_from([1.0, 1e-3, 1e-7, 0.0]))
def test_a_rotation_goes_the_way_of_scipys_slerp(seed, near):
    chance = np.random.default_rng(seed)
    one = chance.normal(size=4)
    two = one + near * chance.normal(size=4) if near < 1 else chance.normal(size=4)
    at = np.linspace(0, 1, 9)
    wanted = Slerp([0, 1], Rotation.from_quat([one, two]))(at)
    found = Rotation.from_quat(slerp(one, two, at).T)
    assert (found.inv() * wanted).magnitude().max() < 1e-7


def test_a_rotation_by_half_a_turn_goes_through_the_quarter():
    turned = slerp(np.array([0.0, 0, 0, 1]), np.array([0.0, 0, 1, 0]), np.array([0.5]))[:, 0]
    np.testing.assert_allclose(turned, [0, 0, math.sqrt(0.5), math.sqrt(0.5)], atol=1e-15)


def test_a_quaternion_and_its_negative_are_no_way_apart():
    one = np.array([0.1, -0.2, 0.3, 0.9])
    np.testing.assert_allclose(slerp(one, -one, np.array([0.3]))[:, 0], one / np.linalg.norm(one), atol=1e-15)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_a_quaternion_of_any_length_turns_the_same(scale):
    one, two, at = np.array([0.0, 0, 0, 1]), np.array([0.0, 0, 0.6, 0.8]), np.array([0.25, 0.5])
    np.testing.assert_allclose(slerp(one * scale, two * scale, at), slerp(one, two, at), atol=1e-15)


def test_no_librarys_sine_is_in_what_is_stored():
    names = {
        name
        for function in vars(numbers).values()
        if hasattr(function, "__code__")
        for name in function.__code__.co_names
    }
    assert not names & {
        "sin",
        "cos",
        "tan",
        "arccos",
        "arctan",
        "arctan2",
        "atan2",
        "hypot",
        "dot",
        "matmul",
        "einsum",
        "norm",
    }


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 5))
def test_many_lines_arcs_and_rotations_at_once_are_to_the_last_bit_what_each_is_alone(seed, count):
    chance = np.random.default_rng(seed)
    at = chance.uniform(0, 1, 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numbers, "BLOCK", 3)
        one, two = chance.uniform(-1e4, 1e4, (2, 7))
        one[3] = two[3]
        many = lerp(one, two, at, PER_METRE)
    np.testing.assert_array_equal(many, lerp(one, two, at, PER_METRE))
    a, b = chance.normal(size=(2, 4, count))
    b[:, 0] = a[:, 0] * 2
    turned = slerp(a, b, at)
    angles = chance.uniform(-1000, 1000, (2, count))
    arcs = numbers.arc(angles[0], angles[1], at, turn=360.0, per_unit=PER_DEGREE)
    for index in range(count):
        np.testing.assert_array_equal(turned[..., index], slerp(a[:, index], b[:, index], at))
        np.testing.assert_array_equal(
            arcs[:, index], arc(angles[0, index], angles[1, index], at, turn=360.0, per_unit=PER_DEGREE)
        )


@given(first=finite, last=finite, beside=st.lists(finite, max_size=3), at=weights)
def test_a_line_does_not_depend_on_the_lines_beside_it(first, last, beside, at):
    alone = lerp(np.array([first]), np.array([last]), np.array(at), PER_PIXEL)[:, 0]
    many = lerp(np.array([first, *beside]), np.array([last, *beside[::-1]]), np.array(at), PER_PIXEL)[:, 0]
    np.testing.assert_array_equal(alone, many)


@given(values=st.lists(finite | pixels | st.floats(-(2.0**43), 2.0**43), min_size=1, max_size=9))
@pytest.mark.parametrize("per_unit", [PER_PIXEL, PER_METRE])
def test_rounding_is_to_the_nearest_step_and_half_to_even(values, per_unit):
    found = on_grid(np.array(values), per_unit).tolist()
    wanted = [round(v * per_unit) / per_unit if abs(v) < 2.0**52 / per_unit else v for v in values]
    assert found == wanted and not any(math.copysign(1, v) < 0 for v in found if v == 0)
