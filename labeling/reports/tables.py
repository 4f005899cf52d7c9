"""The tables of reports: rows of plain values, in an order that follows from the values. Pure.

A person is an id here, as in the log; days are those of a time zone. Durations are whole microseconds, so that sums are
exact: what is split by any key, or at any moment, adds up to the whole.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from labeling.log.event import EPOCH, microseconds
from labeling.reports import working
from labeling.reports.ledger import VERBS, Ledger
from labeling.reports.working import STAGES, WORKED, Intervals, Signals
from labeling.rules.label_state import STATUSES
from labeling.rules.parts import ADDED, CHANGED, REMOVED

Array = NDArray[Any]
Row = dict[str, Any]

REJECT = VERBS.index("reject")
ACCEPTING = [VERBS.index("accept"), VERBS.index("verify")]
VERDICTS = np.array([REJECT, *ACCEPTING])


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: how long a pause is still work, from when until when, in which zone's days, by which keys."""

    threshold_s: int
    zone: ZoneInfo
    start_us: int | None = None
    end_us: int | None = None
    by: tuple[str, ...] = ()
    person: str | None = None  #: only the work of this one


@dataclass(slots=True)
class Measured:
    """A ledger's signals with the intervals between them, staged: what every report begins with."""

    ledger: Ledger
    signals: Signals
    intervals: Intervals
    question: Question


def measured(ledger: Ledger, signals: Signals, question: Question) -> Measured:
    """Measure all signals of a ledger, or one person's; a period is chosen later, so that no interval of it is lost."""
    if question.person is not None:
        signals = signals.only(signals.person == ledger.code("people", question.person))
    intervals = working.between(signals, threshold_us=question.threshold_s * 1_000_000)
    events = ledger.events
    saves = working.save_stages(
        events["work"], events["verb"], events["sample"], events["label_set"], reject=REJECT, verdicts=VERDICTS
    )
    return Measured(ledger, signals, working.staged(signals, intervals, saves), question)


# --- time ----------------------------------------------------------------------------------------------------------

TIME_KEYS = ("person", "day", "sample", "label_set", "stage")


def time_table(found: Measured) -> list[Row]:
    """Active and idle time, saves and signals, by any of TIME_KEYS.

    A signal counts on its day; a group whose signals measure nothing has `measured` 0, and no time that could be
    averaged."""
    signals, intervals, asked = found.signals, found.intervals, found.question
    rows: list[tuple[Array, Array, Array, Array]] = []  # (signal, day, active, idle)
    days = midnights(signals.at_us, asked.zone)
    for column, length_us in ((0, intervals.active_us), (1, intervals.idle_us)):
        some = np.flatnonzero(length_us > 0)
        index, day, part_us = _in_period(signals.at_us[some] - length_us[some], length_us[some], days, asked)
        nothing = np.zeros_like(part_us)
        rows.append((some[index], day, *((part_us, nothing) if column == 0 else (nothing, part_us))))
    inside = np.flatnonzero(_inside(signals.at_us, asked))
    signal = np.concatenate([rows[0][0], rows[1][0], inside])
    day = np.concatenate([rows[0][1], rows[1][1], np.searchsorted(days, signals.at_us[inside], "right")])
    timed = len(rows[0][0]) + len(rows[1][0])
    is_signal = np.arange(len(signal)) >= timed
    worked = is_signal & (signals.event[signal] >= 0)
    saves = np.zeros(len(signal), np.int64)
    saves[worked] = _is_save(found.ledger)[signals.event[signal[worked]]]
    sample = np.where(is_signal, signals.sample[signal], intervals.sample[signal])
    keys = {
        "person": signals.person[signal],
        "day": day,
        "sample": sample,
        "label_set": signals.label_set[signal],
        "stage": intervals.stage[signal],
    }
    sums = {
        "active_us": np.concatenate([rows[0][2], rows[1][2], np.zeros(len(inside), np.int64)]),
        "idle_us": np.concatenate([rows[0][3], rows[1][3], np.zeros(len(inside), np.int64)]),
        "signals": is_signal.astype(np.int64),
        "measured": (is_signal & intervals.measured[signal]).astype(np.int64),
        "saves": saves,
    }
    return _grouped(keys, sums, asked.by, _names(found.ledger, days, asked.zone))


