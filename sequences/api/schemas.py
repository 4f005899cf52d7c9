"""Tracks, frames and track edits, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.edits import EDIT_KINDS, EDIT_RESULTS, SIZE_WH
from labeling.api.schemas.forms import (
    ANYTHING,
    FLAG,
    NUMBER,
    TEXT,
    UUID,
    WHOLE,
    closed,
    listed,
    nullable,
    one_of,
    record,
    said,
    tagged,
    told_by,
)
from labeling.api.schemas.parameters import or_empty, query
from labeling.api.schemas.task_attributes import ATTRIBUTES

JSON = dict[str, Any]

FRAME: JSON = said(WHOLE | {"minimum": 0}, "Of the sequence, from 0.")
NAMED: JSON = {"anyOf": [WHOLE, UUID], "description": "A track of the label, by its number or its uuid."}
_SENSOR = said(nullable(WHOLE), "Which sensor, where there are several: its place in the list.")
_xyz = record(dict.fromkeys("xyz", NUMBER))
SHAPE = component(
    "TrackShape",
    record(
        {"type": TEXT},
        {"position": _xyz, "dimensions": _xyz, "yaw": NUMBER, "rotation": nullable(ANYTHING)},
        description="A geometry, as annotations have it, or a cuboid.",
    ),
    example={"type": "bbox", "points": [[10, 20], [110, 90]]},
)
_shape: JSON = {
    "geometry": SHAPE,
    "type": said(TEXT, "With `points`, as the protocol has it, in the place of `geometry`."),
    "points": said(listed(listed(NUMBER)), "With `type`."),
}
_category = said(nullable(WHOLE), "The id of a category; null for none.")
_cleared = said(listed(TEXT), "Names of attributes to take away.")
_some = {"type": "bbox", "points": [[10, 20], [110, 90]]}

#: By op: what is required, what may be there, and an example.
TRACK_EDITS: dict[str, tuple[JSON, JSON, JSON]] = {
    "add_track": (
        {"frame": FRAME},
        {
            "track_id": said(nullable(WHOLE), "The next number unless said."),
            "category_id": _category,
            **_shape,
            "attributes": nullable(ATTRIBUTES),
            "origin": nullable(ANYTHING),
        },
        {"frame": 0, "category_id": 1, **_some},
    ),
    "remove_track": ({}, {}, {}),
    "recategorize_track": ({"category_id": _category}, {}, {"category_id": 2}),
    "renumber_track": ({"track_id": WHOLE}, {}, {"track_id": 7}),
    "order_track": ({"to": said({}, "front, or a number.")}, {}, {"to": "front"}),
    "merge_tracks": ({"source": NAMED}, {}, {"source": 2}),
    "split_track": ({"frame": FRAME}, {"track_id": nullable(WHOLE)}, {"frame": 10}),
    "set_track_attributes": ({}, {"attributes": ATTRIBUTES, "cleared": _cleared}, {"attributes": {"colour": "red"}}),
    "set_keyframe": (
        {"frame": FRAME},
        {**_shape, "attributes": said(ATTRIBUTES, "As before unless said.")},
        {"frame": 10, **_some},
    ),
    "move_keyframe": ({"frame": FRAME, "to": FRAME}, {}, {"frame": 10, "to": 12}),
    "delete_keyframe": ({"frame": FRAME}, {}, {"frame": 10}),
    "set_keyframe_attributes": (
        {"frame": FRAME},
        {"attributes": ATTRIBUTES, "cleared": _cleared},
        {"frame": 10, "attributes": {"occluded": True}},
    ),
    "rasterize_track": ({}, {"size_wh": SIZE_WH}, {}),
    "fit_track": ({}, {"size_wh": SIZE_WH}, {}),
    "set_interpolation": (
        {"by": said(one_of("times", "frames"), "What counts between two keyframes.")},
        {
            "extrapolate": said(FLAG, "Whether a cuboid goes on past its last keyframe."),
            "hold": said(FLAG, "Whether each keyframe is held until the next, and nothing computed."),
        },
        {"by": "times"},
    ),
    "set_remove_keyframe": ({"frame": FRAME}, {}, {"frame": 20}),
    "move_remove_keyframe": ({"frame": FRAME, "to": FRAME}, {}, {"frame": 20, "to": 22}),
    "delete_remove_keyframe": ({"frame": FRAME}, {}, {"frame": 20}),
}


#: About all tracks, unless one is named; and those that name none.
ALL = ("rasterize_track", "fit_track")
UNNAMED = ("add_track", "set_interpolation", *ALL)


def _form(op: str) -> JSON:
    required, optional, example = TRACK_EDITS[op]
    named = {} if op in UNNAMED else {"track": NAMED}
    of_sensor = {} if op == "set_interpolation" else {"sensor": _SENSOR}
    if op in ALL:
        optional = {"track": said(NAMED, "All tracks where it is left out.")} | optional
    schema = closed(named | required, of_sensor | optional)
    name = "".join(word.capitalize() for word in op.split("_")) + "Edit"
    shown = {"op": op} | ({"track": 1} if named else {}) | example
    return component(name, tagged("op", op, schema), example=shown)


TRACK_EDIT = component(
    "TrackEdit",
    told_by("op", {op: _form(op) for op in TRACK_EDITS}) | {"description": "Of a label of a sequence."},
    example={"op": "set_keyframe", "track": 1, "frame": 10, **_some},
)
EDIT_KINDS.append(TRACK_EDIT)
_about: JSON = {"track": UUID, "track_id": WHOLE}
EDIT_RESULTS.append(
    closed(
        {"changed": FLAG},
        _about
        | {
            "done": said(
                listed(closed(_about | {"frames": listed(FRAME)})), "The tracks that were changed, and where."
            ),
            "skipped": said(
                listed(closed(_about | {"frame": FRAME, "why": TEXT})),
                "Keyframes that were not, and why: their type, no_pixels, or no_image.",
            ),
        },
    )
)

TRACK = component(
    "Track",
    closed(
        {
            "track": said(UUID, "Never used for another one."),
            "track_id": said(WHOLE, "The number that people see."),
            "sensor": nullable(WHOLE),
            "category_id": nullable(WHOLE),
            "order": said(NUMBER, "A higher one lies on top."),
            "frames": said(WHOLE, "How many its sequence has."),
            "presence": said(
                listed(listed(WHOLE, least=2, most=2)), "The stretches in which it is there, without their ends."
            ),
            "keyframes": listed(FRAME),
            "remove_keyframes": said(listed(FRAME), "It is gone from each on, until the next keyframe."),
            "kept": said(listed(FRAME), "Frames that were uploaded other than they would be computed."),
            "attributes": said(
                listed(closed({"frame": FRAME, "attributes": nullable(ATTRIBUTES)})), "From which frame on which hold."
            ),
            "merged": said(listed(UUID), "Tracks that became part of it."),
        }
    ),
    example={
        "track": "0b0a4a6a-6b7e-4f0e-9a50-2d0f3a4b5c6d",
        "track_id": 1,
        "sensor": None,
        "category_id": 1,
        "order": 1.0,
        "frames": 30,
        "presence": [[0, 20]],
        "keyframes": [0, 10],
        "remove_keyframes": [20],
        "kept": [],
        "attributes": [{"frame": 0, "attributes": {"colour": "red"}}],
        "merged": [],
    },
)
SHOWN_FRAME = component(
    "ShownFrame",
    record(
        {"frame": FRAME, "annotations": listed(ANYTHING)},
        description="A frame as the label's document shows it, with its number.",
    ),
    example={"frame": 3, "annotations": [{"id": 1, "category_id": 1, "track_id": 1, "is_keyframe": False, **_some}]},
)
SENSOR = query(
    "sensor", "Which sensor, where there are several: its place in the list.", or_empty(WHOLE | {"minimum": 0})
)
FROM = query("from", "The first frame; 0 unless said.", or_empty(WHOLE | {"minimum": 0}), 0)
TO = query("to", "The frame to end in front of; all of them unless said.", or_empty(WHOLE | {"minimum": 0}), 50)
KEYFRAMES = query("keyframes", "`only`: only keyframes, and frames that hold one.", or_empty(one_of("only")), "only")

_object = record({"id": {"anyOf": [TEXT, WHOLE]}, "geometry": SHAPE})
_filled: JSON = {
    "type": "object",
    "patternProperties": {"^(0|[1-9][0-9]{0,6})$": closed({"objects": listed(_object)})},
    "additionalProperties": False,
}
_key_frames_example = {
    "0": {"objects": [{"id": "a", "geometry": _some}]},
    "2": {"objects": [{"id": "a", "geometry": _some}]},
}
INTERPOLATE = component(
    "Interpolate",
    closed(
        {
            "key_frames": said(_filled, "By frame, what is there; other keys of the objects are passed on from these."),
            "objects_to_interpolate": listed({"anyOf": [TEXT, WHOLE]}, least=1),
        },
        {"times": said(nullable(listed(NUMBER)), "Of all frames; by their numbers unless said.")},
    ),
    example={"key_frames": _key_frames_example, "objects_to_interpolate": ["a"]},
)
INTERPOLATED = component("Interpolated", _filled, example=_key_frames_example)
