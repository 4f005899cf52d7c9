"""Every track operation: what it becomes, what it shows afterwards, and when it is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.errors import AnnotationNotFound, InvalidValue, Refused
from labeling.rules.task_types import VerbatimTask, task_type
from labeling.rules.touched import WHOLE, overlap, touched
from sequences import events as e
from sequences.rules.edits import TRACK_OPERATIONS
from sequences.rules.timeline import Clock, Timeline
from sequences.rules.track_state import TABLE, merged_entries
from tests.sequences.support import cuboid, point, track
from tests.support.labels import ANA, after, label, no_label

JSON = dict[str, Any]
N = None
KIND: Any = task_type("image-vector-sequence")


class NoPixels:
    """There are no bitmaps in these tests."""

    def read(self, mask: JSON) -> np.ndarray:
        raise AssertionError

    def keep(self, ids: np.ndarray) -> JSON:
        raise AssertionError


def run(state: Any, *edits: JSON, kind: Any = KIND, frames: int = 10, **keywords: Any) -> Any:
    sample = {"frames": [{"image": {"url": "x"}, "timestamp": n} for n in range(frames)]}
    editor = kind.editor(state, author=ANA, pixels=NoPixels(), sample=lambda: sample, **keywords)
    return editor.run(list(edits))


def edited(state: Any, *edits: JSON) -> Any:
    return after(state, *run(state, *edits).facts)


def with_tracks(*tracks: JSON, frames: int = 10) -> Any:
    state = label(document={"skeleton": {"frames": [{} for _ in range(frames)]}})
    stamp = {"version": 1, "by": str(ANA), "last_offset": 1}
    state.parts = {TABLE: {item["uuid"]: item | stamp for item in tracks}}
    state.last_order = 5.0
    state.last_id = max((item["track_id"] for item in tracks), default=0)
    return state


def at(*keyframes: int, absent: tuple[int, ...] = (), number: int = 1, **more: Any) -> JSON:
    """Track `number` with x = 10 times the frame at its keyframes."""
    name = f"00000000-0000-4000-8000-{number:012d}"
    return track({f: 10 * f for f in keyframes}, absent, uuid=name, track_id=number, order=float(number), **more)


def xs(state: Any, number: int = 1) -> list[Any]:
    (item,) = [item for item in state.parts[TABLE].values() if item["track_id"] == number]
    found = {s.frame: s.geometry["points"][0][0] for s in Timeline.of(item).shown(Clock(10))}
    return [found.get(frame) for frame in range(10)]


def edit(op: str, frame: int | None = None, **more: Any) -> JSON:
    return {"op": op, "track": 1} | ({} if frame is None else {"frame": frame}) | more


TO = {"geometry": point(7)}

DONE = [
    # an edit, on which track, what it becomes, what is shown
    (edit("set_keyframe", 5, **TO), at(0, 9), "KeyframeSet", [0, 1.4, 2.8, 4.2, 5.6, 7, 27.75, 48.5, 69.25, 90]),
    (edit("set_keyframe", 5), at(0, 9), "KeyframeSet", [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]),
    (edit("set_keyframe", 0, **TO), at(0), "KeyframeSet", [7] * 10),
    (edit("set_keyframe", 7, **TO), at(0, absent=(5,)), "KeyframeSet", [0, 0, 0, 0, 0, N, N, 7, 7, 7]),
    (edit("set_keyframe", 0, **TO), at(4), "KeyframeSet", [7, 15.25, 23.5, 31.75, 40, 40, 40, 40, 40, 40]),
    (edit("set_keyframe", 5, **TO), at(0, absent=(5,)), "KeyframeSet", [0, 1.4, 2.8, 4.2, 5.6, 7, 7, 7, 7, 7]),
    (edit("set_keyframe", 2, type="point", points=[[7, 0]]), at(0), "KeyframeSet", [0, 3.5, 7, 7, 7, 7, 7, 7, 7, 7]),
    (edit("delete_keyframe", 5), at(0, 5, 9), "KeyframeDeleted", [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]),
    (edit("delete_keyframe", 0), at(0, 5), "KeyframeDeleted", [N, N, N, N, N, 50, 50, 50, 50, 50]),
    (edit("delete_keyframe", 9), at(0, 9), "KeyframeDeleted", [0] * 10),
    (edit("delete_keyframe", 0), at(0, 8, absent=(5,)), "KeyframeDeleted", [N] * 8 + [80, 80]),
    (edit("move_keyframe", 5, to=3), at(0, 5), "KeyframeMoved", [0, 16.667, 33.333, 50, 50, 50, 50, 50, 50, 50]),
    (edit("move_keyframe", 0, to=2), at(0, 5), "KeyframeMoved", [N, N, 0, 16.667, 33.333, 50, 50, 50, 50, 50]),
    (edit("move_keyframe", 5, to=5), at(0, 5), None, [0, 10, 20, 30, 40, 50, 50, 50, 50, 50]),
    (edit("set_remove_keyframe", 5), at(0, 8), "RemoveKeyframeSet", [0, 0, 0, 0, 0, N, N, N, 80, 80]),
    (edit("set_remove_keyframe", 8), at(0, 8), "RemoveKeyframeSet", [0] * 8 + [N, N]),
    (edit("set_remove_keyframe", 5), at(0, absent=(5,)), None, [0] * 5 + [N] * 5),
    (edit("move_remove_keyframe", 5, to=3), at(0, 8, absent=(5,)), "RemoveKeyframeMoved",
     [0, 0, 0] + [N] * 5 + [80, 80]),
    (edit("move_remove_keyframe", 5, to=9), at(0, 4, absent=(5,)), "RemoveKeyframeMoved",
     [0, 10, 20, 30, 40, 40, 40, 40, 40, N]),
    (edit("delete_remove_keyframe", 5), at(0, 8, absent=(5,)), "RemoveKeyframeDeleted",
     [0, 10, 20, 30, 40, 50, 60, 70, 80, 80]),
    (edit("recategorize_track", category_id=2), at(0), "TrackRecategorized", [0] * 10),
    (edit("recategorize_track", category_id=1), at(0), None, [0] * 10),
    (edit("order_track", to="front"), at(0), "TrackOrderChanged", [0] * 10),
    (edit("order_track", to=1), at(0), None, [0] * 10),
    (edit("set_track_attributes", attributes={"a": 1}), at(0, 5), "TrackAttributesSet",
     [0, 10, 20, 30, 40, 50, 50, 50, 50, 50]),
    (edit("set_keyframe_attributes", 0, attributes={"a": 1}), at(0), "KeyframeAttributesSet", [0] * 10),
    (edit("set_keyframe_attributes", 3, attributes={"a": 1}), at(0, 9), "KeyframeSet", [10 * f for f in range(10)]),
    (edit("set_keyframe_attributes", 0, attributes={}), at(0), None, [0] * 10),
]  # fmt: skip


@pytest.mark.parametrize("change, item, fact, wanted", DONE)
def test_an_edit_is_one_fact_and_shows_this(change, item, fact, wanted):
    state = with_tracks(item)
    outcome = run(state, change)
    assert [type(told).__name__ for told in outcome.facts] == ([fact] if fact else [])
    assert outcome.results == [{"changed": bool(fact), "track": item["uuid"], "track_id": 1}]
    for x, expected in zip(xs(after(state, *outcome.facts)), wanted, strict=True):
        assert (x is None) == (expected is None) and (x is None or abs(x - expected) <= 1 / 2048 + 0.0005)


REFUSED: list[tuple[JSON, JSON, type[Exception], str]] = [
    (edit("delete_keyframe", 0), at(0), Refused, "at least one keyframe"),
    (edit("delete_keyframe", 3), at(0), InvalidValue, "frame"),
    (edit("delete_keyframe", 5), at(0, absent=(5,)), InvalidValue, "frame"),
    (edit("move_keyframe", 0, to=9), at(0, absent=(5,)), InvalidValue, "to"),
    (edit("move_keyframe", 4, to=0), at(4), InvalidValue, "to"),
    (edit("move_keyframe", 0, to=8), at(0, 8), Refused, "delete it first"),
    (edit("move_keyframe", 0, to=99), at(0), InvalidValue, "to"),
    (edit("set_keyframe", 99, **TO), at(0), InvalidValue, "frame"),
    (edit("set_keyframe", -1, **TO), at(0), InvalidValue, "frame"),
    (edit("set_keyframe", 1.0, **TO), at(0), InvalidValue, "frame"),  # type: ignore[arg-type]
    (edit("set_keyframe", None, **TO), at(0), InvalidValue, "frame"),
    (edit("set_keyframe", 0), at(4), Refused, "say where it is"),
    (edit("set_keyframe", 0, geometry={"type": "mask"}), at(0), InvalidValue, "geometry.type"),
    (edit("set_keyframe", 0, geometry=7), at(0), InvalidValue, "geometry"),
    (edit("set_keyframe", 0, wat=7), at(0), InvalidValue, "wat"),
    (edit("set_remove_keyframe", 0), at(4), InvalidValue, "frame"),
    (edit("set_remove_keyframe", 4), at(4), InvalidValue, "frame"),
    (edit("set_remove_keyframe", 0), at(0, 5), InvalidValue, "frame"),
    (edit("move_remove_keyframe", 5, to=0), at(0, absent=(5,)), Refused, "delete it first"),
    (edit("move_remove_keyframe", 5, to=1), at(2, absent=(5,)), InvalidValue, "to"),
    (edit("move_remove_keyframe", 4, to=1), at(0, absent=(5,)), InvalidValue, "frame"),
    (edit("delete_remove_keyframe", 0), at(0), InvalidValue, "frame"),
    (edit("split_track", 0), at(0), Refused, "no keyframe before"),
    (edit("split_track", 6), at(0, absent=(5,)), Refused, "nothing would be left"),
    (edit("split_track", 5, track_id=1), at(0), InvalidValue, "track_id"),
    (edit("merge_tracks", source=1), at(0), InvalidValue, "source"),
    (edit("merge_tracks", source=7), at(0), AnnotationNotFound, "source"),
    (edit("renumber_track"), at(0), InvalidValue, "track_id"),
    (edit("recategorize_track"), at(0), InvalidValue, "category_id"),
    (edit("order_track", to=True), at(0), InvalidValue, "to"),
    (edit("order_track", to="back"), at(0), InvalidValue, "to"),
    (edit("set_keyframe_attributes", 0, attributes={"a": 1}), at(4), Refused, "not there"),
    (edit("set_track_attributes", attributes=7), at(0), InvalidValue, "attributes"),
    (edit("set_track_attributes", cleared=[7]), at(0), InvalidValue, "cleared[0]"),
    ({"op": "remove_track", "track": 9}, at(0), AnnotationNotFound, "track"),
    ({"op": "remove_track", "track": "zebra"}, at(0), AnnotationNotFound, "track"),
    ({"op": "remove_track"}, at(0), InvalidValue, "track"),
    ({"op": "add", "geometry": point(1)}, at(0), InvalidValue, "op"),
    ({"op": "add_track", "frame": 0}, at(0), InvalidValue, "geometry"),
    ({"op": "add_track", "frame": 0, "track_id": 1, **TO}, at(0), InvalidValue, "track_id"),
    ({"op": "add_track", "frame": 0, "sensor": 1, **TO}, at(0), InvalidValue, "sensor"),
    ({"op": "add_track", "frame": 0, "geometry": {"type": "cuboid"}}, at(0), InvalidValue, "geometry.position"),
    ({"op": "set_score", "annotation": 1, "score": 1}, at(0), InvalidValue, "annotation"),
]  # fmt: skip


@pytest.mark.parametrize("change, item, error, says", REFUSED)
def test_a_refused_edit_names_its_field_and_leaves_all_as_it_is(change, item, error, says):
    state = with_tracks(item)
    with pytest.raises(error) as caught:
        run(state, {"op": "set_score", "score": 0.5}, change)
    where = f"edits[1].{says}"
    assert caught.value.field == where if error is not Refused else says in str(caught.value)
    assert "zebra" not in str(caught.value)


def test_a_track_is_begun_with_the_next_number_and_never_one_that_was_used():
    state = edited(with_tracks(at(0)), {"op": "add_track", "frame": 3, "category_id": 2, **TO})
    assert xs(state, 2) == [N, N, N] + [7] * 7
    gone = edited(state, {"op": "remove_track", "track": 2})
    assert 2 not in {item["track_id"] for item in gone.parts[TABLE].values()}
    again = run(gone, {"op": "add_track", "frame": 3, **TO})
    assert again.results[0]["track_id"] == 3
    old = {item["uuid"] for item in state.parts[TABLE].values()}
    assert again.results[0]["track"] not in old


def test_a_label_that_is_not_there_yet_gets_the_frames_of_its_sample():
    outcome = run(no_label(), {"op": "add_track", "frame": 3, "category_id": 2, **TO}, frames=5)
    assert [type(fact).__name__ for fact in outcome.facts] == ["SequenceDocumentSet", "TrackAdded"]
    shown = KIND.render(after(no_label(), *outcome.facts))["frames"]
    assert [(frame["timestamp"], len(frame["annotations"])) for frame in shown] == [
        (0, 0),
        (1, 0),
        (2, 0),
        (3, 1),
        (4, 1),
    ]
    with pytest.raises(InvalidValue):
        run(no_label(), {"op": "add_track", "frame": 5, **TO}, frames=5)


def test_edits_that_change_nothing_open_nothing():
    document = {
        "frames": [{"annotations": [{"id": 1, "category_id": 1, "track_id": 1, "type": "point", "points": [[0, 0]]}]}]
    }
    old = VerbatimTask("image-vector-sequence")
    state = after(no_label(), *old.first(no_label(), old.parse(document, "x"), "LABELED", None, None))
    assert run(state, edit("recategorize_track", category_id=1)).facts == []
    changed = run(state, edit("recategorize_track", category_id=2))
    assert [type(fact).__name__ for fact in changed.facts] == ["TracksImported", "TrackRecategorized"]
    assert run(state, {"op": "set_status", "verb": "accept"}).facts[0].after == "REVIEWED"
    assert run(state, {"op": "set_score", "score": 0.5}).facts[0].score == 0.5


def test_an_edit_at_a_kept_frame_makes_it_a_keyframe():
    state = with_tracks(track({0: 0, 9: 90}, kept={4: 99}))
    changed = edited(state, edit("set_keyframe", 4))
    (item,) = changed.parts[TABLE].values()
    assert item["entries"]["4"] == {"geometry": point(99)}
    assert xs(changed)[3] == pytest.approx(74.25, abs=1e-3), "and its neighbours know of it now"


def test_a_new_keyframe_takes_along_what_steps():
    item = track({0: {"geometry": point(0), "attributes": {"colour": "red"}, "extra": {"x": 1}}, 9: 90})
    (changed,) = edited(with_tracks(item), edit("set_keyframe", 5, **TO)).parts[TABLE].values()
    assert changed["entries"]["5"] == {"geometry": point(7), "attributes": {"colour": "red"}, "extra": {"x": 1}}
    (again,) = edited(with_tracks(item), edit("set_keyframe", 5, attributes={})).parts[TABLE].values()
    assert again["entries"]["5"]["attributes"] == {}


def test_attributes_of_a_track_hold_on_all_of_its_frames_and_can_be_cleared():
    state = with_tracks(track({0: {"geometry": point(0), "attributes": {"a": 1, "b": 1}}, 5: 50}, (7,), {3: 9}))
    (item,) = edited(state, edit("set_track_attributes", attributes={"c": 2}, cleared=["a"])).parts[TABLE].values()
    assert [entry.get("attributes") for entry in item["entries"].values()] == [
        {"b": 1, "c": 2},
        {"c": 2},
        {"c": 2},
        None,
    ]


# --- merge and split ----------------------------------------------------------------------------------------------


def test_merging_gives_the_keyframes_of_both_and_is_refused_where_both_have_one_with_the_frames():
    one, two = at(0, absent=(5,)), at(8, number=2)
    merged = edited(with_tracks(one, two), edit("merge_tracks", source=2))
    assert xs(merged) == [0, 0, 0, 0, 0, N, N, N, 80, 80]
    (item,) = merged.parts[TABLE].values()
    assert item["lineage"] == [two["uuid"]]
    with pytest.raises(Refused, match=r"\(0, 5\)"):
        run(with_tracks(at(0, 5), at(0, 3, 5, number=2)), edit("merge_tracks", source=2))


def test_splitting_leaves_the_frames_before_to_the_old_track_and_the_others_to_the_new():
    state = edited(with_tracks(at(0, 8)), edit("split_track", 4))
    assert xs(state) == [0, 0, 0, 0] + [N] * 6  # held before it leaves, never computed across the split
    assert xs(state, 2) == [N] * 4 + [40, 50, 60, 70, 80, 80]


marks = st.dictionaries(st.integers(0, 9), st.sampled_from(["K", "K", "-", "k"]), min_size=1, max_size=8)


@given(found=marks, frame=st.integers(1, 9))
def test_splitting_and_merging_again_gives_the_same_track(found, frame):
    keyframes = {f: 8 * f for f, kind in found.items() if kind == "K"}
    keyframes[0] = 0
    absent = tuple(f for f, kind in found.items() if kind == "-" and f > 0)
    kept = {f: 99 for f, kind in found.items() if kind == "k" and f > 0}
    item = track(keyframes, absent, kept)
    state = with_tracks(item)
    try:
        split = edited(state, edit("split_track", frame))
    except Refused:
        return
    merged = edited(split, edit("merge_tracks", source=2))
    (again,) = merged.parts[TABLE].values()
    assert again["entries"] == item["entries"]
    assert xs(merged) == xs(state)


def test_a_keyframe_goes_over_a_remove_keyframe_in_a_merge():
    one, two = at(0, absent=(5,)), at(5, number=2)
    assert merged_entries(one, two)["5"] == {"geometry": point(50)}
    assert merged_entries(two, at(0, absent=(5,), number=3))["5"] == {"geometry": point(50)}


# --- sensors and clouds -------------------------------------------------------------------------------------------


def test_where_several_sensors_have_the_same_number_the_sensor_says_which():
    several: Any = task_type("multisensor-sequence")
    sample = {
        "sensors": [
            {"name": n, "task_type": "pointcloud-cuboid-sequence", "attributes": {"frames": [{}, {}]}} for n in "ab"
        ]
    }

    def change(state: Any, *edits: JSON) -> Any:
        return several.editor(state, author=ANA, pixels=NoPixels(), sample=lambda: sample).run(list(edits))

    new = {"op": "add_track", "frame": 0, "track_id": 1, "geometry": cuboid(1.0)}
    state = after(no_label(), *change(no_label(), new | {"sensor": 0}, new | {"sensor": 1}).facts)
    with pytest.raises(InvalidValue, match="several tracks"):
        change(state, edit("remove_track"))
    assert change(state, edit("remove_track", sensor=1)).results[0]["track_id"] == 1
    with pytest.raises(InvalidValue, match="sensor"):
        change(state, new | {"track_id": 5})
    shown = several.render(state)["sensors"]
    assert [len(sensor["attributes"]["frames"][1]["annotations"]) for sensor in shown] == [1, 1]


@pytest.mark.parametrize(
    "kind, geometry, fits",
    [
        ("image-vector-sequence", cuboid(), False),
        ("image-vector-sequence", point(1), True),
        ("image-vector-sequence", {"type": "orientation"}, False),
        ("pointcloud-cuboid-sequence", cuboid(), True),
        ("pointcloud-cuboid-sequence", point(1), False),
        ("pointcloud-vector-sequence", cuboid(), True),
        ("pointcloud-vector-sequence", point(1), True),
        ("pointcloud-vector-sequence", {"type": "bbox", "points": [[0, 0], [1, 1]]}, False),
        ("image-segmentation-sequence", point(1), False),
    ],
)
def test_a_track_has_only_forms_that_labels_of_its_task_type_have(kind, geometry, fits):
    new = {"op": "add_track", "frame": 0, "geometry": geometry}
    if fits:
        state = after(no_label(), *run(no_label(), new, kind=task_type(kind)).facts)
        shown = task_type(kind).render(state)
        assert task_type(kind).changes(state, task_type(kind).parse(shown, "x")).facts == []
    else:
        with pytest.raises(InvalidValue, match="geometry"):
            run(no_label(), new, kind=task_type(kind))


def test_a_track_of_bitmaps_is_there_without_a_geometry():
    bitmaps = task_type("image-segmentation-sequence")
    edits = [
        {"op": "add_track", "frame": 2, "category_id": 1},
        {"op": "set_remove_keyframe", "track": 1, "frame": 4},
        {"op": "set_keyframe", "track": 1, "frame": 6},
    ]
    state = after(no_label(), *run(no_label(), *edits, kind=bitmaps).facts)
    there = [len(frame["annotations"]) for frame in bitmaps.render(state)["frames"]]
    assert there == [0, 0, 1, 1, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("wanted, lengths", [(True, [6.0, 6.0, 6.0]), (False, [4.0, 6.0, 4.0])])
def test_all_keyframes_of_a_cuboid_get_its_size_where_the_dataset_wants_it(wanted, lengths):
    clouds = task_type("pointcloud-cuboid-sequence")
    state = with_tracks(track({0: cuboid(0.0), 5: cuboid(5.0), 9: cuboid(9.0)}, (7,)))
    state.settings = {"enable_same_dimensions_track_constraint": wanted}
    outcome = run(state, edit("set_keyframe", 5, geometry=cuboid(5.0, length=6.0)), kind=clouds)
    (item,) = after(state, *outcome.facts).parts[TABLE].values()
    entries = [entry for entry in item["entries"].values() if not entry.get("absent")]
    assert [entry["geometry"]["dimensions"]["x"] for entry in entries] == lengths
    assert [entry["geometry"]["position"]["x"] for entry in entries] == [0.0, 5.0, 9.0]


# --- what they touch ----------------------------------------------------------------------------------------------

MINE: dict[str, Any] = {
    "KeyframeSet": e.KeyframeSet(track="t", frame=3, entry={}),
    "KeyframeDeleted": e.KeyframeDeleted(track="t", frame=3),
    "another frame": e.KeyframeSet(track="t", frame=4, entry={}),
    "another deleted": e.KeyframeDeleted(track="t", frame=5),
    "moved": e.KeyframeMoved(track="t", frame=1, to=3),
    "attributes of the track": e.TrackAttributesSet(track="t", attributes={}),
    "category": e.TrackRecategorized(track="t", category_id=1),
    "removed": e.TrackRemoved(track="t"),
    "another track": e.TrackRemoved(track="u"),
    "merged": e.TracksMerged(track="u", source="t"),
    "document": e.TrackFramesSet(track="t", entries={"9": {"absent": True}}),
    "document elsewhere": e.TrackFramesSet(track="t", entries={"9": {}}),
    "imported": e.TracksImported(tracks=[]),
}


@pytest.mark.parametrize(
    "one, two, both",
    [
        ("KeyframeSet", "KeyframeSet", True),
        ("KeyframeSet", "another frame", False),
        ("KeyframeSet", "moved", True),
        ("another frame", "moved", False),
        ("KeyframeDeleted", "another deleted", False),
        ("KeyframeSet", "attributes of the track", True),
        ("KeyframeSet", "category", False),
        ("KeyframeSet", "removed", True),
        ("category", "removed", True),
        ("KeyframeSet", "another track", False),
        ("merged", "another track", True),
        ("merged", "KeyframeSet", True),
        ("document", "KeyframeDeleted", True),
        ("document", "document", True),
        ("document elsewhere", "KeyframeDeleted", False),
        ("imported", "category", True),
    ],
)
def test_two_people_conflict_where_they_touched_the_same_frame_or_one_of_them_all_of_the_track(one, two, both):
    state = with_tracks()
    first, second = touched(MINE[one], state), touched(MINE[two], state)
    assert bool(overlap([first], [second])) is both
    assert bool(overlap([second], [first])) is both
    assert WHOLE not in overlap([first], [second]) or "imported" in (one, two)


def test_every_operation_was_tried():
    tried = {change["op"] for change, *_ in [*DONE, *REFUSED]} - {"add"} | {"set_status", "set_interpolation"}
    tried |= {"rasterize_track", "fit_track"}  # in test_shapes
    assert tried == set(TRACK_OPERATIONS)
