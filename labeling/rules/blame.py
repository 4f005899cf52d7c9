"""Which event made each part of an object what it is: each field, attribute, link, vertex, and what apps above keep by
key. Pure.

What an event leaves as it was keeps its event, so fitting a shape that fitted already takes nothing from who drew it.
What was undone or restored belongs again to the event that first made it so; `restored` names the one that put it back.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from labeling import events as e
from labeling.log import values
from labeling.log.event import Event
from labeling.rules import parts
from labeling.rules.fold import place_of
from labeling.rules.label_state import LabelState, evolve
from labeling.rules.reversal import GONE, OBJECT, STAMPS, changed_pieces, piece_of

JSON = dict[str, Any]
Path = tuple[str, ...]

HEADINGS = (e.GestureUndone, e.GestureRedone, e.LabelRestored)
#: Longer stretches of vertices that differ are taken to be new all of them.
MOST_ALIGNED = 2000


@dataclass(frozen=True, slots=True)
class Cause:
    """The event that made something what it is, and where it was undone since, the one that put it back."""

    offset: int
    restored: int | None = None


@dataclass(slots=True)
class Step:
    """What stood at a path for a while, and why; `vertices` are those of a shape, each with its cause."""

    value: Any
    cause: Cause
    vertices: list[list[Cause]] = field(default_factory=list)


@dataclass(slots=True)
class Blame:
    """The causes of one object: `paths` has all that ever stood at each path, the last at the end."""

    kind: str
    key: str
    begun: int = 0
    paths: dict[Path, list[Step]] = field(default_factory=dict)

    def now(self) -> Iterator[tuple[Path, Step]]:
        """What stands at each path, without what is gone."""
        for path, steps in sorted(self.paths.items()):
            if steps[-1].value is not GONE:
                yield path, steps[-1]

    def ancestors(self, path: Path) -> list[int]:
        """The offsets of the events that made it what it was before, the last first."""
        found = [step.cause.offset for step in self.paths[path][::-1]]
        return list(dict.fromkeys(found))[1:]


def blame_of(
    dataset: uuid.UUID, stream: str, events: Iterable[Event], *, only: str | None = None
) -> tuple[LabelState, dict[tuple[str, str], Blame]]:
    """(the label, the causes of each of its objects), or of the one with the uuid `only`."""
    state = LabelState(dataset, stream)
    found: dict[tuple[str, str], Blame] = {}
    restoring: uuid.UUID | None = None
    for event in events:
        before = state.copied()
        evolve(state, event.fact, place_of(event))
        if isinstance(event.fact, HEADINGS):
            restoring = event.intent.command
        offset = event.offset or 0
        for kind, key in sorted(changed_pieces(before, state)):
            if only is not None and key != only:
                continue
            blame = found.setdefault((kind, key), Blame(kind, key))
            item = piece_of(state, kind, key)
            if not blame.begun:
                blame.begun = offset
            _follow(blame, item, offset, is_restoring=restoring == event.intent.command)
    return state, {name: blame for name, blame in found.items() if piece_of(state, *name) is not None}


def _follow(blame: Blame, item: JSON | None, offset: int, *, is_restoring: bool) -> None:
    values_now = dict(_leaves(blame.kind, item or {}))
    for path in [*values_now, *(path for path in blame.paths if path not in values_now)]:
        value = values_now.get(path, GONE)
        steps = blame.paths.setdefault(path, [])
        if steps and (steps[-1].value is value or _same(steps[-1].value, value)):
            continue
        if not steps and value is GONE:
            continue
        earlier = next((step for step in reversed(steps) if _same(step.value, value)), None) if is_restoring else None
        cause = Cause(offset) if earlier is None else Cause(earlier.cause.offset, restored=offset)
        step = Step(value, cause)
        if path == ("geometry",) and isinstance(value, dict):
            last = steps[-1] if steps else None
            step.vertices = earlier.vertices if earlier is not None else _vertices(last, value, cause)
        steps.append(step)


def _leaves(kind: str, item: JSON) -> Iterator[tuple[Path, Any]]:
    """What can be asked about an object, by its path."""
    mapped = ("attributes",) if kind == OBJECT else next(p for p in parts.plugged() if p.name == kind).mapped
    for name, value in item.items():
        if name in STAMPS or name == "uuid":
            continue
        if name in mapped and isinstance(value, dict):
            for key, inner in value.items():
                yield (name, key), inner
        elif name == "links":
            for link in value:
                yield (name, link["to"]), link
        else:
            yield (name,), value


def rings(geometry: JSON) -> list[list[list[float]]]:
    """The outlines of a shape as lists of points; [] for one that has none."""
    match geometry.get("type"):
        case "bbox" | "point":
            return [geometry["points"]]
        case "polygon":
            return [ring for part in geometry["parts"] for ring in part]
        case "polyline":
            found: list[list[list[float]]] = geometry["parts"]
            return found
    return []


def _vertices(last: Step | None, geometry: JSON, cause: Cause) -> list[list[Cause]]:
    """The cause of each vertex: those that stayed where they were keep theirs, also where others came between."""
    outlines = rings(geometry)
    before = rings(last.value) if last is not None and isinstance(last.value, dict) else []
    same_type = last is not None and isinstance(last.value, dict) and last.value.get("type") == geometry.get("type")
    found = []
    for number, ring in enumerate(outlines):
        if last is not None and same_type and number < len(before):
            found.append(_aligned(before[number], last.vertices[number], ring, cause))
        else:
            found.append([cause] * len(ring))
    return found


def _aligned(before: list[list[float]], causes: list[Cause], after: list[list[float]], cause: Cause) -> list[Cause]:
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    ones, others = before[start : len(before) - end], after[start : len(after) - end]
    middle = [cause] * len(others)
    if ones and others and len(ones) + len(others) <= MOST_ALIGNED:
        pairs = SequenceMatcher(None, [tuple(p) for p in ones], [tuple(p) for p in others], autojunk=False)
        for one, other, size in pairs.get_matching_blocks():
            middle[other : other + size] = causes[start + one : start + one + size]
    return [*causes[:start], *middle, *causes[len(causes) - end :]]


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    return one is not GONE and other is not GONE and values.same(one, other)
