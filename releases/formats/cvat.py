"""CVAT's XML 1.1: `cvat-images`, one file with every picture, and `cvat-video`, one file a sequence. Pure.

A sequence is written as its sparse keyframes. CVAT's `outside` is our remove-keyframe: the object is not there from
that frame on. Between two keyframes CVAT computes as we do, also towards the shape of an `outside`; it is therefore
written with the shape of the keyframe before, at which ours is held.

A polygon with holes or of several parts becomes a mask of exactly its pixels in an image. In a video, which cannot hold
masks, its parts become tracks of one group, and holes are filled. Source: docs.cvat.ai, "CVAT for image / video".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import IO, Any

import numpy as np

from labeling.geometry import rle
from releases.formats import cvat_reading, jsons, outlines, texts
from releases.formats.cvat_labels import Labels, is_flag, label_name
from releases.formats.drafts import Draft, join
from releases.formats.files import Output, opened, spool
from releases.formats.format import (
    APPROXIMATED,
    FRAMES,
    LEFT_OUT,
    Format,
    Losses,
    Option,
    Options,
    carrying,
)
from releases.formats.names import tell_of_names
from releases.formats.parts import InParts, Part, Streams, as_written
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
_IMAGES = "images"
# Text of people has no bare `<`, so nothing else looks like that.
_NUMBER = re.compile(rb'<image id="([0-9]+)"')


# --- images --------------------------------------------------------------------------------------------------------


def write_images(
    dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses
) -> JSON:
    """The lines of an `<image>` a picture, numbered from 0; the part's facts are what was seen."""
    known = dataset.by_id
    labels = Labels(dataset)
    size = 0
    for picture in pictures(IMAGES, dataset, samples, options, losses):
        for line in _image(size, picture, known, labels, losses):
            _put(streams, line)
        size += 1
    return {"images": size, "seen": labels.seen()}


