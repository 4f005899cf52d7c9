"""What every codec reads and writes: a dataset as plain records, without models, events or addresses of a server. Pure.

Coordinates are pixels of the stored picture, from its upper left corner. Geometries have the forms of
`labeling.geometry.shapes` (and cuboids those of `sequences`), but never `mask`: pixels that are in a label's bitmap
come as a `bitmap` of each object. Frames count from 0. A size, where it is unknown, is None.

Nobody changes a record. Those of which there are millions are not frozen all the same: that would take three times as
long to make one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from labeling.geometry.shapes import Drawn
from sequences.rules.timeline import Clock, Timeline

JSON = dict[str, Any]
Geometry = dict[str, Any]
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Category:
    """The class of an object. `edges` are pairs of places in `points`, from 0; things are counted, stuff is not."""

    id: int
    name: str
    colour: Colour | None = None
    is_thing: bool = True
    group: str = ""
    points: tuple[str, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    attributes: tuple[JSON, ...] = ()  #: definitions, as task attributes have them


@dataclass(slots=True)
class Annotation:
    """One object in one picture. `track_id` and `keyframe` are set where it is a track's at one frame."""

    id: int
    category_id: int | None
    geometry: Geometry
    uuid: str = ""
    attributes: JSON = field(default_factory=dict)
    keypoints: list[JSON] | None = None
    orientation: JSON | None = None
    score: float | None = None
    track_id: int | None = None
    keyframe: bool | None = None
    links: list[JSON] = field(default_factory=list)
    origin: JSON | None = None
    author: str = ""
    extra: JSON = field(default_factory=dict)
    row: str = field(default="", compare=False)  #: where in the file it was read
    #: The geometry as it is written, of a codec that has checked it while it read it, and has millions.
    written: Drawn | None = field(default=None, compare=False)

    def as_written(self) -> Annotation:
        """Itself; where its geometry is written, it is read from there when somebody asks for it."""
        if self.written is not None:
            del self.geometry
        return self

    def __getattr__(self, name: str) -> Any:
        if name != "geometry" or self.written is None:
            raise AttributeError(name)
        self.geometry = self.written.read()
        return self.geometry

    @property
    def form(self) -> str:
        """The type of its geometry."""
        return self.geometry["type"] if self.written is None else self.written.form

    @property
    def points(self) -> list[JSON]:
        """Its named points: of a skeleton, or beside another geometry."""
        return list(self.geometry["points"]) if self.geometry["type"] == "skeleton" else (self.keypoints or [])


@dataclass(frozen=True, slots=True)
class Track:
    """One object over the frames of a sequence; `entries` are as `sequences` has them, by frame.

    An entry is {"absent": True}, a remove-keyframe, or {"geometry", and where set: "attributes", "category_id", …}.
    """

    track_id: int
    category_id: int | None
    entries: dict[int, JSON]
    uuid: str = ""
    sensor: int | None = None
    origin: JSON | None = None
    author: str = ""

    def timeline(self) -> Timeline:
        return Timeline.of({"entries": self.entries})

    def at(self, clock: Clock) -> Iterator[tuple[int, Annotation]]:
        """(frame, object) at each frame at which it is there."""
        for shown in self.timeline().shown(clock):
            yield shown.frame, self.seen(shown.geometry, shown.entry, keyframe=shown.own)

    def seen(self, geometry: Geometry, entry: JSON, *, keyframe: bool) -> Annotation:
        """The object at one frame."""
        return Annotation(
            id=self.track_id,
            category_id=entry.get("category_id", self.category_id),
            geometry=geometry,
            uuid=self.uuid,
            attributes=entry.get("attributes") or {},
            track_id=self.track_id,
            keyframe=keyframe,
            origin=self.origin,
            author=self.author,
            extra=entry.get("extra") or {},
        )


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a sequence."""

    name: str
    width: int | None = None
    height: int | None = None
    url: str = ""
    timestamp: Any = None


@dataclass(slots=True)
class Sample:
    """One thing to label with its label in one label set: an image with annotations, or frames with tracks."""

    name: str
    uuid: str = ""
    width: int | None = None
    height: int | None = None
    url: str = ""
    split: str = ""
    status: str = "UNLABELED"
    score: float | None = None
    scene: JSON = field(default_factory=dict)  #: attributes of the whole image
    classifications: list[int] = field(default_factory=list)
    default_classification: int | None = None
    annotations: list[Annotation] = field(default_factory=list)
    is_sequence: bool = False
    frames: list[Frame] = field(default_factory=list)
    tracks: list[Track] = field(default_factory=list)
    clock: Clock | None = None
    metadata: JSON = field(default_factory=dict)
    attributes: JSON = field(default_factory=dict)  #: the sample's, as they were sent
    document: JSON | None = None  #: of task types whose labels are kept as they were sent
    bitmap_url: str = ""  #: where the pixels of annotations are whose geometry is `mask`, which only a reader gives

    @property
    def time(self) -> Clock:
        return self.clock or Clock(len(self.frames))


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is said once: the categories, in their order, and what else a header may say."""

    name: str
    categories: tuple[Category, ...] = ()
    task_type: str = "vector"
    description: str = ""
    image_attributes: tuple[JSON, ...] = ()
    task_attributes: JSON = field(default_factory=dict)  #: as they were sent
    label_set: str = "ground-truth"
    stands: JSON = field(default_factory=dict)  #: where in the log: dataset, release, offset, chain
    #: What happened up to there, as `histories` has it; None where the release holds less than its dataset.
    events: Iterable[JSON] | None = field(default=None, compare=False, repr=False)

    @property
    def by_id(self) -> dict[int, Category]:
        return {item.id: item for item in self.categories}

    @property
    def by_name(self) -> dict[str, Category]:
        """The first of each name."""
        return {item.name: item for item in reversed(self.categories)}


