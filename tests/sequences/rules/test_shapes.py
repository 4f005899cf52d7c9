"""Tracks that become bitmaps, and tracks that are pushed into the image: at each keyframe, and what lies between."""

from __future__ import annotations

from typing import Any

import pytest

from labeling.errors import AnnotationNotFound, InvalidValue, Refused
from labeling.geometry import rle
from labeling.rules.task_types import task_type
from sequences.rules.timeline import Clock, Timeline
from sequences.rules.track_state import TABLE
from tests.sequences.rules.test_edits import run, with_tracks
from tests.support.labels import after

JSON = dict[str, Any]
SIZED: JSON = {"size_of": lambda image: (40, 30) if image.get("url") else None}


def box(x0: float, y0: float, x1: float, y1: float) -> JSON:
    return {"type": "bbox", "points": [[x0, y0], [x1, y1]]}


def track(number: int, entries: JSON) -> JSON:
    return {
        "uuid": f"00000000-0000-4000-8000-{number:012d}", "track_id": number, "sensor": None, "category_id": 1,
        "order": float(number), "entries": entries,
    }  # fmt: skip


def entries(state: Any, number: int = 1) -> JSON:
    (item,) = [item for item in state.parts[TABLE].values() if item["track_id"] == number]
    found: JSON = item["entries"]
    return found


WALK = track(1, {
    "0": {"geometry": box(0, 0, 10, 10), "attributes": {"a": 1}},
    "4": {"geometry": box(4, 0, 14, 10), "attributes": {"a": 2}, "category_id": 2},
    "6": {"absent": True},
    "8": {"geometry": {"type": "polygon", "parts": [[[[0, 0], [9, 0], [9, 9]]]]}},
})  # fmt: skip
DOT = track(2, {"0": {"geometry": {"type": "point", "points": [[3, 4]]}}, "5": {"geometry": box(90, 0, 99, 9)}})


def test_each_keyframe_of_a_track_becomes_a_bitmap_without_attributes_and_stays_the_same_track() -> None:
    state = with_tracks(WALK, DOT)
    outcome = run(state, {"op": "rasterize_track", "track": 1}, **SIZED)
    [fact] = outcome.facts
    found = entries(after(state, fact))
    pixels = {frame: entry["geometry"]["rle"] for frame, entry in found.items() if frame != "6"}
    areas = {frame: rle.area(runs, max_pixels=10**6) for frame, runs in pixels.items()}
    assert areas == {"0": 100, "4": 100, "8": 45}
    assert found["4"].keys() == {"geometry", "category_id"} and found["6"] == {"absent": True}
    assert fact.cleared["4"] == {"geometry": box(4, 0, 14, 10), "attributes": {"a": 2}}
    assert outcome.results[0]["done"] == [{"track": WALK["uuid"], "track_id": 1, "frames": [0, 4, 8]}]
    [kept] = [item for item in after(state, fact).parts[TABLE].values() if item["track_id"] == 1]
    for name in ("uuid", "category_id", "order"):
        assert kept[name] == WALK[name]
    shown = {s.frame: s.geometry["rle"] for s in Timeline.of(kept).shown(Clock(10))}
    assert shown[2] == shown[0] and shown[5] == shown[4] and 6 not in shown


def test_all_tracks_are_rasterized_and_what_is_not_applicable_is_told() -> None:
    state = with_tracks(WALK, DOT)
    outcome = run(state, {"op": "rasterize_track"}, **SIZED)
    assert [fact.track for fact in outcome.facts] == [WALK["uuid"]]
    assert outcome.results[0]["skipped"] == [
        {"track": DOT["uuid"], "track_id": 2, "frame": 0, "why": "point"},
        {"track": DOT["uuid"], "track_id": 2, "frame": 5, "why": "no_pixels"},
    ]
    again = run(after(state, *outcome.facts), {"op": "rasterize_track"}, **SIZED)
    assert again.facts == [] and again.results[0]["changed"] is False


def test_a_fit_moves_keyframes_and_what_lies_between_follows() -> None:
    state = with_tracks(track(1, {"0": {"geometry": box(-8, 0, 2, 10)}, "4": {"geometry": box(4, 25, 14, 35)}}), DOT)
    outcome = run(state, {"op": "fit_track"}, **SIZED)
    found = after(state, *outcome.facts)
    assert entries(found)["0"]["geometry"] == box(0, 0, 10, 10)
    assert entries(found)["4"]["geometry"] == box(4, 20, 14, 30)
    assert entries(found, 2)["5"]["geometry"] == box(31, 0, 40, 9)
    assert [item["frames"] for item in outcome.results[0]["done"]] == [[0, 4], [5]]
    (item,) = [item for item in found.parts[TABLE].values() if item["track_id"] == 1]
    assert Timeline.of(item).at(2, Clock(10)).geometry == box(2, 10, 12, 20)  # type: ignore[union-attr]
    assert run(found, {"op": "fit_track", "track": 1}, **SIZED).facts == []


def test_the_size_is_said_where_it_is_not_known() -> None:
    state = with_tracks(WALK)
    for op in ("rasterize_track", "fit_track"):
        with pytest.raises(Refused, match="size_wh"):
            run(state, {"op": op})
        with pytest.raises(InvalidValue):
            run(state, {"op": op, "size_wh": [4]})
        with pytest.raises(AnnotationNotFound):
            run(state, {"op": op, "track": 9}, **SIZED)
    assert run(state, {"op": "rasterize_track", "size_wh": [20, 20]}).facts


def test_what_is_no_image_is_left_alone() -> None:
    state = with_tracks(track(1, {"0": {"geometry": {"type": "polygon", "parts": [[[[0, 0], [9, 0], [9, 9]]]]}}}))
    clouds: Any = task_type("pointcloud-vector-sequence")
    outcome = run(state, {"op": "rasterize_track"}, {"op": "fit_track"}, kind=clouds, **SIZED)
    assert outcome.facts == [] and outcome.results[0]["skipped"][0]["why"] == "no_image"
    bitmaps: Any = task_type("image-segmentation-sequence")
    outcome = run(with_tracks(track(1, {"0": {"geometry": {"type": "mask"}}})), {"op": "rasterize_track"}, kind=bitmaps)
    assert outcome.results[0]["skipped"][0]["why"] == "mask"


def test_a_keyframe_is_held_against_what_the_dataset_asks_of_shapes_that_are_drawn() -> None:
    state = with_tracks(track(1, {"0": {"geometry": box(0, 0, 10, 10)}}))
    state.settings = {"labels_outside_image": "refuse"}
    squares: JSON = SIZED | {"ratios": lambda: {1: 1.0}}
    set_ = {"op": "set_keyframe", "track": 1, "frame": 3}
    assert run(state, set_ | {"geometry": box(30, 20, 40, 30)}, **squares).facts
    for geometry, words in ((box(31, 20, 41, 30), "within the image"), (box(0, 0, 20, 10), "times as wide")):
        with pytest.raises(InvalidValue, match=words) as caught:
            run(state, set_ | {"geometry": geometry}, **squares)
        assert caught.value.field == "edits[0].geometry"
    new = {"op": "add_track", "frame": 1, "category_id": 1, "type": "bbox", "points": [[0, 0], [20, 10]]}
    with pytest.raises(InvalidValue, match="times as wide") as caught:
        run(state, new, **squares)
    assert caught.value.field == "edits[0].points"
    wide = with_tracks(track(1, {"0": {"geometry": box(0, 0, 20, 10)}}))
    assert run(wide, set_ | {"geometry": box(5, 0, 25, 10)}, **squares).facts, "it was moved"
