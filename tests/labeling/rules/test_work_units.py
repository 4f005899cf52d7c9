"""Time and work units out of signals: golden vectors, kinds of work, and what holds for all of them."""

from __future__ import annotations

import datetime as dt
import itertools
import uuid
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from labeling import events as e
from labeling.log.event import Event, Fact, Intent
from labeling.rules import work_units
from labeling.rules.label_ids import label_stream
from labeling.rules.work_units import Work, WorkUnit
from tests.support.labels import ANA, BEN, DATASET, LABEL_SET, SAMPLE, key

OTHER = uuid.UUID(int=5, version=4)
START = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
EDIT = e.AnnotationRemoved(annotation=key(1))
SUBMIT = e.LabelStatusChanged(before="LABELING_IN_PROGRESS", after="LABELED", verb="submit")
COMMENT = e.IssueCommented(text="v1.k.x")
SECOND_US = 1_000_000


def signal(
    at_s: float, fact: Fact = EDIT, *, by: uuid.UUID = ANA, on: uuid.UUID = SAMPLE, stream: str = "", **intent: Any
) -> Event:
    """An event that a person caused so many seconds after the start."""
    return Event(
        log=DATASET,
        stream=stream or label_stream(on, LABEL_SET),
        version=1,
        fact=fact,
        intent=Intent(author=by, **intent),
        event_id=uuid.uuid4(),
        app_version="0.1",
        offset=1,
        recorded_at=START + dt.timedelta(seconds=at_s),
    )


def worked(events: Iterable[Event], *, threshold_s: int = 300, role: str | None = "labeler") -> Work:
    """What follows from events in their order; the people are labelers unless `role` says otherwise."""
    roles = {str(person): role for person in (ANA, BEN)} if role else {}
    work = Work(DATASET, threshold_s=threshold_s, roles=roles)
    numbered = [replace(event, offset=number) for number, event in enumerate(events, 1)]
    work_units.fold(work, numbered, lambda event: str(SAMPLE if event.stream.startswith("issue/") else label_of(event)))
    return work


def label_of(event: Event) -> str:
    return event.stream.split("/")[1]


def units(events: Iterable[Event], **options: Any) -> list[WorkUnit]:
    return list(worked(events, **options).units.values())


def seconds(unit: WorkUnit) -> tuple[float, float]:
    return unit.active_us / SECOND_US, unit.inactive_us / SECOND_US


# --- time ----------------------------------------------------------------------------------------------------------

# Signals on one sample in seconds → active time at a threshold of 300 s and of 100 s (features.md, A2).
GOLDEN = [
    ([0], 0, 0),
    ([0, 100, 400, 1000], 400, 100),
    ([0, 20, 40, 60], 60, 60),
    ([0, 300], 300, 0),
    ([0, 301], 0, 0),
    ([0, 60, 120, 1000, 1010], 130, 130),
]


@pytest.mark.parametrize("at_s, active_300, active_100", GOLDEN)
def test_the_golden_vectors(at_s, active_300, active_100):
    for threshold_s, active in ((300, active_300), (100, active_100)):
        events = [*(signal(at) for at in at_s[:-1]), signal(at_s[-1], SUBMIT)]
        (unit,) = units(events, threshold_s=threshold_s)
        assert seconds(unit) == (active, at_s[-1] - at_s[0] - active), "what is not active is inactive"
        assert unit.gaps == len(at_s) - 1


@pytest.mark.parametrize("at_s, active_300, active_100", GOLDEN)
def test_saving_at_every_signal_adds_up_to_the_same(at_s, active_300, active_100):
    for threshold_s, active in ((300, active_300), (100, active_100)):
        found = units([signal(at, SUBMIT) for at in at_s], threshold_s=threshold_s)
        assert len(found) == len(at_s)
        assert sum(seconds(unit)[0] for unit in found) == active
        assert sum(sum(seconds(unit)) for unit in found) == at_s[-1] - at_s[0]