def unit_times(found: Measured) -> dict[tuple[str, str, str, int], tuple[int, int, int]]:
    """{(person, sample, label set, time of the save): (active, idle, how many intervals)} of every save: what its
    person spent on the sample since their last one there."""
    ledger, signals, intervals = found.ledger, found.signals, found.intervals
    is_save = np.zeros(len(signals.at_us), bool)
    worked = signals.event >= 0
    is_save[worked] = ledger.events["work"][signals.event[worked]] >= 0
    to = working.credited(signals, intervals, is_save)
    times: dict[tuple[str, str, str, int], tuple[int, int, int]] = {}
    words = ledger.words
    for place in np.flatnonzero((to >= 0) | is_save):
        save = to[place] if to[place] >= 0 else place
        key = (
            words["people"][signals.person[save]],
            ledger.samples[signals.sample[save]],
            words["label_sets"][signals.label_set[save]],
            int(signals.at_us[save]),
        )
        active, idle, gaps = times.get(key, (0, 0, 0))
        times[key] = (
            active + int(intervals.active_us[place]),
            idle + int(intervals.idle_us[place]),
            gaps + int(intervals.measured[place]),
        )
    return times


def _is_save(ledger: Ledger) -> Array:
    """(E,): 1 for the last saving event of a command on a label, so that a command counts as one save."""
    events = ledger.events
    found = np.zeros(len(events), np.int64)
    saving = np.flatnonzero(events["work"] >= 0)
    if len(saving):
        begin = _begins_gesture(events[saving])
        found[saving[np.append(begin[1:], True)]] = 1
    return found


def _begins_gesture(events: Array) -> Array:
    """(E,): whether an event is the first of its command on its label; those of one append stand side by side."""
    begin = np.ones(len(events), bool)
    begin[1:] = False
    for column in ("command", "sample", "label_set"):
        begin[1:] |= events[column][1:] != events[column][:-1]
    return begin


# --- objects -------------------------------------------------------------------------------------------------------

OBJECT_KEYS = ("category", "person", "day", "sample", "annotation")


def object_table(found: Measured) -> list[Row]:
    """What people did to objects and how long it took them, by any of OBJECT_KEYS; the time between two events on
    objects is credited to those that the later one touches, in equal shares (a microsecond that is left over goes to
    the first)."""
    ledger, signals, asked = found.ledger, found.signals, found.question
    mine, signal, each_signal, each_annotation, share = _shares(found)
    days = midnights(signals.at_us, asked.zone)
    all_signals = np.concatenate([each_signal, signal])
    inside = _inside(signals.at_us[all_signals], asked)
    annotation = np.concatenate([each_annotation, mine["annotation"]])
    events_of = np.concatenate([signals.event[each_signal], mine["event"]])
    timed = len(each_signal)
    deed = np.concatenate([np.full(timed, -1, np.int8), mine["deed"]])
    keys = {
        "person": signals.person[all_signals],
        "day": np.searchsorted(days, signals.at_us[all_signals], "right"),
        "sample": signals.sample[all_signals],
        "annotation": annotation,
        "category": categories_then(ledger, annotation, events_of),
    }
    sums = {
        "active_us": np.concatenate([share, np.zeros(len(signal), np.int64)]),
        **{
            name: (deed == did).astype(np.int64)
            for name, did in (("added", ADDED), ("changed", CHANGED), ("removed", REMOVED))
        },
    }
    return _grouped(
        {name: column[inside] for name, column in keys.items()},
        {name: column[inside] for name, column in sums.items()},
        asked.by,
        _names(ledger, days, asked.zone),
    )


