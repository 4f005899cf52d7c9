"""CVAT's XML 1.1: `cvat-images`, one file with every picture, and `cvat-video`, one file a sequence. Pure.

A sequence is written as its sparse keyframes. CVAT's `outside` is our remove-keyframe: the object is not there from
that frame on. Between two keyframes CVAT computes as we do, also towards the shape of an `outside`; it is therefore
written with the shape of the keyframe before, at which ours is held.

A polygon with holes or of several parts becomes a mask of exactly its pixels in an image. In a video, which cannot hold
masks, its parts become tracks of one group, and holes are filled. Source: docs.cvat.ai, "CVAT for image / video".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import IO, Any

import numpy as np

from labeling.geometry import rle
from releases.formats import cvat_reading, outlines, texts
from releases.formats.files import Output, Paths, opened
from releases.formats.format import (
    FRAMES,
    LEFT_OUT,
    Format,
    Losses,
    Option,
    Options,
    carrying,
)
from releases.formats.pictures import (
    Picture,
    category_is_known,
    pictures,
    tell_of_annotation,
    tell_of_sample,
)
from releases.formats.records import Annotation, Category, Dataset, Sample, Track
from releases.formats.texts import element, number, tag

JSON = dict[str, Any]

SPARSE = Option("frames", ("keyframes", "dense"), "Keyframes only, as CVAT stores tracks, or every frame.")
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
_END = "</annotations>\n"


# --- images --------------------------------------------------------------------------------------------------------


def write_images(dataset: Dataset, samples: Iterable[Sample], out: Output, options: Options, losses: Losses) -> None:
    """`annotations.xml`, in which every picture is an `<image>`."""
    known = dataset.by_id
    labels = _Labels(dataset)
    with out.spool() as body:
        size = 0
        for size, picture in enumerate(pictures(IMAGES, dataset, samples, options, losses), 1):
            for line in _image(size - 1, picture, known, labels):
                _put(body, line)
        body.seek(0)
        with opened(out, "annotations.xml") as file:
            _put(file, _HEAD + "<meta>\n<task>")
            _put(file, element("name", dataset.name) + element("size", size) + element("mode", "annotation"))
            _put(file, labels.said() + "</task>\n</meta>")
            while piece := body.read(1 << 20):
                file.write(piece)
            _put(file, _END.rstrip())


def _image(number_: int, picture: Picture, known: dict[int, Category], labels: _Labels) -> Iterator[str]:
    facts: JSON = {
        "id": number_,
        "name": picture.name,
        "subset": picture.split or None,
        "width": picture.width if picture.has_size else None,
        "height": picture.height if picture.has_size else None,
    }
    yield tag("image", facts)
    for category in picture.classifications:
        if category in known:
            yield tag("tag", {"label": known[category].name, "source": "manual"}) + "</tag>"
    for order, item in enumerate(picture.annotations):
        assert item.category_id is not None
        labels.saw(item)
        said = {"label": known[item.category_id].name, "source": _source(item), "occluded": _occluded(item)}
        yield from _shape(item, said, {"z_order": order}, picture)
    yield "</image>"


def _shape(item: Annotation, before: JSON, after: JSON, picture: Picture | None) -> Iterator[str]:
    """The element of a shape with its attributes."""
    name, facts = _facts(item.geometry, picture)
    yield tag(name, before | facts | after)
    if name == "skeleton":
        for point in item.geometry["points"]:
            placed = point["visibility"] > 0
            at = f"{number(point['x'])},{number(point['y'])}" if placed else "0,0"
            said = {"label": point["name"], "outside": int(not placed), "occluded": int(point["visibility"] == 1)}
            yield tag("points", said | {"points": at}) + "</points>"
    for key, value in item.attributes.items():
        if not _is_flag(key, value):
            yield f"{tag('attribute', {'name': key})}{texts.content(texts.plain(value))}</attribute>"
    yield f"</{name}>"


def _facts(geometry: JSON, picture: Picture | None) -> tuple[str, JSON]:
    """The name of a shape's element and what says where it is."""
    match geometry["type"]:
        case "bbox":
            (x0, y0), (x1, y1) = geometry["points"]
            return "box", {"xtl": x0, "ytl": y0, "xbr": x1, "ybr": y1}
        case "rbox":
            (x, y), (w, h) = geometry["center"], geometry["size_wh"]
            said = {"xtl": x - w / 2, "ytl": y - h / 2, "xbr": x + w / 2, "ybr": y + h / 2}
            return "box", said | {"rotation": geometry["angle_deg"] % 360}
        case "ellipse":
            (x, y), (rx, ry) = geometry["center"], geometry["radii"]
            return "ellipse", {"cx": x, "cy": y, "rx": rx, "ry": ry, "rotation": geometry["angle_deg"] % 360}
        case "point":
            return "points", {"points": _points(geometry["points"])}
        case "polyline":
            return "polyline", {"points": _points(geometry["parts"][0])}
        case "skeleton":
            return "skeleton", {}
    if not _is_mask(geometry):
        return "polygon", {"points": _points(geometry["parts"][0][0])}
    assert picture is not None
    return "mask", _mask(outlines.runs_of(geometry, picture.height, picture.width))


