"""The signals of a dataset: what its log shows of people at work, joined with what clients told. Pure numpy."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labeling.events import ActivityClosed
from labeling.reports.ledger import Ledger
from labeling.reports.working import WORKED, Signals


@dataclass(frozen=True, slots=True)
class Told:
    """What a client told of a person: that a sample was opened or closed, or that there was input on it."""

    at_us: int
    person: uuid.UUID
    sample: uuid.UUID
    label_set: uuid.UUID | None
    session: uuid.UUID
    number: int  #: its place in the session
    kind: int  #: OPENED, CLOSED or BEAT


def signals_of(ledger: Ledger, told: Sequence[Told] = ()) -> Signals:
    """All signals in the order of person, time and place; of the same moment, what was told comes first.

    The words and samples of the ledger grow by those that only clients told of.
    """
    places = np.flatnonzero(ledger.events["signal"])
    events = ledger.events[places]
    index = {name: {word: number for number, word in enumerate(ledger.words[name])} for name in ledger.words}
    samples = {sample: number for number, sample in enumerate(ledger.samples)}

    def of(name: str, word: str) -> int:
        return index[name].setdefault(word, len(index[name]))

    columns = np.array(
        [
            (
                one.at_us,
                of("people", str(one.person)),
                samples.setdefault(str(one.sample), len(samples)),
                -1 if one.label_set is None else of("label_sets", str(one.label_set)),
                of("sessions", str(one.session)),
                one.kind,
                one.number,
            )
            for one in told
        ],
        np.int64,
    ).reshape(-1, 7)
    ledger.samples[:] = list(samples)
    for name, words in index.items():
        ledger.words[name][:] = list(words)

    def column(name: str, number: int) -> np.ndarray:
        return np.concatenate([events[name].astype(np.int64), columns[:, number]])

    is_told = np.repeat([0, 1], [len(events), len(columns)])
    at_us, person, order_in = column("at_us", 0), column("person", 1), column("offset", 6)
    if len(columns):
        order = np.lexsort((order_in, 1 - is_told, at_us, person))
    else:  # the times of a log never decrease with its offsets
        order = np.argsort(events["person"], kind="stable")
    event = np.concatenate([places, np.full(len(columns), -1, np.int64)])
    kind = np.concatenate([np.full(len(events), WORKED, np.int64), columns[:, 5]])
    return Signals(
        at_us[order],
        person[order],
        column("sample", 2)[order],
        column("label_set", 3)[order],
        column("session", 4)[order],
        kind[order],
        event[order],
    )


def reopened(fact: ActivityClosed) -> list[tuple[Told, int]]:
    """The signals that an event keeps, each with the offset at which it was received."""

    def of(values: Sequence[str], place: int) -> uuid.UUID | None:
        return None if place < 0 else uuid.UUID(values[place])

    found = []
    for at_us, person, sample, label_set, session, number, kind, offset in fact.signals:
        who, where, tab = of(fact.people, person), of(fact.samples, sample), of(fact.sessions, session)
        assert who and where and tab
        found.append((Told(at_us, who, where, of(fact.label_sets, label_set), tab, number, kind), offset))
    return found
