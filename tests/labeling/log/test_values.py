from __future__ import annotations

import json
import math
import struct
from typing import Any

import orjson
import pytest
import rfc8785
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeling.log import values
from labeling.log.values import BadValue

LARGEST = 2**53 - 1

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12).filter(
    lambda text: text != values.TAG
)
any_float = st.floats(allow_nan=False, allow_infinity=False)
float_bits = st.binary(min_size=8, max_size=8).map(lambda raw: struct.unpack("<d", raw)[0]).filter(math.isfinite)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-LARGEST, LARGEST)
    | any_float
    | float_bits
    | st.integers(-9, 9).map(float)
    | texts
)
jsons = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5), max_leaves=20
)


def without_negative_zero(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_negative_zero(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_negative_zero(item) for item in value]
    return 0.0 if isinstance(value, float) and value == 0 else value


def through_jsonb(value: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("select (%s::jsonb)::text", [orjson.dumps(value).decode()])
        return values.load_stored(cursor.fetchone()[0])


@given(jsons)
def test_canonical_bytes_are_those_of_the_rfc8785_package(value: Any) -> None:
    assert values.canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    ("number", "spelled"),
    [
        (0.0, b"0"),
        (-0.0, b"0"),
        (1.0, b"1"),
        (-12.0, b"-12"),
        (0.5, b"0.5"),
        (1e15, b"1000000000000000"),
        (1e16, b"10000000000000000"),
        (123456789012345678.0, b"123456789012345680"),
        (1e20, b"100000000000000000000"),
        (1e21, b"1e+21"),
        (1.5e300, b"1.5e+300"),
        (1e-5, b"0.00001"),
        (1e-6, b"0.000001"),
        (1e-7, b"1e-7"),
        (-1.25e-9, b"-1.25e-9"),
        (5e-324, b"5e-324"),
        (1.7976931348623157e308, b"1.7976931348623157e+308"),
    ],
)
def test_a_float_is_written_as_ecmascript_writes_it_wherever_it_stands(number: float, spelled: bytes) -> None:
    assert values.canonical(number) == spelled
    assert values.canonical([number, number]) == b"[%b,%b]" % (spelled, spelled)
    assert values.canonical({"1.0,": ["1e16", number], "b": number}) == b'{"1.0,":["1e16",%b],"b":%b}' % (
        spelled,
        spelled,
    )


def test_names_are_ordered_by_utf16_code_units() -> None:
    assert values.canonical({"\ufb33": 1, "\U0001f600": 2, "z": 3}) == '{"z":3,"\U0001f600":2,"\ufb33":1}'.encode()


@pytest.mark.parametrize("text", ['a"b', "1.0,", '\\",1.0,"', "x\u001f\u007f\u2028/", "-0.0]", "5e-7,", "\\"])
def test_numbers_in_texts_are_left_alone(text: str) -> None:
    value: Any = {text: [text, 1.0, -0.0, 5e-7], "n": {text: 1e22}}
    assert values.canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("number", [2**53, 2**60, 10**17, -(10**18), 1152921504606847000, 10**22, int(1.5e300)])
def test_a_long_integer_is_written_as_the_float_it_stands_for(number: int) -> None:
    assert values.canonical({"n": [number, 1]}) == rfc8785.dumps({"n": [float(number), 1]})


@pytest.mark.parametrize("number", [2**53 + 1, 10**17 + 1, 10**400])
def test_a_long_integer_that_is_no_float_has_no_hash(number: int) -> None:
    with pytest.raises(ValueError):
        values.digest([number])


@pytest.mark.parametrize(
    "value", [math.nan, [math.inf], {"a": -math.inf}, (1, 2), {1: 2}, ["\ud800"], {"\udfff": 1}, b"x", {1}]
)
def test_what_no_json_text_says_has_no_hash(value: Any) -> None:
    with pytest.raises(ValueError):
        values.canonical(value)


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(value=jsons)
def test_the_hash_of_a_value_equals_its_hash_after_a_trip_through_jsonb(db: None, value: Any) -> None:
    value = values.checked(value, where="value")
    stored = through_jsonb(value)
    assert values.digest(stored) == values.digest(value)
    assert values.same(stored, value)
    assert values.same(value, stored)


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(value=jsons)
def test_what_was_stored_is_written_canonically_in_less_time(db: None, value: Any) -> None:
    stored = through_jsonb(values.checked(value, where="value"))
    assert values.canonical_of_stored(stored) == values.canonical(stored)


@pytest.mark.parametrize(
    "value",
    [
        1e22,
        1e21,
        1.5e300,
        5e-324,
        -0.0,
        1e-7,
        [1.0],
        {"a": 2.0},
        2**53,
        10**20,
        10**300,
        "1.0,e-7]",
        {"\ufb33": 1},
        None,
    ],
)
def test_numbers_that_orjson_spells_otherwise_are_canonical_however_they_were_read(value: Any) -> None:
    for written in ([value], [value, "x"], {"n": value, "e": 1.5}, value if type(value) is not int else [value]):
        assert values.canonical_of_stored(written) == values.canonical(written)


@pytest.mark.parametrize("value", [math.nan, math.inf, [1.0, -math.inf], "\ud800"])
def test_what_is_no_json_is_refused_in_the_fast_form_as_well(value: Any) -> None:
    with pytest.raises(ValueError):
        values.canonical_of_stored(value)


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(number=float_bits)
def test_a_float_comes_back_from_jsonb_bit_by_bit(db: None, number: float) -> None:
    number = values.checked(number, where="number")
    assert struct.pack("<d", float(through_jsonb([number])[0])) == struct.pack("<d", number)
    assert values.digest(through_jsonb([number])) == values.digest([number])


@given(jsons, st.booleans(), st.sampled_from([None, 2]))
def test_parse_reads_what_the_standard_library_writes(value: Any, ascii_only: bool, indent: int | None) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    wanted = without_negative_zero(value)
    parsed = values.parse(raw)
    assert repr(parsed) == repr(wanted)
    assert repr(values.checked(value, where="value")) == repr(wanted)
    assert values.canonical(parsed) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    ("raw", "where", "problem"),
    [
        (b"", "body", "valid JSON"),
        (b"  ", "body", "valid JSON"),
        (b"1 2", "body", "valid JSON"),
        (b'{"a":1}]', "body", "valid JSON"),
        (b'{"a":[1,]}', "body", "valid JSON"),
        (b"'a'", "body", "valid JSON"),
        (b"01", "body", "valid JSON"),
        (b"\xef\xbb\xbf1", "body", "valid JSON"),
        (b'"\t"', "body", "valid JSON"),
        (b'"\\x"', "body", "valid JSON"),
        (b'["open', "body", "valid JSON"),
        (b'["open\\', "body", "valid JSON"),
        (b'{"a":{"b":NaN}}', "a.b", "finite"),
        (b'{"a":[0,Infinity]}', "a[1]", "finite"),
        (b'{"a":[0,-Infinity]}', "a[1]", "finite"),
        (
            b'{"attributes":{"annotations":[{},{"points":[[0,1e400]]}]}}',
            "attributes.annotations[1].points[0][1]",
            "finite",
        ),
        (b'[true,"x",-1e999]', "body[2]", "finite"),
        (b'{"a":"x\\u0000y"}', "a", "NUL"),
        (b'{"a":{"x\\u0000y":1}}', "a", "NUL"),
        (b'{"a":["\\ud800"]}', "a[0]", "surrogate"),
        (b'{"a":["\\ud83dx"]}', "a[0]", "surrogate"),
        (b'{"a":["\\udc00\\ud800"]}', "a[0]", "surrogate"),
        (b'{"a":{"\\ud800":1}}', "a", "surrogate"),
        (b'{"a":["ok","\xed\xa0\x80"]}', "a[1]", "UTF-8"),
        (b'{"a":"\xff"}', "a", "UTF-8"),
        (b'{"a":1,"a":1}', "a", "twice"),
        (b'{"p":[1,{"a":":","b":{},"a":2}]}', "p[1].a", "twice"),
        (b'{"a":1,"\\u0061":2}', "a", "twice"),
        (b'{"x":"\\u003a","a":1,"a":1}', "a", "twice"),
        (b'{"x":"::\\u003A\\u003a","a:":1,"a:":1}', "?", "twice"),
        (b'{"a":{"b":1,"b":1},"a":{}}', "a.b", "twice"),
        (b'{"n":9007199254740992}', "n", "2**53-1"),
        (b'{"n":[-9007199254740992]}', "n[0]", "2**53-1"),
        (b'{"n":18446744073709551616}', "n", "2**53-1"),
        (b'{"n":' + b"7" * 400 + b"}", "n", "2**53-1"),
        (b'{"n":-' + b"7" * 100_000 + b"}", "n", "2**53-1"),
        (b"[" * 65 + b"]" * 65, "body" + "[0]" * 64, "64 levels"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, ".".join("a" * 64), "64 levels"),
        (b"[" * 100_000, "body" + "[0]" * 64, "64 levels"),
        (b'{"a":[' * 50_000, "a" + "[0].a" * 31 + "[0]", "64 levels"),
        (b'{"k":' + b"[" * 900 + b"]" * 900 + b',"k":1}', "k" + "[0]" * 63, "64 levels"),
        (b'{"t":{"$int":"9007199254740993"}}', "t", "reserved"),
        (b'{"t":{"\\u0024int":"9007199254740993"}}', "t", "reserved"),
        (b'{"secret words":[NaN]}', "?[0]", "finite"),
    ],
)
def test_a_bad_text_is_refused_with_the_place_of_the_fault(raw: bytes, where: str, problem: str) -> None:
    with pytest.raises(BadValue) as refusal:
        values.parse(raw)
    assert refusal.value.where == where
    assert problem in refusal.value.problem
    assert str(refusal.value) == f"{where} {refusal.value.problem}"


