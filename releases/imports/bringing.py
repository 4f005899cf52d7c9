"""One record of a file on its way into a label: what is known of it, and its objects, checked. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from labeling import events as e
from labeling.errors import InvalidValue
from labeling.geometry import bitmaps, shapes
from labeling.log import values
from labeling.log.event import Fact
from labeling.log.values import BadValue
from labeling.rules.documents import scene_change
from labeling.rules.edits.placement import Demands
from labeling.rules.label_state import LabelState
from labeling.rules.task_types import TaskType
from releases.formats.format import KEPT, Format
from releases.formats.records import Annotation, Sample, Track
from releases.imports.counts import Counts
from releases.imports.ids import Ids, object_id

JSON = dict[str, Any]
#: An object of the file, and what AnnotationAdded says of it, but for its id and its place.
Brought = tuple[Annotation, JSON]

KIND = "import"
PRELABELED = "PRELABELED"


@dataclass(frozen=True)
class Origin:
    """What all objects of an import have in common in their origins."""

    import_id: uuid.UUID
    sha256: str
    format: str

    @cached_property
    def ids(self) -> Ids:
        return Ids(self.import_id)

    @cached_property
    def common(self) -> JSON:
        """What all objects have in common: import, file and format."""
        return {"kind": KIND, "import": str(self.import_id), "sha256": self.sha256, "format": self.format}

    def of(self, row: str, item: Annotation | Track) -> JSON:
        """What one object has beside that: its row, and where the file says so, what it was before."""
        found: JSON = {"row": row}
        if item.uuid:
            found["annotation"] = item.uuid
        if item.origin is not None:
            found["origin"] = item.origin
        return found


@dataclass(slots=True)
class Bringing:
    """What is known while one record becomes facts.

    `categories` maps those of the file to the dataset's; those that are `unmatched` are none of the dataset, and are
    not made.
    `number` is the record's place in the file, from 1; `first` that of the first of its objects.
    """

    kind: Format
    task: TaskType
    origin: Origin
    mode: str
    status: str
    categories: Mapping[int, int]
    unmatched: Collection[int]
    number: int
    ids: str  #: what those of its objects begin with
    counts: Counts
    find: Callable[[str, str, str], None]  #: (where, message, level)
    name: str = ""
    first: int = 1
    is_small: bool = False  #: its objects surely fit into one event
    demands: Demands | None = None
    sample: Callable[[], JSON] = dict  #: the sample's attributes
    read: Callable[[JSON], np.ndarray] | None = None  #: the pixels of a label's bitmap
    keep: Callable[[np.ndarray], JSON] | None = None
    urls: list[str] = field(default_factory=list)  #: of bitmaps that were written

    @property
    def where(self) -> str:
        return f"sample {self.number} ({self.name})"

    def key(self, nth: int) -> str:
        """The uuid of object `nth`: the same however often the file is read."""
        return object_id(self.ids, nth)

    def wrong(self, message: str, *, nth: int | None = None, level: str = "error") -> None:
        """Tell of something that could not be used, of the record or of its object `nth`."""
        self.find(self.where if nth is None else f"{self.where}, object {nth}", message, level)


def objects_of(bringing: Bringing, record: Sample, *, as_written: bool = False) -> list[Brought]:
    """The objects of a record that can be used; the others are told. `as_written` leaves geometries as they are written
    (`shapes.Drawn`), where they are, for who only stores them."""
    found = []
    for nth, item in enumerate(record.annotations, bringing.first):
        said = _object(bringing, item, nth, as_written=as_written)
        if said is None:
            bringing.counts.annotations_refused += 1
        else:
            found.append((item, said))
    return found


def _object(bringing: Bringing, item: Annotation, nth: int, *, as_written: bool) -> JSON | None:
    category = item.category_id
    if category is not None:
        category = bringing.categories.get(category)
        if category is None:
            bringing.wrong("has a category that the dataset does not have", nth=nth)
            return None
    found: JSON = {"annotation": bringing.key(nth), "category_id": category}
    try:
        if item.written is not None:
            found["geometry"] = item.written if as_written else item.geometry
        else:
            found["geometry"] = shapes.checked_geometry(item.geometry, where="geometry", lenient=True)
        if item.attributes:
            found["attributes"] = values.checked(item.attributes, where="attributes")
        if item.keypoints:
            found["keypoints"] = shapes.checked_keypoints(item.keypoints, "keypoints")
        if item.orientation is not None:
            found["orientation"] = shapes.checked_orientation(item.orientation, "orientation")
        if item.score is not None:
            found["score"] = item.score
        if item.extra:
            found["extra"] = values.checked(item.extra, where="extra")
        if bringing.demands is not None:
            bringing.demands.check("geometry", found)
    except BadValue as error:
        bringing.wrong(f"{error.where}: {error.problem}", nth=nth)
        return None
    except InvalidValue as error:
        bringing.wrong(error.message, nth=nth)
        return None
    found["origin"] = bringing.origin.of(item.row or f"{bringing.number}.{nth}", item)
    return found


def same_key(item: Mapping[str, Any]) -> bytes:
    """What makes an object of a file and one of a label the same."""
    return values.canonical(
        [
            item["category_id"],
            item["geometry"],
            item.get("attributes") or {},
            item.get("keypoints") or [],
            item.get("orientation"),
            item.get("score"),
        ]
    )


def new_ids(brought: Sequence[Brought], taken: Mapping[int, Any], *, last: int = 0) -> list[int]:
    """The visible id of each object: the file's where it is good and free, else the next."""
    used = set(taken)
    said = [item.id if 0 < item.id <= bitmaps.MAX_ID else 0 for item, _ in brought]
    highest = max([last, *used, *said], default=0)
    found: list[int] = []
    for number in said:
        if not number or number in used:
            highest += 1
            number = highest
        used.add(number)
        found.append(number)
    return found


