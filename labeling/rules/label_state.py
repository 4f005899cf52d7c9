"""The state of one label: its header and its annotations, folded from the events of its stream."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from labeling import events as e
from labeling.geometry import conversions, vertices
from labeling.log.event import Event, Fact
from labeling.log.rows import Rows
from labeling.rules import parts
from labeling.rules.fold import Moment, Place, folded, spelled
from labeling.rules.label_ids import annotation_key, label_id

Annotation = dict[str, Any]
JSON = dict[str, Any]

ROW_KEYS = frozenset(("uuid", "id", "category_id", "order", "version", "last_offset"))

STATUSES = (
    "UNLABELED",
    "PRELABELED",
    "LABELING_IN_PROGRESS",
    "LABELED",
    "REVIEWING_IN_PROGRESS",
    "REVIEWED",
    "REJECTED",
    "SKIPPED",
    "VERIFIED",
)


@dataclass(slots=True)
class LabelState:
    """One label. `annotations` maps uuid to annotation; it holds only what was asked for unless `complete`.

    An annotation is a dict: uuid, id, category_id, order, geometry, version (of its last change), by (author of that),
    last_offset, and where set: attributes, keypoints, orientation, score, origin, extra, links. It is never changed in
    place: a change puts a new dict there, so the difference between two states is found by identity.
    """

    dataset: uuid.UUID
    stream: str
    version: int = 0
    exists: bool = False
    status: str = "UNLABELED"
    score: float | None = None
    scene: JSON = field(default_factory=dict)
    classifications: list[int] = field(default_factory=list)
    default_classification: int | None = None
    mask: JSON | None = None
    document: JSON | None = None
    last_id: int = 0
    last_order: float = 0.0
    created_by: uuid.UUID | None = None
    created_at: Moment | None = None
    updated_by: uuid.UUID | None = None
    updated_at: Moment | None = None
    reviewed_by: uuid.UUID | None = None
    reviewed_at: Moment | None = None
    last_offset: int = 0
    annotations: dict[str, Annotation] = field(default_factory=dict)
    parts: dict[str, dict[str, JSON]] = field(default_factory=dict)  #: table of an app above → uuid → piece
    complete: bool = True
    #: The dataset's settings as they are now, for rules that record what they decided by; a fold knows none.
    settings: JSON = field(default_factory=dict, compare=False)

    @property
    def id(self) -> uuid.UUID:
        return label_id(self.stream)

    @property
    def sample(self) -> str:
        return self.stream.split("/")[1]

    @property
    def label_set(self) -> str:
        return self.stream.split("/")[2]

    def in_order(self) -> list[Annotation]:
        """The annotations from bottom to top."""
        return sorted(self.annotations.values(), key=lambda item: (item["order"], item["id"]))

    def copied(self) -> LabelState:
        pieces = {table: dict(items) for table, items in self.parts.items()}
        return replace(self, annotations=dict(self.annotations), parts=pieces)


def fold(state: LabelState, events: list[Event]) -> LabelState:
    """The state after `events`, on a copy."""
    return folded(state.copied(), events, evolve)


def evolve(state: LabelState, fact: Fact, place: Place) -> None:
    """Change `state` by one fact. A fact about an annotation that is not there changes only the header."""
    if not state.exists and not isinstance(fact, NO_CONTENT):
        state.exists = True
        state.created_by, state.created_at = place.author, place.at
    handler = HANDLERS.get(type(fact))
    if handler is None:
        plugged = parts.of_fact(type(fact))
        if plugged is None:
            raise KeyError(type(fact).__name__)
        handler = plugged.handlers[type(fact)]
    handler(state, fact, place)
    state.version = place.version
    state.updated_by, state.updated_at = place.author, place.at
    state.last_offset = place.offset


def rows(state: LabelState) -> JSON:
    """The header row."""
    return {
        "id": state.id,
        "dataset_id": state.dataset,
        "last_offset": state.last_offset,
        "sample_id": state.sample,
        "label_set_id": state.label_set,
        "version": state.version,
        "status": state.status,
        "score": state.score,
        "scene": state.scene,
        "classifications": state.classifications,
        "default_classification": state.default_classification,
        "mask": state.mask,
        "document": state.document,
        "last_id": state.last_id,
        "last_order": state.last_order,
        "deleted": not state.exists,
        "created_by": state.created_by,
        "created_at": state.created_at,
        "updated_by": state.updated_by,
        "updated_at": state.updated_at,
        "reviewed_by": state.reviewed_by,
        "reviewed_at": state.reviewed_at,
        "last_bucket": bucket_of(state.last_offset),
    }


def bucket_of(offset: int) -> int:
    """Which 1024 offsets of a log this is one of, counted from 1; an offset that the append fills in stays what it is,
    for then the append fills in the bucket."""
    return offset if offset < 1 else (offset >> 10) + 1


def annotation_row(state: LabelState, label: bytes, spelled_label: str, item: Annotation) -> JSON:
    return {
        "key": annotation_key(label, item["uuid"]),
        "uuid": item["uuid"],
        "dataset_id": state.dataset,
        "last_offset": item["last_offset"],
        "label_id": spelled_label,
        "id": item["id"],
        "category_id": item["category_id"],
        "type": item["geometry"]["type"],
        "order": item["order"],
        "version": item["version"],
        "data": {key: value for key, value in item.items() if key not in ROW_KEYS},
    }


def difference(before: LabelState, after: LabelState) -> Rows:
    """The rows to write so that the tables go from `before` to `after`."""
    label = after.id
    prefix, spelled_label = label.bytes, str(label)
    changed = [
        annotation_row(after, prefix, spelled_label, item)
        for key, item in after.annotations.items()
        if before.annotations.get(key) is not item
    ]
    gone = [annotation_key(prefix, key) for key in before.annotations if key not in after.annotations]
    found = Rows(put={"labeling_label": [rows(after)]})
    if changed:
        found.put["labeling_annotation"] = changed
    if gone:
        found.out["labeling_annotation"] = gone
    for table in sorted({*before.parts, *after.parts}):
        had, has = before.parts.get(table, {}), after.parts.get(table, {})
        row = parts.of_table(table).row
        put = [row(after, label, item) for key, item in has.items() if had.get(key) is not item]
        out = [annotation_key(prefix, key) for key in had if key not in has]
        if put:
            found.put[table] = put
        if out:
            found.out[table] = out
    return found


# --- what each fact does -------------------------------------------------------------------------------------------

Handler = Callable[[LabelState, Any, Place], None]


def _change(name: str | None, *keys: str) -> Handler:
    """A handler that sets `keys` of the fact on its annotation; `name` names one key to take away instead."""

    def handler(state: LabelState, fact: Any, place: Place) -> None:
        changes = {key: getattr(fact, key) for key in keys}
        _put(state, fact.annotation, place, changes, [name] if name else [])

    return handler


def _put(state: LabelState, key: str, place: Place, changes: JSON, without: list[str] | None = None) -> None:
    old = state.annotations.get(key)
    if old is None:
        return
    new = {**old, **changes, "version": place.version, "by": spelled(place.author), "last_offset": place.offset}
    for gone in without or ():
        new.pop(gone, None)
    for optional in ("score", "origin", "extra"):
        if optional in new and new[optional] is None:
            del new[optional]
    state.annotations[key] = new


def _added(state: LabelState, fact: e.AnnotationAdded, place: Place) -> None:
    _add(state, fact.plain(), place, spelled(place.author))


#: What an AnnotationAdded may have beside what each has, and how much that is.
_MAY_HAVE = frozenset(field.name for field in msgspec.structs.fields(e.AnnotationAdded) if not field.required)
_EACH_HAS = len(msgspec.structs.fields(e.AnnotationAdded)) - len(_MAY_HAVE)


def _add(state: LabelState, said: JSON, place: Place, author: str) -> None:
    """Add an annotation of which the fields of an AnnotationAdded are said; imports bring millions.

    Raises:
        KeyError, TypeError: a field is missing, or is none of its.
    """
    key, number, order = said["annotation"], said["id"], said["order"]
    item: Annotation = {
        "uuid": key,
        "id": number,
        "category_id": said["category_id"],
        "order": order,
        "geometry": said["geometry"],
        "version": place.version,
        "by": author,
        "last_offset": place.offset,
    }
    left = len(said) - _EACH_HAS
    if left:
        for name, value in said.items():
            if name in _MAY_HAVE:
                left -= 1
                if value is not None:
                    item[name] = value
        if left:
            raise TypeError(
                f"an annotation has no {', '.join(sorted(said.keys() - item.keys() - _MAY_HAVE - {'annotation'}))}"
            )
    state.annotations[key] = item
    if number > state.last_id:
        state.last_id = number
    if order > state.last_order:
        state.last_order = order


def _removed(state: LabelState, fact: e.AnnotationRemoved, place: Place) -> None:
    state.annotations.pop(fact.annotation, None)


def _attributes_set(state: LabelState, fact: e.AnnotationAttributesSet, place: Place) -> None:
    old = state.annotations.get(fact.annotation)
    if old is not None:
        _put(state, fact.annotation, place, {"attributes": old.get("attributes", {}) | fact.attributes})


def _attributes_cleared(state: LabelState, fact: e.AnnotationAttributesCleared, place: Place) -> None:
    old = state.annotations.get(fact.annotation)
    if old is None:
        return
    if fact.all:
        _put(state, fact.annotation, place, {}, ["attributes"])
    else:
        kept = {name: value for name, value in old.get("attributes", {}).items() if name not in fact.names}
        _put(state, fact.annotation, place, {"attributes": kept})


def _reshape(change: Callable[[JSON, Any], JSON]) -> Handler:
    """A handler that makes an annotation's geometry of the one that it has."""

    def handler(state: LabelState, fact: Any, place: Place) -> None:
        old = state.annotations.get(fact.annotation)
        if old is not None:
            _put(state, fact.annotation, place, {"geometry": change(old["geometry"], fact)})

    return handler


