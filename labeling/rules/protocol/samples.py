"""attributes of a sample, by the task type of its dataset: an image, a point cloud, a sequence of either, sensors."""

from __future__ import annotations

from typing import Any

from labeling.rules.protocol.fields import (
    URL,
    link_to_file,
    optional_number,
    optional_text,
    optional_timestamp,
    quaternion,
    xyz,
)
from labeling.rules.protocol.forms import (
    Form,
    Unfit,
    any_of,
    check,
    listed,
    nullable,
    number,
    one_of,
    record,
    text,
    told_by,
    whole,
)

CLOUD_TYPES = ("pcd", "binary-xyzi", "kitti", "binary-xyzir", "nuscenes", "ply", "las", "splat")

image = record({"image": link_to_file})
image_sequence = record(
    {"frames": listed(record({"image": link_to_file}, {"name": optional_text, "timestamp": optional_timestamp}))}
)


def _positive(value: Any) -> None:
    number(value)
    if value <= 0:
        raise Unfit("must be more than 0")


def _matrix(value: Any) -> None:
    listed(listed(number))(value)


_fisheye = record(dict.fromkeys(("k1", "k2", "k3", "k4"), number))
_brown_conrady = record(
    dict.fromkeys(("k1", "k2", "p1", "p2", "k3"), number), dict.fromkeys(("k4", "k5", "k6"), optional_number)
)
calibrated_image = record(
    {},
    {
        **URL,
        "row": nullable(whole),
        "col": nullable(whole),
        "intrinsics": nullable(record({"intrinsic_matrix": _matrix})),
        "extrinsics": nullable(record({"translation": xyz, "rotation": quaternion})),
        "distortion": nullable(
            told_by(
                "model",
                {
                    "fisheye": record({"coefficients": _fisheye}),
                    "brown-conrady": record({"coefficients": _brown_conrady}),
                },
            )
        ),
        "camera_convention": one_of("OpenGL", "OpenCV"),
        "name": optional_text,
        "rotation": optional_number,
    },
)

_corner = record({"x": number, "y": number})
ortho_image = record(
    {
        "url": text,
        "corners": record(dict.fromkeys(("top_left", "top_right", "bottom_right", "bottom_left"), _corner)),
    },
    {
        "signed_url": optional_text,
        "height_map": nullable(
            record(
                {"url": text, "encoding": one_of("rgb16")},
                {"signed_url": optional_text, "offset": number, "scale": _positive},
            )
        ),
    },
)
ortho_images = nullable(listed(ortho_image))

_BOUNDS = ("min_x", "max_x", "min_y", "max_y", "min_z", "max_z")
cloud = record(
    {"pcd": record({"url": text, "type": one_of(*CLOUD_TYPES)}, {"signed_url": optional_text})},
    {
        "images": listed(calibrated_image),
        "ego_pose": nullable(record({"position": xyz, "heading": quaternion})),
        "default_z": optional_number,
        "name": optional_text,
        "timestamp": optional_timestamp,
        "bounds": nullable(record({}, dict.fromkeys(_BOUNDS, optional_number))),
        "ortho_images": ortho_images,
    },
)
cloud_sequence = record({"frames": listed(cloud)}, {"ortho_images": ortho_images})

SENSOR_TASK_TYPES: dict[str, Form] = {
    "pointcloud-cuboid-sequence": cloud_sequence,
    "pointcloud-vector-sequence": cloud_sequence,
    "pointcloud-segmentation-sequence": cloud_sequence,
    "image-vector-sequence": image_sequence,
    "image-segmentation-sequence": image_sequence,
}
sensors = record(
    {
        "sensors": listed(
            told_by(
                "task_type",
                {
                    name: record({"name": text, "task_type": text, "attributes": inner})
                    for name, inner in SENSOR_TASK_TYPES.items()
                },
            )
        )
    }
)


def form_of(task_type: str) -> Form:
    """What the samples of a dataset are; a dataset without a task type takes every kind."""
    if task_type == "multisensor-sequence":
        return sensors
    if task_type.startswith("pointcloud"):
        return cloud_sequence if task_type.endswith("sequence") else cloud
    if task_type.endswith("sequence"):
        return image_sequence
    return image if task_type else any_of(image, image_sequence, cloud, cloud_sequence, sensors)


def check_sample(task_type: str, attributes: Any, where: str = "attributes") -> None:
    """Pass over sample attributes of the kind that the task type has.

    Raises:
        InvalidValue: the first field that does not fit, or that this kind of sample needs.
    """
    check(form_of(task_type), attributes, where)
