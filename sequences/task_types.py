"""The task types of sequences: a document becomes tracks, and tracks become a document again. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from labeling import events as labels
from labeling.errors import InvalidValue
from labeling.log import values
from labeling.log.event import Fact
from labeling.rules import copies
from labeling.rules.documents import Changes, Document
from labeling.rules.edits.editor import Editor
from labeling.rules.fold import NOW, Place
from labeling.rules.label_state import LabelState, evolve
from labeling.rules.masks import Picture
from labeling.rules.protocol.labels import check_label
from sequences import events as e
from sequences.rules import pictures
from sequences.rules.dense import document_text
from sequences.rules.documents import (
    SequenceDocument,
    first_tracks,
    imported,
    opening,
    parse_tracks,
    render_tracks,
    rendered_frames,
    track_changes,
)
from sequences.rules.drawn import check_saved
from sequences.rules.edits import TrackEditor
from sequences.rules.skeletons import BITMAPS, SENSORS, clock_said, is_verbatim, sensors_of, skeleton_of
from sequences.rules.track_state import in_order

JSON = dict[str, Any]

NAMES = (*sorted(SENSORS), "multisensor-sequence")


class SequenceTask:
    """A sequence whose objects are tracks."""

    by_annotation = False
    has_mask = False
    shape_edits: Mapping[str, str] = {"fit": "fit_track", "rasterize": "rasterize_track"}
    by_frame = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.has_sensors = name == "multisensor-sequence"

    def parse(self, document: JSON, where: str) -> Document:
        check_label(self.name, document, where)
        return parse_tracks(document, where, task_type=self.name)

    def first(
        self, state: LabelState, document: Document, status: str, score: float | None, mask: JSON | None
    ) -> list[Fact]:
        assert isinstance(document, SequenceDocument)
        document.skeleton |= clock_said(state.settings)
        return [*first_tracks(state, document), *_head(status, score)]

    def changes(self, state: LabelState, document: Document) -> Changes:
        assert isinstance(document, SequenceDocument)
        if is_verbatim(state) and values.same(state.document, document.verbatim):
            return Changes()
        opened, facts = self.opened(state)
        changes = track_changes(opened, document)
        changes.facts = [*facts, *changes.facts] if changes.facts else []
        return changes

    def check_saved(self, state: LabelState, facts: list[Fact], **demands: Any) -> None:
        """A label that is stored as one document yet is not held against anything: all of it was there."""
        if not is_verbatim(state):
            check_saved(self.name, state, facts, **demands)

    def render(self, state: LabelState) -> JSON:
        if is_verbatim(state):
            return state.document or {}
        return render_tracks(state if state.document is not None else replace(state, document=self.empty()))

    def text(self, state: LabelState) -> bytes:
        if is_verbatim(state):
            return orjson.dumps(state.document)
        return document_text(state if state.document is not None else replace(state, document=self.empty()))

    def frame(self, state: LabelState, number: int, sensor: int | None) -> JSON:
        if is_verbatim(state):
            state = self.opened(state)[0]
        if sensor not in sensors_of(skeleton_of(state)):
            return {}
        return next(iter(rendered_frames(state, sensor, number, number + 1)), {})

    def copied(self, state: LabelState) -> list[Fact]:
        if is_verbatim(state):
            return copies.copied_document(state)
        skeleton = None if state.document is None else skeleton_of(state)
        tracks = [_copied(track, state.label_set) for track in in_order(state)]
        return [*imported(tracks, skeleton), *_head(state.status, state.score)]

    def editor(self, state: LabelState, **keywords: Any) -> Editor:
        return TrackEditor(state, has_mask=False, task_type=self.name, open=self.begun, **keywords)

    def picture_count(self, state: LabelState) -> int | None:
        """The number of its frames, where they are images."""
        return pictures.count(self.opened(state)[0]) if self.name in pictures.OF_IMAGES else None

    def pictures(self, state: LabelState, start: int, end: int) -> list[Picture]:
        return pictures.shown(self.opened(state)[0], start, end, bitmaps=self.name == BITMAPS)

    def begun(self, state: LabelState, sample: Callable[[], JSON]) -> list[Fact]:
        """The facts in front of the first edit of a track: a label that has no frames yet gets those of its sample."""
        if state.document is not None:
            return self.opened(state)[1]
        return [e.SequenceDocumentSet(document=self._frames_of(sample()) | clock_said(state.settings))]

    def _frames_of(self, sample: JSON) -> JSON:
        """The skeleton for a sample: as many frames as it has, with their times."""
        if not self.has_sensors:
            return {"frames": [_head_of(frame) for frame in _list(sample.get("frames"))]}
        sensors = []
        for sensor in _list(sample.get("sensors")):
            frames = [_head_of(frame) for frame in _list((sensor.get("attributes") or {}).get("frames"))]
            known = sensor.get("task_type") in SENSORS
            sensors.append(
                {
                    "name": sensor.get("name", ""),
                    "task_type": sensor.get("task_type", ""),
                    "attributes": {"frames": frames} if known else [],
                }
            )
        return {"sensors": sensors}

    def empty(self) -> JSON:
        """What `LabelState.document` is where nobody uploaded a document and nothing was drawn."""
        return {"skeleton": {"sensors" if self.has_sensors else "frames": []}}

    def opened(self, state: LabelState) -> tuple[LabelState, list[Fact]]:
        """The state with tracks, where it holds a document from before there were any, and the facts that say so.

        A document that today would be refused is opened as an empty one, and stays in the log.
        """
        if not is_verbatim(state):
            return state, []
        try:
            check_label(self.name, state.document, "attributes")
            parsed = parse_tracks(state.document or {}, "attributes", task_type=self.name)
        except (InvalidValue, ValueError):
            parsed = parse_tracks(self.empty()["skeleton"], "attributes", task_type=self.name)
        facts = opening(state, parsed)
        opened = state.copied()
        for number, fact in enumerate(facts, 1):
            author = state.updated_by or state.created_by or uuid.UUID(int=0)
            evolve(opened, fact, Place(author, NOW, state.last_offset, state.version + number))
        return opened, facts


def _list(value: Any) -> list[JSON]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _head_of(frame: JSON) -> JSON:
    return {"timestamp": frame["timestamp"]} if frame.get("timestamp") is not None else {}


def _head(status: str, score: float | None) -> list[Fact]:
    facts: list[Fact] = [labels.LabelStatusChanged(before=None, after=status, verb="upload")]
    return facts if score is None else [*facts, labels.LabelScoreSet(score=score)]


def _copied(track: JSON, label_set: str) -> JSON:
    """The fields of TrackAdded for a copy, which names its origin."""
    origin: JSON = {"kind": "clone", "label_set": label_set, "annotation": track["uuid"]}
    if "origin" in track:
        origin["origin"] = track["origin"]
    found: JSON = {"track": str(uuid.uuid4()), "origin": origin}
    for key in ("track_id", "sensor", "category_id", "entries", "order", "object_id", "unflagged"):
        if key == "category_id" or track.get(key) is not None:
            found[key] = track[key]
    return found


TASK_TYPES = tuple(SequenceTask(name) for name in NAMES)
