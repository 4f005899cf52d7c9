"""Errors as answers: one table of codes, one shape, the protocol's words, and none of them by accident."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404
from rest_framework import exceptions

from labeling import errors
from labeling.api.errors import STATUS, answer_error
from labeling.log.values import BadValue
from tests.labeling.api.conftest import Answer

#: What the public SDK looks for in the text of an error (segments-protocol.md §1.3), and its class.
MAPPED = {
    "not found": "NotFoundError",
    "does not exist": "NotFoundError",
    "already exists": "AlreadyExistsError",
    "already have": "AlreadyExistsError",
    "cannot be added as collaborator": "CollaboratorError",
    "is already a collaborator": "CollaboratorError",
    "authentication credentials were not provided": "AuthenticationError",
    "cannot leave the organization": "AuthorizationError",
    "need to be an administrator": "AuthorizationError",
    "do not have permission": "AuthorizationError",
    "free trial ended": "SubscriptionError",
    "exceeded user limit": "SubscriptionError",
    "time-out": "TimeoutError",
    "invalid page": "NotFoundError",
}


def answered(error: Exception) -> Answer:
    response = answer_error(error, {"kwargs": {"sample": "s", "label_set": "l"}})
    assert response is not None
    return Answer(response)


def mapped(text: str) -> str | None:
    """The error class that the SDK makes of a text."""
    return next((name for words, name in MAPPED.items() if words in text.lower()), None)


CASES: list[tuple[Exception, int, str, str | None]] = [
    (errors.InvalidValue("a.b", "must be x"), 400, "invalid", None),
    (errors.AnnotationNotFound("edits[0].annotation"), 400, "annotation_unknown", None),
    (errors.NotPermitted("Only so."), 403, "not_permitted", "AuthorizationError"),
    (errors.NotPermitted(), 403, "not_permitted", "AuthorizationError"),
    (errors.NotFound("The label"), 404, "not_found", "NotFoundError"),
    (errors.NotFound(), 404, "not_found", "NotFoundError"),
    (errors.AlreadyExists("Sample"), 409, "already_exists", "AlreadyExistsError"),
    (errors.AlreadyCollaborator(), 409, "already_collaborator", "CollaboratorError"),
    (errors.CannotCollaborate(), 409, "cannot_collaborate", "CollaboratorError"),
    (errors.AlreadyMember(), 409, "already_member", None),
    (errors.LastAdministrator(), 409, "last_administrator", "AuthorizationError"),
    (errors.Conflict("label/s/l", 7, ["annotation:x"]), 409, "conflict", None),
    (errors.StaleBitmap("edits[0].base_hash"), 409, "stale_bitmap", None),
    (errors.AreaOpen("edits[0].confirm"), 409, "area_open", None),
    (errors.Refused("It is not so."), 409, "refused", None),
    (errors.NoMask("The picture is on another server."), 409, "no_mask", None),
    (errors.InTheWay(["annotation:x"]), 409, "in_the_way", None),
    (errors.HistoryExhausted("There is none."), 409, "history_exhausted", None),
    (errors.VersionUnknown("It is not so."), 412, "version_unknown", None),
    (errors.TooLarge("It is."), 413, "too_large", None),
    (errors.ReasonRequired("to delete"), 422, "reason_required", None),
    (errors.IdempotencyKeyReused(), 422, "idempotency_key_reused", None),
    (errors.TooManySignals(5, 60), 429, "too_many_signals", None),
    (errors.Busy(), 503, "busy", None),
    (errors.StorageUnavailable(), 503, "storage_unavailable", None),
    (BadValue("a.b", "must be x"), 400, "invalid", None),
    (errors.PageNotFound(), 404, "invalid_page", "NotFoundError"),
    (Http404("a model and its id"), 404, "not_found", "NotFoundError"),
    (PermissionDenied("who"), 403, "not_permitted", "AuthorizationError"),
    (RequestDataTooBig("how much"), 413, "too_large", None),
    (exceptions.NotAuthenticated(), 401, "not_authenticated", "AuthenticationError"),
    (exceptions.AuthenticationFailed("Invalid API key."), 401, "authentication_failed", None),
    (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed", None),
    (exceptions.UnsupportedMediaType("does not exist"), 415, "unsupported_media_type", None),
    (exceptions.Throttled(wait=5), 429, "throttled", None),
    (OperationalError("a password of the database"), 503, "unavailable", None),
]


@pytest.mark.parametrize("error, status, code, sdk_class", CASES, ids=lambda value: type(value).__name__)
def test_how_an_error_is_answered(error, status, code, sdk_class):
    answer = answered(error)
    assert (answer.status, answer.json["code"]) == (status, code)
    assert isinstance(answer.detail, str) and answer.detail
    assert mapped(answer.raw.decode()) == sdk_class
    for secret in ("model and its id", "password"):
        assert secret not in answer.raw.decode()


def test_every_error_of_ours_has_a_status():
    classes = {
        item
        for _, item in inspect.getmembers(errors, inspect.isclass)
        if issubclass(item, errors.PalimpsestError) and item is not errors.PalimpsestError
    }
    assert set(STATUS) == classes
    assert {type(error) for error, *_ in CASES} >= classes


def test_a_field_is_named_beside_the_words():
    assert answered(errors.InvalidValue("a.b", "must be x")).json == {
        "detail": "a.b: must be x", "code": "invalid", "field": "a.b",
    }  # fmt: skip
    assert answered(BadValue("a.b", "must be x")).json == {
        "detail": "a.b: must be x",
        "code": "invalid",
        "field": "a.b",
    }


def test_a_conflict_says_what_both_touched_but_not_in_a_clients_words():
    touched = ["annotation:x", "id:5", "label", "pixels", "scene:does not exist", "score"]
    assert answered(errors.Conflict("label/s/l", 7, touched)).json | {"detail": ""} == {
        "detail": "",
        "code": "conflict",
        "touched": ["annotation:x", "id:5", "label", "pixels", "scene", "score"],
        "missed": "/labels/s/l/events/?after_version=7",
    }


@pytest.mark.parametrize(
    "error, header, value",
    [
        (errors.TooManySignals(5, 60), "Retry-After", "60"),
        (errors.Busy(), "Retry-After", "1"),
        (OperationalError(), "Retry-After", "2"),
        (exceptions.Throttled(wait=5), "Retry-After", "5"),
    ],
)
def test_when_to_come_back(error, header, value):
    assert answered(error).headers[header] == value


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), AssertionError(), RecursionError()])
def test_what_is_not_known_stays_an_exception(error):
    assert answer_error(error, {}) is None


def every_message() -> list[str]:
    """Every text of the source that could become the message of an error of ours."""
    import ast
    from pathlib import Path

    import labeling

    raised = {name for name, _ in inspect.getmembers(errors, inspect.isclass)} | {"BadValue", "BadBitmap"}
    found = []
    for path in Path(labeling.__file__).parent.rglob("*.py"):
        if "migrations" in path.parts or path.name == "errors.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in raised:
                for argument in ast.walk(node):
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                        found.append(argument.value)
    return found


def test_no_refusal_has_the_words_of_another_error_by_accident():
    texts = every_message()
    assert len(texts) > 100
    needs_an_administrator: Any = "Creating datasets for others needs to be an administrator of them."
    assert [text for text in texts if mapped(text) and text != needs_an_administrator] == []
