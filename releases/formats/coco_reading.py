"""Reading COCO: instances, stuff, keypoints, panoptic and labels, of any number of files. Pure.

Categories keep their ids, unless two files use one id for two names. A box without a segmentation is a box; several
polygons are parts of one object. `iscrowd` is the attribute `is_crowd`. The pictures of several files are one where
their split and their name are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, NamedTuple

import msgspec
import numpy as np
import orjson

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap
from labeling.geometry.shapes import polygon_of
from releases.formats import pngs
from releases.formats.files import Source
from releases.formats.format import Findings, Options, UnreadableFile
from releases.formats.outlines import bbox, bitmap
from releases.formats.records import Annotation, Category, Dataset, Imported, Sample

JSON = dict[str, Any]

_SPLIT = re.compile(
    r"(?:instances|person_keypoints|keypoints|stuff|panoptic|labels|captions|image_info)_([A-Za-z0-9-]+)$"
)
#: Members of an annotation that are read into fields of their own.
_KNOWN = frozenset(
    {
        "id", "image_id", "category_id", "segmentation", "area", "bbox", "iscrowd", "attributes", "score", "track_id",
        "uuid", "keypoints", "num_keypoints", "shape",
    }
)  # fmt: skip
#: Those that every annotation has.
_PLAIN = frozenset({"id", "image_id", "category_id", "segmentation", "area", "bbox", "iscrowd"})


class _Document(NamedTuple):
    """A file, its annotations as text: they are millions, and each is read when its picture is asked for."""

    images: list[Any]
    categories: Any
    annotations: list[msgspec.Raw]


class _Head(msgspec.Struct, gc=False):
    """What is asked of an annotation before it is read: the image, and whether it is a caption."""

    image_id: int | str
    caption: Any = msgspec.UNSET


_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_elements = msgspec.json.Decoder(list[msgspec.Raw])
_head = msgspec.json.Decoder(_Head)


@dataclass(slots=True)
class _Picture:
    """What is known of a picture while files are read."""

    name: str
    split: str
    width: int | None
    height: int | None
    uuid: str = ""
    url: str = ""
    #: What is said of it, as it stands in the files, until it is read: (file, place there, annotation).
    said: list[tuple[_File, int, msgspec.Raw]] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)
    classifications: list[int] = field(default_factory=list)


def read(source: Source, findings: Findings, options: Options) -> Imported:
    """Every JSON file that has images and annotations.

    Raises:
        UnreadableFile: there is none.
    """
    paths = set(source.paths())
    categories = _Categories()
    found: dict[tuple[str, str], _Picture] = {}
    names = []
    for path in sorted(paths):
        if not path.endswith(".json"):
            continue
        try:
            document = _document(source.read(path))
        except ValueError:
            findings.add(path, "is no JSON")
            continue
        if document is None:
            continue
        names.append(path)
        _File(source, paths, path, document.categories, categories, found, findings).read(document)
    if not names:
        raise UnreadableFile("there is no JSON file with the images and annotations of COCO")
    dataset = Dataset(name="coco", categories=categories.all())
    return Imported(dataset, _samples(list(found.values())), len(found))


def _document(data: bytes) -> _Document | None:
    """None where it is no file of COCO.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        members = _members.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except msgspec.ValidationError:
        return None
    images, categories = (orjson.loads(bytes(members.get(name, b"null"))) for name in ("images", "categories"))
    if not isinstance(images, list):
        return None
    try:
        annotations = _elements.decode(members.get("annotations", b"[]"))
    except msgspec.ValidationError:
        annotations = []
    return _Document(images, categories, annotations)


def _samples(found: list[_Picture]) -> Iterator[Sample]:
    """Each picture with its objects, which are made as it is asked for: a file has millions."""
    found.reverse()
    while found:
        picture = found.pop()
        for file, nth, text in picture.said:
            file.take(text, picture, nth)
        yield Sample(
            name=picture.name,
            uuid=picture.uuid,
            width=picture.width,
            height=picture.height,
            url=picture.url,
            split="" if picture.split == "default" else picture.split,
            annotations=picture.annotations,
            classifications=picture.classifications,
        )


