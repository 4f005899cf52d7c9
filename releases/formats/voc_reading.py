"""Reading Pascal VOC: boxes and attributes of XML files; an object of a picture with maps is given its pixels. Pure.

Which of the objects in an XML file a value of `SegmentationObject` is, VOC says by their order alone. It is taken where
the box of the pixels is the object's box, within a pixel; other values become objects of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap, box_of
from releases.formats import pngs
from releases.formats.colours import voc_colour
from releases.formats.files import Source
from releases.formats.format import Findings, Options, UnreadableFile
from releases.formats.outlines import bbox, bitmap
from releases.formats.records import Annotation, Category, Dataset, Imported, Sample
from releases.formats.xmls import Element, number_of, parsed, text_of

JSON = dict[str, Any]

_FLAGS = ("truncated", "difficult", "occluded")
#: The classes of VOC 2012 in the order of their colours, for maps without a labelmap.txt.
VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
_BACKGROUND, _VOID = 0, 255


def read(source: Source, findings: Findings, options: Options) -> Imported:
    """Every XML file below `Annotations`, or every one where there is no such folder.

    Raises:
        UnreadableFile: there is none.
    """
    paths = source.paths()
    xmls = [path for path in paths if path.endswith(".xml")]
    xmls = [path for path in xmls if "Annotations/" in path] or xmls
    if not xmls:
        raise UnreadableFile("there is no .xml file")
    mapped = _labelmap(source, paths)
    documents = []
    names = dict.fromkeys(mapped)
    for path in xmls:
        try:
            root = parsed(source.read(path), "annotation")
        except UnreadableFile as error:
            findings.add(path, str(error))
            continue
        documents.append((path, root))
        names |= dict.fromkeys(text_of(item, "name") for item in root.findall("object") if text_of(item, "name"))
    if not mapped and any("/SegmentationClass/" in f"/{path}" for path in paths):
        names |= dict.fromkeys(VOC_CLASSES)
    if not documents:
        raise UnreadableFile("no .xml file is one of Pascal VOC")
    known = {name: nth for nth, name in enumerate(names, 1)}
    categories = tuple(Category(number, name) for name, number in known.items())
    classes = mapped or VOC_CLASSES
    splits = _splits(source, paths)
    samples = _samples(source, set(paths), documents, known, classes, splits, options, findings)
    return Imported(Dataset("voc", categories), samples)


def _labelmap(source: Source, paths: list[str]) -> tuple[str, ...]:
    """The names of a labelmap.txt but the background's, in the order of the values of maps."""
    for path in paths:
        if path.rsplit("/", 1)[-1] == "labelmap.txt":
            rows = source.read(path).decode("utf-8", "replace").splitlines()
            names = [row.split(":")[0].strip() for row in rows if row.strip() and not row.startswith("#")]
            return tuple(names[1:] if names[:1] == ["background"] else names)
    return ()


def _splits(source: Source, paths: list[str]) -> dict[str, str]:
    """{picture: split} of the lists of all pictures; those of one class have two columns."""
    found: dict[str, str] = {}
    for path in paths:
        folder, _, base = path.rpartition("/")
        if folder.endswith("ImageSets/Main") and base.endswith(".txt") and "_" not in base:
            for row in source.read(path).decode("utf-8", "replace").splitlines():
                if row.split():  # a name may have a space, and a column may stand behind it
                    for name in (row.strip(), row.split()[0].strip('"')):
                        found.setdefault(name, base.removesuffix(".txt"))
    return found


def _samples(
    source: Source,
    paths: set[str],
    documents: list[tuple[str, Element]],
    known: dict[str, int],
    classes: tuple[str, ...],
    splits: dict[str, str],
    options: Options,
    findings: Findings,
) -> Iterator[Sample]:
    for path, root in documents:
        root_folder, _, rest = path.partition("Annotations/") if "Annotations/" in path else ("", "", path)
        stem = rest.removesuffix(".xml")
        width, height = _side(text_of(root, "size/width")), _side(text_of(root, "size/height"))
        annotations: list[Annotation] = []
        for nth, item in enumerate(root.findall("object")):
            try:
                geometry = _box(item, options["coordinates"] == "from-1")
            except ValueError:
                findings.add(f"{path} object {nth}", "has no box that can be read")
                continue
            if item.find("part") is not None:
                findings.note(f"{path} object {nth}", "has parts, which are not read")
            name = text_of(item, "name")
            annotations.append(
                Annotation(len(annotations) + 1, known.get(name), geometry, attributes=_attributes(item))
            )
        objects = f"{root_folder}SegmentationObject/{stem}.png"
        if objects in paths:
            maps = [objects, f"{root_folder}SegmentationClass/{stem}.png"]
            annotations = _with_pixels(source, paths, maps, annotations, known, classes, findings)
        split = splits.get(stem, "")
        yield Sample(
            name=text_of(root, "filename") or stem,
            width=width,
            height=height,
            split="" if split == "default" else split,
            annotations=annotations,
        )