def _shares(found: Measured) -> tuple[Array, Array, Array, Array, Array]:
    """(pieces of people's events, the signal of each; and for every gesture and object that it touched: the signal, the
    annotation, the object's share of the time in microseconds)."""
    ledger, signals = found.ledger, found.signals
    pieces = ledger.pieces
    signal_of_event = np.full(len(ledger.events), -1, np.int64)
    of_events = np.flatnonzero(signals.event >= 0)
    signal_of_event[signals.event[of_events]] = of_events
    mine = pieces[signal_of_event[pieces["event"]] >= 0]
    # All events of one command on one label are one gesture: its time is shared by all objects that it touched.
    signal = signal_of_event[_first_of_gesture(ledger)[mine["event"]]]
    is_object = np.zeros(len(signals.at_us), bool)
    is_object[signal] = True
    to = working.credited(signals, found.intervals, is_object)
    credited = np.flatnonzero(to >= 0)
    spent = np.zeros(len(signals.at_us), np.int64)
    np.add.at(spent, to[credited], found.intervals.active_us[credited])

    order, begin = working.grouped(signal, mine["annotation"])
    one = order[begin]
    each_signal, each_annotation = signal[one], mine["annotation"][one]
    _, starts, counts = np.unique(each_signal, return_index=True, return_counts=True)
    among = np.repeat(counts, counts)
    share = spent[each_signal] // among
    share[starts] += spent[each_signal[starts]] - share[starts] * counts
    return mine, signal, each_signal, each_annotation, share


def _first_of_gesture(ledger: Ledger) -> Array:
    """(E,): the index of the first event of the same command on the same label."""
    count = len(ledger.events)
    return (
        np.maximum.accumulate(np.where(_begins_gesture(ledger.events), np.arange(count), 0))
        if count
        else np.zeros(0, np.int64)
    )


def categories_then(ledger: Ledger, annotation: Array, event: Array) -> Array:
    """The category of each annotation as it was told last at or before each event (indexes); -1 for none."""
    told = ledger.pieces[ledger.pieces["named"]]
    keys = told["annotation"].astype(np.int64) * (len(ledger.events) + 1) + told["event"]
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    place = np.searchsorted(keys, annotation.astype(np.int64) * (len(ledger.events) + 1) + event, "right") - 1
    if not len(told):
        return np.full(len(annotation), -1, np.int64)
    chosen = order[np.maximum(place, 0)]
    return np.where((place >= 0) & (told["annotation"][chosen] == annotation), told["category"][chosen], -1)


# --- quality -------------------------------------------------------------------------------------------------------

QUALITY_KEYS = ("person", "day", "label_set")


def quality_table(found: Measured) -> list[Row]:
    """How labels fared in review, by who submitted what was judged: verdicts, those on a label's first submission, and
    how many of either were good. A verdict counts on its day."""
    ledger, asked = found.ledger, found.question
    events = ledger.events
    order, begin = working.grouped(events["sample"], events["label_set"])
    verb = events["verb"][order]
    submits = (verb == VERBS.index("submit")) & (events["sample"][order] >= 0)
    places = np.arange(len(order))
    start = np.maximum.accumulate(np.where(begin, places, 0)) if len(order) else places
    last_submit = np.maximum.accumulate(np.where(submits, places, -1)) if len(order) else places
    is_verdict = np.isin(verb, VERDICTS)
    verdicts: Array = np.cumsum(is_verdict) - is_verdict  # how many were before each
    judged = np.flatnonzero(is_verdict & (last_submit >= start))
    # Only the first verdict after a submission judges it: a verification of what was accepted says no more of it.
    judged = judged[verdicts[judged] == verdicts[last_submit[judged]]] if len(judged) else judged
    is_first = verdicts[judged] == verdicts[start[judged]] if len(judged) else np.zeros(0, bool)
    good = np.isin(verb[judged], ACCEPTING)
    # The verdict in front of a submission, where there was one.
    verdict_at = np.maximum.accumulate(np.where(is_verdict, places, -1)) if len(order) else places
    before = verdict_at[last_submit[judged]] if len(judged) else judged
    again = (before >= start[judged]) & (verb[before] == REJECT) if len(judged) else np.zeros(0, bool)
    verdict_events, submit_events = order[judged], order[last_submit[judged]]
    inside = _inside(events["at_us"][verdict_events], asked)
    if asked.person is not None:
        inside &= events["person"][submit_events] == ledger.code("people", asked.person)
    days = midnights(events["at_us"], asked.zone)
    keys = {
        "person": events["person"][submit_events],
        "day": np.searchsorted(days, events["at_us"][verdict_events], "right"),
        "label_set": events["label_set"][submit_events],
    }
    sums = {
        "judged": np.ones(len(judged), np.int64),
        "accepted": good.astype(np.int64),
        "rejected": (~good).astype(np.int64),
        "reworked": again.astype(np.int64),
        "first_judged": is_first.astype(np.int64),
        "first_accepted": (is_first & good).astype(np.int64),
    }
    return _grouped(
        {name: column[inside] for name, column in keys.items()},
        {name: column[inside] for name, column in sums.items()},
        asked.by,
        _names(ledger, days, asked.zone),
    )