def _link_added(state: LabelState, fact: e.AnnotationLinkAdded, place: Place) -> None:
    old = state.annotations.get(fact.annotation)
    if old is not None:
        links = [link for link in old.get("links", []) if link["to"] != fact.to]
        _put(state, fact.annotation, place, {"links": [*links, {"to": fact.to, "attributes": fact.attributes}]})


def _link_removed(state: LabelState, fact: e.AnnotationLinkRemoved, place: Place) -> None:
    old = state.annotations.get(fact.annotation)
    if old is not None:
        links = [link for link in old.get("links", []) if link["to"] != fact.to]
        _put(state, fact.annotation, place, {"links": links} if links else {}, [] if links else ["links"])


def _rasterized(state: LabelState, fact: e.AnnotationRasterized, place: Place) -> None:
    _put(state, fact.annotation, place, {"geometry": fact.geometry}, ["attributes", "keypoints", "orientation"])


def _order(state: LabelState, fact: e.AnnotationOrderChanged, place: Place) -> None:
    _put(state, fact.annotation, place, {"order": fact.order})
    state.last_order = max(state.last_order, fact.order)


def _imported(state: LabelState, fact: e.LabelImported, place: Place) -> None:
    author = spelled(place.author)
    for item in fact.annotations:
        _add(state, item, place, author)
        if fact.origin:
            state.annotations[item["annotation"]]["origin"] = fact.origin_of(item)
    state.scene = state.scene | fact.scene
    if fact.mask is not None:
        state.mask = fact.mask
    if fact.status is not None:
        state.status = fact.status
    if fact.score is not None:
        state.score = fact.score


