"""Reading CVAT's XML, version 1.1: images, and the tracks of a video. Pure.

What CVAT computed between keyframes (`keyframe="0"`) is not read: ours compute the same, and where they do not, by more
than CVAT's rounding to 1/100 px, a note says so. `outside` is a remove-keyframe; where its shape differs from the
keyframe's before it, CVAT shows the object on its way there, so the frame before becomes a keyframe.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap
from labeling.geometry.shapes import Drawn, polygon_of
from releases.formats.files import Source
from releases.formats.format import Findings, Options, UnreadableFile
from releases.formats.outlines import bitmap
from releases.formats.records import Annotation, Category, Dataset, Frame, Imported, Sample, Track
from releases.formats.xmls import Element, number_of, numbers_of, pairs_of, parsed, text_of
from sequences.interpolation.blends import blended
from sequences.rules.timeline import Clock

JSON = dict[str, Any]

SHAPES = ("box", "polygon", "polyline", "points", "ellipse", "mask", "skeleton")
#: How far CVAT's rounding and ours may be apart.
ROUNDED_PX = 0.02
_MOST_FRAMES = 1 << 20


def read(source: Source, findings: Findings, options: Options) -> Imported:
    """All pictures and sequences of every `.xml` file that is CVAT's.

    Raises:
        UnreadableFile: there is none.
    """
    documents = []
    for path in source.paths():
        if path.endswith(".xml"):
            try:
                documents.append((path, parsed(source.read(path), "annotations")))
            except UnreadableFile as error:
                findings.add(path, str(error))
    if not documents:
        raise UnreadableFile("there is no .xml file of CVAT's")
    categories = _Categories()
    for _, root in documents:
        categories.learn(root)
    dataset = Dataset(name=text_of(documents[0][1], "meta/task/name") or "cvat", categories=categories.all())
    return Imported(dataset, _samples(documents, categories, findings))


class _Categories:
    """Categories by their names, numbered from 1 in the order of the head, with the kinds of their attributes."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._facts: dict[str, JSON] = {}
        self._kinds: dict[tuple[str, str], str] = {}
        self._mutable: dict[str, list[JSON]] = {}

    def learn(self, root: Element) -> None:
        for label in root.iter("label"):
            if label.find("name") is None:
                continue
            name, parent = text_of(label, "name"), text_of(label, "parent")
            if parent:
                facts = self._facts.setdefault(parent, {})
                if name not in facts.setdefault("points", []):
                    facts["points"].append(name)
                continue
            if name in self._ids:
                continue
            self._ids[name] = len(self._ids) + 1
            self._facts.setdefault(name, {})["colour"] = _colour(text_of(label, "color"))
            definitions = []
            for item in label.iter("attribute"):
                attribute, kind = text_of(item, "name"), text_of(item, "input_type", "text")
                self._kinds[name, attribute] = kind
                definitions.append(_definition(attribute, kind, item))
            self._mutable[name] = definitions

    def id_of(self, name: str | None) -> int | None:
        """None for no label at all."""
        if not name:
            return None
        return self._ids.setdefault(name, len(self._ids) + 1)

    def value(self, label: str | None, name: str, text: str) -> Any:
        """The value of an attribute, as its kind says."""
        kind = self._kinds.get((label or "", name), "text")
        if kind == "checkbox" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if kind == "number":
            try:
                value = number_of(text)
            except ValueError:
                return text
            return int(value) if value.is_integer() and "." not in text and abs(value) < 2**53 else value
        return text

    def all(self) -> tuple[Category, ...]:
        return tuple(
            Category(
                number,
                name,
                self._facts.get(name, {}).get("colour"),
                points=tuple(self._facts.get(name, {}).get("points", ())),
                attributes=tuple(self._mutable.get(name, ())),
            )
            for name, number in self._ids.items()
        )


def _definition(name: str, kind: str, item: Element) -> JSON:
    found: JSON = {"name": name, "input_type": {"radio": "select"}.get(kind, kind)}
    values = [line for line in text_of(item, "values").split("\n") if line]
    if found["input_type"] == "select" and values:
        found["values"] = values
    if text_of(item, "mutable") == "False":
        found["is_track_level"] = True
    if default := text_of(item, "default_value"):
        found["default_value"] = default
    return found


