"""The plug board of task types: how a label document becomes events and is rendered again.

A task type is one object. `labeling` has two kinds: those whose annotations are kept one by one, and those whose
document is one event a save, verbatim. Upper apps plug in richer ones from their apps.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from labeling import events as e
from labeling.errors import Refused
from labeling.log import values
from labeling.log.event import Fact
from labeling.rules import copies, documents
from labeling.rules.documents import Changes, Document
from labeling.rules.edits.editor import Editor
from labeling.rules.edits.operations import AnnotationEditor
from labeling.rules.label_state import LabelState
from labeling.rules.masks import Object, Picture
from labeling.rules.protocol.labels import LABELS, check_label

JSON = dict[str, Any]


class TaskType(Protocol):
    """Parses a label document, turns its difference to a state into facts, and renders the document again.

    `frame` is what the document says of one frame; of a label without frames it is the document. `copied` gives the
    facts that make the same label in another dataset, whole, with what the document cannot say. `editor` applies lists
    of edits, or refuses where a label is set by whole documents. `pictures` gives what the label shows in its pictures
    start … end - 1, of which there are `picture_count`; None where nothing of it covers pixels.
    """

    name: str
    by_annotation: bool  #: annotations are kept one by one
    has_mask: bool  #: the pixels of the objects are in one bitmap of the label
    shape_edits: Mapping[str, str]  #: fit, rasterize → the edit that does so with all objects of a label
    by_frame: bool  #: what is labeled is kept by the numbers of the sample's frames, which go by commands of their own

    def parse(self, document: JSON, where: str) -> Document: ...

    def first(
        self, state: LabelState, document: Document, status: str, score: float | None, mask: JSON | None
    ) -> list[Fact]: ...

    def changes(self, state: LabelState, document: Document) -> Changes: ...

    def render(self, state: LabelState) -> JSON: ...

    def frame(self, state: LabelState, number: int, sensor: int | None) -> JSON: ...

    def copied(self, state: LabelState) -> list[Fact]: ...

    def editor(self, state: LabelState, **keywords: Any) -> Editor: ...

    def picture_count(self, state: LabelState) -> int | None: ...

    def pictures(self, state: LabelState, start: int, end: int) -> list[Picture]: ...


@runtime_checkable
class AsText(Protocol):
    """A task type whose documents are so large that they are served without being made first."""

    def text(self, state: LabelState) -> bytes:
        """What `render` gives, as JSON text."""


@runtime_checkable
class HoldsDocuments(Protocol):
    """A task type that itself holds what a document draws against what the dataset asks of shapes."""

    def check_saved(
        self,
        state: LabelState,
        facts: list[Fact],
        *,
        inside: bool,
        ratios: Callable[[], Mapping[int, float]],
        sample: Callable[[], JSON],
        size_of: Callable[[JSON], tuple[int, int] | None],
    ) -> None:
        """Raises InvalidValue for a shape outside of its image, where `inside`, or a box of other proportions."""


class AnnotationTask:
    """Vector labels, and bitmaps whose objects are annotations."""

    by_annotation = True
    shape_edits: Mapping[str, str] = {"fit": "fit_to_image", "rasterize": "rasterize"}
    by_frame = False

    def __init__(self, name: str, *, has_mask: bool = False) -> None:
        self.name = name
        self.has_mask = has_mask

    def parse(self, document: JSON, where: str) -> Document:
        return documents.parse_objects(document, where, masks=self.has_mask)

    def first(
        self, state: LabelState, document: Document, status: str, score: float | None, mask: JSON | None
    ) -> list[Fact]:
        return documents.first_import(state, document, status=status, score=score, mask=mask)

    def changes(self, state: LabelState, document: Document) -> Changes:
        return documents.object_changes(state, document)

    def render(self, state: LabelState) -> JSON:
        rendered = documents.render_objects(state)
        if self.has_mask:
            mask = state.mask or {}
            rendered["segmentation_bitmap"] = {"url": mask.get("url")}
            if mask.get("hash"):
                rendered["segmentation_bitmap"] |= {"hash": mask["hash"], "size_wh": [mask["width"], mask["height"]]}
        return rendered

    def frame(self, state: LabelState, number: int, sensor: int | None) -> JSON:
        return self.render(state)

    def copied(self, state: LabelState) -> list[Fact]:
        return copies.copied_objects(state)

    def editor(self, state: LabelState, **keywords: Any) -> Editor:
        return AnnotationEditor(state, has_mask=self.has_mask, **keywords)

    def picture_count(self, state: LabelState) -> int | None:
        return 1

    def pictures(self, state: LabelState, start: int, end: int) -> list[Picture]:
        listed = state.in_order()
        objects = tuple(Object(item["id"], item["uuid"], item["category_id"], item["geometry"]) for item in listed)
        return [Picture(objects, state.mask if self.has_mask else None)][start:end]


class VerbatimTask:
    """Documents without events of their own: one LabelDocumentSet a save; equality is equality of JSON."""

    by_annotation = False
    has_mask = False
    shape_edits: Mapping[str, str] = {}
    by_frame = False

    def __init__(self, name: str) -> None:
        self.name = name

    def parse(self, document: JSON, where: str) -> Document:
        check_label(self.name, document, where)
        return Document(verbatim=document)

    def first(
        self, state: LabelState, document: Document, status: str, score: float | None, mask: JSON | None
    ) -> list[Fact]:
        facts: list[Fact] = [
            e.LabelDocumentSet(document=document.verbatim or {}),
            e.LabelStatusChanged(before=None, after=status, verb="upload"),
        ]
        return facts if score is None else [*facts, e.LabelScoreSet(score=score)]

    def changes(self, state: LabelState, document: Document) -> Changes:
        if state.document is not None and values.same(state.document, document.verbatim):
            return Changes()
        return Changes(facts=[e.LabelDocumentSet(document=document.verbatim or {})])

    def render(self, state: LabelState) -> JSON:
        return state.document or {}

    def frame(self, state: LabelState, number: int, sensor: int | None) -> JSON:
        return framed(self.render(state), number)

    def copied(self, state: LabelState) -> list[Fact]:
        return copies.copied_document(state)

    def editor(self, state: LabelState, **keywords: Any) -> Editor:
        raise Refused(f"Labels of a {self.name or 'custom'} dataset are set by whole documents; PUT the label.")

    def picture_count(self, state: LabelState) -> int | None:
        return None

    def pictures(self, state: LabelState, start: int, end: int) -> list[Picture]:
        return []


def framed(document: JSON, number: int) -> JSON:
    """What a document says of a frame; nothing where it has frames, and not that one."""
    frames = document.get("frames")
    if not isinstance(frames, list):
        return document
    return next((frame for frame in frames[number : number + 1] if isinstance(frame, dict)), {})


def has_frames(name: str) -> bool:
    """Whether the samples of a task type, which nobody may have plugged in, have frames: the protocol names it so."""
    return name.endswith("-sequence")


_task_types: dict[str, TaskType] = {}


def register(task_type: TaskType) -> None:
    """Plug in a task type, in the place of an earlier one of the same name."""
    _task_types[task_type.name] = task_type


def task_type(name: str) -> TaskType:
    return _task_types[name]


def task_type_names() -> list[str]:
    return list(_task_types)


for _name in ("vector", "bboxes", "keypoints"):
    register(AnnotationTask(_name))
for _name in ("segmentation-bitmap", "segmentation-bitmap-highres"):
    register(AnnotationTask(_name, has_mask=True))
for _name in LABELS:
    register(VerbatimTask(_name))
