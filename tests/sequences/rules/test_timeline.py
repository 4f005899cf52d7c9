"""Golden timelines: what a track shows at each frame, on a scalar x. T1 to T10 are those of the design's appendix A."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequences.rules.timeline import Clock, Timeline
from tests.sequences.support import bbox, cuboid, point, track

N = None  # absent


TEN = Clock(10)


def xs(item, clock=TEN, start=0, end=None):
    """x at each frame; None where the object is absent."""
    found = {shown.frame: shown.geometry["points"][0][0] for shown in Timeline.of(item).shown(clock, start, end)}
    return [found.get(frame) for frame in range(start, clock.frames if end is None else end)]


GOLDEN: dict[str, tuple[dict[int, Any], tuple[int, ...], list[Any]]] = {
    "T1": ({0: 0, 9: 90}, (), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]),
    "T2": ({2: 20}, (), [N, N, 20, 20, 20, 20, 20, 20, 20, 20]),
    "T3": ({0: 0, 8: 80}, (5,), [0, 0, 0, 0, 0, N, N, N, 80, 80]),
    "T4": ({0: 0, 4: 40, 8: 80}, (5,), [0, 10, 20, 30, 40, N, N, N, 80, 80]),
    "T5": ({0: 0}, (9,), [0, 0, 0, 0, 0, 0, 0, 0, 0, N]),
    "T6": ({0: 0, 8: 80}, (3, 6), [0, 0, 0, N, N, N, N, N, 80, 80]),
    "T7": ({0: 0, 3: 10}, (), [0, 3.333, 6.667, 10, 10, 10, 10, 10, 10, 10]),
    "T8": ({0: 0, 1: 10, 2: 5}, (), [0, 10, 5, 5, 5, 5, 5, 5, 5, 5]),
    "T9": ({1: 10, 6: 60}, (4, 8), [N, 10, 10, 10, N, N, 60, 60, N, N]),
    "T10": ({0: 0, 9: 1}, (), [0, 0.111, 0.222, 0.333, 0.444, 0.556, 0.667, 0.778, 0.889, 1]),
    "no keyframe at all": ({}, (), [N] * 10),
    "one keyframe at the first frame": ({0: 7}, (), [7] * 10),
    "one keyframe at the last frame": ({9: 7}, (), [N] * 9 + [7]),
    "every frame a keyframe": ({f: f * f for f in range(10)}, (), [f * f for f in range(10)]),
    "there for one frame": ({4: 1}, (5,), [N, N, N, N, 1, N, N, N, N, N]),
    "there for the first frame": ({0: 1}, (1,), [1] + [N] * 9),
    "there for the last two frames": ({8: 1, 9: 2}, (), [N] * 8 + [1, 2]),
    "gone and back at once": ({0: 0, 5: 50}, (4,), [0, 0, 0, 0, N, 50, 50, 50, 50, 50]),
    "blinking": ({0: 1, 2: 2, 4: 3}, (1, 3, 5), [1, N, 2, N, 3, N, N, N, N, N]),
    "a remove-keyframe in front of all": ({3: 1}, (1,), [N, N, N, 1, 1, 1, 1, 1, 1, 1]),
    "a remove-keyframe at frame 0": ({3: 1}, (0,), [N, N, N, 1, 1, 1, 1, 1, 1, 1]),
    "two remove-keyframes in a row": ({0: 1, 6: 2}, (2, 3), [1, 1, N, N, N, N, 2, 2, 2, 2]),
    "a remove-keyframe at the end": ({0: 0, 8: 80}, (9,), [0, 10, 20, 30, 40, 50, 60, 70, 80, N]),
    "moving, gone, moving": ({0: 0, 2: 20, 6: 60, 9: 0}, (4,), [0, 10, 20, 20, N, N, 60, 40, 20, 0]),
    "never computed across a gap": ({0: 0, 9: 90}, (8,), [0, 0, 0, 0, 0, 0, 0, 0, N, 90]),
    "held between two equal keyframes": ({0: 1 / 3, 9: 1 / 3}, (), [1 / 3] * 10),
    "backwards": ({0: 90, 9: 0}, (), [90, 80, 70, 60, 50, 40, 30, 20, 10, 0]),
    "through zero": ({0: -9, 9: 9}, (), [-9, -7, -5, -3, -1, 1, 3, 5, 7, 9]),
    "tiny steps": ({0: 0, 9: 0.009}, (), [0, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.007, 0.008, 0.009]),
    "large numbers": ({0: 1e9, 9: 1e9 + 9}, (), [1e9 + f for f in range(10)]),
    "a keyframe past the end": ({0: 0, 20: 200}, (), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]),
    "all past the end": ({20: 1, 30: 2}, (), [N] * 10),
    "a remove-keyframe past the end": ({0: 5}, (20,), [5] * 10),
    "back past the end": ({0: 5, 20: 9}, (4,), [5, 5, 5, 5] + [N] * 6),
    "two stretches that each move": ({0: 0, 3: 3, 6: 60, 9: 90}, (4,), [0, 1, 2, 3, N, N, 60, 70, 80, 90]),
    "three keyframes, the middle off the line": ({0: 0, 5: 10, 9: 90}, (), [0, 2, 4, 6, 8, 10, 30, 50, 70, 90]),
    "neighbours": ({4: 1, 5: 2}, (), [N, N, N, N, 1, 2, 2, 2, 2, 2]),
    "neighbours with a gap of one": ({4: 1, 6: 2}, (5,), [N, N, N, N, 1, N, 2, 2, 2, 2]),
    "late start and early end": ({2: 0, 5: 30}, (6,), [N, N, 0, 10, 20, 30, N, N, N, N]),
    "held before it leaves": ({2: 0, 5: 30}, (8,), [N, N, 0, 10, 20, 30, 30, 30, N, N]),
    "leaves one frame after it came back": ({0: 1, 5: 2}, (3, 6), [1, 1, 1, N, N, 2, N, N, N, N]),
    "a keyframe on every third frame": ({0: 0, 3: 30, 6: 0, 9: 30}, (), [0, 10, 20, 30, 20, 10, 0, 10, 20, 30]),
    "halves": ({0: 0, 2: 1, 4: 0}, (), [0, 0.5, 1, 0.5, 0, 0, 0, 0, 0, 0]),
    "sevenths": ({0: 0, 7: 1}, (), [0, 0.143, 0.286, 0.429, 0.571, 0.714, 0.857, 1, 1, 1]),
}  # fmt: skip


@pytest.mark.parametrize("keyframes, absent, wanted", GOLDEN.values(), ids=list(GOLDEN))
def test_a_golden_timeline(keyframes, absent, wanted):
    found = xs(track(keyframes, absent))
    assert [x is None for x in found] == [x is None for x in wanted]
    for x, expected in zip(found, wanted, strict=True):
        assert x is None or abs(x - expected) <= 1 / 2048 + 0.0005


@pytest.mark.parametrize("keyframes, absent, wanted", GOLDEN.values(), ids=list(GOLDEN))
def test_presence_says_where_the_golden_timelines_are_and_any_window_is_a_part_of_the_whole(keyframes, absent, wanted):
    item = track(keyframes, absent)
    line = Timeline.of(item)
    intervals = line.presence(10)
    assert intervals == sorted(intervals) and all(first < last for first, last in intervals)
    assert [any(first <= f < last for first, last in intervals) for f in range(10)] == [x is not None for x in wanted]
    assert [line.is_present(f) for f in range(10)] == [x is not None for x in wanted]
    whole = xs(item)
    for start, end in ((0, 3), (2, 7), (5, 5), (9, 10), (0, 99)):
        assert xs(item, start=start, end=end)[: 10 - start] == whole[start:end]
        assert (line.at(start, Clock(10)) is None) == (whole[start] is None)


# --- by time -------------------------------------------------------------------------------------------------------

NS = 1_700_000_000_000_000_000
BY_TIME = {
    "even times are like frames": ({0: 0, 4: 40}, (0, 1, 2, 3, 4), [0, 10, 20, 30, 40]),
    "a late frame is further on": ({0: 0, 4: 40}, (0, 1, 2, 7, 8), [0, 5, 10, 35, 40]),
    "nanoseconds": ({0: 0, 4: 40}, tuple(NS + n for n in (0, 100, 200, 700, 800)), [0, 5, 10, 35, 40]),
    "seconds as floats": ({0: 0, 4: 40}, (0.0, 0.25, 0.5, 1.75, 2.0), [0, 5, 10, 35, 40]),
    "times before zero": ({0: 0, 4: 40}, (-8, -7, -6, -1, 0), [0, 5, 10, 35, 40]),
    "times that stand still": ({0: 0, 4: 40}, (5, 5, 5, 5, 5), [0, 10, 20, 30, 40]),
    "times that run back": ({0: 0, 4: 40}, (9, 8, 7, 6, 5), [0, 10, 20, 30, 40]),
    "a time out of order stays within": ({0: 0, 4: 40}, (0, 9, -3, 6, 8), [0, 40, 0, 30, 40]),
    "times that stand still in one stretch only": ({0: 0, 2: 20, 4: 40}, (0, 0, 0, 3, 4), [0, 10, 20, 35, 40]),
    "fewer times than frames": ({0: 0, 4: 40}, (0, 1), [0, 10, 20, 30, 40]),
    "no times": ({0: 0, 4: 40}, None, [0, 10, 20, 30, 40]),
    "held past the last": ({0: 0, 2: 20}, (0, 1, 4, 5, 6), [0, 5, 20, 20, 20]),
}  # fmt: skip


@pytest.mark.parametrize("keyframes, times, wanted", BY_TIME.values(), ids=list(BY_TIME))
def test_a_golden_timeline_by_the_times_of_its_frames(keyframes, times, wanted):
    assert xs(track(keyframes), Clock(5, times)) == wanted


# --- steps, kept frames, forms ------------------------------------------------------------------------------------


def red(x, **attributes):
    return {"geometry": point(x), "attributes": attributes}


def test_attributes_step_and_are_never_blended():
    item = track({0: red(0, colour="red", size=1), 6: red(60, colour="blue", size=3)})
    shown = [
        (s.entry["attributes"]["colour"], s.entry["attributes"]["size"]) for s in Timeline.of(item).shown(Clock(9))
    ]
    assert shown == [("red", 1)] * 6 + [("blue", 3)] * 3


KEPT = {
    "between two keyframes": ({0: 0, 8: 80}, (), {3: 99}, [0, 10, 20, 99, 40, 50, 60, 70, 80, 80]),
    "while held": ({0: 0}, (), {5: 99}, [0, 0, 0, 0, 0, 99, 0, 0, 0, 0]),
    "while held before it leaves": ({0: 0}, (7,), {5: 99}, [0, 0, 0, 0, 0, 99, 0, N, N, N]),
    "where it is absent it is not shown": ({0: 0}, (4,), {5: 99}, [0, 0, 0, 0, N, N, N, N, N, N]),
    "several": ({0: 0, 9: 90}, (), {1: 1, 2: 2, 8: 8}, [0, 1, 2, 30, 40, 50, 60, 70, 8, 90]),
}  # fmt: skip


@pytest.mark.parametrize("keyframes, absent, kept, wanted", KEPT.values(), ids=list(KEPT))
def test_a_kept_frame_is_shown_and_its_neighbours_do_not_know_of_it(keyframes, absent, kept, wanted):
    assert xs(track(keyframes, absent, kept)) == wanted


def test_another_form_at_the_next_keyframe_holds_until_there():
    shown = [s.geometry for s in Timeline.of(track({0: bbox(0, 0, 1, 1), 3: point(5)})).shown(Clock(5))]
    assert shown == [bbox(0, 0, 1, 1)] * 3 + [point(5)] * 2


def test_which_frames_are_entries_of_their_own():
    shown = Timeline.of(track({1: 1, 4: 4}, (6,), {2: 9})).shown(Clock(10))
    assert [(s.frame, s.own) for s in shown] == [(1, True), (2, True), (3, False), (4, True), (5, False)]


def places(item, **clock):
    return [s.geometry["position"]["x"] for s in Timeline.of(item).shown(Clock(6, **clock))]


@pytest.mark.parametrize(
    "keyframes, absent, times, wanted",
    [
        ({0: cuboid(0), 2: cuboid(4)}, (), None, [0, 2, 4, 6, 8, 10]),
        ({0: cuboid(0), 1: cuboid(1), 2: cuboid(4)}, (), None, [0, 1, 4, 7, 10, 13]),
        ({0: cuboid(3)}, (), None, [3] * 6),
        ({0: cuboid(0), 2: cuboid(4)}, (4,), None, [0, 2, 4, 4]),
        ({0: cuboid(0), 3: cuboid(4)}, (2,), None, [0, 0, 4, 4, 4]),
        ({0: cuboid(0), 2: cuboid(4)}, (), (0, 1, 2, 4, 6, 8), [0, 2, 4, 8, 12, 16]),
        ({0: cuboid(0), 2: cuboid(4)}, (), (0, 1, 2, 1, 1, 1), [0, 2, 4, 4, 4, 4]),
    ],
)
def test_a_cuboid_goes_on_past_its_last_keyframe_where_the_dataset_asks_for_it(keyframes, absent, times, wanted):
    assert places(track(keyframes, absent), times=times, extrapolate=True) == wanted


def test_without_that_setting_and_for_other_forms_the_last_keyframe_is_held():
    assert places(track({0: cuboid(0), 2: cuboid(4)})) == [0, 2, 4, 4, 4, 4]
    assert xs(track({0: 0, 2: 4}), Clock(6, extrapolate=True)) == [0, 2, 4, 4, 4, 4]


# --- properties ----------------------------------------------------------------------------------------------------

marks = st.dictionaries(st.integers(0, 29), st.integers(-1000, 1000) | st.none(), min_size=1, max_size=10)


def made(found):
    return track({f: x for f, x in found.items() if x is not None}, tuple(f for f, x in found.items() if x is None))


@given(found=marks, other=marks)
def test_a_frame_depends_only_on_the_keyframes_of_its_stretch_of_presence(found, other):
    whole, clock = xs(made(found), Clock(30)), Clock(30)
    for first, last in Timeline.of(made(found)).presence(30):
        within = {f: x for f, x in found.items() if first <= f < last}
        outside = {f: x for f, x in other.items() if f < first - 1 or f > last}
        # Behind the stretch something has to end it, and in front of it something may not be a keyframe next to it.
        fences = {f: None for f in (first - 1, last) if 0 <= f < 30}
        assert xs(made(outside | fences | within), clock)[first:last] == whole[first:last]


@given(found=marks, by=st.integers(-500, 500))
def test_moving_all_keyframes_in_space_moves_all_frames(found, by):
    moved = {f: None if x is None else x + by for f, x in found.items()}
    for x, y in zip(xs(made(found), Clock(30)), xs(made(moved), Clock(30)), strict=True):
        assert (x is None) == (y is None) and (x is None or abs(x + by - y) <= 1 / 1024)


@given(found=marks, by=st.integers(0, 20))
def test_moving_all_keyframes_in_time_moves_all_frames(found, by):
    moved = {f + by: x for f, x in found.items()}
    assert xs(made(moved), Clock(30 + by))[by:] == xs(made(found), Clock(30))


@given(found=st.dictionaries(st.integers(0, 29), st.integers(-1000, 1000), max_size=8))
def test_backwards_in_time_the_same_frames_come_backwards(found):
    found |= {0: 1, 29: 5}
    back = {29 - f: x for f, x in found.items()}
    for x, y in zip(xs(made(found), Clock(30)), reversed(xs(made(back), Clock(30))), strict=True):
        assert abs(x - y) <= 1 / 1024


@given(found=st.dictionaries(st.integers(0, 29), st.integers(-1000, 1000), min_size=1, max_size=8))
def test_between_the_first_and_the_last_keyframe_it_is_numpy_interp(found):
    frames = sorted(found)
    wanted = np.interp(range(frames[0], 30), frames, [found[f] for f in frames])
    np.testing.assert_allclose(xs(made(found), Clock(30))[frames[0] :], wanted, atol=1 / 2048 + 1e-9)
