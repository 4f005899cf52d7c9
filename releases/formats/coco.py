"""COCO instances: one JSON file a split, `annotations/instances_{split}.json`. Pure.

- `area` is the number of pixels by our own definition (`labeling.geometry.rasterize`); of a box, width times height.
- A polygon stays a polygon with a ring a part; with holes, which COCO's polygons cannot say, it becomes run lengths of
  exactly its pixels; so do ellipses. A box has no segmentation, because it says nothing of the object's outline.
- `attributes`, `score`, `track_id` and `uuid` stand beside COCO's own members, as other tools write them.

Source: cocodataset.org/#format-data, and pycocotools.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Iterator
from functools import partial
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from labeling.geometry import rle
from labeling.log.values import canonical_of_stored
from releases.formats import coco_reading, outlines
from releases.formats.files import Output
from releases.formats.format import FRAMES, LEFT_OUT, Format, Losses, Option, Options, carrying
from releases.formats.jsons import Lists, filled, numbers, rings, rows
from releases.formats.parts import InParts, Part, Streams
from releases.formats.pictures import Picture, pictures
from releases.formats.records import WHOLE, Annotation, Category, Dataset, Sample
from releases.formats.sizes import size_for
from releases.formats.surveys import NOTHING, Survey

JSON = dict[str, Any]

MASKS = Option("segmentation", ("polygons", "rle"), "Outlines as polygons where COCO can say them, or all as pixels.")
#: The shapes that have an area beyond their box.
_OUTLINED = outlines.AREAS - {"bbox"}
_ANNOTATION = b'{"area":%b,%b"bbox":[%b],"category_id":%b,"id": %d,"image_id": %d,"iscrowd":%d,%b"segmentation":%b%b}\n'


def write_instances(
    dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses
) -> JSON:
    """A part of COCO instances: of each split the lines of images and those of annotations, in streams of their own.

    Ids are counted from 1 in every part. They stand behind a colon *and a space*, which canonical JSON has nowhere
    else outside of text, and a quote inside of text is escaped: so they are found again without parsing.
    """
    images = annotations = 0
    texts = _Texts(NOTHING, options)
    for picture in pictures(INSTANCES, dataset, samples, options, losses):
        images += 1
        split = picture.split or WHOLE
        streams.add(f"{split}/images", image_line(picture, images))
        if picture.survey is not texts.survey:
            if picture.frame is None:
                losses.sample = None  # outlines of other samples are there too
            texts = _Texts(picture.survey, options)
            losses.sample = picture.sample.name
        found = list(map(texts.of, picture.annotations, picture.places))
        if None in found:
            others = [item for item, outline in zip(picture.annotations, found, strict=True) if outline is None]
            written = {id(item): _outline_of(said) for item, said in said_of(others, picture, options, losses)}
            found = [outline or written.get(id(item)) for item, outline in zip(picture.annotations, found, strict=True)]
        lines = []
        for item, outline in zip(picture.annotations, found, strict=True):
            if outline is not None:
                annotations += 1
                lines.append(_annotation_line(item, outline, annotations, images))
        if lines:
            streams.add(f"{split}/annotations", b"".join(lines))
    return {"images": images, "annotations": annotations}


class _Outline(NamedTuple):
    """What a line says of an outline, as JSON text; the box without its brackets."""

    area: bytes
    bbox: bytes
    segmentation: bytes
    is_crowd: bool = False


class _Texts:
    """The texts of the plain outlines of a survey: written all at once, because there are millions."""

    def __init__(self, survey: Survey, options: Options) -> None:
        self.survey = survey
        points, boxes_xyxy = survey.points, survey.boxes_xyxy
        near = survey.is_near[:, None]
        if not near.all():  # the others are not asked for, and may be so far that their widths are no numbers
            points, boxes_xyxy = np.where(near[survey.owners], points, 0.0), np.where(near, boxes_xyxy, 0.0)
        corners, sizes = boxes_xyxy[:, :2], boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
        pixels = np.array(survey.pixels, dtype=np.float64)
        areas = np.where(survey.is_polygon, pixels, sizes.prod(axis=1))
        as_polygon = (pixels >= 0) & ~survey.has_holes & (options["segmentation"] != "rle")
        each = np.ones(areas.size, dtype=np.int64)
        self._outlines = [
            _Outline(area, box, segmentation) if is_said else None
            for area, box, segmentation, is_said in zip(
                rows(areas, each),
                rows(np.concatenate([corners, sizes], axis=1).reshape(-1), 4 * each),
                _segmentations(survey, points),
                (survey.is_near & (as_polygon | ~survey.is_polygon)).tolist(),
                strict=True,
            )
        ]

    def of(self, item: Annotation, place: int | None) -> _Outline | None:
        """The outline of an annotation that has this place in the survey; None where it is not plain, or not to be
        written as it is."""
        return None if place is None or item.attributes.get("is_crowd") is True else self._outlines[place]


def _segmentations(survey: Survey, points: NDArray[np.float64]) -> Iterator[bytes]:
    """Of each geometry of a survey its rings; nothing of a box."""
    texts, first = rings(points, survey.sizes), survey.first_rings
    for is_polygon, begin, end in zip(survey.is_polygon.tolist(), first[:-1], first[1:], strict=True):
        yield b"[[%b]]" % b"],[".join(texts[begin:end]) if is_polygon else b"[]"


def _outline_of(said: JSON) -> _Outline:
    outline = said["segmentation"]
    text = _flat(outline) if isinstance(outline, list) else canonical_of_stored(outline)
    return _Outline(numbers(said["area"]), numbers(said["bbox"])[1:-1], text, bool(said["iscrowd"]))


def _annotation_line(item: Annotation, outline: _Outline, number: int, image: int) -> bytes:
    """An annotation as canonical JSON, but for its two ids; put together by hand, because there are millions."""
    head = tail = score = b""
    if item.attributes or item.score is not None or item.track_id is not None or item.geometry["type"] == "skeleton":
        for name, value in sorted(beside_of(item).items()):
            member = b'"%b":%b' % (name.encode(), canonical_of_stored(value))
            if name == "score":
                score = member + b","
            elif name < "id":
                head += member + b","
            else:
                tail += b"," + member
    elif item.uuid:
        tail = b',"uuid":%b' % canonical_of_stored(item.uuid)
    return _ANNOTATION % (
        outline.area,
        head,
        outline.bbox,
        b"null" if item.category_id is None else b"%d" % item.category_id,
        number,
        image,
        outline.is_crowd,
        score,
        outline.segmentation,
        tail,
    )


def _flat(outline: list[Any]) -> bytes:
    """Rings of points as lists of numbers: in the text, where that is a matter of brackets."""
    if not outline:
        return b"[]"
    return b"[[%b]]" % b"],[".join(numbers(ring)[2:-2].replace(b"],[", b",") for ring in outline)


def join_instances(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """The files of COCO instances, in the order in which their splits come up."""
    splits = dict.fromkeys(name.partition("/")[0] for part in parts for name in part.names() if "/" in name)
    for split in splits or (WHOLE,):
        lists = Lists(out, "images", "annotations")
        images = annotations = 0
        for part in parts:
            lists.extend("images", filled(part.pieces(f"{split}/images"), id=partial(operator.add, images)))
            lists.extend("annotations", _counted_on(part.pieces(f"{split}/annotations"), annotations, images))
            images, annotations = images + part.facts["images"], annotations + part.facts["annotations"]
        put("instances", dataset, lists, split, out, [category_of(item) for item in dataset.categories])


_ID = re.compile(rb'"id": ([0-9]+),"image_id": ([0-9]+)')


def _counted_on(pieces: Iterable[bytes], before: int, images_before: int) -> Iterator[bytes]:
    """Lines of annotations with both ids counted on at once: faster than `filled` is, because there are millions."""

    def counted_on(match: re.Match[bytes]) -> bytes:
        return b'"id":%d,"image_id":%d' % (int(match[1]) + before, int(match[2]) + images_before)

    for piece in pieces:
        yield _ID.sub(counted_on, piece)


def put(stem: str, dataset: Dataset, lists: Lists, split: str, out: Output, categories: list[JSON]) -> None:
    """Put down the file of a split."""
    rest = {"info": info_of(dataset), "licenses": [], "categories": categories}
    lists.put(f"annotations/{stem}_{split}.json", rest)


def image_line(picture: Picture, number: int) -> bytes:
    """An element of `images` as canonical JSON, its id marked for `filled`; a size that is unknown is null.

    It is put together by hand, because there are millions.
    """
    url, uuid = picture.url, picture.sample.uuid
    return b'{%b"file_name":%b,"height":%b,"id": %d,%b"width":%b}\n' % (
        b'"coco_url":%b,' % orjson.dumps(url) if url else b"",
        orjson.dumps(picture.name),
        b"%d" % picture.height if picture.height else b"null",
        number,
        b'"uuid":%b,' % orjson.dumps(uuid) if uuid else b"",
        b"%d" % picture.width if picture.width else b"null",
    )


def info_of(dataset: Dataset) -> JSON:
    """What stands at the head; no times, which would differ from build to build."""
    return {"description": dataset.description or dataset.name, "version": str(dataset.stands.get("offset", ""))}


def category_of(item: Category) -> JSON:
    """An element of `categories`."""
    return {"id": item.id, "name": item.name, "supercategory": item.group}


def said_of(
    items: list[Annotation], picture: Picture, options: Options, losses: Losses
) -> Iterator[tuple[Annotation, JSON]]:
    """What annotations say of their outlines; these are still rings of points, not of numbers."""
    height, width = picture.height, picture.width
    places = [picture.survey.place_of(item.geometry) for item in items]
    known = [None if place is None else picture.survey.pixels_in(place, height, width) for place in places]
    outlined = [item.geometry["type"] in _OUTLINED for item in items]
    solid = [
        item.geometry
        for item, pixels, has_area in zip(items, known, outlined, strict=True)
        if has_area and pixels is None
    ]
    if not picture.has_size:
        height, width = size_for(height, width, [item.geometry for item in items])
    drawn = iter(outlines.areas_of(solid, height, width).tolist() if solid else ())
    for item, pixels, has_area in zip(items, known, outlined, strict=True):
        geometry = item.geometry
        area = float(next(drawn) if pixels is None else pixels) if has_area else None
        is_crowd = item.attributes.get("is_crowd") is True
        as_runs = options["segmentation"] == "rle" or is_crowd or _needs_runs(geometry)
        segmentation: Any = []
        if area is not None and as_runs:
            if not picture.has_size:
                losses.add("picture of unknown size", LEFT_OUT, sample=picture.sample.name, annotation=item)
                continue
            segmentation = outlines.runs_of(geometry, height, width)
            runs_box = rle.box_of_runs(segmentation, max_pixels=rle.MAX_PIXELS) or (0, 0, 0, 0)
            box: outlines.Box | None = [float(side) for side in runs_box]
        else:
            box = outlines.box_of(geometry)
            if area is not None:
                segmentation = outlines.outer_rings(geometry)
        x0, y0, x1, y1 = box or (0.0, 0.0, 0.0, 0.0)
        width_px, height_px = outlines.sides_of(x0, y0, x1, y1)
        if area is None:
            area = width_px * height_px
        if not (isfinite(width_px) and isfinite(height_px) and isfinite(area)):
            losses.add(
                "size that is no number", LEFT_OUT, sample=picture.sample.name, frame=picture.frame, annotation=item
            )
            continue
        said = {"segmentation": segmentation, "area": area, "bbox": [x0, y0, width_px, height_px]}
        yield item, said | {"iscrowd": int(is_crowd)}


def beside_of(item: Annotation) -> JSON:
    """What an annotation says of itself beside its outline."""
    found: JSON = {}
    if item.attributes:
        attributes = {key: value for key, value in item.attributes.items() if key != "is_crowd" or value is not True}
        if attributes:
            found["attributes"] = attributes
    if item.geometry["type"] == "skeleton":
        found["shape"] = "skeleton"
    for key, value in (("score", item.score), ("track_id", item.track_id), ("uuid", item.uuid or None)):
        if value is not None:
            found[key] = value
    return found


def _needs_runs(geometry: JSON) -> bool:
    return geometry["type"] in ("bitmap", "ellipse") or outlines.has_holes(geometry)


FEATURES = (
    "parts", "attributes", "scores", "tracks", "uuids", "uuids of samples", "splits", "order", "names",
    "list of categories", "ids of categories", "groups of categories",
)  # fmt: skip
INSTANCES = Format(
    "coco-instances",
    2,
    "COCO instances",
    carrying("bbox", "polygon", "bitmap", *FEATURES, converted=("rbox", "ellipse", "holes")),
    parts=InParts(write_instances, join_instances),
    read=coco_reading.read,
    options=(MASKS, FRAMES),
)
