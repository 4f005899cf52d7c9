"""What an issue points at, as the protocol says it: the whole sample, a track, a scene attribute, or a location.

An anchor is kept as it was sent, so nothing is looked up: the track may be drawn later, or be gone.
"""

from __future__ import annotations

from typing import Any

from labeling.errors import InvalidValue

JSON = dict[str, Any]

TEXT_LIMIT = 255
#: What each type of anchor needs, and what it may have beside `type`, `sensor` and `frame`.
TYPES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "basic": ((), ()),
    "track": (("trackNumber",), ("trackAttribute",)),
    "sceneAttribute": (("sceneAttribute",), ()),
    "location": (("location",), ()),
}
AXES = {"2d": ("x", "y"), "3d": ("x", "y", "z")}


def checked_anchor(value: Any, where: str = "anchor") -> JSON | None:
    """An anchor whose fields fit its type; null where the issue is about the whole sample.

    Raises:
        InvalidValue: the first field that does not fit.
    """
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidValue(where, "must be an object or null")
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise InvalidValue(f"{where}.type", f"must be one of {', '.join(TYPES)}")
    needed, optional = TYPES[kind]
    _only(value, ("type", "sensor", "frame", *needed, *optional), where)
    for key in needed:
        if value.get(key) is None:
            raise InvalidValue(f"{where}.{key}", "is required")
    for key in ("sensor", "trackAttribute", "sceneAttribute"):
        if value.get(key) is not None and (not isinstance(value[key], str) or len(value[key]) > TEXT_LIMIT):
            raise InvalidValue(f"{where}.{key}", f"must be a string of at most {TEXT_LIMIT} characters")
    if value.get("frame") is not None and (type(value["frame"]) is not int or value["frame"] < 0):
        raise InvalidValue(f"{where}.frame", "must be a whole number from 0")
    if "trackNumber" in value and type(value["trackNumber"]) is not int:
        raise InvalidValue(f"{where}.trackNumber", "must be a whole number")
    if "location" in value:
        _check_location(value["location"], f"{where}.location")
    return value


def _check_location(value: Any, where: str) -> None:
    if not isinstance(value, dict):
        raise InvalidValue(where, "must be an object")
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in AXES:
        raise InvalidValue(f"{where}.type", f"must be one of {', '.join(AXES)}")
    _only(value, ("type", *AXES[kind]), where)
    for axis in AXES[kind]:
        if type(value.get(axis)) not in (int, float):
            raise InvalidValue(f"{where}.{axis}", "must be a number")


def _only(value: JSON, keys: tuple[str, ...], where: str) -> None:
    for key in value:
        if key not in keys:
            # The name of the stranger is the client's word, so it is not repeated.
            raise InvalidValue(where, f"may hold {', '.join(keys)} here, and nothing else")