def test_the_place_starts_at_the_name_the_caller_gives() -> None:
    with pytest.raises(BadValue) as refusal:
        values.parse(b'{"a":[NaN]}', where="metadata")
    assert refusal.value.where == "metadata.a[0]"


@given(st.binary(max_size=40))
def test_arbitrary_bytes_are_read_as_the_standard_library_reads_them_or_refused(raw: bytes) -> None:
    try:
        value = values.parse(raw)
    except BadValue:
        return
    assert without_negative_zero(json.loads(raw)) == value


json_like = st.lists(
    st.sampled_from(
        [
            *'{}[]:,"',
            '"a"',
            '"b"',
            '"a":',
            '"b":',
            "1",
            "-0.0",
            "1e400",
            "9007199254740993",
            "NaN",
            "null",
            '"\\u0000"',
            " ",
        ]
    ),
    max_size=14,
).map("".join)


@given(json_like)
def test_parse_refuses_exactly_what_a_strict_reading_refuses(text: str) -> None:
    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError
        return dict(pairs)

    def number(digits: str) -> float:
        if not math.isfinite(float(digits)):
            raise ValueError
        return float(digits)

    def integer(digits: str) -> int:
        if abs(int(digits)) > LARGEST:
            raise ValueError
        return int(digits)

    def refuse(word: str) -> None:
        raise ValueError

    try:
        wanted = json.loads(
            text, object_pairs_hook=members, parse_float=number, parse_int=integer, parse_constant=refuse
        )
        if "\\u0000" in json.dumps(wanted):
            raise ValueError
    except ValueError:
        with pytest.raises(BadValue):
            values.parse(text.encode())
    else:
        assert repr(values.parse(text.encode())) == repr(without_negative_zero(wanted))


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"-0", 0),
        (b"-0.0", 0.0),
        (b'[-0.0,-1e-400,"-0.0"]', [0.0, 0.0, "-0.0"]),
        (b"1E5", 100000.0),
        (b"[1e300,1e20]", [1e300, 1e20]),
        (b"0." + b"1" * 400, 0.1111111111111111),
        (b"9007199254740991", LARGEST),
        (b'{"a":"b:c","d":{}}', {"a": "b:c", "d": {}}),
        (b'{"a":"\\u003a\\\\u0000"}', {"a": ":\\u0000"}),
        (b'["$int"]', ["$int"]),
        (b"[" * 64 + b"]" * 64, None),
    ],
)
def test_unusual_but_good_texts_are_read(raw: bytes, value: Any) -> None:
    parsed = values.parse(raw)
    if value is not None:
        assert repr(parsed) == repr(value)


