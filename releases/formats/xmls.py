"""XML files of others, read without anything that XML can do beside holding text. Pure."""

from __future__ import annotations

import re
from itertools import chain
from math import isfinite
from xml.etree import ElementTree

from releases.formats.format import UnreadableFile

Element = ElementTree.Element

#: Declared entities could be made to grow without end, and none of these formats declares any.
_DECLARES = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ENCODED = re.compile(rb"^\s*<\?xml[^>]*encoding=[\"']([A-Za-z0-9._-]+)[\"']")


def parsed(data: bytes, root: str) -> Element:
    """The root element of an XML text.

    Raises:
        UnreadableFile: it is no XML, declares a document type or an entity, or has another root.
    """
    encoded = _ENCODED.match(data[:200])
    if encoded is not None and encoded[1].lower() not in (b"utf-8", b"us-ascii", b"ascii"):
        raise UnreadableFile("the file must be in UTF-8")
    if _DECLARES.search(data) or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UnreadableFile("the file must be in UTF-8 and declare no document type and no entities")
    try:
        found = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise UnreadableFile(f"the file is no XML (line {error.position[0]})") from None
    if found.tag != root:
        raise UnreadableFile(f"the file has no <{root}> around all else")
    return found


def text_of(element: Element | None, path: str, default: str = "") -> str:
    """The text of an element below another; the default where there is none."""
    found = None if element is None else element.find(path)
    return default if found is None or found.text is None else found.text.strip()


def number_of(text: str | None) -> float:
    """A finite number of a text.

    Raises:
        ValueError: it is none.
    """
    found = float(text or "")
    if not isfinite(found):
        raise ValueError
    return found


def numbers_of(text: str) -> list[float]:
    """The coordinates x, y, x, y … of a text `x,y;x,y`, of which there are millions.

    Raises:
        ValueError: it is none.
    """
    pairs = [pair.split(",") for pair in text.split(";") if pair.strip()]
    numbers = [*map(float, chain.from_iterable(pairs))]
    if set(map(len, pairs)) - {2} or not (isfinite(sum(numbers)) or all(map(isfinite, numbers))):
        raise ValueError
    return numbers


def pairs_of(text: str) -> list[list[float]]:
    """The same as points.

    Raises:
        ValueError: as `numbers_of`.
    """
    numbers = numbers_of(text)
    return list(map(list, zip(numbers[::2], numbers[1::2], strict=True)))
