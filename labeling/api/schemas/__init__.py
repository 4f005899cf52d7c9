"""What the OpenAPI document says of bodies: one file a noun, each a few JSON schemas (Draft 2020-12) with an example.

`component` names a schema once, and everybody refers to it; `forms` is what the schemas are made of. What a request may
hold is what `rules` and the commands take, neither more nor less, and the tests compare the two; what an answer holds
is closed, so a field that nobody described is an error of the tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Component:
    """A schema of the document that has a name.

    `gives` says where in an answer of this form the path parameters of further requests stand.
    """

    name: str
    schema: JSON
    example: Any
    gives: dict[str, str] = field(default_factory=dict)


COMPONENTS: dict[str, Component] = {}
PLACE = "#/components/schemas/"


def component(name: str, schema: JSON, *, example: Any, gives: dict[str, str] | None = None) -> JSON:
    """Name a schema; returns the reference to it."""
    if name in COMPONENTS:
        raise ValueError(f"{name} is described twice")
    COMPONENTS[name] = Component(name, schema, example, gives or {})
    return {"$ref": PLACE + name}


def component_of(schema: JSON | None) -> Component | None:
    """The component that a schema refers to, if it is nothing else than a reference."""
    reference = (schema or {}).get("$ref", "")
    return COMPONENTS.get(reference.removeprefix(PLACE))


def example_of(schema: JSON) -> Any:
    """An example of a schema: its component's, or a list of one."""
    known = component_of(schema)
    if known is not None:
        return known.example
    if schema.get("type") == "array":
        return [example_of(schema["items"])]
    return schema["examples"][0]
