"""The state of a dataset: its settings, members and label sets, folded from the events of its own stream."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from labeling import events as e
from labeling.log.event import Event, Fact
from labeling.log.rows import Rows
from labeling.rules import task_attributes
from labeling.rules.fold import NOW, Moment, Place, folded

JSON = dict[str, Any]

STREAM = "dataset"
MEMBER_NAMESPACE = uuid.UUID("3f1f2f0b-93c5-4b5c-8d55-0d4b4b3f7a03")
GROUND_TRUTH = "ground-truth"
ROLES = ("viewer", "labeler", "reviewer", "manager", "admin")
DATASET_CATEGORIES = ("street_scenery", "garden", "agriculture", "satellite", "people", "medical", "fruit", "other")

#: The settings of a dataset with their defaults on creation (segments-protocol.md §3.5); the last three are ours.
SETTINGS: JSON = {
    "labeling_inactivity_timeout_seconds": 300,
    "enable_skip_labeling": True,
    "enable_skip_reviewing": False,
    "enable_ratings": False,
    "enable_interpolation": True,
    "use_timestamps_for_interpolation": True,
    "enable_same_dimensions_track_constraint": False,
    "enable_save_button": False,
    "enable_label_status_verified": False,
    "enable_3d_cuboid_rotation": False,
    "enable_3d_region_of_interest": False,
    "enable_confirm_on_submit": False,
    "enable_extrapolation": False,
    "enable_object_linking": False,
    "enable_object_link_category_restrictions": False,
    "region_of_interest": None,
    "accepted_label_edits": "reopen",
    "undo_limit": 100,
    "labels_outside_image": "allow",
    "reasons_required": ["override"],
    "signatures_required": [],
    "enable_four_eyes": False,
}
FIELDS = ("name", "description", "category", "readme", "metadata", "public", "archived", "task_type")


@dataclass(slots=True)
class LabelSetState:
    """One label set of the dataset."""

    id: str
    name: str
    description: str
    kind: str
    base: str | None
    archived: bool
    created_by: uuid.UUID
    created_at: Moment
    last_offset: int


@dataclass(slots=True)
class MemberState:
    """One person's role."""

    person: str
    role: str
    created_at: Moment
    last_offset: int


@dataclass(slots=True)
class DatasetState:
    """One dataset. Label sets and members are replaced, never changed in place."""

    id: uuid.UUID
    version: int = 0
    exists: bool = False
    owner: str = ""
    name: str = ""
    description: str = ""
    category: str = "other"
    task_type: str = ""
    public: bool = False
    archived: bool = False
    readme: str = ""
    settings: JSON = field(default_factory=dict)
    metadata: JSON = field(default_factory=dict)
    task_attributes: JSON = field(default_factory=dict)
    cloned_from: JSON | None = None
    created_by: uuid.UUID | None = None
    created_at: Moment = NOW
    updated_at: Moment = NOW
    last_offset: int = 0
    label_sets: dict[str, LabelSetState] = field(default_factory=dict)
    members: dict[str, MemberState] = field(default_factory=dict)

    def label_set(self, name: str) -> LabelSetState | None:
        """The label set of that name that is not archived."""
        return next((item for item in self.label_sets.values() if item.name == name and not item.archived), None)


def evolve(state: DatasetState, fact: Fact, place: Place) -> None:
    """Change `state` by one fact."""
    match fact:
        case e.DatasetCreated():
            for key in (*FIELDS, "owner", "settings", "task_attributes", "cloned_from"):
                setattr(state, key, getattr(fact, key))
            state.exists, state.created_by, state.created_at = True, place.author, place.at
        case e.DatasetSettingsChanged():
            for key, value in fact.changes.items():
                if key in FIELDS:
                    setattr(state, key, value)
                else:
                    state.settings = state.settings | {key: value}
        case e.LabelSetCreated():
            state.label_sets[fact.label_set] = LabelSetState(
                id=fact.label_set,
                name=fact.name,
                description=fact.description,
                kind=fact.kind,
                base=fact.base,
                archived=False,
                created_by=place.author,
                created_at=place.at,
                last_offset=place.offset,
            )
        case e.LabelSetArchived():
            old = state.label_sets[fact.label_set]
            state.label_sets[fact.label_set] = replace(old, archived=True, last_offset=place.offset)
        case e.MemberAdded():
            state.members[fact.person] = MemberState(fact.person, fact.role, place.at, place.offset)
        case e.MemberRoleChanged():
            had = state.members[fact.person]
            state.members[fact.person] = replace(had, role=fact.role, last_offset=place.offset)
        case e.MemberRemoved():
            state.members.pop(fact.person, None)
        case e.GuidelineSet() | e.DatasheetSet():
            pass  # read from the log (queries.guidelines, queries.datasheets)
        case e.DatasetDeleted():
            state.exists = False
        case _:
            state.task_attributes = task_attributes.evolve(state.task_attributes, fact)
    state.version, state.updated_at, state.last_offset = place.version, place.at, place.offset


def fold(state: DatasetState, events: list[Event]) -> DatasetState:
    return folded(replace(state, label_sets=dict(state.label_sets), members=dict(state.members)), events, evolve)


def dataset_row(state: DatasetState) -> JSON:
    return {
        "id": state.id,
        "last_offset": state.last_offset,
        "version": state.version,
        "owner_id": state.owner,
        "deleted": not state.exists,
        "settings": state.settings,
        "task_attributes": state.task_attributes,
        "cloned_from": state.cloned_from,
        "created_by": state.created_by,
        "created_at": state.created_at,
        "updated_at": state.updated_at,
    } | {key: getattr(state, key) for key in FIELDS}


def member_id(dataset: uuid.UUID, person: str) -> uuid.UUID:
    return uuid.uuid5(MEMBER_NAMESPACE, f"{dataset}/{person}")


def difference(before: DatasetState, after: DatasetState) -> Rows:
    """The rows to write so that the tables go from `before` to `after`."""
    label_sets = [
        {
            "id": item.id,
            "dataset_id": after.id,
            "last_offset": item.last_offset,
            "name": item.name,
            "description": item.description,
            "kind": item.kind,
            "base_id": item.base,
            "archived": item.archived,
            "created_by": item.created_by,
            "created_at": item.created_at,
        }
        for key, item in after.label_sets.items()
        if before.label_sets.get(key) is not item
    ]
    members = [
        {
            "id": member_id(after.id, item.person),
            "dataset_id": after.id,
            "last_offset": item.last_offset,
            "person_id": item.person,
            "role": item.role,
            "created_at": item.created_at,
        }
        for key, item in after.members.items()
        if before.members.get(key) is not item
    ]
    found = Rows(put={"labeling_dataset": [dataset_row(after)]})
    if label_sets:
        found.put["labeling_labelset"] = label_sets
    if members:
        found.put["labeling_member"] = members
    gone = [str(member_id(after.id, key)) for key in before.members if key not in after.members]
    if gone:
        found.out["labeling_member"] = gone
    return found
