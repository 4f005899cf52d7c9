"""What clients tell of people at work, and how it is deleted without losing what counts.

Signals are small and many: they go to a table of their own, a client's hundred at a time, at most one heartbeat of a
session in LEAST_BETWEEN_S, and `settings.ACTIVITY_SIGNALS_A_DAY` of a person a day. After
`settings.ACTIVITY_KEPT_DAYS`, or what the retention says, the sweeper (or `manage.py close_activity`) closes a day:
what its signals add to working time goes into the log as one event, and the signals are deleted, in one transaction.
"""

from __future__ import annotations

import datetime as dt
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from labeling.commands.security import NOBODY
from labeling.commands.writing import decide, hint
from labeling.errors import InvalidValue, NotFound, NotPermitted, TooManySignals
from labeling.events import ActivityClosed
from labeling.log import store
from labeling.log.event import Intent
from labeling.log.rows import Rows
from labeling.models import Activity, ActivityVolume, LabelSet
from labeling.queries.retention import retention
from labeling.queries.samples import find_samples
from labeling.queries.saved_reports import last_kept
from labeling.reports.reading import told_of
from labeling.reports.signals import Told
from labeling.reports.working import BEAT, CLOSED, OPENED
from labeling.rules import access

JSON = dict[str, Any]

KINDS = {"opened": OPENED, "closed": CLOSED, "heartbeat": BEAT}
MOST_SIGNALS = 100
#: The longest that a client without a network may keep its signals.
LONGEST_AGO_MS = 12 * 3_600_000
LEAST_BETWEEN_S = 5
#: Heartbeats this far apart or less say no more than those around them.
THIN_US = 60_000_000
#: A closed day is told in events of this many signals at the most.
MOST_IN_EVENT = 20_000
MOST_NUMBER = (1 << 53) - 1


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal as a client tells it."""

    number: int
    kind: int
    sample: uuid.UUID
    label_set: str | None
    ago_ms: int


def tell_activity(*, intent: Intent, session: uuid.UUID, signals: Sequence[Signal]) -> int:
    """Keep signals of the author at work; returns how many were new and not too close to others.

    Raises:
        NotFound: there is no such sample or label set; none is kept.
        NotPermitted: the author is no person, or no member of the dataset.
        TooManySignals: they told too many today; none is kept.
    """
    if intent.author_kind != "person":
        raise NotPermitted("Only people spend time; this is the key of a program.", action="activity")
    now = timezone.now()
    found = find_samples({one.sample for one in signals}, person=intent.author)
    for sample in dict.fromkeys(one.sample for one in signals):
        if sample not in found:
            raise NotFound("The sample")
        place = found[sample]
        access.require("history", role=place.role, public=place.public, dataset=place.dataset)
    label_sets = _label_sets(signals, {place.dataset for place in found.values()})
    rows = []
    for one in signals:
        place = found[one.sample]
        label_set = None if one.label_set is None else label_sets.get((place.dataset, one.label_set))
        if one.label_set is not None and label_set is None:
            raise NotFound("The label set")
        rows.append(
            Activity(
                person=intent.author,
                dataset_id=place.dataset,
                sample_id=one.sample,
                label_set_id=label_set,
                session=session,
                number=one.number,
                kind=one.kind,
                at=now - dt.timedelta(milliseconds=one.ago_ms),
                received_offset=place.head,
            )
        )
    rows.sort(key=lambda row: (row.at, row.number))
    with transaction.atomic():
        _count(intent.author, len(signals), now)
        return _keep(intent.author, session, rows)


def _count(person: uuid.UUID, number: int, now: dt.datetime) -> None:
    """Count signals of today, also those that will not be kept: they cost as much to look at.

    Raises:
        TooManySignals: with these they are more than are taken a day.
    """
    most = settings.ACTIVITY_SIGNALS_A_DAY
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO labeling_activityvolume AS known (person, day, count) SELECT %(person)s, %(day)s, %(number)s"
            " WHERE %(number)s <= %(most)s ON CONFLICT (person, day) DO UPDATE SET count = known.count + %(number)s"
            " WHERE known.count + %(number)s <= %(most)s",
            {"person": person, "day": now.date(), "number": number, "most": most},
        )
        if cursor.rowcount:
            return
    tomorrow = dt.datetime.combine(now.date() + dt.timedelta(days=1), dt.time(), dt.UTC)
    raise TooManySignals(most, max(1, math.ceil((tomorrow - now).total_seconds())))


def _label_sets(signals: Sequence[Signal], datasets: set[uuid.UUID]) -> dict[tuple[uuid.UUID, str], uuid.UUID]:
    """{(dataset, name): id} of the label sets that are named, in one query; of none if none is."""
    names = {one.label_set for one in signals if one.label_set is not None}
    rows = LabelSet.objects.filter(dataset_id__in=datasets, name__in=names) if names else LabelSet.objects.none()
    return {(dataset, name): key for dataset, name, key in rows.values_list("dataset_id", "name", "id")}


def _keep(person: uuid.UUID, session: uuid.UUID, rows: list[Activity]) -> int:
    """Store those that are new and not too close to others; returns how many."""
    told = Activity.objects.filter(person=person, session=session)
    last = told.order_by("-at").values_list("at", flat=True).first()
    known = set(told.filter(number__in=[row.number for row in rows]).values_list("number", flat=True))
    kept = []
    for row in rows:
        is_close = last is not None and abs(row.at - last) < dt.timedelta(seconds=LEAST_BETWEEN_S)
        if row.kind == BEAT and is_close and row.number not in known:
            continue
        if row.number not in known:
            kept.append(row)
            known.add(row.number)
        last = row.at
    Activity.objects.bulk_create(kept, ignore_conflicts=True)  # a twin of this request may be faster
    return len(kept)


# --- closing -------------------------------------------------------------------------------------------------------


#: How many days of datasets one turn of the sweeper closes.
CLOSED_AT_ONCE = 100


def days_to_close(
    *, kept_days: int | None = None, most: int | None = CLOSED_AT_ONCE
) -> list[tuple[uuid.UUID, dt.date]]:
    """(dataset, day) whose signals were kept for long enough, the oldest first; none of a dataset that is held, nor a
    day on which somebody worked who is held (commands.retention)."""
    now = retention()
    kept = now.kept_days("activity") if kept_days is None else kept_days
    if kept is None:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT dataset_id, (at AT TIME ZONE 'UTC')::date FROM labeling_activity"
            " WHERE at < %s::date AT TIME ZONE 'UTC' AND NOT dataset_id = ANY(%s::uuid[])"
            " GROUP BY 1, 2 HAVING NOT bool_or(person = ANY(%s::uuid[])) ORDER BY 2, 1 LIMIT %s",
            [
                (timezone.now() - dt.timedelta(days=kept)).date(),
                sorted(now.held("dataset")),
                sorted(now.held("person")),
                most,
            ],
        )
        return list(cursor.fetchall())


def close_old() -> int:
    """Close the days whose signals were kept for long enough, and forget what was counted of days that are over;
    returns how many days of datasets were closed."""
    found = days_to_close()
    for dataset, day in found:
        close_day(dataset, day)
    ActivityVolume.objects.filter(day__lt=timezone.now().date()).delete()
    return len(found)


def close_day(dataset: uuid.UUID, day: dt.date) -> None:
    """Tell what the signals of one day (UTC) of a dataset amount to, and delete them."""
    begin = dt.datetime.combine(day, dt.time(), dt.UTC)
    rows = Activity.objects.filter(dataset_id=dataset, at__gte=begin, at__lt=begin + dt.timedelta(days=1))
    with transaction.atomic():
        found = list(rows.select_for_update().order_by("person", "at", "number", "id"))
        if not found:
            return
        offsets = {row.id: row.received_offset for row in found}
        told = [(told_of(row), offsets[row.id]) for row in found]
        kept = thinned(told, whole_up_to=last_kept(dataset))
        rows.filter(id__in=offsets).delete()  # in front of the append, whose lock is held until the commit
        for start in range(0, len(kept), MOST_IN_EVENT):
            _append(dataset, closed(day, kept[start : start + MOST_IN_EVENT]))


def thinned(told: Sequence[tuple[Told, int]], *, whole_up_to: int = 0) -> list[tuple[Told, int]]:
    """Signals of people in their order, without the heartbeats between two that are THIN_US apart or less, of the same
    person on the same sample in the same session. What was received up to an offset that a kept report is of stays
    signal by signal, because that report counts them."""
    kept: list[tuple[Told, int]] = []
    for place, (one, offset) in enumerate(told):
        if kept and one.kind == BEAT and offset > whole_up_to and place + 1 < len(told):
            before, after = kept[-1][0], told[place + 1][0]
            same = _where(before) == _where(one) == _where(after)
            if same and after.kind == BEAT and after.at_us - before.at_us <= THIN_US:
                continue
        kept.append((one, offset))
    return kept


def _where(one: Told) -> tuple[Any, ...]:
    return one.person, one.sample, one.label_set, one.session


def closed(day: dt.date, told: Sequence[tuple[Told, int]]) -> ActivityClosed:
    """The event that keeps these signals, with the offsets at which they were received."""
    lists: dict[str, dict[str, int]] = {name: {} for name in ("people", "samples", "label_sets", "sessions")}

    def of(name: str, value: uuid.UUID | None) -> int:
        return -1 if value is None else lists[name].setdefault(str(value), len(lists[name]))

    signals = [
        [
            one.at_us,
            of("people", one.person),
            of("samples", one.sample),
            of("label_sets", one.label_set),
            of("sessions", one.session),
            one.number,
            one.kind,
            offset,
        ]
        for one, offset in told
    ]
    return ActivityClosed(day=day.isoformat(), signals=signals, **{name: list(found) for name, found in lists.items()})


def _append(dataset: uuid.UUID, fact: ActivityClosed) -> None:
    intent = Intent(author=NOBODY, author_kind="service", tool="sweeper")
    stream = f"activity/{fact.day}"

    def attempt() -> None:
        events = store.new_events(dataset, intent, [(stream, store.version(dataset, stream), fact)])
        hint(dataset, store.append(dataset, intent=intent, events=events, rows=Rows()))

    decide(attempt)


def checked_signals(items: Any) -> list[Signal]:
    """The signals of a request, checked.

    Raises:
        InvalidValue: the first that does not fit, by its field.
    """
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_SIGNALS:
        raise InvalidValue("signals", f"must be a list of 1 to {MOST_SIGNALS} signals")
    return [_checked(item, f"signals[{place}]") for place, item in enumerate(items)]


def _checked(item: Any, where: str) -> Signal:
    if not isinstance(item, dict):
        raise InvalidValue(where, "must be an object")
    kind = item.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise InvalidValue(f"{where}.kind", f"must be one of {', '.join(KINDS)}")
    number = item.get("number")
    if type(number) is not int or not 0 <= number <= MOST_NUMBER:
        raise InvalidValue(f"{where}.number", "must be the signal's place in its session, a whole number from 0")
    ago_ms = item.get("ago_ms", 0)
    if type(ago_ms) is not int or not 0 <= ago_ms <= LONGEST_AGO_MS:
        raise InvalidValue(f"{where}.ago_ms", f"must be a whole number of milliseconds from 0 to {LONGEST_AGO_MS}")
    label_set = item.get("labelset")
    if label_set is not None and not isinstance(label_set, str):
        raise InvalidValue(f"{where}.labelset", "must be the name of a label set")
    try:
        sample = uuid.UUID(item["sample"])
    except (KeyError, ValueError, TypeError, AttributeError):
        raise InvalidValue(f"{where}.sample", "must be the uuid of a sample") from None
    return Signal(number, KINDS[kind], sample, label_set, ago_ms)
