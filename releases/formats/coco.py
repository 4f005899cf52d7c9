"""COCO instances and keypoints: one JSON file a split, `annotations/instances_{split}.json`. Pure.

- `area` is the number of pixels by our own definition (`labeling.geometry.rasterize`); of a box, width times height.
- A polygon stays a polygon with a ring a part; with holes, which COCO's polygons cannot say, it becomes run lengths of
  exactly its pixels; so do ellipses. A box has no segmentation, because it says nothing of the object's outline.
- `attributes`, `score`, `track_id` and `uuid` stand beside COCO's own members, as other tools write them.

Source: cocodataset.org/#format-data, and pycocotools.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labeling.geometry import rle
from releases.formats import coco_reading, outlines
from releases.formats.files import Output
from releases.formats.format import FRAMES, LEFT_OUT, Format, Losses, Option, Options, carrying
from releases.formats.jsons import Lists
from releases.formats.pictures import Picture, pictures
from releases.formats.records import Annotation, Category, Dataset, Sample
from releases.formats.sizes import size_for

JSON = dict[str, Any]

MASKS = Option("segmentation", ("polygons", "rle"), "Outlines as polygons where COCO can say them, or all as pixels.")
_WHOLE = "default"


def write_instances(dataset: Dataset, samples: Iterable[Sample], out: Output, options: Options, losses: Losses) -> None:
    """The files of COCO instances."""
    _write(INSTANCES, "instances", dataset, samples, out, options, losses)


def write_keypoints(dataset: Dataset, samples: Iterable[Sample], out: Output, options: Options, losses: Losses) -> None:
    """The files of COCO keypoints: the objects that have points, of categories whose points have names."""
    _write(KEYPOINTS, "person_keypoints", dataset, samples, out, options, losses)


def _write(
    kind: Format,
    stem: str,
    dataset: Dataset,
    samples: Iterable[Sample],
    out: Output,
    options: Options,
    losses: Losses,
) -> None:
    files: dict[str, Lists] = {}
    names = _PointNames(dataset)
    annotations = 0
    for images, picture in enumerate(pictures(kind, dataset, samples, options, losses), 1):
        split = picture.split or _WHOLE
        file = files.get(split)
        if file is None:
            file = files[split] = Lists(out, "images", "annotations")
        file.add("images", image_of(picture, images))
        kept = [item for item in picture.annotations if kind is INSTANCES or _has_points(item, picture, losses)]
        for item, said in _said(kept, picture, options, losses):
            annotations += 1
            found = {"id": annotations, "image_id": images, "category_id": item.category_id} | said
            if kind is KEYPOINTS:
                found |= names.said(item, picture, losses)
            file.add("annotations", found)
    for split, file in files.items() or [(_WHOLE, Lists(out, "images", "annotations"))]:
        categories = [category_of(item, names if kind is KEYPOINTS else None) for item in dataset.categories]
        file.put(
            f"annotations/{stem}_{split}.json", {"info": info_of(dataset), "licenses": [], "categories": categories}
        )


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


def _said(
    items: list[Annotation], picture: Picture, options: Options, losses: Losses
) -> Iterable[tuple[Annotation, JSON]]:
    """What every annotation says of its outline and of itself."""
    height, width = size_for(picture.height, picture.width, [item.geometry for item in items])
    solid = [item.geometry for item in items if outlines.has_area(item.geometry) and item.geometry["type"] != "bbox"]
    areas = iter(outlines.areas_of(solid, height, width).tolist() if solid else ())
    for item in items:
        geometry = item.geometry
        area = float(next(areas)) if outlines.has_area(geometry) and geometry["type"] != "bbox" else None
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
            segmentation = [[n for point in ring for n in point] for ring in outlines.outer_rings(geometry)]
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


_FEATURES = ("parts", "attributes", "scores", "tracks", "uuids", "splits")
INSTANCES = Format(
    "coco-instances",
    1,
    "COCO instances",
    carrying("bbox", "polygon", "bitmap", *_FEATURES, converted=("rbox", "ellipse", "holes")),
    write=write_instances,
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
