"""Supervisely: `meta.json`, and `{split}/ann/{picture}.json` for every picture. Pure.

Polygons keep their holes; several parts, turned boxes' and ellipses' pixels become a bitmap, which is a packed PNG of
the box around exactly them. Attributes are tags of an object, attributes of the picture and classifications its tags.
Skeletons are graphs whose nodes are named by their points.
Source: docs.supervisely.com, "Supervisely Annotation Format".
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable
from math import isfinite
from typing import Any

import numpy as np

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap
from labeling.geometry.deflate import deflated
from releases.formats import jsons, outlines, pngs
from releases.formats.colours import voc_colour
from releases.formats.drafts import Draft, put_all
from releases.formats.files import Output, Source, put_bytes
from releases.formats.format import FRAMES, LEFT_OUT, Findings, Format, Losses, Options, UnreadableFile, carrying
from releases.formats.outlines import bbox, bitmap
from releases.formats.parts import InParts, Part, Streams
from releases.formats.pictures import Picture, pictures
from releases.formats.records import Annotation, Category, Dataset, Imported, Sample

JSON = dict[str, Any]

_MOST_BYTES = 1 << 28


def write(dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses) -> JSON:
    """A file for every picture; the part's facts name the tags."""
    draft = Draft(streams)
    known = dataset.by_id
    tags: dict[str, None] = {}
    for picture in pictures(SUPERVISELY, dataset, samples, options, losses):
        objects = []
        for item in picture.annotations:
            said = _said(item, picture, losses)
            if said is None:
                continue
            assert item.category_id is not None
            tags |= dict.fromkeys(item.attributes)
            head = {"id": item.id, "classTitle": known[item.category_id].name, "description": ""}
            objects.append(head | {"labelerLogin": item.author, "tags": _tags(item.attributes)} | said)
        named = {known[number].name: None for number in picture.classifications if number in known}
        for name in sorted(item.name for item in dataset.categories if picture.sample.scene.get(item.name, 0) is None):
            losses.add("scene attributes", LEFT_OUT, sample=picture.sample.name, said=name)  # a tag of that category
        tags |= dict.fromkeys([*picture.sample.scene, *named])
        document = {
            "description": "",
            "name": picture.name,
            "size": {"height": picture.height, "width": picture.width},
            "tags": [*_tags(picture.sample.scene), *_tags(named)],
            "objects": objects,
        }
        folder = f"{picture.split or 'ds0'}/ann"
        draft.file(jsons.line(document) + b"\n", picture.name, "", folder=folder, after=".json")
    return {"tags": sorted(tags)}


def join(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """The files of all pictures, and `meta.json`."""
    put_all(parts, out)
    tags = {name for part in parts for name in part.facts["tags"]}
    classes = [
        {
            "title": item.name,
            "shape": "any",
            "color": "#{:02x}{:02x}{:02x}".format(*(item.colour or voc_colour(item.id))),
        }
        for item in dataset.categories
    ]
    meta = {
        "classes": classes,
        "tags": [{"name": name, "value_type": "any_string", "color": "#808080"} for name in sorted(tags)],
        "projectType": "images",
    }
    put_bytes(out, "meta.json", jsons.line(meta) + b"\n")


def _tags(attributes: JSON) -> list[JSON]:
    return [{"name": name, "value": value} for name, value in attributes.items()]


def _said(item: Annotation, picture: Picture, losses: Losses) -> JSON | None:
    geometry = item.geometry
    none: list[Any] = []
    match geometry["type"]:
        case "bbox":
            return {"geometryType": "rectangle", "points": {"exterior": geometry["points"], "interior": none}}
        case "point":
            return {"geometryType": "point", "points": {"exterior": geometry["points"], "interior": none}}
        case "polyline" if len(geometry["parts"]) == 1:
            return {"geometryType": "line", "points": {"exterior": geometry["parts"][0], "interior": none}}
        case "polygon" if len(geometry["parts"]) == 1:
            outer, *holes = geometry["parts"][0]
            return {"geometryType": "polygon", "points": {"exterior": outer, "interior": holes}}
        case "skeleton":
            nodes = {
                point["name"]: {"loc": [point["x"], point["y"]]}
                | ({"disabled": True} if point["visibility"] == 1 else {})
                for point in geometry["points"]
                if point["visibility"]
            }
            return {"geometryType": "graph", "nodes": nodes}
    at: JSON = {"sample": picture.sample.name, "frame": picture.frame, "annotation": item}
    if geometry["type"] == "polyline":
        losses.add("parts", LEFT_OUT, **at)
        return None
    runs = outlines.runs_of(geometry, picture.height, picture.width)
    box = rle.box_of_runs(runs, max_pixels=rle.MAX_PIXELS)
    if box is None:
        losses.add("object without pixels", LEFT_OUT, **at)
        return None
    packed = deflated(pngs.gray(rle.decode_box(runs, box).astype(np.uint8) * 255))
    return {"geometryType": "bitmap", "bitmap": {"data": base64.b64encode(packed).decode(), "origin": box[:2]}}


# --- reading -------------------------------------------------------------------------------------------------------


def read(source: Source, findings: Findings, options: Options) -> Imported:
    """Every JSON file with objects and a size.

    Raises:
        UnreadableFile: there is none.
    """
    documents: list[tuple[str, JSON]] = []
    names: dict[str, tuple[int, int, int] | None] = {}
    for path in source.paths():
        if not path.endswith(".json"):
            continue
        try:
            document = jsons.parsed(source.read(path))
        except ValueError:
            findings.add(path, "is no JSON")
            continue
        if isinstance(document, dict) and isinstance(document.get("objects"), list):
            documents.append((path, document))
        elif isinstance(document, dict) and isinstance(document.get("classes"), list):
            for item in document["classes"]:
                if isinstance(item, dict) and isinstance(item.get("title"), str):
                    names[item["title"]] = _colour(item.get("color"))
    if not documents:
        raise UnreadableFile("there is no JSON file with objects")
    for _, document in documents:
        for item in document["objects"]:
            if isinstance(item, dict) and isinstance(item.get("classTitle"), str):
                names.setdefault(item["classTitle"], None)
    known = {name: nth for nth, name in enumerate(names, 1)}
    categories = tuple(Category(number, name, names[name]) for name, number in known.items())
    samples = (_sample(path, document, known, findings) for path, document in documents)
    return Imported(Dataset("supervisely", categories), samples)


def _colour(text: Any) -> tuple[int, int, int] | None:
    try:
        return (int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)) if len(text) == 7 else None
    except (TypeError, ValueError):
        return None


