"""The one door for values: what JSON may enter the log, how it is hashed, compared and read back. Pure.

A value is null, a bool, an int, a float, text, a list or an object with text names. Numbers are float64 or integers of
at most 2**53-1; the only longer ones are those a caller declares (nanosecond times), which are stored as
{"$int": "1700000000000000001"}. `canonical` writes RFC 8785; orjson does the work and only what it spells differently
from ECMAScript (1.0, 1e16, names outside the basic plane) is touched again, because a library takes ten times as long.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from decimal import Decimal
from hashlib import sha256
from itertools import chain
from typing import Any, NamedTuple

import orjson

from labeling.log.ecmascript import POSSESSIVE, respelled, spelled_number

MAX_DEPTH = 64
MAX_INTEGER = 2**53 - 1
MAX_DECLARED_INTEGER = 2**63 - 1
TAG = "$int"

# Stored data wraps what came in (an event around a document), so hashing allows more levels than the door does.
_MAX_HASHED_DEPTH = 200
_KINDS = frozenset({dict, list, str, int, float, bool, type(None)})
_TAGGED = re.compile(r"-?[1-9][0-9]{15,18}")
#: Spelled otherwise by ECMAScript, or looking so.
EXPONENT = re.compile(rb"e[-+]?[0-9]++[,\]}]")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class BadValue(ValueError):
    """A value that no log stores: `where` is its dotted path, `problem` what is wrong; neither repeats the value."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where} {problem}")
        self.where = where
        self.problem = problem


def parse(raw: bytes, *, where: str = "body", wide: Collection[str] = ()) -> Any:
    """The value of a JSON text.

    Members named in `wide` may hold (lists of) 64-bit integers; those beyond 2**53-1 come back tagged.
    Paths start at `where`, except that members of a "body" are named without it.

    Raises:
        BadValue: not strict JSON in UTF-8, a name used twice, NUL or half a surrogate pair, a number that is not
            finite, an integer that float64 cannot hold exactly, more than 64 levels.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        _examine(raw, where, wide)
        raise BadValue(where, f"must be valid JSON (line {error.lineno}, column {error.colno})") from None
    survey = _surveyed(value, MAX_DEPTH)
    if survey is None or _is_suspect(raw, survey):
        _examine(raw, where, wide)
    if survey is None:
        raise BadValue(where, f"must not nest deeper than {MAX_DEPTH} levels")
    if survey.has_wide_integer:
        value = _rebuilt(value, lambda item: tagged(item) if type(item) is int else item)
    return _rebuilt(value, _without_negative_zero) if _NEGATIVE_ZERO.search(survey.spelled) else value


def checked(value: Any, *, where: str) -> Any:
    """The same rules for a value that Python already holds (a form field, a path part); -0.0 comes back as 0.0.

    Raises:
        BadValue: as `parse`; also any other type (tuples and subclasses included) and a malformed tagged integer.
    """
    survey = _surveyed(value, MAX_DEPTH)
    if (
        survey is None
        or survey.has_wide_integer
        or b"n" in survey.spelled
        or TAG in survey.text
        or "\0" in survey.text
        or not _is_unicode(survey.text)
    ):
        _refuse_first_fault(value, where, 0, MAX_DEPTH)
    if survey is not None and _NEGATIVE_ZERO.search(survey.spelled):
        value = _rebuilt(value, _without_negative_zero)
    return value


def load_stored(text: str | bytes) -> Any:
    """The value of stored jsonb, given as PostgreSQL's text; the only decoder of it, so that every reader agrees."""
    return orjson.loads(text)


