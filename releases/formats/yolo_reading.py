"""Reading YOLO: Ultralytics' labels with `data.yaml`, and those of Darknet with `obj.names`. Pure.

Shares become pixels by the size of the picture, so its file has to be among those given. Pixels are rounded to the grid
of derived coordinates (1/1024 px).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import orjson

from releases.formats import pngs
from releases.formats.files import Source
from releases.formats.format import Findings, Options, UnreadableFile
from releases.formats.outlines import bbox
from releases.formats.records import Annotation, Category, Dataset, Imported, Sample

JSON = dict[str, Any]

_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
_NAMES = {"obj.names", "classes.txt", "class.names"}
_NO_LABELS = {"readme.txt", "train.txt", "val.txt", "test.txt", "valid.txt", *_NAMES}
_GRID = 1024
_ROW = re.compile(r"\s*(\d+)\s*:\s*(.*)$")


def reader(name: str) -> Callable[[Source, Findings, Options], Imported]:
    """The reader of one of YOLO's kinds, which the files do not tell."""

    def read(source: Source, findings: Findings, options: Options) -> Imported:
        """Every label file that has a picture.

        Raises:
            UnreadableFile: there are no names of classes.
        """
        paths = source.paths()
        names, points = _described(source, paths)
        if names is None:
            raise UnreadableFile("there are no names of classes: no data.yaml, obj.names or classes.txt")
        categories = tuple(
            Category(place + 1, one, points=tuple(points) if name == "yolo-pose" else ())
            for place, one in enumerate(names)
        )
        return Imported(Dataset("yolo", categories), _samples(source, paths, name, categories, findings))

    return read


def _described(source: Source, paths: list[str]) -> tuple[list[str] | None, list[str]]:
    """(names of classes, names of points)."""
    for path in paths:
        base = path.rsplit("/", 1)[-1]
        text = (
            source.read(path).decode("utf-8", "replace") if base in _NAMES or base.endswith((".yaml", ".yml")) else ""
        )
        if base in _NAMES:
            return [line.strip() for line in text.splitlines() if line.strip()], []
        if base.endswith((".yaml", ".yml")) and (names := _names_in(text)) is not None:
            return names, _points_in(text)
    return None, []


def _names_in(text: str) -> list[str] | None:
    """`names` of a data.yaml: a list or a mapping of places, in one line or in several. Enough of YAML for that."""
    lines = text.splitlines()
    for nth, line in enumerate(lines):
        if not line.startswith("names:"):
            continue
        said = line.removeprefix("names:").split(" #")[0].strip()
        if said.startswith("["):
            inner = said
            for more in lines[nth + 1 :] if "]" not in said else ():
                inner += more.strip()
                if "]" in more:
                    break
            return [_plain(item) for item in inner.strip("[] ").split(",") if item.strip()]
        if said.startswith("{"):
            pairs = [item.partition(":") for item in said.strip("{} ").split(",") if item.strip()]
            return [_plain(value) for _, _, value in sorted(pairs, key=lambda pair: int(pair[0]))]
        found: dict[int, str] = {}
        for more in lines[nth + 1 :]:
            match = _ROW.match(more)
            if match and more.startswith((" ", "\t")):
                found[int(match[1])] = _plain(match[2])
            elif more.strip().startswith("- "):
                found[len(found)] = _plain(more.strip()[2:])
            elif more.strip():
                break
        return [found[place] for place in sorted(found)]
    return None


def _points_in(text: str) -> list[str]:
    for line in text.splitlines():
        if line.startswith("kpt_names: ["):
            try:
                return [str(name) for name in orjson.loads(line.removeprefix("kpt_names: "))]
            except orjson.JSONDecodeError:
                return []
    return []


def _plain(text: str) -> str:
    text = text.strip()
    if text.startswith('"'):
        try:
            return str(orjson.loads(text))
        except orjson.JSONDecodeError:
            return text.strip('"')
    return text.strip("'")


def _samples(
    source: Source, paths: list[str], name: str, categories: tuple[Category, ...], findings: Findings
) -> Iterator[Sample]:
    pictures = {path.rsplit(".", 1)[0]: path for path in paths if path.lower().endswith(_PICTURES)}
    for path in paths:
        base = path.rsplit("/", 1)[-1]
        if not base.endswith(".txt") or base.lower() in _NO_LABELS:
            continue
        picture = _picture_of(path.removesuffix(".txt"), pictures)
        size = pngs.size_of(source.read(picture)) if picture is not None else None
        if picture is None or size is None:
            findings.add(path, "has no picture among the files, so its shares are of an unknown size")
            continue
        split, own = _split_of(picture)
        width, height = size
        annotations: list[Annotation] = []
        for nth, line in enumerate(source.read(path).decode("utf-8", "replace").splitlines(), 1):
            if not line.strip():
                continue
            try:
                kind, row = _row(line)
                geometry, points = _GEOMETRIES[name](row, width, height, categories[kind].points)
            except (ValueError, IndexError):
                findings.add(f"{path} line {nth}", f"is no line of {name}")
                continue
            annotations.append(Annotation(len(annotations) + 1, kind + 1, geometry, keypoints=points))
        yield Sample(own, width=width, height=height, split=split, annotations=annotations)


