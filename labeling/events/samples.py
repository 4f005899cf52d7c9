"""What happened to a sample."""

from __future__ import annotations

from typing import Any

from labeling.log.event import Fact

JSON = dict[str, Any]


class SampleAdded(Fact, frozen=True):
    """A sample was added to the dataset."""

    sample: str
    name: str
    attributes: JSON
    metadata: JSON = {}
    priority: float = 0
    readme: str = ""
    assigned_labeler: str | None = None
    assigned_reviewer: str | None = None


class SampleChanged(Fact, frozen=True):
    """A sample's name, attributes, metadata or readme were changed."""

    changes: JSON


class SamplePrioritySet(Fact, frozen=True):
    """A sample was moved up or down in the queue."""

    priority: float


class SampleAssigned(Fact, frozen=True):
    """A sample was assigned to a labeler or a reviewer, or taken from one (null). Only the roles named changed."""

    roles: dict[str, str | None]  #: labeler, reviewer → person


class SampleArchived(Fact, frozen=True):
    """A sample was deleted: its name is free, its history stays."""


SAMPLE_EVENTS = (
    SampleAdded,
    SampleChanged,
    SamplePrioritySet,
    SampleAssigned,
    SampleArchived,
)
