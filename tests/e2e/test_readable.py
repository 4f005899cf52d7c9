"""What the server takes over plain HTTP the SDK can read again: one odd value must not shut a dataset for everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from segments import SegmentsClient
from segments.resource_api import Dataset

from tests.e2e.conftest import MakeDataset, MakeSample
from tests.e2e.documents import bbox, label_attributes, vector_label
from tests.e2e.wire import Wire, label_path

Json = dict[str, Any]


def category(**more: Any) -> Json:
    return {"categories": [{"id": 1, "name": "car", **more}]}


def defined(**attribute: Any) -> Json:
    return category(attributes=[{"name": "colour", **attribute}])


TASK_ATTRIBUTES = [
    category(color="red"),
    category(color=[1, 2]),
    category(color=[1, 2, 3, 4, 5]),
    category(color=[1, 2, "3"]),
    category(color=[0.5, 2, 3]),
    category(has_instances="perhaps"),
    category(attributes="colour"),
    category(attributes=[5]),
    category(dimensions="small"),
    category(dimensions={"x": "wide"}),
    category(link_attributes=5),
    category(link_category_restrictions=["car"]),
    defined(),
    defined(input_type="zebra"),
    defined(input_type="select"),
    defined(input_type="select", values="red"),
    defined(input_type="select", values=[1]),
    defined(input_type="number", min="low"),
    defined(input_type="text", default_value=5),
    defined(input_type="checkbox", default_value="perhaps"),
    defined(input_type="text", is_mandatory="perhaps"),
    defined(input_type="text", sensor_filter=5),
    {"format_version": []},
    {"image_attributes": 5},
    {"image_attributes": [{"input_type": "text"}]},
    {"warning_rules": [{"name": "zebra"}]},
    {"warning_rules": 5},
]
UNPLACED: Json = {"type": "skeleton", "points": [{"name": "tail", "visibility": 0}]}
BOX_WITH: list[Json] = [
    {"attributes": {"colour": {"r": 1}}},
    {"attributes": {"tags": [1, 2]}},
    {"attributes": {"tags": [None]}},
    {"attributes": {"tags": [[]]}},
    {"track_id": "x", "is_keyframe": 5},
    {"uuid": 5},
    {"category": 5, "links_to": 5, "order": "x"},
    {"id": -5, "category_id": -(2**53) + 1},
    {"geometry": UNPLACED},
]
LABEL_WITH: list[Json] = [
    {"image_attributes": {"light": {"lux": 1}}},
    {"image_attributes": {"light": [1]}},
    {"image_attributes": 5},
    {"format_version": []},
    {"format_version": {"major": 0}},
    {"classifications": 5, "frames": 5, "sensors": "x", "segmentation_bitmap": 5, "links": 5},
]
EDITS: list[Json] = [
    {"op": "set_attributes", "annotation": 1, "attributes": {"colour": {"r": 1}}},
    {"op": "set_attributes", "annotation": 1, "attributes": {"tags": [1]}},
    {"op": "set_scene_attributes", "attributes": {"image_attributes": 5}},
    {"op": "set_scene_attributes", "attributes": {"image_attributes": {"light": {"lux": 1}}}},
    {"op": "set_scene_attributes", "attributes": {"format_version": []}},
    {
        "op": "set_geometry",
        "annotation": 1,
        "geometry": {"type": "skeleton", "points": [{"name": "t", "visibility": 0}]},
    },
    {"op": "set_score", "score": 1e308},
    {"op": "set_score", "annotation": 1, "score": -5},
    {"op": "set_category", "annotation": 1, "category_id": 2**53 - 1},
    {
        "op": "add",
        "category_id": None,
        "geometry": {"type": "point", "points": [[0, 0]]},
        "origin": {"a": [{"b": None}]},
    },
]
SAMPLES: list[Json] = [
    {},
    {"url": "a.png"},
    {"image": None},
    {"image": "a.png"},
    {"image": []},
    {"image": {"url": 5}},
    {"image": {"url": None}},
    {"image": {"url": "", "signed_url": 5}},
    {"image": {"url": ""}, "beside": {"anything": [1]}},
    {"frames": "x"},
    {"frames": []},
    {"frames": [{"image": {"url": ""}}]},
]
FRAMES: dict[str, list[Any]] = {
    "image-vector-sequence": ["x", [5], [None], [{}], [{"annotations": 5}], [{"annotations": [bbox(1)]}]],
    "image-segmentation-sequence": [["x"], [{"annotations": []}], [{"annotations": [], "segmentation_bitmap": 5}]],
    "pointcloud-cuboid-sequence": [["x"], [{"annotations": [{"id": 1}]}]],
    "pointcloud-segmentation-sequence": [["x"], [{"annotations": [], "point_annotations": ["x"]}]],
    "pointcloud-vector-sequence": [["x"], [{"annotations": [bbox(1)]}]],
}


def readable(status: int, field: str, read: Callable[[], Any]) -> None:
    """A refusal that names its field, or something that the SDK reads without a complaint."""
    assert status in (200, 201, 400)
    if status == 400:
        assert field
    else:
        read()


@pytest.fixture(scope="module")
def dataset(make_module_dataset: MakeDataset) -> Dataset:
    return make_module_dataset()


@pytest.mark.parametrize("document", TASK_ATTRIBUTES, ids=repr)
def test_task_attributes_that_are_taken_can_be_read(
    dataset: Dataset, admin: SegmentsClient, admin_wire: Wire, document: Json
) -> None:
    path = f"/datasets/{dataset.full_name}/"
    answer = admin_wire.send("PATCH", path, {"task_attributes": document})
    try:
        readable(answer.status_code, answer.json().get("field"), lambda: admin.get_dataset(dataset.full_name))
    finally:
        # Or the listing of all datasets would be shut for the tests that follow.
        assert admin_wire.send("PATCH", path, {"task_attributes": category()}).status_code == 200


@pytest.mark.parametrize("attributes", SAMPLES, ids=repr)
def test_a_sample_that_is_taken_can_be_read(make_dataset: MakeDataset, admin_wire: Wire, attributes: Json) -> None:
    dataset = make_dataset()
    body = {"name": "a.png", "attributes": attributes}
    answer = admin_wire.send("POST", f"/datasets/{dataset.full_name}/samples/", body)
    readable(answer.status_code, answer.json().get("field"), dataset.get_samples)


@pytest.mark.parametrize(
    "document",
    [*(vector_label(bbox(1) | more) for more in BOX_WITH), *(vector_label(bbox(1)) | more for more in LABEL_WITH)],
    ids=repr,
)
def test_a_label_that_is_taken_can_be_read(make_sample: MakeSample, admin_wire: Wire, document: Json) -> None:
    sample = make_sample()
    answer = admin_wire.send("PUT", label_path(sample.uuid), {"attributes": document})
    readable(answer.status_code, answer.json().get("field"), sample.get_label)


@pytest.mark.parametrize("edit", EDITS, ids=repr)
def test_a_label_can_be_read_after_an_edit_that_is_taken(make_sample: MakeSample, admin_wire: Wire, edit: Json) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(bbox(1)))
    answer = admin_wire.edit(sample.uuid, [edit])
    readable(answer.status_code, answer.json().get("field"), sample.get_label)


@pytest.mark.parametrize(
    ("task_type", "frames"), [(task_type, odd) for task_type, several in FRAMES.items() for odd in several], ids=repr
)
def test_a_sequence_label_that_is_taken_can_be_read(
    make_sample: MakeSample, admin_wire: Wire, task_type: str, frames: Any
) -> None:
    sample = make_sample(task_type)
    body = {"attributes": label_attributes(task_type) | {"frames": frames}}
    answer = admin_wire.send("PUT", label_path(sample.uuid), body)
    readable(answer.status_code, answer.json().get("field"), sample.get_label)
