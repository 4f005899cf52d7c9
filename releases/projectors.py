"""How the streams of releases and imports fold into rows."""

from __future__ import annotations

import uuid

from labeling.log.event import Event
from labeling.log.projector import StreamKind
from labeling.log.rows import Rows
from releases import rules, trainings
from releases.imports import state as imports
from releases.imports.state import ImportState
from releases.rules import TABLE, ReleaseState


def release_rows(log: uuid.UUID, stream: str, events: list[Event]) -> Rows:
    return rules.rows(rules.fold(ReleaseState(log, stream), events))


def import_rows(log: uuid.UUID, stream: str, events: list[Event]) -> Rows:
    return imports.rows(imports.fold(ImportState(log, stream), events))


STREAM_KINDS = (
    StreamKind("release", {TABLE: "dataset_id"}, release_rows),
    StreamKind("training", {trainings.TABLE: "dataset_id"}, trainings.rows),
    StreamKind("import", {imports.TABLE: "dataset_id"}, import_rows),
)
