"""Bad edits: each refuses the whole list by the name of its field, and leaves the log as it is."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from labeling.geometry.rle import hash_of_runs
from tests.e2e.hostile import MARK, Bench, refused

BOX = {"type": "bbox", "points": [[0.0, 0.0], [5.0, 5.0]]}
#: Edits of outlines and of bitmaps.
NOT_OF_BOXES: dict[str, dict[str, Any]] = {
    "insert_vertex": {"point": [1, 2]},
    "move_vertex": {"vertex": 0, "point": [1, 2]},
    "remove_vertex": {"vertex": 0},
    "add_part": {"points": [[0, 0], [1, 0], [1, 1]]},
    "add_hole": {"points": [[0, 0], [1, 0], [1, 1]]},
    "remove_ring": {},
    "polygonize": {},
    "paint_bitmap": {"base_hash": None, "rle": {"size": [4, 4], "counts": [16]}},
    "erase_bitmap": {"base_hash": None, "rle": {"size": [4, 4], "counts": [16]}},
    "fill_bitmap": {"base_hash": None, "x": 0, "y": 0},
}
EDIT_FAULTS: dict[str, tuple[str, Any]] = {
    "no edits": ("edits", {}),
    "null": ("edits", {"edits": None}),
    "an object": ("edits", {"edits": {"op": "remove", "annotation": 1}}),
    "text": ("edits", {"edits": MARK}),
    "a number in the list": ("edits[0]", {"edits": [5]}),
    "text in the list": ("edits[1]", {"edits": [{"op": "set_score", "annotation": 1, "score": 0.1}, MARK]}),
    "a list in the list": ("edits[0]", {"edits": [[]]}),
    "no op": ("edits[0].op", {"edits": [{"annotation": 1}]}),
    "an unknown op": ("edits[0].op", {"edits": [{"op": MARK, "annotation": 1}]}),
    "an op in capitals": ("edits[0].op", {"edits": [{"op": "REMOVE", "annotation": 1}]}),
    "an op of another type": ("edits[0].op", {"edits": [{"op": 5, "annotation": 1}]}),
    "a list as the op": ("edits[0].op", {"edits": [{"op": ["remove"], "annotation": 1}]}),
    "an op like a method": ("edits[0].op", {"edits": [{"op": "__init__", "annotation": 1}]}),
    "no annotation": ("edits[0].annotation", {"edits": [{"op": "remove"}]}),
    "an unknown annotation": ("edits[0].annotation", {"edits": [{"op": "remove", "annotation": 99}]}),
    "an unknown uuid": ("edits[0].annotation", {"edits": [{"op": "remove", "annotation": str(uuid.UUID(int=9))}]}),
    "text as the annotation": ("edits[0].annotation", {"edits": [{"op": "remove", "annotation": MARK}]}),
    "a fraction as the annotation": ("edits[0].annotation", {"edits": [{"op": "remove", "annotation": 1.5}]}),
    "true as the annotation": ("edits[0].annotation", {"edits": [{"op": "remove", "annotation": True}]}),
    "null as the annotation": ("edits[0].annotation", {"edits": [{"op": "remove", "annotation": None}]}),
    "removed twice": ("edits[1].annotation", {"edits": [{"op": "remove", "annotation": 1}] * 2}),
    "no geometry": ("edits[0].geometry", {"edits": [{"op": "set_geometry", "annotation": 1}]}),
    "text as the geometry": (
        "edits[0].geometry",
        {"edits": [{"op": "set_geometry", "annotation": 1, "geometry": MARK}]},
    ),
    "a geometry of no type": (
        "edits[0].geometry",
        {"edits": [{"op": "set_geometry", "annotation": 1, "geometry": {}}]},
    ),
    "a geometry of an unknown type": (
        "edits[0].geometry",
        {"edits": [{"op": "set_geometry", "annotation": 1, "geometry": BOX | {"type": MARK}}]},
    ),
    "an added object without geometry": ("edits[0].geometry", {"edits": [{"op": "add", "category_id": 1}]}),
    "an added object with a taken id": (
        "edits[0].id",
        {"edits": [{"op": "add", "category_id": 1, "geometry": {"type": "point", "points": [[1, 2]]}, "id": 1}]},
    ),
    "text as a category": (
        "edits[0].category_id",
        {"edits": [{"op": "set_category", "annotation": 1, "category_id": MARK}]},
    ),
    "true as a category": (
        "edits[0].category_id",
        {"edits": [{"op": "set_category", "annotation": 1, "category_id": True}]},
    ),
    "no category": ("edits[0].category_id", {"edits": [{"op": "set_category", "annotation": 1}]}),
    "a list as attributes": (
        "edits[0].attributes",
        {"edits": [{"op": "set_attributes", "annotation": 1, "attributes": []}]},
    ),
    "text as names": ("edits[0].names", {"edits": [{"op": "clear_attributes", "annotation": 1, "names": MARK}]}),
    "numbers as names": ("edits[0].names", {"edits": [{"op": "clear_attributes", "annotation": 1, "names": [5]}]}),
    "text as keypoints": (
        "edits[0].keypoints",
        {"edits": [{"op": "set_keypoints", "annotation": 1, "keypoints": MARK}]},
    ),
    "numbers as keypoints": (
        "edits[0].keypoints",
        {"edits": [{"op": "set_keypoints", "annotation": 1, "keypoints": [5]}]},
    ),
    "text as an orientation": (
        "edits[0].orientation",
        {"edits": [{"op": "set_orientation", "annotation": 1, "orientation": MARK}]},
    ),
    "text as a yaw": (
        "edits[0].orientation",
        {"edits": [{"op": "set_orientation", "annotation": 1, "orientation": {"roll": 0, "pitch": 0, "yaw": MARK}}]},
    ),
    "a word as an order": ("edits[0].to", {"edits": [{"op": "set_order", "annotation": 1, "to": MARK}]}),
    "true as an order": ("edits[0].to", {"edits": [{"op": "set_order", "annotation": 1, "to": True}]}),
    "text as a score": ("edits[0].score", {"edits": [{"op": "set_score", "annotation": 1, "score": MARK}]}),
    "a link to nothing": ("edits[0].to", {"edits": [{"op": "add_link", "annotation": 1, "to": 99}]}),
    "a link to itself": ("edits[0].to", {"edits": [{"op": "add_link", "annotation": 1, "to": 1}]}),
    "text as a classification": (
        "edits[0].category_id",
        {"edits": [{"op": "assign_classification", "category_id": MARK}]},
    ),
    "a default that is not assigned": (
        "edits[0].category_id",
        {"edits": [{"op": "set_default_classification", "category_id": 2}]},
    ),
    "an unknown verb": ("edits[0].verb", {"edits": [{"op": "set_status", "verb": MARK}]}),
    "a status instead of a verb": ("edits[0].verb", {"edits": [{"op": "set_status", "verb": "LABELED"}]}),
    "no verb": ("edits[0].verb", {"edits": [{"op": "set_status"}]}),
    "a list as scene attributes": (
        "edits[0].attributes",
        {"edits": [{"op": "set_scene_attributes", "attributes": []}]},
    ),
    **{
        f"{op} of a box": ("edits[0].annotation", {"edits": [{"op": op, "annotation": 1} | more]})
        for op, more in NOT_OF_BOXES.items()
    },
    "a size that is none": ("edits[0].size_wh", {"edits": [{"op": "rasterize", "size_wh": [MARK, 5]}]}),
    "a size beyond all images": ("edits[0].size_wh", {"edits": [{"op": "rasterize", "size_wh": [65_535, 65_535]}]}),
    "another size than the image's": ("edits[0].size_wh", {"edits": [{"op": "fit_to_image", "size_wh": [9, 9]}]}),
    "an unknown annotation to rasterize": ("edits[0].annotation", {"edits": [{"op": "rasterize", "annotation": 99}]}),
    "a tolerance of text": (
        "edits[0].tolerance_px",
        {"edits": [{"op": "polygonize", "annotation": 1, "tolerance_px": MARK}]},
    ),
    "a field of another edit": ("edits[0].set", {"edits": [{"op": "rasterize", "set": []}]}),
    "a gesture that is no uuid": ("gesture", {"edits": [{"op": "remove", "annotation": 1}], "gesture": MARK}),
    "a number as the gesture": ("gesture", {"edits": [{"op": "remove", "annotation": 1}], "gesture": 5}),
    "a number as the reason": ("reason", {"edits": [{"op": "remove", "annotation": 1}], "reason": 5}),
    "a number as the tool": ("tool", {"edits": [{"op": "remove", "annotation": 1}], "tool": 5}),
    "a time that is none": ("occurred_at", {"edits": [{"op": "remove", "annotation": 1}], "occurred_at": MARK}),
    "a time before time": (
        "occurred_at",
        {"edits": [{"op": "remove", "annotation": 1}], "occurred_at": "0000-00-00T00:00:00Z"},
    ),
    "a number as the time": ("occurred_at", {"edits": [{"op": "remove", "annotation": 1}], "occurred_at": 5}),
}


@pytest.mark.parametrize(("field", "body"), EDIT_FAULTS.values(), ids=EDIT_FAULTS)
def test_a_bad_edit_is_refused_by_the_name_of_its_field(bench: Bench, field: str, body: dict[str, Any]) -> None:
    refused(bench.send("edits", json.dumps(body).encode()), field)


BAD_GEOMETRIES: dict[str, dict[str, Any]] = {
    "a box of one point": {"type": "bbox", "points": [[0.0, 0.0]]},
    "a box of text": {"type": "bbox", "points": MARK},
    "a polygon without parts": {"type": "polygon"},
    "a polygon of no parts": {"type": "polygon", "parts": []},
    "a polygon of a part of no rings": {"type": "polygon", "parts": [[]]},
    "a ring of two points": {"type": "polygon", "parts": [[[[0, 0], [1, 1]]]]},
    "a ring of text": {"type": "polygon", "parts": [[[MARK, MARK, MARK]]]},
    "points of three numbers": {"type": "polygon", "parts": [[[[0, 0, 0], [1, 1, 1], [2, 0, 2]]]]},
    "parts that are points": {"type": "polygon", "parts": [[0, 0], [1, 1], [2, 0]]},
    "a polyline of text": {"type": "polyline", "parts": MARK},
    "a point of booleans": {"type": "point", "points": [[True, False]]},
    "a skeleton of text": {"type": "skeleton", "points": [MARK]},
    "an ellipse of nothing": {"type": "ellipse"},
    "a rotated box of nothing": {"type": "rbox"},
    "a bitmap of nothing": {"type": "bitmap"},
    "a bitmap whose runs are too long": {"type": "bitmap", "rle": {"size": [4, 4], "counts": [0, 99]}},
    "a bitmap whose runs are too short": {"type": "bitmap", "rle": {"size": [4, 4], "counts": [0, 3]}},
    "a bitmap of negative runs": {"type": "bitmap", "rle": {"size": [4, 4], "counts": [-4, 20]}},
    "a bitmap of a huge size": {"type": "bitmap", "rle": {"size": [2**31, 2**31], "counts": [0, 4]}},
    "a bitmap of garbled text": {"type": "bitmap", "rle": {"size": [4, 4], "counts": MARK + "\x01"}},
    "an orientation with a number": {"type": "orientation", "roll_deg": 5},
}


@pytest.mark.parametrize("geometry", BAD_GEOMETRIES.values(), ids=BAD_GEOMETRIES)
@pytest.mark.parametrize("op", ["add", "set_geometry"])
def test_a_bad_geometry_is_refused_by_the_name_of_its_field(bench: Bench, op: str, geometry: dict[str, Any]) -> None:
    edit = {"op": op, "geometry": geometry} | ({"category_id": 1} if op == "add" else {"annotation": 1})
    refused(bench.send("edits", json.dumps({"edits": [edit]}).encode()), "edits[0].geometry")


BITMAP: dict[str, Any] = {"type": "bitmap", "rle": {"size": [4, 4], "counts": [5, 2, 2, 2, 5]}}
STROKE: dict[str, Any] = {"op": "paint_bitmap", "annotation": 77, "base_hash": hash_of_runs(BITMAP["rle"])}
POLYGON = {"type": "polygon", "parts": [[[[0, 0], [9, 0], [9, 9]]]]}
VERTEX: dict[str, Any] = {"op": "move_vertex", "annotation": 78, "vertex": 0, "point": [1, 2]}
#: Edits of a bitmap (77) and a polygon (78) that the same list adds.
BITMAP_FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "no hash": ("base_hash", {"op": "fill_bitmap", "annotation": 77, "x": 0, "y": 0}),
    "no stroke": ("rle", STROKE),
    "a stroke of text": ("rle", STROKE | {"rle": MARK}),
    "a stroke of another size": ("rle.size", STROKE | {"rle": {"size": [4, 5], "counts": [20]}}),
    "a stroke that is too long": ("rle", STROKE | {"rle": {"size": [4, 4], "counts": [17]}}),
    "a huge stroke": ("rle", STROKE | {"rle": {"size": [10**9, 10**9], "counts": [10**18]}}),
    "a stroke of garbled text": ("rle", STROKE | {"rle": {"size": [4, 4], "counts": "~~~~~~~~~"}}),
    "a fill beyond": ("x", STROKE | {"op": "fill_bitmap", "x": 4, "y": 0}),
    "a fill of text": ("y", STROKE | {"op": "fill_bitmap", "x": 0, "y": MARK}),
    "a negative tolerance": ("tolerance_px", {"op": "polygonize", "annotation": 77, "tolerance_px": -1}),
    "a vertex that is not there": ("vertex", VERTEX | {"vertex": 3}),
    "a part that is not there": ("part", VERTEX | {"part": 10**15}),
    "a ring that is not there": ("ring", VERTEX | {"ring": -1}),
    "a vertex of text": ("vertex", VERTEX | {"vertex": MARK}),
    "a point of text": ("point", VERTEX | {"point": [MARK, 1]}),
    "a point of three": ("point", VERTEX | {"point": [1, 2, 3]}),
    "the last three vertices": ("vertex", {"op": "remove_vertex", "annotation": 78, "vertex": 0}),
    "the last part": ("part", {"op": "remove_ring", "annotation": 78}),
    "a hole of two points": ("points", {"op": "add_hole", "annotation": 78, "points": [[0, 0], [1, 1]]}),
    "a part of text": ("points", {"op": "add_part", "annotation": 78, "points": [[MARK, 1], [1, 1], [2, 2]]}),
}


@pytest.mark.parametrize(("field", "edit"), BITMAP_FAULTS.values(), ids=BITMAP_FAULTS)
def test_a_bad_edit_of_a_bitmap_or_an_outline_is_refused(bench: Bench, field: str, edit: dict[str, Any]) -> None:
    edits: list[dict[str, Any]] = [
        {"op": "add", "id": 77, "geometry": BITMAP}, {"op": "add", "id": 78, "geometry": POLYGON}, edit,
    ]  # fmt: skip
    refused(bench.send("edits", json.dumps({"edits": edits}).encode()), f"edits[2].{field}")


def test_one_bad_edit_in_a_list_refuses_them_all(bench: Bench) -> None:
    edits = [
        {"op": "set_score", "annotation": 1, "score": 0.25},
        {"op": "add", "category_id": 1, "geometry": {"type": "point", "points": [[1.0, 2.0]]}},
        {"op": "set_category", "annotation": 1, "category_id": "zebra7391"},
    ]
    refused(bench.send("edits", json.dumps({"edits": edits}).encode()), "edits[2].category_id")


def test_a_bitmap_patch_of_a_label_without_a_bitmap_is_refused(bench: Bench) -> None:
    said = refused(
        bench.send("edits", b'{"edits": [{"op": "patch_bitmap", "base_hash": null, "set": []}]}'), status=409
    )
    assert said["code"] == "refused"


@pytest.mark.parametrize("geometry", [{"type": "orientation"}, {"type": "mask"}])
def test_a_box_does_not_become_an_object_without_a_shape(bench: Bench, geometry: dict[str, str]) -> None:
    edit = {"op": "set_geometry", "annotation": 1, "geometry": geometry}
    refused(bench.send("edits", json.dumps({"edits": [edit]}).encode()), "edits[0]")


def test_an_object_that_is_an_orientation_needs_one(bench: Bench) -> None:
    edit = {"op": "add", "category_id": 1, "geometry": {"type": "orientation"}}
    refused(bench.send("edits", json.dumps({"edits": [edit]}).encode()), "edits[0].orientation")
