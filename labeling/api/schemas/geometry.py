"""Shapes: what `geometry.shapes` stores, and what the protocol has of them."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import NUMBER, WHOLE, closed, listed, nullable, one_of, record, said, tagged, told_by
from labeling.geometry.shapes import MAX_LENGTH_PX

JSON = dict[str, Any]

#: The types that the protocol has.
WIRE = ("bbox", "polygon", "polyline", "point")

PAIR = said(listed(NUMBER, least=2, most=2), "[x, y], in pixels from the top left corner.")
PAIRS = listed(PAIR)
TWO_PAIRS = said(listed(PAIR, least=2, most=2), "The top left and the bottom right corner.")
_LENGTH: JSON = NUMBER | {"minimum": 0, "maximum": MAX_LENGTH_PX}
_PLACE: JSON = NUMBER | {"minimum": -MAX_LENGTH_PX, "maximum": MAX_LENGTH_PX}
_LENGTHS = listed(_LENGTH, least=2, most=2)
_CENTER = listed(_PLACE, least=2, most=2)

_named: JSON = {"name": {"type": "string", "minLength": 1}}
KEYPOINT = component(
    "Keypoint",
    {
        "anyOf": [
            closed(_named | {"visibility": {"enum": [1, 2]}, "x": NUMBER, "y": NUMBER}),
            closed(_named | {"visibility": {"const": 0}}, {"x": nullable(NUMBER), "y": nullable(NUMBER)}),
        ],
        "description": "A named point: visibility 0 not placed, 1 hidden, 2 visible.",
    },
    example={"name": "nose", "x": 52.5, "y": 20, "visibility": 2},
)
KEYPOINTS = said(listed(KEYPOINT), "Named points on a box or polygon; each name once.")
ORIENTATION = component(
    "Orientation",
    closed({"roll_deg": NUMBER, "pitch_deg": NUMBER, "yaw_deg": NUMBER}),
    example={"roll_deg": 0, "pitch_deg": -12.5, "yaw_deg": 90},
)
RUNS = component(
    "RunLengths",
    record(
        {
            "size": said(listed(WHOLE | {"minimum": 1}, least=2, most=2), "[height, width]"),
            "counts": {
                "anyOf": [listed(WHOLE | {"minimum": 0}), {"type": "string"}],
                "description": "Column by column, beginning with unset pixels, as COCO has them: a list, or packed.",
            },
        }
    ),
    example={"size": [4, 4], "counts": [5, 2, 2, 2, 5]},
)


def _forms(*, strict: bool) -> dict[str, JSON]:
    """Every stored form by its type. Documents of the protocol may hold any number of points, and keys of others."""
    shaped = closed if strict else record

    def points(least: int, most: int | None = None) -> JSON:
        return listed(PAIR, least=least if strict else 0, most=most if strict else None)

    def parts(items: JSON) -> JSON:
        return listed(items, least=1 if strict else 0)

    return {
        "bbox": shaped({"points": TWO_PAIRS if strict else PAIRS}),
        "rbox": shaped({"center": _CENTER, "size_wh": _LENGTHS, "angle_deg": NUMBER}),
        "polygon": shaped(
            {"parts": said(parts(parts(points(3))), "Parts, each a list of rings: the outer one, then holes.")}
        ),
        "polyline": shaped({"parts": parts(points(2))}),
        "point": shaped({"points": points(1, 1)}),
        "skeleton": shaped({"points": listed(KEYPOINT, least=1 if strict else 0)}),
        "ellipse": shaped({"center": _CENTER, "radii": _LENGTHS, "angle_deg": NUMBER}),
        "bitmap": shaped(
            {"rle": RUNS},
            {
                "box_xyxy": said(
                    nullable(listed(WHOLE, least=4, most=4)), "The pixel box of the runs, exactly, or left out."
                )
            },
        ),
        "orientation": shaped({}),
    }


_EXAMPLES: dict[str, JSON] = {
    "bbox": {"points": [[10, 20], [110, 90]]},
    "rbox": {"center": [60, 55], "size_wh": [100, 70], "angle_deg": 30},
    "polygon": {"parts": [[[[0, 0], [40, 0], [40, 40]], [[20, 10], [30, 10], [30, 20]]]]},
    "polyline": {"parts": [[[0, 0], [40, 40]]]},
    "point": {"points": [[12, 34]]},
    "skeleton": {"points": [{"name": "nose", "x": 52.5, "y": 20, "visibility": 2}, {"name": "tail", "visibility": 0}]},
    "ellipse": {"center": [60, 55], "radii": [40, 20], "angle_deg": 15},
    "bitmap": {"rle": {"size": [4, 4], "counts": [5, 2, 2, 2, 5]}},
    "orientation": {},
}


def _geometry(name: str, *, strict: bool) -> JSON:
    forms = {
        kind: component(
            f"{kind.capitalize()}{name}", tagged("type", kind, schema), example={"type": kind} | _EXAMPLES[kind]
        )
        for kind, schema in _forms(strict=strict).items()
    }
    return component(name, told_by("type", forms), example={"type": "polygon"} | _EXAMPLES["polygon"])


GEOMETRY = _geometry("Geometry", strict=True)
DOCUMENT_GEOMETRY = _geometry("DocumentGeometry", strict=False)
WIRE_TYPE = one_of(*WIRE)