class _Categories:
    def __init__(self) -> None:
        self._found: dict[int, Category] = {}
        self._of_name: dict[str, int] = {}

    def learn(self, items: Any, path: str, findings: Findings) -> dict[int, int]:
        """{id in this file: id of ours}."""
        here: dict[int, int] = {}
        for nth, item in enumerate(items if isinstance(items, list) else []):
            number = item.get("id") if isinstance(item, dict) else None
            name = item.get("name") if isinstance(item, dict) else None
            if type(number) is not int or not isinstance(name, str):
                findings.add(f"{path} categories[{nth}]", "must have an id and a name")
                continue
            ours = self._of_name.get(name)
            if ours is None:
                ours = number if number not in self._found and number >= 0 else max(self._found, default=0) + 1
                self._of_name[name] = ours
                self._found[ours] = Category(ours, name)
            points = [str(point) for point in item.get("keypoints") or []]
            edges = [edge for edge in item.get("skeleton") or [] if isinstance(edge, list) and len(edge) == 2]
            had = self._found[ours]
            self._found[ours] = Category(
                ours,
                name,
                _colour(item.get("color")) or had.colour,
                item.get("isthing") != 0 if "isthing" in item else had.is_thing,
                str(item.get("supercategory") or had.group),
                tuple(points) or had.points,
                tuple((int(a) - 1, int(b) - 1) for a, b in edges if type(a) is type(b) is int) if points else had.edges,
            )
            here[number] = ours
        return here

    def points_of(self, number: int) -> tuple[str, ...]:
        return self._found[number].points

    def all(self) -> tuple[Category, ...]:
        return tuple(self._found[number] for number in sorted(self._found))


def _colour(value: Any) -> tuple[int, int, int] | None:
    if isinstance(value, list) and len(value) == 3 and all(type(part) is int and 0 <= part < 256 for part in value):
        return (value[0], value[1], value[2])
    return None


