"""Bulk changes: said first, made in chunks under one correlation, the same for a retry, by who may."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling import events as e
from labeling.commands import bulk, datasets, labels, samples
from labeling.errors import InvalidValue, NotFound, NotPermitted
from labeling.log import store
from labeling.log.event import Event, Intent
from labeling.models import Label, Sample
from labeling.rules.bulk import BulkChange, checked_change
from labeling.rules.dataset_state import ROLES

JSON = dict[str, Any]


@pytest.fixture
def intent() -> Any:
    """As everywhere, but with a reason: a status that is set by hand asks for one."""
    return lambda author, **fields: Intent(author=author.id, **({"reason": "v1.why"} | fields))


@pytest.fixture
def ana(person):
    return person("ana")


@pytest.fixture
def ben(person):
    return person("ben")


@pytest.fixture
def street(dataset, ana):
    return dataset(ana)


@pytest.fixture
def three(sample, street, ana) -> list[uuid.UUID]:
    return [sample(street, ana, name=f"{number}.png") for number in range(3)]


def expected(person: Any, ids: list[uuid.UUID], change: BulkChange) -> dict[uuid.UUID, str]:
    steps = bulk.plan_bulk_change(person=person.id, samples=ids, change=change)
    return {step.sample: step.before for step in steps if step.changes}


def appended(dataset: uuid.UUID, head: int) -> list[Event]:
    return store.read(dataset, after=head)


STATUS = checked_change("status", "LABELED")


def test_a_bulk_change_of_nothing_does_nothing(intent, ana, street) -> None:
    assert bulk.plan_bulk_change(person=ana.id, samples=[], change=STATUS) == []
    assert bulk.change_in_bulk(intent=intent(ana), change=STATUS, expected={}).changed == 0


def test_a_plan_says_what_each_sample_would_become_and_appends_nothing(intent, ana, street, three) -> None:
    labels.edit_label(
        intent=intent(ana), sample=three[1], label_set="ground-truth", edits=[{"op": "set_status", "verb": "submit"}]
    )
    head = store.head(street)

    steps = bulk.plan_bulk_change(person=ana.id, samples=three, change=STATUS)

    assert [(step.name, step.before, step.after, step.changes) for step in steps] == [
        ("0.png", "UNLABELED", "LABELED", True),
        ("1.png", "LABELED", "LABELED", False),
        ("2.png", "UNLABELED", "LABELED", True),
    ]
    assert store.head(street) == head


def test_all_events_of_a_bulk_change_have_one_correlation_and_their_author(intent, ana, street, three) -> None:
    head = store.head(street)
    whole = intent(ana, tool="admin")

    done = bulk.change_in_bulk(intent=whole, change=STATUS, expected=expected(ana, three, STATUS))

    events = appended(street, head)
    assert (done.changed, done.moved) == (3, [])
    assert [event.fact for event in events] == [
        e.LabelStatusChanged(before=None, after="LABELED", verb="override") for _ in three
    ]
    assert {event.intent.correlation for event in events} == {whole.command}
    assert {(event.intent.author, event.intent.tool) for event in events} == {(ana.id, "admin")}
    assert set(Label.objects.filter(sample_id__in=three).values_list("status", flat=True)) == {"LABELED"}


def test_a_bulk_change_goes_in_chunks_and_a_retry_of_it_appends_nothing(
    intent, ana, street, three, monkeypatch: Any
) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 2)
    change, whole, head = checked_change("priority", 7), intent(ana), store.head(street)
    wanted = expected(ana, three, change)
    assert not bulk.began(intent=whole, change=change, samples=three)

    first = bulk.change_in_bulk(intent=whole, change=change, expected=wanted)
    again = bulk.change_in_bulk(intent=whole, change=change, expected=wanted)

    events = appended(street, head)
    assert [event.fact for event in events] == [e.SamplePrioritySet(priority=7)] * 3
    assert len({event.intent.command for event in events}) == 2
    assert (first.changed, first.replayed, again.changed, again.replayed) == (3, 0, 3, 3)
    assert bulk.began(intent=whole, change=change, samples=three)


def test_a_bulk_change_that_broke_off_goes_on_where_it_ended(intent, ana, street, three, monkeypatch: Any) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 1)
    change, whole, head = checked_change("priority", 7), intent(ana), store.head(street)
    wanted = expected(ana, three, change)
    append, turns = bulk._append, []

    def breaks(*arguments: Any) -> store.Appended:
        turns.append(1)
        if len(turns) == 2:
            raise ConnectionError
        return append(*arguments)

    monkeypatch.setattr(bulk, "_append", breaks)
    with pytest.raises(ConnectionError):
        bulk.change_in_bulk(intent=whole, change=change, expected=wanted)
    assert len(appended(street, head)) == 1

    done = bulk.change_in_bulk(intent=whole, change=change, expected=wanted)

    assert (done.changed, done.replayed, len(appended(street, head))) == (3, 1, 3)


def test_a_sample_that_moved_in_between_is_left_alone_and_told(intent, ana, street, three) -> None:
    wanted = expected(ana, three, STATUS)
    labels.edit_label(
        intent=intent(ana), sample=three[0], label_set="ground-truth", edits=[{"op": "set_status", "verb": "skip"}]
    )
    samples.archive_sample(intent=intent(ana), sample=three[2])
    head = store.head(street)

    done = bulk.change_in_bulk(intent=intent(ana), change=STATUS, expected=wanted)

    assert (done.changed, set(done.moved)) == (1, {three[0], three[2]})
    assert len(appended(street, head)) == 1
    assert Label.objects.get(sample_id=three[0]).status == "SKIPPED"


def test_reviewing_in_bulk_notes_the_reviewer_and_refuses_what_has_no_label(intent, ana, street, three) -> None:
    labels.edit_label(
        intent=intent(ana), sample=three[0], label_set="ground-truth", edits=[{"op": "set_status", "verb": "submit"}]
    )
    change = checked_change("status", verb="accept")

    steps = bulk.plan_bulk_change(person=ana.id, samples=three, change=change)
    bulk.change_in_bulk(intent=intent(ana), change=change, expected=expected(ana, three, change))

    assert [step.refusal for step in steps] == ["", *["there is no label to accept yet"] * 2]
    label = Label.objects.get(sample_id__in=three)
    assert (label.status, label.reviewed_by) == ("REVIEWED", ana.id)


def test_a_label_that_was_deleted_gets_its_status_on_the_same_stream(intent, ana, street, three) -> None:
    for edits in ([{"op": "set_status", "verb": "submit"}],):
        labels.edit_label(intent=intent(ana), sample=three[0], label_set="ground-truth", edits=edits)
    labels.delete_label(intent=intent(ana), sample=three[0], label_set="ground-truth")

    bulk.change_in_bulk(intent=intent(ana), change=STATUS, expected=expected(ana, three[:1], STATUS))

    label = Label.objects.get(sample_id=three[0])
    assert (label.status, label.deleted, label.version) == ("LABELED", False, 3)


def test_annotations_stay_as_they_are_under_a_bulk_change(intent, ana, street, three) -> None:
    saved = labels.edit_label(
        intent=intent(ana),
        sample=three[0],
        label_set="ground-truth",
        edits=[{"op": "add", "category_id": 1, "geometry": {"type": "point", "points": [[1, 2]]}}],
    )

    bulk.change_in_bulk(intent=intent(ana), change=STATUS, expected=expected(ana, three, STATUS))

    now = labels.save_label(intent=intent(ana), sample=three[0], label_set="ground-truth", score=0.5, set_score=True)
    assert now.state.annotations.keys() == saved.state.annotations.keys()
    assert now.state.status == "LABELED"


def test_samples_are_assigned_only_to_who_may_do_the_work(intent, ana, ben, street, three) -> None:
    def refusals(what: str) -> set[str]:
        change = checked_change(what, ben.id)
        return {step.refusal for step in bulk.plan_bulk_change(person=ana.id, samples=three, change=change)}

    assert refusals("labeler") == {"they may not label in its dataset; give them a role there first"}
    datasets.add_member(intent=intent(ana), dataset=street, person=ben.id, role="labeler")
    assert refusals("labeler") == {""}
    assert refusals("reviewer") == {"they may not review in its dataset; give them a role there first"}

    change = checked_change("labeler", ben.id)
    bulk.change_in_bulk(intent=intent(ana), change=change, expected=expected(ana, three, change))
    assert set(Sample.objects.filter(id__in=three).values_list("assigned_labeler", flat=True)) == {ben.id}
    nobody = checked_change("labeler", None)
    bulk.change_in_bulk(intent=intent(ana), change=nobody, expected=expected(ana, three, nobody))
    assert set(Sample.objects.filter(id__in=three).values_list("assigned_labeler", flat=True)) == {None}


CHANGES = {
    "override": (checked_change("status", "LABELED"), {"manager", "admin"}),
    "verify": (checked_change("status", verb="verify"), {"reviewer", "manager", "admin"}),
    "priority": (checked_change("priority", 1.5), {"manager", "admin"}),
    "labeler": (checked_change("labeler", None), {"manager", "admin"}),
    "archive": (checked_change("archive"), {"admin"}),
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", CHANGES)
def test_the_roles_table_says_who_may_change_many(intent, ana, ben, street, three, name: str, role: str) -> None:
    change, allowed = CHANGES[name]
    datasets.add_member(intent=intent(ana), dataset=street, person=ben.id, role=role)
    head = store.head(street)
    refused = [
        step
        for step in bulk.plan_bulk_change(person=ben.id, samples=three, change=change)
        if "You do not have permission" in step.refusal
    ]

    wanted = dict.fromkeys(three, "UNLABELED" if change.what in ("status", "archive") else "0")
    if role in allowed:
        bulk.change_in_bulk(intent=intent(ben), change=change, expected=wanted)
        assert refused == []
    else:
        with pytest.raises(NotPermitted):
            bulk.change_in_bulk(intent=intent(ben), change=change, expected=wanted)
        assert len(refused) == 3
        assert store.head(street) == head


def test_samples_that_somebody_may_not_know_of_are_not_there(intent, ana, ben, street, three) -> None:
    assert bulk.plan_bulk_change(person=ben.id, samples=[*three, uuid.uuid4()], change=STATUS) == []
    with pytest.raises(NotFound):
        bulk.change_in_bulk(intent=intent(ben), change=STATUS, expected=dict.fromkeys(three, "UNLABELED"))


def test_samples_of_several_datasets_are_changed_together(intent, ana, dataset, sample, street, three) -> None:
    other = dataset(ana)
    ids = [*three, sample(other, ana)]
    change = checked_change("archive")

    done = bulk.change_in_bulk(intent=intent(ana), change=change, expected=expected(ana, ids, change))

    assert done.changed == 4
    assert not Sample.objects.filter(id__in=ids, archived=False).exists()
    assert [event.type for event in store.read(other)][-1] == "SampleArchived"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ((None,), "what"),
        (("name", "x"), "what"),
        (("status", "UNLABELED"), "value"),
        (("status", "nonsense"), "value"),
        (("status", None), "value"),
        (("status", "LABELED", "submit"), "verb"),
        (("priority", "1"), "value"),
        (("priority", True), "value"),
        (("priority", float("nan")), "value"),
        (("priority", float("inf")), "value"),
        (("labeler", "ben"), "value"),
    ],
)
def test_a_change_that_is_none_is_refused_by_its_field(arguments: tuple[Any, ...], field: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        checked_change(*arguments)

    assert refused.value.field == field


def test_a_bulk_change_has_its_limit(intent, ana) -> None:
    many = [uuid.uuid4() for _ in range(bulk.MOST_SAMPLES + 1)]

    with pytest.raises(InvalidValue):
        bulk.plan_bulk_change(person=ana.id, samples=many, change=STATUS)
    with pytest.raises(InvalidValue):
        bulk.change_in_bulk(intent=intent(ana), change=STATUS, expected=dict.fromkeys(many, "UNLABELED"))
