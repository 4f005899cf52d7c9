"""The categories of a file found in those of a dataset, by name, and those that the dataset does not have. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labeling.errors import InvalidValue
from labeling.log import values
from labeling.log.values import BadValue
from labeling.rules.protocol.task_attributes import check_task_attributes
from labeling.rules.task_attributes import merged
from releases.formats.records import Dataset, task_attributes_of

JSON = dict[str, Any]


def matched(dataset: Dataset, document: Mapping[str, Any], *, add: bool) -> tuple[dict[int, int], list[JSON]]:
    """({category of the file: of the dataset}, categories to add) for a dataset with these task attributes.

    One that is known by its name is that; a new one keeps its number where that is free. Those that were merged into
    another are that other.
    """
    listed = [item for item in document.get("categories") or [] if isinstance(item, dict)]
    into = merged(dict(document))
    by_name: dict[str, int] = {}
    for item in listed:
        if type(item.get("id")) is int:
            by_name.setdefault(str(item.get("name", item["id"])), into.get(item["id"]) or item["id"])
    taken = {item["id"] for item in listed if type(item.get("id")) is int}
    written = {item["id"]: item for item in task_attributes_of(dataset).get("categories") or [] if "id" in item}
    found: dict[int, int] = {}
    added: list[JSON] = []
    for category in dataset.categories:
        number = by_name.get(category.name)
        if number is None and add and _is_storable(category.name):
            number = category.id if category.id > 0 and category.id not in taken else max(taken, default=0) + 1
            taken.add(number)
            by_name[category.name] = number
            added.append(_checked(written.get(category.id, {}), category.name) | {"id": number})
        if number is not None:
            found[category.id] = number
    return found, added


def _checked(item: JSON, name: str) -> JSON:
    """A category as it stands in the file; of one that the dataset could not have, its name alone."""
    plain: JSON = {"id": 1, "name": name}
    try:
        whole: JSON = values.checked(item | plain, where="category")
        check_task_attributes({"format_version": "0.1", "categories": [whole]})
    except (BadValue, InvalidValue):
        return plain
    return whole


def _is_storable(name: str) -> bool:
    try:
        values.checked(name, where="name")
    except BadValue:
        return False
    return bool(name)