def test_a_gap_of_exactly_the_threshold_is_active_and_a_microsecond_more_is_not():
    assert seconds(units([signal(0), signal(300, SUBMIT)])[0]) == (300, 0)
    assert seconds(units([signal(0), signal(300.000001, SUBMIT)])[0]) == (0, 300.000001)


def test_the_time_between_two_samples_belongs_to_the_later_one():
    first, second = units([signal(0), signal(10, SUBMIT), signal(40, SUBMIT, on=OTHER)])
    assert (first.sample, *seconds(first)) == (str(SAMPLE), 10, 0)
    assert (second.sample, *seconds(second)) == (str(OTHER), 30, 0)


def test_a_pause_between_two_samples_is_nobodys():
    _, second = units([signal(0, SUBMIT), signal(1000, SUBMIT, on=OTHER)])
    assert seconds(second) == (0, 0) and second.gaps == 0


def test_a_pause_between_two_work_sessions_on_one_sample_is_nobodys():
    monday, tuesday = uuid.uuid4(), uuid.uuid4()
    same = [signal(0, SUBMIT, work_session=monday), signal(1000, SUBMIT, work_session=monday)]
    other = [signal(0, SUBMIT, work_session=monday), signal(1000, SUBMIT, work_session=tuesday)]
    unnamed = [signal(0, SUBMIT, work_session=monday), signal(1000, SUBMIT)]
    assert [seconds(units(events)[1]) for events in (same, other, unnamed)] == [(0, 1000), (0, 0), (0, 1000)]


def test_two_windows_at_once_give_the_union_and_not_the_sum():
    left, right = uuid.uuid4(), uuid.uuid4()
    events = []
    for at in range(0, 601, 60):
        events.append(signal(at, work_session=left))
        events.append(signal(at + 30, on=OTHER, work_session=right))
    events += [signal(640, SUBMIT, work_session=left), signal(650, SUBMIT, on=OTHER, work_session=right)]
    assert sum(seconds(unit)[0] for unit in units(events)) == 650


def test_unsaved_work_waits_for_its_sample():
    events = [signal(0), signal(20), signal(30, on=OTHER), signal(45, SUBMIT, on=OTHER)]
    work = worked(events)
    (unit,) = work.units.values()
    assert (unit.sample, *seconds(unit)) == (str(OTHER), 25, 0)
    waiting = work.spent[str(ANA), str(SAMPLE)]
    assert (waiting.active_us, waiting.gaps) == (20 * SECOND_US, 1)
    _, later = units([*events, signal(50, SUBMIT)])
    assert seconds(later) == (25, 0)


def test_saving_twice_counts_nothing_twice():
    save = e.LabelStatusChanged(before="UNLABELED", after="LABELING_IN_PROGRESS", verb="save")
    found = units([signal(0), signal(10, save), signal(25), signal(30, SUBMIT)])
    assert [seconds(unit) for unit in found] == [(10, 0), (20, 0)]


def test_two_people_on_one_sample_each_have_their_own_time():
    accept = e.LabelStatusChanged(before="LABELED", after="REVIEWED", verb="accept")
    found = units([signal(0), signal(5, by=BEN), signal(10, SUBMIT), signal(25, accept, by=BEN)])
    assert [(unit.person, *seconds(unit)) for unit in found] == [(str(ANA), 10, 0), (str(BEN), 20, 0)]


def test_answering_an_issue_is_work_on_its_sample():
    stream = f"issue/{uuid.UUID(int=9, version=4)}"
    (unit,) = units([signal(0, COMMENT, stream=stream), signal(10, COMMENT, stream=stream), signal(15, SUBMIT)])
    assert seconds(unit) == (15, 0)