def test_declared_integers_come_back_tagged_and_others_are_refused() -> None:
    raw = b'{"frames":[{"timestamp":1700000000000000001},{"timestamp":5}],"times":[9007199254740993]}'
    value = values.parse(raw, wide={"timestamp", "times"})
    assert value == {
        "frames": [{"timestamp": {"$int": "1700000000000000001"}}, {"timestamp": 5}],
        "times": [{"$int": "9007199254740993"}],
    }
    assert values.untagged(value) == json.loads(raw)
    assert values.checked(value, where="value") is value
    with pytest.raises(BadValue) as refusal:
        values.parse(raw, wide={"timestamp"})
    assert refusal.value.where == "times[0]"
    for too_long in (b"9223372036854775808", b"99999999999999999999999"):
        with pytest.raises(BadValue):
            values.parse(b'{"timestamp":%b}' % too_long, wide={"timestamp"})


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_a_tagged_integer_can_be_stored_and_read_back(number: int) -> None:
    stored = values.checked(values.tagged(number), where="timestamp")
    assert values.untagged(values.load_stored(values.canonical(stored))) == number


@pytest.mark.parametrize(
    ("value", "where", "problem"),
    [
        ({"a": [1, math.nan]}, "form.a[1]", "finite"),
        ([1, {"b": math.inf}], "form[1].b", "finite"),
        ("a\0b", "form", "NUL"),
        ({"a\0b": 1}, "form", "NUL"),
        ("\ud800", "form", "surrogate"),
        ({"a": {"\udfff": 1}}, "form.a", "surrogate"),
        (2**53, "form", "2**53-1"),
        ({"a": -(2**53)}, "form.a", "2**53-1"),
        ({"a": (1, 2)}, "form.a", "must be null"),
        ({1: 2}, "form", "name of every member"),
        ([b"x"], "form[0]", "must be null"),
        ([type("Word", (str,), {})("x")], "form[0]", "must be null"),
        ({"$int": "5"}, "form", "reserved"),
        ({"$int": "9007199254740993", "a": 1}, "form", "reserved"),
        ({"$int": 9007199254740993}, "form", "reserved"),
        ({"$int": "09007199254740993"}, "form", "reserved"),
    ],
)
def test_a_bad_python_value_is_refused_with_the_place_of_the_fault(value: Any, where: str, problem: str) -> None:
    with pytest.raises(BadValue) as refusal:
        values.checked(value, where="form")
    assert refusal.value.where == where
    assert problem in refusal.value.problem


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(BadValue):
        values.checked(loop, where="value")


