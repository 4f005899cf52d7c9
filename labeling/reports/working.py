"""Working time, measured from signals. Pure numpy.

A signal is an event that a person caused on a label or an issue, or what a client told of a person at work: a sample
opened or closed, or a heartbeat. Between two signals of one person the time is active where they are at most the idle
threshold apart (the boundary counts); a longer gap is idle altogether, and counts as idle time of a sample only where
both signals are on it, in one work session. So a person's intervals never overlap, however many windows they work in,
and a lone signal measures nothing.

An interval belongs to the sample of the signal that ends it, except that the time until a sample was opened belongs to
the one that was still open before, or to none (going from one to the next). Its stage is that of the next save of its
person on that sample: label, review, edit (of somebody who is no labeler or reviewer), rework (label, or edit, after a
rejection); without any save after it, it is view.

Inside of a sample, what its person spent since their last event on an object is credited to the objects that their next
one touches, in equal shares; what no such event follows is inspection. Signals are (N,) arrays in the order of person,
time and place; times are int64 microseconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.reports.ledger import WORK

Array = NDArray[Any]

WORKED, OPENED, CLOSED, BEAT = range(4)
STAGES = ("label", "rework", "review", "edit", "view")
LABEL, REWORK, REVIEW, EDIT, VIEW = range(5)


@dataclass(slots=True)
class Signals:
    """(N,) each, ordered by person, time and place. Indexes of -1 stand for none."""

    at_us: Array
    person: Array
    sample: Array
    label_set: Array
    session: Array
    kind: Array  #: WORKED, OPENED, CLOSED or BEAT
    event: Array  #: the index of the event in the ledger; -1 for what a client told

    def only(self, chosen: Array) -> Signals:
        """Those that are chosen, (N,) of bool."""
        return Signals(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(slots=True)
class Intervals:
    """What lies between each signal and the one before it: (N,) each, beside the signals."""

    active_us: Array
    idle_us: Array
    sample: Array  #: whose time it is; -1 for none
    stage: Array  #: one of STAGES by its index
    measured: Array  #: whether there is a signal before it that measures anything


def between(signals: Signals, *, threshold_us: int) -> Intervals:
    """Measure the intervals; their stage is VIEW until `staged` says more. N = 0 gives none."""
    count = len(signals.at_us)
    follows = np.zeros(count, bool)
    follows[1:] = signals.person[1:] == signals.person[:-1]
    gap_us = np.zeros(count, np.int64)
    gap_us[1:] = np.where(follows[1:], np.diff(signals.at_us), 0)
    is_active = gap_us <= threshold_us

    before_sample = np.concatenate([[-1], signals.sample[:-1]]) if count else signals.sample
    before_closed = np.concatenate([[False], signals.kind[:-1] == CLOSED]) if count else is_active
    leads_here = (signals.kind == OPENED) & is_active & (gap_us > 0)
    sample = np.where(leads_here, np.where(before_closed, -1, before_sample), signals.sample)

    before_session = np.concatenate([[-1], signals.session[:-1]]) if count else signals.session
    is_another = (signals.session >= 0) & (before_session >= 0) & (signals.session != before_session)
    stays = ~is_active & (before_sample == signals.sample) & ~is_another
    active_us, idle_us = np.where(is_active, gap_us, 0), np.where(stays, gap_us, 0)
    return Intervals(active_us, idle_us, sample, np.full(count, VIEW, np.int8), (active_us + idle_us) > 0)


def grouped(*keys: Array) -> tuple[Array, Array]:
    """(order, begin): how to sort by these keys (the first weighs most) keeping the order in each group, and where in
    that order a group begins."""
    one = combined(*keys)
    order = np.argsort(one, kind="stable")
    ordered = one[order]
    begin = np.ones(len(order), bool)
    begin[1:] = ordered[1:] != ordered[:-1]
    return order, begin


def combined(*keys: Array) -> Array:
    """(N,) int64 numbers that are ordered, and equal, as the keys are; the first weighs most."""
    found: Array = np.zeros(len(keys[0]), np.int64)
    room = 1
    for key in keys:
        if not len(key):
            return found
        low, high = int(key.min()), int(key.max())
        size = high - low + 1
        if room * size > 2**62:  # wide keys are numbered first
            _, found = np.unique(found, return_inverse=True)
            unique, key = np.unique(key, return_inverse=True)
            low, size, room = 0, len(unique), int(found.max()) + 1
        found = found * size + (key.astype(np.int64) - low)
        room *= size
    return found


def next_marked(begin: Array, marked: Array) -> Array:
    """The index of the first marked element at or after each one, in its group; -1 where there is none."""
    count = len(marked)
    if not count:
        return np.zeros(0, np.int64)
    places = np.where(marked, np.arange(count), count)
    nearest = np.minimum.accumulate(places[::-1])[::-1]
    group = np.cumsum(begin)
    found = np.minimum(nearest, count - 1)
    return np.where((nearest < count) & (group[found] == group), found, -1)


def save_stages(work: Array, verb: Array, sample: Array, label_set: Array, *, reject: int, verdicts: Array) -> Array:
    """The stage of every event that saves ((E,), in the order of the log), -1 for the others: rework is what is
    saved on a label whose last verdict (one of `verdicts`, by its verb) was `reject`."""
    order, begin = grouped(sample, label_set)
    is_verdict = np.isin(verb[order], verdicts)
    places = np.where(is_verdict, np.arange(len(order)), -1)
    start = np.maximum.accumulate(np.where(begin, np.arange(len(order)), 0)) if len(order) else places
    last = np.maximum.accumulate(places) if len(order) else places
    last_before = np.concatenate([[-1], last[:-1]]) if len(order) else last
    rejected_before = (last_before >= start) & (verb[order][np.maximum(last_before, 0)] == reject)
    is_rejected = np.zeros(len(order), bool)
    is_rejected[order] = rejected_before
    stage = np.full(len(work), -1, np.int8)
    stage[work == WORK.index("label")] = LABEL
    stage[work == WORK.index("normal")] = EDIT
    stage[(stage >= 0) & is_rejected] = REWORK
    stage[work == WORK.index("review")] = REVIEW
    return stage


def staged(signals: Signals, intervals: Intervals, saves: Array) -> Intervals:
    """Give each interval the stage of the next save of its person on its sample; `saves` as from `save_stages`."""
    of_signal = np.where(signals.event >= 0, saves[np.maximum(signals.event, 0)] if len(saves) else -1, -1)
    # What went before an opening belongs to another sample than the opening itself, and waits there for a save.
    order, begin = grouped(signals.person, intervals.sample)
    marked = (of_signal[order] >= 0) & (signals.sample[order] == intervals.sample[order])
    found = next_marked(begin, marked)
    stage = np.where(found >= 0, of_signal[order][np.maximum(found, 0)], VIEW).astype(np.int8)
    intervals.stage[order] = np.where(intervals.sample[order] >= 0, stage, VIEW)
    return intervals


def credited(signals: Signals, intervals: Intervals, is_object: Array) -> Array:
    """(N,): for each interval the index of the signal whose objects it is credited to; -1 for inspection.

    `is_object` marks the signals (N,) whose event touches objects."""
    order, begin = grouped(signals.person, intervals.sample)
    found = next_marked(begin, is_object[order] & (signals.sample[order] == intervals.sample[order]))
    to = np.full(len(order), -1, np.int64)
    to[order] = np.where(found >= 0, order[np.maximum(found, 0)], -1)
    return to


def split_at(start_us: Array, length_us: Array, bounds_us: Array) -> tuple[Array, Array, Array]:
    """Cut intervals at sorted bounds, such as midnights: (index of the interval, place among the bounds, length).

    A place p says that the part lies from bounds[p - 1] to bounds[p]. Intervals without length stay one part."""
    index = np.arange(len(start_us))
    parts: list[tuple[Array, Array, Array]] = []
    while len(index):
        place = np.searchsorted(bounds_us, start_us, "right")
        room = np.append(bounds_us, np.iinfo(np.int64).max)[place] - start_us
        here = np.minimum(room, length_us)
        parts.append((index, place, here))
        more = length_us > here
        index, start_us, length_us = index[more], (start_us + here)[more], (length_us - here)[more]
    if not parts:
        return index, index, length_us
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))  # type: ignore[return-value]
