"""Reading Datumaro's own JSON. Pure.

Masks and polygons of one `group` are kept as objects of their own, with the group among the attributes, because
Datumaro does not say whether a group is one object.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap
from releases.formats import jsons
from releases.formats.files import Source
from releases.formats.format import Findings, Options, UnreadableFile
from releases.formats.outlines import bbox, bitmap
from releases.formats.records import Annotation, Category, Dataset, Imported, Sample

JSON = dict[str, Any]

#: Attributes that are fields of ours.
_OURS = ("score", "uuid", "track_id", "keyframe")


def read(source: Source, findings: Findings, options: Options) -> Imported:
    """Every JSON file with items and categories.

    Raises:
        UnreadableFile: there is none.
    """
    documents = []
    for path in source.paths():
        if not path.endswith(".json"):
            continue
        try:
            document = jsons.parsed(source.read(path))
        except ValueError:
            findings.add(path, "is no JSON")
            continue
        if isinstance(document, dict) and isinstance(document.get("items"), list) and "categories" in document:
            documents.append((path, document))
    if not documents:
        raise UnreadableFile("there is no JSON file with the items and categories of Datumaro")
    names: dict[str, Category] = {}
    places = [_places(document["categories"], names) for _, document in documents]
    scenes = (
        _sample(item, f"{path} items[{nth}]", path, here, names, findings)
        for (path, document), here in zip(documents, places, strict=True)
        for nth, item in enumerate(document["items"])
    )
    samples = (sample for sample in scenes if sample is not None)
    return Imported(Dataset("datumaro", tuple(names.values())), samples)


def _places(said: Any, names: dict[str, Category]) -> list[int]:
    """The ids of ours of a file's labels, by their places; learns the categories."""
    label = said.get("label") if isinstance(said, dict) else None
    labels = [item for item in (label or {}).get("labels") or [] if isinstance(item, dict)]
    points = {item.get("label_id"): item for item in ((said or {}).get("points") or {}).get("items") or []}
    colours = {item.get("label_id"): item for item in ((said or {}).get("mask") or {}).get("colormap") or []}
    found = []
    for nth, item in enumerate(labels):
        name = str(item.get("name"))
        if name not in names:
            said_points = points.get(nth) or {}
            colour = colours.get(nth)
            edges = [edge for edge in said_points.get("joints") or [] if isinstance(edge, list) and len(edge) == 2]
            names[name] = Category(
                len(names) + 1,
                name,
                (colour["r"], colour["g"], colour["b"]) if colour else None,
                group=str(item.get("parent") or ""),
                points=tuple(map(str, said_points.get("labels") or [])),
                edges=tuple((a, b) for a, b in edges),
            )
        found.append(names[name].id)
    return found


