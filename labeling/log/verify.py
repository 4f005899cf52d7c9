"""Recompute everything of a log and say what does not fit: the only reader that believes nothing.

What finds what: the data hash a flipped byte; the chain a changed author, type, time or reason, a missing or an added
event; the counter row a lost tail; and anchors, which are chain hashes that were written down elsewhere (by a release),
a log that somebody rewrote consistently from end to end.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from labeling.log import stored, values
from labeling.log.event import FIRST_CHAIN, UnknownEventType, chained, envelope_digest, vocabulary

#: (name, offset, chain): where the chain hash at an offset was written down.
Anchor = tuple[str, int, bytes]
Progress = Callable[[int, int], None]

_anchor_sources: list[Callable[[uuid.UUID], Iterable[Anchor]]] = []
_checks: list[Callable[[uuid.UUID], Iterable[Finding]]] = []


@dataclass(slots=True)
class Finding:
    """One kind of fault in one log, told once. `offset` is the first bad one; None where the fault is at no offset."""

    log: uuid.UUID
    kind: str
    offset: int | None
    problem: str
    count: int = 1

    @property
    def sentence(self) -> str:
        return self.problem if self.count == 1 else f"{self.problem} ({self.count} such events in all)"

    def as_json(self) -> dict[str, Any]:
        return {
            "log": str(self.log),
            "kind": self.kind,
            "offset": self.offset,
            "problem": self.problem,
            "count": self.count,
        }


def register_anchors(source: Callable[[uuid.UUID], Iterable[Anchor]]) -> None:
    """Plug in who knows chain hashes of a log from elsewhere."""
    if source not in _anchor_sources:
        _anchor_sources.append(source)


def register_check(check: Callable[[uuid.UUID], Iterable[Finding]]) -> None:
    """Plug in what else must hold for the log of a dataset: files that exist, say."""
    if check not in _checks:
        _checks.append(check)


def plugged_in(log: uuid.UUID) -> list[Finding]:
    """What the plugged-in checks find for one log."""
    return [finding for check in _checks for finding in check(log)]


def anchors(log: uuid.UUID) -> list[Anchor]:
    """Every known anchor of a log, by offset."""
    return sorted((anchor for source in _anchor_sources for anchor in source(log)), key=lambda anchor: anchor[1:])


def verify_log(log: uuid.UUID, *, up_to: int | None = None, progress: Progress | None = None) -> list[Finding]:
    """What is wrong with a log, first bad offset first; empty when all is sound. With `up_to` nothing is looked at that
    lies behind that offset, so it is the same for ever where nobody tampers with the log.

    Streams: a page is in memory at a time. Others may append meanwhile. `progress` gets (events done, in all).
    """
    return _Walk(log, progress, up_to).run()


class _Walk:
    """One pass over a log in the order of its offsets."""

    def __init__(self, log: uuid.UUID, progress: Progress | None, up_to: int | None) -> None:
        self.log = log
        self.progress = progress
        self.up_to = up_to
        self.findings: dict[str, Finding] = {}
        self.anchors = [item for item in anchors(log) if up_to is None or item[1] <= up_to]
        self.last = 0
        self.last_us: int | None = None
        self.stored_chain = self.computed_chain = FIRST_CHAIN

    def run(self) -> list[Finding]:
        total = stored.count(self.log) if self.progress else 0
        while True:
            before = self.last
            for page in stored.pages(self.log, after=self.last, up_to=self.up_to):
                for row in page:
                    self.event(row)
                if self.progress:
                    self.progress(self.last, max(total, self.last))
            if self.up_to is not None and self.last >= self.up_to:
                head = None
                break
            # Read after the events: it is at least as new, so it cannot be behind them unless somebody set it back.
            head = stored.head(self.log)
            if head is None or head.head <= self.last or self.last == before:
                break
        if self.up_to is None or self.last < self.up_to:
            self.head(head)
        wrong = stored.misnumbered(self.log, up_to=self.up_to)
        if wrong is not None:
            self.found(
                "version",
                wrong.first_offset,
                f"Event {wrong.first_offset}: its version does not follow the one before it in its stream.",
                wrong.events,
            )
        return sorted(self.findings.values(), key=lambda finding: (finding.offset is None, finding.offset or 0))

    def found(self, kind: str, offset: int | None, problem: str, count: int = 1) -> None:
        known = self.findings.get(kind)
        if known is None:
            self.findings[kind] = Finding(self.log, kind, offset, problem, count)
        else:
            known.count += count

    def event(self, row: tuple[Any, ...]) -> None:
        """Check one stored event against what came before it."""
        offset, type_name, recorded_us = row[1], row[5], row[20]
        data_hash, chain = bytes(row[21]), bytes(row[22])
        gap = offset != self.last + 1
        if gap:
            missing = (
                f"Event {self.last + 1} is"
                if offset == self.last + 2
                else f"Events {self.last + 1} to {offset - 1} are"
            )
            self.found("missing", self.last + 1, f"{missing} missing.", offset - self.last - 1)
        name = f"Event {offset} ({_shown(type_name)})"
        data, actual = _data_and_hash(row[7])
        if actual != data_hash:
            self.found("data", offset, f"{name}: its data is not what was recorded; the data hash differs.")
        elif isinstance(data, dict):
            self.readable(name, offset, type_name, row[6], data)
        digest = _digest(row)
        computed = chained(self.computed_chain, offset, row[3], recorded_us, digest)
        # One bad link must not make all that follow it bad, so each may also follow what is stored before it. After a
        # gap there is nothing to compare with: the gap is the finding, and the chain is taken up again from here.
        if not gap and chain not in (computed, chained(self.stored_chain, offset, row[3], recorded_us, digest)):
            self.found(
                "chain",
                offset,
                f"{name}: its author, type, time, reason, place or another field was changed; the chain hash differs.",
            )
        if self.last_us is not None and recorded_us < self.last_us:
            self.found("time", offset, f"{name}: it is recorded as earlier than the event before it.")
        while self.anchors and self.anchors[0][1] <= offset:
            self.anchor(*self.anchors.pop(0), offset, chain)
        self.computed_chain = chain if gap else computed
        self.last, self.last_us, self.stored_chain = offset, recorded_us, chain

    def readable(self, name: str, offset: int, type_name: str, schema_version: int, data: dict[str, Any]) -> None:
        try:
            vocabulary.decode(type_name, schema_version, data)
        except UnknownEventType:
            self.found(
                "type", offset, f"{name}: this application knows no such type of event in version {schema_version}."
            )
        except msgspec.ValidationError:
            self.found("type", offset, f"{name}: its data does not have the fields of its type.")

    def anchor(self, name: str, at: int, expected: bytes, offset: int, chain: bytes) -> None:
        if at < 1:
            return
        if at != offset:
            self.found(f"anchor {name}", at, f"Event {at} is missing, and {name} was made at it.")
        elif chain != expected:
            self.found(
                f"anchor {name}",
                at,
                f"The events up to {at} are not those that {name} was made from; the chain hash differs.",
            )

    def head(self, head: stored.StoredHead | None) -> None:
        """Check the end of the log: against its counter row, and against what remembers a later end."""
        after = self.last + 1
        if head is None:
            self.found("head", None if self.last == 0 else after, "The counter row of the log is missing.")
        elif head.head > self.last:
            self.found(
                "tail",
                after,
                f"The log ends at {self.last}, and its counter row says {head.head}: the tail is missing.",
            )
        elif head.head < self.last:
            self.found(
                "head",
                head.head + 1,
                f"The counter row says that the log ends at {head.head}, and there are later events.",
            )
        elif head.chain not in (self.stored_chain, self.computed_chain) or (
            self.last and head.recorded_us != self.last_us
        ):
            self.found("head", self.last, f"The counter row does not agree with the last event, {self.last}.")
        for name, at, _ in self.anchors:
            self.found(
                f"anchor {name}",
                after,
                f"The log ends at {self.last}, and {name} was made at {at}: the tail is missing.",
            )
        for who, at in stored.remembered(self.log):
            if at > self.last:
                self.found("tail", after, f"The log ends at {self.last}, and {who} is at {at}: the tail is missing.")


def _data_and_hash(text: str) -> tuple[Any, bytes | None]:
    """The stored data and its hash; None where it is nothing that could have been stored."""
    try:
        data = values.load_stored(text)
        return data, values.digest(data)
    except ValueError:
        return None, None


def _digest(row: tuple[Any, ...]) -> bytes:
    """The event's digest, from its stored columns alone."""
    return envelope_digest(
        log=row[0],
        stream=row[2],
        event_id=row[4],
        type=row[5],
        schema_version=row[6],
        data_hash=bytes(row[21]),
        author=row[8],
        author_kind=row[9],
        on_behalf_of=row[10],
        tool=row[11],
        work_session=row[12],
        reason=row[13],
        command=row[14],
        causation=row[15],
        correlation=row[16],
        seen_offset=row[17],
        app_version=row[18],
        occurred_us=row[19],
    )


def _shown(type_name: str) -> str:
    """A stored type in a sentence: only what can be one is shown."""
    return type_name if type_name.isidentifier() and len(type_name) <= 60 else "of no valid type"
