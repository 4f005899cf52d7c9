"""Attributes of samples, by the task type of their dataset."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segments import typing as sdk

from labeling.errors import InvalidValue
from labeling.rules.protocol.samples import check_sample
from labeling.rules.task_types import task_type_names
from tests.e2e.documents import sample_attributes
from tests.support.bent import bent
from tests.support.judge import assert_judged, refusal, sweep

JSON = dict[str, Any]
URL = "https://example.org/street.png"
#: A task type of each kind of sample, and the model that reads it.
KINDS: dict[str, Any] = {
    "vector": sdk.ImageSampleAttributes,
    "image-segmentation-sequence": sdk.ImageSequenceSampleAttributes,
    "pointcloud-cuboid": sdk.PointcloudSampleAttributes,
    "pointcloud-vector-sequence": sdk.PointcloudSequenceSampleAttributes,
    "multisensor-sequence": sdk.MultiSensorSampleAttributes,
}
KIND_OF = {
    "bboxes": "vector",
    "image-segmentation-sequence": "image-segmentation-sequence",
    "image-vector-sequence": "image-segmentation-sequence",
    "keypoints": "vector",
    "multisensor-sequence": "multisensor-sequence",
    "pointcloud-cuboid": "pointcloud-cuboid",
    "pointcloud-cuboid-sequence": "pointcloud-vector-sequence",
    "pointcloud-segmentation": "pointcloud-cuboid",
    "pointcloud-segmentation-sequence": "pointcloud-vector-sequence",
    "pointcloud-vector": "pointcloud-cuboid",
    "pointcloud-vector-sequence": "pointcloud-vector-sequence",
    "segmentation-bitmap": "vector",
    "segmentation-bitmap-highres": "vector",
    "vector": "vector",
}


@pytest.mark.parametrize("name", KINDS)
def test_every_single_fault_is_judged_as_the_sdk_does(name: str):
    document = sample_attributes(name, URL)
    for part in (document, *(sensor["attributes"] for sensor in document.get("sensors", []))):
        if "frames" in part:
            part["frames"] = part["frames"][:1]  # the others are of the same form
    sweep(
        lambda item: check_sample(name, item),
        KINDS[name],
        sdk.SampleAttributes,
        document,
        told_by="model|task_type",
    )


@pytest.mark.parametrize("name", [*KINDS, ""])
@given(data=st.data())
def test_whatever_is_taken_the_sdk_reads(name: str, data: st.DataObject):
    document = data.draw(bent(sample_attributes(name or data.draw(st.sampled_from([*KINDS])), URL)))
    assert_judged(lambda item: check_sample(name, item), KINDS.get(name, sdk.SampleAttributes), document)


def test_every_task_type_has_a_kind_of_sample():
    assert {*KIND_OF, ""} == {*task_type_names()}


@pytest.mark.parametrize("name, kind", KIND_OF.items())
def test_a_dataset_takes_the_samples_of_its_task_type_only(name: str, kind: str):
    for other in KINDS:
        error = refusal(lambda item: check_sample(name, item), sample_attributes(other, URL))
        assert (error is None) == (other == kind)
        assert refusal(lambda item: check_sample("", item), sample_attributes(other, URL)) is None


CLOUD: JSON = {"pcd": {"url": "", "type": "pcd"}}
CORNERS: JSON = {name: {"x": 0, "y": 0.5} for name in ("top_left", "top_right", "bottom_right", "bottom_left")}
FISHEYE: JSON = {"model": "fisheye", "coefficients": {"k1": 0, "k2": 0, "k3": 0, "k4": 0}}


def with_heights(**fields: Any) -> JSON:
    heights = {"url": "", "encoding": "rgb16", **fields}
    return CLOUD | {"ortho_images": [{"url": "", "corners": CORNERS, "height_map": heights}]}


#: What clients send strangely.
STRANGE: list[tuple[str, JSON]] = [
    ("vector", {"image": {}}),
    ("vector", {"image": {"url": None, "signed_url": None}}),
    ("vector", {"image": {"url": ""}, "frames": 5, "odd": {"a": [1]}}),
    ("vector", {"image": {"url": "url", "width": "12"}}),
    ("image-vector-sequence", {"frames": []}),
    ("image-vector-sequence", {"frames": [{"image": {"url": ""}, "name": None, "timestamp": None}]}),
    ("image-vector-sequence", {"frames": [{"image": {}, "timestamp": {"$int": "1700000000123456789"}}]}),
    ("pointcloud-vector", CLOUD),
    ("pointcloud-vector", CLOUD | {"images": [], "ego_pose": None, "bounds": None, "ortho_images": None, "x": 1}),
    ("pointcloud-vector", CLOUD | {"images": [{}], "bounds": {}, "ortho_images": [], "timestamp": 1.5}),
    ("pointcloud-vector", CLOUD | {"images": [{"distortion": FISHEYE, "intrinsics": {"intrinsic_matrix": []}}]}),
    ("pointcloud-vector", with_heights()),
    ("pointcloud-cuboid-sequence", {"frames": [], "ortho_images": None}),
    ("multisensor-sequence", {"sensors": []}),
]


@pytest.mark.parametrize("name, document", STRANGE)
def test_what_is_strange_is_taken(name: str, document: JSON):
    check_sample(name, document)


#: A task type, attributes, and the field of the refusal.
FAULTS: list[tuple[str, Any, str]] = [
    ("vector", {}, ".image"),
    ("vector", {"image": None}, ".image"),
    ("vector", {"image": "a.png"}, ".image"),
    ("vector", {"image": {"url": 5}}, ".image.url"),
    ("vector", {"image": {"url": "", "signed_url": 5}}, ".image.signed_url"),
    ("vector", {"frames": [{"image": {"url": ""}}]}, ".image"),
    ("image-vector-sequence", {"frames": [{"image": {}}, {"image": {"url": []}}]}, ".frames[1].image.url"),
    ("image-vector-sequence", {"frames": [{"image": {}, "timestamp": [1]}]}, ".frames[0].timestamp"),
    ("image-vector-sequence", {"frames": [CLOUD]}, ".frames[0].image"),
    ("pointcloud-vector", {"pcd": {"url": None, "type": "pcd"}}, ".pcd.url"),
    ("pointcloud-vector", {"pcd": {"url": ""}}, ".pcd.type"),
    ("pointcloud-vector", {"pcd": {"url": "", "type": "xyz"}}, ".pcd.type"),
    ("pointcloud-vector", CLOUD | {"images": None}, ".images"),
    ("pointcloud-vector", CLOUD | {"images": [{"camera_convention": None}]}, ".images[0].camera_convention"),
    ("pointcloud-vector", CLOUD | {"images": [{"row": 0.5}]}, ".images[0].row"),
    (
        "pointcloud-vector",
        CLOUD | {"images": [{"intrinsics": {"intrinsic_matrix": [[1], [1, "2"]]}}]},
        ".images[0].intrinsics.intrinsic_matrix[1][1]",
    ),
    ("pointcloud-vector", CLOUD | {"images": [{"distortion": {"model": "a"}}]}, ".images[0].distortion.model"),
    (
        "pointcloud-vector",
        CLOUD | {"images": [{"distortion": FISHEYE | {"model": "brown-conrady"}}]},
        ".images[0].distortion.coefficients.p1",
    ),
    ("pointcloud-vector", CLOUD | {"ego_pose": {"position": {}}}, ".ego_pose.position.x"),
    ("pointcloud-vector", CLOUD | {"bounds": {"min_x": ""}}, ".bounds.min_x"),
    ("pointcloud-vector", CLOUD | {"ortho_images": [{"corners": CORNERS}]}, ".ortho_images[0].url"),
    ("pointcloud-vector", CLOUD | {"ortho_images": [{"url": "", "corners": {}}]}, ".ortho_images[0].corners.top_left"),
    *[
        ("pointcloud-vector", with_heights(**{key: bad}), f".ortho_images[0].height_map.{key}")
        for key, bad in (("encoding", "a"), ("scale", 0), ("scale", -1), ("scale", None), ("offset", ""), ("url", None))
    ],
    ("multisensor-sequence", {"sensors": [{"name": "a", "task_type": "vector"}]}, ".sensors[0].task_type"),
    (
        "multisensor-sequence",
        {"sensors": [{"name": "a", "task_type": "image-vector-sequence", "attributes": {"frames": [CLOUD]}}]},
        ".sensors[0].attributes.frames[0].image",
    ),
    ("multisensor-sequence", {"sensors": [{"task_type": "image-vector-sequence"}]}, ".sensors[0].name"),
    ("", {}, ".image"),
    ("", {"frames": [CLOUD, {"pcd": 5}]}, ".frames[1].pcd"),
]  # fmt: skip


@pytest.mark.parametrize("name, document, field", FAULTS)
def test_a_fault_is_told_by_its_path(name: str, document: Any, field: str):
    with pytest.raises(InvalidValue) as caught:
        check_sample(name, document)
    assert caught.value.field == f"attributes{field}"
    with pytest.raises(InvalidValue) as caught:
        check_sample(name, document, "[7].attributes")
    assert caught.value.field == f"[7].attributes{field}"
