"""A realistic sample and label for each task type of the protocol, with the odd but legal things that clients send."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from segments.typing import TaskType

Json = dict[str, Any]

# Task types whose labels are edited annotation by annotation; the others are stored as one document a save.
VECTOR_TYPES = ("vector", "bboxes", "keypoints")
BITMAP_TYPES = ("segmentation-bitmap", "segmentation-bitmap-highres")
ALL_TYPES = tuple(sorted(member.value for member in TaskType if member.value))
# A nanosecond clock reads beyond 2**53 and does not survive a float.
TIMESTAMP_NS = 1_700_000_000_123_456_789

EVERY_KIND_OF_VALUE: Json = {
    "colour": "rouge foncé 🚗",
    "occluded": True,
    "parked": False,
    "wheels": 4,
    "confidence": 0.30000000000000004,
    "tags": ["wet", "at night"],
    "no tags": [],
    "unset": None,
    "": "a name of no letters",
}
SCENE: Json = {"weather": "rain", "lanes": 3, "daylight": False}

TASK_ATTRIBUTES: Json = {
    "format_version": "0.1",
    "categories": [
        {
            "id": 1,
            "name": "car",
            "color": [220, 20, 60],
            "has_instances": True,
            "attributes": [
                {"name": "colour", "input_type": "text"},
                {"name": "occluded", "input_type": "checkbox", "default_value": False},
                {"name": "wheels", "input_type": "number", "min": 1, "max": 20, "step": 1},
            ],
        },
        {"id": 2, "name": "road", "color": [128, 64, 128, 255], "has_instances": False},
        {"id": 7, "name": "person", "has_instances": True},
    ],
    "image_attributes": [{"name": "weather", "input_type": "select", "values": ["sun", "rain"], "is_mandatory": True}],
}


def sample_attributes(task_type: str, image_url: str) -> Json:
    """The sample that a dataset of this task type holds; images are at `image_url`, clouds are nowhere."""
    frames = [
        {"image": {"url": image_url}, "name": "left-000", "timestamp": TIMESTAMP_NS},
        {"image": {"url": ""}, "timestamp": "00002"},
        {"image": {"url": "url"}},
    ]
    cloud: Json = {
        "pcd": {"url": "https://clouds.example/scan-000.bin", "type": "kitti"},
        "images": [
            {
                "url": image_url,
                "row": 0,
                "col": 1,
                "name": "front",
                "intrinsics": {"intrinsic_matrix": [[1266.4, 0.0, 816.2], [0.0, 1266.4, 491.5], [0.0, 0.0, 1.0]]},
                "extrinsics": {
                    "translation": {"x": 1.7, "y": 0.016, "z": 1.51},
                    "rotation": {"qx": 0.5, "qy": -0.5, "qz": 0.5, "qw": -0.5},
                },
                "distortion": {
                    "model": "brown-conrady",
                    "coefficients": {"k1": -0.05, "k2": 0.01, "p1": 0.0, "p2": 1e-7, "k3": 0.0},
                },
                "camera_convention": "OpenCV",
                "rotation": 180.0,
            }
        ],
        # An all-zero heading turns nothing and is sent all the same.
        "ego_pose": {
            "position": {"x": 411.3, "y": -1180.89, "z": 0.0},
            "heading": {"qx": 0.0, "qy": 0.0, "qz": 0.0, "qw": 0.0},
        },
        "default_z": -1.73,
        "name": "scan 0",
        "timestamp": TIMESTAMP_NS,
        "bounds": {"min_z": -3.0, "max_z": 12.5},
    }
    sequence: Json = {
        "frames": [cloud, cloud | {"timestamp": TIMESTAMP_NS + 100_000_000, "name": "scan 1"}],
        "ortho_images": [
            {
                "url": "https://maps.example/tile.png",
                "corners": {
                    "top_left": {"x": 0.0, "y": 50.0},
                    "top_right": {"x": 50.0, "y": 50.0},
                    "bottom_right": {"x": 50.0, "y": 0.0},
                    "bottom_left": {"x": 0.0, "y": 0.0},
                },
                "height_map": {"url": "", "encoding": "rgb16", "offset": -20.0, "scale": 0.01},
            }
        ],
    }
    if task_type == "multisensor-sequence":
        return {
            "sensors": [
                {"name": "lidar", "task_type": "pointcloud-cuboid-sequence", "attributes": sequence},
                {"name": "left", "task_type": "image-vector-sequence", "attributes": {"frames": frames}},
                {"name": "right", "task_type": "image-segmentation-sequence", "attributes": {"frames": frames[:1]}},
            ]
        }
    if task_type.startswith("pointcloud"):
        return sequence if task_type.endswith("sequence") else cloud
    if task_type.endswith("sequence"):
        return {"frames": frames}
    return {"image": {"url": image_url}}


def label_attributes(task_type: str, bitmap_url: str = "") -> Json:
    """A label document of this task type, as the SDK would send it; masks are at `bitmap_url`."""
    return _LABELS[task_type](bitmap_url)


def plain(document: Json) -> Json:
    """A label document without the uuids that the server puts beside the protocol's fields."""
    if "annotations" not in document:
        return document
    bare = [{k: v for k, v in annotation.items() if k != "uuid"} for annotation in document["annotations"]]
    return document | {"annotations": bare}