def _document(state: LabelState, fact: e.LabelDocumentSet, place: Place) -> None:
    state.document = fact.document


def _status(state: LabelState, fact: e.LabelStatusChanged, place: Place) -> None:
    state.status = fact.after
    if fact.verb in ("accept", "reject", "verify"):
        state.reviewed_by, state.reviewed_at = place.author, place.at


def _score(state: LabelState, fact: e.LabelScoreSet, place: Place) -> None:
    state.score = fact.score


def _scene(state: LabelState, fact: e.SceneAttributesSet, place: Place) -> None:
    scene = state.scene | fact.scene
    state.scene = {key: value for key, value in scene.items() if value is not None}


def _assigned(state: LabelState, fact: e.ClassificationAssigned, place: Place) -> None:
    if fact.category_id not in state.classifications:
        state.classifications = [*state.classifications, fact.category_id]


def _unassigned(state: LabelState, fact: e.ClassificationRemoved, place: Place) -> None:
    state.classifications = [item for item in state.classifications if item != fact.category_id]


def _default(state: LabelState, fact: e.DefaultClassificationSet, place: Place) -> None:
    state.default_classification = fact.category_id


def _patched(state: LabelState, fact: e.BitmapPatched, place: Place) -> None:
    state.mask = fact.mask


def _annotation_restored(state: LabelState, fact: e.AnnotationRestored, place: Place) -> None:
    old = state.annotations.get(fact.annotation)
    if old is None:
        old = state.annotations[fact.annotation] = {"uuid": fact.annotation}
    _put(state, fact.annotation, place, fact.fields, fact.cleared)
    new = state.annotations[fact.annotation]
    state.last_id = max(state.last_id, new["id"])
    state.last_order = max(state.last_order, new["order"])


