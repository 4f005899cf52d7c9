"""task_attributes: categories, attributes and rules as the SDK reads them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from segments import typing as sdk

from labeling.errors import InvalidValue
from labeling.rules.protocol.task_attributes import INPUT_TYPES, LINK_INPUT_TYPES, check_task_attributes
from tests.support.bent import bent
from tests.support.judge import assert_judged, is_readable, refusal, sweep

JSON = dict[str, Any]

_COMMON: JSON = {"is_mandatory": True, "is_track_level": False, "synced_across_sensors": None, "sensor_filter": "left"}
ATTRIBUTES: list[JSON] = [
    {"name": "colour", "input_type": "select", "values": ["red", "green"], "default_value": "red", **_COMMON},
    {"name": "parts", "input_type": "multiselect", "values": [], "default_value": None},
    {"name": "plate", "input_type": "text", "default_value": ""},
    {"name": "wheels", "input_type": "number", "min": 1, "max": 20.5, "step": "", "default_value": 4, **_COMMON},
    {"name": "parked", "input_type": "checkbox", "default_value": False, "is_mandatory": None},
    {"name": "speed", "input_type": "vector3"},
    {"name": "turn", "input_type": "quaternion", "default_value": "kept as it is"},
    {"name": "corners", "input_type": "points"},
]
FULL: JSON = {
    "format_version": "0.1",
    "categories": [
        {
            "name": "car",
            "id": 1,
            "color": [220, 20, 60],
            "has_instances": True,
            "attributes": ATTRIBUTES,
            "dimensions": {"x": 4.5, "y": 2, "z": None},
            "link_attributes": [
                {"name": "distance", "input_type": "number", "is_track_level": False, "min": " "},
                {"name": "relation", "input_type": "select", "values": ["tows"]},
            ],
            "link_category_restrictions": [2],
            "lock_dimensions": True,
        },
        {"name": "road", "id": 2, "color": [0, 0, 0, 255], "has_instances": False, "link_category_restrictions": []},
    ],
    "image_attributes": [{"name": "weather", "input_type": "select", "values": ["sun", "rain"], "is_mandatory": True}],
    "warning_rules": [
        {"name": "intersecting-cuboids", "excluded_categories": [1], "excluded_set_of_categories": None},
        {"name": "cuboid-dimension-limits", "categories": [1], "min": {"x": 1}, "max": {"x": 9, "z": None}},
    ],
    "circle_radius": 3,
}


def check(document: Any) -> None:
    check_task_attributes(document, "attributes")


def test_every_single_fault_is_judged_as_the_sdk_does():
    sweep(
        check,
        sdk.TaskAttributes,
        sdk.TaskAttributes,
        FULL,
        told_by="input_type|name",
        stricter=r"color(\[\d\])?$|\.id$",
    )


@given(document=bent(FULL))
def test_whatever_is_taken_the_sdk_reads(document: Any):
    assert_judged(check, sdk.TaskAttributes, document)


def test_every_input_type_of_the_sdk_is_known():
    assert {*INPUT_TYPES} == {item.value for item in sdk.InputType}
    assert {*LINK_INPUT_TYPES} < {*INPUT_TYPES}


def category(**fields: Any) -> JSON:
    return {"categories": [{"id": 1, "name": "car", **fields}]}


def defined(**fields: Any) -> JSON:
    return category(attributes=[{"name": "colour", **fields}])


@pytest.mark.parametrize(
    "document",
    [
        {},
        dict.fromkeys(("format_version", "categories", "image_attributes", "warning_rules")),
        {"format_version": 1, "categories": []},
        {"format_version": 0.5},
        category(**dict.fromkeys(("color", "has_instances", "attributes", "dimensions", "link_attributes"))),
        category(link_category_restrictions=None, dimensions={}, attributes=[]),
        category(color=[0, 0, 0, 0]),
        defined(input_type="number", min="", max=" ", step=None),
        defined(input_type="checkbox", default_value=None),
        {"odd": {"a": [1]}, "categories": [{"id": -1, "name": "", "odd": None}]},
    ],
)
def test_what_can_be_read_is_taken(document: JSON):
    assert refusal(check, document) is None
    assert is_readable(sdk.TaskAttributes, document)


FAULTS: list[tuple[Any, str]] = [
    (None, ""),
    ([], ""),
    ({"categories": {}}, ".categories"),
    ({"categories": [5]}, ".categories[0]"),
    ({"categories": [{"name": "a"}]}, ".categories[0].id"),
    ({"categories": [{"id": 1, "name": "a"}, {"id": True, "name": "b"}]}, ".categories[1].id"),
    ({"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}, ".categories[1].id"),
    (category(color="red"), ".categories[0].color"),
    (category(color=[1, 2]), ".categories[0].color"),
    (category(color=[1, 2, 3, 4, 5]), ".categories[0].color"),
    (category(color=[1, 2, 256]), ".categories[0].color[2]"),
    (category(color=[1, -1, 3]), ".categories[0].color[1]"),
    (category(color=[1.0, 2, 3]), ".categories[0].color[0]"),
    (category(has_instances=1), ".categories[0].has_instances"),
    (category(attributes={}), ".categories[0].attributes"),
    (category(attributes=[None]), ".categories[0].attributes[0]"),
    (category(dimensions={"y": "wide"}), ".categories[0].dimensions.y"),
    (category(link_attributes=5), ".categories[0].link_attributes"),
    (category(link_attributes=[{"name": "a", "input_type": "points"}]), ".categories[0].link_attributes[0].input_type"),
    (category(link_category_restrictions=[1, "car"]), ".categories[0].link_category_restrictions[1]"),
    (defined(), ".categories[0].attributes[0].input_type"),
    (defined(input_type="zebra"), ".categories[0].attributes[0].input_type"),
    (defined(input_type="select"), ".categories[0].attributes[0].values"),
    (defined(input_type="multiselect", values=None), ".categories[0].attributes[0].values"),
    (defined(input_type="select", values=["red", 1]), ".categories[0].attributes[0].values[1]"),
    (defined(input_type="multiselect", values=[], default_value=["a"]), ".categories[0].attributes[0].default_value"),
    (defined(input_type="number", min="low"), ".categories[0].attributes[0].min"),
    (defined(input_type="number", default_value=""), ".categories[0].attributes[0].default_value"),
    (defined(input_type="checkbox", default_value="perhaps"), ".categories[0].attributes[0].default_value"),
    (defined(input_type="text", is_mandatory="perhaps"), ".categories[0].attributes[0].is_mandatory"),
    (defined(input_type="text", sensor_filter=5), ".categories[0].attributes[0].sensor_filter"),
    ({"format_version": []}, ".format_version"),
    ({"format_version": True}, ".format_version"),
    ({"image_attributes": [{"input_type": "text"}]}, ".image_attributes[0].name"),
    ({"warning_rules": [{}]}, ".warning_rules[0].name"),
    (
        {"warning_rules": [{"name": "intersecting-cuboids", "excluded_categories": ["a"]}]},
        ".warning_rules[0].excluded_categories[0]",
    ),
    ({"warning_rules": [{"name": "cuboid-dimension-limits", "min": {"x": []}}]}, ".warning_rules[0].min.x"),
]  # fmt: skip


@pytest.mark.parametrize("document, field", FAULTS)
def test_a_fault_is_told_by_its_path(document: Any, field: str):
    with pytest.raises(InvalidValue) as caught:
        check_task_attributes(document)
    assert caught.value.field == f"task_attributes{field}"