def bbox(annotation_id: int, category_id: int = 1, *, x: float = 10.0, y: float = 20.0, **more: Any) -> Json:
    """A box of 30 by 40 pixels whose top left corner is at (x, y)."""
    points = [[x, y], [x + 30.0, y + 40.0]]
    return {"id": annotation_id, "category_id": category_id, "type": "bbox", "points": points, **more}


def vector_label(*annotations: Json, **more: Any) -> Json:
    """A label document of the image vector types."""
    return {"annotations": list(annotations), "format_version": "0.1", **more}


def _vector(_: str) -> Json:
    outline = [[12.34, 56.78], [90.12, 34.56], [78.91, 23.45], [67.89, 98.76], [54.32, 10.01]]
    return vector_label(
        bbox(1, attributes=EVERY_KIND_OF_VALUE),
        # Corners the wrong way round, a category that the dataset does not have, points outside the picture.
        {"id": 5, "category_id": 404, "type": "bbox", "points": [[90.5, 80.25], [12.125, 34.0625]]},
        {"id": 2, "category_id": 2, "type": "polygon", "points": outline, "attributes": {}},
        {"id": 3, "category_id": 7, "type": "polyline", "points": [[-5.5, 0.1], [0.1, 1e-7], [1e6, 3.0]]},
        {"id": 4, "category_id": 7, "type": "point", "points": [[1 / 3, 2 / 3]], "attributes": {"undeclared": 1}},
        image_attributes=SCENE,
    )


def _bboxes(_: str) -> Json:
    return vector_label(bbox(1), bbox(2, 2, x=0.0, y=0.5), bbox(9, 1, x=60.25, y=3.0, attributes=EVERY_KIND_OF_VALUE))


def _keypoints(_: str) -> Json:
    return vector_label(
        *({"id": n, "category_id": 7, "type": "point", "points": [[10.5 * n, 7.25]]} for n in range(1, 5)),
        image_attributes={"pose": "standing"},
    )


def _segmentation(bitmap_url: str) -> Json:
    return {
        "format_version": "0.1",
        "annotations": [
            {"id": 1, "category_id": 1, "attributes": EVERY_KIND_OF_VALUE},
            {"id": 2, "category_id": 2},
            {"id": 300, "category_id": 7, "attributes": {}},
        ],
        "segmentation_bitmap": {"url": bitmap_url},
        "image_attributes": SCENE,
    }


def _image_segmentation_sequence(bitmap_url: str) -> Json:
    first = {"id": 1, "category_id": 1, "track_id": 1, "is_keyframe": True, "attributes": EVERY_KIND_OF_VALUE}
    return {
        "format_version": "0.2",
        "frames": [
            {"annotations": [first], "segmentation_bitmap": {"url": bitmap_url}, "timestamp": TIMESTAMP_NS},
            {"annotations": [{"id": 1, "category_id": 1, "track_id": 1}], "segmentation_bitmap": None},
            {"annotations": [], "segmentation_bitmap": {"url": ""}, "image_attributes": SCENE},
        ],
    }


def _image_vector_sequence(_: str) -> Json:
    def at(x: float, *, keyframe: bool) -> Json:
        return bbox(6, x=x) | {"track_id": 6, "is_keyframe": keyframe}

    # A track without a keyframe, a track without the flag, an object that leaves and comes back, four frames of labels.
    ghost = {
        "id": 8,
        "category_id": 2,
        "track_id": 8,
        "type": "polygon",
        "points": [[0.0, 0.0], [4.0, 0.0], [0.0, 3.0]],
    }
    return {
        "format_version": "0.2",
        "frames": [
            {"annotations": [at(0.0, keyframe=True), ghost], "timestamp": TIMESTAMP_NS, "format_version": "0.1"},
            {"annotations": [at(5.0, keyframe=False), ghost | {"is_keyframe": False}], "timestamp": "00002"},
            {"annotations": []},
            {"annotations": [at(30.5, keyframe=True)], "image_attributes": SCENE},
        ],
    }


def _pointcloud_segmentation(_: str) -> Json:
    return {
        "format_version": "0.1",
        "annotations": [{"id": 1, "category_id": 1}, {"id": 2, "category_id": 404, "attributes": EVERY_KIND_OF_VALUE}],
        "point_annotations": [0, 0, 1, 1, 2, 0, 2, 1],
        "image_attributes": SCENE,
    }


