"""The task attributes of a dataset, as `rules.protocol.task_attributes` takes them; names beside these are kept."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    FLAG,
    NUMBER,
    TEXT,
    WHOLE,
    listed,
    map_of,
    nullable,
    record,
    said,
    tagged,
    told_by,
)
from labeling.rules.protocol.task_attributes import INPUT_TYPES, LINK_INPUT_TYPES, MOST_RATIO

JSON = dict[str, Any]

#: {name: text, number, true or false, list of texts, or null}: the attributes of an object, an image, a link.
ATTRIBUTES = component(
    "Attributes",
    map_of({"type": ["string", "number", "boolean", "array", "null"], "items": TEXT}),
    example={"color": "red", "occluded": False, "wheels": 4},
)
VERSION: JSON = {"type": ["string", "number", "null"]}

_OPTIONAL_FLAG = nullable(FLAG)
_LIMIT: JSON = {
    "anyOf": [nullable(NUMBER), {"type": "string", "pattern": r"^\s*$"}],
    "description": "Empty text where it was not filled in.",
}
_MORE: dict[str, tuple[JSON, JSON]] = {
    "select": ({"values": listed(TEXT)}, {"default_value": nullable(TEXT)}),
    "multiselect": ({"values": listed(TEXT)}, {"default_value": nullable(TEXT)}),
    "text": ({}, {"default_value": nullable(TEXT)}),
    "number": ({}, {"default_value": nullable(NUMBER), "min": _LIMIT, "max": _LIMIT, "step": _LIMIT}),
    "checkbox": ({}, {"default_value": _OPTIONAL_FLAG}),
    "vector3": ({}, {}),
    "quaternion": ({}, {}),
    "points": ({}, {}),
}
_OF_OBJECTS: JSON = {
    "is_track_level": _OPTIONAL_FLAG,
    "synced_across_sensors": _OPTIONAL_FLAG,
    "sensor_filter": nullable(TEXT),
}


def _definitions(title: str, kinds: tuple[str, ...], optional: JSON) -> JSON:
    forms = {}
    for kind in kinds:
        needed, more = _MORE[kind]
        fields = record({"name": TEXT, **needed}, {"is_mandatory": _OPTIONAL_FLAG, **more, **optional})
        example = {"name": "color", "input_type": kind} | ({"values": ["red", "blue"]} if needed else {})
        forms[kind] = component(f"{kind.capitalize()}{title}", tagged("input_type", kind, fields), example=example)
    return component(
        title,
        told_by("input_type", forms),
        example={"name": "color", "input_type": "select", "values": ["red", "blue"], "is_mandatory": True},
    )


ATTRIBUTE_DEFINITION = _definitions("AttributeDefinition", tuple(INPUT_TYPES), _OF_OBJECTS)
LINK_ATTRIBUTE_DEFINITION = _definitions(
    "LinkAttributeDefinition", LINK_INPUT_TYPES, {"is_track_level": _OPTIONAL_FLAG}
)

COLOR: JSON = said(
    listed(WHOLE | {"minimum": 0, "maximum": 255}, least=3, most=4), "[red, green, blue] and where wanted alpha."
)
_PARTIAL_XYZ = record({}, dict.fromkeys("xyz", nullable(NUMBER)))
CATEGORY = component(
    "Category",
    record(
        {"id": said(WHOLE, "Each once."), "name": TEXT},
        {
            "color": nullable(COLOR),
            "has_instances": _OPTIONAL_FLAG,
            "aspect_ratio": said(
                nullable(NUMBER | {"exclusiveMinimum": 0, "maximum": MOST_RATIO}),
                "How many times as wide as high its boxes must be drawn; asked of new and resized ones.",
            ),
            "attributes": nullable(listed(ATTRIBUTE_DEFINITION)),
            "dimensions": nullable(_PARTIAL_XYZ),
            "link_attributes": nullable(listed(LINK_ATTRIBUTE_DEFINITION)),
            "link_category_restrictions": nullable(listed(WHOLE)),
        },
    ),
    example={"id": 1, "name": "car", "color": [0, 113, 188], "has_instances": True},
)
_IDS = nullable(listed(WHOLE))
WARNING_RULE = component(
    "WarningRule",
    {
        "oneOf": [
            tagged(
                "name",
                "intersecting-cuboids",
                record({}, {"excluded_categories": _IDS, "excluded_set_of_categories": _IDS}),
            ),
            tagged(
                "name",
                "cuboid-dimension-limits",
                record({}, {"categories": _IDS, "min": nullable(_PARTIAL_XYZ), "max": nullable(_PARTIAL_XYZ)}),
            ),
        ]
    },
    example={"name": "cuboid-dimension-limits", "categories": [1], "min": {"z": 0.5}},
)
TASK_ATTRIBUTES = component(
    "TaskAttributes",
    record(
        {},
        {
            "format_version": VERSION,
            "categories": nullable(listed(CATEGORY)),
            "image_attributes": nullable(listed(ATTRIBUTE_DEFINITION)),
            "warning_rules": nullable(listed(WARNING_RULE)),
        },
        description="Kept verbatim, also what is not named here.",
    ),
    example={
        "format_version": "0.1",
        "categories": [{"id": 1, "name": "car", "color": [0, 113, 188]}, {"id": 2, "name": "person"}],
        "image_attributes": [{"name": "rain", "input_type": "checkbox", "default_value": False}],
    },
)