def _sample(path: str, document: JSON, known: dict[str, int], findings: Findings) -> Sample:
    size = document.get("size") if isinstance(document.get("size"), dict) else {}
    width, height = (side if type(side) is int and 0 < side <= 65535 else None
                     for side in ((size or {}).get("width"), (size or {}).get("height")))  # fmt: skip
    annotations: list[Annotation] = []
    for nth, item in enumerate(document["objects"]):
        try:
            geometry = _geometry(item, width, height)
            category = known[item["classTitle"]]
            attributes = {str(tag["name"]): tag.get("value") for tag in item.get("tags") or []}
        except (KeyError, TypeError, ValueError, IndexError, BadBitmap, binascii.Error, zlib.error):
            findings.add(f"{path} objects[{nth}]", "is no object that can be read")
            continue
        author = item.get("labelerLogin")
        annotations.append(
            Annotation(
                len(annotations) + 1,
                category,
                geometry,
                attributes=attributes,
                author=author if isinstance(author, str) else "",
            )
        )
    scene: JSON = {}
    tags: list[int] = []
    for tag in document.get("tags") or []:
        name = tag.get("name") if isinstance(tag, dict) else None
        if name in known and tag.get("value") is None:
            tags.append(known[name])
        elif isinstance(name, str):
            scene[name] = tag.get("value")
    folder, _, base = path.removesuffix(".json").partition("/ann/")
    split = folder.rsplit("/", 1)[-1] if base else ""
    return Sample(
        name=base or path.removesuffix(".json"),
        width=width,
        height=height,
        split="" if split == "ds0" else split,
        scene=scene,
        classifications=tags,
        annotations=annotations,
    )


def _pairs(points: Any, least: int) -> list[list[float]]:
    if len(points) < least or not all(
        len(point) == 2 and all(type(n) in (int, float) and isfinite(n) for n in point) for point in points
    ):
        raise ValueError
    return [list(point) for point in points]


def _geometry(item: JSON, width: int | None, height: int | None) -> JSON:
    match item["geometryType"]:
        case "rectangle":
            (ax, ay), (bx, by) = _pairs(item["points"]["exterior"], 2)
            return bbox(min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))
        case "polygon":
            said = item["points"]
            holes = [_pairs(ring, 3) for ring in said.get("interior") or []]
            return {"type": "polygon", "parts": [[_pairs(said["exterior"], 3), *holes]]}
        case "line":
            return {"type": "polyline", "parts": [_pairs(item["points"]["exterior"], 2)]}
        case "point":
            return {"type": "point", "points": _pairs(item["points"]["exterior"], 1)[:1]}
        case "graph":
            points = []
            for name, node in item["nodes"].items():
                [[x, y]] = _pairs([node["loc"]], 1)
                points.append({"name": name, "x": x, "y": y, "visibility": 1 if node.get("disabled") else 2})
            if not points:
                raise ValueError
            return {"type": "skeleton", "points": points}
        case "bitmap":
            return _bitmap(item["bitmap"], width, height)
    raise ValueError


def _bitmap(said: JSON, width: int | None, height: int | None) -> JSON:
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(base64.b64decode(said["data"], validate=True), _MOST_BYTES)
    values = pngs.read(data)
    inner = np.asarray(values > 0 if values.ndim == 2 else values.any(axis=2), dtype=bool)
    x, y = said["origin"]
    if type(x) is not int or type(y) is not int:
        raise ValueError
    h, w = inner.shape
    rows, columns = height or y + h, width or x + w
    if x < 0 or y < 0 or y + h > rows or x + w > columns:
        raise ValueError
    mask = np.zeros((rows, columns), dtype=bool)
    mask[y : y + h, x : x + w] = inner
    return bitmap(rle.encode(mask, compressed=True))


SUPERVISELY = Format(
    "supervisely",
    2,
    "Supervisely",
    carrying(
        "bbox", "polygon", "polyline", "point", "skeleton", "bitmap", "holes", "attributes", "classifications",
        "scene attributes", "splits", "order", "list of categories", "colours of categories",
        converted=("parts", "rbox", "ellipse"), approximated=("names",),
    ),
    is_painted=True,  # bitmaps are PNG files
    parts=InParts(write, join),
    read=read,
    options=(FRAMES,),
    needs_size=True,
)  # fmt: skip
