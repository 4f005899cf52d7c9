"""What happened to a label and its annotations."""

from __future__ import annotations

from typing import Any

from labeling.log.event import Fact

JSON = dict[str, Any]


class LabelImported(Fact, frozen=True):
    """A label's first content came as a whole document; huge ones in several parts, each complete in itself."""

    annotations: list[JSON]  #: as AnnotationAdded
    scene: JSON = {}
    mask: JSON | None = None  #: as in BitmapPatched.mask
    status: str | None = None
    verb: str = "upload"
    score: float | None = None
    part: int = 1
    parts: int = 1
    origin: JSON = {}  #: what the origins of all annotations have in common; each says the rest of its own

    def origin_of(self, item: JSON) -> JSON | None:
        """Where one of the annotations comes from."""
        said: JSON | None = item.get("origin")
        return {**self.origin, **(said or {})} if self.origin else said


class LabelDocumentSet(Fact, frozen=True):
    """The whole label was set, verbatim; for task types without events of their own."""

    document: JSON


class LabelStatusChanged(Fact, frozen=True):
    """The label went from one status to another."""

    before: str | None
    after: str
    verb: str  #: submit, save, skip, accept, reject, verify, override, upload, reopen, undo


class GestureUndone(Fact, frozen=True):
    """Somebody took one of their gestures back; the events behind it, of the same command, say what that changed."""

    gesture: str
    forced: bool = False  #: what others did since may have gone with it


class GestureRedone(Fact, frozen=True):
    """Somebody did again what they had undone; the events behind it, of the same command, say what that changed."""

    gesture: str
    forced: bool = False  #: what others did since may have gone with it


class LabelRestored(Fact, frozen=True):
    """Something of the past was put back; the events behind it, of the same command, say what that changed.

    `of` says what: {kind: event, gesture, work_session, author, annotation, label …} with what it was named by.
    """

    of: JSON
    forced: bool = False  #: what others did since may have gone with it


class LabelHeaderRestored(Fact, frozen=True):
    """Fields of the label itself became again what they were: score, scene, classifications, default_classification,
    document, mask (where it was none of ours), created and reviewed as [person, time]."""

    fields: JSON


class LabelScoreSet(Fact, frozen=True):
    """The label as a whole got a score, or lost it."""

    score: float | None


class LabelDeleted(Fact, frozen=True):
    """The label was deleted; its stream goes on counting."""


class SceneAttributesSet(Fact, frozen=True):
    """What holds for the whole image was set: image attributes and the document's other keys. null removes a key."""

    scene: JSON


class ClassificationAssigned(Fact, frozen=True):
    """The whole image was given a category."""

    category_id: int


class ClassificationRemoved(Fact, frozen=True):
    """The whole image lost a category."""

    category_id: int


class DefaultClassificationSet(Fact, frozen=True):
    """One of the image's categories became the default one; null when none is left."""

    category_id: int | None


class AnnotationAdded(Fact, frozen=True):
    """An object was added."""

    annotation: str
    id: int
    category_id: int | None
    geometry: JSON
    order: float
    attributes: JSON | None = None
    keypoints: list[JSON] | None = None
    orientation: JSON | None = None
    score: float | None = None
    origin: JSON | None = None
    extra: JSON | None = None  #: keys of the uploaded object that the protocol does not name


class AnnotationRestored(Fact, frozen=True):
    """An object became again what it was: all of it where it was gone, else these fields, and without the cleared."""

    annotation: str
    fields: JSON
    cleared: list[str] = []


class AnnotationRemoved(Fact, frozen=True):
    """An object was removed."""

    annotation: str


class AnnotationGeometrySet(Fact, frozen=True):
    """An object got a new geometry: moved, resized, or drawn again."""

    annotation: str
    geometry: JSON


class AnnotationVertexInserted(Fact, frozen=True):
    """A vertex was put into an outline, behind the vertex `after` (-1: before a line's first)."""

    annotation: str
    part: int
    ring: int
    after: int
    point: list[float]


class AnnotationVertexMoved(Fact, frozen=True):
    """A vertex of an outline was put elsewhere."""

    annotation: str
    part: int
    ring: int
    vertex: int
    point: list[float]


class AnnotationVertexRemoved(Fact, frozen=True):
    """A vertex of an outline was taken away, and its neighbours joined."""

    annotation: str
    part: int
    ring: int
    vertex: int


class AnnotationPartAdded(Fact, frozen=True):
    """An object got one more part: an outer ring of a polygon, a line of a polyline."""

    annotation: str
    points: list[list[float]]


class AnnotationHoleAdded(Fact, frozen=True):
    """A part of a polygon got one more hole."""

    annotation: str
    part: int
    points: list[list[float]]


class AnnotationRingRemoved(Fact, frozen=True):
    """A hole of a polygon was filled again, or with ring 0 a part was taken away with its holes."""

    annotation: str
    part: int
    ring: int


class AnnotationCategorySet(Fact, frozen=True):
    """An object got another category, or none."""

    annotation: str
    category_id: int | None