def _is_mask(geometry: JSON) -> bool:
    return geometry["type"] == "bitmap" or (
        geometry["type"] == "polygon" and (outlines.has_holes(geometry) or outlines.has_parts(geometry))
    )


def _mask(runs: JSON) -> JSON:
    """A mask as CVAT has it: run lengths along the rows of the box around its pixels, unset ones first."""
    x0, y0, x1, y1 = rle.box_of_runs(runs, max_pixels=rle.MAX_PIXELS) or [0, 0, 1, 1]
    flat = rle.decode_box(runs, [x0, y0, x1, y1]).reshape(-1)
    ends = [*np.flatnonzero(np.diff(flat, prepend=False)).tolist(), flat.size]
    counts = np.diff(ends, prepend=0).tolist()
    return {
        "rle": ", ".join(map(str, counts)),
        "left": x0,
        "top": y0,
        "width": x1 - x0,
        "height": y1 - y0,
    }


def _points(points: list[list[float]]) -> str:
    return ";".join(f"{number(x)},{number(y)}" for x, y in points)


def _is_flag(key: str, value: Any) -> bool:
    return key == "occluded" and value is True


def _occluded(item: Annotation) -> int:
    return int(item.attributes.get("occluded") is True)


def _source(item: Annotation | Track) -> str:
    return "auto" if (item.origin or {}).get("kind") == "model" else "manual"


def _put(file: IO[bytes], line: str) -> None:
    file.write(line.encode() + b"\n")


# --- videos --------------------------------------------------------------------------------------------------------


def write_video(dataset: Dataset, samples: Iterable[Sample], out: Output, options: Options, losses: Losses) -> None:
    """`{sample}/annotations.xml` for every sequence."""
    paths = Paths()
    for sample in samples:
        if not sample.is_sequence:
            losses.add("image", LEFT_OUT, sample=sample.name, said="this is a format of sequences")
            continue
        tell_of_sample(VIDEO, sample, losses)
        labels = _Labels(dataset)
        with out.spool() as body:
            for line in _tracks(dataset, sample, labels, options, losses):
                _put(body, line)
            body.seek(0)
            with opened(out, paths.path(sample.name) + "/annotations.xml") as file:
                _put(file, _HEAD + "<meta>\n<task>" + element("name", sample.name))
                _put(file, element("size", len(sample.frames)) + element("mode", "interpolation"))
                _put(file, element("start_frame", 0) + element("stop_frame", max(len(sample.frames) - 1, 0)))
                _put(file, element("frame_filter", "") + labels.said() + _original_size(sample) + "</task>\n</meta>")
                while piece := body.read(1 << 20):
                    file.write(piece)
                _put(file, _END.rstrip())


