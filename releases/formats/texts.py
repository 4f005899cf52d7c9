"""Numbers, names and XML as the same text on every machine. Pure."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from labeling.log import values

# What XML 1.0 cannot hold at all.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPACE = re.compile(r"\s+")


def number(value: float) -> str:
    """The shortest text that reads back as the same float, without an exponent and without `.0`."""
    if type(value) is int:
        return str(value)
    text = repr(float(value))
    if "e" in text or "E" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0").replace("-0", "0") if text in ("-0.0", "-0") else text.removesuffix(".0")


def word(name: str) -> str:
    """A name as one word, for files whose columns are parted by spaces; of an empty one an underscore."""
    return _SPACE.sub("_", name.strip()) or "_"


def one_line(name: str) -> str:
    """A name as a line."""
    return " ".join(name.splitlines()).strip()


def read_back(text: str) -> str:
    """What an XML parser gives of a text: without what XML cannot hold, and with line feeds at the ends of lines."""
    return _NOT_XML.sub("\ufffd", text).replace("\r\n", "\n").replace("\r", "\n")


def content(text: str) -> str:
    """Text between XML tags."""
    return escape(_NOT_XML.sub("\ufffd", text))


def tag(name: str, attributes: dict[str, Any], *, closed: bool = False) -> str:
    """A start tag, or an empty element; attributes in the order given, those that are None left out."""
    said = "".join(
        f" {key}={quoteattr(_NOT_XML.sub(chr(0xFFFD), value if isinstance(value, str) else number(value)))}"
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{said}{'/' if closed else ''}>"


def element(name: str, text: Any) -> str:
    """An element that holds nothing but text."""
    return f"<{name}>{content(text if isinstance(text, str) else number(text))}</{name}>"


def plain(value: Any) -> str:
    """The value of an attribute as text: of JSON its canonical form, of text itself."""

    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return values.canonical(value).decode()
