"""Samples: added one by one or many at once, changed, assigned, deleted; and every retry."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling import events as e
from labeling.commands import assets, datasets, samples, writing
from labeling.errors import AlreadyExists, IdempotencyKeyReused, InvalidValue, NotFound, NotPermitted
from labeling.log import store
from labeling.models import DatasetAsset, Sample
from labeling.queries import samples as queries
from labeling.rules.dataset_state import ROLES
from labeling.rules.sample_state import sample_stream

JSON = dict[str, Any]
IMAGE = {"image": {"url": "https://example.org/a.png"}}


@pytest.fixture
def ana(person):
    return person("ana")


@pytest.fixture
def ben(person):
    return person("ben")


@pytest.fixture
def add(intent, ana):
    """add(dataset, "a.png", …): their ids."""

    def make(dataset: uuid.UUID, *names: str, keep: bool = False, named: JSON | None = None, **fields: Any) -> Any:
        items = [samples.checked_sample({"name": name, "attributes": IMAGE} | fields) for name in names]
        return samples.add_samples(
            intent=intent(ana, **(named or {})), dataset=dataset, items=items, keep_existing=keep
        )

    return make


def facts(dataset: uuid.UUID, sample: uuid.UUID, after: int = 0) -> list[Any]:
    return [event.fact for event in store.read_stream(dataset, sample_stream(sample), after_version=after)]


def command(letter: bytes = b"1") -> JSON:
    return {"command": uuid.uuid5(uuid.NAMESPACE_OID, "key"), "request_hash": letter * 32}


FAULTS: list[tuple[Any, str]] = [
    (None, "body"),
    ([], "body"),
    ("x", "body"),
    ({}, "name"),
    ({"name": "a"}, "attributes"),
    *[({"name": bad, "attributes": {}}, "name") for bad in ("", None, 5, [], "x" * 256)],
    *[({"name": "a", "attributes": bad}, "attributes") for bad in (None, [], "x", 5)],
    *[({"name": "a", "attributes": {}, "metadata": bad}, "metadata") for bad in ([], "x", True)],
    *[({"name": "a", "attributes": {}, "priority": bad}, "priority") for bad in ("1", True, [])],
    *[({"name": "a", "attributes": {}, "readme": bad}, "readme") for bad in (5, [])],
    *[({"name": "a", "attributes": {}, "assigned_labeler": bad}, "assigned_labeler") for bad in (5, [], "", True)],
    *[({"name": "a", "attributes": {}, "assigned_reviewer": bad}, "assigned_reviewer") for bad in (5, "")],
]


@pytest.mark.parametrize("body, field", FAULTS)
def test_a_sample_that_does_not_fit_is_refused_by_its_field(body, field):
    with pytest.raises(InvalidValue) as caught:
        samples.checked_sample(body)
    assert caught.value.field == field
    with pytest.raises(InvalidValue) as caught:
        samples.checked_sample(body, "[3]")
    assert caught.value.field == ("[3]" if field == "body" else f"[3].{field}")


def test_what_is_null_is_what_it_is_without():
    body = {"name": "a", "attributes": {}, "metadata": None, "priority": None, "readme": None, "assigned_labeler": None}
    assert samples.checked_sample(body) == body | {"metadata": {}, "priority": 0, "readme": ""}


def test_a_sample_is_added_with_what_was_said(add, ana, dataset):
    made = dataset(ana)
    (new,) = add(made, "a.png", metadata={"a": 1}, priority=-2.5, readme="r", assigned_labeler="ana")
    assert facts(made, new) == [
        e.SampleAdded(
            sample=str(new), name="a.png", attributes=IMAGE, metadata={"a": 1}, priority=-2.5, readme="r",
            assigned_labeler=str(ana.id),
        )
    ]  # fmt: skip
    assert queries.state_of(Sample.objects.get(id=new)) == queries.sample_at(made, new, store.head(made))


def test_nobody_can_be_assigned(add, ana, dataset):
    with pytest.raises(InvalidValue) as caught:
        add(dataset(ana), "a.png", assigned_reviewer="nobody-there")
    assert caught.value.field == "assigned_reviewer"


def test_a_name_is_of_one_sample_of_its_dataset(add, ana, dataset, intent):
    made, other = dataset(ana), dataset(ana)
    (first,) = add(made, "a.png")
    head = store.head(made)
    for names in (("a.png",), ("b.png", "a.png"), ("c.png", "c.png")):
        with pytest.raises(AlreadyExists, match="already exists"):
            add(made, *names)
    assert store.head(made) == head
    add(other, "a.png")
    samples.archive_sample(intent=intent(ana), sample=first)
    assert add(made, "a.png") != [first]


def test_many_are_added_at_once_and_those_that_are_there_stay_as_they_are(add, ana, dataset):
    made = dataset(ana)
    (first,) = add(made, "a.png", priority=5)
    head = store.head(made)
    ids = add(made, "b.png", "a.png", "c.png", "b.png", keep=True)
    assert ids[1] == first and ids[0] == ids[3] and len({*ids}) == 3
    assert store.head(made) == head + 2
    assert Sample.objects.get(id=first).priority == 5
    assert add(made, "a.png", "b.png", keep=True) == [first, ids[0]]
    assert store.head(made) == head + 2
    assert add(made, keep=True) == []


def test_files_of_ours_are_pinned_once(add, ana, dataset, intent):
    made = dataset(ana)
    kept = [
        assets.keep_bytes(text, owner=ana.id, filename="a.png", content_type="image/png") for text in (b"1", b"2", b"3")
    ]
    one, two, three = map(assets.url_of, kept)
    unknown = f"/media/{'t' * 32}/a.png"
    attributes = {"image": {"url": one}, "more": ["x", {"url": two}], "urls": [one, unknown], "numbers": [1, 2.5]}
    (new, _) = add(made, "a.png", "b.png", attributes=attributes)
    assert DatasetAsset.objects.filter(dataset_id=made).count() == 2
    change = {"attributes": attributes | {"urls": [1, three]}}
    samples.change_sample(intent=intent(ana), sample=new, changes=samples.checked_sample(change, partial=True))
    assert {str(row.asset_id) for row in DatasetAsset.objects.filter(dataset_id=made)} == {
        str(item.id) for item in kept
    }


# --- changing ------------------------------------------------------------------------------------------------------


def test_only_what_differs_becomes_an_event(add, ana, dataset, intent):
    made = dataset(ana)
    (new,) = add(made, "a.png", assigned_labeler="ana")

    def change(**fields: Any) -> None:
        changes = samples.checked_sample(fields, partial=True)
        samples.change_sample(intent=intent(ana), sample=new, changes=changes)

    change(name="a.png", attributes=IMAGE, priority=0.0, readme=None, assigned_labeler="ana", metadata={})
    assert store.head(made) == 4
    change(name="b.png", priority=3, assigned_labeler=None, assigned_reviewer="ana", metadata={"a": True})
    assert facts(made, new, 1) == [
        e.SampleChanged(changes={"name": "b.png", "metadata": {"a": True}}),
        e.SamplePrioritySet(priority=3),
        e.SampleAssigned(roles={"labeler": None, "reviewer": str(ana.id)}),
    ]
    change(metadata={"a": 1})
    assert facts(made, new, 4) == [e.SampleChanged(changes={"metadata": {"a": 1}})], "1 is not true"
    assert queries.state_of(Sample.objects.get(id=new)) == queries.sample_at(made, new, store.head(made))


def test_a_sample_cannot_take_the_name_of_another(add, ana, dataset, intent):
    made = dataset(ana)
    first, _ = add(made, "a.png", "b.png")
    with pytest.raises(AlreadyExists):
        samples.change_sample(intent=intent(ana), sample=first, changes={"name": "b.png"})


def test_deleted_samples_are_gone_and_their_history_stays(add, ana, dataset, intent):
    made = dataset(ana)
    first, second, third = add(made, "a.png", "b.png", "c.png")
    samples.archive_sample(intent=intent(ana), sample=first)
    with pytest.raises(NotFound):
        samples.archive_sample(intent=intent(ana), sample=first)
    with pytest.raises(NotFound):
        samples.change_sample(intent=intent(ana), sample=first, changes={"priority": 1})
    count = samples.archive_samples(intent=intent(ana), dataset=made, samples=[first, second, third, uuid.uuid4()])
    assert (count, store.head(made)) == (2, 9)
    assert samples.archive_samples(intent=intent(ana), dataset=made, samples=[first]) == 0
    assert len(facts(made, first)) == 2


def test_samples_of_another_dataset_are_not_deleted_by_the_way(add, ana, dataset, intent):
    made, other = dataset(ana), dataset(ana)
    ids = add(other, "a.png")
    assert samples.archive_samples(intent=intent(ana), dataset=made, samples=ids) == 0
    assert not Sample.objects.get(id=ids[0]).archived


@pytest.mark.parametrize("role", ["viewer", "labeler", "reviewer", "manager", None])
def test_only_admins_change_samples(add, ana, ben, dataset, intent, role):
    made = dataset(ana)
    (new,) = add(made, "a.png")
    if role:
        datasets.add_member(intent=intent(ana), dataset=made, person=ben.id, role=role)
    for change in (
        lambda: samples.change_sample(intent=intent(ben), sample=new, changes={"name": "b.png"}),
        lambda: samples.change_sample(intent=intent(ben), sample=new, changes={"readme": "x", "priority": 1}),
        lambda: samples.archive_sample(intent=intent(ben), sample=new),
    ):
        with pytest.raises(NotPermitted if role else NotFound):
            change()


ASSIGNING: list[JSON] = [{"priority": 3}, {"assigned_labeler": "ana"}, {"assigned_reviewer": None, "priority": -1}, {}]


@pytest.mark.parametrize("role", [*ROLES, None])
@pytest.mark.parametrize("changes", ASSIGNING)
def test_managers_assign_samples_and_set_their_priority(add, ana, ben, dataset, intent, role, changes):
    made = dataset(ana)
    (new,) = add(made, "a.png")
    if role:
        datasets.add_member(intent=intent(ana), dataset=made, person=ben.id, role=role)
    head = store.head(made)
    if role in ("manager", "admin"):
        samples.change_sample(intent=intent(ben), sample=new, changes=changes)
        assert (store.head(made) > head) == any(changes.values())
    else:
        with pytest.raises(NotPermitted if role else NotFound):
            samples.change_sample(intent=intent(ben), sample=new, changes=changes)
        assert store.head(made) == head


def test_who_may_not_assign_does_not_learn_who_has_an_account(add, ana, ben, dataset, intent):
    (new,) = add(dataset(ana, public=True), "a.png")
    with pytest.raises(NotPermitted):
        samples.change_sample(intent=intent(ben), sample=new, changes={"assigned_labeler": "nobody-there"})


def test_samples_of_a_deleted_dataset_are_gone(add, ana, dataset, intent):
    made = dataset(ana)
    (new,) = add(made, "a.png")
    datasets.delete_dataset(intent=intent(ana), dataset=made)
    with pytest.raises(NotFound):
        samples.change_sample(intent=intent(ana), sample=new, changes={"priority": 1})


def test_a_dataset_that_never_was_takes_no_samples(add, ana):
    with pytest.raises(NotFound):
        add(uuid.uuid4(), "a.png")


# --- retries -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [True, False])
def test_a_retry_gets_the_same_samples(add, ana, dataset, intent, keep):
    made = dataset(ana)
    first = add(made, "a.png", "b.png", keep=keep, named=command())
    samples.archive_sample(intent=intent(ana), sample=first[0])
    head = store.head(made)
    assert add(made, "a.png", "b.png", keep=keep, named=command()) == first
    assert store.head(made) == head
    with pytest.raises(IdempotencyKeyReused):
        add(made, "c.png", keep=keep, named=command(b"2"))


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("moment", ["before the names are read", "before the append"])
def test_a_twin_that_was_faster_gives_its_samples(add, ana, dataset, monkeypatch, keep, moment):
    made, late, faster = dataset(ana), [True], []

    def twin(found: Any) -> Any:
        if late:
            late.clear()
            faster.extend(add(made, "a.png", keep=keep, named=command()))
        return found

    if moment == "before the append":
        append = store.append
        monkeypatch.setattr(store, "append", lambda *args, **keywords: append(*twin(args), **keywords))
    else:
        monkeypatch.setattr("labeling.commands.samples.earlier", lambda *args: twin(writing.earlier(*args)))
    assert add(made, "a.png", keep=keep, named=command()) == faster
    assert Sample.objects.filter(dataset_id=made).count() == 1


def test_a_name_that_was_just_taken_is_looked_up_again(add, ana, dataset, monkeypatch):
    made, append, late = dataset(ana), store.append, [True]

    def slow(*args: Any, **keywords: Any) -> Any:
        if late:
            late.clear()
            add(made, "a.png")
        return append(*args, **keywords)

    monkeypatch.setattr(store, "append", slow)
    assert add(made, "a.png", "b.png", keep=True)[0] == Sample.objects.get(dataset_id=made, name="a.png").id
    late.append(True)
    with pytest.raises(AlreadyExists):
        add(made, "a.png", "c.png")
    assert Sample.objects.filter(dataset_id=made).count() == 2


def test_a_retried_change_happens_once(add, ana, dataset, intent):
    made = dataset(ana)
    (new,) = add(made, "a.png")
    for _ in range(2):
        samples.change_sample(intent=intent(ana, **command()), sample=new, changes={"priority": 1})
    samples.change_sample(intent=intent(ana), sample=new, changes={"priority": 2})
    samples.change_sample(intent=intent(ana, **command()), sample=new, changes={"priority": 1})
    assert Sample.objects.get(id=new).priority == 2


def test_a_retried_delete_is_no_error(add, ana, ben, dataset, intent):
    made = dataset(ana)
    first, second, third = add(made, "a.png", "b.png", "c.png")
    for _ in range(2):
        samples.archive_sample(intent=intent(ana, **command()), sample=first)
    with pytest.raises(NotFound):
        samples.archive_sample(intent=intent(ana), sample=first)
    with pytest.raises(IdempotencyKeyReused):
        samples.archive_sample(intent=intent(ana, **command(b"2")), sample=first)
    named = {"command": uuid.uuid4(), "request_hash": b"3" * 32}
    for _ in range(2):
        count = samples.archive_samples(intent=intent(ana, **named), dataset=made, samples=[first, second, third])
        assert count == 2
