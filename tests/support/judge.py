"""The SDK's own models as the judge of what our checks take."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from labeling.errors import InvalidValue
from tests.support.bent import GONE, MARK, Fault, every_fault, path

Check = Callable[[Any], object]


def refusal(check: Check, document: Any) -> InvalidValue | None:
    """The error of a check, or None where it takes the document."""
    try:
        check(document)
    except InvalidValue as error:
        return error
    return None


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def is_readable(model: Any, document: Any) -> bool:
    """Whether the model takes the document."""
    try:
        _adapter(model).validate_python(document)
    except ValidationError:
        return False
    return True


def sent_by_sdk(models: Any, document: Any) -> Any:
    """What the SDK would send when it is given the document; None where it sends nothing.

    It validates with the union of all models and drops what the one that fits does not know.
    """
    try:
        read = _adapter(models).validate_python(document)
    except ValidationError:
        return None
    return read.model_dump(mode="json", exclude_unset=True)


def assert_judged(check: Check, model: Any, document: Any) -> None:
    """What the check takes, the model reads."""
    if refusal(check, document) is None:
        assert is_readable(model, document), document


def sweep(check: Check, model: Any, models: Any, document: Any, *, told_by: str, stricter: str = r"$^") -> None:
    """Every single fault in a good document, judged.

    What the check takes the model reads; a refusal names the field, or what it belongs to where the field is one of
    `told_by` or gone, and does not repeat the value; and what the SDK sends of it, the check takes, except for the
    fields `stricter`.
    """
    assert refusal(check, document) is None
    where = "attributes"
    taken = 0
    for fault in every_fault(document):
        error = refusal(check, fault.document)
        if error is None:
            taken += 1
            assert is_readable(model, fault.document), f"{path(where, fault.place)} became unreadable"
            continue
        assert MARK not in error.problem
        assert _names(error.field, fault, where, told_by), (error.field, path(where, fault.place))
        sent = sent_by_sdk(models, fault.document)
        if sent is not None and is_readable(model, sent):
            again = refusal(check, sent)
            assert again is None or re.search(stricter, again.field), again
    assert taken, "a check that takes nothing proves nothing"


def _names(field: str, fault: Fault, where: str, told_by: str) -> bool:
    exact, around = path(where, fault.place), path(where, fault.place[:-1])
    if fault.value is GONE or re.fullmatch(told_by, str(fault.place[-1])):
        return field.startswith(around)
    return field.startswith(exact)
