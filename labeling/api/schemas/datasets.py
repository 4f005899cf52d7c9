"""Datasets and label sets, as `commands.datasets` takes them."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    ANYTHING,
    FLAG,
    MOMENT,
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
from labeling.api.schemas.parameters import NAME, USERNAME
from labeling.api.schemas.task_attributes import TASK_ATTRIBUTES
from labeling.commands.datasets import TEXT_LIMIT
from labeling.rules.access import ON_ACCEPTED
from labeling.rules.dataset_state import DATASET_CATEGORIES, ROLES, SETTINGS
from labeling.rules.edits.placement import OUTSIDE
from labeling.rules.label_state import STATUSES
from labeling.rules.reasons import CLASSES
from labeling.rules.signatures import REQUIRED
from labeling.rules.task_types import task_type_names

JSON = dict[str, Any]

TASK_TYPE = said(one_of(*task_type_names()), "What its labels are; fixed when it is made.")
#: Every setting with the values that it takes; null is no value, except for the region.
SETTING: JSON = dict.fromkeys(SETTINGS, FLAG) | {
    "labeling_inactivity_timeout_seconds": WHOLE | {"minimum": 1, "maximum": 86_400},
    "region_of_interest": ANYTHING,
    "undo_limit": said(
        WHOLE | {"minimum": 0, "maximum": 1000}, "How many of one's own last gestures on a label can be undone."
    ),
    "accepted_label_edits": said(one_of(*ON_ACCEPTED), "What a labeler's edit of an accepted label does."),
    "reasons_required": said(
        listed(one_of(*CLASSES)), "What nobody does without a reason (`reason` in the body, or the header X-Reason)."
    ),
    "signatures_required": said(
        listed(one_of(*REQUIRED)), "What takes an electronic signature: accepting a label, handing out a release."
    ),
    "enable_four_eyes": said(FLAG, "Nobody accepts, rejects or verifies a label that they changed themselves."),
    "labels_outside_image": said(one_of(*OUTSIDE), "Whether shapes may be drawn that reach out of the image."),
}
_CHANGEABLE: JSON = {
    "description": nullable(text(TEXT_LIMIT)),
    "readme": nullable(text(TEXT_LIMIT)),
    "category": one_of(*DATASET_CATEGORIES),
    "public": FLAG,
    "archived": FLAG,
    "metadata": ANYTHING,
    **SETTING,
    "region_of_interest": nullable(ANYTHING),
}
_DOCUMENT: JSON = {"task_attributes": said(nullable(TASK_ATTRIBUTES), "Null is an empty document.")}
LABELSET = component(
    "Labelset",
    closed({"name": TEXT, "description": TEXT, "is_groundtruth": FLAG, "created_at": MOMENT}),
    example={
        "name": "ground-truth",
        "description": "",
        "is_groundtruth": True,
        "created_at": "2026-11-20T09:30:00.123456+00:00",
    },
    gives={"label_set": "$response.body#/name"},
)
NEW_LABELSET = component(
    "NewLabelset",
    record(
        {"name": NAME},
        {
            "description": nullable(TEXT),
        },
    ),
    example={"name": "model-7", "description": "what the model of May says"},
)
_seen_role = {"enum": [*ROLES, None]}
_example = {
    "uuid": "0a1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
    "name": "cars",
    "full_name": "ana/cars",
    "cloned_from": None,
    "description": "",
    "category": "street_scenery",
    "public": False,
    "archived": False,
    "owner": {"username": "ana", "created_at": "2026-01-05T08:00:00.123456+00:00", "is_organization": False},
    "created_at": "2026-11-20T09:30:00.123456+00:00",
    "task_type": "vector",
    "task_attributes": {"categories": [{"id": 1, "name": "car", "color": [0, 113, 188]}]},
    "label_stats": {"TOTAL": 12, "LABELED": 7, "UNLABELED": 5},
    "samples_count": 12,
    "collaborators_count": 2,
    "metadata": {},
    "readme": "",
    "role": "admin",
    "palimpsest_role": "admin",
    "labelsets": [
        {
            "name": "ground-truth",
            "description": "",
            "is_groundtruth": True,
            "created_at": "2026-11-20T09:30:00.123456+00:00",
        }
    ],
    **{name: value for name, value in SETTINGS.items() if value is not None},
}
DATASET = component(
    "Dataset",
    closed(
        {
            "uuid": UUID,
            "name": TEXT,
            "full_name": TEXT,
            "cloned_from": said(nullable(TEXT), "The full name of the dataset that it is a copy of."),
            "description": TEXT,
            "category": one_of(*DATASET_CATEGORIES),
            "public": FLAG,
            "archived": FLAG,
            "owner": closed({"username": TEXT, "created_at": MOMENT, "is_organization": FLAG}),
            "created_at": MOMENT,
            "task_type": TASK_TYPE,
            "task_attributes": nullable(TASK_ATTRIBUTES),
            "label_stats": said(
                closed({"TOTAL": WHOLE}, dict.fromkeys(STATUSES, WHOLE)),
                "How many samples, and how many by the status of their ground truth.",
            ),
            "samples_count": WHOLE,
            "collaborators_count": WHOLE,
            "metadata": ANYTHING,
            "readme": TEXT,
            "role": said(_seen_role, "The caller's; null for a viewer, whom the protocol does not have."),
            "palimpsest_role": said(_seen_role, "The caller's; null for who is no member."),
            "labelsets": listed(LABELSET),
            **{name: schema for name, schema in SETTING.items() if SETTINGS[name] is not None},
        },
        {name: schema for name, schema in SETTING.items() if SETTINGS[name] is None},
    ),
    example=_example,
    gives={"owner": "$response.body#/owner/username", "name": "$response.body#/name"},
)
NEW_DATASET = component(
    "NewDataset",
    record(
        {"name": NAME, "task_type": TASK_TYPE},
        _DOCUMENT | {name: nullable(schema) for name, schema in _CHANGEABLE.items()},
        description="A setting of null has its default.",
    ),
    example={
        "name": "cars",
        "task_type": "vector",
        "task_attributes": {"categories": [{"id": 1, "name": "car"}]},
        "category": "street_scenery",
        "enable_save_button": True,
    },
)
DATASET_CHANGE = component(
    "DatasetChange",
    record(
        {},
        {"name": NAME, "task_type": said(TASK_TYPE, "Only the one that it has."), **_DOCUMENT, **_CHANGEABLE},
    ),
    example={"description": "cars of the city", "public": True},
)
CLONING = component(
    "Cloning",
    record(
        {},
        {
            "name": said(NAME, "The name of the copy: `<name>-clone` unless said."),
            "owner": said(nullable(USERNAME), "The caller unless said."),
            "clone_labels": said(FLAG, "Whether the labels are copied too; they are not unless said."),
            "task_type": nullable(TASK_TYPE),
            "public": nullable(FLAG),
        },
    ),
    example={"name": "cars-two", "clone_labels": True},
)
