"""Fill in a dataset's datasheet: what is said in each field is an event, and stays in the log like what it replaces."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from labeling import events as e
from labeling.commands.datasets import state_to_change
from labeling.commands.writing import decide, earlier, hint
from labeling.errors import Refused
from labeling.log import store
from labeling.log.event import Intent
from labeling.queries.datasheets import datasheet_of, said_since, text_of
from labeling.rules import dataset_state
from labeling.rules.datasheet import checked_changes


def set_datasheet(*, intent: Intent, dataset: uuid.UUID, changes: Any, seen: int | None = None) -> list[str]:
    """Set fields of the datasheet; an empty text takes one away. Returns those that changed; no event where none did.
    `seen` is up to which offset the author had read it: what was said later in one of these fields is not overwritten.

    Raises:
        NotFound, NotPermitted: the author may not.
        InvalidValue, BadValue: a field is unknown, or its text is none.
        Refused: somebody said something in one of these fields since.
        Busy: the log is held by others for too long.
    """
    wanted = checked_changes(changes)

    def attempt() -> list[str]:
        state = state_to_change(dataset, intent)
        kept = earlier(dataset, intent)
        if kept is not None:
            return list(kept.answer["changed"])
        known = {name: text_of(event, name) for name, event in datasheet_of(dataset).items()}
        changed = {name: text for name, text in wanted.items() if known.get(name, "") != text}
        if not changed:
            return []
        if seen is not None:
            _check_seen(dataset, changed, seen)
        triples = [(dataset_state.STREAM, state.version, e.DatasheetSet(changes=changed))]
        events = store.new_events(dataset, intent, triples)
        rows = dataset_state.difference(state, dataset_state.fold(state, events))
        appended = store.append(dataset, intent=intent, events=events, rows=rows, answer={"changed": [*changed]})
        hint(dataset, appended)
        return [*changed]

    return decide(attempt)


def _check_seen(dataset: uuid.UUID, fields: Iterable[str], seen: int) -> None:
    since = said_since(dataset, seen)
    moved = [name.replace("_", " ") for name in fields if name in since]
    if moved:
        raise Refused(f"Somebody changed this since you read it: {', '.join(moved)}. Look at it, then save again.")