class AnnotationAttributesSet(Fact, frozen=True):
    """Some attributes of an object were set."""

    annotation: str
    attributes: JSON


class AnnotationAttributesCleared(Fact, frozen=True):
    """Some attributes of an object were taken away; `all` says that it has no attributes at all now."""

    annotation: str
    names: list[str]
    all: bool = False


class AnnotationKeypointsSet(Fact, frozen=True):
    """An object's keypoints were placed."""

    annotation: str
    keypoints: list[JSON]


class AnnotationKeypointsCleared(Fact, frozen=True):
    """An object's keypoints were taken away."""

    annotation: str


class AnnotationOrientationSet(Fact, frozen=True):
    """An object's roll, pitch and yaw were set, in degrees."""

    annotation: str
    orientation: JSON


class AnnotationOrientationCleared(Fact, frozen=True):
    """An object's orientation was taken away."""

    annotation: str


class AnnotationOrderChanged(Fact, frozen=True):
    """An object was raised or lowered; a higher order lies on top."""

    annotation: str
    order: float


class AnnotationScoreSet(Fact, frozen=True):
    """An object got a score, or lost it."""

    annotation: str
    score: float | None


class AnnotationOriginSet(Fact, frozen=True):
    """Where an object comes from was set: a person, a model and its run, an import, a tool, another label set."""

    annotation: str
    origin: JSON | None


class AnnotationExtraSet(Fact, frozen=True):
    """Keys of the object that the protocol does not name were set as uploaded."""

    annotation: str
    extra: JSON | None


class AnnotationLinkAdded(Fact, frozen=True):
    """An object was linked to another one."""

    annotation: str
    to: str
    attributes: JSON = {}


class AnnotationLinkRemoved(Fact, frozen=True):
    """A link between two objects was removed."""

    annotation: str
    to: str


class BitmapPatched(Fact, frozen=True):
    """Pixels of the label's bitmap changed: which ids gained or lost some, and the half-open pixel boxes of those.

    `mask` refers to the bitmap as it is now: {url, sha256 of the pixels as `hash`, width, height}.
    """

    base_hash: str | None
    mask: JSON
    changed: list[JSON]


class MaskImported(Fact, frozen=True):
    """A mask with its segments was imported; the events behind it, of the same command, say what that changed.

    `source`: {sha256 and address of the file that was read, mask_url where it came from}; `segments`: the value of the
    mask's pixels as `index`, and the `id` of the object; `findings`: what was odd (rules.mask_imports).
    """

    source: JSON
    segments: list[JSON]
    annotation_id: str | None = None
    findings: list[JSON] = []


class AnnotationBitmapPatched(Fact, frozen=True):
    """Pixels of an object's own bitmap changed: run lengths of those that it gained, and of those that it lost.

    The hashes are of the bitmap before and after (geometry.rle.hash_of_runs).
    """

    annotation: str
    base_hash: str
    hash: str
    drawn: JSON | None = None
    erased: JSON | None = None


class AnnotationRasterized(Fact, frozen=True):
    """An object became a bitmap; `cleared` keeps what it lost: its outline, attributes, keypoints and orientation."""

    annotation: str
    geometry: JSON
    cleared: JSON


class AnnotationPolygonized(Fact, frozen=True):
    """A bitmap object became polygons."""

    annotation: str
    geometry: JSON
    tolerance_px: float


class AnnotationFitted(Fact, frozen=True):
    """An object was pushed, then clamped, into the image."""

    annotation: str
    geometry: JSON


ANNOTATION_EVENTS = (
    AnnotationAdded,
    AnnotationRestored,
    AnnotationRemoved,
    AnnotationGeometrySet,
    AnnotationVertexInserted,
    AnnotationVertexMoved,
    AnnotationVertexRemoved,
    AnnotationPartAdded,
    AnnotationHoleAdded,
    AnnotationRingRemoved,
    AnnotationCategorySet,
    AnnotationAttributesSet,
    AnnotationAttributesCleared,
    AnnotationKeypointsSet,
    AnnotationKeypointsCleared,
    AnnotationOrientationSet,
    AnnotationOrientationCleared,
    AnnotationOrderChanged,
    AnnotationScoreSet,
    AnnotationOriginSet,
    AnnotationExtraSet,
    AnnotationLinkAdded,
    AnnotationLinkRemoved,
    AnnotationBitmapPatched,
    AnnotationRasterized,
    AnnotationPolygonized,
    AnnotationFitted,
)

LABEL_EVENTS = (
    LabelImported,
    LabelDocumentSet,
    LabelStatusChanged,
    GestureUndone,
    GestureRedone,
    LabelRestored,
    LabelHeaderRestored,
    LabelScoreSet,
    LabelDeleted,
    SceneAttributesSet,
    ClassificationAssigned,
    ClassificationRemoved,
    DefaultClassificationSet,
    BitmapPatched,
    MaskImported,
    *ANNOTATION_EVENTS,
)
