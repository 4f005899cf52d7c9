"""What changed between two places of a log, for the OpenAPI document."""

from __future__ import annotations

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    ANYTHING,
    FLAG,
    OFFSET,
    TEXT,
    UUID,
    WHOLE,
    closed,
    listed,
    map_of,
    nullable,
    one_of,
    said,
)

_overlap = closed({"iou": {"type": "number"}, "area_before_px": WHOLE, "area_after_px": WHOLE})
_relation = closed({"track": UUID, "track_id": WHOLE, "frame": nullable(WHOLE)})
_change = closed(
    {
        "what": said(TEXT, "`annotation:<uuid>`, `track:<uuid>`; `label` or `self` for the label, sample or dataset."),
        "id": said(nullable(WHOLE), "The number that people see."),
        "category_id": nullable(WHOLE),
        "change": one_of("added", "removed", "changed"),
        "kinds": said(listed(TEXT), "What of it changed: category, geometry, attributes, keyframes, status, split …"),
        "before": said(nullable(ANYTHING), "The fields that differ, as they were; all of them where it was removed."),
        "after": said(nullable(ANYTHING), "As they are."),
        "words": said(TEXT, "The change in words."),
        "events": said(listed(OFFSET), "The first hundred events behind it."),
        "authors": listed(UUID),
        "people": said(listed(TEXT), "Their usernames of today."),
    },
    {
        "geometry": said(
            _overlap, "Of a changed outline, or changed pixels: the areas, and their intersection over union."
        ),
        "keyframes": said(
            closed(
                {},
                {
                    "added": listed(WHOLE),
                    "removed": listed(WHOLE),
                    "leaves": said(listed(WHOLE), "Frames from which on the object is gone now."),
                    "stays": said(listed(WHOLE), "Frames from which on it is not gone any more."),
                    "changed": listed(closed({"frame": WHOLE, "kinds": listed(TEXT)}, {"geometry": _overlap})),
                },
            ),
            "Of a track: at which frames something was set, cleared, or set otherwise.",
        ),
        "split_from": said(_relation, "The track that this one was split off from."),
        "merged_into": said(_relation, "The track that this one was merged into."),
        "categories": said(
            listed(
                closed(
                    {
                        "id": WHOLE,
                        "change": one_of(
                            "added", "removed", "renamed", "recoloured", "merged", "deprecated", "changed"
                        ),
                        "before": {"description": "A name, a colour …, or the fields that differ; null for none."},
                        "after": {"description": "The same, as it is."},
                    }
                )
            ),
            "Of the dataset: each category once, however many objects are of it.",
        ),
        "label_sets": said(
            listed(closed({"id": UUID, "name": TEXT, "change": one_of("added", "removed")})),
            "Of the dataset: each label set once, however many labels are in it.",
        ),
        "match": said(
            closed(
                {
                    "uuid": UUID,
                    "id": nullable(WHOLE),
                    "by": one_of("uuid", "origin", "overlap"),
                    "iou": nullable({"type": "number"}),
                    "score": nullable({"type": "number"}),
                }
            ),
            "Between two label sets: which object of the other one it is, and how that was found.",
        ),
    },
)
_counts = map_of(WHOLE)
DIFFERENCE = component(
    "Difference",
    closed(
        {
            "from": OFFSET,
            "to": OFFSET,
            "entries": listed(
                closed(
                    {
                        "stream": TEXT,
                        "sample": nullable(UUID),
                        "sample_name": nullable(TEXT),
                        "label_set": nullable(UUID),
                        "label_set_name": nullable(TEXT),
                        "gone_with": said(
                            nullable(one_of("sample", "label_set")),
                            "Nothing happened to the label itself: it came or went with its sample or its label set.",
                        ),
                        "changes": listed(_change),
                        "same": said(nullable(WHOLE), "Between two label sets: how many objects are the same."),
                        "event_count": WHOLE,
                        "events": said(listed(OFFSET), "The first hundred behind it."),
                        "authors": listed(UUID),
                        "people": said(listed(TEXT), "Their usernames of today."),
                    }
                )
            ),
            "totals": said(
                closed(
                    {
                        "entries": WHOLE,
                        "events": WHOLE,
                        "people": WHOLE,
                        "same": WHOLE,
                        "samples": _counts,
                        "labels": _counts,
                        "objects": _counts,
                        "kinds": _counts,
                        "fields": _counts,
                        "categories": _counts,
                        "label_sets": _counts,
                        "complete": said(FLAG, "Whether all were counted; else the first two thousand labels were."),
                    }
                ),
                "Of this page and all behind it.",
            ),
            "words": said(TEXT, "The totals in a sentence."),
            "page": said(TEXT, "The address of the page for people, with before and after side by side."),
            "next": said(nullable(TEXT), "For `after`, where there is more."),
        }
    ),
    example={
        "from": 41,
        "to": 44,
        "entries": [
            {
                "stream": "label/7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10/8d1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
                "sample": "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
                "sample_name": "a.jpg",
                "label_set": "8d1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
                "label_set_name": "ground-truth",
                "gone_with": None,
                "changes": [
                    {
                        "what": "annotation:0b0a4a6a-6b7e-4f0e-9a50-2d0f3a4b5c6d",
                        "id": 1,
                        "category_id": 1,
                        "change": "changed",
                        "kinds": ["geometry"],
                        "before": {"geometry": {"type": "bbox", "points": [[10, 20], [110, 90]]}},
                        "after": {"geometry": {"type": "bbox", "points": [[20, 20], [110, 90]]}},
                        "geometry": {"iou": 0.9, "area_before_px": 7000, "area_after_px": 6300},
                        "words": "car 1: resized from 100 × 70 px to 90 × 70 px (IoU 0.90, 7,000 → 6,300 px²)",
                        "events": [43],
                        "authors": ["4b1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10"],
                        "people": ["ben"],
                    }
                ],
                "same": None,
                "event_count": 1,
                "events": [43],
                "authors": ["4b1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10"],
                "people": ["ben"],
            }
        ],
        "totals": {
            "entries": 1,
            "events": 1,
            "people": 1,
            "same": 0,
            "samples": {},
            "labels": {"changed": 1},
            "objects": {"changed": 1},
            "kinds": {"geometry": 1},
            "fields": {"geometry": 1},
            "categories": {},
            "label_sets": {},
            "complete": True,
        },
        "words": "1 object changed (1 geometry); in 1 label; 1 event of 1 author",
        "page": "https://labels.example.org/admin/releases/release/difference/0a1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10/",
        "next": None,
    },
)
