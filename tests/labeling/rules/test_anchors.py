"""What an issue may point at."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from segments.typing import IssueAnchor

from labeling.errors import InvalidValue
from labeling.rules.anchors import checked_anchor

FIT: list[Any] = [
    {"type": "basic"},
    {"type": "basic", "sensor": "lidar", "frame": 0},
    {"type": "basic", "sensor": None, "frame": None},
    {"type": "track", "trackNumber": 3},
    {"type": "track", "trackNumber": -1, "trackAttribute": "colour", "frame": 12},
    {"type": "track", "trackNumber": 0, "trackAttribute": None},
    {"type": "sceneAttribute", "sceneAttribute": "weather"},
    {"type": "location", "location": {"type": "2d", "x": 1, "y": -2.5}},
    {"type": "location", "location": {"type": "3d", "x": 1, "y": 2, "z": 0.25}, "sensor": "lidar", "frame": 3},
]


@pytest.mark.parametrize("anchor", FIT)
def test_the_anchors_of_the_protocol_are_kept_as_they_are_and_the_sdk_reads_them(anchor):
    assert checked_anchor(anchor) == anchor
    TypeAdapter(IssueAnchor).validate_python(anchor)


def test_no_anchor_is_one():
    assert checked_anchor(None) is None


FAULTS: list[tuple[Any, str]] = [
    *[(bad, "anchor") for bad in ([], "basic", 5, True)],
    *[({"type": bad}, "anchor.type") for bad in (None, "", "Basic", "frame", 1, [], {})],
    ({}, "anchor.type"),
    ({"type": "basic", "trackNumber": 1}, "anchor"),
    ({"type": "track", "trackNumber": 1, "location": {"type": "2d", "x": 1, "y": 2}}, "anchor"),
    ({"type": "track"}, "anchor.trackNumber"),
    *[({"type": "track", "trackNumber": bad}, "anchor.trackNumber") for bad in (None, "1", 1.5, True, [])],
    *[
        ({"type": "track", "trackNumber": 1, "trackAttribute": bad}, "anchor.trackAttribute")
        for bad in (1, [], "x" * 256)
    ],
    ({"type": "sceneAttribute"}, "anchor.sceneAttribute"),
    ({"type": "sceneAttribute", "sceneAttribute": 1}, "anchor.sceneAttribute"),
    *[({"type": "basic", "frame": bad}, "anchor.frame") for bad in (-1, 1.0, "1", True, [])],
    *[({"type": "basic", "sensor": bad}, "anchor.sensor") for bad in (1, {}, "x" * 256)],
    ({"type": "location"}, "anchor.location"),
    *[({"type": "location", "location": bad}, "anchor.location") for bad in ([], "2d", 1)],
    *[({"type": "location", "location": {"type": bad}}, "anchor.location.type") for bad in (None, "1d", 2, [])],
    ({"type": "location", "location": {"type": "2d", "x": 1, "y": 2, "z": 3}}, "anchor.location"),
    ({"type": "location", "location": {"type": "2d", "x": 1}}, "anchor.location.y"),
    ({"type": "location", "location": {"type": "3d", "x": 1, "y": 2}}, "anchor.location.z"),
    *[({"type": "location", "location": {"type": "2d", "x": bad, "y": 2}}, "anchor.location.x") for bad in ("1", True)],
]


@pytest.mark.parametrize("anchor, field", FAULTS, ids=str)
def test_what_does_not_fit_is_refused_by_its_name(anchor, field):
    with pytest.raises(InvalidValue) as refused:
        checked_anchor(anchor)
    assert refused.value.field == field


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-3, 3)
        | st.floats(allow_nan=False)
        | st.sampled_from(["2d", "basic", "x"]),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["type", "frame", "sensor", "location", "trackNumber", "sceneAttribute", "x", "y"]),
                inner | st.sampled_from(["basic", "track", "location", "sceneAttribute", "2d", "3d"]),
                max_size=4,
            )
        ),
        max_leaves=8,
    )
)
def test_whatever_is_taken_the_sdk_can_read(value):
    try:
        anchor = checked_anchor(value)
    except InvalidValue:
        return
    if anchor is not None:
        TypeAdapter(IssueAnchor).validate_python(anchor)
