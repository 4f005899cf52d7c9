"""Labels, and the label documents of all task types, as `rules.documents` and `rules.protocol.labels` take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    ANYTHING,
    FLAG,
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
)
from labeling.api.schemas.geometry import (
    DOCUMENT_GEOMETRY,
    KEYPOINTS,
    ORIENTATION,
    PAIRS,
    TWO_PAIRS,
)
from labeling.api.schemas.task_attributes import ATTRIBUTES, VERSION
from labeling.rules.label_state import STATUSES

JSON = dict[str, Any]

STATUS = one_of(*STATUSES)
#: What a label may be set to: UNLABELED says that there is none.
SETTABLE = one_of(*STATUSES[1:])
TIMESTAMP: JSON = {"type": ["string", "number", "null"], "description": "Of any unit; 64-bit nanoseconds are kept."}

_MAP = nullable(ATTRIBUTES)
_SCENE: JSON = {"image_attributes": _MAP, "format_version": VERSION}
_FILE = record({}, {"url": nullable(TEXT), "signed_url": nullable(TEXT)})
_XYZ = component("XYZ", record(dict.fromkeys("xyz", NUMBER)), example={"x": 1.5, "y": 0, "z": -2})
_QUATERNION = record(dict.fromkeys(("qx", "qy", "qz", "qw"), NUMBER))

# --- labels whose annotations are kept one by one ------------------------------------------------------------------

_RICH: JSON = {
    "attributes": _MAP,
    "keypoints": nullable(KEYPOINTS),
    "orientation": nullable(ORIENTATION),
    "score": nullable(NUMBER),
    "origin": nullable(ANYTHING),
    "uuid": said({}, "Shown; never reused. What a document says here is not taken."),
    "bitmap_hash": said({}, "Shown with a bitmap: what edits of it are made against."),
    "links_to": said({}, "Shown: links to other annotations, by uuid. Changed by edits only."),
    "category": said({}, "Shown as null where there is no category, and `category_id` is 0 then."),
}
_OBJECT: JSON = {"id": said(WHOLE, "Visible, each once in a label."), "category_id": WHOLE}
_shown = {"type": "bbox", "points": [[10, 20], [110, 90]]}
VECTOR_ANNOTATION = component(
    "VectorAnnotation",
    {
        "anyOf": [
            record(
                {**_OBJECT, "type": {"const": "bbox"}, "points": TWO_PAIRS},
                {**_RICH, "geometry": {"type": "null"}},
            ),
            record(
                {**_OBJECT, "type": one_of("polygon", "polyline", "point"), "points": PAIRS},
                {**_RICH, "geometry": {"type": "null"}},
            ),
            record(
                {**_OBJECT, "geometry": DOCUMENT_GEOMETRY},
                {**_RICH, "type": said({}, "That of the points."), "points": nullable(PAIRS)},
            ),
        ],
        "description": "A shape of the protocol (`type` and `points`), or of ours (`geometry`: with holes, rotated …;"
        " `points` have to agree with it, or to be left out). Other names are kept.",
    },
    example={"id": 1, "category_id": 1, "attributes": {"color": "red"}, **_shown},
)
PIXEL_ANNOTATION = component(
    "PixelAnnotation",
    record(_OBJECT, _RICH, description="An object whose pixels have its id in the label's bitmap."),
    example={"id": 1, "category_id": 1},
)
_CLASSIFICATIONS: JSON = {"classifications": said({}, "Shown: the categories of the whole image. Changed by edits.")}
VECTOR_LABEL = component(
    "VectorLabel",
    record(
        {"annotations": listed(VECTOR_ANNOTATION)},
        {**_SCENE, **_CLASSIFICATIONS},
        description="vector, bboxes, keypoints. Other names are kept as attributes of the whole image.",
    ),
    example={"format_version": "0.1", "annotations": [{"id": 1, "category_id": 1, **_shown}]},
)
BITMAP_LABEL = component(
    "BitmapLabel",
    record(
        {"annotations": listed(PIXEL_ANNOTATION)},
        {
            **_SCENE,
            **_CLASSIFICATIONS,
            "segmentation_bitmap": said(
                nullable(record({}, {"url": nullable(TEXT)})),
                "An RGBA PNG of ids (R + 256 G + 65536 B, 0 is unlabeled). Shown with `hash` and `size_wh`.",
            ),
        },
        description="segmentation-bitmap, segmentation-bitmap-highres.",
    ),
    example={
        "annotations": [{"id": 1, "category_id": 1}],
        "segmentation_bitmap": {"url": "http://127.0.0.1:8000/media/Jn0yZ3Y1tq4d8wXo0mC2aB5eF7hK9pLs/label.png"},
    },
)

# --- labels that are kept as one document --------------------------------------------------------------------------

Fields = Mapping[str, JSON]
_TRACKED: Fields = {**_OBJECT, "track_id": WHOLE}
_speed = nullable(record({"relative": nullable(NUMBER), "absolute": NUMBER}))
_cuboid: tuple[Fields, Fields] = (
    {"position": _XYZ, "dimensions": _XYZ, "yaw": said(NUMBER, "Radians, counterclockwise around z.")},
    {"rotation": nullable(_QUATERNION), "velocity": _speed, "acceleration": _speed},
)
_in_space = {"points": listed(any_of([listed(NUMBER, least=2, most=2), listed(NUMBER, least=3, most=3)]))}
_cuboids: dict[str, tuple[Fields, Fields]] = {"cuboid": _cuboid, "cuboid-sync": _cuboid}
_spatial = {**{name: (_in_space, {}) for name in ("polygon", "polyline", "point")}, **_cuboids}
_planar: dict[str, tuple[Fields, Fields]] = {
    "bbox": ({"points": TWO_PAIRS}, {}),
    **{name: ({"points": PAIRS}, {}) for name in ("polygon", "polyline", "point")},
}


def _objects(name: str, kinds: Mapping[str, tuple[Fields, Fields]], example: JSON, *, tracked: bool) -> JSON:
    """A list of objects whose `type` says which fields they have."""
    first, may = (_TRACKED, {"attributes": _MAP, "is_keyframe": FLAG}) if tracked else (_OBJECT, {"attributes": _MAP})
    forms = [
        tagged("type", kind, record({**first, **needed}, {**may, **more})) for kind, (needed, more) in kinds.items()
    ]
    return listed(component(name, {"oneOf": forms}, example=example))


_LINK = component(
    "Link",
    record(
        {"from_id": WHOLE, "to_id": WHOLE},
        {"attributes": _MAP, "frames": nullable(listed(record({"attributes": ATTRIBUTES})))},
    ),
    example={"from_id": 1, "to_id": 2, "attributes": {"kind": "tows"}},
)
_LINKS: JSON = {"links": nullable(listed(_LINK))}
_tracked = {"id": 1, "category_id": 1, "track_id": 1, "is_keyframe": True}
_box = {
    "type": "cuboid",
    "position": {"x": 1.5, "y": 0, "z": -2},
    "dimensions": {"x": 4, "y": 2, "z": 1.5},
    "yaw": 0.5,
}
_plain_tracked = component(
    "TrackedPixelAnnotation", record(_TRACKED, {"attributes": _MAP, "is_keyframe": FLAG}), example=_tracked
)
_plain = component("CloudSegment", record(_OBJECT, {"attributes": _MAP}), example={"id": 1, "category_id": 1})
_CLOUD_POINTS: JSON = {"point_annotations": said(listed(WHOLE), "For each point the id of its object; 0 is unlabeled.")}


def _single(name: str, fields: Fields, more: Fields, words: str, example: JSON) -> JSON:
    return component(name, record(fields, {**_SCENE, **more}, description=words), example=example)


_cuboids_now = _objects("Cuboid", _cuboids, {"id": 1, "category_id": 1, **_box}, tracked=False)
_shapes_now = _objects("CloudShape", _spatial, {"id": 1, "category_id": 1, **_box}, tracked=False)
CLOUD_CUBOID_LABEL = _single(
    "PointcloudCuboidLabel", {"annotations": _cuboids_now}, _LINKS, "pointcloud-cuboid",
    {"annotations": [{"id": 1, "category_id": 1, **_box}], "links": []},
)  # fmt: skip
CLOUD_VECTOR_LABEL = _single(
    "PointcloudVectorLabel", {"annotations": _shapes_now}, _LINKS, "pointcloud-vector",
    {"annotations": [{"id": 1, "category_id": 1, "type": "polyline", "points": [[0, 0, 0], [1, 2, 0.5]]}]},
)  # fmt: skip
CLOUD_SEGMENTATION_LABEL = _single(
    "PointcloudSegmentationLabel", {"annotations": listed(_plain), **_CLOUD_POINTS}, {}, "pointcloud-segmentation",
    {"annotations": [{"id": 1, "category_id": 1}], "point_annotations": [0, 1, 1, 0]},
)  # fmt: skip

_tracks = {
    "TrackedCuboid": (_cuboids, {**_tracked, **_box}),
    "TrackedCloudShape": (_spatial, {**_tracked, **_box}),
    "TrackedVectorAnnotation": (_planar, {**_tracked, **_shown}),
}
_tracked_objects = {name: _objects(name, kinds, example, tracked=True) for name, (kinds, example) in _tracks.items()}
#: By task type: what a frame needs, what it may have beside, whether links lie beside the frames, and an example of it.
_SEQUENCES: dict[str, tuple[str, Fields, Fields, bool, JSON]] = {
    "pointcloud-cuboid-sequence": (
        "PointcloudCuboidSequence", {"annotations": _tracked_objects["TrackedCuboid"]}, {}, True,
        {"annotations": [{**_tracked, **_box}]},
    ),
    "pointcloud-vector-sequence": (
        "PointcloudVectorSequence", {"annotations": _tracked_objects["TrackedCloudShape"]}, _LINKS, True,
        {"annotations": [{**_tracked, **_box}]},
    ),
    "pointcloud-segmentation-sequence": (
        "PointcloudSegmentationSequence", {"annotations": listed(_plain_tracked), **_CLOUD_POINTS}, {}, False,
        {"annotations": [_tracked], "point_annotations": [0, 1]},
    ),
    "image-vector-sequence": (
        "ImageVectorSequence", {"annotations": _tracked_objects["TrackedVectorAnnotation"]}, {}, False,
        {"annotations": [{**_tracked, **_shown}], "timestamp": "0.1"},
    ),
    "image-segmentation-sequence": (
        "ImageSegmentationSequence", {"annotations": listed(_plain_tracked)}, {"segmentation_bitmap": nullable(_FILE)},
        False, {"annotations": [_tracked], "segmentation_bitmap": {"url": "https://example.org/1.png"}},
    ),
}  # fmt: skip


def _sequence(task: str, *, linked: bool) -> JSON:
    name, _, _, links, _ = _SEQUENCES[task]
    frame: JSON = {"$ref": f"#/components/schemas/{name}Frame"}
    words = f"{task}: every frame lists every object in it; `is_keyframe` says that somebody set it there."
    return record(
        {"frames": listed(frame)},
        {"format_version": VERSION, **(_LINKS if links and linked else {})},
        description=words,
    )


for _task, (_name, _needed, _more, _, _example) in _SEQUENCES.items():
    component(f"{_name}Frame", record(_needed, {**_SCENE, "timestamp": TIMESTAMP, **_more}), example=_example)
SEQUENCE_LABELS = {
    _task: component(f"{_name}Label", _sequence(_task, linked=True), example={"frames": [_example]})
    for _task, (_name, _, _, _, _example) in _SEQUENCES.items()
}
MULTISENSOR_LABEL = component(
    "MultisensorLabel",
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
                                    "attributes": any_of(
                                        [_sequence(task, linked=False), {"type": "array", "maxItems": 0}]
                                    ),
                                }
                            ),
                        )
                        for task in _SEQUENCES
                    ]
                }
            )
        },
        _LINKS,
        description="multisensor-sequence: a label for each sensor, or an empty list where it has none.",
    ),
    example={
        "sensors": [
            {
                "name": "front",
                "task_type": "image-vector-sequence",
                "attributes": {"frames": [{"annotations": [{**_tracked, **_shown}]}]},
            },
            {"name": "lidar", "task_type": "pointcloud-cuboid-sequence", "attributes": []},
        ],
        "links": [],
    },
)

#: The schema of each task type's label document.
BY_TASK_TYPE = {
    **dict.fromkeys(("vector", "bboxes", "keypoints"), VECTOR_LABEL),
    **dict.fromkeys(("segmentation-bitmap", "segmentation-bitmap-highres"), BITMAP_LABEL),
    "pointcloud-cuboid": CLOUD_CUBOID_LABEL,
    "pointcloud-vector": CLOUD_VECTOR_LABEL,
    "pointcloud-segmentation": CLOUD_SEGMENTATION_LABEL,
    **SEQUENCE_LABELS,
    "multisensor-sequence": MULTISENSOR_LABEL,
}
_every = [{"$ref": place} for place in dict.fromkeys(form["$ref"] for form in BY_TASK_TYPE.values())]
LABEL_DOCUMENT = component(
    "LabelDocument",
    any_of(_every) | {"description": "Which of them is said by the task type of the dataset."},
    example={"annotations": [{"id": 1, "category_id": 1, **_shown}]},
)

# --- labels --------------------------------------------------------------------------------------------------------

_username = said(nullable(TEXT), "A username.")
_label_example = {
    "sample_uuid": "7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
    "label_type": "vector",
    "label_status": "LABELED",
    "labelset": "ground-truth",
    "attributes": {
        "annotations": [{"id": 1, "category_id": 1, **_shown, "uuid": "0b0a4a6a-6b7e-4f0e-9a50-2d0f3a4b5c6d"}]
    },
    "created_at": "2026-11-20T09:30:00.123456+00:00",
    "created_by": "ana",
    "updated_at": "2026-11-20T09:31:00.123456+00:00",
    "updated_by": "ben",
    "score": None,
    "rating": None,
    "reviewed_at": None,
    "reviewed_by": None,
}
LABEL = component(
    "Label",
    closed(
        {
            "sample_uuid": UUID,
            "label_type": said(TEXT, "The task type of the dataset."),
            "label_status": STATUS,
            "labelset": TEXT,
            "attributes": LABEL_DOCUMENT,
            "created_at": MOMENT,
            "created_by": _username,
            "updated_at": MOMENT,
            "updated_by": _username,
            "score": nullable(NUMBER),
            "rating": {"type": "null"},
            "reviewed_at": nullable(MOMENT),
            "reviewed_by": _username,
        }
    ),
    example=_label_example,
    gives={"sample": "$response.body#/sample_uuid", "label_set": "$response.body#/labelset"},
)
LABEL_SUMMARY = component(
    "LabelSummary",
    closed(
        {"label_status": STATUS},
        {
            "score": nullable(NUMBER),
            "updated_at": MOMENT,
            "created_by": _username,
            "reviewed_by": _username,
        },
    ),
    example={"label_status": "UNLABELED"},
)
LABEL_UPLOAD = component(
    "LabelUpload",
    record(
        {"attributes": LABEL_DOCUMENT},
        {"label_status": said(nullable(SETTABLE), "PRELABELED unless said."), "score": nullable(NUMBER)},
    ),
    example={"attributes": _label_example["attributes"], "label_status": "LABELED"},
)
LABEL_CHANGE = component(
    "LabelChange",
    record(
        {},
        {
            "attributes": LABEL_DOCUMENT,
            "label_status": nullable(SETTABLE),
            "score": said(nullable(NUMBER), "Null takes it away."),
        },
    ),
    example={"label_status": "REVIEWED"},
)
