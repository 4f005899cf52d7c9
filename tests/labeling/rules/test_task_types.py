"""The plug board: which task types there are, and documents that are kept as they came."""

from __future__ import annotations

from typing import Any

import pytest

from labeling import events as e
from labeling.errors import InvalidValue
from labeling.rules import task_types
from labeling.rules.task_types import AnnotationTask, VerbatimTask, task_type, task_type_names
from tests.support.labels import after, annotation, label, no_label

JSON = dict[str, Any]
BY_ANNOTATION = ("vector", "bboxes", "keypoints", "segmentation-bitmap", "segmentation-bitmap-highres")
TRACKED = {
    "image-segmentation-sequence": "frames",
    "image-vector-sequence": "frames",
    "pointcloud-cuboid-sequence": "frames",
    "pointcloud-vector-sequence": "frames",
    "multisensor-sequence": "sensors",
}
CONTAINERS = {
    "pointcloud-cuboid": "annotations",
    "pointcloud-segmentation": "annotations",
    "pointcloud-segmentation-sequence": "frames",
    "pointcloud-vector": "annotations",
}


def test_every_task_type_of_the_protocol_is_known():
    assert set(task_type_names()) == {*BY_ANNOTATION, *CONTAINERS, *TRACKED, ""}


@pytest.mark.parametrize("name", BY_ANNOTATION)
def test_these_are_kept_annotation_by_annotation(name):
    kind = task_type(name)
    assert (kind.name, kind.by_annotation, kind.has_mask) == (name, True, name.startswith("segmentation"))


@pytest.mark.parametrize("name", [*CONTAINERS, ""])
def test_these_are_kept_as_they_came(name):
    kind = task_type(name)
    assert (kind.name, kind.by_annotation, kind.has_mask) == (name, False, False)


@pytest.mark.parametrize("name, container", (CONTAINERS | TRACKED).items())
def test_a_document_without_its_container_is_refused(name, container):
    for bad in ({}, {container: None}, {container: {}}, {container: "x"}):
        with pytest.raises(InvalidValue) as caught:
            task_type(name).parse(bad, "attributes")
        assert caught.value.field == f"attributes.{container}"


@pytest.mark.parametrize("name", [*CONTAINERS, ""])
def test_a_verbatim_document_is_one_event_a_save_and_none_when_it_is_the_same(name):
    kind = task_type(name)
    document: JSON = {CONTAINERS.get(name, "annotations"): [], "odd": {"a": [1, None]}}
    if name == "pointcloud-segmentation":
        document["point_annotations"] = []
    facts = kind.first(no_label(), kind.parse(document, "attributes"), "LABELED", 0.5, None)
    assert facts == [
        e.LabelDocumentSet(document=document),
        e.LabelStatusChanged(before=None, after="LABELED", verb="upload"),
        e.LabelScoreSet(score=0.5),
    ]
    state = after(no_label(), *facts)
    assert kind.render(state) == document
    assert kind.changes(state, kind.parse({**document, "odd": {"a": [1.0, None]}}, "attributes")).facts == []
    other = document | {"odd": {"a": [True, None]}}
    assert kind.changes(state, kind.parse(other, "attributes")).facts == [e.LabelDocumentSet(document=other)]


def test_a_label_without_a_document_is_shown_empty():
    assert task_type("pointcloud-cuboid").render(label()) == {}


@pytest.mark.parametrize(
    "mask, shown",
    [
        (None, {"url": None}),
        ({"url": None}, {"url": None}),
        ({"url": "https://example.org/m.png"}, {"url": "https://example.org/m.png"}),
        (
            {"url": "/media/t/m.png", "hash": "ab", "width": 3, "height": 2},
            {"url": "/media/t/m.png", "hash": "ab", "size_wh": [3, 2]},
        ),
    ],
)
def test_how_a_bitmap_is_shown(mask, shown):
    state = label(annotation(1, geometry={"type": "mask"}), mask=mask)
    document = task_type("segmentation-bitmap").render(state)
    assert document["segmentation_bitmap"] == shown
    assert [item["id"] for item in document["annotations"]] == [1]
    assert "type" not in document["annotations"][0]


def test_a_later_app_can_take_the_place_of_a_task_type(monkeypatch):
    monkeypatch.setattr(task_types, "_task_types", dict(task_types._task_types))
    richer = AnnotationTask("image-vector-sequence")
    task_types.register(richer)
    assert task_type("image-vector-sequence") is richer
    assert isinstance(task_type("pointcloud-vector"), VerbatimTask)
