"""Masks of labels: segments, run lengths, what is missing, and what is at a pixel."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    FLAG,
    TEXT,
    UUID,
    WHOLE,
    any_of,
    closed,
    listed,
    matching,
    nullable,
    one_of,
    said,
)
from labeling.api.schemas.parameters import answer_header, header, or_empty, query
from labeling.rules.masks import KINDS

JSON = dict[str, Any]

COUNT: JSON = WHOLE | {"minimum": 0}
BOX = listed(COUNT, least=4, most=4, description="[x0, y0, x1, y1] in pixels: columns x0 <= x < x1, rows y0 <= y < y1.")
RUNS = closed(
    {
        "size": listed(WHOLE | {"minimum": 1}, least=2, most=2, description="[height, width]"),
        "counts": any_of([TEXT, listed(COUNT)]),
    },
    description="COCO run lengths: packed text, or a list.",
)
_segment: JSON = {
    "category_id": said(nullable(WHOLE), "As it is read now: what was merged is what it was merged into."),
    "thing": said(FLAG, "Whether its category is of things, whose objects are counted, or of stuff."),
    "area": said(COUNT, "The pixels that are seen of it."),
    "box_xyxy": said(nullable(BOX), "The box around what is seen; none of what is not seen."),
}
_example: JSON = {"id": 1, "category_id": 1, "thing": True, "area": 100, "box_xyxy": [10, 10, 20, 20]}
ANNOTATIONS = said(listed(UUID), "Of its objects; in a sequence of their tracks. None for pixels of no object.")
MASK = component(
    "Mask",
    closed(
        {
            "kind": one_of(*KINDS),
            "frame": COUNT,
            "width": WHOLE | {"minimum": 1},
            "height": WHOLE | {"minimum": 1},
            "segments": said(
                listed(
                    closed(
                        {"id": said(WHOLE, "The value of its pixels in the map.")}
                        | _segment
                        | {"annotations": ANNOTATIONS},
                        {"rle": RUNS},
                    )
                ),
                "Bottom to top.",
            ),
        }
    ),
    example={
        "kind": "instance",
        "frame": 0,
        "width": 640,
        "height": 480,
        "segments": [_example | {"annotations": ["0b0a4a6a-6b7e-4f0e-9a50-2d0f3a4b5c6d"]}],
    },
)
MASK_REPORT = component(
    "MaskReport",
    closed(
        {
            "frame": COUNT,
            "pixels": COUNT,
            "complete": said(FLAG, "Every pixel shows exactly one object of a category, and every object a pixel."),
            "unlabeled": said(COUNT, "Pixels of no object."),
            "overlapping": said(COUNT, "Pixels that more than one object covers."),
            "overlaps": listed(
                closed({"below": WHOLE, "above": WHOLE, "pixels": COUNT}),
                description="Ids of objects and the pixels of the one that show the other; the largest 1000.",
            ),
            "without_pixels": said(listed(WHOLE), "Objects that cover no pixel: points, lines, what is outside …"),
            "hidden": said(listed(WHOLE), "Objects that others cover wholly."),
            "without_annotation": said(
                listed(closed({"id": WHOLE, "pixels": COUNT})), "Values in a bitmap that no annotation has."
            ),
            "without_category": said(COUNT, "Pixels of objects without a category of the dataset."),
        }
    ),
    example={
        "frame": 0,
        "pixels": 307_200,
        "complete": False,
        "unlabeled": 1200,
        "overlapping": 64,
        "overlaps": [{"below": 1, "above": 2, "pixels": 64}],
        "without_pixels": [],
        "hidden": [],
        "without_annotation": [],
        "without_category": 0,
    },
)
PIXEL = component(
    "Pixel",
    closed(
        {
            "x": COUNT,
            "y": COUNT,
            "frame": COUNT,
            "annotations": said(
                listed(closed({"id": WHOLE, "annotation": nullable(UUID)} | _segment)), "What covers it, top to bottom."
            ),
        }
    ),
    example={
        "x": 12,
        "y": 15,
        "frame": 0,
        "annotations": [_example | {"annotation": "0b0a4a6a-6b7e-4f0e-9a50-2d0f3a4b5c6d"}],
    },
)

# --- parameters ----------------------------------------------------------------------------------------------------

KIND = query(
    "kind",
    "`instance`: ids of annotations (in a sequence of shapes: of tracks); `semantic`: ids of categories; `panoptic`: of"
    " things ids, of stuff the least id of its category; `color`: colours.",
    or_empty(one_of(*KINDS)),
    "instance",
)
FORMATS = ("png", "rle", "json")
FORMAT = query(
    "format",
    "`png`: gray of 8 or 16 bits, wider ids and panoptic RGBA (R + 256 G + 65536 B), colours by a palette or RGB."
    " `rle`: its segments with run lengths; `json`: without.",
    or_empty(one_of(*FORMATS)),
    "png",
)
FRAME = query("frame", "The number of the frame, from 0.", or_empty(COUNT), 0)
COMPRESSED = query("compressed", "`0`: run lengths as lists instead of text.", or_empty(one_of("0", "1")), "1")
WHOLE_OBJECTS = query(
    "whole",
    "`1`: run lengths of all that each object covers, also where others lie over it.",
    or_empty(one_of("0", "1")),
)
CATEGORY_MAP = query(
    "category_map",
    "`from:to` pairs, separated by commas: each category is taken for another one, or (nothing behind the colon) for"
    " void.",
    or_empty(matching(r"^-?[0-9]{1,15}:(-?[0-9]{1,15})?(,-?[0-9]{1,15}:(-?[0-9]{1,15})?)*$", "Ids of categories.")),
    "4:,5:,9:8",
)
STUFF = query("stuff", "`void`: what is stuff is void.", or_empty(one_of("keep", "void")), "keep")
X = query("x", "The column, from 0.", COUNT, 12) | {"required": True}
Y = query("y", "The row, from 0.", COUNT, 15) | {"required": True}
SIZE = query("size", "How large at the most: `small` 176 by 120, `large` 1040 by 760, or as it is.",
             or_empty(one_of("small", "large", "full")), "large")  # fmt: skip
IF_NONE_MATCH = header("If-None-Match", "The ETag of what one has.", TEXT, f'W/"{"0" * 64}"')
MASK_ETAG = answer_header(
    "ETag",
    "A weak ETag: a hash of all that is shown.",
    matching('^W/"[0-9a-f]{64}"$', "A weak ETag.") | {"examples": [f'W/"{"0" * 64}"']},
)
LABEL_VERSION = answer_header("Label-Version", "The version of the label.", COUNT | {"examples": [7]})
