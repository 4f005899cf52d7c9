"""A11, the part that models had: who made each object, what became of it, and whether a person looked at it. Pure.

An object was made by what its origin says, else by the kind of who added it. An object that is there counts as
unchanged while no person touched it since; as verified where a person accepted its label while it was there. Objects
that were made = there + removed, by each maker and in all: `balance` says so, and is 0.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from labeling import events as e
from labeling.audit.report import Part, Question, Report, Row, Sources, share, text
from labeling.log.event import Event
from labeling.rules import label_state
from labeling.rules.deeds import deeds
from labeling.rules.fold import place_of
from labeling.rules.label_state import LabelState

Maker = tuple[str, str, str, str]
COUNTED = ("made", "there", "removed", "unchanged", "corrected", "verified", "accepted_unchanged")


@dataclass(slots=True)
class Life:
    """What became of one object; `is_touched` by a person, since it came."""

    maker: Maker
    is_there: bool = True
    is_touched: bool = False
    is_verified: bool = False
    is_accepted_unchanged: bool = False


def maker_of(origin: dict[str, Any] | None, event: Event) -> Maker:
    """(kind, model, version, run) of who made an object."""
    said = origin or {}
    while isinstance(said.get("origin"), dict):  # a copy names what it was copied from
        said = said["origin"]
    kind = said.get("kind") or event.intent.author_kind
    named = (kind, said.get("model", said.get("name")), said.get("version"), said.get("run"))
    made_by, model, version, run = ("" if value is None else str(value) for value in named)
    return made_by, model, version, run


def lives_of(events: list[Event], stream: str) -> Iterator[Life]:
    """The lives of the objects of one label, by its events."""
    state = LabelState(events[0].log, stream)
    lives: dict[str, Life] = {}
    for event in events:
        fact, is_person = event.fact, event.intent.author_kind == "person"
        painted = {item["id"] for item in fact.changed} if isinstance(fact, e.BitmapPatched) else set()
        touched = {deed.piece for deed in deeds(fact)}
        touched |= {key for key, item in state.annotations.items() if item["id"] in painted} if painted else set()
        label_state.evolve(state, fact, place_of(event))
        if touched or isinstance(fact, e.LabelDeleted):
            there = _pieces(state)
            for key in sorted(touched):
                if key in lives:
                    lives[key].is_touched |= is_person
                elif key in there:
                    lives[key] = Life(maker_of(there[key].get("origin"), event))
            for key, life in lives.items():
                life.is_there = key in there
        if isinstance(fact, e.LabelStatusChanged) and fact.verb in ("accept", "verify") and is_person:
            for key in _pieces(state):
                lives[key].is_verified = True
                lives[key].is_accepted_unchanged |= not lives[key].is_touched
    yield from lives.values()


def _pieces(state: LabelState) -> dict[str, Any]:
    if not state.parts:
        return dict(state.annotations)
    return {key: item for items in (state.annotations, *state.parts.values()) for key, item in items.items()}


def _rows(sources: Sources, question: Question) -> Iterator[Row]:
    counts: dict[Maker, Counter[str]] = defaultdict(Counter)
    for stream, events in sources.streams("label/"):
        for life in lives_of(events, stream):
            mine = counts[life.maker]
            mine["made"] += 1
            mine["there"] += life.is_there
            mine["removed"] += not life.is_there
            mine["unchanged"] += life.is_there and not life.is_touched
            mine["corrected"] += life.is_there and life.is_touched
            mine["verified"] += life.is_there and life.is_verified
            mine["accepted_unchanged"] += life.is_there and life.is_accepted_unchanged
    total: Counter[str] = Counter()
    for maker in counts:
        total.update(counts[maker])
    for maker in sorted(counts):
        names = dict(zip(("made_by", "model", "version", "run"), maker, strict=True))
        yield "makers", names | _cells(counts[maker], total["made"])
    yield "total", _cells(total, total["made"])
    yield from _runs(sources, question)


def _cells(mine: Counter[str], made: int) -> dict[str, Any]:
    return {name: mine[name] for name in COUNTED} | {
        "share": share(mine["made"], made),
        "verified_share": share(mine["verified"], mine["there"]),
        "balance": mine["made"] - mine["there"] - mine["removed"],
    }


def _runs(sources: Sources, question: Question) -> Iterator[Row]:
    """What programs sent: how many events each, by tool."""
    counts: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for event in sources.events():
        intent = event.intent
        if intent.author_kind != "person" and question.holds(event) and event.stream.startswith("label/"):
            counts[intent.author_kind, str(intent.author), intent.tool or ""][event.type] += 1
    for (kind, author, tool), types in sorted(counts.items()):
        yield (
            "programs",
            {"author_kind": kind, "author": author, "tool": tool, "events": types.total(), "types": text(dict(types))},
        )


NUMBERS = {
    "made": "Objects that were ever made.",
    "there": "Those that are there.",
    "removed": "Those that are gone.",
    "unchanged": "Those that are there and that no person changed since.",
    "corrected": "Those that are there and that a person changed.",
    "verified": "Those that are there and whose label a person accepted or verified with them in it.",
    "accepted_unchanged": "Those that were accepted as they came.",
    "share": "Of all objects that were ever made.",
    "verified_share": "Of those that are there.",
    "balance": "Made, less there, less removed: 0.",
}
REPORT = Report(
    "A11",
    "involvement",
    "Involvement of AI",
    "Which objects models, imports and people made, which of these people verified, and which as they came.",
    {
        "makers": Part(
            "By who made them",
            {
                "made_by": "What the object's origin says, else the kind of its author.",
                "model": "The model, or what made it, by name.",
                "version": "Its version.",
                "run": "The run.",
            }
            | NUMBERS,
        ),
        "total": Part("In all", NUMBERS),
        "programs": Part(
            "What programs sent",
            {
                "author_kind": "Model, import or service.",
                "author": "On whose account.",
                "tool": "With which tool.",
                "events": "Events of labels in the period.",
                "types": "By type.",
            },
        ),
    },
    _rows,
)
