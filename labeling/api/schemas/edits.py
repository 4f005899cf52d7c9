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
from labeling.api.schemas.geometry import GEOMETRY, KEYPOINTS, ORIENTATION, PAIRS, RUNS, TWO_PAIRS, WIRE_TYPE
from labeling.api.schemas.labels import SETTABLE, STATUS
from labeling.api.schemas.task_attributes import ATTRIBUTES, VERSION
from labeling.geometry.bitmaps import MAX_ID
from labeling.rules.edits.editor import MOST_EDITS
from labeling.rules.edits.mentions import VERBS
from labeling.rules.edits.objects import MOST_ORDER

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


def _of_annotation(required: JSON, optional: JSON | None = None) -> JSON:
    return closed({"annotation": NAMED, **required}, optional)


def _of_label(required: JSON, optional: JSON | None = None, **more: Any) -> JSON:
    return closed(required, _PASSED_OVER | (optional or {}), **more)


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
            {"to": {"anyOf": [{"enum": ["front", "back"]}, NUMBER | {"minimum": -MOST_ORDER, "maximum": MOST_ORDER}]}}
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
EDIT_RESULTS: list[JSON] = [closed({"changed": FLAG}, {"annotation": UUID, "id": WHOLE})]
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