class _File:
    """One JSON file on its way into pictures."""

    def __init__(
        self,
        source: Source,
        paths: set[str],
        path: str,
        said_categories: Any,
        categories: _Categories,
        found: dict[tuple[str, str], _Picture],
        findings: Findings,
    ) -> None:
        self._source, self._paths, self._path = source, paths, path
        self._categories, self._found, self._findings = categories, found, findings
        self._here = categories.learn(said_categories, path, findings)
        stem = path.rsplit("/", 1)[-1].removesuffix(".json")
        match = _SPLIT.search(stem)
        self._stem, self._split = stem, match[1] if match else ""
        if not match and stem == "_annotations.coco" and "/" in path:  # Roboflow: a folder a split
            self._split = path.split("/")[-2]

    def read(self, document: _Document) -> None:
        """Learn the pictures, and put what is said of each beside it."""
        images = dict(self._images(document.images))
        captions = 0
        for nth, text in enumerate(document.annotations):
            try:
                head = _head.decode(text)
                picture = images.get(head.image_id)
            except ValueError:
                picture = None
            if picture is None:
                self._findings.add(self._where(nth), "names no image of this file")
            elif head.caption is not msgspec.UNSET:
                captions += 1
            else:
                picture.said.append((self, nth, text))
        if captions:
            self._findings.note(self._path, f"{captions} captions are not read; there is no place for them")
        self._found = {}  # a picture goes when it was read, and does not wait for its file

    def take(self, text: msgspec.Raw, picture: _Picture, nth: int) -> None:
        """Read one annotation."""
        try:
            item = orjson.loads(memoryview(text))
        except ValueError:
            self._findings.add(self._where(nth), "is no JSON")
            return
        if "segments_info" in item:
            self._panoptic(item, picture, self._here, self._where(nth))
        else:
            self._annotation(item, picture, self._here, nth)

    def _where(self, nth: int) -> str:
        return f"{self._path} annotations[{nth}]"

    def _images(self, images: list[Any]) -> Iterator[tuple[Any, _Picture]]:
        for nth, image in enumerate(images):
            name = image.get("file_name") if isinstance(image, dict) else None
            if not isinstance(name, str) or not isinstance(image.get("id"), int | str):
                self._findings.add(f"{self._path} images[{nth}]", "must have an id and a file_name")
                continue
            url = image.get("coco_url")
            uuid = image.get("uuid")
            picture = self._found.setdefault(
                (self._split, name),
                _Picture(
                    name,
                    self._split,
                    _side(image.get("width")),
                    _side(image.get("height")),
                    uuid if isinstance(uuid, str) else "",
                    url if isinstance(url, str) else "",
                ),
            )
            yield image["id"], picture

    def _annotation(self, item: JSON, picture: _Picture, here: dict[int, int], nth: int) -> None:
        # Asked for a million times, so what is mostly not there is looked for once.
        rest = () if item.keys() <= _PLAIN else item.keys() - _PLAIN
        number = item.get("category_id")
        category = here.get(number) if type(number) is int else None
        if category is None and number is not None:
            self._findings.add(self._where(nth), "names no category of this file")
            return
        if "bbox" not in item and "segmentation" not in item:  # a label of the whole picture
            if category is not None and category not in picture.classifications:
                picture.classifications.append(category)
            return
        try:
            points = self._points(item, category) if "keypoints" in rest else []
            segmentation = item.get("segmentation")
            written = polygon_of(segmentation) if type(segmentation) is list and segmentation else None
            geometry = _geometry(item, picture, points) if written is None else {}
        except (ValueError, TypeError, KeyError, BadBitmap):
            self._findings.add(self._where(nth), "has a segmentation, a bbox or keypoints that cannot be read")
            return
        found = picture.annotations
        row = f"{self._path} annotations[{nth}]"
        crowd = item.get("iscrowd") == 1
        if not rest:
            attributes: JSON = {"is_crowd": True} if crowd else {}
            one = Annotation(len(found) + 1, category, geometry, attributes=attributes, row=row, written=written)
            found.append(one.as_written())
            return
        said = item.get("attributes")
        attributes = dict(said) if isinstance(said, dict) else {}
        if crowd:
            attributes["is_crowd"] = True
        score, track, uuid = item.get("score"), item.get("track_id"), item.get("uuid")
        found.append(
            Annotation(
                id=len(found) + 1,
                category_id=category,
                geometry=geometry,
                uuid=uuid if isinstance(uuid, str) else "",
                attributes=attributes,
                keypoints=None if geometry.get("type") == "skeleton" else points or None,
                score=score if _is_number(score) else None,
                track_id=track if type(track) is int else None,
                extra={key: item[key] for key in sorted(rest - _KNOWN)},
                row=row,
                written=written,
            ).as_written()
        )

    def _category(self, item: JSON, here: dict[int, int], where: str) -> int | None:
        """The category; 0 with a finding where the file has none of that id, None where the annotation has none."""
        number = item.get("category_id")
        if number is None:
            return None
        if type(number) is not int or number not in here:
            self._findings.add(where, "names no category of this file")
            return 0
        return here[number]

    def _points(self, item: JSON, category: int | None) -> list[JSON]:
        flat = item.get("keypoints") or []
        if len(flat) % 3 or not all(map(_is_number, flat)):
            raise ValueError
        names = self._categories.points_of(category) if category is not None else ()
        found: list[JSON] = []
        for nth, (x, y, seen) in enumerate(zip(flat[::3], flat[1::3], flat[2::3], strict=True)):
            name = names[nth] if nth < len(names) else str(nth + 1)
            if seen not in (0, 1, 2):
                raise ValueError
            found.append(
                {"name": name, "x": x, "y": y, "visibility": int(seen)} if seen else {"name": name, "visibility": 0}
            )
        return found

    # --- panoptic ----------------------------------------------------------------------------------------------

    def _panoptic(self, item: JSON, picture: _Picture, here: dict[int, int], where: str) -> None:
        folder = self._path.rsplit("/", 1)[0] if "/" in self._path else ""
        name = str(item.get("file_name"))
        tried = [f"{folder}/{self._stem}/{name}".lstrip("/"), f"{folder}/{name}".lstrip("/")]
        path = next((one for one in tried if one in self._paths), None)
        if path is None:
            self._findings.add(where, "names a PNG file that is not there")
            return
        try:
            values = pngs.read(self._source.read(path))
        except BadBitmap as error:
            self._findings.add(path, str(error))
            return
        ids = values.astype(np.int64)
        if ids.ndim == 3:
            ids = ids[..., 0] + 256 * ids[..., 1] + 65536 * ids[..., 2]
        height, width = ids.shape
        if (picture.width, picture.height) not in ((width, height), (None, None)):
            self._findings.note(path, "has another size than its image is said to have; the file's is taken")
        picture.width, picture.height = width, height
        left = set(np.unique(ids).tolist()) - {0}
        for nth, segment in enumerate(item["segments_info"] if isinstance(item["segments_info"], list) else []):
            place = f"{where} segments_info[{nth}]"
            number = segment.get("id") if isinstance(segment, dict) else None
            category = self._category(segment, here, place) if isinstance(segment, dict) else 0
            if category == 0:
                continue
            if number not in left:
                self._findings.add(place, "has no pixels in the PNG file")
                continue
            left.discard(number)
            attributes = segment.get("attributes") if isinstance(segment.get("attributes"), dict) else {}
            crowd = {"is_crowd": True} if segment.get("iscrowd") == 1 else {}
            uuid = segment.get("uuid")
            picture.annotations.append(
                Annotation(
                    id=len(picture.annotations) + 1,
                    category_id=category,
                    geometry=bitmap(rle.encode(ids == number, compressed=True)),
                    uuid=uuid if isinstance(uuid, str) else "",
                    attributes={**(attributes or {}), **crowd},
                )
            )
        if left:
            self._findings.add(path, f"has pixels of {len(left)} ids that segments_info does not name")


