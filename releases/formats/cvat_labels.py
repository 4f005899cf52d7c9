"""What the head of a CVAT file says of categories and their attributes. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from releases.formats import texts
from releases.formats.format import APPROXIMATED, Losses
from releases.formats.names import names_of
from releases.formats.records import Annotation, Category, Dataset
from releases.formats.texts import element

JSON = dict[str, Any]


def is_flag(key: str, value: Any) -> bool:
    """Whether an attribute is the one that CVAT has a member for."""
    return key == "occluded" and value is True


def label_name(name: str) -> str:
    """A name of a category that an element can have."""
    return texts.read_back(name).strip()


class Labels:
    """What the head says of categories and attributes: all that are defined, and all that were seen."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self.names = names_of(dataset.categories, label_name)
        self._seen: dict[int, dict[str, list[str]]] = {item.id: {} for item in dataset.categories}
        self._points: dict[int, list[str]] = {item.id: list(item.points) for item in dataset.categories}

    def saw(self, item: Annotation, sample: str, frame: int | None, losses: Losses) -> None:
        """An annotation is going to be written; lists the attributes that are no flags, numbers or texts."""
        assert item.category_id is not None
        for key, value in item.attributes.items():
            if is_flag(key, value):
                continue
            kind = "checkbox" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "text"
            self._learn(item.category_id, key, [kind])
            is_said = kind != "text" or (isinstance(value, str) and texts.read_back(value) == value)
            if not is_said or texts.read_back(key) != key:
                at: JSON = {"sample": sample, "frame": frame, "annotation": item}
                losses.add("attributes", APPROXIMATED, **at, said=key)
        if item.geometry["type"] == "skeleton":
            points = self._points[item.category_id]
            points += [point["name"] for point in item.geometry["points"] if point["name"] not in points]

    def _learn(self, category: int, key: str, kinds: list[str]) -> None:
        had = self._seen[category].setdefault(key, [])
        had += [kind for kind in kinds if kind not in had]

    def seen(self) -> list[Any]:
        """What was seen, as lists, because the order of members is lost where this is kept."""
        return [[key, list(kinds.items()), self._points[key]] for key, kinds in self._seen.items()]

    def learn(self, seen: list[Any]) -> None:
        """Take in what was seen elsewhere, behind what was seen before."""
        for category, found, points in seen:
            for key, kinds in found:
                self._learn(category, key, kinds)
            known = self._points[category]
            known += [point for point in points if point not in known]

    def _kinds(self, category: Category) -> Iterator[tuple[str, JSON | None, str, list[str]]]:
        """(name, definition, kind, kinds that were seen) of each attribute of a category."""
        defined = {str(item.get("name")): item for item in category.attributes}
        seen = self._seen[category.id]
        for name in (*defined, *(name for name in seen if name not in defined)):
            yield name, defined.get(name), _kind(defined.get(name), seen.get(name, [])), seen.get(name, [])

    def mixed(self) -> Iterator[str]:
        """Words for each attribute whose values are not all of the kind as which they are read."""
        for category in self._dataset.categories:
            for name, _, kind, seen in self._kinds(category):
                if set(seen) - {"text" if kind == "select" else kind}:
                    yield f"{name} of {self.names[category.id]} is read as text"

    def said(self) -> str:
        lines = ["\n<labels>"]
        for category in self._dataset.categories:
            lines.append("<label>" + element("name", self.names[category.id]) + _colour(category))
            lines.append("<attributes>")
            lines += [_attribute(name, definition, kind) for name, definition, kind, _ in self._kinds(category)]
            lines.append("</attributes></label>")
            parent = element("parent", self.names[category.id])
            lines += [
                f"<label>{element('name', point)}{element('type', 'points')}<attributes></attributes>{parent}</label>"
                for point in self._points[category.id]
            ]
        return "\n".join([*lines, "</labels>"])


_KINDS = {"select": "select", "checkbox": "checkbox", "number": "number", "text": "text"}


def _kind(defined: JSON | None, seen: list[str]) -> str:
    """The kind of an attribute, which is how its values are read."""
    of_values = "text" if len(seen) > 1 else next(iter(seen), None)
    kind = _KINDS.get(str((defined or {}).get("input_type")), of_values or "text")
    return "text" if of_values is not None and of_values != kind and kind != "select" else kind


def _attribute(name: str, defined: JSON | None, kind: str) -> str:
    choices = (defined or {}).get("values") or (defined or {}).get("enum") or []
    if kind == "checkbox":
        choices = ["false", "true"]
    mutable = not (defined or {}).get("is_track_level")
    default = (defined or {}).get("default_value")
    return (
        "<attribute>"
        + element("name", name)
        + element("mutable", "True" if mutable else "False")
        + element("input_type", kind)
        + element("default_value", "" if default is None else texts.plain(default))
        + element("values", "\n".join(texts.plain(choice) for choice in choices))
        + "</attribute>"
    )


def _colour(category: Category) -> str:
    return element("color", "#{:02x}{:02x}{:02x}".format(*category.colour)) if category.colour else ""