def _original_size(sample: Sample) -> str:
    for frame in sample.frames:
        if frame.width and frame.height:
            size = element("width", frame.width) + element("height", frame.height)
            return f"\n<original_size>{size}</original_size>"
    return ""


def _tracks(dataset: Dataset, sample: Sample, labels: _Labels, options: Options, losses: Losses) -> Iterator[str]:
    known = dataset.by_id
    group = 0
    for track in sample.tracks:
        first = next((entry for entry in track.entries.values() if not entry.get("absent")), None)
        if first is None:
            continue
        item = track.seen(first["geometry"], first, keyframe=True)
        if track.sensor is not None:
            losses.add("sensors", LEFT_OUT, sample=sample.name, annotation=item)
            continue
        if not category_is_known(
            VIDEO, known, replace(item, category_id=track.category_id), options, losses, sample.name
        ):
            continue
        pieces = 1
        if first["geometry"]["type"] in ("polygon", "polyline"):
            pieces = max(
                len(entry["geometry"].get("parts", ())) for entry in track.entries.values() if not entry.get("absent")
            )
        group += pieces > 1
        for piece in range(pieces):
            yield from _track(sample, track, piece, group if pieces > 1 else 0, known, labels, options, losses)


def _track(
    sample: Sample,
    track: Track,
    piece: int,
    group: int,
    known: dict[int, Category],
    labels: _Labels,
    options: Options,
    losses: Losses,
) -> Iterator[str]:
    assert track.category_id is not None
    lines = list(_sightings(sample, track, piece, labels, options, losses))
    if not lines:
        return
    facts: JSON = {"id": track.track_id, "label": known[track.category_id].name, "source": _source(track)}
    yield tag("track", facts | ({"group_id": group} if group else {}))
    yield from lines
    yield "</track>"


def _sightings(
    sample: Sample, track: Track, piece: int, labels: _Labels, options: Options, losses: Losses
) -> Iterator[str]:
    """The shapes of one part of a track, those with which it goes away included."""
    last: Annotation | None = None
    timeline = track.timeline()
    gone = set(timeline.remove_keyframes())
    if options.dense:
        seen = dict(track.at(sample.time))
    else:
        seen = {
            frame: track.seen(entry["geometry"], entry, keyframe=True)
            for frame, entry in sorted(timeline.entries.items())
            if not entry.get("absent")
        }
        for frame in timeline.kept:
            losses.add("computed frame of its own", LEFT_OUT, sample=sample.name, frame=frame)
    for frame in sorted({*seen, *gone}):
        if frame in gone and frame not in seen:
            if last is not None:
                yield from _sighting(last, frame, outside=True, keyframe=True)
                last = None
            continue
        item = _told(sample, track, seen[frame], frame, piece, losses)
        if item is None:
            if last is not None:  # what cannot be shown here must not go on as it was
                yield from _sighting(last, frame, outside=True, keyframe=True)
                last = None
            continue
        labels.saw(item)
        yield from _sighting(item, frame, outside=False, keyframe=bool(item.keyframe))
        last = item


def _told(sample: Sample, track: Track, item: Annotation, frame: int, piece: int, losses: Losses) -> Annotation | None:
    """One part of an object at a frame as CVAT can say it; lists what it cannot."""
    if piece == 0 and not tell_of_annotation(VIDEO, item, losses, sample.name, frame):
        return None
    if piece == 0 and item.category_id != track.category_id:
        losses.add("category of a keyframe", LEFT_OUT, sample=sample.name, frame=frame, annotation=item)
    geometry = outlines.sound(item.geometry)
    if geometry is None:
        losses.add(
            "geometry that shows nothing in a picture", LEFT_OUT, sample=sample.name, frame=frame, annotation=item
        )
        return None
    if geometry["type"] in ("polygon", "polyline"):
        if piece >= len(geometry["parts"]):
            return None
        part = geometry["parts"][piece]
        geometry = {"type": geometry["type"], "parts": [part[:1] if geometry["type"] == "polygon" else part]}
    return replace(item, geometry=geometry) if VIDEO.fate(geometry["type"]) != LEFT_OUT else None


