"""What is written out once is the value, and its digest."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.log import values, written
from tests.labeling.log.test_values import jsons, texts, without_negative_zero


@given(st.dictionaries(texts, jsons, max_size=5))
def test_what_is_written_once_for_storing_and_hashing_is_the_value_and_its_digest(value: dict[str, Any]) -> None:
    text, digest = written.text_and_digest(value)
    assert values.same(values.load_stored(text), value)
    assert digest == values.digest(value)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 10**400, "\ud800", {1: 2}, {1, 2}, "a nesting too deep"])
def test_what_has_no_hash_is_not_written_either(bad: Any) -> None:
    if bad == "a nesting too deep":
        for _ in range(300):
            bad = [bad]
    for value in ({"x": bad}, {"x": [None, bad]}):
        with pytest.raises(ValueError):
            written.text_and_digest(value)


@given(inner=st.lists(jsons.map(without_negative_zero)), beside=jsons.map(without_negative_zero))
def test_a_list_that_was_written_out_before_is_stored_and_hashed_as_if_it_were_not(inner, beside):
    known = written.WrittenList(inner)
    known.written = written.write_out(inner)
    text, digest = written.text_and_digest({"b": known, "a": beside, "c": known})
    plain = {"b": inner, "a": beside, "c": inner}
    assert digest == values.digest(plain) and values.same(orjson.loads(text), plain)


numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)


@given(st.recursive(numbers, st.lists, max_leaves=20).filter(lambda value: isinstance(value, list)))
def test_numbers_in_lists_are_written_out_as_any_value_is(value):
    found = written.write_out_numbers(value)
    assert found.canonical == values.canonical(value) and values.same(orjson.loads(found.text), value)


@pytest.mark.parametrize("bad", [math.nan, -math.inf, 2**60 + 1])
def test_what_has_no_hash_is_not_written_out(bad):
    for write_out in (written.write_out, written.write_out_numbers):
        with pytest.raises(ValueError):
            write_out([1.5, bad])


@pytest.mark.parametrize(
    "beside", [2**60, 10**17, 1e300, 1.0, 0, 0.5, "é", '"list":0', None, {"list": 0}, {"list": 0.5}]
)
@pytest.mark.parametrize("count", [1, 2])
def test_whatever_stands_beside_a_list_that_was_written_out(beside: Any, count: int) -> None:
    """Also a number beyond 2**53-1 that a float holds, as a file of others may give a score."""
    known = written.WrittenList([1.0, {"a": 2.5}])
    known.written = written.write_out([*known])
    names = ["list", "another"][:count]
    text, digest = written.text_and_digest({"score": beside} | dict.fromkeys(names, known))
    plain = {"score": beside} | {name: [*known] for name in names}
    assert digest == values.digest(plain)
    assert values.same(orjson.loads(text), plain)


def test_a_value_that_was_written_out_is_a_member_as_a_list_is() -> None:
    inner = {"b": 1.0, "a": [2, "é"]}
    found = written.write_out_object({"x": 2.0, "value": written.write_out(inner)})
    assert found.canonical == values.canonical({"x": 2.0, "value": inner})
    assert values.same(orjson.loads(found.text), {"x": 2.0, "value": inner})
    assert orjson.dumps({"value": written.write_out(inner)}, default=written.fragment) == b'{"value":%b}' % (
        written.write_out(inner).text
    )
