"""What becomes of tracks when frames are added, removed and moved: a table of timelines, and properties."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.rules.fold import NOW, Place
from labeling.rules.label_state import LabelState, evolve
from sequences.rules.rearranging import rearranged
from sequences.rules.runs import runs_of, unrolled
from sequences.rules.skeletons import clock_of, frames_of, skeleton_of
from sequences.rules.timeline import Timeline
from sequences.rules.track_state import TABLE, tracks_of
from tests.sequences.support import track

JSON = dict[str, Any]
LOG = uuid.UUID(int=1)


def label(tracks: list[JSON], frames: int, **skeleton: Any) -> LabelState:
    stamp = {"version": 1, "by": str(LOG), "last_offset": 1}
    state = LabelState(LOG, f"label/{uuid.UUID(int=2)}/{uuid.UUID(int=3)}", version=1, exists=True)
    state.document = {"skeleton": {"frames": [{"timestamp": 10 * n} for n in range(frames)]} | skeleton}
    pieces = {}
    for number, item in enumerate(tracks):
        key = str(uuid.UUID(int=100 + number))
        pieces[key] = item | {"uuid": key, "track_id": number + 1} | stamp
    state.parts = {TABLE: pieces}
    return state


def change(state: LabelState, order: list[int | None], count: int | None = None, **heads: Any) -> LabelState:
    """The state after its sample's frames got another order."""
    known = {new: {"timestamp": 7} for new, old in enumerate(order) if old is None}
    before = len(frames_of(skeleton_of(state), None)) if count is None else count
    after = state.copied()
    for number, fact in enumerate(rearranged(state, None, order, known, before).facts, 1):
        evolve(after, fact, Place(LOG, NOW, 2, state.version + number))
    return after


def xs(state: LabelState) -> list[list[float | None]]:
    """Where each object is at each frame, rounded to three digits; None where it is absent."""
    clock = clock_of(skeleton_of(state), None)
    found = []
    for item in tracks_of(state).values():
        line: list[float | None] = [None] * clock.frames
        for shown in Timeline.of(item).shown(clock):
            line[shown.frame] = round(shown.geometry["points"][0][0], 3)
        found.append(line)
    return found


def marks(state: LabelState) -> list[tuple[list[int], list[int], list[int]]]:
    """(keyframes, remove-keyframes, kept frames) of each track."""
    found = []
    for item in tracks_of(state).values():
        line = Timeline.of(item)
        found.append((line.keyframes(), line.remove_keyframes(), list(line.kept)))
    return found


