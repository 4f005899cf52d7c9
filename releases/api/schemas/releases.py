"""Releases, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    ANYTHING,
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
    said,
    text,
)
from labeling.api.schemas.parameters import answer_header, named_path_parameter
from labeling.api.schemas.signing_keys import KEY_ID
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
    closed(
        {"name": NAME},
        {
            "description": nullable(text(DESCRIPTION_LIMIT)),
            "at": said(
                {"anyOf": [WHOLE | {"minimum": 1}, ISO_TIME, TEXT, {"type": "null"}]},
                "An offset of the dataset, a time, the id of an event, or the name of a release: as it was then. Unless"
                " said, as it is now.",
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
            "formats": said(
                nullable(listed(TEXT)),
                "The names of formats that it is exported in at once; `…/export/?format=` then says how far each is.",
            ),
        },
    ),
    example={
        "name": "v1",
        "description": "what the model of May was trained on",
        "splits": {"seed": "may", "shares": {"train": 8, "val": 1, "test": 1}},
    },
)
ETAG_OF_HASH = answer_header(
    "ETag", "The release's identity.", matching('^"[0-9a-f]{64}"$', "A strong ETag.") | {"examples": [f'"{"0" * 64}"']}
)
ARCHIVE: JSON = {"type": "string", "format": "binary", "description": "A ZIP archive."}
