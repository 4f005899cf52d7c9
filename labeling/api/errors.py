"""Errors as answers: the one table of status codes, and the one shape {detail, code, field}.

The public SDK maps errors by words in the body, so the words of the protocol are exact, and no answer repeats a value.
"""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views.defaults import page_not_found
from rest_framework import exceptions

from labeling import errors
from labeling.api.answers import answer
from labeling.api.denials import tell_denial
from labeling.log.values import BadValue

logger = logging.getLogger(__name__)
TOO_LARGE = "The request body is larger than the limit."
UNSUPPORTED = "The body must be application/json, as it is or with Content-Encoding: gzip."

STATUS: dict[type[errors.PalimpsestError], int] = {
    errors.InvalidValue: 400,
    errors.AnnotationNotFound: 400,
    errors.NotPermitted: 403,
    errors.NotFound: 404,
    errors.PageNotFound: 404,
    errors.AlreadyExists: 409,
    errors.AlreadyCollaborator: 409,
    errors.CannotCollaborate: 409,
    errors.AlreadyMember: 409,
    errors.LastAdministrator: 409,
    errors.Conflict: 409,
    errors.StaleBitmap: 409,
    errors.AreaOpen: 409,
    errors.Refused: 409,
    errors.InTheWay: 409,
    errors.HistoryExhausted: 409,
    errors.NoMask: 409,
    errors.VersionUnknown: 412,
    errors.TooLarge: 413,
    errors.ReasonRequired: 422,
    errors.IdempotencyKeyReused: 422,
    errors.TooManySignals: 429,
    errors.Busy: 503,
    errors.StorageUnavailable: 503,
}


def answer_error(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF's exception handler. What it does not know stays an exception, and a bug."""
    headers: dict[str, str] = {}
    body: dict[str, Any]
    request = context.get("request")
    if isinstance(error, errors.NotPermitted | exceptions.AuthenticationFailed) and request is not None:
        tell_denial(request, error)
    if isinstance(error, errors.PalimpsestError):
        status = STATUS[type(error)]
        # One text for what is not there and what the caller may not know of.
        detail = "Not found." if isinstance(error, errors.NotFound) else error.message
        body = {"detail": detail, "code": error.code}
        if hasattr(error, "field"):
            body["field"] = error.field
        if isinstance(error, errors.Conflict):
            body["touched"] = [_shown(item) for item in error.touched]
            body["missed"] = error.missed or _missed(error, context)
        if isinstance(error, errors.InTheWay):
            body["touched"] = [_shown(item) for item in error.names]
        if isinstance(error, (errors.Busy, errors.StorageUnavailable, errors.TooManySignals)):
            headers["Retry-After"] = str(error.retry_after_s)
    elif isinstance(error, BadValue):
        status, body = 400, {"detail": f"{error.where}: {error.problem}", "code": "invalid", "field": error.where}
    elif isinstance(error, Http404):
        status, body = 404, {"detail": "Not found.", "code": "not_found"}
    elif isinstance(error, PermissionDenied):
        status, body = 403, {"detail": "You do not have permission to perform this action.", "code": "not_permitted"}
    elif isinstance(error, RequestDataTooBig):
        status, body = 413, {"detail": TOO_LARGE, "code": "too_large"}
    elif isinstance(error, exceptions.UnsupportedMediaType):
        status, body = 415, {"detail": UNSUPPORTED, "code": "unsupported_media_type"}
    elif isinstance(error, exceptions.APIException):
        status = error.status_code
        body = {"detail": str(getattr(error, "detail", error)), "code": str(error.get_codes())}
        for attribute, header in (("auth_header", "WWW-Authenticate"), ("wait", "Retry-After")):
            value = getattr(error, attribute, None)
            if value:
                headers[header] = str(value)
    elif isinstance(error, OperationalError | InterfaceError):
        logger.error("the database did not answer", exc_info=error)
        # The connection may have broken while a commit was on its way, so nobody knows whether it happened.
        detail = "The database does not answer. Try again, with the same Idempotency-Key if you sent one."
        status, body = 503, {"detail": detail, "code": "unavailable"}
        headers["Retry-After"] = "2"
    else:
        return None
    return answer(body, status=status, headers=headers)


def no_such_address(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler404: the words that every refusal has, but for the pages of browsers."""
    if request.path.startswith(("/admin/", "/accounts/")):
        return page_not_found(request, exception)
    return answer({"detail": "Not found.", "code": "not_found"}, status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler400: what Django refuses before a view sees it, a form that is none, a host that is not ours …"""
    if isinstance(exception, RequestDataTooBig):
        return answer({"detail": TOO_LARGE, "code": "too_large"}, status=413)
    return answer({"detail": "The request is malformed.", "code": "invalid"}, status=400)


def _shown(name: str) -> str:
    """What both touched, without the words of a client: the name of a scene attribute may be anything."""
    return "scene" if name.startswith("scene:") else name


def _missed(error: errors.Conflict, context: dict[str, Any]) -> str:
    """The address of the events that the client missed."""
    kwargs = context.get("kwargs") or {}
    return f"/labels/{kwargs.get('sample')}/{kwargs.get('label_set')}/events/?after_version={error.since}"