@dataclass(slots=True)
class Imported:
    """What a codec read; `findings` grows while `samples` is gone through."""

    dataset: Dataset
    samples: Iterable[Sample]
    total: int | None = None  #: how many samples there are, where that is known before they are read


#: What formats call the split of samples that are in none.
WHOLE = "default"


def categories_of(task_attributes: JSON) -> tuple[Category, ...]:
    """The categories of a dataset's document, without those that were merged into others or are no categories."""
    found = []
    for item in listed(task_attributes.get("categories")):
        if not isinstance(item, dict) or type(item.get("id")) is not int or item.get("merged_into") is not None:
            continue
        skeleton = item.get("skeleton") if isinstance(item.get("skeleton"), dict) else {}
        names = tuple(name for name in listed((skeleton or {}).get("points")) if isinstance(name, str))
        edges = tuple(
            (edge[0], edge[1])
            for edge in listed((skeleton or {}).get("edges"))
            if isinstance(edge, list) and len(edge) == 2 and all(type(end) is int for end in edge)
        )
        found.append(
            Category(
                id=item["id"],
                name=str(item.get("name", item["id"])),
                colour=_colour(item.get("color")),
                is_thing=item.get("has_instances") is not False,
                group=str(item.get("supercategory") or item.get("group") or ""),
                points=names,
                edges=edges,
                attributes=tuple(one for one in listed(item.get("attributes")) if isinstance(one, dict)),
            )
        )
    return tuple(found)


def listed(value: Any) -> list[Any]:
    """A list; nothing where there is none, because files of others say anything."""
    return value if isinstance(value, list) else []


def task_attributes_of(dataset: Dataset) -> JSON:
    """The document of categories and attributes that an import would set; as it was sent where that is known."""
    if dataset.task_attributes:
        return dataset.task_attributes
    categories = []
    for item in dataset.categories:
        one: JSON = {"id": item.id, "name": item.name}
        if item.colour is not None:
            one["color"] = list(item.colour)
        if not item.is_thing:
            one["has_instances"] = False
        if item.points:
            one["skeleton"] = {"points": list(item.points), "edges": [list(edge) for edge in item.edges]}
        if item.attributes:
            one["attributes"] = list(item.attributes)
        categories.append(one)
    found: JSON = {"format_version": "0.1", "categories": categories}
    return found | {"image_attributes": list(dataset.image_attributes)} if dataset.image_attributes else found


def file_name(name: str, url: str, number: int | None = None) -> str:
    """What the file of a picture is called: its name, with the ending of its address where it has none itself."""
    name = name or ("" if number is None else f"{number:06d}")
    if _ending(name) in _PICTURES:
        return name
    ending = _ending(unquote(urlsplit(url).path)) if url else ""
    return name + ending if ending in _PICTURES else name


def _ending(path: str) -> str:
    """The ending of a path's last part, in lower case. Most say it plainly; PurePosixPath takes ten times as long."""
    dot = path.rfind(".")
    if dot > 0 and path[dot - 1] not in "./" and path.find("/", dot) < 0:
        return path[dot:].lower()
    return PurePosixPath(path).suffix.lower()


_PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff"})


def _colour(value: Any) -> Colour | None:
    if isinstance(value, list) and len(value) >= 3 and all(type(part) is int and 0 <= part < 256 for part in value[:3]):
        return (value[0], value[1], value[2])
    return None
