"""What happens to samples, their frames and their files."""

from __future__ import annotations

from labeling import events as e
from labeling.log.event import Fact
from labeling.rules.telling.phrases import listed, shown
from labeling.rules.telling.told import Teller, Telling, changed, said, tell


def _frames(count: int) -> str:
    return f"{count} frame{'s' * (count != 1)}"


def _assigned(told: Telling) -> str:
    roles = told.fact.roles
    return listed([f"assigned the sample to {told.person(who)} ({role})" for role, who in sorted(roles.items())])


def _priority(told: Telling) -> str:
    was = getattr(told.before, "priority", None)
    return f"set the sample's priority from {shown(was)} to {shown(told.fact.priority)}"


SAMPLES: tuple[tuple[type[Fact], Teller], ...] = (
    (e.SampleAdded, said("added the sample {}", "name")),
    (e.SampleChanged, changed("sample")),
    (e.SamplePrioritySet, _priority),
    (e.SampleAssigned, _assigned),
    (e.SampleFramesAdded, lambda told: f"added {_frames(len(told.fact.frames))} at {told.fact.frame}"),
    (e.SampleFramesRemoved, lambda told: f"removed {_frames(told.fact.count)} from {told.fact.frame} on"),
    (e.SampleFrameMoved, lambda told: f"moved frame {told.fact.frame} to {told.fact.to}"),
    (e.SampleFrameTimed, lambda told: f"set the time of frame {told.fact.frame}"),
    (e.SampleArchived, said("deleted the sample")),
    (e.AssetAdded, said("brought in the file {}", "filename")),
    (e.AssetErased, lambda told: f"erased a file of {told.fact.size_bytes} bytes, for good"),
)
for _type, _teller in SAMPLES:
    tell(_type, _teller)
