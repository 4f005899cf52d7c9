"""SentiSight's kind of JSON: `labels.json`, a picture an element; bitmaps are BMP files with an `index.json`. Pure.

How the real files are laid out is not published, so what a member is called stands in one place, FIELDS, and another
layout is another map and no code. A bitmap is gray, 255 where the object is; the index names its picture, category and
object. A polygon with holes, of several parts or turned, which the JSON cannot say, is a bitmap too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any

import numpy as np

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap
from releases.formats import jsons, outlines, pngs
from releases.formats.drafts import Draft, paths_of, put_down
from releases.formats.files import Output, Source
from releases.formats.format import FRAMES, LEFT_OUT, Findings, Format, Losses, Options, UnreadableFile, carrying
from releases.formats.jsons import Lists
from releases.formats.outlines import bbox, bitmap
from releases.formats.parts import InParts, Part, Streams
from releases.formats.pictures import Picture, pictures
from releases.formats.records import Annotation, Category, Dataset, Imported, Sample

JSON = dict[str, Any]

#: What is called how.
FIELDS = {
    "name": "name", "default": "mainLabel", "classifications": "classificationLabels", "boxes": "boundingBoxes",
    "polygons": "polygons", "lines": "polylines", "points": "points", "label": "label", "attributes": "attributes",
    "keypoints": "keypoints", "ring": "points", "x": "x", "y": "y", "x0": "x0", "y0": "y0", "x1": "x1", "y1": "y1",
    "uuid": "uuid", "score": "score", "visibility": "visibility", "width": "width", "height": "height",
}  # fmt: skip
_F = FIELDS


def write(dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses) -> JSON:
    """The bitmaps, and the lines of pictures and of the index."""
    draft = Draft(streams)
    known = dataset.by_id
    for picture in pictures(SENTISIGHT, dataset, samples, options, losses):
        found: JSON = {
            _F["name"]: picture.name,
            _F["width"]: picture.width or None,
            _F["height"]: picture.height or None,
        }
        first = picture.sample.default_classification
        if first in known:
            found[_F["default"]] = known[first].name
        found[_F["classifications"]] = [known[number].name for number in picture.classifications if number in known]
        for key in ("boxes", "polygons", "lines", "points"):
            found[_F[key]] = []
        for nth, item in enumerate(picture.annotations, 1):
            assert item.category_id is not None
            said: JSON = {_F["label"]: known[item.category_id].name, _F["attributes"]: item.attributes}
            for key, value in (("uuid", item.uuid or None), ("score", item.score)):
                if value is not None:
                    said[_F[key]] = value
            if item.keypoints:
                said[_F["keypoints"]] = [_point(point) for point in item.keypoints]
            where = _vector(item, said)
            if where is not None:
                found[_F[where]].append(said)
            else:
                _bitmap(item, nth, picture, said, draft, streams, losses)
        streams.add("pictures", jsons.line(found) + b"\n")
    return {}


def join(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """The bitmaps, `labels.json` and `bitmaps/index.json`."""
    lists = Lists(out, "pictures")
    index = Lists(out, "bitmaps")
    for part, names in put_down(parts, out):
        lists.extend("pictures", part.pieces("pictures"))
        index.extend("bitmaps", jsons.filled(part.pieces("bitmaps"), file=paths_of(names, "bitmaps/", ".bmp")))
    lists.put("labels.json", {})
    index.put("bitmaps/index.json", {})


def _vector(item: Annotation, said: JSON) -> str | None:
    """Where an annotation belongs, put into `said`; None where it has to be a bitmap."""
    geometry = item.geometry
    match geometry["type"]:
        case "bbox":
            (x0, y0), (x1, y1) = geometry["points"]
            said |= {_F["x0"]: x0, _F["y0"]: y0, _F["x1"]: x1, _F["y1"]: y1}
            return "boxes"
        case "polygon" if not outlines.has_holes(geometry) and not outlines.has_parts(geometry):
            said[_F["ring"]] = [_pair(*point) for point in geometry["parts"][0][0]]
            return "polygons"
        case "polyline":
            said[_F["ring"]] = [_pair(*point) for point in geometry["parts"][0]]
            return "lines"
        case "point":
            said |= _pair(*geometry["points"][0])
            return "points"
    return None


def _pair(x: float, y: float) -> JSON:
    return {_F["x"]: x, _F["y"]: y}


def _point(point: JSON) -> JSON:
    at = _pair(point["x"], point["y"]) if point["visibility"] else {}
    return {_F["label"]: point["name"], _F["visibility"]: point["visibility"]} | at


def _bitmap(
    item: Annotation, nth: int, picture: Picture, said: JSON, draft: Draft, streams: Streams, losses: Losses
) -> None:
    """The file of an object and its line in the index, which says what an object of the other file says too."""
    if not picture.has_size:
        losses.add("picture of unknown size", LEFT_OUT, sample=picture.sample.name, annotation=item)
        return
    runs = outlines.runs_of(item.geometry, picture.height, picture.width)
    data = pngs.bmp(rle.decode(runs, max_pixels=rle.MAX_PIXELS))
    # the ending of the picture must not be taken for one of the file
    called = f"{picture.name.replace('.', '_')}__{said[_F['label']].replace('/', '_')}__{nth}"
    name = draft.file(data, called, "", folder="bitmaps", after=".bmp")
    said |= {"file": name, "name": picture.name, "object": nth, "sha256": hashlib.sha256(data).hexdigest()}
    streams.add("bitmaps", jsons.marked(said, "file"))


# --- reading -------------------------------------------------------------------------------------------------------


def read(source: Source, findings: Findings, options: Options) -> Imported:
    """`labels.json`, also a bare list of pictures, and the bitmaps of `bitmaps/index.json`.

    Raises:
        UnreadableFile: there is neither.
    """
    documents: list[tuple[str, JSON]] = []
    bitmaps: list[tuple[str, JSON]] = []
    for path in source.paths():
        if not path.endswith(".json"):
            continue
        try:
            document = jsons.parsed(source.read(path))
        except ValueError:
            findings.add(path, "is no JSON")
            continue
        rows = document.get("pictures") if isinstance(document, dict) else document
        for nth, row in enumerate(rows if isinstance(rows, list) else []):
            if isinstance(row, dict) and isinstance(row.get(_F["name"]), str):
                documents.append((f"{path} [{nth}]", row))
            else:
                findings.add(f"{path} [{nth}]", "has no name of a picture")
        said = document.get("bitmaps") if isinstance(document, dict) else None
        bitmaps += [(f"{path} [{nth}]", row) for nth, row in enumerate(said or []) if isinstance(row, dict)]
    if not documents and not bitmaps:
        raise UnreadableFile("there is no JSON file with pictures")
    names: dict[str, int] = {}
    for _, row in documents:
        for label in _labels_in(row):
            names.setdefault(label, len(names) + 1)
    for _, row in bitmaps:
        if isinstance(row.get("label"), str):
            names.setdefault(row["label"], len(names) + 1)
    categories = tuple(Category(number, name) for name, number in names.items())

    def samples() -> Iterator[Sample]:
        seen = set()
        for where, row in documents:
            seen.add(row[_F["name"]])
            yield _sample(source, where, row, bitmaps, names, findings)
        for name in dict.fromkeys(str(row.get("name")) for _, row in bitmaps):
            if name not in seen:
                yield _sample(source, "", {_F["name"]: name}, bitmaps, names, findings)

    return Imported(Dataset("sentisight", categories), samples())


def _labels_in(row: JSON) -> Iterator[str]:
    said = [row.get(_F["default"]), *(row.get(_F["classifications"]) or [])]
    for key in ("boxes", "polygons", "lines", "points"):
        said += [item.get(_F["label"]) for item in row.get(_F[key]) or [] if isinstance(item, dict)]
    yield from (label for label in said if isinstance(label, str))


def _sample(
    source: Source, where: str, row: JSON, bitmaps: list[tuple[str, JSON]], names: dict[str, int], findings: Findings
) -> Sample:
    annotations: list[Annotation] = []
    for key in ("boxes", "polygons", "lines", "points"):
        for nth, item in enumerate(row.get(_F[key]) or []):
            try:
                geometry = _geometry(key, item)
                points = [_read_point(point) for point in item.get(_F["keypoints"]) or []]
                category = names[item[_F["label"]]]
            except (KeyError, TypeError, ValueError):
                findings.add(f"{where}.{_F[key]}[{nth}]", "is no object that can be read")
                continue
            attributes = item.get(_F["attributes"])
            annotations.append(
                Annotation(
                    len(annotations) + 1,
                    category,
                    geometry,
                    uuid=str(item.get(_F["uuid"]) or ""),
                    attributes=attributes if isinstance(attributes, dict) else {},
                    keypoints=points or None,
                    score=item.get(_F["score"]),
                )
            )
    width, height = (
        side if type(side) is int and side > 0 else None for side in (row.get(_F["width"]), row.get(_F["height"]))
    )
    for place, said in bitmaps:
        if said.get("name") != row[_F["name"]]:
            continue
        try:
            points = [_read_point(point) for point in said.get(_F["keypoints"]) or []]
            values = pngs.read(source.read(str(said.get("file"))))
            mask = np.asarray(values > 0 if values.ndim == 2 else values.any(axis=2), dtype=bool)
            if (width, height) not in ((mask.shape[1], mask.shape[0]), (None, None)):
                raise BadBitmap("The bitmap has another size than its picture.")
        except (KeyError, TypeError, ValueError) as error:
            findings.add(place, str(error) if isinstance(error, BadBitmap) else "names a bitmap that is not there")
            continue
        height, width = mask.shape
        attributes = said.get("attributes")
        annotations.append(
            Annotation(
                len(annotations) + 1,
                names.get(str(said.get("label"))),
                bitmap(rle.encode(mask, compressed=True)),
                uuid=str(said.get("uuid") or ""),
                attributes=attributes if isinstance(attributes, dict) else {},
                keypoints=points or None,
                score=said.get(_F["score"]),
            )
        )
    tags = [names[label] for label in row.get(_F["classifications"]) or [] if label in names]
    first = row.get(_F["default"])
    return Sample(
        row[_F["name"]],
        width=width,
        height=height,
        classifications=tags,
        default_classification=names.get(first) if isinstance(first, str) else None,
        annotations=annotations,
    )


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not isfinite(value):
        raise ValueError
    found: float = value
    return found


def _geometry(key: str, item: JSON) -> JSON:
    if key == "boxes":
        x0, y0, x1, y1 = (_number(item[_F[side]]) for side in ("x0", "y0", "x1", "y1"))
        if x0 > x1 or y0 > y1:
            raise ValueError
        return bbox(x0, y0, x1, y1)
    if key == "points":
        return {"type": "point", "points": [[_number(item[_F["x"]]), _number(item[_F["y"]])]]}
    points = [[_number(point[_F["x"]]), _number(point[_F["y"]])] for point in item[_F["ring"]]]
    if len(points) < (3 if key == "polygons" else 2):
        raise ValueError
    return {"type": "polygon", "parts": [[points]]} if key == "polygons" else {"type": "polyline", "parts": [points]}


def _read_point(point: JSON) -> JSON:
    seen = point.get(_F["visibility"], 2)
    at = {"x": _number(point[_F["x"]]), "y": _number(point[_F["y"]])} if seen else {}
    return {"name": str(point[_F["label"]]), **at, "visibility": seen}


SENTISIGHT = Format(
    "sentisight",
    2,
    "SentiSight's kind of JSON",
    carrying(
        "bbox", "polygon", "polyline", "point", "bitmap", "attributes", "keypoints", "scores", "uuids",
        "classifications", "default classification", "names", converted=("parts", "holes", "rbox", "ellipse"),
    ),
    parts=InParts(write, join),
    is_painted=True,
    read=read,
    options=(FRAMES,),
)  # fmt: skip
