"""Clones: everything of one moment under new ids, whole or not at all; who may, and every retry."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection

from labeling.commands import assets, clones, datasets, issues, labels, organizations, people, samples
from labeling.errors import AlreadyExists, IdempotencyKeyReused, InvalidValue, NotFound, NotPermitted
from labeling.log import projector, rebuild, store, verify
from labeling.log.event import Intent
from labeling.models import Dataset, DatasetAsset, Label, LabelSet, Member, Sample, WorkUnit
from labeling.queries import datasets as dataset_queries
from labeling.queries import labels as label_queries
from labeling.queries.datasets import dataset_by_id
from labeling.rules.task_types import task_type

JSON = dict[str, Any]
BOX: JSON = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}


@pytest.fixture
def ana(person):
    return person("ana")


@pytest.fixture
def make_clone(intent, person):
    """make_clone(source, name=…): the id of the new dataset, by Ana for Ana unless said."""

    def make(
        source: uuid.UUID,
        *,
        by: Any = None,
        name: str = "",
        with_labels: bool = True,
        owner: Any = None,
        named: JSON | None = None,
        **changes: Any,
    ) -> uuid.UUID:
        by = by or person("ana")
        return clones.clone_dataset(
            intent=intent(by, **(named or {})),
            source=dataset_by_id(source, person=by.id),
            owner=(owner or by).id,
            name=name or f"clone-{uuid.uuid4().hex[:12]}",
            with_labels=with_labels,
            changes=changes,
        )

    return make


def save(sample: uuid.UUID, intent: Intent, document: JSON, label_set: str = "ground-truth", **rest: Any) -> None:
    labels.save_label(intent=intent, sample=sample, label_set=label_set, document=document, create=True, **rest)


@pytest.fixture
def streets(dataset, sample, intent, ana, person) -> uuid.UUID:
    """A dataset that has some of everything: label sets, samples with files, labels, what was deleted, issues."""
    made = dataset(ana, labelers=(person("ben"),), description="d", metadata={"k": [1, None]}, enable_ratings=True)
    for name in ("model", "gone"):
        datasets.add_label_set(intent=intent(ana), dataset=made, name=name, description=f"of {name}")
    picture = assets.keep_bytes(b"PNG", owner=ana.id, filename=f"{uuid.uuid4().hex}.png", content_type="image/png")
    url = assets.url_of(picture)
    ids = [
        sample(made, ana, name="a.png", attributes={"image": {"url": url}}, metadata={"city": "Gent"}, priority=2.5,
               readme="r", assigned_labeler="ben"),
        sample(made, ana, name="b.png"),
        sample(made, ana, name="gone.png"),
    ]  # fmt: skip
    rich = BOX | {"attributes": {"colour": "red"}, "score": 0.5, "origin": {"kind": "model", "run": "r"}}
    save(ids[0], intent(ana), {"annotations": [rich, BOX | {"id": 2}], "image_attributes": {"weather": "rain"}},
         status="LABELED", score=0.25, set_score=True)  # fmt: skip
    save(ids[0], intent(ana), {"annotations": [BOX | {"id": 9}]}, "model")
    save(ids[1], intent(ana), {"annotations": []}, "gone")
    save(ids[2], intent(ana), {"annotations": [BOX]})
    datasets.archive_label_set(intent=intent(ana), dataset=made, name="gone")
    samples.archive_sample(intent=intent(ana), sample=ids[2])
    issues.open_issue(intent=intent(ana), sample=ids[0], fields={"description": "x"})
    return made


def label_of(dataset: uuid.UUID, name: str, person: Any, label_set: str = "ground-truth") -> Any:
    found = Sample.objects.get(dataset_id=dataset, name=name, archived=False)
    return label_queries.find_label(found.id, label_set, person=person.id)


def plain(document: JSON) -> JSON:
    """A rendered document without the uuids and origins, which differ in a clone."""
    objects = [{k: v for k, v in item.items() if k not in ("uuid", "origin")} for item in document["annotations"]]
    return document | {"annotations": objects}


def command(letter: bytes = b"1") -> JSON:
    return {"command": uuid.uuid5(uuid.NAMESPACE_OID, "key"), "request_hash": letter * 32}


# --- what a clone is -----------------------------------------------------------------------------------------------


def test_a_clone_has_the_settings_texts_and_categories_and_knows_where_it_is_from(streets, make_clone, ana):
    head = store.head(streets)
    clone = make_clone(streets, name="copy")
    one, two = Dataset.objects.get(id=streets), Dataset.objects.get(id=clone)
    kept = ["owner_id", "description", "category", "task_type", "public", "readme", "metadata", "task_attributes"]
    for name in [*kept, "settings"]:
        assert getattr(two, name) == getattr(one, name), name
    assert (two.name, two.archived) == ("copy", False)
    assert two.cloned_from == {"dataset": str(streets), "full_name": f"ana/{one.name}", "offset": head}
    assert dict(Member.objects.filter(dataset_id=clone).values_list("person_id", "role")) == {ana.id: "admin"}
    assert store.head(streets) == head, "nothing happened to the source"


def test_a_clone_has_the_label_sets_and_samples_that_are_there(streets, make_clone):
    clone = make_clone(streets, with_labels=False)
    sets = LabelSet.objects.filter(dataset_id=clone).order_by("last_offset")
    assert [(item.name, item.kind, item.description) for item in sets] == [
        ("ground-truth", "ground-truth", ""), ("model", "predictions", "of model"),
    ]  # fmt: skip
    one = Sample.objects.filter(dataset_id=streets, archived=False).order_by("created_at")
    two = Sample.objects.filter(dataset_id=clone).order_by("created_at", "last_offset")
    assert [item.name for item in two] == ["a.png", "b.png"]
    for old, new in zip(one, two, strict=True):
        for name in ("name", "attributes", "metadata", "priority", "readme"):
            assert getattr(new, name) == getattr(old, name)
        assert new.id != old.id and new.assigned_labeler is None, "who was assigned there need not be a member here"
    assert not Label.objects.filter(dataset_id=clone).exists()
    known = [
        set(DatasetAsset.objects.filter(dataset_id=item).values_list("token", "sha256")) for item in (streets, clone)
    ]
    assert known[0] == known[1] and len(known[0]) == 1, "its files are pinned there too"


def test_the_labels_of_a_clone_are_the_same_with_new_uuids_and_their_origin(streets, make_clone, ana):
    clone = make_clone(streets)
    kind = task_type("vector")
    for label_set in ("ground-truth", "model"):
        old, new = (label_of(item, "a.png", ana, label_set) for item in (streets, clone))
        assert plain(kind.render(new.state)) == plain(kind.render(old.state))
        assert (new.state.status, new.state.score) == (old.state.status, old.state.score)
        for before, after in zip(old.state.in_order(), new.state.in_order(), strict=True):
            origin = {"kind": "clone", "label_set": str(old.label_set), "annotation": before["uuid"]}
            assert after["uuid"] != before["uuid"]
            assert after["origin"] == origin | ({"origin": before["origin"]} if "origin" in before else {})
    assert Label.objects.filter(dataset_id=clone).count() == 2, "labels of what is deleted stay behind"


def test_the_log_of_a_clone_says_that_a_program_copied_on_somebodys_word(streets, make_clone, ana):
    clone = make_clone(streets)
    events = store.read(clone)
    assert [event.type for event in events] == [
        "DatasetCreated", "LabelSetCreated", "LabelSetCreated", "MemberAdded",
        "AssetAdded", "SampleAdded", "SampleAdded", "LabelImported", "LabelImported",
    ]  # fmt: skip
    assert {event.intent.author for event in events} == {ana.id}
    assert [event.intent.author_kind for event in events] == ["person"] * 4 + ["import"] * 5
    assert len({event.intent.command for event in events}) == 1
    assert verify.verify_log(clone) == []
    projector.catch_up(clone)
    assert not WorkUnit.objects.filter(dataset_id=clone).exists(), "copying is no labeling"


def test_later_edits_of_either_do_not_appear_in_the_other(streets, make_clone, intent, ana):
    clone = make_clone(streets)
    old, new = (label_of(item, "a.png", ana) for item in (streets, clone))
    save(old.sample, intent(ana), {"annotations": []})
    assert len(label_of(clone, "a.png", ana).state.annotations) == 2
    save(new.sample, intent(ana), {"annotations": [BOX]})
    assert len(label_of(streets, "a.png", ana).state.annotations) == 0
    again = make_clone(clone)
    (item,) = label_of(again, "a.png", ana).state.annotations.values()
    assert item["origin"]["origin"]["origin"] == {"kind": "model", "run": "r"}, "a clone of a clone knows all of it"


@pytest.mark.parametrize("kind", ["image-vector-sequence", "pointcloud-cuboid", "multisensor-sequence"])
def test_documents_are_cloned_word_for_word(dataset, sample, intent, ana, make_clone, kind):
    source = dataset(ana, kind)
    document: JSON = {"frames": [], "annotations": [], "sensors": [], "odd": [1, {"x": None}]}
    save(sample(source, ana, name="s"), intent(ana), document, status="REVIEWED")
    found = label_of(make_clone(source), "s", ana).state
    assert (task_type(kind).render(found), found.status) == (document, "REVIEWED")


def test_a_dataset_of_nothing_is_cloned(dataset, ana, make_clone):
    clone = make_clone(dataset(ana))
    assert store.head(clone) == 3 and not Sample.objects.filter(dataset_id=clone).exists()


@pytest.mark.parametrize("events, size", [(1, 10**9), (3, 10**9), (10**9, 1), (10**9, 2000)])
def test_a_clone_is_the_same_in_chunks_of_any_size(streets, make_clone, ana, monkeypatch, events, size):
    monkeypatch.setattr(clones, "CHUNK_EVENTS", events)
    monkeypatch.setattr(clones, "CHUNK_BYTES", size)
    monkeypatch.setattr(clones, "SAMPLES_AT_ONCE", 1)
    clone = make_clone(streets)
    assert [item.name for item in Sample.objects.filter(dataset_id=clone).order_by("last_offset")] == ["a.png", "b.png"]
    for label_set in ("ground-truth", "model"):
        one, two = (label_of(item, "a.png", ana, label_set).state for item in (streets, clone))
        assert plain(task_type("vector").render(one)) == plain(task_type("vector").render(two))
    assert DatasetAsset.objects.filter(dataset_id=clone).count() == 1, "a file is pinned once"
    assert rebuild.differences(clone) == {} and verify.verify_log(clone) == []


def test_labels_are_read_in_groups_that_fit_a_small_memory(dataset, sample, intent, ana, make_clone, monkeypatch):
    source = dataset(ana)
    ids = [sample(source, ana, name=f"{number}.png") for number in range(4)]
    for number in (0, 2, 3):
        save(ids[number], intent(ana), {"annotations": [BOX | {"id": number + 1}]})
    truth = LabelSet.objects.get(dataset_id=source).id
    assert list(label_queries.bounded_by_bytes(ids, truth, most_bytes=1)) == [[ids[0]], [ids[2]], [ids[3]]]
    assert list(label_queries.bounded_by_bytes(ids, truth, most_bytes=10**6)) == [[ids[0], ids[2], ids[3]]]
    assert list(label_queries.bounded_by_bytes(ids[1:2], truth, most_bytes=1)) == []
    monkeypatch.setattr(clones, "STORED_BYTES", 1)
    clone = make_clone(source)
    found = {name: label_of(clone, name, ana).state for name in ("0.png", "1.png", "2.png", "3.png")}
    assert [[item["id"] for item in state.in_order()] for state in found.values()] == [[1], [], [3], [4]]


# --- what may be different -----------------------------------------------------------------------------------------


def test_a_clone_may_be_public_and_belong_to_an_organization_of_the_authors(streets, make_clone, person, ana):
    firm = person("firm", kind="organization")
    with pytest.raises(NotPermitted):
        make_clone(streets, owner=firm)
    with pytest.raises(NotPermitted):
        make_clone(streets, owner=person("ben"))
    organizations.add_organization_member(
        intent=people.operator("test"), organization=firm.id, person=ana, role="member"
    )
    clone = make_clone(streets, public=True, owner=firm)
    found = Dataset.objects.get(id=clone)
    assert (found.public, found.owner_id) == (True, firm.id)
    assert dict(Member.objects.filter(dataset_id=clone).values_list("person_id", "role")) == {ana.id: "admin"}


@pytest.mark.parametrize("one, two", [("bboxes", "vector"), ("segmentation-bitmap", "segmentation-bitmap-highres")])
def test_labels_go_along_into_a_task_type_that_they_fit(dataset, sample, intent, ana, make_clone, one, two):
    source = dataset(ana, one)
    document: JSON = {"annotations": [BOX]}
    if one != "bboxes":
        document = {"annotations": [{"id": 1, "category_id": 1}], "segmentation_bitmap": {"url": "https://e.org/m.png"}}
    save(sample(source, ana, name="s"), intent(ana), document)
    found = label_of(make_clone(source, task_type=two), "s", ana)
    assert found.task_type == two
    assert plain(task_type(two).render(found.state)) == plain(
        task_type(one).render(label_of(source, "s", ana).state)
    )  # fmt: skip


def test_labels_that_do_not_fit_are_refused_and_the_samples_alone_are_not(streets, make_clone):
    before = Dataset.objects.count()
    with pytest.raises(InvalidValue, match="clone the samples only") as refused:
        make_clone(streets, task_type="segmentation-bitmap")
    assert refused.value.field == "clone_labels" and Dataset.objects.count() == before
    clone = make_clone(streets, task_type="segmentation-bitmap", with_labels=False)
    assert Dataset.objects.get(id=clone).task_type == "segmentation-bitmap"


@pytest.mark.parametrize("changes, field", [({"name": "a/b"}, "name"), ({"task_type": "x"}, "task_type"),
                                            ({"public": 1}, "public")])  # fmt: skip
def test_what_does_not_fit_is_refused_by_its_name(streets, make_clone, changes, field):
    with pytest.raises(InvalidValue) as refused:
        make_clone(streets, **changes)
    assert refused.value.field == field


# --- who may -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [None, "viewer", "labeler", "reviewer", "manager", "admin"])
def test_admins_clone_and_everybody_where_it_is_public(streets, make_clone, intent, ana, person, role):
    somebody = person(f"a-{role}")
    if role is not None:
        datasets.add_member(intent=intent(ana), dataset=streets, person=somebody.id, role=role)
    if role == "admin":
        make_clone(streets, by=somebody)
    else:
        with pytest.raises(NotFound if role is None else NotPermitted):
            make_clone(streets, by=somebody)
    datasets.change_dataset(intent=intent(ana), dataset=streets, changes={"public": True})
    clone = make_clone(streets, by=somebody)
    assert Dataset.objects.get(id=clone).owner_id == somebody.id
    assert Member.objects.get(dataset_id=clone).person_id == somebody.id


def test_a_deleted_dataset_is_not_cloned(streets, intent, ana):
    source = dataset_by_id(streets, person=ana.id)
    datasets.delete_dataset(intent=intent(ana), dataset=streets)
    with pytest.raises(NotFound):
        clones.clone_dataset(
            intent=intent(ana), source=source, owner=ana.id, name="x", with_labels=False, changes={}
        )  # fmt: skip


# --- whole or not at all -------------------------------------------------------------------------------------------


def test_a_name_that_is_taken_is_refused_and_leaves_nothing(streets, make_clone):
    make_clone(streets, name="copy")
    logs = len(store.logs("dataset"))
    with pytest.raises(AlreadyExists):
        make_clone(streets, name="copy")
    assert len(store.logs("dataset")) == logs


def test_a_clone_that_fails_half_way_leaves_nothing(streets, make_clone, monkeypatch):
    monkeypatch.setattr(clones, "CHUNK_EVENTS", 1)
    append, left = store.append, [4]

    def failing(*arguments: Any, **keywords: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            raise RuntimeError("the disk is full")
        return append(*arguments, **keywords)

    before = len(store.logs("dataset")), Dataset.objects.count(), Sample.objects.count()
    monkeypatch.setattr(store, "append", failing)
    with pytest.raises(RuntimeError):
        make_clone(streets, named=command())
    assert (len(store.logs("dataset")), Dataset.objects.count(), Sample.objects.count()) == before
    monkeypatch.setattr(store, "append", append)
    assert Dataset.objects.filter(id=make_clone(streets, named=command())).exists(), "the retry does it"


def test_a_clone_sees_one_moment_whatever_happens_to_the_source_meanwhile(
    committed_db, dataset, sample, intent, make_clone, person, monkeypatch
):
    """In autocommit, as in production: an edit between two chunks is by another connection and in no clone."""
    owner = person(f"ana-{uuid.uuid4().hex[:8]}")
    source = dataset(owner)
    names = [f"{number}.png" for number in range(4)]
    ids = [sample(source, owner, name=name) for name in names]
    for item in ids:
        save(item, intent(owner), {"annotations": [BOX]})
    head = store.head(source)
    monkeypatch.setattr(clones, "SAMPLES_AT_ONCE", 1)
    copy, done = clones._Clone._copy, []

    def meddling(self: Any, *arguments: Any) -> None:
        if not done:
            done.append(in_another_connection(lambda: meddle()))
        copy(self, *arguments)

    def meddle() -> None:
        samples.archive_sample(intent=intent(owner), sample=ids[3])
        sample(source, owner, name="late.png")
        save(ids[2], intent(owner), {"annotations": []})

    monkeypatch.setattr(clones._Clone, "_copy", meddling)
    clone = make_clone(source, by=owner)
    assert done and store.head(source) > head
    assert Dataset.objects.get(id=clone).cloned_from["offset"] == head
    found = Sample.objects.filter(dataset_id=clone).order_by("last_offset")
    assert [item.name for item in found] == names
    assert [len(label_of(clone, name, owner).state.annotations) for name in names] == [1] * 4


def in_another_connection(act: Any) -> bool:
    """Do something in a thread, which has a connection of its own, and wait for it."""
    import threading

    failed: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    assert not thread.is_alive() and not failed, failed
    return True


def test_a_clone_waits_for_nobody_and_nobody_for_it(
    committed_db, dataset, sample, intent, make_clone, person, monkeypatch
):
    """Who labels in the source while it is cloned is not locked out: the edit above ran inside of the clone."""
    owner = person(f"ana-{uuid.uuid4().hex[:8]}")
    source = dataset(owner)
    picture = sample(source, owner)
    done: list[bool] = []
    copy = clones._Clone._copy

    def editing(self: Any, *arguments: Any) -> None:
        if not done:
            done.append(in_another_connection(lambda: save(picture, intent(owner), {"annotations": [BOX]})))
        copy(self, *arguments)

    monkeypatch.setattr(clones._Clone, "_copy", editing)
    clone = make_clone(source, by=owner)
    assert done and not Label.objects.filter(dataset_id=clone).exists()


# --- retries -------------------------------------------------------------------------------------------------------


def test_a_retry_gets_the_same_clone(streets, make_clone):
    first, again = (make_clone(streets, name="copy", named=command()) for _ in range(2))
    assert first == again and Dataset.objects.filter(name="copy", deleted=False).count() == 1
    with pytest.raises(IdempotencyKeyReused):
        make_clone(streets, name="copy", named=command(b"2"))


def test_twins_at_the_same_moment_make_one_clone(
    committed_db, dataset, sample, intent, make_clone, person, monkeypatch
):
    owner = person(f"ana-{uuid.uuid4().hex[:8]}")
    source = dataset(owner)
    sample(source, owner)
    named = {"command": uuid.uuid4(), "request_hash": b"t" * 32}
    state_of, twin = dataset_queries.state_of, []

    def slow(*arguments: Any) -> Any:
        found = state_of(*arguments)
        if not twin:
            twin.append(None)  # the twin's own look must not make a third
            in_another_connection(lambda: twin.append(make_clone(source, by=owner, name="copy", named=named)))
        return found

    monkeypatch.setattr(dataset_queries, "state_of", slow)
    clone = make_clone(source, by=owner, name="copy", named=named)
    assert twin == [None, clone]
    assert Dataset.objects.filter(owner_id=owner.id, name="copy").count() == 1
    assert [event.type for event in store.read(clone)].count("SampleAdded") == 1