def _box(item: Element, from_1: bool) -> JSON:
    sides = [number_of(text_of(item, f"bndbox/{side}") or None) for side in ("xmin", "ymin", "xmax", "ymax")]
    x0, y0, x1, y1 = (int(side) if side.is_integer() else side for side in sides)
    if from_1:
        x0, y0 = x0 - 1, y0 - 1
    if x0 > x1 or y0 > y1:
        raise ValueError
    return bbox(x0, y0, x1, y1)


def _attributes(item: Element) -> JSON:
    found: JSON = {}
    for flag in _FLAGS:
        if text_of(item, flag) == "1":
            found[flag] = True
    if text_of(item, "pose", "Unspecified") not in ("Unspecified", ""):
        found["pose"] = text_of(item, "pose")
    for one in item.findall("attributes/attribute"):
        found[text_of(one, "name")] = value_of(text_of(one, "value"))
    actions = item.find("actions")
    for action in actions if actions is not None else ():
        found[action.tag] = (action.text or "").strip() == "1"
    return found


def value_of(text: str) -> Any:
    """An attribute's value: what was written without quotes is a number or a flag where it looks like one."""
    if text in ("true", "false"):
        return text == "true"
    try:
        value = number_of(text)
    except ValueError:
        return text
    if str(int(value) if value.is_integer() else value) != text:
        return text
    return int(value) if value.is_integer() else value


def _side(text: str) -> int | None:
    return int(text) if text.isdigit() and 0 < int(text) <= 65535 else None


def _with_pixels(
    source: Source,
    paths: set[str],
    maps: list[str],
    annotations: list[Annotation],
    known: dict[str, int],
    classes: tuple[str, ...],
    findings: Findings,
) -> list[Annotation]:
    try:
        objects = _values(source.read(maps[0]))
        kinds = _values(source.read(maps[1])) if maps[1] in paths else None
        if kinds is not None and kinds.shape != objects.shape:
            raise BadBitmap("The map has another size than the other map.")
    except BadBitmap as error:
        findings.add(maps[0], str(error))
        return annotations
    found = list(annotations)
    for value in sorted(set(np.unique(objects).tolist()) - {_BACKGROUND, _VOID}):
        mask = objects == value
        box = box_of(mask) or [0, 0, 0, 0]
        geometry = bitmap(rle.encode(mask, compressed=True))
        kind = 0 if kinds is None else int(np.bincount(kinds[mask]).argmax())
        category = known.get(classes[kind - 1]) if 1 <= kind <= len(classes) else None
        place = _fitting(found, box, category)
        if place is not None:
            item = found[place]
            found[place] = Annotation(item.id, item.category_id, geometry, attributes=item.attributes)
            continue
        found.append(Annotation(len(found) + 1, category, geometry))
    return found


def _values(data: bytes) -> Any:
    """The values of a map; of one without a palette by VOC's colours.

    Raises:
        BadBitmap: it is no map.
    """
    found = pngs.read(data)
    if found.ndim == 2:
        return found
    packed = found.astype(np.int64) @ np.array([65536, 256, 1])
    colours = np.array([voc_colour(number) for number in range(256)]) @ np.array([65536, 256, 1])
    order = np.argsort(colours)
    place = np.minimum(np.searchsorted(colours[order], packed), 255)
    if (colours[order][place] != packed).any():
        raise BadBitmap("The map has colours that VOC's table does not have.")
    return order[place]


def _fitting(annotations: list[Annotation], box: list[int], category: int | None) -> int | None:
    """The object that has only a box, which is that of the pixels; else the smallest of their category around them,
    because others may lie on top of what it showed."""
    found: list[tuple[bool, bool, float, int]] = []
    for place, item in enumerate(annotations):
        if item.geometry["type"] != "bbox":
            continue
        (x0, y0), (x1, y1) = item.geometry["points"]
        is_it = all(abs(a - b) <= 1 for a, b in zip((x0, y0, x1, y1), box, strict=True))
        is_around = x0 - 1 <= box[0] and y0 - 1 <= box[1] and box[2] <= x1 + 1 and box[3] <= y1 + 1
        is_of_it = item.category_id == category
        if is_it or (is_around and is_of_it):
            found.append((not is_of_it, not is_it, (x1 - x0) * (y1 - y0), place))
    return min(found)[3] if found else None