N = None
#: name: (frames, keyframes, remove-keyframes, the new order, what is shown then, keyframes then, remove-keyframes then)
CASES: dict[str, tuple[int, dict[int, Any], tuple[int, ...], list[int | None], Any, list[int], list[int]]] = {
    "no frames, and none after": (0, {0: 5}, (), [], [], [0], []),
    "as it was": (3, {0: 0, 2: 20}, (), [0, 1, 2], [0, 10, 20], [0, 2], []),
    # --- added
    "behind the last, held": (3, {0: 0, 2: 20}, (), [0, 1, 2, N, N], [0, 10, 20, 20, 20], [0, 2], []),
    "behind the last, where it is gone": (3, {0: 0}, (2,), [0, 1, 2, N], [0, 0, N, N], [0], [2]),
    "in front of the first there is nothing": (2, {0: 0, 1: 10}, (), [N, 0, 1], [N, 0, 10], [1, 2], []),
    "in between it is on its way": (2, {0: 0, 1: 10}, (), [0, N, 1], [0, 5, 10], [0, 2], []),
    "in front of where it leaves it is held": (3, {0: 0}, (1,), [0, N, 1, 2], [0, 0, N, N], [0], [2]),
    "in a gap it is absent": (4, {0: 0, 3: 30}, (1,), [0, 1, N, 2, 3], [0, N, N, N, 30], [0, 4], [1]),
    "in front of where it comes back": (3, {0: 0, 2: 20}, (1,), [0, 1, N, 2], [0, N, N, 20], [0, 3], [1]),
    # --- removed
    "a frame in between": (5, {0: 0, 4: 40}, (), [0, 1, 3, 4], [0, 13.333, 26.667, 40], [0, 3], []),
    "a keyframe in between: both sides are kept":
        (5, {0: 0, 2: 20, 4: 0}, (), [0, 1, 3, 4], [0, 10, 10, 0], [0, 1, 2, 3], []),
    "two keyframes beside each other":
        (6, {0: 0, 2: 20, 3: 60, 5: 0}, (), [0, 1, 4, 5], [0, 10, 30, 0], [0, 1, 2, 3], []),
    "a keyframe between keyframes is just gone":
        (4, {0: 0, 1: 3, 2: 9, 3: 30}, (), [0, 1, 3], [0, 3, 30], [0, 1, 2], []),
    "the first keyframe: it begins at the next": (5, {0: 0, 4: 40}, (), [1, 2, 3, 4], [10, 20, 30, 40], [0, 3], []),
    "the last keyframe at the end: the one in front": (5, {0: 0, 4: 40}, (), [0, 1, 2, 3], [0, 10, 20, 30], [0, 3], []),
    "the last keyframe, held behind": (5, {0: 0, 2: 20}, (), [0, 1, 3, 4], [0, 10, 20, 20], [0, 1, 2], []),
    "the last keyframe and what was held behind": (5, {0: 0, 2: 20}, (), [0, 1], [0, 10], [0, 1], []),
    "the only keyframe of a held object": (3, {0: 5}, (), [1, 2], [5, 5], [0], []),
    "all of its frames: the track is removed": (4, {1: 5}, (2,), [0, 2, 3], N, [], []),
    "all frames": (3, {0: 5}, (), [], N, [], []),
    "where it leaves: it leaves at the next": (5, {0: 0}, (2,), [0, 1, 3, 4], [0, 0, N, N], [0], [2]),
    "where it leaves, in front of where it comes back": (3, {0: 0, 2: 20}, (1,), [0, 2], [0, 20], [0, 1], []),
    "the whole gap: nothing is computed across it": (5, {0: 0, 4: 40}, (2,), [0, 1, 4], [0, 0, 40], [0, 1, 2], []),
    "the second of two remove-keyframes": (6, {0: 0, 5: 50}, (2, 4), [0, 1, 2, 3, 5], [0, 0, N, N, 50], [0, 4], [2]),
    "the first of two remove-keyframes": (6, {0: 0, 5: 50}, (2, 3), [0, 1, 3, 4, 5], [0, 0, N, N, 50], [0, 4], [2]),
    "a second stretch is gone": (6, {0: 0, 3: 30}, (2, 4), [0, 1, 2, 4, 5], [0, 0, N, N, N], [0], [2, 3]),
    "a first stretch is gone": (6, {0: 0, 3: 30}, (1,), [1, 2, 3, 4], [N, N, 30, 30], [2], []),
    # --- moved
    "a frame in between is computed at its new place":
        (5, {0: 0, 4: 40}, (), [0, 2, 1, 3, 4], [0, 10, 20, 30, 40], [0, 4], []),
    "a keyframe goes with its frame":
        (5, {0: 0, 2: 90, 4: 40}, (), [0, 2, 1, 3, 4], [0, 90, 73.333, 56.667, 40], [0, 1, 4], []),
    "the first keyframe to the end": (4, {0: 5}, (), [1, 2, 3, 0], [5, 5, 5, 5], [0, 3], []),
    "a remove-keyframe to the end": (5, {0: 0}, (2,), [0, 1, 3, 4, 2], [0, 0, N, N, N], [0], [2, 4]),
    "an absent frame between present ones": (4, {0: 0, 3: 30}, (2,), [0, 2, 1, 3], [0, N, 0, 30], [0, 2, 3], [1]),
    "a present frame into a gap": (5, {0: 0, 2: 20}, (3,), [0, 1, 3, 2, 4], [0, 10, N, 20, N], [0, 1, 3], [2, 4]),
    "the last keyframe to the front": (4, {0: 0, 3: 30}, (), [3, 0, 1, 2], [30, 0, 10, 20], [0, 1, 3], []),
    "a held frame needs no keyframe": (5, {0: 7, 4: 7}, (), [4, 0, 1, 2, 3], [7, 7, 7, 7, 7], [0, 1], []),
    "the other way round": (3, {0: 0, 2: 20}, (), [2, 1, 0], [20, 10, 0], [0, 2], []),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_golden_timelines(case):
    frames, keyframes, absent, order, shown, keyed, gone = case
    state = label([track(keyframes, absent)], frames)
    after = change(state, order)
    assert xs(after) == ([] if shown is None and frames else [shown])
    assert [(a, b) for a, b, _ in marks(after)] == ([] if shown is None and frames else [(keyed, gone)])
    assert len(frames_of(skeleton_of(after), None)) == len(order)


def test_what_a_label_says_of_a_frame_goes_with_it():
    state = label([], 3)
    skeleton_of(state)["frames"][1]["annotations"] = [2, 1]
    after = change(state, [1, None, 0])
    assert frames_of(skeleton_of(after), None) == [
        {"timestamp": 10, "annotations": [2, 1]}, {"timestamp": 7}, {"timestamp": 0},
    ]  # fmt: skip


def test_a_frame_that_was_kept_as_uploaded_goes_along_and_becomes_a_keyframe_where_a_stretch_begins():
    state = label([track({0: 0, 4: 40}, kept={2: 99})], 5)
    assert marks(change(state, [0, 2, 1, 3, 4])) == [([0, 4], [], [1])]
    after = change(state, [2, 3, 4])
    assert (marks(after), xs(after)) == ([([0, 2], [], [])], [[99, 69.5, 40]])


def test_attributes_step_from_where_they_did():
    red, blue = {"attributes": {"colour": "red"}}, {"attributes": {"colour": "blue"}}
    entries = {0: {"geometry": {"type": "point", "points": [[0, 0]]}} | red,
               2: {"geometry": {"type": "point", "points": [[20, 0]]}} | blue}  # fmt: skip
    (item,) = tracks_of(change(label([track(entries)], 5), [1, 3, 4])).values()
    assert {frame: entry["attributes"]["colour"] for frame, entry in item["entries"].items()} == {
        "0": "red",
        "1": "blue",
    }


def test_by_times_what_remains_shows_exactly_what_it_showed():
    state = label([track({0: 0, 2: 50, 4: 60})], 5, clock={"by": "times"})
    assert xs(change(state, [0, 1, 3, 4])) == [[0, 25, 55, 60]]


def test_other_sensors_are_left_alone():
    side = {"task_type": "image-vector-sequence", "attributes": {"frames": [{}, {}]}}
    state = label([track({0: 0}, sensor=0), track({1: 5}, sensor=1)], 0)
    state.document = {"skeleton": {"sensors": [side | {"name": "a"}, side | {"name": "b"}]}}
    (fact,) = rearranged(state, 1, [1, 0], {}, 2).facts
    after = state.copied()
    evolve(after, fact, Place(LOG, NOW, 2, 2))
    one, two = tracks_of(after).values()
    assert (
        list(one["entries"]) == ["0"] and list(two["entries"]) == ["0", "1"] and two["entries"]["1"] == {"absent": True}
    )
    assert one is next(iter(tracks_of(state).values()))


def test_a_label_with_fewer_frames_than_its_sample_shows_nothing_at_those_that_it_does_not_have():
    state = label([track({0: 0})], 2)
    assert xs(change(state, [0, 1, 2, 3, None], 4)) == [[0, 0]]
    assert xs(change(state, [3, 0, 2, 1], 4)) == [[None, 0, None, 0]]
    assert xs(change(state, [3, 2, 1], 4)) == [[None, None, 0]]


def test_a_label_with_more_frames_than_its_sample_keeps_them_at_the_end():
    state = label([track({0: 0, 3: 30})], 4)
    assert xs(change(state, [1, 0], 2)) == [[10, 0, 15, 30]]
    assert xs(change(state, [0, 1, None], 2)) == [[0, 7.5, 15, 22.5, 30]]


def test_what_is_set_behind_the_last_frame_stays_behind_it():
    state = label([track({0: 0, 9: 90})], 3)
    assert marks(change(state, [0, None, 1, 2])) == [([0, 10], [], [])]
    assert marks(change(state, [])) == [([6], [], [])]


def test_a_label_without_frames_is_left_alone():
    assert rearranged(label([], 0), None, [None, 0, 1], {0: {}}, 2).facts == []


# --- properties ----------------------------------------------------------------------------------------------------


@st.composite
def labels(draw: st.DrawFn) -> LabelState:
    frames = draw(st.integers(1, 12))
    tracks = []
    for _ in range(draw(st.integers(0, 3))):
        spots = draw(st.lists(st.integers(0, frames - 1), min_size=1, max_size=6, unique=True))
        kinds = [draw(st.sampled_from(["key", "key", "absent", "kept"])) for _ in spots]
        keys = {spot: draw(st.integers(0, 99)) for spot, kind in zip(spots, kinds, strict=True) if kind == "key"}
        if not keys:
            continue
        gone = tuple(s for s, kind in zip(spots, kinds, strict=True) if kind == "absent" and s > min(keys))
        kept = {s: draw(st.integers(0, 99)) for s, kind in zip(spots, kinds, strict=True) if kind == "kept"}
        tracks.append(track(keys, gone, kept))
    return label(tracks, frames)


def presence(state: LabelState) -> dict[str, list[bool]]:
    clock = clock_of(skeleton_of(state), None)
    found = {}
    for key, item in tracks_of(state).items():
        found[key] = [Timeline.of(item).is_present(frame) for frame in range(clock.frames)]
    return found


def bare(state: LabelState) -> Any:
    """What is set, without who set it when."""
    return state.document, {
        key: {name: value for name, value in item.items() if name not in ("version", "by", "last_offset")}
        for key, item in tracks_of(state).items()
    }


@given(labels(), st.data())
def test_to_insert_frames_and_to_remove_them_again_is_nothing(state, data):
    frames = len(frames_of(skeleton_of(state), None))
    place = data.draw(st.integers(0, frames))
    more = data.draw(st.integers(1, 3))
    between = change(state, [*range(place), *[None] * more, *range(place, frames)])
    back = change(between, [*range(place), *range(place + more, frames + more)])
    assert bare(back) == bare(state)


@given(labels(), st.data())
def test_a_frame_that_is_moved_there_and_back_shows_the_same(state, data):
    frames = len(frames_of(skeleton_of(state), None))
    one, two = (data.draw(st.integers(0, frames - 1)) for _ in range(2))

    def moved(a: int, b: int) -> list[int | None]:
        order: list[int | None] = list(range(frames))
        order.insert(b, order.pop(a))
        return order

    back = change(change(state, moved(one, two)), moved(two, one))
    assert presence(back) == presence(state)
    assert back.document == state.document
    for before, after in zip(marks(state), marks(back), strict=True):
        assert {*before[0]} <= {*after[0]} and {*before[1]} <= {*after[1]}


@given(labels(), st.data())
def test_each_frame_that_remains_shows_the_objects_that_it_showed_and_what_was_set_there(state, data):
    frames = len(frames_of(skeleton_of(state), None))
    order: list[int | None] = data.draw(st.lists(st.sampled_from(range(frames)), unique=True))
    for _ in range(data.draw(st.integers(0, 2))):
        order.insert(data.draw(st.integers(0, len(order))), None)
    after = change(state, order)
    had, has = presence(state), presence(after)
    for key, item in tracks_of(state).items():
        mine = tracks_of(after).get(key)
        assert (mine is None) == (not any(had[key][old] for old in order if old is not None))
        if mine is None:
            continue
        for new, old in enumerate(order):
            if old is None:
                assert has[key][new] == (new > 0 and has[key][new - 1])
                continue
            assert has[key][new] == had[key][old]
            entry = item["entries"].get(str(old))
            if entry is not None and has[key][new]:
                assert mine["entries"][str(new)]["geometry"] == entry["geometry"]
        line = Timeline.of(mine)
        assert line.keyframes(), "a track keeps a keyframe"
        if not line.kept:
            assert not any(frame < line.keyframes()[0] for frame in line.remove_keyframes())


@given(st.lists(st.one_of(st.none(), st.integers(0, 20))))
def test_runs_say_an_order(order):
    runs = list(runs_of(order))
    assert unrolled(runs) == order
    assert all(length for _, length in runs)
