"""Pascal VOC: boxes in `Annotations/{picture}.xml`, pixels in `SegmentationClass` and `SegmentationObject`. Pure.

VOC's own files count pixels from 1 and name the last pixel of a box, so its box of the first pixel is (1, 1, 1, 1);
many tools write coordinates as they are. `coordinates` says which; `as-is` is what Datumaro, CVAT and torchvision
expect. `difficult`, `truncated`, `occluded` and `pose` are attributes of these names; others stand below `attributes`,
as CVAT writes them. Colours are those of VOC's table; `labelmap.txt` names them.
Source: host.robots.ox.ac.uk/pascal/VOC/voc2012, development kit, §§ 2 and 11.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from labeling.geometry.composition import label_map, spans_of
from releases.formats import outlines, pngs, voc_reading
from releases.formats.colours import voc_colour
from releases.formats.files import Output, Paths, put_bytes
from releases.formats.format import FRAMES, LEFT_OUT, Format, Losses, Option, Options, carrying
from releases.formats.painting import tell_of_overlaps
from releases.formats.pictures import Picture, pictures
from releases.formats.records import Annotation, Dataset, Sample
from releases.formats.texts import content, element, plain

JSON = dict[str, Any]

COORDINATES = Option("coordinates", ("as-is", "from-1"), "As they are here, or whole pixels from 1, the last included.")
MASKS = Option("masks", ("yes", "no"), "Whether objects with an outline are painted into PNG files too.")
_FLAGS = ("truncated", "difficult", "occluded")
_MOST_OBJECTS = 254
_VOID = 255


def write(dataset: Dataset, samples: Iterable[Sample], out: Output, options: Options, losses: Losses) -> None:
    """The files of Pascal VOC."""
    paths = Paths()
    places = {item.id: nth for nth, item in enumerate(dataset.categories, 1)}
    lists: dict[str, list[str]] = {}
    painted: dict[str, list[str]] = {}
    for picture in pictures(VOC, dataset, samples, options, losses):
        path = paths.path(picture.name, ".xml", folder="Annotations")
        stem = path.removeprefix("Annotations/").removesuffix(".xml")
        split = picture.split or "default"
        lists.setdefault(split, []).append(stem)
        solid = [item for item in picture.annotations if item.geometry["type"] != "bbox"] * (options["masks"] == "yes")
        is_painted = bool(solid) and _paint(picture, solid, stem, places, out, losses)
        if is_painted:
            painted.setdefault(split, []).append(stem)
        lines = _lines(picture, dataset, is_painted, options["coordinates"] == "from-1")
        put_bytes(out, path, "".join(f"{line}\n" for line in lines).encode())
    for name, found in (("Main", lists), ("Segmentation", painted)):
        for split, stems in found.items():
            put_bytes(out, f"ImageSets/{name}/{split}.txt", "".join(f"{stem}\n" for stem in stems).encode())
    put_bytes(out, "labelmap.txt", _labelmap(dataset).encode())


def _labelmap(dataset: Dataset) -> str:
    """The names and colours, as CVAT and Datumaro have them: name:red,green,blue:parts:actions."""
    rows = ["# label:color_rgb:parts:actions", "background:0,0,0::"]
    for nth, item in enumerate(dataset.categories, 1):
        rows.append(f"{item.name.replace(':', '_')}:{','.join(map(str, voc_colour(nth)))}::")
    return "".join(f"{row}\n" for row in rows)


def _lines(picture: Picture, dataset: Dataset, is_painted: bool, from_1: bool) -> Iterator[str]:
    known = dataset.by_id
    folder, _, base = picture.name.rpartition("/")
    yield "<annotation>"
    yield element("folder", folder) + element("filename", picture.name if folder else base)
    if picture.has_size:
        yield f"<size>{element('width', picture.width)}{element('height', picture.height)}{element('depth', 3)}</size>"
    yield element("segmented", int(is_painted))
    for item in picture.annotations:
        assert item.category_id is not None
        yield from _object(item, known[item.category_id].name, from_1)
    yield "</annotation>"


def _object(item: Annotation, name: str, from_1: bool) -> Iterator[str]:
    box = outlines.box_of(item.geometry) or [0.0, 0.0, 0.0, 0.0]
    if from_1:  # the pixels that the box touches, the first being 1
        box = [float(np.floor(box[0])) + 1, float(np.floor(box[1])) + 1, float(np.ceil(box[2])), float(np.ceil(box[3]))]
    yield "<object>"
    yield element("name", name)
    pose = item.attributes.get("pose")
    yield element("pose", pose if isinstance(pose, str) else "Unspecified")
    for flag in _FLAGS:
        yield element(flag, int(item.attributes.get(flag) is True))
    sides = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    yield "<bndbox>" + "".join(element(side, value) for side, value in sides) + "</bndbox>"
    rest = {
        key: value
        for key, value in item.attributes.items()
        if not (key in _FLAGS and isinstance(value, bool)) and not (key == "pose" and isinstance(value, str))
    }
    if rest:
        yield "<attributes>"
        for key, value in rest.items():
            yield f"<attribute><name>{content(key)}</name><value>{content(plain(value))}</value></attribute>"
        yield "</attributes>"
    yield "</object>"


def _paint(
    picture: Picture, items: list[Annotation], stem: str, places: dict[int, int], out: Output, losses: Losses
) -> bool:
    """The two maps of a picture: of classes, and of objects, each with VOC's colours."""
    if not picture.has_size:
        losses.add("picture of unknown size", LEFT_OUT, sample=picture.sample.name, frame=picture.frame)
        return False
    kept: list[Annotation] = []
    for item in items:
        assert item.category_id is not None
        if len(kept) >= _MOST_OBJECTS or places[item.category_id] >= _VOID:
            losses.add(
                f"more than {_MOST_OBJECTS} objects with pixels, or classes",
                LEFT_OUT, sample=picture.sample.name, frame=picture.frame, annotation=item,
            )  # fmt: skip
        else:
            kept.append(item)
    height, width = picture.height, picture.width
    spans = spans_of([item.geometry for item in kept], height, width)
    numbers = list(range(1, len(kept) + 1))
    objects = label_map(spans, numbers, height, width, dtype=np.uint8)
    tell_of_overlaps(picture, kept, spans, objects, numbers, losses)
    table = np.array([0, *(places[item.category_id or 0] for item in kept)], dtype=np.uint8)
    colours = [voc_colour(number) for number in range(256)]
    put_bytes(out, f"SegmentationClass/{stem}.png", pngs.palette(table[objects], colours))
    put_bytes(out, f"SegmentationObject/{stem}.png", pngs.palette(objects, colours))
    return True


VOC = Format(
    "voc",
    1,
    "Pascal VOC",
    carrying(
        "bbox",
        "attributes",
        "splits",
        approximated=("rbox",),
        converted=("polygon", "ellipse", "bitmap", "parts", "holes"),
    ),
    write=write,
    read=voc_reading.read,
    options=(FRAMES, COORDINATES, MASKS),
    reading_options=(COORDINATES,),
)
