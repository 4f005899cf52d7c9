"""The history: events with what they changed and a sentence each, told one after the other in the order of the log."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from labeling import events as e
from labeling.log import store
from labeling.log.event import Event
from labeling.queries.guidelines import Guideline, guidelines_of, version_seen
from labeling.queries.labels import label_before, names_of
from labeling.rules import dataset_state, label_state, sample_state
from labeling.rules.dataset_state import DatasetState
from labeling.rules.fold import place_of
from labeling.rules.label_state import LabelState
from labeling.rules.reversal import changed_pieces
from labeling.rules.sample_state import SampleState
from labeling.rules.telling import Telling, changes_of, sentence
from labeling.texts import decrypt_all

JSON = dict[str, Any]

#: Labels whose states are kept while a history goes back and forth between them.
MOST_STATES = 100
BATCH = 200


@dataclass(frozen=True, slots=True)
class Told:
    """One event and what it did. `before` and `after` are the states of its stream where that is one that is folded."""

    event: Event
    before: Any
    after: Any
    changes: list[JSON]
    categories: dict[int, str]


class Historian:
    """Tells events of one dataset, in the order of their offsets; it folds each stream on, and never twice."""

    def __init__(self, dataset: uuid.UUID) -> None:
        self.dataset = dataset
        self._states: OrderedDict[str, Any] = OrderedDict()
        self._schema = DatasetState(id=dataset)
        self._schema_events: list[Event] | None = None
        self._categories: dict[int, str] = {}

    def told(self, events: Iterable[Event]) -> Iterator[Told]:
        """Each event with what it changed."""
        for event in events:
            before, after = self._step(event)
            changes = [] if after is None else changes_of(before, after)
            yield Told(event, before, after, changes, self._categories_at(event))

    def _step(self, event: Event) -> tuple[Any, Any]:
        """The states of the event's stream before and behind it."""
        state = self._states.pop(event.stream, None)
        if state is None and event.stream.startswith("label/"):
            state = label_before(self.dataset, event.stream, version=event.version - 1)
        state = state or _empty(self.dataset, event.stream)
        if state is None:
            return None, None
        if state.version < event.version - 1:
            for earlier in store.read_stream(self.dataset, event.stream, after_version=state.version):
                if earlier.version >= event.version:
                    break
                _evolve(state, earlier)
        behind = state.copied() if isinstance(state, LabelState) else _copied(state)
        _evolve(behind, event)
        self._states[event.stream] = behind
        if len(self._states) > MOST_STATES:
            self._states.popitem(last=False)
        return state, behind

    def _categories_at(self, event: Event) -> dict[int, str]:
        """The names of the categories as they were before the event."""
        if self._schema_events is None:
            self._schema_events = list(store.read_stream(self.dataset, dataset_state.STREAM))[::-1]
        moved = False
        while self._schema_events and (self._schema_events[-1].offset or 0) < (event.offset or 0):
            earlier = self._schema_events.pop()
            dataset_state.evolve(self._schema, earlier.fact, place_of(earlier))
            moved = True
        if moved:
            listed = self._schema.task_attributes.get("categories") or []
            self._categories = {
                item["id"]: str(item.get("name", item["id"])) for item in listed if isinstance(item.get("id"), int)
            }
        return self._categories


def _empty(dataset: uuid.UUID, stream: str) -> Any:
    kind = stream.split("/")[0]
    if kind == "label":
        return LabelState(dataset, stream)
    if kind == "sample":
        return SampleState(dataset, stream)
    return DatasetState(id=dataset) if stream == dataset_state.STREAM else None


def _copied(state: Any) -> Any:
    if isinstance(state, DatasetState):
        return replace(state, label_sets=dict(state.label_sets), members=dict(state.members))
    return replace(state)


def _evolve(state: Any, event: Event) -> None:
    place = place_of(event)
    if isinstance(state, LabelState):
        label_state.evolve(state, event.fact, place)
    elif isinstance(state, SampleState):
        sample_state.evolve(state, event.fact, place)
    else:
        dataset_state.evolve(state, event.fact, place)


def is_about(told: Told, *, objects: set[str] | None = None, category: int | None = None) -> bool:
    """Whether an event changed one of these objects (by uuid), or an object of this category, or its pixels."""
    if not isinstance(told.after, LabelState):
        return objects is None and category is None
    changed = changed_pieces(told.before, told.after)
    if isinstance(told.event.fact, e.BitmapPatched):
        painted = {item["id"] for item in told.event.fact.changed}
        sides = (*told.before.annotations.items(), *told.after.annotations.items())
        changed |= {("annotation", key) for key, item in sides if item["id"] in painted}
    if objects is not None and not any(key in objects for _, key in changed):
        return False
    if category is None:
        return True
    fact = told.event.fact
    if getattr(fact, "category_id", None) == category:
        return True
    return any(
        (items.get(key) or {}).get("category_id") == category
        for state in (told.before, told.after)
        for items in (state.annotations, *state.parts.values())
        for _, key in changed
    )


def entries(dataset: uuid.UUID, events: Iterable[Told]) -> Iterator[JSON]:
    """What is said of each: who, when, with what, why, a sentence, and before and after; people by today's names."""
    stream = iter(events)
    versions: list[Guideline] | None = None
    while batch := list(islice(stream, BATCH)):
        versions = guidelines_of(dataset) if versions is None else versions
        yield from _batch(batch, versions)


def _batch(batch: list[Told], versions: list[Guideline]) -> list[JSON]:
    facts = [told.event.fact for told in batch]
    mentioned = {_uuid(value) for fact in facts for value in _people(fact)}
    authors = {person for told in batch for person in (told.event.intent.author, told.event.intent.on_behalf_of)}
    names = names_of(authors | mentioned)
    by_text = {str(person): name for person, name in names.items()}
    texts = decrypt_all(
        [told.event.intent.reason for told in batch]
        + [fact.text if isinstance(fact, e.IssueOpened | e.IssueCommented) else None for fact in facts]
    )
    reasons, written = texts[: len(batch)], texts[len(batch) :]
    found = []
    for told, reason, text in zip(batch, reasons, written, strict=True):
        event, intent = told.event, told.event.intent
        who = by_text.get(str(intent.author), str(intent.author))
        about = event.stream.split("/")
        telling = Telling(event.fact, told.before, told.after, told.categories, by_text)
        behalf = (
            None if intent.on_behalf_of is None else by_text.get(str(intent.on_behalf_of), str(intent.on_behalf_of))
        )
        found.append(
            {
                "offset": event.offset,
                "recorded_at": event.recorded_at,
                "occurred_at": intent.occurred_at,
                "author": who,
                "author_kind": intent.author_kind,
                "on_behalf_of": behalf,
                "tool": intent.tool,
                "work_session": intent.work_session,
                "gesture": intent.correlation,
                "command": intent.command,
                "event_id": event.event_id,
                "type": event.type,
                "stream": event.stream,
                "version": event.version,
                "sample": about[1] if about[0] in ("label", "sample", "signature") else None,
                "label_set": about[2] if about[0] in ("label", "signature") else None,
                "sentence": f"{who} {sentence(telling)}" + (f" {text}" if text else ""),
                "reason": reason,
                "guideline": version_seen(versions, event),
                "changes": told.changes,
            }
        )
    return found


def _people(fact: Any) -> list[str]:
    found = [getattr(fact, "person", None), *(getattr(fact, "roles", None) or {}).values()]
    of = getattr(fact, "of", None)
    return [value for value in (*found, of.get("author") if isinstance(of, dict) else None) if isinstance(value, str)]


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