# --- who and what --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "intent", [{"author_kind": "model"}, {"author_kind": "import"}, {"author_kind": "service"}, {"tool": "python-sdk"}]
)
def test_what_no_person_did_makes_no_unit_and_no_time(intent):
    assert units([signal(0, **intent), signal(10, SUBMIT, **intent)]) == []
    (unit,) = units([signal(0), signal(4, **intent), signal(10, SUBMIT)])
    assert seconds(unit) == (10, 0) and unit.gaps == 1


@pytest.mark.parametrize("stream", ["dataset", f"sample/{SAMPLE}", f"asset/{SAMPLE}", f"release/{SAMPLE}"])
def test_what_is_done_to_anything_else_than_labels_and_issues_is_no_signal(stream):
    assert not work_units.is_signal(signal(0, stream=stream))


def status(before: str | None, after: str, verb: str) -> e.LabelStatusChanged:
    return e.LabelStatusChanged(before=before, after=after, verb=verb)


KINDS: list[tuple[Fact, str | None, str | None]] = [
    # what happened, the work of a labeler, the work of a manager
    (status("UNLABELED", "LABELED", "submit"), "label", "label"),
    (status("UNLABELED", "LABELING_IN_PROGRESS", "save"), "label", "label"),
    (status("UNLABELED", "SKIPPED", "skip"), "label", "label"),
    (status("REJECTED", "LABELED", "submit"), "label", "label"),
    (status("LABELED", "REVIEWED", "accept"), "review", "review"),
    (status("LABELED", "REJECTED", "reject"), "review", "review"),
    (status("REVIEWED", "VERIFIED", "verify"), "review", "review"),
    (status("LABELED", "REVIEWING_IN_PROGRESS", "save"), "review", "review"),
    (status("LABELED", "SKIPPED", "skip"), "review", "review"),
    (status("REVIEWING_IN_PROGRESS", "SKIPPED", "skip"), "review", "review"),
    (status("LABELED", "PRELABELED", "override"), "normal", "normal"),
    (status("LABELED", "PRELABELED", "upload"), "normal", "normal"),
    (status("REVIEWED", "LABELING_IN_PROGRESS", "reopen"), None, None),
    (e.LabelImported(annotations=[], status="PRELABELED"), "normal", "normal"),
    (e.LabelDocumentSet(document={}), None, "normal"),
    (EDIT, None, "normal"),
    (e.LabelScoreSet(score=0.5), None, "normal"),
    (e.LabelDeleted(), None, None),
]


@pytest.mark.parametrize("fact, of_labeler, of_manager", KINDS, ids=lambda item: str(item)[:60])
def test_each_save_has_its_kind(fact, of_labeler, of_manager):
    for role, kind in (
        ("labeler", of_labeler),
        ("reviewer", of_labeler),
        ("manager", of_manager),
        ("admin", of_manager),
        (None, of_manager),  # an administrator of the organisation or the installation
    ):
        assert [unit.work_type for unit in units([signal(0, fact)], role=role)] == ([kind] if kind else [])


def test_an_answer_to_an_issue_saves_nothing():
    assert units([signal(0, COMMENT, stream="issue/1")], role="manager") == []


def test_every_event_of_one_command_on_one_label_is_one_unit():
    command = uuid.uuid4()
    events = [
        signal(0),
        *(signal(10, fact, command=command) for fact in (EDIT, SUBMIT, EDIT, e.LabelScoreSet(score=1))),
    ]
    for role in ("labeler", "manager"):
        found = units(events, role=role)[-1]
        assert (found.work_type, found.next_label_status) == ("label", "LABELED")
        assert found.active_us + sum(unit.active_us for unit in units(events, role=role)[:-1]) == 10 * SECOND_US
        assert found.id == work_units.unit_id(DATASET, command, label_stream(SAMPLE, LABEL_SET))


def test_one_command_on_many_labels_is_a_unit_each_and_its_time_counts_once():
    command = uuid.uuid4()
    labels = [uuid.UUID(int=number, version=4) for number in range(100, 105)]
    found = units([signal(0), *(signal(10, SUBMIT, on=label, command=command) for label in labels)])
    assert len(found) == 5 and sum(seconds(unit)[0] for unit in found) == 10


