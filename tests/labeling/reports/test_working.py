"""Working time out of signals: golden vectors, a slow reference, and what holds whatever people did."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Iterable
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from labeling import events as e
from labeling.log.event import Event, Fact, microseconds
from labeling.reports import ledger, tables
from labeling.reports.ledger import Chunk, Ledger
from labeling.reports.signals import Told, signals_of
from labeling.reports.tables import Question, Row, measured
from labeling.reports.working import BEAT, CLOSED, OPENED
from labeling.rules import work_units
from labeling.rules.label_ids import label_stream
from labeling.rules.work_units import Work
from tests.labeling.rules.test_work_units import COMMENT, EDIT, GOLDEN, OTHER, START, SUBMIT, signal
from tests.support.labels import ANA, BEN, DATASET, LABEL_SET, SAMPLE, key

UTC = ZoneInfo("UTC")
SECOND_US = 1_000_000
TAB = uuid.UUID(int=9, version=4)


def chunks_of(events: Iterable[Event], *, page: int = 1000, role: str = "labeler") -> list[Chunk]:
    """The ledger of these events, put there page by page."""
    numbered = [replace(event, offset=number) for number, event in enumerate(events, 1)]
    found: dict[int, Chunk] = {}
    for begin in range(0, len(numbered), page):
        for event in numbered[begin : begin + page]:
            number = ledger.number(event.offset or 0)
            found[number] = ledger.chunk([event], sample_of, lambda one: work_of(one, role), after=found.get(number))
    return list(found.values())


def sample_of(event: Event) -> str:
    return str(SAMPLE) if event.stream.startswith("issue/") else event.stream.split("/")[1]


def work_of(event: Event, role: str) -> str | None:
    is_label = work_units.is_signal(event) and event.stream.startswith("label/")
    return work_units.work_type(event.fact, role=role) if is_label else None


def ledger_of(events: Iterable[Event]) -> Ledger:
    return ledger.joined(chunks_of(events))


def time(
    events: Iterable[Event],
    *by: str,
    threshold_s: int = 300,
    told: Iterable[Told] = (),
    zone: ZoneInfo = UTC,
    start_us: int | None = None,
    end_us: int | None = None,
) -> list[Row]:
    found = ledger_of(events)
    question = Question(threshold_s, zone, start_us, end_us, by)
    return tables.time_table(measured(found, signals_of(found, list(told)), question))


def told(at_s: float, kind: int = BEAT, *, on: uuid.UUID = SAMPLE, by: uuid.UUID = ANA, number: int = 0) -> Told:
    at_us = microseconds(START + dt.timedelta(seconds=at_s))
    assert at_us is not None
    return Told(at_us, by, on, LABEL_SET, TAB, number or int(at_s), kind)


# --- time ----------------------------------------------------------------------------------------------------------


def test_nothing_takes_no_time() -> None:
    assert time([]) == [{"active_us": 0, "idle_us": 0, "signals": 0, "measured": 0, "saves": 0}]
    assert time([], "person", "day") == []


@pytest.mark.parametrize(("at_s", "of_300", "of_100"), GOLDEN)
@pytest.mark.parametrize("is_told", [False, True])
def test_the_golden_vectors(at_s: list[int], of_300: int, of_100: int, is_told: bool) -> None:
    events = [] if is_told else [signal(moment) for moment in at_s]
    beats = [told(moment, number=place + 1) for place, moment in enumerate(at_s)] if is_told else []
    for threshold_s, active_s in ((300, of_300), (100, of_100)):
        [row] = time(events, threshold_s=threshold_s, told=beats)
        assert row["active_us"] == active_s * SECOND_US
        assert row["active_us"] + row["idle_us"] == (at_s[-1] - at_s[0]) * SECOND_US
        assert row["measured"] == len(at_s) - 1, "a lone signal measures nothing"


def test_the_stage_is_that_of_the_next_save() -> None:
    reject = e.LabelStatusChanged(before="LABELED", after="REJECTED", verb="reject")
    accept = e.LabelStatusChanged(before="LABELED", after="REVIEWED", verb="accept")
    rows = time(
        [
            signal(0),
            signal(100, SUBMIT),
            signal(150, COMMENT, by=BEN, stream=f"issue/{OTHER}"),
            signal(200, reject, by=BEN),
            signal(230),
            signal(300, SUBMIT),
            signal(310, accept, by=BEN),
            signal(350),
        ],
        "person",
        "stage",
    )
    assert {(row["person"], row["stage"]): row["active_us"] // SECOND_US for row in rows} == {
        (str(ANA), "label"): 100,
        (str(ANA), "rework"): 200,
        (str(BEN), "review"): 160,
        (str(ANA), "view"): 50,
    }


def test_the_way_to_a_sample_is_not_spent_on_it() -> None:
    events = [signal(10), signal(40, SUBMIT), signal(100, on=OTHER), signal(130, SUBMIT, on=OTHER)]
    opened = [told(0, OPENED), told(45, CLOSED), told(60, OPENED, on=OTHER)]
    rows = time(events, "sample", told=opened)
    assert {row["sample"]: row["active_us"] // SECOND_US for row in rows} == {
        str(SAMPLE): 45,
        str(OTHER): 70,
        None: 15,
    }
    without_closing = time(events, "sample", told=[opened[0], opened[2]])
    assert {row["sample"]: row["active_us"] // SECOND_US for row in without_closing} == {
        str(SAMPLE): 60,
        str(OTHER): 70,
    }


def test_two_windows_at_once_count_once() -> None:
    left = [told(second, number=second) for second in range(0, 601, 20)]
    right = [told(second + 7, on=OTHER, number=1_000 + second) for second in range(0, 601, 20)]
    [row] = time([], "person", told=left + right)
    assert row["active_us"] == 607 * SECOND_US


def test_a_day_ends_at_the_midnight_of_its_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    before_midnight_s = 11 * 3600 - 60  # 12:00 UTC is 13:00 in Berlin in winter
    events = [signal(before_midnight_s), signal(before_midnight_s + 240)]
    assert [
        (row["day"], row["active_us"] // SECOND_US) for row in time(events, "day", zone=berlin) if row["active_us"]
    ] == [
        ("2026-03-01", 60),
        ("2026-03-02", 180),
    ]
    assert [row["day"] for row in time(events, "day")] == ["2026-03-01"]


def test_a_day_on_which_the_clocks_change_has_its_own_length() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    at_us = np.array([microseconds(dt.datetime(2026, 3, day, 12, tzinfo=dt.UTC)) for day in (28, 30)])
    days = tables.midnights(at_us, berlin)
    assert [int(hours) for hours in np.diff(days) // (3600 * SECOND_US)] == [24, 24, 23, 24]


# --- whatever people do ----------------------------------------------------------------------------------------------

gaps = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 20, 99, 100, 101, 299, 300, 301, 5000]),
        st.sampled_from([ANA, BEN]),
        st.sampled_from([SAMPLE, OTHER]),
        st.sampled_from([EDIT, SUBMIT, COMMENT]),
        st.sampled_from([None, TAB, OTHER]),
    ),
    max_size=30,
)


def happened(drawn: list[tuple[int, uuid.UUID, uuid.UUID, Fact, uuid.UUID | None]]) -> list[Event]:
    events, at_s = [], 0
    for gap_s, by, on, fact, session in drawn:
        at_s += gap_s
        stream = f"issue/{OTHER}" if fact is COMMENT else label_stream(on, LABEL_SET)
        events.append(signal(at_s, fact, by=by, stream=stream, work_session=session))
    return events


@given(gaps, st.sampled_from([60, 100, 300, 301]))
def test_it_is_what_the_slow_reference_says(drawn: list, threshold_s: int) -> None:
    events = happened(drawn)
    roles = {str(ANA): "labeler", str(BEN): "labeler"}
    work = Work(DATASET, threshold_s=threshold_s, roles=roles)
    numbered = [replace(event, offset=number) for number, event in enumerate(events, 1)]
    work_units.fold(work, numbered, sample_of)
    wanted: Counter[tuple[str, str, bool]] = Counter()
    for unit in work.units.values():
        wanted[unit.person, unit.sample, True] += unit.active_us
        wanted[unit.person, unit.sample + " idle", True] += unit.inactive_us
    for spent in work.spent.values():
        wanted[spent.person, spent.sample, False] += spent.active_us
        wanted[spent.person, spent.sample + " idle", False] += spent.inactive_us
    rows = time(events, "person", "sample", "stage", threshold_s=threshold_s)
    got: Counter[tuple[str, str, bool]] = Counter()
    for row in rows:
        got[row["person"], row["sample"], row["stage"] != "view"] += row["active_us"]
        got[row["person"], row["sample"] + " idle", row["stage"] != "view"] += row["idle_us"]
    assert +got == +wanted
    assert sum(row["saves"] for row in rows) == len(work.units)


@given(gaps, st.integers(1, 7))
def test_the_ledger_does_not_depend_on_its_pages(drawn: list, page: int) -> None:
    events = happened(drawn)
    one, other = chunks_of(events), chunks_of(events, page=page)
    for left, right in zip(one, other, strict=True):
        assert left.words == right.words
        assert left.events.tobytes() == right.events.tobytes()
        assert left.pieces.tobytes() == right.pieces.tobytes()


@given(gaps, st.integers(0, 20_000))
def test_what_is_split_at_any_moment_adds_up_to_the_whole(drawn: list, at_s: int) -> None:
    events = happened(drawn)
    moment_us = (microseconds(START) or 0) + at_s * SECOND_US
    for by in ((), ("person",), ("day", "sample"), ("stage",)):
        whole = total(time(events, *by))
        assert total(time(events, *by, end_us=moment_us)) + total(time(events, *by, start_us=moment_us)) == whole
        assert whole == total(time(events))


def total(rows: list[Row]) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in rows:
        found.update({name: value for name, value in row.items() if isinstance(value, int)})
    return found


@given(gaps)
def test_a_longer_pause_that_still_counts_never_makes_less_of_the_time(drawn: list) -> None:
    events = happened(drawn)
    found = [time(events, threshold_s=threshold_s)[0]["active_us"] for threshold_s in (50, 100, 300, 301, 6000)]
    assert found == sorted(found)


@given(gaps, st.integers(0, 30))
def test_up_to_an_offset_it_is_what_it_was_then(drawn: list, offset: int) -> None:
    events = happened(drawn)
    then = ledger.joined(chunks_of(events), up_to=offset)
    question = Question(300, UTC, by=("person", "stage"))
    rows = tables.time_table(measured(then, signals_of(then), question))
    assert rows == time(events[:offset], "person", "stage")


# --- objects -------------------------------------------------------------------------------------------------------


def test_time_goes_to_the_objects_that_the_next_event_touches() -> None:
    def added(number: int, category: int) -> e.AnnotationAdded:
        return e.AnnotationAdded(annotation=key(number), id=number, category_id=category, geometry={}, order=1.0)

    move = e.AnnotationGeometrySet(annotation=key(1), geometry={"type": "bbox", "points": [[0, 0], [1, 1]]})
    one = uuid.uuid4()
    events = [
        signal(0),
        signal(30, added(1, 5)),
        signal(40, COMMENT, stream=f"issue/{OTHER}"),
        signal(50, added(2, 6), command=one),
        signal(50, move, command=one),
        signal(90, SUBMIT),
    ]
    found = ledger_of(events)
    begun = measured(found, signals_of(found), Question(300, UTC, by=("category",)))
    rows = {row["category"]: row for row in tables.object_table(begun)}
    assert rows[5] == {"category": 5, "active_us": 40 * SECOND_US, "added": 1, "changed": 1, "removed": 0}
    assert rows[6] == {"category": 6, "active_us": 10 * SECOND_US, "added": 1, "changed": 0, "removed": 0}
    whole = measured(found, signals_of(found), Question(300, UTC))
    assert tables.object_table(whole)[0]["active_us"] == 50 * SECOND_US, "what no object followed is inspection"


# --- quality and assistance ------------------------------------------------------------------------------------------


def test_quality_is_told_by_who_submitted_what_was_judged() -> None:
    def verb(name: str) -> e.LabelStatusChanged:
        return e.LabelStatusChanged(before="LABELED", after="REVIEWED", verb=name)

    found = ledger_of(
        [
            signal(0, SUBMIT),
            signal(10, verb("reject"), by=BEN),
            signal(20, SUBMIT),
            signal(30, verb("accept"), by=BEN),
            signal(35, verb("verify"), by=BEN),
            signal(40, SUBMIT, on=OTHER),
            signal(50, verb("accept"), by=BEN, on=OTHER),
        ]
    )
    begun = measured(found, signals_of(found), Question(300, UTC, by=("person",)))
    assert tables.quality_table(begun) == [
        {
            "person": str(ANA),
            "judged": 3,
            "accepted": 2,
            "rejected": 1,
            "reworked": 1,
            "first_judged": 2,
            "first_accepted": 1,
        }
    ]


def test_what_a_model_made_is_as_it_came_or_corrected_or_removed() -> None:
    imported = e.LabelImported(
        annotations=[{"annotation": key(number), "category_id": 1} for number in (1, 2, 3)], status="PRELABELED"
    )
    move = e.AnnotationGeometrySet(annotation=key(1), geometry={"type": "bbox", "points": [[0, 0], [1, 1]]})
    found = ledger_of(
        [
            signal(0, imported, author_kind="model"),
            signal(100, COMMENT, stream=f"issue/{OTHER}"),
            signal(130, move),
            signal(150, e.AnnotationRemoved(annotation=key(2))),
            signal(200, e.AnnotationAdded(annotation=key(4), id=4, category_id=1, geometry={}, order=1.0)),
            signal(260, move),
        ]
    )
    begun = measured(found, signals_of(found), Question(300, UTC, by=("made_by",)))
    model, person = tables.assistance_table(begun)
    assert model == {
        "made_by": "model",
        "objects": 3,
        "as_they_came": 1,
        "corrected": 1,
        "removed": 1,
        "active_us": 110 * SECOND_US,
    }
    assert person["made_by"] == "person"
    assert person["active_us"] == 50 * SECOND_US
