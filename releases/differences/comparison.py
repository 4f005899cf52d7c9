"""What differs between two sides of a dataset, entry by entry: the dataset itself, its labels, its samples.

A side holds the labels of its samples in its label sets. So a sample that is only on one side is told with all objects
of its labels, though nothing happened to those, and so are the labels of a label set that was archived: `gone_with`
says which it is. Only so does the difference lead from one side to the other, and back.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from heapq import merge
from itertools import groupby
from typing import Any

from labeling import events as e
from labeling.commands import assets
from labeling.errors import PalimpsestError
from labeling.geometry.bitmaps import Ids
from labeling.log import search, store
from labeling.log.event import Event
from labeling.log.search import Wanted
from labeling.queries import datasets, labels, samples
from labeling.queries.history import Historian
from labeling.rules import label_state
from labeling.rules.dataset_state import STREAM, DatasetState
from labeling.rules.fold import place_of
from labeling.rules.label_ids import label_stream
from labeling.rules.label_state import LabelState
from labeling.rules.reversal import changed_pieces
from labeling.rules.sample_state import SampleState, sample_stream
from labeling.rules.telling import changes_of
from releases.choice import EVERYTHING, truth_of
from releases.comparing import compared, versus
from releases.differences.sides import Side
from sequences.events import TrackSplit

logger = logging.getLogger(__name__)

JSON = dict[str, Any]

#: Streams are looked up so many at a time.
PAGE = 200
#: An entry, and a change, name so many of their events; how many there are the entry says in any case.
MOST_EVENTS = 100
OF_LABEL_SETS = (e.LabelSetCreated, e.LabelSetArchived)


class Comparison:
    """Two sides of one dataset. `one` may be the later one: then the difference leads back."""

    def __init__(self, dataset: uuid.UUID, one: Side, other: Side) -> None:
        self.dataset, self.one, self.other = dataset, one, other
        self.first, self.last = sorted((one.offset, other.offset))
        self._held: tuple[str, tuple[SampleState, SampleState]] | None = None

    @property
    def of_label_sets(self) -> bool:
        """Whether two different label sets are compared."""
        return self.one.label_set != self.other.label_set

    @cached_property
    def of_all(self) -> bool:
        """Whether all has to be looked at; else what something happened to in between, and what went with that."""
        choices = self.one.choice, self.other.choice
        if self.of_label_sets or any(choice != EVERYTHING for choice in choices):
            return True
        one, other = self._sets
        return bool(one - other if self.one.offset <= self.other.offset else other - one)  # one was archived

    @cached_property
    def _sets(self) -> tuple[frozenset[str], frozenset[str]]:
        """The label sets whose labels each side holds."""
        one, other = (
            frozenset(side.label_sets_in(state))
            for side, state in zip((self.one, self.other), self.states, strict=True)
        )
        return one, other

    @cached_property
    def _deleted(self) -> frozenset[str]:
        """The samples that were deleted at some time: whether a side holds them has to be looked at."""
        return frozenset(self._samples_told(Wanted(types=("SampleArchived",), last=self.last)))

    def _came_or_went(self) -> Iterator[str]:
        """The samples that were deleted, or came back, between the sides."""
        between = Wanted(first=self.first + 1, last=self.last)
        yield from self._samples_told(replace(between, types=("SampleArchived",)))
        if self._deleted:
            yield from self._samples_told(replace(between, types=("SampleAdded",), least_version=2))

    def _samples_told(self, wanted: Wanted) -> Iterator[str]:
        for stream in search.all_streams(self.dataset, replace(wanted, prefixes=("sample/",)), limit=PAGE):
            yield stream.removeprefix("sample/")

    @cached_property
    def states(self) -> tuple[DatasetState, DatasetState]:
        """The dataset on both sides."""
        one, other = (datasets.state_at(self.dataset, side.offset) for side in (self.one, self.other))
        return one, other

    @property
    def categories(self) -> dict[int, str]:
        """{category: its name}, those of the second side first."""
        found: dict[int, str] = {}
        for side, state in zip((self.one, self.other), self.states, strict=True):
            listed = side.read_dataset(state).task_attributes.get("categories") or []
            found |= {item["id"]: str(item.get("name", item["id"])) for item in listed if type(item.get("id")) is int}
        return found

    def entries(self, *, after: str = "") -> Iterator[JSON]:
        """What differs, in the order of the streams' names, behind one of them."""
        for streams in self._streams(after):
            kind = streams[0].split("/")[0]
            if kind == "label" and self.of_label_sets:
                entry = self._of_label_sets(streams)
            elif kind == "label":
                entry = self._of_label(streams[0])
            elif kind == "sample":
                entry = self._of_sample(streams[0])
            else:
                entry = self._of_dataset(streams[0])
            if entry is not None:
                yield entry

    def _streams(self, after: str) -> Iterator[list[str]]:
        """The streams to look at: one by one, or those of the label sets of one sample."""
        moved = self.first != self.last or self.one.choice != self.other.choice
        prefixes = ("dataset", "label/", "sample/") if moved else ("label/",)
        wanted = Wanted(prefixes=prefixes, first=1 if self.of_all else self.first + 1, last=self.last)
        sets = {self.one.label_set, self.other.label_set} - {""}
        if self.of_label_sets and after.startswith("label/"):
            after = f"{after.rpartition('/')[0]}/~"  # behind all labels of that sample

        listed = (
            stream
            for stream in search.all_streams(self.dataset, wanted, after=after, limit=PAGE)
            if not sets or not stream.startswith("label/") or stream.rpartition("/")[2] in sets
        )
        if not self.of_label_sets:
            others = () if self.of_all else (stream for stream in self._gone_along(sets) if stream > after)
            yield from ([stream] for stream, _ in groupby(merge(listed, others)))
            return
        for _, group in groupby(listed, key=lambda stream: stream.split("/")[:2]):
            streams = list(group)
            if streams[0].startswith("sample/"):
                yield from ([stream] for stream in streams)
            else:
                yield streams

    def _gone_along(self, sets: set[str]) -> list[str]:
        """The labels that there may be of samples that came or went, whatever happened to the labels themselves."""
        kept = sets or self._sets[0] | self._sets[1]
        return sorted(f"label/{sample}/{label_set}" for sample in {*self._came_or_went()} for label_set in kept)

    def sides_of(self, entry: JSON) -> tuple[LabelState, LabelState]:
        """The label of an entry on both sides, as they are compared."""
        found = []
        for side, sample in zip((self.one, self.other), self._samples(entry["sample"]), strict=True):
            stream = label_stream(uuid.UUID(entry["sample"]), uuid.UUID(side.label_set or entry["label_set"]))
            state = labels.label_at(self.dataset, stream, side.offset)
            found.append(side.read(state) if sample.exists else LabelState(self.dataset, stream))
        return found[0], found[1]

    def sample_of(self, entry: JSON) -> SampleState:
        """The sample of an entry, on the second side, or on the first where only that has it."""
        one, other = self._samples(entry["sample"])
        return other if other.exists else one

    # --- the entries of each kind ------------------------------------------------------------------------------------

    def _of_label(self, stream: str) -> JSON | None:
        _, sample, label_set = stream.split("/")
        of_set, of_sample = [label_set in held for held in self._sets], [True, True]
        if self.of_all or sample in self._deleted:
            of_sample = [item.exists for item in self._samples(sample)]
        held = [all(pair) for pair in zip(of_set, of_sample, strict=True)]
        if not any(held):
            return None
        events = list(store.read_stream(self.dataset, stream, up_to=self.last))
        state = LabelState(self.dataset, stream)
        between: list[Event] = []
        for event in events:
            if (event.offset or 0) > self.first:
                between.append(event)
            else:
                label_state.evolve(state, event.fact, place_of(event))
        sides, behind, splits = _gone_through(state, between)
        one, other = sides if self.one.offset <= self.other.offset else sides[::-1]
        gone_with = None
        if held[0] != held[1] and one.exists and other.exists:
            gone_with = "sample" if of_sample[0] != of_sample[1] else "label_set"
            between = self._causes(sample, label_set, gone_with) or between
        one = self.one.read(one) if held[0] else LabelState(self.dataset, stream)
        other = self.other.read(other) if held[1] else LabelState(self.dataset, stream)
        changes = compared(one, other, read=self.read, splits=splits)
        return self._entry(stream, changes, between, None if gone_with else behind, gone_with=gone_with)

    def _causes(self, sample: str, label_set: str, gone_with: str) -> list[Event]:
        """The events by which the sample or the label set of a label came or went."""
        stream, types = STREAM, ("LabelSetCreated", "LabelSetArchived")
        if gone_with == "sample":
            stream, types = sample_stream(sample), ("SampleAdded", "SampleArchived")
        wanted = Wanted(stream=stream, types=types, first=self.first + 1, last=self.last)
        return [
            event
            for event in search.find_all(self.dataset, wanted)
            if gone_with == "sample" or event.data["label_set"] == label_set
        ]

    def _of_label_sets(self, streams: list[str]) -> JSON | None:
        sample = streams[0].split("/")[1]
        held = [item.exists for item in self._samples(sample)]
        if not any(held):
            return None
        sides = []
        for side, is_held in zip((self.one, self.other), held, strict=True):
            stream = label_stream(uuid.UUID(sample), uuid.UUID(side.label_set))
            state = labels.label_at(self.dataset, stream, side.offset) if is_held else LabelState(self.dataset, stream)
            sides.append(side.read(state))
        changes, same = versus(*sides, read=self.read)
        if not changes:
            return None
        for change in changes:
            change["events"], change["authors"] = _last(change, *sides)
        events = sorted({offset for change in changes for offset in change["events"]})
        return {
            "stream": streams[0],
            "sample": sample,
            "label_set": self.other.label_set,
            "gone_with": None,
            "changes": changes,
            "same": same,
            "event_count": len(events),
            "events": events[:MOST_EVENTS],
            "authors": sorted({author for change in changes for author in change["authors"]}),
        }

    def _of_sample(self, stream: str) -> JSON | None:
        one, other = self._samples(stream.removeprefix("sample/"))
        if not one.exists and not other.exists:
            return None
        return self._entry(stream, compared(one, other), self._between(stream))

    def _of_dataset(self, stream: str) -> JSON | None:
        one, other = (side.read_dataset(state) for side, state in zip((self.one, self.other), self.states, strict=True))
        return self._entry(stream, compared(one, other), self._between(stream))

    def _between(self, stream: str) -> list[Event]:
        """The events of a stream that changed what is compared; others (those of members) are not behind it."""
        wanted = Wanted(stream=stream, first=self.first + 1, last=self.last)
        told = Historian(self.dataset).told(search.find_all(self.dataset, wanted))
        return [item.event for item in told if item.changes or isinstance(item.event.fact, OF_LABEL_SETS)]

    def _entry(
        self,
        stream: str,
        changes: list[JSON],
        between: list[Event],
        behind: dict[str, list[Event]] | None = None,
        *,
        gone_with: str | None = None,
    ) -> JSON | None:
        if not changes:
            return None
        kind, *names = stream.split("/")
        for change in changes:
            events = between if behind is None else behind.get(change["what"], between)
            change["events"] = [event.offset for event in events[:MOST_EVENTS]]
            change["authors"] = _authors(events)
        return {
            "stream": stream,
            "sample": names[0] if names else None,
            "label_set": names[1] if kind == "label" else None,
            "gone_with": gone_with,
            "changes": changes,
            "same": None,
            "event_count": len(between),
            "events": [event.offset for event in between[:MOST_EVENTS]],
            "authors": _authors(between),
        }

    # --- what is held ------------------------------------------------------------------------------------------------

    def _samples(self, sample: str) -> tuple[SampleState, SampleState]:
        """A sample on both sides; without anything where a side does not hold it."""
        if self._held is None or self._held[0] != sample:
            one, other = (self._sample(sample, *pair) for pair in zip((self.one, self.other), self.states, strict=True))
            self._held = (sample, (one, other))
        return self._held[1]

    def _sample(self, sample: str, side: Side, dataset: DatasetState) -> SampleState:
        state = samples.sample_at(self.dataset, uuid.UUID(sample), side.offset)
        if not state.exists:
            return SampleState(self.dataset, state.stream)
        label = None
        if side.choice.needs_label:
            label = labels.label_at(self.dataset, label_stream(state.id, truth_of(dataset)), side.offset)
        return state if side.choice.holds(state, label) else SampleState(self.dataset, state.stream)

    def read(self, mask: JSON) -> Ids | None:
        """The pixels of a bitmap; None where they are not there any more."""
        try:
            found: Ids = assets.read_mask(mask["url"], "mask")
        except (PalimpsestError, KeyError, FileNotFoundError):
            # It was destroyed, or is of another host: what it showed nobody can say.
            logger.info("a bitmap cannot be compared", exc_info=True)
            return None
        return found