def test_checking_leaves_the_given_value_as_it_was() -> None:
    value = {"a": [-0.0, 1.5]}
    assert repr(values.checked(value, where="value")) == "{'a': [0.0, 1.5]}"
    assert repr(value) == "{'a': [-0.0, 1.5]}"


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        (1, True, False),
        (0, False, False),
        (0.0, False, False),
        (None, False, False),
        ("1", 1, False),
        (1, 1.0, True),
        (0.0, -0.0, True),
        ([], {}, False),
        ([1, 2], [1.0, 2], True),
        ([1], [1, 1], False),
        ([True], [1.0], False),
        ([[1.5, 2.5]], [[1.5, 2.5]], True),
        ([1.5, 2.5], [1.5, 2.0], False),
        ({"a": 1, "b": None}, {"b": None, "a": 1}, True),
        ({"a": None}, {}, False),
        ({"a": None}, {"b": None}, False),
        ({"a": [{"b": 1}]}, {"a": [{"b": True}]}, False),
        (1e300, int(1e300), True),
        (1.152921504606847e18, 1152921504606847000, True),
        (2**53 + 2, 2**53, False),
    ],
)
def test_equality_is_strict_about_types_but_not_about_spellings(a: Any, b: Any, equal: bool) -> None:
    assert values.same(a, b) is equal
    assert values.same(b, a) is equal


@given(jsons, jsons)
def test_values_are_the_same_exactly_when_their_canonical_bytes_are(a: Any, b: Any) -> None:
    assert values.same(a, b) == (values.canonical(a) == values.canonical(b))
    assert values.same(a, values.load_stored(values.canonical(a)))


def test_the_digest_is_the_sha256_of_the_canonical_bytes() -> None:
    assert (
        values.digest({"b": 1.0, "a": []}).hex() == "1c8f8816506a8ccbc55140d8a7bb70214a8942c7030fc0fc2914cec675cd1c15"
    )