def _picture_of(stem: str, pictures: dict[str, str]) -> str | None:
    for one in (stem, _swapped(stem, "labels", "images"), _swapped(stem, "Annotations", "Images")):
        if one in pictures:
            return pictures[one]
    return None


def _swapped(path: str, one: str, other: str) -> str:
    """A path whose last folder of a name has the other name, which is how Ultralytics finds labels."""
    steps = path.split("/")
    for place in range(len(steps) - 2, -1, -1):
        if steps[place] == one:
            return "/".join([*steps[:place], other, *steps[place + 1 :]])
    return path


def _split_of(picture: str) -> tuple[str, str]:
    """(split, name) by the place of a picture."""
    steps = picture.split("/")
    for place in range(len(steps) - 2, -1, -1):
        if steps[place] in ("images", "Images"):
            rest = steps[place + 1 :]
            return (rest[0], "/".join(rest[1:])) if len(rest) > 1 else ("", rest[0])
    match = re.fullmatch(r"obj_(\w+)_data", steps[0])
    return (match[1], "/".join(steps[1:])) if match and len(steps) > 1 else ("", picture)


def _row(line: str) -> tuple[int, list[float]]:
    first, *rest = line.split()
    kind = int(first)
    if kind < 0:
        raise ValueError
    row = list(map(float, rest))
    if not (math.isfinite(sum(row)) or all(map(math.isfinite, row))):  # the sum of finite numbers is mostly finite, too
        raise ValueError
    return kind, row


Read = tuple[JSON, list[JSON] | None]


def _box(row: list[float], width: int, height: int) -> JSON:
    x, y, w, h = row
    if w < 0 or h < 0:
        raise ValueError
    return bbox(
        _px((x - w / 2) * width), _px((y - h / 2) * height), _px((x + w / 2) * width), _px((y + h / 2) * height)
    )


def _detected(row: list[float], width: int, height: int, names: tuple[str, ...]) -> Read:
    return _box(row, width, height), None


def _outlined(row: list[float], width: int, height: int, names: tuple[str, ...]) -> Read:
    if len(row) == 4:  # Ultralytics takes a box among outlines
        return _box(row, width, height), None
    if len(row) < 6 or len(row) % 2:
        raise ValueError
    # What `_px` does, without a call for each of millions.
    places = [round(share * side * _GRID) for share, side in zip(row, cycle((width, height)), strict=False)]
    pixels = iter([place / _GRID if place % _GRID else place // _GRID for place in places])
    return {"type": "polygon", "parts": [[[[x, y] for x, y in zip(pixels, pixels, strict=True)]]]}, None


def _turned(row: list[float], width: int, height: int, names: tuple[str, ...]) -> Read:
    """Four corners, which are a turned box where they are the corners of one, and else a polygon."""
    if len(row) != 8:
        raise ValueError
    points = [[x * width, y * height] for x, y in zip(row[::2], row[1::2], strict=True)]
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = points
    w, h = math.hypot(bx - ax, by - ay), math.hypot(dx - ax, dy - ay)
    is_box = abs(ax - bx + cx - dx) < 0.01 and abs(ay - by + cy - dy) < 0.01  # opposite sides are alike …
    is_box = is_box and abs((bx - ax) * (dx - ax) + (by - ay) * (dy - ay)) < 0.01 * max(
        w * h, 1
    )  # … and at right angles
    if not is_box or w == 0 or h == 0:
        return {"type": "polygon", "parts": [[[[_px(x), _px(y)] for x, y in points]]]}, None
    if abs(ay - by) < 1e-6 and bx > ax and dy > ay:
        return bbox(_px(ax), _px(ay), _px(cx), _px(cy)), None
    angle = round(math.degrees(math.atan2(by - ay, bx - ax)), 4)
    center = [_px((ax + cx) / 2), _px((ay + cy) / 2)]
    return {"type": "rbox", "center": center, "size_wh": [_px(w), _px(h)], "angle_deg": angle}, None


def _posed(row: list[float], width: int, height: int, names: tuple[str, ...]) -> Read:
    rest = row[4:]
    each = 3 if len(rest) % 3 == 0 and (not names or len(rest) == 3 * len(names)) else 2
    if not rest or len(rest) % each:
        raise ValueError
    points: list[JSON] = []
    for nth in range(len(rest) // each):
        x, y = rest[each * nth : each * nth + 2]
        seen = rest[each * nth + 2] if each == 3 else float(bool(x or y)) * 2
        if seen not in (0, 1, 2):
            raise ValueError
        name = names[nth] if nth < len(names) else str(nth + 1)
        placed = {"x": _px(x * width), "y": _px(y * height)} if seen else {}
        points.append({"name": name, **placed, "visibility": int(seen)})
    return _box(row[:4], width, height), points


def _px(coordinate: float) -> float:
    found = round(coordinate * _GRID) / _GRID
    return int(found) if found.is_integer() else found


_GEOMETRIES = {
    "yolo-detection": _detected,
    "yolo-segmentation": _outlined,
    "yolo-obb": _turned,
    "yolo-pose": _posed,
}
