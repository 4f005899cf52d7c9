"""The operations of the edits endpoint, as `rules.edits` takes them."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    ANYTHING,
    FLAG,
    HASH,
    ISO_TIME,
    NUMBER,
    OFFSET,
    TEXT,
    UUID,
    WHOLE,
    closed,
    listed,
    nullable,
    one_of,
    record,
    said,
    tagged,
    text,
    told_by,
)
from labeling.api.schemas.geometry import GEOMETRY, KEYPOINTS, ORIENTATION, PAIR, PAIRS, RUNS, TWO_PAIRS, WIRE_TYPE
from labeling.api.schemas.labels import SETTABLE, STATUS
from labeling.api.schemas.task_attributes import ATTRIBUTES, VERSION
from labeling.geometry.bitmaps import MAX_ID
from labeling.rules.edits.editor import MOST_EDITS, MOST_SIDE
from labeling.rules.edits.mentions import VERBS
from labeling.rules.edits.objects import MOST_ORDER
from labeling.rules.edits.rasters import MOST_TOLERANCE_PX

JSON = dict[str, Any]

NAMED: JSON = {"anyOf": [WHOLE, UUID], "description": "An annotation of the label, by its id or its uuid."}
_PASSED_OVER: JSON = {"annotation": said({}, "Not looked at here.")}
_shape: JSON = {
    "geometry": GEOMETRY,
    "type": said({}, "bbox, polygon, polyline or point: with `points`, and without `geometry`."),
    "points": said({}, "With `type`: a shape as the protocol has it."),
}
_drawn: JSON = {
    "properties": {"type": WIRE_TYPE, "points": PAIRS},
    "required": ["type", "points"],
    "not": {"required": ["geometry"]},
    "allOf": [
        {
            "if": {"properties": {"type": {"const": "bbox"}}},
            "then": {"properties": {"points": TWO_PAIRS}},
        },
        {
            "if": {"properties": {"type": {"const": "point"}}},
            "then": {"properties": {"points": {"minItems": 1, "maxItems": 1}}},
        },
        {
            "if": {"properties": {"type": {"const": "polyline"}}},
            "then": {"properties": {"points": {"minItems": 2}}},
        },
        {
            "if": {"properties": {"type": {"const": "polygon"}}},
            "then": {"properties": {"points": {"minItems": 3}}},
        },
    ],
}
#: A shape in our form, or in the protocol's.
SHAPED: list[JSON] = [{"required": ["geometry"]}, _drawn]
NOT_DRAWN: JSON = {"not": {"anyOf": [{"required": [name]} for name in _shape]}}
_box = {"type": "bbox", "points": [[10, 20], [110, 90]]}
_one = {"annotation": 1}


def _of_annotation(required: JSON, optional: JSON | None = None, **more: Any) -> JSON:
    return closed({"annotation": NAMED, **required}, optional, **more)


def _of_label(required: JSON, optional: JSON | None = None, **more: Any) -> JSON:
    return closed(required, _PASSED_OVER | (optional or {}), **more)


_place: JSON = WHOLE | {"minimum": 0}
_ring: JSON = {
    "part": said(_place, "Counted from 0; the first unless said."),
    "ring": said(_place, "Of a polygon's part: 0 is the outer one, the others are holes; the outer one unless said."),
}
SIZE_WH: JSON = said(
    listed(WHOLE | {"minimum": 1, "maximum": MOST_SIDE}, least=2, most=2),
    "[width, height] of the image, where its file is elsewhere.",
)
_stroke: JSON = said(RUNS, "The pixels, in the size of the bitmap.")
_base: JSON = said(
    nullable(HASH),
    "`bitmap_hash` of the object's bitmap that it was made against; where labels have a bitmap, `mask_hash` of that.",
)
_category = said(WHOLE, "The id of a category; one that is not known is kept.")
#: By op: its fields, and an example.
OPERATIONS: dict[str, tuple[JSON, JSON]] = {
    "add": (
        _of_label(
            {},
            {
                "id": said(nullable(WHOLE), "The next free one unless said."),
                "uuid": said(nullable(UUID), "A new one unless said."),
                "category_id": nullable(_category),
                **_shape,
                "attributes": nullable(ATTRIBUTES),
                "keypoints": nullable(KEYPOINTS),
                "orientation": nullable(ORIENTATION),
                "score": nullable(NUMBER),
                "origin": said(nullable(ANYTHING), "Where it comes from, for example a model and its run."),
            },
            anyOf=[*SHAPED, NOT_DRAWN],
            description="A new annotation; its shape is left out only where labels have a bitmap.",
        ),
        {"category_id": 1, **_box},
    ),
    "remove": (_of_annotation({}), _one),
    "set_geometry": (_of_annotation({}, _shape) | {"anyOf": SHAPED}, _one | {"geometry": _box}),
    "insert_vertex": (
        _of_annotation(
            {"point": PAIR},
            {
                "after": said(
                    WHOLE | {"minimum": -1},
                    "The vertex before it; -1: before a line's first. Without it the new one is put where the border "
                    "or line is nearest to the point, and on it.",
                ),
                **_ring,
            },
            dependentRequired={"part": ["after"], "ring": ["after"]},
            description="One more vertex in a polygon or polyline. The answer says where it is.",
        ),
        _one | {"point": [60, 20.5]},
    ),
    "move_vertex": (
        _of_annotation({"vertex": _place, "point": PAIR}, _ring, description="A vertex is put elsewhere."),
        _one | {"vertex": 0, "point": [11, 21]},
    ),
    "remove_vertex": (
        _of_annotation(
            {"vertex": _place},
            _ring | {"or_remove": said(FLAG, "Where too few would be left: the hole, part or object goes.")},
            description="A vertex is taken away and its neighbours joined; refused where fewer than 3 would be left of "
            "a ring, or 2 of a line.",
        ),
        _one | {"vertex": 0},
    ),
    "add_part": (
        _of_annotation(
            {"points": said(listed(PAIR, least=2), "A ring of a polygon, of 3 at the least; of a polyline a line.")},
            description="One more part of the same object.",
        ),
        _one | {"points": [[0, 0], [9, 0], [9, 9]]},
    ),
    "add_hole": (
        _of_annotation(
            {"points": listed(PAIR, least=3)}, {"part": _ring["part"]}, description="A hole in a part of a polygon."
        ),
        _one | {"points": [[2, 2], [4, 2], [4, 4]]},
    ),
    "remove_ring": (
        _of_annotation(
            {},
            _ring | {"or_remove": said(FLAG, "With the last part the object goes.")},
            description="A hole is filled again; ring 0 is the part itself, with its holes.",
        ),
        _one | {"part": 1},
    ),
    "set_category": (_of_annotation({"category_id": nullable(_category)}), _one | {"category_id": 2}),
    "set_attributes": (
        _of_annotation({"attributes": said({"$ref": ATTRIBUTES["$ref"]}, "Only these change.")}),
        _one | {"attributes": {"occluded": True}},
    ),
    "clear_attributes": (
        _of_annotation({}, {"names": said(listed(TEXT), "All of them unless said.")}),
        _one | {"names": ["occluded"]},
    ),
    "set_keypoints": (
        _of_annotation({"keypoints": KEYPOINTS}),
        _one | {"keypoints": [{"name": "nose", "x": 52.5, "y": 30, "visibility": 2}]},
    ),
    "clear_keypoints": (_of_annotation({}), _one),
    "set_orientation": (
        _of_annotation({"orientation": ORIENTATION}),
        _one | {"orientation": {"roll_deg": 0, "pitch_deg": 0, "yaw_deg": 90}},
    ),
    "clear_orientation": (_of_annotation({}), _one),
    "set_order": (
        _of_annotation(
            {
                "to": {
                    "anyOf": [
                        {"enum": ["front", "back", "up", "down"]},
                        NUMBER | {"minimum": -MOST_ORDER, "maximum": MOST_ORDER},
                    ]
                }
            }
        ),
        _one | {"to": "front"},
    ),
    "set_score": (
        closed(
            {"score": said(nullable(NUMBER), "Null takes it away.")},
            {"annotation": said(NAMED, "The label's own score where it is left out.")},
        ),
        _one | {"score": 0.9},
    ),
    "add_link": (_of_annotation({"to": NAMED}, {"attributes": ATTRIBUTES}), _one | {"to": 2}),
    "remove_link": (_of_annotation({"to": NAMED}), _one | {"to": 2}),
    "assign_classification": (_of_label({"category_id": _category}), {"category_id": 1}),
    "remove_classification": (_of_label({"category_id": _category}), {"category_id": 1}),
    "set_default_classification": (_of_label({"category_id": _category}), {"category_id": 1}),
    "set_status": (
        _of_label(
            {"verb": one_of(*VERBS)},
            {"status": said({}, "Which, where the verb is `override`; else it is not looked at.")},
        )
        | {
            "if": {"properties": {"verb": {"const": "override"}}},
            "then": {"properties": {"status": SETTABLE}, "required": ["status"]},
        },
        {"verb": "submit"},
    ),
    "set_scene_attributes": (
        _of_label(
            {
                "attributes": record(
                    {},
                    {"image_attributes": nullable(ATTRIBUTES), "format_version": VERSION},
                    propertyNames={
                        "not": {"enum": ["annotations", "segmentation_bitmap", "frames", "sensors", "classifications"]}
                    },
                    description="Only these change; null takes one away.",
                )
            }
        ),
        {"attributes": {"image_attributes": {"rain": True}}},
    ),
    "rasterize": (
        closed(
            {},
            {"annotation": said(NAMED, "All of the label where it is left out."), "size_wh": SIZE_WH},
            description="An object becomes a bitmap, the pixels that it covers. Its attributes, keypoints and "
            "orientation are cleared, and stay in the log. What has no inside (a point, a polyline, a skeleton, an "
            "orientation), is a bitmap already or has no pixel in the image is left alone, and told in `skipped`. In "
            "labels with a bitmap the pixels are put there, below those of what lies higher.",
        ),
        {},
    ),
    "polygonize": (
        _of_annotation(
            {},
            {
                "tolerance_px": said(
                    NUMBER | {"minimum": 0, "maximum": MOST_TOLERANCE_PX},
                    "0, or nothing: exactly its pixels. Else with fewer vertices, within so many pixels of its border.",
                )
            },
            description="A bitmap becomes polygons. The answer has how many vertices, and the overlap with the bitmap.",
        ),
        _one | {"tolerance_px": 1},
    ),
    "fit_to_image": (
        closed(
            {},
            {"annotation": said(NAMED, "All of the label where it is left out."), "size_wh": SIZE_WH},
            description="What reaches out of the image is moved in as a whole, and clamped where it is larger.",
        ),
        {},
    ),
    "paint_bitmap": (
        _of_annotation({"rle": _stroke, "base_hash": _base}, description="Pixels become the object's."),
        _one | {"base_hash": "0" * 64, "rle": {"size": [4, 4], "counts": [5, 2, 2, 2, 5]}},
    ),
    "erase_bitmap": (
        _of_annotation({"rle": _stroke, "base_hash": _base}, description="Pixels of the object become nobody's."),
        _one | {"base_hash": "0" * 64, "rle": {"size": [4, 4], "counts": [5, 2, 2, 2, 5]}},
    ),
    "fill_bitmap": (
        _of_annotation(
            {"x": _place, "y": _place, "base_hash": _base},
            {"confirm": said(FLAG, "Fill although the area is not closed, so that it reaches the image's edge.")},
            description="What the object encloses becomes its own, from a pixel on, over common sides.",
        ),
        _one | {"base_hash": "0" * 64, "x": 2, "y": 2},
    ),
    "patch_bitmap": (
        _of_label(
            {
                "set": said(
                    listed(record({"id": said(WHOLE | {"minimum": 0, "maximum": MAX_ID}, "0 erases."), "rle": RUNS})),
                    "What is painted, one after the other.",
                )
            },
            {"base_hash": said(nullable(HASH), "`mask_hash` of the bitmap that it was made against; null for none.")},
        ),
        {"base_hash": None, "set": [{"id": 1, "rle": {"size": [4, 4], "counts": [5, 2, 2, 2, 5]}}]},
    ),
}


def _name(op: str) -> str:
    return "".join(word.capitalize() for word in op.split("_")) + "Edit"


_forms = {
    op: component(_name(op), tagged("op", op, schema), example={"op": op} | example)
    for op, (schema, example) in OPERATIONS.items()
}
EDIT = component("Edit", told_by("op", _forms), example={"op": "add", "category_id": 1, **_box})
#: What an edit may be, and what an answer says of one; an app above adds its own.
EDIT_KINDS: list[JSON] = [EDIT]
ABOUT: JSON = closed({"annotation": UUID, "id": WHOLE})
EDIT_RESULTS: list[JSON] = [
    closed(
        {"changed": FLAG},
        {
            "annotation": UUID,
            "id": WHOLE,
            "part": said(_place, "Where the new part, hole or vertex is."),
            "ring": _place,
            "vertex": _place,
            "point": said(PAIR, "The vertex that was put in."),
            "done": said(listed(ABOUT), "The objects that were changed."),
            "skipped": said(
                listed(closed({"annotation": UUID, "id": WHOLE, "why": TEXT})),
                "Those that were not, and why: their type, no_pixels, or an id that can have none.",
            ),
            "vertices": said(_place, "Of the polygons."),
            "iou": said(NUMBER, "The overlap of the polygons with the bitmap; 1 is the same."),
            "bitmap_hash": said(HASH, "Of the bitmap now."),
            "closed": said(FLAG, "Whether the area that was filled was closed."),
            "removed": said(one_of("vertex", "hole", "part", "annotation"), "What went."),
        },
    )
]
#: What a list of edits says of itself.
SAID: JSON = {
    "gesture": said(nullable(UUID), "What of several requests was one movement of the hand."),
    "reason": said(nullable(text(10_000)), "Why, in words; stored encrypted."),
    "tool": nullable(text(100)),
    "occurred_at": said(nullable(ISO_TIME), "By the client's clock, in the years 1900 to 2199."),
    "seen_offset": said(nullable(OFFSET), "The offset of the categories that the author saw."),
    "work_session": nullable(UUID),
}
EDITS = component(
    "Edits",
    closed(
        {"edits": listed({"anyOf": EDIT_KINDS}, least=1, most=MOST_EDITS)},
        SAID,
    ),
    example={
        "edits": [{"op": "add", "category_id": 1, **_box}, {"op": "set_status", "verb": "submit"}],
        "reason": "the car behind the tree",
    },
)
EDITED = component(
    "Edited",
    closed(
        {
            "version": said(WHOLE | {"minimum": 0}, "Of the label now."),
            "offset": OFFSET,
            "label_status": STATUS,
            "rebased": said(FLAG, "Whether it was put on top of what others did since If-Match."),
            "edits": said(
                listed({"anyOf": EDIT_RESULTS}),
                "For each edit whether it changed anything, and what it was about.",
            ),
        },
        {"mask_hash": HASH},
    ),
    example={
        "version": 8,
        "offset": 42,
        "label_status": "LABELED",
        "rebased": False,
        "edits": [{"changed": True, "annotation": "0b0a4a6a-6b7e-4f0e-9a50-2d0f3a4b5c6d", "id": 1}, {"changed": True}],
    },
)
