"""Label documents, by task type.

The objects of image labels outside of sequences are checked where they are parsed (rules.documents); here is what they
share with the others, and all that is kept as one document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from labeling.rules.protocol.fields import (
    attribute_map,
    link_to_file,
    optional_map,
    optional_timestamp,
    optional_version,
    quaternion,
    xyz,
)
from labeling.rules.protocol.forms import (
    Form,
    Unfit,
    any_of,
    check,
    flag,
    listed,
    nullable,
    number,
    points,
    record,
    text,
    told_by,
    whole,
    wholes,
)

JSON = dict[str, Any]

#: What holds for a whole image or frame.
SCENE: dict[str, Form] = {"image_attributes": optional_map, "format_version": optional_version}
scene = record({}, SCENE)

pairs = points(2)
_places = points(2, 3)  # in a cloud too a shape may be drawn on the ground


def _two_pairs(value: Any) -> None:
    pairs(value)
    if len(value) != 2:
        raise Unfit("must be the top left and bottom right")


link = record(
    {"from_id": whole, "to_id": whole},
    {"attributes": optional_map, "frames": nullable(listed(record({"attributes": attribute_map})))},
)
LINKS: dict[str, Form] = {"links": nullable(listed(link))}

Fields = Mapping[str, Form]
_OBJECT: Fields = {"id": whole, "category_id": whole}
_MAY: Fields = {"attributes": optional_map}
_TRACKED: Fields = {**_OBJECT, "track_id": whole}
_TRACKED_MAY: Fields = {**_MAY, "is_keyframe": flag}

_speed = nullable(record({"relative": nullable(number), "absolute": number}))
_CUBOID: Fields = {"position": xyz, "dimensions": xyz, "yaw": number}
_CUBOID_MAY: Fields = {"rotation": nullable(quaternion), "velocity": _speed, "acceleration": _speed}


def _objects(kinds: Mapping[str, tuple[Fields, Fields]], *, tracked: bool) -> Form:
    """A list of objects whose `type` says which fields (required, optional) they have."""
    forms = {
        name: record({**needed, **(_TRACKED if tracked else _OBJECT)}, {**may, **(_TRACKED_MAY if tracked else _MAY)})
        for name, (needed, may) in kinds.items()
    }
    return listed(told_by("type", forms))


_cuboids: dict[str, tuple[Fields, Fields]] = dict.fromkeys(("cuboid", "cuboid-sync"), (_CUBOID, _CUBOID_MAY))
_spatial: dict[str, tuple[Fields, Fields]] = {
    **{name: ({"points": _places}, {}) for name in ("polygon", "polyline", "point")},
    **_cuboids,
}
_planar: dict[str, tuple[Fields, Fields]] = {
    "bbox": ({"points": _two_pairs}, {}),
    **{name: ({"points": pairs}, {}) for name in ("polygon", "polyline", "point")},
}
_plain = listed(record(_OBJECT, _MAY))
_plain_tracked = listed(record(_TRACKED, _TRACKED_MAY))


_cloud_points: Fields = {"point_annotations": wholes}
_bitmap: Fields = {"segmentation_bitmap": nullable(link_to_file)}


def _sequence(frame: Fields, frame_may: Fields, *, links: bool) -> Form:
    frames = listed(record(frame, {**SCENE, "timestamp": optional_timestamp, **frame_may}))
    return record({"frames": frames}, {"format_version": optional_version, **(LINKS if links else {})})


def _sequences(*, links: bool) -> dict[str, Form]:
    """By task type. Among several sensors the links lie beside them all, because they go from one to another."""
    return {
        "pointcloud-cuboid-sequence": _sequence({"annotations": _objects(_cuboids, tracked=True)}, {}, links=links),
        "pointcloud-vector-sequence": _sequence({"annotations": _objects(_spatial, tracked=True)}, LINKS, links=links),
        "pointcloud-segmentation-sequence": _sequence(
            {"annotations": _plain_tracked, **_cloud_points}, {}, links=False
        ),
        "image-vector-sequence": _sequence({"annotations": _objects(_planar, tracked=True)}, {}, links=False),
        "image-segmentation-sequence": _sequence({"annotations": _plain_tracked}, _bitmap, links=False),
    }


def _of_sensor(inner: Form) -> Form:
    def attributes(value: Any) -> None:
        if value != []:  # which says that this sensor has no label
            inner(value)

    return record({"name": text, "attributes": attributes})


_single: dict[str, Form] = {
    "pointcloud-cuboid": record({"annotations": _objects(_cuboids, tracked=False)}, {**SCENE, **LINKS}),
    "pointcloud-vector": record({"annotations": _objects(_spatial, tracked=False)}, {**SCENE, **LINKS}),
    "pointcloud-segmentation": record({"annotations": _plain, **_cloud_points}, SCENE),
}
_sensors = {name: _of_sensor(inner) for name, inner in _sequences(links=False).items()}
LABELS: dict[str, Form] = {
    **_single,
    **_sequences(links=True),
    "multisensor-sequence": record({"sensors": listed(told_by("task_type", _sensors))}, LINKS),
}
LABELS[""] = any_of(
    record({"annotations": _objects(_planar, tracked=False)}, SCENE),
    record({"annotations": _plain, "segmentation_bitmap": link_to_file}, SCENE),
    *LABELS.values(),
)


def check_label(task_type: str, document: Any, where: str = "attributes") -> None:
    """Pass over a label document of a task type that is kept as one document.

    Raises:
        InvalidValue: the first field that does not fit.
    """
    check(LABELS[task_type], document, where)


def check_scene(document: Any, where: str) -> None:
    """Pass over a document, or changes of one, whose fields for the whole image fit.

    Raises:
        InvalidValue: image_attributes or format_version.
    """
    check(scene, document, where)


def checked_attributes(value: Any, where: str) -> JSON:
    """An attribute map as it was sent.

    Raises:
        InvalidValue: the map, or one of its values.
    """
    check(attribute_map, value, where)
    return cast(JSON, value)
