"""Datumaro's own JSON: `annotations/{split}.json`, and a picture is an item. Pure.

Polygons with holes or of several parts and ellipses, for which Datumaro has no form here, become masks of exactly their
pixels, and turned boxes polygons. `z_order` is the place from the bottom. Tracks are items of their frames. A score, a
uuid, `track_id` and `keyframe` stand among the attributes.
Source: open-edge-platform/datumaro, `plugins/data_formats/datumaro`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from releases.formats import datumaro_reading, outlines
from releases.formats.files import Output, without_ending
from releases.formats.format import FRAMES, LEFT_OUT, Format, Losses, Options, carrying
from releases.formats.jsons import Lists
from releases.formats.pictures import Picture, pictures
from releases.formats.records import Annotation, Dataset, Sample

JSON = dict[str, Any]

_WHOLE = "default"


def write(dataset: Dataset, samples: Iterable[Sample], out: Output, options: Options, losses: Losses) -> None:
    """The files of Datumaro."""
    files: dict[str, Lists] = {}
    places = {item.id: nth for nth, item in enumerate(dataset.categories)}
    names: dict[str, int] = {}
    for picture in pictures(DATUMARO, dataset, samples, options, losses):
        split = picture.split or _WHOLE
        file = files.get(split)
        if file is None:
            file = files[split] = Lists(out, "items")
        stem = without_ending(picture.name)
        key = f"{split}/{stem}"
        names[key] = names.get(key, 0) + 1
        annotations = []
        for category in picture.classifications:
            if category in places:
                annotations.append({"type": "label", "label_id": places[category]})
        for order, item in enumerate(picture.annotations):
            said = _said(item, picture, losses)
            if said is None:
                continue
            if item.category_id is not None:
                said["label_id"] = places[item.category_id]
            annotations.append(said | {"z_order": order, "attributes": _attributes(item)})
        for nth, one in enumerate(annotations):
            one |= {"id": nth, "group": 0, "object_id": -1} | ({} if "attributes" in one else {"attributes": {}})
        image: JSON = {"path": picture.name}
        if picture.has_size:
            image["size"] = [picture.height, picture.width]
        attr: JSON = dict(picture.sample.scene)
        if picture.frame is not None:
            attr["frame"] = picture.frame
        if names[key] > 1:  # two pictures of one item cannot be, so the ending tells them apart
            stem = picture.name
        file.add("items", {"id": stem, "annotations": annotations, "attr": attr, "image": image})
    for split, file in files.items() or [(_WHOLE, Lists(out, "items"))]:
        head = {"dm_format_version": "1.0", "media_type": 2, "infos": {}, "categories": _categories(dataset)}
        file.put(f"annotations/{split}.json", head)


def _categories(dataset: Dataset) -> JSON:
    labels = [{"name": item.name, "parent": item.group, "attributes": []} for item in dataset.categories]
    colours = [
        {"label_id": nth, "r": item.colour[0], "g": item.colour[1], "b": item.colour[2]}
        for nth, item in enumerate(dataset.categories)
        if item.colour
    ]
    points = [
        {"label_id": nth, "labels": list(item.points), "joints": [list(edge) for edge in item.edges]}
        for nth, item in enumerate(dataset.categories)
        if item.points
    ]
    found: JSON = {"label": {"labels": labels, "label_groups": [], "attributes": ["occluded"]}}
    if colours:
        found["mask"] = {"colormap": colours}
    if points:
        found["points"] = {"items": points}
    return found


def _attributes(item: Annotation) -> JSON:
    found = dict(item.attributes)
    for key, value in (
        ("score", item.score),
        ("uuid", item.uuid or None),
        ("track_id", item.track_id),
        ("keyframe", item.keyframe),
    ):
        if value is not None:
            found[key] = value
    return found


def _said(item: Annotation, picture: Picture, losses: Losses) -> JSON | None:
    """The form of an annotation; None where its pixels are of a picture of unknown size."""
    geometry = item.geometry
    match geometry["type"]:
        case "bbox":
            (x0, y0), (x1, y1) = geometry["points"]
            return {"type": "bbox", "bbox": [x0, y0, x1 - x0, y1 - y0]}
        case "rbox":
            return {"type": "polygon", "points": _flat(outlines.corners_of(geometry))}
        case "point":
            return {"type": "points", "points": _flat(geometry["points"]), "visibility": [2] * len(geometry["points"])}
        case "skeleton":
            points = geometry["points"]
            flat = [n for point in points for n in ((point["x"], point["y"]) if point["visibility"] else (0, 0))]
            return {"type": "points", "points": flat, "visibility": [point["visibility"] for point in points]}
        case "polyline" if len(geometry["parts"]) == 1:
            return {"type": "polyline", "points": _flat(geometry["parts"][0])}
        case "polygon" if not outlines.has_holes(geometry) and not outlines.has_parts(geometry):
            return {"type": "polygon", "points": _flat(geometry["parts"][0][0])}
    if geometry["type"] == "polyline" or not picture.has_size:
        what = "parts" if geometry["type"] == "polyline" else "picture of unknown size"
        losses.add(what, LEFT_OUT, sample=picture.sample.name, frame=picture.frame, annotation=item)
        return None
    runs = outlines.runs_of(geometry, picture.height, picture.width)
    return {"type": "mask", "rle": {"counts": runs["counts"], "size": [picture.height, picture.width]}}


def _flat(points: list[list[float]]) -> list[float]:
    return [n for point in points for n in point]


DATUMARO = Format(
    "datumaro",
    1,
    "Datumaro",
    carrying(
        "bbox", "polygon", "polyline", "point", "skeleton", "bitmap", "attributes", "scores", "tracks",
        "keyframes", "uuids", "splits", "scene attributes", "classifications", "no category",
        converted=("parts", "holes", "ellipse", "rbox"),
    ),
    write=write,
    read=datumaro_reading.read,
    options=(FRAMES,),
)  # fmt: skip
