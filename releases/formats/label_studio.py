"""Reading Label Studio's JSON export: images, classifications, and rectangles of videos. Pure.

Coordinates are shares of 100 of the picture. A turned rectangle is turned about its upper left corner. Results of one
`id` are one region: what is said of it beside its labels (choices, numbers, texts) are its attributes, by `from_name`.
Of several annotations of a task the last is taken; predictions are not read. Source: labelstud.io/guide/export and the
reference of the tags.
"""

from __future__ import annotations

from itertools import chain
from math import isfinite
from typing import Any

import numpy as np

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap
from labeling.geometry.shapes import Drawn, polygon_of, sine_cosine
from releases.formats import jsons
from releases.formats.files import Source
from releases.formats.format import Findings, Format, Options, UnreadableFile, carrying
from releases.formats.outlines import bbox, bitmap
from releases.formats.records import Annotation, Category, Dataset, Frame, Imported, Sample, Track
from sequences.rules.timeline import Clock

JSON = dict[str, Any]

_POLYGONS = frozenset({"polygonlabels", "polygon"})
_REGIONS = _POLYGONS | {
    "rectanglelabels", "keypointlabels", "ellipselabels", "brushlabels", "rectangle", "ellipse", "keypoint", "brush",
}  # fmt: skip
_GRID = 1024


def read(source: Source, findings: Findings, options: Options) -> Imported:
    """Every JSON file that is a list of tasks.

    Raises:
        UnreadableFile: there is none.
    """
    tasks: list[tuple[str, JSON]] = []
    for path in source.paths():
        if not path.endswith(".json"):
            continue
        try:
            document = jsons.parsed(source.read(path))
        except ValueError:
            findings.add(path, "is no JSON")
            continue
        for nth, task in enumerate(document if isinstance(document, list) else []):
            if isinstance(task, dict) and isinstance(task.get("data"), dict):
                tasks.append((f"{path} [{nth}]", task))
            else:
                findings.add(f"{path} [{nth}]", "is no task with data")
    if not tasks:
        raise UnreadableFile("there is no JSON file with a list of tasks")
    names: dict[str, int] = {}
    for _, task in tasks:
        for item in _results(task):
            for label in _labels(item):
                names.setdefault(label, len(names) + 1)
    categories = tuple(Category(number, name) for name, number in names.items())
    samples = (_sample(where, task, names, findings) for where, task in tasks)
    return Imported(Dataset("label-studio", categories), samples)


def _results(task: JSON) -> list[JSON]:
    made = task.get("annotations") or task.get("completions") or []
    kept = [item for item in made if isinstance(item, dict) and not item.get("was_cancelled")]
    found = kept[-1].get("result") if kept else []
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _kind(item: JSON) -> str:
    """The type of a result; "" where it has none."""
    kind = item.get("type")
    return kind if isinstance(kind, str) else ""


def _labels(item: JSON) -> list[str]:
    kind, value = _kind(item), item.get("value")
    if not isinstance(value, dict):
        return []
    said = value.get("labels") if kind == "videorectangle" else value.get(kind) if kind.endswith("labels") else None
    if kind == "choices" and "x" not in value and not item.get("parentID"):
        said = value.get("choices")
    return [label for label in said if isinstance(label, str)] if isinstance(said, list) else []


