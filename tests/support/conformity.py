"""Whether what was asked and answered is what the OpenAPI document says; the validators are compiled once a process."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema_rs
from django.urls import Resolver404, resolve

from labeling.api.document import document, endpoints

JSON = dict[str, Any]

#: Answered by what is in front of all operations: another method of a known address, and what a browser asks first.
ELSEWHERE = {405}
DOCUMENT = "urn:palimpsest:document"


class Undocumented(AssertionError):
    """An answer that the document does not know, or a good answer to a request that it does not know."""


@cache
def operations() -> dict[tuple[str, str], JSON]:
    """Every operation by the name of its address and its method, references to answers resolved."""
    whole = document()
    found = {}
    for item in endpoints():
        operation = whole["paths"][item.path][item.method]
        answers = {status: _resolved(answer) for status, answer in operation["responses"].items()}
        found[item.name, item.method.upper()] = operation | {"responses": answers, "path": item.path}
    return found


def _resolved(answer: JSON) -> JSON:
    reference = answer.get("$ref")
    if reference is None:
        return answer
    found: JSON = document()["components"]["responses"][reference.rpartition("/")[2]]
    return found


@cache
def _components() -> jsonschema_rs.Registry:
    """The schemas that have a name, as one document that the others refer to."""
    return jsonschema_rs.Registry([(DOCUMENT, {"components": {"schemas": document()["components"]["schemas"]}})])


@cache
def _compiled(schema: str) -> jsonschema_rs.Draft202012Validator:
    there = schema.replace('"$ref": "#/', f'"$ref": "{DOCUMENT}#/')
    return jsonschema_rs.Draft202012Validator(json.loads(there), validate_formats=True, registry=_components())


def validator(schema: JSON) -> jsonschema_rs.Draft202012Validator:
    """A validator of a schema of the document."""
    return _compiled(json.dumps(schema, sort_keys=True))


def fault(schema: JSON, value: Any) -> str | None:
    """What is wrong with a value by a schema of the document."""
    known = validator(schema)
    if known.is_valid(value):
        return None
    error = next(known.iter_errors(value))
    return f"{error.message[:500]} at {'/'.join(map(str, error.instance_path))}"


def operation_at(method: str, path: str) -> JSON | None:
    """The operation of a request; None where there is none."""
    try:
        found = resolve(path.partition("?")[0])
    except Resolver404:
        return None
    return operations().get((str(found.url_name), "GET" if method == "HEAD" else method))


def check(method: str, path: str, status: int, headers: Any, raw: bytes, sent: bytes | None = None) -> None:
    """Check an answer, and where it is a good one what was sent.

    Raises:
        Undocumented: by the operation and what does not fit.
    """
    operation = operation_at(method, path)
    if operation is None:
        return
    where = f"{operation['operationId']} answered {status}"
    answer = operation["responses"].get(str(status))
    if answer is None:
        if status in ELSEWHERE:
            return
        raise Undocumented(f"{where}, which is not documented: {raw[:300]!r}")
    for name, header in answer.get("headers", {}).items():
        value = headers.get(name)
        if value is None:
            if header.get("required"):
                raise Undocumented(f"{where} without the header {name}")
            continue
        kind = header["schema"].get("type")
        wrong = fault(header["schema"], int(value) if kind == "integer" and value.isdigit() else value)
        if wrong:
            raise Undocumented(f"{where} with the header {name}: {wrong}")
    for name in ("ETag", "Dataset-Offset", "Label-Superseded", "Label-Lost", "Retry-After"):
        if headers.get(name) is not None and name not in answer.get("headers", {}):
            raise Undocumented(f"{where} with the header {name}, which is not documented")
    if method == "HEAD":
        return
    content = answer.get("content")
    if content is None:
        if raw:
            raise Undocumented(f"{where} with a body, which is not documented")
        return
    media = str(headers.get("Content-Type", "")).partition(";")[0]
    if media not in content and "*/*" not in content:
        raise Undocumented(f"{where} as {media}, which is not documented")
    if media == "application/json" and media in content:
        wrong = fault(content[media]["schema"], json.loads(raw))
        if wrong:
            raise Undocumented(f"{where}: {wrong}")
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None and status < 300 and sent is not None:
        wrong = fault(body["schema"], json.loads(sent or b"{}"))
        if wrong:
            raise Undocumented(f"{where} to a request that the document does not allow: {wrong}")
