"""GeoJSON: `{picture}.geojson`, a feature an object, in pixels. Pure.

RFC 7946 has its coordinates in degrees of WGS 84; these are not, and the member `pixels` says so. Outer rings run so
that their signed area in (x, y) is positive, holes the other way, as its §3.1.6 has it, and every ring is closed. A
bitmap becomes the outline of exactly its pixels, an ellipse a fine polygon.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any

from labeling.geometry.contours import signed_area
from releases.formats import jsons, outlines
from releases.formats.drafts import Draft, join
from releases.formats.files import Source
from releases.formats.format import FRAMES, Findings, Format, Losses, Options, UnreadableFile, carrying
from releases.formats.parts import InParts, Streams
from releases.formats.pictures import pictures
from releases.formats.records import Annotation, Category, Dataset, Imported, Sample

JSON = dict[str, Any]
Points = list[list[float]]


def write(dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses) -> JSON:
    """A collection of features for every picture."""
    draft = Draft(streams)
    known = dataset.by_id
    for picture in pictures(GEOJSON, dataset, samples, options, losses):
        features = []
        for order, item in enumerate(picture.annotations):
            category = known[item.category_id].name if item.category_id in known else None
            properties = {
                "category": category, "category_id": item.category_id, "attributes": item.attributes,
                "shape": item.geometry["type"], "uuid": item.uuid or None, "score": item.score,
                "track_id": item.track_id, "keyframe": item.keyframe, "order": order,
            }  # fmt: skip
            said = {key: value for key, value in properties.items() if value is not None}
            features.append(
                {"type": "Feature", "id": item.id, "properties": said, "geometry": _geometry(item.geometry)}
            )
        document = {
            "type": "FeatureCollection",
            "pixels": {"name": picture.name, "width": picture.width or None, "height": picture.height or None,
                       "split": picture.split},
            "features": features,
        }  # fmt: skip
        draft.file(jsons.line(document) + b"\n", picture.name, ".geojson")
    return {}


def _geometry(geometry: JSON) -> JSON | None:
    match geometry["type"]:
        case "point":
            return {"type": "Point", "coordinates": geometry["points"][0]}
        case "skeleton":
            return {"type": "MultiPoint", "coordinates": outlines.vertices_of(geometry)}
        case "polyline" if len(geometry["parts"]) == 1:
            return {"type": "LineString", "coordinates": geometry["parts"][0]}
        case "polyline":
            return {"type": "MultiLineString", "coordinates": geometry["parts"]}
    parts = [
        [_closed(ring, outer=nth == 0) for nth, ring in enumerate(part)]
        for part in outlines.parts_with_rings(geometry)
        if part
    ]
    if len(parts) == 1:
        return {"type": "Polygon", "coordinates": parts[0]}
    return {"type": "MultiPolygon", "coordinates": parts} if parts else None


def _closed(ring: Points, *, outer: bool) -> Points:
    if (signed_area(ring) < 0) is outer:
        ring = [ring[0], *ring[:0:-1]]
    return [*ring, ring[0]]


# --- reading -------------------------------------------------------------------------------------------------------


def read(source: Source, findings: Findings, options: Options) -> Imported:
    """Every `.geojson` file whose collection says that it is in pixels.

    Raises:
        UnreadableFile: there is none.
    """
    documents: list[tuple[str, JSON]] = []
    for path in source.paths():
        if not path.endswith((".geojson", ".json")):
            continue
        try:
            document = jsons.parsed(source.read(path))
        except ValueError:
            findings.add(path, "is no JSON")
            continue
        if isinstance(document, dict) and isinstance(document.get("features"), list):
            if isinstance(document.get("pixels"), dict):
                documents.append((path, document))
            else:
                findings.add(path, "is in degrees of WGS 84, as GeoJSON is unless `pixels` says otherwise")
    if not documents:
        raise UnreadableFile("there is no collection of features in pixels")
    names: dict[str, int] = {}
    for _, document in documents:
        for feature in document["features"]:
            said = feature.get("properties") if isinstance(feature, dict) else None
            if isinstance(said, dict) and isinstance(said.get("category"), str):
                number = said.get("category_id")
                free = max(names.values(), default=0) + 1
                taken = type(number) is not int or number in names.values()
                names.setdefault(said["category"], free if taken else number)  # type: ignore[arg-type]
    categories = tuple(Category(number, name) for name, number in names.items())

    def samples() -> Iterator[Sample]:
        for path, document in documents:
            yield _sample(path, document, names, findings)

    return Imported(Dataset("geojson", categories), samples())


def _sample(path: str, document: JSON, names: dict[str, int], findings: Findings) -> Sample:
    annotations: list[Annotation] = []
    for nth, feature in enumerate(document["features"]):
        try:
            said = feature["properties"] or {}
            geometry = _read_geometry(feature["geometry"], said.get("shape"))
        except (KeyError, TypeError, ValueError):
            findings.add(f"{path} features[{nth}]", "is no feature that can be read")
            continue
        attributes, score, track = said.get("attributes"), said.get("score"), said.get("track_id")
        annotations.append(
            Annotation(
                len(annotations) + 1,
                names.get(str(said.get("category"))),
                geometry,
                uuid=str(said.get("uuid") or ""),
                attributes=attributes if isinstance(attributes, dict) else {},
                score=score if type(score) in (int, float) else None,
                track_id=track if type(track) is int else None,
                keyframe=said["keyframe"] if type(said.get("keyframe")) is bool else None,
            )
        )
    pixels = document["pixels"]
    sides = [
        side if type(side) is int and 0 < side <= 65535 else None
        for side in (pixels.get("width"), pixels.get("height"))
    ]
    name = str(pixels.get("name") or path.rsplit(".", 1)[0])
    return Sample(name, width=sides[0], height=sides[1], split=str(pixels.get("split") or ""), annotations=annotations)


def _points(value: Any, least: int) -> Points:
    if len(value) < least or not all(
        len(point) == 2 and all(type(n) in (int, float) and isfinite(n) for n in point) for point in value
    ):
        raise ValueError
    return [list(point) for point in value]


def _ring(value: Any) -> Points:
    points = _points(value, 4)
    if points[0] != points[-1]:
        raise ValueError
    return points[:-1]


def _read_geometry(said: JSON, shape: Any) -> JSON:
    coordinates = said["coordinates"]
    match said["type"]:
        case "Point":
            return {"type": "point", "points": _points([coordinates], 1)}
        case "MultiPoint":
            points = _points(coordinates, 1)
            named = [{"name": str(n), "x": x, "y": y, "visibility": 2} for n, (x, y) in enumerate(points, 1)]
            return {"type": "skeleton", "points": named}
        case "LineString":
            return {"type": "polyline", "parts": [_points(coordinates, 2)]}
        case "MultiLineString":
            return {"type": "polyline", "parts": [_points(line, 2) for line in coordinates]}
        case "Polygon":
            rings = [_ring(ring) for ring in coordinates]
            if shape == "bbox" and len(rings) == 1 and len(rings[0]) == 4:
                xs, ys = [x for x, _ in rings[0]], [y for _, y in rings[0]]
                return outlines.bbox(min(xs), min(ys), max(xs), max(ys))
            if not rings:
                raise ValueError
            return {"type": "polygon", "parts": [rings]}
        case "MultiPolygon":
            return {"type": "polygon", "parts": [[_ring(ring) for ring in part] for part in coordinates]}
    raise ValueError


GEOJSON = Format(
    "geojson",
    2,
    "GeoJSON in pixels",
    carrying(
        "bbox", "polygon", "polyline", "point", "parts", "holes", "attributes", "scores", "tracks", "keyframes",
        "uuids", "splits", "no category", "order", "names", "ids of categories",
        converted=("bitmap", "rbox"), approximated=("ellipse", "skeleton"),
    ),
    parts=InParts(write, join),
    read=read,
    options=(FRAMES,),
)  # fmt: skip
