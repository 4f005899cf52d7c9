"""Fill in a dataset's datasheet: what is said in each field is an event, and stays in the log like what it replaces."""

from __future__ import annotations

import uuid
from typing import Any

from labeling import events as e
from labeling.commands.datasets import state_to_change
from labeling.commands.writing import decide, earlier, hint
from labeling.log import store
from labeling.log.event import Intent
from labeling.queries.datasheets import datasheet_of, text_of
from labeling.rules import dataset_state
from labeling.rules.datasheet import checked_changes


def set_datasheet(*, intent: Intent, dataset: uuid.UUID, changes: Any) -> list[str]:
    """Set fields of the datasheet; an empty text takes one away. Returns those that changed; no event where none did.

    Raises:
        NotFound, NotPermitted: the author may not.
        InvalidValue: a field is unknown, or its text is none.
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
        triples = [(dataset_state.STREAM, state.version, e.DatasheetSet(changes=changed))]
        events = store.new_events(dataset, intent, triples)
        rows = dataset_state.difference(state, dataset_state.fold(state, events))
        appended = store.append(dataset, intent=intent, events=events, rows=rows, answer={"changed": [*changed]})
        hint(dataset, appended)
        return [*changed]

    return decide(attempt)
