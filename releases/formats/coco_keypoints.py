"""COCO keypoints: the objects that have points; a JSON file a split, `annotations/person_keypoints_{split}.json`. Pure.

The names of the points of a category, and their order, are those of its definition; of a category without one those of
its first object, which may be in another part. So a part has the points of such an object as a line of its own, and a
mark in the lines of the annotation and of what was lost, until the parts are put together.

Source: cocodataset.org/#format-data, and pycocotools.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any

import orjson

from releases.formats import coco_reading
from releases.formats.coco import FEATURES, MASKS, beside_of, category_of, image_line, put, said_of
from releases.formats.files import Output
from releases.formats.format import FRAMES, LEFT_OUT, Format, Losses, Options, carrying
from releases.formats.jsons import Splits, line, marked
from releases.formats.parts import LOSSES, InParts, Part, Streams
from releases.formats.pictures import Picture, pictures
from releases.formats.records import WHOLE, Annotation, Dataset, Sample

JSON = dict[str, Any]

_POINTS = "points"
_WAITING = b'{"waiting":'


def write(dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses) -> JSON:
    """A part: of each split the lines of images and annotations. Ids are counted from 1 in every part."""
    names = _PointNames(dataset)
    images = annotations = waiting = 0
    for images, picture in enumerate(pictures(KEYPOINTS, dataset, samples, options, losses), 1):
        split = picture.split or WHOLE
        streams.add(f"{split}/images", image_line(picture, images))
        kept = [item for item in picture.annotations if _has_points(item, picture, losses)]
        for item, said in said_of(kept, picture, options, losses):
            annotations += 1
            if isinstance(said["segmentation"], list):
                said["segmentation"] = [list(chain.from_iterable(ring)) for ring in said["segmentation"]]
            found = {"id": annotations, "image_id": images, "category_id": item.category_id} | said | beside_of(item)
            points = {"category_id": item.category_id, "points": item.points} | _place(item, picture)
            if names.of(item.category_id):
                found |= names.said(points, losses)
                marks: tuple[str, ...] = ("id", "image_id")
            else:
                streams.add(_POINTS, line(points) + b"\n")
                losses.tell({"waiting": waiting})
                found |= {"keypoints": waiting, "num_keypoints": waiting}
                marks = ("id", "image_id", "keypoints", "num_keypoints")
                waiting += 1
            streams.add(f"{split}/annotations", marked(found, *marks))
    return {"images": images, "annotations": annotations}


def join(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """The files of COCO keypoints."""
    splits = Splits(out, "images", "annotations")
    names = _PointNames(dataset)
    images = annotations = 0
    for part in parts:
        found = [names.said(orjson.loads(row), Losses()) for row in part.lines(_POINTS)]
        fill: dict[str, Callable[[int], Any]] = {
            "id": partial(operator.add, annotations),
            "image_id": partial(operator.add, images),
            "keypoints": partial(_member, found, "keypoints"),
            "num_keypoints": partial(_member, found, "num_keypoints"),
        }
        splits.extend(part, images={"id": fill["image_id"]}, annotations=fill)
        images, annotations = images + part.facts["images"], annotations + part.facts["annotations"]
    categories = [
        category_of(item)
        | {"keypoints": names.of(item.id), "skeleton": [[one + 1, other + 1] for one, other in item.edges]}
        for item in dataset.categories
    ]
    for split, lists in splits.files():
        put("person_keypoints", dataset, lists, split, out, categories)


def _member(found: list[JSON], name: str, number: int) -> Any:
    return found[number][name]


def told(dataset: Dataset, parts: list[Part], losses: Losses) -> Iterator[bytes]:
    """The lines of what parts could not carry, with the points that waited for the names of their categories."""
    names = _PointNames(dataset)
    lost: list[JSON] = []
    heard = Losses(losses.stop, lost.append, losses.counts)
    for part in parts:
        points = part.lines(_POINTS)
        for piece in part.pieces(LOSSES):
            if _WAITING not in piece:
                yield piece
                continue
            for row in piece.split(b"\n")[:-1]:
                if not row.startswith(_WAITING):
                    yield row + b"\n"
                    continue
                names.said(orjson.loads(next(points)), heard)
                yield from (line(each) + b"\n" for each in lost)
                lost.clear()


def _has_points(item: Annotation, picture: Picture, losses: Losses) -> bool:
    if item.points:
        return True
    losses.add("object without points", LEFT_OUT, sample=picture.sample.name, frame=picture.frame, annotation=item)
    return False


def _place(item: Annotation, picture: Picture) -> JSON:
    """Of which object points are."""
    return {"sample": picture.sample.name, "frame": picture.frame, "id": item.id, "uuid": item.uuid}


class _PointNames:
    """The names of the points of each category: those of its definition, or of its first object."""

    def __init__(self, dataset: Dataset) -> None:
        self._names = {item.id: list(item.points) for item in dataset.categories if item.points}

    def of(self, category: int | None) -> list[str]:
        return self._names.get(category or 0, [])

    def said(self, item: JSON, losses: Losses) -> JSON:
        """`keypoints` and `num_keypoints` of an object in the order of the names."""
        points = {point["name"]: point for point in item["points"]}
        names = self._names.setdefault(item["category_id"], list(points))
        for name in [name for name in points if name not in names]:
            losses.add(
                "point that its category does not name",
                LEFT_OUT,
                sample=item["sample"],
                frame=item["frame"],
                annotation=Annotation(item["id"], item["category_id"], {}, uuid=item["uuid"]),
                said=name,
            )
        flat: list[float] = []
        for name in names:
            point = points.get(name)
            placed = point is not None and point["visibility"] > 0
            flat += [point["x"], point["y"], point["visibility"]] if placed and point is not None else [0, 0, 0]
        return {"keypoints": flat, "num_keypoints": sum(1 for flag in flat[2::3] if flag)}


KEYPOINTS = Format(
    "coco-keypoints",
    2,
    "COCO keypoints",
    carrying(
        "bbox", "polygon", "bitmap", "skeleton", "keypoints", "points of categories", *FEATURES,
        converted=("rbox", "ellipse", "holes"),
    ),
    parts=InParts(write, join, told=told),
    read=coco_reading.read,
    options=(MASKS, FRAMES),
)  # fmt: skip
