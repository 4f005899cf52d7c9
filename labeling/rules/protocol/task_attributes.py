"""task_attributes of a dataset: categories, the attributes that objects and images have, and warning rules."""

from __future__ import annotations

from typing import Any

from labeling.rules.protocol.fields import optional_number, optional_text, optional_version, partial_xyz
from labeling.rules.protocol.forms import (
    Form,
    Unfit,
    check,
    flag,
    listed,
    nullable,
    number,
    record,
    text,
    texts,
    told_by,
    whole,
    wholes,
)

optional_flag = nullable(flag)
optional_wholes = nullable(wholes)


def _limit(value: Any) -> None:
    # A limit that was not filled in is empty text in what the platform exports.
    if value is not None and not (type(value) is str and not value.strip()):
        number(value)


def colour(value: Any) -> None:
    """[red, green, blue] or [red, green, blue, alpha]."""
    if type(value) is not list or len(value) not in (3, 4):
        raise Unfit("must be [red, green, blue] or [red, green, blue, alpha]")
    for index, part in enumerate(value):
        if type(part) is not int or not 0 <= part <= 255:
            raise Unfit("must be a whole number from 0 to 255", index)


#: What the attributes of each input type have beside a name: required, optional.
INPUT_TYPES: dict[str, tuple[dict[str, Form], dict[str, Form]]] = {
    "select": ({"values": texts}, {"default_value": optional_text}),
    "multiselect": ({"values": texts}, {"default_value": optional_text}),
    "text": ({}, {"default_value": optional_text}),
    "number": ({}, {"default_value": optional_number, "min": _limit, "max": _limit, "step": _limit}),
    "checkbox": ({}, {"default_value": optional_flag}),
    "vector3": ({}, {}),
    "quaternion": ({}, {}),
    "points": ({}, {}),
}
#: Links have no attributes in space.
LINK_INPUT_TYPES = ("select", "multiselect", "text", "number", "checkbox")


def _attribute(input_type: str, optional: dict[str, Form]) -> Form:
    needed, more = INPUT_TYPES[input_type]
    return record({"name": text, **needed}, {"is_mandatory": optional_flag, **more, **optional})


_OF_OBJECTS: dict[str, Form] = {
    "is_track_level": optional_flag,
    "synced_across_sensors": optional_flag,
    "sensor_filter": optional_text,
}
attributes = nullable(listed(told_by("input_type", {name: _attribute(name, _OF_OBJECTS) for name in INPUT_TYPES})))
link_attributes = nullable(
    listed(
        told_by("input_type", {name: _attribute(name, {"is_track_level": optional_flag}) for name in LINK_INPUT_TYPES})
    )
)


def _ratio(value: Any) -> None:
    number(value)
    if not 0 < value <= MOST_RATIO:
        raise Unfit(f"must be more than 0 and at most {MOST_RATIO}")


#: How many times as wide as high a box may have to be.
MOST_RATIO = 1000
category = record(
    {"id": whole, "name": text},
    {
        "color": nullable(colour),
        "has_instances": optional_flag,
        "aspect_ratio": nullable(_ratio),
        "attributes": attributes,
        "deprecated": optional_flag,
        "dimensions": nullable(partial_xyz),
        "link_attributes": link_attributes,
        "link_category_restrictions": optional_wholes,
    },
)


def _categories(value: Any) -> None:
    listed(category)(value)
    seen: set[int] = set()
    for index, item in enumerate(value):
        if item["id"] in seen:
            raise Unfit("is used by another category", "id", index)
        seen.add(item["id"])
    into = {item["id"]: item.get("merged_into") for item in value}
    for index, (own, target) in enumerate(into.items()):
        if target is None:
            continue
        if type(target) is not int or target not in into:
            raise Unfit("must be the id of another category here", "merged_into", index)
        passed = {own}
        while target is not None and target not in passed:
            passed.add(target)
            target = into.get(target)
        if target is not None:
            raise Unfit("must not lead back to the category itself", "merged_into", index)


warning_rule = told_by(
    "name",
    {
        "intersecting-cuboids": record(
            {}, {"excluded_categories": optional_wholes, "excluded_set_of_categories": optional_wholes}
        ),
        "cuboid-dimension-limits": record(
            {}, {"categories": optional_wholes, "min": nullable(partial_xyz), "max": nullable(partial_xyz)}
        ),
    },
)

task_attributes = record(
    {},
    {
        "format_version": optional_version,
        "categories": nullable(_categories),
        "image_attributes": attributes,
        "warning_rules": nullable(listed(warning_rule)),
    },
)


def check_task_attributes(value: Any, where: str = "task_attributes") -> None:
    """Pass over a document that the SDK can read again.

    Raises:
        InvalidValue: the first field that does not fit.
    """
    check(task_attributes, value, where)