# --- assistance ----------------------------------------------------------------------------------------------------

ASSISTANCE_KEYS = ("made_by", "label_set", "category")


def assistance_table(found: Measured) -> list[Row]:
    """What became of objects by who made them (person, model, import, service; a program of a person counts as
    import): left as they came, corrected by people, or removed by people, and the time that people spent on them."""
    ledger, asked = found.ledger, found.question
    pieces, events = ledger.pieces, ledger.events
    added = pieces[pieces["deed"] == ADDED] if len(pieces) else pieces
    annotation, first = np.unique(added["annotation"], return_index=True)
    made = added[first]
    inside = _inside(events["at_us"][made["event"]], asked)
    annotation, made = annotation[inside], made[inside]
    kind = events["kind"][made["event"]].astype(np.int64)
    kinds = [*ledger.words["kinds"], "program"]
    is_person = kind == ledger.code("kinds", "person")
    kind[is_person & events["program"][made["event"]]] = len(kinds) - 1

    worked = np.zeros(len(events), bool)
    worked[found.signals.event[found.signals.kind == WORKED]] = True
    later = pieces[worked[pieces["event"]]] if len(pieces) else pieces
    count = len(ledger.annotations)
    corrected, removed = np.zeros(count, bool), np.zeros(count, bool)
    same_command = events["command"]
    origin = np.full(count, -1, np.int64)
    origin[annotation] = same_command[made["event"]]
    later = later[same_command[later["event"]] != origin[later["annotation"]]]
    corrected[later["annotation"][later["deed"] == CHANGED]] = True
    removed[later["annotation"][later["deed"] == REMOVED]] = True
    spent = np.zeros(count, np.int64)
    _, _, _, of, share = _shares(found)
    np.add.at(spent, of, share)
    keys = {
        "made_by": kind,
        "label_set": events["label_set"][made["event"]],
        "category": categories_then(ledger, annotation, np.full(len(annotation), len(events))),
    }
    sums = {
        "objects": np.ones(len(annotation), np.int64),
        "as_they_came": (~corrected & ~removed)[annotation].astype(np.int64),
        "corrected": (corrected & ~removed)[annotation].astype(np.int64),
        "removed": removed[annotation].astype(np.int64),
        "active_us": spent[annotation],
    }
    names = _names(ledger, np.zeros(0, np.int64), asked.zone) | {"made_by": lambda code: kinds[code]}
    return _grouped(keys, sums, asked.by, names)


# --- the queue -----------------------------------------------------------------------------------------------------

QUEUE_KEYS = ("status", "label_set")


def queue_table(found: Measured, *, now_us: int) -> list[Row]:
    """The labels in each status, and how long they have been in it at `now_us`: the sum, the median and the oldest."""
    events = found.ledger.events
    changes = events[(events["after"] >= 0) & (events["at_us"] <= now_us)]
    order, begin = working.grouped(changes["sample"], changes["label_set"])
    last = changes[order[np.append(begin[1:], True)]] if len(order) else changes
    names = _names(found.ledger, np.zeros(0, np.int64), found.question.zone)
    keys = {"status": last["after"].astype(np.int64), "label_set": last["label_set"]}
    age_us = now_us - last["at_us"]
    rows = _grouped(
        keys, {"labels": np.ones(len(last), np.int64), "age_us": age_us}, found.question.by, names, keep_codes=True
    )
    for row in rows:
        mine = np.ones(len(last), bool)
        for name in found.question.by:
            mine &= keys[name] == row[f"_{name}"]
        row["median_age_us"] = int(np.median(age_us[mine])) if mine.any() else 0
        row["oldest_us"] = int(age_us[mine].max()) if mine.any() else 0
    return rows