def _colour(text: str) -> tuple[int, int, int] | None:
    try:
        return (int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)) if len(text) == 7 else None
    except ValueError:
        return None


def _samples(documents: list[tuple[str, Element]], categories: _Categories, findings: Findings) -> Iterator[Sample]:
    for path, root in documents:
        for number, image in enumerate(root.findall("image")):
            yield _image(image, f"{path} image {image.get('id') or number}", categories, findings)
        if root.find("track") is not None or text_of(root, "meta/task/mode") == "interpolation":
            yield _video(root, path, categories, findings)


# --- images --------------------------------------------------------------------------------------------------------


def _image(image: Element, where: str, categories: _Categories, findings: Findings) -> Sample:
    width, height = _side(image.get("width")), _side(image.get("height"))
    annotations: list[tuple[float, Annotation]] = []
    tags: list[int] = []
    for nth, shape in enumerate(image):
        place = f"{where} {shape.tag} {nth}"
        if shape.tag == "tag":
            number = categories.id_of(shape.get("label"))
            if number is not None and number not in tags:
                tags.append(number)
        elif shape.tag in SHAPES:
            written = _written(shape)
            geometry = _geometry(shape, (height, width), place, findings) if written is None else {}
            if geometry is not None:
                item = Annotation(
                    id=len(annotations) + 1,
                    category_id=categories.id_of(shape.get("label")),
                    geometry=geometry,
                    attributes=_attributes(shape, categories),
                    origin={"kind": "model"} if shape.get("source") == "auto" else None,
                    written=written,
                )
                annotations.append((_order(shape), item.as_written()))
        else:
            findings.add(place, "is a shape that is not known here")
    annotations.sort(key=lambda pair: pair[0])
    return Sample(
        name=image.get("name") or where,
        width=width,
        height=height,
        split=image.get("subset") or "",
        classifications=tags,
        annotations=[item for _, item in annotations],
    )


def _order(shape: Element) -> float:
    try:
        return number_of(shape.get("z_order") or "0")
    except ValueError:
        return 0.0


def _side(text: str | None) -> int | None:
    try:
        side = int(text or "")
    except ValueError:
        return None
    return side if 0 < side <= 65535 else None


def _attributes(shape: Element, categories: _Categories, label: str | None = None) -> JSON:
    label = shape.get("label") if label is None else label
    found = {
        item.get("name", ""): categories.value(label, item.get("name", ""), item.text or "")
        for item in shape.findall("attribute")
    }
    return ({"occluded": True} if shape.get("occluded") == "1" else {}) | found


def _written(shape: Element) -> Drawn | None:
    """A polygon, of which there are millions; None of all that is no good one."""
    if shape.tag != "polygon":
        return None
    try:
        return polygon_of([numbers_of(shape.attrib["points"])])
    except (KeyError, ValueError):
        return None


def _geometry(shape: Element, size: tuple[int | None, int | None], where: str, findings: Findings) -> JSON | None:
    """The geometry of a shape; None with a finding where it has none."""
    try:
        return _read_geometry(shape, size)
    except (KeyError, ValueError, OverflowError, BadBitmap):
        findings.add(where, "has coordinates that cannot be read")
        return None


