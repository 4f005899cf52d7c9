"""Masks with their segments, as they are imported, and what became of each."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    ANYTHING,
    FLAG,
    TEXT,
    UUID,
    WHOLE,
    closed,
    listed,
    nullable,
    one_of,
    record,
    said,
    text,
)
from labeling.api.schemas.labels import SETTABLE
from labeling.commands.mask_imports import MOST_MASKS
from labeling.rules.mask_imports import MOST_SEGMENTS, UNKNOWN

JSON = dict[str, Any]

SEGMENT = component(
    "MaskSegment",
    closed(
        {"index": said(WHOLE | {"minimum": 0, "maximum": MOST_SEGMENTS - 1}, "The value of its pixels; each once.")},
        {
            "label": said(nullable(TEXT), "The name of its category."),
            "category_id": said(nullable(WHOLE), "Its category, in the place of its name."),
            "metadata": said(nullable(ANYTHING), "Kept with the object, below `metadata`."),
        },
    ),
    example={"index": 6, "label": "person", "metadata": {"pose": "sitting"}},
)
_image_2: JSON = {
    "reference_id": "image_2",
    "mask_url": "/media/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/image_2_mask_1.png",
    "annotations": [{"index": 0, "label": "background"}, {"index": 8, "label": "bird"}],
    "annotation_id": "image_2_mask_1",
}
MASK = component(
    "MaskImport",
    closed(
        {
            "reference_id": said(text(10_000, least=1), "The name of a sample, or its uuid."),
            "mask_url": said(
                text(10_000, least=1),
                "A PNG of one channel in the image's size: a file of this server, or of a host that it may fetch from.",
            ),
            "annotations": listed(SEGMENT, least=1, most=MOST_SEGMENTS),
        },
        {"annotation_id": nullable(text(1000)), "type": one_of("mask")},
    ),
    example=_image_2,
)
MASKS = component(
    "MaskImports",
    closed(
        {"masks": said(listed({"anyOf": [MASK, {}]}, most=MOST_MASKS), "One that does not fit fails alone.")},
        {
            "update": said(FLAG, "Replace the mask that a label has; without it the new one is ignored there."),
            "strict": said(FLAG, "Refuse a mask with findings."),
            "unknown_labels": said(one_of(*UNKNOWN), "What becomes of a segment whose label no category has."),
            "label_status": said(SETTABLE, "The status of labels that are new; PRELABELED unless said."),
            "labelset": said(TEXT, "ground-truth unless said."),
        },
    ),
    example={"masks": [_image_2], "update": True},
)
FINDING = record(
    {
        "code": said(
            one_of(
                "other_size",
                "palette",
                "segments_without_pixels",
                "several_channels",
                "sixteen_bits",
                "values_without_segment",
            ),
            "What is odd.",
        )
    },
    {
        "mask_wh": listed(WHOLE),
        "image_wh": listed(WHOLE),
        "count": WHOLE,
        "pixels": said(ANYTHING, "Of values without a segment: how many pixels have each."),
        "indexes": listed(WHOLE),
    },
)
MASKS_IMPORTED = component(
    "MasksImported",
    closed(
        {
            "annotations_processed": WHOLE,
            "annotations_ignored": said(WHOLE, "Those of labels that have a mask already."),
            "annotations_failed": WHOLE,
            "results": said(
                listed(
                    closed(
                        {
                            "reference_id": nullable(TEXT),
                            "sample": nullable(UUID),
                            "outcome": one_of("processed", "ignored", "failed"),
                            "changed": said(FLAG, "Whether the label is another one now."),
                            "version": said(nullable(WHOLE), "Of the label."),
                            "findings": listed(FINDING),
                        },
                        {"error": closed({"code": TEXT, "detail": TEXT}, {"field": TEXT})},
                    )
                ),
                "One for each mask, in their order.",
            ),
        }
    ),
    example={
        "annotations_processed": 1,
        "annotations_ignored": 0,
        "annotations_failed": 0,
        "results": [
            {
                "reference_id": "image_2",
                "sample": "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
                "outcome": "processed",
                "changed": True,
                "version": 4,
                "findings": [{"code": "palette"}],
            }
        ],
    },
)