def _sighting(item: Annotation, frame: int, *, outside: bool, keyframe: bool) -> Iterator[str]:
    said = {"frame": frame, "keyframe": int(keyframe), "outside": int(outside), "occluded": _occluded(item)}
    yield from _shape(item, said, {"z_order": 0}, None)


# --- labels --------------------------------------------------------------------------------------------------------


class _Labels:
    """What the head says of categories and attributes: all that are defined, and all that were seen."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._seen: dict[int, dict[str, str]] = {item.id: {} for item in dataset.categories}
        self._points: dict[int, list[str]] = {item.id: list(item.points) for item in dataset.categories}

    def saw(self, item: Annotation) -> None:
        """An annotation is going to be written."""
        assert item.category_id is not None
        for key, value in item.attributes.items():
            if not _is_flag(key, value):
                kind = "checkbox" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "text"
                had = self._seen[item.category_id].setdefault(key, kind)
                if had != kind:
                    self._seen[item.category_id][key] = "text"
        if item.geometry["type"] == "skeleton":
            points = self._points[item.category_id]
            points += [point["name"] for point in item.geometry["points"] if point["name"] not in points]

    def said(self) -> str:
        lines = ["\n<labels>"]
        for category in self._dataset.categories:
            lines.append("<label>" + element("name", category.name) + _colour(category))
            lines.append("<attributes>")
            defined = {str(item.get("name")): item for item in category.attributes}
            for name in (*defined, *(name for name in self._seen[category.id] if name not in defined)):
                lines.append(_attribute(name, defined.get(name), self._seen[category.id].get(name)))
            lines.append("</attributes></label>")
            parent = element("parent", category.name)
            lines += [
                f"<label>{element('name', point)}{element('type', 'points')}<attributes></attributes>{parent}</label>"
                for point in self._points[category.id]
            ]
        return "\n".join([*lines, "</labels>"])


_KINDS = {"select": "select", "checkbox": "checkbox", "number": "number", "text": "text"}


def _attribute(name: str, defined: JSON | None, seen: str | None) -> str:
    kind = _KINDS.get(str((defined or {}).get("input_type")), seen or "text")
    if seen is not None and seen != kind and kind != "select":
        kind = "text"
    choices = (defined or {}).get("values") or (defined or {}).get("enum") or []
    if kind == "checkbox":
        choices = ["false", "true"]
    mutable = not (defined or {}).get("is_track_level")
    default = (defined or {}).get("default_value")
    return (
        "<attribute>"
        + element("name", name)
        + element("mutable", "True" if mutable else "False")
        + element("input_type", kind)
        + element("default_value", "" if default is None else texts.plain(default))
        + element("values", "\n".join(texts.plain(choice) for choice in choices))
        + "</attribute>"
    )


def _colour(category: Category) -> str:
    return element("color", "#{:02x}{:02x}{:02x}".format(*category.colour)) if category.colour else ""


_POINTED = ("bbox", "rbox", "ellipse", "polygon", "point", "skeleton", "attributes", "classifications", "splits")
IMAGES = Format(
    "cvat-images",
    1,
    "CVAT for images 1.1",
    carrying(*_POINTED, "polyline", "bitmap", converted=("parts", "holes")),
    write=write_images,
    read=cvat_reading.read,
    options=(FRAMES,),
    needs_size=True,
)
VIDEO = Format(
    "cvat-video",
    1,
    "CVAT for video 1.1",
    carrying(*_POINTED, "polyline", "tracks", "keyframes", converted=("parts",), approximated=("holes",)),
    write=write_video,
    read=cvat_reading.read,
    options=(SPARSE,),
)