def _sample(where: str, task: JSON, names: dict[str, int], findings: Findings) -> Sample:
    url = next((str(task["data"][key]) for key in ("image", "img", "video", "url") if task["data"].get(key)), "")
    if not url:
        url = next((value for value in task["data"].values() if isinstance(value, str)), "")
    name = url.split("?d=")[-1].rsplit("/", 1)[-1] or str(task.get("id", where))
    results = _results(task)
    made = [item for item in task.get("annotations") or [] if isinstance(item, dict)]
    if len([item for item in made if not item.get("was_cancelled")]) > 1:
        findings.note(where, "has several annotations, of which the last is read")
    if task.get("predictions"):
        findings.note(where, "has predictions, which are not read")
    kinds = [_kind(item) for item in results]
    others = [(item, kind) for item, kind in zip(results, kinds, strict=True) if kind not in _REGIONS]
    regions = {str(item.get("id")) for item, kind in zip(results, kinds, strict=True) if kind in _REGIONS}
    attributes: dict[str, JSON] = {}
    classifications: list[int] = []
    for item, kind in others:
        key = str(item.get("id"))
        if kind == "choices" and key not in regions:
            classifications += [names[label] for label in _labels(item) if names[label] not in classifications]
        elif kind != "videorectangle" and key in regions:
            attributes.setdefault(key, {})[str(item.get("from_name"))] = _value(item)
    if "videorectangle" in kinds:
        return _video(where, name, url, results, names, findings)
    found: list[Annotation] = []
    size: tuple[int | None, int | None] = (None, None)
    seen: set[str] = set()
    for nth, (item, kind) in enumerate(zip(results, kinds, strict=True)):
        place = f"{where}.result[{nth}]"
        if kind not in _REGIONS:
            if kind not in ("choices", "textarea", "number", "rating", "taxonomy", "relation", "labels"):
                findings.add(place, "is of a type that is not known here")
            elif kind == "relation":
                findings.note(place, "is a relation, which is not read")
            continue
        key, labels = str(item.get("id")), _labels(item)
        if key in seen and not labels:  # the bare shape beside the same with labels
            continue
        try:
            width, height = int(item["original_width"]), int(item["original_height"])
            written = _polygon(item["value"], width, height) if kind in _POLYGONS else None
            geometry = _geometry(item, width, height) if written is None else {}
        except (KeyError, TypeError, ValueError, IndexError, OverflowError, BadBitmap):
            findings.add(place, "is no region that can be read")
            continue
        size = width, height
        seen.add(key)
        if len(labels) > 1:
            findings.note(place, "has several labels, of which the first is read")
        found.append(
            Annotation(
                len(found) + 1,
                names[labels[0]] if labels else None,
                geometry,
                attributes=attributes.get(key, {}),
                score=item["score"] if type(item.get("score")) in (int, float) else None,
                origin={"kind": "model"} if str(item.get("origin", "")).startswith("prediction") else None,
                written=written,
            ).as_written()
        )
    return Sample(
        name=name,
        url=url if "://" in url else "",
        width=size[0],
        height=size[1],
        classifications=classifications,
        default_classification=classifications[0] if classifications else None,
        annotations=found,
    )


def _value(item: JSON) -> Any:
    value = item.get("value") or {}
    found = next((value[key] for key in (item.get("type"), "text", "number", "rating") if key in value), None)
    return found[0] if isinstance(found, list) and len(found) == 1 else found


def _px(value: float) -> float:
    found = round(value * _GRID) / _GRID
    return int(found) if found.is_integer() else found


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not isfinite(value):
        raise ValueError
    return float(value)


def _check_size(width: int, height: int) -> None:
    if not (0 < width <= 65535 and 0 < height <= 65535):
        raise ValueError


def _polygon(value: JSON, width: int, height: int) -> Drawn:
    """A polygon, of which there are millions."""
    _check_size(width, height)
    points = value["points"]
    numbers = [*chain.from_iterable(points)]
    if set(map(len, points)) - {2} or set(map(type, numbers)) - {int, float}:
        raise ValueError
    if not (isfinite(sum(numbers)) or all(map(isfinite, numbers))):
        raise ValueError
    numbers[::2] = [round(x * width / 100 * _GRID) / _GRID for x in numbers[::2]]
    numbers[1::2] = [round(y * height / 100 * _GRID) / _GRID for y in numbers[1::2]]
    return polygon_of([numbers]).spelled()


def _geometry(item: JSON, width: int, height: int) -> JSON:
    value, kind = item["value"], str(item["type"]).removesuffix("labels")
    _check_size(width, height)
    if kind == "brush":
        return _brush(value["rle"], width, height)
    x, y = _number(value["x"]) * width / 100, _number(value["y"]) * height / 100
    turned = _number(value.get("rotation") or 0)
    if kind == "keypoint":
        return {"type": "point", "points": [[_px(x), _px(y)]]}
    if kind == "ellipse":
        radii = [_px(_number(value["radiusX"]) * width / 100), _px(_number(value["radiusY"]) * height / 100)]
        return {"type": "ellipse", "center": [_px(x), _px(y)], "radii": radii, "angle_deg": turned}
    return _rectangle(x, y, _number(value["width"]) * width / 100, _number(value["height"]) * height / 100, turned)


