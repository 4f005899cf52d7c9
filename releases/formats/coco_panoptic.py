"""COCO panoptic: `annotations/panoptic_{split}.json` and a PNG for each picture in the folder of that name. Pure.

A pixel's colour is its segment's id, R + 256 G + 65536 B; 0 is void. Every segment has pixels, its area and box are of
the pixels that it shows, and a picture has one segment at most of each category that is stuff. Ids count from 1 in each
picture. Source: cocodataset.org/#format-data, §4, and panopticapi's evaluation.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from labeling.geometry.composition import label_map, spans_of
from labeling.geometry.measures import segments_of
from releases.formats import coco_reading, pngs
from releases.formats.coco import image_line, put
from releases.formats.colours import voc_colour
from releases.formats.drafts import Draft, paths_of, put_down
from releases.formats.files import Output
from releases.formats.format import CONVERTED, FRAMES, OF_CATEGORIES, Format, Losses, Options, carrying
from releases.formats.jsons import Splits, marked
from releases.formats.painting import tell_of_overlaps
from releases.formats.parts import InParts, Part, Streams
from releases.formats.pictures import Picture, pictures
from releases.formats.records import WHOLE, Category, Dataset, Sample

JSON = dict[str, Any]


def write(dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses) -> JSON:
    """The maps, and of each split the lines of images and annotations; images are counted from 1 in every part."""
    draft = Draft(streams)
    known = dataset.by_id
    number = 0
    for number, picture in enumerate(pictures(PANOPTIC, dataset, samples, options, losses), 1):
        split = picture.split or WHOLE
        segments, painted = _segments(picture, known, losses)
        name = draft.file(pngs.ids(painted), picture.name, ".png", folder=f"annotations/panoptic_{split}")
        streams.add(f"{split}/images", image_line(picture, number))
        said = {"image_id": number, "file_name": name, "segments_info": segments}
        streams.add(f"{split}/annotations", marked(said, "image_id", "file_name"))
    return {"images": number}


def join(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """The files of COCO panoptic."""
    splits = Splits(out, "images", "annotations")
    before = 0
    for part, names in put_down(parts, out):
        numbers = partial(operator.add, before)
        found: dict[str, Callable[[int], Any]] = {"image_id": numbers, "file_name": paths_of(names, "", ".png")}
        splits.extend(part, images={"id": numbers}, annotations=found)
        before += part.facts["images"]
    categories = [
        {
            "id": item.id,
            "name": item.name,
            "supercategory": item.group,
            "isthing": int(item.is_thing),
            "color": list(item.colour or voc_colour(item.id)),
        }
        for item in dataset.categories
    ]
    for split, lists in splits.files():
        put("panoptic", dataset, lists, split, out, categories)


def _segments(picture: Picture, known: dict[int, Category], losses: Losses) -> tuple[list[JSON], Any]:
    """(segments_info, the map of their ids)."""
    height, width = picture.height, picture.width
    spans = spans_of([item.geometry for item in picture.annotations], height, width)
    stuff: dict[int, int] = {}
    values = []
    for nth, item in enumerate(picture.annotations, 1):
        assert item.category_id is not None
        first = nth if known[item.category_id].is_thing else stuff.setdefault(item.category_id, nth)
        if first != nth:
            at = {"sample": picture.sample.name, "frame": picture.frame, "annotation": item}
            losses.add("several segments of stuff", CONVERTED, **at, said="one segment")  # type: ignore[arg-type]
        values.append(first)
    painted = label_map(spans, values, height, width)
    tell_of_overlaps(picture, picture.annotations, spans, painted, values, losses)
    found = segments_of(painted)
    segments = []
    for value, area, (x0, y0, x1, y1) in zip(
        found.ids.tolist(), found.areas.tolist(), found.boxes_xyxy.tolist(), strict=True
    ):
        item = picture.annotations[value - 1]
        said: JSON = {
            "id": value,
            "category_id": item.category_id,
            "area": area,
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "iscrowd": int(item.attributes.get("is_crowd") is True),
        }
        attributes = {name: one for name, one in item.attributes.items() if name != "is_crowd" or one is not True}
        if attributes:
            said["attributes"] = attributes
        if item.uuid:
            said["uuid"] = item.uuid
        segments.append(said)
    return segments, np.asarray(painted, dtype=np.uint32)


PANOPTIC = Format(
    "coco-panoptic",
    2,
    "COCO panoptic",
    carrying(
        "bitmap", "attributes", "uuids", "uuids of samples", "splits", "order", "names", *OF_CATEGORIES[:5],
        converted=("polygon", "rbox", "ellipse", "parts", "holes"),
    ),
    parts=InParts(write, join),
    read=coco_reading.read,
    options=(FRAMES,),
    needs_size=True,
    is_painted=True,
)  # fmt: skip