def _gone_through(
    state: LabelState, between: Iterable[Event]
) -> tuple[tuple[LabelState, LabelState], dict[str, list[Event]], dict[str, tuple[str, int]]]:
    """((the label before the events, and behind them), {what: the events that changed it}, the splits of tracks)."""
    first, behind, splits = state.copied(), dict[str, list[Event]](), dict[str, tuple[str, int]]()
    for event in between:
        before = state.copied()
        label_state.evolve(state, event.fact, place_of(event))
        names = {f"{kind}:{key}" for kind, key in changed_pieces(before, state)}
        names |= {f"annotation:{key}" for key in _painted(event, state)}
        if any(":" not in change["what"] for change in changes_of(before, state)):
            names.add("label")
        for name in names:
            behind.setdefault(name, []).append(event)
        if isinstance(event.fact, TrackSplit):
            splits[event.fact.new_track] = (event.fact.track, event.fact.frame)
    return (first, state), behind, splits


def _painted(event: Event, state: LabelState) -> list[str]:
    """The objects whose pixels an event changed."""
    ids = {item["id"] for item in getattr(event.fact, "changed", ()) if isinstance(item, dict)}
    return [key for key, item in state.annotations.items() if item["id"] in ids] if ids else []


def _last(change: JSON, one: LabelState, other: LabelState) -> tuple[list[int], list[str]]:
    """The last events of the objects that a change between label sets is about, and who made them."""
    key = change["what"].partition(":")[2]
    names = (key, change.get("match", {}).get("uuid", key))
    if not key:
        sides: list[JSON] = [{"last_offset": s.last_offset, "by": str(s.updated_by)} for s in (one, other) if s.exists]
    else:
        held = [
            piece.get(name)
            for state, name in zip((one, other), names, strict=True)
            for piece in (state.annotations, *state.parts.values())
        ]
        sides = [item for item in held if item is not None]
    return sorted({item["last_offset"] for item in sides}), sorted({item["by"] for item in sides})


def _authors(events: Iterable[Event]) -> list[str]:
    return sorted({str(event.intent.author) for event in events})