def _rectangle(x: float, y: float, w: float, h: float, turned: float) -> JSON:
    if w < 0 or h < 0:
        raise ValueError
    if not turned % 360:
        return bbox(_px(x), _px(y), _px(x + w), _px(y + h))
    sine, cosine = sine_cosine(turned)
    center = [_px(x + (w * cosine - h * sine) / 2), _px(y + (w * sine + h * cosine) / 2)]
    return {"type": "rbox", "center": center, "size_wh": [_px(w), _px(h)], "angle_deg": turned}


def _brush(packed: list[int], width: int, height: int) -> JSON:
    """Its run lengths: a stream of bits that gives the bytes of an RGBA picture, of which the last, alpha, counts."""
    bits = np.unpackbits(np.array(packed, dtype=np.uint8))
    at = 0

    def take(count: int) -> int:
        nonlocal at
        if at + count > bits.size:
            raise ValueError
        found = 0
        for bit in bits[at : at + count].tolist():
            found = found << 1 | bit
        at += count
        return found

    size, word = take(32), take(5) + 1
    lengths = [take(4) + 1 for _ in range(4)]
    if size != width * height * 4:
        raise ValueError
    values = np.zeros(size, dtype=np.uint8)
    place = 0
    while place < size:
        repeats, until = take(1), 0
        until = place + 1 + take(lengths[take(2)])
        if until > size:
            raise ValueError
        if repeats:
            values[place:until] = take(word)
        else:
            for one in range(place, until):
                values[one] = take(word)
        place = until
    return bitmap(rle.encode(values.reshape(height, width, 4)[..., 3] > 0, compressed=True))


def _video(where: str, name: str, url: str, results: list[JSON], names: dict[str, int], findings: Findings) -> Sample:
    """Rectangles of a video: frames count from 1; `enabled` says whether the object is there until the next keyframe.

    Label Studio gives shares of an unknown size, so they are kept as shares of 100.
    """
    tracks: list[Track] = []
    count = 0
    for nth, item in enumerate(results):
        if item.get("type") != "videorectangle":
            continue
        place = f"{where}.result[{nth}]"
        try:
            value = item["value"]
            count = max(count, int(value.get("framesCount") or 0))
            entries: dict[int, JSON] = {}
            for key in sorted(value["sequence"], key=lambda one: one["frame"]):
                frame = int(key["frame"]) - 1
                x, y, w, h = (_number(key[side]) for side in ("x", "y", "width", "height"))
                box = _rectangle(x, y, w, h, _number(key.get("rotation") or 0))
                entries[frame] = {"geometry": box}
                if not key.get("enabled", True):
                    entries[frame + 1] = {"absent": True}
                count = max(count, frame + 1)
                if frame < 0:
                    raise ValueError
        except (KeyError, TypeError, ValueError, OverflowError):
            findings.add(place, "is no rectangle of a video that can be read")
            continue
        labels = _labels(item)
        tracks.append(Track(len(tracks) + 1, names[labels[0]] if labels else None, entries))
    findings.note(where, "is a video without a size; its coordinates are shares of 100")
    tracks = [
        Track(track.track_id, track.category_id, {f: e for f, e in track.entries.items() if f < count})
        for track in tracks
    ]
    frames = [Frame(f"{number:06d}", 100, 100) for number in range(count)]
    return Sample(
        name=name, url=url if "://" in url else "", is_sequence=True, frames=frames, tracks=tracks, clock=Clock(count)
    )


LABEL_STUDIO = Format(
    "label-studio",
    1,
    "Label Studio",
    carrying(
        "bbox", "rbox", "polygon", "ellipse", "point", "bitmap", "attributes", "scores", "classifications", "tracks",
        "keyframes", "no category",
    ),
    read=read,
)  # fmt: skip
