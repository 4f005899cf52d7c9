"""What schemas are made of; named as the checks of `rules.protocol.forms` that they describe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

JSON = dict[str, Any]
Fields = Mapping[str, JSON]

TEXT: JSON = {"type": "string"}
WHOLE: JSON = {"type": "integer"}
NUMBER: JSON = {"type": "number"}
FLAG: JSON = {"type": "boolean"}
ANYTHING: JSON = {"type": "object"}
UUID: JSON = {"type": "string", "format": "uuid"}
MOMENT: JSON = {"type": "string", "format": "date-time"}
#: What a client says of a time: more than `date-time` has, and a time without a zone is UTC.
ISO_TIME: JSON = {"type": "string", "description": "A time in ISO 8601; UTC without a zone."}
OFFSET: JSON = {"type": "integer", "minimum": 0, "description": "A place in the dataset's log."}
HASH: JSON = {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "A SHA-256."}


def said(schema: JSON, description: str, **more: Any) -> JSON:
    """The same, described (or with other keywords)."""
    return schema | {"description": description} | more


def text(most: int, *, least: int = 0) -> JSON:
    return {"type": "string", "maxLength": most} | ({"minLength": least} if least else {})


def matching(pattern: str, description: str) -> JSON:
    return {"type": "string", "pattern": pattern, "description": description}


def one_of(*words: str) -> JSON:
    return {"type": "string", "enum": list(words)}


def nullable(schema: JSON) -> JSON:
    """Null too."""
    if "$ref" in schema or "anyOf" in schema or "oneOf" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    if "null" in kinds:
        return schema
    found = schema | {"type": [*kinds, "null"]}
    if "enum" in schema:
        found["enum"] = [*schema["enum"], None]
    return found


def listed(items: JSON, *, least: int = 0, most: int | None = None, **more: Any) -> JSON:
    found: JSON = {"type": "array", "items": items} | more
    if least:
        found["minItems"] = least
    if most is not None:
        found["maxItems"] = most
    return found


def record(required: Fields, optional: Fields | None = None, **more: Any) -> JSON:
    """An object with these fields, in which all others are passed over."""
    found: JSON = {"type": "object", "properties": {**required, **(optional or {})}} | more
    if required:
        found["required"] = list(required)
    return found


def closed(required: Fields, optional: Fields | None = None, **more: Any) -> JSON:
    """An object with these fields and no others."""
    return record(required, optional, additionalProperties=False, **more)


def told_by(key: str, forms: Mapping[str, JSON]) -> JSON:
    """One of several references, told apart by a field."""
    return {
        "oneOf": list(forms.values()),
        "discriminator": {"propertyName": key, "mapping": {name: form["$ref"] for name, form in forms.items()}},
    }


def tagged(key: str, word: str, schema: JSON) -> JSON:
    """A record in which a field says which it is."""
    properties = {key: {"const": word, "type": "string"}} | schema["properties"]
    required = [key, *(name for name in schema.get("required", ()) if name != key)]
    return schema | {"properties": properties, "required": required}


def any_of(schemas: Iterable[JSON]) -> JSON:
    return {"anyOf": list(schemas)}


def map_of(values: JSON) -> JSON:
    return {"type": "object", "additionalProperties": values}
