"""Two people at one label: what is rebased, what is refused, and that nothing of either is lost."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections

from labeling.errors import AnnotationNotFound, Conflict
from labeling.log import store
from labeling.queries import labels as queries

JSON = dict[str, Any]
FOUND = {"type": "bbox", "points": [[1, 2], [3, 4]]}


def box(number: int, x: float = 1, **fields: Any) -> JSON:
    return {"id": number, "category_id": 1, "type": "bbox", "points": [[x, 2], [x + 2, 4]]} | fields


def document(*objects: JSON, **scene: Any) -> JSON:
    return {"annotations": list(objects)} | scene


def edit(op: str, number: int | str | None = None, **fields: Any) -> JSON:
    return {"op": op} | ({} if number is None else {"annotation": number}) | fields


THREE = document(box(1), box(2), box(3), a=1)

# Ben saw version 1 (THREE). What Ana did since, what Ben sends, and what the label holds then.
REBASED: list[tuple[str, list[JSON], JSON | list[JSON], dict[str, Any]]] = [
    (
        "another annotation, by a document",
        [edit("set_category", 1, category_id=2)],
        document(box(1), box(2, 9), box(3), a=1),
        {"ids": [1, 2, 3], "category": {1: 2, 2: 1}, "x": {2: 9}},
    ),
    (
        "another annotation, by edits",
        [edit("set_category", 1, category_id=2)],
        [edit("set_geometry", 2, type="bbox", points=[[9, 2], [11, 4]])],
        {"ids": [1, 2, 3], "category": {1: 2, 2: 1}, "x": {2: 9}},
    ),
    (
        "a new one each",
        [edit("add", geometry=FOUND)],
        [edit("add", geometry=FOUND)],
        {"ids": [1, 2, 3, 4, 5]},
    ),
    (
        "a new one by a document, with an id of its own",
        [edit("add", geometry=FOUND)],
        document(box(1), box(2), box(3), box(7), a=1),
        {"ids": [1, 2, 3, 4, 7]},
    ),
    ("what she removed too", [edit("remove", 1)], document(box(2), box(3), a=1), {"ids": [2, 3]}),
    (
        "an image attribute each",
        [edit("set_scene_attributes", attributes={"b": 2})],
        document(box(1), box(2), box(3), a=5),
        {"ids": [1, 2, 3], "scene": {"a": 5, "b": 2}},
    ),
    (
        "a document that says nothing new",
        [edit("remove", 1), edit("set_status", verb="submit"), edit("set_score", score=1)],
        THREE,
        {"ids": [2, 3], "status": "LABELED", "score": 1},
    ),
    (
        "a classification each",
        [edit("assign_classification", category_id=1)],
        [edit("assign_classification", category_id=2)],
        {"ids": [1, 2, 3], "classifications": [1, 2]},
    ),
    (
        "the score and a box",
        [edit("set_score", score=0.5)],
        document(box(1, 9), box(2), box(3), a=1),
        {"score": 0.5, "x": {1: 9}},
    ),
    ("to the front each", [edit("set_order", 1, to="front")], [edit("set_order", 2, to="front")], {"ids": [3, 1, 2]}),
]


@pytest.mark.parametrize("hers, his, then", [case[1:] for case in REBASED], ids=[case[0] for case in REBASED])
def test_what_touches_something_else_is_rebased(desk, hers, his, then):
    desk.save(THREE)
    desk.edit(*hers, by=desk.ana)
    before = desk.version
    send = desk.edit if isinstance(his, list) else desk.save
    saved = send(*(his if isinstance(his, list) else [his]), by=desk.ben, version=1)
    assert saved.rebased == (desk.version > before)
    items = {item["id"]: item for item in desk.state.annotations.values()}
    if "ids" in then:
        assert [item["id"] for item in desk.state.in_order()] == then["ids"]
    assert {number: items[number]["category_id"] for number in then.get("category", {})} == then.get("category", {})
    assert {number: items[number]["geometry"]["points"][0][0] for number in then.get("x", {})} == then.get("x", {})
    for name in ("scene", "status", "score", "classifications"):
        if name in then:
            assert getattr(desk.state, name) == then[name]


# What Ana did since, what Ben sends, and what both touched ({1} stands for the uuid of annotation 1).
REFUSED: list[tuple[str, list[JSON], Any, list[str]]] = [
    (
        "the same annotation, by edits",
        [edit("set_category", 1, category_id=2)],
        [edit("set_score", 1, score=1)],
        ["annotation:{1}"],
    ),
    (
        "the same annotation, by a document",
        [edit("set_category", 1, category_id=2)],
        document(box(1, 9), box(2), box(3), a=1),
        ["annotation:{1}"],
    ),
    (
        "one of several",
        [edit("set_score", 2, score=1)],
        [edit("set_score", 1, score=1), edit("set_score", 2, score=0)],
        ["annotation:{2}"],
    ),
    ("she removed it", [edit("remove", 1)], [edit("set_score", 1, score=1)], ["annotation:{1}"]),
    (
        "she removed it, by a document",
        [edit("remove", 1)],
        document(box(1, 9), box(2), box(3), a=1),
        ["annotation:{1}"],
    ),
    ("she changed what he removes", [edit("set_score", 1, score=1)], [edit("remove", 1)], ["annotation:{1}"]),
    (
        "she changed what his document leaves out",
        [edit("set_score", 1, score=1)],
        document(box(2), box(3), a=1),
        ["annotation:{1}"],
    ),
    ("she linked to what he removes", [edit("add_link", 2, to=1)], document(box(2), box(3), a=1), ["annotation:{1}"]),
    (
        "she replaced it by another of its id",
        [edit("remove", 1), edit("add", id=1, geometry=FOUND)],
        [edit("set_category", 1, category_id=3)],
        ["annotation"],
    ),
    ("a status", [edit("set_status", verb="submit")], [edit("set_score", 1, score=1)], ["label"]),
    ("his status", [edit("set_score", 1, score=1)], [edit("set_status", verb="submit")], ["label"]),
    ("the score", [edit("set_score", score=1)], [edit("set_score", score=0)], ["score"]),
    (
        "the same image attribute",
        [edit("set_scene_attributes", attributes={"a": 2})],
        document(box(1), box(2), box(3), a=3),
        ['scene:"a"'],
    ),
    (
        "a new one of the same id",
        [edit("add", geometry=FOUND)],
        document(box(1), box(2), box(3), box(4), a=1),
        ["id:4"],
    ),
    (
        "the default classification",
        [edit("assign_classification", category_id=1)],
        [edit("assign_classification", category_id=2), edit("set_default_classification", category_id=2)],
        ["default-classification"],
    ),
]


@pytest.mark.parametrize("hers, his, both", [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_touches_the_same_is_refused_and_stores_nothing(desk, hers, his, both):
    desk.save(THREE)
    first = {item["id"]: item["uuid"] for item in desk.state.annotations.values()}
    desk.edit(*hers, by=desk.ana)
    head = desk.head
    send = desk.edit if isinstance(his, list) else desk.save
    with pytest.raises(Conflict) as caught:
        send(*(his if isinstance(his, list) else [his]), by=desk.ben, version=1)
    assert (caught.value.stream, caught.value.since, desk.head) == (desk.state.stream, 1, head)
    for name in both:
        wanted = name.replace("{1}", first[1]).replace("{2}", first[2])
        assert any(item.startswith(wanted) for item in caught.value.touched), caught.value.touched


def test_a_score_and_a_status_that_he_did_not_change_are_no_conflict(desk):
    """A PUT says all of it; what counts is what differs from what was seen."""
    desk.save(THREE, status="PRELABELED", score=0.25)
    desk.edit(edit("set_score", score=0.75))
    desk.save(document(box(1, 9), box(2), box(3), a=1), version=1, status="PRELABELED", score=0.25, set_score=True)
    assert (desk.state.score, desk.names(2)) == (0.75, ["AnnotationGeometrySet"])
    with pytest.raises(Conflict) as caught:
        desk.save(THREE, version=1, score=0.5, set_score=True)
    assert caught.value.touched == ["score"]


def test_a_status_that_he_does_change_conflicts_with_anything(desk):
    desk.save(THREE, status="PRELABELED")
    desk.edit(edit("set_category", 1, category_id=2))
    with pytest.raises(Conflict):
        desk.save(THREE, version=1, status="LABELED")
    with pytest.raises(Conflict):
        desk.save(None, create=False, version=1, status="LABELED")


def test_a_label_that_was_deleted_meanwhile_is_not_made_again_by_accident(desk):
    desk.save(THREE)
    desk.delete()
    for write in (
        lambda: desk.save(document(box(1)), by=desk.ben, version=1),
        lambda: desk.edit(edit("add", geometry=FOUND), by=desk.ben, version=1),
        lambda: desk.edit(edit("set_category", 1, category_id=2), by=desk.ben, version=1),
    ):
        with pytest.raises(Conflict):
            write()
    assert desk.names() == ["LabelImported", "LabelDeleted"]


def test_a_delete_is_refused_where_anything_happened_since(desk):
    desk.save(THREE)
    desk.edit(edit("set_category", 1, category_id=2))
    with pytest.raises(Conflict):
        desk.delete(by=desk.ben, version=1)
    desk.delete(by=desk.ben, version=2)


def test_an_annotation_that_never_was_is_no_conflict(desk):
    desk.save(THREE)
    desk.edit(edit("set_category", 1, category_id=2))
    with pytest.raises(AnnotationNotFound):
        desk.edit(edit("remove", 9), by=desk.ben, version=1)


def test_links_to_what_both_removed_are_no_conflict(desk):
    desk.save(THREE)
    desk.edit(edit("add_link", 1, to=3))
    seen = desk.version
    desk.edit(edit("remove", 1))
    desk.save(document(box(2), a=1), by=desk.ben, version=seen)
    assert [item["id"] for item in desk.state.in_order()] == [2]


def test_a_removed_object_leaves_no_link_behind(desk):
    desk.save(THREE)
    desk.edit(edit("add_link", 1, to=3), edit("add_link", 2, to=3))
    desk.save(document(box(1), box(2), a=1))
    assert all("links" not in item for item in desk.state.annotations.values())


def test_who_made_one_each_at_the_same_time_may_save_what_they_read(desk):
    """Both got the same order number; the label that either reads is not another label."""
    desk.save(THREE)
    desk.save(document(box(1), box(2), box(3), box(7), a=1), version=1)
    desk.save(document(box(1), box(2), box(3), box(5), a=1), version=1, by=desk.ben)
    assert [item["order"] for item in desk.state.in_order()] == [1, 2, 3, 4, 4]
    version = desk.version
    assert desk.save(desk.document).state.version == version


def test_edits_of_different_annotations_commute(desk, sample):
    ends = []
    for turn in (0, 1):
        desk.sample = sample(desk.dataset, desk.ana)
        desk.save(THREE)
        steps = [
            lambda: desk.edit(edit("set_category", 1, category_id=3), by=desk.ana, version=1),
            lambda: desk.edit(edit("remove", 2), edit("set_score", 3, score=1), by=desk.ben, version=1),
        ]
        for step in steps[::-1] if turn else steps:
            step()
        shown = desk.document["annotations"]
        ends.append([{name: value for name, value in item.items() if name != "uuid"} for item in shown])
    assert ends[0] == ends[1]


def test_what_happens_between_two_reads_is_no_conflict_but_decided_again(desk, monkeypatch):
    """Somebody adds one after the label was loaded and before the missed events are: both would get the id 4."""
    desk.save(THREE)
    desk.edit(edit("set_category", 1, category_id=2))
    read, late = store.read_stream, [True]

    def slow(log, stream, **keywords):
        if late and keywords.get("after_version"):
            late.clear()
            desk.edit(edit("add", geometry=FOUND))
        return read(log, stream, **keywords)

    monkeypatch.setattr(store, "read_stream", slow)
    assert desk.edit(edit("add", geometry=FOUND), by=desk.ben, version=1).results[0]["id"] == 5


def test_many_people_at_once_lose_nothing(committed_db, desk):
    """Threads with connections of their own, each for itself: every edit is there, in some order, without a gap."""
    people, times = 4, 6
    desk.save(document(*(box(number) for number in range(1, people + 1))))
    failures: list[Exception] = []
    start = threading.Barrier(people)

    def work(number: int) -> None:
        try:
            start.wait()
            version = 1
            for turn in range(times):
                mine = edit("set_attributes", number, attributes={"turn": turn})
                version = desk.edit(mine, edit("add", geometry=FOUND), version=version).state.version
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, people + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    events = desk.events()
    assert [event.version for event in events] == list(range(1, 2 + people * times * 2))
    state = desk.state
    assert len(state.annotations) == people + people * times
    assert len({item["id"] for item in state.annotations.values()}) == len(state.annotations)
    numbers = {item["id"]: item for item in state.annotations.values()}
    assert all(numbers[number]["attributes"] == {"turn": times - 1} for number in range(1, people + 1))
    assert queries.label_at(desk.dataset, state.stream, desk.head) == state


def test_the_uuid_of_a_label_in_another_dataset_takes_nothing_over(desk, make_desk):
    taken = desk.edit(edit("add", geometry=FOUND)).results[0]["annotation"]
    other = make_desk()
    with pytest.raises(AnnotationNotFound):
        other.edit(edit("add", geometry=FOUND), edit("remove", taken))
    assert len(desk.document["annotations"]) == 1