# --- what is said of the whole label -------------------------------------------------------------------------------


def status_of(bringing: Bringing, record: Sample) -> str:
    """The status of a label that is new."""
    if bringing.status:
        return bringing.status
    carried = bringing.kind.fate("statuses") == KEPT and record.status != "UNLABELED"
    return record.status if carried else PRELABELED


def scene_of(bringing: Bringing, record: Sample) -> JSON:
    """What the file says of the whole picture, as far as it can be stored."""
    if not record.scene:
        return {}
    try:
        found: JSON = values.checked(record.scene, where="scene")
    except BadValue as error:
        bringing.wrong(f"{error.where}: {error.problem}")
        return {}
    return found


def links_of(record: Sample, brought: Sequence[Brought]) -> list[Fact]:
    """The links between objects that are added together."""
    keys = {item.uuid: said["annotation"] for item, said in brought if item.uuid}
    return [
        e.AnnotationLinkAdded(annotation=said["annotation"], to=keys[link["to"]], attributes=link.get("attributes", {}))
        for item, said in brought
        for link in item.links
        if isinstance(link, dict) and link.get("to") in keys
    ]


def classes_of(bringing: Bringing, record: Sample, state: LabelState) -> list[Fact]:
    """The classifications that the file has beside those of the label, or (`override`) in their place."""
    said = [bringing.categories.get(number) for number in record.classifications]
    if None in said:
        bringing.wrong("has a category that the dataset does not have")
    wanted = list(dict.fromkeys(number for number in said if number is not None))
    facts: list[Fact] = []
    left = list(state.classifications)
    if bringing.mode == "override" and wanted:
        facts += [e.ClassificationRemoved(category_id=number) for number in left if number not in wanted]
        left = [number for number in left if number in wanted]
    facts += [e.ClassificationAssigned(category_id=number) for number in wanted if number not in left]
    here = {*left, *wanted}
    default = state.default_classification if state.default_classification in here else None
    if record.default_classification is not None and (bringing.mode == "override" or default is None):
        default = bringing.categories.get(record.default_classification, default)
    if default != state.default_classification:
        facts.append(e.DefaultClassificationSet(category_id=default))
    return facts


def head_of(bringing: Bringing, record: Sample, state: LabelState) -> list[Fact]:
    """What changes of a label that is there, beside its objects: what the file says, and nothing that it does not."""
    facts: list[Fact] = []
    scene = scene_of(bringing, record)
    if scene:
        if bringing.mode == "merge":
            scene = {key: value for key, value in scene.items() if key not in state.scene}
        changed = scene_change({key: state.scene[key] for key in scene if key in state.scene}, scene)
        if changed:
            facts.append(e.SceneAttributesSet(scene=changed))
    facts += classes_of(bringing, record, state)
    if (
        record.score is not None
        and record.score != state.score
        and (bringing.mode == "override" or state.score is None)
    ):
        facts.append(e.LabelScoreSet(score=record.score))
    if bringing.mode == "override" and bringing.status and bringing.status != state.status:
        facts.append(e.LabelStatusChanged(before=state.status, after=bringing.status, verb="upload"))
    return facts