def _read_geometry(shape: Element, size: tuple[int | None, int | None]) -> JSON:
    def of(name: str) -> float:
        return number_of(shape.attrib[name])

    match shape.tag:
        case "box":
            x0, y0, x1, y1 = of("xtl"), of("ytl"), of("xbr"), of("ybr")
            x0, y0, x1, y1 = min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
            turned = number_of(shape.get("rotation") or "0")
            if turned:
                center, size_wh = [(x0 + x1) / 2, (y0 + y1) / 2], [x1 - x0, y1 - y0]
                return {"type": "rbox", "center": center, "size_wh": size_wh, "angle_deg": turned}
            return {"type": "bbox", "points": [[x0, y0], [x1, y1]]}
        case "ellipse":
            turned = number_of(shape.get("rotation") or "0")
            found = {"type": "ellipse", "center": [of("cx"), of("cy")], "radii": [abs(of("rx")), abs(of("ry"))]}
            return found | {"angle_deg": turned}
        case "polygon":
            return {"type": "polygon", "parts": [[_at_least(shape, 3)]]}
        case "polyline":
            return {"type": "polyline", "parts": [_at_least(shape, 2)]}
        case "points":
            points = _at_least(shape, 1)
            return {"type": "point", "points": points} if len(points) == 1 else _numbered(points)
        case "mask":
            return _mask(shape, size)
    return _skeleton(shape)


def _at_least(shape: Element, least: int) -> list[list[float]]:
    points = pairs_of(shape.attrib["points"])
    if len(points) < least:
        raise ValueError
    return points


def _numbered(points: list[list[float]]) -> JSON:
    """Several points of one object are points named by their numbers."""
    return {
        "type": "skeleton",
        "points": [{"name": str(nth), "x": x, "y": y, "visibility": 2} for nth, (x, y) in enumerate(points, 1)],
    }


def _skeleton(shape: Element) -> JSON:
    points: list[JSON] = []
    for nth, point in enumerate(shape.findall("points"), 1):
        name = point.get("label") or str(nth)
        if point.get("outside") == "1":
            points.append({"name": name, "visibility": 0})
            continue
        [[x, y]] = pairs_of(point.attrib["points"])
        points.append({"name": name, "x": x, "y": y, "visibility": 1 if point.get("occluded") == "1" else 2})
    if not points or len({point["name"] for point in points}) < len(points):
        raise ValueError
    return {"type": "skeleton", "points": points}


def _mask(shape: Element, size: tuple[int | None, int | None]) -> JSON:
    left, top, width, height = (int(shape.attrib[name]) for name in ("left", "top", "width", "height"))
    counts = np.array([int(count) for count in shape.attrib["rle"].split(",")], dtype=np.int64)
    rows, columns = size[0] or top + height, size[1] or left + width
    sane = left >= 0 and top >= 0 and width > 0 and height > 0 and left + width <= columns and top + height <= rows
    if not sane or rows * columns > rle.MAX_PIXELS or (counts < 0).any() or counts.sum() != width * height:
        raise ValueError
    mask = np.zeros((rows, columns), dtype=bool)
    inner = np.repeat(np.arange(counts.size) % 2 == 1, counts).reshape(height, width)
    mask[top : top + height, left : left + width] = inner
    return bitmap(rle.encode(mask, compressed=True))


# --- videos --------------------------------------------------------------------------------------------------------


def _video(root: Element, path: str, categories: _Categories, findings: Findings) -> Sample:
    task = root.find("meta/task")
    if task is None:
        task = root.find("meta/job")
    start = int(text_of(task, "start_frame", "0") or 0)
    step = _step(text_of(task, "frame_filter"))
    size = _side(text_of(task, "original_size/height")), _side(text_of(task, "original_size/width"))
    tracks = []
    last = 0
    for nth, track in enumerate(root.findall("track")):
        found, behind = _track(
            track, nth, (start, step), size, f"{path} track {track.get('id') or nth}", categories, findings
        )
        last = max(last, behind)
        if found is not None:
            tracks.append(found)
    said = text_of(task, "size")
    count = max(int(said) if said.isdigit() else 0, last)
    name = text_of(task, "name") or path.rsplit("/", 1)[0]
    frames = [
        Frame(f"frame_{start + number * step:06d}", size[1], size[0]) for number in range(min(count, _MOST_FRAMES))
    ]
    sample = Sample(name=name, is_sequence=True, frames=frames, tracks=tracks, clock=Clock(len(frames)))
    _compare(root, sample, (start, step), path, findings)
    return sample


def _step(text: str) -> int:
    step = text.strip().removeprefix("step=")
    return int(step) if step.isdigit() and int(step) > 0 else 1


