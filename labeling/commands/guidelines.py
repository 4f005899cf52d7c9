"""Set what those who label are told to do: a new version of the guideline, which stays in the log like the others."""

from __future__ import annotations

import uuid
from typing import Any

from labeling import events as e
from labeling.commands import assets
from labeling.commands.datasets import state_to_change
from labeling.commands.writing import decide, earlier, hint
from labeling.errors import InvalidValue
from labeling.log import store, values
from labeling.log.event import Fact, Intent
from labeling.queries.guidelines import guidelines_of
from labeling.rules import dataset_state
from labeling.rules.dataset_state import STREAM
from labeling.rules.sample_state import asset_rows

#: Characters of a guideline's text.
MOST_TEXT = 1_000_000


def set_guideline(*, intent: Intent, dataset: uuid.UUID, text: Any = "", url: Any = None) -> int:
    """Put a new version of the guideline in force, as Markdown or as a file that was uploaded here; returns its number.
    What the newest version says already is no new one.

    Raises:
        NotFound, NotPermitted: the author may not.
        InvalidValue, BadValue: neither is given, or one does not fit.
    """
    text = "" if text is None else text
    if not isinstance(text, str) or len(text) > MOST_TEXT:
        raise InvalidValue("text", f"must be a string of at most {MOST_TEXT} characters")
    values.checked(text, where="text")
    if url is not None and (not isinstance(url, str) or len(assets.tokens_in(url)) != 1):
        raise InvalidValue("url", "must be the address of a file that was uploaded here")
    if not text.strip() and url is None:
        raise InvalidValue("text", "is required where there is no url")

    def attempt() -> int:
        state = state_to_change(dataset, intent)
        kept = earlier(dataset, intent)
        if kept is not None:
            return int(kept.answer["version"])
        known = guidelines_of(dataset)
        if known and (known[-1].text, known[-1].url) == (text, url):
            return known[-1].version
        version = len(known) + 1
        triples: list[tuple[str, int, Fact]] = assets.pin_assets(dataset, assets.tokens_in(url))
        if url is not None and not triples and not assets.is_pinned(dataset, url):
            raise InvalidValue("url", "must be the address of a file that was uploaded here")
        triples.append((STREAM, state.version, e.GuidelineSet(version=version, text=text, url=url)))
        events = store.new_events(dataset, intent, triples)
        rows = dataset_state.difference(state, dataset_state.fold(state, events[-1:]))
        for event in events[:-1]:
            rows.add(asset_rows([event]))
        appended = store.append(dataset, intent=intent, events=events, rows=rows, answer={"version": version})
        hint(dataset, appended)
        return version

    return decide(attempt)
