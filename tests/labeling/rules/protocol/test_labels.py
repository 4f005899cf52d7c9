"""Label documents: what the SDK's models read is taken, what they do not read is refused by its field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segments import typing as sdk

from labeling.errors import InvalidValue
from labeling.log.values import untagged
from labeling.rules.protocol.labels import LABELS, check_label, check_scene, checked_attributes
from labeling.rules.task_types import task_type, task_type_names
from tests.e2e.documents import label_attributes
from tests.support.bent import bent
from tests.support.judge import assert_judged, is_readable, refusal, sweep

JSON = dict[str, Any]
MODELS: dict[str, Any] = {
    "image-segmentation-sequence": sdk.ImageSequenceSegmentationLabelAttributes,
    "image-vector-sequence": sdk.ImageSequenceVectorLabelAttributes,
    "pointcloud-cuboid": sdk.PointcloudCuboidLabelAttributes,
    "pointcloud-cuboid-sequence": sdk.PointcloudSequenceCuboidLabelAttributes,
    "pointcloud-segmentation": sdk.PointcloudSegmentationLabelAttributes,
    "pointcloud-segmentation-sequence": sdk.PointcloudSequenceSegmentationLabelAttributes,
    "pointcloud-vector": sdk.PointcloudVectorLabelAttributes,
    "pointcloud-vector-sequence": sdk.PointcloudSequenceVectorLabelAttributes,
    "multisensor-sequence": sdk.MultiSensorLabelAttributes,
    "": sdk.LabelAttributes,
}
IMAGE_MODELS: dict[str, Any] = {
    "vector": sdk.ImageVectorLabelAttributes,
    "bboxes": sdk.ImageVectorLabelAttributes,
    "keypoints": sdk.ImageVectorLabelAttributes,
    "segmentation-bitmap": sdk.ImageSegmentationLabelAttributes,
}
#: Two corners of a box, pairs in an image and pairs or triples in space; a sensor without a label has an empty list.
STRICTER = r"points(\[\d+\])?$|sensors\[\d+\]\.attributes$"


def good(name: str) -> JSON:
    return label_attributes(name or "pointcloud-vector-sequence", "https://example.org/mask.png")


def parse(name: str, document: Any) -> None:
    task_type(name).parse(document, "attributes")


def test_every_task_type_is_checked():
    assert {*MODELS, *IMAGE_MODELS, "segmentation-bitmap-highres"} == {*task_type_names()}
    assert {*LABELS} == {*MODELS}


@pytest.mark.parametrize("name", [name for name in MODELS if name])
def test_every_single_fault_is_judged_as_the_sdk_does(name: str):
    sweep(
        lambda document: check_label(name, document),
        MODELS[name],
        sdk.LabelAttributes,
        good(name),
        told_by="type|task_type",
        stricter=STRICTER,
    )


@pytest.mark.parametrize("name", MODELS)
@given(data=st.data())
def test_whatever_is_taken_the_sdk_reads(name: str, data: st.DataObject):
    assert_judged(lambda document: check_label(name, document), MODELS[name], data.draw(bent(good(name))))


@pytest.mark.parametrize("name", IMAGE_MODELS)
@given(data=st.data())
def test_whatever_is_taken_of_an_image_label_the_sdk_reads(name: str, data: st.DataObject):
    document = data.draw(bent(good(name)))
    if name == "segmentation-bitmap":  # the bitmap is rendered from what we know of it
        document = document | {"segmentation_bitmap": {}} if isinstance(document, dict) else document
    assert_judged(lambda document: parse(name, document), IMAGE_MODELS[name], document)


#: What clients send strangely, and platforms hand out.
STRANGE: list[tuple[str, JSON]] = [
    ("image-vector-sequence", {"frames": []}),
    ("image-vector-sequence", {"frames": [{"annotations": []}], "links": "theirs", "odd": {"a": [1]}}),
    ("image-vector-sequence", {"frames": [{"annotations": [], "timestamp": None, "image_attributes": None}]}),
    ("image-vector-sequence", {"frames": [{"annotations": [], "timestamp": {"$int": "1700000000123456789"}}]}),
    ("image-segmentation-sequence", {"frames": [{"annotations": []}]}),
    ("image-segmentation-sequence", {"frames": [{"annotations": [], "segmentation_bitmap": {}}], "format_version": 2}),
    ("pointcloud-cuboid", {"annotations": [], "links": None, "format_version": 0.1}),
    ("pointcloud-segmentation", {"annotations": [], "point_annotations": []}),
    ("multisensor-sequence", {"sensors": []}),
    ("", {"annotations": []}),
    ("", {"frames": []}),
    ("", {"annotations": [{"id": 1, "category_id": 1}], "segmentation_bitmap": {"url": None}}),
]


@pytest.mark.parametrize("name, document", STRANGE)
def test_what_is_strange_and_can_be_read_is_taken(name: str, document: JSON):
    assert refusal(lambda item: check_label(name, item), document) is None
    assert is_readable(MODELS[name], untagged(document))


def test_two_numbers_are_a_point_in_space_too():
    shape = {"id": 1, "category_id": 1, "type": "polygon", "points": [[1.5, 2.5], [3, 4]]}
    check_label("pointcloud-vector", {"annotations": [shape]})


def with_frame(**annotation: Any) -> JSON:
    box = {"id": 1, "category_id": 1, "track_id": 6, "type": "bbox", "points": [[1, 2], [3, 4]]} | annotation
    return {"frames": [{"annotations": []}, {"annotations": [{**box, "attributes": {}}, box]}]}


BOX = ".frames[1].annotations[0]"
SENSOR_TYPES = (
    "must be one of pointcloud-cuboid-sequence, pointcloud-vector-sequence, pointcloud-segmentation-sequence, "
    "image-vector-sequence, image-segmentation-sequence"
)
PAIRS = "must be [x, y], all numbers"
#: A task type, a document, and the field and the words of the refusal.
FAULTS: list[tuple[str, Any, str, str]] = [
    ("image-vector-sequence", None, "", "must be an object"),
    ("image-vector-sequence", {}, ".frames", "is required"),
    ("image-vector-sequence", {"frames": {}}, ".frames", "must be a list"),
    ("image-vector-sequence", {"frames": [{}]}, ".frames[0].annotations", "is required"),
    ("image-vector-sequence", with_frame(track_id=None), f"{BOX}.track_id", "must be a whole number"),
    ("image-vector-sequence", with_frame(track_id=1.0), f"{BOX}.track_id", "must be a whole number"),
    ("image-vector-sequence", with_frame(is_keyframe=1), f"{BOX}.is_keyframe", "must be true or false"),
    ("image-vector-sequence", with_frame(is_keyframe=None), f"{BOX}.is_keyframe", "must be true or false"),
    ("image-vector-sequence", with_frame(points=5), f"{BOX}.points", "must be a list"),
    ("image-vector-sequence", with_frame(points=[[1, 2], [3, None]]), f"{BOX}.points[1]", PAIRS),
    ("image-vector-sequence", with_frame(points=[[1, 2], [3, 4, 5]]), f"{BOX}.points[1]", PAIRS),
    ("image-vector-sequence", with_frame(points=[[1, 2], [True, 4]]), f"{BOX}.points[1]", PAIRS),
    (
        "image-vector-sequence",
        with_frame(points=[[1, 2]]),
        f"{BOX}.points",
        "must be the top left and bottom right",
    ),
    ("image-vector-sequence", with_frame(type="zebra"), f"{BOX}.type", "must be one of bbox, polygon, polyline, point"),
    ("pointcloud-cuboid", {"annotations": [{}]}, ".annotations[0].type", "is required"),
    ("pointcloud-cuboid", {"annotations": [{"type": 5}]}, ".annotations[0].type", "must be one of cuboid, cuboid-sync"),
    ("pointcloud-cuboid", {"annotations": [], "links": [{"from_id": 1}]}, ".links[0].to_id", "is required"),
    (
        "pointcloud-cuboid",
        {"annotations": [], "links": [{"from_id": 1, "to_id": 2, "frames": [{}]}]},
        ".links[0].frames[0].attributes",
        "is required",
    ),
    (
        "pointcloud-vector",
        {"annotations": [{"type": "point", "points": [[1]]}]},
        ".annotations[0].points[0]",
        "must be [x, y] or [x, y, z], all numbers",
    ),
    ("pointcloud-segmentation", {"annotations": []}, ".point_annotations", "is required"),
    (
        "pointcloud-segmentation",
        {"annotations": [], "point_annotations": [0, True]},
        ".point_annotations[1]",
        "must be a whole number",
    ),
    (
        "multisensor-sequence",
        {"sensors": [{"name": "a", "task_type": "image-vector-sequence", "attributes": None}]},
        ".sensors[0].attributes",
        "must be an object",
    ),
    ("", {}, ".annotations", "is required"),
    ("", {"frames": [{"annotations": 5}]}, ".frames[0].annotations", "must be a list"),
    ("", {"odd": 1, "sensors": [{"task_type": "vector"}], "more": 1}, ".sensors[0].task_type", SENSOR_TYPES),
]


@pytest.mark.parametrize("name, document, field, problem", FAULTS)
def test_a_fault_is_told_by_its_path(name: str, document: Any, field: str, problem: str):
    with pytest.raises(InvalidValue) as caught:
        check_label(name, document)
    assert (caught.value.field, caught.value.problem) == (f"attributes{field}", problem)


def test_a_multisensor_label_checks_what_its_sensors_say():
    document = label_attributes("multisensor-sequence")
    document["sensors"][1]["attributes"]["frames"][0]["annotations"][0]["points"][1] = [5]
    with pytest.raises(InvalidValue) as caught:
        check_label("multisensor-sequence", document)
    assert caught.value.field == "attributes.sensors[1].attributes.frames[0].annotations[0].points[1]"


# --- attributes and what holds for the whole image -----------------------------------------------------------------

VALUES: list[tuple[Any, str]] = [
    ({}, ""),
    ({"a": "x", "b": True, "c": 1, "d": 0.5, "e": None, "f": [], "g": ["x", ""], "": ""}, ""),
    ({"timestamp": {"$int": "1700000000123456789"}}, ""),
    (None, "x"),
    ([], "x"),
    ("a", "x"),
    ({"a": {}}, "x.a"),
    ({"a": 1, "b": {"c": 1}}, "x.b"),
    ({"a": [1]}, "x.a[0]"),
    ({"a": ["b", None]}, "x.a[1]"),
    ({"a": [[]]}, "x.a[0]"),
    ({"no word": {}}, "x.?"),
]


@pytest.mark.parametrize("value, field", VALUES)
def test_attributes_are_scalars_or_lists_of_strings(value: Any, field: str):
    error = refusal(lambda item: checked_attributes(item, "x"), value)
    assert (error.field if error else "") == field


@pytest.mark.parametrize(
    "document, field",
    [
        ({}, ""),
        ({"image_attributes": None, "format_version": None, "annotations": 5}, ""),
        ({"image_attributes": {"a": 1}, "format_version": "0.1"}, ""),
        ({"format_version": 1}, ""),
        ({"format_version": 0.5}, ""),
        ({"format_version": True}, "x.format_version"),
        ({"format_version": []}, "x.format_version"),
        ({"format_version": {}}, "x.format_version"),
        ({"image_attributes": 5}, "x.image_attributes"),
        ({"image_attributes": {"a": [1]}}, "x.image_attributes.a[0]"),
    ],
)
def test_what_holds_for_the_whole_image(document: JSON, field: str):
    error = refusal(lambda item: check_scene(item, "x"), document)
    assert (error.field if error else "") == field
