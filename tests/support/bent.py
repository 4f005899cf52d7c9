"""Documents with faults: every single one that a list of odd values makes, and several at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from hypothesis import strategies as st

from labeling.log.values import below

MARK = "zebra7391"  # no refusal may repeat it
GONE = object()
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 1.5, 10**12, 0.0, "", " ", MARK, "1", "bbox", "cuboid", "point", "number", "select",
    [], {}, [1], [1.5], [MARK], [None], [[]], [{}], {"x": 1}, {"url": 5}, {MARK: {}}, {"a": [1]}, [[1.0, 2.0]], [[1.0]],
    [[1.0, 2.0, 3.0], [4.0, 5.0]], {"x": 1, "y": None, "z": "3"}, {"qx": 0, "qy": 0, "qz": 0, "qw": 0},
)  # fmt: skip

Place = tuple[str | int, ...]


class Fault(NamedTuple):
    """A document with one value changed, added, or gone, and where."""

    document: Any
    place: Place
    value: Any


def places(document: Any, at: Place = ()) -> Iterator[Place]:
    """Where the values of a document are, itself left out."""
    if isinstance(document, dict | list):
        for step, item in document.items() if isinstance(document, dict) else enumerate(document):
            yield (*at, step)
            yield from places(item, (*at, step))


def with_value(document: Any, place: Place, value: Any) -> Any:
    """A copy with another value there; with GONE none."""
    found = json.loads(json.dumps(document))  # not a deep copy, which keeps what is the same object twice
    within = found
    for step in place[:-1]:
        within = within[step]
    if value is GONE:
        del within[place[-1]]
    else:
        within[place[-1]] = value
    return found


def every_fault(document: Any) -> Iterator[Fault]:
    """Every value replaced by each odd one, and left out."""
    for place in places(document):
        for value in (GONE, *ODD):
            yield Fault(with_value(document, place, value), place, value)


@st.composite
def bent(draw: st.DrawFn, document: Any) -> Any:
    """The document with one to four faults."""
    for _ in range(draw(st.integers(1, 4))):
        there = list(places(document))
        if not there:
            return document
        place = draw(st.sampled_from(there))
        if draw(st.booleans()):
            value = draw(st.sampled_from([GONE, *ODD]))
        else:  # a value from somewhere else in the same document
            value = document
            for step in draw(st.sampled_from(there)):
                value = value[step]
        document = with_value(document, place, value)
    return document


def path(where: str, place: Place) -> str:
    """The path of a place as errors name it; points are named as a whole."""
    if len(place) > 1 and isinstance(place[-1], int) and isinstance(place[-2], int):
        place = place[:-1]
    for step in place:
        where = below(where, step)
    return where
