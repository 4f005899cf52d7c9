"""Datumaro's own JSON: `annotations/{split}.json`, and a picture is an item. Pure.

Polygons with holes or of several parts and ellipses, for which Datumaro has no form here, become masks of exactly their
pixels, and turned boxes polygons. `z_order` is the place from the bottom. Tracks are items of their frames. A score, a
uuid, `track_id` and `keyframe` stand among the attributes.
Source: open-edge-platform/datumaro, `plugins/data_formats/datumaro`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, count
from typing import Any

import orjson

from releases.formats import datumaro_reading, outlines
from releases.formats.files import Output, without_ending
from releases.formats.format import APPROXIMATED, FRAMES, LEFT_OUT, Format, Losses, Options, carrying
from releases.formats.jsons import Splits, line, marked
from releases.formats.parts import InParts, Part, Streams
from releases.formats.pictures import Picture, pictures
from releases.formats.records import WHOLE, Annotation, Dataset, Sample

JSON = dict[str, Any]

_NAMES = "names"
#: Names of attributes that say what is none.
_OURS = frozenset({"score", "uuid", "track_id", "keyframe"})


def write(dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses) -> JSON:
    """The lines of items of each split; the number of an item is a place among the names that `join` gives."""
    places = {item.id: nth for nth, item in enumerate(dataset.categories)}
    points = {item.id: item.points for item in dataset.categories}
    items = 0
    for picture in pictures(DATUMARO, dataset, samples, options, losses):
        split = picture.split or WHOLE
        annotations = []
        for category in picture.classifications:
            if category in places:
                annotations.append({"type": "label", "label_id": places[category]})
        for order, item in enumerate(picture.annotations):
            said = _said(item, picture, points, losses)
            if said is None:
                continue
            if item.category_id in places:
                said["label_id"] = places[item.category_id]
            elif item.category_id is not None:
                losses.add(
                    "unknown category", LEFT_OUT, sample=picture.sample.name, frame=picture.frame, annotation=item
                )
            annotations.append(said | {"z_order": order, "attributes": _attributes(item, picture, losses)})
        for nth, one in enumerate(annotations):
            one |= {"id": nth, "group": 0, "object_id": -1} | ({} if "attributes" in one else {"attributes": {}})
        image: JSON = {"path": picture.name}
        if picture.has_size:
            image["size"] = [picture.height, picture.width]
        attr: JSON = dict(picture.sample.scene)
        if "frame" in attr:
            losses.add("scene attributes", LEFT_OUT, sample=picture.sample.name, said="frame")
        if picture.frame is not None:
            attr["frame"] = picture.frame
        streams.add(_NAMES, line([split, picture.name]) + b"\n")
        said = {"id": items, "annotations": annotations, "attr": attr, "image": image}
        streams.add(f"{split}/items", marked(said, "id"))
        items += 1
    return {}


def join(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """The files of Datumaro."""
    splits = Splits(out, "items")
    taken: set[tuple[str, str]] = set()
    for part in parts:
        names = list(_named(part, taken))
        splits.extend(part, items={"id": names.__getitem__})
    for split, lists in splits.files():
        head = {"dm_format_version": "1.0", "media_type": 2, "infos": {}, "categories": _categories(dataset)}
        lists.put(f"annotations/{split}.json", head)


def _named(part: Part, taken: set[tuple[str, str]]) -> Iterator[str]:
    """The names of items: without the ending of the picture, which tells apart those that would have one name; where
    that is a name already, too, a number does."""
    for row in part.lines(_NAMES):
        split, name = orjson.loads(row)
        tried = chain((without_ending(name), name), (f"{name}~{number}" for number in count(2)))
        given = next(one for one in tried if (split, one) not in taken)
        taken.add((split, given))
        yield given


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


def _attributes(item: Annotation, picture: Picture, losses: Losses) -> JSON:
    found = dict(item.attributes)
    for name in sorted(_OURS & found.keys()):
        del found[name]
        losses.add("attributes", LEFT_OUT, sample=picture.sample.name, frame=picture.frame, annotation=item, said=name)
    for key, value in (
        ("score", item.score),
        ("uuid", item.uuid or None),
        ("track_id", item.track_id),
        ("keyframe", item.keyframe),
    ):
        if value is not None:
            found[key] = value
    return found


def _said(item: Annotation, picture: Picture, names: dict[int, tuple[str, ...]], losses: Losses) -> JSON | None:
    """The form of an annotation; None where its pixels are of a picture of unknown size."""
    geometry = item.geometry
    at: JSON = {"sample": picture.sample.name, "frame": picture.frame, "annotation": item}
    match geometry["type"]:
        case "bbox":
            (x0, y0), (x1, y1) = geometry["points"]
            return {"type": "bbox", "bbox": [x0, y0, *outlines.sides_of(x0, y0, x1, y1)]}
        case "rbox":
            return {"type": "polygon", "points": _flat(outlines.corners_of(geometry))}
        case "point":
            return {"type": "points", "points": _flat(geometry["points"]), "visibility": [2] * len(geometry["points"])}
        case "skeleton":
            points = _ordered(geometry["points"], names.get(item.category_id or 0, ()), at, losses)
            flat = [n for point in points for n in ((point["x"], point["y"]) if point["visibility"] else (0, 0))]
            return {"type": "points", "points": flat, "visibility": [point["visibility"] for point in points]}
        case "polyline" if len(geometry["parts"]) == 1:
            return {"type": "polyline", "points": _flat(geometry["parts"][0])}
        case "polygon" if not outlines.has_holes(geometry) and not outlines.has_parts(geometry):
            return {"type": "polygon", "points": _flat(geometry["parts"][0][0])}
    if geometry["type"] == "polyline" or not picture.has_size:
        what = "parts" if geometry["type"] == "polyline" else "picture of unknown size"
        losses.add(what, LEFT_OUT, **at)
        return None
    runs = outlines.runs_of(geometry, picture.height, picture.width)
    return {"type": "mask", "rle": {"counts": runs["counts"], "size": [picture.height, picture.width]}}


def _ordered(points: list[JSON], names: tuple[str, ...], at: JSON, losses: Losses) -> list[JSON]:
    """Named points by their places in the list of their category; without a list they are numbers."""
    if not names:
        losses.add("names of points", APPROXIMATED, **at, said="numbers")
        return points
    by_name = {point["name"]: point for point in points}
    for name in [name for name in by_name if name not in names]:
        losses.add("point that its category does not name", LEFT_OUT, **at, said=name)
    return [by_name.get(name, {"name": name, "visibility": 0}) for name in names]


def _flat(points: list[list[float]]) -> list[float]:
    return [n for point in points for n in point]


DATUMARO = Format(
    "datumaro",
    2,
    "Datumaro",
    carrying(
        "bbox", "polygon", "polyline", "point", "skeleton", "bitmap", "attributes", "scores", "tracks",
        "keyframes", "uuids", "splits", "scene attributes", "classifications", "no category", "order", "names",
        "list of categories", "colours of categories", "groups of categories", "points of categories",
        converted=("parts", "holes", "ellipse", "rbox"),
    ),
    parts=InParts(write, join),
    read=datumaro_reading.read,
    options=(FRAMES,),
)  # fmt: skip