def canonical(value: Any) -> bytes:
    """The RFC 8785 bytes of a value.

    An integer beyond 2**53-1 can only be a float that came back from jsonb (1e300 is 1 and 300 zeros there) and is
    written as that float.

    Raises:
        ValueError: a value that no JSON text has, or an integer that is no float's.
    """
    if type(value) is float:
        return spelled_number(value).encode()
    survey = _surveyed(value, _MAX_HASHED_DEPTH)
    if survey is None or b"n" in survey.spelled:
        _refuse_first_fault(value, "value", 0, _MAX_HASHED_DEPTH)
        raise AssertionError("a fault was counted but not found")
    spelled = survey.spelled
    if survey.has_wide_integer:
        value = _rebuilt(value, lambda item: _as_float(item) if type(item) is int else item)
        spelled = b"e"
    try:
        if survey.text.isascii() or max(survey.text) <= "\uffff":
            written = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        else:
            written = orjson.dumps(_in_utf16_order(value))
    except orjson.JSONEncodeError as error:
        raise ValueError("text holds half of a surrogate pair") from error
    if b"e" in spelled or _WHOLE_FLOAT.search(spelled):
        written = respelled(written)
    return written


def canonical_of_stored(value: Any) -> bytes:
    """`canonical` of what was read from the store, or is made of such and of finite numbers: in a third of the time,
    because nothing has to be looked for that the store cannot hold.

    Raises:
        ValueError: as `canonical`.
    """
    if type(value) is float:
        return canonical(value)
    try:
        written = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return canonical(value)
    if type(value) is str:
        return written
    if b"null" in written or not written.isascii():
        return canonical(value)  # null may be a number that is not finite, and names of other letters sort otherwise
    if b".0," in written or b".0]" in written or b".0}" in written or EXPONENT.search(written):
        return respelled(written)
    return written


def digest(value: Any) -> bytes:
    """The SHA-256 of the canonical bytes (32 bytes)."""
    return sha256(canonical(value)).digest()


def same(a: Any, b: Any) -> bool:
    """Whether two stored values are equal: 1 equals 1.0 and 1e300 its digits, but 1 is not true and "1" is not 1."""
    if type(a) is dict:
        return type(b) is dict and len(a) == len(b) and all(name in b and same(a[name], b[name]) for name in a)
    if type(a) is list:
        if type(b) is not list or len(a) != len(b):
            return False
        if set(map(type, a)) == {float} == set(map(type, b)):
            return bool(a == b)
        return all(map(same, a, b))
    if type(a) is type(b) and a == b:
        return True
    if {type(a), type(b)} <= {int, float}:
        return bool(a == b) or (max(abs(a), abs(b)) > MAX_INTEGER and float(a) == float(b))
    return False


def tagged(number: int) -> int | dict[str, str]:
    """A declared integer as it is stored: itself, or {"$int": "…"} beyond 2**53-1."""
    return number if -MAX_INTEGER <= number <= MAX_INTEGER else {TAG: str(number)}


def untagged(value: Any) -> Any:
    """The value with every tagged integer in it as an integer again, for answers."""
    if type(value) is dict:
        if TAG in value and _is_tagged(value):
            return int(value[TAG])
        return {name: untagged(item) for name, item in value.items()}
    if type(value) is list:
        return [untagged(item) for item in value]
    return value


def below(where: str, step: str | int) -> str:
    """The path of a member or an element; a name that is not a plain word is not repeated, because clients chose it."""
    if type(step) is int:
        return f"{where}[{step}]"
    name = step if isinstance(step, str) and _PLAIN_NAME.fullmatch(step) else "?"
    return name if where in ("", "body") else f"{where}.{name}"


class _Survey(NamedTuple):
    """What a value is made of, collected level by level so that the loops run in C."""

    spelled: bytes
    has_wide_integer: bool
    text: str
    members: int


_NEGATIVE_ZERO = re.compile(rb"-0\.0[,\]]")
_WHOLE_FLOAT = re.compile(rb"\.0[,\]]")
# orjson reads an integer that does not fit 64 bits as a float
_LONG_INTEGER = re.compile(rb"(?<![.0-9])[0-9]{19,}+(?![.eE])")


