"""YOLO as Ultralytics reads it: `labels/{split}/{picture}.txt`, a line an object, and `data.yaml`. Pure.

- `yolo-detection`: class, centre x, centre y, width, height; `yolo-segmentation`: class and the outline; `yolo-obb`:
  class and four corners; `yolo-pose`: class, box, and x, y, visibility of each point. All numbers but the class and the
  visibility are shares of the picture's width or height, from 0 to 1.
- A class is a place in `names`, from 0; `data.yaml` is written as JSON inside, which is YAML too.
- An outline has one ring: of several parts each becomes an object of its own; holes are filled.

Source: docs.ultralytics.com/datasets (detect, segment, obb, pose).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from releases.formats import outlines, yolo_reading
from releases.formats.drafts import Draft, put_all
from releases.formats.files import Output, put_bytes
from releases.formats.format import APPROXIMATED, FRAMES, LEFT_OUT, Format, Losses, Options, carrying
from releases.formats.parts import InParts, Part, Streams
from releases.formats.pictures import Picture, pictures
from releases.formats.records import Annotation, Dataset, Sample
from releases.formats.texts import number

JSON = dict[str, Any]
Rows = Callable[[Annotation, Picture, "_Points", Losses], Iterator[list[float]]]

_TRAIN = "train"


class _Points:
    """How the points of a pose are ordered: by the names of all categories, each once."""

    def __init__(self, dataset: Dataset) -> None:
        self.names = list(dict.fromkeys(name for item in dataset.categories for name in item.points))


def _write(
    kind: Format,
    rows: Rows,
    dataset: Dataset,
    samples: Iterable[Sample],
    streams: Streams,
    options: Options,
    losses: Losses,
) -> JSON:
    classes = {item.id: place for place, item in enumerate(dataset.categories)}
    points = _Points(dataset)
    draft = Draft(streams)
    splits = []
    for picture in pictures(kind, dataset, samples, options, losses):
        split = picture.split or _TRAIN
        if split not in splits:
            splits.append(split)
        lines = []
        for item in picture.annotations:
            assert item.category_id is not None
            found = False
            for row in rows(item, picture, points, losses):
                found = True
                lines.append(" ".join([str(classes[item.category_id]), *map(number, row)]))
            if not found:
                losses.add(
                    "object without an outline or points",
                    LEFT_OUT, sample=picture.sample.name, frame=picture.frame, annotation=item,
                )  # fmt: skip
        text = "".join(f"{line}\n" for line in lines).encode()
        draft.file(text, picture.name, ".txt", folder=f"labels/{split}")
    return {"splits": splits}


def _join(kind: Format, dataset: Dataset, parts: list[Part], out: Output) -> None:
    put_all(parts, out)
    splits = list(dict.fromkeys(split for part in parts for split in part.facts["splits"]))
    points = _Points(dataset).names if kind is POSE else None
    put_bytes(out, "data.yaml", _yaml(dataset, splits or [_TRAIN], points))


def _yaml(dataset: Dataset, splits: list[str], points: list[str] | None) -> bytes:
    """The description: a mapping of plain keys to JSON values. `train` and `val` have to be there."""
    rows = ["path: ."]
    named = {"train": splits[0] if _TRAIN not in splits else _TRAIN, "val": "val" if "val" in splits else splits[0]}
    for split in ("train", "val", *(item for item in splits if item not in ("train", "val"))):
        rows.append(f"{split}: images/{named.get(split, split)}")
    if points is not None:
        rows.append(f"kpt_shape: [{len(points)}, 3]")
        rows.append(f"kpt_names: {orjson.dumps(points).decode()}")
    rows.append("names:")
    rows += [f"  {place}: {orjson.dumps(item.name).decode()}" for place, item in enumerate(dataset.categories)]
    return "".join(f"{row}\n" for row in rows).encode()


def _centred(box: list[float], picture: Picture) -> list[float]:
    x0, y0, x1, y1 = box
    w, h = picture.width, picture.height
    return [(x0 + x1) / 2 / w, (y0 + y1) / 2 / h, (x1 - x0) / w, (y1 - y0) / h]


def _shares(points: Iterable[list[float]], picture: Picture) -> list[float]:
    return [share for x, y in points for share in (x / picture.width, y / picture.height)]


def _boxes(item: Annotation, picture: Picture, points: _Points, losses: Losses) -> Iterator[list[float]]:
    box = outlines.box_of(item.geometry)
    if box is not None:
        yield _centred(box, picture)


def _rings(item: Annotation, picture: Picture, points: _Points, losses: Losses) -> Iterator[list[float]]:
    parts = [part for part in outlines.parts_with_rings(item.geometry) if part and len(part[0]) >= 3]
    told = {"sample": picture.sample.name, "frame": picture.frame, "annotation": item}
    if item.geometry["type"] == "bitmap":  # of other outlines it was told before
        if any(len(part) > 1 for part in parts):
            losses.add("holes", APPROXIMATED, **told, said="filled")  # type: ignore[arg-type]
        if len(parts) > 1:
            losses.add("parts", APPROXIMATED, **told, said="an object each")  # type: ignore[arg-type]
    for part in parts:
        yield _shares(part[0], picture)


def _corners(item: Annotation, picture: Picture, points: _Points, losses: Losses) -> Iterator[list[float]]:
    box, kind = outlines.box_of(item.geometry), item.geometry["type"]
    if kind == "rbox":
        corners = outlines.corners_of(item.geometry)
    elif box is not None:
        x0, y0, x1, y1 = box
        corners = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
    else:
        return
    if kind in ("rbox", "bbox") and min(math.dist(corners[0], corners[1]), math.dist(corners[0], corners[3])) < _THIN:
        told = {"sample": picture.sample.name, "frame": picture.frame, "annotation": item}
        losses.add(kind, APPROXIMATED, **told, said="polygon")  # type: ignore[arg-type]
    yield _shares(corners, picture)


def _poses(item: Annotation, picture: Picture, points: _Points, losses: Losses) -> Iterator[list[float]]:
    found = {point["name"]: point for point in item.points}
    box = outlines.box_of(item.geometry)
    if not found or box is None:
        return
    for name in [name for name in found if name not in points.names]:
        losses.add(
            "point that its category does not name",
            LEFT_OUT, sample=picture.sample.name, frame=picture.frame, annotation=item, said=name,
        )  # fmt: skip
    row = _centred(box, picture)
    for name in points.names:
        point = found.get(name)
        if point is None or not point["visibility"]:
            row += [0, 0, 0]
        else:
            row += [point["x"] / picture.width, point["y"] / picture.height, point["visibility"]]
    yield row


def _format(name: str, title: str, carries: JSON, rows: Rows) -> Format:
    def write(dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses) -> JSON:
        return _write(found, rows, dataset, samples, streams, options, losses)

    def join(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
        _join(found, dataset, parts, out)

    found = Format(
        name,
        2,
        title,
        carries | carrying("splits", "order", "list of categories", approximated=("names",)),
        parts=InParts(write, join),
        read=yolo_reading.reader(name),
        options=(FRAMES,),
        needs_size=True,
    )
    return found


#: Pixels. The corners of a thinner box do not say how it is turned, so they are read as a polygon.
_THIN = 0.01
_NEAR = ("rbox", "polygon", "ellipse", "bitmap")
DETECTION = _format("yolo-detection", "YOLO detection", carrying("bbox", approximated=_NEAR), _boxes)
SEGMENTATION = _format(
    "yolo-segmentation",
    "YOLO segmentation",
    carrying("polygon", converted=("rbox", "bitmap"), approximated=("ellipse", "parts", "holes")),
    _rings,
)
OBB = _format(
    "yolo-obb",
    "YOLO oriented boxes",
    carrying("rbox", converted=("bbox",), approximated=("polygon", "ellipse", "bitmap")),
    _corners,
)
POSE = _format(
    "yolo-pose",
    "YOLO pose",
    carrying("bbox", "keypoints", converted=("skeleton",), approximated=_NEAR),
    _poses,
)