def join_images(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """`annotations.xml`, in which every picture is an `<image>`."""
    labels = _learned(dataset, parts)
    with opened(out, "annotations.xml") as file:
        _put_line(file, _HEAD + "<meta>\n<task>")
        size = sum(part.facts["images"] for part in parts)
        _put_line(file, element("name", dataset.name) + element("size", size) + element("mode", "annotation"))
        _put_line(file, labels.said() + "</task>\n</meta>")
        before = 0
        for part in parts:
            for piece in part.pieces(_IMAGES):
                file.write(_NUMBER.sub(partial(_counted_on, before), piece))
            before += part.facts["images"]
        _put_line(file, _END.rstrip())


def told(dataset: Dataset, parts: list[Part], losses: Losses) -> Iterator[bytes]:
    """The lines of what parts could not carry, and the attributes whose kinds all of them together do not tell."""
    yield from as_written(dataset, parts, losses)
    labels = _learned(dataset, parts)
    lost: list[JSON] = []
    heard = Losses(losses.stop, lost.append, losses.counts)
    for mixed in labels.mixed():
        heard.add("attributes", APPROXIMATED, sample="", said=mixed)
    yield from (jsons.line(each) + b"\n" for each in lost)


def _learned(dataset: Dataset, parts: list[Part]) -> Labels:
    """What all parts together have seen."""
    labels = Labels(dataset)
    for part in parts:
        labels.learn(part.facts["seen"])
    return labels


def _counted_on(before: int, match: re.Match[bytes]) -> bytes:
    return b'<image id="%d"' % (int(match[1]) + before)


def _image(number_: int, picture: Picture, known: dict[int, Category], labels: Labels, losses: Losses) -> Iterator[str]:
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
            yield tag("tag", {"label": labels.names[category], "source": "manual"}) + "</tag>"
    for order, item in enumerate(picture.annotations):
        assert item.category_id is not None
        labels.saw(item, picture.sample.name, picture.frame, losses)
        said = {"label": labels.names[item.category_id], "source": _source(item), "occluded": _occluded(item)}
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
        if not is_flag(key, value):
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


def _occluded(item: Annotation) -> int:
    return int(item.attributes.get("occluded") is True)


def _source(item: Annotation | Track) -> str:
    return "auto" if (item.origin or {}).get("kind") == "model" else "manual"


def _put(streams: Streams, line: str) -> None:
    streams.add(_IMAGES, line.encode() + b"\n")


def _put_line(file: IO[bytes], line: str) -> None:
    file.write(line.encode() + b"\n")


# --- videos --------------------------------------------------------------------------------------------------------


def write_video(
    dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses
) -> JSON:
    """`{sample}/annotations.xml` for every sequence."""
    draft = Draft(streams)
    for sample in samples:
        if not sample.is_sequence:
            losses.add("image", LEFT_OUT, sample=sample.name, said="this is a format of sequences")
            continue
        tell_of_sample(VIDEO, sample, losses)
        labels = Labels(dataset)
        with spool() as body, spool() as file:
            for line in _tracks(dataset, sample, labels, options, losses):
                _put_line(body, line)
            for mixed in labels.mixed():
                losses.add("attributes", APPROXIMATED, sample=sample.name, said=mixed)
            _put_line(file, _HEAD + "<meta>\n<task>" + element("name", sample.name))
            _put_line(file, element("size", len(sample.frames)) + element("mode", "interpolation"))
            _put_line(file, element("start_frame", 0) + element("stop_frame", max(len(sample.frames) - 1, 0)))
            _put_line(file, element("frame_filter", "") + labels.said() + _original_size(sample) + "</task>\n</meta>")
            body.seek(0)
            while piece := body.read(1 << 20):
                file.write(piece)
            _put_line(file, _END.rstrip())
            draft.put(file, draft.name(sample.name), after="/annotations.xml")
    return {}


def _original_size(sample: Sample) -> str:
    for frame in sample.frames:
        if frame.width and frame.height:
            size = element("width", frame.width) + element("height", frame.height)
            return f"\n<original_size>{size}</original_size>"
    return ""


_IN_PARTS = ("polygon", "polyline")


def _tracks(dataset: Dataset, sample: Sample, labels: Labels, options: Options, losses: Losses) -> Iterator[str]:
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
        shown = [entry["geometry"] for entry in track.entries.values() if not entry.get("absent")]
        pieces = max([1, *(len(one["parts"]) for one in shown if one["type"] in _IN_PARTS)])
        if pieces > 1 and any(one["type"] not in _IN_PARTS or len(one["parts"]) != pieces for one in shown):
            # Each part is interpolated as a track of its own, where ours waits for the keyframe.
            losses.add("parts", APPROXIMATED, sample=sample.name, annotation=item, said="parts that come and go")
        boxes = [one for one in shown if one["type"] in ("bbox", "rbox")]
        if len({one.get("angle_deg", 0) % 360 == 0 for one in boxes}) > 1:
            # CVAT turns one box into the other, where ours waits for the keyframe if one of them is not turned.
            for what in sorted({one["type"] for one in boxes}):
                losses.add(what, APPROXIMATED, sample=sample.name, annotation=item, said="boxes turned and not turned")
        group += pieces > 1
        for piece in range(pieces):
            yield from _track(sample, track, piece, group if pieces > 1 else 0, labels, options, losses)


def _track(
    sample: Sample,
    track: Track,
    piece: int,
    group: int,
    labels: Labels,
    options: Options,
    losses: Losses,
) -> Iterator[str]:
    assert track.category_id is not None
    lines = list(_sightings(sample, track, piece, labels, options, losses))
    if not lines:
        return
    facts: JSON = {"id": track.track_id, "label": labels.names[track.category_id], "source": _source(track)}
    yield tag("track", facts | ({"group_id": group} if group else {}))
    yield from lines
    yield "</track>"


def _sightings(
    sample: Sample, track: Track, piece: int, labels: Labels, options: Options, losses: Losses
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
        labels.saw(item, sample.name, frame, losses)
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
    if piece >= (len(geometry["parts"]) if geometry["type"] in _IN_PARTS else 1):
        return None
    if geometry["type"] in _IN_PARTS:
        part = geometry["parts"][piece]
        geometry = {"type": geometry["type"], "parts": [part[:1] if geometry["type"] == "polygon" else part]}
    if VIDEO.fate(geometry["type"]) == LEFT_OUT:
        return None
    # Its attributes are read as those of the label that the track has.
    return replace(item, geometry=geometry, category_id=track.category_id)


def _sighting(item: Annotation, frame: int, *, outside: bool, keyframe: bool) -> Iterator[str]:
    said = {"frame": frame, "keyframe": int(keyframe), "outside": int(outside), "occluded": _occluded(item)}
    yield from _shape(item, said, {"z_order": 0}, None)


_POINTED = (
    "bbox", "rbox", "ellipse", "polygon", "polyline", "point", "skeleton", "attributes", "order", "list of categories",
    "colours of categories",
)  # fmt: skip
_NEARLY = ("points of categories", "definitions of attributes")  # without edges, or with less than they say
IMAGES = Format(
    "cvat-images",
    2,
    "CVAT for images 1.1",
    carrying(
        *_POINTED, "bitmap", "classifications", "splits", "names", converted=("parts", "holes"), approximated=_NEARLY
    ),
    parts=InParts(write_images, join_images, before=tell_of_names(label_name), told=told),
    read=cvat_reading.read,
    options=(FRAMES,),
    needs_size=True,
)
VIDEO = Format(
    "cvat-video",
    2,
    "CVAT for video 1.1",
    carrying(
        *_POINTED, "tracks", "keyframes", "sequences", converted=("parts",), approximated=("holes", "names", *_NEARLY)
    ),
    parts=InParts(write_video, join, before=tell_of_names(label_name)),
    read=cvat_reading.read,
    options=(SPARSE,),
)