def _sample(
    item: Any, where: str, path: str, places: list[int], names: dict[str, Category], findings: Findings
) -> Sample | None:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        findings.add(where, "must be an item with an id")
        return None
    by_id = {category.id: category for category in names.values()}
    image = item.get("image") or item.get("media") or {}
    size = image.get("size") if isinstance(image, dict) else None
    height, width = size if isinstance(size, list) and len(size) == 2 and all(map(_is_side, size)) else (None, None)
    annotations: list[tuple[float, Annotation]] = []
    labels: list[int] = []
    for nth, one in enumerate(item.get("annotations") or []):
        place = f"{where}.annotations[{nth}]"
        kind = one.get("type") if isinstance(one, dict) else None
        number = one.get("label_id") if isinstance(one, dict) else None
        if number is not None and not (type(number) is int and 0 <= number < len(places)):
            findings.add(place, "names a label that is not there")
            continue
        category = None if number is None else places[number]
        if kind == "label":
            if category is not None and category not in labels:
                labels.append(category)
            continue
        if kind == "caption":
            findings.note(place, "is a caption, for which there is no place")
            continue
        try:
            geometry = _geometry(one, by_id[category].points if category else ())
        except (KeyError, TypeError, ValueError, BadBitmap):
            findings.add(place, "is no annotation that can be read")
            continue
        attributes = dict(one.get("attributes") or {})
        if one.get("group"):
            attributes["group"] = one["group"]
        ours = {key: attributes.pop(key) for key in _OURS if key in attributes}
        order = one.get("z_order")
        annotations.append(
            (
                order if _is_number(order) else 0,
                Annotation(
                    len(annotations) + 1,
                    category,
                    geometry,
                    uuid=str(ours.get("uuid") or ""),
                    attributes=attributes,
                    score=ours.get("score") if _is_number(ours.get("score")) else None,
                    track_id=ours.get("track_id") if type(ours.get("track_id")) is int else None,
                    keyframe=ours.get("keyframe") if type(ours.get("keyframe")) is bool else None,
                ),
            )
        )
    annotations.sort(key=lambda pair: pair[0])
    split = path.rsplit("/", 1)[-1].removesuffix(".json")
    attr = item.get("attr")
    scene = {key: value for key, value in attr.items() if key != "frame"} if isinstance(attr, dict) else {}
    return Sample(
        name=str(image.get("path") or item["id"]) if isinstance(image, dict) else item["id"],
        width=width,
        height=height,
        split="" if split == "default" else split,
        scene=scene,
        classifications=labels,
        annotations=[one for _, one in annotations],
    )


def _geometry(item: JSON, names: tuple[str, ...]) -> JSON:
    match item["type"]:
        case "bbox":
            x, y, w, h = _numbers(item["bbox"])
            if w < 0 or h < 0:
                raise ValueError
            return bbox(x, y, x + w, y + h)
        case "rotated_bbox":
            x, y, w, h, angle = _numbers(item["rbbox"])
            return {"type": "rbox", "center": [x, y], "size_wh": [abs(w), abs(h)], "angle_deg": angle}
        case "ellipse":
            x0, y0, x1, y1 = _numbers(item["points"])
            center, radii = [(x0 + x1) / 2, (y0 + y1) / 2], [abs(x1 - x0) / 2, abs(y1 - y0) / 2]
            return {"type": "ellipse", "center": center, "radii": radii, "angle_deg": 0}
        case "polygon":
            return {"type": "polygon", "parts": [[_pairs(item, 3)]]}
        case "polyline":
            return {"type": "polyline", "parts": [_pairs(item, 2)]}
        case "mask":
            size, counts = item["rle"]["size"], item["rle"]["counts"]
            runs = {"size": [int(side) for side in size], "counts": counts}
            rle.counts_of(runs, max_pixels=rle.MAX_PIXELS)
            return bitmap(runs)
        case "points":
            return _points(item, names)
    raise ValueError


def _points(item: JSON, names: tuple[str, ...]) -> JSON:
    points = _pairs(item, 1)
    seen = item.get("visibility") or [2] * len(points)
    if len(seen) != len(points) or not set(seen) <= {0, 1, 2}:
        raise ValueError
    if len(points) == 1 and len(names) != 1 and seen == [2]:  # an object of named points has one for each name
        return {"type": "point", "points": points}
    said: list[JSON] = []
    for nth, ((x, y), visibility) in enumerate(zip(points, seen, strict=True)):
        name = names[nth] if nth < len(names) else str(nth + 1)
        said.append({"name": name} | ({"x": x, "y": y} if visibility else {}) | {"visibility": visibility})
    return {"type": "skeleton", "points": said}


def _numbers(values: Any) -> list[float]:
    if not isinstance(values, list) or not all(map(_is_number, values)):
        raise ValueError
    return values


def _pairs(item: JSON, least: int) -> list[list[float]]:
    flat = _numbers(item["points"])
    if len(flat) % 2 or len(flat) < 2 * least:
        raise ValueError
    return [list(pair) for pair in zip(flat[::2], flat[1::2], strict=True)]


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value)


def _is_side(value: Any) -> bool:
    return type(value) is int and 0 < value <= 65535