def test_a_unit_knows_the_status_that_it_left_behind():
    imported = e.LabelImported(annotations=[], status="PRELABELED")
    assert [unit.next_label_status for unit in units([signal(0, imported), signal(1, SUBMIT)])] == [
        "PRELABELED", "LABELED",
    ]  # fmt: skip
    assert [unit.next_label_status for unit in units([signal(0, EDIT)], role="manager")] == [None]


def test_roles_and_the_threshold_are_those_of_the_moment():
    person = str(ANA)
    changed = {"changes": {"labeling_inactivity_timeout_seconds": 60}}
    events = [
        signal(0, e.DatasetCreated(owner=person, name="d", task_type="vector", settings={}), stream="dataset"),
        signal(0, e.MemberAdded(person=person, role="labeler"), stream="dataset"),
        signal(0),
        signal(100),
        signal(150, e.DatasetSettingsChanged(**changed), stream="dataset"),
        signal(200),
        signal(210, e.MemberRoleChanged(person=person, role="manager"), stream="dataset"),
        signal(220),
        signal(230, e.MemberRemoved(person=person), stream="dataset"),
        signal(240),
    ]
    work = worked(events, role=None)
    assert work.threshold_s == 60 and work.roles == {}
    assert [(unit.work_type, *seconds(unit)) for unit in work.units.values()] == [
        ("normal", 120, 100), ("normal", 20, 0),
    ]  # fmt: skip


# --- what always holds ---------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.integers(0, 900),  # seconds since the signal before
        st.sampled_from([ANA, BEN]),
        st.sampled_from([SAMPLE, OTHER]),
        st.sampled_from([EDIT, SUBMIT, e.LabelDeleted()]),
    ),
    max_size=25,
)


def timeline(steps: list[tuple[int, uuid.UUID, uuid.UUID, Fact]]) -> list[Event]:
    at, found = 0, []
    for gap, person, sample, fact in steps:
        at += gap
        found.append(signal(at, fact, by=person, on=sample))
    return found


def totals(work: Work, person: uuid.UUID) -> tuple[int, int]:
    spent: list[Any] = [*work.units.values(), *work.spent.values()]
    mine = [item for item in spent if item.person == str(person)]
    return sum(item.active_us for item in mine), sum(item.inactive_us for item in mine)


@given(STEPS, st.integers(1, 600))
def test_active_and_inactive_time_never_exceed_what_passed(steps, threshold_s):
    events = timeline(steps)
    for person in (ANA, BEN):
        mine = [event.recorded_at for event in events if event.intent.author == person and event.recorded_at]
        wall_us = (mine[-1] - mine[0]) // dt.timedelta(microseconds=1) if mine else 0
        active_us, inactive_us = totals(worked(events, threshold_s=threshold_s), person)
        assert active_us + inactive_us <= wall_us
        gaps_s = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(mine)]
        assert active_us == sum(gap for gap in gaps_s if gap <= threshold_s) * SECOND_US


@given(STEPS, st.integers(1, 600), st.integers(0, 300))
def test_a_larger_threshold_never_makes_less_time_active(steps, threshold_s, more_s):
    events = timeline(steps)
    small, large = (worked(events, threshold_s=item) for item in (threshold_s, threshold_s + more_s))
    for person in (ANA, BEN):
        assert totals(small, person)[0] <= totals(large, person)[0]


@given(STEPS, st.integers(0, 25))
def test_folding_in_two_parts_gives_the_same(steps, cut):
    events = timeline(steps)
    whole = worked(events)
    parts = Work(DATASET, roles=dict(whole.roles))
    numbered = [replace(event, offset=number) for number, event in enumerate(events, 1)]
    for part in (numbered[:cut], numbered[cut:]):
        work_units.fold(parts, part, label_of)
    assert parts == whole
