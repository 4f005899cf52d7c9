"""Pascal VOC: boxes in `Annotations/{picture}.xml`, pixels in `SegmentationClass` and `SegmentationObject`. Pure.

VOC's own files count pixels from 1 and name the last pixel of a box, so its box of the first pixel is (1, 1, 1, 1);
many tools write coordinates as they are. `coordinates` says which; `as-is` is what Datumaro, CVAT and torchvision
expect. `difficult`, `truncated`, `occluded` and `pose` are attributes of these names; others stand below `attributes`,
as CVAT writes them. Colours are those of VOC's table; `labelmap.txt` names them.
Source: host.robots.ox.ac.uk/pascal/VOC/voc2012, development kit, §§ 2 and 11.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Any

import numpy as np

from labeling.geometry.composition import label_map, spans_of
from labeling.log.values import same
from releases.formats import outlines, pngs, voc_reading
from releases.formats.colours import voc_colour
from releases.formats.drafts import Draft, put_down
from releases.formats.files import Output, put_bytes
from releases.formats.format import APPROXIMATED, FRAMES, LEFT_OUT, Format, Losses, Option, Options, carrying
from releases.formats.names import names_of, tell_of_names
from releases.formats.painting import tell_of_overlaps
from releases.formats.parts import InParts, Part, Streams
from releases.formats.pictures import Picture, pictures
from releases.formats.records import WHOLE, Annotation, Dataset, Sample
from releases.formats.texts import content, element, one_line, plain, read_back

JSON = dict[str, Any]

COORDINATES = Option("coordinates", ("as-is", "from-1"), "As they are here, or whole pixels from 1, the last included.")
MASKS = Option("masks", ("yes", "no"), "Whether objects with an outline are painted into PNG files too.")
_FLAGS = ("truncated", "difficult", "occluded")
_MOST_OBJECTS = 254
_VOID = 255
_LISTS = ("Main/", "Segmentation/")


def write(dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses) -> JSON:
    """The files of pictures, and streams of their names for each list and split."""
    draft = Draft(streams)
    places = {item.id: nth for nth, item in enumerate(dataset.categories, 1)}
    names = names_of(dataset.categories, _name)
    for picture in pictures(VOC, dataset, samples, options, losses):
        name = draft.name(picture.name, ".xml", folder="Annotations")
        split = picture.split or WHOLE
        streams.add(f"Main/{split}", b"%d\n" % name)
        solid = [item for item in picture.annotations if item.geometry["type"] != "bbox"] * (options["masks"] == "yes")
        is_painted = bool(solid) and _paint(picture, solid, name, places, draft, losses)
        if is_painted:
            streams.add(f"Segmentation/{split}", b"%d\n" % name)
        _tell_of_attributes(picture, losses)
        lines = _lines(picture, names, is_painted, options["coordinates"] == "from-1")
        text = "".join(f"{line}\n" for line in lines).encode()
        draft.put(text, name, before="Annotations/", after=".xml")
    return {}


def join(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """The files of Pascal VOC."""
    lists: dict[str, IO[bytes]] = {}
    for part, names in put_down(parts, out):
        for stream in part.names():
            if stream.startswith(_LISTS):
                file = lists.get(stream) or lists.setdefault(stream, out.spool())
                for piece in part.pieces(stream):
                    file.write("".join(f"{names[int(number)]}\n" for number in piece.split()).encode())
    for kind in _LISTS:
        for stream, file in lists.items():
            if stream.startswith(kind):
                with file:
                    out.put(f"ImageSets/{stream}.txt", file)
    put_bytes(out, "labelmap.txt", _labelmap(list(names_of(dataset.categories, _name).values())).encode())


def _labelmap(names: list[str]) -> str:
    """The names and colours, as CVAT and Datumaro have them: name:red,green,blue:parts:actions."""
    rows = ["# label:color_rgb:parts:actions", "background:0,0,0::"]
    for nth, name in enumerate(names, 1):
        rows.append(f"{name}:{','.join(map(str, voc_colour(nth)))}::")
    return "".join(f"{row}\n" for row in rows)


def _lines(picture: Picture, names: dict[int, str], is_painted: bool, from_1: bool) -> Iterator[str]:
    folder, _, base = picture.name.rpartition("/")
    yield "<annotation>"
    yield element("folder", folder) + element("filename", picture.name if folder else base)
    if picture.has_size:
        yield f"<size>{element('width', picture.width)}{element('height', picture.height)}{element('depth', 3)}</size>"
    yield element("segmented", int(is_painted))
    for item in picture.annotations:
        assert item.category_id is not None
        yield from _object(item, names[item.category_id], from_1)
    yield "</annotation>"


def _object(item: Annotation, name: str, from_1: bool) -> Iterator[str]:
    box = outlines.box_of(item.geometry) or [0.0, 0.0, 0.0, 0.0]
    if from_1:  # the pixels that the box touches, the first being 1
        box = [float(np.floor(box[0])) + 1, float(np.floor(box[1])) + 1, float(np.ceil(box[2])), float(np.ceil(box[3]))]
    yield "<object>"
    yield element("name", name)
    pose = item.attributes.get("pose")
    yield element("pose", pose if _is_pose(pose) else "Unspecified")
    for flag in _FLAGS:
        yield element(flag, int(item.attributes.get(flag) is True))
    sides = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    yield "<bndbox>" + "".join(element(side, value) for side, value in sides) + "</bndbox>"
    rest = {
        key: value
        for key, value in item.attributes.items()
        if not (key in _FLAGS and value is True) and not (key == "pose" and _is_pose(value))
    }
    if rest:
        yield "<attributes>"
        for key, value in rest.items():
            yield f"<attribute><name>{content(key)}</name><value>{content(plain(value))}</value></attribute>"
        yield "</attributes>"
    yield "</object>"


def _name(name: str) -> str:
    """A name of a category that an element and a line of `labelmap.txt` can have."""
    said = one_line(read_back(name)).replace(":", "_").strip()
    return f"_{said[1:]}" if said.startswith("#") else said  # a line that begins so is a remark


def _is_pose(value: Any) -> bool:
    return isinstance(value, str) and value not in ("", "Unspecified") and value == read_back(value).strip()


def _tell_of_attributes(picture: Picture, losses: Losses) -> None:
    """List the attributes whose text reads as something else, because VOC says no kinds."""
    for item in picture.annotations:
        for key, value in item.attributes.items():
            read = voc_reading.value_of(read_back(plain(value)).strip())
            if key != read_back(key).strip() or not same(read, value):
                losses.add(
                    "attributes",
                    APPROXIMATED, sample=picture.sample.name, frame=picture.frame, annotation=item, said=key,
                )  # fmt: skip


def _paint(
    picture: Picture, items: list[Annotation], name: int, places: dict[int, int], draft: Draft, losses: Losses
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
    draft.put(pngs.palette(table[objects], colours), name, before="SegmentationClass/", after=".png")
    draft.put(pngs.palette(objects, colours), name, before="SegmentationObject/", after=".png")
    return True


VOC = Format(
    "voc",
    2,
    "Pascal VOC",
    carrying(
        "bbox",
        "attributes",
        "splits",
        "order",
        "names",
        "list of categories",
        approximated=("rbox",),
        converted=("polygon", "ellipse", "bitmap", "parts", "holes"),
    ),
    parts=InParts(write, join, before=tell_of_names(_name)),
    is_painted=True,
    read=voc_reading.read,
    options=(FRAMES, COORDINATES, MASKS),
    reading_options=(COORDINATES,),
)