def _header_restored(state: LabelState, fact: e.LabelHeaderRestored, place: Place) -> None:
    for name, value in fact.fields.items():
        if name in ("created", "reviewed"):
            setattr(state, f"{name}_by", None if value is None else uuid.UUID(value[0]))
            setattr(state, f"{name}_at", None if value is None else dt.datetime.fromisoformat(value[1]))
        else:
            setattr(state, name, value)


def _said(state: LabelState, fact: Fact, place: Place) -> None:
    """A heading: what it changed is told by the events behind it."""


def _deleted(state: LabelState, fact: e.LabelDeleted, place: Place) -> None:
    state.exists = False
    state.status = "UNLABELED"
    state.score = state.mask = state.document = state.default_classification = None
    state.reviewed_by = state.reviewed_at = None
    state.scene, state.classifications, state.annotations, state.parts = {}, [], {}, {}


#: These bring no label about.
NO_CONTENT = (e.LabelDeleted, e.GestureUndone, e.GestureRedone, e.LabelRestored)
HANDLERS: dict[type[Fact], Handler] = {
    e.GestureUndone: _said,
    e.GestureRedone: _said,
    e.LabelRestored: _said,
    e.MaskImported: _said,
    e.LabelHeaderRestored: _header_restored,
    e.AnnotationRestored: _annotation_restored,
    e.LabelImported: _imported,
    e.LabelDocumentSet: _document,
    e.LabelStatusChanged: _status,
    e.LabelScoreSet: _score,
    e.LabelDeleted: _deleted,
    e.SceneAttributesSet: _scene,
    e.ClassificationAssigned: _assigned,
    e.ClassificationRemoved: _unassigned,
    e.DefaultClassificationSet: _default,
    e.BitmapPatched: _patched,
    e.AnnotationAdded: _added,
    e.AnnotationRemoved: _removed,
    e.AnnotationGeometrySet: _change(None, "geometry"),
    e.AnnotationVertexInserted: _reshape(
        lambda had, fact: vertices.insert_vertex(had, fact.part, fact.ring, fact.after, fact.point)
    ),
    e.AnnotationVertexMoved: _reshape(
        lambda had, fact: vertices.move_vertex(had, fact.part, fact.ring, fact.vertex, fact.point)
    ),
    e.AnnotationVertexRemoved: _reshape(
        lambda had, fact: vertices.remove_vertex(had, fact.part, fact.ring, fact.vertex)
    ),
    e.AnnotationPartAdded: _reshape(lambda had, fact: vertices.add_part(had, fact.points)),
    e.AnnotationHoleAdded: _reshape(lambda had, fact: vertices.add_hole(had, fact.part, fact.points)),
    e.AnnotationRingRemoved: _reshape(lambda had, fact: vertices.remove_ring(had, fact.part, fact.ring)),
    e.AnnotationCategorySet: _change(None, "category_id"),
    e.AnnotationAttributesSet: _attributes_set,
    e.AnnotationAttributesCleared: _attributes_cleared,
    e.AnnotationKeypointsSet: _change(None, "keypoints"),
    e.AnnotationKeypointsCleared: _change("keypoints"),
    e.AnnotationOrientationSet: _change(None, "orientation"),
    e.AnnotationOrientationCleared: _change("orientation"),
    e.AnnotationOrderChanged: _order,
    e.AnnotationScoreSet: _change(None, "score"),
    e.AnnotationOriginSet: _change(None, "origin"),
    e.AnnotationExtraSet: _change(None, "extra"),
    e.AnnotationLinkAdded: _link_added,
    e.AnnotationLinkRemoved: _link_removed,
    e.AnnotationBitmapPatched: _reshape(
        lambda had, fact: conversions.repainted(had, drawn=fact.drawn, erased=fact.erased)
    ),
    e.AnnotationRasterized: _rasterized,
    e.AnnotationPolygonized: _change(None, "geometry"),
    e.AnnotationFitted: _change(None, "geometry"),
}
