"""LabelMe: the JSON files of wkentaro/labelme, one beside each picture; read too is the XML of MIT's LabelMe. Pure.

Parts of a polygon are shapes of one `group_id`; a polygon with holes, a bitmap and an ellipse become a `mask`, a PNG of
the box around exactly their pixels, whose second point is the last pixel. Flags are attributes that are true or false;
other attributes stand beside them in `attributes`, which labelme keeps. Source: labelme's `label_file.py`, `shape.py`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from math import hypot, isfinite
from typing import Any

import numpy as np

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap
from releases.formats import jsons, outlines, pngs
from releases.formats.drafts import Draft, join
from releases.formats.files import Source
from releases.formats.format import (
    FRAMES,
    LEFT_OUT,
    Findings,
    Format,
    Losses,
    Options,
    UnreadableFile,
    carrying,
)
from releases.formats.outlines import bbox, bitmap
from releases.formats.parts import InParts, Streams
from releases.formats.pictures import Picture, pictures
from releases.formats.records import Annotation, Category, Dataset, Imported, Sample
from releases.formats.xmls import Element, number_of, parsed, text_of

JSON = dict[str, Any]


def write(dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses) -> JSON:
    """`{picture}.json` for every picture."""
    draft = Draft(streams)
    known = dataset.by_id
    for picture in pictures(LABELME, dataset, samples, options, losses):
        shapes = []
        for item in picture.annotations:
            assert item.category_id is not None
            for said in _shapes(item, picture, losses):
                shapes.append(_head(item, known[item.category_id].name) | said)
        document = {
            "version": "5.5.0",
            "flags": {known[number].name: True for number in picture.classifications if number in known},
            "shapes": shapes,
            "imagePath": picture.name.rsplit("/", 1)[-1],
            "imageData": None,
            "imageHeight": picture.height or None,
            "imageWidth": picture.width or None,
        }
        draft.file(jsons.line(document) + b"\n", picture.name, ".json")
    return {}


def _head(item: Annotation, label: str) -> JSON:
    flags = {name: value for name, value in item.attributes.items() if isinstance(value, bool)}
    rest = {name: value for name, value in item.attributes.items() if not isinstance(value, bool)}
    found: JSON = {"label": label, "flags": flags, "group_id": None, "description": ""}
    return found | ({"attributes": rest} if rest else {})


def _shapes(item: Annotation, picture: Picture, losses: Losses) -> Iterator[JSON]:
    geometry = item.geometry
    match geometry["type"]:
        case "bbox":
            yield {"shape_type": "rectangle", "points": geometry["points"]}
        case "point":
            yield {"shape_type": "point", "points": geometry["points"]}
        case "polyline":
            for part in geometry["parts"]:
                group = item.id if len(geometry["parts"]) > 1 else None
                yield {"shape_type": "linestrip", "points": part, "group_id": group}
        case "rbox":
            yield {"shape_type": "polygon", "points": outlines.corners_of(geometry)}
        case "polygon" if not outlines.has_holes(geometry):
            for part in geometry["parts"]:
                group = item.id if len(geometry["parts"]) > 1 else None
                yield {"shape_type": "polygon", "points": part[0], "group_id": group}
        case _:
            if not picture.has_size:
                at = {"sample": picture.sample.name, "frame": picture.frame, "annotation": item}
                losses.add("picture of unknown size", LEFT_OUT, **at)  # type: ignore[arg-type]
                return
            runs = outlines.runs_of(geometry, picture.height, picture.width)
            box = rle.box_of_runs(runs, max_pixels=rle.MAX_PIXELS)
            if box is None:
                at = {"sample": picture.sample.name, "frame": picture.frame, "annotation": item}
                losses.add("object without pixels", LEFT_OUT, **at)  # type: ignore[arg-type]
                return
            mask = pngs.gray(rle.decode_box(runs, box).astype(np.uint8) * 255)
            x0, y0, x1, y1 = box
            packed = base64.b64encode(mask).decode()
            yield {"shape_type": "mask", "points": [[x0, y0], [x1 - 1, y1 - 1]], "mask": packed}


# --- reading -------------------------------------------------------------------------------------------------------


def read(source: Source, findings: Findings, options: Options) -> Imported:
    """Every JSON file with shapes, and every XML file of MIT's.

    Raises:
        UnreadableFile: there is none.
    """
    documents: list[tuple[str, JSON]] = []
    xmls: list[tuple[str, Element]] = []
    for path in source.paths():
        if path.endswith(".json"):
            try:
                document = jsons.parsed(source.read(path))
            except ValueError:
                findings.add(path, "is no JSON")
                continue
            if isinstance(document, dict) and isinstance(document.get("shapes"), list):
                documents.append((path, document))
        elif path.endswith(".xml"):
            try:
                xmls.append((path, parsed(source.read(path), "annotation")))
            except UnreadableFile as error:
                findings.add(path, str(error))
    if not documents and not xmls:
        raise UnreadableFile("there is no JSON file with shapes and no XML file of LabelMe's")
    names: dict[str, None] = {}
    for _, document in documents:
        flags = document.get("flags")
        for item in document["shapes"]:
            if isinstance(item, dict) and isinstance(item.get("label"), str):
                names[item["label"]] = None
        names |= {name: None for name, value in (flags if isinstance(flags, dict) else {}).items() if value is True}
    for _, root in xmls:
        names |= {text_of(item, "name"): None for item in root.findall("object") if text_of(item, "name")}
    known = {name: nth for nth, name in enumerate(names, 1)}

    def samples() -> Iterator[Sample]:
        for path, document in documents:
            yield _sample(path, document, known, findings)
        for path, root in xmls:
            yield _of_xml(source, path, root, known, findings)

    return Imported(Dataset("labelme", tuple(Category(number, name) for name, number in known.items())), samples())


def _sample(path: str, document: JSON, known: dict[str, int], findings: Findings) -> Sample:
    width, height = _side(document.get("imageWidth")), _side(document.get("imageHeight"))
    found: list[Annotation] = []
    groups: dict[tuple[Any, str, str], int] = {}
    for nth, item in enumerate(document["shapes"]):
        where = f"{path} shapes[{nth}]"
        try:
            geometry = _geometry(item, width, height)
            label = str(item["label"])
        except (KeyError, TypeError, ValueError, BadBitmap, binascii.Error):
            findings.add(where, "is no shape that can be read")
            continue
        key = (item.get("group_id"), label, geometry["type"])
        if item.get("group_id") is not None and geometry["type"] in ("polygon", "polyline") and key in groups:
            before = found[groups[key]].geometry
            before["parts"] = [*before["parts"], *geometry["parts"]]
            continue
        groups[key] = len(found)
        flags = item.get("flags") if isinstance(item.get("flags"), dict) else {}
        rest = item.get("attributes") if isinstance(item.get("attributes"), dict) else {}
        said = item.get("description")
        attributes = {**(rest or {}), **(flags or {})} | ({"description": said} if said else {})
        found.append(Annotation(len(found) + 1, known[label], geometry, attributes=attributes))
    flags = document.get("flags") if isinstance(document.get("flags"), dict) else {}
    folder = path.rpartition("/")[0]
    name = str(document.get("imagePath") or path.removesuffix(".json")).replace("\\", "/").rsplit("/", 1)[-1]
    return Sample(
        name=f"{folder}/{name}" if folder else name,
        width=width,
        height=height,
        classifications=[known[name] for name, value in (flags or {}).items() if value is True],
        annotations=found,
    )


def _geometry(item: JSON, width: int | None, height: int | None) -> JSON:
    points = item["points"]
    if not all(len(point) == 2 and all(type(n) in (int, float) and isfinite(n) for n in point) for point in points):
        raise ValueError
    kind = item.get("shape_type") or "polygon"
    match kind:
        case "polygon" if len(points) >= 3:
            return {"type": "polygon", "parts": [[points]]}
        case "rectangle" if len(points) == 2:
            (ax, ay), (bx, by) = points
            return bbox(min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))
        case "rectangle" | "oriented_rectangle" if len(points) == 4:
            return {"type": "polygon", "parts": [[points]]}
        case "circle" if len(points) == 2:
            (ax, ay), (bx, by) = points
            radius = hypot(bx - ax, by - ay)
            return {"type": "ellipse", "center": [ax, ay], "radii": [radius, radius], "angle_deg": 0}
        case "point" if len(points) == 1:
            return {"type": "point", "points": points}
        case "points" if points:
            named = [{"name": str(n), "x": x, "y": y, "visibility": 2} for n, (x, y) in enumerate(points, 1)]
            return {"type": "skeleton", "points": named}
        case "line" | "linestrip" if len(points) >= 2:
            return {"type": "polyline", "parts": [points]}
        case "mask" if len(points) == 2:
            return _mask(item["mask"], points, width, height)
    raise ValueError


def _mask(packed: str, points: list[list[float]], width: int | None, height: int | None) -> JSON:
    inner = pngs.read(base64.b64decode(packed, validate=True))
    x0, y0 = (int(n) for n in points[0])
    if inner.ndim != 2 or x0 < 0 or y0 < 0:
        raise ValueError
    h, w = inner.shape
    rows, columns = height or y0 + h, width or x0 + w
    if y0 + h > rows or x0 + w > columns:
        raise ValueError
    mask = np.zeros((rows, columns), dtype=bool)
    mask[y0 : y0 + h, x0 : x0 + w] = inner > 0
    return bitmap(rle.encode(mask, compressed=True))


def _of_xml(source: Source, path: str, root: Element, known: dict[str, int], findings: Findings) -> Sample:
    height, width = (_side(_whole(text_of(root, f"imagesize/{side}"))) for side in ("nrows", "ncols"))
    found: list[Annotation] = []
    for nth, item in enumerate(root.findall("object")):
        where = f"{path} object {nth}"
        if text_of(item, "deleted") == "1":
            continue
        try:
            geometry = _xml_geometry(source, path, item, width, height)
        except (ValueError, KeyError, BadBitmap):
            findings.add(where, "has no polygon or mask that can be read")
            continue
        attributes: JSON = {"occluded": True} if text_of(item, "occluded") == "yes" else {}
        if text := text_of(item, "attributes"):
            attributes["attributes"] = text
        for relation in ("hasparts", "ispartof"):
            if text := text_of(item, f"parts/{relation}"):
                attributes[relation] = text
        found.append(Annotation(len(found) + 1, known.get(text_of(item, "name")), geometry, attributes=attributes))
    name = text_of(root, "filename") or path.removesuffix(".xml")
    folder = text_of(root, "folder")
    return Sample(f"{folder}/{name}" if folder else name, width=width, height=height, annotations=found)


def _xml_geometry(source: Source, path: str, item: Element, width: int | None, height: int | None) -> JSON:
    points = [
        [_int(number_of(text_of(pt, "x"))), _int(number_of(text_of(pt, "y")))] for pt in item.findall("polygon/pt")
    ]
    if points:
        if text_of(item, "type") == "bounding_box":
            xs, ys = [x for x, _ in points], [y for _, y in points]
            return bbox(min(xs), min(ys), max(xs), max(ys))
        if len(points) < 3:
            raise ValueError
        return {"type": "polygon", "parts": [[points]]}
    # masks are in a folder beside that of the annotations
    file = path.replace("Annotations/", "Masks/").rpartition("/")[0] + "/" + text_of(item, "segm/mask")
    values = pngs.read(source.read(file.lstrip("/")))
    mask = np.asarray(values > 0 if values.ndim == 2 else values.any(axis=2), dtype=bool)
    if (width, height) not in ((mask.shape[1], mask.shape[0]), (None, None)):
        raise ValueError
    return bitmap(rle.encode(mask, compressed=True))


def _int(value: float) -> float:
    return int(value) if value.is_integer() else value


def _whole(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _side(value: Any) -> int | None:
    return value if type(value) is int and 0 < value <= 65535 else None


LABELME = Format(
    "labelme",
    2,
    "LabelMe",
    carrying(
        "bbox", "polygon", "polyline", "point", "bitmap", "parts", "attributes", "classifications",
        "order", converted=("holes", "rbox", "ellipse"), approximated=("names",),
    ),
    is_painted=True,  # bitmaps are PNG files
    parts=InParts(write, join),
    read=read,
    options=(FRAMES,),
)  # fmt: skip
