"""What work a log shows: one work unit for each save of a label, with the time that was spent on it. Pure.

A signal is an event that a person caused on a label or an issue. Models, imports, services and programs (the public
SDK, which a script drives) spend no time: theirs are no signals, so an upload makes no work unit. A document that a
person's own drawing tool PUTs is an edit like any other.

Between two signals of one person time is active where they are at most the dataset's inactivity threshold apart
(the boundary counts), and belongs to the sample of the later one: no client says when a sample was opened, and a person
who saves one goes on to the next. A longer gap is inactive time of a sample that the person came from and went on with,
in the same work session where the client names any; otherwise nobody knows what it was, and it is nothing. So a
person's intervals never overlap, however many windows they work in, and a first signal alone has no measurable time.
The clock is the server's, because it is in the chain.

A save takes what its author spent on the sample since their last save there. Saves are the verbs of the queue (`label`
and `review`), what is uploaded or overridden, and each edit of somebody who is no labeler or reviewer and needs no
verb (`normal`). Nothing is added up that is not taken, so no time counts twice, and unsaved time waits.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from labeling import events as e
from labeling.log.event import Event, Fact
from labeling.rules.fold import Moment, place_of

JSON = dict[str, Any]

WORK_NAMESPACE = uuid.UUID("e0b8a6d2-41c7-4d0b-8a35-7c2f9e5d1b07")
#: Tools that say who drives them: a program.
PROGRAMS = frozenset({"python-sdk"})
#: The work of these is done when they say so by a verb; the edits of others are saves of their own.
QUEUED = frozenset({"labeler", "reviewer"})
THRESHOLD_S = 300
THRESHOLD = "labeling_inactivity_timeout_seconds"


def is_signal(event: Event) -> bool:
    """Whether a person worked on a label or an issue."""
    return (
        event.stream.startswith(("label/", "issue/"))
        and event.intent.author_kind == "person"
        and event.intent.tool not in PROGRAMS
    )


def measured(gap_us: int, *, threshold_us: int) -> tuple[int, int]:
    """(active, inactive) time of the gap between two signals, in microseconds."""
    return (gap_us, 0) if gap_us <= threshold_us else (0, gap_us)


def work_type(fact: Fact, *, role: str | None) -> str | None:
    """The kind of work that an event on a label saves: label, review or normal; None where it saves nothing."""
    match fact:
        case e.LabelStatusChanged(verb="accept" | "reject" | "verify"):
            return "review"
        case e.LabelStatusChanged(verb="save", after="REVIEWING_IN_PROGRESS"):
            return "review"
        case e.LabelStatusChanged(verb="skip", before="LABELED" | "REVIEWING_IN_PROGRESS"):
            return "review"
        case e.LabelStatusChanged(verb="submit" | "save" | "skip"):
            return "label"
        case e.LabelStatusChanged(verb="reopen") | e.LabelDeleted():
            return None
        case e.LabelStatusChanged() | e.LabelImported():
            return "normal"
    return None if role in QUEUED else "normal"


@dataclass(slots=True)
class LastSignal:
    """When and where somebody was last seen at work in the dataset."""

    person: str
    at: Moment
    sample: str
    work_session: uuid.UUID | None
    last_offset: int


@dataclass(slots=True)
class Spent:
    """What somebody spent on a sample and has not saved yet; `gaps` counts the intervals that could be measured."""

    person: str
    sample: str
    active_us: int = 0
    inactive_us: int = 0
    gaps: int = 0
    last_offset: int = 0


@dataclass(slots=True)
class WorkUnit:
    """One save of a label."""

    id: uuid.UUID
    person: str
    sample: str
    label_set: str
    work_type: str
    created_at: Moment
    next_label_status: str | None = None
    active_us: int = 0
    inactive_us: int = 0
    gaps: int = 0
    last_offset: int = 0


def unit_id(log: uuid.UUID, command: uuid.UUID, stream: str) -> uuid.UUID:
    """The id of the unit that a command made of a label, so that a rebuild gives the same."""
    return uuid.uuid5(WORK_NAMESPACE, f"{log}/{command}/{stream}")


@dataclass(slots=True)
class Work:
    """What a fold of a log knows at an offset. `units` holds those that the caller put there and those that it made."""

    log: uuid.UUID
    threshold_s: int = THRESHOLD_S
    roles: dict[str, str] = field(default_factory=dict)
    last: dict[str, LastSignal] = field(default_factory=dict)
    spent: dict[tuple[str, str], Spent] = field(default_factory=dict)
    units: dict[uuid.UUID, WorkUnit] = field(default_factory=dict)

    def learn(self, fact: Fact) -> None:
        """Take in what an event of the dataset's own stream says about roles and the threshold."""
        match fact:
            case e.DatasetCreated():
                self.threshold_s = fact.settings.get(THRESHOLD, THRESHOLD_S)
            case e.DatasetSettingsChanged():
                self.threshold_s = fact.changes.get(THRESHOLD, self.threshold_s)
            case e.MemberAdded() | e.MemberRoleChanged():
                self.roles[fact.person] = fact.role
            case e.MemberRemoved():
                self.roles.pop(fact.person, None)

    def follow(self, event: Event, sample: str) -> None:
        """Take in a signal on a sample."""
        place = place_of(event)
        person = str(place.author)
        spent = self.spent.setdefault((person, sample), Spent(person, sample))
        self._measure(self.last.get(person), event, sample, spent)
        self.last[person] = LastSignal(person, place.at, sample, event.intent.work_session, place.offset)
        spent.last_offset = place.offset
        kind = work_type(event.fact, role=self.roles.get(person)) if event.stream.startswith("label/") else None
        if kind is not None:
            self._save(event, sample, spent, kind)

    def _measure(self, last: LastSignal | None, event: Event, sample: str, spent: Spent) -> None:
        if last is None:
            return
        assert isinstance(last.at, dt.datetime) and event.recorded_at is not None
        gap_us = (event.recorded_at - last.at) // dt.timedelta(microseconds=1)
        active_us, inactive_us = measured(gap_us, threshold_us=self.threshold_s * 1_000_000)
        session = event.intent.work_session
        is_another = None not in (last.work_session, session) and last.work_session != session
        if inactive_us and (last.sample != sample or is_another):
            return
        spent.active_us += active_us
        spent.inactive_us += inactive_us
        spent.gaps += gap_us > 0

    def _save(self, event: Event, sample: str, spent: Spent, kind: str) -> None:
        place = place_of(event)
        key = unit_id(self.log, event.intent.command, event.stream)
        unit = self.units.get(key)
        if unit is None:
            unit = self.units[key] = WorkUnit(
                id=key,
                person=spent.person,
                sample=sample,
                label_set=event.stream.split("/")[2],
                work_type=kind,
                created_at=place.at,
            )
        elif kind != "normal":
            unit.work_type = kind
        if isinstance(event.fact, e.LabelStatusChanged):
            unit.next_label_status = event.fact.after
        elif isinstance(event.fact, e.LabelImported) and event.fact.status is not None:
            unit.next_label_status = event.fact.status
        unit.active_us += spent.active_us
        unit.inactive_us += spent.inactive_us
        unit.gaps += spent.gaps
        unit.last_offset = place.offset
        spent.active_us = spent.inactive_us = spent.gaps = 0


def fold(work: Work, events: Iterable[Event], sample_of: Callable[[Event], str]) -> None:
    """Take in events of the log, in order; `sample_of` tells the sample of a signal."""
    for event in events:
        if event.stream == "dataset":
            work.learn(event.fact)
        elif is_signal(event):
            work.follow(event, sample_of(event))
