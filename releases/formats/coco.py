"""COCO instances and keypoints: one JSON file a split, `annotations/instances_{split}.json`. Pure.

- `area` is the number of pixels by our own definition (`labeling.geometry.rasterize`); of a box, width times height.
- A polygon stays a polygon with a ring a part; with holes, which COCO's polygons cannot say, it becomes run lengths of
  exactly its pixels; so do ellipses. A box has no segmentation, because it says nothing of the object's outline.
- `attributes`, `score`, `track_id` and `uuid` stand beside COCO's own members, as other tools write them.

Source: cocodataset.org/#format-data, and pycocotools.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from labeling.geometry import rle
from labeling.log.values import canonical_of_stored
from releases.formats import coco_reading, outlines
from releases.formats.files import Output
from releases.formats.format import FRAMES, LEFT_OUT, Format, Losses, Option, Options, carrying
from releases.formats.jsons import Lists, numbers
from releases.formats.parts import InParts, Part, Streams
from releases.formats.pictures import Picture, pictures
from releases.formats.records import Annotation, Category, Dataset, Sample
from releases.formats.sizes import size_for

JSON = dict[str, Any]

MASKS = Option("segmentation", ("polygons", "rle"), "Outlines as polygons where COCO can say them, or all as pixels.")
_WHOLE = "default"
#: What every line of an annotation has; `attributes` stand in front of the ids, all others behind the outline.
_EVERY = frozenset({"area", "bbox", "iscrowd", "score", "segmentation"})
_ANNOTATION = b'{"area":%b,%b"bbox":%b,"category_id":%b,"id": %d,"image_id": %d,"iscrowd":%d,%b"segmentation":%b%b}\n'
#: Pictures whose areas are computed together, and the shapes that have one beyond their box.
_BLOCK = 64
_OUTLINED = outlines.AREAS - {"bbox"}


def write_instances(
    dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses
) -> JSON:
    """A part of COCO instances: of each split the lines of images and those of annotations, in streams of their own.

    Ids are counted from 1 in every part. They stand behind a colon *and a space*, which canonical JSON has nowhere
    else outside of text, and a quote inside of text is escaped: so they are found again without parsing.
    """
    images = annotations = 0
    for block, told in _blocks(dataset, samples, options, losses):
        areas = _areas(block, options)
        for picture, lost in zip(block, told, strict=True):
            for each in lost:
                losses.tell(each)
            images += 1
            split = picture.split or _WHOLE
            streams.add(f"{split}/images", _image_line(image_of(picture, images)))
            for item, said in _said(picture.annotations, picture, options, losses, areas):
                annotations += 1
                line = _annotation_line(said, item.category_id, annotations, images)
                streams.add(f"{split}/annotations", line)
    return {"images": images, "annotations": annotations}


def _blocks(
    dataset: Dataset, samples: Iterable[Sample], options: Options, losses: Losses
) -> Iterator[tuple[list[Picture], list[list[JSON]]]]:
    """Pictures, some at a time, and what was lost with each of them: that is told with its picture, so that the order
    of the list does not depend on where a block, or a part, begins."""
    lost: list[JSON] = []
    held = Losses(losses.stop, lost.append, losses.counts)
    block: list[Picture] = []
    told: list[list[JSON]] = []
    for picture in pictures(INSTANCES, dataset, samples, options, held):
        block.append(picture)
        told.append(lost.copy())
        lost.clear()
        if len(block) == _BLOCK:
            yield block, told
            block, told = [], []
    if block:
        yield block, told
    for each in lost:
        losses.tell(each)


def _image_line(said: JSON) -> bytes:
    members = {name: canonical_of_stored(value) for name, value in said.items()} | {"id": b" %d" % said["id"]}
    return b"{%b}\n" % b",".join(b'"%b":%b' % (name.encode(), members[name]) for name in sorted(members))


def _annotation_line(said: JSON, category: int | None, number: int, image: int) -> bytes:
    """An annotation as canonical JSON, but for its two ids; put together by hand, because there are millions."""
    outline = said["segmentation"]
    rest = [name for name in said if name not in _EVERY]
    head, tail = b"", b""
    for name in sorted(rest):
        member = b'"%b":%b' % (name.encode(), canonical_of_stored(said[name]))
        head, tail = (head + member + b",", tail) if name < "id" else (head, b"%b,%b" % (tail, member))
    return _ANNOTATION % (
        numbers(said["area"]),
        head,
        numbers(said["bbox"]),
        b"null" if category is None else b"%d" % category,
        number,
        image,
        said["iscrowd"],
        b"" if "score" not in said else b'"score":%b,' % numbers(said["score"]),
        _flat(outline) if isinstance(outline, list) else canonical_of_stored(outline),
        tail,
    )


def _flat(rings: list[Any]) -> bytes:
    """Rings of points as lists of numbers: in the text, where that is a matter of brackets."""
    if not rings:
        return b"[]"
    return b"[[%b]]" % b"],[".join(numbers(ring)[2:-2].replace(b"],[", b",") for ring in rings)


def join_instances(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """The files of COCO instances, in the order in which their splits come up."""
    splits = dict.fromkeys(name.partition("/")[0] for part in parts for name in part.names() if "/" in name)
    for split in splits or (_WHOLE,):
        lists = Lists(out, "images", "annotations")
        images = annotations = 0
        for part in parts:
            lists.extend("images", _counted_on(part.pieces(f"{split}/images"), images, 0))
            lists.extend("annotations", _counted_on(part.pieces(f"{split}/annotations"), annotations, images))
            images, annotations = images + part.facts["images"], annotations + part.facts["annotations"]
        _put(INSTANCES, "instances", dataset, lists, split, out)


_ID = re.compile(rb'"id": ([0-9]+)(?:,"image_id": ([0-9]+))?')


def _counted_on(pieces: Iterable[bytes], before: int, images_before: int) -> Iterator[bytes]:
    def counted_on(match: re.Match[bytes]) -> bytes:
        if match[2] is None:
            return b'"id":%d' % (int(match[1]) + before)
        return b'"id":%d,"image_id":%d' % (int(match[1]) + before, int(match[2]) + images_before)

    for piece in pieces:
        yield _ID.sub(counted_on, piece)


def write_keypoints(dataset: Dataset, samples: Iterable[Sample], out: Output, options: Options, losses: Losses) -> None:
    """The files of COCO keypoints: the objects that have points, of categories whose points have names.

    Whole, because the names of the points of a category may be those of its first object.
    """
    files: dict[str, Lists] = {}
    names = _PointNames(dataset)
    annotations = 0
    for images, picture in enumerate(pictures(KEYPOINTS, dataset, samples, options, losses), 1):
        split = picture.split or _WHOLE
        file = files.get(split)
        if file is None:
            file = files[split] = Lists(out, "images", "annotations")
        file.add("images", image_of(picture, images))
        kept = [item for item in picture.annotations if _has_points(item, picture, losses)]
        for item, said in _said(kept, picture, options, losses, {}):
            annotations += 1
            if isinstance(said["segmentation"], list):
                said["segmentation"] = [list(chain.from_iterable(ring)) for ring in said["segmentation"]]
            found = {"id": annotations, "image_id": images, "category_id": item.category_id} | said
            file.add("annotations", found | names.said(item, picture, losses))
    for split, file in files.items() or [(_WHOLE, Lists(out, "images", "annotations"))]:
        _put(KEYPOINTS, "person_keypoints", dataset, file, split, out, names)


def _put(
    kind: Format, stem: str, dataset: Dataset, lists: Lists, split: str, out: Output, names: _PointNames | None = None
) -> None:
    categories = [category_of(item, names) for item in dataset.categories]
    rest = {"info": info_of(dataset), "licenses": [], "categories": categories}
    lists.put(f"annotations/{stem}_{split}.json", rest)


def image_of(picture: Picture, number: int) -> JSON:
    """An element of `images`; a size that is unknown is null."""
    found: JSON = {
        "id": number,
        "file_name": picture.name,
        "width": picture.width or None,
        "height": picture.height or None,
    }
    if picture.url:
        found["coco_url"] = picture.url
    if picture.sample.uuid:
        found["uuid"] = picture.sample.uuid
    return found


def info_of(dataset: Dataset) -> JSON:
    """What stands at the head; no times, which would differ from build to build."""
    return {"description": dataset.description or dataset.name, "version": str(dataset.stands.get("offset", ""))}


def category_of(item: Category, names: _PointNames | None) -> JSON:
    found: JSON = {"id": item.id, "name": item.name, "supercategory": item.group}
    if names is not None:
        found |= {"keypoints": names.of(item), "skeleton": [[one + 1, other + 1] for one, other in item.edges]}
    return found


def _areas(block: list[Picture], options: Options) -> dict[int, float]:
    """{id of an annotation's object: its area} of the shapes that lie within their pictures, of many pictures at once:
    there the area does not depend on the size of the picture."""
    height = max(picture.height for picture in block)
    width = max(picture.width for picture in block)
    solid = [
        item.geometry
        for picture in block
        if options.clip and picture.has_size
        for item in picture.annotations
        if item.geometry["type"] in _OUTLINED
    ]
    return dict(zip(map(id, solid), outlines.areas_of(solid, height, width).tolist(), strict=True)) if solid else {}


def _said(
    items: list[Annotation], picture: Picture, options: Options, losses: Losses, known: dict[int, float]
) -> Iterable[tuple[Annotation, JSON]]:
    """What every annotation says of its outline and of itself; `known` are areas, by the geometries' ids. Outlines are
    still rings of points, not of numbers."""
    height, width = picture.height, picture.width
    solid = [
        item.geometry
        for item in items
        if outlines.has_area(item.geometry) and item.geometry["type"] != "bbox" and id(item.geometry) not in known
    ]
    if not picture.has_size:
        height, width = size_for(height, width, [item.geometry for item in items])
    areas = iter(outlines.areas_of(solid, height, width).tolist() if solid else ())
    for item in items:
        geometry = item.geometry
        area = None
        if outlines.has_area(geometry) and geometry["type"] != "bbox":
            area = float(known[id(geometry)] if id(geometry) in known else next(areas))
        is_crowd = item.attributes.get("is_crowd") is True
        as_runs = options["segmentation"] == "rle" or is_crowd or _needs_runs(geometry)
        segmentation: Any = []
        box = outlines.box_of(geometry)
        if area is not None and as_runs:
            if not picture.has_size:
                losses.add("picture of unknown size", LEFT_OUT, sample=picture.sample.name, annotation=item)
                continue
            segmentation = outlines.runs_of(geometry, height, width)
            box = [float(side) for side in rle.box_of_runs(segmentation, max_pixels=rle.MAX_PIXELS) or (0, 0, 0, 0)]
        elif area is not None:
            segmentation = outlines.outer_rings(geometry)
        x0, y0, x1, y1 = box or (0.0, 0.0, 0.0, 0.0)
        said: JSON = {
            "segmentation": segmentation,
            "area": (x1 - x0) * (y1 - y0) if area is None else area,
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "iscrowd": int(is_crowd),
        }
        attributes = {name: value for name, value in item.attributes.items() if name != "is_crowd"}
        if attributes:
            said["attributes"] = attributes
        if geometry["type"] == "skeleton":
            said["shape"] = "skeleton"
        for key, value in (("score", item.score), ("track_id", item.track_id), ("uuid", item.uuid or None)):
            if value is not None:
                said[key] = value
        yield item, said


def _needs_runs(geometry: JSON) -> bool:
    return geometry["type"] in ("bitmap", "ellipse") or outlines.has_holes(geometry)


# --- keypoints -----------------------------------------------------------------------------------------------------


def _has_points(item: Annotation, picture: Picture, losses: Losses) -> bool:
    if item.points:
        return True
    losses.add("object without points", LEFT_OUT, sample=picture.sample.name, frame=picture.frame, annotation=item)
    return False


class _PointNames:
    """The names of the points of each category: those of its definition, or of its first object."""

    def __init__(self, dataset: Dataset) -> None:
        self._names = {item.id: list(item.points) for item in dataset.categories if item.points}

    def of(self, category: Category) -> list[str]:
        return self._names.get(category.id, [])

    def said(self, item: Annotation, picture: Picture, losses: Losses) -> JSON:
        """`keypoints` and `num_keypoints` in the order of the names."""
        assert item.category_id is not None
        points = {point["name"]: point for point in item.points}
        names = self._names.setdefault(item.category_id, list(points))
        for name in [name for name in points if name not in names]:
            losses.add(
                "point that its category does not name",
                LEFT_OUT,
                sample=picture.sample.name,
                frame=picture.frame,
                annotation=item,
                said=name,
            )
        flat: list[float] = []
        for name in names:
            point = points.get(name)
            placed = point is not None and point["visibility"] > 0
            flat += [point["x"], point["y"], point["visibility"]] if placed and point is not None else [0, 0, 0]
        return {"keypoints": flat, "num_keypoints": sum(1 for flag in flat[2::3] if flag)}


_INSTANCES = InParts(write_instances, join_instances)
_FEATURES = ("parts", "attributes", "scores", "tracks", "uuids", "splits")
INSTANCES = Format(
    "coco-instances",
    1,
    "COCO instances",
    carrying("bbox", "polygon", "bitmap", *_FEATURES, converted=("rbox", "ellipse", "holes")),
    write=_INSTANCES.whole,
    parts=_INSTANCES,
    read=coco_reading.read,
    options=(MASKS, FRAMES),
)
KEYPOINTS = Format(
    "coco-keypoints",
    1,
    "COCO keypoints",
    carrying("bbox", "polygon", "bitmap", "skeleton", "keypoints", *_FEATURES, converted=("rbox", "ellipse", "holes")),
    write=write_keypoints,
    read=coco_reading.read,
    options=(MASKS, FRAMES),
)
