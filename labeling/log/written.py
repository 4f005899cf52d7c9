"""Values written out once: the text to store and the canonical one, which is hashed, and mostly the same text. Pure.

What is stored in two places, and is large, is written while it is at hand, because by then it would have to be fetched
from memory again, for many times as long.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

import msgspec
import orjson

from labeling.log.ecmascript import respelled
from labeling.log.values import EXPONENT, canonical

_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS
_SORTED_AND_STRICT = (
    _SORTED | orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
)
#: As EXPONENT; two patterns, because one for both cannot skip ahead to a sign.
_WHOLE = re.compile(rb"\.0[,\]}]")


class Written(msgspec.Struct, frozen=True, gc=False):
    """A value that was written out: the text to store, and the canonical one, which is hashed; mostly they are one."""

    text: bytes
    canonical: bytes


class WrittenList(list[Any]):
    """A list of plain JSON that was written out while it was at hand; nobody changes it any more."""

    __slots__ = ("written",)
    written: Written


def write_out(value: Any) -> Written:
    """Write a value that is plain JSON by how it was made, as facts are; mostly that is done once, for both texts.

    Raises:
        ValueError: as `values.canonical`.
    """
    try:
        text = orjson.dumps(value, option=_SORTED_AND_STRICT)
    except orjson.JSONEncodeError:
        hashed = canonical(value)
        return Written(orjson.dumps(value), hashed)
    if not text.isascii() or b"null" in text:  # another order of names, maybe; NaN, maybe
        return Written(text, canonical(value))
    return Written(text, respelled(text) if _WHOLE.search(text) or EXPONENT.search(text) else text)


def write_out_numbers(value: list[Any], *, lists: int | None = None) -> Written:
    """`write_out` of numbers in lists, of which there are millions. How many `lists` there are is said by who has not
    seen that there is nothing else.

    Raises:
        ValueError: as `values.canonical`; there is something else.
    """
    try:
        text = orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER)
    except orjson.JSONEncodeError:
        if lists is not None:
            raise ValueError("there is a number that no log stores") from None
        return Written(orjson.dumps(value), canonical(value))
    if lists is not None and (text.translate(None, _OF_NUMBERS) or text.count(b"[") != lists):
        raise ValueError("there are others than finite numbers")
    if b"e" in text or b"n" in text or (b"-" in text and b"-0.0" in text):
        return Written(text, canonical(value))
    spelled = text.replace(b".0,", b",").replace(b".0]", b"]")
    return Written(text, text if len(spelled) == len(text) else spelled)


#: What is in the text of numbers in lists; other values of JSON have letters or marks that are not among these.
_OF_NUMBERS = b"0123456789.,-+e[]"


def text_and_digest(value: dict[str, Any]) -> tuple[bytes, bytes]:
    """(JSON text to store, `values.digest`) of an object as `write_out` takes it; a member may be a `WrittenList`. Its
    own names are those of a fact's fields, which JSON writes as they are.

    Raises:
        ValueError: as `values.canonical`.
    """
    lists = [name for name, item in value.items() if isinstance(item, WrittenList)]
    found = _write_out_around(value, {name: value[name].written for name in lists}) if lists else write_out(value)
    return found.text, sha256(found.canonical).digest()


def write_out_object(value: dict[str, Any]) -> Written:
    """`write_out` of an object, named as a fact is, of which members may be `Written`.

    Raises:
        ValueError: as `values.canonical`.
    """
    ready = {name: item for name, item in value.items() if isinstance(item, Written)}
    return _write_out_around(value, ready) if ready else write_out(value)


def _write_out_around(value: dict[str, Any], ready: dict[str, Written]) -> Written:
    """An object of which these members are written already."""
    rest = write_out(value | dict.fromkeys(ready, 0))
    if len(ready) == 1:
        ((name, one),) = ready.items()
        mark = b'"%b":0' % name.encode()  # it stands in no text, where quotes are escaped
        if rest.text.count(mark) == 1 == rest.canonical.count(mark):
            head = mark[:-1]
            text = rest.text.replace(mark, head + one.text)
            if rest.canonical is rest.text and one.canonical is one.text:
                return Written(text, text)
            return Written(text, rest.canonical.replace(mark, head + one.canonical))
    members = [
        (b'"%b":' % name.encode(), ready.get(name) or Written(orjson.dumps(item), canonical(item)))
        for name, item in sorted(value.items())
    ]
    return Written(
        b"{%b}" % b",".join([name + found.text for name, found in members]),
        b"{%b}" % b",".join([name + found.canonical for name, found in members]),
    )


def fragment(item: Written) -> orjson.Fragment:
    """What orjson writes of a value that is written already (its option `default`)."""
    return orjson.Fragment(item.text)
