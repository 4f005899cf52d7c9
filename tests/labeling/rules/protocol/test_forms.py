"""What checks are made of: where a fault is found, and what is passed over."""

from __future__ import annotations

from typing import Any

import pytest

from labeling.errors import InvalidValue
from labeling.rules.protocol import forms
from labeling.rules.protocol.forms import Form, any_of, check, listed, nullable, points, record, told_by

PAIR = record({"a": forms.whole}, {"b": forms.text})
DEEP = record({"x": listed(listed(PAIR))})


@pytest.mark.parametrize(
    "form, good, bad",
    [
        (forms.text, ["", "a"], [None, 1, b"a", ["a"]]),
        (forms.whole, [0, -5], [None, 1.0, True, "1"]),
        (forms.number, [0, -1.5], [None, True, "1", []]),
        (forms.flag, [True, False], [None, 0, 1, "true"]),
        (forms.one_of("a", "b"), ["a", "b"], [None, "", "c", ["a"], {}]),
        (nullable(forms.text), [None, ""], [0, False]),
        (listed(forms.text), [[], ["a"]], [None, "a", {}, ["a", 1], ("a",)]),
        (forms.texts, [[], ["a"] * 9], [None, "a", ["a", None]]),
        (forms.wholes, [[], [1, -2]], [None, [1.0], [True]]),
        (points(2), [[], [[1, 2.5]]], [None, [1, 2], [[1]], [[1, 2, 3]], [[1, None]], [(1, 2)], ["ab"], [{1: 2}]]),
        (points(2, 3), [[[1, 2], [1, 2, 3]]], [[[]], [[1, 2, 3, 4]], [[True, 2]]]),
        (PAIR, [{"a": 1}, {"a": 1, "b": "", "c": object}], [None, [], {}, {"b": ""}, {"a": None}, {"a": 1, "b": 1}]),
        (told_by("t", {"p": PAIR}), [{"t": "p", "a": 1}], [None, {}, {"a": 1}, {"t": ["p"], "a": 1}, {"t": "p"}]),
        (any_of(PAIR, forms.text), [{"a": 1}, "x"], [None, {}, 5]),
    ],
)  # fmt: skip
def test_what_fits_and_what_does_not(form: Form, good: list[Any], bad: list[Any]):
    for value in good:
        check(form, value, "v")
    for value in bad:
        with pytest.raises(InvalidValue):
            check(form, value, "v")


@pytest.mark.parametrize(
    "value, field",
    [
        (5, "v"),
        ({}, "v.x"),
        ({"x": [[], 5]}, "v.x[1]"),
        ({"x": [[], [{"a": 1}, {"a": 1, "b": 2}]]}, "v.x[1][1].b"),
        ({"x": [[{}]]}, "v.x[0][0].a"),
    ],
)
def test_a_fault_is_told_by_its_path(value: Any, field: str):
    with pytest.raises(InvalidValue) as caught:
        check(DEEP, value, "v")
    assert caught.value.field == field


def test_the_fault_of_the_form_that_came_furthest_is_told():
    either = any_of(record({"a": forms.text, "b": forms.text}), record({"a": forms.whole, "b": forms.whole}))
    for value, field in (({"a": 1, "b": None}, "v.b"), ({"a": "", "b": 1}, "v.b"), ({"a": 1}, "v.a"), (5, "v")):
        with pytest.raises(InvalidValue) as caught:
            check(either, value, "v")
        assert caught.value.field == field
