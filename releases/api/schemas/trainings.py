"""Trainings that used a release, and its lineage."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component, component_of
from labeling.api.schemas.forms import (
    ANYTHING,
    FLAG,
    HASH,
    MOMENT,
    OFFSET,
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
from labeling.api.schemas.parameters import named_path_parameter
from releases.api.schemas.releases import NAMED
from releases.trainings import LINK_LIMIT, TEXT_LIMIT

JSON = dict[str, Any]

_METRICS: JSON = said(
    {"type": "object", "additionalProperties": {"type": ["number", "string", "boolean", "null"]}}, "What came of it."
)
_example = {
    "name": "may-2",
    "model": "detector",
    "version": "3.1",
    "code": "git:9f2c1d7",
    "metrics": {"mAP": 0.412},
    "link": "https://runs.example.org/may-2",
}
_training: JSON = {
    "uuid": UUID,
    "name": TEXT,
    "model": TEXT,
    "version": TEXT,
    "code": said(TEXT, "Which code: a commit, an image."),
    "metrics": _METRICS,
    "link": said(TEXT, "Where more of it is."),
    "created_by": TEXT,
    "created_at": MOMENT,
}
_training_example = {"uuid": "6d0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a17"} | _example
_training_example |= {"created_by": "ana", "created_at": "2026-11-20T09:30:00.123456+00:00"}
TRAINING = component(
    "Training",
    closed(_training, description="A training that used the release."),
    example=_training_example,
    gives={"training": "$response.body#/uuid"},
)
_of_release: JSON = {
    "offset": said(OFFSET, "Where it stands in the log."),
    "release": said(
        closed({"uuid": UUID, "name": TEXT, "offset": OFFSET, "identity": nullable(HASH), "withdrawn": FLAG}),
        "The release that it used; what made its data are the events up to this offset.",
    ),
}
_of_release_example = _training_example | {
    "offset": 95,
    "release": {
        "uuid": "6d0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a11",
        "name": "v1",
        "offset": 91,
        "identity": None,
        "withdrawn": False,
    },
}
TRAINING_OF_RELEASE = component(
    "TrainingOfRelease",
    closed(_training | _of_release, description="A training, and the release that it used."),
    example=_of_release_example,
)
named_path_parameter("training", said(UUID, "The uuid of a training."), "6d0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a17")
NEW_TRAINING = component(
    "NewTraining",
    record(
        {"name": text(TEXT_LIMIT, least=1), "model": text(TEXT_LIMIT, least=1)},
        {
            "version": nullable(text(TEXT_LIMIT)),
            "code": nullable(text(TEXT_LIMIT)),
            "metrics": nullable(_METRICS | {"maxProperties": 200}),
            "link": nullable(said(text(LINK_LIMIT), "An address that begins with http or https.")),
        },
    ),
    example=_example,
)
_tally = closed(
    {
        "type": said(TEXT, "The type of the events."),
        "author": TEXT,
        "author_kind": TEXT,
        "tool": nullable(TEXT),
        "events": WHOLE,
        "first_offset": OFFSET,
        "last_offset": OFFSET,
        "first_at": MOMENT,
        "last_at": MOMENT,
    }
)
LINEAGE = component(
    "Lineage",
    closed(
        {
            "sources": listed(_tally, description="Who brought files and samples."),
            "imports": listed(
                closed(
                    {
                        "import": UUID,
                        "filename": TEXT,
                        "sha256": nullable(HASH),
                        "format": TEXT,
                        "author": TEXT,
                        "offset": OFFSET,
                        "state": nullable(TEXT),
                        "counts": ANYTHING,
                    }
                ),
                description="The files that were imported.",
            ),
            "model_runs": listed(
                closed(
                    {
                        "origin": said(ANYTHING, "kind, name, model, version, run, as the objects say."),
                        "objects": WHOLE,
                        "first_offset": OFFSET,
                        "last_offset": OFFSET,
                    }
                ),
                description="Where objects say that they came from.",
            ),
            "edits": listed(_tally, description="Who made, changed and judged labels."),
            "release": closed(
                {
                    "uuid": UUID,
                    "name": TEXT,
                    "offset": OFFSET,
                    "identity": nullable(HASH),
                    "base": nullable(NAMED),
                    "supersedes": nullable(NAMED),
                }
            ),
            "consumers": closed(
                {
                    "trainings": listed(TRAINING),
                    "exports": listed(closed({"format": TEXT, "label_set": TEXT, "status": TEXT})),
                    "releases": listed(closed({"uuid": UUID, "name": TEXT, "as": one_of("base", "supersedes")})),
                }
            ),
        },
        description="From the sources to those who used it; all that is in the log up to the release's offset.",
    ),
    example={
        "sources": [],
        "imports": [],
        "model_runs": [
            {
                "origin": {"kind": "model", "name": "detector", "version": "3.0"},
                "objects": 812,
                "first_offset": 12,
                "last_offset": 31,
            }
        ],
        "edits": [
            {
                "type": "AnnotationGeometrySet",
                "author": "ben",
                "author_kind": "person",
                "tool": None,
                "events": 40,
                "first_offset": 32,
                "last_offset": 90,
                "first_at": "2026-11-20T09:30:00.123456+00:00",
                "last_at": "2026-11-20T11:30:00.123456+00:00",
            }
        ],
        "release": {
            "uuid": "6d0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a11",
            "name": "v1",
            "offset": 91,
            "identity": None,
            "base": None,
            "supersedes": None,
        },
        "consumers": {"trainings": [], "exports": [], "releases": []},
    },
)
TRAINING_LINEAGE = component(
    "TrainingLineage",
    closed(
        _training | _of_release | {"lineage": LINEAGE}, description="A training, and all that its model was made of."
    ),
    example=_of_release_example | {"lineage": component_of(LINEAGE).example},  # type: ignore[union-attr]
)
