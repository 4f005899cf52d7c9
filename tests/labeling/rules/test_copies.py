"""The same label in another dataset: everything of it, under new uuids."""

from __future__ import annotations

import uuid

import pytest

from labeling import events as e
from labeling.log import store
from labeling.log.event import Intent
from labeling.rules import copies, documents, label_state
from labeling.rules.label_ids import label_stream
from labeling.rules.label_state import LabelState
from labeling.rules.task_types import task_type, task_type_names
from tests.support.labels import (
    ANA,
    BEN,
    BIG_BOX,
    DATASET,
    HOLED,
    KEYPOINTS,
    LABEL_SET,
    ORIENTATION,
    annotation,
    key,
    label,
)  # fmt: skip

COPY = uuid.UUID(int=900, version=4)
MODEL = {"kind": "model", "name": "net", "version": "3", "run": "r1"}


def rich() -> LabelState:
    """A label that holds everything that a label of objects can hold."""
    return label(
        annotation(1, geometry=HOLED, attributes={"colour": "red"}, links=[{"to": key(3), "attributes": {"a": 1}}]),
        annotation(2, keypoints=KEYPOINTS, orientation=ORIENTATION, score=0.5, origin=MODEL, extra={"zip": [1]}),
        annotation(3, geometry=BIG_BOX, category_id=None, order=0.5, by=str(BEN)),
        annotation(7, geometry={"type": "orientation"}, orientation=ORIENTATION, attributes={}),
        status="REVIEWED",
        score=0.25,
        scene={"image_attributes": {"weather": "rain"}, "format_version": "0.1"},
        classifications=[4, 2],
        default_classification=2,
        mask={"url": "/media/t/a.png", "hash": "h", "width": 2, "height": 2},
    )


def copied(state: LabelState, kind: str) -> LabelState:
    """What the copy folds to, as its own author made it."""
    other = LabelState(DATASET, label_stream(COPY, LABEL_SET))
    triples = [(other.stream, 0, fact) for fact in task_type(kind).copied(state)]
    return label_state.fold(other, store.new_events(DATASET, Intent(author=ANA), triples))


def test_a_copy_holds_all_that_the_label_holds():
    state = rich()
    copy = copied(state, "vector")
    for name in ("status", "score", "scene", "classifications", "default_classification", "mask", "last_order"):
        assert getattr(copy, name) == getattr(state, name), name
    assert (copy.exists, copy.last_id, copy.created_by) == (True, 7, ANA)
    new = {}
    for old, item in zip(state.in_order(), copy.in_order(), strict=True):
        new[old["uuid"]] = item["uuid"]
        for name in (
            "id",
            "category_id",
            "order",
            "geometry",
            "attributes",
            "keypoints",
            "orientation",
            "score",
            "extra",
        ):
            assert item.get(name, "none") == old.get(name, "none"), name
    assert not set(new) & set(new.values()), "a uuid is never used twice"
    linked = {item["id"]: item["links"] for item in copy.in_order() if "links" in item}
    assert linked == {1: [{"to": new[key(3)], "attributes": {"a": 1}}]}


def test_each_annotation_knows_where_it_comes_from_and_what_it_knew_before():
    origins = {item["id"]: item["origin"] for item in copied(rich(), "vector").in_order()}
    clone = {"kind": "clone", "label_set": str(LABEL_SET)}
    assert origins[1] == clone | {"annotation": key(1)}
    assert origins[2] == clone | {"annotation": key(2), "origin": MODEL}


def test_the_document_of_a_copy_differs_only_in_uuids_and_origins():
    def plain(state: LabelState) -> object:
        document = task_type("vector").render(state)
        for item in document["annotations"]:
            for name in ("uuid", "origin", "links_to"):
                item.pop(name, None)
        return document

    assert plain(copied(rich(), "vector")) == plain(rich())


def test_an_empty_label_is_copied_as_one():
    copy = copied(label(status="SKIPPED"), "vector")
    assert (copy.exists, copy.status, copy.annotations, copy.mask) == (True, "SKIPPED", {}, None)


def test_a_huge_label_is_copied_in_parts(monkeypatch):
    monkeypatch.setattr(documents, "PART_BYTES", 1000)
    state = label(*(annotation(number) for number in range(1, 21)), score=0.5)
    facts = task_type("vector").copied(state)
    assert len(facts) > 2 and all(isinstance(fact, e.LabelImported) for fact in facts)
    copy = copied(state, "vector")
    assert [item["id"] for item in copy.in_order()] == list(range(1, 21))
    assert (copy.status, copy.score) == ("LABELING_IN_PROGRESS", 0.5)


def test_a_link_to_what_is_gone_is_left_out():
    state = label(annotation(1, links=[{"to": key(9), "attributes": {}}]))
    assert [type(fact) for fact in task_type("vector").copied(state)] == [e.LabelImported]


def test_a_document_is_copied_verbatim():
    document = {"frames": [{"annotations": []}], "links": [], "extra": None}
    state = label(status="LABELED", score=0.5, document=document)
    copy = copied(state, "image-vector-sequence")
    assert (copy.document, copy.status, copy.score) == (document, "LABELED", 0.5)


def test_every_task_type_fits_itself_and_only_what_holds_all_that_it_can_hold():
    fits = {(one, two) for one in task_type_names() for two in task_type_names() if copies.labels_fit(one, two)}
    assert {(one, two) for one, two in fits if one != two} == {
        ("bboxes", "vector"),
        ("keypoints", "vector"),
        ("segmentation-bitmap", "segmentation-bitmap-highres"),
        ("segmentation-bitmap-highres", "segmentation-bitmap"),
        ("pointcloud-cuboid", "pointcloud-vector"),
        ("pointcloud-cuboid-sequence", "pointcloud-vector-sequence"),
    }
    assert {one for one, two in fits if one == two} == set(task_type_names())


@pytest.mark.parametrize("kind, others", copies.ALSO.items())
def test_what_fits_is_parsed_by_the_same_rules(kind, others):
    for other in others:
        one, two = task_type(kind), task_type(other)
        assert (type(one), one.has_mask, getattr(one, "container", "")) == (
            type(two), two.has_mask, getattr(two, "container", ""),
        )  # fmt: skip
