"""What holds of timelines of every form: a frame depends on its stretch alone, and moves, turns back and goes on with
its keyframes."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sequences.rules.dense import Line, frame_texts, segments_of
from sequences.rules.timeline import Clock, Timeline
from tests.sequences.rules.test_timeline import BY_TIME, GOLDEN, KEPT
from tests.sequences.support import cuboid, polygon, polyline, track

JSON = dict[str, Any]
COUNT = 24
CLOCK = Clock(COUNT)
#: A step of the grid, or of that of metres.
STEP = 1 / 512


def made(form: str, chance: np.random.Generator) -> JSON:
    """A geometry of a form, anywhere; angles of less than a quarter apart, because half a turn has two ways."""
    x, y, w, h = chance.integers(0, 400, 4).tolist()
    match form:
        case "bbox":
            return {"type": form, "points": [[x, y], [x + w, y + h]]}
        case "point":
            return {"type": form, "points": [[x, y]]}
        case "rbox":
            return {"type": form, "center": [x, y], "size_wh": [w, h], "angle_deg": w / 5}
        case "ellipse":
            return {"type": form, "center": [x, y], "radii": [w, h], "angle_deg": w / 5}
        case "skeleton":
            points = [{"name": name, "x": x + n * w, "y": y - n * h, "visibility": 2} for n, name in enumerate("abc")]
            return {"type": form, "points": points}
        case "cuboid":
            turn = dict(zip(("qx", "qy", "qz", "qw"), (*chance.uniform(-0.4, 0.4, 3).tolist(), 1.0), strict=True))
            return cuboid(x, yaw=w / 300, length=h + 1.0, rotation=turn)
    # All with one number of corners, so that which becomes which is no question of ties.
    ring = np.array([[0, 0], [70, 9], [110, 60], [40, 90], [5, 50]]) * (1 + w / 400) + [x, y]
    ring = ring + chance.integers(-6, 6, ring.shape)
    return polygon(ring) if form == "polygon" else polyline(ring.tolist())


FORMS = ("bbox", "point", "rbox", "ellipse", "skeleton", "cuboid", "polygon", "polyline")
marks = st.dictionaries(st.integers(0, COUNT - 1), st.sampled_from(["K", "K", "K", "-"]), min_size=1, max_size=6)
seeds = st.integers(0, 2**32 - 1)


def of(found: dict[int, JSON | None]) -> JSON:
    """A track with keyframes, and remove-keyframes for None."""
    keys = {frame: item for frame, item in found.items() if item is not None}
    return track(keys, tuple(frame for frame, item in found.items() if item is None))


def some(found: dict[int, str], form: str, seed: int) -> dict[int, JSON | None]:
    chance = np.random.default_rng(seed)
    return {frame: made(form, chance) if kind == "K" else None for frame, kind in sorted(found.items())}


def frames(item: JSON, clock: Clock = CLOCK) -> dict[int, JSON]:
    return {shown.frame: shown.geometry for shown in Timeline.of(item).shown(clock)}


def moved(geometry: JSON, dx: float, dy: float) -> JSON:
    """The geometry somewhere else."""
    by = [dx, dy]

    def pair(point: list[float]) -> list[float]:
        return [a + b for a, b in zip(point, by, strict=True)]

    match geometry["type"]:
        case "bbox" | "point":
            return geometry | {"points": list(map(pair, geometry["points"]))}
        case "rbox" | "ellipse":
            return geometry | {"center": pair(geometry["center"])}
        case "skeleton":
            return geometry | {"points": [p | {"x": p["x"] + dx, "y": p["y"] + dy} for p in geometry["points"]]}
        case "cuboid":
            at = geometry["position"]
            return geometry | {"position": at | {"x": at["x"] + dx, "y": at["y"] + dy}}
        case "polyline":
            return geometry | {"parts": [list(map(pair, line)) for line in geometry["parts"]]}
    return geometry | {"parts": [[list(map(pair, ring)) for ring in part] for part in geometry["parts"]]}


def numbers(value: Any) -> list[float]:
    """All numbers of a geometry in their order."""
    if isinstance(value, dict):
        return [number for key in sorted(value) for number in numbers(value[key])]
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    return [value] if isinstance(value, int | float) else []


def near(one: dict[int, JSON], two: dict[int, JSON], step: float = STEP) -> bool:
    return one.keys() == two.keys() and all(
        np.allclose(numbers(one[frame]), numbers(two[frame]), rtol=0, atol=step) for frame in one
    )


@pytest.mark.parametrize("form", FORMS)
@given(found=marks, other=marks, seed=seeds)
def test_a_frame_depends_only_on_the_keyframes_of_its_stretch_of_presence(form, found, other, seed):
    keys = some(found, form, seed)
    whole = frames(of(keys))
    for first, last in Timeline.of(of(keys)).presence(COUNT):
        within = {frame: item for frame, item in keys.items() if first <= frame < last}
        outside = {f: item for f, item in some(other, form, seed + 1).items() if f < first - 1 or f > last}
        fences: dict[int, JSON | None] = {frame: None for frame in (first - 1, last) if 0 <= frame < COUNT}
        again = frames(of(outside | fences | within))
        assert [again[frame] for frame in range(first, last)] == [whole[frame] for frame in range(first, last)]


@pytest.mark.parametrize("form", FORMS)
@given(found=marks, seed=seeds, by=st.integers(0, 9))
def test_later_keyframes_give_the_same_frames_later(form, found, seed, by):
    keys = some(found, form, seed)
    later = frames(of({frame + by: item for frame, item in keys.items()}), Clock(COUNT + by))
    assert {frame - by: item for frame, item in later.items()} == frames(of(keys))


@pytest.mark.parametrize("form", FORMS)
@given(found=marks, seed=seeds, dx=st.integers(-300, 300), dy=st.integers(-300, 300))
def test_keyframes_somewhere_else_give_the_same_frames_there(form, found, seed, dx, dy):
    keys = some(found, form, seed)
    there = {frame: None if item is None else moved(item, dx, dy) for frame, item in keys.items()}
    wanted = {frame: moved(item, dx, dy) for frame, item in frames(of(keys)).items()}
    assert near(frames(of(there)), wanted)


@pytest.mark.parametrize("form", FORMS)
@given(found=marks, seed=seeds)
def test_keyframes_in_the_other_order_give_the_same_frames_backwards(form, found, seed):
    """Between the first and the last keyframe of each stretch: what is held, is held in one direction only."""
    keys = some(found, form, seed)
    whole = frames(of(keys))
    for first, last in Timeline.of(of(keys)).presence(COUNT):
        within = {frame: item for frame, item in keys.items() if first <= frame < last and item is not None}
        end = max(within)
        back = frames(of({first + end - frame: item for frame, item in within.items()}), Clock(end + 1))
        assert near({frame: back[first + end - frame] for frame in range(first, end + 1)},
                    {frame: whole[frame] for frame in range(first, end + 1)})  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@given(seed=seeds, steps=st.lists(st.integers(0, 5), min_size=3, max_size=COUNT - 1))
def test_time_that_goes_faster_everywhere_changes_nothing(form, seed, steps):
    assume(sum(steps))
    times = np.cumsum([0, *steps]).tolist()
    keys = of({0: made(form, np.random.default_rng(seed)), len(times) - 1: made(form, np.random.default_rng(seed + 1))})
    shown = [frames(keys, Clock(len(times), [start + speed * time for time in times])) for start, speed in
             ((0, 1), (-7, 1), (10**18, 100), (0, 0.5))]  # fmt: skip
    assert all(near(shown[0], other) for other in shown[1:])


# --- golden timelines once more ------------------------------------------------------------------------------------

CASES: dict[str, tuple[JSON, Clock]] = {
    **{name: (track(keys, absent), Clock(10)) for name, (keys, absent, _) in GOLDEN.items()},
    **{name: (track(keys), Clock(5, times)) for name, (keys, times, _) in BY_TIME.items()},
    **{f"kept {name}": (track(keys, absent, kept), Clock(10)) for name, (keys, absent, kept, _) in KEPT.items()},
}


def test_there_are_at_least_sixty_golden_timelines_beside_those_of_the_design():
    assert {f"T{number}" for number in range(1, 11)} <= CASES.keys()
    # Those below are shown by edits and by changes of a sample's frames.
    from tests.sequences.rules.test_edits import DONE
    from tests.sequences.rules.test_rearranging import CASES as REARRANGED

    assert len(CASES) + len(DONE) + len(REARRANGED) >= 120 and len(CASES) > 60


@pytest.mark.parametrize("name", CASES)
def test_a_golden_timeline_has_the_same_dense_frames(name):
    item, clock = CASES[name]
    text = b"".join(frame_texts([{}] * clock.frames, [Line(1, segments_of(item, clock))], 0))
    shown = {frame["frame"]: frame["annotations"][0]["points"] for frame in orjson.loads(text) if frame["annotations"]}
    assert shown == {frame: geometry["points"] for frame, geometry in frames(item, clock).items()}
