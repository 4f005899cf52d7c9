"""Numbers as ECMAScript spells them, which RFC 8785 hashes: 1.0 is 1, 1e16 is 17 digits, 1e-6 is 0.000001. Pure."""

from __future__ import annotations

import math
import re
import sys
from decimal import Decimal

#: Put behind the repetition of a group, so that it costs no memory for going back. Before Python 3.11.5 such a group
#: loses its place (gh-106052); there it is repeated as ever, which reads the same. Behind a single class it is sound.
POSSESSIVE = "+" if sys.version_info >= (3, 11, 5) else ""
_STRING = re.compile(rf'("(?:[^"\\]++|\\.)*{POSSESSIVE}")'.encode())
_EXPONENT = re.compile(rb"e[+-]?[0-9]++")


def respelled(written: bytes) -> bytes:
    """orjson's output (an object, a list or a scalar that is no number) with its floats spelled as ECMAScript does."""
    # Pieces that are no text stand at even places; without a backslash no quote is part of a text.
    simple = b"\\" not in written
    pieces = written.split(b'"') if simple else _STRING.split(written)
    bare = b'"'.join(pieces[::2])
    if b"-0.0" in bare:
        for end in (b",", b"]", b"}"):
            bare = bare.replace(b"-0.0" + end, b"0" + end)
    bare = bare.replace(b".0,", b",").replace(b".0]", b"]").replace(b".0}", b"}")
    if _EXPONENT.search(bare):
        bare = _without_foreign_exponents(bare)
    pieces[::2] = bare.split(b'"')
    return (b'"' if simple else b"").join(pieces)


def _without_foreign_exponents(bare: bytes) -> bytes:
    parts = []
    end = 0
    for match in _EXPONENT.finditer(bare):
        start = match.start()
        while start > end and bare[start - 1] in b"0123456789.-":
            start -= 1
        parts += [bare[end:start], spelled_number(float(bare[start : match.end()])).encode()]
        end = match.end()
    return b"".join([*parts, bare[end:]])


def spelled_number(number: float) -> str:
    """A float as ECMAScript's Number::toString writes it (ECMA-262, 6.1.6.1.20).

    Raises:
        ValueError: NaN or an infinity.
    """
    if not math.isfinite(number):
        raise ValueError("a number is not finite")
    if number == 0:
        return "0"
    sign, shortest, exponent = Decimal(repr(number)).as_tuple()
    digits = "".join(map(str, shortest))
    point = len(digits) + int(exponent)
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        body = digits + "0" * (point - len(digits))
    elif 0 < point <= 21:
        body = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        body = f"0.{'0' * -point}{digits}"
    else:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        body = f"{digits[0]}{fraction}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return f"{'-' if sign else ''}{body}"