def _geometry(item: JSON, picture: _Picture, points: list[JSON]) -> JSON:
    """What an annotation says of its shape that has no polygons.

    Raises:
        ValueError, TypeError, KeyError, BadBitmap: it is none.
    """
    segmentation = item.get("segmentation")
    if isinstance(segmentation, dict):
        size = [int(side) for side in segmentation["size"]]
        if picture.height and picture.width and size != [picture.height, picture.width]:
            raise ValueError
        counts = segmentation["counts"]
        runs = {"size": size, "counts": counts if isinstance(counts, str) else [int(count) for count in counts]}
        rle.counts_of(runs, max_pixels=rle.MAX_PIXELS)
        return bitmap(runs)
    if segmentation:
        raise ValueError
    box = item.get("bbox")
    if item.get("shape") == "skeleton" or (points and not box):
        if not any(point["visibility"] for point in points):
            raise ValueError
        return {"type": "skeleton", "points": points}
    if not isinstance(box, list) or len(box) != 4 or not _are_numbers(box) or box[2] < 0 or box[3] < 0:
        raise ValueError
    return bbox(box[0], box[1], box[0] + box[2], box[1] + box[3])


_NUMBERS = frozenset({int, float})


def _are_numbers(values: list[Any]) -> bool:
    """Whether all of them are finite numbers; the sum of those that are is mostly one, too."""
    return set(map(type, values)) <= _NUMBERS and (isfinite(sum(values)) or all(map(isfinite, values)))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value)


def _side(value: Any) -> int | None:
    return value if type(value) is int and 0 < value <= 65535 else None