# --- what all share ------------------------------------------------------------------------------------------------


def midnights(at_us: Array, zone: ZoneInfo) -> Array:
    """The beginnings of all days of a zone from before the first moment to behind the last, in UTC microseconds."""
    if not len(at_us):
        return np.zeros(0, np.int64)
    first = (EPOCH + dt.timedelta(microseconds=int(at_us.min()))).astimezone(zone).date() - dt.timedelta(days=1)
    last = (EPOCH + dt.timedelta(microseconds=int(at_us.max()))).astimezone(zone).date() + dt.timedelta(days=1)
    days = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
    return np.array([microseconds(dt.datetime.combine(day, dt.time(), zone)) for day in days], np.int64)


def _inside(at_us: Array, asked: Question) -> Array:
    inside = np.ones(len(at_us), bool)
    if asked.start_us is not None:
        inside &= at_us >= asked.start_us
    if asked.end_us is not None:
        inside &= at_us < asked.end_us
    return inside


def _in_period(start_us: Array, length_us: Array, days: Array, asked: Question) -> tuple[Array, Array, Array]:
    """Intervals cut at midnights and at the ends of the period, without what is outside: (index, day, length)."""
    ends = [moment for moment in (asked.start_us, asked.end_us) if moment is not None]
    bounds = np.unique(np.concatenate([days, np.array(ends, np.int64)]))
    index, place, part_us = working.split_at(start_us, length_us, bounds)
    begins = np.concatenate([[np.iinfo(np.int64).min], bounds])[place]
    inside = (part_us > 0) & _inside(np.maximum(begins, np.iinfo(np.int64).min), asked)
    if asked.start_us is None and len(bounds):
        inside |= (part_us > 0) & (place == 0)
    day = np.searchsorted(days, np.where(place > 0, begins, start_us[index]), "right")
    return index[inside], day[inside], part_us[inside]


def _names(ledger: Ledger, days: Array, zone: ZoneInfo) -> dict[str, Callable[[int], Any]]:
    """What each code of a key stands for."""
    words = ledger.words

    def day(code: int) -> str:
        moment = EPOCH + dt.timedelta(microseconds=int(days[code - 1]))
        return moment.astimezone(zone).date().isoformat()

    def of(values: Sequence[Any]) -> Callable[[int], Any]:
        return lambda code: None if code < 0 else values[code]

    return {
        "person": of(words["people"]),
        "day": day,
        "sample": of(ledger.samples),
        "label_set": of(words["label_sets"]),
        "stage": of(STAGES),
        "status": of(STATUSES),
        "category": lambda code: None if code < 0 else int(code),
        "annotation": lambda code: str(uuid.UUID(bytes=ledger.annotations[code])),
    }


def _grouped(
    keys: dict[str, Array],
    sums: dict[str, Array],
    by: tuple[str, ...],
    names: dict[str, Callable[[int], Any]],
    *,
    keep_codes: bool = False,
) -> list[Row]:
    """One row for each group, by the values of its keys; without keys the one row of the whole, even of nothing."""
    count = len(next(iter(sums.values())))
    if not by:
        return [{name: int(column.sum()) for name, column in sums.items()}]
    columns = [keys[name].astype(np.int64) for name in by]
    order, begin = working.grouped(*columns)
    if not count:
        return []
    starts = np.flatnonzero(begin)
    totals = {name: np.add.reduceat(column[order].astype(np.int64), starts) for name, column in sums.items()}
    rows = []
    for place, start in enumerate(starts):
        codes = [int(column[order[start]]) for column in columns]
        row = {name: names[name](code) for name, code in zip(by, codes, strict=True)}
        if keep_codes:
            row |= {f"_{name}": code for name, code in zip(by, codes, strict=True)}
        row |= {name: int(column[place]) for name, column in totals.items()}
        rows.append(row)
    return sorted(rows, key=lambda row: [_sortable(row[name]) for name in by])


def _sortable(value: Any) -> tuple[int, Any]:
    return (0, 0) if value is None else (1, value)
