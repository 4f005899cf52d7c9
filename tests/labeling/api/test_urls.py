"""The addresses: each with and without the last slash, and nothing beside them."""

from __future__ import annotations

import re
import uuid

import pytest
from django.urls import URLPattern, resolve, reverse

from labeling.api.urls import urlpatterns
from tests.labeling.api.conftest import browser

#: Addresses with one form: a file's name and what a browser opens.
EXACT = {"media", "schema", "docs"}
BOTH = [pattern for pattern in urlpatterns if pattern.name not in EXACT]


@pytest.mark.parametrize("pattern", BOTH, ids=lambda pattern: str(pattern.name))
def test_an_address_has_both_forms(pattern: URLPattern) -> None:
    said = dict.fromkeys(pattern.pattern.regex.groupindex, str(uuid.UUID(int=5, version=4)))
    path = reverse(str(pattern.name), kwargs=said).rstrip("/")
    for form in (path, f"{path}/"):
        found = resolve(form)
        assert (found.url_name, found.kwargs) == (pattern.name, said)


def test_the_addresses_of_the_sdk_are_there() -> None:
    names = {pattern.name for pattern in BOTH}
    assert names >= {
        "api-status", "user", "user-datasets", "users-datasets", "organization-datasets", "dataset", "collaborators",
        "collaborator", "labelsets", "labelset", "samples", "samples-bulk", "sample", "label", "assets", "asset-upload",
    }  # fmt: skip


@pytest.mark.parametrize(
    "path", ["/user//", "/datasets/ana//", "/datasets//streets/", "/labels/1/2/3/", "/labels/", "/x"]
)
def test_another_address_is_not_found_in_words_that_the_sdk_knows(caller, path):
    answer = caller("ana").get(path)
    assert answer.status == 404 and re.search(b"not found", answer.raw, re.IGNORECASE)


def test_the_schema_and_its_page_are_served(caller):
    schema = caller("ana").get("/api/schema/")
    assert schema.status == 200 and b"/labels/{sample}/{label_set}/edits" in schema.raw
    assert caller("ana").get("/api/docs/").status == 200


def test_what_no_view_sees_is_refused_in_the_form_of_all_refusals(visit):
    unknown = visit("/datasets/a/b/c/d/e/")
    assert (unknown.status, unknown.json) == (404, {"detail": "Not found.", "code": "not_found"})
    host = visit("/api_status/", Host="elsewhere.example")
    assert (host.status, host.json["code"]) == (400, "invalid")
    method = visit("/media/token/a.png", "DELETE")
    assert (method.status, method.json["code"], method.headers["Allow"]) == (
        405,
        "method_not_allowed",
        "GET, HEAD, OPTIONS",
    )


def test_a_form_that_is_none_is_refused(visit):
    browsed = browser(enforce_csrf=True)
    response = browsed.generic("POST", "/assets/upload/", b"x", content_type="multipart/form-data; boundary=")
    assert response.status_code == 400 and response.json()["code"] == "invalid"


def test_a_page_of_the_admin_that_is_not_there_is_a_page(visit):
    answer = visit("/accounts/nowhere/")
    assert answer.status == 404 and answer.headers["Content-Type"].startswith("text/html")
