"""Payloads of Scale Nucleus: `annotations.json` as it is posted to `annotate`, and `masks/` of segmentations. Pure.

Boxes, polygons, lines, keypoints and categories are annotations; objects that are pixels, or that its polygons cannot
say (holes, parts, ellipses, turned boxes), are segments of the picture's one mask: gray, 8 bits, the value is the
`index` of a segment, 0 is nothing. So a picture has 255 segments at the most. A segment says its class and `metadata`,
which are an object's attributes; the mask has no more. `reference_id` is the picture's name.
Source: nucleus-python-client.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any

import numpy as np

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap
from labeling.geometry.composition import label_map, spans_of
from releases.formats import jsons, outlines, pngs
from releases.formats.drafts import Draft, paths_of, put_down
from releases.formats.files import Output, Source
from releases.formats.format import FRAMES, LEFT_OUT, Findings, Format, Losses, Options, UnreadableFile, carrying
from releases.formats.jsons import Lists
from releases.formats.outlines import bbox, bitmap
from releases.formats.painting import tell_of_overlaps
from releases.formats.parts import InParts, Part, Streams
from releases.formats.pictures import Picture, pictures
from releases.formats.records import Annotation, Category, Dataset, Imported, Sample

JSON = dict[str, Any]

_MOST = 255


def write(dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses) -> JSON:
    """The masks, and the lines of the body of a request."""
    draft = Draft(streams)

    def add(name: str, value: JSON) -> None:
        streams.add(name, jsons.line(value) + b"\n")

    known = dataset.by_id
    for picture in pictures(NUCLEUS, dataset, samples, options, losses):
        add("items", {"reference_id": picture.name, "metadata": {"width": picture.width, "height": picture.height}})
        for category in picture.classifications:
            if category in known:
                said = {"type": "category", "label": known[category].name, "geometry": {}, "metadata": {}}
                add("annotations", said | {"reference_id": picture.name})
        solid = []
        for item in picture.annotations:
            assert item.category_id is not None
            said_geometry = _vector(item, known[item.category_id])
            if said_geometry is None:
                solid.append(item)
                continue
            kind, geometry = said_geometry
            said = {
                "type": kind, "label": known[item.category_id].name, "geometry": geometry, "metadata": item.attributes,
                "reference_id": picture.name, "annotation_id": item.uuid or f"{picture.name}/{item.id}",
            }  # fmt: skip
            track = {"track_reference_id": str(item.track_id)} if item.track_id is not None else {}
            add("annotations", said | track)
        if solid:
            _mask(picture, solid, known, draft, streams, losses)
    return {}


def join(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """The masks, and the body of a request, which names them."""
    lists = Lists(out, "annotations", "items", "segmentations")
    for part, names in put_down(parts, out):
        for name in ("annotations", "items"):
            lists.extend(name, part.pieces(name))
        lists.extend(
            "segmentations", jsons.filled(part.pieces("segmentations"), mask_url=paths_of(names, "masks/", ".png"))
        )
    lists.put("annotations.json", {"update": False})


def _vector(item: Annotation, category: Category) -> tuple[str, JSON] | None:
    """(type, geometry) of an annotation; None of one that has to be painted."""
    geometry = item.geometry
    match geometry["type"]:
        case "bbox":
            (x0, y0), (x1, y1) = geometry["points"]
            width, height = outlines.sides_of(x0, y0, x1, y1)
            return "box", {"x": x0, "y": y0, "width": width, "height": height}
        case "polygon" if not outlines.has_holes(geometry) and not outlines.has_parts(geometry):
            return "polygon", {"vertices": _vertices(geometry["parts"][0][0])}
        case "polyline":
            return "line", {"vertices": _vertices(geometry["parts"][0])}
        case "skeleton":
            points = geometry["points"]
            names = [point["name"] for point in points]
            # a point that is hidden has a place and is not visible; one that is not placed has none
            said = [
                {"x": point["x"], "y": point["y"], "visible": point["visibility"] == 2}
                if point["visibility"]
                else {"x": None, "y": None, "visible": False}
                for point in points
            ]
            at = {name: nth for nth, name in enumerate(names)}
            edges = [
                [at[category.points[a]], at[category.points[b]]]
                for a, b in category.edges
                if max(a, b) < len(category.points) and {category.points[a], category.points[b]} <= at.keys()
            ]
            return "keypoints", {"keypoints": said, "names": names, "skeleton": edges or None}
    return None


def _vertices(points: list[list[float]]) -> list[JSON]:
    return [{"x": x, "y": y} for x, y in points]


def _mask(
    picture: Picture,
    items: list[Annotation],
    known: dict[int, Category],
    draft: Draft,
    streams: Streams,
    losses: Losses,
) -> None:
    for item in items[_MOST:]:
        losses.add("more than 255 segments", LEFT_OUT, sample=picture.sample.name, frame=picture.frame, annotation=item)
    kept = items[:_MOST]
    if not picture.has_size:
        for item in kept:
            losses.add("picture of unknown size", LEFT_OUT, sample=picture.sample.name, annotation=item)
        return
    values = list(range(1, len(kept) + 1))
    spans = spans_of([item.geometry for item in kept], picture.height, picture.width)
    painted = label_map(spans, values, picture.height, picture.width, dtype=np.uint8)
    tell_of_overlaps(picture, kept, spans, painted, values, losses)
    name = draft.file(pngs.gray(painted), picture.name, ".png", folder="masks")
    shown = set(np.unique(painted).tolist())
    segments = [
        {"label": known[item.category_id or 0].name, "index": value, "metadata": item.attributes}
        for value, item in zip(values, kept, strict=True)
        if value in shown
    ]
    losses.count("uuids", LEFT_OUT, sum(bool(item.uuid) for item in kept))  # a segment has none
    for item in kept:
        if item.track_id is not None:
            losses.add("tracks", LEFT_OUT, sample=picture.sample.name, frame=picture.frame, annotation=item)
    said = {"type": "mask", "mask_url": name, "annotations": segments, "reference_id": picture.name}
    streams.add("segmentations", jsons.marked(said | {"annotation_id": f"{picture.name}_mask"}, "mask_url"))


# --- reading -------------------------------------------------------------------------------------------------------


def read(source: Source, findings: Findings, options: Options) -> Imported:
    """Every JSON file with annotations or segmentations of Nucleus; masks are those among the files.

    Raises:
        UnreadableFile: there is none.
    """
    items: list[tuple[str, JSON]] = []
    sizes: dict[str, tuple[int, int]] = {}
    names: dict[str, int] = {}
    order: dict[str, None] = {}
    found = False
    for path in source.paths():
        if not path.endswith(".json"):
            continue
        try:
            document = jsons.parsed(source.read(path))
        except ValueError:
            findings.add(path, "is no JSON")
            continue
        if isinstance(document, list):
            document = {"annotations": document}
        if not isinstance(document, dict):
            continue
        for item in document.get("items") or []:
            if isinstance(item, dict) and isinstance(item.get("reference_id"), str):
                found = True
                order[item["reference_id"]] = None
                size = item.get("metadata") or {}
                if type(size.get("width")) is type(size.get("height")) is int and size["width"] > 0 < size["height"]:
                    sizes[item["reference_id"]] = (size["width"], size["height"])
        for name in ("annotations", "segmentations"):
            for nth, item in enumerate(document.get(name) or []):
                where = f"{path} {name}[{nth}]"
                if not isinstance(item, dict) or not isinstance(item.get("reference_id"), str):
                    findings.add(where, "has no reference_id")
                    continue
                found = True
                order[item["reference_id"]] = None
                items.append((where, item))
                for label in _labels(item):
                    names.setdefault(label, len(names) + 1)
    if not found:
        raise UnreadableFile("there is no JSON file with annotations or segmentations")
    categories = tuple(Category(number, name) for name, number in names.items())

    def samples() -> Iterator[Sample]:
        for reference in order:
            mine = [(where, item) for where, item in items if item["reference_id"] == reference]
            yield _sample(source, reference, mine, names, sizes.get(reference), findings)

    return Imported(Dataset("nucleus", categories), samples())


def _labels(item: JSON) -> list[str]:
    said = [item.get("label"), *(item.get("labels") or [])]
    said += [one.get("label") for one in item.get("annotations") or [] if isinstance(one, dict)]
    return [label for label in said if isinstance(label, str)]


def _sample(
    source: Source, reference: str, items: list[tuple[str, JSON]], names: dict[str, int], size: tuple[int, int] | None,
    findings: Findings,
) -> Sample:  # fmt: skip
    annotations: list[Annotation] = []
    tags: list[int] = []
    for where, item in items:
        if item.get("type") in ("category", "multicategory"):
            tags += [names[label] for label in _labels(item) if names[label] not in tags]
            continue
        if item.get("type", "mask") == "mask":
            pixels = _segments(source, where, item, names, len(annotations), findings)
            annotations += pixels
            if pixels:
                height, width = pixels[0].geometry["rle"]["size"]
                if size is not None and size != (width, height):
                    findings.note(where, "has a mask of another size than its picture")
                size = (width, height)
            continue
        try:
            geometry = _geometry(item["type"], item["geometry"])
            label = names[item["label"]]
        except (KeyError, TypeError, ValueError):
            findings.add(where, "is no annotation that can be read")
            continue
        track, uuid = item.get("track_reference_id"), item.get("annotation_id")
        score = item.get("confidence")
        annotations.append(
            Annotation(
                len(annotations) + 1,
                label,
                geometry,
                uuid=uuid if isinstance(uuid, str) else "",
                attributes=dict(item.get("metadata") or {}),
                track_id=int(track) if isinstance(track, str) and track.isdigit() else None,
                score=score if type(score) in (int, float) else None,
            )
        )
    width_, height_ = size or (None, None)
    return Sample(reference, width=width_, height=height_, classifications=tags, annotations=annotations)


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not isfinite(value):
        raise ValueError
    found: float = value
    return found


def _geometry(kind: str, said: JSON) -> JSON:
    match kind:
        case "box":
            x, y, w, h = (_number(said[key]) for key in ("x", "y", "width", "height"))
            if w < 0 or h < 0:
                raise ValueError
            return bbox(x, y, x + w, y + h)
        case "polygon" | "line":
            points = [[_number(one["x"]), _number(one["y"])] for one in said["vertices"]]
            if len(points) < (3 if kind == "polygon" else 2):
                raise ValueError
            return (
                {"type": "polygon", "parts": [[points]]}
                if kind == "polygon"
                else {"type": "polyline", "parts": [points]}
            )
        case "keypoints":
            points_ = []
            for name, one in zip(said["names"], said["keypoints"], strict=True):
                placed = one.get("x") is not None and one.get("y") is not None
                at = {"x": _number(one["x"]), "y": _number(one["y"])} if placed else {}
                points_.append({"name": name, **at, "visibility": (2 if one.get("visible") else 1) if placed else 0})
            if not points_:
                raise ValueError
            return {"type": "skeleton", "points": points_}
    raise ValueError


def _segments(
    source: Source, where: str, item: JSON, names: dict[str, int], before: int, findings: Findings
) -> list[Annotation]:
    try:
        values = pngs.read(source.read(str(item.get("mask_url"))))
    except KeyError:
        findings.add(where, "names a mask that is not among the files")
        return []
    except BadBitmap as error:
        findings.add(where, str(error))
        return []
    if values.ndim != 2 or values.dtype != np.uint8:
        findings.add(where, "has a mask that is not one channel of 8 bits")
        return []
    left = {value: int((values == value).sum()) for value in np.unique(values).tolist() if value}
    found: list[Annotation] = []
    for segment in item.get("annotations") or []:
        index, label = segment.get("index"), segment.get("label")
        if index not in left or label not in names:
            findings.note(where, "has a segment that no pixel shows, or without a label")
            continue
        del left[index]
        geometry = bitmap(rle.encode(values == index, compressed=True))
        attributes = dict(segment.get("metadata") or {})
        found.append(Annotation(before + len(found) + 1, names[label], geometry, attributes=attributes))
    if left:
        listed = ", ".join(f"{value} ({count} pixels)" for value, count in left.items())
        findings.add(where, f"has values without a segment: {listed}")
    return found


NUCLEUS = Format(
    "nucleus",
    2,
    "Scale Nucleus",
    carrying(
        "bbox", "polygon", "polyline", "skeleton", "bitmap", "attributes", "tracks", "uuids", "classifications",
        "names", converted=("parts", "holes", "rbox", "ellipse"),
    ),
    parts=InParts(write, join),
    is_painted=True,
    read=read,
    options=(FRAMES,),
)  # fmt: skip
