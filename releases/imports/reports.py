"""What is told of an import in the log of its dataset: that it began, how it ended, that it was taken back."""

from __future__ import annotations

import uuid

from labeling.commands.writing import decide, earlier, hint
from labeling.log import store
from labeling.log.event import Fact, Intent
from labeling.rules.sample_state import asset_rows
from releases.events import ImportFinished, ImportResumed, ImportStarted
from releases.imports import state
from releases.imports.state import ImportState, import_stream


class Stopped(Exception):
    """Somebody wants the job to stop."""


class Failed(Exception):
    """The job cannot be done; the text is for people, and repeats nothing of the file."""


def state_of(dataset: uuid.UUID, import_id: uuid.UUID) -> ImportState:
    """An import's state, folded from the log."""
    stream = import_stream(import_id)
    return state.fold(ImportState(dataset, stream), list(store.read_stream(dataset, stream)))


def tell(
    dataset: uuid.UUID,
    import_id: uuid.UUID,
    fact: Fact,
    *,
    by: uuid.UUID | None = None,
    intent: Intent | None = None,
    also: list[tuple[str, int, Fact]] | None = None,
) -> None:
    """Append a fact to the import's stream, by `intent` or else as the import of `by`, unless it says what is so.

    `also` are files that the dataset does not know yet.
    """
    own = intent or Intent(author=by or import_id, author_kind="import", correlation=import_id)

    def attempt() -> None:
        if earlier(dataset, own) is not None:
            return
        was = state_of(dataset, import_id)
        if not _is_news(was, fact):
            return
        files = also or []
        events = store.new_events(dataset, own, [*files, (was.stream, was.version, fact)])
        rows = state.rows(state.fold(was, events[len(files) :]))
        for event in events[: len(files)]:
            rows.add(asset_rows([event]))
        appended = store.append(dataset, intent=own, events=events, rows=rows)
        if appended.replayed:
            raise store.Stale
        hint(dataset, appended)

    decide(attempt)


def _is_news(was: ImportState, fact: Fact) -> bool:
    match fact:
        case ImportStarted():
            return not was.version
        case ImportResumed():
            return was.state in ("failed", "canceled")
        case ImportFinished():
            return was.state == "running"
        case _:
            return bool(was.version) and was.state != "undone"
