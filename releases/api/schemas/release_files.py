"""What a release freezes: its file and its manifest, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    ANYTHING,
    HASH,
    MOMENT,
    OFFSET,
    TEXT,
    UUID,
    WHOLE,
    listed,
    map_of,
    nullable,
    one_of,
    record,
    said,
)
from labeling.api.schemas.labels import LABEL_DOCUMENT, STATUS
from labeling.api.schemas.samples import SAMPLE_ATTRIBUTES
from labeling.api.schemas.task_attributes import TASK_ATTRIBUTES
from releases.api.schemas.releases import NAMED
from releases.terms import IMAGES

JSON = dict[str, Any]

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
