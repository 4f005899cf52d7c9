"""What an audit report is: its definition, what it is asked, what it reads, and the digest of what it answers. Pure.

A row is (part, cells). A part is one table of a report; its rows come together, in the order of `Report.parts`, and
hold the columns that it names. Cells are plain JSON, people are ids, and times are text in UTC with microseconds. What
a person wrote is `Written`: the digest is over its hash, so an erasure changes what is shown, and not the digest.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from labeling.log import values
from labeling.log.event import EPOCH, INSTALLATION, Event, microseconds
from labeling.rules.dataset_state import DatasetState

JSON = dict[str, Any]
Cells = dict[str, Any]
Row = tuple[str, Cells]


@dataclass(frozen=True, slots=True)
class Written:
    """What a person wrote, as it is stored: encrypted with their key."""

    stored: str

    @property
    def digest(self) -> str:
        """What stands for it in a report's digest."""
        return "sha256:" + hashlib.sha256(self.stored.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Part:
    """One table of a report: what it shows, and what its columns mean."""

    title: str
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Option:
    """What a report can be asked beside a period. `number` has (least, most); then the default is one too."""

    says: str
    default: str = ""
    number: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """The period, [start, end) in microseconds since 1970, and the options by name, all of them."""

    start_us: int | None = None
    end_us: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def holds(self, event: Event) -> bool:
        """Whether an event was recorded within the period."""
        at_us = microseconds(event.recorded_at) or 0
        return (self.start_us is None or at_us >= self.start_us) and (self.end_us is None or at_us < self.end_us)

    def number(self, name: str) -> int:
        """An option that is a number."""
        return int(self.options[name])


@dataclass(frozen=True, slots=True)
class Changed:
    """An event with what it changed, before and after, and a sentence that names people by their ids."""

    event: Event
    changes: Sequence[JSON]
    sentence: str


class Sources(Protocol):
    """The logs as a report reads them: each up to the offset that the answer names, in order."""

    @property
    def log(self) -> uuid.UUID:
        """The log that is asked."""

    @property
    def offset(self) -> int:
        """Up to where it is read."""

    def up_to(self, offset: int) -> Sources:
        """The same, with the log read no further than there."""

    def events(self, *types: str, stream: str | None = None) -> Iterator[Event]:
        """The events of the log, of these types and this stream where they are given."""

    def streams(self, prefix: str) -> Iterator[tuple[str, list[Event]]]:
        """Each stream that begins so, with all its events."""

    def installation(self, *types: str) -> Iterator[Event]:
        """The events of the log of the installation."""

    def security(self, *types: str) -> Iterator[Event]:
        """The events of the security log."""

    def dataset(self) -> DatasetState:
        """The dataset as it was."""

    def changed(self, *, stream: str | None, prefixes: Sequence[str], question: Question) -> Iterator[Changed]:
        """The events of a stream, or of those that begin so, within the period, with what they changed."""

    def integrity(self) -> Iterator[JSON]:
        """For the log, or for every log where it is that of the installation: what verifying it finds."""


@dataclass(frozen=True, slots=True)
class Report:
    """One report of the catalogue. `version` is a new number where the same question gets other rows or words.

    `of` says whose it is: of a dataset, of the installation, or of both. `reads` names the other logs that it reads;
    with `every_log` that of the installation reads all logs there are, each up to an offset that the answer names. One
    that `is_story` tells events one after the other; its page shows them so, and what they changed.
    """

    code: str
    name: str
    title: str
    answers: str
    parts: Mapping[str, Part]
    rows: Callable[[Sources, Question], Iterable[Row]]
    version: int = 1
    options: Mapping[str, Option] = field(default_factory=dict)
    of: tuple[str, ...] = ("dataset",)
    reads: tuple[str, ...] = ()
    every_log: bool = False
    is_story: bool = False

    def columns(self) -> list[str]:
        """The columns of all parts, in the order in which they come up."""
        return list(dict.fromkeys(name for part in self.parts.values() for name in part.columns))


def definition(report: Report, question: Question, log: uuid.UUID, offsets: Mapping[str, int]) -> JSON:
    """What an answer is a function of."""
    return {
        "report": report.code,
        "name": report.name,
        "version": report.version,
        "log": str(log),
        "offsets": dict(sorted(offsets.items())),
        "from": None if question.start_us is None else moment(question.start_us),
        "to": None if question.end_us is None else moment(question.end_us),
        "options": {name: value for name, value in sorted(question.options.items()) if value != ""},
    }


class Digest:
    """The digest of an answer, taken row by row."""

    def __init__(self, definition: JSON) -> None:
        self._hash = hashlib.sha256(values.canonical(definition) + b"\n")
        self.rows = 0

    def add(self, part: str, cells: Cells) -> None:
        """Take in the next row."""
        plain = {name: value.digest if isinstance(value, Written) else value for name, value in cells.items()}
        self._hash.update(values.canonical([part, plain]) + b"\n")
        self.rows += 1

    @property
    def hex(self) -> str:
        return self._hash.hexdigest()


# --- cells -----------------------------------------------------------------------------------------------------------


def moment(at: dt.datetime | int | None) -> str | None:
    """A time as reports tell it; a number is microseconds since 1970."""
    if at is None:
        return None
    when = EPOCH + dt.timedelta(microseconds=at) if isinstance(at, int) else at.astimezone(dt.UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def written(stored: str | None) -> Written | None:
    """A text that a person wrote."""
    return None if stored is None else Written(stored)


def seconds(microseconds: int) -> float:
    """A duration, to the millisecond."""
    return round(microseconds / 1_000_000, 3)


def share(part: int, whole: int) -> float | None:
    """A part of a whole, from 0 to 1; None of nothing."""
    return round(part / whole, 4) if whole else None


def text(value: Any) -> str:
    """A value as canonical JSON, for one cell."""
    return values.canonical(value).decode()


def who(event: Event) -> Cells:
    """Who did it, on whose behalf, when by both clocks, with what and why: the columns of `WHO`."""
    intent = event.intent
    return {
        "offset": event.offset,
        "recorded_at": moment(event.recorded_at),
        "author": str(intent.author),
        "author_kind": intent.author_kind,
        "on_behalf_of": None if intent.on_behalf_of is None else str(intent.on_behalf_of),
        "tool": intent.tool,
        "reason": written(intent.reason),
    }


WHO = {
    "offset": "The event's place in its log.",
    "recorded_at": "When, by the clock of the server.",
    "author": "Who, by an id that is never used again.",
    "author_kind": "A person, a model, an import or a service.",
    "on_behalf_of": "The person on whose behalf.",
    "tool": "With which tool.",
    "reason": "Why, in the author's words; `(erased)` where these were erased.",
}


def about(stream: str) -> Cells:
    """The sample and the label set that a stream is of."""
    kind, *names = stream.split("/")
    return {
        "sample": names[0] if kind in ("sample", "label") and names else None,
        "label_set": names[1] if kind == "label" and len(names) > 1 else None,
    }


ABOUT = {"sample": "The sample.", "label_set": "The label set."}


def is_of_installation(sources: Sources) -> bool:
    """Whether the whole installation is asked, and not one dataset."""
    return sources.log == INSTALLATION
