"""Reading maps of pixels: of classes, of objects, of colours, and those of Cityscapes. Pure.

Of a map of classes or colours a category is one object, because the map does not tell objects apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap
from releases.formats import jsons, pngs
from releases.formats.files import Source
from releases.formats.format import Findings, Options, UnreadableFile
from releases.formats.outlines import bitmap
from releases.formats.records import Annotation, Category, Dataset, Imported, Sample

JSON = dict[str, Any]

_PER_CLASS = 1000
#: The classes of Cityscapes with ids from 0, for maps without a label_colors.txt; things are counted.
CITYSCAPES_CLASSES = (
    "unlabeled", "egovehicle", "rectificationborder", "outofroi", "static", "dynamic", "ground", "road", "sidewalk",
    "parking", "railtrack", "building", "wall", "fence", "guardrail", "bridge", "tunnel", "pole", "polegroup",
    "trafficlight", "trafficsign", "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "caravan",
    "trailer", "train", "motorcycle", "bicycle",
)  # fmt: skip


def _map(
    source: Source, path: str, findings: Findings, *, colours: bool = False, table: dict[int, int] | None = None
) -> Any | None:
    """The values of a map, of a coloured one by a table of its colours; None with a finding where there is none."""
    try:
        found = pngs.read(source.read(path))
    except BadBitmap as error:
        findings.add(path, str(error))
        return None
    if found.ndim == 3 and table is not None:
        packed = found.astype(np.int64) @ np.array([65536, 256, 1])
        seen, places = np.unique(packed, return_inverse=True)
        if not set(seen.tolist()) <= table.keys():
            findings.add(path, "has a colour that is not named")
        return np.array([table.get(colour, 0) for colour in seen.tolist()])[places].reshape(packed.shape)
    if (found.ndim == 3) is not colours:
        findings.add(path, f"must hold {'colours' if colours else 'a single value for each pixel'}")
        return None
    return found


def _object(number: int, category: int | None, mask: Any, **more: Any) -> Annotation:
    return Annotation(number, category, bitmap(rle.encode(mask, compressed=True)), **more)


def _document(source: Source, name: str) -> tuple[str, Any]:
    """(folder, value) of the one JSON file of that name.

    Raises:
        UnreadableFile: there is none.
    """
    for path in source.paths():
        if path == name or path.endswith(f"/{name}"):
            try:
                found = jsons.parsed(source.read(path))
            except ValueError:
                raise UnreadableFile(f"{name} is no JSON") from None
            if isinstance(found, dict):
                return path.removesuffix(name), found
    raise UnreadableFile(f"there is no {name}")


def read_semantic(source: Source, findings: Findings, options: Options) -> Imported:
    """`masks/*.png` with the names in `dataset_meta.json`; also with prefixes and suffixes, as it may say.

    Raises:
        UnreadableFile: there are no names.
    """
    root, meta = _document(source, "dataset_meta.json")
    label_map = meta.get("label_map")
    if not isinstance(label_map, dict) or not all(key.isdigit() for key in label_map):
        raise UnreadableFile("dataset_meta.json has no label_map of values")
    background = {int(key) for key, name in label_map.items() if str(name) == "background"}
    if str(meta.get("background_label", "")).isdigit():
        background.add(int(meta["background_label"]))
    colours = meta.get("segmentation_colors")
    table = {
        _packed((colour[0], colour[1], colour[2])): value
        for value, colour in enumerate(colours if isinstance(colours, list) else [])
        if isinstance(colour, list) and len(colour) == 3 and str(value) in label_map
    }
    by_value = {value: colour for colour, value in table.items()}
    categories = tuple(
        Category(int(key), str(name), _unpacked(by_value.get(int(key))), False)
        for key, name in label_map.items()
        if int(key) not in background
    )
    known = {item.id for item in categories}
    prefix, suffix = str(meta.get("mask_prefix") or ""), str(meta.get("mask_suffix") or "")

    def samples() -> Iterator[Sample]:
        for path in source.paths():
            if not path.startswith(f"{root}masks/") or not path.endswith(".png"):
                continue
            values = _map(source, path, findings, table=table)
            if values is None:
                continue
            annotations: list[Annotation] = []
            for value in np.unique(values).tolist():
                if value in known:
                    annotations.append(_object(len(annotations) + 1, value, values == value))
                elif value not in background and value != 0:
                    findings.add(path, "has a value that dataset_meta.json does not name")
            folder, _, base = path.removeprefix(f"{root}masks/").removesuffix(".png").rpartition("/")
            base = base.removeprefix(prefix).removesuffix(suffix)
            name = f"{folder}/{base}" if folder else base
            yield Sample(name, width=values.shape[1], height=values.shape[0], annotations=annotations)

    return Imported(Dataset("semantic", categories), samples())


def read_instances(source: Source, findings: Findings, options: Options) -> Imported:
    """The pictures of `objects.json`.

    Raises:
        UnreadableFile: there is none.
    """
    root, document = _document(source, "objects.json")
    said = [item for item in document.get("categories") or [] if isinstance(item, dict) and type(item.get("id")) is int]
    categories = tuple(
        Category(item["id"], str(item.get("name")), is_thing=item.get("isthing") is not False) for item in said
    )
    known = {item.id for item in categories}

    def samples() -> Iterator[Sample]:
        for nth, picture in enumerate(document.get("pictures") or []):
            path = root + str(picture.get("mask")) if isinstance(picture, dict) else ""
            if path not in source.paths():
                findings.add(f"objects.json pictures[{nth}]", "names a mask that is not there")
                continue
            values = _map(source, path, findings)
            if values is None:
                continue
            annotations: list[Annotation] = []
            left = set(np.unique(values).tolist()) - {0}
            for item in picture.get("objects") or []:
                value = item.get("value") if isinstance(item, dict) else None
                if value not in left:
                    findings.add(f"objects.json pictures[{nth}]", "names an object that has no pixels")
                    continue
                left.discard(value)
                category = item.get("category_id") if item.get("category_id") in known else None
                attributes = item.get("attributes") if isinstance(item.get("attributes"), dict) else {}
                more = {"attributes": attributes, "uuid": str(item.get("uuid") or "")}
                annotations.append(_object(len(annotations) + 1, category, values == value, **more))
            if left:
                findings.add(path, "has objects that objects.json does not name")
            height, width = values.shape
            split = str(picture.get("split") or "")
            yield Sample(str(picture.get("name")), width=width, height=height, split=split, annotations=annotations)

    return Imported(Dataset("instances", categories), samples())


def read_colours(source: Source, findings: Findings, options: Options) -> Imported:
    """`masks/*.png` with the colours in `colours.json`.

    Raises:
        UnreadableFile: there are no colours.
    """
    root, document = _document(source, "colours.json")
    named = {
        name: (colour[0], colour[1], colour[2])
        for name, colour in document.items()
        if isinstance(colour, list)
        and len(colour) == 3
        and all(type(part) is int and 0 <= part < 256 for part in colour)
    }
    background = named.pop("background", (0, 0, 0))
    categories = tuple(Category(nth, name, colour, False) for nth, (name, colour) in enumerate(named.items(), 1))
    numbers = {_packed(item.colour or (0, 0, 0)): item.id for item in categories}

    def samples() -> Iterator[Sample]:
        for path in source.paths():
            if not path.startswith(f"{root}masks/") or not path.endswith(".png"):
                continue
            colours = _map(source, path, findings, colours=True)
            if colours is None:
                continue
            values = colours.astype(np.int64) @ np.array([65536, 256, 1])
            annotations: list[Annotation] = []
            for value in np.unique(values).tolist():
                if value in numbers:
                    annotations.append(_object(len(annotations) + 1, numbers[value], values == value))
                elif value != _packed(background):
                    findings.add(path, "has a colour that colours.json does not name")
            name = path.removeprefix(f"{root}masks/").removesuffix(".png")
            yield Sample(name, width=values.shape[1], height=values.shape[0], annotations=annotations)

    return Imported(Dataset("colours", categories), samples())


def _packed(colour: tuple[int, int, int]) -> int:
    return colour[0] * 65536 + colour[1] * 256 + colour[2]


def _unpacked(colour: int | None) -> tuple[int, int, int] | None:
    return None if colour is None else (colour >> 16, colour >> 8 & 255, colour & 255)


def read_cityscapes(source: Source, findings: Findings, options: Options) -> Imported:
    """Every `*_instanceIds.png` below `gtFine`.

    Raises:
        UnreadableFile: there is none.
    """
    paths = [path for path in source.paths() if path.endswith("_instanceIds.png")]
    if not paths:
        raise UnreadableFile("there is no *_instanceIds.png")
    names = _cityscapes_names(source)
    categories = tuple(Category(number, name) for number, name in names.items())

    def samples() -> Iterator[Sample]:
        for path in paths:
            values = _map(source, path, findings)
            if values is None:
                continue
            annotations: list[Annotation] = []
            for value in np.unique(values).tolist():
                number = value // _PER_CLASS if value >= _PER_CLASS else value
                if number in names:
                    annotations.append(_object(len(annotations) + 1, number, values == value))
                elif number != 0:
                    findings.add(path, "has a value of a class that is not named")
            rest = path.rpartition("gtFine/")[2] if "gtFine/" in path else path
            split, _, name = rest.partition("/") if "/" in rest else ("", "", rest)
            name = name.removesuffix("_instanceIds.png").removesuffix("_gtFine").removeprefix("all/")
            height, width = values.shape
            yield Sample(name, width=width, height=height, split=split, annotations=annotations)

    return Imported(Dataset("cityscapes", categories), samples())


def _cityscapes_names(source: Source) -> dict[int, str]:
    for path in source.paths():
        if path.rsplit("/", 1)[-1] == "label_colors.txt":
            rows = source.read(path).decode("utf-8", "replace").splitlines()
            names = [row.split()[-1] for row in rows if row.strip()]
            return {number: name for number, name in enumerate(names) if number}
    return {number: name for number, name in enumerate(CITYSCAPES_CLASSES) if number}
