"""Fields that several documents share."""

from __future__ import annotations

from typing import Any

import pytest

from labeling.rules.protocol import fields
from labeling.rules.protocol.forms import Form, check
from tests.support.judge import refusal

LONG: dict[str, Any] = {"$int": "1700000000123456789"}


@pytest.mark.parametrize(
    "form, good, bad",
    [
        (fields.version, ["0.1", 1, 0.5], [None, True, [], {}, LONG]),
        (fields.timestamp, ["00001", 1, 0.5, LONG], [None, False, [1], {}]),
        (fields.optional_timestamp, [None, ""], [False]),
        (fields.link_to_file, [{}, {"url": None}, {"url": "", "signed_url": "x", "a": 1}], [None, "x", {"url": 5}]),
        (fields.link_to_file, [{"signed_url": None}], [{"url": "", "signed_url": 5}]),
        (fields.xyz, [{"x": 1, "y": 0.5, "z": -1}], [{}, {"x": 1, "y": 1}, {"x": 1, "y": 1, "z": None}]),
        (fields.partial_xyz, [{}, {"x": None, "z": 1}], [None, [], {"y": "1"}]),
        (fields.quaternion, [dict.fromkeys(("qx", "qy", "qz", "qw"), 0)], [dict.fromkeys(("qx", "qy", "qz"), 0)]),
        (fields.attribute_map, [{}, {"a": "", "b": True, "c": ["x"], "d": LONG}], [None, [], {"a": [1]}, {"a": {}}]),
        (fields.optional_map, [None, {}], [[]]),
    ],
)
def test_what_fits_and_what_does_not(form: Form, good: list[Any], bad: list[Any]):
    for value in good:
        check(form, value, "v")
    for value in bad:
        assert refusal(lambda item: check(form, item, "v"), value) is not None, value


@pytest.mark.parametrize(
    "value, field",
    [({"a": 1, "b": {"c": 1}}, "v.b"), ({"a": ["x", 1]}, "v.a[1]"), ({"no word": {}}, "v.?"), (5, "v")],
)
def test_the_value_of_an_attribute_is_told_by_its_name(value: Any, field: str):
    error = refusal(lambda item: check(fields.attribute_map, item, "v"), value)
    assert error is not None and error.field == field
