"""Edits of a sample's frames: what each becomes, and what is refused by which field."""

from __future__ import annotations

from typing import Any

import pytest

from labeling import events as e
from labeling.errors import InvalidValue, Refused
from labeling.rules.sample_frames import renumbered
from sequences.rules.frame_edits import MOST_EDITS, OPERATIONS, FrameEditor, Sequence, moved_anchor

JSON = dict[str, Any]


def photo(n: int, **more: Any) -> JSON:
    return {"image": {"url": f"https://example.org/{n}.png"}} | more


def walk(frames: int = 4) -> JSON:
    return {"frames": [photo(n, timestamp=10 * n) for n in range(frames)]}


def scene() -> JSON:
    return {
        "sensors": [
            {"name": "front", "task_type": "image-vector-sequence", "attributes": walk(2)},
            {"name": "lidar", "task_type": "pointcloud-segmentation-sequence", "attributes": {"frames": []}},
            {"name": "back", "task_type": "image-vector-sequence", "attributes": walk(3)},
        ]
    }


def edited(edits: Any, attributes: JSON | None = None, kind: str = "image-vector-sequence") -> FrameEditor:
    editor = FrameEditor(walk() if attributes is None else attributes, kind)
    editor.results = editor.run(edits)  # type: ignore[attr-defined]
    return editor


def test_frames_are_added_moved_removed_and_timed_in_the_order_of_the_edits():
    editor = edited(
        [
            {"op": "append", "frames": [photo(8), photo(9, timestamp=90)]},  # 0 1 2 3 a b
            {"op": "insert", "frame": 0, "frames": [photo(7)]},  # c 0 1 2 3 a b
            {"op": "remove", "frame": 2, "count": 2},  # c 0 3 a b
            {"op": "move", "frame": 4, "to": 1},  # c b 0 3 a
            {"op": "set_timestamp", "frame": 3, "timestamp": 31},
        ]
    )
    line = editor.sequences[None]
    assert line.order == [None, None, 0, 3, None]
    assert line.heads() == {0: {}, 1: {"timestamp": 90}, 3: {"timestamp": 31}, 4: {}}
    assert [type(fact).__name__ for fact in editor.facts] == [
        "SampleFramesAdded", "SampleFramesAdded", "SampleFramesRemoved", "SampleFrameMoved", "SampleFrameTimed",
    ]  # fmt: skip
    assert editor.results == [  # type: ignore[attr-defined]
        {"changed": True, "frame": 4}, {"changed": True, "frame": 0}, {"changed": True},
        {"changed": True, "frame": 1}, {"changed": True, "frame": 3},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "edit",
    [
        {"op": "append", "frames": []},
        {"op": "insert", "frame": 2, "frames": []},
        {"op": "move", "frame": 2, "to": 2},
        {"op": "set_timestamp", "frame": 1, "timestamp": 10},
    ],
    ids=lambda edit: edit["op"],
)
def test_what_changes_nothing_is_no_event(edit):
    editor = edited([edit])
    assert editor.facts == [] and editor.results[0]["changed"] is False  # type: ignore[attr-defined]


def test_a_sequence_without_frames_takes_some():
    assert edited([{"op": "append", "frames": [photo(0)]}], {"frames": []}).sequences[None].order == [None]


def test_sensors_are_named_by_their_place():
    editor = edited([{"op": "remove", "sensor": 2, "frame": 0}], scene(), "multisensor-sequence")
    assert editor.facts == [e.SampleFramesRemoved(frame=0, count=1, sensor=2)]
    assert editor.sequences[2].order == [1, 2]