def _surveyed(value: Any, max_depth: int) -> _Survey | None:
    """The survey of a value, or None where a type is foreign or the nesting too deep."""
    floats: list[float] = []
    texts: list[str] = []
    members = depth = 0
    wide = False
    level = [value]
    while level:
        kinds = set(map(type, level))
        if not kinds <= _KINDS:
            return None
        if float in kinds:
            floats += level if len(kinds) == 1 else [item for item in level if type(item) is float]
        if str in kinds:
            texts += [item for item in level if type(item) is str]
        if int in kinds:
            integers = [item for item in level if type(item) is int]
            wide = wide or max(integers) > MAX_INTEGER or min(integers) < -MAX_INTEGER
        nested: list[Any] = []
        if list in kinds:
            nested += chain.from_iterable(level if len(kinds) == 1 else [item for item in level if type(item) is list])
        if dict in kinds:
            objects = [item for item in level if type(item) is dict]
            names = list(chain.from_iterable(objects))
            if not set(map(type, names)) <= {str}:
                return None
            members += len(names)
            texts += names
            nested += chain.from_iterable(map(dict.values, objects))
        if list in kinds or dict in kinds:
            depth += 1
            if depth > max_depth:
                return None
        level = nested
    return _Survey(orjson.dumps(floats), wide, "\n".join(texts), members)


def _is_suspect(raw: bytes, survey: _Survey) -> bool:
    """Whether the text may hold a trap that orjson lets pass, so that it must be read slowly.

    Every member has one colon; where more stand outside of the decoded texts, a name was used twice.
    """
    colons = raw.count(b":")
    return (
        survey.has_wide_integer
        or (b"e+" in survey.spelled and _LONG_INTEGER.search(raw) is not None)
        or "\0" in survey.text
        or TAG in survey.text
        or (colons != survey.members and (b"\\u003" in raw or colons - survey.text.count(":") != survey.members))
    )