def _track(
    track: Element,
    nth: int,
    clock: tuple[int, int],
    size: tuple[int | None, int | None],
    where: str,
    categories: _Categories,
    findings: Findings,
) -> tuple[Track | None, int]:
    """(the track, the number of frames that it needs)."""
    label = track.get("label")
    marks: dict[int, tuple[JSON, bool, JSON]] = {}
    behind = 0
    for shape in track:
        if shape.tag not in SHAPES:
            continue
        place = f"{where} frame {shape.get('frame')}"
        frame = _frame_of(shape, clock)
        if frame is None:
            findings.add(place, "names no frame of the video")
            continue
        behind = max(behind, frame + 1)
        if shape.get("keyframe") == "0":
            continue
        geometry = _geometry(shape, size, place, findings)
        if geometry is not None:
            marks[frame] = geometry, shape.get("outside") == "1", _attributes(shape, categories, label)
    entries = _entries(marks)
    if not entries:
        findings.add(where, "is nowhere to be seen", level="note")
        return None, behind
    number = int(track.get("id") or nth)
    origin = {"kind": "model"} if track.get("source") == "auto" else None
    return Track(number, categories.id_of(label), entries, origin=origin), behind


def _frame_of(shape: Element, clock: tuple[int, int]) -> int | None:
    try:
        frame = int(shape.attrib["frame"]) - clock[0]
    except (KeyError, ValueError):
        return None
    return frame // clock[1] if frame >= 0 and frame % clock[1] == 0 and frame // clock[1] < _MOST_FRAMES else None


def _entries(marks: dict[int, tuple[JSON, bool, JSON]]) -> dict[int, JSON]:
    entries: dict[int, JSON] = {}
    before: tuple[int, JSON, JSON] | None = None
    for frame in sorted(marks):
        geometry, outside, attributes = marks[frame]
        if not outside:
            entries[frame] = {"geometry": geometry} | ({"attributes": attributes} if attributes else {})
            before = frame, geometry, attributes
        elif before is not None:
            first, shape, had = before
            if frame - first > 1 and shape != geometry:
                on_the_way = blended(shape, geometry, np.array([(frame - 1 - first) / (frame - first)]))[0]
                entries[frame - 1] = {"geometry": on_the_way} | ({"attributes": had} if had else {})
            entries[frame] = {"absent": True}
            before = None
    return entries


def _compare(root: Element, sample: Sample, clock: tuple[int, int], path: str, findings: Findings) -> None:
    """Note where CVAT's own computed shapes are not ours."""
    given: dict[int, dict[int, Element]] = {}
    for nth, track in enumerate(root.findall("track")):
        shapes = {
            frame: shape
            for shape in track
            if shape.get("keyframe") == "0" and shape.tag in SHAPES
            for frame in [_frame_of(shape, clock)]
            if frame is not None
        }
        given[int(track.get("id") or nth)] = shapes
    for found in sample.tracks:
        shapes = given.get(found.track_id, {})
        if not shapes:
            continue
        ours = dict(found.at(sample.time))
        differing = [frame for frame, shape in shapes.items() if not _agrees(shape, ours.get(frame))]
        if differing:
            findings.note(
                f"{path} track {found.track_id}",
                f"{len(differing)} shapes between keyframes differ from what is computed here, first at {differing[0]}",
            )


def _agrees(shape: Element, ours: Annotation | None) -> bool:
    if shape.get("outside") == "1" or ours is None:
        return (shape.get("outside") == "1") == (ours is None)
    try:
        theirs = _read_geometry(shape, (None, None))
    except (KeyError, ValueError, OverflowError, BadBitmap):
        return True
    return _near(theirs, ours.geometry)


def _near(one: Any, two: Any) -> bool:
    if isinstance(one, dict):
        return isinstance(two, dict) and one.keys() == two.keys() and all(_near(one[key], two[key]) for key in one)
    if isinstance(one, list):
        return isinstance(two, list) and len(one) == len(two) and all(map(_near, one, two))
    if isinstance(one, float | int) and isinstance(two, float | int):
        return abs(one - two) <= ROUNDED_PX
    return bool(one == two)
