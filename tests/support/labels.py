"""Labels in memory, for tests of rules: what a label holds, and what facts make of it."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from labeling.log.event import Fact
from labeling.rules import label_state
from labeling.rules.fold import Place
from labeling.rules.label_ids import label_stream
from labeling.rules.label_state import LabelState

JSON = dict[str, Any]

DATASET, SAMPLE, LABEL_SET = (uuid.UUID(int=number, version=4) for number in (1, 2, 3))
ANA, BEN = (uuid.UUID(int=number, version=4) for number in (11, 12))
AT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
BOX: JSON = {"type": "bbox", "points": [[1.0, 2.0], [3.0, 4.0]]}
BIG_BOX: JSON = {"type": "bbox", "points": [[0, 0], [9, 9]]}
HOLED: JSON = {
    "type": "polygon",
    "parts": [[[[0, 0], [9, 0], [9, 9]], [[1, 1], [2, 1], [2, 2]]], [[[20, 20], [29, 20], [29, 29]]]],
}
ORIENTATION: JSON = {"roll_deg": 1, "pitch_deg": 2, "yaw_deg": 3}
KEYPOINTS: list[JSON] = [{"name": "nose", "x": 1, "y": 2, "visibility": 2}]


def key(number: int) -> str:
    """The uuid of the annotation that tests know by a number."""
    return str(uuid.UUID(int=1000 + number, version=4))


def annotation(number: int, **fields: Any) -> JSON:
    """An annotation as a state holds it: a box of category 1, made by Ana."""
    return {
        "uuid": key(number),
        "id": number,
        "category_id": 1,
        "order": float(number),
        "geometry": BOX,
        "version": 1,
        "by": str(ANA),
        "last_offset": 1,
    } | fields


def label(*annotations: JSON, **header: Any) -> LabelState:
    """A label of version 1 that holds these annotations; without any header it is labeling in progress."""
    state = LabelState(DATASET, label_stream(SAMPLE, LABEL_SET))
    known: JSON = {"version": 1, "exists": True, "status": "LABELING_IN_PROGRESS", "created_by": ANA, "created_at": AT}
    known |= {"updated_by": ANA, "updated_at": AT, "last_offset": 1}
    known["last_id"] = max([0, *(item["id"] for item in annotations)])
    known["last_order"] = max([0.0, *(item["order"] for item in annotations)])
    for name, value in (known | header).items():
        setattr(state, name, value)
    state.annotations = {item["uuid"]: item for item in annotations}
    return state


def no_label() -> LabelState:
    """A label before its first event."""
    return LabelState(DATASET, label_stream(SAMPLE, LABEL_SET))


def after(state: LabelState, *facts: Fact, author: uuid.UUID = BEN) -> LabelState:
    """The state after facts by one author, on a copy."""
    state = state.copied()
    for fact in facts:
        label_state.evolve(state, fact, Place(author, AT, state.last_offset + 1, state.version + 1))
    return state
