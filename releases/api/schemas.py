"""Releases, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    ANYTHING,
    FLAG,
    HASH,
    ISO_TIME,
    MOMENT,
    OFFSET,
    TEXT,
    UUID,
    WHOLE,
    closed,
    listed,
    map_of,
    matching,
    nullable,
    one_of,
    record,
    said,
    text,
)
from labeling.api.schemas.labels import LABEL_DOCUMENT, STATUS
from labeling.api.schemas.parameters import answer_header, named_path_parameter
from labeling.api.schemas.samples import SAMPLE_ATTRIBUTES
from labeling.api.schemas.signing_keys import KEY_ID
from labeling.api.schemas.task_attributes import TASK_ATTRIBUTES
from labeling.rules.label_state import STATUSES
from releases.rules import DESCRIPTION_LIMIT
from releases.terms import IMAGES

JSON = dict[str, Any]

NAME = matching("^[A-Za-z0-9]([A-Za-z0-9 ._()+,-]{0,126}[A-Za-z0-9._()+-])?$", "The name of a release.")
named_path_parameter("release", NAME, "v1")
NAMED = closed({"release": UUID, "identity": HASH})
RELEASE = component(
    "Release",
    closed(
        {
            "uuid": UUID,
            "name": TEXT,
            "description": TEXT,
            "release_type": {"const": "JSON"},
            "attributes": closed(
                {"url": said(nullable(TEXT), "The file, readable without a key; null until it is made.")}
            ),
            "status": one_of("PENDING", "SUCCEEDED", "FAILED"),
            "created_at": MOMENT,
            "created_by": TEXT,
            "samples_count": WHOLE,
            "samples_total": said(nullable(WHOLE), "Of how many, while it is made; null before that is known."),
            "labels_left_out": said(WHOLE, "Labels that the file cannot say."),
            "size_bytes": nullable(WHOLE),
            "sha256": said(nullable(HASH), "Of the file as it is stored (`?stored`)."),
            "error": said(nullable(TEXT), "Why it failed."),
            "offset": said(OFFSET, "The place in the log that it froze."),
            "choice": said(ANYTHING, "What of the dataset it holds, and as what, where that is not all of it."),
            "images": said(one_of(*IMAGES), "Whether its archive holds the files that it refers to."),
            "base": said(nullable(NAMED), "The release to which its file, as it is stored, is the difference."),
            "supersedes": said(nullable(NAMED), "The release in whose place it comes."),
            "signed_by": said(nullable(KEY_ID), "The key that signed its manifest."),
            "withdrawn": said(
                nullable(
                    closed({"at": MOMENT, "by": TEXT, "reason": said(nullable(TEXT), "Where one was said.")}),
                ),
                "Null for one that stands. A withdrawn one is found by its id only.",
            ),
            "identity": said(nullable(HASH), "The hash of its manifest: what it is, whatever it is called."),
            "chain": said(HASH, "The log's chain hash there."),
        }
    ),
    example={
        "uuid": "6d0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a11",
        "name": "v1",
        "description": "",
        "release_type": "JSON",
        "attributes": {"url": None},
        "status": "PENDING",
        "created_at": "2026-11-20T09:30:00.123456+00:00",
        "created_by": "ana",
        "samples_count": 0,
        "samples_total": None,
        "labels_left_out": 0,
        "size_bytes": None,
        "sha256": None,
        "error": None,
        "offset": 41,
        "choice": {},
        "images": "referred",
        "base": None,
        "supersedes": None,
        "signed_by": None,
        "withdrawn": None,
        "identity": None,
        "chain": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    },
    gives={"release": "$response.body#/name"},
)
NEW_RELEASE = component(
    "NewRelease",
    record(
        {"name": NAME},
        {
            "description": nullable(text(DESCRIPTION_LIMIT)),
            "at": said(
                {"anyOf": [WHOLE | {"minimum": 1}, ISO_TIME, {"type": "null"}]},
                "An offset of the dataset, or a time: as it was then. Unless said, as it is now.",
            ),
            "filter": said(
                nullable(
                    closed(
                        {},
                        {
                            "status": listed(one_of(*STATUSES), least=1),
                            "label_sets": listed(TEXT, least=1),
                            "samples": listed(TEXT, least=1),
                            "metadata": ANYTHING,
                            "categories": listed(WHOLE, least=1),
                        },
                    )
                ),
                "Which samples: by the status and categories of their ground truth, by name (`*` and `?` stand for"
                " others), by metadata; and which label sets.",
            ),
            "category_map": said(
                nullable(closed({}, {"merge": map_of(WHOLE), "rename": map_of(text(200)), "drop": listed(WHOLE)})),
                "Categories by id: read as another, under another name, or not at all.",
            ),
            "splits": said(
                nullable(closed({}, {"metadata": TEXT, "seed": text(200), "shares": map_of(WHOLE)})),
                "`metadata`: a key of the samples that says their split; or `seed` and `shares`, by which it is drawn.",
            ),
            "images": said(
                nullable(one_of(*IMAGES)),
                "Whether its archive holds the files that it refers to; `referred` unless said.",
            ),
            "base": said(
                nullable(TEXT),
                "The name or id of a release: the new one holds only what differs from it. Its file is made already.",
            ),
            "supersedes": said(
                nullable(TEXT),
                "The name or id of a release, withdrawn ones too, in whose place this one comes: of the same offset and"
                " choice unless said otherwise, without the files that were erased since, which its manifest names.",
            ),
        },
    ),
    example={
        "name": "v1",
        "description": "what the model of May was trained on",
        "splits": {"seed": "may", "shares": {"train": 8, "val": 1, "test": 1}},
    },
)
RELEASE_FILE = component(
    "ReleaseFile",
    record(
        {
            "name": TEXT,
            "description": TEXT,
            "created_at": MOMENT,
            "log": said(
                record({"chain": HASH, "dataset": UUID, "offset": OFFSET, "release": UUID}),
                "Where it stands: the file is a witness of the log.",
            ),
            "dataset": record(
                {
                    "name": TEXT,
                    "owner": said(TEXT, "A username; as stored an id."),
                    "task_type": TEXT,
                    "task_attributes": TASK_ATTRIBUTES,
                    "labelsets": listed(record({"name": TEXT, "description": TEXT})),
                    "samples": listed(
                        record(
                            {
                                "uuid": UUID,
                                "name": TEXT,
                                "metadata": ANYTHING,
                                "attributes": SAMPLE_ATTRIBUTES,
                                "labels": said(
                                    {
                                        "type": "object",
                                        "additionalProperties": nullable(
                                            record({"label_status": STATUS, "attributes": LABEL_DOCUMENT})
                                        ),
                                    },
                                    "By label set, every one of them; null where there is no label.",
                                ),
                            }
                        )
                    ),
                }
            ),
        },
        description="Everything at the offset that was frozen. The bytes are the same for ever.",
    ),
    example={
        "name": "v1",
        "description": "",
        "created_at": "2026-11-20T09:30:00.123456+00:00",
        "log": {
            "chain": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "dataset": "0a1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
            "offset": 41,
            "release": "6d0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a11",
        },
        "dataset": {
            "name": "cars",
            "owner": "ana",
            "task_type": "vector",
            "task_attributes": {"categories": [{"id": 1, "name": "car"}]},
            "labelsets": [{"name": "ground-truth", "description": ""}],
            "samples": [
                {
                    "uuid": "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
                    "name": "a.jpg",
                    "metadata": {},
                    "attributes": {"image": {"url": "https://example.org/a.jpg"}},
                    "labels": {"ground-truth": None},
                }
            ],
        },
    },
)
MANIFEST = component(
    "ReleaseManifest",
    record(
        {
            "manifest": said(WHOLE, "Its form: 1 of releases from before there were others, or 2."),
            "dataset": record({"id": UUID, "name": TEXT}),
            "release": record({"id": UUID, "name": TEXT}),
            "offset": OFFSET,
            "chain": HASH,
            "choice": ANYTHING,
            "task_type": TEXT,
            "task_attributes": TASK_ATTRIBUTES,
            "exporters": listed(record({"name": TEXT, "version": WHOLE})),
            "files": listed(record({"path": TEXT, "sha256": HASH, "size_bytes": WHOLE})),
            "content_sha256": said(HASH, "Of the samples alone, whatever the release is called."),
            "samples_count": WHOLE,
            "labels_left_out": WHOLE,
            "splits": map_of(WHOLE),
        },
        {
            "assets": said(
                record(
                    {
                        "count": WHOLE,
                        "size_bytes": WHOLE,
                        "images": one_of(*IMAGES),
                        "erased": listed(record({"asset": UUID, "sha256": HASH, "size_bytes": WHOLE})),
                    }
                ),
                "The files that it refers to; each by its hash in `assets.jsonl`, those erased before it was cut here.",
            ),
            "base": said(nullable(NAMED), "The release to which it is the difference."),
            "whole": said(record({"sha256": HASH, "size_bytes": WHOLE}), "What base and difference give together."),
            "supersedes": nullable(NAMED),
        },
        description="Canonical JSON; the SHA-256 of the bytes is the release's identity.",
    ),
    example={
        "manifest": 2,
        "dataset": {"id": "0a1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10", "name": "cars"},
        "release": {"id": "6d0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a11", "name": "v1"},
        "offset": 41,
        "chain": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "choice": {},
        "task_type": "vector",
        "task_attributes": {"categories": [{"id": 1, "name": "car"}]},
        "exporters": [{"name": "segments", "version": 1}],
        "files": [
            {
                "path": "release.json",
                "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "size_bytes": 17300,
            },
            {
                "path": "assets.jsonl",
                "sha256": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
                "size_bytes": 620,
            },
        ],
        "content_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "samples_count": 2,
        "labels_left_out": 0,
        "splits": {},
        "assets": {"count": 2, "size_bytes": 70300, "images": "referred", "erased": []},
        "base": None,
        "supersedes": None,
    },
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
            "complete": True,
        },
        "words": "1 object changed (1 geometry); in 1 label; 1 event of 1 author",
        "page": "https://labels.example.org/admin/releases/release/difference/0a1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10/",
        "next": None,
    },
)
LOSS = closed(
    {
        "what": said(TEXT, "What of the labels it is."),
        "became": one_of("kept", "converted", "approximated", "left out"),
        "times": WHOLE,
    }
)
EXPORT = component(
    "Export",
    closed(
        {
            "uuid": UUID,
            "release": NAME,
            "format": TEXT,
            "format_version": WHOLE,
            "label_set": TEXT,
            "options": map_of(TEXT),
            "status": one_of("PENDING", "SUCCEEDED", "FAILED"),
            "url": said(nullable(TEXT), "The archive, readable without a key; null until it is made."),
            "samples_count": WHOLE,
            "samples_total": said(nullable(WHOLE), "Of how many, while it is made; null before that is known."),
            "losses": said(listed(LOSS), "What the format cannot carry; one by one in the archive's `losses.json`."),
            "size_bytes": nullable(WHOLE),
            "sha256": nullable(HASH),
            "error": said(nullable(TEXT), "Why it failed."),
        }
    ),
    example={
        "uuid": "6d0f2b52-9c7e-5f3e-8f5a-0f6f2c9b1a11",
        "release": "v1",
        "format": "coco-instances",
        "format_version": 1,
        "label_set": "ground-truth",
        "options": {"clip": "yes"},
        "status": "PENDING",
        "url": None,
        "samples_count": 0,
        "samples_total": None,
        "losses": [],
        "size_bytes": None,
        "sha256": None,
        "error": None,
    },
)
ETAG_OF_HASH = answer_header(
    "ETag", "The release's identity.", matching('^"[0-9a-f]{64}"$', "A strong ETag.") | {"examples": [f'"{"0" * 64}"']}
)
ARCHIVE: JSON = {"type": "string", "format": "binary", "description": "A ZIP archive."}
EXPORT_FILE: JSON = {"type": "string", "format": "binary", "description": "A ZIP archive; its bytes never differ."}
FORMAT = component(
    "Format",
    closed(
        {
            "name": TEXT,
            "version": WHOLE,
            "title": TEXT,
            "exports": FLAG,
            "imports": FLAG,
            "needs_size": said(FLAG, "Pictures of unknown size are left out."),
            "options": listed(closed({"name": TEXT, "choices": listed(TEXT), "description": TEXT})),
            "reading_options": said(
                listed(closed({"name": TEXT, "choices": listed(TEXT), "description": TEXT})), "Those of imports."
            ),
            "carries": said(
                map_of(one_of("kept", "converted", "approximated", "left out")), "What becomes of what labels hold."
            ),
        }
    ),
    example={
        "name": "coco-instances",
        "version": 1,
        "title": "COCO instances",
        "exports": True,
        "imports": True,
        "needs_size": False,
        "options": [{"name": "clip", "choices": ["yes", "no"], "description": "Cut shapes off at the border."}],
        "reading_options": [],
        "carries": {"bbox": "kept", "holes": "converted", "orientations": "left out"},
    },
)
