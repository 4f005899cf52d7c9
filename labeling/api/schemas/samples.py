"""Samples: their attributes by the kind of task, as `rules.protocol.samples` takes them, and what holds them."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    ANYTHING,
    MOMENT,
    NUMBER,
    TEXT,
    UUID,
    WHOLE,
    any_of,
    closed,
    listed,
    nullable,
    one_of,
    record,
    said,
    tagged,
    text,
)
from labeling.api.schemas.issues import ISSUE
from labeling.api.schemas.labels import LABEL, LABEL_SUMMARY, TIMESTAMP
from labeling.commands.samples import MOST_SAMPLES
from labeling.rules.protocol.samples import CLOUD_TYPES, SENSOR_TASK_TYPES

JSON = dict[str, Any]

_URLS: JSON = {"url": nullable(TEXT), "signed_url": nullable(TEXT)}
_XYZ = record(dict.fromkeys("xyz", NUMBER))
_QUATERNION = record(dict.fromkeys(("qx", "qy", "qz", "qw"), NUMBER))
_image: JSON = {"image": record({}, _URLS)}
_photo = {"image": {"url": "https://example.org/a.jpg"}}
IMAGE = component("ImageSample", record(_image), example=_photo)
#: A frame of a sequence of images.
IMAGE_FRAME = record(_image, {"name": nullable(TEXT), "timestamp": TIMESTAMP})
IMAGE_SEQUENCE = component(
    "ImageSequenceSample",
    record({"frames": listed(IMAGE_FRAME)}),
    example={"frames": [_photo | {"name": "000", "timestamp": "0.0"}]},
)

_OPTIONAL_NUMBER = nullable(NUMBER)
_FISHEYE = record(dict.fromkeys(("k1", "k2", "k3", "k4"), NUMBER))
_BROWN_CONRADY = record(
    dict.fromkeys(("k1", "k2", "p1", "p2", "k3"), NUMBER), dict.fromkeys(("k4", "k5", "k6"), _OPTIONAL_NUMBER)
)
_CALIBRATED_IMAGE = record(
    {},
    {
        **_URLS,
        "row": nullable(WHOLE),
        "col": nullable(WHOLE),
        "intrinsics": nullable(record({"intrinsic_matrix": listed(listed(NUMBER))})),
        "extrinsics": nullable(record({"translation": _XYZ, "rotation": _QUATERNION})),
        "distortion": nullable(
            {
                "oneOf": [
                    tagged("model", "fisheye", record({"coefficients": _FISHEYE})),
                    tagged("model", "brown-conrady", record({"coefficients": _BROWN_CONRADY})),
                ]
            }
        ),
        "camera_convention": one_of("OpenGL", "OpenCV"),
        "name": nullable(TEXT),
        "rotation": _OPTIONAL_NUMBER,
    },
)
_CORNER = record({"x": NUMBER, "y": NUMBER})
_ORTHO_IMAGES = nullable(
    listed(
        record(
            {
                "url": TEXT,
                "corners": record(dict.fromkeys(("top_left", "top_right", "bottom_right", "bottom_left"), _CORNER)),
            },
            {
                "signed_url": nullable(TEXT),
                "height_map": nullable(
                    record(
                        {"url": TEXT, "encoding": one_of("rgb16")},
                        {
                            "signed_url": nullable(TEXT),
                            "offset": NUMBER,
                            "scale": NUMBER | {"exclusiveMinimum": 0},
                        },
                    )
                ),
            },
        )
    )
)
_BOUNDS = ("min_x", "max_x", "min_y", "max_y", "min_z", "max_z")
_scan = {"pcd": {"url": "https://example.org/scan.bin", "type": "kitti"}}
CLOUD = component(
    "PointcloudSample",
    record(
        {"pcd": record({"url": TEXT, "type": one_of(*CLOUD_TYPES)}, {"signed_url": nullable(TEXT)})},
        {
            "images": listed(_CALIBRATED_IMAGE),
            "ego_pose": nullable(record({"position": _XYZ, "heading": _QUATERNION})),
            "default_z": _OPTIONAL_NUMBER,
            "name": nullable(TEXT),
            "timestamp": TIMESTAMP,
            "bounds": nullable(record({}, dict.fromkeys(_BOUNDS, _OPTIONAL_NUMBER))),
            "ortho_images": _ORTHO_IMAGES,
        },
    ),
    example=_scan,
)
CLOUD_SEQUENCE = component(
    "PointcloudSequenceSample",
    record({"frames": listed(CLOUD)}, {"ortho_images": _ORTHO_IMAGES}),
    example={"frames": [_scan | {"timestamp": 1_700_000_000_000_000_000}]},
)
SENSORS = component(
    "MultisensorSample",
    record(
        {
            "sensors": listed(
                {
                    "oneOf": [
                        tagged(
                            "task_type",
                            task,
                            record(
                                {
                                    "name": TEXT,
                                    "attributes": CLOUD_SEQUENCE if task.startswith("pointcloud") else IMAGE_SEQUENCE,
                                }
                            ),
                        )
                        for task in SENSOR_TASK_TYPES
                    ]
                }
            )
        }
    ),
    example={"sensors": [{"name": "front", "task_type": "image-vector-sequence", "attributes": {"frames": [_photo]}}]},
)
SAMPLE_ATTRIBUTES = component(
    "SampleAttributes",
    any_of([IMAGE, IMAGE_SEQUENCE, CLOUD, CLOUD_SEQUENCE, SENSORS])
    | {"description": "Which of them is said by the task type of the dataset. Other names are kept."},
    example=_photo,
)

_assigned = said(nullable(TEXT), "A username; null takes the assignment away.")
_example = {
    "uuid": "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
    "name": "a.jpg",
    "attributes": _photo,
    "metadata": {"city": "Berlin"},
    "priority": 0,
    "readme": "",
    "created_at": "2026-11-20T09:30:00.123456+00:00",
    "created_by": "ana",
    "assigned_labeler": "ben",
    "assigned_reviewer": None,
    "dataset_full_name": "ana/cars",
    "issues": [],
}
SAMPLE = component(
    "Sample",
    closed(
        {
            "uuid": UUID,
            "name": TEXT,
            "attributes": SAMPLE_ATTRIBUTES,
            "metadata": ANYTHING,
            "priority": NUMBER,
            "readme": TEXT,
            "created_at": MOMENT,
            "created_by": nullable(TEXT),
            "assigned_labeler": nullable(TEXT),
            "assigned_reviewer": nullable(TEXT),
            "dataset_full_name": TEXT,
            "issues": listed(ISSUE),
        },
        {
            "label": {
                "anyOf": [LABEL, LABEL_SUMMARY, {"type": "null"}],
                "description": "In the label set that was asked for: whole, its summary, or null where there is none.",
            }
        },
    ),
    example=_example,
    gives={"sample": "$response.body#/uuid", "label_set": "ground-truth"},
)
_CHANGEABLE: JSON = {
    "name": text(255, least=1),
    "attributes": SAMPLE_ATTRIBUTES,
    "metadata": nullable(ANYTHING),
    "priority": said(nullable(NUMBER), "The higher, the sooner."),
    "readme": nullable(TEXT),
    "assigned_labeler": _assigned | {"minLength": 1},
    "assigned_reviewer": _assigned | {"minLength": 1},
}
_OPTIONAL = {name: schema for name, schema in _CHANGEABLE.items() if name not in ("name", "attributes")}
NEW_SAMPLE = component(
    "NewSample",
    record({"name": _CHANGEABLE["name"], "attributes": SAMPLE_ATTRIBUTES}, _OPTIONAL),
    example={"name": "a.jpg", "attributes": _photo, "priority": 0},
)
NEW_SAMPLES = component(
    "NewSamples",
    listed(NEW_SAMPLE, most=MOST_SAMPLES),
    example=[{"name": "a.jpg", "attributes": _photo}, {"name": "b.jpg", "attributes": _photo}],
)
SAMPLE_CHANGE = component("SampleChange", record({}, _CHANGEABLE), example={"priority": 5, "assigned_labeler": "ben"})
DELETION = component(
    "SampleDeletion",
    record({"uuids": listed(UUID, least=1, most=1000)}),
    example={"uuids": ["7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10"]},
)
DELETED = component("DeletedSamples", closed({"deleted_count": WHOLE}), example={"deleted_count": 1})