FRAMES = [photo(1)]
REFUSED: list[tuple[Any, str]] = [
    (None, "edits"),
    ([], "edits"),
    ({}, "edits"),
    ([{"op": "remove", "frame": 0}] * (MOST_EDITS + 1), "edits"),
    ([None], "edits[0]"),
    ([{}], "edits[0].op"),
    ([{"op": ["remove"]}], "edits[0].op"),
    ([{"op": "shuffle"}], "edits[0].op"),
    ([{"op": "remove", "frame": 0, "to": 1}], "edits[0]"),
    ([{"op": "remove"}], "edits[0].frame"),
    ([{"op": "remove", "frame": True}], "edits[0].frame"),
    ([{"op": "remove", "frame": 1.0}], "edits[0].frame"),
    ([{"op": "remove", "frame": -1}], "edits[0].frame"),
    ([{"op": "remove", "frame": 4}], "edits[0].frame"),
    ([{"op": "remove", "frame": 3, "count": 2}], "edits[0].count"),
    ([{"op": "remove", "frame": 3, "count": 0}], "edits[0].count"),
    ([{"op": "remove", "frame": 0, "count": 4}, {"op": "remove", "frame": 0}], "edits[1].frame"),
    ([{"op": "move", "frame": 0}], "edits[0].to"),
    ([{"op": "move", "frame": 0, "to": 4}], "edits[0].to"),
    ([{"op": "append"}], "edits[0].frames"),
    ([{"op": "append", "frames": [{}]}], "edits[0].frames[0].image"),
    ([{"op": "append", "frames": [photo(1), photo(2, timestamp=[])]}], "edits[0].frames[1].timestamp"),
    ([{"op": "append", "frames": FRAMES, "frame": 1}], "edits[0]"),
    ([{"op": "insert", "frames": FRAMES}], "edits[0].frame"),
    ([{"op": "insert", "frame": 5, "frames": FRAMES}], "edits[0].frame"),
    ([{"op": "set_timestamp", "frame": 0}], "edits[0].timestamp"),
    ([{"op": "set_timestamp", "frame": 0, "timestamp": {}}], "edits[0].timestamp"),
    ([{"op": "remove", "frame": 0, "sensor": 0}], "edits[0].sensor"),
]


@pytest.mark.parametrize(("edits", "field"), REFUSED, ids=[f"{n}-{field}" for n, (_, field) in enumerate(REFUSED)])
def test_what_does_not_fit_is_refused_by_its_field(edits, field):
    with pytest.raises(InvalidValue) as refused:
        edited(edits)
    assert refused.value.field == field


@pytest.mark.parametrize("sensor", [None, "front", -1, 3, 0.0])
def test_a_sensor_that_is_none_is_refused(sensor):
    with pytest.raises(InvalidValue) as refused:
        edited([{"op": "remove", "frame": 0, "sensor": sensor}], scene(), "multisensor-sequence")
    assert refused.value.field == "edits[0].sensor"


def test_a_sensor_whose_labels_are_verbatim_is_refused():
    with pytest.raises(Refused):
        edited([{"op": "append", "frames": [], "sensor": 1}], scene(), "multisensor-sequence")


def test_every_operation_is_documented_as_it_is():
    from sequences.api.frame_schemas import FRAME_OPERATIONS

    assert {op: {*needed, *more} for op, (needed, more, _) in FRAME_OPERATIONS.items()} == {
        op: set(names) for op, (_, names) in OPERATIONS.items()
    }


@pytest.mark.parametrize(
    ("anchor", "after"),
    [
        ({"type": "basic"}, {"type": "basic"}),
        ({"type": "basic", "frame": 0}, {"type": "basic", "frame": 1}),
        ({"type": "track", "trackNumber": 3, "frame": 1}, {"type": "track", "trackNumber": 3}),
        ({"type": "basic", "frame": 9}, {"type": "basic", "frame": 9}),
    ],
)
def test_an_issue_points_at_the_frame_that_it_pointed_at(anchor, after):
    assert moved_anchor(anchor, Sequence([], [2, 0], 3)) == after


@pytest.mark.parametrize(
    ("frames", "problem"),
    [
        ([photo(0, timestamp=0), photo(1, timestamp=10)], None),
        ([photo(0, timestamp=0), photo(9, timestamp=10)], None),
        ([photo(0, timestamp=0, name="x"), photo(1, timestamp=10)], None),
        ([], "has 0 frames in the place of 2"),
        ([photo(0, timestamp=0), photo(1, timestamp=10), photo(2)], "has 3 frames in the place of 2"),
        ([photo(1, timestamp=0), photo(0, timestamp=10)], "has the frame 1 at 0"),
        ([photo(0, timestamp=0), photo(0, timestamp=10)], "has the frame 0 at 1"),
        ([photo(0, timestamp=0), photo(1)], "has another time at frame 1"),
    ],
)
def test_which_attributes_would_put_other_frames_below_the_numbers(frames, problem):
    assert renumbered(walk(2), {"frames": frames}) == problem
