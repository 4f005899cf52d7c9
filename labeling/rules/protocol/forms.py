"""What checks are made of: a form is a function that passes over a value that fits and raises Unfit at any other.

The path is put together on the way out, so a value that fits costs nothing for it; lists of numbers are looked at in C.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

from labeling.errors import InvalidValue
from labeling.log.values import below

Form = Callable[[Any], None]

NUMBERS = frozenset({int, float})


class Unfit(Exception):
    """A value does not fit; `steps` lead to it, the innermost first."""

    def __init__(self, problem: str, *steps: str | int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.steps: list[str | int] = list(steps)


def check(form: Form, value: Any, where: str) -> None:
    """Pass over a value that fits.

    Raises:
        InvalidValue: by the path of the first fault; names that a client made up are not repeated in it.
    """
    try:
        form(value)
    except Unfit as fault:
        for step in reversed(fault.steps):
            where = below(where, step)
        raise InvalidValue(where, fault.problem) from None


# --- scalars -------------------------------------------------------------------------------------------------------


def text(value: Any) -> None:
    if type(value) is not str:
        raise Unfit("must be a string")


def whole(value: Any) -> None:
    if type(value) is not int:
        raise Unfit("must be a whole number")


def number(value: Any) -> None:
    kind = type(value)
    if kind is not float and kind is not int:
        raise Unfit("must be a number")


def flag(value: Any) -> None:
    if type(value) is not bool:
        raise Unfit("must be true or false")


def one_of(*words: str) -> Form:
    """One of a few strings."""

    def form(value: Any) -> None:
        if type(value) is not str or value not in words:
            raise Unfit(f"must be {words[0]}" if len(words) == 1 else f"must be one of {', '.join(words)}")

    return form


def nullable(inner: Form) -> Form:
    """Null, or what `inner` takes."""

    def form(value: Any) -> None:
        if value is not None:
            inner(value)

    return form


# --- lists ---------------------------------------------------------------------------------------------------------


def listed(inner: Form) -> Form:
    """A list of what `inner` takes."""

    def form(value: Any) -> None:
        if type(value) is not list:
            raise Unfit("must be a list")
        index = 0
        try:
            for index, item in enumerate(value):  # noqa: B007 - where the fault is
                inner(item)
        except Unfit as fault:
            fault.steps.append(index)
            raise

    return form


def scalars(kind: type, inner: Form) -> Form:
    """A list of scalars of one exact type, which may be a million long."""
    slow, kinds = listed(inner), frozenset({kind})

    def form(value: Any) -> None:
        if type(value) is not list or not kinds.issuperset(map(type, value)):
            slow(value)

    return form


texts = scalars(str, text)
wholes = scalars(int, whole)


def points(*lengths: int) -> Form:
    """A list of points, each a list of numbers of one of these lengths."""
    words = " or ".join({2: "[x, y]", 3: "[x, y, z]"}[length] for length in lengths)
    kinds, sizes = frozenset({list}), frozenset(lengths)

    def form(value: Any) -> None:
        if type(value) is not list:
            raise Unfit("must be a list")
        if kinds.issuperset(map(type, value)) and sizes.issuperset(map(len, value)):
            if NUMBERS.issuperset(map(type, chain.from_iterable(value))):
                return
        for index, point in enumerate(value):
            if type(point) is not list or len(point) not in sizes or not NUMBERS.issuperset(map(type, point)):
                raise Unfit(f"must be {words}, all numbers", index)

    return form


# --- objects -------------------------------------------------------------------------------------------------------


def record(required: Mapping[str, Form], optional: Mapping[str, Form] | None = None) -> Form:
    """An object that has these fields; all others are passed over."""
    known = {**(optional or {}), **required}
    needed = tuple(required)

    def form(value: Any) -> None:
        if type(value) is not dict:
            raise Unfit("must be an object")
        key = ""
        try:
            for key, item in value.items():
                inner = known.get(key)
                if inner is not None:
                    inner(item)
        except Unfit as fault:
            fault.steps.append(key)
            raise
        for key in needed:
            if key not in value:
                raise Unfit("is required", key)

    return form


def told_by(key: str, forms: Mapping[str, Form]) -> Form:
    """An object whose field `key` says which of the forms it has to fit."""
    problem = f"must be one of {', '.join(forms)}"

    def form(value: Any) -> None:
        if type(value) is not dict:
            raise Unfit("must be an object")
        name = value.get(key)
        inner = forms.get(name) if type(name) is str else None
        if inner is None:
            raise Unfit(problem if key in value else "is required", key)
        inner(value)

    return form


def any_of(*forms: Form) -> Form:
    """What one of the forms takes; the fault that is told is that of the form which came furthest in the document."""

    def form(value: Any) -> None:
        faults: list[Unfit] = []
        for inner in forms:
            try:
                inner(value)
                return
            except Unfit as fault:
                faults.append(fault)
        raise max(faults, key=lambda fault: _reached(value, fault))

    return form


def _reached(value: Any, fault: Unfit) -> list[int]:
    """How far a check came until its fault, in the order of the document; a form whose field is not there came last."""
    found = []
    for step in reversed(fault.steps):
        if type(value) is dict:
            found.append(list(value).index(step) if step in value else -1)
            value = value.get(step)
        else:
            found.append(int(step))
            value = value[step]
    return found
