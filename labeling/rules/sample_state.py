"""The states of a sample and of a file in a dataset, folded from the events of their streams."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from labeling import events as e
from labeling.log.event import Event, Fact
from labeling.log.rows import Rows
from labeling.rules import sample_frames
from labeling.rules.fold import NOW, Moment, Place, folded, place_of

JSON = dict[str, Any]

ASSET_NAMESPACE = uuid.UUID("0b6f7c1c-0d5c-4c3b-8c39-6f6a6b7c2d02")


def sample_stream(sample: uuid.UUID | str) -> str:
    return f"sample/{sample}"


@dataclass(slots=True)
class SampleState:
    """One sample. `exists` is False before SampleAdded and after SampleArchived."""

    dataset: uuid.UUID
    stream: str
    version: int = 0
    exists: bool = False
    name: str = ""
    attributes: JSON = field(default_factory=dict)
    metadata: JSON = field(default_factory=dict)
    priority: float = 0
    readme: str = ""
    assigned_labeler: str | None = None
    assigned_reviewer: str | None = None
    created_by: uuid.UUID | None = None
    created_at: Moment = NOW
    updated_at: Moment = NOW
    created_offset: int = 0
    last_offset: int = 0

    @property
    def key(self) -> str:
        """Its id as text."""
        return self.stream.removeprefix("sample/")

    @property
    def id(self) -> uuid.UUID:
        return uuid.UUID(self.key)


def evolve(state: SampleState, fact: Fact, place: Place) -> None:
    """Change `state` by one fact."""
    match fact:
        case e.SampleAdded():
            state.name, state.attributes, state.metadata = fact.name, fact.attributes, fact.metadata
            state.priority, state.readme = fact.priority, fact.readme
            state.assigned_labeler, state.assigned_reviewer = fact.assigned_labeler, fact.assigned_reviewer
            state.exists, state.created_by = True, place.author
            state.created_at, state.created_offset = place.at, place.offset
        case e.SampleChanged():
            for key, value in fact.changes.items():
                setattr(state, key, value)
        case e.SamplePrioritySet():
            state.priority = fact.priority
        case e.SampleAssigned():
            for role, person in fact.roles.items():
                setattr(state, f"assigned_{role}", person)
        case e.SampleFramesAdded() | e.SampleFramesRemoved() | e.SampleFrameMoved() | e.SampleFrameTimed():
            frames = sample_frames.after(sample_frames.frames_of(state.attributes, fact.sensor), fact)
            state.attributes = sample_frames.with_frames(state.attributes, fact.sensor, frames)
        case e.SampleArchived():
            state.exists = False
        case _:
            raise TypeError(f"{type(fact).__name__} is no event of a sample")
    state.version, state.updated_at, state.last_offset = place.version, place.at, place.offset


def fold(state: SampleState, events: list[Event]) -> SampleState:
    return folded(replace(state), events, evolve)


def rows(state: SampleState) -> Rows:
    """The sample's row."""
    row = {
        "id": state.id,
        "dataset_id": state.dataset,
        "last_offset": state.last_offset,
        "version": state.version,
        "name": state.name,
        "attributes": state.attributes,
        "metadata": state.metadata,
        "priority": state.priority,
        "readme": state.readme,
        "assigned_labeler": state.assigned_labeler,
        "assigned_reviewer": state.assigned_reviewer,
        "archived": not state.exists,
        "created_by": state.created_by,
        "created_at": state.created_at,
        "updated_at": state.updated_at,
        "created_offset": state.created_offset,
    }
    return Rows(put={"labeling_sample": [row]})


def asset_stream(asset: uuid.UUID | str) -> str:
    return f"asset/{asset}"


def asset_rows(events: list[Event]) -> Rows:
    """The row of a file in a dataset: where it was brought in, and what is left of it where it was erased."""
    event, *later = events
    fact = event.fact
    assert isinstance(fact, e.AssetAdded)
    place = place_of(event)
    last, gone = place, None
    for each in later:
        if not isinstance(each.fact, e.AssetErased):
            raise TypeError(f"{each.type} is no later event of a file")
        last, gone = place_of(each), each.fact
    row = {
        "id": uuid.uuid5(ASSET_NAMESPACE, f"{event.log}/{fact.asset}"),
        "dataset_id": event.log,
        "last_offset": last.offset,
        "added_offset": place.offset,
        "asset_id": fact.asset,
        "token": fact.token,
        "filename": fact.filename,
        "sha256": fact.sha256,
        "size_bytes": fact.size_bytes,
        "content_type": fact.content_type,
        "created_at": place.at,
        "erased_at": last.at if gone else None,
        "width": gone and gone.width,
        "height": gone and gone.height,
    }
    return Rows(put={"labeling_datasetasset": [row]})
