"""The logs as audit reports read them: each up to an offset that the answer names, so that it can be asked again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from labeling.audit.report import Changed, Question
from labeling.audit.scenes import Scenes
from labeling.log import search, store, stored, verify
from labeling.log.event import INSTALLATION, SECURITY, Event
from labeling.log.search import Wanted
from labeling.queries import checkpoints, datasets
from labeling.queries.history import Historian
from labeling.rules.dataset_state import DatasetState
from labeling.rules.telling import Telling, sentence

JSON = dict[str, Any]

#: A client's clock that is so far ahead of the server's was set wrongly; the network only makes it seem behind.
AHEAD_US = 5 * 60 * 1_000_000


@dataclass(frozen=True, slots=True)
class Logs:
    """One log, with those that are of no dataset, each up to an offset."""

    log: uuid.UUID
    offset: int
    installation_offset: int
    security_offset: int
    scenes: Scenes | None = None
    every: Mapping[uuid.UUID, int] = field(default_factory=dict)  #: of a report that reads every log: up to where

    def up_to(self, offset: int) -> Logs:
        return replace(self, offset=min(offset, self.offset))

    def events(self, *types: str, stream: str | None = None) -> Iterator[Event]:
        return _events(self.log, self.offset, types, stream)

    def streams(self, prefix: str) -> Iterator[tuple[str, list[Event]]]:
        return store.read_streams(self.log, prefix, up_to=self.offset)

    def installation(self, *types: str) -> Iterator[Event]:
        return _events(INSTALLATION, self.installation_offset, types)

    def security(self, *types: str) -> Iterator[Event]:
        return _events(SECURITY, self.security_offset, types)

    def dataset(self) -> DatasetState:
        return datasets.state_at(self.log, self.offset)

    def changed(self, *, stream: str | None, prefixes: Sequence[str], question: Question) -> Iterator[Changed]:
        wanted = Wanted(stream=stream, prefixes=tuple(prefixes), last=self.offset)
        events = (event for event in search.find_all(self.log, wanted) if question.holds(event))
        for told in Historian(self.log).told(events):
            if self.scenes is not None:
                self.scenes.note(told)
            telling = Telling(told.event.fact, told.before, told.after, told.categories, {})
            yield Changed(told.event, told.changes, sentence(telling))

    def integrity(self) -> Iterator[JSON]:
        if self.log != INSTALLATION:
            yield _verified(self.log, self.offset, self.installation_offset)
            return
        for log, offset in self.every.items():
            yield _verified(log, offset, self.installation_offset)


def _events(log: uuid.UUID, offset: int, types: Sequence[str] = (), stream: str | None = None) -> Iterator[Event]:
    if types or stream is not None:
        yield from search.find_all(log, Wanted(stream=stream, types=tuple(types), last=offset))
    else:
        for page in store.pages(log, up_to=offset):
            yield from page


def _verified(log: uuid.UUID, offset: int, installation_offset: int) -> JSON:
    """What verifying a log finds up to an offset, and the checkpoints up to there."""
    # At the head its end is looked at too: the counter row, and what remembers a later end.
    found = verify.verify_log(log, up_to=None if offset >= store.head(log) else offset)
    known = [item for item in checkpoints.of(log, up_to=installation_offset) if item.offset <= offset]
    anchors = []
    for item in known:
        try:
            chain = store.chain_at(log, item.offset)
        except LookupError:
            chain = b""
        anchors.append(
            {
                "anchor": f"checkpoint {item.number}",
                "offset": item.offset,
                "chain": item.chain,
                "holds": chain.hex() == item.chain and item.problem() is None,
            }
        )
    ahead, stood, chain_hex = _clocks(log, offset)
    last = known[-1].offset if known else 0
    bad = [item.offset for item in found if item.offset is not None]
    return {
        "log": str(log),
        "offset": offset,
        "chain": chain_hex,
        "sound": not found and all(item["holds"] for item in anchors),
        "gaps": sum(item.count for item in found if item.kind == "missing"),
        "first_bad": min(bad, default=None),
        "checkpoints": len(known),
        "last_checkpoint": last or None,
        "after_checkpoint": offset - last,
        "clocks_ahead": ahead,
        "clock_stood": stood,
        "findings": [{"kind": item.kind, "offset": item.offset, "problem": item.sentence} for item in found],
        "anchors": anchors,
    }


def _clocks(log: uuid.UUID, offset: int) -> tuple[int, int, str]:
    """(events whose client's clock was ahead, events at the time of another command's, the last chain hash)."""
    ahead = stood = 0
    before: tuple[Any, Any] | None = None
    chain = ""
    for page in stored.pages(log, up_to=offset):
        for row in page:
            command, occurred_us, recorded_us = row[14], row[19], row[20]
            ahead += occurred_us is not None and occurred_us > recorded_us + AHEAD_US
            stood += before is not None and before[0] != command and before[1] == recorded_us
            before, chain = (command, recorded_us), bytes(row[22]).hex()
    return ahead, stood, chain
