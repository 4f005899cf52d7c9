"""Fields that several documents of the protocol share: attribute maps, versions, times, files, and places in space."""

from __future__ import annotations

from typing import Any

from labeling.log.values import TAG
from labeling.rules.protocol.forms import Unfit, nullable, number, record, text

# A nanosecond time that float64 cannot hold is a tagged integer here; no client can send that form.
_PLAIN = frozenset({str, bool, int, float, type(None)})


def attribute_map(value: Any) -> None:
    """{name: text, number, true or false, list of texts, or null}."""
    if type(value) is not dict:
        raise Unfit("must be an object")
    if _PLAIN.issuperset(map(type, value.values())):
        return
    for name, item in value.items():
        kind = type(item)
        if kind is list:
            for index, part in enumerate(item):
                if type(part) is not str:
                    raise Unfit("must be a string", index, name)
        elif kind not in _PLAIN and not (kind is dict and TAG in item):
            raise Unfit("must be a string, a number, true, false, a list of strings or null", name)


def version(value: Any) -> None:
    """format_version."""
    if type(value) not in (str, int, float):
        raise Unfit("must be a string or a number")


def timestamp(value: Any) -> None:
    """A time of a frame: text, or a number of any unit; nanoseconds may be tagged."""
    if type(value) not in (str, int, float) and not (type(value) is dict and TAG in value):
        raise Unfit("must be a string or a number")


#: A file that may have no url yet.
URL = {"url": nullable(text), "signed_url": nullable(text)}
link_to_file = record({}, URL)

XYZ = {"x": number, "y": number, "z": number}
xyz = record(XYZ)
partial_xyz = record({}, {axis: nullable(number) for axis in XYZ})
quaternion = record({"qx": number, "qy": number, "qz": number, "qw": number})

optional_map = nullable(attribute_map)
optional_version = nullable(version)
optional_timestamp = nullable(timestamp)
optional_text = nullable(text)
optional_number = nullable(number)
