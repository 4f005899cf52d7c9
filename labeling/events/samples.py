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


class SampleFramesAdded(Fact, frozen=True):
    """Frames were put into a sequence, in front of the frame that had this number, or behind the last."""

    frame: int
    frames: list[JSON]  #: as in the sample's attributes
    sensor: int | None = None  #: which one, where there are several: its place in the list


class SampleFramesRemoved(Fact, frozen=True):
    """Frames were taken out of a sequence: as many, from this one on."""

    frame: int
    count: int = 1
    sensor: int | None = None


class SampleFrameMoved(Fact, frozen=True):
    """A frame was moved to another place in its sequence; those in between made room."""

    frame: int
    to: int
    sensor: int | None = None


class SampleFrameTimed(Fact, frozen=True):
    """A frame got another time, or none."""

    frame: int
    timestamp: Any
    sensor: int | None = None


class SampleArchived(Fact, frozen=True):
    """A sample was deleted: its name is free, its history stays."""


SAMPLE_EVENTS = (
    SampleAdded,
    SampleChanged,
    SamplePrioritySet,
    SampleAssigned,
    SampleFramesAdded,
    SampleFramesRemoved,
    SampleFrameMoved,
    SampleFrameTimed,
    SampleArchived,
)

#: Those that change which frames there are, and when.
FRAME_EVENTS = (SampleFramesAdded, SampleFramesRemoved, SampleFrameMoved, SampleFrameTimed)