_ITEM = r'(?:-?[0-9]{1,15}(?:\.[0-9]++)?|"[^"\\\x00]*+"|true|false|null)'
# A run of plain items is one token, for speed; bounded, for memory.
_TOKEN = re.compile(
    rf"(?P<run>(?:[ \n\r\t]*+{_ITEM}[ \n\r\t]*+,){{1,1000}}{POSSESSIVE})|[{{}}\[\],:]"
    rf'|"(?:[^"\\]++|\\.)*{POSSESSIVE}"?|[^\s{{}}\[\],:"]++',
    re.DOTALL,
)
_RUN_ITEM = re.compile(rf"{_ITEM}\s*+,")
_INTEGER = re.compile(r"-?[0-9]++")
_FLOAT = re.compile(r"-?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_NON_FINITE = frozenset({"nan", "inf", "infinity"})
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def _examine(raw: bytes, where: str, wide: Collection[str]) -> None:
    """Read a JSON text slowly, in its order, and raise BadValue at the first trap; grammar is left to orjson."""
    try:
        text, bad_byte = raw.decode(), False
    except UnicodeDecodeError as error:
        text, bad_byte = raw[: error.start].decode(), True
    steps: list[
        str | int | None
    ] = []  # per open container: the index in a list, the name in an object (None: before it)
    names: list[set[str] | None] = []

    def place(depth: int | None = None) -> str:
        path = where
        for step in steps[:depth]:
            path = path if step is None else below(path, step)
        return path

    for match in _TOKEN.finditer(text):
        token = match.group()
        if match.lastgroup == "run":
            if steps:
                step = steps[-1]
                steps[-1] = step + len(_RUN_ITEM.findall(token)) if type(step) is int else None
        elif token in ("{", "["):
            if len(steps) == MAX_DEPTH:
                raise BadValue(place(), f"must not nest deeper than {MAX_DEPTH} levels")
            steps.append(0 if token == "[" else None)
            names.append(None if token == "[" else set())
        elif token in ("}", "]"):
            if steps:
                steps.pop()
                names.pop()
        elif token == ",":
            if steps:
                steps[-1] = steps[-1] + 1 if type(steps[-1]) is int else None
        elif token[0] == '"':
            token = _unescaped(token, place()) if "\\" in token else token[1:-1]
            if "\0" in token:
                raise BadValue(place(), "must not hold a NUL character")
            if steps and steps[-1] is None:
                seen = names[-1]
                if token == TAG:
                    raise BadValue(place(), f"must not use the reserved name {TAG}")
                if seen is not None and token in seen:
                    raise BadValue(below(place(-1), token), "must be given once, not twice")
                if seen is not None:
                    seen.add(token)
                steps[-1] = token
        elif token != ":":
            _examine_number(token, place, next((s for s in reversed(steps) if type(s) is str), "") in wide)
    if bad_byte:
        raise BadValue(place(), "must be valid UTF-8")


def _examine_number(token: str, place: Callable[[], str], is_wide: bool) -> None:
    if _INTEGER.fullmatch(token):
        limit = MAX_DECLARED_INTEGER if is_wide else MAX_INTEGER
        if len(token) > 20 or abs(int(token)) > limit:
            raise BadValue(place(), f"must be an integer of at most {'2**63-1' if is_wide else '2**53-1'}")
    elif token.lower().lstrip("+-") in _NON_FINITE or (_FLOAT.fullmatch(token) and not math.isfinite(float(token))):
        raise BadValue(place(), "must be a finite number")


def _unescaped(token: str, where: str) -> str:
    try:
        return str(orjson.loads(token.encode()))
    except orjson.JSONDecodeError:
        if _HALF_PAIR.search(token):
            raise BadValue(where, "must not hold half of a surrogate pair") from None
        raise BadValue(where, "must be valid JSON text") from None


def _refuse_first_fault(value: Any, where: str, depth: int, max_depth: int) -> None:
    """Raise BadValue for the first fault of a Python value in document order."""
    kind = type(value)
    if kind is dict or kind is list:
        if depth == max_depth:
            raise BadValue(where, f"must not nest deeper than {max_depth} levels")
        if kind is dict and TAG in value:
            if not _is_tagged(value):
                raise BadValue(where, f"must not use the reserved name {TAG}")
            return
        for step, item in value.items() if kind is dict else enumerate(value):
            if kind is dict:
                if type(step) is not str:
                    raise BadValue(where, "must have text as the name of every member")
                _refuse_bad_text(step, where)
            _refuse_first_fault(item, below(where, step), depth + 1, max_depth)
    elif kind is str:
        _refuse_bad_text(value, where)
    elif kind is float:
        if not math.isfinite(value):
            raise BadValue(where, "must be a finite number")
    elif kind is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise BadValue(where, "must be an integer of at most 2**53-1")
    elif kind not in _KINDS:
        raise BadValue(where, "must be null, true or false, a number, text, a list or an object")


def _refuse_bad_text(text: str, where: str) -> None:
    if "\0" in text:
        raise BadValue(where, "must not hold a NUL character")
    if not _is_unicode(text):
        raise BadValue(where, "must not hold half of a surrogate pair")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_tagged(value: dict[str, Any]) -> bool:
    number = value[TAG]
    return (
        len(value) == 1
        and type(number) is str
        and _TAGGED.fullmatch(number) is not None
        and MAX_INTEGER < abs(int(number)) <= MAX_DECLARED_INTEGER
    )


def _rebuilt(value: Any, change: Callable[[Any], Any]) -> Any:
    """A copy with every scalar changed."""
    if type(value) is dict:
        return {name: _rebuilt(item, change) for name, item in value.items()}
    if type(value) is list:
        return [_rebuilt(item, change) for item in value]
    return change(value)


def _without_negative_zero(item: Any) -> Any:
    return 0.0 if type(item) is float and item == 0 else item


def _as_float(number: int) -> int | float:
    if -MAX_INTEGER <= number <= MAX_INTEGER:
        return number
    try:
        nearest = float(number)
    except OverflowError:
        nearest = math.inf
    if nearest == number or (math.isfinite(nearest) and Decimal(repr(nearest)) == number):
        return nearest
    raise ValueError("an integer beyond 2**53-1 is no float's")


def _in_utf16_order(value: Any) -> Any:
    if type(value) is dict:
        order = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return {name: _in_utf16_order(value[name]) for name in order}
    if type(value) is list:
        return [_in_utf16_order(item) for item in value]
    return value