def _pointcloud_segmentation_sequence(_: str) -> Json:
    frame = {
        "annotations": [{"id": 1, "category_id": 1, "track_id": 3}, {"id": 2, "category_id": 2, "track_id": 4}],
        "point_annotations": [0, 2, 2, 1],
    }
    empty = {"annotations": [], "point_annotations": [], "timestamp": "00002"}
    return {"format_version": "0.2", "frames": [frame | {"timestamp": TIMESTAMP_NS}, empty, frame]}


def _cuboid(annotation_id: int, **more: Any) -> Json:
    return {
        "id": annotation_id,
        "category_id": 1,
        "type": "cuboid",
        "position": {"x": 12.75, "y": -3.2, "z": 0.91},
        "dimensions": {"x": 4.6, "y": 1.9, "z": 1.7},
        "yaw": -3.141592653589793,
        **more,
    }


def _link(**more: Any) -> Json:
    return {"from_id": 1, "to_id": 2, "attributes": {"relation": "tows"}, **more}


def _pointcloud_cuboid(_: str) -> Json:
    turned = _cuboid(
        2,
        type="cuboid-sync",
        rotation={"qx": 0.0, "qy": 0.0, "qz": 0.0, "qw": 0.0},
        velocity={"relative": None, "absolute": 8.25},
        acceleration={"relative": -0.5, "absolute": 0.5},
        attributes=EVERY_KIND_OF_VALUE,
    )
    return {"format_version": "0.1", "annotations": [_cuboid(1), turned], "links": [_link()], "image_attributes": SCENE}


def _pointcloud_cuboid_sequence(_: str) -> Json:
    def at(track_id: int, **more: Any) -> Json:
        return _cuboid(track_id, track_id=track_id, **more)

    return {
        "format_version": "0.2",
        "frames": [
            {"annotations": [at(1, is_keyframe=True), at(2)], "timestamp": TIMESTAMP_NS},
            {"annotations": [at(1, is_keyframe=False)], "timestamp": TIMESTAMP_NS + 1},
        ],
        "links": [_link(frames=[{"attributes": {"distance": 3.5}}, {"attributes": {}}])],
    }


def _spatial(annotation_id: int, kind: str, points: list[list[float]], **more: Any) -> Json:
    return {"id": annotation_id, "category_id": 2, "type": kind, "points": points, **more}


def _pointcloud_vector(_: str) -> Json:
    return {
        "format_version": "0.1",
        "annotations": [
            _spatial(1, "polygon", [[0.0, 0.0, -1.5], [4.0, 0.0, -1.5], [4.0, 3.0, -1.25]]),
            _spatial(2, "polyline", [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], attributes=EVERY_KIND_OF_VALUE),
            _spatial(3, "point", [[1e-3, -7.5, 0.0]]),
            _cuboid(4),
        ],
        "links": [_link()],
    }


def _pointcloud_vector_sequence(_: str) -> Json:
    lane = _spatial(3, "polyline", [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], track_id=3, is_keyframe=True)
    return {
        "format_version": "0.2",
        "frames": [
            {"annotations": [lane, _cuboid(1, track_id=1, is_keyframe=True)], "timestamp": TIMESTAMP_NS},
            {"annotations": [lane | {"is_keyframe": False}], "image_attributes": SCENE},
        ],
        "links": [_link()],
    }


def _multisensor_sequence(bitmap_url: str) -> Json:
    lidar = _pointcloud_cuboid_sequence(bitmap_url)
    lidar.pop("links")
    return {
        "sensors": [
            {"name": "lidar", "task_type": "pointcloud-cuboid-sequence", "attributes": lidar},
            {"name": "left", "task_type": "image-vector-sequence", "attributes": _image_vector_sequence(bitmap_url)},
            # An empty list, not an empty object, says that a sensor has no label.
            {"name": "right", "task_type": "image-segmentation-sequence", "attributes": []},
        ],
        "links": [_link()],
    }


_LABELS: dict[str, Callable[[str], Json]] = {
    "vector": _vector,
    "bboxes": _bboxes,
    "keypoints": _keypoints,
    "segmentation-bitmap": _segmentation,
    "segmentation-bitmap-highres": _segmentation,
    "image-segmentation-sequence": _image_segmentation_sequence,
    "image-vector-sequence": _image_vector_sequence,
    "pointcloud-segmentation": _pointcloud_segmentation,
    "pointcloud-segmentation-sequence": _pointcloud_segmentation_sequence,
    "pointcloud-cuboid": _pointcloud_cuboid,
    "pointcloud-cuboid-sequence": _pointcloud_cuboid_sequence,
    "pointcloud-vector": _pointcloud_vector,
    "pointcloud-vector-sequence": _pointcloud_vector_sequence,
    "multisensor-sequence": _multisensor_sequence,
}
