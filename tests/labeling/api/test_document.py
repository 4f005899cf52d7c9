"""The OpenAPI document: valid, complete, the same every time, and as true as the rules that it describes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from django.urls import resolve
from openapi_spec_validator import OpenAPIV31SpecValidator

from labeling.api import errors as api_errors
from labeling.api.document import document, endpoints, referred
from labeling.api.schemas import COMPONENTS
from labeling.api.schemas.edits import OPERATIONS as DOCUMENTED_EDITS
from labeling.api.schemas.errors import REFUSALS
from labeling.api.schemas.labels import BY_TASK_TYPE
from labeling.rules.edits.operations import OPERATIONS as EDITS
from labeling.rules.task_types import task_type_names
from tests.support import conformity

JSON = dict[str, Any]

ENDPOINTS = endpoints()


def operation(id: str) -> JSON:
    item = next(item for item in ENDPOINTS if item.id == id)
    return conformity.operations()[item.name, item.method.upper()]


def test_the_document_is_valid_openapi_3_1():
    assert document()["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(document()).iter_errors()] == []


def test_the_document_is_made_once_and_is_the_same_every_time():
    assert document() is document()
    again = document.__wrapped__()
    assert again is not document() and orjson.dumps(again) == orjson.dumps(document())


def test_the_document_is_served_to_everybody(caller):
    answer = caller().get("/api/schema/")
    assert answer.status == 200 and answer.json == orjson.loads(orjson.dumps(document()))
    assert caller("ana").get("/api/schema/").headers["ETag"] == answer.headers["ETag"]


def test_the_page_of_the_document_is_a_page_and_a_script(visit):
    assert b"swagger-ui" in visit("/api/docs/").raw
    script = visit("/api/docs/?script=")
    assert script.headers["Content-Type"].startswith("application/javascript")
    assert b"/api/schema/" in script.raw
    # A browser asks for a page, a program for JSON: both get it.
    assert visit("/api/docs/", Accept="application/json").status == 200


def test_options_of_the_page_are_refused_and_no_error_of_the_server(visit):
    assert visit("/api/docs/", "OPTIONS").status == 405


@pytest.mark.parametrize("item", ENDPOINTS, ids=lambda item: str(item.id))
def test_an_operation_is_described(item):
    found = operation(item.id)
    assert found["operationId"] == item.id and found["summary"] and found["tags"]
    assert len(found["description"]) > len(found["summary"])
    assert found["x-scope"] in ("read", "label", "manage") and found["x-action"]
    for parameter in found["parameters"]:
        assert parameter["description"] and parameter["schema"], parameter["name"]
    successes = [status for status in found["responses"] if status < "400"]
    assert successes
    if item.operation.action != "open":
        assert {"400", "401", "503"} <= found["responses"].keys()


def examples(item: Any) -> Iterator[tuple[str, JSON, Any]]:
    """(where, schema, example) of everything that one operation shows."""
    found = operation(item.id)
    for parameter in found["parameters"]:
        if "example" in parameter:
            yield parameter["name"], parameter["schema"], parameter["example"]
    for media, content in found.get("requestBody", {}).get("content", {}).items():
        yield "body", content["schema"], content["example"]
        assert media in ("application/json", "multipart/form-data")
    for status, answer in found["responses"].items():
        assert answer["description"], status
        for name, header in answer.get("headers", {}).items():
            yield name, header["schema"], header["example"]
        for media, content in answer.get("content", {}).items():
            if media == "application/json":
                shown = [content["example"]] if "example" in content else []
                shown += [example["value"] for example in content.get("examples", {}).values()]
                assert shown, (item.id, status)
                for example in shown:
                    yield status, content["schema"], example


@pytest.mark.parametrize("item", ENDPOINTS, ids=lambda item: str(item.id))
def test_every_example_is_what_it_is_an_example_of(item):
    for where, schema, example in examples(item):
        assert conformity.fault(schema, example) is None, where


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_example_of_a_schema_fits_it(name):
    schema = {"$ref": f"#/components/schemas/{name}"}
    assert conformity.fault(schema, COMPONENTS[name].example) is None


def test_every_schema_is_used():
    used = {name for item in document()["paths"].values() for name in referred(item)}
    used = {name for name in used if name in COMPONENTS} | set(referred(document()["components"]["responses"]))
    pending = list(used)
    while pending:
        found = set(referred(COMPONENTS[pending.pop()].schema)) - used
        used |= found
        pending += found
    assert COMPONENTS.keys() - used == set()


def test_an_operation_has_one_name_and_an_address_one_spelling():
    ids = [item.id for item in ENDPOINTS]
    assert len(ids) == len(set(ids))
    paths = list(document()["paths"])
    assert len({path.rstrip("/") for path in paths}) == len(paths)


def test_the_spelling_is_the_protocols():
    bare = {path for path in document()["paths"] if not path.endswith("/")}
    assert bare == {
        "/exports/{export}/{token}/{filename}",
        "/user",
        "/users/{username}",
        "/datasets/{owner}/{name}/collaborators/{username}",
        "/media/{token}/{filename}",
        "/releases/{release}/{token}/{filename}",
    }


@pytest.mark.parametrize("item", ENDPOINTS, ids=lambda item: str(item.id))
def test_a_documented_address_leads_to_its_view(item):
    path = item.path.format_map(dict.fromkeys(item.path_parameters, "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10"))
    found = resolve(path)
    assert (found.url_name, found.func.view_class) == (item.name, item.view)  # type: ignore[attr-defined]


def test_a_link_leads_to_an_operation_and_gives_it_all_of_its_path():
    links = 0
    paths = {item.id: item for item in ENDPOINTS}
    for item in ENDPOINTS:
        for answer in operation(item.id)["responses"].values():
            for link in answer.get("links", {}).values():
                target = paths[link["operationId"]]
                assert link["parameters"].keys() == {f"path.{name}" for name in target.path_parameters}
                links += 1
    assert links > 100


def test_the_codes_of_refusals_are_those_of_the_errors():
    ours = {error.code: status for error, status in api_errors.STATUS.items()}
    known = {code: refusal.status for code, refusal in REFUSALS.items()}
    assert ours.items() <= known.items()


def test_the_documented_edits_are_those_that_there_are():
    assert {op: set(schema["properties"]) - {"annotation"} for op, (schema, _) in DOCUMENTED_EDITS.items()} == {
        op: set(keys) for op, (_, keys) in EDITS.items()
    }


def test_every_task_type_has_a_label_document():
    assert set(BY_TASK_TYPE) == {name for name in task_type_names() if name}
    assert len(BY_TASK_TYPE) == 14
